//! A packet's headers as bytes, and which of those bytes are known.

use std::net::IpAddr;

use super::packet::{Packet, Upper};
use crate::bytecode::PayloadBase;

/// Bytes of one header, as far as rules may look at them.
const MOST: usize = 40;

/// A header.
#[derive(Clone, Copy, Debug)]
struct Header {
    bytes: [u8; MOST],
    /// How many bytes there are.
    len: usize,
    /// One bit a byte: its value is known.
    known: u64,
}

impl Header {
    fn empty() -> Self {
        Self {
            bytes: [0; MOST],
            len: 0,
            known: 0,
        }
    }

    /// A header of a length, nothing of it known yet.
    fn of(len: usize) -> Self {
        Self {
            len: len.min(MOST),
            ..Self::empty()
        }
    }

    fn put(&mut self, at: usize, value: &[u8]) {
        if let Some(place) = self.bytes.get_mut(at..at + value.len()) {
            place.copy_from_slice(value);
            self.known |= bits(at, value.len());
        }
    }

    fn forget(&mut self, at: usize, len: usize) {
        self.known &= !bits(at, len);
    }
}

fn bits(at: usize, len: usize) -> u64 {
    ((1u64 << len.min(63)) - 1) << at.min(63)
}

/// What a load of bytes yields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Load<'a> {
    /// These bytes.
    Bytes(&'a [u8]),
    /// The packet has bytes there, but nobody knows which.
    Unknown,
    /// The packet is not as long, or has no such header.
    Missing,
}

/// The headers of a packet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Headers {
    link: Header,
    network: Header,
    transport: Header,
    /// Whether there may be bytes behind what is known of the transport header.
    goes_on: bool,
}

impl Headers {
    pub(super) fn of(packet: &Packet) -> Self {
        let mut headers = Self {
            link: link(packet),
            network: Header::empty(),
            transport: transport(packet),
            goes_on: true,
        };
        headers.read_network(packet);
        headers.goes_on = usize::from(packet.length) > headers.network.len + headers.transport.len;
        headers
    }

    /// Brings what is rewritten on the way up to date.
    pub(super) fn refresh(&mut self, packet: &Packet) {
        self.read_network(packet);
        self.transport = transport(packet);
    }

    /// The address of an end is no longer known.
    pub(super) fn forget_address(&mut self, destination: bool) {
        match (self.network.len, destination) {
            (20, false) => self.network.forget(12, 4),
            (20, true) => self.network.forget(16, 4),
            (_, false) => self.network.forget(8, 16),
            (_, true) => self.network.forget(24, 16),
        }
    }

    /// The port of an end is no longer known.
    pub(super) fn forget_port(&mut self, destination: bool) {
        self.transport.forget(if destination { 2 } else { 0 }, 2);
    }

    pub(super) fn load(&self, base: PayloadBase, offset: usize, len: usize) -> Load<'_> {
        let (header, goes_on) = match base {
            PayloadBase::Link => (&self.link, false),
            PayloadBase::Network => (&self.network, true),
            PayloadBase::Transport => (&self.transport, self.goes_on),
            PayloadBase::Inner => return Load::Unknown,
        };
        match header.bytes.get(offset..offset.saturating_add(len)) {
            Some(bytes) if offset + len <= header.len => {
                let wanted = bits(offset, len);
                if header.known & wanted == wanted {
                    Load::Bytes(bytes)
                } else {
                    Load::Unknown
                }
            }
            // What is behind the header: the next header, or what is carried.
            _ if goes_on && header.len > 0 => Load::Unknown,
            _ => Load::Missing,
        }
    }

    /// RFC 791 and RFC 8200; without options and extension headers.
    fn read_network(&mut self, packet: &Packet) {
        self.network = match (packet.source, packet.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let mut header = Header::of(20);
                header.put(0, &[0x45, packet.traffic_class]);
                header.put(2, &packet.length.to_be_bytes());
                // Not a fragment; that it must not become one, is what most senders ask for.
                header.put(7, &[0]);
                header.put(8, &[packet.ttl, packet.protocol()]);
                header.put(12, &source.octets());
                header.put(16, &destination.octets());
                header
            }
            (source, destination) => {
                let mut header = Header::of(40);
                let class = packet.traffic_class;
                header.put(0, &[0x60 | class >> 4]);
                if class & 0x0f == 0 {
                    header.put(1, &[0]);
                } else {
                    header.put(1, &[class << 4]);
                }
                header.put(2, &[0, 0]);
                header.put(4, &packet.length.saturating_sub(40).to_be_bytes());
                header.put(6, &[packet.protocol(), packet.ttl]);
                header.put(8, &octets(source));
                header.put(24, &octets(destination));
                header
            }
        };
    }
}

fn octets(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    }
}

/// Ethernet: destination, source, type. Only what comes in has such a header at the hooks.
fn link(packet: &Packet) -> Header {
    let on_link = packet.iif.as_deref().is_some_and(|name| name != "lo");
    if !on_link {
        return Header::empty();
    }
    let mut header = Header::of(14);
    if let Some((source, destination)) = packet.ether {
        header.put(0, &destination);
        header.put(6, &source);
    }
    let kind: u16 = if packet.is_v6() { 0x86dd } else { 0x0800 };
    header.put(12, &kind.to_be_bytes());
    header
}

/// RFC 9293, RFC 768 and alike, RFC 792, RFC 4443.
fn transport(packet: &Packet) -> Header {
    match packet.upper {
        Upper::Tcp {
            sport,
            dport,
            flags,
        } => {
            let mut header = Header::of(20);
            header.put(0, &sport.to_be_bytes());
            header.put(2, &dport.to_be_bytes());
            header.put(13, &[flags]);
            header
        }
        Upper::Ports {
            protocol: _,
            sport,
            dport,
        } => {
            let mut header = Header::of(8);
            header.put(0, &sport.to_be_bytes());
            header.put(2, &dport.to_be_bytes());
            header
        }
        Upper::Icmp { kind, code } => {
            let mut header = Header::of(8);
            header.put(0, &[kind, code]);
            header
        }
        Upper::Other(_) => Header::of(8),
    }
}
