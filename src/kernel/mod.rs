//! The kernel as rfw needs it: look, try, commit.
//!
//! Netlink and the fake kernel of the tests implement the same trait and pass the same contract tests.

mod fake;
mod recorded;

pub use fake::{FakeKernel, Fault, dump};
pub use recorded::Recorded;

use crate::live::{Generation, Known, Live};
use crate::plan::Operation;

/// Reads and changes rfw's table.
pub trait Kernel {
    /// The generation now.
    ///
    /// # Errors
    /// When the kernel cannot be asked.
    fn generation(&mut self) -> Result<Generation, ObserveError>;

    /// One consistent reading of rfw's table and the names of the others.
    ///
    /// # Errors
    /// When the kernel cannot be read, or never stood still long enough.
    fn observe(&mut self) -> Result<Live, ObserveError>;

    /// The same, without listing the elements of sets that are known and that the kernel counts as many elements of.
    ///
    /// # Errors
    /// As for [`Kernel::observe`].
    fn observe_beside(&mut self, known: &Known) -> Result<Live, ObserveError> {
        let _ = known;
        self.observe()
    }

    /// Lets the kernel check the operations as one batch; nothing is committed.
    ///
    /// # Errors
    /// As for [`Kernel::commit`].
    fn check(&mut self, operations: &[Operation]) -> Result<(), CommitError>;

    /// Commits the operations as one batch, only if the generation is still `base`; returns the new one.
    ///
    /// # Errors
    /// Nothing is changed, unless [`CommitError::Unknown`] says that it is not known.
    fn commit(
        &mut self,
        base: Generation,
        operations: &[Operation],
    ) -> Result<Generation, CommitError>;
}

/// Why the kernel could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ObserveError {
    /// A system call failed.
    #[error("cannot read the live ruleset: {action}")]
    Io {
        /// What was being done.
        action: &'static str,
        /// The kernel's reason.
        source: std::io::Error,
    },
    /// Not permitted.
    #[error("no permission to read the live ruleset (it needs CAP_NET_ADMIN)")]
    Permission {
        /// The kernel's reason.
        source: std::io::Error,
    },
    /// Somebody kept changing the ruleset.
    #[error(
        "the ruleset changed during each of {attempts} readings; something else commits all the time"
    )]
    Unsteady {
        /// How often it was tried.
        attempts: u32,
    },
    /// A message of the kernel does not have the form rfw knows.
    #[error("the kernel's answer about {what} has an unknown form: {detail}")]
    Malformed {
        /// The object.
        what: String,
        /// What is wrong.
        detail: String,
    },
}

/// Why a batch was not committed.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// The ruleset has another generation than the plan was made for.
    #[error("the ruleset has changed since it was read (generation {expected} expected)")]
    Stale {
        /// What the plan was made for.
        expected: Generation,
    },
    /// The kernel refused one or more operations; nothing was changed.
    #[error("the kernel refused the batch")]
    Refused {
        /// Each refused operation by its place in the batch, with the kernel's reason.
        refusals: Vec<Refusal>,
    },
    /// Not permitted; nothing was changed.
    #[error("no permission to change the ruleset (it needs CAP_NET_ADMIN)")]
    Permission {
        /// The kernel's reason.
        source: std::io::Error,
    },
    /// The batch is larger than the socket's buffer may be; nothing was changed.
    #[error("the batch of {bytes} bytes does not fit the socket buffer of {limit} bytes")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// What the kernel takes.
        limit: usize,
    },
    /// A system call failed; nothing was changed.
    #[error("cannot send the batch: {action}")]
    Io {
        /// What was being done.
        action: &'static str,
        /// The kernel's reason.
        source: std::io::Error,
    },
    /// It is not known whether the batch was committed: read again.
    #[error("the kernel's answer was lost, so the outcome of the batch is not known")]
    Unknown {
        /// What happened.
        source: std::io::Error,
    },
}

/// One refused operation.
#[derive(Debug)]
pub struct Refusal {
    /// Its index in the batch; `None` when the kernel refused the batch as a whole.
    pub operation: Option<usize>,
    /// The kernel's reason.
    pub reason: std::io::Error,
    /// Which part of the operation the kernel pointed at, in words.
    pub detail: Option<String>,
}
