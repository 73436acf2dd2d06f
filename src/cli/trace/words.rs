//! What the evaluator says, in words.

use super::rule::{LiveRule, is_own, live_rule};
use crate::evaluate::{
    Answer, Decision, Firewall, Kernel, Opaque, Packet, Reason, RuleRef, Translation, Upper,
};
use crate::ruleset::Icmpx;
use crate::view::printable;

pub(super) fn translation(translation: &Translation, firewall: &Firewall) -> String {
    let Translation {
        rule,
        destination,
        before,
        address,
        port,
    } = translation;
    let end = if *destination {
        "destination"
    } else {
        "source"
    };
    let address = match address {
        None => "an address of the box".to_owned(),
        Some((lo, hi)) if lo == hi => lo.to_string(),
        Some((lo, hi)) => format!("{lo}-{hi}"),
    };
    let port = match port {
        None => String::new(),
        Some((lo, hi)) if lo == hi => format!(" port {lo}"),
        Some((lo, hi)) => format!(" port {lo}-{hi}"),
    };
    let old = before
        .1
        .map_or(String::new(), |port| format!(" port {port}"));
    let by = firewall.rule(*rule).and_then(|rule| rule.name);
    let by = by.map_or(String::new(), |name| format!(" by `{name}`"));
    format!("{end} {}{old} becomes {address}{port}{by}", before.0)
}

pub(super) fn decision(decision: Decision) -> String {
    match decision {
        Decision::Accept => "accept".to_owned(),
        Decision::Drop => "drop".to_owned(),
        Decision::Reject(Answer::TcpReset) => "reject with tcp reset".to_owned(),
        Decision::Reject(Answer::Icmp(code)) => format!("reject with icmp code {code}"),
        Decision::Reject(Answer::Icmpx(code)) => {
            let known = Icmpx::ALL.get(usize::from(code));
            format!("reject with {}", known.map_or("icmpx", |it| it.name()))
        }
        Decision::Unknown => "unknown".to_owned(),
    }
}

pub(super) fn kernel_text(kernel: Kernel) -> &'static str {
    match kernel {
        Kernel::TimeExceeded => "the kernel forwards no packet that has no hop left",
        Kernel::NoRoute => "the kernel has no route to the destination",
        Kernel::MartianSource => "the kernel takes no packet from such a source",
        Kernel::MartianDestination => "the kernel takes no packet to such a destination",
        Kernel::NotForwarded => "the kernel does not forward such a packet",
        Kernel::NoAddress => "the interface has no address to translate to",
        Kernel::JumpStack => "more than 16 jumps deep",
    }
}

pub(super) fn packet_text(packet: &Packet) -> String {
    let end = |address: std::net::IpAddr, port: Option<u16>| match port {
        Some(port) => std::net::SocketAddr::new(address, port).to_string(),
        None => address.to_string(),
    };
    let ports = packet.upper.ports();
    let what = match packet.upper {
        Upper::Tcp { .. } => "tcp".to_owned(),
        Upper::Icmp { kind, code } => format!("icmp type {kind} code {code}"),
        Upper::Ports { protocol: 17, .. } => "udp".to_owned(),
        Upper::Ports { protocol, .. } | Upper::Other(protocol) => format!("protocol {protocol}"),
    };
    format!(
        "{} {} > {} {} {}, {}",
        packet.iif.as_deref().unwrap_or("-"),
        end(packet.source, ports.map(|it| it.0)),
        packet.oif.as_deref().unwrap_or("-"),
        end(packet.destination, ports.map(|it| it.1)),
        what,
        packet.connection.state.name()
    )
}

pub(super) fn reason(reason: &Reason, firewall: &Firewall) -> String {
    let rule_text = |rule: &RuleRef| {
        let view = firewall.rule(*rule);
        view.map_or_else(String::new, |view| match live_rule(view) {
            Some(rule) if !is_own(&view) => {
                let LiveRule {
                    table,
                    chain,
                    handle,
                    text,
                } = rule;
                format!(
                    "table {}, chain {}, rule handle {handle}: {text}",
                    printable(&table),
                    printable(&chain)
                )
            }
            _ => format!(
                "rule {} of table {} {}, chain {}",
                view.index + 1,
                view.family,
                view.table,
                view.chain
            ),
        })
    };
    match reason {
        Reason::Rule(rule) => rule_text(rule),
        Reason::Policy(chain) => firewall.chain(*chain).map_or_else(String::new, |chain| {
            format!(
                "chain policy of table {} {}, chain {}",
                chain.family, chain.table, chain.chain
            )
        }),
        Reason::Nothing => "no rule".to_owned(),
        Reason::Kernel(kernel) => kernel_text(*kernel).to_owned(),
        Reason::Opaque(rule, opaque) => {
            let why = match opaque {
                Opaque::Expression(name) => format!("the expression `{name}`"),
                Opaque::Set(name) => format!("the set `{name}`"),
                Opaque::Object(name) => format!("the object `{name}`"),
                Opaque::Chain(name) => format!("the chain `{name}`"),
                Opaque::Value(what) => (*what).to_owned(),
            };
            format!("{}: {why}", rule_text(rule))
        }
        Reason::TooManyWays => "chance has too many ways here".to_owned(),
    }
}
