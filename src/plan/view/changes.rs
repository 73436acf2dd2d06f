//! From differences to changes with their texts.

use super::super::operation::noun;
use super::{Change, Subject, Verb};
use crate::bytecode::Instruction;
use crate::diff::{
    ChainChange, ChainDiff, Diff, ElementDiff, ObjectDiff, RuleDiff, SetDiff, TableDiff,
};
use crate::nft;
use crate::ruleset::{Base, Element, FLOWTABLE, Object, ObjectKind, Origin, Set, SetSpec, TABLE};

/// All changes; of new and removed sets, `few` elements.
pub(super) fn changes(diff: &Diff<'_>, few: usize) -> Vec<Change> {
    let Diff {
        table: table_diff,
        sets,
        objects,
        chains,
    } = diff;
    let mut changes = Vec::new();
    match table_diff {
        TableDiff::Same => {}
        TableDiff::Missing => changes.push(table(Verb::Add, None)),
        TableDiff::Dormant { awake: _ } => {
            let was = Some("dormant: no packet meets it".to_owned());
            changes.push(table(Verb::Replace, was));
        }
    }
    changes.extend(objects.iter().map(object));
    for set in sets {
        add_set(set, few, &mut changes);
    }
    for chain in chains {
        add_chain(chain, &mut changes);
    }
    changes
}

/// A change to the table itself.
pub(super) fn table(verb: Verb, was: Option<String>) -> Change {
    Change {
        text: format!("table inet {TABLE}"),
        was,
        ..change(verb, Subject::Table, TABLE)
    }
}

fn change(verb: Verb, object: Subject, parent: &str) -> Change {
    Change {
        verb,
        object,
        parent: parent.to_owned(),
        name: None,
        handle: None,
        origin: None,
        place: None,
        text: String::new(),
        was: None,
        was_place: None,
        elements: Vec::new(),
        element_count: None,
        outside_proofs: matches!(object, Subject::Chain | Subject::Rule) && parent.starts_with(RAW),
    }
}

/// How the chains of raw blocks begin.
const RAW: &str = "raw/";

fn label(origin: Option<&Origin>) -> Option<String> {
    origin.map(|Origin(label)| label.clone())
}

fn subject(kind: &ObjectKind) -> Subject {
    match kind {
        ObjectKind::Flowtable(_) | ObjectKind::Other(FLOWTABLE) => Subject::Flowtable,
        ObjectKind::Limit(_) | ObjectKind::CtHelper { .. } | ObjectKind::Other(_) => {
            Subject::Object
        }
    }
}

fn object(diff: &ObjectDiff<'_>) -> Change {
    let show = |verb, object: &Object| Change {
        text: nft::object_text(object),
        origin: label(object.origin.as_ref()),
        ..change(verb, subject(&object.kind), &object.name)
    };
    match diff {
        ObjectDiff::Added(object) => show(Verb::Add, object),
        ObjectDiff::Removed(object) => show(Verb::Remove, object),
        ObjectDiff::Rebuilt { live, object } => Change {
            was: Some(nft::object_text(live)),
            ..show(Verb::Replace, object)
        },
    }
}

fn add_set(diff: &SetDiff<'_>, few: usize, changes: &mut Vec<Change>) {
    let whole = |verb, set: &Set| {
        let elements = set.elements.iter().take(few);
        Change {
            text: nft::set_text(&set.spec),
            origin: label(set.origin.as_ref()),
            elements: elements.map(|element| text(&set.spec, &element)).collect(),
            element_count: Some(set.elements.len()),
            ..change(verb, Subject::Set, &set.spec.name)
        }
    };
    match diff {
        SetDiff::Added(set) => changes.push(whole(Verb::Add, set)),
        SetDiff::Removed(live) => changes.push(whole(Verb::Remove, &live.set)),
        SetDiff::Rebuilt { live, set } => changes.push(Change {
            was: Some(nft::set_text(&live.set.spec)),
            ..whole(Verb::Replace, set)
        }),
        SetDiff::Bounded { live, set } => changes.push(Change {
            text: nft::set_text(&set.spec),
            origin: label(set.origin.as_ref()),
            was: Some(nft::set_text(&live.set.spec)),
            ..change(Verb::Replace, Subject::Set, &set.spec.name)
        }),
        SetDiff::Changed { set, elements } => {
            changes.push(Change {
                text: format!("{} {}", noun(&set.spec.kind), set.spec.name),
                ..change(Verb::Keep, Subject::Set, &set.spec.name)
            });
            changes.extend(elements.iter().map(|diff| element(&set.spec, diff)));
        }
    }
}

