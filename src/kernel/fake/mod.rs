//! A kernel in memory, as strict as the real one, for tests and dry thoughts.
//!
//! It keeps one table as [`Live`] shows it, takes batches whole or not at all, moves the generation by
//! one with each commit that changes something, and refuses what nf_tables refuses, with the same reason.
//! The contract in `tests/reconcile.rs` runs on it and on a real kernel, so that it cannot drift. It
//! knows no packets: counters move only by [`FakeKernel::count`], dynamic sets fill only by [`FakeKernel::learn`].

mod batch;
mod contents;
mod dump;
mod elements;
mod refer;
mod validate;

pub use dump::dump;

use std::collections::VecDeque;

use super::{CommitError, Kernel, ObserveError, Refusal};
use crate::bytecode::Instruction;
use crate::live::{Generation, Live, Table};
use crate::plan::Operation;
use crate::ruleset::{Count, Element, Key};

/// The kernel in memory.
#[derive(Default)]
pub struct FakeKernel {
    generation: Generation,
    state: State,
    faults: VecDeque<Fault>,
    committed: Vec<Vec<Operation>>,
}

/// What a batch works on: a copy, put in place of the old one when nothing was refused.
#[derive(Clone, Debug, Default)]
struct State {
    table: Option<Table>,
    /// The last handle given to a table.
    table_handle: u64,
    /// The last handle given to anything in the table; begins again with each table.
    handle: u64,
}

impl State {
    /// What a batch was given is not given again, even if it is thrown away.
    fn skip_handles(&mut self, batch: &Self) {
        self.table_handle = self.table_handle.max(batch.table_handle);
        if let (Some(table), Some(other)) = (&self.table, &batch.table)
            && table.handle == other.handle
        {
            self.handle = self.handle.max(batch.handle);
        }
    }
}

/// What goes wrong with one commit.
pub enum Fault {
    /// Nothing.
    None,
    /// Somebody else does this first; if the generation moves by it, the batch is stale.
    Interfere(Box<dyn FnOnce(&mut FakeKernel)>),
    /// The kernel refuses one operation of the batch, by its index.
    Refuse {
        /// The index.
        operation: usize,
        /// The reason, by its number in errno(3).
        errno: i32,
    },
    /// The batch is committed, and the answer is lost.
    LostAfter,
    /// The batch is not committed, and the answer is lost.
    LostBefore,
}

impl FakeKernel {
    /// No table, generation 1.
    pub fn new() -> Self {
        Self {
            generation: Generation(1),
            ..Self::default()
        }
    }

    /// rfw's table, when there is one.
    pub fn table(&self) -> Option<&Table> {
        self.state.table.as_ref()
    }

    /// The batches committed so far, oldest first.
    pub fn committed(&self) -> &[Vec<Operation>] {
        &self.committed
    }

    /// Somebody changes the table by hand and commits.
    pub fn tamper(&mut self, change: impl FnOnce(&mut Table)) {
        if let Some(table) = &mut self.state.table {
            change(table);
        }
        self.move_on();
    }

    /// Somebody commits something in another table.
    pub fn move_on(&mut self) {
        // Zero means "do not check" in a batch, so the kernel never gives it out.
        self.generation = Generation(self.generation.0.checked_add(1).unwrap_or(1));
    }

    /// Packets pass: every counter of the rules and elements of this name moves.
    pub fn count(&mut self, name: &str, by: Count) {
        let Some(table) = &mut self.state.table else {
            return;
        };
        for rule in table.chains.iter_mut().flat_map(|chain| &mut chain.rules) {
            if rule.name.as_deref() == Some(name) {
                for instruction in &mut rule.instructions {
                    if let Instruction::Counter(count) = instruction {
                        *count += by;
                    }
                }
            }
        }
        for set in &mut table.sets {
            set.set.elements.edit(|elements| {
                let named = |element: &&mut Element| element.name.as_deref() == Some(name);
                for element in elements.iter_mut().filter(named) {
                    if let Some(count) = &mut element.count {
                        *count += by;
                    }
                }
            });
        }
    }

    /// Packets pass: a dynamic set takes a key. That is no commit, so the generation stays.
    pub fn learn(&mut self, set: &str, key: &Key) {
        let sets = self
            .state
            .table
            .iter_mut()
            .flat_map(|table| &mut table.sets);
        for set in sets.filter(|live| live.set.spec.dynamic && live.set.spec.name == set) {
            set.set.elements.edit(|elements| {
                if !elements.iter().any(|element| element.key == *key) {
                    elements.push(Element {
                        key: key.clone(),
                        datum: None,
                        name: None,
                        count: None,
                    });
                    elements.sort();
                }
            });
        }
    }

    /// Arranges what happens to the commits to come, one after the other.
    pub fn expect(&mut self, faults: impl IntoIterator<Item = Fault>) {
        self.faults.extend(faults);
    }

    /// Forgets what was arranged and has not happened.
    pub fn expect_nothing(&mut self) {
        self.faults.clear();
    }
}

impl Kernel for FakeKernel {
    fn generation(&mut self) -> Result<Generation, ObserveError> {
        Ok(self.generation)
    }

    fn observe(&mut self) -> Result<Live, ObserveError> {
        Ok(Live {
            generation: self.generation,
            table: self.state.table.clone(),
            others: Vec::new(),
        })
    }

    fn check(&mut self, operations: &[Operation]) -> Result<(), CommitError> {
        let batch::Outcome { result, state } = batch::run(&self.state, operations);
        self.state.skip_handles(&state);
        result.map(|_| ()).map_err(refused)
    }

    fn commit(
        &mut self,
        base: Generation,
        operations: &[Operation],
    ) -> Result<Generation, CommitError> {
        let fault = self.faults.pop_front().unwrap_or(Fault::None);
        let (refuse, lost) = match fault {
            Fault::None => (None, None),
            Fault::Interfere(interfere) => {
                interfere(self);
                (None, None)
            }
            Fault::Refuse { operation, errno } => (Some((operation, errno)), None),
            Fault::LostAfter => (None, Some(true)),
            Fault::LostBefore => (None, Some(false)),
        };
        if base != self.generation {
            return Err(CommitError::Stale { expected: base });
        }
        if let Some((operation, errno)) = refuse {
            return Err(refused(vec![(Some(operation), errno)]));
        }
        if lost != Some(false) {
            let batch::Outcome { result, state } = batch::run(&self.state, operations);
            self.state.skip_handles(&state);
            let changed = result.map_err(refused)?;
            self.state = state;
            if changed {
                self.move_on();
            }
            self.committed.push(operations.to_vec());
        }
        if lost.is_some() {
            return Err(CommitError::Unknown {
                source: std::io::Error::from_raw_os_error(nix::libc::ENOBUFS),
            });
        }
        Ok(self.generation)
    }
}

fn refused(refusals: Vec<batch::Refused>) -> CommitError {
    CommitError::Refused {
        refusals: refusals
            .into_iter()
            .map(|(operation, errno)| Refusal {
                operation,
                reason: std::io::Error::from_raw_os_error(errno),
                detail: None,
            })
            .collect(),
    }
}
