//! Address translation as the ends of a connection see it.

use std::time::Duration;

use super::support::gate::Gate;
use super::support::{alone, icmp, serve, tcp, udp};

#[test]
fn masquerade_hides_behind_the_gateway() {
    alone(|| {
        let policies =
            "policies:\n  - { name: out, from: [lan, firewall], to: wan, default: accept }\n";
        let gate = Gate::new(policies);
        serve::tcp(&gate.internet, 1000);
        serve::udp(&gate.internet, 1000);
        let seen = |to: &str| {
            [
                tcp::probe(&gate.ordinary, to).to_string(),
                udp::probe(&gate.ordinary, to).to_string(),
            ]
        };
        // Without it the far end sees who it is.
        assert_eq!(
            seen("203.0.113.7:1000"),
            [
                "open: internet 192.168.2.50",
                "reply: internet 192.168.2.50"
            ]
        );

        gate.apply(&format!(
            "{policies}nat:\n  masquerade: [{{ name: hide, from: lan, to: wan }}]\n"
        ));
        assert_eq!(
            seen("203.0.113.7:1000"),
            [
                "open: internet 203.0.113.10",
                "reply: internet 203.0.113.10"
            ]
        );
        let v6 = [
            "open: internet 2001:db8:0:1::10",
            "reply: internet 2001:db8:0:1::10",
        ];
        assert_eq!(seen("[2001:db8:0:1::7]:1000"), v6);
        for far in ["203.0.113.7", "2001:db8:0:1::7"] {
            assert_eq!(
                icmp::ping(&gate.ordinary, far, tcp::WAIT).to_string(),
                "reply: "
            );
        }

        let only4 = "nat:\n  masquerade: [{ name: hide, from: lan, to: wan, family: ipv4 }]\n";
        gate.apply(&format!("{policies}{only4}"));
        assert_eq!(
            seen("203.0.113.7:1000"),
            [
                "open: internet 203.0.113.10",
                "reply: internet 203.0.113.10"
            ]
        );
        let v6 = [
            "open: internet fd12:3456:789a::50",
            "reply: internet fd12:3456:789a::50",
        ];
        assert_eq!(seen("[2001:db8:0:1::7]:1000"), v6);
    });
}

