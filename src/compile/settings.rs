//! The section `sysctl` as settings of the kernel.
//!
//! `neighbour: auto` counts addresses, not hosts that are there: the table must hold a network that is full, and
//! a scan of it. IPv4 networks count with all their addresses. So do IPv6 networks up to a /112; a larger one
//! can hold any number, so it counts as two addresses (link-local and global) for each IPv4 address of its zone,
//! or as the floor where the zone has no IPv4 networks.

use super::model::{Model, Zone};
use crate::policy::{Neighbour, Policy, RpFilter, Sysctl, Thresholds};
use crate::system::{Family, Key, Scope, Setting, Settings, Threshold};

/// The smallest `gc_thresh1` of `auto`: the kernel's own 128 is too small for a single /24.
pub(super) const FLOOR: u32 = 1024;
/// The largest `gc_thresh1` of `auto`. With four times as many neighbours of some 400 bytes the table takes up
/// to 50 MiB, which is as much as a stranger who scans a network may make the box use.
pub(super) const CEILING: u32 = 32768;
/// IPv6 networks larger than this hold any number of hosts: the addresses of a /112.
const COUNTABLE: u128 = 1 << 16;

/// What a checked policy wants of the box.
#[must_use]
pub fn settings(policy: &Policy, model: &Model) -> Settings {
    let Some(sysctl) = &policy.sysctl else {
        return Settings::default();
    };
    let Sysctl {
        forwarding,
        neighbour,
        conntrack_max,
        conntrack_tcp_liberal,
        tcp_loose,
        rp_filter,
    } = sysctl;
    let mut settings = Vec::new();
    let mut set = |key, value, name: &str| {
        settings.push(Setting {
            key,
            value,
            origin: format!("sysctl.{name}"),
        });
    };
    if let Some(forwarding) = forwarding {
        for family in Family::BOTH {
            set(
                Key::Forwarding(family),
                u32::from(*forwarding),
                "forwarding",
            );
        }
    }
    if let Some(neighbour) = neighbour {
        for family in Family::BOTH {
            let Thresholds {
                gc_thresh1,
                gc_thresh2,
                gc_thresh3,
            } = match neighbour {
                Neighbour::Name(_) => thresholds(addresses(model, family)),
                Neighbour::Inline(thresholds) => **thresholds,
            };
            let values = [gc_thresh1, gc_thresh2, gc_thresh3];
            for (threshold, value) in Threshold::ALL.into_iter().zip(values) {
                set(Key::Neighbour(family, threshold), value, "neighbour");
            }
        }
    }
    if let Some(max) = conntrack_max {
        set(Key::ConntrackMax, *max, "conntrack_max");
    }
    if let Some(liberal) = conntrack_tcp_liberal {
        set(
            Key::ConntrackTcpLiberal,
            u32::from(*liberal),
            "conntrack_tcp_liberal",
        );
    }
    if let Some(loose) = tcp_loose {
        set(Key::ConntrackTcpLoose, u32::from(*loose), "tcp_loose");
    }
    if let Some(rp_filter) = rp_filter {
        let value = match rp_filter {
            RpFilter::Disabled => 0,
            RpFilter::Strict => 1,
            RpFilter::Loose => 2,
        };
        for scope in [Scope::All, Scope::Default, Scope::Every] {
            set(Key::RpFilter(scope), value, "rp_filter");
        }
    }
    Settings::new(settings)
}

/// How many addresses of a family the zones' networks can hold; saturating.
pub(super) fn addresses(model: &Model, family: Family) -> u128 {
    let zones = model.zones.values();
    let counts = zones.map(|zone| match family {
        Family::V4 => addresses_v4(zone),
        Family::V6 => addresses_v6(zone),
    });
    counts.fold(0, u128::saturating_add)
}

fn addresses_v4(zone: &Zone) -> u128 {
    let sizes = zone.networks.v4.iter();
    sizes
        .map(|network| u128::from(network.hi - network.lo) + 1)
        .sum()
}

fn addresses_v6(zone: &Zone) -> u128 {
    let any_number = match addresses_v4(zone) {
        0 => u128::from(FLOOR),
        hosts => 2 * hosts,
    };
    let mut uncountable = 0;
    let mut sum: u128 = 0;
    for network in zone.networks.v6.iter() {
        match (network.hi - network.lo).saturating_add(1) {
            size if size <= COUNTABLE => sum = sum.saturating_add(size),
            // Several large networks on one link are the same hosts again.
            _ => uncountable = any_number,
        }
    }
    sum.saturating_add(uncountable)
}

