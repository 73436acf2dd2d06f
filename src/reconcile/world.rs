//! Everything that the loop cannot do itself.

use std::time::Duration;

use super::heard::Untouched;
use super::report::{Change, Revision};

/// The world: the clock, the policy, the kernel.
pub trait World {
    /// What a comparison found to be done, for [`World::apply`].
    type Found;

    /// The time.
    fn now(&mut self) -> Moment;

    /// Reads the policy from its source and compares it with the kernel and the settings of the box. Changes nothing.
    /// `untouched`: since when rfw's table is known not to have been touched, though others have committed; what takes
    /// long to read again and was verified within it need not be read again, unless `depth` says so.
    ///
    /// # Errors
    /// Why there is no comparison. Nothing has changed.
    fn compare(
        &mut self,
        depth: Depth,
        untouched: Option<Untouched>,
    ) -> Result<Compared<Self::Found>, Failure>;

    /// The same of what was put in force last, from the copy that was kept of it then: for as long as the source has
    /// nothing that may be applied. `None` when nothing was kept. Changes nothing.
    ///
    /// # Errors
    /// Why there is no comparison. Nothing has changed.
    fn compare_kept(
        &mut self,
        depth: Depth,
        untouched: Option<Untouched>,
    ) -> Result<Option<Compared<Self::Found>>, Failure>;

    /// Does what the comparison found, reads it back, and remembers it.
    ///
    /// # Errors
    /// What went wrong; its text says what is true now.
    fn apply(&mut self, found: Self::Found) -> Result<Applied, Failure>;
}

/// A point in time, by two clocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// Since some fixed point; never goes back.
    pub steady: Duration,
    /// Unix seconds; may jump.
    pub unix: i64,
}

/// How closely to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// What is known to be equal still, by the digest of the texts and the generation of the kernel, is not read again.
    Quick,
    /// Everything is read.
    Full,
}

/// What the kernel should hold, as far as one can tell it from something else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Desired {
    /// The commit it was read from, where it comes from Git.
    pub commit: Option<String>,
    /// The digest of the policy's texts, hexadecimal.
    pub policy: String,
    /// The digest of the copies of fetched lists.
    pub lists: Option<String>,
    /// From then on (Unix seconds) it may be another, because of a schedule or an expiry; `None`: never.
    pub until: Option<i64>,
}

impl Desired {
    /// Whether `now` wants the same of the kernel as this did. The compiler is a function of what is compared here.
    pub fn wants_the_same(&self, now: &Self, unix: i64) -> bool {
        let Self {
            commit: _,
            policy,
            lists,
            until,
        } = self;
        *policy == now.policy && *lists == now.lists && until.is_none_or(|until| unix < until)
    }

    /// As it is reported.
    pub(super) fn revision(&self) -> Revision {
        Revision {
            commit: self.commit.clone(),
            policy: Some(self.policy.clone()),
        }
    }
}

/// The policy against the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compared<F> {
    /// What it should hold.
    pub desired: Desired,
    /// The generation that was looked at.
    pub generation: u32,
    /// When a list is to be fetched again (Unix seconds); `None`: there is none.
    pub refresh: Option<i64>,
    /// What there is to say about the policy.
    pub warnings: String,
    /// What differs; `None`: nothing.
    pub difference: Option<Difference<F>>,
}

/// What differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference<F> {
    /// What is to be done.
    pub found: F,
    /// What that is, for people.
    pub change: Change,
}

/// It was done, and the kernel was read back and holds what it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The generation that was read back.
    pub generation: u32,
    /// The generations that our own commits made, oldest first.
    pub own: Vec<u32>,
    /// When a list is to be fetched again, if it is known better now.
    pub refresh: Option<i64>,
}

/// Why a step did not come to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Of what kind.
    pub kind: FailureKind,
    /// Everything there is to say, as a command would print it: what, where in the policy, why, what is true now.
    pub text: String,
    /// What should have been applied, as far as that is known.
    pub attempted: Option<Box<Revision>>,
    /// The generations that our own commits made nevertheless.
    pub own: Vec<u32>,
}

impl Failure {
    /// What the source says is refused, and what was kept instead could not be kept in force either.
    pub(super) fn and(self, other: Self) -> Self {
        let Self {
            kind: _,
            text,
            attempted,
            own: _,
        } = self;
        Self {
            text: format!("{text}\nand what was in force last: {}", other.text),
            attempted,
            ..other
        }
    }
}

/// Kinds of failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FailureKind {
    /// Another rfw is at work; soon it will be done.
    Busy,
    /// The policy cannot be read.
    Source,
    /// The policy has errors.
    Rejected,
    /// A guard refused something.
    Guard,
    /// The ruleset kept changing.
    Stale,
    /// The kernel, the file system, permission.
    World,
}

impl FailureKind {
    /// Whether it is the source that has nothing to be applied; the kernel may be as well as ever.
    pub(super) fn is_of_source(self) -> bool {
        match self {
            Self::Source | Self::Rejected | Self::Guard => true,
            Self::Busy | Self::Stale | Self::World => false,
        }
    }

    /// As it is reported.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::Source => "source",
            Self::Rejected => "rejected",
            Self::Guard => "guard",
            Self::Stale => "stale",
            Self::World => "world",
        }
    }
}
