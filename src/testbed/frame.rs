//! Packets as bytes: made of what the evaluator knows of one, and read again when the kernel has done something with it.
//!
//! Each carries a number by which it is known again, whatever is translated: the identification of IPv4, the flow label of
//! IPv6; and in TCP the sequence and acknowledgement numbers, from which a reset takes its own.

use std::net::IpAddr;

use crate::evaluate::{Connection, Packet, State, Upper};

/// TCP flags.
const SYN: u8 = 2;
const RST: u8 = 4;
const ACK: u8 = 16;
const TCP: u8 = 6;
const SCTP: u8 = 132;
const DCCP: u8 = 33;
const UDPLITE: u8 = 136;
const ICMP: u8 = 1;
const ICMPV6: u8 = 58;

/// What is in a packet beside what the evaluator knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Details {
    /// The number.
    pub(super) id: u16,
    /// The identifier of an echo.
    pub(super) echo: u16,
    /// The checksum of TCP, UDP or ICMP is wrong.
    pub(super) damaged: bool,
}

/// A packet as bytes, from its IP header on (RFC 791, RFC 8200); `None` for one that cannot be made: extension headers of IPv6
/// are no protocols.
pub(super) fn bytes(packet: &Packet, details: Details) -> Option<Vec<u8>> {
    let Details { id, echo, damaged } = details;
    let v6 = packet.is_v6();
    let protocol = packet.protocol();
    // Hop-by-hop options, routing, fragment, authentication, destination options, mobility, HIP, shim6.
    if v6 && matches!(protocol, 0 | 43 | 44 | 51 | 60 | 135 | 139 | 140) {
        return None;
    }
    let header = if v6 { 40 } else { 20 };
    let room = usize::from(packet.length).saturating_sub(header);
    let (mut body, sum_at) = match about(packet) {
        Some(about) => (
            error(packet, &about)?,
            Some(Sum {
                at: 2,
                over: usize::MAX,
            }),
        ),
        None => upper(packet, id, echo, room),
    };
    let addresses = match (packet.source, packet.destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            [source.octets(), destination.octets()].concat()
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            [source.octets(), destination.octets()].concat()
        }
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return None,
    };
    let length = u16::try_from(body.len()).ok()?;
    let mut pseudo = addresses.clone();
    pseudo.extend_from_slice(&[0, protocol]);
    pseudo.extend_from_slice(&length.to_be_bytes());
    if let Some(Sum { at, over }) = sum_at {
        let pseudo: &[u8] = if protocol == ICMP { &[] } else { &pseudo };
        let summed = [pseudo, body.get(..over.min(body.len()))?].concat();
        let sum = checksum(&summed) ^ u16::from(damaged);
        // In UDP, 0 is none.
        let sum = if sum == 0 { u16::MAX } else { sum };
        body.get_mut(at..at + 2)?
            .copy_from_slice(&sum.to_be_bytes());
    }
    if matches!(packet.upper, Upper::Other(_)) || matches!(protocol, DCCP | UDPLITE) {
        // The kernel answers what it rejects only if it is whole (nf_reject_verify_csum), and where it does not know the
        // protocol it takes all of it for what has a checksum: with the pseudo header in IPv6, without in IPv4.
        let pseudo: &[u8] = if v6 { &pseudo } else { &[] };
        let sum = checksum(&[pseudo, &body].concat());
        let end = body.len();
        body.get_mut(end - 2..end)?
            .copy_from_slice(&sum.to_be_bytes());
    }
    if protocol == SCTP {
        let sum = crc32c(&body).to_le_bytes();
        body.get_mut(8..12)?.copy_from_slice(&sum);
    }
    let class = packet.traffic_class;
    let mut bytes = if v6 {
        let mut header = vec![0x60 | class >> 4, class << 4];
        header.extend_from_slice(&id.to_be_bytes());
        header.extend_from_slice(&length.to_be_bytes());
        header.extend_from_slice(&[protocol, packet.ttl]);
        header
    } else {
        let mut header = vec![0x45, class];
        header.extend_from_slice(&(length + 20).to_be_bytes());
        header.extend_from_slice(&id.to_be_bytes());
        header.extend_from_slice(&[0x40, 0, packet.ttl, protocol, 0, 0]);
        header
    };
    bytes.extend_from_slice(&addresses);
    if !v6 {
        let sum = checksum(&bytes).to_be_bytes();
        bytes.get_mut(10..12)?.copy_from_slice(&sum);
    }
    bytes.extend_from_slice(&body);
    Some(bytes)
}

