//! Which packets are of a zone at one of their ends: by the interface, and by the address where zones share it.
//!
//! Zones that share interfaces have their networks in one set of each family, which every place asks that tells such
//! zones apart. The networks of zones on one interface have no address in common, so their order means nothing.
//!
//! The name of such a set holds a sum of what is in it: other networks are another set. A packet meets rules in the generation
//! that it came in with, but an interval set as it is at that moment, and sets change one after the other, after the rules
//! (6.18, `nft_rbtree_commit`): with elements that change in place, a network that goes from one zone to another is in neither for a
//! moment, and its packets are whatever is left (measured: one of some 100,000 was lost). So new sets come a batch before
//! the rules that ask them, and the rules change all at once.

use std::collections::BTreeMap;

use super::address::{self, End, Span, spans, suffixes};
use super::interface::matches_any;
use super::output::{Entry, Output, SetNames};
use super::row::family_is;
use crate::compile::model::{Interface, Model, Zone};
use crate::diagnostic::DocPath;
use crate::ruleset::{Expression, Family, Meta, Origin, Relation, Rule, Statement};

/// An end of a packet on its way through the box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Where it comes from.
    In,
    /// Where it goes, once routing has said so.
    Out,
}

impl Way {
    fn key(self) -> Meta {
        match self {
            Self::In => Meta::Iifname,
            Self::Out => Meta::Oifname,
        }
    }

    pub(super) fn end(self) -> End {
        match self {
            Self::In => End::Source,
            Self::Out => End::Destination,
        }
    }
}

/// One of the ways of being of some zones.
#[derive(Clone, Debug)]
pub(super) struct Membership {
    /// The family it is for; `None` for both alike.
    pub(super) family: Option<Family>,
    /// What it asks.
    pub(super) statements: Vec<Statement>,
}

impl Membership {
    /// The family of packets that are of both; `None` where there are no such packets.
    pub(super) fn common(family: Option<Family>, other: Option<Family>) -> Option<Option<Family>> {
        match (family, other) {
            (Some(family), Some(other)) if family != other => None,
            (family, other) => Some(family.or(other)),
        }
    }
}

/// All the ways of being of one of some zones. `word` ends the name of the set that several plain interfaces need.
pub(super) fn members(
    zones: &[String],
    way: Way,
    word: &str,
    entry: &Entry<'_>,
    output: &mut Output,
) -> Vec<Membership> {
    let model = entry.model;
    let mut whole: Vec<&Interface> = Vec::new();
    let mut parts = Vec::new();
    for name in zones {
        let Some(zone) = model.zones.get(name) else {
            continue;
        };
        let (all, shared): (Vec<&Interface>, Vec<&Interface>) = zone
            .interfaces
            .iter()
            .partition(|interface| is_whole(interface, zones, model));
        whole.extend(all);
        for (number, (others, interfaces)) in (1..).zip(by_others(zone, shared, model)) {
            let word = numbered(&format!("{word}-{name}"), number);
            for interface in matches_any(&interfaces, way.key(), &word, entry, output) {
                for family in Family::BOTH {
                    let addresses = if zone.by_address {
                        Vec::from_iter(is_of(name, way.end(), family, Relation::Eq, model, output))
                    } else {
                        is_none_of(&others, way.end(), family, model, output)
                    };
                    if !addresses.is_empty() {
                        let interface = std::iter::once(interface.clone());
                        parts.push(Membership {
                            family: Some(family),
                            statements: interface.chain(addresses).collect(),
                        });
                    }
                }
            }
        }
    }
    whole.sort();
    whole.dedup();
    let whole = matches_any(&whole, way.key(), word, entry, output);
    let whole = whole.into_iter().map(|interface| Membership {
        family: None,
        statements: vec![interface],
    });
    whole.chain(parts).collect()
}

