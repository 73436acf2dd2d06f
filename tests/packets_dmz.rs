//! `policies/dmz-pair.yaml` on both of its nodes: the same text, the same packets, other interfaces.

use super::support::rfw::Desk;
use super::support::topology::address;
use super::support::{Host, alone, link, serve, tcp};

/// What the pair stands between, and one of its nodes under the policy.
struct Pair {
    internet: Host,
    lan: Host,
    dmz: Host,
    mgmt: Host,
    gateway: Host,
}

impl Pair {
    /// A node whose interfaces to the internet, the offices, the servers and the administrators are called so.
    fn new(node: &str, [wan, lan, dmz, mgmt]: [&str; 4]) -> Self {
        let pair = Self {
            internet: Host::new("internet"),
            lan: Host::new("lan"),
            dmz: Host::new("dmz"),
            mgmt: Host::new("mgmt"),
            gateway: Host::new("gateway"),
        };
        let gateway = &pair.gateway;
        gateway.forward();
        for (host, interface, here, there) in [
            (
                &pair.internet,
                wan,
                &["203.0.113.10/24", "2001:db8:0:1::10/64"][..],
                &[
                    "203.0.113.7/24",
                    "198.18.0.1/32",
                    "2001:db8:0:1::7/64",
                    "3fff::7/128",
                ][..],
            ),
            (
                &pair.lan,
                lan,
                &["10.1.0.1/20", "fd00:1::1/64"],
                &["10.1.0.50/20", "fd00:1::50/64"],
            ),
            (
                &pair.dmz,
                dmz,
                &["10.2.0.1/24", "2001:db8:0:2::1/64"],
                &[
                    "10.2.0.10/24",
                    "10.2.0.11/24",
                    "10.2.0.25/24",
                    "2001:db8:0:2::10/64",
                    "2001:db8:0:2::25/64",
                ],
            ),
            (
                &pair.mgmt,
                mgmt,
                &["10.9.0.1/24"],
                &["10.9.0.10/24", "10.9.0.20/24"],
            ),
        ] {
            link((host, "eth0"), (gateway, interface));
            address(host, "eth0", there);
            address(gateway, interface, here);
        }
        gateway.ip(
            "route add 198.18.0.1/32 via 203.0.113.7\nroute add 3fff::7/128 via 2001:db8:0:1::7",
        );
        for (host, v4, v6) in [
            (&pair.internet, "203.0.113.10", "2001:db8:0:1::10"),
            (&pair.lan, "10.1.0.1", "fd00:1::1"),
            (&pair.dmz, "10.2.0.1", "2001:db8:0:2::1"),
        ] {
            host.ip(&format!(
                "route add default via {v4}\nroute add default via {v6}"
            ));
        }
        pair.mgmt.ip("route add default via 10.9.0.1");
        let policy = concat!(env!("CARGO_MANIFEST_DIR"), "/policies/dmz-pair.yaml");
        let desk = Desk::new();
        let arguments = ["apply", "--policy", policy, "--node", node];
        desk.must(gateway, &arguments);
        let again = ["plan", "--full", "--policy", policy, "--node", node];
        assert!(desk.must(gateway, &again).contains("no changes"));
        for host in [&pair.internet, &pair.lan, &pair.dmz, &pair.gateway] {
            for port in [22, 25, 443, 5432] {
                serve::tcp(host, port);
            }
        }
        pair
    }
}

/// One connection: from whom, from which address, to where, and what comes of it.
#[track_caller]
fn check(host: &Host, from: &str, to: &str, expect: &str) {
    assert_eq!(
        tcp::probe_from(host, from, to).to_string(),
        expect,
        "{from} to {to}"
    );
}

/// What is the same on both nodes: all of it.
fn talk(pair: &Pair) {
    let Pair {
        internet,
        lan,
        dmz,
        mgmt,
        gateway: _,
    } = pair;
    // The shop, translated in IPv4 and routed in IPv6; nothing else.
    check(
        internet,
        "203.0.113.7",
        "203.0.113.10:443",
        "open: dmz 203.0.113.7",
    );
    check(
        internet,
        "203.0.113.7",
        "203.0.113.10:25",
        "open: dmz 203.0.113.7",
    );
    check(internet, "203.0.113.7", "203.0.113.10:22", "filtered");
    check(
        internet,
        "2001:db8:0:1::7",
        "[2001:db8:0:2::10]:443",
        "open: dmz 2001:db8:0:1::7",
    );
    check(
        internet,
        "2001:db8:0:1::7",
        "[2001:db8:0:2::25]:25",
        "open: dmz 2001:db8:0:1::7",
    );
    check(
        internet,
        "2001:db8:0:1::7",
        "[2001:db8:0:2::25]:443",
        "filtered",
    );
    // Addresses of the list are nobody's.
    check(internet, "198.18.0.1", "203.0.113.10:443", "filtered");
    check(internet, "3fff::7", "[2001:db8:0:2::10]:443", "filtered");
    // The database answers the web servers only.
    check(dmz, "10.2.0.10", "10.1.0.50:5432", "open: lan 10.2.0.10");
    check(dmz, "10.2.0.25", "10.1.0.50:5432", "refused");
    // Out: one address for all of IPv4, another prefix for IPv6.
    check(
        lan,
        "10.1.0.50",
        "203.0.113.7:443",
        "open: internet 203.0.113.10",
    );
    check(lan, "10.1.0.50", "203.0.113.7:5432", "refused");
    check(
        dmz,
        "10.2.0.25",
        "203.0.113.7:25",
        "open: internet 203.0.113.10",
    );
    check(dmz, "10.2.0.10", "203.0.113.7:25", "filtered");
    // Those who may manage it.
    check(mgmt, "10.9.0.10", "10.9.0.1:22", "open: gateway 10.9.0.10");
    check(mgmt, "10.9.0.20", "10.9.0.1:22", "refused");
    check(lan, "10.1.0.50", "10.1.0.1:22", "filtered");
    // Whoever has knocked (above, in IPv4) gets nothing more; in IPv6 not yet.
    check(internet, "203.0.113.7", "203.0.113.10:443", "filtered");
    let shop = "[2001:db8:0:2::10]:443";
    check(
        internet,
        "2001:db8:0:1::7",
        shop,
        "open: dmz 2001:db8:0:1::7",
    );
    check(
        internet,
        "2001:db8:0:1::7",
        "[2001:db8:0:1::10]:22",
        "filtered",
    );
    check(internet, "2001:db8:0:1::7", shop, "filtered");
}

#[test]
fn the_first_node() {
    alone(|| talk(&Pair::new("fw-a", ["enp1s0", "enp2s0", "enp3s0", "enp4s0"])));
}

#[test]
fn the_second_node() {
    alone(|| talk(&Pair::new("fw-b", ["eth0", "eth1", "eth2", "eth3"])));
}
