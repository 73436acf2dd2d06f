//! Address translation: entries that contradict themselves or each other.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::dnat;
use super::extent::{Extent, has};
use super::netmap;
use super::rule::can_match;
use crate::compile::model::{Masquerade, Model, Redirect, Service, Snat};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, DocPath};
use crate::ruleset::Family;

/// Checks all entries.
pub(super) fn entries(model: &Model, diagnostics: &mut Diagnostics) {
    for masquerade in &model.masquerade {
        to_itself(
            &masquerade.from,
            &masquerade.to,
            &masquerade.at,
            diagnostics,
        );
    }
    shadowed_masquerade(&model.masquerade, diagnostics);
    for snat in &model.snat {
        self::snat(snat, model, diagnostics);
    }
    for dnat in &model.dnat {
        dnat::entry(dnat, model, diagnostics);
    }
    for redirect in &model.redirect {
        self::redirect(redirect, model, diagnostics);
    }
    for netmap in &model.netmap {
        netmap::entry(netmap, model, diagnostics);
    }
}

/// Points out a zone on both sides of a translation, or a side without zones.
pub(super) fn to_itself(
    from: &[String],
    to: &[String],
    at: &DocPath,
    diagnostics: &mut Diagnostics,
) {
    let common = from.iter().find(|zone| to.contains(zone));
    let message = match common {
        Some(zone) => format!("the zone `{zone}` would be hidden from itself"),
        None if from.is_empty() || to.is_empty() => "there is no zone left on one side".to_owned(),
        None => return,
    };
    let diagnostic = Diagnostic::error(Code::NatToItself, message)
        .at(at.key("to"), "and here")
        .at(at.key("from"), "is here")
        .help("`from` is who is hidden, `to` is from whom: a zone is in one of them");
    diagnostics.push(diagnostic);
}

fn shadowed_masquerade(entries: &[Masquerade], diagnostics: &mut Diagnostics) {
    let mut hidden: BTreeSet<(&str, &str, bool)> = BTreeSet::new();
    for (index, entry) in entries.iter().enumerate() {
        let families = [(entry.families.v4, false), (entry.families.v6, true)];
        let pairs = entry
            .from
            .iter()
            .flat_map(|from| entry.to.iter().map(move |to| (from.as_str(), to.as_str())));
        let pairs: Vec<_> = pairs
            .flat_map(|(from, to)| {
                families
                    .into_iter()
                    .filter(|(is_in, _)| *is_in)
                    .map(move |(_, v6)| (from, to, v6))
            })
            .collect();
        if !pairs.is_empty() && pairs.iter().all(|pair| hidden.contains(pair)) {
            let message = format!("`{}` has nothing left to hide", entry.name);
            let mut diagnostic = Diagnostic::warning(Code::ShadowedMasquerade, message)
                .at(entry.at.key("name"), "comes too late");
            let earlier = entries.iter().take(index).find(|earlier| {
                entry.from.iter().any(|zone| earlier.from.contains(zone))
                    && entry.to.iter().any(|zone| earlier.to.contains(zone))
            });
            if let Some(earlier) = earlier {
                diagnostic = diagnostic.at(earlier.at.key("name"), "hides the same zones");
            }
            diagnostics.push(diagnostic.help("take it out"));
        }
        hidden.extend(pairs);
    }
}

fn snat(snat: &Snat, model: &Model, diagnostics: &mut Diagnostics) {
    let Snat {
        name: _,
        from,
        to,
        source,
        destination,
        services,
        address,
        last,
        ports,
        flags: _,
        at,
    } = snat;
    to_itself(from, to, at, diagnostics);
    for end in std::iter::once(address).chain((address != last).then_some(last)) {
        let can_be = "can be the source of no packet";
        if !is_possible(*end, can_be, &at.key("address"), diagnostics) {
            break;
        }
    }
    if ports.is_some() && !services.is_empty() {
        with_ports(services, at, diagnostics);
    }
    let extent = Extent::of(services, source, destination, model);
    if can_match(&extent, source, destination, at, diagnostics) {
        same_family(*address, &extent, at, &at.key("address"), diagnostics);
    }
}

fn redirect(redirect: &Redirect, model: &Model, diagnostics: &mut Diagnostics) {
    let Redirect {
        name: _,
        from: _,
        source,
        destination,
        services,
        port,
        at,
    } = redirect;
    with_ports(services, at, diagnostics);
    // Several ports may well be answered at one.
    if let Some(port) = port.filter(|port| !port.is_single()) {
        dnat::fits(port, services, at, diagnostics);
    }
    let extent = Extent::of(services, source, destination, model);
    can_match(&extent, source, destination, at, diagnostics);
}

