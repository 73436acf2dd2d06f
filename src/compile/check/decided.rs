//! What the rules of a policy have decided so far.
//!
//! Cheap enough for tens of thousands of rules: for each pair of addresses that rules have, the ports that are decided
//! are kept as disjoint spans. An extent is decided if one such pair holds its addresses and the pair's spans hold its
//! ports; that several pairs only *together* hold its addresses is not seen.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::extent::{Extent, ICMP, ICMPV6, Protocols, everyone};
use crate::ruleset::{Addresses, Transport};

/// Up to so many different pairs of addresses all are looked at; beyond that only the rule's own and everybody.
const PAIRS: usize = 64;

/// What the rules so far decide.
#[derive(Default)]
pub(super) struct Decided<'a> {
    /// Sets of addresses that rules have, numbered as they come; looked up, never listed.
    sets: HashMap<Cow<'a, Addresses>, usize>,
    /// Pairs of such sets, numbered as they come; looked up, never listed.
    pairs: HashMap<(usize, usize), Pair>,
    /// The first pairs, as long as all are looked at.
    first: Vec<(Cow<'a, Addresses>, Cow<'a, Addresses>)>,
    spans: Spans,
}

/// The number of a pair of addresses.
type Pair = usize;

/// For pairs of addresses: which rule decides which protocol and port.
#[derive(Default)]
struct Spans {
    all: BTreeMap<Pair, usize>,
    /// First port → last port and rule; disjoint.
    ports: BTreeMap<(Pair, Transport, u16), (u16, usize)>,
    kinds: BTreeMap<(Pair, Kind, u8), usize>,
}

/// What a number of one byte counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Icmp,
    Icmpv6,
    Protocol,
}

impl<'a> Decided<'a> {
    /// Nothing is decided yet, and so many rules may have addresses of their own: making room for them bit by bit would
    /// take longer than all the rest.
    pub(super) fn with_capacity(rules: usize) -> Self {
        Self {
            sets: HashMap::with_capacity(rules),
            pairs: HashMap::with_capacity(rules),
            ..Self::default()
        }
    }

    /// Notes that a rule decides whatever no rule before it did.
    pub(super) fn add(&mut self, extent: Extent<'a>, rule: usize) {
        let Extent {
            source,
            destination,
            protocols,
        } = extent;
        let new = self.pairs.len();
        let first = (new < PAIRS).then(|| (source.clone(), destination.clone()));
        let pair = (self.numbered(source), self.numbered(destination));
        let pair = *self.pairs.entry(pair).or_insert(new);
        if pair == new {
            self.first.extend(first);
        }
        self.spans.add(pair, &protocols, rule);
    }

    /// The number of a set of addresses that a rule before has had.
    fn number(&self, addresses: &Addresses) -> Option<usize> {
        self.sets.get(addresses).copied()
    }

    fn numbered(&mut self, addresses: Cow<'a, Addresses>) -> usize {
        let new = self.sets.len();
        *self.sets.entry(addresses).or_insert(new)
    }

    /// The rule that decides every packet.
    pub(super) fn everything(&self) -> Option<usize> {
        if self.spans.all.is_empty() {
            return None;
        }
        let all = self.number(everyone())?;
        let pair = self.pairs.get(&(all, all))?;
        self.spans.all.get(pair).copied()
    }

    /// The rules that decide all packets of an extent.
    pub(super) fn whole(&self, extent: &Extent<'a>) -> Option<BTreeSet<usize>> {
        let protocols = &extent.protocols;
        if self.pairs.len() <= PAIRS {
            let mut holding = self
                .first
                .iter()
                .enumerate()
                .filter(|(_, (from, to))| extent.is_between(from, to));
            return holding.find_map(|(pair, _)| self.spans.whole(pair, protocols));
        }
        let source = self.number(&extent.source);
        let destination = self.number(&extent.destination);
        let all = self.number(everyone());
        let mut holding = [
            (source, destination),
            (source, all),
            (all, destination),
            (all, all),
        ]
        .into_iter()
        .filter_map(|(source, destination)| self.pairs.get(&(source?, destination?)));
        holding.find_map(|pair| self.spans.whole(*pair, protocols))
    }
}

