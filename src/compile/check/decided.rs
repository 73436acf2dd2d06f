//! What the rules of a policy have decided so far.
//!
//! Cheap enough for tens of thousands of rules: for each pair of addresses that rules have, the ports that are decided
//! are kept as disjoint spans. An extent is decided if one such pair holds its addresses and the pair's spans hold its
//! ports; that several pairs only *together* hold its addresses is not seen.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::extent::{Extent, ICMP, ICMPV6, Protocols, everyone};
use crate::ruleset::{Addresses, Transport};

/// Up to so many different pairs of addresses all are looked at; beyond that only the rule's own and everybody.
const PAIRS: usize = 64;

/// What the rules so far decide.
#[derive(Default)]
pub(super) struct Decided<'a> {
    pairs: BTreeMap<(Cow<'a, Addresses>, Cow<'a, Addresses>), Spans>,
}

/// For one pair of addresses: which rule decides which protocol and port.
#[derive(Default)]
struct Spans {
    all: Option<usize>,
    /// First port → last port and rule; disjoint.
    ports: BTreeMap<Transport, BTreeMap<u16, (u16, usize)>>,
    icmp: BTreeMap<u8, usize>,
    icmpv6: BTreeMap<u8, usize>,
    numbers: BTreeMap<u8, usize>,
}

impl<'a> Decided<'a> {
    /// Notes that a rule decides whatever no rule before it did.
    pub(super) fn add(&mut self, extent: Extent<'a>, rule: usize) {
        let Extent {
            source,
            destination,
            protocols,
        } = extent;
        self.pairs
            .entry((source, destination))
            .or_default()
            .add(&protocols, rule);
    }

    /// What is decided between two sets of addresses.
    fn between(&self, source: &'a Addresses, destination: &'a Addresses) -> Option<&Spans> {
        self.pairs
            .get(&(Cow::Borrowed(source), Cow::Borrowed(destination)))
    }

    /// The rule that decides every packet.
    pub(super) fn everything(&self) -> Option<usize> {
        self.between(everyone(), everyone())
            .and_then(|spans| spans.all)
    }

    /// The rules that decide all packets of an extent.
    pub(super) fn whole(&self, extent: &Extent<'a>) -> Option<BTreeSet<usize>> {
        let Extent {
            source,
            destination,
            protocols,
        } = extent;
        if self.pairs.len() <= PAIRS {
            let mut holding = self
                .pairs
                .iter()
                .filter(|((from, to), _)| extent.is_between(from, to));
            return holding.find_map(|(_, spans)| spans.whole(protocols));
        }
        let all = || Cow::Borrowed(everyone());
        let pairs = [
            (source.clone(), destination.clone()),
            (source.clone(), all()),
            (all(), destination.clone()),
            (all(), all()),
        ];
        let mut holding = pairs.iter().filter_map(|pair| self.pairs.get(pair));
        holding.find_map(|spans| spans.whole(protocols))
    }
}

impl Spans {
    fn add(&mut self, protocols: &Protocols, rule: usize) {
        if protocols.all {
            self.all.get_or_insert(rule);
        }
        for (transport, span) in protocols.spans() {
            let spans = self.ports.entry(transport).or_default();
            let mut free = Some(span.lo);
            while let Some(lo) = free.filter(|lo| *lo <= span.hi) {
                let before = spans
                    .range(..=lo)
                    .next_back()
                    .filter(|(_, (hi, _))| lo <= *hi);
                if let Some((_, (hi, _))) = before {
                    free = hi.checked_add(1);
                    continue;
                }
                let next = spans.range(lo..).next().map(|(next, _)| *next);
                let hi = next.map_or(span.hi, |next| span.hi.min(next.saturating_sub(1)));
                spans.insert(lo, (hi, rule));
                free = hi.checked_add(1);
            }
        }
        for kind in &protocols.icmp {
            self.icmp.entry(*kind).or_insert(rule);
        }
        for kind in &protocols.icmpv6 {
            self.icmpv6.entry(*kind).or_insert(rule);
        }
        for number in &protocols.numbers {
            self.numbers.entry(*number).or_insert(rule);
        }
    }

    /// The rules that decide all of some protocols.
    fn whole(&self, protocols: &Protocols) -> Option<BTreeSet<usize>> {
        if let Some(rule) = self.all {
            return Some(BTreeSet::from([rule]));
        }
        if protocols.all {
            return None;
        }
        let mut by = BTreeSet::new();
        for (transport, span) in protocols.spans() {
            if let Some(rule) = self.numbers.get(&transport.number()) {
                by.insert(*rule);
                continue;
            }
            let spans = self.ports.get(&transport)?;
            let mut port = span.lo;
            loop {
                let (_, (hi, rule)) = spans
                    .range(..=port)
                    .next_back()
                    .filter(|(_, (hi, _))| port <= *hi)?;
                by.insert(*rule);
                if span.hi <= *hi {
                    break;
                }
                port = hi.checked_add(1)?;
            }
        }
        for (kinds, decided, number) in [
            (&protocols.icmp, &self.icmp, ICMP),
            (&protocols.icmpv6, &self.icmpv6, ICMPV6),
        ] {
            for kind in kinds {
                by.insert(*decided.get(kind).or_else(|| self.numbers.get(&number))?);
            }
        }
        for number in &protocols.numbers {
            by.insert(*self.numbers.get(number)?);
        }
        Some(by)
    }
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
            ports: [(Transport::Tcp, ports)].into(),
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
                spans.add(&ports(*lo, *hi), rule);
                for port in *lo.min(hi)..=*lo.max(hi) {
                    table[usize::from(port)].get_or_insert(rule);
                }
            }
            let asked = (asked.0.min(asked.1), asked.0.max(asked.1));
            let expect = (asked.0..=asked.1).map(|port| table[usize::from(port)]).collect();
            prop_assert_eq!(spans.whole(&ports(asked.0, asked.1)), expect);
        }
    }
}
