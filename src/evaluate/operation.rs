//! Instructions with their names resolved and their constants beside them: what the machine runs.
//!
//! One to one with [`Instruction`], so that a place in a rule is the same in both.

use rustables::sys;

use super::outcome::{Answer, Opaque};
use crate::bytecode::{Comparison, Instruction, LookupResult, PayloadBase, Register};
use crate::ruleset::{FLOWTABLE, ObjectKind, Verdict};

/// Bytes of a constant.
const MOST: usize = 16;

/// A constant of up to 16 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Constant {
    len: u8,
    bytes: [u8; MOST],
}

impl Constant {
    fn of(data: &[u8]) -> Option<Self> {
        let mut bytes = [0; MOST];
        bytes.get_mut(..data.len())?.copy_from_slice(data);
        Some(Self {
            len: data.len() as u8,
            bytes,
        })
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

/// A verdict with the chain's index for its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    Accept,
    Drop,
    Continue,
    Return,
    Jump(u32),
    Goto(u32),
    /// To a chain that is not there.
    Lost,
}

/// Registers of an address or a port range.
pub(super) type Bounds = Option<(Register, Register)>;

/// One instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Op {
    Meta {
        key: u32,
        to: Register,
    },
    MetaSet {
        key: u32,
        from: Register,
    },
    Payload {
        base: PayloadBase,
        offset: u32,
        len: u32,
        to: Register,
    },
    Cmp {
        from: Register,
        op: Comparison,
        data: Constant,
    },
    Range {
        from: Register,
        inverted: bool,
        bounds: Box<(Constant, Constant)>,
    },
    Bitwise {
        from: Register,
        to: Register,
        len: u8,
        mask_xor: Box<([u8; MOST], [u8; MOST])>,
    },
    Byteorder {
        from: Register,
        to: Register,
        len: u8,
        size: u8,
    },
    Lookup {
        set: u32,
        from: Register,
        result: LookupResult,
    },
    Immediate {
        to: Register,
        data: Constant,
    },
    Verdict(Act),
    /// Counts, logs, or does something else that no later instruction sees.
    Nothing,
    Rate,
    Connections {
        inverted: bool,
    },
    Reject(Answer),
    Nat {
        destination: bool,
        family: u8,
        address: Bounds,
        port: Bounds,
        flags: u32,
    },
    Masquerade {
        port: Bounds,
        flags: u32,
    },
    Redirect {
        port: Bounds,
    },
    Ct {
        key: u32,
        to: Register,
        reply: Option<bool>,
    },
    CtSet {
        key: u32,
        from: Register,
    },
    Fib {
        to: Register,
        result: u32,
        flags: u32,
    },
    Numgen {
        to: Register,
        modulus: u32,
        random: bool,
        offset: u32,
    },
    /// With a seed that is known, otherwise `from` is `None`.
    Hash {
        from: Option<(Register, u32, u32)>,
        to: Register,
        modulus: u32,
        offset: u32,
    },
    Dynset {
        set: u32,
        op: u32,
        key: Register,
        inverted: bool,
        /// What elements keep: a rate, a number of connections.
        rate: bool,
        connections: Option<bool>,
    },
    /// A value of the route that only a size is made of.
    Rt {
        to: Register,
    },
    Notrack,
    Flow,
    Opaque(Box<Opaque>),
}

/// What names mean in a table.
pub(super) struct Names<'a> {
    pub(super) chain: &'a dyn Fn(&str) -> Option<u32>,
    pub(super) set: &'a dyn Fn(&str) -> Option<u32>,
    pub(super) object: &'a dyn Fn(u32, &str) -> Option<&'a ObjectKind>,
}

