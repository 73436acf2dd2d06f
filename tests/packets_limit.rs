//! Rates: of connections, for everybody or for each source, and of log lines.

use std::time::Duration;

use super::support::gate::Gate;
use super::support::nflog::Listener;
use super::support::{alone, serve, tcp, udp};

/// How many of so many connections from one address were accepted.
#[track_caller]
fn opened(gate: &Gate, from: &str, to: &str, connections: usize) -> usize {
    (0..connections)
        .filter(|_| {
            // A short wait: SYNs that are repeated would be counted again.
            let from = std::net::SocketAddr::new(from.parse().unwrap(), 0);
            match tcp::probe_with(&gate.internet, Some(from), to, Duration::from_millis(100)) {
                tcp::Connection::Open(_) => true,
                tcp::Connection::Filtered => false,
                other => panic!("{other}"),
            }
        })
        .count()
}

fn policy(limit: &str) -> String {
    format!(
        "policies:
  - name: in
    from: wan
    to: firewall
    default: drop
    rules: [{{ name: ssh, services: [{{ tcp: [1000] }}], action: accept, limit: {limit} }}]
"
    )
}

#[test]
fn each_source_has_a_rate_of_its_own() {
    alone(|| {
        let gate = Gate::new(&policy("{ rate: 1/minute, burst: 3, per: source }"));
        serve::tcp(&gate.gateway, 1000);
        assert_eq!(opened(&gate, "203.0.113.7", "203.0.113.10:1000", 6), 3);
        assert_eq!(
            opened(&gate, "203.0.113.8", "203.0.113.10:1000", 6),
            3,
            "another source"
        );
        // In IPv6 a source is a /64: whoever has one has all its addresses.
        gate.internet.ip(
            "addr add 2001:db8:0:1::8/64 dev eth0\naddr add 2001:db8:0:2::7/128 dev lo\n\
             addr add 2001:db8:0:2::8/128 dev lo",
        );
        let v6 = "[2001:db8:0:1::10]:1000";
        assert_eq!(opened(&gate, "2001:db8:0:1::7", v6, 2), 2);
        assert_eq!(
            opened(&gate, "2001:db8:0:1::8", v6, 4),
            1,
            "of the same /64"
        );
        assert_eq!(opened(&gate, "2001:db8:0:2::7", v6, 4), 3, "of another");
    });
}

#[test]
fn all_share_one_rate_otherwise() {
    alone(|| {
        let gate = Gate::new(&policy("{ rate: 1/minute, burst: 4 }"));
        serve::tcp(&gate.gateway, 1000);
        assert_eq!(opened(&gate, "203.0.113.7", "203.0.113.10:1000", 3), 3);
        assert_eq!(opened(&gate, "203.0.113.8", "203.0.113.10:1000", 3), 1);
        assert_eq!(opened(&gate, "203.0.113.9", "203.0.113.10:1000", 2), 0);
    });
}

#[test]
fn a_rate_goes_on_after_another_rule_changed() {
    alone(|| {
        let limited = policy("{ rate: 1/minute, burst: 3, per: source }");
        let gate = Gate::new(&limited);
        serve::tcp(&gate.gateway, 1000);
        assert_eq!(opened(&gate, "203.0.113.7", "203.0.113.10:1000", 6), 3);
        gate.apply(&format!(
            "{limited}  - {{ name: more, from: lan, to: firewall, default: accept }}\n"
        ));
        assert_eq!(
            opened(&gate, "203.0.113.7", "203.0.113.10:1000", 2),
            0,
            "an apply gives nobody a new burst"
        );
    });
}

