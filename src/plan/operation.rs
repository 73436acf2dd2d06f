//! One step of a plan: a verb and an object.

use crate::bytecode::{self, Rule};
use crate::ruleset::{
    Base, Elements, FLOWTABLE, Object, ObjectKind, Origin, SetKind, SetSpec, TABLE,
};

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
    /// Give a dynamic set another timeout or size, in place.
    SetBounds {
        /// What it is, with the new ones; all else as it is.
        spec: SetSpec,
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
        elements: Elements,
    },
    /// Delete elements; one that is gone already is no error where the kernel can do that.
    DeleteElements {
        /// The set.
        set: SetSpec,
        /// The elements; only keys count.
        elements: Elements,
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

impl Operation {
    /// Whether two operations do the same, whatever counters start with and wherever they come from.
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::AddSet { spec, origin: _ },
                Self::AddSet {
                    spec: spec2,
                    origin: _,
                },
            ) => spec == spec2,
            (
                Self::AddElements { set, elements },
                Self::AddElements {
                    set: set2,
                    elements: elements2,
                },
            )
            | (
                Self::DeleteElements { set, elements },
                Self::DeleteElements {
                    set: set2,
                    elements: elements2,
                },
            ) => set == set2 && same_elements(elements, elements2),
            (
                Self::AddObject { object } | Self::DeleteObject { object },
                Self::AddObject { object: object2 } | Self::DeleteObject { object: object2 },
            ) => {
                std::mem::discriminant(self) == std::mem::discriminant(other)
                    && (&object.name, &object.kind) == (&object2.name, &object2.kind)
            }
            (
                Self::AddRule { chain, place, rule },
                Self::AddRule {
                    chain: chain2,
                    place: place2,
                    rule: rule2,
                },
            ) => (chain, place) == (chain2, place2) && same_rule(rule, rule2),
            (
                Self::ReplaceRule {
                    chain,
                    handle,
                    rule,
                },
                Self::ReplaceRule {
                    chain: chain2,
                    handle: handle2,
                    rule: rule2,
                },
            ) => (chain, handle) == (chain2, handle2) && same_rule(rule, rule2),
            _ => self == other,
        }
    }

    /// The stable name of the rule it is about, if it is about one.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::AddRule { rule, .. } | Self::ReplaceRule { rule, .. } => rule.name.as_deref(),
            Self::DeleteRule { name, .. } => name.as_deref(),
            Self::AddTable { .. }
            | Self::DeleteTable
            | Self::SetTableFlags { .. }
            | Self::AddChain { .. }
            | Self::SetChainPolicy { .. }
            | Self::FlushChain { .. }
            | Self::DeleteChain { .. }
            | Self::AddSet { .. }
            | Self::SetBounds { .. }
            | Self::DeleteSet { .. }
            | Self::AddElements { .. }
            | Self::DeleteElements { .. }
            | Self::AddObject { .. }
            | Self::DeleteObject { .. } => None,
        }
    }

    /// Where in the policy it comes from, if that is known.
    pub fn origin(&self) -> Option<&Origin> {
        match self {
            Self::AddRule { rule, .. } | Self::ReplaceRule { rule, .. } => rule.origin.as_ref(),
            Self::AddSet { origin, .. } => origin.as_ref(),
            Self::AddObject { object } | Self::DeleteObject { object } => object.origin.as_ref(),
            Self::AddTable { .. }
            | Self::DeleteTable
            | Self::SetTableFlags { .. }
            | Self::AddChain { .. }
            | Self::SetChainPolicy { .. }
            | Self::FlushChain { .. }
            | Self::DeleteChain { .. }
            | Self::SetBounds { .. }
            | Self::DeleteSet { .. }
            | Self::AddElements { .. }
            | Self::DeleteElements { .. }
            | Self::DeleteRule { .. } => None,
        }
    }
}

/// Verb, object and where it is, in nft's words: `add rule inet rfw forward`.
impl std::fmt::Display for Operation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let table = TABLE;
        match self {
            Self::AddTable { mark: _ } => write!(f, "add table inet {table}"),
            Self::DeleteTable => write!(f, "delete table inet {table}"),
            Self::SetTableFlags { flags } => {
                write!(f, "replace flags of table inet {table} by {flags}")
            }
            Self::AddChain { name, base } => {
                let kind = if base.is_some() {
                    "base chain"
                } else {
                    "chain"
                };
                write!(f, "add {kind} inet {table} {name}")
            }
            Self::SetChainPolicy { name, base: _ } => {
                write!(f, "replace chain policy of chain inet {table} {name}")
            }
            Self::FlushChain { chain } => write!(f, "flush chain inet {table} {chain}"),
            Self::DeleteChain { name } => write!(f, "delete chain inet {table} {name}"),
            Self::AddSet { spec, origin: _ } => {
                write!(f, "add {} inet {table} {}", noun(&spec.kind), spec.name)
            }
            Self::SetBounds { spec } => {
                let (noun, name) = (noun(&spec.kind), &spec.name);
                write!(f, "replace timeout and size of {noun} inet {table} {name}")
            }
            Self::DeleteSet { name } => write!(f, "delete set inet {table} {name}"),
            Self::AddElements { set, elements } => {
                let (n, name) = (elements.len(), &set.name);
                write!(f, "add {n} {} inet {table} {name}", plural(n))
            }
            Self::DeleteElements { set, elements } => {
                let (n, name) = (elements.len(), &set.name);
                write!(f, "delete {n} {} inet {table} {name}", plural(n))
            }
            Self::AddObject { object } => {
                write!(
                    f,
                    "add {} inet {table} {}",
                    object_noun(&object.kind),
                    object.name
                )
            }
            Self::DeleteObject { object } => {
                write!(
                    f,
                    "delete {} inet {table} {}",
                    object_noun(&object.kind),
                    object.name
                )
            }
            Self::AddRule {
                chain,
                place: _,
                rule: _,
            } => write!(f, "add rule inet {table} {chain}"),
            Self::ReplaceRule {
                chain,
                handle,
                rule: _,
            } => write!(f, "replace rule inet {table} {chain} handle {handle}"),
            Self::DeleteRule {
                chain,
                handle,
                name: _,
            } => write!(f, "delete rule inet {table} {chain} handle {handle}"),
        }
    }
}

/// nft's word for a set, map or verdict map.
pub(super) fn noun(kind: &SetKind) -> &'static str {
    match kind {
        SetKind::Set => "set",
        SetKind::Map(_) | SetKind::VerdictMap => "map",
    }
}

/// nft's word for a stateful object.
pub(super) fn object_noun(kind: &ObjectKind) -> &'static str {
    match kind {
        ObjectKind::Limit(_) => "limit",
        ObjectKind::CtHelper { .. } => "ct helper",
        ObjectKind::Flowtable(_) | ObjectKind::Other(FLOWTABLE) => "flowtable",
        ObjectKind::Other(_) => "object",
    }
}

fn plural(n: usize) -> &'static str {
    if n == 1 { "element" } else { "elements" }
}

fn same_rule(left: &Rule, right: &Rule) -> bool {
    left.name == right.name && bytecode::same(&left.instructions, &right.instructions)
}

fn same_elements(left: &Elements, right: &Elements) -> bool {
    match (left.plain(), right.plain()) {
        (Some(left), Some(right)) => left == right,
        _ => {
            left.len() == right.len()
                && left.iter().zip(right.iter()).all(|(left, right)| {
                    (&left.key, &left.datum, &left.name) == (&right.key, &right.datum, &right.name)
                })
        }
    }
}