/// Ports are what a forward goes by.
pub(super) fn with_ports(services: &[Service], at: &DocPath, diagnostics: &mut Diagnostics) {
    for (index, service) in services.iter().enumerate() {
        let Service {
            name,
            ports,
            icmp,
            icmpv6,
            protocols,
            helper: _,
        } = service;
        let rest = !icmp.is_empty() || !icmpv6.is_empty() || !protocols.is_empty();
        let message = match (ports.is_empty(), rest) {
            (true, _) => format!("`{name}` has no ports to translate"),
            (false, true) => format!("`{name}` is more than ports"),
            (false, false) => continue,
        };
        let diagnostic = Diagnostic::error(Code::NatWithoutPorts, message)
            .at(
                at.key("services").index(index),
                "has ICMP or a protocol without ports",
            )
            .help("name services of TCP, UDP or SCTP ports only");
        diagnostics.push(diagnostic);
    }
}

/// Whether a host can have this address.
pub(super) fn is_possible(
    address: IpAddr,
    text: &str,
    at: &DocPath,
    diagnostics: &mut Diagnostics,
) -> bool {
    let what = match address {
        IpAddr::V4(v4) if v4.is_broadcast() => "the broadcast address",
        IpAddr::V6(v6) if v6.is_unicast_link_local() => "an address of one link",
        _ if address.is_unspecified() => "no address at all",
        _ if address.is_loopback() => "the loopback of every box",
        _ if address.is_multicast() => "a multicast group",
        _ => return true,
    };
    let diagnostic = Diagnostic::error(Code::ImpossibleAddress, format!("`{address}` is {what}"))
        .at(at, text)
        .help("write the address of one host");
    diagnostics.push(diagnostic);
    false
}

/// A translation cannot turn IPv4 into IPv6.
pub(super) fn same_family(
    address: IpAddr,
    extent: &Extent<'_>,
    at: &DocPath,
    here: &DocPath,
    diagnostics: &mut Diagnostics,
) {
    let (family, word, other) = match address {
        IpAddr::V4(_) => (Family::Ipv4, "IPv4", "IPv6"),
        IpAddr::V6(_) => (Family::Ipv6, "IPv6", "IPv4"),
    };
    let Extent {
        source,
        destination,
        protocols,
    } = extent;
    let ends = [
        ("destination", has(destination, family)),
        ("source", has(source, family)),
        ("services", protocols.are_in(family)),
    ];
    if let Some((key, _)) = ends.into_iter().find(|(_, is_in)| !is_in) {
        let diagnostic = Diagnostic::error(
            Code::NatChangesFamily,
            format!("{other} packets cannot become {word}"),
        )
        .at(here, word)
        .at(at.key(key), format!("{other} only"))
        .help("write addresses of one family, and another entry for the other");
        diagnostics.push(diagnostic);
    }
}

#[cfg(test)]
mod tests {
    use crate::compile::check::tests::said_of_nat;

    #[track_caller]
    fn check(nat: &str, expect: &str) {
        assert_eq!(said_of_nat(nat), expect);
    }

    #[test]
    fn any_is_every_other_zone() {
        check("  masquerade: [{ name: a, from: any, to: wan }]", "");
        check(
            "  masquerade: [{ name: a, from: any, to: any }]",
            "error[nat-to-itself]: the zone `dmz` would be hidden from itself\n",
        );
        check(
            "  masquerade: [{ name: a, from: any, to: [dmz, lan, wan] }]",
            "error[nat-to-itself]: there is no zone left on one side\n",
        );
    }

    #[test]
    fn masquerade_after_masquerade() {
        check(
            "  masquerade: [{ name: a, from: lan, to: wan, family: ipv4 }, { name: b, from: lan, to: wan }]",
            "",
        );
        check(
            "  masquerade: [{ name: a, from: any, to: wan }, { name: b, from: lan, to: wan }]",
            "warning[shadowed-masquerade]: `b` has nothing left to hide\n",
        );
    }

    #[test]
    fn new_sources() {
        check(
            "  snat: [{ name: a, from: lan, to: wan, address: 203.0.113.1 }]",
            "",
        );
        check(
            "  snat: [{ name: a, from: lan, to: wan, source: [192.168.1.1], address: '2001:db8::1' }]",
            "error[nat-changes-family]: IPv4 packets cannot become IPv6\n",
        );
        check(
            "  snat: [{ name: a, from: lan, to: wan, address: 224.0.0.1 }]",
            "error[impossible-address]: `224.0.0.1` is a multicast group\n",
        );
    }

    #[test]
    fn services_with_more_than_ports() {
        check(
            "  dnat: [{ name: a, from: wan, services: [ipsec], to: 192.168.1.1 }]",
            "error[nat-without-ports]: `ipsec` is more than ports\n",
        );
        check(
            "  redirect: [{ name: a, from: lan, services: [gre] }]",
            "error[nat-without-ports]: `gre` has no ports to translate\n",
        );
        check(
            "  redirect: [{ name: a, from: lan, services: [http, http-alt], to_port: 3128 }]",
            "",
        );
    }
}
