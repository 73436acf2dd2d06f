//! What `meta`, `ct` and `fib` load.

use std::net::IpAddr;

use rustables::sys;

use super::environment::LOOPBACK;
use super::machine::{Run, Tracking};
use super::packet::State;
use crate::bytecode::Register;
use crate::ruleset::Hook;

/// What a load came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loaded {
    /// A value, known or not, is in the register.
    Done,
    /// The packet has no such thing, and the rule ends.
    Missing,
    /// rfw does not know what that is.
    Strange(&'static str),
}

/// `IFNAMSIZ`
const NAME: usize = 16;
/// `ARPHRD_LOOPBACK` of linux/if_arp.h.
const ARPHRD_LOOPBACK: u16 = 772;
/// Nanoseconds.
const SECOND: u64 = 1_000_000_000;
/// Seconds.
const DAY: u64 = 86_400;
/// 1970-01-01 was a Thursday; the kernel counts from Sunday.
const FIRST_DAY: u64 = 4;

impl Run<'_> {
    /// The interface it came in by, as the hook tells it.
    pub(super) fn iif(&self) -> Option<&str> {
        match self.hook {
            Hook::Output => None,
            _ => self.packet.iif.as_deref(),
        }
    }

    /// The interface it goes out by, as the hook tells it.
    pub(super) fn oif(&self) -> Option<&str> {
        match self.hook {
            Hook::Forward | Hook::Output | Hook::Postrouting => self.packet.oif.as_deref(),
            Hook::Prerouting | Hook::Input | Hook::Other(_) => None,
        }
    }

    /// linux/net/netfilter/nft_meta.c
    pub(super) fn meta(&mut self, key: u32, to: Register) -> Loaded {
        match key {
            sys::NFT_META_IIFNAME => self.put_name(to, true),
            sys::NFT_META_OIFNAME => self.put_name(to, false),
            sys::NFT_META_IIF => self.put_index(to, true),
            sys::NFT_META_OIF => self.put_index(to, false),
            sys::NFT_META_NFPROTO => self.registers.put(to, &[self.packet.family()]),
            sys::NFT_META_L4PROTO => self.registers.put(to, &[self.packet.protocol()]),
            sys::NFT_META_PROTOCOL => {
                let kind: u16 = if self.packet.is_v6() { 0x86dd } else { 0x0800 };
                self.registers.put(to, &kind.to_be_bytes());
            }
            sys::NFT_META_LEN => self.registers.put_number(to, u32::from(self.packet.length)),
            sys::NFT_META_MARK => self.registers.put_number(to, self.packet.mark),
            sys::NFT_META_TIME_NS => self.registers.put(to, &self.packet.time.to_ne_bytes()),
            sys::NFT_META_TIME_HOUR => {
                let second = self.packet.time / SECOND % DAY;
                self.registers.put_number(to, second as u32);
            }
            sys::NFT_META_TIME_DAY => {
                let day = (self.packet.time / SECOND / DAY + FIRST_DAY) % 7;
                self.registers.put(to, &[day as u8]);
            }
            sys::NFT_META_IFTYPE | sys::NFT_META_OIFTYPE => {
                let name = if key == sys::NFT_META_IFTYPE {
                    self.iif()
                } else {
                    self.oif()
                };
                let Some(name) = name else {
                    return Loaded::Missing;
                };
                let known = self.environment.interface(name).and_then(|it| it.kind);
                let known = known.or((name == LOOPBACK).then_some(ARPHRD_LOOPBACK));
                match known {
                    Some(kind) => self.registers.put(to, &kind.to_ne_bytes()),
                    None => self.registers.forget(to, 2),
                }
            }
            sys::NFT_META_PKTTYPE => self.packet_type(to),
            sys::NFT_META_PRIORITY
            | sys::NFT_META_SKUID
            | sys::NFT_META_SKGID
            | sys::NFT_META_RTCLASSID
            | sys::NFT_META_CPU
            | sys::NFT_META_IIFGROUP
            | sys::NFT_META_OIFGROUP
            | sys::NFT_META_CGROUP
            | sys::NFT_META_PRANDOM
            | sys::NFT_META_SDIF => self.registers.forget(to, 4),
            sys::NFT_META_SECPATH => self.registers.forget(to, 1),
            sys::NFT_META_IIFKIND | sys::NFT_META_OIFKIND | sys::NFT_META_SDIFNAME => {
                self.registers.forget(to, NAME);
            }
            _ => return Loaded::Strange("meta"),
        }
        Loaded::Done
    }

    fn packet_type(&mut self, to: Register) {
        self.registers.put(to, &[self.packet_kind()]);
    }

    /// `PACKET_HOST` and so on of linux/if_packet.h. A packet of the box itself that is not for it counts as a host's.
    pub(super) fn packet_kind(&self) -> u8 {
        match self.packet.destination {
            IpAddr::V4(v4) if v4.is_broadcast() => 1,
            address if address.is_multicast() => 2,
            _ => 0,
        }
    }

    /// An empty name where there is no interface.
    fn put_name(&mut self, to: Register, incoming: bool) {
        let mut bytes = [0; NAME];
        let name = if incoming { self.iif() } else { self.oif() };
        let name = name.unwrap_or_default().as_bytes();
        for (place, byte) in bytes.iter_mut().zip(name) {
            *place = *byte;
        }
        self.registers.put(to, &bytes);
    }

    fn put_index(&mut self, to: Register, incoming: bool) {
        let name = if incoming { self.iif() } else { self.oif() };
        let index = name.map_or(0, |name| self.environment.index(name));
        self.registers.put_number(to, index);
    }

    /// linux/net/netfilter/nft_ct.c
    pub(super) fn ct(&mut self, key: u32, to: Register, reply: Option<bool>) -> Loaded {
        let connection = &self.packet.connection;
        let registers = &mut self.registers;
        if key == sys::NFT_CT_STATE {
            let state = match self.tracking {
                Tracking::NotYet => State::Invalid,
                Tracking::Untracked => State::Untracked,
                Tracking::Tracked => connection.state,
            };
            registers.put_number(to, state.bit());
            return Loaded::Done;
        }
        let has_one = matches!(
            connection.state,
            State::New | State::Established | State::Related
        );
        if self.tracking != Tracking::Tracked || !has_one {
            return Loaded::Missing;
        }
        match key {
            sys::NFT_CT_DIRECTION => registers.put(to, &[u8::from(connection.reply)]),
            sys::NFT_CT_STATUS => registers.put_number(to, connection.status),
            sys::NFT_CT_MARK => registers.put_number(to, connection.mark),
            sys::NFT_CT_LABELS => registers.put(to, &connection.labels.to_ne_bytes()),
            sys::NFT_CT_L3PROTOCOL => registers.put(to, &[self.packet.family()]),
            sys::NFT_CT_PROTOCOL => registers.put(to, &[self.packet.protocol()]),
            sys::NFT_CT_HELPER => {
                let Some(helper) = &connection.helper else {
                    return Loaded::Missing;
                };
                let mut name = [0; NAME];
                for (place, byte) in name.iter_mut().zip(helper.bytes()) {
                    *place = byte;
                }
                registers.put(to, &name);
            }
            sys::NFT_CT_SRC
            | sys::NFT_CT_DST
            | sys::NFT_CT_SRC_IP
            | sys::NFT_CT_SRC_IP6
            | sys::NFT_CT_DST_IP
            | sys::NFT_CT_DST_IP6
            | sys::NFT_CT_PROTO_SRC
            | sys::NFT_CT_PROTO_DST => return self.ct_tuple(key, to, reply),
            sys::NFT_CT_ZONE => registers.forget(to, 2),
            sys::NFT_CT_SECMARK | sys::NFT_CT_EXPIRATION | sys::NFT_CT_ID => {
                registers.forget(to, 4);
            }
            sys::NFT_CT_PKTS | sys::NFT_CT_BYTES | sys::NFT_CT_AVGPKT | sys::NFT_CT_EVENTMASK => {
                registers.forget(to, 8);
            }
            _ => return Loaded::Strange("ct"),
        }
        Loaded::Done
    }

    /// The connection as its first packet was; of an answer, and of how the answers will be, not enough is known.
    fn ct_tuple(&mut self, key: u32, to: Register, reply: Option<bool>) -> Loaded {
        let is_known = reply == Some(false) && !self.packet.connection.reply;
        let first = &self.original;
        let (address, port) = match key {
            sys::NFT_CT_SRC | sys::NFT_CT_SRC_IP | sys::NFT_CT_SRC_IP6 => {
                (Some(first.source), None)
            }
            sys::NFT_CT_DST | sys::NFT_CT_DST_IP | sys::NFT_CT_DST_IP6 => {
                (Some(first.destination), None)
            }
            sys::NFT_CT_PROTO_SRC => (None, first.upper.ports().map(|(sport, _)| sport)),
            _ => (None, first.upper.ports().map(|(_, dport)| dport)),
        };
        let needs = match key {
            sys::NFT_CT_SRC_IP | sys::NFT_CT_DST_IP => Some(false),
            sys::NFT_CT_SRC_IP6 | sys::NFT_CT_DST_IP6 => Some(true),
            _ => None,
        };
        if needs.is_some_and(|v6| v6 != first.is_v6()) {
            return Loaded::Missing;
        }
        match (address, port) {
            (Some(IpAddr::V4(v4)), _) if is_known => self.registers.put(to, &v4.octets()),
            (Some(IpAddr::V6(v6)), _) if is_known => self.registers.put(to, &v6.octets()),
            (None, Some(port)) if is_known => self.registers.put(to, &port.to_be_bytes()),
            (Some(_), _) => self.registers.forget(to, 16),
            _ => self.registers.forget(to, 2),
        }
        Loaded::Done
    }

    /// linux/net/ipv4/netfilter/nft_fib_ipv4.c and its sibling for IPv6.
    pub(super) fn fib(&mut self, to: Register, result: u32, flags: u32) -> Loaded {
        let wants = |flag| flags & flag != 0;
        let (address, is_known) = if wants(sys::NFTA_FIB_F_SADDR) {
            (self.packet.source, self.source_is_known)
        } else {
            (self.packet.destination, self.destination_is_known)
        };
        let on = if wants(sys::NFTA_FIB_F_IIF) {
            self.iif()
        } else if wants(sys::NFTA_FIB_F_OIF) {
            self.oif()
        } else {
            None
        };
        let on = on.map(str::to_owned);
        let on = on.as_deref();
        if !is_known {
            self.registers.forget(to, NAME);
            return Loaded::Done;
        }
        if result == sys::NFT_FIB_RESULT_ADDRTYPE {
            let kind = self.environment.address_type(address, on);
            self.registers.put_number(to, kind.number());
            return Loaded::Done;
        }
        let environment = self.environment;
        let oif = match on {
            Some(LOOPBACK) => on,
            _ => environment.way(address, on),
        };
        let oif = oif.map(str::to_owned);
        if wants(sys::NFTA_FIB_F_PRESENT) {
            self.registers.put(to, &[u8::from(oif.is_some())]);
            return Loaded::Done;
        }
        match (result, oif) {
            (sys::NFT_FIB_RESULT_OIF, None) => self.registers.put_number(to, 0),
            (sys::NFT_FIB_RESULT_OIF, Some(name)) => {
                self.registers.put_number(to, environment.index(&name));
            }
            (sys::NFT_FIB_RESULT_OIFNAME, name) => {
                let mut bytes = [0; NAME];
                for (place, byte) in bytes.iter_mut().zip(name.unwrap_or_default().bytes()) {
                    *place = byte;
                }
                self.registers.put(to, &bytes);
            }
            _ => return Loaded::Strange("fib"),
        }
        Loaded::Done
    }
}
