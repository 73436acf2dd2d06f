//! How rfw stands: its table, what it verified last, and how full the kernel's tables are.

use super::{Conntrack, NeighbourTable};
use crate::reconcile::Report;
use crate::view::Switch;
use schemars::JsonSchema;
use serde::Serialize;

/// Everything that is cheap to know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Status {
    /// Of this shape: 1.
    pub version: u32,
    /// The live generation.
    pub generation: u32,
    /// The handle of rfw's table, when it is there.
    pub table: Option<u64>,
    /// What rfw has verified last.
    pub verified: Option<Verified>,
    /// Whether all is as it was then.
    pub drift: Drift,
    /// Settings of the box that are not as they were verified.
    pub settings: Vec<SettingDrift>,
    /// The neighbour tables; none when they cannot be read.
    pub neighbours: Vec<NeighbourTable>,
    /// Connection tracking.
    pub conntrack: Option<Conntrack>,
    /// What the schedules of the verified policy do next; none when the policy has changed since.
    pub next: Vec<Switch>,
    /// The digest of the verified policy, equal on all replicas, hexadecimal; nothing when it is not known.
    pub digest: Option<String>,
    /// The commit that the policy is of, and the one that was applied last; nothing where neither is known.
    pub commit: Option<CommitStatus>,
    /// What the daemon says; nothing where none has run since the machine started.
    pub daemon: Option<Daemon>,
    /// The boxes with the same policy, when they were asked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub peers: Vec<Peer>,
}

/// A box with the same policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Peer {
    /// Which of the policy's nodes it is.
    pub node: String,
    /// The digest of its policy, hexadecimal; nothing when it did not answer.
    pub digest: Option<String>,
    /// Whether that is the digest here; nothing when one of the two is not known.
    pub same_policy: Option<bool>,
    /// Whether its kernel holds what it compiles; nothing when that is not known.
    pub held: Option<bool>,
    /// Why it did not answer.
    pub trouble: Option<String>,
}

/// A policy out of Git.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct CommitStatus {
    /// The commit that the revision names now; nothing when it cannot be told, or the policy is not out of Git.
    pub now: Option<String>,
    /// Why `rfw apply` would refuse it; nothing when it would not.
    pub refused: Option<String>,
    /// The commit that was applied last.
    pub applied: Option<String>,
    /// The branch or tag that it came from, by its whole name.
    pub reference: Option<String>,
    /// Who had signed it, where that was looked at.
    pub signer: Option<String>,
    /// When it was applied, in UTC (RFC 3339).
    pub at: Option<String>,
}

/// The daemon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Daemon {
    /// Whether it runs.
    pub running: bool,
    /// What it said last.
    pub report: Report,
}

/// What rfw has verified last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Verified {
    /// SHA-256 of the policy's file names and texts, hexadecimal.
    pub policy: String,
    /// The generation at which the kernel held it.
    pub generation: u32,
    /// Whether the policy is still the same; nothing when it cannot be read.
    pub policy_is_same: Option<bool>,
}

/// Whether the box holds what was verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Drift {
    /// It does: nobody has changed the ruleset or the settings since.
    No,
    /// Settings of the box, the file that keeps them, or the table itself are others.
    Yes,
    /// Somebody has changed the ruleset since, perhaps another table; `rfw plan` tells.
    Unknown,
}

/// A setting that is not as it was verified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SettingDrift {
    /// Which, as sysctl(8) writes it.
    pub key: String,
    /// What it should be.
    pub value: u32,
    /// What it is.
    pub now: String,
}

impl Status {
    /// The text of `schema/status.schema.json`: the shape that `--format json` prints.
    pub fn schema() -> String {
        crate::view::schema::<Self>("urn:rfw:status:1", "rfw status")
    }
}
