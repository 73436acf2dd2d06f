//! `snat` and `masquerade`: the source is rewritten as the packet leaves.

use super::super::output::{Entry, Output};
use super::super::row::{self, family_is, rows};
use super::{incoming, outgoing, syn, without_helpers};
use crate::compile::model::{Model, Snat};
use crate::ruleset::{Family, Nat, NatAddress, NatKind, Rule, Statement};

/// The rules of `nat.snat`.
pub(super) fn snat_rules(model: &Model, output: &mut Output) -> Vec<Rule> {
    let mut rules = Vec::new();
    for snat in &model.snat {
        let entry = Entry::new(format!("nat/{}", snat.name), &snat.at, model);
        let nat = translation(snat);
        let services = without_helpers(&snat.services);
        for row in rows(&services, &snat.source, &snat.destination, model) {
            if row.family.is_some_and(|family| family != nat.family) {
                continue;
            }
            let row = row::Row {
                family: Some(nat.family),
                ..row
            };
            let mut rest = row::matches(&row, &entry, output);
            rest.extend([Statement::Counter, Statement::Nat(nat.clone())]);
            rules.extend(between(&snat.from, &snat.to, &rest, &entry, output));
        }
    }
    rules
}

fn translation(snat: &Snat) -> Nat {
    let (family, address): (Family, Box<[u8]>) = match snat.address {
        std::net::IpAddr::V4(address) => (Family::Ipv4, address.octets().into()),
        std::net::IpAddr::V6(address) => (Family::Ipv6, address.octets().into()),
    };
    Nat {
        kind: NatKind::Snat,
        family,
        address: NatAddress::Value(address),
        port: None,
    }
}

/// The rules of `nat.masquerade`.
pub(super) fn masquerade_rules(model: &Model, output: &mut Output) -> Vec<Rule> {
    let mut rules = Vec::new();
    for masquerade in &model.masquerade {
        let entry = Entry::new(format!("nat/{}", masquerade.name), &masquerade.at, model);
        let mut rest = match (masquerade.families.v4, masquerade.families.v6) {
            (true, true) => Vec::new(),
            (true, false) => vec![family_is(Family::Ipv4)],
            (false, _) => vec![family_is(Family::Ipv6)],
        };
        rest.extend([Statement::Counter, Statement::Masquerade]);
        rules.extend(between(
            &masquerade.from,
            &masquerade.to,
            &rest,
            &entry,
            output,
        ));
    }
    rules
}

/// See [`super::mss_rules`].
pub(super) fn mss_rules(model: &Model, output: &mut Output) -> Vec<Rule> {
    let mut rules = Vec::new();
    for masquerade in model
        .masquerade
        .iter()
        .filter(|masquerade| masquerade.clamp_mss)
    {
        let entry = Entry::new(
            format!("nat/{}", masquerade.name),
            &masquerade.at.key("clamp_mss"),
            model,
        );
        let out = Entry {
            name: format!("{}/mss", entry.name),
            ..entry.clone()
        };
        let back = Entry {
            name: format!("{}/mss-back", entry.name),
            ..entry
        };
        for (entry, from, to) in [
            (out, &masquerade.from, &masquerade.to),
            (back, &masquerade.to, &masquerade.from),
        ] {
            for rule in between(from, to, &[Statement::ClampMss], &entry, output) {
                // The flags come first: all but a few packets are done with after one comparison.
                let statements = std::iter::once(syn()).chain(rule.statements).collect();
                rules.push(Rule { statements, ..rule });
            }
        }
    }
    rules
}

/// Rules for packets from some zones to others.
fn between(
    from: &[String],
    to: &[String],
    rest: &[Statement],
    entry: &Entry<'_>,
    output: &mut Output,
) -> Vec<Rule> {
    let mut rules = Vec::new();
    for incoming in incoming(from, entry, output) {
        for outgoing in outgoing(to, entry, output) {
            let statements = [incoming.clone(), outgoing]
                .into_iter()
                .chain(rest.iter().cloned());
            rules.push(entry.rule(statements.collect()));
        }
    }
    rules
}
