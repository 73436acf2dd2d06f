//! Instruction → expression.

use crate::bytecode::{Comparison, Instruction, LookupResult, PayloadBase, Register};
use crate::netlink::attribute::Writer;
use crate::netlink::constants::sys;
use crate::ruleset::{Count, FLOWTABLE, Limit};

use super::fields::write_register;
use super::translation;
use super::verdict::write_verdict;

/// A list of expressions, each in `NFTA_LIST_ELEM`.
pub(in crate::netlink) fn list(writer: &mut Writer, instructions: &[Instruction]) {
    for instruction in instructions {
        writer.list_element(|writer| one(writer, instruction));
    }
}

/// One expression: `NFTA_EXPR_NAME` and `NFTA_EXPR_DATA`.
pub(in crate::netlink) fn one(writer: &mut Writer, instruction: &Instruction) {
    writer.string(sys::NFTA_EXPR_NAME, name(instruction));
    match instruction {
        // It has no attributes, and nft sends none.
        Instruction::Notrack => {}
        Instruction::Opaque { name: _, data } => writer.bytes(sys::NFTA_EXPR_DATA, data),
        _ => writer.nest(sys::NFTA_EXPR_DATA, |writer| fields(writer, instruction)),
    }
}

/// `NFTA_DATA_VALUE` in an attribute.
pub(in crate::netlink) fn data(writer: &mut Writer, kind: u16, value: &[u8]) {
    writer.nest(kind, |writer| writer.bytes(sys::NFTA_DATA_VALUE, value));
}

/// The kernel's name of the expression.
fn name(instruction: &Instruction) -> &str {
    match instruction {
        Instruction::Meta { .. } | Instruction::MetaSet { .. } => "meta",
        Instruction::Payload { .. } => "payload",
        Instruction::Cmp { .. } => "cmp",
        Instruction::Range { .. } => "range",
        Instruction::Bitwise { .. } => "bitwise",
        Instruction::Byteorder { .. } => "byteorder",
        Instruction::Lookup { .. } => "lookup",
        Instruction::Immediate { .. } | Instruction::Verdict(_) => "immediate",
        Instruction::Counter(_) => "counter",
        Instruction::Limit(_) => "limit",
        Instruction::Log { .. } => "log",
        Instruction::Reject { .. } => "reject",
        Instruction::Nat { .. } => "nat",
        Instruction::Masquerade { .. } => "masq",
        Instruction::Redirect { .. } => "redir",
        Instruction::Ct { .. } | Instruction::CtSet { .. } => "ct",
        Instruction::Fib { .. } => "fib",
        Instruction::Numgen { .. } => "numgen",
        Instruction::Hash { .. } => "hash",
        Instruction::Object {
            kind: FLOWTABLE, ..
        } => "flow_offload",
        Instruction::Object { .. } => "objref",
        Instruction::Dynset { .. } => "dynset",
        Instruction::Exthdr { .. } | Instruction::ExthdrSet { .. } => "exthdr",
        Instruction::Rt { .. } => "rt",
        Instruction::Connlimit { .. } => "connlimit",
        Instruction::Notrack => "notrack",
        Instruction::Opaque { name, data: _ } => name,
    }
}