/// Where a checksum stands, and how many bytes it is over.
struct Sum {
    at: usize,
    over: usize,
}

/// What is behind the IP header, `room` bytes of it where it can be, and its checksum.
fn upper(packet: &Packet, id: u16, echo: u16, room: usize) -> (Vec<u8>, Option<Sum>) {
    let over_all = |at| {
        let over = usize::MAX;
        Some(Sum { at, over })
    };
    let mut body = Vec::new();
    let ports = |body: &mut Vec<u8>, sport: u16, dport: u16| {
        body.extend_from_slice(&sport.to_be_bytes());
        body.extend_from_slice(&dport.to_be_bytes());
    };
    match packet.upper {
        // RFC 9293: as many words of no operation as fit; no data, which a reset would count.
        Upper::Tcp {
            sport,
            dport,
            flags,
        } => {
            ports(&mut body, sport, dport);
            let sequence = u32::from(id) << 8;
            let acknowledged = if flags & ACK == 0 { 0 } else { sequence };
            body.extend_from_slice(&sequence.to_be_bytes());
            body.extend_from_slice(&acknowledged.to_be_bytes());
            let words = (room / 4).clamp(5, 15);
            body.extend_from_slice(&[(words as u8) << 4, flags, 16, 0, 0, 0, 0, 0]);
            body.resize(words * 4, 1);
            (body, over_all(16))
        }
        // RFC 4960: an association begins.
        Upper::Ports {
            protocol: SCTP,
            sport,
            dport,
        } => {
            ports(&mut body, sport, dport);
            body.extend_from_slice(&[0; 8]);
            body.extend_from_slice(&[1, 0, 0, 20, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1]);
            (body, None)
        }
        // RFC 4340: a request, with a sequence number of 48 bits and a service. The checksum is over the header.
        Upper::Ports {
            protocol: DCCP,
            sport,
            dport,
        } => {
            ports(&mut body, sport, dport);
            body.extend_from_slice(&[5, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0]);
            body.extend_from_slice(&[0; 4]);
            (body, Some(Sum { at: 6, over: 20 }))
        }
        // RFC 768, and RFC 3828, where the length is how much the checksum covers: the header.
        Upper::Ports {
            protocol,
            sport,
            dport,
        } => {
            ports(&mut body, sport, dport);
            let length = room.max(12);
            let over = if protocol == UDPLITE { 8 } else { length };
            body.extend_from_slice(&(over as u16).to_be_bytes());
            body.resize(length, 0);
            (body, Some(Sum { at: 6, over }))
        }
        // RFC 792, RFC 4443.
        Upper::Icmp { kind, code } => {
            body.extend_from_slice(&[kind, code, 0, 0]);
            body.extend_from_slice(&echo.to_be_bytes());
            body.resize(room.max(8), 0);
            (body, over_all(2))
        }
        Upper::Other(_) => (vec![0; room.max(8)], None),
    }
}

/// A packet that no test is about, with this number.
pub(super) fn last(id: u16) -> Vec<u8> {
    let nobody = std::net::Ipv4Addr::new(192, 0, 2, 1).into();
    let packet = Packet::new(nobody, nobody, Upper::udp(9, 9));
    let details = Details {
        id,
        ..Details::default()
    };
    bytes(&packet, details).unwrap_or_default()
}

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

