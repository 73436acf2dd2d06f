//! Packets as bytes, made of what the evaluator knows of one; `read` knows them again.
//!
//! Each carries a number by which it is known again, whatever is translated: the identification of IPv4, the flow label of
//! IPv6; and in TCP the sequence and acknowledgement numbers, from which a reset takes its own.

use std::net::IpAddr;

use super::checksum::{checksum, crc32c};
use super::opening::about;
use crate::evaluate::{Packet, Upper};

/// TCP flags.
pub(super) const SYN: u8 = 2;
pub(super) const RST: u8 = 4;
pub(super) const ACK: u8 = 16;
pub(super) const TCP: u8 = 6;
pub(super) const SCTP: u8 = 132;
pub(super) const DCCP: u8 = 33;
pub(super) const UDPLITE: u8 = 136;
pub(super) const ICMP: u8 = 1;
pub(super) const ICMPV6: u8 = 58;

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

/// An error about a packet, with what the smallest link takes where it tells of that (RFC 8200).
fn error(packet: &Packet, about: &Packet) -> Option<Vec<u8>> {
    let Upper::Icmp { kind, code } = packet.upper else {
        return None;
    };
    let mut body = vec![kind, code, 0, 0, 0, 0, 5, 0];
    body.extend_from_slice(&bytes(about, Details::default())?);
    Some(body)
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::super::read::{Read, read};
    use super::{Details, bytes};
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
}
