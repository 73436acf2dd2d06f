//! The rules that are loaded on the box: put there, read back, and taken away.
//!
//! Not here: what packets do with them.

use super::fate::Handles;
use super::{Testbed, TestbedError, clock};
use crate::apply::{self, ApplyError, Options};
use crate::bytecode::Program;
use crate::kernel::{CommitError, Kernel};
use crate::live::{Generation, Known, Live};
use crate::plan::{self, Operation};

/// Rules that are loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Loaded {
    /// The time to which they were moved; both in nanoseconds since 1970. 0 where they ask for none.
    pub(super) time: u64,
    /// When.
    pub(super) at: u64,
}

/// The mark of the table.
const MARK: [u8; 16] = *b"rfw testbed mark";

/// Takes the table away, whether there is one or not.
const AWAY: [Operation; 2] = [Operation::AddTable { mark: MARK }, Operation::DeleteTable];

impl Testbed {
    /// Loads rules as `rfw apply` does, reads them back and compares.
    ///
    /// # Errors
    /// When the kernel does not take them.
    pub fn apply(&mut self, program: &Program) -> Result<(), TestbedError> {
        self.loaded = None;
        let done = match self.make_so(program)? {
            Err(ApplyError::NotSent {
                source: CommitError::TooLarge { .. },
                ..
            }) => {
                // Of schedules that are too long for a user without rights, the windows of these days have to do.
                let now = clock::now();
                let near = clock::moved(program, now, now);
                self.make_so(near.as_ref().unwrap_or(program))?
            }
            done => done,
        };
        done.map_err(|error| TestbedError::Load(Box::new(error)))
    }

    fn make_so(&mut self, program: &Program) -> Result<Result<(), ApplyError>, TestbedError> {
        let live = self.kernel.observe().map_err(TestbedError::Observe)?;
        let plan = plan::plan(&live, program, MARK);
        let options = Options {
            attempts: 3,
            wait: &mut |_| (),
            recheck: false,
        };
        Ok(apply::apply(&mut self.kernel, program, &plan, options).map(|_| ()))
    }

    /// Loads rules that the kernel is known to take into a table that nothing has happened to yet.
    pub(super) fn load(&mut self, program: &Program) -> Result<(), TestbedError> {
        self.loaded = None;
        let base = self.generation()?;
        let nothing = Live {
            generation: base,
            table: None,
            others: Vec::new(),
        };
        let plan = plan::plan(&nothing, program, MARK);
        // Nobody is disturbed, so all of it is one transaction, unless it is too large for that.
        let at_once = [AWAY.as_slice(), &plan.staging, &plan.commit].concat();
        let base = match self.kernel.commit(base, &at_once) {
            Err(CommitError::TooLarge { .. }) => {
                self.unload()?;
                let base = self.generation()?;
                let base = match plan.staging.is_empty() {
                    true => Ok(base),
                    false => self.kernel.commit(base, &plan.staging),
                };
                base.and_then(|base| self.kernel.commit(base, &plan.commit))
            }
            done => done,
        };
        let base = base.map_err(TestbedError::Commit)?;
        let known = Known::of(base, &program.sets);
        let live = self.kernel.observe_beside(&known);
        let table = live.map_err(TestbedError::Observe)?.table;
        let chains = table.map(|table| table.chains).unwrap_or_default();
        self.handles = Handles::of(&chains);
        Ok(())
    }

    /// Takes the rules away.
    pub(super) fn unload(&mut self) -> Result<(), TestbedError> {
        self.loaded = None;
        let base = self.generation()?;
        let done = self.kernel.commit(base, &AWAY);
        done.map_err(TestbedError::Commit)?;
        Ok(())
    }

    fn generation(&mut self) -> Result<Generation, TestbedError> {
        self.kernel.generation().map_err(TestbedError::Observe)
    }
}