impl Names<'_> {
    pub(super) fn act(&self, verdict: &Verdict) -> Act {
        match verdict {
            Verdict::Accept => Act::Accept,
            Verdict::Drop => Act::Drop,
            Verdict::Continue => Act::Continue,
            Verdict::Return => Act::Return,
            Verdict::Jump(chain) => (self.chain)(chain).map_or(Act::Lost, Act::Jump),
            Verdict::Goto(chain) => (self.chain)(chain).map_or(Act::Lost, Act::Goto),
        }
    }

    /// What an instruction means.
    pub(super) fn op(&self, instruction: &Instruction) -> Op {
        self.known(instruction)
            .unwrap_or_else(|opaque| Op::Opaque(Box::new(opaque)))
    }

    fn known(&self, instruction: &Instruction) -> Result<Op, Opaque> {
        let constant = |data: &[u8], name: &str| {
            Constant::of(data).ok_or_else(|| Opaque::Expression(name.to_owned()))
        };
        Ok(match instruction {
            Instruction::Meta { key, to } => Op::Meta { key: *key, to: *to },
            Instruction::MetaSet { key, from } => Op::MetaSet {
                key: *key,
                from: *from,
            },
            Instruction::Payload {
                base,
                offset,
                len,
                to,
            } => Op::Payload {
                base: *base,
                offset: *offset,
                len: *len,
                to: *to,
            },
            Instruction::Cmp { from, op, data } => Op::Cmp {
                from: *from,
                op: *op,
                data: constant(data, "cmp")?,
            },
            Instruction::Range {
                from,
                inverted,
                lo,
                hi,
            } => Op::Range {
                from: *from,
                inverted: *inverted,
                bounds: Box::new((constant(lo, "range")?, constant(hi, "range")?)),
            },
            Instruction::Bitwise {
                from,
                to,
                len,
                mask,
                xor,
            } => Op::Bitwise {
                from: *from,
                to: *to,
                len: u8::try_from(*len).unwrap_or(u8::MAX),
                mask_xor: Box::new((
                    constant(mask, "bitwise")?.bytes,
                    constant(xor, "bitwise")?.bytes,
                )),
            },
            Instruction::Byteorder {
                from,
                to,
                op: _,
                len,
                size,
            } => Op::Byteorder {
                from: *from,
                to: *to,
                len: u8::try_from(*len).unwrap_or(u8::MAX),
                size: u8::try_from(*size).unwrap_or(u8::MAX),
            },
            Instruction::Lookup { set, from, result } => Op::Lookup {
                set: self.set(set)?,
                from: *from,
                result: *result,
            },
            Instruction::Immediate { to, data } => Op::Immediate {
                to: *to,
                data: constant(data, "immediate")?,
            },
            Instruction::Verdict(verdict) => match (self.act(verdict), verdict) {
                (Act::Lost, Verdict::Jump(chain) | Verdict::Goto(chain)) => {
                    return Err(Opaque::Chain(chain.clone()));
                }
                (act, _) => Op::Verdict(act),
            },
            Instruction::Counter(_) | Instruction::Log { .. } | Instruction::ExthdrSet { .. } => {
                Op::Nothing
            }
            Instruction::Limit(_) => Op::Rate,
            Instruction::Connlimit { count: _, flags } => Op::Connections {
                inverted: flags & 1 != 0,
            },
            Instruction::Reject { kind, code } => Op::Reject(match *kind {
                sys::NFT_REJECT_TCP_RST => Answer::TcpReset,
                sys::NFT_REJECT_ICMP_UNREACH => Answer::Icmp(*code),
                _ => Answer::Icmpx(*code),
            }),
            Instruction::Nat {
                kind,
                family,
                address,
                port,
                flags,
            } => Op::Nat {
                destination: *kind == sys::NFT_NAT_DNAT,
                family: u8::try_from(*family).unwrap_or(0),
                address: *address,
                port: *port,
                flags: *flags,
            },
            Instruction::Masquerade { port, flags } => Op::Masquerade {
                port: *port,
                flags: *flags,
            },
            Instruction::Redirect { port, flags: _ } => Op::Redirect { port: *port },
            Instruction::Ct { key, to, direction } => Op::Ct {
                key: *key,
                to: *to,
                reply: direction.map(|direction| direction != 0),
            },
            Instruction::CtSet { key, from } => Op::CtSet {
                key: *key,
                from: *from,
            },
            Instruction::Fib { to, result, flags } => Op::Fib {
                to: *to,
                result: *result,
                flags: *flags,
            },
            Instruction::Numgen {
                to,
                modulus,
                mode,
                offset,
            } => Op::Numgen {
                to: *to,
                modulus: *modulus,
                random: *mode == sys::NFT_NG_RANDOM,
                offset: *offset,
            },
            Instruction::Hash {
                kind,
                from,
                len,
                to,
                modulus,
                seed,
                offset,
            } => Op::Hash {
                from: match (*kind, from, seed) {
                    (sys::NFT_HASH_JENKINS, Some(from), Some(seed)) => Some((*from, *len, *seed)),
                    _ => None,
                },
                to: *to,
                modulus: *modulus,
                offset: *offset,
            },
            Instruction::Object { kind, name } => self.object(*kind, name)?,
            Instruction::Dynset {
                set,
                op,
                key,
                data: _,
                timeout: _,
                inverted,
                state,
            } => {
                let (mut rate, mut connections) = (false, None);
                for kept in state {
                    match kept {
                        Instruction::Limit(_) => rate = true,
                        Instruction::Connlimit { count: _, flags } => {
                            connections = Some(flags & 1 != 0);
                        }
                        Instruction::Counter(_) => {}
                        _ => return Err(Opaque::Expression("dynset".to_owned())),
                    }
                }
                Op::Dynset {
                    set: self.set(set)?,
                    op: *op,
                    key: *key,
                    inverted: *inverted,
                    rate,
                    connections,
                }
            }
            Instruction::Exthdr { .. } => return Err(Opaque::Expression("exthdr".to_owned())),
            Instruction::Rt { key: _, to } => Op::Rt { to: *to },
            Instruction::Notrack => Op::Notrack,
            Instruction::Opaque { name, data: _ } => {
                return Err(Opaque::Expression(name.clone()));
            }
        })
    }

    fn set(&self, name: &str) -> Result<u32, Opaque> {
        (self.set)(name).ok_or_else(|| Opaque::Set(name.to_owned()))
    }

    fn object(&self, kind: u32, name: &str) -> Result<Op, Opaque> {
        match kind {
            FLOWTABLE => return Ok(Op::Flow),
            // Counters, helpers, timeouts, marks for SELinux, expectations: nothing a later instruction sees.
            sys::NFT_OBJECT_COUNTER
            | sys::NFT_OBJECT_CT_HELPER
            | sys::NFT_OBJECT_CT_TIMEOUT
            | sys::NFT_OBJECT_SECMARK
            | sys::NFT_OBJECT_CT_EXPECT => return Ok(Op::Nothing),
            _ => {}
        }
        match (self.object)(kind, name) {
            Some(ObjectKind::Limit(_)) => Ok(Op::Rate),
            _ => Err(Opaque::Object(name.to_owned())),
        }
    }
}
