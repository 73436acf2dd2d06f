//! A struct of the kernel's headers, byte by byte: numbers in the order of the host unless they are said to be big endian.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The bytes of a struct, padding included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Info<'a>(pub(super) &'a [u8]);

/// `NFPROTO_IPV6`
pub(super) const IPV6: u8 = 10;

impl<'a> Info<'a> {
    fn bytes<const N: usize>(self, at: usize) -> Option<[u8; N]> {
        self.0.get(at..)?.first_chunk().copied()
    }

    pub(super) fn slice(self, at: usize, len: usize) -> Option<&'a [u8]> {
        self.0.get(at..at.checked_add(len)?)
    }

    pub(super) fn u8(self, at: usize) -> Option<u8> {
        self.0.get(at).copied()
    }

    pub(super) fn u16(self, at: usize) -> Option<u16> {
        self.bytes(at).map(u16::from_ne_bytes)
    }

    pub(super) fn u32(self, at: usize) -> Option<u32> {
        self.bytes(at).map(u32::from_ne_bytes)
    }

    /// A port as packets have it.
    pub(super) fn port(self, at: usize) -> Option<u16> {
        self.bytes(at).map(u16::from_be_bytes)
    }

    /// `union nf_inet_addr`: 16 bytes, of which IPv4 has the first four.
    pub(super) fn address(self, at: usize, family: u8) -> Option<IpAddr> {
        let all: [u8; 16] = self.bytes(at)?;
        Some(match family {
            IPV6 => IpAddr::V6(Ipv6Addr::from(all)),
            _ => IpAddr::V4(self.v4(at)?),
        })
    }

    pub(super) fn v4(self, at: usize) -> Option<Ipv4Addr> {
        self.bytes::<4>(at).map(Ipv4Addr::from)
    }
}
