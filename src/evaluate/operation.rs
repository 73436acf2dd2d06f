//! Instructions with their names resolved and their constants beside them: what the machine runs.
//!
//! One to one with [`Instruction`], so that a place in a rule is the same in both.

use rustables::sys;

use super::outcome::{Answer, Opaque};
use crate::bytecode::{Comparison, Instruction, LookupResult, PayloadBase, Register, xtables};
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
    Rate {
        /// Over the limit instead of within it.
        inverted: bool,
    },
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
    /// A value of the route, of so many bytes.
    Rt {
        to: Register,
        len: usize,
    },
    Notrack,
    Flow,
    /// A match of iptables.
    Match(Box<xtables::Match>),
    /// A target of iptables.
    Target(Box<xtables::Target>),
    Opaque(Box<Opaque>),
}

/// Expressions that only look at a packet, if rfw does not know what they see.
const ONLY_LOOK: [&str; 8] = [
    "bitwise", "ct", "exthdr", "fib", "meta", "osf", "socket", "xfrm",
];

impl Op {
    /// Whether it only looks at the packet, or tells somebody of it.
    pub(super) fn is_idle(&self) -> bool {
        match self {
            Self::Meta { .. }
            | Self::Payload { .. }
            | Self::Cmp { .. }
            | Self::Range { .. }
            | Self::Bitwise { .. }
            | Self::Byteorder { .. }
            | Self::Immediate { .. }
            | Self::Nothing
            | Self::Rate { .. }
            | Self::Connections { .. }
            | Self::Ct { .. }
            | Self::Fib { .. }
            | Self::Numgen { .. }
            | Self::Hash { .. }
            | Self::Rt { .. }
            | Self::Match(_) => true,
            Self::Lookup { result, .. } => *result != LookupResult::Verdict,
            Self::Target(target) => **target == xtables::Target::Nothing,
            Self::Opaque(opaque) => match opaque.as_ref() {
                Opaque::Expression(name) => {
                    name.starts_with("match ") || ONLY_LOOK.contains(&name.as_str())
                }
                Opaque::Set(_) | Opaque::Object(_) | Opaque::Chain(_) | Opaque::Value(_) => false,
            },
            Self::Verdict(_)
            | Self::MetaSet { .. }
            | Self::Reject(_)
            | Self::Nat { .. }
            | Self::Masquerade { .. }
            | Self::Redirect { .. }
            | Self::CtSet { .. }
            | Self::Dynset { .. }
            | Self::Notrack
            | Self::Flow => false,
        }
    }
}

/// What names mean in a table.
pub(super) struct Names<'a> {
    /// The family of the table, by nfproto number.
    pub(super) family: u8,
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
            Instruction::Limit(_) => Op::Rate { inverted: false },
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
            Instruction::Rt { key, to } => Op::Rt {
                to: *to,
                // The next hop of IPv6 is an address.
                len: if *key == sys::NFT_RT_NEXTHOP6 { 16 } else { 4 },
            },
            Instruction::Notrack => Op::Notrack,
            Instruction::Opaque { name, data } => return self.opaque(instruction, name, data),
        })
    }

    /// What rfw has no instruction for.
    fn opaque(&self, instruction: &Instruction, name: &str, data: &[u8]) -> Result<Op, Opaque> {
        if let Some(extension) = xtables::extension(instruction) {
            if let Some(it) = extension.matches(self.family) {
                return Ok(Op::Match(Box::new(it)));
            }
            if let Some(it) = extension.target(self.family) {
                return Ok(Op::Target(Box::new(it)));
            }
            return Err(Opaque::Expression(format!("{name} {}", extension.name)));
        }
        match name {
            // They count, tell somebody, or send a copy elsewhere.
            "counter" | "last" | "log" | "dup" => Ok(Op::Nothing),
            "limit" => Ok(Op::Rate {
                inverted: flags(data, sys::NFTA_LIMIT_FLAGS) & sys::NFT_LIMIT_F_INV != 0,
            }),
            // Used up or not, as with a limit; `over` is when it is.
            "quota" => Ok(Op::Rate {
                inverted: flags(data, sys::NFTA_QUOTA_FLAGS) & sys::NFT_QUOTA_F_INV != 0,
            }),
            _ => Err(Opaque::Expression(name.to_owned())),
        }
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
            Some(ObjectKind::Limit(_)) => Ok(Op::Rate { inverted: false }),
            _ => Err(Opaque::Object(name.to_owned())),
        }
    }
}

/// The flags of an expression, by the type of their attribute; none if it has none.
fn flags(mut data: &[u8], kind: u16) -> u32 {
    while let Some((head, rest)) = data.split_first_chunk::<4>() {
        let [low, high, one, other] = *head;
        let length = usize::from(u16::from_ne_bytes([low, high]));
        let value = length.checked_sub(4).and_then(|len| rest.get(..len));
        if u16::from_ne_bytes([one, other]) & 0x3fff == kind {
            let value = value.and_then(|value| value.try_into().ok());
            return value.map_or(0, u32::from_be_bytes);
        }
        data = data
            .get(length.next_multiple_of(4).max(4)..)
            .unwrap_or_default();
    }
    0
}
