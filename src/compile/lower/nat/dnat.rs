//! `dnat`, `redirect`, `hairpin` and `balance`: the destination is rewritten before routing.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::super::address::{self, End, Span, suffixes};
use super::super::dispatch::Openings;
use super::super::membership::between;
use super::super::output::{Entry, Output, SetNames, element};
use super::super::row::{self, Protocol, Row, rows};
use super::port::new_port;
use super::{accept, each, incoming, outgoing, translated, translated_port, without_helpers};
use crate::compile::model::{BalanceMode, Dnat, Model, Selected, Selector, Side};
use crate::ruleset::{
    Addresses, DataType, Datum, Expression, Family, Interval, Key, Nat, NatAddress, NatFlags,
    NatKind, NumgenMode, Operand, Relation, Rule, SetKind, SetSpec, Statement,
};

/// `RTN_LOCAL` of linux/rtnetlink.h: an address of the box.
const LOCAL: u32 = 2;

/// The rules of `nat.dnat`: from outside, then from the backends' own zone.
pub(super) fn dnat_rules(model: &Model, output: &mut Output) -> Vec<Rule> {
    let mut rules = Vec::new();
    for dnat in &model.dnat {
        let entry = entry(dnat, model);
        let address = target(dnat, &entry, output);
        for row in family_rows(dnat, &dnat.destination, model) {
            let mut rest = row::matches(&row, &entry, output);
            let anywhere = dnat.destination.include.is_empty();
            if anywhere {
                rest.push(local(false, Relation::Eq));
            }
            let nat = Nat {
                kind: NatKind::Dnat,
                family: family_of(dnat),
                address: address.clone(),
                port: new_port(dnat.port, &row.protocol, &entry, output),
                flags: NatFlags::default(),
            };
            let translate = [Statement::Counter, Statement::Nat(nat)];
            let from = incoming(&dnat.from, &entry, output);
            let family = row.family;
            rules.extend(each(
                &from,
                family,
                &[&rest[..], &translate].concat(),
                &entry,
            ));
            if !dnat.hairpin.is_empty() {
                let own = Entry {
                    name: format!("{}.hairpin", entry.name),
                    ..entry.clone()
                };
                if anywhere {
                    // An address of the box, but not the one this zone knows it by.
                    rest.push(local(true, Relation::Ne));
                }
                let from = incoming(&dnat.hairpin, &own, output);
                rules.extend(each(
                    &from,
                    family,
                    &[&rest[..], &translate].concat(),
                    &entry,
                ));
            }
        }
    }
    rules
}

fn entry<'a>(dnat: &Dnat, model: &'a Model) -> Entry<'a> {
    Entry::new(format!("nat/{}", dnat.name), &dnat.at, model)
}

/// `fib daddr type local`, or only of the interface it came in by.
fn local(iif: bool, relation: Relation) -> Statement {
    let right = Operand::Value(LOCAL.to_ne_bytes().into());
    Statement::Match {
        left: Expression::FibDaddrType { iif },
        relation,
        right,
    }
}

/// The rows of an entry in the family of its backends.
fn family_rows<'a>(dnat: &'a Dnat, destination: &'a Selector, model: &Model) -> Vec<Row<'a>> {
    let family = family_of(dnat);
    rows(
        &without_helpers(&dnat.services),
        &dnat.source,
        destination,
        model,
    )
    .into_iter()
    .filter(|row| row.family.is_none_or(|of_row| of_row == family))
    .map(|row| Row {
        family: Some(family),
        ..row
    })
    .collect()
}

fn family_of(dnat: &Dnat) -> Family {
    match dnat.backends.first().map(|backend| backend.address) {
        Some(IpAddr::V6(_)) => Family::Ipv6,
        Some(IpAddr::V4(_)) | None => Family::Ipv4,
    }
}

fn bytes_of(address: IpAddr) -> Box<[u8]> {
    match address {
        IpAddr::V4(address) => address.octets().into(),
        IpAddr::V6(address) => address.octets().into(),
    }
}