/// The thresholds for so many addresses.
fn thresholds(addresses: u128) -> Thresholds {
    let gc_thresh1 = u32::try_from(addresses)
        .ok()
        .and_then(u32::checked_next_power_of_two)
        .map_or(CEILING, |power| power.clamp(FLOOR, CEILING));
    Thresholds {
        gc_thresh1,
        gc_thresh2: 2 * gc_thresh1,
        gc_thresh3: 4 * gc_thresh1,
    }
}

#[cfg(test)]
mod tests {
    use crate::compile::compile;
    use crate::diagnostic::SourceText;
    use crate::policy::parse;
    use jiff::civil::date;

    /// The settings of a policy with this `sysctl` and these networks of its one zone: `key=value` each.
    #[track_caller]
    fn check(sysctl: &str, networks: &str, expect: &str) {
        let source = SourceText {
            name: "test.yaml".into(),
            text: format!(
                "version: 1\nsysctl: {sysctl}\n\
                 zones: {{ lan: {{ interfaces: [eth1]{networks} }} }}\n\
                 policies:\n  - {{ name: in, from: lan, to: firewall, default: accept }}\n"
            )
            .into(),
        };
        let policy = parse(&[source]).policy.unwrap();
        let compiled = compile(policy, date(2026, 11, 24)).0.unwrap();
        let written = compiled.settings.iter().map(|setting| {
            let key = setting.key.to_string();
            let key = key
                .trim_start_matches("net.")
                .replace(".neigh.default.gc_thresh", "#");
            format!("{key}={}", setting.value)
        });
        assert_eq!(written.collect::<Vec<_>>().join(" "), expect);
    }

    #[track_caller]
    fn check_auto(networks: &str, expect: &str) {
        check(
            "{ neighbour: auto }",
            &format!(", networks: [{networks}]"),
            expect,
        );
    }

    #[test]
    fn each_key_becomes_its_settings() {
        check(
            "{ forwarding: true }",
            "",
            "ipv4.ip_forward=1 ipv6.conf.all.forwarding=1",
        );
        check(
            "{ forwarding: false, conntrack_max: 131072, conntrack_tcp_liberal: true, tcp_loose: false }",
            "",
            "ipv4.ip_forward=0 ipv6.conf.all.forwarding=0 netfilter.nf_conntrack_max=131072 \
             netfilter.nf_conntrack_tcp_be_liberal=1 netfilter.nf_conntrack_tcp_loose=0",
        );
        for (word, value) in [("disabled", 0), ("strict", 1), ("loose", 2)] {
            check(
                &format!("{{ rp_filter: {word} }}"),
                "",
                &format!(
                    "ipv4.conf.all.rp_filter={value} ipv4.conf.default.rp_filter={value} \
                     ipv4.conf.*.rp_filter={value}"
                ),
            );
        }
        check(
            "{ neighbour: { gc_thresh1: 1024, gc_thresh2: 2048, gc_thresh3: 4096 } }",
            "",
            "ipv4#1=1024 ipv4#2=2048 ipv4#3=4096 ipv6#1=1024 ipv6#2=2048 ipv6#3=4096",
        );
    }

    #[test]
    fn auto_holds_the_networks_with_room_to_spare() {
        check_auto(
            "192.168.0.0/22, 'fd12:3456:789a::/64'",
            "ipv4#1=1024 ipv4#2=2048 ipv4#3=4096 ipv6#1=2048 ipv6#2=4096 ipv6#3=8192",
        );
        check_auto(
            "192.168.0.0/22, 10.0.0.0/24",
            "ipv4#1=2048 ipv4#2=4096 ipv4#3=8192 ipv6#1=1024 ipv6#2=2048 ipv6#3=4096",
        );
        // Two networks of one link are the same hosts; without IPv4 there are as many as the floor.
        check_auto(
            "'fd00::/64', '2001:db8::/64', 'fd00:1::/116'",
            "ipv4#1=1024 ipv4#2=2048 ipv4#3=4096 ipv6#1=8192 ipv6#2=16384 ipv6#3=32768",
        );
        check_auto(
            "10.0.0.0/8, 'fd00::/8'",
            "ipv4#1=32768 ipv4#2=65536 ipv4#3=131072 ipv6#1=32768 ipv6#2=65536 ipv6#3=131072",
        );
        check_auto(
            "'::/1'",
            "ipv4#1=1024 ipv4#2=2048 ipv4#3=4096 ipv6#1=1024 ipv6#2=2048 ipv6#3=4096",
        );
    }
}
