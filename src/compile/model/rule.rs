//! Who may talk to whom: zone policies their rules, and when these are there.

use super::{Selector, Service, Side};
use crate::diagnostic::DocPath;
use crate::ruleset::{Icmpx, Limit, Log};
use crate::schedule::{Told, Windows};

/// A zone policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZonePolicy {
    /// The name.
    pub name: String,
    /// Where packets come from; `any` is every zone and the box itself. Sorted, no duplicates.
    pub from: Vec<Side>,
    /// Where they go. Sorted, no duplicates.
    pub to: Vec<Side>,
    /// What ends a pair; `None` passes on to the next policy that fits.
    pub default: Option<Action>,
    /// Logs what the default drops or rejects (or accepts).
    pub log: Option<LogLimit>,
    /// The rules in order.
    pub rules: Vec<Rule>,
    /// Where it stands.
    pub at: DocPath,
}

/// A rule of a zone policy. There are many, and most have little of what they may have: what is rare is elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The name, unique in the zone policy.
    pub name: Box<str>,
    /// What it is for; empty is everything.
    pub services: Vec<Service>,
    /// Where from.
    pub source: Selector,
    /// Where to.
    pub destination: Selector,
    /// What happens.
    pub action: Action,
    /// Only while this schedule is open, by name; a packet at another time goes on to the next rule.
    pub schedule: Option<Box<str>>,
    /// Only within this rate; a packet over it goes on to the next rule.
    pub limit: Option<Box<RuleLimit>>,
    /// Only while a source (IPv6: each /64) has at most so many connections by this rule; one more goes on to the next
    /// rule.
    pub most_connections: Option<u32>,
    /// Whether its connections go past the rules once they are established.
    pub offload: bool,
    /// The dynamic set, by name, that it adds the source of each packet to.
    pub adds_source_to: Option<Box<str>>,
    /// Logs what the rule decides; never limits the verdict.
    pub log: Option<Box<LogLimit>>,
    /// Where it stands.
    pub at: DocPath,
}

impl Rule {
    /// Whether it may let a packet go on although it fits.
    pub fn is_limited(&self) -> bool {
        self.schedule.is_some() || self.limit.is_some() || self.most_connections.is_some()
    }
}

/// What happens to a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// It goes on.
    Accept,
    /// It ends here, without a word.
    Drop,
    /// It ends here, with an answer.
    Reject(RejectWith),
}

/// The answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RejectWith {
    /// A reset for TCP, administratively prohibited for the rest.
    Default,
    /// A reset for TCP; other packets are dropped without a word.
    TcpReset,
    /// This ICMP error for all.
    Icmpx(Icmpx),
}

/// A rate on a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RuleLimit {
    /// The rate.
    pub limit: Limit,
    /// One bucket for each source (IPv6: each /64) instead of one for all.
    pub per_source: bool,
}

/// A log statement with its own rate.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogLimit {
    /// What is logged.
    pub log: Log,
    /// How many lines; `None` is every packet.
    pub rate: Option<Limit>,
}

/// The times at which rules are there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// When it is open; at least once.
    pub windows: Windows,
    /// The same in fewer words, where there are fewer.
    pub told: Told,
    /// The label of connections that are ended when it closes, 0 to 127; `None` lets them go on.
    pub cut: Option<u8>,
    /// Where it stands.
    pub at: DocPath,
}
