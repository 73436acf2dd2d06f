//! What becomes of packets by the policies of `policies/`, without a kernel: text against text.

use std::net::IpAddr;
use std::path::Path;

use rfw::bytecode::linearize;
use rfw::evaluate::{
    Choices, Decision, Environment, Evaluation, Firewall, Interface, Packet, Reason, State, Upper,
    Within, evaluate,
};

use crate::compile::compiled;

/// The rules of a policy, and a box that fits to it.
struct Bench {
    firewall: Firewall,
    environment: Environment,
}

impl Bench {
    fn office() -> Self {
        let ruleset = compiled(Path::new("policies/office.yaml")).into_ruleset();
        Self {
            firewall: Firewall::new().with_program(linearize(ruleset)),
            environment: Environment {
                interfaces: [
                    ("eth0", "203.0.113.2/24 2001:db8::2/64"),
                    ("eth1", "192.168.0.1/22 fd12:3456:789a::1/64"),
                ]
                .map(|(name, addresses)| Interface {
                    name: name.to_owned(),
                    index: None,
                    kind: None,
                    addresses: addresses.split(' ').map(|it| it.parse().unwrap()).collect(),
                    not_sources: Vec::new(),
                    routes_loopback: false,
                })
                .to_vec(),
                routes: ["0.0.0.0/0", "::/0"]
                    .map(|network| rfw::evaluate::Route {
                        network: network.parse().unwrap(),
                        oif: "eth0".to_owned(),
                        gateway: None,
                    })
                    .to_vec(),
            },
        }
    }

    fn run(&self, packet: &str, choices: &Choices) -> Evaluation {
        evaluate(
            &self.firewall,
            &read_packet(packet),
            &self.environment,
            choices,
        )
    }

    #[track_caller]
    fn check(&self, packet: &str, expect: &str) {
        self.check_with(&Choices::default(), packet, expect);
    }

    /// One line for each outcome.
    #[track_caller]
    fn check_with(&self, choices: &Choices, packet: &str, expect: &str) {
        let evaluation = self.run(packet, choices);
        let told: Vec<String> = evaluation
            .outcomes
            .iter()
            .map(|outcome| {
                let decision = match outcome.decision {
                    Decision::Accept => "accept".to_owned(),
                    Decision::Drop => "drop".to_owned(),
                    other => format!("{other:?}"),
                };
                let by = match &outcome.reason {
                    Reason::Rule(rule) => std::iter::once(rule)
                        .chain(outcome.callers.iter().rev())
                        .find_map(|rule| self.firewall.rule(*rule)?.name)
                        .unwrap_or("?")
                        .to_owned(),
                    other => format!("{other:?}"),
                };
                let mut text = format!("{decision} by {by}");
                if !outcome.translations.is_empty() {
                    let packet = &outcome.packet;
                    text += &format!(
                        " as {} > {}",
                        end(packet.source, packet.upper.ports().map(|it| it.0)),
                        end(packet.destination, packet.upper.ports().map(|it| it.1))
                    );
                }
                if outcome.share < 1.0 {
                    text += &format!(" {:.2}", outcome.share);
                }
                text
            })
            .collect();
        let expect: Vec<&str> = expect.lines().map(str::trim).collect();
        assert_eq!(told, expect, "{packet}: {evaluation:#?}");
    }
}

fn end(address: IpAddr, port: Option<u16>) -> String {
    format!("{address}:{}", port.unwrap_or(0))
}

/// `eth0 1.2.3.4 > 5.6.7.8 tcp/80 established`; `-` for the box itself.
fn read_packet(text: &str) -> Packet {
    let mut words = text.split(' ');
    let iif = words.next().filter(|it| *it != "-").map(str::to_owned);
    let source: IpAddr = words.next().unwrap().parse().unwrap();
    assert_eq!(words.next(), Some(">"));
    let destination: IpAddr = words.next().unwrap().parse().unwrap();
    let (protocol, number) = words.next().unwrap().split_once('/').unwrap();
    let number: u16 = number.parse().unwrap();
    let upper = match protocol {
        "tcp" => Upper::syn(40_000, number),
        "udp" => Upper::udp(40_000, number),
        _ => Upper::Icmp {
            kind: number as u8,
            code: 0,
        },
    };
    let mut packet = Packet::new(source, destination, upper);
    packet.iif = iif;
    for word in words {
        match word {
            "established" => packet.connection.state = State::Established,
            "invalid" => packet.connection.state = State::Invalid,
            ttl if ttl.starts_with("ttl=") => packet.ttl = ttl[4..].parse().unwrap(),
            moment => {
                let moment: jiff::Timestamp = moment.parse().unwrap();
                packet.time = moment.as_nanosecond() as u64;
            }
        }
    }
    packet
}

