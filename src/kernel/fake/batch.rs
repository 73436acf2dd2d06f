//! One batch on a copy of the state, operation by operation, as `nf_tables_api.c` works it off.

use nix::errno::Errno;

use super::{State, elements, refer, validate};
use crate::bytecode::{Instruction, Rule};
use crate::live::{LiveChain, LiveObject, LiveRule, LiveSet, Table};
use crate::plan::{Operation, Place};
use crate::ruleset::{Base, ChainType, Elements, Hook, Object, Set, SetSpec};

/// `NFT_TABLE_F_*`
const DORMANT: u32 = 1;
const OWNER: u32 = 2;

/// Names are shorter than this (`NFT_NAME_MAXLEN`).
const MOST_NAME: usize = 256;
/// A rule's comment fits into 256 bytes of user data, with two bytes before it and a NUL behind it.
const MOST_COMMENT: usize = 253;
/// `NFT_RULE_MAXEXPRS`
const MOST_INSTRUCTIONS: usize = 128;

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

fn chain<'t>(table: &'t mut Table, name: &str) -> Result<&'t mut LiveChain, Errno> {
    table
        .chains
        .iter_mut()
        .find(|chain| chain.name == name)
        .ok_or(Errno::ENOENT)
}

fn set<'t>(table: &'t mut Table, name: &str) -> Result<&'t mut LiveSet, Errno> {
    table
        .sets
        .iter_mut()
        .find(|set| set.set.spec.name == name)
        .ok_or(Errno::ENOENT)
}

fn position(chain: &LiveChain, handle: u64) -> Result<usize, Errno> {
    chain
        .rules
        .iter()
        .position(|rule| rule.handle == handle)
        .ok_or(Errno::ENOENT)
}

fn check_name(name: &str) -> Result<(), Errno> {
    if name.len() < MOST_NAME {
        Ok(())
    } else {
        Err(Errno::ERANGE)
    }
}

fn add_chain(table: &mut Table, name: &str, base: Option<Base>, handle: u64) -> Result<(), Errno> {
    check_name(name)?;
    if table.chains.iter().any(|chain| chain.name == name) {
        return Err(Errno::EEXIST);
    }
    if let Some(base) = base {
        check_base(base)?;
    }
    let at = table
        .chains
        .partition_point(|chain| chain.name.as_str() < name);
    table.chains.insert(
        at,
        LiveChain {
            handle,
            name: name.to_owned(),
            base,
            anonymous: false,
            rules: Vec::new(),
        },
    );
    Ok(())
}

/// `nft_chain_parse_hook`: which type may stand at which hook.
fn check_base(base: Base) -> Result<(), Errno> {
    let Base {
        kind,
        hook,
        priority,
        policy: _,
    } = base;
    /// `NF_IP_PRI_CONNTRACK`: nat cannot come before connections are known.
    const CONNTRACK: i32 = -200;
    let fits = match kind {
        ChainType::Filter => !matches!(hook, Hook::Other(_)),
        ChainType::Nat => !matches!(hook, Hook::Forward | Hook::Other(_)) && CONNTRACK < priority,
        ChainType::Route => hook == Hook::Output,
    };
    if fits { Ok(()) } else { Err(Errno::EOPNOTSUPP) }
}

fn add_set(table: &mut Table, spec: &SetSpec, handle: u64) -> Result<(), Errno> {
    check_name(&spec.name)?;
    if table.sets.iter().any(|set| set.set.spec.name == spec.name) {
        return Err(Errno::EEXIST);
    }
    let at = table
        .sets
        .partition_point(|set| set.set.spec.name < spec.name);
    table.sets.insert(
        at,
        LiveSet {
            handle,
            set: Set {
                spec: spec.clone(),
                elements: Elements::new(),
                origin: None,
            },
            unknown: Vec::new(),
            anonymous: false,
        },
    );
    Ok(())
}

/// Another kind of set is another set of the same name; no size leaves the one there is.
fn set_bounds(table: &mut Table, spec: &SetSpec) -> Result<bool, Errno> {
    let SetSpec {
        name,
        key,
        kind,
        interval,
        dynamic,
        timeout,
        gc_interval,
        size,
        counter,
        comment: _,
    } = spec;
    let now = &mut set(table, name)?.set.spec;
    let has_timeouts = |spec: &SetSpec| spec.timeout.is_some() || spec.gc_interval.is_some();
    let is_same = (&now.key, &now.kind, now.interval, now.dynamic, now.counter)
        == (key, kind, *interval, *dynamic, *counter)
        && has_timeouts(now) == has_timeouts(spec);
    if !is_same {
        return Err(Errno::EEXIST);
    }
    now.timeout = *timeout;
    now.gc_interval = *gc_interval;
    now.size = size.or(now.size);
    Ok(true)
}

fn add_object(table: &mut Table, object: &Object, handle: u64) -> Result<(), Errno> {
    check_name(&object.name)?;
    let is_it =
        |live: &Object| live.name == object.name && live.kind.number() == object.kind.number();
    if table.objects.iter().any(|live| is_it(&live.object)) {
        return Err(Errno::EEXIST);
    }
    let at = table.objects.partition_point(|live| {
        (&live.object.name, &live.object.kind) < (&object.name, &object.kind)
    });
    table.objects.insert(
        at,
        LiveObject {
            handle,
            object: Object {
                origin: None,
                ..object.clone()
            },
        },
    );
    Ok(())
}

fn delete_object(table: &mut Table, object: &Object) -> Effect {
    let is_it =
        |live: &Object| live.name == object.name && live.kind.number() == object.kind.number();
    if !table.objects.iter().any(|live| is_it(&live.object)) {
        return Err(Errno::ENOENT);
    }
    if refer::to_object(table, object) {
        return Err(Errno::EBUSY);
    }
    table.objects.retain(|live| !is_it(&live.object));
    Ok(true)
}

fn add_rule(
    table: &mut Table,
    name: &str,
    place: Place,
    rule: &Rule,
    handle: u64,
) -> Result<(), Errno> {
    let at = {
        let chain = chain(table, name)?;
        match place {
            Place::Last => chain.rules.len(),
            Place::Before(handle) => position(chain, handle)?,
        }
    };
    check_rule(table, rule)?;
    chain(table, name)?
        .rules
        .insert(at, live_rule(rule, handle));
    Ok(())
}

fn replace_rule(table: &mut Table, name: &str, handle: u64, rule: &Rule) -> Effect {
    let at = position(chain(table, name)?, handle)?;
    check_rule(table, rule)?;
    let old = chain(table, name)?
        .rules
        .get_mut(at)
        .map(|slot| std::mem::replace(slot, live_rule(rule, handle)));
    if let Some(old) = old {
        refer::drop_anonymous(table, &old);
    }
    Ok(true)
}

fn live_rule(rule: &Rule, handle: u64) -> LiveRule {
    LiveRule {
        handle,
        name: rule.name.clone(),
        instructions: rule.instructions.clone(),
    }
}

fn check_rule(table: &Table, rule: &Rule) -> Result<(), Errno> {
    if MOST_INSTRUCTIONS < rule.instructions.len() {
        return Err(Errno::EINVAL);
    }
    if rule
        .name
        .as_ref()
        .is_some_and(|name| MOST_COMMENT < name.len())
    {
        return Err(Errno::ERANGE);
    }
    rule.instructions
        .iter()
        .try_for_each(|instruction: &Instruction| refer::check(table, instruction))
}
