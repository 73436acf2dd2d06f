//! Address translation: nat, masquerade and redirect, in both directions.
//!
//! The kernel adds the highest register when only the lowest is given, and two flags that say what is
//! given; neither is in the instruction.

use crate::bytecode::{Instruction, Register};
use crate::netlink::attribute::Writer;
use crate::netlink::constants::{NF_NAT_RANGE_MAP_IPS, NF_NAT_RANGE_PROTO_SPECIFIED, sys};

use super::fields::{Fields, write_register};

/// Lowest and highest register of a range.
type Range = (Register, Register);

/// The attributes of one of the three.
pub(super) fn write(w: &mut Writer, instruction: &Instruction) {
    let specified = |port: Option<_>| match port {
        Some(_) => NF_NAT_RANGE_PROTO_SPECIFIED,
        None => 0,
    };
    // A zero is left out: the kernel does not dump it.
    let write_flags = |w: &mut Writer, kind, flags| {
        if flags != 0 {
            w.be32(kind, flags);
        }
    };
    match *instruction {
        Instruction::Nat {
            kind,
            family,
            address,
            port,
            flags,
        } => {
            w.be32(sys::NFTA_NAT_TYPE, kind);
            w.be32(sys::NFTA_NAT_FAMILY, family);
            write_registers(
                w,
                address,
                sys::NFTA_NAT_REG_ADDR_MIN,
                sys::NFTA_NAT_REG_ADDR_MAX,
            );
            write_registers(
                w,
                port,
                sys::NFTA_NAT_REG_PROTO_MIN,
                sys::NFTA_NAT_REG_PROTO_MAX,
            );
            write_flags(w, sys::NFTA_NAT_FLAGS, flags | specified(port));
        }
        Instruction::Masquerade { port, flags } => {
            write_flags(w, sys::NFTA_MASQ_FLAGS, flags | specified(port));
            write_registers(
                w,
                port,
                sys::NFTA_MASQ_REG_PROTO_MIN,
                sys::NFTA_MASQ_REG_PROTO_MAX,
            );
        }
        Instruction::Redirect { port, flags } => {
            write_registers(
                w,
                port,
                sys::NFTA_REDIR_REG_PROTO_MIN,
                sys::NFTA_REDIR_REG_PROTO_MAX,
            );
            write_flags(w, sys::NFTA_REDIR_FLAGS, flags | specified(port));
        }
        _ => {}
    }
}

/// Lowest and highest register; the highest is left out when it is the same, as nft does.
fn write_registers(w: &mut Writer, range: Option<Range>, min: u16, max: u16) {
    if let Some((lo, hi)) = range {
        write_register(w, min, lo);
        if lo != hi {
            write_register(w, max, hi);
        }
    }
}

pub(super) fn nat(fields: &mut Fields<'_>) -> Option<Instruction> {
    let flags = fields.number_or(sys::NFTA_NAT_FLAGS, 0)?;
    Some(Instruction::Nat {
        kind: fields.number(sys::NFTA_NAT_TYPE)?,
        family: fields.number(sys::NFTA_NAT_FAMILY)?,
        address: registers(
            fields,
            sys::NFTA_NAT_REG_ADDR_MIN,
            sys::NFTA_NAT_REG_ADDR_MAX,
        )?,
        port: registers(
            fields,
            sys::NFTA_NAT_REG_PROTO_MIN,
            sys::NFTA_NAT_REG_PROTO_MAX,
        )?,
        flags: flags & !(NF_NAT_RANGE_MAP_IPS | NF_NAT_RANGE_PROTO_SPECIFIED),
    })
}

pub(super) fn masquerade(fields: &mut Fields<'_>) -> Option<Instruction> {
    let flags = fields.number_or(sys::NFTA_MASQ_FLAGS, 0)?;
    Some(Instruction::Masquerade {
        port: registers(
            fields,
            sys::NFTA_MASQ_REG_PROTO_MIN,
            sys::NFTA_MASQ_REG_PROTO_MAX,
        )?,
        flags: flags & !NF_NAT_RANGE_PROTO_SPECIFIED,
    })
}

pub(super) fn redirect(fields: &mut Fields<'_>) -> Option<Instruction> {
    let flags = fields.number_or(sys::NFTA_REDIR_FLAGS, 0)?;
    Some(Instruction::Redirect {
        port: registers(
            fields,
            sys::NFTA_REDIR_REG_PROTO_MIN,
            sys::NFTA_REDIR_REG_PROTO_MAX,
        )?,
        flags: flags & !NF_NAT_RANGE_PROTO_SPECIFIED,
    })
}

/// Lowest and highest register; the kernel gives both, a sender may leave out the highest. The outer
/// `None` is for what is no register.
fn registers(fields: &mut Fields<'_>, min: u16, max: u16) -> Option<Option<Range>> {
    if !fields.has(min) {
        return Some(None);
    }
    let lo = fields.register(min)?;
    let hi = if fields.has(max) {
        fields.register(max)?
    } else {
        lo
    };
    Some(Some((lo, hi)))
}
