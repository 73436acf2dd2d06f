//! Chains, rules and elements of a firewall, as they are named in what is told of a packet, and as people know them.

use crate::bytecode::Instruction;
use crate::ruleset::{Base, Element, Origin};

/// A chain of a [`crate::evaluate::Firewall`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChainRef {
    /// Which table, in the order in which they were put in.
    pub table: u16,
    /// Which chain of it, by name.
    pub chain: u32,
}

/// A rule of a [`crate::evaluate::Firewall`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleRef {
    /// Its chain.
    pub chain: ChainRef,
    /// Its place in the chain, from 0 on.
    pub rule: u32,
}

/// An element of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ElementRef {
    /// Which table, in the order in which they were put in.
    pub table: u16,
    /// Which set of it, by name.
    pub set: u32,
    /// Its place in the set, by key.
    pub element: u32,
}

/// An element that stands for a rule, as people know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ElementView<'a> {
    /// nft's word for the family of the table.
    pub family: &'static str,
    /// The table.
    pub table: &'a str,
    /// The verdict map.
    pub set: &'a str,
    /// It.
    pub element: &'a Element,
}

impl<'a> ElementView<'a> {
    /// The name of the rule, which is its comment.
    pub fn name(&self) -> &'a str {
        self.element.name.as_deref().unwrap_or_default()
    }
}

/// A rule as people know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleView<'a> {
    /// nft's word for the family of the table.
    pub family: &'static str,
    /// The family by nfproto number.
    pub nfproto: u8,
    /// The table.
    pub table: &'a str,
    /// The chain.
    pub chain: &'a str,
    /// Its place in the chain, from 0 on.
    pub index: u32,
    /// Its comment.
    pub name: Option<&'a str>,
    /// Where it comes from in the policy.
    pub origin: Option<&'a Origin>,
    /// The kernel's id, of a rule that was read from it.
    pub handle: Option<u64>,
    /// What it does.
    pub instructions: &'a [Instruction],
}

/// A chain as people know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainView<'a> {
    /// nft's word for the family of the table.
    pub family: &'static str,
    /// The table.
    pub table: &'a str,
    /// The chain.
    pub chain: &'a str,
    /// Its hook, priority and policy, if it is a base chain.
    pub base: Option<Base>,
}

/// nft's word for a family.
pub(super) fn family_name(family: u8) -> &'static str {
    match family {
        1 => "inet",
        2 => "ip",
        3 => "arp",
        5 => "netdev",
        7 => "bridge",
        10 => "ip6",
        _ => "?",
    }
}
