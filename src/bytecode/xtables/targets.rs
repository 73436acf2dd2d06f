//! What a target of iptables does.

use std::net::IpAddr;

use super::info::{IPV6, Info};

/// A target whose meaning is certain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Logs, or changes what no rule sees; the packet goes on.
    Nothing,
    /// `REJECT` with an ICMP error of the packet's family, by its code (type 3, or ICMPv6 type 1).
    Reject(u8),
    /// `REJECT --reject-with tcp-reset`
    Reset,
    /// `DNAT`, `SNAT`, `NETMAP`
    Nat {
        /// Whether the destination is rewritten; `None` for `NETMAP`, which rewrites what the hook is for.
        destination: Option<bool>,
        /// To what.
        range: Range,
    },
    /// `MASQUERADE`
    Masquerade(Range),
    /// `REDIRECT`
    Redirect(Range),
    /// `MARK`: `mark = (mark & !mask) ^ value`
    Mark {
        /// Turned.
        value: u32,
        /// Taken away.
        mask: u32,
    },
    /// `CONNMARK`, without shifts.
    ConnectionMark {
        /// `XT_CONNMARK_*`: 0 set, 1 save the packet's, 2 restore it.
        mode: u8,
        /// What is set.
        value: u32,
        /// Of the connection's mark.
        of_connection: u32,
        /// Of the packet's mark.
        of_packet: u32,
    },
    /// `CT --notrack`, `NOTRACK`
    Notrack,
}

/// `struct nf_nat_range2`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// Bounds of the address, if there is a new one.
    pub address: Option<(IpAddr, IpAddr)>,
    /// Bounds of the port, if there is a new one.
    pub port: Option<(u16, u16)>,
    /// `NF_NAT_RANGE_*` without those two bits.
    pub flags: u32,
}

/// `NF_NAT_RANGE_MAP_IPS`, `NF_NAT_RANGE_PROTO_SPECIFIED` of linux/netfilter/nf_nat.h.
const MAP_IPS: u32 = 1;
/// See [`MAP_IPS`].
const PROTO_SPECIFIED: u32 = 2;

pub(super) fn read(name: &str, revision: u32, family: u8, info: Info<'_>) -> Option<Target> {
    let v6 = family == IPV6;
    Some(match (name, revision) {
        // Nothing of it is seen by a rule, or what is seen counts as unknown anyway (`meta priority`).
        (
            "LOG" | "NFLOG" | "ULOG" | "AUDIT" | "TRACE" | "TCPMSS" | "CHECKSUM" | "CLASSIFY"
            | "IDLETIMER" | "LED" | "RATEEST" | "SECMARK" | "CONNSECMARK" | "TEE" | "TCPOPTSTRIP",
            _,
        ) => Target::Nothing,
        ("REJECT", 0) => reject(v6, info.u32(0)?)?,
        ("MASQUERADE", 0) => Target::Masquerade(range(v6, info)?),
        ("REDIRECT", 0) => Target::Redirect(range(v6, info)?),
        ("NETMAP", 0) => Target::Nat {
            destination: None,
            range: range(v6, info)?,
        },
        ("DNAT" | "SNAT", 0..=2) => Target::Nat {
            destination: Some(name == "DNAT"),
            range: match revision {
                0 => range(false, info)?,
                _ => range_of(family, info)?,
            },
        },
        ("MARK", 2) => Target::Mark {
            value: info.u32(0)?,
            mask: info.u32(4)?,
        },
        ("CONNMARK", 1 | 2) => connmark(revision, info)?,
        ("CT", 0..=2) => conntrack(info)?,
        ("NOTRACK", 0) => Target::Notrack,
        _ => return None,
    })
}

/// `enum ipt_reject_with`, `enum ip6t_reject_with`
fn reject(v6: bool, with: u32) -> Option<Target> {
    let code = match (v6, with) {
        (false, 7) | (true, 6) => return Some(Target::Reset),
        (false, code @ 0..=3) => code as u8,
        (false, 5) => 9,
        (false, 6) => 10,
        (false, 8) => 13,
        (true, code @ 0..=4) => code as u8,
        (true, 7) => 5,
        (true, 8) => 6,
        _ => return None,
    };
    Some(Target::Reject(code))
}

/// `struct nf_nat_ipv4_multi_range_compat` with its one range, or for IPv6 `struct nf_nat_range`.
fn range(v6: bool, info: Info<'_>) -> Option<Range> {
    if v6 {
        return range_of(IPV6, info);
    }
    if info.u32(0)? != 1 {
        return None;
    }
    let flags = info.u32(4)?;
    let address = (info.v4(8)?.into(), info.v4(12)?.into());
    let port = (info.port(16)?, info.port(18)?);
    Some(put(flags, address, port))
}

/// `struct nf_nat_range`, and the beginning of `struct nf_nat_range2`.
fn range_of(family: u8, info: Info<'_>) -> Option<Range> {
    let flags = info.u32(0)?;
    let address = (info.address(4, family)?, info.address(20, family)?);
    let port = (info.port(36)?, info.port(38)?);
    Some(put(flags, address, port))
}

fn put(flags: u32, address: (IpAddr, IpAddr), port: (u16, u16)) -> Range {
    Range {
        address: (flags & MAP_IPS != 0).then_some(address),
        port: (flags & PROTO_SPECIFIED != 0).then_some(port),
        flags: flags & !(MAP_IPS | PROTO_SPECIFIED),
    }
}

/// `struct xt_connmark_tginfo1`; the second form has the direction and the number of a shift before the mode.
fn connmark(revision: u32, info: Info<'_>) -> Option<Target> {
    let (shift, mode) = match revision {
        1 => (0, info.u8(12)?),
        _ => (info.u8(13)?, info.u8(14)?),
    };
    if shift != 0 || mode > 2 {
        return None;
    }
    Some(Target::ConnectionMark {
        mode,
        value: info.u32(0)?,
        of_connection: info.u32(4)?,
        of_packet: info.u32(8)?,
    })
}

/// `struct xt_ct_target_info`: another zone makes other connections.
fn conntrack(info: Info<'_>) -> Option<Target> {
    let (flags, zone) = (info.u16(0)?, info.u16(2)?);
    if flags & 1 != 0 {
        return Some(Target::Notrack);
    }
    (zone == 0 && flags == 0).then_some(Target::Nothing)
}
