//! What a match of iptables matches.

use std::net::IpAddr;

use super::info::{IPV6, Info};
use super::{Masked, text};

/// A match whose meaning is certain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Match {
    /// `comment`: always.
    Comment(String),
    /// `conntrack`, `state`
    Connection(Box<Connection>),
    /// `addrtype`: bit n of a mask is the type n of `RTN_*`; 0 asks nothing.
    AddressType {
        /// Types of the source address, and whether it must be none of them.
        source: (u16, bool),
        /// Types of the destination address, likewise.
        destination: (u16, bool),
        /// As the interface that it came in by sees them.
        on_iif: bool,
        /// As the interface that it leaves by sees them.
        on_oif: bool,
    },
    /// `multiport`
    Ports {
        /// Whether the source port may be it.
        source: bool,
        /// Whether the destination port may be it.
        destination: bool,
        /// Bounds, inclusive.
        ranges: Vec<(u16, u16)>,
        /// `!`
        inverted: bool,
    },
    /// `tcp`, `udp`: bounds of both ports, inclusive, and whether they must not be in them.
    Transport {
        /// The protocol number.
        protocol: u8,
        /// Source port.
        source: (u16, u16, bool),
        /// Destination port.
        destination: (u16, u16, bool),
        /// Of TCP: mask, value, and whether it must be another value.
        flags: (u8, u8, bool),
    },
    /// `icmp`, `icmp6`
    Icmp {
        /// The type; `None` for any.
        kind: Option<u8>,
        /// Bounds of the code, inclusive.
        code: (u8, u8),
        /// `!`
        inverted: bool,
    },
    /// `mark`, `connmark`
    Mark {
        /// Whether it is that of the connection.
        of_connection: bool,
        /// What the bits must be.
        mark: u32,
        /// Which bits.
        mask: u32,
        /// `!`
        inverted: bool,
    },
    /// `limit`, `hashlimit`
    Limit {
        /// Above the limit instead of within it.
        inverted: bool,
    },
    /// `connlimit`
    Connections {
        /// Within the number instead of above it.
        inverted: bool,
    },
    /// `iprange`: bounds, inclusive, and whether it must be outside.
    Addresses {
        /// Of the source.
        source: Option<(IpAddr, IpAddr, bool)>,
        /// Of the destination.
        destination: Option<(IpAddr, IpAddr, bool)>,
    },
    /// `mac`: the source.
    Ether {
        /// The address.
        address: [u8; 6],
        /// `!`
        inverted: bool,
    },
    /// `pkttype`: `PACKET_*` of linux/if_packet.h.
    PacketType {
        /// The type.
        kind: u32,
        /// `!`
        inverted: bool,
    },
    /// `length`: bounds, inclusive.
    Length {
        /// Lowest.
        lo: u16,
        /// Greatest.
        hi: u16,
        /// `!`
        inverted: bool,
    },
    /// `dscp`, `tos`: bits of the traffic class.
    TrafficClass {
        /// Which bits.
        mask: u8,
        /// What they must be.
        value: u8,
        /// `!`
        inverted: bool,
    },
    /// `ttl`, `hl`
    Ttl {
        /// `IPT_TTL_*`: 0 equal, 1 not equal, 2 less, 3 greater.
        mode: u8,
        /// The value.
        value: u8,
    },
    /// `statistic --mode random`
    Chance {
        /// Of 2^31.
        probability: u32,
        /// `!`
        inverted: bool,
    },
    /// `recent --set`: always.
    Remember,
    /// `recent --update` or `--rcheck` with a number of hits: whether there were so many.
    Often {
        /// `!`
        inverted: bool,
    },
    /// An extension header of IPv6: whether the packet has one.
    Header,
    /// `rpfilter`: whether the interface leads back to the source.
    ReversePath {
        /// Any interface is good enough.
        loose: bool,
        /// Local addresses are sources, too.
        accept_local: bool,
        /// `!`
        inverted: bool,
    },
}

/// What is asked of a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Connection {
    /// Bits: 1 invalid, 2 established, 4 related, 8 new, 64 snat, 128 dnat, 256 untracked; and whether it must be none of them.
    pub state: Option<(u16, bool)>,
    /// `IPS_*` bits, likewise.
    pub status: Option<(u16, bool)>,
    /// Whether the packet is an answer.
    pub reply: Option<bool>,
    /// The protocol number, and whether it must be another.
    pub protocol: Option<(u16, bool)>,
    /// The source of the first packet, likewise.
    pub source: Option<(Masked, bool)>,
    /// Its destination.
    pub destination: Option<(Masked, bool)>,
    /// Bounds of its source port, inclusive.
    pub sport: Option<(u16, u16, bool)>,
    /// Bounds of its destination port, inclusive.
    pub dport: Option<(u16, u16, bool)>,
}

