//! Zones: whose an interface is, whose a network is, and lists of zones that say a thing twice.

use std::borrow::Cow;

use super::policy_path;
use crate::compile::resolve::addresses_of_prefix;
use crate::diagnostic::{Code, Diagnostic, Diagnostics, DocPath};
use crate::policy::{InterfacePattern, Policy, Zone, ZoneMatch, ZoneRef, Zones};
use crate::ruleset::{Bound, Interval};

/// One interface of one zone, where it stands.
pub(super) struct Place<'a> {
    pub(super) zone: &'a str,
    pub(super) by_address: bool,
    pub(super) pattern: Cow<'a, InterfacePattern>,
    pub(super) at: DocPath,
}

impl Place<'_> {
    pub(super) fn name(&self) -> &str {
        match &*self.pattern {
            InterfacePattern::Exact(name) | InterfacePattern::Prefix(name) => name,
        }
    }

    pub(super) fn is_prefix(&self) -> bool {
        matches!(*self.pattern, InterfacePattern::Prefix(_))
    }
}

/// Every interface is in one zone, and once; or in several that can be told apart.
pub(super) fn interfaces(policy: &Policy, diagnostics: &mut Diagnostics) {
    let places = places(policy);
    if policy.nodes.is_empty() {
        claims(places, diagnostics);
    } else {
        // Names of the policy and beginnings of the boxes' names have nothing to do with each other.
        let (prefixes, names) = places.into_iter().partition(Place::is_prefix);
        claims(prefixes, diagnostics);
        claims(names, diagnostics);
    }
}

/// All interfaces of all zones.
pub(super) fn places(policy: &Policy) -> Vec<Place<'_>> {
    let mut places = Vec::new();
    for (zone, definition) in &policy.zones {
        let at = DocPath::root()
            .key("zones")
            .name(zone.as_str())
            .key("interfaces");
        for (index, pattern) in definition.interfaces.iter().enumerate() {
            places.push(Place {
                zone: zone.as_str(),
                by_address: definition.matches == ZoneMatch::Address,
                pattern: Cow::Borrowed(pattern),
                at: at.index(index),
            });
        }
    }
    places
}

/// Says which of these interfaces are claimed twice, or cannot be claimed.
pub(super) fn claims(mut places: Vec<Place<'_>>, diagnostics: &mut Diagnostics) {
    for place in &places {
        let is_loopback = if place.is_prefix() {
            "lo".starts_with(place.name())
        } else {
            place.name() == "lo"
        };
        if is_loopback {
            let message = format!("`{}` would be the loopback of the box", place.pattern);
            let diagnostic = Diagnostic::error(Code::LoopbackInZone, message)
                .at(&place.at, "is always let through and belongs to no zone")
                .help("name the interfaces of the zone; for the box itself use `firewall`");
            diagnostics.push(diagnostic);
        }
    }
    // Names that begin alike are neighbours in order, right behind the prefix that they begin with.
    places.sort_by(|a, b| (a.name(), b.is_prefix()).cmp(&(b.name(), a.is_prefix())));
    let mut open: Vec<&Place<'_>> = Vec::new();
    for place in &places {
        while open.last().is_some_and(|before| !reaches(before, place)) {
            open.pop();
        }
        if let Some(before) = in_the_way(&open, place) {
            diagnostics.push(claimed_twice(before, place));
        }
        open.push(place);
    }
}

/// Which of those that reach a place says that it cannot be there as well. Zones share an interface that they call alike;
/// one of them at most is not told by address.
fn in_the_way<'p, 'a>(open: &[&'p Place<'a>], place: &Place<'_>) -> Option<&'p Place<'a>> {
    let before = *open.last()?;
    if before.zone == place.zone || before.pattern != place.pattern {
        return Some(before);
    }
    let other = |before: &&&Place<'_>| {
        before.pattern == place.pattern && !before.by_address && !place.by_address
    };
    open.iter().rev().find(other).copied()
}

fn reaches(before: &Place<'_>, place: &Place<'_>) -> bool {
    if before.is_prefix() {
        place.name().starts_with(before.name())
    } else {
        place.name() == before.name() && !place.is_prefix()
    }
}

