//! From differences to operations, in an order the kernel takes.
//!
//! The kernel deletes nothing that is still referred to (EBUSY) and adds nothing that refers to what is
//! not there (ENOENT); it looks at the batch operation by operation. So: what refers goes first, what is
//! referred to comes first, and what is no longer needed goes last.

use std::collections::BTreeSet;

use super::counts::Counts;
use super::operation::{Operation, Place};
use super::stage::Staged;
use crate::diff::{
    ChainChange, ChainDiff, Diff, ElementDiff, ObjectDiff, RuleDiff, SetDiff, TableDiff,
};
use crate::ruleset::{Base, Datum, Element, Elements, Set, SetSpec, Verdict};

/// The operations of a plan.
#[derive(Debug, Default)]
pub(super) struct Batches {
    /// Changes nothing for any packet.
    pub(super) staging: Vec<Operation>,
    /// Changes everything at once.
    pub(super) commit: Vec<Operation>,
}

/// The operations for all differences.
pub(super) fn order(diff: &Diff<'_>, mark: [u8; 16]) -> Batches {
    let mut counts = Counts::of(diff);
    let staged = Staged::of(diff);
    let mut staging = staged.operations(diff, &mut counts);

    let mut commit = Vec::new();
    delete_rules(diff, &mut commit);
    delete_elements(diff, &mut commit);
    delete_rebuilt(diff, &mut commit);
    add_objects(diff, &staged, &mut commit);
    add_chains(diff, &staged, &mut commit);
    add_sets(diff, &staged, &mut counts, &mut commit);
    put_rules(diff, &staged, &mut counts, &mut commit);
    delete_removed(diff, &mut commit);

    match diff.table {
        TableDiff::Same => {}
        TableDiff::Missing => {
            let first = if staging.is_empty() {
                &mut commit
            } else {
                &mut staging
            };
            first.insert(0, Operation::AddTable { mark });
        }
        // No packet meets a dormant table, so all that is to be done to it is inert, and waking it is
        // the change. In one batch the kernel refuses to wake a table whose base chains change.
        TableDiff::Dormant { awake } => {
            staging.append(&mut commit);
            commit.push(Operation::SetTableFlags { flags: awake });
        }
    }
    Batches { staging, commit }
}

fn delete_rules(diff: &Diff<'_>, batch: &mut Vec<Operation>) {
    for ChainDiff {
        name,
        change: _,
        live,
        rules,
    } in &diff.chains
    {
        let gone: Vec<_> = rules
            .iter()
            .filter_map(|rule| match rule {
                RuleDiff::Removed { live }
                | RuleDiff::Moved { live, .. }
                | RuleDiff::Renewed { live, .. } => Some(*live),
                RuleDiff::Added { .. } | RuleDiff::Replaced { .. } => None,
            })
            .collect();
        // The kernel searches the chain for each handle; all rules at once is one message and one pass.
        if gone.len() > 1 && Some(gone.len()) == live.map(|live| live.rules.len()) {
            batch.push(Operation::FlushChain {
                chain: (*name).to_owned(),
            });
        } else {
            batch.extend(gone.into_iter().map(|live| Operation::DeleteRule {
                chain: (*name).to_owned(),
                handle: live.handle,
                name: live.name.clone(),
            }));
        }
    }
}

