//! What policies do to packets: who gets through, who is told what, in IPv4 and IPv6.

use std::time::Duration;

use super::support::gate::Gate;
use super::support::{Host, Icmp, alone, icmp, serve, tcp, udp};

/// Servers on the ports of these tests: 1000 and 2000, TCP and UDP.
fn serve(hosts: &[&Host]) {
    for host in hosts {
        for port in [1000, 2000] {
            serve::tcp(host, port);
            serve::udp(host, port);
        }
    }
}

/// What comes of TCP and UDP to a port, as one text.
fn seen(host: &Host, to: &str) -> [String; 2] {
    [
        tcp::probe(host, to).to_string(),
        udp::probe(host, to).to_string(),
    ]
}

const NOTHING: [&str; 2] = ["filtered", "silence"];

#[test]
fn what_a_rule_accepts_gets_in_and_the_rest_does_not() {
    alone(|| {
        let gate = Gate::new(
            "policies:
  - name: in
    from: wan
    to: firewall
    default: drop
    rules: [{ name: one, services: [{ tcp: [1000], udp: [1000] }, ping], action: accept }]
",
        );
        serve(&[&gate.gateway]);
        for (address, from) in [
            ("203.0.113.10", "203.0.113.7"),
            ("[2001:db8:0:1::10]", "2001:db8:0:1::7"),
        ] {
            let open = [
                format!("open: gateway {from}"),
                format!("reply: gateway {from}"),
            ];
            assert_eq!(seen(&gate.internet, &format!("{address}:1000")), open);
            assert_eq!(seen(&gate.internet, &format!("{address}:2000")), NOTHING);
            let answer = icmp::ping(&gate.internet, address.trim_matches(['[', ']']), tcp::WAIT);
            assert_eq!(answer.to_string(), "reply: ");
        }
        // Pairs that no policy is about.
        assert_eq!(seen(&gate.admin, "192.168.0.1:1000"), NOTHING);
        assert_eq!(
            icmp::ping(&gate.admin, "192.168.0.1", tcp::WAIT),
            udp::Answer::Silence
        );
        assert_eq!(
            icmp::ping(&gate.admin, "fd12:3456:789a::1", tcp::WAIT),
            udp::Answer::Silence
        );
    });
}

/// What a client is told by a rejecting default: TCP, UDP and ping, IPv4 and IPv6.
#[track_caller]
fn check_reject(gate: &Gate, with: &str, expect: [&str; 6]) {
    let with = if with.is_empty() {
        String::new()
    } else {
        format!(", reject_with: {with}")
    };
    gate.apply(&format!(
        "policies:
  - {{ name: in, from: wan, to: firewall, rules: [{{ name: all, action: reject{with} }}] }}
"
    ));
    let mut told = Vec::new();
    for address in ["203.0.113.10", "2001:db8:0:1::10"] {
        let socket = std::net::SocketAddr::new(address.parse().unwrap(), 1000).to_string();
        told.extend(seen(&gate.internet, &socket));
        told.push(icmp::ping(&gate.internet, address, tcp::WAIT).to_string());
    }
    assert_eq!(told, expect, "reject_with {with}");
}

#[test]
fn each_reject_says_what_it_should() {
    alone(|| {
        let gate = Gate::new("policies: []\n");
        // A host answers only so many ICMP errors a second.
        gate.gateway.sysctl("net/ipv4/icmp_ratelimit", "0");
        gate.gateway.sysctl("net/ipv6/icmp/ratelimit", "0");
        let error = |icmp: Icmp| format!("error: {icmp}");
        let tcp_error = |icmp: Icmp| format!("unreachable: {icmp}");
        let v4 = |code| Icmp {
            v6: false,
            kind: 3,
            code,
        };
        let v6 = |code| Icmp {
            v6: true,
            kind: 1,
            code,
        };
        let (no4, no6) = (error(Icmp::PROHIBITED), error(Icmp::PROHIBITED6));
        check_reject(&gate, "", ["refused", &no4, &no4, "refused", &no6, &no6]);
        check_reject(
            &gate,
            "tcp-reset",
            [
                "refused", "silence", "silence", "refused", "silence", "silence",
            ],
        );
        for (with, icmp4, icmp6) in [
            ("admin-prohibited", Icmp::PROHIBITED, Icmp::PROHIBITED6),
            ("port-unreachable", Icmp::PORT, Icmp::PORT6),
            ("host-unreachable", v4(1), v6(3)),
            ("no-route", v4(0), v6(0)),
        ] {
            let (tcp4, tcp6) = (tcp_error(icmp4), tcp_error(icmp6));
            let (udp4, udp6) = (error(icmp4), error(icmp6));
            check_reject(&gate, with, [&tcp4, &udp4, &udp4, &tcp6, &udp6, &udp6]);
        }
    });
}

#[test]
fn forwarding_follows_the_pair() {
    alone(|| {
        let gate = Gate::new(
            "policies:
  - name: out
    from: lan
    to: wan
    default: reject
    rules: [{ name: one, services: [{ tcp: [1000], udp: [1000] }], action: accept }]
",
        );
        serve(&[&gate.internet, &gate.server]);
        let out = [
            "open: internet 192.168.2.50",
            "reply: internet 192.168.2.50",
        ];
        assert_eq!(seen(&gate.ordinary, "203.0.113.7:1000"), out);
        let out = [
            "open: internet fd12:3456:789a::50",
            "reply: internet fd12:3456:789a::50",
        ];
        assert_eq!(seen(&gate.ordinary, "[2001:db8:0:1::7]:1000"), out);
        assert_eq!(
            seen(&gate.ordinary, "203.0.113.7:2000"),
            ["refused", "error: icmp 3/13"]
        );
        // The other way nothing is listed.
        assert_eq!(seen(&gate.internet, "192.168.1.20:1000"), NOTHING);
        assert_eq!(seen(&gate.internet, "[fd12:3456:789a::20]:1000"), NOTHING);
        // Behind the gateway it does not matter.
        assert_eq!(
            tcp::probe(&gate.ordinary, "192.168.1.20:1000").to_string(),
            "open: server 192.168.2.50"
        );
    });
}

