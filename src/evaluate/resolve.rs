//! What instructions mean in a table: names become places, constants are put beside, and what is not followed is told apart.

use rustables::sys;

use super::operation::{Act, Constant, Op};
use super::outcome::{Answer, Opaque};
use crate::bytecode::{Instruction, xtables};
use crate::ruleset::{FLOWTABLE, ObjectKind, Verdict};

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
            Instruction::Exthdr { to, op, flags, .. }
                if matches!(*op, sys::NFT_EXTHDR_OP_IPV6 | sys::NFT_EXTHDR_OP_IPV4) =>
            {
                Op::Header {
                    to: *to,
                    is_v6: *op == sys::NFT_EXTHDR_OP_IPV6,
                    presence: flags & sys::NFT_EXTHDR_F_PRESENT != 0,
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
