//! Address translation: entries that contradict themselves or each other.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::extent::{Extent, Protocols, addresses, meet};
use super::rule::can_match;
use crate::compile::model::{Backend, Dnat, Masquerade, Model, Redirect, Selector, Service, Snat};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, DocPath};
use crate::ruleset::{Addresses, Intervals, Transport};

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
    let forwards = model.dnat.iter().map(|dnat| {
        let Dnat {
            name,
            from,
            source,
            destination,
            services,
            backends,
            at,
            ..
        } = dnat;
        let forward = Forward::new(name, from, services, source, destination, at, model);
        match backends.first().map(|backend| backend.address) {
            Some(address) => forward.of_family(address),
            None => forward,
        }
    });
    overlapping(&forwards.collect::<Vec<_>>(), diagnostics);
    let redirects = model.redirect.iter().map(|redirect| {
        let Redirect {
            name,
            from,
            source,
            destination,
            services,
            port: _,
            at,
        } = redirect;
        Forward::new(name, from, services, source, destination, at, model)
    });
    overlapping(&redirects.collect::<Vec<_>>(), diagnostics);
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
    impossible(
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
        name,
        from,
        source,
        destination,
        services,
        backends,
        mode: _,
        port,
        hairpin,
        opens,
        at,
    } = dnat;
    with_ports(services, at, diagnostics);
    if port.is_some() {
        one_port(services, at, diagnostics);
    }
    self::backends(backends, at, diagnostics);
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
    let holding = |zone: &&String| {
        let zone = model.zones.get(*zone);
        zone.is_some_and(|zone| {
            backends
                .iter()
                .any(|backend| zone.networks.contains(backend.address))
        })
    };
    if let Some(zone) = from.iter().find(holding)
        && hairpin.is_empty()
    {
        let message = format!("answers to `{zone}` would go past the translation of `{name}`");
        let diagnostic = Diagnostic::warning(Code::NeedsHairpin, message)
            .at(
                at.key("from"),
                format!("the hosts themselves live in `{zone}`"),
            )
            .help(format!(
                "write `hairpin: true` and take `{zone}` out of `from`"
            ));
        diagnostics.push(diagnostic);
    }
    let tells = |zone: &&String| {
        model
            .zones
            .get(*zone)
            .is_some_and(|zone| !zone.networks.is_empty())
    };
    let elsewhere = model.zones.iter().filter(|(name, _)| !from.contains(name));
    let all_tell =
        elsewhere.clone().count() != 0 && elsewhere.map(|(name, _)| name).all(|name| tells(&name));
    if !opens.iter().any(|zone| holding(&zone)) && all_tell {
        let address = backends
            .first()
            .map(|backend| backend.address.to_string())
            .unwrap_or_default();
        let diagnostic = Diagnostic::warning(
            Code::BackendInNoZone,
            format!("`{address}` lives in none of the zones"),
        )
        .at(backend_path(backends, 0, at), "is in no zone's `networks`")
        .help("correct the address, or the `networks` of its zone");
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

fn backends(backends: &[Backend], at: &DocPath, diagnostics: &mut Diagnostics) {
    let mut seen: Vec<IpAddr> = Vec::new();
    let mut is_mixed = false;
    for (index, backend) in backends.iter().enumerate() {
        let Backend { address, weight: _ } = backend;
        let here = backend_path(backends, index, at);
        impossible(
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

fn impossible(address: IpAddr, text: &str, at: &DocPath, diagnostics: &mut Diagnostics) {
    let what = match address {
        IpAddr::V4(v4) if v4.is_broadcast() => "the broadcast address",
        IpAddr::V6(v6) if v6.is_unicast_link_local() => "an address of one link",
        _ if address.is_unspecified() => "no address at all",
        _ if address.is_loopback() => "the loopback of every box",
        _ if address.is_multicast() => "a multicast group",
        _ => return,
    };
    let diagnostic = Diagnostic::error(Code::ImpossibleAddress, format!("`{address}` is {what}"))
        .at(at, text)
        .help("write the address of one host");
    diagnostics.push(diagnostic);
}

/// A translation cannot turn IPv4 into IPv6.
fn same_family(
    address: IpAddr,
    extent: &Extent,
    at: &DocPath,
    here: &DocPath,
    diagnostics: &mut Diagnostics,
) {
    let family = if address.is_ipv4() {
        crate::ruleset::Family::Ipv4
    } else {
        crate::ruleset::Family::Ipv6
    };
    if extent.is_alive(family) {
        return;
    }
    let word = family_word(address);
    let other = if address.is_ipv4() { "IPv6" } else { "IPv4" };
    let diagnostic = Diagnostic::error(
        Code::NatChangesFamily,
        format!("{other} packets cannot become {word}"),
    )
    .at(here, word)
    .at(at, format!("is for {other} only"))
    .help("write addresses of one family, and another entry for the other");
    diagnostics.push(diagnostic);
}

/// A forward, as far as two of them can be in each other's way.
struct Forward<'a> {
    name: &'a str,
    from: &'a [String],
    protocols: Protocols,
    source: Addresses,
    /// `None` is the addresses of the box, whichever they are.
    destination: Option<Addresses>,
    at: &'a DocPath,
}

impl<'a> Forward<'a> {
    fn new(
        name: &'a str,
        from: &'a [String],
        services: &[Service],
        source: &Selector,
        destination: &Selector,
        at: &'a DocPath,
        model: &Model,
    ) -> Self {
        let anywhere = destination.include.is_empty();
        Self {
            name,
            from,
            protocols: Protocols::of(services),
            source: addresses(source, model),
            destination: (!anywhere).then(|| addresses(destination, model)),
            at,
        }
    }

    /// Only packets of the family of the hosts that they are sent on to.
    fn of_family(mut self, host: IpAddr) -> Self {
        match host {
            IpAddr::V4(_) => self.source.v6 = Intervals::default(),
            IpAddr::V6(_) => self.source.v4 = Intervals::default(),
        }
        self
    }

    /// Whether a packet can be for both.
    fn meets(&self, other: &Self) -> bool {
        let destinations = match (&self.destination, &other.destination) {
            (Some(own), Some(others)) => meet(own, others),
            (None, None) => true,
            (None, Some(_)) | (Some(_), None) => false,
        };
        destinations
            && self.from.iter().any(|zone| other.from.contains(zone))
            && meet(&self.source, &other.source)
    }

    /// Whether `other` is the general case that this one is taken out of.
    fn is_special_of(&self, other: &Self) -> bool {
        let within = |own: &Addresses, others: &Addresses| own.subtract(others).is_empty();
        let destination = match (&self.destination, &other.destination) {
            (Some(own), Some(others)) => within(own, others),
            (None, None) => true,
            (None, Some(_)) | (Some(_), None) => false,
        };
        let same = self.source == other.source
            && self.destination == other.destination
            && self.protocols == other.protocols;
        !same
            && destination
            && within(&self.source, &other.source)
            && other.protocols.hold_ports(&self.protocols)
    }
}

/// Two forwards for one port and destination: only the first can have it. A special case before the general one is
/// meant.
fn overlapping(forwards: &[Forward<'_>], diagnostics: &mut Diagnostics) {
    let mut spans: Vec<(Transport, u16, u16, usize)> = Vec::new();
    for (index, forward) in forwards.iter().enumerate() {
        spans.extend(
            forward
                .protocols
                .spans()
                .map(|(transport, span)| (transport, span.lo, span.hi, index)),
        );
    }
    spans.sort_unstable();
    let mut told: BTreeSet<(usize, usize)> = BTreeSet::new();
    let mut open: Vec<(Transport, u16, u16, usize)> = Vec::new();
    for span in spans {
        let (transport, lo, _, index) = span;
        open.retain(|(open_transport, _, hi, _)| *open_transport == transport && lo <= *hi);
        for (_, _, hi, other) in &open {
            let (first, later) = (index.min(*other), index.max(*other));
            let (Some(earlier), Some(forward)) = (forwards.get(first), forwards.get(later)) else {
                continue;
            };
            if first == later
                || told.contains(&(first, later))
                || !earlier.meets(forward)
                || earlier.is_special_of(forward)
            {
                continue;
            }
            told.insert((first, later));
            let port = format!("{} {}", transport.name(), lo.min(*hi));
            let message = format!(
                "`{}` and `{}` both forward {port}",
                earlier.name, forward.name
            );
            let diagnostic = Diagnostic::error(Code::OverlappingForwards, message)
                .at(forward.at.key("name"), "never gets it")
                .at(earlier.at.key("name"), "comes first")
                .help("tell them apart by `destination`, `source` or port; a special case stands before the general one");
            diagnostics.push(diagnostic);
        }
        open.push(span);
    }
}
