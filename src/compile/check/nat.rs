//! Address translation: entries that contradict themselves or each other.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::extent::{Extent, Protocols, has};
use super::rule::can_match;
use crate::compile::model::{Backend, Dnat, Masquerade, Model, Redirect, Service, Snat, Zone};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, DocPath};
use crate::ruleset::{Addresses, Family};

/// The kernel's map of shares has so many places at most.
const LARGEST_WEIGHTS: u32 = 1024;

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
        self::dnat(dnat, model, diagnostics);
    }
    for redirect in &model.redirect {
        self::redirect(redirect, model, diagnostics);
    }
}

fn to_itself(from: &[String], to: &[String], at: &DocPath, diagnostics: &mut Diagnostics) {
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
        at,
    } = snat;
    to_itself(from, to, at, diagnostics);
    is_possible(
        *address,
        "can be the source of no packet",
        &at.key("address"),
        diagnostics,
    );
    let extent = Extent::of(services, source, destination, model);
    if can_match(&extent, source, destination, at, diagnostics) {
        same_family(*address, &extent, at, &at.key("address"), diagnostics);
    }
}

fn dnat(dnat: &Dnat, model: &Model, diagnostics: &mut Diagnostics) {
    let Dnat {
        name: _,
        from: _,
        source,
        destination,
        services,
        backends,
        mode: _,
        port,
        hairpin: _,
        opens: _,
        at,
    } = dnat;
    with_ports(services, at, diagnostics);
    if port.is_some() {
        one_port(services, at, diagnostics);
    }
    let extent = Extent::of(services, source, destination, model);
    if can_match(&extent, source, destination, at, diagnostics)
        && let Some(first) = backends.first()
    {
        same_family(
            first.address,
            &extent,
            at,
            &backend_path(backends, 0, at),
            diagnostics,
        );
    }
    if self::backends(backends, at, diagnostics) {
        behind_the_box(dnat, model, diagnostics);
        needs_hairpin(dnat, model, diagnostics);
    }
}

/// Points out the first backend that lives nowhere, if the zones say what lives in them.
fn behind_the_box(dnat: &Dnat, model: &Model, diagnostics: &mut Diagnostics) {
    let zones = model
        .zones
        .iter()
        .filter(|(name, _)| !dnat.from.contains(name));
    let mut networks = zones.map(|(_, zone)| &zone.networks).peekable();
    if networks.peek().is_none() || networks.any(Addresses::is_empty) {
        return;
    }
    let homeless = |backend: &Backend| {
        !model
            .zones
            .values()
            .any(|zone| zone.networks.contains(backend.address))
    };
    if let Some((index, backend)) = dnat
        .backends
        .iter()
        .enumerate()
        .find(|(_, backend)| homeless(backend))
    {
        let message = format!("`{}` lives in none of the zones", backend.address);
        let diagnostic = Diagnostic::warning(Code::BackendInNoZone, message)
            .at(
                backend_path(&dnat.backends, index, &dnat.at),
                "is in no zone's `networks`",
            )
            .help("correct the address, or the `networks` of its zone");
        diagnostics.push(diagnostic);
    }
}

/// Points out a zone that would get answers from its own hosts directly, past the translation.
fn needs_hairpin(dnat: &Dnat, model: &Model, diagnostics: &mut Diagnostics) {
    if !dnat.hairpin.is_empty() {
        return;
    }
    let lives_in = |zone: &Zone| {
        dnat.backends
            .iter()
            .any(|backend| zone.networks.contains(backend.address))
    };
    if let Some(zone) = dnat
        .from
        .iter()
        .find(|name| model.zones.get(*name).is_some_and(lives_in))
    {
        let message = format!(
            "answers to `{zone}` would go past the translation of `{}`",
            dnat.name
        );
        let diagnostic = Diagnostic::warning(Code::NeedsHairpin, message)
            .at(
                dnat.at.key("from"),
                format!("the hosts themselves live in `{zone}`"),
            )
            .help(format!(
                "write `hairpin: true` and take `{zone}` out of `from`"
            ));
        diagnostics.push(diagnostic);
    }
}

fn redirect(redirect: &Redirect, model: &Model, diagnostics: &mut Diagnostics) {
    let Redirect {
        name: _,
        from: _,
        source,
        destination,
        services,
        port: _,
        at,
    } = redirect;
    with_ports(services, at, diagnostics);
    let extent = Extent::of(services, source, destination, model);
    can_match(&extent, source, destination, at, diagnostics);
}

