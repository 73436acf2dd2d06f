//! What is to be done, and what came of it.

use std::collections::BTreeSet;
use std::time::Duration;

use super::event::Cause;
use super::report::Change;
use super::world::FailureKind;

/// What is to be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Todo {
    /// Wait for events, at most so long.
    Wait(Duration),
    /// Make a step.
    Step,
    /// Begin to fetch lists, elsewhere; [`super::Event::Fetched`] tells when it is done.
    Fetch,
    /// End.
    Stop,
}

/// How a step ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Nothing was to be done.
    Unchanged,
    /// It was done.
    Applied {
        /// What.
        change: Change,
        /// Whether the policy is what it was, so that somebody else must have changed something.
        was_drift: bool,
        /// Who that was, as far as the kernel names them.
        by: Vec<String>,
    },
    /// Drift was found and is left, because it is only reported.
    DriftLeft {
        /// What undoes it.
        change: Change,
        /// Who did it.
        by: Vec<String>,
        /// Whether it is the same that was found before.
        known: bool,
    },
    /// Another rfw is at work; the step is made again soon.
    Busy,
    /// It failed.
    Failed {
        /// Of what kind.
        kind: FailureKind,
        /// Everything there is to say.
        text: String,
    },
}

/// Why what the source says is not put in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Of what kind.
    pub kind: FailureKind,
    /// Everything there is to say.
    pub text: String,
}

/// A step that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stepped {
    /// How it ended.
    pub ending: Ending,
    /// Why it was about what was put in force last, and not about what the source says; `None` when it was about that.
    pub refused: Option<Refused>,
    /// Why it was made.
    pub causes: BTreeSet<Cause>,
    /// Who has waited for it.
    pub waiters: Vec<u64>,
}
