//! What the kernel holds now: one consistent reading of rfw's table, or of all tables ([`Everything`]).
//!
//! Nothing here decides anything. What rfw does not understand stays as an opaque instruction, so it
//! can be shown and compared, and is never silently rewritten.

mod assumed;
mod everything;
mod known;
mod network;

pub use assumed::Assumed;
pub use everything::{AnySet, AnyTable, Everything};
pub use known::Known;
pub use network::{KernelRoute, Link, Network};

use crate::bytecode::Instruction;
use crate::ruleset::{Base, Count, Object, Set};

/// The kernel's ruleset counter: it moves by one with every commit in the network namespace,
/// whoever commits. It wraps at 32 bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(pub u32);

impl std::fmt::Display for Generation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// One consistent reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Live {
    /// The generation all of it belongs to.
    pub generation: Generation,
    /// rfw's table, when there is one.
    pub table: Option<Table>,
    /// Family and name of the other tables; rfw only looks.
    pub others: Vec<OtherTable>,
}

/// A table that is not ours.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OtherTable {
    /// The family by nfproto number: 1 inet, 2 ip, 3 arp, 5 netdev, 7 bridge, 10 ip6.
    pub family: u8,
    /// The name.
    pub name: String,
}

/// The table `inet rfw` as the kernel has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// The kernel's id.
    pub handle: u64,
    /// `NFT_TABLE_F_*`: 1 dormant, 2 owner, 4 persist.
    pub flags: u32,
    /// The mark rfw gave this table when it created it, a random number in the table's user data;
    /// tells a table from another of the same name in another namespace or boot.
    pub mark: Option<[u8; 16]>,
    /// Sets, sorted by name.
    pub sets: Vec<LiveSet>,
    /// Stateful objects and flowtables, sorted by name.
    pub objects: Vec<LiveObject>,
    /// Chains, sorted by name.
    pub chains: Vec<LiveChain>,
}

/// A set and its handle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveSet {
    /// The kernel's id.
    pub handle: u64,
    /// What it is, and what is in it (empty for dynamic sets).
    pub set: Set,
    /// Flags, types or expressions that rfw does not know; such a set never equals a desired one.
    pub unknown: Vec<String>,
    /// `NFT_SET_ANONYMOUS`: it belongs to one rule and goes with it; it cannot be deleted by itself.
    pub anonymous: bool,
}

/// A stateful object and its handle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveObject {
    /// The kernel's id.
    pub handle: u64,
    /// What it is.
    pub object: Object,
}

/// A chain, its handle and its rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveChain {
    /// The kernel's id.
    pub handle: u64,
    /// The name.
    pub name: String,
    /// Set for base chains.
    pub base: Option<Base>,
    /// `NFT_CHAIN_BINDING`: it belongs to the one rule that jumps to it and goes with it; neither it nor
    /// its rules can be deleted by themselves.
    pub anonymous: bool,
    /// The rules in order.
    pub rules: Vec<LiveRule>,
}

/// A rule and its handle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveRule {
    /// The kernel's id, kept over a replace.
    pub handle: u64,
    /// The comment.
    pub name: Option<String>,
    /// What it does.
    pub instructions: Vec<Instruction>,
}

impl LiveRule {
    /// The sum of the rule's counters; `None` when it has none.
    pub fn count(&self) -> Option<Count> {
        let mut sum = None;
        for instruction in &self.instructions {
            if let Instruction::Counter(count) = instruction {
                *sum.get_or_insert_with(Count::default) += *count;
            }
        }
        sum
    }
}