pub(super) fn read(name: &str, revision: u32, family: u8, info: Info<'_>) -> Option<Match> {
    Some(match (name, revision) {
        ("comment", 0) => Match::Comment(text(info.slice(0, 256)?)),
        ("conntrack", 2 | 3) => Match::Connection(Box::new(conntrack(revision, family, info)?)),
        ("state", 0) => Match::Connection(Box::new(state(info)?)),
        ("addrtype", 1) => address_type(info)?,
        ("multiport", 1) => multiport(info)?,
        ("tcp", 0) => tcp(info)?,
        ("udp", 0) => udp(info)?,
        ("icmp", 0) => icmp(info, 0xff)?,
        ("icmp6", 0) => icmp(info, 0)?,
        ("mark" | "connmark", 1) => Match::Mark {
            of_connection: name == "connmark",
            mark: info.u32(0)?,
            mask: info.u32(4)?,
            inverted: info.u8(8)? != 0,
        },
        ("limit", 0) => Match::Limit { inverted: false },
        ("hashlimit", 3) => hashlimit(info)?,
        ("connlimit", 1) => Match::Connections {
            inverted: info.u32(20)? & 1 != 0,
        },
        ("iprange", 1) => iprange(family, info)?,
        ("mac", 0) => Match::Ether {
            address: info.slice(0, 6)?.try_into().ok()?,
            inverted: info.u32(8)? != 0,
        },
        ("pkttype", 0) => Match::PacketType {
            kind: info.u32(0)?,
            inverted: info.u32(4)? != 0,
        },
        ("length", 0) => Match::Length {
            lo: info.u16(0)?,
            hi: info.u16(2)?,
            inverted: info.u8(4)? != 0,
        },
        // DSCP are the upper 6 bits.
        ("dscp", 0) => Match::TrafficClass {
            mask: 0xfc,
            value: info.u8(0)?.checked_mul(4)?,
            inverted: info.u8(1)? != 0,
        },
        ("tos", 1) => Match::TrafficClass {
            mask: info.u8(0)?,
            value: info.u8(1)?,
            inverted: info.u8(2)? != 0,
        },
        ("ttl" | "hl", 0) => Match::Ttl {
            mode: info.u8(0).filter(|mode| *mode <= 3)?,
            value: info.u8(1)?,
        },
        ("statistic", 0) => statistic(info)?,
        ("rpfilter", 0) => reverse_path(info)?,
        ("recent", 0 | 1) => recent(info)?,
        ("rt" | "frag" | "hbh" | "dst", 0) if family == IPV6 => Match::Header,
        ("ah", 0) if family == IPV6 => Match::Header,
        _ => return None,
    })
}

/// `struct xt_conntrack_mtinfo3`; revision 2 has its ports in the order of packets and no bounds of them.
fn conntrack(revision: u32, family: u8, info: Info<'_>) -> Option<Connection> {
    const STATE: u16 = 1;
    const PROTO: u16 = 1 << 1;
    const ORIGSRC: u16 = 1 << 2;
    const ORIGDST: u16 = 1 << 3;
    const STATUS: u16 = 1 << 6;
    const ORIGSRC_PORT: u16 = 1 << 8;
    const ORIGDST_PORT: u16 = 1 << 9;
    const DIRECTION: u16 = 1 << 12;
    const STATE_ALIAS: u16 = 1 << 13;
    const KNOWN: u16 = STATE
        | PROTO
        | ORIGSRC
        | ORIGDST
        | STATUS
        | ORIGSRC_PORT
        | ORIGDST_PORT
        | DIRECTION
        | STATE_ALIAS;
    let (asked, inverted) = (info.u16(146)?, info.u16(148)?);
    let has = |flag: u16| asked & flag != 0;
    let turned = |flag: u16| inverted & flag != 0;
    if asked & !KNOWN != 0 || (revision != 3 && (has(ORIGSRC_PORT) || has(ORIGDST_PORT))) {
        return None;
    }
    let masked = |flag: u16, at: usize| -> Option<Option<(Masked, bool)>> {
        if !has(flag) {
            return Some(None);
        }
        let address = info.address(at, family)?;
        let mask = info.address(at + 16, family)?;
        Some(Some((Masked { address, mask }, turned(flag))))
    };
    let ports = |flag: u16, lo: usize, hi: usize| -> Option<Option<(u16, u16, bool)>> {
        if !has(flag) {
            return Some(None);
        }
        Some(Some((info.u16(lo)?, info.u16(hi)?, turned(flag))))
    };
    Some(Connection {
        state: has(STATE).then_some((info.u16(150)?, turned(STATE))),
        status: has(STATUS).then_some((info.u16(152)?, turned(STATUS))),
        reply: has(DIRECTION).then_some(turned(DIRECTION)),
        protocol: has(PROTO).then_some((info.u16(136)?, turned(PROTO))),
        source: masked(ORIGSRC, 0)?,
        destination: masked(ORIGDST, 32)?,
        sport: ports(ORIGSRC_PORT, 138, 154)?,
        dport: ports(ORIGDST_PORT, 140, 156)?,
    })
}

/// `struct xt_state_info`: the bit of untracked packets is another one here.
fn state(info: Info<'_>) -> Option<Connection> {
    let mask = info.u32(0)?;
    let untracked = if mask & 64 != 0 { 256 } else { 0 };
    Some(Connection {
        state: Some(((mask & 15) as u16 | untracked, false)),
        ..Connection::default()
    })
}