/// The attributes of an expression, in the order in which libnftnl writes them.
fn fields(w: &mut Writer, instruction: &Instruction) {
    match instruction {
        Instruction::Meta { key, to } => {
            w.be32(sys::NFTA_META_KEY, *key);
            write_register(w, sys::NFTA_META_DREG, *to);
        }
        Instruction::MetaSet { key, from } => {
            w.be32(sys::NFTA_META_KEY, *key);
            write_register(w, sys::NFTA_META_SREG, *from);
        }
        Instruction::Payload {
            base,
            offset,
            len,
            to,
        } => {
            write_register(w, sys::NFTA_PAYLOAD_DREG, *to);
            w.be32(sys::NFTA_PAYLOAD_BASE, payload_base(*base));
            w.be32(sys::NFTA_PAYLOAD_OFFSET, *offset);
            w.be32(sys::NFTA_PAYLOAD_LEN, *len);
        }
        Instruction::Cmp {
            from,
            op,
            data: value,
        } => {
            write_register(w, sys::NFTA_CMP_SREG, *from);
            w.be32(sys::NFTA_CMP_OP, comparison(*op));
            data(w, sys::NFTA_CMP_DATA, value);
        }
        Instruction::Range {
            from,
            inverted,
            lo,
            hi,
        } => {
            write_register(w, sys::NFTA_RANGE_SREG, *from);
            w.be32(sys::NFTA_RANGE_OP, u32::from(*inverted));
            data(w, sys::NFTA_RANGE_FROM_DATA, lo);
            data(w, sys::NFTA_RANGE_TO_DATA, hi);
        }
        Instruction::Bitwise {
            from,
            to,
            len,
            mask,
            xor,
        } => {
            write_register(w, sys::NFTA_BITWISE_SREG, *from);
            write_register(w, sys::NFTA_BITWISE_DREG, *to);
            w.be32(sys::NFTA_BITWISE_OP, sys::NFT_BITWISE_MASK_XOR);
            w.be32(sys::NFTA_BITWISE_LEN, *len);
            data(w, sys::NFTA_BITWISE_MASK, mask);
            data(w, sys::NFTA_BITWISE_XOR, xor);
        }
        Instruction::Byteorder {
            from,
            to,
            op,
            len,
            size,
        } => {
            write_register(w, sys::NFTA_BYTEORDER_SREG, *from);
            write_register(w, sys::NFTA_BYTEORDER_DREG, *to);
            w.be32(sys::NFTA_BYTEORDER_OP, *op);
            w.be32(sys::NFTA_BYTEORDER_LEN, *len);
            w.be32(sys::NFTA_BYTEORDER_SIZE, *size);
        }
        Instruction::Lookup { set, from, result } => lookup(w, set, *from, *result),
        Instruction::Immediate { to, data: value } => {
            write_register(w, sys::NFTA_IMMEDIATE_DREG, *to);
            data(w, sys::NFTA_IMMEDIATE_DATA, value);
        }
        Instruction::Verdict(verdict) => {
            w.be32(sys::NFTA_IMMEDIATE_DREG, sys::NFT_REG_VERDICT);
            w.nest(sys::NFTA_IMMEDIATE_DATA, |w| write_verdict(w, verdict));
        }
        Instruction::Counter(Count { packets, bytes }) => {
            w.be64(sys::NFTA_COUNTER_BYTES, *bytes);
            w.be64(sys::NFTA_COUNTER_PACKETS, *packets);
        }
        Instruction::Limit(limit) => write_limit(w, limit),
        Instruction::Log {
            prefix,
            group,
            level,
        } => {
            if !prefix.is_empty() {
                w.string(sys::NFTA_LOG_PREFIX, prefix);
            }
            match (group, level) {
                (Some(group), _) => w.be16(sys::NFTA_LOG_GROUP, *group),
                (None, Some(level)) => w.be32(sys::NFTA_LOG_LEVEL, *level),
                (None, None) => {}
            }
        }
        Instruction::Reject { kind, code } => {
            w.be32(sys::NFTA_REJECT_TYPE, *kind);
            w.u8(sys::NFTA_REJECT_ICMP_CODE, *code);
        }
        Instruction::Nat { .. } | Instruction::Masquerade { .. } | Instruction::Redirect { .. } => {
            translation::write(w, instruction);
        }
        Instruction::Ct { key, to, direction } => {
            w.be32(sys::NFTA_CT_KEY, *key);
            write_register(w, sys::NFTA_CT_DREG, *to);
            if let Some(direction) = direction {
                w.u8(sys::NFTA_CT_DIRECTION, *direction);
            }
        }
        Instruction::CtSet { key, from } => {
            w.be32(sys::NFTA_CT_KEY, *key);
            write_register(w, sys::NFTA_CT_SREG, *from);
        }
        Instruction::Fib { to, result, flags } => {
            write_register(w, sys::NFTA_FIB_DREG, *to);
            w.be32(sys::NFTA_FIB_RESULT, *result);
            w.be32(sys::NFTA_FIB_FLAGS, *flags);
        }
        Instruction::Numgen {
            to,
            modulus,
            mode,
            offset,
        } => {
            write_register(w, sys::NFTA_NG_DREG, *to);
            w.be32(sys::NFTA_NG_MODULUS, *modulus);
            w.be32(sys::NFTA_NG_TYPE, *mode);
            w.be32(sys::NFTA_NG_OFFSET, *offset);
        }
        Instruction::Hash { .. } => hash(w, instruction),
        Instruction::Object {
            kind: FLOWTABLE,
            name,
        } => w.string(sys::NFTA_FLOW_TABLE_NAME, name),
        Instruction::Object { kind, name } => {
            w.be32(sys::NFTA_OBJREF_IMM_TYPE, *kind);
            w.string(sys::NFTA_OBJREF_IMM_NAME, name);
        }
        Instruction::Dynset { .. } => dynset(w, instruction),
        Instruction::Exthdr { .. } | Instruction::ExthdrSet { .. } => exthdr(w, instruction),
        Instruction::Rt { key, to } => {
            w.be32(sys::NFTA_RT_KEY, *key);
            write_register(w, sys::NFTA_RT_DREG, *to);
        }
        Instruction::Connlimit { count, flags } => {
            w.be32(sys::NFTA_CONNLIMIT_COUNT, *count);
            w.be32(sys::NFTA_CONNLIMIT_FLAGS, *flags);
        }
        Instruction::Notrack | Instruction::Opaque { .. } => {}
    }
}

fn payload_base(base: PayloadBase) -> u32 {
    match base {
        PayloadBase::Link => sys::NFT_PAYLOAD_LL_HEADER,
        PayloadBase::Network => sys::NFT_PAYLOAD_NETWORK_HEADER,
        PayloadBase::Transport => sys::NFT_PAYLOAD_TRANSPORT_HEADER,
        PayloadBase::Inner => sys::NFT_PAYLOAD_INNER_HEADER,
    }
}

