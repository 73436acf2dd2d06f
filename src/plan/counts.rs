//! What counters start with, so that nothing that was counted is lost by a change.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::bytecode::{Instruction, Rule};
use crate::diff::{ChainDiff, Diff, ElementDiff, RuleDiff, SetDiff};
use crate::live::LiveRule;
use crate::ruleset::{Count, Element, SetSpec};

/// What rules and elements that go have counted, by stable name. The first rule or element of the same
/// name that comes takes it, so a policy rule keeps its count even when it turns from a rule into
/// elements of a set, or back.
#[derive(Debug, Default)]
pub(super) struct Counts<'a> {
    left: BTreeMap<&'a str, Count>,
}

impl<'a> Counts<'a> {
    /// Everything that goes without being put into something else.
    pub(super) fn of(diff: &Diff<'a>) -> Self {
        let mut counts = Self::default();
        let Diff {
            table: _,
            sets,
            objects: _,
            chains,
        } = diff;
        for ChainDiff {
            name: _,
            change: _,
            live: _,
            rules,
        } in chains
        {
            for rule in rules {
                match rule {
                    RuleDiff::Removed { live } => counts.leave(live.name.as_deref(), live.count()),
                    RuleDiff::Replaced { live, rule } if !has_counter(rule) => {
                        counts.leave(live.name.as_deref(), live.count());
                    }
                    RuleDiff::Added { .. }
                    | RuleDiff::Moved { .. }
                    | RuleDiff::Replaced { .. }
                    | RuleDiff::Renewed { .. } => {}
                }
            }
        }
        for set in sets {
            match set {
                SetDiff::Added(_) | SetDiff::Bounded { .. } => {}
                SetDiff::Removed(live) | SetDiff::Rebuilt { live, set: _ } => {
                    for element in live.set.elements.rich() {
                        counts.leave(element.name.as_deref(), element.count);
                    }
                }
                SetDiff::Changed { set: _, elements } => {
                    for element in elements {
                        match element {
                            ElementDiff::Added(_) => {}
                            ElementDiff::Removed(live) | ElementDiff::Replaced { live, .. } => {
                                // What is made on the way to be looked at has neither.
                                if let Cow::Borrowed(live) = live {
                                    counts.leave(live.name.as_deref(), live.count);
                                }
                            }
                        }
                    }
                }
            }
        }
        counts
    }

    /// Whether nothing goes that has counted anything: whatever comes begins at zero.
    pub(super) fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    fn leave(&mut self, name: Option<&'a str>, count: Option<Count>) {
        if let (Some(name), Some(count)) = (name, count) {
            *self.left.entry(name).or_default() += count;
        }
    }

    fn take(&mut self, name: Option<&str>) -> Count {
        name.and_then(|name| self.left.remove(name))
            .unwrap_or_default()
    }

    /// A rule that comes.
    pub(super) fn add(&mut self, rule: &Rule) -> Rule {
        let mut rule = rule.clone();
        if has_counter(&rule) {
            let count = self.take(rule.name.as_deref());
            start_with(&mut rule, count);
        }
        rule
    }

    /// A rule that takes the place of another.
    pub(super) fn replace(&mut self, live: &LiveRule, rule: &Rule) -> Rule {
        let mut rule = self.add(rule);
        start_with(&mut rule, live.count().unwrap_or_default());
        rule
    }

    /// A rule that goes and comes back as it was.
    pub(super) fn carry(live: &LiveRule, rule: &Rule) -> Rule {
        Rule {
            name: rule.name.clone(),
            instructions: live.instructions.clone(),
            origin: rule.origin.clone(),
        }
    }

    /// An element that comes.
    pub(super) fn add_element(&mut self, spec: &SetSpec, element: &Element) -> Element {
        let mut element = element.clone();
        if spec.counter {
            let mut count = element.count.unwrap_or_default();
            count += self.take(element.name.as_deref());
            element.count = Some(count);
        }
        element
    }
}

fn has_counter(rule: &Rule) -> bool {
    rule.instructions
        .iter()
        .any(|instruction| matches!(instruction, Instruction::Counter(_)))
}

/// Adds to the rule's first counter, so that the sum over all of them is right.
fn start_with(rule: &mut Rule, count: Count) {
    let counter = rule.instructions.iter_mut().find_map(|instruction| {
        if let Instruction::Counter(counter) = instruction {
            Some(counter)
        } else {
            None
        }
    });
    if let Some(counter) = counter {
        *counter += count;
    }
}
