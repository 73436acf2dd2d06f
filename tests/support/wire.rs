//! Packets byte by byte, with any source: to send what no program would, and to read what was logged.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, OwnedFd};

use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrStorage, sendto, setsockopt,
    socket, sockopt,
};

use super::Host;

/// A packet that is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    pub(crate) what: What,
}

/// What is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Tcp { sport: u16, dport: u16, flags: u8 },
    Udp { sport: u16, dport: u16 },
    Echo { id: u16 },
}

/// What an IP packet says: addresses, protocol, and what follows the IP header.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen<'a> {
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    pub(crate) protocol: u8,
    pub(crate) rest: &'a [u8],
}

/// Raw sockets of a host, one for each family.
pub(crate) struct Wire {
    v4: OwnedFd,
    v6: OwnedFd,
}

impl Wire {
    pub(crate) fn new(host: &Host) -> Self {
        let open = |family| {
            socket(
                family,
                SockType::Raw,
                SockFlag::SOCK_CLOEXEC,
                SockProtocol::Raw,
            )
            .expect("a raw socket")
        };
        let wire = host.run(|| Self {
            v4: open(AddressFamily::Inet),
            v6: open(AddressFamily::Inet6),
        });
        setsockopt(&wire.v4, sockopt::Broadcast, &true).unwrap();
        wire
    }

    /// Sends it by the routes of the host.
    #[track_caller]
    pub(crate) fn send(&self, sent: &Sent) {
        self.try_send(sent)
            .unwrap_or_else(|error| panic!("{sent:?}: {error}"));
    }

    /// Likewise; whoever sends is told when his own rules or routes do not let it out.
    pub(crate) fn try_send(&self, sent: &Sent) -> nix::Result<()> {
        let to = SockaddrStorage::from(SocketAddr::new(sent.destination, 0));
        let socket = if sent.destination.is_ipv6() {
            &self.v6
        } else {
            &self.v4
        };
        let bytes = packet(sent);
        sendto(socket.as_raw_fd(), &bytes, &to, MsgFlags::empty()).map(drop)
    }
}

/// Takes an IP packet apart.
pub(crate) fn seen(bytes: &[u8]) -> Option<Seen<'_>> {
    let address = |from: usize, len: usize| -> Option<IpAddr> {
        let bytes = bytes.get(from..from + len)?;
        Some(match len {
            4 => <[u8; 4]>::try_from(bytes).ok()?.into(),
            _ => <[u8; 16]>::try_from(bytes).ok()?.into(),
        })
    };
    Some(match bytes.first()? >> 4 {
        4 => Seen {
            source: address(12, 4)?,
            destination: address(16, 4)?,
            protocol: bytes[9],
            rest: bytes.get(usize::from(bytes[0] & 15) * 4..)?,
        },
        _ => Seen {
            source: address(8, 16)?,
            destination: address(24, 16)?,
            protocol: bytes[6],
            rest: bytes.get(40..)?,
        },
    })
}

/// RFC 791 or RFC 8200, and RFC 9293, RFC 768, RFC 792 or RFC 4443.
fn packet(sent: &Sent) -> Vec<u8> {
    let v6 = sent.source.is_ipv6();
    let (protocol, sum_at, mut body) = match sent.what {
        What::Tcp {
            sport,
            dport,
            flags,
        } => {
            let mut body = [sport.to_be_bytes(), dport.to_be_bytes()].concat();
            body.extend([0, 0, 0, 1, 0, 0, 0, 0, 0x50, flags, 4, 0, 0, 0, 0, 0]);
            (6, 16, body)
        }
        What::Udp { sport, dport } => {
            let mut body = [sport.to_be_bytes(), dport.to_be_bytes()].concat();
            body.extend([0, 12, 0, 0, b'r', b'f', b'w', b'!']);
            (17, 6, body)
        }
        What::Echo { id } => {
            let mut body = vec![if v6 { 128 } else { 8 }, 0, 0, 0];
            body.extend(id.to_be_bytes());
            body.extend([0, 1, b'r', b'f', b'w', b'!']);
            (if v6 { 58 } else { 1 }, 2, body)
        }
    };
    let length = u16::try_from(body.len()).unwrap();
    let (mut header, addresses) = match (sent.source, sent.destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let mut header = vec![0x45, 0];
            header.extend((length + 20).to_be_bytes());
            header.extend([0, 1, 0x40, 0, 64, protocol, 0, 0]);
            (header, [source.octets(), destination.octets()].concat())
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            let mut header = vec![0x60, 0, 0, 0];
            header.extend(length.to_be_bytes());
            header.extend([protocol, 64]);
            (header, [source.octets(), destination.octets()].concat())
        }
        _ => panic!("{sent:?}: two families"),
    };
    header.extend(&addresses);
    let mut pseudo = Vec::new();
    if protocol != 1 {
        pseudo.extend(&addresses);
        pseudo.extend([0, protocol]);
        pseudo.extend(length.to_be_bytes());
    }
    pseudo.extend(&body);
    let sum = checksum(&pseudo).to_be_bytes();
    body[sum_at..sum_at + 2].copy_from_slice(&sum);
    header.extend(body);
    header
}

/// RFC 1071
fn checksum(bytes: &[u8]) -> u16 {
    let mut sum: u32 = bytes
        .chunks(2)
        .map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0)))
        .sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}
