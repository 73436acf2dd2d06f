//! Instructions with their names resolved and their constants beside them: what the machine runs.
//!
//! One to one with [`crate::bytecode::Instruction`], so that a place in a rule is the same in both. Not here: how one becomes the
//! other, which is `resolve`'s.

use super::outcome::{Answer, Opaque};
use crate::bytecode::{Comparison, LookupResult, PayloadBase, Register, xtables};

/// Bytes of a constant.
const MOST: usize = 16;

/// A constant of up to 16 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Constant {
    len: u8,
    pub(super) bytes: [u8; MOST],
}

impl Constant {
    pub(super) fn of(data: &[u8]) -> Option<Self> {
        let mut bytes = [0; MOST];
        bytes.get_mut(..data.len())?.copy_from_slice(data);
        Some(Self {
            len: data.len() as u8,
            bytes,
        })
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

/// A verdict with the chain's index for its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    Accept,
    Drop,
    Continue,
    Return,
    Jump(u32),
    Goto(u32),
    /// To a chain that is not there.
    Lost,
}

/// Registers of an address or a port range.
pub(super) type Bounds = Option<(Register, Register)>;

/// One instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Op {
    Meta {
        key: u32,
        to: Register,
    },
    MetaSet {
        key: u32,
        from: Register,
    },
    Payload {
        base: PayloadBase,
        offset: u32,
        len: u32,
        to: Register,
    },
    Cmp {
        from: Register,
        op: Comparison,
        data: Constant,
    },
    Range {
        from: Register,
        inverted: bool,
        bounds: Box<(Constant, Constant)>,
    },
    Bitwise {
        from: Register,
        to: Register,
        len: u8,
        mask_xor: Box<([u8; MOST], [u8; MOST])>,
    },
    Byteorder {
        from: Register,
        to: Register,
        len: u8,
        size: u8,
    },
    Lookup {
        set: u32,
        from: Register,
        result: LookupResult,
    },
    Immediate {
        to: Register,
        data: Constant,
    },
    Verdict(Act),
    /// Counts, logs, or does something else that no later instruction sees.
    Nothing,
    Rate {
        /// Over the limit instead of within it.
        inverted: bool,
    },
    Connections {
        inverted: bool,
    },
    Reject(Answer),
    Nat {
        destination: bool,
        family: u8,
        address: Bounds,
        port: Bounds,
        flags: u32,
    },
    Masquerade {
        port: Bounds,
        flags: u32,
    },
    Redirect {
        port: Bounds,
    },
    Ct {
        key: u32,
        to: Register,
        reply: Option<bool>,
    },
    CtSet {
        key: u32,
        from: Register,
    },
    Fib {
        to: Register,
        result: u32,
        flags: u32,
    },
    Numgen {
        to: Register,
        modulus: u32,
        random: bool,
        offset: u32,
    },
    /// With a seed that is known, otherwise `from` is `None`.
    Hash {
        from: Option<(Register, u32, u32)>,
        to: Register,
        modulus: u32,
        offset: u32,
    },
    Dynset {
        set: u32,
        op: u32,
        key: Register,
        inverted: bool,
        /// What elements keep: a rate, a number of connections.
        rate: bool,
        connections: Option<bool>,
    },
    /// A value of the route, of so many bytes.
    Rt {
        to: Register,
        len: usize,
    },
    /// An option of IPv4 or an extension header of IPv6, which no packet has: whether it is there, or what is in it.
    Header {
        to: Register,
        is_v6: bool,
        presence: bool,
    },
    Notrack,
    Flow,
    /// A match of iptables.
    Match(Box<xtables::Match>),
    /// A target of iptables.
    Target(Box<xtables::Target>),
    Opaque(Box<Opaque>),
}

/// Expressions that only look at a packet, if rfw does not know what they see.
const ONLY_LOOK: [&str; 8] = [
    "bitwise", "ct", "exthdr", "fib", "meta", "osf", "socket", "xfrm",
];

impl Op {
    /// Whether it only looks at the packet, or tells somebody of it.
    pub(super) fn is_idle(&self) -> bool {
        match self {
            Self::Meta { .. }
            | Self::Payload { .. }
            | Self::Cmp { .. }
            | Self::Range { .. }
            | Self::Bitwise { .. }
            | Self::Byteorder { .. }
            | Self::Immediate { .. }
            | Self::Nothing
            | Self::Rate { .. }
            | Self::Connections { .. }
            | Self::Ct { .. }
            | Self::Fib { .. }
            | Self::Numgen { .. }
            | Self::Hash { .. }
            | Self::Rt { .. }
            | Self::Header { .. }
            | Self::Match(_) => true,
            Self::Lookup { result, .. } => *result != LookupResult::Verdict,
            Self::Target(target) => **target == xtables::Target::Nothing,
            Self::Opaque(opaque) => match opaque.as_ref() {
                Opaque::Expression(name) => {
                    name.starts_with("match ") || ONLY_LOOK.contains(&name.as_str())
                }
                Opaque::Set(_) | Opaque::Object(_) | Opaque::Chain(_) | Opaque::Value(_) => false,
            },
            Self::Verdict(_)
            | Self::MetaSet { .. }
            | Self::Reject(_)
            | Self::Nat { .. }
            | Self::Masquerade { .. }
            | Self::Redirect { .. }
            | Self::CtSet { .. }
            | Self::Dynset { .. }
            | Self::Notrack
            | Self::Flow => false,
        }
    }
}
