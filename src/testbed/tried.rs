//! What has come out of a test in the kernel.
//!
//! Not here: how it is found, which is `trial`'s.

use std::collections::BTreeMap;

use super::fate::Sight;
use crate::evaluate::{Environment, Evaluation, Packet, RuleRef, State};

/// What has come out of a test in the kernel.
#[derive(Clone, Debug, Default)]
pub struct Tried {
    /// How many packets were sent.
    pub sent: usize,
    /// How many there are, of which those were chosen.
    pub of: usize,
    /// Packets that were not sent, or say nothing about the test, and why.
    pub left_out: BTreeMap<LeftOut, usize>,
    /// Of how many of those the kernel told of more rules than could be taken in, so that only what became of them was compared.
    pub untraced: usize,
    /// How often the kernel did something else than the evaluator says.
    pub disagreements: usize,
    /// The first of these.
    pub disagreement: Option<Box<Disagreement>>,
    /// What is not as the test expects, in the kernel.
    pub failed: Option<String>,
}

/// Why a packet says nothing about a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LeftOut {
    /// Connection tracking calls it this, and not what the test says. Kernel and evaluator agree on it all the same.
    IsOf(State),
    /// It belongs to a connection that another one announces, and is no error about that one.
    Related,
    /// A connection of this protocol cannot be made by packets alone.
    NotOpened,
    /// A packet of this protocol cannot be damaged.
    NotInvalid,
    /// It would be no packet of this protocol.
    NoSuchPacket,
    /// Rules ask for the time in a way that cannot be moved, and it is another time.
    OtherTime,
    /// Nobody can say what becomes of it.
    NotFollowed,
    /// So many connections are not made.
    TooMany,
}

impl LeftOut {
    /// In words that follow a number of packets.
    pub fn why(self) -> String {
        let why = match self {
            Self::IsOf(state) => {
                return format!("connection tracking calls them {}", state.name());
            }
            Self::Related => "they belong to connections that others announce in what they carry",
            Self::NotOpened => "their connections cannot be made by packets alone",
            Self::NotInvalid => "nothing can be wrong with them",
            Self::NoSuchPacket => "there are no such packets",
            Self::OtherTime => "they need another time",
            Self::NotFollowed => "nobody can say what becomes of them",
            Self::TooMany => "they are too many connections",
        };
        why.to_owned()
    }
}

/// A packet with which the kernel did something else than the evaluator says.
#[derive(Clone, Debug)]
pub struct Disagreement {
    /// The packet, as the evaluator got it.
    pub packet: Packet,
    /// As it was sent, from its IP header on.
    pub bytes: Vec<u8>,
    /// The box.
    pub environment: Environment,
    /// What the kernel did.
    pub kernel: Sight,
    /// What the evaluator says.
    pub evaluation: Evaluation,
    /// The rules of rfw's table that it fits in the kernel, in order, by chain and place.
    pub met: Option<Vec<RuleRef>>,
}
