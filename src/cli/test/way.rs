//! A packet and its way, in words: what tests show of what has gone wrong.
//!
//! Not here: what becomes of a packet, which is the evaluator's to say.

use std::net::IpAddr;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::Serialize;

use crate::cli::places::Places;
use crate::evaluate::{ChainRef, Met, Outcome, Packet, Step, Upper};
use crate::prove::{Prover, deciding};
use crate::ruleset::ChainPolicy;

/// A stop on the way of a packet.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Stop {
    /// The hook: `prerouting`, `input`, `forward`, `output`, `postrouting`; empty before the first.
    pub(super) hook: &'static str,
    /// The rule by its name, its chain where it has none, or `routing`, `the kernel`, `source`, `destination`, `the end of CHAIN`.
    pub(super) what: String,
    /// What happens there: `accept`, `drop`, `reject`, `return`, `translates`, `fits, goes on`, `→ CHAIN`, or words for people.
    pub(super) does: String,
    /// Where the policy says so: `office.yaml:73`. Absent for what is built in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) at: Option<String>,
}

/// A packet in a line, with when it is.
pub(super) fn shown(packet: &Packet, zone: &TimeZone) -> String {
    let (sport, dport) = packet.upper.ports().unzip();
    let end = |address: IpAddr, port: Option<u16>| match (address, port) {
        (address, None) => address.to_string(),
        (IpAddr::V4(address), Some(port)) => format!("{address}:{port}"),
        (IpAddr::V6(address), Some(port)) => format!("[{address}]:{port}"),
    };
    let by = |interface: &Option<String>| match interface {
        Some(name) => name.clone(),
        None => "the box".to_owned(),
    };
    let what = match packet.upper {
        Upper::Tcp { .. } => "tcp".to_owned(),
        Upper::Ports { protocol: 17, .. } => "udp".to_owned(),
        Upper::Ports { protocol, .. } | Upper::Other(protocol) => format!("protocol {protocol}"),
        Upper::Icmp { kind, .. } if packet.is_v6() => format!("icmpv6 type {kind}"),
        Upper::Icmp { kind, .. } => format!("icmp type {kind}"),
    };
    let seconds = i64::try_from(packet.time / 1_000_000_000).unwrap_or_default();
    let at = Timestamp::from_second(seconds).unwrap_or_default();
    let at = at.to_zoned_datetime(zone.clone());
    format!(
        "{} from {} ({}) to {} ({}), {}, on {} {}",
        what,
        end(packet.source, sport),
        by(&packet.iif),
        end(packet.destination, dport),
        by(&packet.oif),
        packet.connection.state.name(),
        at.strftime("%a %Y-%m-%d %H:%M:%S"),
        zone.iana_name().unwrap_or("UTC"),
    )
}

/// The way of a packet: every rule that it fits.
pub(super) fn path(outcome: &Outcome, prover: &Prover<'_>, places: &Places<'_>) -> Vec<Stop> {
    let firewall = prover.firewall();
    let mut hook = "";
    let mut stops = Vec::new();
    let mut element = None;
    for step in &outcome.path {
        let mut stop = |what: String, does: String, at: Option<String>| {
            stops.push(Stop {
                hook,
                what,
                does,
                at,
            });
        };
        match step {
            Step::Hook(at) => hook = at.name().unwrap_or("?"),
            Step::Base(_) | Step::Rule(_, Met::Failed(_)) => {}
            Step::Element(at) => element = firewall.element(*at),
            Step::Rule(at, met) => {
                let Some(rule) = firewall.rule(*at) else {
                    continue;
                };
                let does = match met {
                    Met::Failed(_) | Met::Idle(_) => continue,
                    Met::Passed => "fits, goes on".to_owned(),
                    Met::Accept => "accept".to_owned(),
                    Met::Drop => "drop".to_owned(),
                    Met::Reject(_) => "reject".to_owned(),
                    Met::Return => "return".to_owned(),
                    Met::Jump(to) | Met::Goto(to) => {
                        let to = ChainRef {
                            chain: *to,
                            ..at.chain
                        };
                        let to = firewall.chain(to).map_or("?", |chain| chain.chain);
                        format!("→ {to}")
                    }
                    Met::Translate => "translates".to_owned(),
                    Met::Opaque(_) => "is not followed".to_owned(),
                };
                let (what, at) = match element.take() {
                    Some(view) => (view.name().to_owned(), places.element(&view)),
                    None => {
                        let what = rule.name.unwrap_or(rule.chain).to_owned();
                        (what, rule.origin.and_then(|origin| places.of(origin)))
                    }
                };
                stop(what, does, at);
            }
            Step::Policy(chain, policy) => {
                let name = firewall.chain(*chain).map_or("?", |chain| chain.chain);
                let does = match policy {
                    ChainPolicy::Accept => "accept",
                    ChainPolicy::Drop => "drop",
                };
                // The end of a chain that translates is no news.
                if hook != "prerouting" && hook != "postrouting" {
                    stop(format!("the end of {name}"), does.to_owned(), None);
                }
            }
            Step::Local => stop("routing".to_owned(), "for the box".to_owned(), None),
            Step::Forward => {
                let by = outcome.packet.oif.as_deref().unwrap_or("?");
                stop("routing".to_owned(), format!("on by {by}"), None);
            }
            Step::Translated(index) => {
                let Some(it) = outcome.translations.get(usize::from(*index)) else {
                    continue;
                };
                let end = if it.destination {
                    "destination"
                } else {
                    "source"
                };
                let address = match it.address {
                    None => "an address of the box".to_owned(),
                    Some((lo, hi)) if lo == hi => lo.to_string(),
                    Some((lo, hi)) => format!("one of {lo}-{hi}"),
                };
                let port = match it.port {
                    Some((lo, hi)) if lo == hi => format!(" port {lo}"),
                    _ => String::new(),
                };
                stop(end.to_owned(), format!("is now {address}{port}"), None);
            }
            Step::Kernel(kernel) => stop("the kernel".to_owned(), format!("{kernel:?}"), None),
        }
    }
    if stops.is_empty() {
        let decided = deciding(firewall, outcome);
        stops.push(Stop {
            hook,
            what: decided,
            does: String::new(),
            at: None,
        });
    }
    stops
}
