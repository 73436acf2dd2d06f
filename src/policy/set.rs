//! Sets that live: what they hold is not written in the policy but comes while the box runs.

use super::{Duration, Host, SetSource, Url};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A set of addresses that changes while the box runs. In `source` and `destination` it stands like a group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("minProperties" = 1))]
pub struct LivingSet {
    /// `true`: the kernel fills it, with the sources of the packets that rules with `add_source_to` match. In IPv6 it
    /// holds /64 networks, because a host picks its own address inside its network. What is in it stays over every
    /// apply, and goes with a reboot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dynamic: Option<bool>,

    /// How long a source stays in a dynamic set after it was added for the last time. Another value is for those who are
    /// added from then on. Example: `1h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,

    /// How many sources a dynamic set can hold, of each family, 1 to 1000000. When it is full, no more are added until
    /// the time of others is over; the rules do what they say all the same. Default: 65536.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub size: Option<u32>,

    /// Where its addresses come from: a list on the web with one address, prefix or range a line (`#` and `;` begin
    /// comments), or `dns:` and a name. It is fetched by `rfw apply --refresh` and never otherwise; between, and after a
    /// reboot, the last good copy is used. Without one the set is empty. Example:
    /// `https://lists.example.net/drop.txt`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<SetSource>,

    /// How old the copy is when `rfw apply --refresh` fetches it again. Default: it is fetched every time. Example:
    /// `6h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh: Option<Duration>,

    /// How many entries the list may have, 1 to 1000000; a longer one is refused. Default: 65536.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_entries: Option<u32>,

    /// How long the last good copy is used. When it is older, the set is empty until it is fetched again. Default: for
    /// ever. Example: `14d`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_last_good: Option<Duration>,

    /// Addresses, prefixes, ranges, groups and zones that the set must not hold: a list with one of them is refused.
    /// Example: `[admins, 10.0.0.0/8]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1))]
    pub never_contains: Vec<Host>,

    /// Where the SHA-256 of the list is published; a list with another one is refused. Example:
    /// `https://lists.example.net/drop.txt.sha256`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256_of: Option<Url>,
}