impl Spans {
    fn add(&mut self, pair: Pair, protocols: &Protocols, rule: usize) {
        if protocols.all {
            self.all.entry(pair).or_insert(rule);
        }
        for (transport, span) in protocols.spans() {
            let mut free = Some(span.lo);
            while let Some(lo) = free.filter(|lo| *lo <= span.hi) {
                if let Some((hi, _)) = self.at(pair, transport, lo) {
                    free = hi.checked_add(1);
                    continue;
                }
                let ends = (pair, transport, lo)..=(pair, transport, span.hi);
                let next = self.ports.range(ends).next().map(|((.., next), _)| *next);
                let hi = next.map_or(span.hi, |next| next.saturating_sub(1));
                self.ports.insert((pair, transport, lo), (hi, rule));
                free = hi.checked_add(1);
            }
        }
        for (kind, numbers) in kinds(protocols) {
            for number in numbers {
                self.kinds.entry((pair, kind, *number)).or_insert(rule);
            }
        }
    }

    /// The last port of the span that a port is in, and the rule that decides it.
    fn at(&self, pair: Pair, transport: Transport, port: u16) -> Option<(u16, usize)> {
        let ends = (pair, transport, 0)..=(pair, transport, port);
        let (_, (hi, rule)) = self.ports.range(ends).next_back()?;
        (port <= *hi).then_some((*hi, *rule))
    }

    /// The rule that decides a whole protocol.
    fn protocol(&self, pair: Pair, number: u8) -> Option<usize> {
        self.kinds.get(&(pair, Kind::Protocol, number)).copied()
    }

    /// The rules that decide all of some protocols.
    fn whole(&self, pair: Pair, protocols: &Protocols) -> Option<BTreeSet<usize>> {
        if let Some(rule) = self.all.get(&pair) {
            return Some(BTreeSet::from([*rule]));
        }
        if protocols.all {
            return None;
        }
        let mut by = BTreeSet::new();
        for (transport, span) in protocols.spans() {
            if let Some(rule) = self.protocol(pair, transport.number()) {
                by.insert(rule);
                continue;
            }
            let mut port = span.lo;
            loop {
                let (hi, rule) = self.at(pair, transport, port)?;
                by.insert(rule);
                if span.hi <= hi {
                    break;
                }
                port = hi.checked_add(1)?;
            }
        }
        for (kind, numbers) in kinds(protocols) {
            let whole = match kind {
                Kind::Icmp => self.protocol(pair, ICMP),
                Kind::Icmpv6 => self.protocol(pair, ICMPV6),
                Kind::Protocol => None,
            };
            for number in numbers {
                let decided = self.kinds.get(&(pair, kind, *number)).copied();
                by.insert(decided.or(whole)?);
            }
        }
        Some(by)
    }
}

fn kinds(protocols: &Protocols) -> [(Kind, &BTreeSet<u8>); 3] {
    [
        (Kind::Icmp, &protocols.icmp),
        (Kind::Icmpv6, &protocols.icmpv6),
        (Kind::Protocol, &protocols.numbers),
    ]
}

#[cfg(test)]
mod tests {
    use super::Spans;
    use crate::compile::check::extent::Protocols;
    use crate::ruleset::{Interval, Transport};
    use proptest::prelude::*;

    fn ports(lo: u16, hi: u16) -> Protocols {
        let ports = Interval::new(lo.min(hi), lo.max(hi)).into_iter().collect();
        Protocols {
            ports: std::iter::once((Transport::Tcp, ports)).collect(),
            ..Protocols::default()
        }
    }

    proptest! {
        /// The spans agree with a table of all ports.
        #[test]
        fn spans_are_a_table(rules in prop::collection::vec((0..50u16, 0..50u16), 0..12), asked in (0..50u16, 0..50u16)) {
            let mut spans = Spans::default();
            let mut table: Vec<Option<usize>> = vec![None; 50];
            for (rule, (lo, hi)) in rules.iter().enumerate() {
                spans.add(7, &ports(*lo, *hi), rule);
                for port in *lo.min(hi)..=*lo.max(hi) {
                    table[usize::from(port)].get_or_insert(rule);
                }
            }
            let asked = (asked.0.min(asked.1), asked.0.max(asked.1));
            let expect = (asked.0..=asked.1).map(|port| table[usize::from(port)]).collect();
            prop_assert_eq!(spans.whole(7, &ports(asked.0, asked.1)), expect);
        }
    }
}
