//! What is in one expression: its attributes by type, and registers by both of their numbers.

use crate::bytecode::Register;
use crate::netlink::attribute::{Writer, attributes, be32, string};
use crate::netlink::constants::sys;

/// The attributes of one expression by their type. No expression has more than 11.
pub(super) struct Fields<'a>([Option<&'a [u8]>; 16]);

impl<'a> Fields<'a> {
    pub(super) fn read(data: &'a [u8]) -> Option<Self> {
        let mut fields = [None; 16];
        for attribute in attributes(data) {
            let attribute = attribute.ok()?;
            let field = fields.get_mut(usize::from(attribute.kind))?;
            if field.replace(attribute.value).is_some() {
                return None;
            }
        }
        Some(Self(fields))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }

    pub(super) fn take(&mut self, kind: u16) -> Option<&'a [u8]> {
        self.0.get_mut(usize::from(kind))?.take()
    }

    pub(super) fn has(&self, kind: u16) -> bool {
        self.0
            .get(usize::from(kind))
            .is_some_and(|field| field.is_some())
    }

    /// A number that must be there.
    pub(super) fn number(&mut self, kind: u16) -> Option<u32> {
        be32(self.take(kind)?).ok()
    }

    /// A number that stands for itself when it is not there. `None` when it is of another length.
    pub(super) fn number_or(&mut self, kind: u16, absent: u32) -> Option<u32> {
        match self.take(kind) {
            Some(value) => be32(value).ok(),
            None => Some(absent),
        }
    }

    pub(super) fn long(&mut self, kind: u16) -> Option<u64> {
        Some(u64::from_be_bytes(self.take(kind)?.try_into().ok()?))
    }

    pub(super) fn byte(&mut self, kind: u16) -> Option<u8> {
        match self.take(kind)? {
            [byte] => Some(*byte),
            _ => None,
        }
    }

    pub(super) fn register(&mut self, kind: u16) -> Option<Register> {
        register(self.number(kind)?)
    }

    /// A value in `NFTA_DATA_VALUE`.
    pub(super) fn data(&mut self, kind: u16) -> Option<Vec<u8>> {
        let mut inside = attributes(self.take(kind)?);
        let value = inside.next()?.ok()?;
        (value.kind == sys::NFTA_DATA_VALUE && inside.next().is_none())
            .then(|| value.value.to_vec())
    }

    pub(super) fn text(&mut self, kind: u16) -> Option<String> {
        self.take(kind).map(string)
    }
}

/// The slot of a register: both of the kernel's numbers are one.
pub(super) fn register(number: u32) -> Option<Register> {
    let slot = match number {
        sys::NFT_REG_1..=sys::NFT_REG_4 => (number - sys::NFT_REG_1) * 4,
        sys::NFT_REG32_00..=sys::NFT_REG32_15 => number - sys::NFT_REG32_00,
        _ => return None,
    };
    u8::try_from(slot).ok().map(Register)
}

/// The kernel's number of a register: whole 128-bit registers by their old numbers, as nft does.
pub(super) fn number(register: Register) -> u32 {
    let slot = u32::from(register.0);
    if slot % 4 == 0 {
        sys::NFT_REG_1 + slot / 4
    } else {
        sys::NFT_REG32_00 + slot
    }
}

pub(super) fn write_register(writer: &mut Writer, kind: u16, register: Register) {
    writer.be32(kind, number(register));
}
