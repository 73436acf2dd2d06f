//! Zones, and the lists of zones that policies go from and to.

use super::{InterfacePattern, Prefix, ZoneRef, value::one_or_list};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One of the networks around the box: what is behind some of its interfaces.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Zone {
    /// The interfaces of the zone: names, or beginnings of names such as `wg*`, also of interfaces that appear
    /// later. An interface belongs to one zone, unless zones on it are told apart by address (`match`).
    /// Example: `[eth1, "wg*"]`.
    #[schemars(length(min = 1), extend("uniqueItems" = true))]
    pub interfaces: Vec<InterfacePattern>,

    /// The networks that live behind these interfaces, for anti-spoofing and proofs. They decide who belongs to the
    /// zone only with `match: address`. Default: not told. Example: `[192.168.0.0/22, "fd12:3456:789a::/64"]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1))]
    pub networks: Vec<Prefix>,

    /// What makes a packet one of this zone: its interface, or its interface and its address. Default: `interface`.
    #[serde(
        default,
        rename = "match",
        skip_serializing_if = "ZoneMatch::is_interface"
    )]
    pub matches: ZoneMatch,
}

/// What makes a packet one of a zone.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum ZoneMatch {
    /// The interface alone. On an interface that zones with `match: address` share with it, the zone is everything that
    /// is none of theirs; there is one such zone on an interface at most.
    #[default]
    Interface,
    /// The interface and an address in `networks`: the source of what comes in, the destination of what goes out. Several
    /// zones can share an interface so; of nested networks the narrowest decides, and without IPv6 networks a zone has
    /// no IPv6. What no network holds (0.0.0.0 of a host that asks for an address, link-local addresses, multicast
    /// destinations of what goes out) belongs to the zone without `match: address` on that interface, or is dropped. Hosts
    /// on one wire can reach each other past the box, and take each other's addresses: it tells hosts apart, it does not
    /// keep them apart.
    Address,
}

impl ZoneMatch {
    fn is_interface(&self) -> bool {
        *self == Self::Interface
    }
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
