//! Expression → instruction.
//!
//! Each function below takes the attributes it knows out of the expression; if one is missing that the
//! instruction cannot do without, or one is left that the instruction has no place for, the answer is
//! `None` and the expression stays opaque.

use crate::bytecode::{Comparison, Instruction, LookupResult};
use crate::netlink::attribute::{Malformed, attributes};
use crate::netlink::constants::sys;
use crate::ruleset::{Count, FLOWTABLE, Limit};

use super::fields::{Fields, register};
use super::load::{ct, exthdr, fib, hash, meta, numgen, payload, rt};
use super::translation::{masquerade, nat, redirect};
use super::verdict::verdict;

/// Level of the kernel log when none is given (linux/kern_levels.h `LOGLEVEL_WARNING`).
const DEFAULT_LOG_LEVEL: u32 = 4;

/// Reads a list of expressions, each in `NFTA_LIST_ELEM`. Those that do nothing are left out: nft 1.0.6 turns the one byte of
/// `meta day` around.
pub(in crate::netlink) fn expressions(list: &[u8]) -> Result<Vec<Instruction>, Malformed> {
    let all = attributes(list).map(|element| one(element?.value));
    all.filter(|it| !it.as_ref().is_ok_and(does_nothing))
        .collect()
}

/// Whether what is in the registers stays as it is: of less than one number the kernel turns none around
/// (linux/net/netfilter/nft_byteorder.c, `nft_byteorder_eval`).
fn does_nothing(instruction: &Instruction) -> bool {
    matches!(instruction, Instruction::Byteorder { from, to, op: _, len, size } if from == to && len < size)
}

/// Reads one expression: `NFTA_EXPR_NAME` and `NFTA_EXPR_DATA`.
pub(in crate::netlink) fn one(expression: &[u8]) -> Result<Instruction, Malformed> {
    let (name, data) = split(expression)?;
    Ok(known(&name, data).unwrap_or_else(|| Instruction::Opaque {
        name,
        data: data.to_vec(),
    }))
}

/// Name and attributes of an expression.
fn split(expression: &[u8]) -> Result<(String, &[u8]), Malformed> {
    let mut name = None;
    let mut data: &[u8] = &[];
    for attribute in attributes(expression) {
        let attribute = attribute?;
        match attribute.kind {
            sys::NFTA_EXPR_NAME => name = Some(attribute.string()),
            sys::NFTA_EXPR_DATA => data = attribute.value,
            _ => {}
        }
    }
    let name = name.ok_or(Malformed("an expression without a name"))?;
    Ok((name, data))
}

fn known(name: &str, data: &[u8]) -> Option<Instruction> {
    let mut fields = Fields::read(data)?;
    let instruction = match name {
        "meta" => meta(&mut fields),
        "payload" => payload(&mut fields),
        "cmp" => cmp(&mut fields),
        "range" => range(&mut fields),
        "bitwise" => bitwise(&mut fields),
        "byteorder" => byteorder(&mut fields),
        "lookup" => lookup(&mut fields),
        "immediate" => immediate(&mut fields),
        "counter" => counter(&mut fields),
        "limit" => limit(&mut fields).map(Instruction::Limit),
        "log" => log(&mut fields),
        "reject" => reject(&mut fields),
        "nat" => nat(&mut fields),
        "masq" => masquerade(&mut fields),
        "redir" => redirect(&mut fields),
        "ct" => ct(&mut fields),
        "fib" => fib(&mut fields),
        "numgen" => numgen(&mut fields),
        "hash" => hash(&mut fields),
        "objref" => object(&mut fields),
        "flow_offload" => flow(&mut fields),
        "dynset" => dynset(&mut fields),
        "exthdr" => exthdr(&mut fields),
        "rt" => rt(&mut fields),
        "connlimit" => connlimit(&mut fields),
        "notrack" => Some(Instruction::Notrack),
        _ => None,
    }?;
    fields.is_empty().then_some(instruction)
}

/// The attributes of a named limit; `None` when it counts bytes or turns the limit round.
pub(in crate::netlink) fn named_limit(data: &[u8]) -> Option<Limit> {
    let mut fields = Fields::read(data)?;
    let limit = limit(&mut fields)?;
    fields.is_empty().then_some(limit)
}

