//! What the rules tell packets apart by: every value that a rule on the way compares a packet with.
//!
//! Rules are followed without a packet: which header field stands in which register, and what it is compared with. Two packets
//! between which no comparison tells meet the same rules. What is found may be more than what a packet can meet, never
//! less; a comparison that is not understood is an error.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::rule::RuleWalk;
use crate::bytecode::{Chain, Program};
use crate::ruleset::{ChainType, Hook, Set};

/// A part of a packet that proofs vary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Atom {
    /// The source address.
    Source,
    /// The destination address.
    Destination,
    /// The source port.
    Sport,
    /// The destination port.
    Dport,
    /// The protocol.
    Protocol,
    /// The type of an ICMP message.
    IcmpType,
    /// Nanoseconds since 1970.
    Time,
}

/// Bounds inclusive, sorted and disjoint.
pub(super) type Spans = Rc<Vec<(u128, u128)>>;

/// Values that are told apart from all others.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Shape {
    /// Those in here.
    Spans(Spans),
    /// Those whose last bits, so many, are these.
    Suffix(u32, u128),
}

/// A comparison.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Predicate {
    pub(super) atom: Atom,
    /// Only of packets of this family: nfproto.
    pub(super) family: Option<u8>,
    /// Only of packets of this protocol.
    pub(super) protocol: Option<u8>,
    pub(super) shape: Shape,
}

/// A hash of the source that a number is drawn from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Draw {
    pub(super) family: Option<u8>,
    pub(super) seed: u32,
    pub(super) modulus: u32,
}

/// Everything that packets are told apart by.
#[derive(Clone, Debug, Default)]
pub(super) struct Distinctions {
    pub(super) predicates: Vec<Predicate>,
    pub(super) draws: Vec<Draw>,
    /// Whether a destination may be rewritten.
    pub(super) redirects: bool,
    /// Whether a rule asks on which interface an address is.
    pub(super) asks_owner: bool,
}

/// Where packets go that are told apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Way<'a> {
    /// The interface they come in by; `None` for those of the box.
    pub(super) iif: Option<&'a str>,
    /// The interface they leave by, where nothing is rewritten; `None` for those that stay.
    pub(super) oif: Option<&'a str>,
}

/// A rule that cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NotFollowed {
    /// Its chain, its place there, and its name.
    pub(super) rule: String,
}

/// What the rules on a way tell packets apart by.
pub(super) fn distinctions(program: &Program, way: &Way<'_>) -> Result<Distinctions, NotFollowed> {
    let before = match way.iif {
        Some(_) => Hook::Prerouting,
        None => Hook::Output,
    };
    let walk = |oif: Option<Option<&str>>, hooks: &[Hook]| {
        let mut walk = Walk {
            program,
            sets: program
                .sets
                .iter()
                .map(|set| (set.spec.name.as_str(), set))
                .collect(),
            iif: way.iif,
            oif,
            seen: BTreeSet::new(),
            found: Distinctions::default(),
        };
        for chain in &program.chains {
            if let Some(base) = chain.base
                && hooks.contains(&base.hook)
                && (base.kind == ChainType::Nat || hooks.len() > 1 || base.hook != before)
            {
                walk.chain(chain)?;
            }
        }
        Ok(walk.found)
    };
    let translations = walk(None, &[before])?;
    let hooks = match (way.iif, way.oif) {
        _ if translations.redirects => vec![
            Hook::Prerouting,
            Hook::Input,
            Hook::Forward,
            Hook::Output,
            Hook::Postrouting,
        ],
        (None, _) => vec![Hook::Output, Hook::Postrouting],
        (Some(_), None) => vec![Hook::Prerouting, Hook::Input],
        (Some(_), Some(_)) => vec![Hook::Prerouting, Hook::Forward, Hook::Postrouting],
    };
    let oif = (!translations.redirects).then_some(way.oif);
    let mut found = walk(oif, &hooks)?;
    found.redirects = translations.redirects;
    found.predicates.sort();
    found.predicates.dedup();
    found.draws.sort();
    found.draws.dedup();
    Ok(found)
}

/// The chains on a way.
pub(super) struct Walk<'a> {
    pub(super) program: &'a Program,
    pub(super) sets: BTreeMap<&'a str, &'a Set>,
    pub(super) iif: Option<&'a str>,
    /// `None`: any.
    pub(super) oif: Option<Option<&'a str>>,
    seen: BTreeSet<&'a str>,
    found: Distinctions,
}

impl<'a> Walk<'a> {
    fn chain(&mut self, chain: &'a Chain) -> Result<(), NotFollowed> {
        if !self.seen.insert(&chain.name) {
            return Ok(());
        }
        for (index, rule) in chain.rules.iter().enumerate() {
            let not_followed = || NotFollowed {
                rule: match &rule.name {
                    Some(name) => format!("`{name}` in chain `{}`", chain.name),
                    None => format!("number {} in chain `{}`", index + 1, chain.name),
                },
            };
            let rule = RuleWalk::new(self).run(rule).ok_or_else(not_followed)?;
            let Some((found, targets)) = rule else {
                continue;
            };
            let Distinctions {
                predicates,
                draws,
                redirects,
                asks_owner,
            } = found;
            self.found.predicates.extend(predicates);
            self.found.draws.extend(draws);
            self.found.redirects |= redirects;
            self.found.asks_owner |= asks_owner;
            for target in targets {
                let chains = &self.program.chains;
                if let Ok(at) = chains.binary_search_by(|chain| chain.name.as_str().cmp(&target))
                    && let Some(chain) = chains.get(at)
                {
                    self.chain(chain)?;
                }
            }
        }
        Ok(())
    }
}
