//! One step of a plan: a verb and an object.

use crate::bytecode::Rule;
use crate::ruleset::{Base, Element, Object, Origin, SetSpec};

/// One change to rfw's table. Operations name what they act on by name or by the kernel's handle, so
/// a batch has no choices left.
///
/// What is added must not be there yet (`NLM_F_CREATE | NLM_F_EXCL`: the kernel answers EEXIST), the
/// table excepted. What is deleted must be there (ENOENT), elements excepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Create the table, or do nothing when it is there.
    AddTable {
        /// Put into the table's user data; see `live::Table::mark`.
        mark: [u8; 16],
    },
    /// Delete the table and all it holds.
    DeleteTable,
    /// Give the table other flags, in place; how a dormant table is woken.
    SetTableFlags {
        /// `NFT_TABLE_F_*`, all of them: the kernel refuses when owner or persist are not as they were.
        flags: u32,
    },
    /// Create a chain.
    AddChain {
        /// The name.
        name: String,
        /// Set for base chains.
        base: Option<Base>,
    },
    /// Give a base chain another chain policy, in place.
    SetChainPolicy {
        /// The chain's name.
        name: String,
        /// Its base with the new chain policy.
        base: Base,
    },
    /// Delete all rules of a chain that are still there: one message for any number of rules.
    FlushChain {
        /// The chain's name.
        chain: String,
    },
    /// Delete an empty chain; one that holds rules or is jumped to is refused (`NLM_F_NONREC`).
    DeleteChain {
        /// The name.
        name: String,
    },
    /// Create a set without elements.
    AddSet {
        /// What it is.
        spec: SetSpec,
        /// Where it came from in the policy; only for messages.
        origin: Option<Origin>,
    },
    /// Delete a set with its elements.
    DeleteSet {
        /// The name.
        name: String,
    },
    /// Add elements.
    AddElements {
        /// The set.
        set: SetSpec,
        /// The elements, with start values for their counters.
        elements: Vec<Element>,
    },
    /// Delete elements; one that is gone already is no error where the kernel can do that.
    DeleteElements {
        /// The set.
        set: SetSpec,
        /// The elements; only keys count.
        elements: Vec<Element>,
    },
    /// Create a stateful object.
    AddObject {
        /// What it is.
        object: Object,
    },
    /// Delete a stateful object.
    DeleteObject {
        /// What it is.
        object: Object,
    },
    /// Add a rule at a place.
    AddRule {
        /// The chain's name.
        chain: String,
        /// Where.
        place: Place,
        /// The rule; its counters carry start values.
        rule: Rule,
    },
    /// Put a rule in the place of another, keeping the handle.
    ReplaceRule {
        /// The chain's name.
        chain: String,
        /// The rule to go.
        handle: u64,
        /// The rule to come; its counters carry start values.
        rule: Rule,
    },
    /// Delete a rule.
    DeleteRule {
        /// The chain's name.
        chain: String,
        /// The rule.
        handle: u64,
        /// Its stable name; only for messages.
        name: Option<String>,
    },
    /// Delete a flowtable, which rfw never makes; rules that use it are deleted before.
    DeleteFlowtable {
        /// The name.
        name: String,
    },
}

/// Where a rule is added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// At the end of the chain.
    Last,
    /// Before the rule with this handle, which is there before and after the batch. Several in a row
    /// come to stand in the order they are given.
    Before(u64),
}