fn cmp(fields: &mut Fields<'_>) -> Option<Instruction> {
    let op = match fields.number(sys::NFTA_CMP_OP)? {
        sys::NFT_CMP_EQ => Comparison::Eq,
        sys::NFT_CMP_NEQ => Comparison::Neq,
        sys::NFT_CMP_LT => Comparison::Lt,
        sys::NFT_CMP_LTE => Comparison::Lte,
        sys::NFT_CMP_GT => Comparison::Gt,
        sys::NFT_CMP_GTE => Comparison::Gte,
        _ => return None,
    };
    Some(Instruction::Cmp {
        from: fields.register(sys::NFTA_CMP_SREG)?,
        op,
        data: fields.data(sys::NFTA_CMP_DATA)?,
    })
}

fn range(fields: &mut Fields<'_>) -> Option<Instruction> {
    let inverted = match fields.number(sys::NFTA_RANGE_OP)? {
        sys::NFT_RANGE_EQ => false,
        sys::NFT_RANGE_NEQ => true,
        _ => return None,
    };
    Some(Instruction::Range {
        from: fields.register(sys::NFTA_RANGE_SREG)?,
        inverted,
        lo: fields.data(sys::NFTA_RANGE_FROM_DATA)?,
        hi: fields.data(sys::NFTA_RANGE_TO_DATA)?,
    })
}

fn bitwise(fields: &mut Fields<'_>) -> Option<Instruction> {
    if fields.number_or(sys::NFTA_BITWISE_OP, sys::NFT_BITWISE_MASK_XOR)?
        != sys::NFT_BITWISE_MASK_XOR
    {
        return None;
    }
    Some(Instruction::Bitwise {
        from: fields.register(sys::NFTA_BITWISE_SREG)?,
        to: fields.register(sys::NFTA_BITWISE_DREG)?,
        len: fields.number(sys::NFTA_BITWISE_LEN)?,
        mask: fields.data(sys::NFTA_BITWISE_MASK)?,
        xor: fields.data(sys::NFTA_BITWISE_XOR)?,
    })
}

fn byteorder(fields: &mut Fields<'_>) -> Option<Instruction> {
    Some(Instruction::Byteorder {
        from: fields.register(sys::NFTA_BYTEORDER_SREG)?,
        to: fields.register(sys::NFTA_BYTEORDER_DREG)?,
        op: fields.number(sys::NFTA_BYTEORDER_OP)?,
        len: fields.number(sys::NFTA_BYTEORDER_LEN)?,
        size: fields.number(sys::NFTA_BYTEORDER_SIZE)?,
    })
}

fn lookup(fields: &mut Fields<'_>) -> Option<Instruction> {
    let inverted = match fields.number_or(sys::NFTA_LOOKUP_FLAGS, 0)? {
        0 => false,
        sys::NFT_LOOKUP_F_INV => true,
        _ => return None,
    };
    let result = if fields.has(sys::NFTA_LOOKUP_DREG) {
        if inverted {
            return None;
        }
        match fields.number(sys::NFTA_LOOKUP_DREG)? {
            sys::NFT_REG_VERDICT => LookupResult::Verdict,
            number => LookupResult::Data(register(number)?),
        }
    } else {
        LookupResult::Member { inverted }
    };
    Some(Instruction::Lookup {
        set: fields.text(sys::NFTA_LOOKUP_SET)?,
        from: fields.register(sys::NFTA_LOOKUP_SREG)?,
        result,
    })
}

fn immediate(fields: &mut Fields<'_>) -> Option<Instruction> {
    match fields.number(sys::NFTA_IMMEDIATE_DREG)? {
        sys::NFT_REG_VERDICT => {
            let mut inside = attributes(fields.take(sys::NFTA_IMMEDIATE_DATA)?);
            let data = inside.next()?.ok()?;
            if data.kind != sys::NFTA_DATA_VERDICT || inside.next().is_some() {
                return None;
            }
            verdict(data.value).map(Instruction::Verdict)
        }
        number => Some(Instruction::Immediate {
            to: register(number)?,
            data: fields.data(sys::NFTA_IMMEDIATE_DATA)?,
        }),
    }
}

fn counter(fields: &mut Fields<'_>) -> Option<Instruction> {
    fields.take(sys::NFTA_COUNTER_PAD);
    Some(Instruction::Counter(Count {
        packets: fields.long(sys::NFTA_COUNTER_PACKETS)?,
        bytes: fields.long(sys::NFTA_COUNTER_BYTES)?,
    }))
}

