//! Which of its networks a zone keeps where zones on its interfaces are told apart by address.
//!
//! The narrowest network that holds an address decides, and it is decided here, once: everything that asks later where
//! an address lives (dispatch, translation, anti-spoofing, checks) finds zones on one interface that have no address in
//! common.

use std::collections::BTreeMap;

use super::selector::addresses_of_prefix;
use crate::compile::model::Zone;
use crate::policy::{Policy, Prefix};
use crate::ruleset::Addresses;

/// Takes out of each zone's networks what zones told by address have of them on a common interface: of a zone told by
/// address the narrower networks of the others, of any other zone all.
pub(super) fn divide(policy: &Policy, zones: &mut BTreeMap<String, Zone>) {
    if !zones.values().any(|zone| zone.by_address) {
        return;
    }
    let divided: Vec<Addresses> = zones
        .iter()
        .map(|(name, zone)| {
            let others: Vec<Prefix> = zones
                .iter()
                .filter(|(other, of)| *other != name && of.by_address && of.meets(zone))
                .flat_map(|(other, _)| networks(policy, other))
                .copied()
                .collect();
            let kept = |whole: &Prefix| {
                let taken = others
                    .iter()
                    .filter(|other| !zone.by_address || is_within(other, whole));
                let taken = taken.fold(Addresses::default(), |all, other| {
                    all.union(&addresses_of_prefix(*other))
                });
                addresses_of_prefix(*whole).subtract(&taken)
            };
            let own = networks(policy, name).iter().map(kept);
            own.fold(Addresses::default(), |all, one| all.union(&one))
        })
        .collect();
    for (zone, networks) in zones.values_mut().zip(divided) {
        zone.networks = networks;
    }
}

fn networks<'a>(policy: &'a Policy, zone: &str) -> &'a [Prefix] {
    let mut zones = policy.zones.iter();
    zones
        .find(|(name, _)| name.as_str() == zone)
        .map_or(&[], |(_, zone)| &zone.networks)
}

/// Whether a network is a part of another, and not all of it.
fn is_within(part: &Prefix, whole: &Prefix) -> bool {
    let (part, whole) = (part.net(), whole.net());
    whole.prefix_len() < part.prefix_len() && whole.contains(&part.addr())
}

#[cfg(test)]
mod tests {
    use crate::compile::resolve::tests::{drafted, shown};

    /// What zones on one wire have, `NAME: ADDRESSES` each.
    #[track_caller]
    fn check(zones: &str, expect: &str) {
        let (model, said) = drafted(&format!("version: 1\nzones:\n{zones}\n"));
        assert_eq!(said, "");
        let zones = model.zones.iter();
        let lines: Vec<String> = zones
            .map(|(name, zone)| format!("{name}: {}", shown(&zone.networks)))
            .collect();
        assert_eq!(lines.join("\n"), expect);
    }

    #[test]
    fn the_narrowest_network_decides() {
        check(
            "  a: { interfaces: [e], match: address, networks: [10.0.0.0/8, 10.1.1.0/24] }\n  \
               b: { interfaces: [e], match: address, networks: [10.1.0.0/16] }\n  \
               c: { interfaces: [e], networks: [10.1.0.0/23, 10.200.0.0/16] }",
            "a: 10.0.0.0-10.0.255.255 10.1.1.0-10.1.1.255 10.2.0.0-10.255.255.255\n\
             b: 10.1.0.0-10.1.0.255 10.1.2.0-10.1.255.255\n\
             c: ",
        );
        check(
            "  a: { interfaces: [e, f], match: address, networks: ['fd00:1::/64'] }\n  \
               b: { interfaces: [e], networks: [10.0.0.0/8, 'fd00::/15'] }",
            "a: fd00:1::-fd00:1::ffff:ffff:ffff:ffff\n\
             b: 10.0.0.0-10.255.255.255 fd00::-fd00:0:ffff:ffff:ffff:ffff:ffff:ffff fd00:1:0:1::-fd01:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        );
    }

    #[test]
    fn interfaces_of_their_own() {
        let whole = "a: 10.1.0.0-10.1.255.255\nb: 10.0.0.0-10.255.255.255";
        check(
            "  a: { interfaces: [e], match: address, networks: [10.1.0.0/16] }\n  b: { interfaces: [f], networks: [10.0.0.0/8] }",
            whole,
        );
        check(
            "  a: { interfaces: [e], networks: [10.1.0.0/16] }\n  b: { interfaces: [f], networks: [10.0.0.0/8] }",
            whole,
        );
    }
}
