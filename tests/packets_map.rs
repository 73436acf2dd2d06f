//! Networks, pools and ranges as the ends of a connection see them: netmap, nptv6, snat from several addresses,
//! ports that move.

use std::collections::BTreeSet;

use super::support::gate::Gate;
use super::support::{alone, icmp, serve, tcp, udp};

/// What the kernel holds is what was meant: the second plan, everything read back, is empty.
#[track_caller]
fn settled(gate: &Gate) {
    let plan = gate.must(&["plan", "--full", "--policy", "policy.yaml"]);
    assert!(plan.contains("no changes"), "{plan}");
}

#[test]
fn netmap_shows_a_network_as_another_both_ways() {
    alone(|| {
        let gate = Gate::new(
            "policies:
  - name: in
    from: wan
    to: lan
    default: drop
    rules:
      - { name: web, services: [{ tcp: [1000], udp: [1000] }, ping], action: accept, destination: [192.168.1.20, \"fd12:3456:789a::20\"] }
  - { name: out, from: lan, to: wan, default: accept }
nat:
  netmap:
    - { name: partner, between: wan, inside: 192.168.1.0/24, outside: 172.20.4.0/24 }
    - { name: six, between: wan, inside: \"fd12:3456:789a::/64\", outside: \"2001:db8:4::/64\" }
    - { name: one, between: wan, inside: 192.168.2.50, outside: 172.20.5.5 }
"
            .replace("192.168.2.50", "192.168.2.50/32")
            .replace("172.20.5.5", "172.20.5.5/32")
            .as_str(),
        );
        settled(&gate);
        gate.internet
            .ip("route add 172.20.4.0/23 via 203.0.113.10\n\
             route add 2001:db8:4::/64 via 2001:db8:0:1::10\n\
             route del 192.168.0.0/22 via 203.0.113.10\n\
             route del fd12:3456:789a::/64 via 2001:db8:0:1::10");
        for host in [&gate.server, &gate.server_2, &gate.internet] {
            serve::tcp(host, 1000);
            serve::udp(host, 1000);
        }
        let from_outside = |to| tcp::probe(&gate.internet, to).to_string();
        // Host 20 there is host 20 here; who asks stays who asks.
        assert_eq!(from_outside("172.20.4.20:1000"), "open: server 203.0.113.7");
        assert_eq!(
            from_outside("[2001:db8:4::20]:1000"),
            "open: server 2001:db8:0:1::7"
        );
        let reply = udp::probe(&gate.internet, "172.20.4.20:1000").to_string();
        assert_eq!(reply, "reply: server 203.0.113.7");
        for far in ["172.20.4.20", "2001:db8:4::20"] {
            let pong = icmp::ping(&gate.internet, far, tcp::WAIT).to_string();
            assert_eq!(pong, "reply: ");
        }
        // Nothing is opened by it: the policy decides about the address inside.
        assert_eq!(from_outside("172.20.4.21:1000"), "filtered");
        assert_eq!(from_outside("[2001:db8:4::21]:1000"), "filtered");
        assert_eq!(from_outside("172.20.4.20:22"), "filtered");

        // On the way out the same mapping, whoever it is.
        let seen = |host, to| tcp::probe(host, to).to_string();
        let far = "203.0.113.7:1000";
        assert_eq!(seen(&gate.server, far), "open: internet 172.20.4.20");
        assert_eq!(seen(&gate.server_2, far), "open: internet 172.20.4.21");
        assert_eq!(seen(&gate.ordinary, far), "open: internet 172.20.5.5");
        assert_eq!(
            seen(&gate.server_2, "[2001:db8:0:1::7]:1000"),
            "open: internet 2001:db8:4::21"
        );
    });
}

#[test]
fn nptv6_gives_a_network_another_prefix() {
    alone(|| {
        let gate = Gate::new(
            "policies:
  - name: in
    from: wan
    to: lan
    default: drop
    rules:
      - { name: web, services: [{ tcp: [1000] }], destination: [\"fd12:3456:789a::20\"], action: accept }
  - { name: out, from: lan, to: wan, default: accept }
nat:
  nptv6:
    - { name: lan6, from: lan, to: wan, inside: \"fd12:3456:789a::/64\", outside: \"2001:db8:0:11::/64\" }
",
        );
        settled(&gate);
        gate.internet
            .ip("route add 2001:db8:0:11::/64 via 2001:db8:0:1::10\n\
             route del fd12:3456:789a::/64 via 2001:db8:0:1::10");
        for host in [&gate.server, &gate.server_2, &gate.internet] {
            serve::tcp(host, 1000);
        }
        let seen = |host, to| tcp::probe(host, to).to_string();
        assert_eq!(
            seen(&gate.server, "[2001:db8:0:1::7]:1000"),
            "open: internet 2001:db8:0:11::20"
        );
        assert_eq!(
            seen(&gate.internet, "[2001:db8:0:11::20]:1000"),
            "open: server 2001:db8:0:1::7"
        );
        assert_eq!(seen(&gate.internet, "[2001:db8:0:11::21]:1000"), "filtered");
        // IPv4 is none of its business.
        assert_eq!(
            seen(&gate.server, "203.0.113.7:1000"),
            "open: internet 192.168.1.20"
        );
    });
}

#[test]
fn snat_shares_several_addresses() {
    alone(|| {
        let policy = |entry: &str| {
            format!(
                "policies:\n  - {{ name: out, from: lan, to: wan, default: accept }}\n\
                 nat:\n  snat:\n    - {{ name: pool, from: lan, to: wan, {entry} }}\n"
            )
        };
        let gate = Gate::new(&policy("address: 203.0.113.16/30"));
        settled(&gate);
        let own: Vec<String> = (16..24)
            .map(|host| format!("addr add 203.0.113.{host}/24 dev eth0"))
            .chain((0x20..0x24).map(|host| format!("addr add 2001:db8:0:1::{host:x}/64 dev eth0")))
            .collect();
        gate.gateway.ip(&own.join("\n"));
        // Hosts with many addresses, so that there is something to share.
        let more: Vec<String> = (60..92)
            .flat_map(|host| {
                [
                    format!("addr add 192.168.2.{host}/22 dev eth0"),
                    format!("addr add fd12:3456:789a::a:{host:x}/64 dev eth0"),
                ]
            })
            .collect();
        gate.ordinary.ip(&more.join("\n"));
        serve::tcp(&gate.internet, 1000);
        let seen = |from: &str, to: &str| {
            let answer = tcp::probe_from(&gate.ordinary, from, to).to_string();
            answer
                .strip_prefix("open: internet ")
                .unwrap_or_else(|| panic!("{from} to {to}: {answer}"))
                .to_owned()
        };
        let sources = || (60..92).map(|host| format!("192.168.2.{host}"));
        let all: BTreeSet<String> = sources()
            .map(|from| seen(&from, "203.0.113.7:1000"))
            .collect();
        let expect = [
            "203.0.113.16",
            "203.0.113.17",
            "203.0.113.18",
            "203.0.113.19",
        ];
        assert!(
            1 < all.len() && all.iter().all(|address| expect.contains(&address.as_str())),
            "{all:?}"
        );
        // A host keeps its address, whomever it talks to.
        for from in sources().take(8) {
            let far: BTreeSet<String> =
                ["203.0.113.7:1000", "203.0.113.8:1000", "198.51.100.40:1000"]
                    .map(|to| seen(&from, to))
                    .into();
            assert_eq!(far.len(), 1, "{from}: {far:?}");
        }

        gate.apply(&policy(
            "address: 203.0.113.20-203.0.113.22, persistent: false, ports: \"40000-40099\"",
        ));
        settled(&gate);
        let all: BTreeSet<String> = sources()
            .map(|from| seen(&from, "203.0.113.8:1000"))
            .collect();
        let expect = ["203.0.113.20", "203.0.113.21", "203.0.113.22"];
        assert!(
            1 < all.len() && all.iter().all(|address| expect.contains(&address.as_str())),
            "{all:?}"
        );
        let far = |from: &str| -> BTreeSet<String> {
            [
                "203.0.113.7:1000",
                "203.0.113.8:1000",
                "203.0.113.9:1000",
                "198.51.100.40:1000",
            ]
            .map(|to| seen(from, to))
            .into()
        };
        assert!(
            sources().any(|from| 1 < far(&from).len()),
            "depends on both ends now"
        );
        // What has no ports is translated as well.
        let pong = icmp::ping(&gate.ordinary, "203.0.113.7", tcp::WAIT).to_string();
        assert_eq!(pong, "reply: ");

        gate.apply(&policy(
            "address: \"2001:db8:0:1::20-2001:db8:0:1::23\", random: true",
        ));
        settled(&gate);
        let sources = (60..92).map(|host| format!("fd12:3456:789a::a:{host:x}"));
        let all: BTreeSet<String> = sources
            .map(|from| seen(&from, "[2001:db8:0:1::7]:1000"))
            .collect();
        assert!(
            1 < all.len()
                && all
                    .iter()
                    .all(|address| address.starts_with("2001:db8:0:1::2")),
            "{all:?}"
        );
    });
}

#[test]
fn ports_leave_from_the_range_that_is_said() {
    alone(|| {
        let gate = Gate::new(
            "policies:\n  - { name: out, from: lan, to: wan, default: accept }\n\
             nat:\n  snat:\n    - { name: ports, from: lan, to: wan, address: 203.0.113.10, ports: \"40000-40009\" }\n",
        );
        settled(&gate);
        let listener = gate
            .internet
            .run(|| std::net::TcpListener::bind("203.0.113.7:1000").expect("a free port"));
        for _ in 0..5 {
            let _stream = tcp::open(&gate.ordinary, "203.0.113.7:1000");
            let (_, peer) = listener.accept().expect("a connection");
            assert_eq!(peer.ip().to_string(), "203.0.113.10");
            assert!((40_000..=40_009).contains(&peer.port()), "{peer}");
        }
        let datagrams = gate
            .internet
            .run(|| std::net::UdpSocket::bind("203.0.113.7:1001").expect("a free port"));
        udp::probe(&gate.ordinary, "203.0.113.7:1001");
        let (_, peer) = datagrams.recv_from(&mut [0; 64]).expect("a datagram");
        assert!((40_000..=40_009).contains(&peer.port()), "{peer}");
    });
}

#[test]
fn a_range_of_ports_moves_port_by_port() {
    alone(|| {
        let gate = Gate::new(
            "policies:
  - { name: in, from: wan, to: [lan, firewall], default: drop }
  - { name: inside, from: lan, to: [wan, firewall], default: drop }
nat:
  dnat:
    - { name: up, from: wan, services: [{ tcp: [\"9000-9010\"], udp: [\"9000-9010\"] }], to: 192.168.1.20, to_port: \"19000-19010\" }
    - { name: down, from: wan, services: [{ tcp: [\"8000-8003\"] }], to_port: \"1000-1003\", hairpin: true,
        balance: { mode: source-hash, backends: [{ address: 192.168.1.21 }, { address: 192.168.1.20 }] } }
    - { name: kept, from: wan, services: [{ tcp: [\"7000-7001\"] }], to: 192.168.1.20, to_port: \"7000-7001\" }
    - { name: six, from: wan, services: [{ tcp: [\"9000-9010\"] }], to: \"fd12:3456:789a::21\", to_port: \"9001-9011\" }
  redirect:
    - { name: proxy, from: lan, services: [{ tcp: [\"3000-3001\"] }], to_port: \"4000-4001\" }
",
        );
        settled(&gate);
        for port in [19_000, 19_010, 7001] {
            serve::tcp(&gate.server, port);
        }
        serve::udp(&gate.server, 19_005);
        for port in [1000, 1003] {
            serve::tcp(&gate.server, port);
            serve::tcp(&gate.server_2, port);
        }
        serve::tcp(&gate.server_2, 9001);
        serve::tcp(&gate.gateway, 4001);
        let seen = |to: &str| tcp::probe(&gate.internet, to).to_string();
        let box4 = |port: u16| seen(&format!("203.0.113.10:{port}"));
        assert_eq!(box4(9000), "open: server 203.0.113.7", "the first");
        assert_eq!(box4(9010), "open: server 203.0.113.7", "the last");
        assert_eq!(box4(9001), "refused", "the second, where nobody listens");
        assert_eq!(box4(9011), "filtered", "not one more");
        let reply = udp::probe(&gate.internet, "203.0.113.10:9005").to_string();
        assert_eq!(reply, "reply: server 203.0.113.7");
        let balanced = [box4(8000), box4(8003)];
        assert!(
            balanced
                .iter()
                .all(|answer| answer.starts_with("open: server")),
            "{balanced:?}"
        );
        assert_eq!(balanced[0], balanced[1], "the same source, the same host");
        let own = tcp::probe(&gate.ordinary, "203.0.113.10:8003").to_string();
        assert!(own.starts_with("open: server"), "{own}");
        assert_eq!(box4(7001), "open: server 203.0.113.7");
        assert_eq!(
            seen("[2001:db8:0:1::10]:9000"),
            "open: server-2 2001:db8:0:1::7"
        );
        // Their own ports are not open.
        assert_eq!(seen("192.168.1.20:19000"), "filtered");
        let redirected =
            |port: u16| tcp::probe(&gate.ordinary, &format!("198.51.100.40:{port}")).to_string();
        assert_eq!(redirected(3001), "open: gateway 192.168.2.50");
        assert_eq!(redirected(3000), "refused");
        assert_eq!(redirected(3002), "filtered");
        assert_eq!(redirected(4001), "filtered");
    });
}
