//! Chains and rules in nft's notation.

use super::statement::statement;
use super::word::quoted;
use crate::bytecode::{Instruction, Recovered, delinearize};
use crate::ruleset::{Base, ChainPolicy, ChainType, Hook, Rule};

/// What makes a chain a base chain: `type filter hook forward priority filter; policy drop;`.
pub fn chain_text(base: &Base) -> String {
    let Base {
        kind,
        hook,
        priority: _,
        policy,
    } = base;
    let kind = match kind {
        ChainType::Filter => "filter",
        ChainType::Nat => "nat",
        ChainType::Route => "route",
    };
    let hook = match hook {
        Hook::Prerouting => "prerouting".to_owned(),
        Hook::Input => "input".to_owned(),
        Hook::Forward => "forward".to_owned(),
        Hook::Output => "output".to_owned(),
        Hook::Postrouting => "postrouting".to_owned(),
        Hook::Other(number) => format!("hook-{number}"),
    };
    let policy = match policy {
        ChainPolicy::Accept => "accept",
        ChainPolicy::Drop => "drop",
    };
    let priority = priority(base);
    format!("type {kind} hook {hook} priority {priority}; policy {policy};")
}

/// A rule as the kernel has it, on one line. What is no statement of nft that rfw knows stands in the
/// brackets of the bytecode. What counters have counted is left out.
pub fn rule_text(name: Option<&str>, instructions: &[Instruction]) -> String {
    let parts = delinearize(instructions)
        .into_iter()
        .map(|part| match part {
            Recovered::Statement(it) => statement(&it),
            Recovered::Instruction(instruction) => instruction.to_string(),
        });
    line(parts, name)
}

/// A rule of the ruleset on one line.
pub(super) fn rule_line(rule: &Rule) -> String {
    let Rule {
        name,
        statements,
        origin: _,
    } = rule;
    line(statements.iter().map(statement), name.as_deref())
}

fn line(parts: impl Iterator<Item = String>, name: Option<&str>) -> String {
    let comment = name.map(|name| format!("comment {}", quoted(name)));
    parts.chain(comment).collect::<Vec<_>>().join(" ")
}

/// The priority by name where nft has one, up to ten off: `filter - 10`.
fn priority(base: &Base) -> String {
    let named = [
        (-300, "raw", None),
        (-150, "mangle", None),
        (-100, "dstnat", Some(Hook::Prerouting)),
        (0, "filter", None),
        (50, "security", None),
        (100, "srcnat", Some(Hook::Postrouting)),
    ];
    for (number, name, hook) in named {
        let off = base.priority.saturating_sub(number);
        if hook.is_none_or(|hook| hook == base.hook) && off.abs() <= 10 {
            return match off {
                0 => name.to_owned(),
                1.. => format!("{name} + {off}"),
                _ => format!("{name} - {}", off.abs()),
            };
        }
    }
    base.priority.to_string()
}
