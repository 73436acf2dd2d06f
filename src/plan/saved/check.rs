//! Whether a program that was read from a file can be in the kernel at all. The compiler never makes one
//! that cannot; a file may.

use std::collections::{BTreeMap, BTreeSet};

use crate::bytecode::{Chain, Instruction, Program, Rule};
use crate::ruleset::{Datum, Element, Key, Object, Set, SetKind, Verdict};

/// `NFT_NAME_MAXLEN`, without the NUL.
const MOST_NAME: usize = 255;
/// A rule's comment fits into 256 bytes of user data, with two bytes before it and a NUL behind it.
const MOST_COMMENT: usize = 253;
/// `NFT_RULE_MAXEXPRS`
const MOST_INSTRUCTIONS: usize = 128;
/// `NFT_DATA_VALUE_MAXLEN`: bytes of the register file.
const MOST_KEY: usize = 64;

/// What is wrong first, in words.
pub(super) fn check(program: &Program) -> Result<(), String> {
    let Program {
        sets,
        objects,
        chains,
    } = program;
    unique("set", sets.iter().map(|set| set.spec.name.as_str()))?;
    unique("chain", chains.iter().map(|chain| chain.name.as_str()))?;
    for Object { name, .. } in objects {
        check_name("object", name)?;
    }
    let check = Check {
        sets: sets.iter().map(|set| set.spec.name.as_str()).collect(),
        objects: objects
            .iter()
            .map(|object| (object.kind.number(), object.name.as_str()))
            .collect(),
        chains: chains
            .iter()
            .map(|chain| (chain.name.as_str(), chain.base.is_some()))
            .collect(),
    };
    sets.iter().try_for_each(|set| check.set(set))?;
    chains.iter().try_for_each(|chain| check.chain(chain))
}

fn unique<'a>(what: &str, names: impl Iterator<Item = &'a str>) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    for name in names {
        check_name(what, name)?;
        if !seen.insert(name) {
            return Err(format!("two {what}s have the name {name:?}"));
        }
    }
    Ok(())
}

fn check_name(what: &str, name: &str) -> Result<(), String> {
    if name.is_empty() || MOST_NAME < name.len() || name.chars().any(char::is_control) {
        return Err(format!("{name:?} can be no name of a {what}"));
    }
    Ok(())
}

/// What can be referred to.
struct Check<'a> {
    sets: BTreeSet<&'a str>,
    /// By kind and name.
    objects: BTreeSet<(u32, &'a str)>,
    /// Whether it is a base chain, which nothing may lead into.
    chains: BTreeMap<&'a str, bool>,
}

impl Check<'_> {
    fn set(&self, set: &Set) -> Result<(), String> {
        let Set {
            spec,
            elements,
            origin: _,
        } = set;
        let name = &spec.name;
        if spec.key.is_empty() || MOST_KEY < spec.key_width() {
            return Err(format!("the key of set {name:?} has no possible width"));
        }
        let mut last: Option<Box<[u8]>> = None;
        for element in elements.iter() {
            let Element {
                key: Key { lo, hi },
                datum,
                name: comment,
                count: _,
            } = element.as_ref();
            let fits = |key: &[u8]| key.len() == spec.key_width();
            if !fits(lo)
                || hi
                    .as_ref()
                    .is_some_and(|hi| !fits(hi) || hi < lo || !spec.interval)
            {
                return Err(format!("a key in set {name:?} does not fit"));
            }
            let is_one_field = spec.key.len() == 1;
            if last
                .as_ref()
                .is_some_and(|last| if is_one_field { lo <= last } else { lo < last })
            {
                return Err(format!("the elements of set {name:?} are not in order"));
            }
            last = Some(if is_one_field {
                element.key.last().into()
            } else {
                lo.clone()
            });
            match (&spec.kind, datum) {
                (SetKind::Set, None) => {}
                (SetKind::Map(data), Some(Datum::Value(value))) if value.len() == data.width() => {}
                (SetKind::VerdictMap, Some(Datum::Verdict(verdict))) => self.verdict(verdict)?,
                (SetKind::Set | SetKind::Map(_) | SetKind::VerdictMap, _) => {
                    return Err(format!("an element of set {name:?} holds the wrong thing"));
                }
            }
            check_comment(comment.as_deref())?;
        }
        Ok(())
    }

    fn chain(&self, chain: &Chain) -> Result<(), String> {
        for rule in &chain.rules {
            let Rule {
                name,
                instructions,
                origin: _,
            } = rule;
            check_comment(name.as_deref())?;
            if MOST_INSTRUCTIONS < instructions.len() {
                return Err(format!("a rule of chain {:?} is too long", chain.name));
            }
            instructions
                .iter()
                .try_for_each(|instruction| self.instruction(instruction))?;
        }
        Ok(())
    }

    fn instruction(&self, instruction: &Instruction) -> Result<(), String> {
        match instruction {
            Instruction::Lookup { set, .. } => self.refers_to_set(set),
            Instruction::Dynset { set, state, .. } => {
                state.iter().try_for_each(|state| self.instruction(state))?;
                self.refers_to_set(set)
            }
            Instruction::Object { kind, name } => {
                if self.objects.contains(&(*kind, name.as_str())) {
                    Ok(())
                } else {
                    Err(format!(
                        "a rule refers to the object {name:?}, which is not there"
                    ))
                }
            }
            Instruction::Verdict(verdict) => self.verdict(verdict),
            Instruction::Opaque { name, data: _ } => {
                Err(format!("a rule holds the unknown expression {name:?}"))
            }
            _ => Ok(()),
        }
    }

    fn verdict(&self, verdict: &Verdict) -> Result<(), String> {
        let (Verdict::Jump(target) | Verdict::Goto(target)) = verdict else {
            return Ok(());
        };
        match self.chains.get(target.as_str()) {
            Some(false) => Ok(()),
            Some(true) => Err(format!("something leads into the base chain {target:?}")),
            None => Err(format!(
                "something leads into {target:?}, which is not there"
            )),
        }
    }

    fn refers_to_set(&self, name: &str) -> Result<(), String> {
        if self.sets.contains(name) {
            Ok(())
        } else {
            Err(format!(
                "a rule refers to the set {name:?}, which is not there"
            ))
        }
    }
}

fn check_comment(comment: Option<&str>) -> Result<(), String> {
    match comment {
        Some(text) if MOST_COMMENT < text.len() || text.chars().any(char::is_control) => {
            Err(format!("{text:?} can be no stable name"))
        }
        _ => Ok(()),
    }
}
