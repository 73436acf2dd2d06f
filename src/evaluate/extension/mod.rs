//! Matches and targets of iptables, as the kernel's own `xt_*`, `ipt_*` and `ip6t_*` modules run them.
//!
//! Here: what each match says of a packet. What connection tracking knows is in `connection`, what an address is on the box in
//! `address`, and what targets do in `target`.

mod address;
mod connection;
mod target;

use std::net::IpAddr;

use super::choice::{Choice, Taken};
use super::effect::{go_on_if, not_known};
use super::environment::LOOPBACK;
use super::header::Load;
use super::machine::{Flow, Run};
use super::packet::Upper;
use super::view::RuleRef;
use crate::bytecode::PayloadBase;
use crate::bytecode::xtables::Match;

/// What a match says of a packet: `None` where that is not known.
type Says = Option<bool>;

impl Run<'_> {
    pub(super) fn matches(&mut self, it: &Match, rule: RuleRef) -> Flow {
        match self.says(it, rule) {
            Some(holds) => go_on_if(holds),
            None => not_known(),
        }
    }

    fn says(&mut self, it: &Match, rule: RuleRef) -> Says {
        Some(match it {
            Match::Comment(_) => true,
            Match::Connection(asked) => return self.connection_says(asked),
            Match::AddressType {
                source,
                destination,
                on_iif,
                on_oif,
            } => {
                let on = match (on_iif, on_oif) {
                    (true, _) => self.iif().map(str::to_owned),
                    (_, true) => self.oif().map(str::to_owned),
                    _ => None,
                };
                let mut holds = true;
                for ((mask, inverted), is_destination) in [(source, false), (destination, true)] {
                    if *mask != 0 {
                        let is_type = self.is_type(is_destination, *mask, on.as_deref())?;
                        holds &= is_type != *inverted;
                    }
                }
                holds
            }
            Match::Ports {
                source,
                destination,
                ranges,
                inverted,
            } => {
                let port = |at| self.transport(at, 2).and_then(number);
                let is_one = |port: u16| ranges.iter().any(|(lo, hi)| *lo <= port && port <= *hi);
                let mut found = false;
                for (asked, at) in [(source, 0), (destination, 2)] {
                    if *asked {
                        match port(at) {
                            Known::Missing => return Some(false),
                            Known::Unknown => return None,
                            Known::Is(port) => found |= is_one(port),
                        }
                    }
                }
                found != *inverted
            }
            Match::Transport {
                protocol,
                source,
                destination,
                flags: (mask, value, flags_turned),
            } => {
                if self.packet.protocol() != *protocol {
                    return Some(false);
                }
                let mut holds = true;
                for ((lo, hi, inverted), at) in [(source, 0), (destination, 2)] {
                    if (*lo, *hi) == (0, u16::MAX) {
                        holds &= !inverted;
                        continue;
                    }
                    let port = self.transport(at, 2).and_then(number).known()?;
                    holds &= (*lo <= port && port <= *hi) != *inverted;
                }
                if let Upper::Tcp { flags, .. } = self.packet.upper {
                    holds &= (flags & mask == *value) != *flags_turned;
                }
                holds
            }
            Match::Icmp {
                kind,
                code: (lo, hi),
                inverted,
            } => match self.packet.upper {
                Upper::Icmp { kind: is, code } => {
                    let fits = kind.is_none_or(|kind| kind == is && *lo <= code && code <= *hi);
                    fits != *inverted
                }
                _ => false,
            },
            Match::Mark {
                of_connection: true,
                ..
            } if self.connection().is_none() => false,
            Match::Mark {
                of_connection,
                mark,
                mask,
                inverted,
            } => {
                let is = if *of_connection {
                    self.packet.connection.mark
                } else {
                    self.packet.mark
                };
                (is & mask == *mark) != *inverted
            }
            Match::Remember => true,
            // As often as that is what a limit calls too often.
            Match::Often { inverted } => self.rate(rule) == *inverted,
            // Packets with such are not modelled.
            Match::Header => false,
            Match::Limit { inverted } => self.rate(rule) != *inverted,
            Match::Connections { inverted } => self.connections(rule) == *inverted,
            Match::Addresses {
                source,
                destination,
            } => {
                let mut holds = true;
                for (range, is_destination) in [(source, false), (destination, true)] {
                    if let Some((lo, hi, inverted)) = range {
                        let is = self.end_address(is_destination)?;
                        holds &= (*lo <= is && is <= *hi) != *inverted;
                    }
                }
                holds
            }
            Match::Ether { address, inverted } => {
                if self
                    .packet
                    .iif
                    .as_deref()
                    .is_none_or(|name| name == LOOPBACK)
                {
                    return Some(false);
                }
                let (source, _) = self.packet.ether?;
                (source == *address) != *inverted
            }
            Match::PacketType { kind, inverted } => {
                (u32::from(self.packet_kind()) == *kind) != *inverted
            }
            Match::Length { lo, hi, inverted } => {
                let length = self.packet.length;
                (*lo <= length && length <= *hi) != *inverted
            }
            Match::TrafficClass {
                mask,
                value,
                inverted,
            } => (self.packet.traffic_class & mask == *value) != *inverted,
            Match::Ttl { mode, value } => {
                let ttl = self.packet.ttl;
                match mode {
                    0 => ttl == *value,
                    1 => ttl != *value,
                    2 => ttl < *value,
                    _ => ttl > *value,
                }
            }
            Match::Chance {
                probability,
                inverted,
            } => {
                let hit = self.script.take(2) == 0;
                let of = 1 << 31;
                let number = if hit { *probability } else { of - probability };
                let taken = Taken::Chance { number, of };
                self.taken.push(Choice { rule, taken });
                hit != *inverted
            }
            Match::ReversePath {
                loose,
                accept_local,
                inverted,
            } => {
                let leads_back = self.leads_back(*loose, *accept_local)?;
                leads_back != *inverted
            }
        })
    }

    fn end_address(&self, destination: bool) -> Option<IpAddr> {
        match destination {
            true => self.destination_is_known.then_some(self.packet.destination),
            false => self.source_is_known.then_some(self.packet.source),
        }
    }

    fn transport(&self, at: usize, len: usize) -> Known<&[u8]> {
        match self.headers.load(PayloadBase::Transport, at, len) {
            Load::Bytes(bytes) => Known::Is(bytes),
            Load::Unknown => Known::Unknown,
            Load::Missing => Known::Missing,
        }
    }
}

/// What is read of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known<T> {
    Is(T),
    Unknown,
    Missing,
}

impl<T> Known<T> {
    fn and_then<U>(self, then: impl FnOnce(T) -> Option<U>) -> Known<U> {
        match self {
            Self::Is(value) => then(value).map_or(Known::Missing, Known::Is),
            Self::Unknown => Known::Unknown,
            Self::Missing => Known::Missing,
        }
    }

    fn known(self) -> Option<T> {
        match self {
            Self::Is(value) => Some(value),
            Self::Unknown | Self::Missing => None,
        }
    }
}

fn number(bytes: &[u8]) -> Option<u16> {
    bytes.try_into().ok().map(u16::from_be_bytes)
}
