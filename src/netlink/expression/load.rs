//! Expression → instruction, of what puts something of a packet into a register, or puts it back.
//!
//! As in `decode`, what is not understood to the last attribute is `None`.

use super::fields::Fields;
use crate::bytecode::{Instruction, PayloadBase};
use crate::netlink::constants::sys;

pub(super) fn meta(fields: &mut Fields<'_>) -> Option<Instruction> {
    let key = fields.number(sys::NFTA_META_KEY)?;
    if fields.has(sys::NFTA_META_SREG) {
        let from = fields.register(sys::NFTA_META_SREG)?;
        Some(Instruction::MetaSet { key, from })
    } else {
        let to = fields.register(sys::NFTA_META_DREG)?;
        Some(Instruction::Meta { key, to })
    }
}

pub(super) fn payload(fields: &mut Fields<'_>) -> Option<Instruction> {
    let base = match fields.number(sys::NFTA_PAYLOAD_BASE)? {
        sys::NFT_PAYLOAD_LL_HEADER => PayloadBase::Link,
        sys::NFT_PAYLOAD_NETWORK_HEADER => PayloadBase::Network,
        sys::NFT_PAYLOAD_TRANSPORT_HEADER => PayloadBase::Transport,
        sys::NFT_PAYLOAD_INNER_HEADER => PayloadBase::Inner,
        _ => return None,
    };
    Some(Instruction::Payload {
        base,
        offset: fields.number(sys::NFTA_PAYLOAD_OFFSET)?,
        len: fields.number(sys::NFTA_PAYLOAD_LEN)?,
        to: fields.register(sys::NFTA_PAYLOAD_DREG)?,
    })
}

pub(super) fn ct(fields: &mut Fields<'_>) -> Option<Instruction> {
    let key = fields.number(sys::NFTA_CT_KEY)?;
    if fields.has(sys::NFTA_CT_SREG) {
        let from = fields.register(sys::NFTA_CT_SREG)?;
        return Some(Instruction::CtSet { key, from });
    }
    Some(Instruction::Ct {
        key,
        to: fields.register(sys::NFTA_CT_DREG)?,
        direction: match fields.has(sys::NFTA_CT_DIRECTION) {
            true => Some(fields.byte(sys::NFTA_CT_DIRECTION)?),
            false => None,
        },
    })
}

pub(super) fn fib(fields: &mut Fields<'_>) -> Option<Instruction> {
    Some(Instruction::Fib {
        to: fields.register(sys::NFTA_FIB_DREG)?,
        result: fields.number(sys::NFTA_FIB_RESULT)?,
        flags: fields.number(sys::NFTA_FIB_FLAGS)?,
    })
}

pub(super) fn numgen(fields: &mut Fields<'_>) -> Option<Instruction> {
    Some(Instruction::Numgen {
        to: fields.register(sys::NFTA_NG_DREG)?,
        modulus: fields.number(sys::NFTA_NG_MODULUS)?,
        mode: fields.number(sys::NFTA_NG_TYPE)?,
        offset: fields.number_or(sys::NFTA_NG_OFFSET, 0)?,
    })
}

pub(super) fn hash(fields: &mut Fields<'_>) -> Option<Instruction> {
    let from = match fields.has(sys::NFTA_HASH_SREG) {
        true => Some(fields.register(sys::NFTA_HASH_SREG)?),
        false => None,
    };
    let seed = match fields.has(sys::NFTA_HASH_SEED) {
        true => Some(fields.number(sys::NFTA_HASH_SEED)?),
        false => None,
    };
    Some(Instruction::Hash {
        kind: fields.number_or(sys::NFTA_HASH_TYPE, sys::NFT_HASH_JENKINS)?,
        from,
        len: fields.number_or(sys::NFTA_HASH_LEN, 0)?,
        to: fields.register(sys::NFTA_HASH_DREG)?,
        modulus: fields.number(sys::NFTA_HASH_MODULUS)?,
        seed,
        offset: fields.number_or(sys::NFTA_HASH_OFFSET, 0)?,
    })
}

pub(super) fn exthdr(fields: &mut Fields<'_>) -> Option<Instruction> {
    let header = fields.byte(sys::NFTA_EXTHDR_TYPE)?;
    let offset = fields.number(sys::NFTA_EXTHDR_OFFSET)?;
    let len = fields.number(sys::NFTA_EXTHDR_LEN)?;
    let op = fields.number_or(sys::NFTA_EXTHDR_OP, sys::NFT_EXTHDR_OP_IPV6)?;
    let flags = fields.number_or(sys::NFTA_EXTHDR_FLAGS, 0)?;
    if fields.has(sys::NFTA_EXTHDR_SREG) {
        let from = fields.register(sys::NFTA_EXTHDR_SREG)?;
        return (flags == 0).then_some(Instruction::ExthdrSet {
            from,
            header,
            offset,
            len,
            op,
        });
    }
    Some(Instruction::Exthdr {
        to: fields.register(sys::NFTA_EXTHDR_DREG)?,
        header,
        offset,
        len,
        op,
        flags,
    })
}

pub(super) fn rt(fields: &mut Fields<'_>) -> Option<Instruction> {
    Some(Instruction::Rt {
        key: fields.number(sys::NFTA_RT_KEY)?,
        to: fields.register(sys::NFTA_RT_DREG)?,
    })
}