fn limit(fields: &mut Fields<'_>) -> Option<Limit> {
    fields.take(sys::NFTA_LIMIT_PAD);
    if fields.number_or(sys::NFTA_LIMIT_TYPE, sys::NFT_LIMIT_PKTS)? != sys::NFT_LIMIT_PKTS
        || fields.number_or(sys::NFTA_LIMIT_FLAGS, 0)? != 0
    {
        return None;
    }
    Some(Limit {
        rate: fields.long(sys::NFTA_LIMIT_RATE)?,
        unit: fields.long(sys::NFTA_LIMIT_UNIT)?,
        burst: fields.number(sys::NFTA_LIMIT_BURST)?,
    })
}

fn log(fields: &mut Fields<'_>) -> Option<Instruction> {
    if fields.number_or(sys::NFTA_LOG_FLAGS, 0)? != 0 {
        return None;
    }
    let prefix = fields.text(sys::NFTA_LOG_PREFIX).unwrap_or_default();
    let (group, level) = match fields.take(sys::NFTA_LOG_GROUP) {
        Some(group) => (Some(u16::from_be_bytes(group.try_into().ok()?)), None),
        None => {
            let level = fields.number_or(sys::NFTA_LOG_LEVEL, DEFAULT_LOG_LEVEL)?;
            (None, Some(level))
        }
    };
    Some(Instruction::Log {
        prefix,
        group,
        level,
    })
}

fn reject(fields: &mut Fields<'_>) -> Option<Instruction> {
    Some(Instruction::Reject {
        kind: fields.number(sys::NFTA_REJECT_TYPE)?,
        code: match fields.has(sys::NFTA_REJECT_ICMP_CODE) {
            true => fields.byte(sys::NFTA_REJECT_ICMP_CODE)?,
            false => 0,
        },
    })
}

fn object(fields: &mut Fields<'_>) -> Option<Instruction> {
    Some(Instruction::Object {
        kind: fields.number(sys::NFTA_OBJREF_IMM_TYPE)?,
        name: fields.text(sys::NFTA_OBJREF_IMM_NAME)?,
    })
}

fn flow(fields: &mut Fields<'_>) -> Option<Instruction> {
    Some(Instruction::Object {
        kind: FLOWTABLE,
        name: fields.text(sys::NFTA_FLOW_TABLE_NAME)?,
    })
}

fn dynset(fields: &mut Fields<'_>) -> Option<Instruction> {
    fields.take(sys::NFTA_DYNSET_PAD);
    let flags = fields.number_or(sys::NFTA_DYNSET_FLAGS, 0)? & !sys::NFT_DYNSET_F_EXPR;
    let inverted = match flags {
        0 => false,
        sys::NFT_DYNSET_F_INV => true,
        _ => return None,
    };
    let state = match (
        fields.take(sys::NFTA_DYNSET_EXPR),
        fields.take(sys::NFTA_DYNSET_EXPRESSIONS),
    ) {
        (None, None) => Vec::new(),
        (Some(only), None) => vec![state(only)?],
        (None, Some(list)) => attributes(list)
            .map(|element| state(element.ok()?.value))
            .collect::<Option<_>>()?,
        (Some(_), Some(_)) => return None,
    };
    Some(Instruction::Dynset {
        set: fields.text(sys::NFTA_DYNSET_SET_NAME)?,
        op: fields.number(sys::NFTA_DYNSET_OP)?,
        key: fields.register(sys::NFTA_DYNSET_SREG_KEY)?,
        data: match fields.has(sys::NFTA_DYNSET_SREG_DATA) {
            true => Some(fields.register(sys::NFTA_DYNSET_SREG_DATA)?),
            false => None,
        },
        timeout: match fields.has(sys::NFTA_DYNSET_TIMEOUT) {
            true => fields.long(sys::NFTA_DYNSET_TIMEOUT)?,
            false => 0,
        },
        inverted,
        state,
    })
}

/// What an element keeps. The kernel has no dynset in a dynset, and reading one would not end.
fn state(expression: &[u8]) -> Option<Instruction> {
    match split(expression).ok()? {
        (name, _) if name == "dynset" => None,
        _ => one(expression).ok(),
    }
}

fn connlimit(fields: &mut Fields<'_>) -> Option<Instruction> {
    Some(Instruction::Connlimit {
        count: fields.number(sys::NFTA_CONNLIMIT_COUNT)?,
        flags: fields.number_or(sys::NFTA_CONNLIMIT_FLAGS, 0)?,
    })
}
