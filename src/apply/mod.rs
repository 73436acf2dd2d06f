//! Makes it so: sends what the plan says, then reads back and compares.
//!
//! It takes no decision about rules. Should the kernel have moved on since the plan was made, it reads
//! again and plans again, and goes on only if what is to be done is still the same.

mod error;
mod outline;
mod staged;

pub use error::{Aftermath, ApplyError, Batch, RefusedOperation};
pub use outline::{NotWhole, apply_outlined, outline};

use crate::bytecode::Program;
use crate::kernel::{CommitError, Kernel};
use crate::live::{Generation, Known, Live};
use crate::plan::{self, Operation, Plan};

/// How to go about it.
pub struct Options<'a> {
    /// How often the kernel may have moved on, or its answer been lost, before we give up; 20 is plenty.
    pub attempts: u32,
    /// Called before each further attempt, with its number from 1 on: the place to wait.
    pub wait: &'a mut dyn FnMut(u32),
    /// Whether to read and plan again before anything is sent, as for a plan that was kept in a file.
    pub recheck: bool,
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Operations sent in the staging batch.
    pub staged: usize,
    /// Operations sent in the batch that changes behaviour.
    pub committed: usize,
    /// The generation before.
    pub before: Generation,
    /// The generation after; equal when nothing was sent.
    pub after: Generation,
    /// How often the kernel had moved on or its answer was lost.
    pub retries: u32,
    /// What was read last and found equal to what was wanted; `None` when the plan was empty and
    /// nothing was read.
    pub live: Option<Live>,
}

/// Brings the kernel to the desired ruleset by a plan made for it.
///
/// # Errors
/// [`ApplyError`] says what is true then.
pub fn apply(
    kernel: &mut dyn Kernel,
    desired: &Program,
    plan: &Plan,
    options: Options<'_>,
) -> Result<Outcome, ApplyError> {
    Run::new(kernel, Goal::Ruleset(desired), plan, options).run(plan)
}

/// Takes rfw's table out of the kernel, by a plan of [`plan::remove`].
///
/// # Errors
/// [`ApplyError`] says what is true then.
pub fn remove(
    kernel: &mut dyn Kernel,
    plan: &Plan,
    options: Options<'_>,
) -> Result<Outcome, ApplyError> {
    Run::new(kernel, Goal::NoTable, plan, options).run(plan)
}

/// What shall be true in the end.
#[derive(Clone, Copy)]
enum Goal<'a> {
    Ruleset(&'a Program),
    NoTable,
}

struct Run<'k, 'g, 'o> {
    kernel: &'k mut dyn Kernel,
    goal: Goal<'g>,
    mark: [u8; 16],
    options: Options<'o>,
    retries: u32,
    /// What this run has staged, and not used yet.
    staged: Vec<Operation>,
    /// Whether the answer to the second batch was lost, and nothing has told yet what came of it.
    lost: bool,
}

impl<'k, 'g, 'o> Run<'k, 'g, 'o> {
    fn new(kernel: &'k mut dyn Kernel, goal: Goal<'g>, plan: &Plan, options: Options<'o>) -> Self {
        Self {
            kernel,
            goal,
            mark: plan.mark().unwrap_or_default(),
            options,
            retries: 0,
            staged: Vec::new(),
            lost: false,
        }
    }

    fn run(mut self, planned: &Plan) -> Result<Outcome, ApplyError> {
        let before = self.kernel.generation();
        let before = before.map_err(|source| ApplyError::Observe {
            source,
            aftermath: Aftermath::Unchanged,
        })?;
        let mut renewed: Option<Plan> = None;
        let mut moved_on = self.options.recheck || before != planned.base;
        if planned.is_empty() && !moved_on {
            return Ok(self.outcome(before, before, planned, None));
        }
        loop {
            if moved_on {
                let live = match self.kernel.observe() {
                    Ok(live) => live,
                    Err(source) => {
                        let aftermath = self.give_up();
                        return Err(ApplyError::Observe { source, aftermath });
                    }
                };
                let next = self.plan(&live);
                if next.is_empty() {
                    // It is as it should be: our batch was committed after all, or somebody did just that.
                    let sent = if self.lost { planned } else { &next };
                    return Ok(self.outcome(before, live.generation, sent, Some(live)));
                }
                if !next.continues(planned) {
                    return Err(ApplyError::Changed {
                        generation: live.generation,
                        aftermath: self.give_up(),
                        now: Box::new(next),
                    });
                }
                self.lost = false;
                renewed = Some(next);
            }
            let current = renewed.as_ref().unwrap_or(planned);
            match self.send(current) {
                Ok(after) => return self.verify(before, after, planned),
                Err((_, CommitError::Stale { .. })) => {}
                Err((batch, CommitError::Unknown { .. })) => self.lost = batch == Batch::Commit,
                Err((batch, error)) => {
                    let aftermath = staged::clean_up(self.kernel, &self.staged);
                    return Err(ApplyError::of(error, current, batch, aftermath));
                }
            }
            moved_on = true;
            self.retries += 1;
            if self.options.attempts <= self.retries {
                return Err(ApplyError::Unsteady {
                    attempts: self.retries,
                    aftermath: self.give_up(),
                });
            }
            (self.options.wait)(self.retries);
        }
    }

    /// Both batches, each only if nothing has happened since the one before.
    fn send(&mut self, plan: &Plan) -> Result<Generation, (Batch, CommitError)> {
        let mut base = plan.base;
        if !plan.staging.is_empty() {
            // Noted first: when the answer is lost, it may be there.
            self.staged.clone_from(&plan.staging);
            base = self
                .kernel
                .commit(base, &plan.staging)
                .map_err(|error| (Batch::Staging, error))?;
        }
        self.kernel
            .commit(base, &plan.commit)
            .map_err(|error| (Batch::Commit, error))
    }

    fn verify(
        self,
        before: Generation,
        after: Generation,
        planned: &Plan,
    ) -> Result<Outcome, ApplyError> {
        // What one transaction has put into a set is known, as long as the kernel counts as many elements.
        let known = match self.goal {
            Goal::Ruleset(desired) => Known::of(after, &desired.sets),
            Goal::NoTable => Known::default(),
        };
        let live =
            self.kernel
                .observe_beside(&known)
                .map_err(|source| ApplyError::NotReadBack {
                    generation: after,
                    source,
                })?;
        let remaining = self.plan(&live);
        if remaining.is_empty() {
            Ok(self.outcome(before, after, planned, Some(live)))
        } else {
            Err(ApplyError::NotVerified {
                generation: live.generation,
                remaining: Box::new(remaining),
            })
        }
    }

    fn plan(&self, live: &Live) -> Plan {
        match self.goal {
            Goal::Ruleset(desired) => plan::plan(live, desired, self.mark),
            Goal::NoTable => plan::remove(live),
        }
    }

    /// What is true when somebody else's commits, or a lost answer, end the run.
    fn give_up(&mut self) -> Aftermath {
        if self.lost {
            Aftermath::NotKnown
        } else {
            staged::clean_up(self.kernel, &self.staged).beside_others()
        }
    }

    fn outcome(
        &self,
        before: Generation,
        after: Generation,
        sent: &Plan,
        live: Option<Live>,
    ) -> Outcome {
        Outcome {
            staged: sent.staging.len(),
            committed: sent.commit.len(),
            before,
            after,
            retries: self.retries,
            live,
        }
    }
}
