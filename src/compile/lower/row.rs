//! Rows: a policy rule is for several services and both families, an nft rule for one of each at most.

use std::collections::BTreeSet;

use super::address::{self, End, Part};
use super::output::{Entry, Output, SetNames, element};
use crate::compile::model::{Model, Selector, Service};
use crate::ruleset::{
    DataType, Expression, Family, Field, Intervals, Key, Meta, Operand, Relation, SetKind, SetSpec,
    Statement, Transport,
};

/// One nft rule's worth of matching.
#[derive(Clone, Debug)]
pub(super) struct Row<'a> {
    /// The family it is for; `None` for both alike.
    pub(super) family: Option<Family>,
    /// Where from.
    pub(super) source: &'a Selector,
    /// How the source is in its list.
    pub(super) source_part: Part,
    /// Where to.
    pub(super) destination: &'a Selector,
    /// How the destination is in its list.
    pub(super) destination_part: Part,
    /// What.
    pub(super) protocol: Protocol,
    /// The conntrack helper of the service.
    pub(super) helper: Option<Box<str>>,
}

/// What one nft rule can say about a packet's protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    /// Nothing.
    Any,
    /// One protocol and its destination ports.
    Ports(Transport, Intervals<u16>),
    /// ICMP types.
    Icmp(BTreeSet<u8>),
    /// ICMPv6 types.
    Icmpv6(BTreeSet<u8>),
    /// Whole protocols by number.
    Numbers(BTreeSet<u8>),
}

/// The rows of a rule: families × protocols, without those that no packet can match.
pub(super) fn rows<'a>(
    services: &[Service],
    source: &'a Selector,
    destination: &'a Selector,
    model: &Model,
) -> Vec<Row<'a>> {
    let selective =
        |selector: &Selector| !selector.include.is_empty() || !selector.exclude.is_empty();
    let mut ways: Vec<(Option<Family>, Part, Part)> = Vec::new();
    if selective(source) || selective(destination) {
        for family in Family::BOTH {
            for from in address::parts(source, family, model) {
                let destinations = address::parts(destination, family, model);
                ways.extend(destinations.map(|to| (Some(family), from, to)));
            }
        }
    } else {
        ways.push((None, Part::Addresses, Part::Addresses));
    }
    let mut rows = Vec::with_capacity(ways.len());
    for asked in protocols(services) {
        // The last one is not a copy.
        let asked = std::iter::repeat_n(asked, ways.len());
        for ((protocol, helper), (family, source_part, destination_part)) in asked.zip(&ways) {
            let fits = match &protocol {
                Protocol::Icmp(_) => *family != Some(Family::Ipv6),
                Protocol::Icmpv6(_) => *family != Some(Family::Ipv4),
                Protocol::Any | Protocol::Ports(..) | Protocol::Numbers(_) => true,
            };
            if fits {
                rows.push(Row {
                    family: *family,
                    source,
                    source_part: *source_part,
                    destination,
                    destination_part: *destination_part,
                    protocol,
                    helper,
                });
            }
        }
    }
    rows
}

/// The protocols of services, those with the same helper merged: ports of one protocol become one.
fn protocols(services: &[Service]) -> Vec<(Protocol, Option<Box<str>>)> {
    if services.is_empty() {
        return vec![(Protocol::Any, None)];
    }
    // Rarely more than one.
    let mut merged: Vec<(&Option<Box<str>>, Service)> = Vec::with_capacity(1);
    for service in services {
        let helper = &service.helper;
        let at = merged.binary_search_by_key(&helper, |(known, _)| *known);
        let at = at.unwrap_or_else(|at| {
            merged.insert(at, (helper, Service::default()));
            at
        });
        let Some((_, into)) = merged.get_mut(at) else {
            continue;
        };
        for (transport, ports) in service.ports.iter() {
            into.ports.add(transport, ports);
        }
        into.icmp.extend(&service.icmp);
        into.icmpv6.extend(&service.icmpv6);
        into.protocols.extend(&service.protocols);
    }
    let mut protocols = Vec::new();
    for (
        helper,
        Service {
            name: _,
            ports,
            icmp,
            icmpv6,
            protocols: numbers,
            helper: _,
        },
    ) in merged
    {
        protocols.extend(
            ports
                .into_iter()
                .map(|(transport, ports)| (Protocol::Ports(transport, ports), helper.clone())),
        );
        let rest = [
            (!icmp.is_empty()).then_some(Protocol::Icmp(icmp.into())),
            (!icmpv6.is_empty()).then_some(Protocol::Icmpv6(icmpv6.into())),
            (!numbers.is_empty()).then_some(Protocol::Numbers(numbers.into())),
        ];
        protocols.extend(rest.into_iter().flatten().map(|protocol| (protocol, None)));
    }
    protocols
}

