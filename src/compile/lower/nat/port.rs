//! New ports: one for all, or one for each.
//!
//! A range that moves is a map from the old port to the new one. nf_tables has no arithmetic for it: the kernel's
//! `NF_NAT_RANGE_PROTO_OFFSET` counts from a base that nft's `nat` cannot give it. A map is exact, can be read in
//! `nft list`, and costs a new connection one hash lookup, however long the range is.

use super::super::output::{Entry, Output, element};
use super::super::row::Protocol;
use crate::ruleset::{
    DataType, Datum, Expression, Field, Interval, Key, NatPort, SetKind, SetSpec, Transport,
};

/// The new port of a row; `None` where the port stays.
pub(super) fn new_port(
    port: Option<Interval<u16>>,
    protocol: &Protocol,
    entry: &Entry<'_>,
    output: &mut Output,
) -> Option<NatPort> {
    let new = port?;
    if new.is_single() {
        return Some(NatPort::Value(new.lo));
    }
    let Protocol::Ports(transport, ports) = protocol else {
        return None;
    };
    let old = ports.iter().next().filter(|old| old.lo != new.lo)?;
    Some(NatPort::Map(moved(*transport, old, new, entry, output)))
}

fn moved(
    transport: Transport,
    old: Interval<u16>,
    new: Interval<u16>,
    entry: &Entry<'_>,
    output: &mut Output,
) -> Expression {
    let name = format!("{}.ports", entry.name);
    let pairs = (old.lo..=old.hi).zip(new.lo..=new.hi);
    let elements = pairs.map(|(old, new)| {
        let new = Datum::Value(new.to_be_bytes().into());
        element(Key::exact(old.to_be_bytes()), Some(new))
    });
    output.set(
        SetSpec::new(
            name.clone(),
            vec![DataType::InetService],
            SetKind::Map(DataType::InetService),
        ),
        elements.collect(),
        Some(entry.origin.clone()),
    );
    Expression::Map(Box::new(Expression::Field(Field::Dport(transport))), name)
}
