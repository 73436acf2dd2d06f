//! Segments: interfaces with the same zones on them, and the chains that tell these zones apart.
//!
//! Where a zone has its interfaces for itself there is nothing to tell. Elsewhere the interface map jumps into a chain that
//! asks for the address: `from/ZONE.ZONE/TO` for the source, then `to/FROM/ZONE.ZONE` for the destination, and from
//! there on it is one pair of zones as any other. What is of no zone, and a pair that nothing is said about, returns to the
//! base chain, as what comes in by an interface of no zone never leaves it: it meets the raw blocks behind the policies and
//! the counted drop at the end.

use std::collections::BTreeMap;

use super::membership::{Way, is_of, on, origin};
use super::output::Output;
use crate::compile::model::{Interface, Model, Side};
use crate::ruleset::{Family, Relation, Rule, Statement, Verdict};

/// Interfaces with the same zones on them.
pub(super) struct Segment<'a> {
    /// The zones, in order.
    pub(super) zones: Vec<&'a String>,
    /// The interfaces, in order.
    pub(super) interfaces: Vec<&'a Interface>,
}

/// Where a packet goes as far as interfaces tell.
#[derive(Clone, Copy)]
pub(super) enum Target<'a> {
    /// To the box.
    Firewall,
    /// Out of a segment.
    Segment(&'a Segment<'a>),
}

/// All segments, in the order of their zones.
pub(super) fn segments(model: &Model) -> Vec<Segment<'_>> {
    let mut segments: BTreeMap<Vec<&String>, Vec<&Interface>> = BTreeMap::new();
    for (name, zone) in &model.zones {
        for interface in &zone.interfaces {
            let zones: Vec<&String> = on(interface, model).map(|(zone, _)| zone).collect();
            // Each interface once, not once for each of its zones.
            if zones.first() == Some(&name) {
                segments.entry(zones).or_default().push(interface);
            }
        }
    }
    segments
        .into_iter()
        .map(|(zones, interfaces)| Segment { zones, interfaces })
        .collect()
}

impl<'a> Segment<'a> {
    /// Its one zone, where there is nothing to tell apart.
    fn only(&self, model: &Model) -> Option<&'a String> {
        match self.zones.as_slice() {
            [only] if model.zones.get(*only).is_some_and(|zone| !zone.by_address) => Some(*only),
            _ => None,
        }
    }

    /// A name that only these zones have: theirs, or as many of the first as the name of a chain has room for and a sum.
    fn name(&self) -> String {
        const MOST: usize = 100;
        let names: Vec<&str> = self.zones.iter().map(|zone| zone.as_str()).collect();
        let whole = names.join(".");
        if whole.len() <= MOST {
            return whole;
        }
        let first = names.first().copied().unwrap_or_default();
        // FNV-1a, 64 bits.
        let sum = whole.bytes().fold(0xcbf2_9ce4_8422_2325, |sum: u64, byte| {
            (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        format!("{first}.{}.{sum:016x}", names.len())
    }
}

/// Finds the chain of a pair of zones, from and to; `None` where nothing is said about it.
pub(super) type Pairs<'p> = dyn FnMut(&Side, &Side, &mut Output) -> Option<String> + 'p;

/// The verdict for packets that come in by a segment; `None` where nothing is said about any of them.
pub(super) fn from_segment(
    from: &Segment<'_>,
    to: Target<'_>,
    model: &Model,
    pairs: &mut Pairs<'_>,
    output: &mut Output,
) -> Option<Verdict> {
    if let Some(only) = from.only(model) {
        return to_target(&Side::Zone(only.clone()), to, model, pairs, output);
    }
    let ways = from.zones.iter().map(|zone| {
        let side = Side::Zone((*zone).clone());
        (*zone, to_target(&side, to, model, pairs, output))
    });
    let ways: Vec<_> = ways.collect();
    let to = match to {
        Target::Firewall => "firewall".to_owned(),
        Target::Segment(segment) => segment.name(),
    };
    let name = format!("from/{}/{to}", from.name());
    tell_apart(name, ways, Way::In, model, output)
}

/// The verdict for packets from one zone, or from the box.
pub(super) fn to_target(
    from: &Side,
    to: Target<'_>,
    model: &Model,
    pairs: &mut Pairs<'_>,
    output: &mut Output,
) -> Option<Verdict> {
    let segment = match to {
        Target::Firewall => return pairs(from, &Side::Firewall, output).map(Verdict::Goto),
        Target::Segment(segment) => segment,
    };
    if let Some(only) = segment.only(model) {
        return pairs(from, &Side::Zone(only.clone()), output).map(Verdict::Goto);
    }
    let ways = segment.zones.iter().map(|zone| {
        let chain = pairs(from, &Side::Zone((*zone).clone()), output);
        (*zone, chain.map(Verdict::Goto))
    });
    let ways: Vec<_> = ways.collect();
    let from = match from {
        Side::Firewall => "firewall",
        Side::Zone(name) => name,
    };
    let name = format!("to/{from}/{}", segment.name());
    tell_apart(name, ways, Way::Out, model, output)
}

/// Makes the chain that asks whose an address is, where it matters; none where no zone leads anywhere.
fn tell_apart(
    name: String,
    zones: Vec<(&String, Option<Verdict>)>,
    way: Way,
    model: &Model,
    output: &mut Output,
) -> Option<Verdict> {
    let is_rest = |zone: &String| model.zones.get(zone).is_some_and(|zone| !zone.by_address);
    let mut rest = zones.iter().filter(|(zone, _)| is_rest(zone));
    let rest = rest.next().map(|(zone, verdict)| (*zone, verdict.clone()));
    if let [(_, first), others @ ..] = zones.as_slice()
        && others.iter().all(|(_, other)| other == first)
        && (first.is_none() || rest.is_some())
    {
        // The same for all of them, whoever they are.
        return first.clone();
    }
    let rest = rest.and_then(|(zone, verdict)| Some((zone, verdict?)));
    let mut rules = Vec::new();
    for (zone, verdict) in zones.into_iter().filter(|(zone, _)| !is_rest(zone)) {
        let verdict = match (verdict, &rest) {
            (Some(verdict), _) => onward(verdict),
            // Not with the rest.
            (None, Some(_)) => Verdict::Return,
            (None, None) => continue,
        };
        for family in Family::BOTH {
            if let Some(own) = is_of(zone, way.end(), family, Relation::Eq, model, output) {
                let statements = vec![own, Statement::Verdict(verdict.clone())];
                rules.push(rule(statements, zone));
            }
        }
    }
    // Whatever is none of the others'.
    rules.extend(rest.map(|(zone, verdict)| rule(vec![Statement::Verdict(onward(verdict))], zone)));
    output.regular_chain(&name, rules);
    Some(Verdict::Jump(name))
}

/// A verdict of such a chain: what returns, returns to the base chain.
fn onward(verdict: Verdict) -> Verdict {
    match verdict {
        Verdict::Jump(chain) => Verdict::Goto(chain),
        other => other,
    }
}

fn rule(statements: Vec<Statement>, zone: &str) -> Rule {
    Rule {
        name: None,
        statements,
        origin: Some(origin(zone)),
    }
}