/// The matches of a row, addresses first.
pub(super) fn matches(row: &Row<'_>, entry: &Entry<'_>, output: &mut Output) -> Vec<Statement> {
    let mut statements = Vec::new();
    if let Some(family) = row.family {
        for (selector, part, end) in [
            (row.source, row.source_part, End::Source),
            (row.destination, row.destination_part, End::Destination),
        ] {
            let conditions = address::conditions(selector, part, end, family, entry, output);
            statements.extend(conditions);
        }
        let implied = matches!(row.protocol, Protocol::Icmp(_) | Protocol::Icmpv6(_));
        if statements.is_empty() && !implied {
            statements.push(family_is(family));
        }
    }
    statements.extend(protocol_match(&row.protocol, entry, output));
    statements
}

/// `meta nfproto ipv4` or `ipv6`.
pub(super) fn family_is(family: Family) -> Statement {
    equal(Expression::Meta(Meta::Nfproto), [family.nfproto()])
}

/// `LEFT == VALUE`
pub(super) fn equal(left: Expression, value: impl Into<Box<[u8]>>) -> Statement {
    Statement::Match {
        left,
        relation: Relation::Eq,
        right: Operand::Value(value.into()),
    }
}

fn protocol_match(
    protocol: &Protocol,
    entry: &Entry<'_>,
    output: &mut Output,
) -> Option<Statement> {
    let (left, right) = match protocol {
        Protocol::Any => return None,
        Protocol::Ports(transport, ports) if covers_all(ports) => (
            Expression::Meta(Meta::L4proto),
            Operand::Value([transport.number()].into()),
        ),
        Protocol::Ports(transport, ports) => {
            let ranges = format!("{}-ranges", transport.name());
            let names = SetNames {
                stem: &entry.name,
                exact: transport.name(),
                ranges: &ranges,
            };
            let right = output.operand(
                &address::port_spans(ports),
                names,
                DataType::InetService,
                &entry.origin,
            );
            (Expression::Field(Field::Dport(*transport)), right)
        }
        Protocol::Icmp(types) => (
            Expression::Field(Field::IcmpType),
            bytes(types, "icmp", DataType::IcmpType, entry, output),
        ),
        Protocol::Icmpv6(types) => (
            Expression::Field(Field::Icmpv6Type),
            bytes(types, "icmpv6", DataType::Icmpv6Type, entry, output),
        ),
        Protocol::Numbers(numbers) => (
            Expression::Meta(Meta::L4proto),
            bytes(numbers, "protocols", DataType::InetProto, entry, output),
        ),
    };
    Some(Statement::Match {
        left,
        relation: Relation::Eq,
        right,
    })
}

/// Port 0 is never used on the wire (IANA: reserved), so 1-65535 is every port.
fn covers_all(ports: &Intervals<u16>) -> bool {
    ports
        .iter()
        .any(|interval| interval.lo <= 1 && interval.hi == u16::MAX)
}

fn bytes(
    values: &BTreeSet<u8>,
    suffix: &str,
    key: DataType,
    entry: &Entry<'_>,
    output: &mut Output,
) -> Operand {
    let mut all = values.iter();
    if let (Some(only), None) = (all.next(), all.next()) {
        return Operand::Value([*only].into());
    }
    let name = format!("{}.{suffix}", entry.name);
    let elements = values
        .iter()
        .map(|value| element(Key::exact([*value]), None))
        .collect();
    output.set(
        SetSpec::new(name.clone(), vec![key], SetKind::Set),
        elements,
        Some(entry.origin.clone()),
    );
    Operand::Set(name)
}