fn claimed_twice(before: &Place<'_>, place: &Place<'_>) -> Diagnostic {
    let (interface, wide) = (&place.pattern, &before.pattern);
    let same = before.zone == place.zone;
    let message = match (same, before.is_prefix()) {
        (true, _) => format!(
            "`{interface}` is in the zone `{}` already, by `{wide}`",
            place.zone
        ),
        (false, true) => format!(
            "`{interface}` is in the zone `{}` and, by `{wide}`, in `{}`",
            place.zone, before.zone
        ),
        (false, false) => format!(
            "`{interface}` is in the zones `{}` and `{}`",
            before.zone, place.zone
        ),
    };
    if same {
        return Diagnostic::warning(Code::RedundantInterface, message)
            .at(&place.at, "says nothing new")
            .at(&before.at, "holds it")
            .help("take it out");
    }
    Diagnostic::error(Code::InterfaceInTwoZones, message)
        .at(&place.at, "is in two zones")
        .at(&before.at, "the other one")
        .help(if before.pattern == place.pattern {
            "a packet comes from one zone: keep the interface in one of them, or tell all but one of them by address \
             (`match: address` and `networks`)"
        } else {
            "a packet comes from one zone: keep the interface in one of them; zones that are told by address \
             (`match: address`) share interfaces that they list alike"
        })
}

