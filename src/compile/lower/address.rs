//! From selectors to what a field is compared with.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::octets::Octets;
use super::output::{Entry, Output, SetNames};
use super::set;
use crate::compile::model::{Model, Selected, Selector};
use crate::policy::HostPart;
use crate::ruleset::{
    Addresses, Bound, DataType, Expression, Family, Field, Interval, Intervals, Keys, KeysBuilder,
    Operand, Origin, Relation, Statement,
};

/// A range of values as bytes in network order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Span {
    /// First value.
    pub(super) lo: Octets,
    /// Last value.
    pub(super) hi: Octets,
    /// The prefix length when it is one prefix.
    pub(super) prefix: Option<u8>,
}

impl Span {
    fn of<T: Bound>(interval: Interval<T>, bytes: impl Fn(T) -> Octets) -> Self {
        Self {
            lo: bytes(interval.lo),
            hi: bytes(interval.hi),
            prefix: interval.prefix_len(),
        }
    }

    /// A comparison without a set.
    pub(super) fn operand(&self) -> Operand {
        match self.prefix {
            _ if self.lo == self.hi => Operand::Value(self.lo.into()),
            Some(length) => Operand::Prefix(self.lo.into(), length),
            None => Operand::Range(self.lo.into(), self.hi.into()),
        }
    }
}

/// The addresses of one family.
pub(super) fn spans(addresses: &Addresses, family: Family) -> Vec<Span> {
    match family {
        Family::Ipv4 => addresses
            .v4
            .iter()
            .map(|i| Span::of(i, |v| v.to_be_bytes().into()))
            .collect(),
        Family::Ipv6 => addresses
            .v6
            .iter()
            .map(|i| Span::of(i, |v| v.to_be_bytes().into()))
            .collect(),
    }
}

/// How many spans the addresses of one family are.
pub(super) fn number(addresses: &Addresses, family: Family) -> usize {
    match family {
        Family::Ipv4 => addresses.v4.len(),
        Family::Ipv6 => addresses.v6.len(),
    }
}

/// Ports.
pub(super) fn port_spans(ports: &Intervals<u16>) -> Vec<Span> {
    // A range of ports is written as a range even where it happens to be a prefix.
    ports
        .iter()
        .map(|i| Span {
            prefix: None,
            ..Span::of(i, |v: u16| v.to_be_bytes().into())
        })
        .collect()
}

/// The type of an address.
pub(super) fn address_type(family: Family) -> DataType {
    match family {
        Family::Ipv4 => DataType::Ipv4Addr,
        Family::Ipv6 => DataType::Ipv6Addr,
    }
}

/// Which end of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Where it comes from.
    Source,
    /// Where it goes.
    Destination,
}

impl End {
    /// The header field.
    pub(super) fn field(self, family: Family) -> Field {
        match (self, family) {
            (Self::Source, Family::Ipv4) => Field::IpSaddr,
            (Self::Source, Family::Ipv6) => Field::Ip6Saddr,
            (Self::Destination, Family::Ipv4) => Field::IpDaddr,
            (Self::Destination, Family::Ipv6) => Field::Ip6Daddr,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Destination => "destination",
        }
    }
}

/// All addresses of a selector's list.
pub(super) fn addresses<'a>(selected: &'a [Selected], model: &'a Model) -> Cow<'a, Addresses> {
    let of = |entry: &'a Selected| match entry {
        Selected::Addresses(addresses) => Some(addresses),
        Selected::Group(name) => model.groups.get(name),
        Selected::Set(_) | Selected::HostParts(_) => None,
    };
    if let [only] = selected
        && let Some(addresses) = of(only)
    {
        return Cow::Borrowed(addresses);
    }
    let all = selected.iter().filter_map(of);
    Cow::Owned(all.fold(Addresses::default(), |all, more| all.union(more)))
}

/// One of the ways in which an address can be in a selector's list: an nft rule can ask for one of them only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The address is among those of the list; also where there is no list.
    Addresses,
    /// What follows so many bits is among the host parts of the list.
    HostParts(u8),
    /// The address is in the set that stands at this place of the list.
    Set(usize),
}

/// The ways in which packets of a family can match a selector; none when they cannot.
pub(super) fn parts(
    selector: &Selector,
    family: Family,
    model: &Model,
) -> impl Iterator<Item = Part> {
    let include = &selector.include;
    let Addresses { v4, v6 } = &*addresses(include, model);
    let by_address = include.is_empty()
        || match family {
            Family::Ipv4 => !v4.is_empty(),
            Family::Ipv6 => !v6.is_empty(),
        };
    let by_host = match family {
        Family::Ipv4 => BTreeMap::new(),
        Family::Ipv6 => host_parts(include, model),
    };
    let addresses = by_address.then_some(Part::Addresses);
    addresses
        .into_iter()
        .chain(by_host.into_keys().map(Part::HostParts))
        .chain(sets(include).map(|(at, _)| Part::Set(at)))
}

/// The sets in a list, with their places.
fn sets(list: &[Selected]) -> impl Iterator<Item = (usize, &str)> {
    list.iter()
        .enumerate()
        .filter_map(|(at, entry)| match entry {
            Selected::Set(name) => Some((at, name.as_str())),
            Selected::Group(_) | Selected::Addresses(_) | Selected::HostParts(_) => None,
        })
}

/// The host parts of a list, by the bits before them.
fn host_parts(list: &[Selected], model: &Model) -> BTreeMap<u8, BTreeSet<HostPart>> {
    let mut all: BTreeMap<u8, BTreeSet<HostPart>> = BTreeMap::new();
    for host in list
        .iter()
        .filter_map(|entry| entry.host_parts(model))
        .flatten()
    {
        all.entry(host.network_bits()).or_default().insert(*host);
    }
    all
}

