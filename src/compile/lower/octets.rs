//! The value of one field, as it is on the wire, without a place of its own on the heap: policies have tens of thousands.

use std::ops::Deref;

/// At most sixteen bytes: the widest field is an IPv6 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Octets {
    /// Those behind the last one are zero.
    bytes: [u8; 16],
    number: usize,
}

impl<const N: usize> From<[u8; N]> for Octets {
    fn from(value: [u8; N]) -> Self {
        const { assert!(N <= 16) };
        let mut bytes = [0; 16];
        for (place, byte) in bytes.iter_mut().zip(value) {
            *place = byte;
        }
        Self { bytes, number: N }
    }
}

impl Deref for Octets {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes.get(..self.number).unwrap_or(&self.bytes)
    }
}

impl From<Octets> for Box<[u8]> {
    fn from(octets: Octets) -> Self {
        (*octets).into()
    }
}
