//! Matches and targets of iptables, as the kernel's own `xt_*`, `ipt_*` and `ip6t_*` modules run them.

use std::net::IpAddr;

use super::choice::{Choice, Taken};
use super::effect::{go_on_if, not_known};
use super::environment::{AddressType, LOOPBACK};
use super::firewall::RuleRef;
use super::header::Load;
use super::machine::{Flow, Run, Tracking, translated};
use super::outcome::Answer;
use super::packet::{State, Upper};
use crate::bytecode::PayloadBase;
use crate::bytecode::xtables::{Connection, Masked, Match, Range, Target};
use crate::ruleset::Hook;

/// What a match says of a packet: `None` where that is not known.
type Says = Option<bool>;

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

    /// linux/net/netfilter/xt_conntrack.c, `conntrack_mt`
    fn connection_says(&self, asked: &Connection) -> Says {
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
    fn connection(&self) -> Option<&super::packet::Connection> {
        let connection = &self.packet.connection;
        let has_one = matches!(
            connection.state,
            State::New | State::Established | State::Related
        );
        (self.tracking == Tracking::Tracked && has_one).then_some(connection)
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

    /// linux/net/netfilter/xt_addrtype.c
    fn is_type(&self, destination: bool, mask: u16, on: Option<&str>) -> Says {
        const UNSPEC: u16 = 1;
        const UNICAST: u16 = 1 << 1;
        const LOCAL: u16 = 1 << 2;
        const MULTICAST: u16 = 1 << 5;
        const UNREACHABLE: u16 = 1 << 7;
        let address = self.end_address(destination)?;
        let is = self.environment.address_type(address, on);
        let IpAddr::V6(v6) = address else {
            return Some(mask & (1 << is.number()) != 0);
        };
        if mask & !(UNSPEC | UNICAST | LOCAL | MULTICAST | UNREACHABLE) != 0 {
            return None;
        }
        // Not one of them, as in IPv4, but all of them.
        let holds = (mask & MULTICAST == 0 || v6.is_multicast())
            && (mask & UNICAST == 0 || !(v6.is_multicast() || v6.is_unspecified()))
            && (mask & UNSPEC == 0 || v6.is_unspecified());
        if !holds || mask & (LOCAL | UNREACHABLE) == 0 {
            return Some(holds);
        }
        Some(match is {
            AddressType::Local => mask & LOCAL != 0,
            AddressType::Unreachable => mask & UNREACHABLE != 0,
            AddressType::Unicast | AddressType::Broadcast | AddressType::Multicast => false,
        })
    }

    /// linux/net/ipv4/netfilter/ipt_rpfilter.c, linux/net/ipv6/netfilter/ip6t_rpfilter.c
    fn leads_back(&self, loose: bool, accept_local: bool) -> Says {
        let Some(iif) = self.packet.iif.as_deref().filter(|name| *name != LOOPBACK) else {
            return Some(true);
        };
        let source = self.end_address(false)?;
        if let IpAddr::V6(v6) = source
            && v6.is_unspecified()
        {
            return Some(true);
        }
        if source.is_multicast() {
            return Some(false);
        }
        Some(match self.environment.address_type(source, None) {
            AddressType::Local => accept_local,
            AddressType::Broadcast | AddressType::Multicast | AddressType::Unreachable => false,
            AddressType::Unicast => {
                let on = (!loose).then_some(iif);
                self.environment.way(source, on).is_some()
            }
        })
    }

    pub(super) fn target(&mut self, it: &Target, rule: RuleRef) -> Flow {
        match it {
            Target::Nothing => Flow::Next,
            Target::Reject(code) => Flow::Reject(Answer::Icmp(*code)),
            Target::Reset => Flow::Reject(Answer::TcpReset),
            Target::Nat { destination, range } => {
                let (destination, range, flags) = match destination {
                    Some(destination) => (*destination, range, range.flags),
                    None => {
                        let is_early = matches!(self.hook, Hook::Prerouting | Hook::Output);
                        (is_early, range, range.flags | super::translate::NETMAP)
                    }
                };
                let Range { address, port, .. } = *range;
                translated(self.nat_to(rule, destination, address, port, flags))
            }
            Target::Masquerade(range) => {
                translated(self.masquerade_to(rule, range.port, range.flags))
            }
            Target::Redirect(range) => translated(self.redirect_to(rule, range.port)),
            Target::Mark { value, mask } => {
                self.packet.mark = (self.packet.mark & !mask) ^ value;
                Flow::Next
            }
            Target::ConnectionMark {
                mode,
                value,
                of_connection,
                of_packet,
            } => {
                if self.connection().is_none() {
                    return Flow::Next;
                }
                let (of_connection, of_packet) = (*of_connection, *of_packet);
                let packet = &mut self.packet;
                let connection = &mut packet.connection;
                match u32::from(*mode) {
                    0 => connection.mark = (connection.mark & !of_connection) ^ value,
                    1 => {
                        let new = packet.mark & of_packet;
                        connection.mark = (connection.mark & !of_connection) ^ new;
                    }
                    _ => {
                        let new = connection.mark & of_connection;
                        packet.mark = (packet.mark & !of_packet) ^ new;
                    }
                }
                Flow::Next
            }
            Target::Notrack => {
                if self.tracking == Tracking::NotYet {
                    self.tracking = Tracking::Untracked;
                }
                Flow::Next
            }
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
