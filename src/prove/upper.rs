//! What is in packets behind their IP headers: ports, types and protocols, one of every kind.

use std::collections::BTreeSet;

use super::classes::classes;
use super::distinguish::{Atom, Distinctions};
use super::field::{shapes, values};
use crate::compile::claim::{State, Traffic};
use crate::compile::model::Service;
use crate::evaluate::Upper;
use crate::ruleset::{Family, Transport};

const TCP: u8 = 6;
/// `syn`, and `ack` of TCP.
const SYN: u8 = 2;
/// See [`SYN`].
const ACK: u8 = 16;
/// Protocols whose headers begin with two ports.
const WITH_PORTS: [Transport; 5] = Transport::ALL;
/// A port that programs connect from.
const EPHEMERAL: u128 = 40_000;

/// What is in the packets: one of every kind.
pub(super) fn uppers(
    found: &Distinctions,
    traffic: &Traffic,
    family: Family,
    with_bounds: bool,
) -> Vec<Upper> {
    let mut uppers = BTreeSet::new();
    let all_ports = [(1u128, u128::from(u16::MAX))];
    let all_types = [(0u128, 255u128)];
    let Some(services) = &traffic.services else {
        for transport in WITH_PORTS {
            with_ports(
                found,
                transport.number(),
                &all_ports,
                family,
                (traffic.state, with_bounds),
                &mut uppers,
            );
        }
        icmp(found, &all_types, family, &mut uppers);
        others(found, family, &mut uppers);
        return uppers.into_iter().collect();
    };
    for Service {
        name: _,
        ports,
        icmp: v4,
        icmpv6: v6,
        protocols,
        helper: _,
    } in services
    {
        for (transport, ports) in ports.iter() {
            let ports: Vec<(u128, u128)> = ports
                .iter()
                .map(|span| (u128::from(span.lo), u128::from(span.hi)))
                .collect();
            with_ports(
                found,
                transport.number(),
                &ports,
                family,
                (traffic.state, with_bounds),
                &mut uppers,
            );
        }
        let types = match family {
            Family::Ipv4 => v4,
            Family::Ipv6 => v6,
        };
        for kind in types.iter() {
            let kind = u128::from(*kind);
            icmp(found, &[(kind, kind)], family, &mut uppers);
        }
        for protocol in protocols.iter() {
            let known = WITH_PORTS.iter().any(|it| it.number() == *protocol);
            match *protocol {
                protocol if known => {
                    let how = (traffic.state, with_bounds);
                    with_ports(found, protocol, &all_ports, family, how, &mut uppers);
                }
                protocol if protocol == icmp_of(family) => {
                    icmp(found, &all_types, family, &mut uppers);
                }
                protocol => _ = uppers.insert(Upper::Other(protocol)),
            }
        }
    }
    uppers.into_iter().collect()
}

fn with_ports(
    found: &Distinctions,
    protocol: u8,
    ports: &[(u128, u128)],
    family: Family,
    (state, with_bounds): (State, bool),
    uppers: &mut BTreeSet<Upper>,
) {
    let all_ports = [(1u128, u128::from(u16::MAX))];
    let sports = shapes(found, Atom::Sport, family, Some(protocol));
    let dports = shapes(found, Atom::Dport, family, Some(protocol));
    let mut wanted: BTreeSet<u128> = BTreeSet::new();
    for class in classes(&dports, ports, 0) {
        wanted.insert(class.value);
        if with_bounds {
            wanted.extend(class.spans.iter().flat_map(|(lo, hi)| [*lo, *hi]));
        }
    }
    for sport in values(&sports, &all_ports, EPHEMERAL) {
        for dport in &wanted {
            let (sport, dport) = (port(sport), port(*dport));
            let flags = match state {
                State::New | State::Related => SYN,
                State::Established | State::Invalid => ACK,
            };
            uppers.insert(match protocol {
                TCP => Upper::Tcp {
                    sport,
                    dport,
                    flags,
                },
                protocol => Upper::Ports {
                    protocol,
                    sport,
                    dport,
                },
            });
        }
    }
}

fn icmp(
    found: &Distinctions,
    types: &[(u128, u128)],
    family: Family,
    uppers: &mut BTreeSet<Upper>,
) {
    let shapes = shapes(found, Atom::IcmpType, family, Some(icmp_of(family)));
    for kind in values(&shapes, types, 0) {
        let kind = u8::try_from(kind).unwrap_or(u8::MAX);
        uppers.insert(Upper::Icmp { kind, code: 0 });
    }
}

/// Protocols of which nothing is known but the number.
fn others(found: &Distinctions, family: Family, uppers: &mut BTreeSet<Upper>) {
    let shapes = shapes(found, Atom::Protocol, family, None);
    let mut known: BTreeSet<u8> = WITH_PORTS.iter().map(|it| it.number()).collect();
    known.insert(icmp_of(family));
    let mut domain = Vec::new();
    let mut lo = 0u8;
    for protocol in known {
        if lo < protocol {
            domain.push((u128::from(lo), u128::from(protocol - 1)));
        }
        lo = protocol + 1;
    }
    domain.push((u128::from(lo), 255));
    for protocol in values(&shapes, &domain, 0) {
        uppers.insert(Upper::Other(u8::try_from(protocol).unwrap_or(u8::MAX)));
    }
}

fn icmp_of(family: Family) -> u8 {
    match family {
        Family::Ipv4 => 1,
        Family::Ipv6 => 58,
    }
}

fn port(value: u128) -> u16 {
    u16::try_from(value).unwrap_or(u16::MAX)
}