fn delete_elements(diff: &Diff<'_>, batch: &mut Vec<Operation>) {
    let rebuilt: BTreeSet<_> = rebuilt_chains(diff).map(|(name, _)| name).collect();
    for set in &diff.sets {
        let (spec, elements): (&SetSpec, Elements) = match set {
            SetDiff::Added(_) | SetDiff::Rebuilt { .. } | SetDiff::Bounded { .. } => continue,
            // The set itself goes last, since a rule that is replaced may refer to it until then; a chain
            // that is rebuilt cannot wait so long.
            SetDiff::Removed(live) => {
                let leads_on = |element: &&Element| {
                    target(element).is_some_and(|chain| rebuilt.contains(chain))
                };
                let elements = live.set.elements.rich();
                (
                    &live.set.spec,
                    elements.iter().filter(leads_on).cloned().collect(),
                )
            }
            SetDiff::Changed { set, elements } => (
                &set.spec,
                elements
                    .iter()
                    .filter_map(|element| match element {
                        ElementDiff::Removed(live) | ElementDiff::Replaced { live, .. } => {
                            Some(live.clone())
                        }
                        ElementDiff::Added(_) => None,
                    })
                    .collect(),
            ),
        };
        if !elements.is_empty() {
            batch.push(Operation::DeleteElements {
                set: spec.clone(),
                elements,
            });
        }
    }
}

/// What comes back under the same name goes before anything comes.
fn delete_rebuilt(diff: &Diff<'_>, batch: &mut Vec<Operation>) {
    for set in &diff.sets {
        if let SetDiff::Rebuilt { live, set: _ } = set {
            batch.push(Operation::DeleteSet {
                name: live.set.spec.name.clone(),
            });
        }
    }
    for object in &diff.objects {
        if let ObjectDiff::Rebuilt { live, object: _ } = object {
            batch.push(Operation::DeleteObject {
                object: (*live).clone(),
            });
        }
    }
    for (name, _) in rebuilt_chains(diff) {
        batch.push(Operation::DeleteChain {
            name: name.to_owned(),
        });
    }
}

fn add_objects(diff: &Diff<'_>, staged: &Staged<'_>, batch: &mut Vec<Operation>) {
    for object in &diff.objects {
        match object {
            ObjectDiff::Added(object) if staged.objects.contains(object.name.as_str()) => {}
            ObjectDiff::Added(object) | ObjectDiff::Rebuilt { live: _, object } => {
                batch.push(Operation::AddObject {
                    object: (*object).clone(),
                });
            }
            ObjectDiff::Removed(_) => {}
        }
    }
}

/// Chains come before the elements of verdict maps that lead into them.
fn add_chains(diff: &Diff<'_>, staged: &Staged<'_>, batch: &mut Vec<Operation>) {
    for chain in &diff.chains {
        let name = chain.name.to_owned();
        match chain.change {
            ChainChange::Added(_) if staged.chains.contains(chain.name) => {}
            ChainChange::Added(base) | ChainChange::Rebuilt(base) => {
                batch.push(Operation::AddChain { name, base });
            }
            ChainChange::Policy(base) => batch.push(Operation::SetChainPolicy { name, base }),
            ChainChange::Kept | ChainChange::Removed => {}
        }
    }
}

fn add_sets(
    diff: &Diff<'_>,
    staged: &Staged<'_>,
    counts: &mut Counts<'_>,
    batch: &mut Vec<Operation>,
) {
    for set in &diff.sets {
        match set {
            SetDiff::Added(set) if staged.sets.contains(set.spec.name.as_str()) => {}
            SetDiff::Added(set) | SetDiff::Rebuilt { live: _, set } => add_set(set, counts, batch),
            SetDiff::Bounded { live: _, set } => batch.push(Operation::SetBounds {
                spec: set.spec.clone(),
            }),
            SetDiff::Changed { set, elements } => {
                let elements = elements.iter().filter_map(|element| match element {
                    ElementDiff::Added(element) | ElementDiff::Replaced { element, .. } => {
                        Some(element.as_ref())
                    }
                    ElementDiff::Removed(_) => None,
                });
                add_elements(&set.spec, elements, counts, batch);
            }
            SetDiff::Removed(_) => {}
        }
    }
}

pub(super) fn add_set(set: &Set, counts: &mut Counts<'_>, batch: &mut Vec<Operation>) {
    let Set {
        spec,
        elements,
        origin,
    } = set;
    batch.push(Operation::AddSet {
        spec: spec.clone(),
        origin: origin.clone(),
    });
    if !spec.dynamic {
        add_all(spec, elements, counts, batch);
    }
}