#[test]
fn a_log_has_its_rate_and_the_verdict_has_none() {
    alone(|| {
        let gate = Gate::new(
            "policies:
  - name: in
    from: wan
    to: firewall
    default: drop
    log: { prefix: \"wan-in\", rate: 2/minute, group: 7 }
    rules:
      - { name: loud, services: [{ udp: [1000] }], action: accept, log: { group: 7 } }
      - { name: quiet, services: [{ udp: [1001] }], action: accept }
",
        );
        serve::udp(&gate.gateway, 1000);
        serve::udp(&gate.gateway, 1001);
        let log = Listener::new(&gate.gateway, 7);
        for port in [1000, 1001, 1000] {
            let reply = udp::probe(&gate.internet, &format!("203.0.113.10:{port}"));
            assert_eq!(reply.to_string(), "reply: gateway 203.0.113.7");
        }
        assert_eq!(
            log.prefixes(Duration::from_millis(200)),
            ["in/loud: ", "in/loud: "]
        );
        for _ in 0..20 {
            let dropped = tcp::probe_with(
                &gate.internet,
                None,
                "203.0.113.10:2000",
                Duration::from_millis(20),
            );
            assert_eq!(dropped, tcp::Connection::Filtered);
        }
        let lines = log.prefixes(Duration::from_millis(200));
        // nft's own burst for a rate without one is 5.
        assert_eq!(lines, vec!["wan-in: "; lines.len()]);
        assert!(
            (1..=5).contains(&lines.len()),
            "{} lines for 20 connections",
            lines.len()
        );
    });
}

#[test]
fn each_source_has_a_number_of_connections_at_a_time() {
    alone(|| {
        let policy = |max: u32| {
            format!(
                "policies:
  - name: in
    from: wan
    to: firewall
    default: reject
    rules:
      - {{ name: web, services: [{{ tcp: [1000, 1001], udp: [1000] }}], action: accept, connlimit: {{ max: {max}, per: source }} }}
      - {{ name: rest, services: [{{ tcp: [1001] }}], action: drop }}
"
            )
        };
        let gate = Gate::new(&policy(2));
        let plan = gate.must(&["plan", "--full", "--policy", "policy.yaml"]);
        assert!(plan.contains("no changes"), "{plan}");
        serve::tcp_echo(&gate.gateway, 1000);
        serve::tcp_echo(&gate.gateway, 1001);
        let answer = |from: &str, to: &str| tcp::probe_from(&gate.internet, from, to).to_string();
        let first = tcp::open(&gate.internet, "203.0.113.10:1000");
        let second = tcp::open(&gate.internet, "203.0.113.10:1001");
        // One too many goes on: to the next rule, then to the default.
        assert_eq!(answer("203.0.113.7", "203.0.113.10:1000"), "refused");
        assert_eq!(answer("203.0.113.7", "203.0.113.10:1001"), "filtered");
        let udp = udp::probe(&gate.internet, "203.0.113.10:1000").to_string();
        assert_eq!(
            udp, "error: icmp 3/13",
            "all services of the rule are counted together"
        );
        // Another source has its own number (this one stays silent and is closed at once).
        assert_eq!(answer("203.0.113.8", "203.0.113.10:1000"), "open, mute");
        // One that ends makes room, and what runs is not disturbed.
        drop(first);
        std::thread::sleep(Duration::from_millis(1200));
        let third = tcp::open(&gate.internet, "203.0.113.10:1000");
        assert_eq!(answer("203.0.113.7", "203.0.113.10:1000"), "refused");

        // In IPv6 a source is a /64.
        gate.internet
            .ip("addr add 2001:db8:0:1::8/64 dev eth0\naddr add 2001:db8:0:2::7/128 dev lo");
        gate.gateway
            .ip("route add 2001:db8:0:2::/64 via 2001:db8:0:1::7");
        let v6 = "[2001:db8:0:1::10]:1000";
        let _held = [tcp::open(&gate.internet, v6), tcp::open(&gate.internet, v6)];
        assert_eq!(answer("2001:db8:0:1::8", v6), "refused");
        assert_eq!(answer("2001:db8:0:2::7", v6), "open, mute");

        // Another policy that does not change the rule leaves the count alone.
        gate.apply(&policy(2).replace("rest", "others"));
        assert_eq!(answer("203.0.113.7", "203.0.113.10:1000"), "refused");
        drop((second, third));
    });
}