#[test]
fn snat_gives_the_address_that_it_says() {
    alone(|| {
        let gate = Gate::new(
            "policies:
  - { name: out, from: lan, to: wan, default: accept }
nat:
  snat:
    - { name: servers, from: lan, to: wan, source: [192.168.1.20], address: 203.0.113.11 }
    - { name: web, from: lan, to: wan, services: [{ tcp: [1000] }], address: 203.0.113.12 }
    - { name: six, from: lan, to: wan, address: \"2001:db8:0:1::11\" }
",
        );
        gate.gateway.ip(
            "addr add 203.0.113.11/24 dev eth0\naddr add 203.0.113.12/24 dev eth0\n\
             addr add 2001:db8:0:1::11/64 dev eth0",
        );
        serve::tcp(&gate.internet, 1000);
        serve::tcp(&gate.internet, 2000);
        let seen = |host, to| tcp::probe(host, to).to_string();
        assert_eq!(
            seen(&gate.server, "203.0.113.7:1000"),
            "open: internet 203.0.113.11"
        );
        assert_eq!(
            seen(&gate.server, "203.0.113.7:2000"),
            "open: internet 203.0.113.11"
        );
        assert_eq!(
            seen(&gate.ordinary, "203.0.113.7:1000"),
            "open: internet 203.0.113.12"
        );
        assert_eq!(
            seen(&gate.ordinary, "203.0.113.7:2000"),
            "open: internet 192.168.2.50"
        );
        assert_eq!(
            seen(&gate.ordinary, "[2001:db8:0:1::7]:2000"),
            "open: internet 2001:db8:0:1::11"
        );
    });
}

#[test]
fn dnat_publishes_a_host_and_opens_its_path() {
    alone(|| {
        let gate = Gate::new(
            "policies:
  - { name: in, from: wan, to: [lan, firewall], default: drop }
nat:
  dnat:
    - { name: web, from: wan, services: [{ tcp: [1000] }], to: 192.168.1.20 }
    - { name: shifted, from: wan, services: [{ tcp: [8000], udp: [8000] }], to: 192.168.1.21, to_port: 1000 }
    - { name: some, from: wan, source: [203.0.113.8], services: [{ tcp: [9000] }], to: 192.168.1.20, to_port: 1000 }
    - { name: six, from: wan, services: [{ tcp: [1000] }], to: \"fd12:3456:789a::21\" }
",
        );
        for host in [&gate.server, &gate.server_2] {
            serve::tcp(host, 1000);
            serve::udp(host, 1000);
        }
        let seen = |to| tcp::probe(&gate.internet, to).to_string();
        assert_eq!(
            seen("203.0.113.10:1000"),
            "open: server 203.0.113.7",
            "with its own address"
        );
        assert_eq!(seen("203.0.113.10:8000"), "open: server-2 203.0.113.7");
        assert_eq!(
            seen("[2001:db8:0:1::10]:1000"),
            "open: server-2 2001:db8:0:1::7"
        );
        let reply = udp::probe(&gate.internet, "203.0.113.10:8000").to_string();
        assert_eq!(reply, "reply: server-2 203.0.113.7");
        // Only for whom it says.
        assert_eq!(seen("203.0.113.10:9000"), "filtered");
        let from = tcp::probe_from(&gate.internet, "203.0.113.8", "203.0.113.10:9000").to_string();
        assert_eq!(from, "open: server 203.0.113.8");
        // Only what was asked for by the public address: the path is not open otherwise.
        assert_eq!(seen("192.168.1.20:1000"), "filtered");
        assert_eq!(seen("192.168.1.21:1000"), "filtered");
        assert_eq!(seen("[fd12:3456:789a::21]:1000"), "filtered");
        // From inside it is not published.
        assert_eq!(
            tcp::probe(&gate.ordinary, "203.0.113.10:1000").to_string(),
            "filtered"
        );
    });
}

#[test]
fn hairpin_works_from_the_servers_own_network() {
    alone(|| {
        let gate = Gate::new(
            "policies:
  - { name: lan, from: lan, to: firewall, default: drop }
nat:
  dnat:
    - { name: web, from: wan, services: [{ tcp: [1000] }], to: 192.168.1.20, hairpin: true }
    - { name: six, from: wan, services: [{ tcp: [1000] }], to: \"fd12:3456:789a::21\", hairpin: true }
",
        );
        serve::tcp(&gate.server, 1000);
        serve::tcp(&gate.server_2, 1000);
        let seen = |host, to| tcp::probe(host, to).to_string();
        assert_eq!(
            seen(&gate.internet, "203.0.113.10:1000"),
            "open: server 203.0.113.7"
        );
        // Behind the gateway's inner address; otherwise the answer would not come back through it.
        assert_eq!(
            seen(&gate.ordinary, "203.0.113.10:1000"),
            "open: server 192.168.0.1"
        );
        assert_eq!(
            seen(&gate.server, "203.0.113.10:1000"),
            "open: server 192.168.0.1",
            "to itself"
        );
        assert_eq!(
            seen(&gate.ordinary, "192.168.1.20:1000"),
            "open: server 192.168.2.50",
            "directly"
        );
        assert_eq!(
            seen(&gate.ordinary, "192.168.0.1:1000"),
            "filtered",
            "the inner address publishes nothing"
        );
        let public6 = "[2001:db8:0:1::10]:1000";
        assert_eq!(
            seen(&gate.internet, public6),
            "open: server-2 2001:db8:0:1::7"
        );
        assert_eq!(
            seen(&gate.ordinary, public6),
            "open: server-2 fd12:3456:789a::1"
        );
    });
}

#[test]
fn redirect_answers_on_the_box() {
    alone(|| {
        let gate = Gate::new(
            "policies:
  - { name: lan, from: lan, to: [firewall, wan], default: drop }
nat:
  redirect:
    - { name: resolver, from: lan, services: [{ udp: [1000] }] }
    - { name: proxy, from: lan, services: [{ tcp: [1000] }], source: [192.168.2.0/24, \"fd12:3456:789a::/64\"], to_port: 2000 }
",
        );
        serve::udp(&gate.gateway, 1000);
        serve::tcp(&gate.gateway, 2000);
        let (anywhere, anywhere6) = ("198.51.100.40:1000", "[2001:db8:0:1::7]:1000");
        assert_eq!(
            udp::probe(&gate.ordinary, anywhere).to_string(),
            "reply: gateway 192.168.2.50"
        );
        assert_eq!(
            udp::probe(&gate.ordinary, anywhere6).to_string(),
            "reply: gateway fd12:3456:789a::50"
        );
        assert_eq!(
            tcp::probe(&gate.ordinary, anywhere).to_string(),
            "open: gateway 192.168.2.50"
        );
        assert_eq!(
            tcp::probe(&gate.ordinary, anywhere6).to_string(),
            "open: gateway fd12:3456:789a::50"
        );
        assert_eq!(
            tcp::probe(&gate.server, anywhere).to_string(),
            "filtered",
            "not from there"
        );
        assert_eq!(
            tcp::probe(&gate.ordinary, "192.168.0.1:2000").to_string(),
            "filtered",
            "not directly"
        );
    });
}

#[test]
fn masquerade_clamps_the_segment_size() {
    alone(|| {
        let policies =
            "policies:\n  - { name: both, from: [lan, wan], to: [lan, wan], default: accept }\n";
        let gate = Gate::new(&format!(
            "{policies}nat:\n  masquerade: [{{ name: hide, from: lan, to: wan }}]\n"
        ));
        // A line like PPPoE's: narrower than both networks, and only the gateway knows.
        gate.gateway.ip("link set eth0 mtu 1400");
        let outside = serve::segment_sizes(&gate.internet, 1000);
        let inside = serve::segment_sizes(&gate.server, 1000);
        let size = |sizes: &std::sync::mpsc::Receiver<u32>| {
            sizes.recv_timeout(Duration::from_secs(5)).unwrap()
        };
        tcp::open(&gate.ordinary, "203.0.113.7:1000");
        assert_eq!(size(&outside), 1360);
        tcp::open(&gate.ordinary, "[2001:db8:0:1::7]:1000");
        assert_eq!(size(&outside), 1340);
        tcp::open(&gate.internet, "192.168.1.20:1000");
        assert_eq!(size(&inside), 1360, "the way in as well");

        let unclamped =
            "nat:\n  masquerade: [{ name: hide, from: lan, to: wan, clamp_mss: false }]\n";
        gate.apply(&format!("{policies}{unclamped}"));
        tcp::open(&gate.ordinary, "203.0.113.7:1000");
        assert_eq!(size(&outside), 1460);
    });
}
