//! Which packets an entry is for: addresses and protocols as sets that can be compared.

use std::collections::{BTreeMap, BTreeSet};

use crate::compile::model::{Model, Selected, Selector, Service};
use crate::ruleset::{Addresses, Family, Interval, Intervals, Transport};

/// The packets of an entry: from these, to these, of these protocols.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) source: Addresses,
    pub(super) destination: Addresses,
    pub(super) protocols: Protocols,
}

/// Protocols and ports, merged from services.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Protocols {
    /// Everything; the other fields are empty then.
    pub(super) all: bool,
    pub(super) ports: BTreeMap<Transport, Intervals<u16>>,
    pub(super) icmp: BTreeSet<u8>,
    pub(super) icmpv6: BTreeSet<u8>,
    pub(super) numbers: BTreeSet<u8>,
}

/// ICMP's protocol number.
pub(super) const ICMP: u8 = 1;
/// ICMPv6's protocol number.
pub(super) const ICMPV6: u8 = 58;

/// Every address there is.
pub(super) fn everyone() -> Addresses {
    Addresses {
        v4: Interval::new(u32::MIN, u32::MAX).into_iter().collect(),
        v6: Interval::new(u128::MIN, u128::MAX).into_iter().collect(),
    }
}

/// The addresses that a selector lets through.
pub(super) fn addresses(selector: &Selector, model: &Model) -> Addresses {
    let included = if selector.include.is_empty() {
        everyone()
    } else {
        union(&selector.include, model)
    };
    if selector.exclude.is_empty() {
        included
    } else {
        included.subtract(&union(&selector.exclude, model))
    }
}

/// The addresses of some entries.
fn union(entries: &[Selected], model: &Model) -> Addresses {
    entries
        .iter()
        .fold(Addresses::default(), |all, entry| match entry {
            Selected::Group(name) => model
                .groups
                .get(name)
                .map_or(all.clone(), |group| all.union(group)),
            Selected::Addresses(addresses) => all.union(addresses),
        })
}

/// Whether two sets of addresses have one in common.
pub(super) fn meet(a: &Addresses, b: &Addresses) -> bool {
    a.v4.overlaps(&b.v4) || a.v6.overlaps(&b.v6)
}

/// Whether an address of a family is inside.
pub(super) fn has(addresses: &Addresses, family: Family) -> bool {
    match family {
        Family::Ipv4 => !addresses.v4.is_empty(),
        Family::Ipv6 => !addresses.v6.is_empty(),
    }
}

impl Extent {
    /// The packets that services, source and destination mean together.
    pub(super) fn of(
        services: &[Service],
        source: &Selector,
        destination: &Selector,
        model: &Model,
    ) -> Self {
        Self {
            source: addresses(source, model),
            destination: addresses(destination, model),
            protocols: Protocols::of(services),
        }
    }

    /// Whether there is such a packet of a family.
    pub(super) fn is_alive(&self, family: Family) -> bool {
        has(&self.source, family) && has(&self.destination, family) && self.protocols.are_in(family)
    }

    /// Whether every packet of `other` is one of `self`, as far as addresses go.
    pub(super) fn covers_addresses(&self, other: &Self) -> bool {
        let v4 = || {
            self.source.v4.contains_all(&other.source.v4)
                && self.destination.v4.contains_all(&other.destination.v4)
        };
        let v6 = || {
            self.source.v6.contains_all(&other.source.v6)
                && self.destination.v6.contains_all(&other.destination.v6)
        };
        (!other.is_alive(Family::Ipv4) || v4()) && (!other.is_alive(Family::Ipv6) || v6())
    }
}

impl Protocols {
    /// What services mean together; none at all means everything.
    pub(super) fn of(services: &[Service]) -> Self {
        let mut merged = Self {
            all: services.is_empty(),
            ..Self::default()
        };
        for Service {
            name: _,
            ports,
            icmp,
            icmpv6,
            protocols,
            helper: _,
        } in services
        {
            for (transport, ports) in ports {
                let all = merged.ports.entry(*transport).or_default();
                *all = all.union(ports);
            }
            merged.icmp.extend(icmp);
            merged.icmpv6.extend(icmpv6);
            merged.numbers.extend(protocols);
        }
        merged
    }

    /// Whether packets of a family can be of these protocols.
    pub(super) fn are_in(&self, family: Family) -> bool {
        let (own, other) = match family {
            Family::Ipv4 => (&self.icmp, ICMPV6),
            Family::Ipv6 => (&self.icmpv6, ICMP),
        };
        self.all
            || !self.ports.is_empty()
            || !own.is_empty()
            || self.numbers.iter().any(|number| *number != other)
    }

    /// Whether TCP is among them.
    pub(super) fn have_tcp(&self) -> bool {
        self.all
            || self.ports.contains_key(&Transport::Tcp)
            || self.numbers.contains(&Transport::Tcp.number())
    }

    /// The ports as spans, for sweeping.
    pub(super) fn spans(&self) -> impl Iterator<Item = (Transport, Interval<u16>)> + '_ {
        self.ports
            .iter()
            .flat_map(|(transport, ports)| ports.iter().map(|span| (*transport, span)))
    }
}
