//! What `-m conntrack` says of a packet's connection (linux/net/netfilter/xt_conntrack.c).

use std::net::IpAddr;

use super::super::machine::{Run, Tracking};
use super::super::packet::{self, State};
use super::Says;
use crate::bytecode::xtables::{Connection, Masked};

/// XT_CONNTRACK_STATE_* bits.
const SNAT: u16 = 64;
/// See [`SNAT`].
const DNAT: u16 = 128;
/// See [`SNAT`].
const UNTRACKED: u16 = 256;
/// `IPS_SRC_NAT`, `IPS_DST_NAT`
const STATUS_SNAT: u32 = 1 << 4;
/// See [`STATUS_SNAT`].
const STATUS_DNAT: u32 = 1 << 5;

impl Run<'_> {
    /// linux/net/netfilter/xt_conntrack.c, `conntrack_mt`
    pub(super) fn connection_says(&self, asked: &Connection) -> Says {
        let Connection {
            state,
            status,
            reply,
            protocol,
            source,
            destination,
            sport,
            dport,
        } = asked;
        let connection = self.connection();
        if let Some((mask, inverted)) = state {
            let bits = match (connection, self.tracking) {
                (Some(it), _) => {
                    let has = |bit: u32, is: u16| if it.status & bit != 0 { is } else { 0 };
                    it.state.bit() as u16 | has(STATUS_SNAT, SNAT) | has(STATUS_DNAT, DNAT)
                }
                (None, Tracking::Untracked) => UNTRACKED,
                (None, _) => State::Invalid.bit() as u16,
            };
            if (mask & bits != 0) == *inverted {
                return Some(false);
            }
        }
        let Some(connection) = connection else {
            return Some(state.is_some());
        };
        if reply.is_some_and(|reply| reply != connection.reply) {
            return Some(false);
        }
        let first = self.original;
        let ports = first.upper.ports();
        let asks_first =
            source.is_some() || destination.is_some() || sport.is_some() || dport.is_some();
        // Of an answer only that is known which it is one to.
        if asks_first && connection.reply {
            return None;
        }
        for (end, is) in [(source, first.source), (destination, first.destination)] {
            if let Some((masked, inverted)) = end
                && is_masked(is, masked) == *inverted
            {
                return Some(false);
            }
        }
        if let Some((protocol, inverted)) = protocol
            && (u16::from(first.protocol()) == *protocol) == *inverted
        {
            return Some(false);
        }
        for (end, is) in [
            (sport, ports.map(|(sport, _)| sport)),
            (dport, ports.map(|(_, dport)| dport)),
        ] {
            if let Some((lo, hi, inverted)) = end {
                let is = is?;
                if (*lo <= is && is <= *hi) == *inverted {
                    return Some(false);
                }
            }
        }
        if let Some((mask, inverted)) = status
            && (u32::from(*mask) & connection.status != 0) == *inverted
        {
            return Some(false);
        }
        Some(true)
    }

    /// The packet's connection, if it has one here.
    pub(super) fn connection(&self) -> Option<&packet::Connection> {
        let connection = &self.packet.connection;
        let has_one = matches!(
            connection.state,
            State::New | State::Established | State::Related
        );
        (self.tracking == Tracking::Tracked && has_one).then_some(connection)
    }
}

fn is_masked(is: IpAddr, masked: &Masked) -> bool {
    match (is, masked.address, masked.mask) {
        (IpAddr::V4(is), IpAddr::V4(address), IpAddr::V4(mask)) => {
            (u32::from(is) ^ u32::from(address)) & u32::from(mask) == 0
        }
        (IpAddr::V6(is), IpAddr::V6(address), IpAddr::V6(mask)) => {
            (u128::from(is) ^ u128::from(address)) & u128::from(mask) == 0
        }
        _ => false,
    }
}
