//! Chains and rules in nft's notation.

use super::statement::statement;
use super::word::quoted;
use crate::bytecode::{Instruction, Recovered, delinearize, delinearize_in, piece_at, xtables};
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
        Hook::Other(number) => format!("hook-{number}"),
        known => known.name().unwrap_or_default().to_owned(),
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

/// The same of a rule of any table; what iptables left in it stands in the words of iptables. `family` is that of the table, an
/// nfproto number.
pub fn any_rule_text(family: u8, name: Option<&str>, instructions: &[Instruction]) -> String {
    let parts = delinearize_in(only(family), instructions).into_iter();
    line(parts.map(|part| piece_text(family, &part)), name)
}

/// The statement of such a rule that an instruction, counted from 0, belongs to.
pub fn any_rule_text_at(family: u8, instructions: &[Instruction], place: usize) -> Option<String> {
    let piece = piece_at(only(family), instructions, place)?;
    Some(piece_text(family, &piece))
}

/// The one family that a table of a family sees.
fn only(family: u8) -> Option<u8> {
    (family == 2 || family == 10).then_some(family)
}

fn piece_text(family: u8, piece: &Recovered) -> String {
    match piece {
        Recovered::Statement(it) => statement(it),
        Recovered::Instruction(instruction) => match xtables::extension(instruction) {
            Some(extension) => extension.text(family),
            None => instruction.to_string(),
        },
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytecode::{Register, instructions};
    use crate::ruleset::{Expression, Field, Operand, Relation, Statement, Verdict};

    #[test]
    fn a_rule_that_was_meddled_with_is_shown_as_it_is() {
        let mut rule = instructions(&[
            Statement::Match {
                left: Expression::Field(Field::IpSaddr),
                relation: Relation::Ne,
                right: Operand::Prefix([10, 0, 0, 0].into(), 8),
            },
            Statement::Counter,
            Statement::Verdict(Verdict::Drop),
        ]);
        assert_eq!(
            rule_text(Some("lan/web"), &rule),
            "ip saddr != 10.0.0.0/8 counter drop comment \"lan/web\""
        );
        rule.insert(
            4,
            Instruction::Meta {
                key: 3,
                to: Register(1),
            },
        );
        assert_eq!(
            rule_text(None, &rule),
            "ip saddr != 10.0.0.0/8 [ meta load mark => reg 9 ] counter drop"
        );
    }

    #[track_caller]
    fn check(hook: Hook, priority: i32, expect: &str) {
        let base = Base {
            kind: ChainType::Nat,
            hook,
            priority,
            policy: ChainPolicy::Accept,
        };
        assert_eq!(chain_text(&base), expect);
    }

    #[test]
    fn priorities_by_name() {
        check(
            Hook::Prerouting,
            -110,
            "type nat hook prerouting priority dstnat - 10; policy accept;",
        );
        check(
            Hook::Output,
            -100,
            "type nat hook output priority -100; policy accept;",
        );
        check(
            Hook::Postrouting,
            101,
            "type nat hook postrouting priority srcnat + 1; policy accept;",
        );
        check(
            Hook::Input,
            11,
            "type nat hook input priority 11; policy accept;",
        );
    }
}