/// The packet that an error is about, if it is one that announces itself so: one that goes back where the error comes from.
fn about(packet: &Packet) -> Option<Packet> {
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

/// An error about a packet, with what the smallest link takes where it tells of that (RFC 8200).
fn error(packet: &Packet, about: &Packet) -> Option<Vec<u8>> {
    let Upper::Icmp { kind, code } = packet.upper else {
        return None;
    };
    let mut body = vec![kind, code, 0, 0, 0, 0, 5, 0];
    body.extend_from_slice(&bytes(about, Details::default())?);
    Some(body)
}

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

/// RFC 1071
fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|pair| match *pair {
        [high, low] => u32::from(u16::from_be_bytes([high, low])),
        [high] => u32::from(high) << 8,
        _ => 0,
    });
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// RFC 4960, appendix B.
fn crc32c(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            let odd = crc & 1 == 1;
            crc >>= 1;
            if odd {
                crc ^= 0x82f6_3b78;
            }
        }
    }
    !crc
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::{Details, Read, bytes, checksum, crc32c, read};
    use crate::evaluate::{Packet, Upper};

    fn packet(v6: bool, upper: Upper) -> Packet {
        let ends: [IpAddr; 2] = match v6 {
            false => [
                "192.0.2.1".parse().unwrap(),
                "198.51.100.2".parse().unwrap(),
            ],
            true => [
                "2001:db8::1".parse().unwrap(),
                "2001:db8::2".parse().unwrap(),
            ],
        };
        Packet::new(ends[0], ends[1], upper)
    }

    #[test]
    fn what_is_made_is_read_again() {
        let all = [
            Upper::syn(40_000, 443),
            Upper::udp(1, 53),
            Upper::Icmp { kind: 8, code: 0 },
            Upper::Icmp { kind: 3, code: 1 },
            Upper::Icmp { kind: 1, code: 1 },
            Upper::Ports {
                protocol: 132,
                sport: 7,
                dport: 8,
            },
            Upper::Ports {
                protocol: 33,
                sport: 7,
                dport: 8,
            },
            Upper::Ports {
                protocol: 136,
                sport: 7,
                dport: 8,
            },
            Upper::Other(47),
        ];
        for (v6, upper) in [false, true]
            .into_iter()
            .flat_map(|v6| all.map(|it| (v6, it)))
        {
            let packet = packet(v6, upper);
            let details = Details {
                id: 0x1234,
                echo: 9,
                damaged: false,
            };
            let bytes = bytes(&packet, details).unwrap();
            let itself = Read::Itself {
                source: packet.source,
                destination: packet.destination,
                ports: upper.ports(),
            };
            assert_eq!(read(&bytes), Some((0x1234, itself)), "{packet:?}");
            if matches!(upper, Upper::Tcp { .. } | Upper::Icmp { .. }) {
                assert_eq!(bytes.len(), usize::from(packet.length), "{packet:?}");
            }
        }
    }

    #[test]
    fn answers_name_their_packet() {
        let syn = bytes(
            &packet(false, Upper::syn(1, 2)),
            Details {
                id: 77,
                ..Details::default()
            },
        )
        .unwrap();
        let mut error = syn[..20].to_vec();
        error[9] = 1;
        error.extend([3, 13, 0, 0, 0, 0, 0, 0]);
        error.extend(&syn);
        assert_eq!(read(&error), Some((77, Read::Error(13))));
        // Of the first packet it acknowledges the next number.
        let mut reset = syn.clone();
        reset[20 + 13] = 4 | 16;
        reset[20 + 8..20 + 12].copy_from_slice(&((77u32 << 8) + 1).to_be_bytes());
        assert_eq!(read(&reset), Some((77, Read::Reset)));
    }

    #[test]
    fn extension_headers_are_no_protocols() {
        assert_eq!(
            bytes(&packet(true, Upper::Other(44)), Details::default()),
            None
        );
        assert!(bytes(&packet(false, Upper::Other(44)), Details::default()).is_some());
        assert_eq!(read(&[]), None);
        assert_eq!(read(&[0x45; 19]), None);
    }

    #[test]
    fn sums_are_those_of_the_standards() {
        // RFC 1071, section 3; RFC 3720, B.4 (32 bytes of zeroes).
        assert_eq!(
            checksum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]),
            !0xddf2
        );
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
    }
}
