//! `netmap` and `nptv6`: one network is seen as another, host by host, whoever opens the connection.
//!
//! Two rules an entry: the way in turns the outside prefix into the inside one, the way out the other way round.
//! The kernel keeps the host part and tracks the connection (`NF_NAT_RANGE_NETMAP`), so answers and errors find
//! back by themselves.

use std::net::IpAddr;

use super::super::membership::between;
use super::super::output::{Entry, Output};
use super::{each, incoming, outgoing};
use crate::compile::lower::address::End;
use crate::compile::model::{Model, Netmap};
use crate::policy::Prefix;
use crate::ruleset::{
    Expression, Family, Nat, NatAddress, NatFlags, NatKind, Operand, Relation, Rule, Statement,
};

/// From the zones that see the outside network to the hosts inside.
pub(super) fn inward(model: &Model, output: &mut Output) -> Vec<Rule> {
    let mut rules = Vec::new();
    for netmap in &model.netmap {
        let entry = entry(netmap, model);
        let rest = [
            within(End::Destination, netmap.outside),
            Statement::Counter,
            translate(NatKind::Dnat, netmap.inside),
        ];
        let from = incoming(&netmap.to, &entry, output);
        rules.extend(each(&from, Some(family(netmap.inside)), &rest, &entry));
    }
    rules
}

/// From the hosts inside to the zones that see the outside network.
pub(super) fn outward(model: &Model, output: &mut Output) -> Vec<Rule> {
    let mut rules = Vec::new();
    for netmap in &model.netmap {
        let entry = entry(netmap, model);
        let rest = [
            within(End::Source, netmap.inside),
            Statement::Counter,
            translate(NatKind::Snat, netmap.outside),
        ];
        let own = Entry {
            name: format!("{}.inside", entry.name),
            ..entry.clone()
        };
        let to = Entry {
            name: format!("{}.outside", entry.name),
            ..entry.clone()
        };
        let from = incoming(&netmap.from, &own, output);
        let to = outgoing(&netmap.to, &to, output);
        let family = Some(family(netmap.inside));
        // Without `from` it does not matter where they come in by; they may even be the box's own.
        rules.extend(if netmap.from.is_empty() {
            each(&to, family, &rest, &entry)
        } else {
            between(&from, &to, family, &rest, &entry)
        });
    }
    rules
}

fn entry<'a>(netmap: &Netmap, model: &'a Model) -> Entry<'a> {
    Entry::new(format!("nat/{}", netmap.name), &netmap.at, model)
}

fn family(prefix: Prefix) -> Family {
    match prefix.net().addr() {
        IpAddr::V4(_) => Family::Ipv4,
        IpAddr::V6(_) => Family::Ipv6,
    }
}

fn bytes(prefix: Prefix) -> Box<[u8]> {
    match prefix.net().addr() {
        IpAddr::V4(address) => address.octets().into(),
        IpAddr::V6(address) => address.octets().into(),
    }
}

/// Whether every bit of the prefix counts: then it is one address.
fn is_host(prefix: Prefix) -> bool {
    prefix.net().prefix_len() == prefix.net().max_prefix_len()
}

fn within(end: End, prefix: Prefix) -> Statement {
    let right = if is_host(prefix) {
        Operand::Value(bytes(prefix))
    } else {
        Operand::Prefix(bytes(prefix), prefix.net().prefix_len())
    };
    Statement::Match {
        left: Expression::Field(end.field(family(prefix))),
        relation: Relation::Eq,
        right,
    }
}

fn translate(kind: NatKind, to: Prefix) -> Statement {
    let address = if is_host(to) {
        NatAddress::Value(bytes(to))
    } else {
        NatAddress::Prefix(bytes(to), to.net().prefix_len())
    };
    Statement::Nat(Nat {
        kind,
        family: family(to),
        address,
        port: None,
        flags: NatFlags::default(),
    })
}