#[test]
fn the_box_itself_is_a_zone() {
    alone(|| {
        let gate =
            Gate::new("policies:\n  - { name: out, from: firewall, to: wan, default: accept }\n");
        serve(&[&gate.internet, &gate.server, &gate.gateway]);
        assert_eq!(
            tcp::probe(&gate.gateway, "203.0.113.7:1000").to_string(),
            "open: internet 203.0.113.10"
        );
        assert_eq!(
            tcp::probe(&gate.gateway, "192.168.1.20:1000"),
            tcp::Connection::Filtered
        );
        // Loopback is nobody's business.
        assert_eq!(
            tcp::probe(&gate.gateway, "127.0.0.1:1000").to_string(),
            "open: gateway 127.0.0.1"
        );
        assert_eq!(
            tcp::probe(&gate.gateway, "[::1]:1000").to_string(),
            "open: gateway ::1"
        );
    });
}

#[test]
fn the_first_rule_that_matches_decides() {
    alone(|| {
        let gate = Gate::new(
            "groups:
  admins: [192.168.1.10, \"fd12:3456:789a::10\"]
policies:
  - name: block
    from: any
    to: any
    rules: [{ name: second-admin, source: [192.168.1.11], action: drop }]
  - name: lan
    from: lan
    to: firewall
    default: drop
    rules:
      - { name: not-two-thousand, services: [{ tcp: [\"1500-2500\"] }], action: reject }
      - { name: admins, services: [{ tcp: [1000, 2000] }], source: [admins], action: accept }
      - { name: others, services: [{ udp: [1000] }], source: { not: [admins] }, action: accept }
",
        );
        serve(&[&gate.gateway]);
        assert_eq!(
            seen(&gate.admin, "192.168.0.1:1000"),
            ["open: gateway 192.168.1.10", "silence"]
        );
        assert_eq!(
            seen(&gate.admin, "192.168.0.1:2000"),
            ["refused", "silence"]
        );
        assert_eq!(
            seen(&gate.ordinary, "192.168.0.1:1000"),
            ["filtered", "reply: gateway 192.168.2.50"]
        );
        assert_eq!(
            tcp::probe_from(&gate.admin, "192.168.1.11", "192.168.0.1:2000"),
            tcp::Connection::Filtered
        );
        let open = "open: gateway fd12:3456:789a::10";
        assert_eq!(
            seen(&gate.admin, "[fd12:3456:789a::1]:1000"),
            [open, "silence"]
        );
        let reply = "reply: gateway fd12:3456:789a::50";
        assert_eq!(
            seen(&gate.ordinary, "[fd12:3456:789a::1]:1000"),
            ["filtered", reply]
        );
    });
}

#[test]
fn a_source_that_cannot_live_there_is_dropped() {
    alone(|| {
        let gate = Gate::new(
            "policies:\n  - { name: in, from: [wan, lan], to: firewall, default: accept }\n",
        );
        serve(&[&gate.gateway]);
        // Somebody outside says that he is inside, and the other way round.
        gate.internet.ip("addr add 192.168.1.99/32 dev lo");
        gate.ordinary.ip("addr add 203.0.113.99/32 dev lo");
        gate.gateway.sysctl("net/ipv4/conf/all/rp_filter", "0");
        for interface in ["eth0", "eth1"] {
            gate.gateway
                .sysctl(&format!("net/ipv4/conf/{interface}/rp_filter"), "0");
        }
        gate.gateway.ip(
            "route add 192.168.1.99/32 via 203.0.113.7\nroute add 203.0.113.99/32 via 192.168.2.50",
        );
        let spoofed = tcp::probe_from(&gate.internet, "192.168.1.99", "203.0.113.10:1000");
        assert_eq!(spoofed, tcp::Connection::Filtered);
        let spoofed = tcp::probe_from(&gate.ordinary, "203.0.113.99", "192.168.0.1:1000");
        assert_eq!(spoofed, tcp::Connection::Filtered);
        assert_eq!(
            tcp::probe(&gate.ordinary, "192.168.0.1:1000").to_string(),
            "open: gateway 192.168.2.50"
        );
    });
}

#[test]
fn icmp_errors_about_a_known_connection_come_back() {
    alone(|| {
        let gate = Gate::new("policies:\n  - { name: out, from: lan, to: wan, default: accept }\n");
        let closed = udp::probe(&gate.ordinary, "203.0.113.7:3000");
        assert_eq!(
            closed,
            udp::Answer::Error(Icmp::PORT),
            "of the far host, through the gateway"
        );
        let closed = udp::probe(&gate.ordinary, "[2001:db8:0:1::7]:3000");
        assert_eq!(closed, udp::Answer::Error(Icmp::PORT6));
        // One that knows no connection does not.
        assert_eq!(
            icmp::ping(&gate.internet, "192.168.2.50", Duration::from_millis(300)),
            udp::Answer::Silence
        );
    });
}