/// `struct xt_addrtype_info_v1`
fn address_type(info: Info<'_>) -> Option<Match> {
    let flags = info.u32(4)?;
    if flags & !15 != 0 {
        return None;
    }
    Some(Match::AddressType {
        source: (info.u16(0)?, flags & 1 != 0),
        destination: (info.u16(2)?, flags & 2 != 0),
        on_iif: flags & 4 != 0,
        on_oif: flags & 8 != 0,
    })
}

/// `struct xt_multiport_v1`
fn multiport(info: Info<'_>) -> Option<Match> {
    let which = info.u8(0).filter(|which| *which <= 2)?;
    let count = info.u8(1).filter(|count| *count <= 15)?;
    let mut ranges = Vec::new();
    let mut at = 0;
    while at < usize::from(count) {
        let lo = info.u16(2 + 2 * at)?;
        let mut hi = lo;
        if info.u8(32 + at)? != 0 {
            at += 1;
            hi = info.u16(2 + 2 * at).filter(|_| at < 15)?;
        }
        ranges.push((lo, hi));
        at += 1;
    }
    Some(Match::Ports {
        source: which != 1,
        destination: which != 0,
        ranges,
        inverted: info.u8(47)? != 0,
    })
}

/// `struct xt_tcp`
fn tcp(info: Info<'_>) -> Option<Match> {
    let (option, turned) = (info.u8(8)?, info.u8(11)?);
    if option != 0 || turned & !7 != 0 {
        return None;
    }
    Some(Match::Transport {
        protocol: 6,
        source: (info.u16(0)?, info.u16(2)?, turned & 1 != 0),
        destination: (info.u16(4)?, info.u16(6)?, turned & 2 != 0),
        flags: (info.u8(9)?, info.u8(10)?, turned & 4 != 0),
    })
}

/// `struct xt_udp`
fn udp(info: Info<'_>) -> Option<Match> {
    let turned = info.u8(8).filter(|turned| turned & !3 == 0)?;
    Some(Match::Transport {
        protocol: 17,
        source: (info.u16(0)?, info.u16(2)?, turned & 1 != 0),
        destination: (info.u16(4)?, info.u16(6)?, turned & 2 != 0),
        flags: (0, 0, false),
    })
}

/// `struct ipt_icmp`, `struct ip6t_icmp`; `any` is the type that stands for all.
fn icmp(info: Info<'_>, any: u8) -> Option<Match> {
    let kind = info.u8(0)?;
    Some(Match::Icmp {
        // ICMPv6 has no such type.
        kind: (any == 0 || kind != any).then_some(kind),
        code: (info.u8(1)?, info.u8(2)?),
        inverted: info.u8(3)? & 1 != 0,
    })
}

/// `struct xt_recent_mtinfo`. Whether an address is in a list, whoever put it there, is nothing that rules tell.
fn recent(info: Info<'_>) -> Option<Match> {
    const CHECK: u8 = 1;
    const SET: u8 = 2;
    const UPDATE: u8 = 4;
    let (hits, what, inverted) = (info.u32(4)?, info.u8(8)?, info.u8(9)? != 0);
    match what & !(1 << 4 | 1 << 5) {
        SET if !inverted => Some(Match::Remember),
        CHECK | UPDATE if hits > 1 => Some(Match::Often { inverted }),
        _ => None,
    }
}

/// `struct xt_hashlimit_mtinfo3`: a name of 255 bytes, then the configuration.
fn hashlimit(info: Info<'_>) -> Option<Match> {
    /// `XT_HASHLIMIT_INVERT`
    const INVERT: u32 = 1 << 4;
    Some(Match::Limit {
        inverted: info.u32(272)? & INVERT != 0,
    })
}

/// `struct xt_iprange_mtinfo`
fn iprange(family: u8, info: Info<'_>) -> Option<Match> {
    let flags = info.u8(64)?;
    let range = |on: u8, turned: u8, at: usize| -> Option<Option<(IpAddr, IpAddr, bool)>> {
        if flags & on == 0 {
            return Some(None);
        }
        let lo = info.address(at, family)?;
        let hi = info.address(at + 16, family)?;
        Some(Some((lo, hi, flags & turned != 0)))
    };
    Some(Match::Addresses {
        source: range(1, 1 << 4, 0)?,
        destination: range(2, 1 << 5, 32)?,
    })
}

/// `struct xt_statistic_info`
fn statistic(info: Info<'_>) -> Option<Match> {
    let (mode, flags) = (info.u16(0)?, info.u16(2)?);
    (mode == 0).then_some(Match::Chance {
        probability: info.u32(4)?,
        inverted: flags & 1 != 0,
    })
}

/// `struct xt_rpfilter_info`
fn reverse_path(info: Info<'_>) -> Option<Match> {
    let flags = info.u8(0)?;
    // Which route a mark leads to is not followed.
    (flags & !15 == 0 && flags & 2 == 0).then_some(Match::ReversePath {
        loose: flags & 1 != 0,
        accept_local: flags & 4 != 0,
        inverted: flags & 8 != 0,
    })
}
