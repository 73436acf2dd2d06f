//! The desired ruleset as values: what nft(8) calls tables, chains, rules, sets and objects.
//!
//! It knows neither YAML nor netlink nor handles. One `Ruleset` is the one table `inet rfw`, the only
//! table rfw ever writes. The contract that every backend may rely on:
//!
//! * names are unique, and every chain, set and object that is referred to exists;
//! * every base chain of the filter type ends in a rule that decides, so its chain policy is only the
//!   second line of defence (the kernel puts a drop policy in force a moment after the rules);
//! * elements are sorted by key, disjoint, and as wide as the set's key;
//! * a rule's name is stable: it does not depend on the rule's place.

mod elements;
mod expr;
mod interval;
mod offload;
mod rule;
mod set;
mod stmt;
mod validate;

pub use elements::{Elements, Keys, KeysBuilder};
pub use expr::{Ct, Expression, Field, Meta, NumgenMode, Transport};
pub use interval::{Addresses, Bound, Interval, Intervals};
pub use offload::OFFLOAD_LABEL;
pub use rule::{
    Base, Chain, ChainPolicy, ChainType, FLOWTABLE, Flowtable, Hook, Object, ObjectKind, Origin,
    Rule, Verdict,
};
pub use set::{Count, DataType, Datum, Element, Key, Set, SetKind, SetSpec};
pub use stmt::{
    Family, Icmpx, Limit, Log, Nat, NatAddress, NatFlags, NatKind, NatPort, Operand, Reject,
    Relation, Statement,
};

pub use validate::{Valid, Violation, validate};

/// The name of the only table rfw ever writes; its family is `inet`.
pub const TABLE: &str = "rfw";

/// Everything the table holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ruleset {
    /// Sets, maps and verdict maps, by name.
    pub sets: Vec<Set>,
    /// Named limits and conntrack helpers, by name.
    pub objects: Vec<Object>,
    /// Chains; a chain may refer to any other.
    pub chains: Vec<Chain>,
}