/// Ports are what a forward goes by.
fn with_ports(services: &[Service], at: &DocPath, diagnostics: &mut Diagnostics) {
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

fn one_port(services: &[Service], at: &DocPath, diagnostics: &mut Diagnostics) {
    let protocols = Protocols::of(services);
    let several = protocols
        .ports
        .iter()
        .find(|(_, ports)| 1 < ports.len() || ports.iter().any(|span| !span.is_single()));
    let Some((transport, ports)) = several else {
        return;
    };
    let list: Vec<String> = ports
        .iter()
        .map(|span| {
            if span.is_single() {
                span.lo.to_string()
            } else {
                format!("{}-{}", span.lo, span.hi)
            }
        })
        .collect();
    let message = format!(
        "several ports cannot become one: {} {}",
        transport.name(),
        list.join(", ")
    );
    let diagnostic = Diagnostic::error(Code::SeveralPortsToOne, message)
        .at(at.key("to_port"), "is one port")
        .at(at.key("services"), "has several")
        .help("write an entry for each port, or leave `to_port` out to keep the ports");
    diagnostics.push(diagnostic);
}

/// Whether all of them are addresses that hosts can have.
fn backends(backends: &[Backend], at: &DocPath, diagnostics: &mut Diagnostics) -> bool {
    let mut possible = true;
    let mut seen: Vec<IpAddr> = Vec::new();
    let mut is_mixed = false;
    for (index, backend) in backends.iter().enumerate() {
        let Backend { address, weight: _ } = backend;
        let here = backend_path(backends, index, at);
        possible &= is_possible(
            *address,
            "is no host that connections can go to",
            &here,
            diagnostics,
        );
        if let Some(first) = seen.iter().position(|earlier| earlier == address) {
            let diagnostic = Diagnostic::error(
                Code::BackendTwice,
                format!("`{address}` is a backend twice"),
            )
            .at(&here, "is there already")
            .at(backend_path(backends, first, at), "here")
            .help("give it a larger `weight` instead");
            diagnostics.push(diagnostic);
        }
        if let Some(first) = seen.first()
            && first.is_ipv4() != address.is_ipv4()
            && !is_mixed
        {
            is_mixed = true;
            let diagnostic = Diagnostic::error(
                Code::MixedBackends,
                "backends are of one family: a packet cannot change its own",
            )
            .at(&here, family_word(*address))
            .at(backend_path(backends, 0, at), family_word(*first))
            .help("write an entry for IPv4 and one for IPv6");
            diagnostics.push(diagnostic);
        }
        seen.push(*address);
    }
    let sum: u32 = backends.iter().map(|backend| backend.weight).sum();
    if LARGEST_WEIGHTS < sum {
        let message = format!("the weights are {sum} together, {LARGEST_WEIGHTS} is the most");
        let diagnostic = Diagnostic::error(Code::WeightsTooLarge, message)
            .at_key(at.key("balance").key("backends"), "add up to too much")
            .help("weights are shares: 200 and 100 say the same as 2 and 1");
        diagnostics.push(diagnostic);
    }
    possible
}

/// Where a backend is written: an element of `balance`, or `to`.
fn backend_path(backends: &[Backend], index: usize, at: &DocPath) -> DocPath {
    // `to` and a balance of one look alike in the model; a path that is not there shows its nearest parent.
    match backends {
        [_] => at.key("to"),
        _ => at
            .key("balance")
            .key("backends")
            .index(index)
            .key("address"),
    }
}

fn family_word(address: IpAddr) -> &'static str {
    if address.is_ipv4() { "IPv4" } else { "IPv6" }
}

fn is_possible(address: IpAddr, text: &str, at: &DocPath, diagnostics: &mut Diagnostics) -> bool {
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
fn same_family(
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
    use crate::compile::check::tests::said;

    #[track_caller]
    fn check(nat: &str, expect: &str) {
        let text = format!(
            "version: 1\n\
             zones:\n  dmz: {{ interfaces: [eth2] }}\n  lan: {{ interfaces: [eth1], networks: [192.168.0.0/16] }}\n  wan: {{ interfaces: [eth0] }}\n\
             policies: [{{ name: in, from: any, to: firewall, default: accept }}]\n\
             nat:\n{nat}\n"
        );
        assert_eq!(said(&text), expect);
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
    fn one_port_for_two_protocols() {
        check(
            "  dnat: [{ name: a, from: wan, services: [dns], to: 192.168.1.1, to_port: 5353 }]",
            "",
        );
        check(
            "  dnat: [{ name: a, from: wan, services: [mosh], to: 192.168.1.1, to_port: 60000 }]",
            "error[several-ports-to-one]: several ports cannot become one: udp 60000-61000\n",
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

    #[test]
    fn weights() {
        let balance = |weight: u32| {
            format!(
                "  dnat:\n    - name: a\n      from: wan\n      services: [http]\n      balance:\n        mode: nth\n        \
                 backends: [{{ address: 192.168.1.1, weight: {weight} }}, {{ address: 192.168.1.2, weight: 512 }}]"
            )
        };
        check(&balance(512), "");
        check(
            &balance(513),
            "error[weights-too-large]: the weights are 1025 together, 1024 is the most\n",
        );
    }
}
