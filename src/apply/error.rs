//! Why it was not made so, and what is true instead.

use std::fmt::{self, Display, Formatter};

use crate::kernel::{CommitError, ObserveError, Refusal};
use crate::live::Generation;
use crate::plan::{Operation, Plan};
use crate::ruleset::Origin;

/// Why a plan was not applied.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The kernel could not be read.
    #[error("the plan could not be compared with the live ruleset")]
    Observe {
        /// Why.
        source: ObserveError,
        /// What is true now.
        aftermath: Aftermath,
    },
    /// The kernel refused operations.
    #[error("the kernel refused the {batch}")]
    Refused {
        /// Which batch.
        batch: Batch,
        /// Each refused operation.
        operations: Vec<RefusedOperation>,
        /// What is true now.
        aftermath: Aftermath,
    },
    /// The batch could not be sent.
    #[error("the {batch} was not sent")]
    NotSent {
        /// Which batch.
        batch: Batch,
        /// Why.
        source: CommitError,
        /// What is true now.
        aftermath: Aftermath,
    },
    /// The live ruleset has changed since the plan was made, and something else is to be done now.
    #[error("the plan is stale: the live ruleset has changed, and other operations are needed now")]
    Changed {
        /// The generation that was read.
        generation: Generation,
        /// What is true now.
        aftermath: Aftermath,
        /// What would have to be done now.
        now: Box<Plan>,
    },
    /// Somebody committed something before each of our batches.
    #[error(
        "the ruleset changed before each of {attempts} attempts; something else commits all the time"
    )]
    Unsteady {
        /// How often it was tried.
        attempts: u32,
        /// What is true now.
        aftermath: Aftermath,
    },
    /// The batch was committed, but the kernel could not be read afterwards.
    #[error("applied as generation {generation}, but it could not be read back")]
    NotReadBack {
        /// The generation of our commit.
        generation: Generation,
        /// Why.
        source: ObserveError,
    },
    /// The batch was committed, but the kernel holds something else.
    #[error(
        "applied, but generation {generation} differs from the policy in what {} would change",
        operations(remaining.len())
    )]
    NotVerified {
        /// The generation that was read back.
        generation: Generation,
        /// What would have to be done to it.
        remaining: Box<Plan>,
    },
}

impl ApplyError {
    /// What is true after the failure, as far as this run has to do with it.
    pub fn aftermath(&self) -> &Aftermath {
        match self {
            Self::Observe { aftermath, .. }
            | Self::Refused { aftermath, .. }
            | Self::NotSent { aftermath, .. }
            | Self::Changed { aftermath, .. }
            | Self::Unsteady { aftermath, .. } => aftermath,
            Self::NotReadBack { .. } | Self::NotVerified { .. } => &Aftermath::Applied,
        }
    }

    /// What a commit's failure means for the plan it belonged to.
    pub(super) fn of(error: CommitError, plan: &Plan, batch: Batch, aftermath: Aftermath) -> Self {
        match error {
            CommitError::Refused { refusals } => Self::Refused {
                batch,
                operations: refusals
                    .into_iter()
                    .map(|refusal| RefusedOperation::of(refusal, plan, batch))
                    .collect(),
                aftermath,
            },
            source => Self::NotSent {
                batch,
                source,
                aftermath,
            },
        }
    }
}

/// One of a plan's two batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Batch {
    /// The first, which changes nothing for any packet.
    Staging,
    /// The second, which changes everything.
    Commit,
}

impl Display for Batch {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Staging => "staging batch",
            Self::Commit => "batch",
        })
    }
}

/// What is true after a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Aftermath {
    /// As before.
    Unchanged,
    /// As before: what was staged has been taken away again.
    CleanedUp,
    /// Somebody else has changed the ruleset; this run has not.
    NotApplied,
    /// Every packet fares as before, but something that was staged is still there.
    StagedLeft {
        /// Sets, objects and chains.
        names: Vec<String>,
        /// Why they could not be taken away.
        reason: String,
    },
    /// The batch may have been committed: the answer was lost, and what is there now is neither what was
    /// nor what was wanted.
    NotKnown,
    /// The batch was committed.
    Applied,
}

impl Aftermath {
    /// The same, when somebody else has changed the ruleset meanwhile.
    pub(super) fn beside_others(self) -> Self {
        match self {
            Self::Unchanged | Self::CleanedUp | Self::NotApplied => Self::NotApplied,
            Self::StagedLeft { .. } | Self::NotKnown | Self::Applied => self,
        }
    }
}

impl Display for Aftermath {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unchanged | Self::CleanedUp => f.write_str("the ruleset is unchanged"),
            Self::NotApplied => f.write_str("nothing of the plan was applied"),
            Self::StagedLeft { names, reason } => write!(
                f,
                "the rules are unchanged; unused sets and chains were left behind ({}) because {reason}; the next apply uses or deletes them",
                names.join(", ")
            ),
            Self::NotKnown => f.write_str(
                "it is not known whether the plan was applied, because the kernel's answer was lost",
            ),
            Self::Applied => f.write_str("the batch is in force"),
        }
    }
}

/// One refused operation.
#[derive(Debug)]
pub struct RefusedOperation {
    /// Its number in the batch, from 1; `None` when the batch was refused as a whole.
    pub number: Option<usize>,
    /// Operations in the batch.
    pub of: usize,
    /// Verb, object and where it is: `add rule inet rfw forward`.
    pub operation: String,
    /// The stable name of the rule it is about.
    pub name: Option<String>,
    /// Where in the policy it comes from.
    pub origin: Option<Origin>,
    /// Which part of it the kernel pointed at, in words.
    pub detail: Option<String>,
    /// The kernel's reason.
    pub reason: std::io::Error,
}

impl RefusedOperation {
    fn of(refusal: Refusal, plan: &Plan, batch: Batch) -> Self {
        let Refusal {
            operation: at,
            reason,
            detail,
        } = refusal;
        let operations = match batch {
            Batch::Staging => &plan.staging,
            Batch::Commit => &plan.commit,
        };
        let operation = at.and_then(|at| operations.get(at));
        Self {
            number: at.map(|at| at + 1),
            of: operations.len(),
            operation: operation
                .map_or_else(|| "the batch as a whole".to_owned(), Operation::to_string),
            name: operation.and_then(Operation::name).map(str::to_owned),
            origin: operation.and_then(Operation::origin).cloned(),
            detail,
            reason,
        }
    }
}

impl Display for RefusedOperation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.number {
            Some(number) => write!(f, "operation {number} of {}: {}", self.of, self.operation)?,
            None => f.write_str(&self.operation)?,
        }
        match (&self.origin, &self.name) {
            (Some(Origin(origin)), Some(name)) => write!(f, " ({origin} \"{name}\")")?,
            (Some(Origin(origin)), None) => write!(f, " ({origin})")?,
            (None, Some(name)) => write!(f, " (\"{name}\")")?,
            (None, None) => {}
        }
        match &self.detail {
            Some(detail) => write!(f, ", at {detail}"),
            None => Ok(()),
        }
    }
}

fn operations(n: usize) -> String {
    match n {
        1 => "1 operation".to_owned(),
        n => format!("{n} operations"),
    }
}
