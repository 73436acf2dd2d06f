//! One batch on a copy of the state, operation by operation, as `nf_tables_api.c` works it off.

use nix::errno::Errno;

use super::contents::{
    add_chain, add_object, add_rule, add_set, chain, delete_object, position, replace_rule, set,
    set_bounds,
};
use super::{State, elements, refer, validate};
use crate::live::Table;
use crate::plan::Operation;

/// `NFT_TABLE_F_*`
const DORMANT: u32 = 1;
const OWNER: u32 = 2;

/// An operation by its index, `None` for the batch as a whole, and the number of the reason.
pub(super) type Refused = (Option<usize>, i32);

/// Whether something changed, so that the generation moves.
type Effect = Result<bool, Errno>;

/// What came of a batch.
pub(super) struct Outcome {
    /// Whether it may be committed and would change something; or all refusals.
    pub(super) result: Result<bool, Vec<Refused>>,
    /// The state after it, also if it was refused.
    pub(super) state: State,
}

/// Works a batch off on a copy.
pub(super) fn run(before: &State, operations: &[Operation]) -> Outcome {
    let outcome = attempt(before, operations, false);
    if outcome.result.is_err() || validate::is_valid(outcome.state.table.as_ref()).is_ok() {
        return outcome;
    }
    // The kernel validates the whole only at the end; when that fails it works the batch off once more
    // and validates after each operation, to be able to say which one it was.
    let from = State {
        handle: outcome.state.handle,
        ..before.clone()
    };
    let mut outcome = attempt(&from, operations, true);
    if outcome.result.is_ok() {
        outcome.result = Err(vec![(None, Errno::EINVAL as i32)]);
    }
    outcome
}

fn attempt(before: &State, operations: &[Operation], validate_each: bool) -> Outcome {
    let mut batch = Batch {
        state: before.clone(),
        flags_changed: false,
        base_chains_touched: false,
    };
    let mut refusals = Vec::new();
    let mut changed = false;
    // After a refusal the kernel goes on, to report all that is wrong.
    for (at, operation) in operations.iter().enumerate() {
        let mut effect = batch.apply(operation);
        if validate_each && effect.is_ok() && is_validated(operation) {
            effect = validate::is_valid(batch.state.table.as_ref()).map(|()| true);
        }
        match effect {
            Ok(effect) => changed |= effect,
            Err(errno) => refusals.push((Some(at), errno as i32)),
        }
    }
    Outcome {
        result: if refusals.is_empty() {
            Ok(changed)
        } else {
            Err(refusals)
        },
        state: batch.state,
    }
}

/// Operations that can lead a packet somewhere new.
fn is_validated(operation: &Operation) -> bool {
    matches!(
        operation,
        Operation::AddRule { .. } | Operation::ReplaceRule { .. } | Operation::AddElements { .. }
    )
}

struct Batch {
    state: State,
    flags_changed: bool,
    base_chains_touched: bool,
}

impl Batch {
    fn apply(&mut self, operation: &Operation) -> Effect {
        if let Operation::AddTable { mark } = operation {
            return self.add_table(*mark);
        }
        let handle = self.state.handle + 1;
        let table = self.state.table.as_mut().ok_or(Errno::ENOENT)?;
        if table.flags & OWNER != 0 {
            return Err(Errno::EPERM);
        }
        match operation {
            Operation::AddTable { mark: _ } => Ok(false),
            Operation::DeleteTable => {
                self.state.table = None;
                Ok(true)
            }
            Operation::SetTableFlags { flags } => self.set_flags(*flags),
            Operation::AddChain { name, base } => {
                if base.is_some() && self.flags_changed {
                    return Err(Errno::EINVAL);
                }
                add_chain(table, name, *base, handle)?;
                self.given(handle)
            }
            Operation::SetChainPolicy { name, base } => {
                // Only the chain policy is sent, and only base chains have one.
                let now = chain(table, name)
                    .ok()
                    .and_then(|chain| chain.base.as_mut());
                let now = now.ok_or(Errno::EOPNOTSUPP)?;
                now.policy = base.policy;
                self.base_chains_touched = true;
                Ok(true)
            }
            Operation::FlushChain { chain: name } => {
                let chain = chain(table, name)?;
                let rules = std::mem::take(&mut chain.rules);
                for rule in &rules {
                    refer::drop_anonymous(table, rule);
                }
                Ok(!rules.is_empty())
            }
            Operation::DeleteChain { name } => {
                let chain = chain(table, name)?;
                let is_base = chain.base.is_some();
                if !chain.rules.is_empty() || refer::to_chain(table, name) {
                    return Err(Errno::EBUSY);
                }
                table.chains.retain(|chain| chain.name != *name);
                self.base_chains_touched |= is_base;
                Ok(true)
            }
            Operation::AddSet { spec, origin: _ } => {
                add_set(table, spec, handle)?;
                self.given(handle)
            }
            Operation::SetBounds { spec } => set_bounds(table, spec),
            Operation::DeleteSet { name } => {
                if set(table, name)?.anonymous || refer::to_set(table, name) {
                    return Err(Errno::EBUSY);
                }
                table.sets.retain(|set| set.set.spec.name != *name);
                Ok(true)
            }
            Operation::AddElements { set, elements } => elements::add(table, &set.name, elements),
            Operation::DeleteElements { set, elements } => {
                elements::delete(table, &set.name, elements)
            }
            Operation::AddObject { object } => {
                add_object(table, object, handle)?;
                self.given(handle)
            }
            Operation::DeleteObject { object } => delete_object(table, object),
            Operation::AddRule { chain, place, rule } => {
                add_rule(table, chain, *place, rule, handle)?;
                self.given(handle)
            }
            Operation::ReplaceRule {
                chain,
                handle,
                rule,
            } => replace_rule(table, chain, *handle, rule),
            Operation::DeleteRule {
                chain: name,
                handle,
                name: _,
            } => {
                let chain = chain(table, name)?;
                let at = position(chain, *handle)?;
                let rule = chain.rules.remove(at);
                refer::drop_anonymous(table, &rule);
                Ok(true)
            }
        }
    }

    fn given(&mut self, handle: u64) -> Effect {
        self.state.handle = handle;
        Ok(true)
    }

    fn add_table(&mut self, mark: [u8; 16]) -> Effect {
        if self.state.table.is_some() {
            return Ok(false);
        }
        self.state.table_handle += 1;
        self.state.handle = 0;
        self.state.table = Some(Table {
            handle: self.state.table_handle,
            mark: Some(mark),
            ..Table::default()
        });
        Ok(true)
    }

    /// `nf_tables_updtable`: only `dormant` can change, and not after base chains have changed or gone.
    fn set_flags(&mut self, flags: u32) -> Effect {
        let table = self.state.table.as_mut().ok_or(Errno::ENOENT)?;
        if flags == table.flags {
            return Ok(false);
        }
        if (flags ^ table.flags) & !DORMANT != 0 {
            return Err(Errno::EOPNOTSUPP);
        }
        if self.flags_changed || self.base_chains_touched {
            return Err(Errno::EINVAL);
        }
        table.flags = flags;
        self.flags_changed = true;
        Ok(true)
    }
}