/// Interfaces of a zone by the zones that are told from it by address there; of a zone that is told by address itself, it
/// does not matter by whom. In the order of zones, which is the same on every node.
pub(super) fn by_others<'a>(
    zone: &Zone,
    interfaces: impl IntoIterator<Item = &'a Interface>,
    model: &'a Model,
) -> BTreeMap<Vec<&'a String>, Vec<&'a Interface>> {
    let mut groups: BTreeMap<Vec<&String>, Vec<&Interface>> = BTreeMap::new();
    for interface in interfaces {
        let on_it = on(interface, model).filter(|(_, other)| other.by_address && !zone.by_address);
        let others = on_it.map(|(name, _)| name).collect();
        groups.entry(others).or_default().push(interface);
    }
    groups
}

/// A name for the first of several, and for another one.
pub(super) fn numbered(word: &str, number: u32) -> String {
    match number {
        1 => word.to_owned(),
        number => format!("{word}{number}"),
    }
}

/// The addresses of a family that are none of some zones'.
fn is_none_of(
    zones: &[&String],
    end: End,
    family: Family,
    model: &Model,
    output: &mut Output,
) -> Vec<Statement> {
    let each = zones.iter();
    let none: Vec<Statement> = each
        .filter_map(|zone| is_of(zone, end, family, Relation::Ne, model, output))
        .collect();
    if none.is_empty() {
        vec![family_is(family)]
    } else {
        none
    }
}

/// Whether all that there is on an interface is of these zones: one of them is whatever the others are not, and those
/// others are here, too.
fn is_whole(interface: &Interface, zones: &[String], model: &Model) -> bool {
    let mut on_it = on(interface, model);
    let has_rest = on(interface, model).any(|(_, zone)| !zone.by_address);
    has_rest && on_it.all(|(name, _)| zones.contains(name))
}

/// The zones that an interface is of, by name.
pub(super) fn on<'a>(
    interface: &Interface,
    model: &'a Model,
) -> impl Iterator<Item = (&'a String, &'a Zone)> {
    let zones = model.zones.iter();
    zones.filter(move |(_, zone)| zone.interfaces.contains(interface))
}

/// The name of a zone's sets, before the dot: that of no other networks.
pub(super) fn stem(zone: &str, networks: &[Span]) -> String {
    let bytes = networks
        .iter()
        .flat_map(|span| span.lo.iter().chain(&*span.hi));
    // FNV-1a, 32 bits.
    let sum = bytes.fold(0x811c_9dc5, |sum: u32, byte| {
        (sum ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    });
    format!("zone/{zone}.{sum:08x}")
}

/// Whether an address is, or is not, among the networks of a zone; `None` where it has none of the family.
pub(super) fn is_of(
    zone: &str,
    end: End,
    family: Family,
    relation: Relation,
    model: &Model,
    output: &mut Output,
) -> Option<Statement> {
    let networks = spans(&model.zones.get(zone)?.networks, family);
    if networks.is_empty() {
        return None;
    }
    let (exact, ranges) = suffixes(family);
    let stem = stem(zone, &networks);
    let names = SetNames {
        stem: &stem,
        exact,
        ranges,
    };
    let right = output.operand(
        &networks,
        names,
        address::address_type(family),
        &origin(zone),
    );
    Some(Statement::Match {
        left: Expression::Field(end.field(family)),
        relation,
        right,
    })
}

/// The line of the policy that says what a zone's networks are.
pub(super) fn origin(zone: &str) -> Origin {
    let at = DocPath::root().key("zones").name(zone).key("networks");
    Origin(at.to_string())
}

/// Rules of an entry for packets between some zones, and of a family where one is given.
pub(super) fn between(
    from: &[Membership],
    to: &[Membership],
    family: Option<Family>,
    rest: &[Statement],
    entry: &Entry<'_>,
) -> Vec<Rule> {
    let mut rules = Vec::new();
    for incoming in from {
        for outgoing in to {
            let both = Membership::common(incoming.family, outgoing.family);
            if both.is_some_and(|both| Membership::common(both, family).is_some()) {
                let interfaces = [incoming, outgoing].map(|end| end.statements.first());
                let addresses = [incoming, outgoing].map(|end| end.statements.iter().skip(1));
                let statements = interfaces.into_iter().flatten();
                let statements = statements.chain(addresses.into_iter().flatten());
                rules.push(entry.rule(statements.chain(rest).cloned().collect()));
            }
        }
    }
    rules
}