/// Networks of different zones that share addresses.
pub(super) fn networks(policy: &Policy, diagnostics: &mut Diagnostics) {
    let mut v4: Vec<(Interval<u32>, Network<'_>)> = Vec::new();
    let mut v6: Vec<(Interval<u128>, Network<'_>)> = Vec::new();
    for (zone, definition) in &policy.zones {
        let at = DocPath::root()
            .key("zones")
            .name(zone.as_str())
            .key("networks");
        for (index, prefix) in definition.networks.iter().enumerate() {
            if prefix.net().prefix_len() == 0 {
                // All the rest of the world: more specific networks are meant to win.
                continue;
            }
            let addresses = addresses_of_prefix(*prefix);
            let network = || Network {
                zone: zone.as_str(),
                definition,
                text: prefix.to_string(),
                at: at.index(index),
            };
            v4.extend(addresses.v4.iter().map(|span| (span, network())));
            v6.extend(addresses.v6.iter().map(|span| (span, network())));
        }
    }
    shared(v4, diagnostics);
    shared(v6, diagnostics);
}

struct Network<'a> {
    zone: &'a str,
    definition: &'a Zone,
    text: String,
    at: DocPath,
}

fn shared<T: Bound>(mut networks: Vec<(Interval<T>, Network<'_>)>, diagnostics: &mut Diagnostics) {
    networks.sort_by(|(a, at), (b, bt)| (a.lo, b.hi, &at.at).cmp(&(b.lo, a.hi, &bt.at)));
    // Prefixes are nested or apart, so those that are open hold each other.
    let mut open: Vec<&(Interval<T>, Network<'_>)> = Vec::new();
    for here in &networks {
        while open.last().is_some_and(|(span, _)| span.hi < here.0.lo) {
            open.pop();
        }
        if let Some((span, wide)) = open.last()
            && wide.zone != here.1.zone
            && !tells_apart(wide, &here.1, *span == here.0)
        {
            let Network {
                zone,
                definition: _,
                text,
                at,
            } = &here.1;
            let message = format!(
                "`{text}` of the zone `{zone}` is part of `{}` of the zone `{}`",
                wide.text, wide.zone
            );
            let diagnostic = Diagnostic::warning(Code::OverlappingNetworks, message)
                .at(at, "lives here")
                .at(&wide.at, "and there")
                .help(
                    "an address lives behind one zone: make the networks fit what is routed where",
                );
            diagnostics.push(diagnostic);
        }
        open.push(here);
    }
}

/// Whether it has been said who of two zones has the narrower, or equal, of two networks: they are on one interface, and
/// the narrower tells its zone from the other.
fn tells_apart(wide: &Network<'_>, narrow: &Network<'_>, are_equal: bool) -> bool {
    let [wide, narrow] = [wide, narrow].map(|network| network.definition);
    let is_told = |zone: &Zone| zone.matches == ZoneMatch::Address;
    meet(wide, narrow) && is_told(narrow) && (!are_equal || is_told(wide))
}

/// Whether two zones have an interface in common.
pub(super) fn meet(zone: &Zone, other: &Zone) -> bool {
    let has = |interface| other.interfaces.contains(interface);
    zone.interfaces.iter().any(has)
}

/// Lists of zones beside `any`, and policies of the box with itself.
pub(super) fn ends(policy: &Policy, diagnostics: &mut Diagnostics) {
    for (index, zone_policy) in policy.policies.iter().enumerate() {
        let at = policy_path(index);
        beside_any(&zone_policy.from, &at.key("from"), diagnostics);
        beside_any(&zone_policy.to, &at.key("to"), diagnostics);
        let itself = |zones: &Zones| zones.as_slice() == [ZoneRef::Firewall];
        if itself(&zone_policy.from) && itself(&zone_policy.to) {
            let message = format!("the policy `{}` is never asked", zone_policy.name);
            let diagnostic = Diagnostic::error(Code::FirewallToItself, message)
                .at(
                    at.key("to"),
                    "the box talks to itself over loopback, which is always let through",
                )
                .help("name a zone in `from` or `to`");
            diagnostics.push(diagnostic);
        }
    }
}

fn beside_any(zones: &Zones, at: &DocPath, diagnostics: &mut Diagnostics) {
    let list = zones.as_slice();
    let Some(any) = list.iter().position(|zone| *zone == ZoneRef::Any) else {
        return;
    };
    if let Some((other, zone)) = list.iter().enumerate().find(|(other, _)| *other != any) {
        let message = format!("`any` holds `{zone}` already");
        let diagnostic = Diagnostic::warning(Code::ZoneBesideAny, message)
            .at(at.index(other), "says nothing new")
            .at(at.index(any), "is every zone and the box itself")
            .help("write `any` alone, or the zones that are meant");
        diagnostics.push(diagnostic);
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
    fn beginnings_of_names() {
        check(
            "  a: { interfaces: ['wg*'] }\n  b: { interfaces: [w0, eth0, xwg0] }",
            "",
        );
        check(
            "  a: { interfaces: ['eth1*'] }\n  b: { interfaces: [eth1, eth10, eth2] }",
            "error[interface-in-two-zones]: `eth1` is in the zone `b` and, by `eth1*`, in `a`\n\
             error[interface-in-two-zones]: `eth10` is in the zone `b` and, by `eth1*`, in `a`\n",
        );
        check(
            "  a: { interfaces: ['e*'] }\n  b: { interfaces: ['eth*'] }\n  c: { interfaces: [eth0, ens1] }",
            "error[interface-in-two-zones]: `ens1` is in the zone `c` and, by `e*`, in `a`\n\
             error[interface-in-two-zones]: `eth*` is in the zone `b` and, by `e*`, in `a`\n\
             error[interface-in-two-zones]: `eth0` is in the zone `c` and, by `eth*`, in `b`\n",
        );
        check(
            "  a: { interfaces: [eth0] }\n  b: { interfaces: [eth0] }\n  c: { interfaces: [eth00] }",
            "error[interface-in-two-zones]: `eth0` is in the zones `a` and `b`\n",
        );
        check(
            "  a: { interfaces: ['l*'] }",
            "error[loopback-in-zone]: `l*` would be the loopback of the box\n",
        );
    }

    #[test]
    fn networks_of_several_zones() {
        check(
            "  a: { interfaces: [a], networks: [10.0.0.0/9, 0.0.0.0/0] }\n  b: { interfaces: [b], networks: [10.128.0.0/9, 'fd00::/8'] }",
            "",
        );
        check(
            "  a: { interfaces: [a], networks: [10.1.0.0/16, 10.3.0.0/16] }\n  b: { interfaces: [b], networks: [10.0.0.0/8, 10.2.0.0/16] }",
            "warning[overlapping-networks]: `10.1.0.0/16` of the zone `a` is part of `10.0.0.0/8` of the zone `b`\n\
             warning[overlapping-networks]: `10.3.0.0/16` of the zone `a` is part of `10.0.0.0/8` of the zone `b`\n",
        );
        check(
            "  a: { interfaces: [a], networks: ['fd00::/64'] }\n  b: { interfaces: [b], networks: ['fd00::/64'] }",
            "warning[overlapping-networks]: `fd00::/64` of the zone `b` is part of `fd00::/64` of the zone `a`\n",
        );
    }
}
