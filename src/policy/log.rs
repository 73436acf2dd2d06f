//! What a rule may do beside deciding: log, and hold back.

use super::{LogPrefix, Rate};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Writes a line to the log. Its own `rate` limits the lines, never the decision.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// What each line begins with, up to 64 characters. Default: the name of the policy or `policy/rule`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<LogPrefix>,

    /// How many lines are written at most. Default: every connection is logged. Example: `5/minute`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,

    /// The nflog group (0 to 65535) that a program such as ulogd listens to. Default: the kernel's log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<u16>,
}

/// How many new connections a rule matches in a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// How many in which time. Example: `10/minute`.
    pub rate: Rate,

    /// How many may come at once before the rate holds, 1 to 4294967295. Default: 5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 4_294_967_295_u32))]
    pub burst: Option<u32>,

    /// Whether everybody has a rate of his own. Default: all share one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per: Option<LimitPer>,
}

/// How many connections at the same time a rule matches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConnLimit {
    /// How many connections, 1 to 1000000.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max: u32,

    /// Whose connections are counted: those of each source address.
    pub per: LimitPer,
}

/// Who has a rate, or a number of connections, of his own.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum LimitPer {
    /// Every source address.
    Source,
}
