//! Which statement the first instructions of a rule may be, by their looks.
//!
//! Nothing is checked here: `delinearize` takes a candidate only if it gives these very instructions.

use rustables::sys;

use super::linearize::LOG_WARNING;
use super::load::{Context, Linear};
use super::recover::{Load, immediate, key, loads};
use super::relation::{comparison, range, relation};
use super::translation::{fixed_nat, mapped_nat, nat_port};
use super::{Comparison, Instruction, LookupResult};
use crate::ruleset::{FLOWTABLE, Icmpx, Log, Operand, Reject, Relation, Statement};

/// What the first instructions may be, and how many they are; not checked yet.
pub(super) fn candidate(
    instructions: &[Instruction],
    context: Context,
) -> Option<(Statement, usize)> {
    if let Some(statement) = instructions.first().and_then(single) {
        return Some((statement, 1));
    }
    if let Some((port, rest)) = nat_port(instructions, context)
        && matches!(
            rest.first(),
            Some(Instruction::Redirect { port: Some(_), .. })
        )
    {
        let used = instructions.len() - rest.len() + 1;
        return Some((Statement::Redirect { port: Some(port) }, used));
    }
    let mut mss = Linear::default();
    mss.statement(&Statement::ClampMss);
    if instructions.starts_with(&mss.out) {
        return Some((Statement::ClampMss, mss.out.len()));
    }
    if let Some((labels, rest)) = immediate(instructions)
        && let Some(Instruction::CtSet {
            key: sys::NFT_CT_LABELS,
            ..
        }) = rest.first()
    {
        let bits = u128::from_ne_bytes(labels.try_into().ok()?);
        let label = u8::try_from(bits.checked_ilog2()?).ok()?;
        return Some((Statement::CtLabel(label), 2));
    }
    if let Some((address, rest)) = immediate(instructions) {
        return fixed_nat(address, rest, context, instructions.len());
    }
    if let Some(found) = mapped_nat(instructions, context) {
        return Some(found);
    }
    let (loads, rest) = loads(instructions, context)?;
    let used = instructions.len() - rest.len();
    consumer(&loads, rest, used)
}

/// Statements of one instruction.
fn single(instruction: &Instruction) -> Option<Statement> {
    match instruction {
        Instruction::Counter(_) => Some(Statement::Counter),
        Instruction::Limit(limit) => Some(Statement::Limit(*limit)),
        Instruction::Verdict(verdict) => Some(Statement::Verdict(verdict.clone())),
        Instruction::Object { kind, name } => match *kind {
            sys::NFT_OBJECT_LIMIT => Some(Statement::NamedLimit(name.clone())),
            sys::NFT_OBJECT_CT_HELPER => Some(Statement::CtHelper(name.clone())),
            FLOWTABLE => Some(Statement::Offload(name.clone())),
            _ => None,
        },
        Instruction::Log {
            prefix,
            group,
            level: None | Some(LOG_WARNING),
        } => Some(Statement::Log(Log {
            prefix: prefix.clone(),
            group: *group,
        })),
        Instruction::Reject { kind, code } => match *kind {
            sys::NFT_REJECT_TCP_RST => Some(Statement::Reject(Reject::TcpReset)),
            sys::NFT_REJECT_ICMPX_UNREACH => Icmpx::ALL
                .get(usize::from(*code))
                .map(|code| Statement::Reject(Reject::Icmpx(*code))),
            _ => None,
        },
        Instruction::Masquerade { .. } => Some(Statement::Masquerade),
        Instruction::Redirect { port: None, .. } => Some(Statement::Redirect { port: None }),
        _ => None,
    }
}

/// What is done with the loaded values.
fn consumer(loads: &[Load], rest: &[Instruction], used: usize) -> Option<(Statement, usize)> {
    let statement = match rest.first()? {
        Instruction::Cmp {
            op: Comparison::Gte,
            data: lo,
            ..
        } => {
            let Instruction::Cmp {
                op: Comparison::Lte,
                data: hi,
                ..
            } = rest.get(1)?
            else {
                return None;
            };
            return Some((range(loads, Relation::Eq, lo, hi)?, used + 2));
        }
        Instruction::Range { lo, hi, .. } => range(loads, Relation::Ne, lo, hi)?,
        Instruction::Cmp { op, data, .. } => comparison(loads, *op, data)?,
        Instruction::Lookup { set, result, .. } => match result {
            LookupResult::Member { inverted } => Statement::Match {
                left: key(loads)?,
                relation: relation(*inverted),
                right: Operand::Set(set.clone()),
            },
            LookupResult::Verdict => Statement::VerdictMap {
                key: key(loads)?,
                map: set.clone(),
            },
            LookupResult::Data(_) => return None,
        },
        Instruction::Dynset { set, state, .. } => {
            let (set, key) = (set.clone(), key(loads)?);
            match state.as_slice() {
                [] => Statement::SetUpdate { set, key },
                [Instruction::Limit(limit)] => Statement::Meter {
                    set,
                    key,
                    limit: *limit,
                },
                [Instruction::Connlimit { count, .. }] => Statement::CountConnections {
                    set,
                    key,
                    most: *count,
                },
                _ => return None,
            }
        }
        _ => return None,
    };
    Some((statement, used + 1))
}
