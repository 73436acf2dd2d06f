//! Zones with `match: address`: whether their networks tell them apart, and what their hosts send before they have an
//! address.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::zone::meet;
use crate::compile::model::{Action, Interface, Model, Rule, Side, ZonePolicy};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, DocPath};
use crate::policy::{Policy, Prefix, Zone, ZoneMatch};
use crate::ruleset::Transport;

/// Checks the networks of all zones that share interfaces.
pub(super) fn zones(policy: &Policy, model: &Model, diagnostics: &mut Diagnostics) {
    let mut seen: BTreeMap<&Prefix, Vec<(&str, &Zone, DocPath)>> = BTreeMap::new();
    for (name, zone) in &policy.zones {
        let at = DocPath::root().key("zones").name(name.as_str());
        if zone.matches == ZoneMatch::Address && zone.networks.is_empty() {
            let message = format!("the zone `{name}` does not say which addresses it has");
            let diagnostic = Diagnostic::error(Code::MatchWithoutNetworks, message)
                .at(at.key("match"), "the address decides who belongs to it")
                .help("give the zone its `networks`");
            diagnostics.push(diagnostic);
        }
        let mut is_taken = false;
        for (index, network) in zone.networks.iter().enumerate() {
            let here = at.key("networks").index(index);
            if zone.matches == ZoneMatch::Interface {
                continue;
            }
            let others = seen.entry(network).or_default();
            if let Some((other, _, there)) = others.iter().find(|(_, other, _)| meet(zone, other)) {
                is_taken = true;
                let message = format!("nothing tells `{name}` from `{other}` in `{network}`");
                let diagnostic = Diagnostic::error(Code::SameNetwork, message)
                    .at(&here, "is a network of both")
                    .at(there, "here, too")
                    .help("keep it in one of the zones, or give each a part of it");
                diagnostics.push(diagnostic);
            }
            others.push((name.as_str(), zone, here));
        }
        let left = model.zones.get(name.as_str());
        let is_left = left.is_none_or(|zone| !zone.networks.is_empty());
        if !zone.networks.is_empty() && !is_left && !is_taken {
            let message = format!("no address is left for the zone `{name}`");
            let diagnostic = Diagnostic::error(Code::NoAddressLeft, message)
                .at(
                    at.key("networks"),
                    "are networks of zones with `match: address` on the same interfaces",
                )
                .help(match zone.matches {
                    ZoneMatch::Address => {
                        "of nested networks the narrowest decides: make those of the others fit"
                    }
                    ZoneMatch::Interface => {
                        "leave the networks out, or write those that are none of the others'"
                    }
                });
            diagnostics.push(diagnostic);
        }
    }
}

/// Services whose requests come from an address that is of no network: the port of the server, the source.
const REQUESTS: [(&str, u16, IpAddr); 2] = [
    ("0.0.0.0", 67, IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
    (
        "their link-local addresses",
        547,
        IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1)),
    ),
];

/// Points out rules that let hosts of a zone ask for an address, and will not, because those who have none yet are of
/// another zone (RFC 2131: they ask from 0.0.0.0; RFC 8415: from a link-local address).
pub(super) fn requests(model: &Model, diagnostics: &mut Diagnostics) {
    for policy in &model.policies {
        if !policy.to.contains(&Side::Firewall) {
            continue;
        }
        for rule in policy
            .rules
            .iter()
            .filter(|rule| rule.action == Action::Accept)
        {
            for (from, port, source) in REQUESTS {
                if asks(rule, port)
                    && let Some((zone, interface)) = told(policy, model)
                        .find(|(_, interface)| !is_let_in(interface, source, port, model))
                {
                    diagnostics.push(elsewhere(rule, zone, interface, from, source, model));
                }
            }
        }
    }
}

