//! The rules of one chain, live and desired: what stays, moves, changes, comes and goes.

use super::matching::{Match, Matching, match_up};
use crate::bytecode::Rule;
use crate::live::LiveRule;

/// One difference between two sequences of rules. `before` is the handle of the next rule that is there
/// before and after, `None` at the end of the chain.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RuleDiff<'a> {
    /// Only desired.
    Added {
        /// The rule to come.
        rule: &'a Rule,
        /// Where it stands.
        before: Option<u64>,
    },
    /// Only live.
    Removed {
        /// The rule to go.
        live: &'a LiveRule,
    },
    /// The same rule at another place.
    Moved {
        /// The rule as it is.
        live: &'a LiveRule,
        /// The same rule, desired.
        rule: &'a Rule,
        /// Where it will stand.
        before: Option<u64>,
    },
    /// Another rule of the same name at the same place.
    Replaced {
        /// The rule as it is.
        live: &'a LiveRule,
        /// The rule as it should be.
        rule: &'a Rule,
    },
    /// The same rule at the same place, which has to go and come back because something that it refers
    /// to, or its chain, does.
    Renewed {
        /// The rule as it is.
        live: &'a LiveRule,
        /// The same rule, desired.
        rule: &'a Rule,
        /// Where it stands.
        before: Option<u64>,
    },
}

