//! A kernel whose commits are noted, so that their events can be told from those of others.

use super::{CommitError, Kernel, ObserveError};
use crate::live::{Generation, Known, Live};
use crate::plan::Operation;

/// Hands everything on, and notes the generations that commits made.
pub struct Recorded<'k> {
    kernel: &'k mut dyn Kernel,
    made: Vec<Generation>,
}

impl<'k> Recorded<'k> {
    /// Nothing noted yet.
    pub fn new(kernel: &'k mut dyn Kernel) -> Self {
        Self {
            kernel,
            made: Vec::new(),
        }
    }

    /// What our commits made, oldest first.
    pub fn made(&self) -> &[Generation] {
        &self.made
    }
}

impl Kernel for Recorded<'_> {
    fn generation(&mut self) -> Result<Generation, ObserveError> {
        self.kernel.generation()
    }

    fn observe(&mut self) -> Result<Live, ObserveError> {
        self.kernel.observe()
    }

    fn observe_beside(&mut self, known: &Known) -> Result<Live, ObserveError> {
        self.kernel.observe_beside(known)
    }

    fn check(&mut self, operations: &[Operation]) -> Result<(), CommitError> {
        self.kernel.check(operations)
    }

    fn commit(
        &mut self,
        base: Generation,
        operations: &[Operation],
    ) -> Result<Generation, CommitError> {
        let made = self.kernel.commit(base, operations)?;
        // A batch that changes nothing makes no generation.
        if made != base {
            self.made.push(made);
        }
        Ok(made)
    }
}
