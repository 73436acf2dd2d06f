//! What can happen, and why a step is made.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::pull::Pull;
use super::world::Depth;

/// Something happened. It may be late, doubled, or about nothing: it is only a reason to look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Files of the policy may have changed; more may be on the way.
    Files,
    /// A ref of the repository has moved. A commit is consistent, so there is nothing to wait for.
    Revision,
    /// Somebody, perhaps this process, has changed the ruleset.
    Commit(Commit),
    /// Events of the kernel were lost: anything may have changed.
    Lost,
    /// An interface or an address has come, gone or changed.
    Links,
    /// Lists were fetched, or could not be.
    Fetched {
        /// Why some were not; `None` when all is well.
        failure: Option<String>,
    },
    /// The branch was fetched from a remote, or could not be. Whatever came of it, only a commit that is there is a reason to look.
    Pulled {
        /// How it went.
        pull: Box<Pull>,
        /// Whether the branch has moved.
        moved: bool,
    },
    /// Somebody asks for a step and waits for its end, under a number of his own.
    Wake(u64),
    /// SIGHUP: look at everything now.
    Reload,
    /// SIGTERM, SIGINT: end. The rules stay.
    Stop,
}

/// A change of the ruleset, as the kernel tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// The generation that it made.
    pub generation: u32,
    /// The process that made it, counted where the kernel counts (the first process namespace).
    pub pid: u32,
    /// Its name.
    pub process: String,
    /// Whether it touched rfw's table.
    pub touches_ours: bool,
    /// Whether all of it was heard; else it may have touched rfw's table all the same.
    pub is_whole: bool,
}

/// Why a step is made.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// The daemon has started.
    Start,
    /// Files of the policy have changed.
    Files,
    /// A ref of the repository has moved.
    Revision,
    /// Somebody else has changed rfw's table.
    Kernel,
    /// Events of the kernel were lost.
    Lost,
    /// An interface or an address has changed.
    Links,
    /// A schedule opens or closes, a rule expires, a list becomes too old.
    Boundary,
    /// Lists were fetched.
    Lists,
    /// It is time to look whether the policy or the settings have changed unnoticed.
    Poll,
    /// It is time to read the whole table again.
    Verify,
    /// The step before failed.
    Retry,
    /// A command asked for it.
    Wake,
    /// SIGHUP.
    Reload,
}

impl Cause {
    /// Others can make us look as often as they like; that is limited.
    pub(super) fn is_of_others(self) -> bool {
        matches!(self, Self::Kernel | Self::Lost)
    }

    /// After a failure, and where something may have changed that makes no event, nothing is believed. Events that were
    /// lost are no such reason: what they were about has moved the generation.
    pub(super) fn depth(self) -> Depth {
        match self {
            Self::Start | Self::Boundary | Self::Verify | Self::Retry | Self::Reload => Depth::Full,
            Self::Files
            | Self::Revision
            | Self::Kernel
            | Self::Lost
            | Self::Links
            | Self::Lists
            | Self::Poll
            | Self::Wake => Depth::Quick,
        }
    }
}