fn element(spec: &SetSpec, diff: &ElementDiff<'_>) -> Change {
    let show = |verb, element: &Element| Change {
        name: element.name.clone(),
        text: text(spec, element),
        ..change(verb, Subject::Element, &spec.name)
    };
    match diff {
        ElementDiff::Added(element) => show(Verb::Add, element),
        ElementDiff::Removed(live) => show(Verb::Remove, live),
        ElementDiff::Replaced { live, element } => Change {
            was: Some(nft::element_text(spec, live)),
            ..show(Verb::Replace, element)
        },
    }
}

/// An element without its name, which stands beside it.
fn text(spec: &SetSpec, element: &Element) -> String {
    let element = Element {
        name: None,
        ..element.clone()
    };
    nft::element_text(spec, &element)
}

fn add_chain(diff: &ChainDiff<'_>, changes: &mut Vec<Change>) {
    let ChainDiff {
        name,
        change: what,
        live,
        rules,
    } = diff;
    let heading = |base: Option<&Base>| match base {
        Some(base) => format!("chain {name} {{ {} }}", nft::chain_text(base)),
        None => format!("chain {name}"),
    };
    let (verb, text) = match what {
        ChainChange::Kept => (Verb::Keep, heading(None)),
        ChainChange::Removed => (Verb::Remove, heading(None)),
        ChainChange::Added(base) => (Verb::Add, heading(base.as_ref())),
        ChainChange::Policy(base) => (Verb::Replace, heading(Some(base))),
        ChainChange::Rebuilt(base) => (Verb::Replace, heading(base.as_ref())),
    };
    let was = live.filter(|_| verb == Verb::Replace);
    changes.push(Change {
        text,
        was: was.map(|live| heading(live.base.as_ref())),
        ..change(verb, Subject::Chain, name)
    });
    changes.extend(rules.iter().map(|diff| rule(name, diff)));
}

fn rule(chain: &str, diff: &RuleDiff<'_>) -> Change {
    let text = |instructions: &[Instruction]| nft::rule_text(None, instructions);
    let (verb, live, rule) = match diff {
        RuleDiff::Added { rule, before: _ } => (Verb::Add, None, Some(*rule)),
        RuleDiff::Removed { live } => (Verb::Remove, Some(*live), None),
        RuleDiff::Moved {
            live,
            rule,
            before: _,
        } => (Verb::Move, Some(*live), Some(*rule)),
        RuleDiff::Replaced { live, rule } => (Verb::Replace, Some(*live), Some(*rule)),
        RuleDiff::Renewed {
            live,
            rule,
            before: _,
        } => (Verb::Renew, Some(*live), Some(*rule)),
    };
    let name = rule
        .map(|rule| &rule.name)
        .or_else(|| live.map(|live| &live.name));
    let now = rule
        .map(|rule| &rule.instructions)
        .or_else(|| live.map(|live| &live.instructions));
    Change {
        name: name.cloned().flatten(),
        handle: live.map(|live| live.handle),
        origin: rule.and_then(|rule| label(rule.origin.as_ref())),
        text: now.map(|now| text(now)).unwrap_or_default(),
        was: (verb == Verb::Replace)
            .then(|| live.map(|live| text(&live.instructions)))
            .flatten(),
        ..change(verb, Subject::Rule, chain)
    }
}
