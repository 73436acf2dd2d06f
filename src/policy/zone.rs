//! Zones, and the lists of zones that policies go from and to.

use super::{InterfacePattern, Prefix, ZoneRef, value::one_or_list};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One of the networks around the box: what is behind some of its interfaces.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Zone {
    /// The interfaces of the zone: names, or beginnings of names such as `wg*`, also of interfaces that appear
    /// later. An interface belongs to one zone. Example: `[eth1, "wg*"]`.
    #[schemars(length(min = 1), extend("uniqueItems" = true))]
    pub interfaces: Vec<InterfacePattern>,

    /// The networks that live behind these interfaces, for anti-spoofing and proofs. They do not decide who
    /// belongs to the zone. Default: not told. Example: `[192.168.0.0/22, "fd12:3456:789a::/64"]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1))]
    pub networks: Vec<Prefix>,
}

/// A zone or a list of zones; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zones(Vec<ZoneRef>);

impl Zones {
    /// The zones as they are written, each once. A single zone that was not written as a list is one
    /// element, too; a path to it still finds its place.
    #[must_use]
    pub fn as_slice(&self) -> &[ZoneRef] {
        &self.0
    }
}

one_or_list!(
    Zones,
    ZoneRef,
    "a zone or a list of zones",
    "A zone or a list of zones: `wan`, `[wan, vpn]`, `any`."
);
