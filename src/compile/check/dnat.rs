//! `nat.dnat`: one forward and its backends by itself. Two forwards in each other's way are in [`super::forward`].

use std::net::IpAddr;

use super::extent::{Extent, Protocols};
use super::nat::{is_possible, same_family, with_ports};
use super::rule::can_match;
use crate::compile::model::{Backend, Dnat, Model, Service, Zone};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, DocPath};
use crate::ruleset::{Addresses, Interval, Intervals};

/// The kernel's map of shares has so many places at most.
const LARGEST_WEIGHTS: u32 = 1024;

/// Checks an entry.
pub(super) fn entry(dnat: &Dnat, model: &Model, diagnostics: &mut Diagnostics) {
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
    match port {
        Some(port) if port.is_single() => one_port(services, at, diagnostics),
        Some(port) => fits(*port, services, at, diagnostics),
        None => {}
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
        .help(match ranges_from(ports) {
            Some(range) => format!(
                "write the range that they become (`to_port: \"{range}\"` keeps them), or an entry for each port"
            ),
            None => "write an entry for each port, or leave `to_port` out to keep the ports".to_owned(),
        });
    diagnostics.push(diagnostic);
}

/// The one range of ports, as text.
fn ranges_from(ports: &Intervals<u16>) -> Option<String> {
    let mut spans = ports.iter();
    let only = spans.next().filter(|_| spans.next().is_none())?;
    Some(format!("{}-{}", only.lo, only.hi))
}

/// Points out a new range of ports that the services' ports do not become one by one.
pub(super) fn fits(
    port: Interval<u16>,
    services: &[Service],
    at: &DocPath,
    diagnostics: &mut Diagnostics,
) {
    let length = |span: Interval<u16>| u32::from(span.hi) - u32::from(span.lo) + 1;
    let mut protocols = Protocols::of(services).ports.into_iter();
    let wrong = protocols.find(|(_, ports)| {
        let mut spans = ports.iter();
        !matches!((spans.next(), spans.next()), (Some(only), None) if length(only) == length(port))
    });
    let Some((transport, ports)) = wrong else {
        return;
    };
    let spans: Vec<String> = ports
        .iter()
        .map(|span| format!("{}-{}", span.lo, span.hi))
        .collect();
    let message = format!(
        "{} {} cannot become {}-{} port by port",
        transport.name(),
        spans.join(", "),
        port.lo,
        port.hi
    );
    let diagnostic = Diagnostic::error(Code::UnequalPortRanges, message)
        .at(at.key("to_port"), format!("are {} ports", length(port)))
        .at(at.key("services"), "must be one range of as many ports")
        .help("write two ranges of the same length, and an entry for each range");
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

#[cfg(test)]
mod tests {
    use crate::compile::check::tests::said_of_nat;

    #[track_caller]
    fn check(nat: &str, expect: &str) {
        assert_eq!(said_of_nat(nat), expect);
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