/// The differences, in the order of the desired chain; what is removed stands where it was. `loose`
/// tells which live rules cannot stay where they are, even if nothing about them changes.
pub(super) fn diff<'a>(
    live: &'a [LiveRule],
    desired: &'a [Rule],
    loose: impl Fn(&LiveRule) -> bool,
) -> Vec<RuleDiff<'a>> {
    let Matching { matches, gone } = match_up(live, desired, &loose);

    // From the end, so that each rule knows the next one that keeps its place; turned round at last.
    let mut diff = Vec::new();
    let mut before = None;
    let mut removed = live.iter().zip(gone).enumerate().rev().peekable();
    let mut remove_after = |last: Option<usize>, diff: &mut Vec<RuleDiff<'a>>| {
        while let Some((_, (live, gone))) =
            removed.next_if(|(at, _)| last.is_none_or(|last| last < *at))
        {
            if gone {
                diff.push(RuleDiff::Removed { live });
            }
        }
    };
    for (rule, found) in desired.iter().zip(matches).rev() {
        let (Match::Stays(at) | Match::Moves(at) | Match::Replaces(at)) = found else {
            diff.push(RuleDiff::Added { rule, before });
            continue;
        };
        let Some(from) = live.get(at) else { continue };
        match found {
            Match::None => {}
            Match::Moves(_) => diff.push(RuleDiff::Moved {
                live: from,
                rule,
                before,
            }),
            Match::Stays(_) if loose(from) => {
                remove_after(Some(at), &mut diff);
                diff.push(RuleDiff::Renewed {
                    live: from,
                    rule,
                    before,
                });
            }
            Match::Stays(_) => {
                remove_after(Some(at), &mut diff);
                before = Some(from.handle);
            }
            Match::Replaces(_) => {
                remove_after(Some(at), &mut diff);
                diff.push(RuleDiff::Replaced { live: from, rule });
                before = Some(from.handle);
            }
        }
    }
    remove_after(None, &mut diff);
    diff.reverse();
    diff
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::bytecode::{Instruction, Register};
    use crate::ruleset::Count;

    /// A rule for each word: the letter is its name (`_` for none), the rest its body.
    fn body(word: &str) -> (Option<String>, Vec<Instruction>) {
        let (name, mark) = word.split_at(1);
        let instructions = vec![
            Instruction::Immediate {
                to: Register(0),
                data: mark.as_bytes().to_vec(),
            },
            Instruction::Counter(Count::default()),
        ];
        ((name != "_").then(|| name.to_owned()), instructions)
    }

    /// Live rules have the handles 1, 2, 3, …; all have counted something.
    fn live(text: &str) -> Vec<LiveRule> {
        (1..)
            .zip(text.split_whitespace())
            .map(|(handle, word)| {
                let (name, mut instructions) = body(word);
                instructions[1] = Instruction::Counter(Count {
                    packets: handle,
                    bytes: 0,
                });
                LiveRule {
                    handle,
                    name,
                    instructions,
                }
            })
            .collect()
    }

    fn desired(text: &str) -> Vec<Rule> {
        text.split_whitespace()
            .map(|word| {
                let (name, instructions) = body(word);
                Rule {
                    name,
                    instructions,
                    origin: None,
                }
            })
            .collect()
    }

    fn word(name: Option<&str>, instructions: &[Instruction]) -> String {
        let Instruction::Immediate { data, .. } = &instructions[0] else {
            panic!("not made by these tests")
        };
        format!("{}{}", name.unwrap_or("_"), String::from_utf8_lossy(data))
    }

    fn show(diff: &[RuleDiff<'_>]) -> String {
        let to = |before: &Option<u64>| match before {
            None => "last".to_owned(),
            Some(handle) => format!("<{handle}"),
        };
        let of = |rule: &Rule| word(rule.name.as_deref(), &rule.instructions);
        diff.iter()
            .map(|diff| match diff {
                RuleDiff::Added { rule, before } => format!("+{} {}", of(rule), to(before)),
                RuleDiff::Removed { live } => format!("-{}", live.handle),
                RuleDiff::Moved { live, before, .. } => format!(">{} {}", live.handle, to(before)),
                RuleDiff::Replaced { live, rule } => format!("~{} {}", live.handle, of(rule)),
                RuleDiff::Renewed { live, before, .. } => {
                    format!("={} {}", live.handle, to(before))
                }
            })
            .collect::<Vec<_>>()
            .join(", ")
    }

    #[track_caller]
    fn check(from: &str, to: &str, expect: &str) {
        let (live, desired) = (live(from), desired(to));
        assert_eq!(show(&diff(&live, &desired, |_| false)), expect);
    }

    #[test]
    fn equal_is_nothing() {
        check("", "", "");
        check("a1 b1 _1 _1", "a1 b1 _1 _1", "");
    }

    #[test]
    fn one_added() {
        check("", "a1", "+a1 last");
        check("a1 b1", "a1 c1 b1", "+c1 <2");
        check("a1 b1", "a1 b1 c1", "+c1 last");
        check("a1 a1 a1", "a1 a1 a1 a1", "+a1 last");
    }

    #[test]
    fn one_removed() {
        check("a1 b1 c1", "a1 c1", "-2");
        check("a1 b1 a1 b1", "b1 a1 b1", "-1");
    }

    #[test]
    fn one_moved() {
        check("a1 b1 c1 d1", "b1 c1 d1 a1", ">1 last");
        check("a1 b1 c1 d1", "d1 a1 b1 c1", ">4 <1");
        check("x1 a1 x1 b1", "a1 x1 b1 x1", ">1 last");
    }

    #[test]
    fn one_changed_keeps_its_handle() {
        check("a1 b1 c1", "a1 b2 c1", "~2 b2");
        // A foreign edit: the comment still fits, the body does not.
        check("a1 b9 c1", "a1 b1 c1", "~2 b1");
    }

    #[test]
    fn without_a_name_nothing_tells_a_change_from_another_rule() {
        check("a1 _1 c1", "a1 _2 c1", "-2, +_2 <3");
    }

    #[test]
    fn a_renamed_rule_is_another_rule() {
        check("a1 b1", "a1 c1", "-2, +c1 last");
    }

    #[test]
    fn a_changed_rule_at_another_place_goes_and_comes() {
        check("a1 b1 c1 d1", "b1 c1 d1 a2", "-1, +a2 last");
    }

    #[test]
    fn one_name_for_several_rules() {
        check("a1 a2 a3 b1", "a1 a4 a3 b1", "~2 a4");
        check("a1 a2 b1", "a3 a4 a5 b1", "~1 a3, ~2 a4, +a5 <3");
        check("a1 a2 a3 b1", "a4 b1", "~1 a4, -2, -3");
    }

    #[test]
    fn what_comes_before_a_replaced_rule_is_placed_before_it() {
        check("a1 b1", "c1 a2 b1", "+c1 <1, ~1 a2");
    }

    #[test]
    fn loose_rules_go_and_come_back_and_are_nobodys_anchor() {
        let (live, desired) = (live("a1 b1 c1"), desired("x1 a1 y1 b2 c1"));
        let diff = diff(&live, &desired, |live| live.handle != 3);
        assert_eq!(show(&diff), "+x1 <3, =1 <3, -2, +y1 <3, +b2 <3");
    }

    /// What the kernel would hold after the operations that each difference stands for.
    fn run(live: &[LiveRule], diff: &[RuleDiff<'_>]) -> Vec<String> {
        let mut chain: Vec<(u64, String)> = live
            .iter()
            .map(|rule| (rule.handle, word(rule.name.as_deref(), &rule.instructions)))
            .collect();
        for diff in diff {
            match diff {
                RuleDiff::Removed { live }
                | RuleDiff::Moved { live, .. }
                | RuleDiff::Renewed { live, .. } => {
                    chain.retain(|(handle, _)| *handle != live.handle);
                }
                RuleDiff::Added { .. } | RuleDiff::Replaced { .. } => {}
            }
        }
        for diff in diff {
            match diff {
                RuleDiff::Removed { .. } => {}
                RuleDiff::Added { rule, before }
                | RuleDiff::Moved { rule, before, .. }
                | RuleDiff::Renewed { rule, before, .. } => {
                    let at = before.map_or(chain.len(), |before| {
                        chain
                            .iter()
                            .position(|(handle, _)| *handle == before)
                            .expect("anchor")
                    });
                    chain.insert(at, (0, word(rule.name.as_deref(), &rule.instructions)));
                }
                RuleDiff::Replaced { live, rule } => {
                    let slot = chain.iter_mut().find(|(handle, _)| *handle == live.handle);
                    slot.expect("replaced rule").1 = word(rule.name.as_deref(), &rule.instructions);
                }
            }
        }
        chain.into_iter().map(|(_, word)| word).collect()
    }

    proptest! {
        #[test]
        fn leads_to_the_desired_chain(
            from in proptest::collection::vec("[a-d_][1-3]", 0..12),
            to in proptest::collection::vec("[a-d_][1-3]", 0..12),
            loose in proptest::collection::vec(proptest::bool::weighted(0.2), 12),
        ) {
            let (live, desired) = (live(&from.join(" ")), desired(&to.join(" ")));
            let diff = diff(&live, &desired, |live| loose[live.handle as usize - 1]);
            prop_assert_eq!(run(&live, &diff), to);
        }
    }
}
