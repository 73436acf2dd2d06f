//! What has to be there a batch before it is used, because a packet may be on its way while the batch is committed.
//!
//! * New interval sets with elements. The kernel misses their elements for a moment after a batch that both creates
//!   them and refers to them (measured: hundreds of packets).
//! * New chains that a verdict map which is in use comes to lead into. A packet keeps the generation that it came in
//!   with for the rules it meets, but looks elements up in the generation of that moment (linux/net/netfilter
//!   `nft_do_chain`, `nft_lookup_eval`): it may follow a new element into a new chain that has no rules in the
//!   packet's own generation yet, and fall out of it (measured: one packet in some 100,000). All that such a chain
//!   refers to and that is new comes with it.
//!
//! No packet meets any of it before the batch that follows.

use std::collections::BTreeSet;

use super::counts::Counts;
use super::operation::{Operation, Place};
use super::order::{add_set, target};
use crate::bytecode::Instruction;
use crate::diff::{ChainChange, ChainDiff, Diff, ElementDiff, ObjectDiff, RuleDiff, SetDiff};
use crate::ruleset::{Set, Verdict};

/// Names of what is staged.
#[derive(Clone, Debug, Default)]
pub(super) struct Staged<'a> {
    /// Sets with their elements.
    pub(super) sets: BTreeSet<&'a str>,
    /// Stateful objects.
    pub(super) objects: BTreeSet<&'a str>,
    /// Chains without their rules.
    pub(super) chains: BTreeSet<&'a str>,
    /// Those of the chains whose rules are staged, too.
    pub(super) filled: BTreeSet<&'a str>,
}

impl<'a> Staged<'a> {
    /// What of the differences has to be staged.
    pub(super) fn of(diff: &'a Diff<'a>) -> Self {
        let mut staged = Self::default();
        for set in diff.sets.iter().filter_map(added) {
            let interval = set.spec.interval && !set.spec.dynamic && !set.elements.is_empty();
            let targets = || set.elements.rich().iter().filter_map(target);
            let rebuilt = |name| chain(diff, name).is_some_and(|diff| is_rebuilt(diff));
            if interval && !targets().any(rebuilt) {
                staged.sets.insert(&set.spec.name);
                staged
                    .chains
                    .extend(targets().filter(|name| is_new(diff, name)));
            }
        }
        let coming = diff.sets.iter().flat_map(|set| match set {
            SetDiff::Changed { set: _, elements } => elements.as_slice(),
            SetDiff::Added(_)
            | SetDiff::Removed(_)
            | SetDiff::Bounded { .. }
            | SetDiff::Rebuilt { .. } => &[],
        });
        let coming = coming.filter_map(|element| match element {
            ElementDiff::Added(element) | ElementDiff::Replaced { element, .. } => target(element),
            ElementDiff::Removed(_) => None,
        });
        for name in coming.collect::<BTreeSet<_>>() {
            // What refers to something that has to go first cannot come before it.
            let mut more = staged.clone();
            if more.whole(name, diff).is_some() {
                staged = more;
            }
        }
        staged
    }

    /// Adds a chain with all that is new in it and behind it; `None` if something of that cannot be staged.
    fn whole(&mut self, name: &'a str, diff: &'a Diff<'a>) -> Option<()> {
        let Some(chain) = chain(diff, name) else {
            return Some(());
        };
        let ChainDiff {
            name: _,
            change,
            live: _,
            rules,
        } = chain;
        match change {
            ChainChange::Added(None) => {}
            ChainChange::Added(Some(_)) | ChainChange::Rebuilt(_) | ChainChange::Removed => {
                return None;
            }
            ChainChange::Kept | ChainChange::Policy(_) => return Some(()),
        }
        if !self.filled.insert(name) {
            return Some(());
        }
        self.chains.insert(name);
        for rule in rules {
            let RuleDiff::Added { rule, before: _ } = rule else {
                return None;
            };
            for instruction in &rule.instructions {
                self.behind(instruction, diff)?;
            }
        }
        Some(())
    }

