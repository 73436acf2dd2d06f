//! Who refers to whom: what a rule needs to be there, and what keeps an object from being deleted.

use nix::errno::Errno;

use crate::bytecode::{Instruction, LookupResult};
use crate::live::{LiveRule, LiveSet, Table};
use crate::ruleset::{Datum, Element, Object, SetKind, Verdict};

/// Whether what an instruction refers to is there, and is of the right kind.
pub(super) fn check(table: &Table, instruction: &Instruction) -> Result<(), Errno> {
    match instruction {
        Instruction::Lookup {
            set,
            from: _,
            result,
        } => {
            let kind = &find(table, set)?.set.spec.kind;
            // `nft_lookup_init`
            match (result, kind) {
                (LookupResult::Member { .. }, _)
                | (LookupResult::Data(_), SetKind::Map(_))
                | (LookupResult::Verdict, SetKind::VerdictMap) => Ok(()),
                (LookupResult::Data(_), SetKind::Set | SetKind::VerdictMap)
                | (LookupResult::Verdict, SetKind::Set | SetKind::Map(_)) => Err(Errno::EINVAL),
            }
        }
        Instruction::Dynset { set, state, .. } => {
            // Only sets made for it can be filled by packets (`nft_dynset_init`).
            if find(table, set)?.set.spec.dynamic {
                state.iter().try_for_each(|state| check(table, state))
            } else {
                Err(Errno::EOPNOTSUPP)
            }
        }
        Instruction::Object { kind, name } => {
            let there = table
                .objects
                .iter()
                .any(|live| live.object.name == *name && live.object.kind.number() == *kind);
            if there { Ok(()) } else { Err(Errno::ENOENT) }
        }
        Instruction::Verdict(verdict) => check_verdict(table, verdict),
        // An expression without a module.
        Instruction::Opaque { .. } => Err(Errno::ENOENT),
        _ => Ok(()),
    }
}

/// Whether the chain that a verdict leads into is there and is no base chain (`nft_verdict_init`).
pub(super) fn check_verdict(table: &Table, verdict: &Verdict) -> Result<(), Errno> {
    let Some(name) = target(verdict) else {
        return Ok(());
    };
    let chain = table.chains.iter().find(|chain| chain.name == name);
    match chain.ok_or(Errno::ENOENT)?.base {
        Some(_) => Err(Errno::EOPNOTSUPP),
        None => Ok(()),
    }
}

/// The chain that a verdict leads into.
pub(super) fn target(verdict: &Verdict) -> Option<&str> {
    match verdict {
        Verdict::Jump(chain) | Verdict::Goto(chain) => Some(chain),
        Verdict::Accept | Verdict::Drop | Verdict::Continue | Verdict::Return => None,
    }
}

/// The chain that an element leads into.
pub(super) fn element_target(element: &Element) -> Option<&str> {
    match &element.datum {
        Some(Datum::Verdict(verdict)) => target(verdict),
        Some(Datum::Value(_)) | None => None,
    }
}

/// A set of the table.
pub(super) fn find<'t>(table: &'t Table, name: &str) -> Result<&'t LiveSet, Errno> {
    table
        .sets
        .iter()
        .find(|set| set.set.spec.name == name)
        .ok_or(Errno::ENOENT)
}

/// Whether a rule or an element leads into the chain.
pub(super) fn to_chain(table: &Table, name: &str) -> bool {
    instructions(table).any(|instruction| {
        matches!(instruction, Instruction::Verdict(verdict) if target(verdict) == Some(name))
    }) || table
        .sets
        .iter()
        .flat_map(|set| set.set.elements.rich())
        .any(|element| element_target(element) == Some(name))
}

/// Whether a rule refers to the set.
pub(super) fn to_set(table: &Table, name: &str) -> bool {
    instructions(table).any(|instruction| uses_set(instruction, name))
}

/// Whether a rule refers to the object.
pub(super) fn to_object(table: &Table, object: &Object) -> bool {
    instructions(table).any(|instruction| {
        matches!(
            instruction,
            Instruction::Object { kind, name }
                if *kind == object.kind.number() && *name == object.name
        )
    })
}

/// Takes away what belongs to a deleted rule alone.
pub(super) fn drop_anonymous(table: &mut Table, rule: &LiveRule) {
    table.sets.retain(|set| {
        !set.anonymous
            || !rule
                .instructions
                .iter()
                .any(|instruction| uses_set(instruction, &set.set.spec.name))
    });
    table.chains.retain(|chain| {
        !chain.anonymous
            || !rule.instructions.iter().any(|instruction| {
                matches!(instruction, Instruction::Verdict(verdict) if target(verdict) == Some(&chain.name))
            })
    });
}

fn instructions(table: &Table) -> impl Iterator<Item = &Instruction> {
    table
        .chains
        .iter()
        .flat_map(|chain| &chain.rules)
        .flat_map(|rule| &rule.instructions)
}

fn uses_set(instruction: &Instruction, name: &str) -> bool {
    matches!(
        instruction,
        Instruction::Lookup { set, .. } | Instruction::Dynset { set, .. } if set == name
    )
}
