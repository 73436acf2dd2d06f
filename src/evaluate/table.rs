//! One table as the evaluator runs it: its chains as operations, its sets as lookups.
//!
//! Not here: at which hooks its base chains stand, which is `firewall`'s.

use std::collections::BTreeMap;

use super::lookup::{Lookup, Otherwise};
use super::operation::{Act, Op};
use super::outcome::Opaque;
use super::resolve::Names;
use crate::bytecode::Instruction;
use crate::live;
use crate::ruleset::{Base, Datum, Object, ObjectKind, Origin, Set, TABLE};

/// `NFPROTO_INET`
pub(super) const INET: u8 = 1;

/// A table.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) family: u8,
    /// Whether it is rfw's own.
    pub(super) is_own: bool,
    pub(super) name: String,
    pub(super) dormant: bool,
    pub(super) chains: Vec<Chain>,
    pub(super) sets: Vec<Lookup>,
}

/// A chain of it.
#[derive(Clone, Debug)]
pub(super) struct Chain {
    pub(super) name: String,
    pub(super) base: Option<Base>,
    /// The operations of all its rules, one rule after the other.
    pub(super) ops: Vec<Op>,
    /// Where each rule ends in `ops`.
    pub(super) ends: Vec<u32>,
    pub(super) rules: Vec<RuleText>,
}

/// A rule as people know it.
#[derive(Clone, Debug)]
pub(super) struct RuleText {
    pub(super) name: Option<String>,
    pub(super) origin: Option<Origin>,
    pub(super) handle: Option<u64>,
    pub(super) instructions: Vec<Instruction>,
}

/// What a chain is made of.
pub(super) struct ChainParts {
    pub(super) name: String,
    pub(super) base: Option<Base>,
    pub(super) rules: Vec<RuleText>,
}

/// What a set is made of.
pub(super) struct SetParts {
    set: Set,
    fields: Vec<usize>,
    otherwise: Option<Option<Datum>>,
    opaque: bool,
}

impl SetParts {
    pub(super) fn of(set: Set) -> Self {
        Self {
            fields: set.spec.key.iter().map(|field| field.width()).collect(),
            set,
            otherwise: None,
            opaque: false,
        }
    }

    pub(super) fn of_any(any: live::AnySet) -> Self {
        let live::AnySet {
            live,
            fields,
            catch_all,
            obstacle,
        } = any;
        Self {
            set: live.set,
            fields,
            otherwise: catch_all,
            opaque: obstacle.is_some(),
        }
    }

    pub(super) fn of_live(live: live::LiveSet) -> Self {
        let live::LiveSet {
            handle: _,
            set,
            unknown,
            anonymous: _,
        } = live;
        Self {
            opaque: unknown.iter().any(|what| what != "flag constant"),
            ..Self::of(set)
        }
    }
}

/// A table, with the names of its chains, sets and objects resolved.
pub(super) fn table(
    family: u8,
    name: String,
    dormant: bool,
    sets: Vec<SetParts>,
    objects: &[Object],
    chains: Vec<ChainParts>,
) -> Table {
    let index = |names: Vec<String>| -> BTreeMap<String, u32> {
        let numbered = names.into_iter().zip(0u32..);
        numbered.collect()
    };
    let chain_names = index(chains.iter().map(|chain| chain.name.clone()).collect());
    let set_names = index(sets.iter().map(|it| it.set.spec.name.clone()).collect());
    let object = |kind: u32, name: &str| -> Option<&ObjectKind> {
        let found = objects
            .iter()
            .find(|object| object.name == name && object.kind.number() == kind);
        found.map(|object| &object.kind)
    };
    let names = Names {
        family,
        chain: &|name| chain_names.get(name).copied(),
        set: &|name| set_names.get(name).copied(),
        object: &object,
    };
    let sets = sets
        .into_iter()
        .map(|parts| {
            let SetParts {
                set,
                fields,
                otherwise,
                opaque,
            } = parts;
            let name = set.spec.name.clone();
            let mut act = |verdict: &_| -> Act { names.act(verdict) };
            let mut lookup = Lookup::of(set, &fields, &mut act);
            lookup.otherwise = otherwise.map(|datum| Otherwise::of(datum, &mut act));
            lookup.opaque = opaque.then_some(Opaque::Set(name));
            lookup
        })
        .collect();
    let chains = chains
        .into_iter()
        .map(|chain| {
            let mut ops = Vec::new();
            let mut ends = Vec::with_capacity(chain.rules.len());
            for rule in &chain.rules {
                ops.extend(rule.instructions.iter().map(|it| names.op(it)));
                ends.push(ops.len() as u32);
            }
            Chain {
                name: chain.name,
                base: chain.base,
                ops,
                ends,
                rules: chain.rules,
            }
        })
        .collect();
    Table {
        family,
        is_own: family == INET && name == TABLE,
        name,
        dormant,
        chains,
        sets,
    }
}
