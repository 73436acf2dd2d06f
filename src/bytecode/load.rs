//! Loading what a packet offers into registers, with what it depends on.

use rustables::sys;

use super::layout::{self, needs_family, needs_protocol, place};
use super::{Comparison, Instruction, LookupResult, Register};
use crate::ruleset::{Expression, Field, Meta, NumgenMode};

/// The first slot; every statement starts here.
pub(super) const FIRST: Register = Register(0);
/// The first slot behind a value of the greatest width.
pub(super) const SECOND: Register = Register(4);

/// What the matches of a rule have established so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Context {
    /// The nfproto that holds.
    pub(super) family: Option<u8>,
    /// The transport protocol that holds.
    pub(super) protocol: Option<u8>,
}

/// Instructions on their way.
#[derive(Default)]
pub(super) struct Linear {
    pub(super) context: Context,
    pub(super) out: Vec<Instruction>,
}

impl Linear {
    /// Loads a key that stands alone, with what it depends on.
    pub(super) fn key(&mut self, key: &Expression) {
        self.require(key);
        let behind = match key {
            Expression::Concat(_) => (layout::width(key) / 4).next_multiple_of(4),
            _ => usize::from(SECOND.0),
        };
        self.load(key, FIRST, slot(behind));
    }

    /// Establishes what an expression depends on, unless the rule has done so already.
    pub(super) fn require(&mut self, expression: &Expression) {
        match expression {
            Expression::Field(field)
            | Expression::Masked(field, _)
            | Expression::Jhash { field, .. } => self.require_field(*field),
            Expression::Concat(fields) => fields.iter().for_each(|field| self.require(field)),
            Expression::Map(key, _) => self.require(key),
            Expression::Meta(_)
            | Expression::Ct(_)
            | Expression::FibDaddrType { .. }
            | Expression::Numgen { .. } => {}
        }
    }

    fn require_field(&mut self, field: Field) {
        let protocol = needs_protocol(field);
        if protocol.is_some() && protocol == self.context.protocol {
            return;
        }
        if let Some(family) = needs_family(field)
            && self.context.family != Some(family)
        {
            self.out.push(Instruction::Meta {
                key: sys::NFT_META_NFPROTO,
                to: FIRST,
            });
            self.cmp(Comparison::Eq, vec![family]);
            self.context.family = Some(family);
        }
        if let Some(protocol) = protocol {
            self.establish_protocol(protocol);
        }
    }

    pub(super) fn establish_protocol(&mut self, protocol: u8) {
        if self.context.protocol != Some(protocol) {
            self.out.push(Instruction::Meta {
                key: sys::NFT_META_L4PROTO,
                to: FIRST,
            });
            self.cmp(Comparison::Eq, vec![protocol]);
            self.context.protocol = Some(protocol);
        }
    }

    /// What an equality that the policy itself asks for establishes.
    pub(super) fn note(&mut self, left: &Expression, value: &[u8]) {
        match left {
            Expression::Meta(Meta::Nfproto) => self.context.family = value.first().copied(),
            Expression::Meta(Meta::L4proto) => self.context.protocol = value.first().copied(),
            _ => {}
        }
    }

    /// Loads a value; `scratch` is the first slot behind everything that is loaded with it.
    pub(super) fn load(&mut self, expression: &Expression, to: Register, scratch: Register) {
        match expression {
            Expression::Meta(meta) => self.out.push(Instruction::Meta {
                key: layout::meta_key(*meta),
                to,
            }),
            Expression::Field(field) => self.payload(*field, field.width(), to),
            Expression::Masked(field, mask) => {
                self.payload(*field, field.width(), to);
                self.mask(to, mask);
            }
            Expression::Ct(ct) => self.out.push(Instruction::Ct {
                key: layout::ct_key(*ct),
                to,
                direction: None,
            }),
            Expression::FibDaddrType { iif } => self.out.push(Instruction::Fib {
                to,
                result: sys::NFT_FIB_RESULT_ADDRTYPE,
                flags: sys::NFTA_FIB_F_DADDR | if *iif { sys::NFTA_FIB_F_IIF } else { 0 },
            }),
            Expression::Numgen { mode, modulus } => self.out.push(Instruction::Numgen {
                to,
                modulus: *modulus,
                mode: match mode {
                    NumgenMode::Inc => sys::NFT_NG_INCREMENTAL,
                    NumgenMode::Random => sys::NFT_NG_RANDOM,
                },
                offset: 0,
            }),
            Expression::Jhash {
                field,
                modulus,
                seed,
            } => {
                self.payload(*field, field.width(), scratch);
                self.out.push(Instruction::Hash {
                    kind: sys::NFT_HASH_JENKINS,
                    from: Some(scratch),
                    len: field.width() as u32,
                    to,
                    modulus: *modulus,
                    seed: Some(*seed),
                    offset: 0,
                });
            }
            Expression::Concat(fields) => {
                for (field, to) in side_by_side(fields, to) {
                    self.load(field, to, scratch);
                }
            }
            Expression::Map(key, name) => {
                self.load(key, to, scratch);
                self.out.push(Instruction::Lookup {
                    set: name.clone(),
                    from: to,
                    result: LookupResult::Data(to),
                });
            }
        }
    }

    pub(super) fn payload(&mut self, field: Field, len: usize, to: Register) {
        let (base, offset) = place(field);
        self.out.push(Instruction::Payload {
            base,
            offset,
            len: len as u32,
            to,
        });
    }

    pub(super) fn mask(&mut self, register: Register, mask: &[u8]) {
        self.out.push(Instruction::Bitwise {
            from: register,
            to: register,
            len: mask.len() as u32,
            mask: mask.to_vec(),
            xor: vec![0; mask.len()],
        });
    }

    /// Loads what is looked up in a set. Times are only in sets of ranges, whose keys are compared byte by byte, so that they
    /// are turned first.
    pub(super) fn load_for_set(&mut self, expression: &Expression, to: Register) {
        match expression {
            Expression::Concat(fields) => {
                for (field, to) in side_by_side(fields, to) {
                    self.load_for_set(field, to);
                }
            }
            _ => {
                self.load(expression, to, SECOND);
                if let Expression::Meta(Meta::Time | Meta::Hour) = expression {
                    self.hton(to, layout::width(expression) as u32);
                }
            }
        }
    }

    pub(super) fn hton(&mut self, register: Register, width: u32) {
        self.out.push(Instruction::Byteorder {
            from: register,
            to: register,
            op: sys::NFT_BYTEORDER_HTON,
            len: width,
            size: width,
        });
    }

    pub(super) fn cmp(&mut self, op: Comparison, data: Vec<u8>) {
        self.out.push(Instruction::Cmp {
            from: FIRST,
            op,
            data,
        });
    }

    /// Puts a constant into a register; returns it as the lowest and highest of a range.
    pub(super) fn immediate(&mut self, to: Register, data: &[u8]) -> (Register, Register) {
        self.out.push(Instruction::Immediate {
            to,
            data: data.to_vec(),
        });
        (to, to)
    }
}

/// Fields, and the slots at which they begin.
fn side_by_side(
    fields: &[Expression],
    to: Register,
) -> impl Iterator<Item = (&Expression, Register)> {
    let mut at = usize::from(to.0);
    fields.iter().map(move |field| {
        let begins = at;
        at += layout::width(field).div_ceil(4);
        (field, slot(begins))
    })
}

/// A slot by number; a number that no register has names the last one, which the kernel refuses.
fn slot(number: usize) -> Register {
    Register(u8::try_from(number).unwrap_or(u8::MAX))
}
