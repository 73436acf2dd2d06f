//! `snat` and `masquerade`: the source is rewritten as the packet leaves.

use super::super::membership::between;
use super::super::output::{Entry, Output};
use super::super::row::{self, Protocol, family_is, rows};
use super::{incoming, outgoing, syn, without_helpers};
use crate::compile::model::{Model, Service, Snat};
use crate::ruleset::{
    Family, Interval, Intervals, Nat, NatAddress, NatKind, NatPort, Rule, Statement, Transport,
};
use std::net::IpAddr;

/// The rules of `nat.snat`.
pub(super) fn snat_rules(model: &Model, output: &mut Output) -> Vec<Rule> {
    let mut rules = Vec::new();
    for snat in &model.snat {
        let entry = Entry::new(format!("nat/{}", snat.name), &snat.at, model);
        let family = family_of(snat);
        for services in kinds(snat) {
            for row in rows(&services, &snat.source, &snat.destination, model) {
                if row.family.is_some_and(|of_row| of_row != family) {
                    continue;
                }
                let row = row::Row {
                    family: Some(family),
                    ..row
                };
                let nat = translation(snat, &row.protocol);
                let mut rest = row::matches(&row, &entry, output);
                rest.extend([Statement::Counter, Statement::Nat(nat)]);
                let from = incoming(&snat.from, &entry, output);
                let to = outgoing(&snat.to, &entry, output);
                rules.extend(between(&from, &to, Some(family), &rest, &entry));
            }
        }
    }
    rules
}

/// The services as they are translated: what has ports comes first and by itself where the entry gives new ones.
fn kinds(snat: &Snat) -> Vec<Vec<Service>> {
    let all = without_helpers(&snat.services);
    if snat.ports.is_none() || !all.is_empty() {
        return vec![all];
    }
    let every = Intervals::from_iter([EVERY_PORT]);
    let with_ports = Service {
        ports: [Transport::Tcp, Transport::Udp]
            .map(|transport| (transport, every.clone()))
            .into(),
        ..Service::default()
    };
    vec![vec![with_ports], Vec::new()]
}

/// All ports that a packet can have.
const EVERY_PORT: Interval<u16> = Interval {
    lo: 1,
    hi: u16::MAX,
};

fn family_of(snat: &Snat) -> Family {
    match snat.address {
        IpAddr::V4(_) => Family::Ipv4,
        IpAddr::V6(_) => Family::Ipv6,
    }
}

fn translation(snat: &Snat, protocol: &Protocol) -> Nat {
    let bytes = |address: IpAddr| -> Box<[u8]> {
        match address {
            IpAddr::V4(address) => address.octets().into(),
            IpAddr::V6(address) => address.octets().into(),
        }
    };
    let port = snat
        .ports
        .filter(|_| matches!(protocol, Protocol::Ports(..)));
    Nat {
        kind: NatKind::Snat,
        family: family_of(snat),
        address: if snat.address == snat.last {
            NatAddress::Value(bytes(snat.address))
        } else {
            NatAddress::Range(bytes(snat.address), bytes(snat.last))
        },
        port: port.map(|ports| {
            if ports.is_single() {
                NatPort::Value(ports.lo)
            } else {
                NatPort::Range(ports.lo, ports.hi)
            }
        }),
        flags: snat.flags,
    }
}

/// The rules of `nat.masquerade`.
pub(super) fn masquerade_rules(model: &Model, output: &mut Output) -> Vec<Rule> {
    let mut rules = Vec::new();
    for masquerade in &model.masquerade {
        let entry = Entry::new(format!("nat/{}", masquerade.name), &masquerade.at, model);
        let family = match (masquerade.families.v4, masquerade.families.v6) {
            (true, true) => None,
            (true, false) => Some(Family::Ipv4),
            (false, _) => Some(Family::Ipv6),
        };
        let mut rest: Vec<Statement> = family.map(family_is).into_iter().collect();
        rest.extend([Statement::Counter, Statement::Masquerade]);
        let from = incoming(&masquerade.from, &entry, output);
        let to = outgoing(&masquerade.to, &entry, output);
        rules.extend(between(&from, &to, family, &rest, &entry));
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
            let from = incoming(from, &entry, output);
            let to = outgoing(to, &entry, output);
            for rule in between(&from, &to, None, &[Statement::ClampMss], &entry) {
                // The flags come first: all but a few packets are done with after one comparison.
                let statements = std::iter::once(syn()).chain(rule.statements).collect();
                rules.push(Rule { statements, ..rule });
            }
        }
    }
    rules
}
