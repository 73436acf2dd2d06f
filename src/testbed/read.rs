//! Bytes that the kernel has let go, read: which of the packets that were sent they are, or are an answer to.

use std::net::IpAddr;

use super::frame::{ACK, DCCP, ICMP, ICMPV6, RST, SCTP, TCP, UDPLITE};

/// What the kernel has made of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// The packet itself, as it is now.
    Itself {
        /// Where it comes from.
        source: IpAddr,
        /// Where it goes to.
        destination: IpAddr,
        /// Its ports, where it has some.
        ports: Option<(u16, u16)>,
    },
    /// A reset in answer to it.
    Reset,
    /// An error in answer to it, with this code: ICMP type 3, ICMPv6 type 1.
    Error(u8),
}

/// The number of the packet that bytes are, or are an answer to.
pub(super) fn read(bytes: &[u8]) -> Option<(u16, Read)> {
    let outer = header(bytes)?;
    let Header {
        source,
        destination,
        protocol,
        id,
        rest,
    } = outer;
    let kind = rest.first().copied();
    if (protocol, kind) == (ICMP, Some(3)) || (protocol, kind) == (ICMPV6, Some(1)) {
        // What it is about begins behind 8 bytes.
        // Answers are about packets that have numbers.
        let inner = rest.get(8..).and_then(header);
        if let Some(inner) = inner.filter(|inner| inner.id != 0) {
            return Some((inner.id, Read::Error(*rest.get(1)?)));
        }
    }
    let word = |at: usize| {
        rest.get(at..at + 2)?
            .try_into()
            .ok()
            .map(u16::from_be_bytes)
    };
    let number = |at: usize| {
        rest.get(at..at + 4)?
            .try_into()
            .ok()
            .map(u32::from_be_bytes)
    };
    if protocol == TCP && rest.get(13)? & RST != 0 {
        let flags = rest.get(13)?;
        // RFC 9293, 3.10.7.1: by what it acknowledges, or by what was acknowledged.
        let sequence = if flags & ACK == 0 {
            number(4)?
        } else {
            number(8)?.wrapping_sub(1)
        };
        return Some(((sequence >> 8) as u16, Read::Reset));
    }
    let has_ports = matches!(protocol, TCP | 17 | SCTP | DCCP | UDPLITE);
    let ports = word(0).zip(word(2)).filter(|_| has_ports);
    let read = Read::Itself {
        source,
        destination,
        ports,
    };
    Some((id, read))
}

/// The number of a packet, where it comes from and where it goes to.
pub(super) fn ends(bytes: &[u8]) -> Option<(u16, (IpAddr, IpAddr))> {
    let header = header(bytes)?;
    Some((header.id, (header.source, header.destination)))
}

struct Header<'a> {
    source: IpAddr,
    destination: IpAddr,
    protocol: u8,
    id: u16,
    rest: &'a [u8],
}

fn header(bytes: &[u8]) -> Option<Header<'_>> {
    let address = |from: usize, len: usize| -> Option<IpAddr> {
        let bytes = bytes.get(from..from + len)?;
        Some(match <[u8; 4]>::try_from(bytes) {
            Ok(v4) => v4.into(),
            Err(_) => <[u8; 16]>::try_from(bytes).ok()?.into(),
        })
    };
    let id = |at: usize| {
        bytes
            .get(at..at + 2)?
            .try_into()
            .ok()
            .map(u16::from_be_bytes)
    };
    match bytes.first()? >> 4 {
        4 => Some(Header {
            source: address(12, 4)?,
            destination: address(16, 4)?,
            protocol: *bytes.get(9)?,
            id: id(4)?,
            rest: bytes.get(usize::from(bytes.first()? & 15) * 4..)?,
        }),
        6 => Some(Header {
            source: address(8, 16)?,
            destination: address(24, 16)?,
            protocol: *bytes.get(6)?,
            id: id(2)?,
            rest: bytes.get(40..)?,
        }),
        _ => None,
    }
}
