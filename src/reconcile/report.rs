//! What the daemon says of itself: the shape of `status.json` in the run directory, which `rfw status` and metrics are
//! made from.
//!
//! Times are Unix seconds, spans are microseconds. Nothing in here claims more than the last step has seen.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::event::Cause;
use super::pull::Pull;

/// How the daemon stands after its last step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// Of this shape: 1.
    pub version: u32,
    /// The daemon's process.
    pub pid: u32,
    /// When it started.
    pub started: i64,
    /// When this was written.
    pub written: i64,
    /// How the kernel and the policy stand to each other.
    pub state: State,
    /// Why the last step failed, or why what the source says is refused; `None` when all is well.
    pub trouble: Option<Trouble>,
    /// What was last tried to be put in force.
    pub attempted: Option<Revision>,
    /// What was last put in force or found to be in force.
    pub applied: Option<Revision>,
    /// The generation at which that was read back.
    pub generation: Option<u32>,
    /// When that was.
    pub verified: Option<i64>,
    /// What others have done to rfw's table.
    pub drift: Drift,
    /// What was changed last.
    pub last_change: Option<Change>,
    /// Steps so far.
    pub steps: Steps,
    /// How long a step takes.
    pub step: Latency,
    /// How long it takes from a reason to look until the rules are in force, for steps that changed something.
    pub reaction: Latency,
    /// Commits of others, whatever they were about.
    pub foreign: Foreign,
    /// What comes next.
    pub next: Next,
    /// What there is to say about the policy.
    pub warnings: String,
    /// Why lists could not be fetched the last time, or were refused; the last good copies stay in use. Nothing when all is
    /// well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lists: Option<Trouble>,
    /// Fetching the branch from a remote; nothing where agent.yaml does not say `pull`, or before the first attempt has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pull: Option<Pull>,
}

impl Report {
    /// Before the first step.
    pub(super) fn first(mode: DriftMode, pid: u32, unix: i64) -> Self {
        Self {
            version: 1,
            pid,
            started: unix,
            written: unix,
            state: State::Starting,
            trouble: None,
            attempted: None,
            applied: None,
            generation: None,
            verified: None,
            drift: Drift {
                mode,
                seen: 0,
                repaired: 0,
                present: false,
                last: None,
            },
            last_change: None,
            steps: Steps::default(),
            step: Latency::default(),
            reaction: Latency::default(),
            foreign: Foreign::default(),
            next: Next::default(),
            warnings: String::new(),
            lists: None,
            pull: None,
        }
    }
}

/// How the kernel and the policy stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// There has been no step yet.
    Starting,
    /// The policy is in force: it was read back, and nobody has touched the table since.
    InForce,
    /// Somebody has changed the table; it is about to be looked at, or drift is only reported.
    Drifted,
    /// The source has nothing that may be applied; what was applied last is kept in force meanwhile.
    Refused,
    /// The last step failed; the rules that were in force stay.
    Degraded,
    /// The daemon has ended; the rules stay.
    Stopped,
}

/// What a policy is told by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Revision {
    /// The commit, where the policy comes from Git.
    pub commit: Option<String>,
    /// SHA-256 of the policy's file names and texts, hexadecimal; nothing when they were not read, because the commit may
    /// not be applied.
    pub policy: Option<String>,
}

/// Why the last step failed, or what the source says is refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Trouble {
    /// Of what kind: `source`, `rejected`, `guard`, `stale`, `world`, `busy`; of fetched lists `lists`.
    pub kind: String,
    /// Everything there is to say, as a command would print it.
    pub text: String,
    /// Since when it has not worked.
    pub since: i64,
    /// Steps that failed in a row.
    pub failures: u32,
}

/// What is done about drift.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DriftMode {
    /// It is undone.
    #[default]
    Repair,
    /// It is told, and stays until the policy changes or somebody applies it.
    Report,
}

/// What others have done to rfw's table and to the settings of the box.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Drift {
    /// What is done about it.
    pub mode: DriftMode,
    /// How often it was seen.
    pub seen: u64,
    /// How often it was undone.
    pub repaired: u64,
    /// Whether some is there now, as far as the last step could tell.
    pub present: bool,
    /// The last that was seen.
    pub last: Option<LastDrift>,
}

/// Drift, once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LastDrift {
    /// When it was seen.
    pub at: i64,
    /// Who did it, as the kernel names them: `nft (pid 4711)`. None when it made no event.
    pub by: Vec<String>,
    /// What undoes it.
    pub change: Change,
    /// Whether it was undone.
    pub repaired: bool,
}

/// What was, or would be, changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    /// When it was found.
    pub at: i64,
    /// Operations in the kernel.
    pub operations: u64,
    /// Settings of the box, and the file that keeps them.
    pub settings: u64,
    /// All of it in a line: `1 rule replaced, 1 element added`.
    pub summary: String,
    /// The first operations, one a line.
    pub first: Vec<String>,
}

/// Steps so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Steps {
    /// All of them.
    pub total: u64,
    /// Those that read everything.
    pub full: u64,
    /// Those that changed something.
    pub changed: u64,
    /// Those that failed.
    pub failed: u64,
    /// Why they were made; a step may have several reasons.
    pub causes: BTreeMap<Cause, u64>,
}

/// How long something takes, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Latency {
    /// How often it was measured.
    pub count: u64,
    /// All together.
    pub sum_us: u64,
    /// The last.
    pub last_us: u64,
    /// The longest.
    pub max_us: u64,
}

impl Latency {
    pub(super) fn note(&mut self, span: std::time::Duration) {
        let Self {
            count,
            sum_us,
            last_us,
            max_us,
        } = self;
        let us = u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
        *count += 1;
        *sum_us = sum_us.saturating_add(us);
        *last_us = us;
        *max_us = us.max(*max_us);
    }
}

/// Commits of others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Foreign {
    /// All of them, in whatever table.
    pub commits: u64,
    /// Those that touched rfw's table.
    pub touching_ours: u64,
    /// How often events of the kernel were lost.
    pub lost: u64,
}

/// What comes next, in Unix seconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Next {
    /// A schedule opens or closes, or a rule expires.
    pub switch: Option<i64>,
    /// A list is fetched.
    pub refresh: Option<i64>,
    /// The step that failed is tried again.
    pub retry: Option<i64>,
    /// The whole table is read again.
    pub verify: Option<i64>,
}
