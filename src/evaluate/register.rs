//! The registers: 16 slots of 32 bits, and which of them hold what nobody knows.

use crate::bytecode::Register;

/// Bytes of all registers together.
const SIZE: usize = 64;

/// The register file of one base chain.
#[derive(Clone, Copy, Debug)]
pub(super) struct Registers {
    bytes: [u8; SIZE],
    /// One bit a slot: its value is not known.
    unknown: u16,
}

impl Registers {
    pub(super) fn new() -> Self {
        Self {
            bytes: [0; SIZE],
            unknown: 0,
        }
    }

    /// The bytes from a register on; `None` where one of them is not known.
    pub(super) fn get(&self, from: Register, len: usize) -> Option<&[u8]> {
        if self.unknown & slots(from, len) != 0 {
            return None;
        }
        let at = usize::from(from.0) * 4;
        self.bytes.get(at..at + len)
    }

    /// Puts bytes into the slots from a register on; the last one is filled up with zeros, as the kernel does.
    pub(super) fn put(&mut self, to: Register, value: &[u8]) {
        self.unknown &= !slots(to, value.len());
        let at = usize::from(to.0) * 4;
        let end = at + value.len();
        if let Some(place) = self.bytes.get_mut(at..end.next_multiple_of(4)) {
            let (head, tail) = place.split_at_mut(value.len());
            head.copy_from_slice(value);
            tail.fill(0);
        }
    }

    /// A number of 32 bits, in the order of the host.
    pub(super) fn put_number(&mut self, to: Register, number: u32) {
        self.put(to, &number.to_ne_bytes());
    }

    /// What is there is not known.
    pub(super) fn forget(&mut self, to: Register, len: usize) {
        self.unknown |= slots(to, len);
    }

    /// `to = (from & mask) ^ xor`
    pub(super) fn mask(
        &mut self,
        from: Register,
        to: Register,
        len: usize,
        mask: &[u8],
        xor: &[u8],
    ) {
        let Some(value) = self.get(from, len) else {
            return self.forget(to, len);
        };
        let mut result = [0; 16];
        let parts = value.iter().zip(mask).zip(xor);
        for (place, ((value, mask), xor)) in result.iter_mut().zip(parts) {
            *place = (value & mask) ^ xor;
        }
        if let Some(result) = result.get(..len) {
            self.put(to, result);
        }
    }

    /// Turns each number of `size` bytes around, which is what both directions do on a host of little endians.
    pub(super) fn turn(&mut self, from: Register, to: Register, len: usize, size: usize) {
        let Some(value) = self.get(from, len) else {
            return self.forget(to, len);
        };
        let mut result = [0; SIZE];
        let Some(place) = result.get_mut(..len) else {
            return self.forget(to, len);
        };
        place.copy_from_slice(value);
        if cfg!(target_endian = "little") {
            place.chunks_mut(size.max(1)).for_each(<[u8]>::reverse);
        }
        if let Some(value) = result.get(..len) {
            self.put(to, value);
        }
    }
}

fn slots(from: Register, len: usize) -> u16 {
    let count = len.div_ceil(4).min(16) as u32;
    let mask = (1u32 << count) - 1;
    (mask << from.0.min(16)) as u16
}
