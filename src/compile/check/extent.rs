//! Which packets an entry is for: addresses and protocols as sets that can be compared.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::LazyLock;

use crate::compile::model::{Model, Ports, Selected, Selector, Service};
use crate::ruleset::{Addresses, Bound, Family, Interval, Intervals, Transport};

/// The packets of an entry: from these, to these, of these protocols. Addresses are borrowed where they can be:
/// a group may have a million of them and many rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Extent<'a> {
    pub(super) source: Cow<'a, Addresses>,
    pub(super) destination: Cow<'a, Addresses>,
    pub(super) protocols: Protocols,
}

/// Protocols and ports, merged from services.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Protocols {
    /// Everything; the other fields are empty then.
    pub(super) all: bool,
    pub(super) ports: Ports,
    pub(super) icmp: BTreeSet<u8>,
    pub(super) icmpv6: BTreeSet<u8>,
    pub(super) numbers: BTreeSet<u8>,
}

/// ICMP's protocol number.
pub(super) const ICMP: u8 = 1;
/// ICMPv6's protocol number.
pub(super) const ICMPV6: u8 = 58;

static EVERYONE: LazyLock<Addresses> = LazyLock::new(|| Addresses {
    v4: Interval::new(u32::MIN, u32::MAX).into_iter().collect(),
    v6: Interval::new(u128::MIN, u128::MAX).into_iter().collect(),
});

/// Every address there is.
pub(super) fn everyone() -> &'static Addresses {
    &EVERYONE
}

/// The addresses that a selector lets through; more than those where it names host parts or sets.
pub(super) fn addresses<'a>(selector: &'a Selector, model: &'a Model) -> Cow<'a, Addresses> {
    let Selector { include, exclude } = selector;
    let anyone = |entry: &Selected| matches!(entry, Selected::Set(_));
    let included = if include.is_empty() || include.iter().any(anyone) {
        Cow::Borrowed(everyone())
    } else {
        let included = union(include, model);
        // A host part fits in every network: more than the selector lets through is never less.
        if include
            .iter()
            .any(|entry| entry.host_parts(model).is_some())
        {
            let v6 = everyone().v6.clone();
            Cow::Owned(Addresses {
                v6,
                ..included.into_owned()
            })
        } else {
            included
        }
    };
    if exclude.is_empty() {
        included
    } else {
        Cow::Owned(included.subtract(&union(exclude, model)))
    }
}

/// The addresses of some entries.
fn union<'a>(entries: &'a [Selected], model: &'a Model) -> Cow<'a, Addresses> {
    let mut parts = entries.iter().filter_map(|entry| match entry {
        Selected::Group(name) => model.groups.get(name),
        Selected::Addresses(addresses) => Some(addresses),
        Selected::Set(_) | Selected::HostParts(_) => None,
    });
    let first = parts.next().map(Cow::Borrowed).unwrap_or_default();
    parts.fold(first, |all, part| Cow::Owned(all.union(part)))
}

/// Whether all addresses of one set are in another.
pub(super) fn holds(outer: &Addresses, inner: &Addresses) -> bool {
    holds_intervals(&outer.v4, &inner.v4) && holds_intervals(&outer.v6, &inner.v6)
}

/// As [`Intervals::contains_all`], but a large set that is not it is told by its ends.
fn holds_intervals<T: Bound>(outer: &Intervals<T>, inner: &Intervals<T>) -> bool {
    let ends = inner.iter().next().into_iter().chain(inner.iter().last());
    ends.into_iter()
        .all(|span| outer.contains(span.lo) && outer.contains(span.hi))
        && outer.contains_all(inner)
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

impl<'a> Extent<'a> {
    /// The packets that services, source and destination mean together.
    pub(super) fn of(
        services: &[Service],
        source: &'a Selector,
        destination: &'a Selector,
        model: &'a Model,
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

    /// Whether every packet is from one of some addresses and to one of others.
    pub(super) fn is_between(&self, source: &Addresses, destination: &Addresses) -> bool {
        let v4 = || {
            holds_intervals(&source.v4, &self.source.v4)
                && holds_intervals(&destination.v4, &self.destination.v4)
        };
        let v6 = || {
            holds_intervals(&source.v6, &self.source.v6)
                && holds_intervals(&destination.v6, &self.destination.v6)
        };
        (!self.is_alive(Family::Ipv4) || v4()) && (!self.is_alive(Family::Ipv6) || v6())
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
            for (transport, ports) in ports.iter() {
                merged.ports.add(transport, ports);
            }
            merged.icmp.extend(&**icmp);
            merged.icmpv6.extend(&**icmpv6);
            merged.numbers.extend(&**protocols);
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
            || self.ports.get(Transport::Tcp).is_some()
            || self.numbers.contains(&Transport::Tcp.number())
    }

    /// The ports as spans, for sweeping.
    pub(super) fn spans(&self) -> impl Iterator<Item = (Transport, Interval<u16>)> + '_ {
        self.ports
            .iter()
            .flat_map(|(transport, ports)| ports.iter().map(move |span| (transport, span)))
    }
}
