//! Instructions in the canonical form: what they do to a packet, without what they have counted.

use super::feed::{Feed, limit, verdict};
use crate::bytecode::{Comparison, Instruction, LookupResult, PayloadBase, Register};

#[expect(
    clippy::too_many_lines,
    reason = "one arm for each instruction, so that none is forgotten"
)]
pub(super) fn instruction(feed: &mut Feed, instruction: &Instruction) {
    match instruction {
        Instruction::Meta { key, to } => {
            register(feed.number(0_u8).number(*key), *to);
        }
        Instruction::MetaSet { key, from } => {
            register(feed.number(1_u8).number(*key), *from);
        }
        Instruction::Payload {
            base,
            offset,
            len,
            to,
        } => {
            let base = match base {
                PayloadBase::Link => 0_u8,
                PayloadBase::Network => 1,
                PayloadBase::Transport => 2,
                PayloadBase::Inner => 3,
            };
            feed.number(2_u8).number(base).number(*offset).number(*len);
            register(feed, *to);
        }
        Instruction::Cmp { from, op, data } => {
            let op = match op {
                Comparison::Eq => 0_u8,
                Comparison::Neq => 1,
                Comparison::Lt => 2,
                Comparison::Lte => 3,
                Comparison::Gt => 4,
                Comparison::Gte => 5,
            };
            register(feed.number(3_u8).number(op), *from).bytes(data);
        }
        Instruction::Range {
            from,
            inverted,
            lo,
            hi,
        } => {
            let feed = register(feed.number(4_u8), *from);
            feed.flag(*inverted).bytes(lo).bytes(hi);
        }
        Instruction::Bitwise {
            from,
            to,
            len,
            mask,
            xor,
        } => {
            let feed = register(register(feed.number(5_u8), *from), *to);
            feed.number(*len).bytes(mask).bytes(xor);
        }
        Instruction::Byteorder {
            from,
            to,
            op,
            len,
            size,
        } => {
            let feed = register(register(feed.number(6_u8), *from), *to);
            feed.number(*op).number(*len).number(*size);
        }
        Instruction::Lookup { set, from, result } => {
            register(feed.number(7_u8).text(set), *from);
            match result {
                LookupResult::Member { inverted } => {
                    feed.number(0_u8).flag(*inverted);
                }
                LookupResult::Data(to) => {
                    register(feed.number(1_u8), *to);
                }
                LookupResult::Verdict => {
                    feed.number(2_u8);
                }
            }
        }
        Instruction::Immediate { to, data } => {
            register(feed.number(8_u8), *to).bytes(data);
        }
        Instruction::Verdict(value) => verdict(feed.number(9_u8), value),
        Instruction::Counter(_) => {
            feed.number(10_u8);
        }
        Instruction::Limit(value) => limit(feed.number(11_u8), *value),
        Instruction::Log {
            prefix,
            group,
            level,
        } => {
            feed.number(12_u8).text(prefix);
            feed.option(*group, |feed, group| {
                feed.number(group);
            });
            feed.option(*level, |feed, level| {
                feed.number(level);
            });
        }
        Instruction::Reject { kind, code } => {
            feed.number(13_u8).number(*kind).number(*code);
        }
        Instruction::Nat {
            kind,
            family,
            address,
            port,
            flags,
        } => {
            feed.number(14_u8).number(*kind).number(*family);
            pair(pair(feed, *address), *port).number(*flags);
        }
        Instruction::Masquerade { port, flags } => {
            pair(feed.number(15_u8), *port).number(*flags);
        }
        Instruction::Redirect { port, flags } => {
            pair(feed.number(16_u8), *port).number(*flags);
        }
        Instruction::Ct { key, to, direction } => {
            register(feed.number(17_u8).number(*key), *to);
            feed.option(*direction, |feed, direction| {
                feed.number(direction);
            });
        }
        Instruction::CtSet { key, from } => {
            register(feed.number(18_u8).number(*key), *from);
        }
        Instruction::Fib { to, result, flags } => {
            register(feed.number(19_u8), *to)
                .number(*result)
                .number(*flags);
        }
        Instruction::Numgen {
            to,
            modulus,
            mode,
            offset,
        } => {
            let feed = register(feed.number(20_u8), *to);
            feed.number(*modulus).number(*mode).number(*offset);
        }
        Instruction::Hash {
            kind,
            from,
            len,
            to,
            modulus,
            seed,
            offset,
        } => {
            feed.number(21_u8).number(*kind);
            feed.option(*from, |feed, from| {
                register(feed, from);
            });
            register(feed.number(*len), *to)
                .number(*modulus)
                .number(*offset);
            feed.option(*seed, |feed, seed| {
                feed.number(seed);
            });
        }
        Instruction::Object { kind, name } => {
            feed.number(22_u8).number(*kind).text(name);
        }
        Instruction::Dynset {
            set,
            op,
            key,
            data,
            timeout,
            inverted,
            state,
        } => {
            register(feed.number(23_u8).text(set).number(*op), *key);
            feed.option(*data, |feed, data| {
                register(feed, data);
            });
            feed.number(*timeout).flag(*inverted);
            feed.list(state, self::instruction);
        }
        Instruction::Exthdr {
            to,
            header,
            offset,
            len,
            op,
            flags,
        } => {
            let feed = register(feed.number(24_u8), *to);
            feed.number(*header).number(*offset).number(*len);
            feed.number(*op).number(*flags);
        }
        Instruction::ExthdrSet {
            from,
            header,
            offset,
            len,
            op,
        } => {
            let feed = register(feed.number(25_u8), *from);
            feed.number(*header)
                .number(*offset)
                .number(*len)
                .number(*op);
        }
        Instruction::Rt { key, to } => {
            register(feed.number(26_u8).number(*key), *to);
        }
        Instruction::Connlimit { count, flags } => {
            feed.number(27_u8).number(*count).number(*flags);
        }
        Instruction::Notrack => {
            feed.number(28_u8);
        }
        Instruction::Opaque { name, data } => {
            feed.number(29_u8).text(name).bytes(data);
        }
    }
}

fn register(feed: &mut Feed, Register(slot): Register) -> &mut Feed {
    feed.number(slot)
}

fn pair(feed: &mut Feed, pair: Option<(Register, Register)>) -> &mut Feed {
    feed.option(pair, |feed, (lo, hi)| {
        register(register(feed, lo), hi);
    })
}
