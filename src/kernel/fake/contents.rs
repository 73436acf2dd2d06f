//! What a table holds, changed one object at a time: chains, sets, stateful objects and rules, as the kernel takes and refuses
//! them.
//!
//! Not here: elements, which are `elements`', and what refers to what, which is `refer`'s.

use nix::errno::Errno;

use super::refer;
use crate::bytecode::{Instruction, Rule};
use crate::live::{LiveChain, LiveObject, LiveRule, LiveSet, Table};
use crate::plan::Place;
use crate::ruleset::{Base, ChainType, Elements, Hook, Object, Set, SetSpec};

/// Names are shorter than this (`NFT_NAME_MAXLEN`).
const MOST_NAME: usize = 256;
/// A rule's comment fits into 256 bytes of user data, with two bytes before it and a NUL behind it.
const MOST_COMMENT: usize = 253;
/// `NFT_RULE_MAXEXPRS`
const MOST_INSTRUCTIONS: usize = 128;

pub(super) fn chain<'t>(table: &'t mut Table, name: &str) -> Result<&'t mut LiveChain, Errno> {
    table
        .chains
        .iter_mut()
        .find(|chain| chain.name == name)
        .ok_or(Errno::ENOENT)
}

pub(super) fn set<'t>(table: &'t mut Table, name: &str) -> Result<&'t mut LiveSet, Errno> {
    table
        .sets
        .iter_mut()
        .find(|set| set.set.spec.name == name)
        .ok_or(Errno::ENOENT)
}

pub(super) fn position(chain: &LiveChain, handle: u64) -> Result<usize, Errno> {
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

pub(super) fn add_chain(
    table: &mut Table,
    name: &str,
    base: Option<Base>,
    handle: u64,
) -> Result<(), Errno> {
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

pub(super) fn add_set(table: &mut Table, spec: &SetSpec, handle: u64) -> Result<(), Errno> {
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
pub(super) fn set_bounds(table: &mut Table, spec: &SetSpec) -> Result<bool, Errno> {
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

pub(super) fn add_object(table: &mut Table, object: &Object, handle: u64) -> Result<(), Errno> {
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

pub(super) fn delete_object(table: &mut Table, object: &Object) -> Result<bool, Errno> {
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

pub(super) fn add_rule(
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

pub(super) fn replace_rule(
    table: &mut Table,
    name: &str,
    handle: u64,
    rule: &Rule,
) -> Result<bool, Errno> {
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
