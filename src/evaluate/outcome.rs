//! What became of a packet, by which rule, and the whole way there.

use std::net::IpAddr;

use super::choice::Choice;
use super::firewall::Firewall;
use super::packet::Packet;
use super::view::{ChainRef, ElementRef, ElementView, RuleRef, RuleView};
use crate::ruleset::{ChainPolicy, Hook};

/// How a refused packet is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Answer {
    /// A TCP reset.
    TcpReset,
    /// An ICMP error of the packet's family with this code (type 3, or ICMPv6 type 1).
    Icmp(u8),
    /// An ICMP error by the neutral code `NFT_REJECT_ICMPX_*`.
    Icmpx(u8),
}

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Decision {
    /// It goes on, or reaches the box.
    Accept,
    /// It is gone, and nobody is told.
    Drop,
    /// It is gone, and its sender is told.
    Reject(Answer),
    /// Nobody can say.
    Unknown,
}

/// Why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// A rule.
    Rule(RuleRef),
    /// The chain policy of a base chain.
    Policy(ChainRef),
    /// No base chain had anything to say.
    Nothing,
    /// The kernel itself, whatever the rules.
    Kernel(Kernel),
    /// A rule that rfw cannot follow, and what it is about it.
    Opaque(RuleRef, Opaque),
    /// The choices have too many ways.
    TooManyWays,
}

/// What the kernel does of its own accord.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kernel {
    /// There is no route to the destination.
    NoRoute,
    /// A source that no packet may come from (RFC 1812, 5.3.7).
    MartianSource,
    /// A destination that no packet may have on a link.
    MartianDestination,
    /// A packet to all stations, or to a group, which is not forwarded.
    NotForwarded,
    /// It has no hop left; an ICMP error says so.
    TimeExceeded,
    /// No address to translate to.
    NoAddress,
    /// The jump stack was full.
    JumpStack,
}

/// Why a rule cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Opaque {
    /// An expression that rfw does not know, or not in this form; by its name.
    Expression(String),
    /// A set that holds what rfw does not understand.
    Set(String),
    /// An object of another kind, or one that is not there.
    Object(String),
    /// A chain that is not there.
    Chain(String),
    /// A value that is not known of the packet.
    Value(&'static str),
}

/// What a rule did with the packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Met {
    /// It does not fit: this instruction of it, counted from 0, ended it.
    Failed(u16),
    /// It fits, and the packet goes on to the next rule.
    Passed,
    /// It accepts.
    Accept,
    /// It drops.
    Drop,
    /// It rejects.
    Reject(Answer),
    /// It sends the packet back to the calling chain.
    Return,
    /// It sends the packet to another chain, by its index, and the packet comes back.
    Jump(u32),
    /// It sends the packet to another chain, by its index, for good.
    Goto(u32),
    /// It translates, and accepts.
    Translate,
    /// It cannot be followed, from this instruction on, but does nothing to the packet in any case.
    Idle(u16),
    /// It cannot be followed, from this instruction on.
    Opaque(u16),
}

/// One step of the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// The packet is at a hook.
    Hook(Hook),
    /// It enters a base chain.
    Base(ChainRef),
    /// An element of a verdict map that stands for a rule of its own says what the rule met next does.
    Element(ElementRef),
    /// It meets a rule.
    Rule(RuleRef, Met),
    /// A base chain ends, and its policy decides.
    Policy(ChainRef, ChainPolicy),
    /// Routing sends it to the box.
    Local,
    /// Routing sends it on, by the interface of [`Outcome::packet`].
    Forward,
    /// It is translated: an index into [`Outcome::translations`].
    Translated(u16),
    /// The kernel itself ends it.
    Kernel(Kernel),
}

/// What a translation does to one end of the packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Translation {
    /// The rule.
    pub rule: RuleRef,
    /// Whether the destination is rewritten instead of the source.
    pub destination: bool,
    /// What the end was.
    pub before: (IpAddr, Option<u16>),
    /// The new address, or the bounds among which the kernel chooses; `None`: an address of the box that is not known.
    pub address: Option<(IpAddr, IpAddr)>,
    /// The new port, or the bounds among which the kernel chooses; `None` where there are no ports.
    pub port: Option<(u16, u16)>,
}

/// One thing that can become of the packet.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// What became of it.
    pub decision: Decision,
    /// Why.
    pub reason: Reason,
    /// The rules that called the chain of the deciding one, the outermost first.
    pub callers: Vec<RuleRef>,
    /// The packet as it was at the end.
    pub packet: Packet,
    /// Its translations in order.
    pub translations: Vec<Translation>,
    /// Everything it met.
    pub path: Vec<Step>,
    /// What had to be chosen on the way.
    pub choices: Vec<Choice>,
    /// How often it comes to this, 0 to 1: by the numbers that rules draw, as far as those are even; a limit that may hold or
    /// not counts in full both ways.
    pub share: f64,
}

/// What has decided, of what has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named<'a> {
    /// An element of a verdict map, which stands for a rule.
    Element(ElementView<'a>),
    /// A rule.
    Rule(RuleView<'a>),
}

impl<'a> Named<'a> {
    /// The stable name of the rule.
    pub fn name(&self) -> &'a str {
        match self {
            Self::Element(view) => view.name(),
            Self::Rule(view) => view.name.unwrap_or_default(),
        }
    }
}

impl Outcome {
    /// What has decided, if it was a rule: the element by which it did, else the rule itself, else the nearest of its callers that has
    /// a name.
    pub fn named<'a>(&self, firewall: &'a Firewall) -> Option<Named<'a>> {
        let (Reason::Rule(rule) | Reason::Opaque(rule, _)) = &self.reason else {
            return None;
        };
        if let Some(view) = self.element(*rule).and_then(|at| firewall.element(at)) {
            return Some(Named::Element(view));
        }
        let rules = std::iter::once(rule).chain(self.callers.iter().rev());
        let mut rules = rules.filter_map(|rule| firewall.rule(*rule));
        rules
            .find(|rule| rule.name.is_some_and(|name| !name.is_empty()))
            .map(Named::Rule)
    }

    /// The element by which a rule has decided.
    fn element(&self, rule: RuleRef) -> Option<ElementRef> {
        let pairs = self.path.iter().zip(self.path.get(1..)?);
        let mut pairs = pairs.rev().filter_map(|pair| match pair {
            (Step::Element(element), Step::Rule(by, _)) if *by == rule => Some(*element),
            _ => None,
        });
        pairs.next()
    }
}

/// All that can become of a packet.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// At least one; those that differ only in their paths are one.
    pub outcomes: Vec<Outcome>,
}

impl Evaluation {
    /// What becomes of the packet, if that is the same in every case.
    pub fn decision(&self) -> Option<Decision> {
        let first = self.outcomes.first()?.decision;
        let same = |outcome: &Outcome| outcome.decision == first;
        self.outcomes.iter().all(same).then_some(first)
    }

    /// The only outcome, if there is one only.
    pub fn only(&self) -> Option<&Outcome> {
        match self.outcomes.as_slice() {
            [only] => Some(only),
            _ => None,
        }
    }
}