    /// Adds what an instruction refers to.
    fn behind(&mut self, instruction: &'a Instruction, diff: &'a Diff<'a>) -> Option<()> {
        match instruction {
            Instruction::Verdict(Verdict::Jump(chain) | Verdict::Goto(chain)) => {
                self.whole(chain, diff)
            }
            Instruction::Lookup { set, .. } | Instruction::Dynset { set, .. } => {
                self.set(set, diff)
            }
            Instruction::Object { kind: _, name } => self.object(name, diff),
            Instruction::Opaque { .. } => None,
            _ => Some(()),
        }
    }

    fn set(&mut self, name: &str, diff: &'a Diff<'a>) -> Option<()> {
        for set in &diff.sets {
            match set {
                SetDiff::Added(set) if set.spec.name == name => {
                    self.sets.insert(&set.spec.name);
                    for chain in set.elements.rich().iter().filter_map(target) {
                        self.whole(chain, diff)?;
                    }
                }
                SetDiff::Rebuilt { live: _, set } if set.spec.name == name => return None,
                SetDiff::Added(_)
                | SetDiff::Rebuilt { .. }
                | SetDiff::Removed(_)
                | SetDiff::Bounded { .. }
                | SetDiff::Changed { .. } => {}
            }
        }
        Some(())
    }

    fn object(&mut self, name: &str, diff: &'a Diff<'a>) -> Option<()> {
        for object in &diff.objects {
            match object {
                ObjectDiff::Added(object) if object.name == name => {
                    self.objects.insert(&object.name);
                }
                ObjectDiff::Rebuilt { live: _, object } if object.name == name => return None,
                ObjectDiff::Added(_) | ObjectDiff::Rebuilt { .. } | ObjectDiff::Removed(_) => {}
            }
        }
        Some(())
    }

    /// The operations, each after what it refers to.
    pub(super) fn operations(&self, diff: &'a Diff<'a>, counts: &mut Counts<'_>) -> Vec<Operation> {
        let mut batch = Vec::new();
        for object in &diff.objects {
            if let ObjectDiff::Added(object) = object
                && self.objects.contains(object.name.as_str())
            {
                let object = (*object).clone();
                batch.push(Operation::AddObject { object });
            }
        }
        for name in diff.chains.iter().map(|chain| chain.name) {
            if self.chains.contains(name) {
                let (name, base) = (name.to_owned(), None);
                batch.push(Operation::AddChain { name, base });
            }
        }
        for set in diff.sets.iter().filter_map(added) {
            if self.sets.contains(set.spec.name.as_str()) {
                add_set(set, counts, &mut batch);
            }
        }
        for chain in &diff.chains {
            if !self.filled.contains(chain.name) {
                continue;
            }
            for rule in &chain.rules {
                if let RuleDiff::Added { rule, before: _ } = rule {
                    batch.push(Operation::AddRule {
                        chain: chain.name.to_owned(),
                        place: Place::Last,
                        rule: counts.add(rule),
                    });
                }
            }
        }
        batch
    }
}

fn added<'a>(diff: &SetDiff<'a>) -> Option<&'a Set> {
    match diff {
        SetDiff::Added(set) => Some(set),
        SetDiff::Removed(_)
        | SetDiff::Rebuilt { .. }
        | SetDiff::Bounded { .. }
        | SetDiff::Changed { .. } => None,
    }
}

fn chain<'d, 'a>(diff: &'d Diff<'a>, name: &str) -> Option<&'d ChainDiff<'a>> {
    diff.chains.iter().find(|chain| chain.name == name)
}

fn is_new(diff: &Diff<'_>, name: &str) -> bool {
    chain(diff, name).is_some_and(|chain| matches!(chain.change, ChainChange::Added(_)))
}

fn is_rebuilt(chain: &ChainDiff<'_>) -> bool {
    matches!(chain.change, ChainChange::Rebuilt(_))
}
