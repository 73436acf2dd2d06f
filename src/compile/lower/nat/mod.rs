//! Address translation: the nat chains, the paths they open, the segment size they need.
//!
//! The destination is rewritten before routing, so the filter sees the pair after it; the source is
//! rewritten after the filter. Both chains see only the first packet of a connection.

mod dnat;
mod netmap;
mod port;
mod snat;

use super::dispatch::Openings;
use super::membership::{Membership, Way, members};
use super::output::{Entry, Output};
use super::row::{Protocol, equal};
use crate::compile::model::{Model, Service};
use crate::ruleset::{
    Base, Chain, ChainPolicy, ChainType, Ct, Expression, Family, Field, Hook, Interval, Operand,
    Relation, Rule, Statement, Verdict,
};

/// Before `dstnat` (-100): the first nat chain that translates a connection decides for all.
const PREROUTING_PRIORITY: i32 = -110;
/// Before `srcnat` (100), for the same reason.
const POSTROUTING_PRIORITY: i32 = 90;

/// Makes the nat chains that the policy needs, and no more: each costs every new connection.
pub(super) fn chains(model: &Model, output: &mut Output) {
    let mut rules = dnat::dnat_rules(model, output);
    rules.extend(dnat::redirect_rules(model, output));
    // A forward of one port is the special case of a whole network.
    rules.extend(netmap::inward(model, output));
    nat_chain(
        "prerouting",
        Hook::Prerouting,
        PREROUTING_PRIORITY,
        rules,
        output,
    );

    let mut rules = dnat::hairpin_rules(model, output);
    rules.extend(netmap::outward(model, output));
    rules.extend(snat::snat_rules(model, output));
    rules.extend(snat::masquerade_rules(model, output));
    nat_chain(
        "postrouting",
        Hook::Postrouting,
        POSTROUTING_PRIORITY,
        rules,
        output,
    );
}

fn nat_chain(name: &str, hook: Hook, priority: i32, rules: Vec<Rule>, output: &mut Output) {
    if rules.is_empty() {
        return;
    }
    let base = Base {
        kind: ChainType::Nat,
        hook,
        priority,
        policy: ChainPolicy::Accept,
    };
    output.chain(Chain {
        name: name.to_owned(),
        base: Some(base),
        rules,
    });
}

/// What translations open: a forward opens its way to the backends, a redirect its way to the box.
pub(super) fn openings(model: &Model, output: &mut Output) -> Openings {
    let mut openings = Openings::new();
    dnat::open_forwards(model, &mut openings, output);
    dnat::open_redirects(model, &mut openings, output);
    openings
}

/// Clamps the segment size of connections through a masquerade to what both routes can carry, both
/// ways: the far end learns its limit from the answer. Stands before the established accept, because
/// the answer is established already.
pub(super) fn mss_rules(model: &Model, output: &mut Output) -> Vec<Rule> {
    snat::mss_rules(model, output)
}

/// `IPS_DST_NAT` of linux/netfilter/nf_conntrack_common.h.
const DST_NAT: u32 = 32;

/// `ct status dnat`: the destination of the connection was rewritten.
fn translated() -> Statement {
    let right = Operand::AnyBit(DST_NAT.to_ne_bytes().into());
    Statement::Match {
        left: Expression::Ct(Ct::Status),
        relation: Relation::Eq,
        right,
    }
}

/// A SYN that opens or answers: `tcp flags syn / syn,rst`.
fn syn() -> Statement {
    const SYN: u8 = 2;
    const RST: u8 = 4;
    let right = Operand::Bits {
        mask: [SYN | RST].into(),
        value: [SYN].into(),
    };
    Statement::Match {
        left: Expression::Field(Field::TcpFlags),
        relation: Relation::Eq,
        right,
    }
}

/// `meta l4proto N`, and the new port when a translation sets one.
fn translated_port(protocol: &Protocol, port: Interval<u16>) -> Statement {
    let field = match protocol {
        Protocol::Ports(transport, _) => Field::Dport(*transport),
        Protocol::Any | Protocol::Icmp(_) | Protocol::Icmpv6(_) | Protocol::Numbers(_) => {
            Field::ThDport
        }
    };
    let left = Expression::Field(field);
    if port.is_single() {
        return equal(left, port.lo.to_be_bytes());
    }
    Statement::Match {
        left,
        relation: Relation::Eq,
        right: Operand::Range(port.lo.to_be_bytes().into(), port.hi.to_be_bytes().into()),
    }
}

/// Counted acceptance.
fn accept() -> [Statement; 2] {
    [Statement::Counter, Statement::Verdict(Verdict::Accept)]
}

/// Rules of an entry for packets that are of some zones at one end, and of a family where one is given.
fn each(
    members: &[Membership],
    family: Option<Family>,
    rest: &[Statement],
    entry: &Entry<'_>,
) -> Vec<Rule> {
    members
        .iter()
        .filter(|member| Membership::common(member.family, family).is_some())
        .map(|member| entry.rule(member.statements.iter().chain(rest).cloned().collect()))
        .collect()
}

/// The services without the helpers: a helper belongs to the filter rule that accepts.
fn without_helpers(services: &[Service]) -> Vec<Service> {
    services
        .iter()
        .map(|service| Service {
            helper: None,
            ..service.clone()
        })
        .collect()
}

/// The ways of coming from some zones.
fn incoming(zones: &[String], entry: &Entry<'_>, output: &mut Output) -> Vec<Membership> {
    members(zones, Way::In, "from", entry, output)
}

/// The ways of leaving to some zones.
fn outgoing(zones: &[String], entry: &Entry<'_>, output: &mut Output) -> Vec<Membership> {
    members(zones, Way::Out, "to", entry, output)
}
