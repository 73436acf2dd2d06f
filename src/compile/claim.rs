//! Tests with every name replaced by what it means: claims about packets and sets, and the packets that they are about.
//!
//! Whether a claim holds is not decided here.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::model::{Ports, Service, Side};
use crate::diagnostic::DocPath;
use crate::ruleset::{Addresses, Family, Intervals};

/// A test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Test {
    /// The name, unique among the tests.
    pub name: String,
    /// What it claims.
    pub claim: Claim,
    /// Where it stands.
    pub at: DocPath,
}

/// What a test claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// What becomes of packets.
    Packets {
        /// Which packets.
        traffic: Box<Traffic>,
        /// What becomes of each of them.
        expect: Box<Expect>,
    },
    /// What a scan of TCP ports finds.
    Scan {
        /// Which packets, whatever their ports.
        traffic: Box<Traffic>,
        /// The ports by what they must be; no port is in two of them.
        ports: BTreeMap<Port, Intervals<u16>>,
    },
    /// What a list must never hold.
    Set {
        /// The set.
        set: String,
        /// What is written, and those of its addresses that the set's own `never_contains` does not keep out.
        entries: Vec<(String, Addresses)>,
    },
}

/// What a scan says of a port, in nmap's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Port {
    /// The packet is let through.
    Open,
    /// It is answered with a reset.
    Closed,
    /// It is not answered, or with an error.
    Filtered,
}

impl Port {
    /// nmap's word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
            Self::Filtered => "filtered",
        }
    }
}

/// Packets: all that fit, or one after the other of the same kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Traffic {
    /// Where they come from; one of these.
    pub from: Vec<End>,
    /// Where they go to, before any translation; one of these.
    pub to: Vec<End>,
    /// What is asked for; `None` is everything.
    pub services: Option<Vec<Service>>,
    /// The families.
    pub families: Vec<Family>,
    /// What connection tracking knows of them.
    pub state: State,
    /// When, in Unix seconds: at each of these moments; `None` is always.
    pub times: Option<Vec<i64>>,
}

/// One end of packets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// The zone, or the box.
    pub side: Side,
    /// Its addresses.
    pub addresses: Addresses,
}

/// What connection tracking knows of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Nothing yet.
    New,
    /// It goes on with a connection.
    Established,
    /// It belongs to a connection without being part of it.
    Related,
    /// It fits no connection.
    Invalid,
}

/// What must become of packets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expect {
    /// Whether they pass.
    pub verdict: Verdict,
    /// Which rule decides.
    pub by: Option<String>,
    /// Where they seem to come from then.
    pub source: Option<After>,
    /// Where they go then.
    pub destination: Option<After>,
    /// Of so many connections, how many go to which address.
    pub counts: Option<Counts>,
}

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// It passes.
    Accept,
    /// It ends.
    Drop,
    /// It ends, with an answer.
    Reject,
}

impl Verdict {
    /// The language's word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Drop => "drop",
            Self::Reject => "reject",
        }
    }
}

/// An end of a packet that has passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct After {
    /// As it is written.
    pub text: String,
    /// What it may be.
    pub is: AfterIs,
}

/// See [`After`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AfterIs {
    /// One of these.
    Addresses(Addresses),
    /// The box's own address on this interface.
    Interface(String),
}

/// How connections are shared out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counts {
    /// How many there are.
    pub connections: u32,
    /// How many of them go where.
    pub shares: BTreeMap<IpAddr, u32>,
}

/// All ports of a list.
#[must_use]
pub fn size(ports: &Intervals<u16>) -> u32 {
    let sizes = ports
        .iter()
        .map(|span| u32::from(span.hi) - u32::from(span.lo) + 1);
    sizes.sum()
}

/// TCP ports as a service.
#[must_use]
pub fn tcp(ports: &Intervals<u16>) -> Service {
    let transport = crate::ruleset::Transport::Tcp;
    Service {
        ports: Ports::from([(transport, ports.clone())]),
        ..Service::default()
    }
}