/// The zones of a policy that are told by address, with each of their interfaces.
fn told<'a>(
    policy: &'a ZonePolicy,
    model: &'a Model,
) -> impl Iterator<Item = (&'a str, &'a Interface)> {
    let names = policy.from.iter().filter_map(|side| match side {
        Side::Firewall => None,
        Side::Zone(name) => Some(name.as_str()),
    });
    let zones = names.filter_map(|name| Some((name, model.zones.get(name)?)));
    zones
        .filter(|(_, zone)| zone.by_address)
        .flat_map(|(name, zone)| {
            zone.interfaces
                .iter()
                .map(move |interface| (name, interface))
        })
}

/// The zone that a source on an interface is of.
fn home<'a>(interface: &Interface, source: IpAddr, model: &'a Model) -> Option<&'a String> {
    let on_it = || {
        let zones = model.zones.iter();
        zones.filter(|(_, zone)| zone.interfaces.contains(interface))
    };
    let own = on_it().find(|(_, zone)| zone.by_address && zone.networks.contains(source));
    own.or_else(|| on_it().find(|(_, zone)| !zone.by_address))
        .map(|(name, _)| name)
}

/// Whether some policy lets the request of a source on an interface in.
fn is_let_in(interface: &Interface, source: IpAddr, port: u16, model: &Model) -> bool {
    let Some(home) = home(interface, source, model) else {
        return false;
    };
    let home = Side::Zone(home.clone());
    let mut policies = model.policies.iter();
    policies.any(|policy| {
        policy.from.contains(&home)
            && policy.to.contains(&Side::Firewall)
            && (policy.default == Some(Action::Accept)
                || policy.rules.iter().any(|rule| {
                    rule.action == Action::Accept && (rule.services.is_empty() || asks(rule, port))
                }))
    })
}

/// Whether a rule names the port of a server.
fn asks(rule: &Rule, port: u16) -> bool {
    let mut ports = rule.services.iter();
    ports.any(|service| {
        let udp = service.ports.get(Transport::Udp);
        udp.is_some_and(|ports| ports.contains(port))
    })
}

fn elsewhere(
    rule: &Rule,
    zone: &str,
    interface: &Interface,
    from: &str,
    source: IpAddr,
    model: &Model,
) -> Diagnostic {
    let Rule { name, at, .. } = rule;
    let star = if interface.prefix { "*" } else { "" };
    let message = format!(
        "the rule `{name}` does not see those who ask for their first address: they ask from {from}"
    );
    let network = if source.is_ipv4() {
        "0.0.0.0/32"
    } else {
        "fe80::/10"
    };
    let home = home(interface, source, model);
    let diagnostic = Diagnostic::warning(Code::DecidedElsewhere, message).at(
        at.key("services"),
        format!("lets hosts of `{zone}` ask that have an address"),
    );
    match home {
        Some(home) => diagnostic.help(format!(
            "on `{}{star}` they are of the zone `{home}`: let it ask as well, or write `{network}` into the `networks` of one zone",
            interface.name
        )),
        None => diagnostic.help(format!(
            "on `{}{star}` they are of no zone: write `{network}` into the `networks` of one zone, or add a zone without `match: address`",
            interface.name
        )),
    }
}

#[cfg(test)]
mod tests {
    use crate::compile::check::tests::said;

    #[track_caller]
    fn check(zones: &str, expect: &str) {
        let policies = "policies: [{ name: in, from: any, to: any, default: accept }]";
        assert_eq!(
            said(&format!("version: 1\nzones:\n{zones}\n{policies}\n")),
            expect
        );
    }

    #[test]
    fn networks_tell_zones_apart() {
        check(
            "  a: { interfaces: [e], match: address, networks: [10.0.0.0/8, 10.1.1.0/24, 'fd00::/16'] }\n  \
               b: { interfaces: [e, f], match: address, networks: [10.1.0.0/16] }\n  \
               c: { interfaces: [e, f], networks: [10.0.0.0/7] }",
            "",
        );
        check(
            "  a: { interfaces: [e], match: address }\n  b: { interfaces: [e], networks: [10.0.0.0/8] }",
            "error[match-without-networks]: the zone `a` does not say which addresses it has\n",
        );
        check(
            "  a: { interfaces: [e], match: address, networks: [0.0.0.0/0, 'fd00::/64'] }\n  \
               b: { interfaces: [e], match: address, networks: [0.0.0.0/0] }\n  \
               c: { interfaces: [f], match: address, networks: [0.0.0.0/0] }",
            "error[same-network]: nothing tells `b` from `a` in `0.0.0.0/0`\n",
        );
    }

