//! Sets that live: what they hold is not written in the policy but comes while the box runs.

use super::Duration;
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

    /// How long a source stays in a dynamic set after it was added for the last time. A new value holds for what is
    /// added from then on. Example: `1h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,

    /// How many sources a dynamic set can hold, of each family, 1 to 1000000. When it is full, no more are added until
    /// the time of others is over; the rules do what they say all the same. Default: 65536.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub size: Option<u32>,
}
