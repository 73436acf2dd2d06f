//! What has to go and come back under its own name, because the kernel cannot change it in place.
//!
//! The kernel deletes nothing that is still referred to (EBUSY), so the rules that refer to such an
//! object have to go before it and come back after it, even if nothing about them changes.

use std::collections::BTreeSet;

use crate::bytecode::Instruction;
use crate::ruleset::Verdict;

/// Names of objects that go and come back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Rebuild<'a> {
    /// Sets.
    pub(super) sets: BTreeSet<&'a str>,
    /// Stateful objects, with the number of their kind.
    pub(super) objects: BTreeSet<(u32, &'a str)>,
    /// Chains.
    pub(super) chains: BTreeSet<&'a str>,
}

impl Rebuild<'_> {
    /// Whether one of the instructions refers to something that goes.
    pub(super) fn holds_up(&self, instructions: &[Instruction]) -> bool {
        let Self {
            sets,
            objects,
            chains,
        } = self;
        if sets.is_empty() && objects.is_empty() && chains.is_empty() {
            return false;
        }
        instructions.iter().any(|instruction| match instruction {
            Instruction::Lookup { set, .. } | Instruction::Dynset { set, .. } => {
                sets.contains(set.as_str())
            }
            Instruction::Object { kind, name } => objects.contains(&(*kind, name.as_str())),
            Instruction::Verdict(verdict) => self.holds_up_verdict(verdict),
            // What is opaque may refer to anything.
            Instruction::Opaque { .. } => true,
            _ => false,
        })
    }

    /// Whether a verdict leads into a chain that goes.
    pub(super) fn holds_up_verdict(&self, verdict: &Verdict) -> bool {
        match verdict {
            Verdict::Jump(chain) | Verdict::Goto(chain) => self.chains.contains(chain.as_str()),
            Verdict::Accept | Verdict::Drop | Verdict::Continue | Verdict::Return => false,
        }
    }
}