fn comparison(op: Comparison) -> u32 {
    match op {
        Comparison::Eq => sys::NFT_CMP_EQ,
        Comparison::Neq => sys::NFT_CMP_NEQ,
        Comparison::Lt => sys::NFT_CMP_LT,
        Comparison::Lte => sys::NFT_CMP_LTE,
        Comparison::Gt => sys::NFT_CMP_GT,
        Comparison::Gte => sys::NFT_CMP_GTE,
    }
}

fn lookup(w: &mut Writer, set: &str, from: Register, result: LookupResult) {
    write_register(w, sys::NFTA_LOOKUP_SREG, from);
    match result {
        LookupResult::Member { inverted: _ } => {}
        LookupResult::Data(to) => write_register(w, sys::NFTA_LOOKUP_DREG, to),
        LookupResult::Verdict => w.be32(sys::NFTA_LOOKUP_DREG, sys::NFT_REG_VERDICT),
    }
    w.string(sys::NFTA_LOOKUP_SET, set);
    if result == (LookupResult::Member { inverted: true }) {
        w.be32(sys::NFTA_LOOKUP_FLAGS, sys::NFT_LOOKUP_F_INV);
    }
}

/// The attributes of a limit, also of a named one.
pub(in crate::netlink) fn write_limit(w: &mut Writer, limit: &Limit) {
    let Limit { rate, unit, burst } = limit;
    w.be64(sys::NFTA_LIMIT_RATE, *rate);
    w.be64(sys::NFTA_LIMIT_UNIT, *unit);
    w.be32(sys::NFTA_LIMIT_BURST, *burst);
    w.be32(sys::NFTA_LIMIT_TYPE, sys::NFT_LIMIT_PKTS);
    w.be32(sys::NFTA_LIMIT_FLAGS, 0);
}

fn hash(w: &mut Writer, instruction: &Instruction) {
    let Instruction::Hash {
        kind,
        from,
        len,
        to,
        modulus,
        seed,
        offset,
    } = instruction
    else {
        return;
    };
    if let Some(from) = from {
        write_register(w, sys::NFTA_HASH_SREG, *from);
    }
    write_register(w, sys::NFTA_HASH_DREG, *to);
    if from.is_some() {
        w.be32(sys::NFTA_HASH_LEN, *len);
    }
    w.be32(sys::NFTA_HASH_MODULUS, *modulus);
    if let Some(seed) = seed {
        w.be32(sys::NFTA_HASH_SEED, *seed);
    }
    w.be32(sys::NFTA_HASH_OFFSET, *offset);
    w.be32(sys::NFTA_HASH_TYPE, *kind);
}

fn dynset(w: &mut Writer, instruction: &Instruction) {
    let Instruction::Dynset {
        set,
        op,
        key,
        data,
        timeout,
        inverted,
        state,
    } = instruction
    else {
        return;
    };
    write_register(w, sys::NFTA_DYNSET_SREG_KEY, *key);
    if let Some(data) = data {
        write_register(w, sys::NFTA_DYNSET_SREG_DATA, *data);
    }
    w.be32(sys::NFTA_DYNSET_OP, *op);
    if *timeout != 0 {
        w.be64(sys::NFTA_DYNSET_TIMEOUT, *timeout);
    }
    w.string(sys::NFTA_DYNSET_SET_NAME, set);
    match state.as_slice() {
        [] => {}
        // Kernels before 5.11 know only this form.
        [only] => w.nest(sys::NFTA_DYNSET_EXPR, |w| one(w, only)),
        many => w.nest(sys::NFTA_DYNSET_EXPRESSIONS, |w| list(w, many)),
    }
    let several = if state.len() > 1 {
        sys::NFT_DYNSET_F_EXPR
    } else {
        0
    };
    let flags = several | if *inverted { sys::NFT_DYNSET_F_INV } else { 0 };
    if flags != 0 {
        w.be32(sys::NFTA_DYNSET_FLAGS, flags);
    }
}

fn exthdr(w: &mut Writer, instruction: &Instruction) {
    match instruction {
        Instruction::Exthdr {
            to,
            header,
            offset,
            len,
            op,
            flags,
        } => {
            write_register(w, sys::NFTA_EXTHDR_DREG, *to);
            w.u8(sys::NFTA_EXTHDR_TYPE, *header);
            w.be32(sys::NFTA_EXTHDR_OFFSET, *offset);
            w.be32(sys::NFTA_EXTHDR_LEN, *len);
            w.be32(sys::NFTA_EXTHDR_OP, *op);
            w.be32(sys::NFTA_EXTHDR_FLAGS, *flags);
        }
        // The kernel refuses flags here, although it dumps them.
        Instruction::ExthdrSet {
            from,
            header,
            offset,
            len,
            op,
        } => {
            write_register(w, sys::NFTA_EXTHDR_SREG, *from);
            w.u8(sys::NFTA_EXTHDR_TYPE, *header);
            w.be32(sys::NFTA_EXTHDR_OFFSET, *offset);
            w.be32(sys::NFTA_EXTHDR_LEN, *len);
            w.be32(sys::NFTA_EXTHDR_OP, *op);
        }
        _ => {}
    }
}