/// All elements of a set that comes; those that count nothing, or begin at zero, stay in one piece with the program's.
fn add_all(
    spec: &SetSpec,
    elements: &Elements,
    counts: &mut Counts<'_>,
    batch: &mut Vec<Operation>,
) {
    let elements = if spec.counter && !counts.is_empty() {
        let all = elements.iter();
        all.map(|element| counts.add_element(spec, &element))
            .collect()
    } else {
        elements.clone()
    };
    if !elements.is_empty() {
        batch.push(Operation::AddElements {
            set: spec.clone(),
            elements,
        });
    }
}

fn add_elements<'a>(
    spec: &SetSpec,
    elements: impl Iterator<Item = &'a Element>,
    counts: &mut Counts<'_>,
    batch: &mut Vec<Operation>,
) {
    let elements: Elements = elements
        .map(|element| counts.add_element(spec, element))
        .collect();
    if !elements.is_empty() {
        batch.push(Operation::AddElements {
            set: spec.clone(),
            elements,
        });
    }
}

/// In the order of the chain: what is added before a rule stands before the operation that replaces it,
/// so it does not matter which of the two rules of one handle the kernel takes for the anchor.
fn put_rules(
    diff: &Diff<'_>,
    staged: &Staged<'_>,
    counts: &mut Counts<'_>,
    batch: &mut Vec<Operation>,
) {
    let place = |before: &Option<u64>| before.map_or(Place::Last, Place::Before);
    for ChainDiff {
        name,
        change: _,
        live: _,
        rules,
    } in &diff.chains
    {
        if staged.filled.contains(name) {
            continue;
        }
        let chain = || (*name).to_owned();
        for rule in rules {
            match rule {
                RuleDiff::Removed { .. } => {}
                RuleDiff::Added { rule, before } => batch.push(Operation::AddRule {
                    chain: chain(),
                    place: place(before),
                    rule: counts.add(rule),
                }),
                RuleDiff::Moved { live, rule, before }
                | RuleDiff::Renewed { live, rule, before } => batch.push(Operation::AddRule {
                    chain: chain(),
                    place: place(before),
                    rule: Counts::carry(live, rule),
                }),
                RuleDiff::Replaced { live, rule } => batch.push(Operation::ReplaceRule {
                    chain: chain(),
                    handle: live.handle,
                    rule: counts.replace(live, rule),
                }),
            }
        }
    }
}

/// Sets before the chains that their elements lead into.
fn delete_removed(diff: &Diff<'_>, batch: &mut Vec<Operation>) {
    for set in &diff.sets {
        if let SetDiff::Removed(live) = set {
            batch.push(Operation::DeleteSet {
                name: live.set.spec.name.clone(),
            });
        }
    }
    for object in &diff.objects {
        if let ObjectDiff::Removed(object) = object {
            batch.push(Operation::DeleteObject {
                object: (*object).clone(),
            });
        }
    }
    for chain in &diff.chains {
        if chain.change == ChainChange::Removed {
            batch.push(Operation::DeleteChain {
                name: chain.name.to_owned(),
            });
        }
    }
}

fn rebuilt_chains<'a>(diff: &Diff<'a>) -> impl Iterator<Item = (&'a str, Option<Base>)> {
    diff.chains.iter().filter_map(|chain| match chain.change {
        ChainChange::Rebuilt(base) => Some((chain.name, base)),
        ChainChange::Kept
        | ChainChange::Removed
        | ChainChange::Policy(_)
        | ChainChange::Added(_) => None,
    })
}

/// The chain that an element leads into.
pub(super) fn target(element: &Element) -> Option<&str> {
    match &element.datum {
        Some(Datum::Verdict(Verdict::Jump(chain) | Verdict::Goto(chain))) => Some(chain),
        Some(Datum::Verdict(
            Verdict::Accept | Verdict::Drop | Verdict::Continue | Verdict::Return,
        ))
        | Some(Datum::Value(_))
        | None => None,
    }
}
