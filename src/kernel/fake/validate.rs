//! What the kernel validates over the whole table before it commits (`nft_table_validate`): from every
//! base chain, how deep jumps go, and whether each expression may run at that hook.

use nix::errno::Errno;

use super::refer;
use crate::bytecode::{Instruction, LookupResult};
use crate::live::{LiveChain, Table};
use crate::ruleset::{Base, ChainType, Hook};

/// `NFT_JUMP_STACK_SIZE`: chains on the way, the base chain included.
const MOST_LEVELS: usize = 16;

/// Whether every base chain can be walked.
pub(super) fn is_valid(table: Option<&Table>) -> Result<(), Errno> {
    let Some(table) = table else { return Ok(()) };
    for chain in &table.chains {
        if let Some(base) = chain.base {
            walk(table, base, chain, 0)?;
        }
    }
    Ok(())
}

fn walk(table: &Table, base: Base, chain: &LiveChain, level: usize) -> Result<(), Errno> {
    if level == MOST_LEVELS {
        return Err(Errno::EMLINK);
    }
    let follow = |name: &str| match table.chains.iter().find(|chain| chain.name == name) {
        Some(chain) => walk(table, base, chain, level + 1),
        None => Ok(()),
    };
    for instruction in chain.rules.iter().flat_map(|rule| &rule.instructions) {
        if !may_run(base, instruction) {
            return Err(Errno::EOPNOTSUPP);
        }
        match instruction {
            Instruction::Verdict(verdict) => {
                if let Some(target) = refer::target(verdict) {
                    follow(target)?;
                }
            }
            Instruction::Lookup {
                set,
                from: _,
                result: LookupResult::Verdict,
            } => {
                let elements = &refer::find(table, set)?.set.elements;
                for target in elements.rich().iter().filter_map(refer::element_target) {
                    follow(target)?;
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// The `validate` functions of the expressions.
fn may_run(base: Base, instruction: &Instruction) -> bool {
    /// `NFT_NAT_SNAT`
    const SNAT: u32 = 0;
    let Base {
        kind,
        hook,
        priority: _,
        policy: _,
    } = base;
    let nat_at = |hooks: &[Hook]| kind == ChainType::Nat && hooks.contains(&hook);
    match instruction {
        Instruction::Nat { kind: SNAT, .. } => nat_at(&[Hook::Postrouting, Hook::Input]),
        Instruction::Nat { .. } | Instruction::Redirect { .. } => {
            nat_at(&[Hook::Prerouting, Hook::Output])
        }
        Instruction::Masquerade { .. } => nat_at(&[Hook::Postrouting]),
        Instruction::Reject { .. } => matches!(
            hook,
            Hook::Input | Hook::Forward | Hook::Output | Hook::Prerouting
        ),
        Instruction::Rt { .. } => {
            matches!(hook, Hook::Forward | Hook::Output | Hook::Postrouting)
        }
        _ => true,
    }
}