#[test]
fn the_office() {
    let bench = Bench::office();
    // To the box itself.
    bench.check(
        "eth0 198.51.100.7 > 203.0.113.2 tcp/22",
        "accept by wan-to-firewall/ssh",
    );
    bench.check(
        "eth0 198.51.100.7 > 203.0.113.2 tcp/23",
        "drop by wan-to-firewall/default",
    );
    bench.check(
        "eth0 2001:db8:1::7 > 2001:db8::2 tcp/22",
        "accept by wan-to-firewall/ssh",
    );
    bench.check(
        "eth0 2001:db8:1::7 > 2001:db8::2 udp/22",
        "drop by wan-to-firewall/default",
    );
    bench.check(
        "eth1 192.168.1.10 > 192.168.0.1 tcp/22",
        "accept by lan-to-firewall/admin-ssh",
    );
    bench.check(
        "eth1 192.168.1.12 > 192.168.0.1 tcp/22",
        "Reject(TcpReset) by lan-to-firewall/default",
    );
    bench.check(
        "eth1 fd12:3456:789a::9 > fd12:3456:789a::1 icmp/128",
        "accept by lan-to-firewall/basics",
    );
    bench.check(
        "eth0 192.168.1.10 > 203.0.113.2 tcp/22",
        "drop by zone/wan/anti-spoof",
    );
    bench.check(
        "eth0 198.51.100.7 > 203.0.113.2 tcp/23 established",
        "accept by established",
    );
    bench.check(
        "eth0 198.51.100.7 > 203.0.113.2 tcp/22 invalid",
        "drop by invalid",
    );
    bench.check(
        "eth0 127.0.0.1 > 203.0.113.2 tcp/22",
        "drop by Kernel(MartianSource)",
    );
    // Through the box.
    bench.check(
        "eth1 192.168.1.12 > 198.51.100.7 udp/53",
        "accept by lan-to-wan/mail-and-dns as 203.0.113.2:40000 > 198.51.100.7:53",
    );
    bench.check(
        "eth1 192.168.1.12 > 198.51.100.7 tcp/25",
        "Reject(TcpReset) by lan-to-wan/default",
    );
    bench.check(
        "eth1 fd12:3456:789a::9 > 2001:db8:1::7 udp/25",
        "Reject(Icmpx(3)) by lan-to-wan/default",
    );
    // One hop is spent in the box; what is for the box itself needs none.
    bench.check(
        "eth1 192.168.1.12 > 198.51.100.7 udp/53 ttl=1",
        "drop by Kernel(TimeExceeded)",
    );
    bench.check(
        "eth1 192.168.1.10 > 192.168.0.1 tcp/22 ttl=1",
        "accept by lan-to-firewall/admin-ssh",
    );
    bench.check(
        "eth0 fe80::7 > fd12:3456:789a::1:9 tcp/443",
        "drop by Kernel(NotForwarded)",
    );
    // Tuesday, 08:00 to 17:00 in Helsinki.
    bench.check(
        "eth1 192.168.1.12 > 198.51.100.7 tcp/80 2026-11-24T06:00:00Z",
        "accept by lan-to-wan/web-in-office-hours as 203.0.113.2:40000 > 198.51.100.7:80",
    );
    bench.check(
        "eth1 192.168.1.12 > 198.51.100.7 tcp/80 2026-11-24T15:00:01Z",
        "Reject(TcpReset) by lan-to-wan/default",
    );
    // From the box.
    bench.check(
        "- 203.0.113.2 > 198.51.100.7 tcp/443",
        "accept by firewall-out/default",
    );
    bench.check("- 127.0.0.1 > 127.0.0.1 tcp/443", "accept by loopback");
}

#[test]
fn what_is_left_open_is_tried() {
    let bench = Bench::office();
    bench.check(
        "eth0 198.51.100.7 > 203.0.113.2 tcp/443",
        "accept by nat/web/forward as 198.51.100.7:40000 > 192.168.1.20:443 0.67\n\
         accept by nat/web/forward as 198.51.100.7:40000 > 192.168.1.21:443 0.33",
    );
    let second = Choices {
        counter: Some(5),
        ..Choices::default()
    };
    bench.check_with(
        &second,
        "eth0 198.51.100.7 > 203.0.113.2 tcp/443",
        "accept by nat/web/forward as 198.51.100.7:40000 > 192.168.1.21:443",
    );
    bench.check_with(
        &second,
        "eth1 192.168.1.12 > 203.0.113.2 tcp/443",
        "accept by nat/web/forward as 192.168.0.1:40000 > 192.168.1.21:443",
    );
    let over = Choices {
        rates: Within::Over,
        ..Choices::default()
    };
    bench.check_with(
        &over,
        "eth0 198.51.100.7 > 203.0.113.2 tcp/22",
        "drop by wan-to-firewall/default",
    );
    let either = Choices {
        rates: Within::Either,
        ..Choices::default()
    };
    bench.check_with(
        &either,
        "eth0 198.51.100.7 > 203.0.113.2 tcp/22",
        "accept by wan-to-firewall/ssh\ndrop by wan-to-firewall/default",
    );
}
