//! From a pair of interfaces to the chain of their pair of zones, by one lookup for each hook.
//!
//! A pair that exactly one zone policy speaks about goes straight into that policy's chain. Otherwise
//! the pair has a chain of its own: the policies without a default in file order, then what `nat`
//! opens, then the first policy with a default; a pair that no policy ends is dropped and counted. Where zones share
//! interfaces the lookup leads into the chains of [`super::segment`] first, which end in those of pairs.

use std::collections::BTreeMap;

use super::filter::chain_name;
use super::interface::{matches_one, padded};
use super::output::Output;
use super::segment::{Target, from_segment, segments, to_target};
use crate::compile::model::{Interface, Model, Side, ZonePolicy};
use crate::ruleset::{
    DataType, Datum, Element, Expression, Key, Meta, Origin, Rule, SetKind, SetSpec, Statement,
    Verdict,
};

/// Rules that `nat` puts into the chain of a pair.
pub(super) type Openings = BTreeMap<(Side, Side), Vec<Rule>>;

/// The rules of the base chains that lead into the pairs' chains.
pub(super) struct Entries {
    /// For the box.
    pub(super) input: Vec<Rule>,
    /// Through the box.
    pub(super) forward: Vec<Rule>,
    /// From the box.
    pub(super) output: Vec<Rule>,
}

/// Makes the chains of all pairs, and the ways into them.
pub(super) fn entries(model: &Model, openings: &Openings, output: &mut Output) -> Entries {
    let mut input = Way::new("pairs/input", vec![Meta::Iifname]);
    let mut forward = Way::new("pairs/forward", vec![Meta::Iifname, Meta::Oifname]);
    let mut out = Way::new("pairs/output", vec![Meta::Oifname]);
    let segments = segments(model);
    let mut pairs =
        |from: &Side, to: &Side, output: &mut Output| pair_chain(from, to, model, openings, output);
    for from in &segments {
        if let Some(verdict) = from_segment(from, Target::Firewall, model, &mut pairs, output) {
            from.interfaces
                .iter()
                .for_each(|interface| input.lead(vec![interface], &verdict));
        }
        let here = Target::Segment(from);
        if let Some(verdict) = to_target(&Side::Firewall, here, model, &mut pairs, output) {
            from.interfaces
                .iter()
                .for_each(|interface| out.lead(vec![interface], &verdict));
        }
        for to in &segments {
            let target = Target::Segment(to);
            if let Some(verdict) = from_segment(from, target, model, &mut pairs, output) {
                for incoming in &from.interfaces {
                    to.interfaces
                        .iter()
                        .for_each(|outgoing| forward.lead(vec![incoming, outgoing], &verdict));
                }
            }
        }
    }
    Entries {
        input: input.rules(output),
        forward: forward.rules(output),
        output: out.rules(output),
    }
}

/// The chain of a pair; `None` when nothing is said about it, so that the base chain's end drops it.
fn pair_chain(
    from: &Side,
    to: &Side,
    model: &Model,
    openings: &Openings,
    output: &mut Output,
) -> Option<String> {
    let mut before: Vec<&ZonePolicy> = Vec::new();
    let mut ending = None;
    for policy in model
        .policies
        .iter()
        .filter(|policy| policy.from.contains(from) && policy.to.contains(to))
    {
        if policy.default.is_some() {
            ending = Some(policy);
            break;
        }
        before.push(policy);
    }
    let opened = openings
        .get(&(from.clone(), to.clone()))
        .map_or(&[][..], Vec::as_slice);
    match ending {
        None if before.is_empty() && opened.is_empty() => return None,
        Some(only) if before.is_empty() && opened.is_empty() => return Some(chain_name(only)),
        _ => {}
    }
    let name = format!("pair/{}/{}", side_name(from), side_name(to));
    let visit = |policy: &ZonePolicy, verdict: fn(String) -> Verdict| Rule {
        name: None,
        statements: vec![Statement::Verdict(verdict(chain_name(policy)))],
        origin: Some(Origin(policy.at.to_string())),
    };
    let mut rules: Vec<Rule> = before
        .into_iter()
        .map(|policy| visit(policy, Verdict::Jump))
        .collect();
    rules.extend(opened.iter().cloned());
    rules.push(match ending {
        Some(policy) => visit(policy, Verdict::Goto),
        None => Rule {
            name: Some(format!("{name}/default")),
            statements: vec![Statement::Counter, Statement::Verdict(Verdict::Drop)],
            origin: None,
        },
    });
    output.regular_chain(&name, rules);
    Some(name)
}

fn side_name(side: &Side) -> &str {
    match side {
        Side::Firewall => "firewall",
        Side::Zone(name) => name,
    }
}

/// The way from a hook into the chains: a verdict map for plain names, rules for prefixes.
struct Way<'a> {
    map: &'static str,
    keys: Vec<Meta>,
    elements: Vec<Element>,
    prefixes: Vec<(Vec<&'a Interface>, Verdict)>,
}

impl<'a> Way<'a> {
    fn new(map: &'static str, keys: Vec<Meta>) -> Self {
        Self {
            map,
            keys,
            elements: Vec::new(),
            prefixes: Vec::new(),
        }
    }

    fn lead(&mut self, interfaces: Vec<&'a Interface>, verdict: &Verdict) {
        if interfaces.iter().any(|interface| interface.prefix) {
            self.prefixes.push((interfaces, verdict.clone()));
            return;
        }
        let key: Vec<u8> = interfaces
            .iter()
            .flat_map(|interface| padded(&interface.name))
            .collect();
        let datum = Some(Datum::Verdict(verdict.clone()));
        self.elements.push(Element {
            key: Key::exact(key),
            datum,
            name: None,
            count: None,
        });
    }

    fn rules(self, output: &mut Output) -> Vec<Rule> {
        let Self {
            map,
            keys,
            elements,
            prefixes,
        } = self;
        let plain = |statements| Rule {
            name: None,
            statements,
            origin: None,
        };
        let mut rules = Vec::new();
        if !elements.is_empty() {
            let types = vec![DataType::Ifname; keys.len()];
            output.set(
                SetSpec::new(map, types, SetKind::VerdictMap),
                elements,
                None,
            );
            let key = match keys.as_slice() {
                [only] => Expression::Meta(*only),
                several => {
                    Expression::Concat(several.iter().copied().map(Expression::Meta).collect())
                }
            };
            rules.push(plain(vec![Statement::VerdictMap {
                key,
                map: map.to_owned(),
            }]));
        }
        for (interfaces, verdict) in prefixes {
            let mut statements: Vec<Statement> = interfaces
                .iter()
                .zip(&keys)
                .map(|(interface, key)| matches_one(interface, *key))
                .collect();
            statements.push(Statement::Verdict(verdict));
            rules.push(plain(statements));
        }
        rules
    }
}
