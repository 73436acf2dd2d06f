//! Which packets are sent before another one, so that connection tracking calls it what it shall be called.
//!
//! Not here: how they are written, which is `frame`'s.

use super::frame::{ACK, DCCP, SCTP, SYN};
use crate::evaluate::{Connection, Packet, State, Upper};

/// The packets that make a connection of which `packet` is a part, or about which it is. `None` where nothing can be made so.
pub(super) fn opening(packet: &Packet) -> Option<Vec<Packet>> {
    if packet.connection.state == State::Related {
        return about(packet).map(|about| vec![about]);
    }
    let mut turned = packet.clone();
    std::mem::swap(&mut turned.source, &mut turned.destination);
    std::mem::swap(&mut turned.iif, &mut turned.oif);
    let with = |packet: &Packet, upper: Upper| {
        let mut packet = packet.clone();
        packet.upper = upper;
        packet
    };
    Some(match packet.upper {
        Upper::Tcp { sport, dport, .. } => {
            let flags = |sport, dport, flags| Upper::Tcp {
                sport,
                dport,
                flags,
            };
            vec![
                with(packet, flags(sport, dport, SYN)),
                with(&turned, flags(dport, sport, SYN | ACK)),
                with(packet, flags(sport, dport, ACK)),
            ]
        }
        Upper::Ports {
            protocol: SCTP | DCCP,
            ..
        } => return None,
        Upper::Ports {
            protocol,
            sport,
            dport,
        } => {
            let back = Upper::Ports {
                protocol,
                sport: dport,
                dport: sport,
            };
            vec![packet.clone(), with(&turned, back)]
        }
        Upper::Icmp { kind, code } => {
            let v6 = packet.is_v6();
            let (request, reply) = if v6 { (128, 129) } else { (8, 0) };
            let echo = |kind| Upper::Icmp { kind, code };
            match kind {
                kind if kind == request => {
                    vec![packet.clone(), with(&turned, echo(reply))]
                }
                kind if kind == reply => vec![with(&turned, echo(request))],
                _ => return None,
            }
        }
        Upper::Other(_) => vec![packet.clone(), turned],
    })
}

/// The packet that an error is about, if it is one that announces itself so: one that goes back where the error comes from.
pub(super) fn about(packet: &Packet) -> Option<Packet> {
    let Upper::Icmp { kind, code: _ } = packet.upper else {
        return None;
    };
    // Those that name a packet (RFC 792: unreachable, quench, redirect, time, parameter; RFC 4443: below 128).
    let names = match packet.is_v6() {
        true => kind < 128,
        false => matches!(kind, 3 | 4 | 5 | 11 | 12),
    };
    let is_related = packet.connection.state == State::Related;
    (is_related && names).then(|| Packet {
        iif: packet.oif.clone(),
        oif: packet.iif.clone(),
        connection: Connection::default(),
        ..Packet::new(
            packet.destination,
            packet.source,
            Upper::udp(40_000, 33_434),
        )
    })
}