/// To the one backend, or to the one that a number picks from the map of shares.
fn target(dnat: &Dnat, entry: &Entry<'_>, output: &mut Output) -> NatAddress {
    match (dnat.backends.as_slice(), dnat.mode) {
        ([only], _) => NatAddress::Value(bytes_of(only.address)),
        (_, mode) => NatAddress::Map(share_map(
            dnat,
            mode.unwrap_or(BalanceMode::Nth),
            entry,
            output,
        )),
    }
}

fn share_map(dnat: &Dnat, mode: BalanceMode, entry: &Entry<'_>, output: &mut Output) -> Expression {
    let family = family_of(dnat);
    let divisor = dnat
        .backends
        .iter()
        .map(|backend| backend.weight)
        .fold(0, greatest_common_divisor)
        .max(1);
    let shares: Vec<IpAddr> = dnat
        .backends
        .iter()
        .flat_map(|backend| {
            std::iter::repeat_n(backend.address, (backend.weight / divisor) as usize)
        })
        .collect();
    let modulus = u32::try_from(shares.len()).unwrap_or(u32::MAX);
    let elements = (0u32..).zip(shares).map(|(number, address)| {
        element(
            Key::exact(number.to_ne_bytes()),
            Some(Datum::Value(bytes_of(address))),
        )
    });
    let name = format!("{}.backends", entry.name);
    let kind = SetKind::Map(address::address_type(family));
    output.set(
        SetSpec::new(name.clone(), vec![DataType::Number], kind),
        elements.collect(),
        Some(entry.origin.clone()),
    );
    let pick = match mode {
        BalanceMode::Nth => Expression::Numgen {
            mode: NumgenMode::Inc,
            modulus,
        },
        BalanceMode::Random => Expression::Numgen {
            mode: NumgenMode::Random,
            modulus,
        },
        BalanceMode::SourceHash => Expression::Jhash {
            field: End::Source.field(family),
            modulus,
            seed: seed(&entry.name),
        },
    };
    Expression::Map(Box::new(pick), name)
}

fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 {
        a
    } else {
        greatest_common_divisor(b, a % b)
    }
}

/// A seed that every replica computes alike and that differs between entries (FNV-1a, 32 bits).
fn seed(name: &str) -> u32 {
    name.bytes().fold(0x811c_9dc5, |hash: u32, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    })
}

/// The backends' addresses as a selector of the translated packet.
fn backends(dnat: &Dnat) -> Selector {
    let all = dnat
        .backends
        .iter()
        .fold(Addresses::default(), |all, backend| {
            let one = match backend.address {
                IpAddr::V4(address) => Addresses::v4_range(address, address),
                IpAddr::V6(address) => Addresses::v6_range(address, address),
            };
            all.union(&one.unwrap_or_default())
        });
    Selector {
        include: vec![Selected::Addresses(all)],
        exclude: Vec::new(),
    }
}

/// Opens the way to the backends in every pair that a translated packet can be in.
pub(super) fn open_forwards(model: &Model, openings: &mut Openings, output: &mut Output) {
    for dnat in &model.dnat {
        let entry = entry(dnat, model);
        let entry = Entry {
            name: format!("{}/forward", entry.name),
            ..entry
        };
        // From a zone that may use the public address of its own servers, `source` is not asked: the two
        // do not go together.
        let inward = dnat
            .from
            .iter()
            .flat_map(|from| dnat.opens.iter().map(move |to| (from, to)));
        let own = dnat.hairpin.iter().map(|zone| (zone, zone));
        let pairs: BTreeSet<(&String, &String)> = inward.chain(own).collect();
        let rules = open_rules(dnat, &dnat.source, &backends(dnat), &entry, output);
        for (from, to) in pairs {
            add(openings, from, Side::Zone(to.clone()), &rules);
        }
    }
}

fn add(openings: &mut Openings, from: &str, to: Side, rules: &[Rule]) {
    let into = openings
        .entry((Side::Zone(from.to_owned()), to))
        .or_default();
    into.extend_from_slice(rules);
}

