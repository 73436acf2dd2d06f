//! Chains, rules and verdicts.

use super::stmt::Statement;

/// An opaque label of where something came from: in the process, the document path in the policy.
/// Never sent to the kernel.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin(pub String);

/// What happens to a packet next, nft(8) VERDICT STATEMENTS.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Done with this base chain; the packet goes on.
    Accept,
    /// The packet ends here.
    Drop,
    /// Go on with the next rule.
    Continue,
    /// Go back to the calling chain.
    Return,
    /// Visit a chain and come back.
    Jump(String),
    /// Visit a chain and do not come back.
    Goto(String),
}

/// What kind of packets a base chain sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChainType {
    /// `filter`
    Filter,
    /// `nat`: only the first packet of a connection.
    Nat,
    /// `route`
    Route,
}

/// Where in the packet's way a base chain stands (linux/netfilter.h `nf_inet_hooks`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hook {
    /// Before routing.
    Prerouting,
    /// For the box itself.
    Input,
    /// Through the box.
    Forward,
    /// From the box itself.
    Output,
    /// After routing.
    Postrouting,
    /// A hook rfw does not make, by its number.
    Other(u32),
}

impl Hook {
    /// As nft(8) calls it; `None` where rfw knows only its number.
    pub fn name(self) -> Option<&'static str> {
        match self {
            Self::Prerouting => Some("prerouting"),
            Self::Input => Some("input"),
            Self::Forward => Some("forward"),
            Self::Output => Some("output"),
            Self::Postrouting => Some("postrouting"),
            Self::Other(_) => None,
        }
    }
}

/// The default verdict of a base chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChainPolicy {
    /// `policy accept`
    Accept,
    /// `policy drop`
    Drop,
}

/// What makes a chain a base chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Base {
    /// The chain type.
    pub kind: ChainType,
    /// The hook.
    pub hook: Hook,
    /// Lower is earlier; 0 is `filter`, -100 `dstnat`, 100 `srcnat`.
    pub priority: i32,
    /// What happens at the end of the chain.
    pub policy: ChainPolicy,
}

/// A chain and its rules in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// The name, unique in the table.
    pub name: String,
    /// Set for base chains only.
    pub base: Option<Base>,
    /// The rules.
    pub rules: Vec<Rule>,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The stable name (`policy/rule`, `nat/name`), stored as the rule's comment: 128 bytes at most.
    pub name: Option<String>,
    /// What it matches and does, left to right.
    pub statements: Vec<Statement>,
    /// Where it came from in the policy.
    pub origin: Option<Origin>,
}

/// A named stateful object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Object {
    /// The name, unique in the table for its kind.
    pub name: String,
    /// What it is.
    pub kind: ObjectKind,
    /// Where it came from in the policy.
    pub origin: Option<Origin>,
}

/// What a stateful object is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ObjectKind {
    /// A rate limit shared by several rules.
    Limit(super::stmt::Limit),
    /// A conntrack helper.
    CtHelper {
        /// The kernel's name of the helper, `ftp`.
        helper: String,
        /// The protocol number it works on.
        protocol: u8,
    },
    /// A flowtable: established connections that a rule hands to it go past the rules, from one of its interfaces to
    /// another. nft counts it among the objects of a table, though for the kernel it is none.
    Flowtable(Flowtable),
    /// A kind rfw does not make, by its number (linux/netfilter/nf_tables.h `NFT_OBJECT_*`).
    Other(u32),
}

/// What a flowtable is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Flowtable {
    /// The interfaces, sorted; each must be there when the flowtable is made.
    pub interfaces: Vec<String>,
    /// Whether the network cards take the connections over (`flags offload`).
    pub hardware: bool,
}

/// The number of the kind of flowtables. The kernel has none, and no `NFT_OBJECT_*` is as large.
pub const FLOWTABLE: u32 = 1 << 16;

impl ObjectKind {
    /// The kernel's number of the kind, `NFT_OBJECT_*`. Objects of different kinds may share a name.
    pub fn number(&self) -> u32 {
        match self {
            Self::CtHelper { .. } => 3,
            Self::Limit(_) => 4,
            Self::Flowtable(_) => FLOWTABLE,
            Self::Other(number) => *number,
        }
    }
}
