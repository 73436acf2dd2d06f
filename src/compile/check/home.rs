//! Where addresses live: what the zones of a policy's ends say about themselves.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

use super::extent::meet;
use crate::compile::model::{Model, Side, ZonePolicy};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, DocPath};
use crate::ruleset::Addresses;

/// Both ends of a zone policy.
pub(super) struct Homes<'a> {
    pub(super) from: Home<'a>,
    pub(super) to: Home<'a>,
}

/// The zones of one end.
pub(super) struct Home<'a> {
    zones: &'a [Side],
    /// All addresses that can be seen there; `None` if a zone does not say what lives in it.
    addresses: Option<Addresses>,
    at: DocPath,
}

impl<'a> Homes<'a> {
    pub(super) fn of(policy: &'a ZonePolicy, model: &Model) -> Self {
        Self {
            from: Home::of(&policy.from, model, policy.at.key("from")),
            to: Home::of(&policy.to, model, policy.at.key("to")),
        }
    }
}

impl<'a> Home<'a> {
    fn of(zones: &'a [Side], model: &Model, at: DocPath) -> Self {
        // Zones that are told by address have theirs and no others.
        let is_told = |zone: &Side| match zone {
            Side::Firewall => false,
            Side::Zone(name) => model.zones.get(name).is_some_and(|zone| zone.by_address),
        };
        let mut addresses = Some(if zones.iter().all(is_told) {
            Addresses::default()
        } else {
            EVERYWHERE.clone()
        });
        for zone in zones {
            let networks = match zone {
                Side::Firewall => None,
                Side::Zone(name) => model.zones.get(name).map(|zone| &zone.networks),
            };
            let networks = networks.filter(|networks| !networks.is_empty());
            addresses = addresses
                .zip(networks)
                .map(|(all, networks)| all.union(networks));
        }
        Self {
            zones,
            addresses,
            at,
        }
    }

    /// Points out addresses none of which can be seen there.
    pub(super) fn check(&self, addresses: &Addresses, at: &DocPath, diagnostics: &mut Diagnostics) {
        if self
            .addresses
            .as_ref()
            .is_none_or(|home| meet(addresses, home))
        {
            return;
        }
        let names: Vec<String> = self
            .zones
            .iter()
            .map(|zone| format!("`{}`", word(zone)))
            .collect();
        let message = format!("none of these addresses lives in {}", names.join(" or "));
        let diagnostic = Diagnostic::warning(Code::LivesElsewhere, message)
            .at(at, "can never be seen here")
            .at(&self.at, "has other networks")
            .help("correct the addresses, or the `networks` of the zone");
        diagnostics.push(diagnostic);
    }
}

fn word(side: &Side) -> &str {
    match side {
        Side::Firewall => "firewall",
        Side::Zone(name) => name,
    }
}

static EVERYWHERE: LazyLock<Addresses> = LazyLock::new(everywhere);

/// Addresses that are at home in every zone: link-local ones, groups and broadcasts (RFC 3927, RFC 4291, RFC 5771),
/// and the unspecified address of a host that asks for one.
fn everywhere() -> Addresses {
    let v4 = |lo, hi| Addresses::v4_range(Ipv4Addr::from(lo), Ipv4Addr::from(hi));
    let v6 = |lo, hi| Addresses::v6_range(lo, hi);
    let all_ones = u16::MAX;
    let ranges = [
        v4([0, 0, 0, 0], [0, 0, 0, 0]),
        v4([169, 254, 0, 0], [169, 254, 255, 255]),
        v4([224, 0, 0, 0], [239, 255, 255, 255]),
        v4([255, 255, 255, 255], [255, 255, 255, 255]),
        v6(Ipv6Addr::UNSPECIFIED, Ipv6Addr::UNSPECIFIED),
        v6(
            Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0),
            Ipv6Addr::new(
                0xfebf, all_ones, all_ones, all_ones, all_ones, all_ones, all_ones, all_ones,
            ),
        ),
        v6(
            Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0),
            Ipv6Addr::from(u128::MAX),
        ),
    ];
    ranges
        .into_iter()
        .flatten()
        .fold(Addresses::default(), |all, one| all.union(&one))
}

#[cfg(test)]
mod tests {
    use crate::compile::check::tests::said_of_rules;

    #[track_caller]
    fn check(rule: &str, expect: &str) {
        assert_eq!(said_of_rules(rule), expect);
    }

    #[test]
    fn who_is_at_home_everywhere() {
        check(
            "{ name: a, source: ['fe80::/10', 169.254.1.1], action: accept }",
            "",
        );
        check(
            "{ name: a, source: [192.168.1.1, 10.0.0.1], action: accept }",
            "",
        );
        check(
            "{ name: a, source: { not: [10.0.0.1] }, action: accept }",
            "",
        );
        check(
            "{ name: a, source: [10.0.0.1], action: accept }",
            "warning[lives-elsewhere]: none of these addresses lives in `lan`\n",
        );
    }
}
