//! A ruleset as the kernel will run it: every rule linearized, everything in one order.

use super::raw::RawCode;
use super::{Instruction, instructions};
use crate::ruleset::{self, Base, Object, Origin, Ruleset, Set, Statement};

/// The desired ruleset as the kernel will run it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Program {
    /// Sets, sorted by name.
    pub sets: Vec<Set>,
    /// Stateful objects, sorted by name.
    pub objects: Vec<Object>,
    /// Chains, sorted by name.
    pub chains: Vec<Chain>,
}

/// A chain of rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// The name.
    pub name: String,
    /// Set for base chains only.
    pub base: Option<Base>,
    /// The rules in order.
    pub rules: Vec<Rule>,
}

/// A rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The stable name, stored as the comment.
    pub name: Option<String>,
    /// What it does.
    pub instructions: Vec<Instruction>,
    /// Where it came from in the policy.
    pub origin: Option<Origin>,
}

/// The program of a ruleset; everything in it sorted by name. Of a ruleset with raw rules it is one that no kernel takes:
/// for those see [`linearize_with`].
pub fn linearize(ruleset: Ruleset) -> Program {
    linearize_with(ruleset, &RawCode::new())
}

/// The program of a ruleset whose raw rules mean this.
pub fn linearize_with(ruleset: Ruleset, raw: &RawCode) -> Program {
    let Ruleset {
        mut sets,
        mut objects,
        chains,
    } = ruleset;
    sets.sort_by(|left, right| left.spec.name.cmp(&right.spec.name));
    objects.sort_by(|left, right| left.name.cmp(&right.name));
    let chain = |ruleset::Chain { name, base, rules }| Chain {
        name,
        base,
        rules: rules.into_iter().map(|it| rule(it, raw)).collect(),
    };
    let mut chains: Vec<Chain> = chains.into_iter().map(chain).collect();
    chains.sort_by(|left, right| left.name.cmp(&right.name));
    Program {
        sets,
        objects,
        chains,
    }
}

fn rule(rule: ruleset::Rule, raw: &RawCode) -> Rule {
    let ruleset::Rule {
        name,
        statements,
        origin,
    } = rule;
    let known = match statements.as_slice() {
        [Statement::Raw(text)] => raw.get(text).cloned(),
        _ => None,
    };
    Rule {
        name,
        instructions: known.unwrap_or_else(|| instructions(&statements)),
        origin,
    }
}
