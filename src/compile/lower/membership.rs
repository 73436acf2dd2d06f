//! Which packets are of a zone at one of their ends: by the interface, and by the address where zones share it.
//!
//! Zones that are told by address keep their networks in one set of each family, which every place asks that tells such
//! zones apart. One set for all, and not a map from address to zone in each place, because it changes in one place: a
//! network that goes from one zone to another is an element less and an element more, whatever the zones do. The
//! networks of zones on one interface have no address in common, so their order means nothing.

use super::address::{self, End, spans, suffixes};
use super::interface::{matches_any, matches_one};
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
        for interface in &zone.interfaces {
            if is_whole(interface, zones, model) {
                whole.push(interface);
                continue;
            }
            for family in Family::BOTH {
                let mut statements = vec![matches_one(interface, way.key())];
                if zone.by_address {
                    let Some(own) = is_of(name, way.end(), family, Relation::Eq, model, output)
                    else {
                        continue;
                    };
                    statements.push(own);
                } else {
                    let others = by_address(interface, model);
                    let nobodys = others.filter_map(|(other, _)| {
                        is_of(other, way.end(), family, Relation::Ne, model, output)
                    });
                    statements.extend(nobodys);
                    if let [_] = statements.as_slice() {
                        statements.push(family_is(family));
                    }
                }
                parts.push(Membership {
                    family: Some(family),
                    statements,
                });
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

/// Those of them that are told by address.
pub(super) fn by_address<'a>(
    interface: &Interface,
    model: &'a Model,
) -> impl Iterator<Item = (&'a String, &'a Zone)> {
    on(interface, model).filter(|(_, zone)| zone.by_address)
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
    let stem = format!("zone/{zone}");
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
