//! What the loads at the beginning of a statement put into registers, as an expression.

use rustables::sys;

use super::layout::{self, field_at};
use super::load::Context;
use super::{Instruction, LookupResult, Register};
use crate::ruleset::{Expression, NumgenMode};

/// A value in a register.
pub(super) struct Load {
    pub(super) to: Register,
    pub(super) expression: Expression,
    /// Bytes loaded, when it is a header field.
    pub(super) len: Option<usize>,
    /// The bits kept.
    pub(super) mask: Option<Vec<u8>>,
    /// Whether its bytes were turned around.
    pub(super) turned: bool,
}

/// The loads at the beginning, and what follows them.
pub(super) fn loads(
    mut instructions: &[Instruction],
    context: Context,
) -> Option<(Vec<Load>, &[Instruction])> {
    let mut loads: Vec<Load> = Vec::new();
    while let Some((first, rest)) = instructions.split_first() {
        let load = |to: &Register, expression| Load {
            to: *to,
            expression,
            len: None,
            mask: None,
            turned: false,
        };
        match first {
            Instruction::Meta { key, to } => {
                loads.push(load(to, Expression::Meta(layout::meta_of(*key)?)));
            }
            Instruction::Payload {
                base,
                offset,
                len,
                to,
            } => {
                let field = field_at(*base, *offset, context.family, context.protocol)?;
                loads.push(Load {
                    len: usize::try_from(*len).ok(),
                    ..load(to, Expression::Field(field))
                });
            }
            Instruction::Ct { key, to, .. } => {
                loads.push(load(to, Expression::Ct(layout::ct_of(*key)?)));
            }
            Instruction::Fib { to, flags, .. } => {
                let iif = flags & sys::NFTA_FIB_F_IIF != 0;
                loads.push(load(to, Expression::FibDaddrType { iif }));
            }
            Instruction::Numgen {
                to, modulus, mode, ..
            } => {
                let mode = match *mode {
                    sys::NFT_NG_INCREMENTAL => NumgenMode::Inc,
                    _ => NumgenMode::Random,
                };
                let modulus = *modulus;
                loads.push(load(to, Expression::Numgen { mode, modulus }));
            }
            Instruction::Hash {
                to, modulus, seed, ..
            } => {
                let Expression::Field(field) = loads.pop()?.expression else {
                    return None;
                };
                let jhash = Expression::Jhash {
                    field,
                    modulus: *modulus,
                    seed: (*seed)?,
                };
                loads.push(load(to, jhash));
            }
            Instruction::Bitwise { to, mask, .. } => {
                let last = loads.last_mut().filter(|last| last.to == *to)?;
                last.mask = Some(mask.clone());
            }
            Instruction::Byteorder { to, .. } => {
                let last = loads.last_mut().filter(|last| last.to == *to)?;
                last.turned = true;
            }
            Instruction::Lookup {
                set,
                result: LookupResult::Data(to),
                ..
            } => {
                let map = Expression::Map(Box::new(key(&loads)?), set.clone());
                loads = vec![load(to, map)];
            }
            _ => break,
        }
        instructions = rest;
    }
    (!loads.is_empty()).then_some((loads, instructions))
}

/// The constant at the beginning, and what follows it.
pub(super) fn immediate(instructions: &[Instruction]) -> Option<(&[u8], &[Instruction])> {
    match instructions.split_first()? {
        (Instruction::Immediate { data, .. }, rest) => Some((data, rest)),
        _ => None,
    }
}

/// The loaded values as one key.
pub(super) fn key(loads: &[Load]) -> Option<Expression> {
    let mut fields: Vec<Expression> = loads
        .iter()
        .map(|load| match (&load.expression, &load.mask) {
            (expression, None) => Some(expression.clone()),
            (Expression::Field(field), Some(mask)) => {
                Some(Expression::Masked(*field, mask.as_slice().into()))
            }
            _ => None,
        })
        .collect::<Option<_>>()?;
    if fields.len() == 1 {
        fields.pop()
    } else {
        Some(Expression::Concat(fields))
    }
}