fn open_rules(
    dnat: &Dnat,
    source: &Selector,
    to: &Selector,
    entry: &Entry<'_>,
    output: &mut Output,
) -> Vec<Rule> {
    let mut rules = Vec::new();
    for row in rows(&dnat.services, source, to, entry.model) {
        let mut statements = vec![translated()];
        statements.extend(translated_matches(&row, dnat.port, entry, output));
        if let Some(helper) = &row.helper {
            statements.push(super::super::filter::helper_statement(
                helper,
                &row.protocol,
                output,
            ));
        }
        statements.extend(accept());
        rules.push(entry.rule(statements));
    }
    rules.dedup();
    rules
}

/// A row as it looks after the translation: the new port, when there is one.
fn translated_matches(
    row: &Row<'_>,
    port: Option<Interval<u16>>,
    entry: &Entry<'_>,
    output: &mut Output,
) -> Vec<Statement> {
    let Some(port) = port else {
        return row::matches(row, entry, output);
    };
    let addresses = Row {
        protocol: Protocol::Any,
        ..row.clone()
    };
    let mut statements = row::matches(&addresses, entry, output);
    statements.push(translated_port(&row.protocol, port));
    statements
}

/// Masquerades what the backends' own zone sends to them by the public address: otherwise the answer
/// would go straight back, past the translation.
pub(super) fn hairpin_rules(model: &Model, output: &mut Output) -> Vec<Rule> {
    let mut rules = Vec::new();
    for dnat in &model.dnat {
        let entry = entry(dnat, model);
        let entry = Entry {
            name: format!("{}/hairpin", entry.name),
            ..entry
        };
        for zone in &dnat.hairpin {
            // On a common interface the answer to another zone would go straight back as well.
            let is_beside = |other: &&String| {
                let zones = [zone, *other].map(|zone| model.zones.get(zone));
                matches!(zones, [Some(zone), Some(other)] if other.meets(zone))
            };
            let beside = dnat.from.iter().filter(is_beside);
            let mut from: Vec<String> = beside.chain([zone]).cloned().collect();
            from.sort();
            from.dedup();
            let family = family_of(dnat);
            let spans: Vec<Span> =
                address::spans(&address::addresses(&backends(dnat).include, model), family);
            let (exact, ranges) = suffixes(family);
            let names = SetNames {
                stem: &entry.name,
                exact,
                ranges,
            };
            let right = output.operand(&spans, names, address::address_type(family), &entry.origin);
            let to = Statement::Match {
                left: Expression::Field(End::Destination.field(family)),
                relation: Relation::Eq,
                right,
            };
            let rest = [translated(), to, Statement::Counter, Statement::Masquerade];
            let from = incoming(&from, &entry, output);
            let outgoing = outgoing(std::slice::from_ref(zone), &entry, output);
            rules.extend(between(&from, &outgoing, Some(family), &rest, &entry));
        }
    }
    rules
}

/// The rules of `nat.redirect`.
pub(super) fn redirect_rules(model: &Model, output: &mut Output) -> Vec<Rule> {
    let mut rules = Vec::new();
    for redirect in &model.redirect {
        let entry = Entry::new(format!("nat/{}", redirect.name), &redirect.at, model);
        let services = without_helpers(&redirect.services);
        for row in rows(&services, &redirect.source, &redirect.destination, model) {
            let mut rest = row::matches(&row, &entry, output);
            rest.extend([
                Statement::Counter,
                Statement::Redirect {
                    port: new_port(redirect.port, &row.protocol, &entry, output),
                },
            ]);
            rules.extend(each(
                &incoming(&redirect.from, &entry, output),
                row.family,
                &rest,
                &entry,
            ));
        }
    }
    rules
}

/// Opens the way to the box for what was redirected to it.
pub(super) fn open_redirects(model: &Model, openings: &mut Openings, output: &mut Output) {
    let anyone = Selector::default();
    for redirect in &model.redirect {
        let entry = Entry::new(format!("nat/{}/input", redirect.name), &redirect.at, model);
        let mut rules = Vec::new();
        for row in rows(&redirect.services, &redirect.source, &anyone, model) {
            let mut statements = vec![translated()];
            statements.extend(translated_matches(&row, redirect.port, &entry, output));
            statements.extend(accept());
            rules.push(entry.rule(statements));
        }
        for from in &redirect.from {
            add(openings, from, Side::Firewall, &rules);
        }
    }
}