/// The comparisons that a selector needs for one family; none when any address will do.
pub(super) fn conditions(
    selector: &Selector,
    part: Part,
    end: End,
    family: Family,
    entry: &Entry<'_>,
    output: &mut Output,
) -> Vec<Statement> {
    let mut side = |list: &[Selected], relation, word: &str| -> Option<Statement> {
        let stem = format!("{}.{word}{}", entry.name, end.name());
        let right = list_operand(list, family, &stem, entry, output)?;
        Some(Statement::Match {
            left: Expression::Field(end.field(family)),
            relation,
            right,
        })
    };
    let mut statements = Vec::new();
    if part == Part::Addresses {
        statements.extend(side(&selector.include, Relation::Eq, ""));
    }
    statements.extend(side(&selector.exclude, Relation::Ne, "not-"));
    let included = sets(&selector.include).filter(|(at, _)| part == Part::Set(*at));
    let is_in = |name, relation| set::is_in(name, end, family, relation, entry.model);
    statements.extend(included.filter_map(|(_, name)| is_in(name, Relation::Eq)));
    let excluded = sets(&selector.exclude);
    statements.extend(excluded.filter_map(|(_, name)| is_in(name, Relation::Ne)));
    if family == Family::Ipv4 {
        return statements;
    }
    let mut hosts = |list: &[Selected], wanted: &dyn Fn(u8) -> bool, relation, word: &str| {
        let stem = format!("{}.{word}{}", entry.name, end.name());
        for (bits, hosts) in host_parts(list, entry.model) {
            if wanted(bits) {
                let right = host_operand(list, bits, &hosts, &stem, entry, output);
                let mask = (u128::MAX >> bits).to_be_bytes();
                statements.push(Statement::Match {
                    left: Expression::Masked(end.field(family), mask.into()),
                    relation,
                    right,
                });
            }
        }
    };
    let is_part = |bits| part == Part::HostParts(bits);
    hosts(&selector.include, &is_part, Relation::Eq, "");
    hosts(&selector.exclude, &|_| true, Relation::Ne, "not-");
    statements
}

/// Host parts behind so many bits: one, or a set; that of a group where the list is one group.
fn host_operand(
    list: &[Selected],
    bits: u8,
    hosts: &BTreeSet<HostPart>,
    stem: &str,
    entry: &Entry<'_>,
    output: &mut Output,
) -> Operand {
    let spans: Vec<Span> = hosts
        .iter()
        .map(|host| {
            let address = host.address().octets().into();
            Span {
                lo: address,
                hi: address,
                prefix: None,
            }
        })
        .collect();
    let exact = format!("host{bits}");
    let names = |stem| SetNames {
        stem,
        exact: &exact,
        ranges: &exact,
    };
    let key = address_type(Family::Ipv6);
    if let [Selected::Group(name)] = list {
        let (stem, origin) = (format!("group/{name}"), Origin(format!("groups.{name}")));
        return Operand::Set(output.span_set(&spans, names(&stem), key, &origin));
    }
    output.operand(&spans, names(stem), key, &entry.origin)
}

fn list_operand(
    list: &[Selected],
    family: Family,
    stem: &str,
    entry: &Entry<'_>,
    output: &mut Output,
) -> Option<Operand> {
    let (exact, ranges) = suffixes(family);
    let addresses = addresses(list, entry.model);
    let number = number(&addresses, family);
    if number == 0 {
        return None;
    }
    if let [Selected::Group(name)] = list {
        let set = group_set(name, family, &addresses, output);
        if entry.model.from_files.contains(name) {
            output.without_expiry(&set);
        }
        return Some(Operand::Set(set));
    }
    if number == 1
        && let [span] = spans(&addresses, family).as_slice()
    {
        return Some(span.operand());
    }
    let names = SetNames {
        stem,
        exact,
        ranges,
    };
    let keys = keys(&addresses, family);
    let set = output.key_set(keys, names, address_type(family), &entry.origin);
    let long = &entry.model.from_files;
    let may_be_long = list
        .iter()
        .any(|part| matches!(part, Selected::Group(name) if long.contains(name)));
    if may_be_long {
        output.without_expiry(&set);
    }
    Some(Operand::Set(set))
}

/// The addresses of one family as the keys of a set.
pub(super) fn keys(addresses: &Addresses, family: Family) -> Keys {
    fn keys<T: Bound, const WIDTH: usize>(
        intervals: &Intervals<T>,
        bytes: impl Fn(T) -> [u8; WIDTH],
    ) -> Keys {
        let ranges = intervals.iter().any(|interval| !interval.is_single());
        let mut keys = KeysBuilder::new(WIDTH, ranges, intervals.len());
        for Interval { lo, hi } in intervals.iter() {
            keys.push(&bytes(lo), &bytes(hi));
        }
        keys.finish()
    }
    match family {
        Family::Ipv4 => keys(&addresses.v4, u32::to_be_bytes),
        Family::Ipv6 => keys(&addresses.v6, u128::to_be_bytes),
    }
}

/// The set of a group, even of one address: changing the group is then changing elements, not rules.
fn group_set(name: &str, family: Family, addresses: &Addresses, output: &mut Output) -> String {
    let (exact, ranges) = suffixes(family);
    let stem = format!("group/{name}");
    let names = SetNames {
        stem: &stem,
        exact,
        ranges,
    };
    output.key_set(
        keys(addresses, family),
        names,
        address_type(family),
        &Origin(format!("groups.{name}")),
    )
}

/// Ends of set names: for hosts only, and for prefixes and ranges.
pub(super) fn suffixes(family: Family) -> (&'static str, &'static str) {
    match family {
        Family::Ipv4 => ("ip4", "net4"),
        Family::Ipv6 => ("ip6", "net6"),
    }
}
