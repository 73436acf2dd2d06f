//! One instruction run on one packet, as the kernel's own `nft_*` modules run it.
//!
//! Not here: which instruction comes next, which is `machine`'s; and what most of them read and do, which is `load`'s, `lookup`'s,
//! `effect`'s, `translate`'s and `extension`'s.

use super::effect::{go_on_if, not_known};
use super::hash;
use super::header::Load;
use super::load::Loaded;
use super::machine::{Flow, Run, Tracking};
use super::operation::Op;
use super::outcome::Opaque;
use super::table::Table;
use super::translate::Trouble;
use super::view::RuleRef;
use crate::bytecode::Comparison;

impl<'a> Run<'a> {
    /// Runs one instruction.
    pub(super) fn op(&mut self, op: &'a Op, table: &'a Table, at: RuleRef) -> Flow {
        match op {
            Op::Meta { key, to } => loaded(self.meta(*key, *to)),
            Op::MetaSet { key, from } => self.meta_set(*key, *from),
            Op::Payload {
                base,
                offset,
                len,
                to,
            } => {
                let len = *len as usize;
                match self.headers.load(*base, *offset as usize, len) {
                    Load::Bytes(bytes) => self.registers.put(*to, bytes),
                    Load::Unknown => self.registers.forget(*to, len),
                    Load::Missing => return Flow::Break,
                }
                Flow::Next
            }
            Op::Cmp { from, op, data } => {
                let data = data.bytes();
                let Some(value) = self.registers.get(*from, data.len()) else {
                    return not_known();
                };
                go_on_if(match op {
                    Comparison::Eq => value == data,
                    Comparison::Neq => value != data,
                    Comparison::Lt => value < data,
                    Comparison::Lte => value <= data,
                    Comparison::Gt => value > data,
                    Comparison::Gte => value >= data,
                })
            }
            Op::Range {
                from,
                inverted,
                bounds,
            } => {
                let (lo, hi) = (bounds.0.bytes(), bounds.1.bytes());
                let Some(value) = self.registers.get(*from, lo.len()) else {
                    return not_known();
                };
                go_on_if((lo <= value && value <= hi) != *inverted)
            }
            Op::Bitwise {
                from,
                to,
                len,
                mask_xor,
            } => {
                let (mask, xor) = mask_xor.as_ref();
                self.registers
                    .mask(*from, *to, usize::from(*len), mask, xor);
                Flow::Next
            }
            Op::Byteorder {
                from,
                to,
                len,
                size,
            } => {
                let (len, size) = (usize::from(*len), usize::from(*size));
                self.registers.turn(*from, *to, len, size);
                Flow::Next
            }
            Op::Lookup { set, from, result } => self.lookup(table, at, *set, *from, *result),
            Op::Immediate { to, data } => {
                self.registers.put(*to, data.bytes());
                Flow::Next
            }
            Op::Verdict(act) => Flow::Act(*act),
            Op::Nothing => Flow::Next,
            Op::Rate { inverted } => go_on_if(self.rate(at) != *inverted),
            Op::Connections { inverted } => go_on_if(self.connections(at) != *inverted),
            Op::Reject(answer) => Flow::Reject(*answer),
            Op::Nat {
                destination,
                family,
                address,
                port,
                flags,
            } => {
                if *family != 1 && *family != self.packet.family() {
                    return Flow::Next;
                }
                translated(self.nat(at, *destination, *address, *port, *flags))
            }
            Op::Masquerade { port, flags } => translated(self.masquerade(at, *port, *flags)),
            Op::Redirect { port } => translated(self.redirect(at, *port)),
            Op::Ct { key, to, reply } => loaded(self.ct(*key, *to, *reply)),
            Op::CtSet { key, from } => self.ct_set(*key, *from),
            Op::Fib { to, result, flags } => loaded(self.fib(*to, *result, *flags)),
            Op::Numgen {
                to,
                modulus,
                random,
                offset,
            } => {
                let given = if *random {
                    self.choices.random
                } else {
                    self.choices.counter
                };
                let number = self.number(at, given, *modulus);
                self.registers.put_number(*to, number.wrapping_add(*offset));
                Flow::Next
            }
            Op::Hash {
                from,
                to,
                modulus,
                offset,
            } => {
                let number = match from {
                    Some((from, len, seed)) => {
                        let Some(bytes) = self.registers.get(*from, *len as usize) else {
                            return not_known();
                        };
                        hash::scale(hash::jhash(bytes, *seed), *modulus)
                    }
                    None => self.number(at, self.choices.random, *modulus),
                };
                self.registers.put_number(*to, number.wrapping_add(*offset));
                Flow::Next
            }
            Op::Dynset { .. } => self.dynset(op, table, at),
            Op::Rt { to, len } => {
                self.registers.forget(*to, *len);
                Flow::Next
            }
            Op::Header {
                to,
                is_v6,
                presence,
            } => {
                if !presence || *is_v6 != self.packet.is_v6() {
                    return Flow::Break;
                }
                self.registers.put(*to, &[0]);
                Flow::Next
            }
            Op::Notrack => {
                if self.tracking == Tracking::NotYet {
                    self.tracking = Tracking::Untracked;
                }
                Flow::Next
            }
            // Only what is established is handed over; for others the rule ends here.
            Op::Flow => Flow::Break,
            Op::Match(it) => self.matches(it, at),
            Op::Target(it) => self.target(it, at),
            Op::Opaque(opaque) => Flow::Opaque(opaque.as_ref().clone()),
        }
    }
}

fn loaded(loaded: Loaded) -> Flow {
    match loaded {
        Loaded::Done => Flow::Next,
        Loaded::Missing => Flow::Break,
        Loaded::Strange(name) => Flow::Opaque(Opaque::Expression(name.to_owned())),
    }
}

/// How a translation ended.
pub(super) fn translated(result: Result<(), Trouble>) -> Flow {
    match result {
        Ok(()) => Flow::Translated,
        Err(Trouble::Kernel(kernel)) => Flow::Kernel(kernel),
        Err(Trouble::Unknown(what)) => Flow::Opaque(Opaque::Value(what)),
    }
}