    #[test]
    fn something_must_be_left() {
        check(
            "  a: { interfaces: [e], match: address, networks: [10.0.0.0/24] }\n  \
               b: { interfaces: [e], match: address, networks: [10.0.1.0/24] }\n  \
               c: { interfaces: [e], networks: [10.0.0.0/23] }\n  \
               d: { interfaces: [e], match: address, networks: [10.0.0.0/25, 10.0.0.128/25] }",
            "error[no-address-left]: no address is left for the zone `a`\n\
             error[no-address-left]: no address is left for the zone `c`\n",
        );
        check(
            "  a: { interfaces: [e], match: address, networks: [10.0.0.0/8] }\n  \
               b: { interfaces: [e], networks: [10.1.0.0/16, 10.0.0.0/8, 192.168.0.0/16] }",
            "warning[overlapping-networks]: `10.0.0.0/8` of the zone `b` is part of `10.0.0.0/8` of the zone `a`\n",
        );
    }

    #[test]
    fn shared_interfaces() {
        check(
            "  a: { interfaces: ['e*', f], match: address, networks: [10.0.0.0/8] }\n  \
               b: { interfaces: ['e*'] }\n  \
               c: { interfaces: ['e*', f], match: address, networks: [10.1.0.0/16] }",
            "",
        );
        check(
            "  a: { interfaces: [e] }\n  \
               b: { interfaces: [e], match: address, networks: [10.0.0.0/8] }\n  \
               c: { interfaces: [e] }",
            "error[interface-in-two-zones]: `e` is in the zones `a` and `c`\n",
        );
        check(
            "  a: { interfaces: ['e*'], match: address, networks: [10.0.0.0/8] }\n  \
               b: { interfaces: [e0], match: address, networks: [172.16.0.0/16] }",
            "error[interface-in-two-zones]: `e0` is in the zone `b` and, by `e*`, in `a`\n",
        );
    }

    /// What is said of the zones `a` (told by address) and `rest`, with these policies.
    #[track_caller]
    fn check_requests(networks: &str, policies: &str, expect: &str) {
        let zones = format!(
            "  a: {{ interfaces: [e], match: address, networks: [{networks}] }}\n  rest: {{ interfaces: [e, f] }}"
        );
        assert_eq!(
            said(&format!(
                "version: 1\nzones:\n{zones}\npolicies:\n{policies}\n"
            )),
            expect
        );
    }

    #[test]
    fn first_addresses() {
        let asks = "  - { name: in, from: a, to: firewall, rules: [{ name: dhcp, services: [dhcp, dhcpv6], action: accept }] }\n";
        let v4 = "warning[decided-elsewhere]: the rule `dhcp` does not see those who ask for their first address: they ask from 0.0.0.0\n";
        let v6 = "warning[decided-elsewhere]: the rule `dhcp` does not see those who ask for their first address: they ask from their link-local addresses\n";
        let none = "  - { name: none, from: rest, to: any, default: drop }";
        check_requests("10.0.0.0/8", &format!("{asks}{none}"), &format!("{v4}{v6}"));
        check_requests("10.0.0.0/8, 0.0.0.0/32", &format!("{asks}{none}"), v6);
        check_requests(
            "10.0.0.0/8, 0.0.0.0/32, 'fe80::/10'",
            &format!("{asks}{none}"),
            "",
        );
        let rest = "  - { name: rest, from: rest, to: firewall, rules: [{ name: dhcp, services: [dhcpv4], action: accept }] }";
        check_requests("10.0.0.0/8", &format!("{asks}{rest}"), v6);
        let all = "  - { name: rest, from: rest, to: firewall, default: accept }";
        check_requests("10.0.0.0/8", &format!("{asks}{all}"), "");
    }
}
