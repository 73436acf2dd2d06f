//! One outcome held against what is expected.

use std::net::IpAddr;

use super::world::address_on;
use super::{Failed, Prover};
use crate::compile::claim::{After, AfterIs, Expect, Port, Verdict};
use crate::evaluate::{
    Answer, Decision, Environment, Firewall, Opaque, Outcome, Packet, Reason, RuleRef, Translation,
};
use crate::ruleset::{Addresses, Interval};

/// A packet and its world.
#[derive(Clone, Copy)]
pub(super) struct Ends<'e, 'm> {
    pub(super) prover: &'e Prover<'m>,
    pub(super) packet: &'e Packet,
    pub(super) environment: &'e Environment,
}

pub(super) fn failed(message: String, packet: &Packet, outcome: &Outcome) -> Box<Failed> {
    Box::new(Failed {
        message,
        packet: Some(packet.clone()),
        outcome: Some(outcome.clone()),
    })
}

/// What is not as expected; `None` if all is.
pub(super) fn complaint(ends: &Ends<'_, '_>, outcome: &Outcome, expect: &Expect) -> Option<String> {
    let is = match outcome.decision {
        Decision::Accept => Verdict::Accept,
        Decision::Drop => Verdict::Drop,
        Decision::Reject(_) => Verdict::Reject,
        Decision::Unknown => return Some(unknown(ends, outcome)),
    };
    let Expect {
        verdict,
        by,
        source,
        destination,
        counts: _,
    } = expect;
    let firewall = ends.prover.firewall();
    let decided = deciding(firewall, outcome);
    if is != *verdict {
        let is = match is {
            Verdict::Accept => "accepted",
            Verdict::Drop => "dropped",
            Verdict::Reject => "rejected",
        };
        return Some(format!(
            "should be {}, but is {is} by {decided}",
            match verdict {
                Verdict::Accept => "accepted",
                Verdict::Drop => "dropped",
                Verdict::Reject => "rejected",
            }
        ));
    }
    if let Some(by) = by
        && !is_by(by, &decided)
    {
        return Some(format!("should be decided by {by}, but is by {decided}"));
    }
    let at_the_end = [
        (source, false, outcome.packet.source, "source"),
        (destination, true, outcome.packet.destination, "destination"),
    ];
    for (after, of_destination, now, word) in at_the_end {
        let Some(after) = after else { continue };
        let translated = outcome
            .translations
            .iter()
            .rev()
            .find(|it| it.destination == of_destination);
        if let Some(wrong) = wrong_end(after, translated, now, ends) {
            return Some(format!(
                "the {word} should be {}, but is {wrong}",
                after.text
            ));
        }
    }
    None
}

/// What an end is instead of what it should be.
fn wrong_end(
    after: &After,
    translated: Option<&Translation>,
    now: IpAddr,
    ends: &Ends<'_, '_>,
) -> Option<String> {
    let (lo, hi) = match translated.map(|it| it.address) {
        None => (now, now),
        Some(Some(bounds)) => bounds,
        Some(None) => return Some("an address of the box that is not known".to_owned()),
    };
    let is_right = match &after.is {
        AfterIs::Interface(name) => {
            let own = address_on(ends.environment, name, now.is_ipv6());
            own == Some(lo) && own == Some(hi)
        }
        AfterIs::Addresses(addresses) => holds(addresses, lo, hi),
    };
    if is_right {
        return None;
    }
    let on = ends.environment.owner(lo).filter(|_| lo == hi);
    Some(match on {
        Some(name) => format!("the address of {name}"),
        None if lo == hi => lo.to_string(),
        None => format!("one of {lo}-{hi}"),
    })
}

fn holds(addresses: &Addresses, lo: IpAddr, hi: IpAddr) -> bool {
    match (lo, hi) {
        (IpAddr::V4(lo), IpAddr::V4(hi)) => Interval::new(u32::from(lo), u32::from(hi))
            .is_some_and(|span| addresses.v4.contains_all(&std::iter::once(span).collect())),
        (IpAddr::V6(lo), IpAddr::V6(hi)) => Interval::new(u128::from(lo), u128::from(hi))
            .is_some_and(|span| addresses.v6.contains_all(&std::iter::once(span).collect())),
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
    }
}

/// Where a packet has gone.
pub(super) fn passed_to(outcome: &Outcome) -> IpAddr {
    outcome.packet.destination
}

/// What nmap would say of the port.
pub(super) fn port_state(outcome: &Outcome) -> Port {
    match outcome.decision {
        Decision::Accept => Port::Open,
        Decision::Reject(Answer::TcpReset) => Port::Closed,
        Decision::Reject(Answer::Icmp(_) | Answer::Icmpx(_))
        | Decision::Drop
        | Decision::Unknown => Port::Filtered,
    }
}

/// Why nobody can say what becomes of the packet.
pub(super) fn unknown(ends: &Ends<'_, '_>, outcome: &Outcome) -> String {
    let why = match &outcome.reason {
        Reason::Opaque(rule, opaque) => {
            let what = match opaque {
                Opaque::Expression(name) => format!("the expression {name}"),
                Opaque::Set(name) => format!("the set {name}"),
                Opaque::Object(name) => format!("the object {name}"),
                Opaque::Chain(name) => format!("the chain {name}"),
                Opaque::Value(what) => format!("the {what} of a packet"),
            };
            let rule = name_of(ends.prover.firewall(), *rule);
            format!(
                "{} asks for {what}, which is not followed",
                rule.unwrap_or_default()
            )
        }
        Reason::TooManyWays => "rules draw too many numbers".to_owned(),
        Reason::Rule(_) | Reason::Policy(_) | Reason::Nothing | Reason::Kernel(_) => {
            "nobody knows why".to_owned()
        }
    };
    format!("not proven: {why}")
}

/// The rule that decided, by the name that logs and plans know it by.
pub fn deciding(firewall: &Firewall, outcome: &Outcome) -> String {
    match &outcome.reason {
        Reason::Rule(rule) | Reason::Opaque(rule, _) => match outcome.named(firewall) {
            Some(named) => named.name().to_owned(),
            None => {
                let chain = firewall.chain(rule.chain);
                let chain = chain.map_or("?", |chain| chain.chain);
                format!("rule {} of {chain}", rule.rule + 1)
            }
        },
        Reason::Policy(chain) => {
            let chain = firewall.chain(*chain);
            format!("the end of {}", chain.map_or("?", |chain| chain.chain))
        }
        Reason::Nothing => "nobody".to_owned(),
        Reason::Kernel(kernel) => format!("the kernel itself ({kernel:?})"),
        Reason::TooManyWays => "?".to_owned(),
    }
}

/// The rule that stands in an element of the verdict map that a rule is.
fn name_of(firewall: &Firewall, rule: RuleRef) -> Option<String> {
    firewall.rule(rule)?.name.map(ToOwned::to_owned)
}

/// Whether a name is the one that is meant, or one of what it was compiled to.
fn is_by(by: &str, name: &str) -> bool {
    let rest = name.strip_prefix(by);
    let is_part = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let of_zone = name
        .strip_suffix(by)
        .is_some_and(|zone| zone.ends_with('/'));
    is_part || (!by.contains('/') && of_zone)
}
