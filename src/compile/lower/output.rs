//! The ruleset under construction: sets and objects by name, chains by name.

use std::collections::BTreeMap;

use super::address::Span;
use crate::compile::model::Model;
use crate::diagnostic::DocPath;
use crate::ruleset::{
    Chain, DataType, Datum, Element, Elements, Key, Keys, Object, ObjectKind, Operand, Origin,
    Rule, Ruleset, Set, SetKind, SetSpec, Statement,
};

/// Collects what the parts of the lowering make. Adding the same thing twice adds it once.
#[derive(Default)]
pub(super) struct Output {
    sets: BTreeMap<String, Set>,
    objects: BTreeMap<String, Object>,
    chains: BTreeMap<String, Chain>,
}

impl Output {
    /// The ruleset, everything sorted by name.
    pub(super) fn finish(self) -> Ruleset {
        Ruleset {
            sets: self.sets.into_values().collect(),
            objects: self.objects.into_values().collect(),
            chains: self.chains.into_values().collect(),
        }
    }

    /// Adds a chain.
    pub(super) fn chain(&mut self, chain: Chain) {
        self.chains.insert(chain.name.clone(), chain);
    }

    /// Adds a regular chain.
    pub(super) fn regular_chain(&mut self, name: &str, rules: Vec<Rule>) {
        self.chain(Chain {
            name: name.to_owned(),
            base: None,
            rules,
        });
    }

    /// Whether a chain of this name is there already.
    pub(super) fn has_chain(&self, name: &str) -> bool {
        self.chains.contains_key(name)
    }

    /// Adds a set.
    pub(super) fn set(
        &mut self,
        spec: SetSpec,
        mut elements: Vec<Element>,
        origin: Option<Origin>,
    ) {
        elements.sort_by(|a, b| a.key.cmp(&b.key));
        let elements = elements.into();
        self.sets.insert(
            spec.name.clone(),
            Set {
                spec,
                elements,
                origin,
            },
        );
    }

    /// Adds a set whose elements are in order.
    pub(super) fn filled_set(&mut self, spec: SetSpec, elements: Elements, origin: Origin) {
        let set = Set {
            spec,
            elements,
            origin: Some(origin),
        };
        self.sets.insert(set.spec.name.clone(), set);
    }

    /// Adds a named object.
    pub(super) fn object(&mut self, name: &str, kind: ObjectKind, origin: Option<Origin>) {
        self.objects.insert(
            name.to_owned(),
            Object {
                name: name.to_owned(),
                kind,
                origin,
            },
        );
    }

    /// Compares with the spans: directly when there is one, else through a set. The set's name ends in
    /// `exact` when all spans are single values (a hash set) and in `ranges` otherwise (an interval
    /// set), because the kernel cannot turn one into the other.
    pub(super) fn operand(
        &mut self,
        spans: &[Span],
        names: SetNames<'_>,
        key: DataType,
        origin: &Origin,
    ) -> Operand {
        if let [span] = spans {
            return span.operand();
        }
        Operand::Set(self.span_set(spans, names, key, origin))
    }

    /// A set of keys that are in order, always as a set, so that its elements can change one by one.
    pub(super) fn key_set(
        &mut self,
        keys: Keys,
        names: SetNames<'_>,
        key: DataType,
        origin: &Origin,
    ) -> String {
        let interval = keys.has_ranges();
        let end = if interval { names.ranges } else { names.exact };
        let name = format!("{}.{end}", names.stem);
        self.sets
            .entry(name)
            .or_insert_with_key(|name| {
                let mut spec = SetSpec::new(name.clone(), vec![key], SetKind::Set);
                spec.interval = interval;
                Set {
                    spec,
                    elements: keys.into(),
                    origin: Some(origin.clone()),
                }
            })
            .spec
            .name
            .clone()
    }

    /// Has the kernel look through a set of ranges for elements whose time is over as rarely as possible: there are none.
    /// For sets that may be long and change by a few elements; see [`SetSpec::gc_interval`].
    pub(super) fn without_expiry(&mut self, name: &str) {
        if let Some(set) = self.sets.get_mut(name).filter(|set| set.spec.interval) {
            set.spec.gc_interval = Some(NEVER_EXPIRES);
        }
    }

    /// A set of spans, always as a set, so that its elements can change one by one.
    pub(super) fn span_set(
        &mut self,
        spans: &[Span],
        names: SetNames<'_>,
        key: DataType,
        origin: &Origin,
    ) -> String {
        let interval = spans.iter().any(|span| span.lo != span.hi);
        let name = format!(
            "{}.{}",
            names.stem,
            if interval { names.ranges } else { names.exact }
        );
        if !self.sets.contains_key(&name) {
            let mut spec = SetSpec::new(name.clone(), vec![key], SetKind::Set);
            spec.interval = interval;
            let elements = spans
                .iter()
                .map(|span| element(Key::range(span.lo, span.hi), None));
            self.set(spec, elements.collect(), Some(origin.clone()));
        }
        name
    }
}

/// A week, in milliseconds: nft's text reads well, and the kernel keeps no more than seven of them.
pub(super) const NEVER_EXPIRES: u32 = 7 * 24 * 60 * 60 * 1000;

/// The entry of the policy that is being lowered.
#[derive(Clone)]
pub(super) struct Entry<'a> {
    /// Its stable name, `policy/rule` or `nat/name`: the name of its rules, the stem of its sets' names.
    pub(super) name: String,
    /// Where it stands.
    pub(super) origin: Origin,
    /// The policy it belongs to.
    pub(super) model: &'a Model,
}

impl<'a> Entry<'a> {
    pub(super) fn new(name: String, at: &DocPath, model: &'a Model) -> Self {
        Self {
            name,
            origin: Origin(at.to_string()),
            model,
        }
    }

    /// A rule of this entry.
    pub(super) fn rule(&self, statements: Vec<Statement>) -> Rule {
        Rule {
            name: Some(self.name.clone()),
            statements,
            origin: Some(self.origin.clone()),
        }
    }

    /// A rule that serves this entry beside its own: `policy/rule/part`.
    pub(super) fn part(&self, part: &str, statements: Vec<Statement>) -> Rule {
        Rule {
            name: Some(format!("{}/{part}", self.name)),
            ..self.rule(statements)
        }
    }
}

/// How a set of spans is called.
#[derive(Clone, Copy)]
pub(super) struct SetNames<'a> {
    /// Before the dot.
    pub(super) stem: &'a str,
    /// After the dot, for single values.
    pub(super) exact: &'a str,
    /// After the dot, when there are ranges.
    pub(super) ranges: &'a str,
}

/// A plain element.
pub(super) fn element(key: Key, datum: Option<Datum>) -> Element {
    Element {
        key,
        datum,
        name: None,
        count: None,
    }
}
