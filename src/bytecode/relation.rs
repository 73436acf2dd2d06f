//! A match, both ways: an expression and what it must be, as loads and comparisons, and read back from them.
//!
//! Not here: the loads themselves, which are `load`'s and `recover`'s.

use super::layout::{self, prefix_mask, prefix_of};
use super::load::{FIRST, Linear, SECOND};
use super::recover::{Load, key};
use super::{Comparison, Instruction, LookupResult};
use crate::ruleset::{Expression, Field, Operand, Relation, Statement};

impl Linear {
    /// Appends a match.
    pub(super) fn relation(&mut self, left: &Expression, relation: Relation, right: &Operand) {
        self.require(left);
        let inverted = relation == Relation::Ne;
        match right {
            Operand::Value(value) => {
                self.load(left, FIRST, SECOND);
                self.cmp(equality(inverted), value.to_vec());
                if !inverted {
                    self.note(left, value);
                }
            }
            Operand::StartsWith(start) => {
                self.load(left, FIRST, SECOND);
                self.cmp(equality(inverted), start.to_vec());
            }
            Operand::Prefix(value, bits) => self.prefix(left, inverted, value, *bits),
            Operand::Range(lo, hi) => self.range(left, inverted, lo, hi),
            Operand::Set(name) => {
                self.load_for_set(left, FIRST);
                self.out.push(Instruction::Lookup {
                    set: name.clone(),
                    from: FIRST,
                    result: LookupResult::Member { inverted },
                });
            }
            Operand::AnyBit(bits) => {
                self.load(left, FIRST, SECOND);
                self.mask(FIRST, bits);
                self.cmp(equality(!inverted), vec![0; bits.len()]);
            }
            Operand::Bits { mask, value } => {
                self.load(left, FIRST, SECOND);
                self.mask(FIRST, mask);
                self.cmp(equality(inverted), value.to_vec());
            }
        }
    }

    /// A prefix that ends at a byte is a shorter load; any other is a mask.
    fn prefix(&mut self, left: &Expression, inverted: bool, value: &[u8], bits: u8) {
        let width = layout::width(left);
        let mask = prefix_mask(bits, width);
        let mut value: Vec<u8> = value.iter().zip(&mask).map(|(a, b)| a & b).collect();
        if let Expression::Field(field) = left
            && bits > 0
            && bits.is_multiple_of(8)
        {
            value.truncate(usize::from(bits / 8));
            self.payload(*field, value.len(), FIRST);
        } else {
            self.load(left, FIRST, SECOND);
            self.mask(FIRST, &mask);
        }
        self.cmp(equality(inverted), value);
    }

    /// Numbers of the host are compared in network order, as `memcmp` does it.
    fn range(&mut self, left: &Expression, inverted: bool, lo: &[u8], hi: &[u8]) {
        self.load(left, FIRST, SECOND);
        let (mut lo, mut hi) = (lo.to_vec(), hi.to_vec());
        if layout::is_host_order(left) {
            let width = layout::width(left) as u32;
            self.hton(FIRST, width);
            if cfg!(target_endian = "little") {
                lo.reverse();
                hi.reverse();
            }
        }
        if inverted {
            self.out.push(Instruction::Range {
                from: FIRST,
                inverted,
                lo,
                hi,
            });
        } else {
            self.cmp(Comparison::Gte, lo);
            self.cmp(Comparison::Lte, hi);
        }
    }
}

fn equality(inverted: bool) -> Comparison {
    if inverted {
        Comparison::Neq
    } else {
        Comparison::Eq
    }
}

pub(super) fn relation(inverted: bool) -> Relation {
    if inverted { Relation::Ne } else { Relation::Eq }
}

pub(super) fn range(loads: &[Load], relation: Relation, lo: &[u8], hi: &[u8]) -> Option<Statement> {
    let (mut lo, mut hi) = (lo.to_vec(), hi.to_vec());
    if loads.first()?.turned && cfg!(target_endian = "little") {
        lo.reverse();
        hi.reverse();
    }
    Some(Statement::Match {
        left: key(loads)?,
        relation,
        right: Operand::Range(lo.into(), hi.into()),
    })
}

pub(super) fn comparison(loads: &[Load], op: Comparison, data: &[u8]) -> Option<Statement> {
    let inverted = match op {
        Comparison::Eq => false,
        Comparison::Neq => true,
        Comparison::Lt | Comparison::Lte | Comparison::Gt | Comparison::Gte => return None,
    };
    let is = |left: Expression, inverted, right| Statement::Match {
        left,
        relation: relation(inverted),
        right,
    };
    let [load] = loads else {
        return Some(is(key(loads)?, inverted, Operand::Value(data.into())));
    };
    let left = load.expression.clone();
    let width = layout::width(&left);
    let Some(mask) = &load.mask else {
        let right = match load.len {
            Some(len) if len < width => {
                let mut value = data.to_vec();
                value.resize(width, 0);
                Operand::Prefix(value.into(), u8::try_from(len * 8).ok()?)
            }
            None if data.len() < width => Operand::StartsWith(data.into()),
            Some(_) | None => Operand::Value(data.into()),
        };
        return Some(is(left, inverted, right));
    };
    Some(match left {
        Expression::Field(field) if field != Field::TcpFlags => match prefix_of(mask) {
            Some(bits) if bits == 0 || !bits.is_multiple_of(8) => {
                is(left, inverted, Operand::Prefix(data.into(), bits))
            }
            _ => is(
                Expression::Masked(field, mask.as_slice().into()),
                inverted,
                Operand::Value(data.into()),
            ),
        },
        left if data.iter().all(|byte| *byte == 0) => {
            is(left, !inverted, Operand::AnyBit(mask.as_slice().into()))
        }
        left => is(
            left,
            inverted,
            Operand::Bits {
                mask: mask.as_slice().into(),
                value: data.into(),
            },
        ),
    })
}
