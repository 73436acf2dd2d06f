//! Zones that share an interface (`match: address`): the same wire, and each host is what its address says.

use std::net::{IpAddr, Ipv6Addr, SocketAddrV6, UdpSocket};

use super::support::rfw::Desk;
use super::support::topology::Switch;
use super::support::{Host, alone, icmp, link, serve, tcp, topology, udp};

/// The box, a far host, and three hosts on one wire: one of each of the zones `staff`, `guest` and `rest`.
///
/// ```text
/// far ─────────────── eth0 box eth1 ─────────── switch ─┬─ staff  10.0.1.10   fd00:1::10
/// 203.0.113.7         203.0.113.10  10.0.1.1            ├─ guest  10.0.2.10   fd00:2::10
/// 2001:db8::7         2001:db8::10  10.0.2.1            └─ other  10.0.3.10   fd00:3::10
///                                   10.0.3.1
///                                   fd00:1::1 …
/// ```
pub(super) struct Wire {
    desk: Desk,
    pub(super) far: Host,
    pub(super) center: Host,
    pub(super) staff: Host,
    pub(super) guest: Host,
    pub(super) other: Host,
    switch: Switch,
}

pub(super) const ZONES: &str = "version: 1
zones:
  wan:   { interfaces: [eth0] }
  staff: { interfaces: [eth1], match: address, networks: [10.0.1.0/24, \"fd00:1::/64\"] }
  guest: { interfaces: [eth1], match: address, networks: [10.0.2.0/24, 10.0.4.0/24, \"fd00:2::/64\"] }
";

/// The zone of all others on the wire.
pub(super) const REST: &str = "  rest:  { interfaces: [eth1] }\n";

impl Wire {
    pub(super) fn new() -> Self {
        let (far, center) = (Host::new("far"), Host::new("box"));
        center.forward();
        link((&far, "eth0"), (&center, "eth0"));
        topology::address(&far, "eth0", &["203.0.113.7/24", "2001:db8::7/64"]);
        topology::address(&center, "eth0", &["203.0.113.10/24", "2001:db8::10/64"]);
        far.ip("route add 10.0.0.0/16 via 203.0.113.10\nroute add fd00::/16 via 2001:db8::10");
        let switch = Switch::new("switch");
        switch.plug(
            &center,
            "eth1",
            &[
                "10.0.1.1/24",
                "10.0.2.1/24",
                "10.0.3.1/24",
                "fd00:1::1/64",
                "fd00:2::1/64",
                "fd00:3::1/64",
            ],
        );
        let host = |name: &str, number: u8| {
            let host = Host::new(name);
            let (v4, v6) = (
                format!("10.0.{number}.10/24"),
                format!("fd00:{number}::10/64"),
            );
            switch.plug(&host, "eth0", &[&v4, &v6]);
            host.ip(&format!(
                "route add default via 10.0.{number}.1\nroute add default via fd00:{number}::1"
            ));
            host
        };
        Self {
            desk: Desk::new(),
            far,
            staff: host("staff", 1),
            guest: host("guest", 2),
            other: host("other", 3),
            center,
            switch,
        }
    }

    /// Applies a policy; a second plan is empty.
    #[track_caller]
    pub(super) fn apply(&self, policy: &str) {
        self.desk.write("policy.yaml", policy);
        let applied = self
            .desk
            .rfw(&self.center, &["apply", "--policy", "policy.yaml"]);
        assert!(
            applied.success(),
            "{}{}\n{policy}",
            applied.stdout,
            applied.stderr
        );
        let again = [
            "plan",
            "--full",
            "--detailed-exitcode",
            "--policy",
            "policy.yaml",
        ];
        self.desk.must(&self.center, &again);
    }
}

/// What TCP connections to a port meet, one host and family after the other.
pub(super) fn seen(hosts: &[&Host], addresses: &[&str], port: u16) -> String {
    let mut all = Vec::new();
    for host in hosts {
        for address in addresses {
            let to = if address.contains(':') {
                format!("[{address}]:{port}")
            } else {
                format!("{address}:{port}")
            };
            all.push(format!("{}: {}", host.name(), tcp::probe(host, &to)));
        }
    }
    all.join("\n")
}

#[test]
fn zones_on_one_wire_to_the_box_and_from_it() {
    alone(|| {
        let wire = Wire::new();
        let policies = |rest: &str| {
            format!(
                "{ZONES}{rest}policies:
  - {{ name: staff-in, from: staff, to: firewall, default: reject, rules: [{{ name: ssh, services: [ssh], action: accept }}] }}
  - {{ name: guest-in, from: guest, to: firewall, default: reject, rules: [{{ name: web, services: [http], action: accept }}] }}
  - {{ name: out, from: firewall, to: guest, default: accept }}
"
            )
        };
        wire.apply(&policies(REST));
        for port in [22, 80] {
            serve::tcp(&wire.center, port);
        }
        let Wire {
            center,
            staff,
            guest,
            other,
            ..
        } = &wire;
        let all = [staff, guest, other];
        let box_ = ["10.0.1.1", "fd00:1::1"];
        assert_eq!(
            seen(&all, &box_, 22),
            "staff: open: box 10.0.1.10\nstaff: open: box fd00:1::10\n\
             guest: refused\nguest: refused\nother: filtered\nother: filtered"
        );
        assert_eq!(
            seen(&all, &box_, 80),
            "staff: refused\nstaff: refused\n\
             guest: open: box 10.0.2.10\nguest: open: box fd00:2::10\nother: filtered\nother: filtered"
        );
        for host in all {
            serve::tcp(host, 1000);
        }
        let there = [
            "10.0.1.10",
            "fd00:1::10",
            "10.0.2.10",
            "fd00:2::10",
            "10.0.3.10",
            "fd00:3::10",
        ];
        let outward = "box: filtered\nbox: filtered\n\
                       box: open: guest 10.0.2.1\nbox: open: guest fd00:2::1\n\
                       box: filtered\nbox: filtered";
        assert_eq!(seen(&[center], &there, 1000), outward);

        // Now whatever is left on the wire has a policy, and what it may is not what the others may.
        wire.apply(&format!(
            "{}  - {{ name: rest-in, from: rest, to: firewall, default: reject, rules: [{{ name: ping, services: [ping], action: accept }}] }}\n  \
               - {{ name: rest-out, from: firewall, to: rest, default: accept }}\n",
            policies(REST)
        ));
        assert_eq!(
            seen(&all, &box_, 22),
            "staff: open: box 10.0.1.10\nstaff: open: box fd00:1::10\n\
             guest: refused\nguest: refused\nother: refused\nother: refused"
        );
        for (host, to, sees) in [
            (other, "10.0.3.1", "reply: "),
            (other, "fd00:3::1", "reply: "),
            (staff, "10.0.1.1", "error: "),
            (guest, "fd00:2::1", "error: "),
        ] {
            let ping = icmp::ping(host, to, tcp::WAIT).to_string();
            assert!(ping.starts_with(sees), "{} {to}: {ping}", host.name());
        }
        assert_eq!(
            seen(&[center], &there, 1000),
            "box: filtered\nbox: filtered\n\
             box: open: guest 10.0.2.1\nbox: open: guest fd00:2::1\n\
             box: open: other 10.0.3.1\nbox: open: other fd00:3::1"
        );

        // Without a zone for the rest it belongs to nobody.
        wire.apply(&policies(""));
        assert_eq!(
            seen(&all, &box_, 22),
            "staff: open: box 10.0.1.10\nstaff: open: box fd00:1::10\n\
             guest: refused\nguest: refused\nother: filtered\nother: filtered"
        );
        assert_eq!(seen(&[center], &there, 1000), outward);

        // A raw block behind the policies sees those of no zone, and those that no policy speaks of.
        let raw =
            "raw: [{ name: last, hook: input, place: after, rules: [tcp dport 80 accept] }]\n";
        for rest in [REST, ""] {
            wire.apply(&format!("{}{raw}", policies(rest)));
            assert_eq!(
                seen(&all, &["10.0.1.1"], 80),
                "staff: refused\nguest: open: box 10.0.2.10\nother: open: box 10.0.3.10"
            );
        }
    });
}

#[test]
fn zones_on_one_wire_through_the_box() {
    alone(|| {
        let wire = Wire::new();
        wire.apply(&format!(
            "{ZONES}{REST}policies:
  - {{ name: staff-to-guest, from: staff, to: guest, default: reject, rules: [{{ name: a, services: [{{ tcp: [1000] }}], action: accept }}] }}
  - {{ name: guest-to-staff, from: guest, to: staff, default: reject }}
  - {{ name: guest-to-rest, from: guest, to: rest, default: accept }}
  - {{ name: staff-out, from: staff, to: wan, default: accept }}
  - {{ name: far-in, from: wan, to: guest, default: accept }}
"
        ));
        let Wire {
            far,
            staff,
            guest,
            other,
            ..
        } = &wire;
        for host in [far, staff, guest, other] {
            serve::tcp(host, 1000);
        }
        assert_eq!(
            seen(&[staff, other], &["10.0.2.10", "fd00:2::10"], 1000),
            "staff: open: guest 10.0.1.10\nstaff: open: guest fd00:1::10\n\
             other: filtered\nother: filtered"
        );
        assert_eq!(
            seen(&[guest, other], &["10.0.1.10", "fd00:1::10"], 1000),
            "guest: refused\nguest: refused\nother: filtered\nother: filtered"
        );
        assert_eq!(
            seen(&[guest, staff], &["10.0.3.10", "fd00:3::10"], 1000),
            "guest: open: other 10.0.2.10\nguest: open: other fd00:2::10\n\
             staff: filtered\nstaff: filtered"
        );
        assert_eq!(
            seen(
                &[staff, guest, other],
                &["203.0.113.7", "2001:db8::7"],
                1000
            ),
            "staff: open: far 10.0.1.10\nstaff: open: far fd00:1::10\n\
             guest: filtered\nguest: filtered\nother: filtered\nother: filtered"
        );
        assert_eq!(
            seen(
                &[far],
                &["10.0.1.10", "fd00:1::10", "10.0.2.10", "fd00:2::10"],
                1000
            ),
            "far: filtered\nfar: filtered\n\
             far: open: guest 203.0.113.7\nfar: open: guest 2001:db8::7"
        );
    });
}

#[test]
fn the_narrowest_network_decides() {
    alone(|| {
        let wire = Wire::new();
        let policies = |admin: &str| {
            format!(
                "version: 1
zones:
  staff: {{ interfaces: [eth1], match: address, networks: [10.0.0.0/8, \"fd00::/8\"] }}
  admin: {{ interfaces: [eth1], match: address, networks: [{admin}] }}
policies:
  - {{ name: in, from: admin, to: firewall, default: accept }}
  - {{ name: others, from: staff, to: firewall, default: reject }}
"
            )
        };
        serve::tcp(&wire.center, 22);
        let all = [&wire.staff, &wire.guest, &wire.other];
        let box_ = ["10.0.1.1", "fd00:1::1"];
        wire.apply(&policies("10.0.2.0/24"));
        assert_eq!(
            seen(&all, &box_, 22),
            "staff: refused\nstaff: refused\n\
             guest: open: box 10.0.2.10\nguest: refused\nother: refused\nother: refused"
        );
        // A network goes from one zone to the other, from rules to sets and back.
        wire.apply(&policies("10.0.2.10/32, 10.0.3.0/28, \"fd00:1::/64\""));
        assert_eq!(
            seen(&all, &box_, 22),
            "staff: refused\nstaff: open: box fd00:1::10\n\
             guest: open: box 10.0.2.10\nguest: refused\nother: open: box 10.0.3.10\nother: refused"
        );
        wire.apply(&policies("10.0.3.0/24"));
        assert_eq!(
            seen(&all, &["10.0.1.1"], 22),
            "staff: refused\nguest: refused\nother: open: box 10.0.3.10"
        );
    });
}

#[test]
fn translation_for_one_zone_of_a_wire() {
    alone(|| {
        let wire = Wire::new();
        let nat = |entries: &str| {
            format!(
                "{ZONES}{REST}policies:
  - {{ name: out, from: [staff, guest, rest], to: wan, default: accept }}
nat:
{entries}"
            )
        };
        let Wire {
            far,
            center,
            staff,
            guest,
            other,
            ..
        } = &wire;
        for host in [far, staff, guest, other] {
            serve::tcp(host, 1000);
        }
        let all = [staff, guest, other];
        let outside = ["203.0.113.7", "2001:db8::7"];
        let us = ["203.0.113.10", "2001:db8::10"];
        wire.apply(&nat("  masquerade: [{ name: m, from: guest, to: wan }]\n"));
        assert_eq!(
            seen(&all, &outside, 1000),
            "staff: open: far 10.0.1.10\nstaff: open: far fd00:1::10\n\
             guest: open: far 203.0.113.10\nguest: open: far 2001:db8::10\n\
             other: open: far 10.0.3.10\nother: open: far fd00:3::10"
        );
        wire.apply(&nat(
            "  masquerade: [{ name: m, from: rest, to: wan, family: ipv4 }]\n  \
             snat: [{ name: s, from: staff, to: wan, address: \"2001:db8::10\" }]\n",
        ));
        assert_eq!(
            seen(&all, &outside, 1000),
            "staff: open: far 10.0.1.10\nstaff: open: far 2001:db8::10\n\
             guest: open: far 10.0.2.10\nguest: open: far fd00:2::10\n\
             other: open: far 203.0.113.10\nother: open: far fd00:3::10"
        );
        // Published for one zone of the wire, to a host of another one: the way back leads through the box.
        wire.apply(&nat(
            "  masquerade: [{ name: m, from: [guest, rest], to: staff }]\n  \
             dnat:\n    \
               - { name: four, from: guest, services: [{ tcp: [1000] }], to: 10.0.1.10 }\n    \
               - { name: six, from: guest, services: [{ tcp: [1000] }], to: \"fd00:1::10\" }\n",
        ));
        assert_eq!(
            seen(&all, &us, 1000),
            "staff: filtered\nstaff: filtered\n\
             guest: open: staff 10.0.1.1\nguest: open: staff fd00:1::1\n\
             other: filtered\nother: filtered"
        );
        // Sent to the box, whomever it was for.
        serve::tcp(center, 1001);
        wire.apply(&nat(
            "  redirect: [{ name: r, from: guest, services: [{ tcp: [1000] }], to_port: 1001 }]\n",
        ));
        assert_eq!(
            seen(&all, &outside, 1000),
            "staff: open: far 10.0.1.10\nstaff: open: far fd00:1::10\n\
             guest: open: box 10.0.2.10\nguest: open: box fd00:2::10\n\
             other: open: far 10.0.3.10\nother: open: far fd00:3::10"
        );
        // A network that one zone sees under another prefix.
        wire.apply(&nat("  netmap: [{ name: map, between: guest, inside: 203.0.113.0/24, outside: 198.18.0.0/24 }]\n"));
        let mapped = |host| tcp::probe(host, "198.18.0.7:1000").to_string();
        assert_eq!(mapped(guest), "open: far 10.0.2.10");
        assert_ne!(mapped(staff), "open: far 10.0.1.10");
    });
}

#[test]
fn a_hairpin_between_zones_of_a_wire() {
    alone(|| {
        let wire = Wire::new();
        wire.apply(&format!(
            "{ZONES}{REST}policies:
  - {{ name: in, from: any, to: firewall, default: drop, rules: [{{ name: ping, services: [ping], action: accept }}] }}
nat:
  dnat:
    - {{ name: four, from: [wan, guest], services: [{{ tcp: [1000] }}], to: 10.0.1.10, hairpin: true }}
    - {{ name: six, from: [wan, guest], services: [{{ tcp: [1000] }}], to: \"fd00:1::10\", hairpin: true }}
"
        ));
        let Wire {
            far,
            staff,
            guest,
            other,
            ..
        } = &wire;
        serve::tcp(staff, 1000);
        // Guest and server know each other by the wire: without a new source the answer would not come back through the box.
        staff.ip("route add 10.0.2.0/24 dev eth0\nroute add fd00:2::/64 dev eth0");
        let us = ["203.0.113.10", "2001:db8::10"];
        assert_eq!(
            seen(&[far, staff, guest, other], &us, 1000),
            "far: open: staff 203.0.113.7\nfar: open: staff 2001:db8::7\n\
             staff: open: staff 10.0.1.1\nstaff: open: staff fd00:1::1\n\
             guest: open: staff 10.0.1.1\nguest: open: staff fd00:1::1\n\
             other: filtered\nother: filtered"
        );
    });
}

#[test]
fn sources_that_cannot_be_on_the_wire() {
    alone(|| {
        let wire = Wire::new();
        let policies = "policies:
  - { name: in, from: any, to: firewall, default: accept }
";
        serve::udp(&wire.center, 1000);
        wire.other.ip(
            "addr add 10.0.9.9/32 dev lo\naddr add fd00:9::9/128 dev lo\naddr add 172.16.0.1/32 dev lo",
        );
        wire.center.ip(
            "route add 10.0.9.9 via 10.0.3.10\nroute add fd00:9::9 via fd00:3::10\nroute add 172.16.0.1 via 10.0.3.10",
        );
        let from = |source: &str| {
            let to = if source.contains(':') {
                "[fd00:3::1]:1000"
            } else {
                "10.0.3.1:1000"
            };
            udp::probe_from(&wire.other, source, to).to_string()
        };
        // A zone for the rest that does not say what lives in it: nobody else's addresses.
        wire.apply(&format!(
            "{}{REST}{policies}",
            ZONES.replace(
                "[eth0] }",
                "[eth0], networks: [172.16.0.0/12, 203.0.113.0/24] }"
            )
        ));
        assert_eq!(from("10.0.9.9"), "reply: box 10.0.9.9");
        assert_eq!(from("fd00:9::9"), "reply: box fd00:9::9");
        assert_eq!(from("172.16.0.1"), "silence");
        // One that says it.
        let rest = "  rest: { interfaces: [eth1], networks: [10.0.3.0/24, \"fd00:3::/64\"] }\n";
        wire.apply(&format!("{ZONES}{rest}{policies}"));
        assert_eq!(from("10.0.9.9"), "silence");
        assert_eq!(from("fd00:9::9"), "silence");
        assert_eq!(from("10.0.3.10"), "reply: box 10.0.3.10");
        let staff = udp::probe(&wire.staff, "10.0.1.1:1000").to_string();
        assert_eq!(staff, "reply: box 10.0.1.10");
        let staff = udp::probe(&wire.staff, "[fd00:1::1]:1000").to_string();
        assert_eq!(staff, "reply: box fd00:1::10");
        // No zone for it.
        wire.apply(&format!("{ZONES}{policies}"));
        assert_eq!(from("10.0.3.10"), "silence");
        let guest = udp::probe(&wire.guest, "10.0.2.1:1000").to_string();
        assert_eq!(guest, "reply: box 10.0.2.10");
    });
}

/// What reaches the box from a host without addresses that asks for one: in IPv4 from 0.0.0.0 to everybody, in IPv6 from
/// its link-local address to all address servers.
fn asked_for_an_address(wire: &Wire, fresh: &Host) -> String {
    const SERVERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 2);
    let index = |host: &Host, interface: &'static str| {
        host.run(move || nix::net::if_::if_nametoindex(interface).expect("an index"))
    };
    let (here, there) = (index(&wire.center, "eth1"), index(fresh, "eth0"));
    let servers = wire.center.run(|| {
        let v6 = UdpSocket::bind("[::]:547").expect("a socket");
        v6.join_multicast_v6(&SERVERS, here).expect("a group");
        [UdpSocket::bind("0.0.0.0:67").expect("a socket"), v6]
    });
    fresh.run(|| {
        let v4 = UdpSocket::bind("0.0.0.0:68").expect("a socket");
        v4.set_broadcast(true).expect("SO_BROADCAST");
        v4.send_to(b"ask", "255.255.255.255:67").expect("sent");
        let v6 = UdpSocket::bind("[::]:546").expect("a socket");
        v6.send_to(b"ask", SocketAddrV6::new(SERVERS, 547, 0, there))
            .expect("sent");
    });
    let heard = servers.map(|server| {
        server.set_read_timeout(Some(tcp::WAIT)).expect("a timeout");
        let from = server.recv_from(&mut [0; 16]).map(|(_, from)| from.ip());
        match from {
            Ok(IpAddr::V6(from)) if from.is_unicast_link_local() => "link-local".to_owned(),
            Ok(from) => from.to_string(),
            Err(_) => "silence".to_owned(),
        }
    });
    heard.join(" ")
}

#[test]
fn hosts_that_have_no_address_yet() {
    alone(|| {
        let wire = Wire::new();
        let fresh = Host::new("fresh");
        wire.switch.plug(&fresh, "eth0", &[]);
        fresh.ip("route add 255.255.255.255 dev eth0");
        let policies = "policies:
  - { name: guest-in, from: guest, to: firewall, default: drop, rules: [{ name: dhcp, services: [dhcp], action: accept }] }
";
        let rest = "  - { name: rest-in, from: rest, to: firewall, default: drop, rules: [{ name: dhcp, services: [dhcp], action: accept }] }\n";
        wire.apply(&format!("{ZONES}{REST}{policies}{rest}"));
        assert_eq!(asked_for_an_address(&wire, &fresh), "0.0.0.0 link-local");
        // Nobody's.
        wire.apply(&format!("{ZONES}{policies}"));
        assert_eq!(asked_for_an_address(&wire, &fresh), "silence silence");
        // Said to be guests.
        let zones = ZONES.replace("[10.0.2.0/24,", "[0.0.0.0/32, \"fe80::/10\", 10.0.2.0/24,");
        wire.apply(&format!("{zones}{policies}"));
        assert_eq!(asked_for_an_address(&wire, &fresh), "0.0.0.0 link-local");
    });
}
