//! Each policy of `policies/` in the situation that it is written for, with real packets. The office and the DMZ pair
//! have files of their own.

use std::path::Path;

use super::support::rfw::Desk;
use super::support::star::Ray;
use super::support::topology::address;
use super::support::{Host, Star, alone, icmp, nft, nmap, serve, tcp, udp};

/// The policy of this name on the box; a second plan is empty.
#[track_caller]
fn under(name: &str, rays: &[Ray<'_>]) -> (Star, Desk) {
    let (star, desk) = (Star::new(rays), Desk::new());
    apply(name, &star.center, &desk);
    (star, desk)
}

/// Applies it; what was said beside the plan.
#[track_caller]
fn apply(name: &str, host: &Host, desk: &Desk) -> String {
    let policy = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("policies")
        .join(name);
    let policy = policy.to_str().unwrap();
    let applied = desk.rfw(host, &["apply", "--policy", policy]);
    assert!(applied.success(), "{}", applied.stderr);
    let again = ["plan", "--full", "--detailed-exitcode", "--policy", policy];
    desk.must(host, &again);
    applied.stderr
}

/// What a TCP connection meets: `open: NAME CLIENT`, `refused`, `filtered`, …
fn seen(host: &Host, to: &str) -> String {
    tcp::probe(host, to).to_string()
}

fn ping(host: &Host, to: &str) -> String {
    icmp::ping(host, to, tcp::WAIT).to_string()
}

fn answers(host: &Host, ports: &[u16]) {
    for port in ports {
        serve::tcp(host, *port);
    }
}

#[test]
fn every_scenario_has_a_test() {
    let tests = ["scenarios.rs", "packets_office.rs", "packets_dmz.rs"]
        .map(|file| std::fs::read_to_string(Path::new("tests").join(file)).unwrap_or_default());
    for entry in std::fs::read_dir("policies").unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.ends_with(".yaml") {
            assert!(tests.iter().any(|test| test.contains(&name)), "{name}");
        }
    }
}

#[test]
fn minimal_shows_ssh_and_nothing_else() {
    alone(|| {
        let (star, _desk) = under(
            "minimal.yaml",
            &[(
                "eth0",
                &["203.0.113.10/24", "2001:db8::10/64"],
                "internet",
                &["203.0.113.7/24", "2001:db8::7/64"],
            )],
        );
        let internet = star.host("internet");
        answers(&star.center, &[22, 80, 3306]);
        answers(internet, &[80]);
        for address in ["203.0.113.10", "2001:db8::10"] {
            assert_eq!(
                nmap::scan(internet, address, "top-1000"),
                nmap::Scan {
                    open: vec![22],
                    closed: vec![],
                    filtered: 999
                }
            );
        }
        assert_eq!(
            seen(&star.center, "203.0.113.7:80"),
            "open: internet 203.0.113.10"
        );
    });
}

#[test]
fn single_server_lets_in_and_out_what_it_must() {
    alone(|| {
        let (star, _desk) = under(
            "single-server.yaml",
            &[(
                "eth0",
                &["203.0.113.10/24", "2001:db8::10/64"],
                "internet",
                &[
                    "203.0.113.7/24",
                    "198.51.100.10/32",
                    "198.51.100.20/32",
                    "198.51.100.25/32",
                    "2001:db8::7/64",
                    "2001:db8:100::7/64",
                ],
            )],
        );
        star.center
            .ip("route add default via 203.0.113.7\nroute add default via 2001:db8::7");
        let internet = star.host("internet");
        answers(&star.center, &[22, 80, 443, 9100]);
        answers(internet, &[25, 443, 587, 6667]);
        let from = |from, to| tcp::probe_from(internet, from, to).to_string();
        assert_eq!(
            from("203.0.113.7", "203.0.113.10:443"),
            "open: box 203.0.113.7"
        );
        assert_eq!(
            from("2001:db8::7", "[2001:db8::10]:80"),
            "open: box 2001:db8::7"
        );
        assert_eq!(from("203.0.113.7", "203.0.113.10:22"), "filtered");
        assert_eq!(
            from("198.51.100.10", "203.0.113.10:22"),
            "open: box 198.51.100.10"
        );
        assert_eq!(
            from("2001:db8:100::7", "[2001:db8::10]:22"),
            "open: box 2001:db8:100::7"
        );
        assert_eq!(from("198.51.100.10", "203.0.113.10:9100"), "filtered");
        assert_eq!(
            from("198.51.100.20", "203.0.113.10:9100"),
            "open: box 198.51.100.20"
        );
        assert_eq!(ping(internet, "203.0.113.10"), "reply: ");
        assert_eq!(
            seen(&star.center, "203.0.113.7:443"),
            "open: internet 203.0.113.10"
        );
        assert_eq!(
            seen(&star.center, "198.51.100.25:587"),
            "open: internet 203.0.113.10"
        );
        assert_eq!(seen(&star.center, "203.0.113.7:587"), "refused");
        assert_eq!(
            seen(&star.center, "203.0.113.7:6667"),
            "refused",
            "no bot calls home"
        );
    });
}

#[test]
fn guests_get_the_internet_and_nothing_of_the_house() {
    alone(|| {
        let (star, _desk) = under(
            "guest-wifi.yaml",
            &[
                (
                    "eth0",
                    &["203.0.113.10/24"],
                    "internet",
                    &["203.0.113.7/24"],
                ),
                (
                    "eth1",
                    &["192.168.10.1/24", "fd00:10::1/64"],
                    "pc",
                    &["192.168.10.50/24", "fd00:10::50/64"],
                ),
                (
                    "eth2",
                    &["192.168.20.1/24", "fd00:20::1/64"],
                    "guest",
                    &["192.168.20.50/24", "192.168.20.2/24", "fd00:20::50/64"],
                ),
            ],
        );
        let (internet, pc, guest) = (star.host("internet"), star.host("pc"), star.host("guest"));
        answers(internet, &[25, 443]);
        answers(pc, &[445]);
        answers(guest, &[80, 443]);
        answers(&star.center, &[22]);
        serve::udp(&star.center, 53);
        let as_us = "open: internet 203.0.113.10";
        assert_eq!(seen(guest, "203.0.113.7:443"), as_us);
        assert_eq!(seen(guest, "203.0.113.7:25"), "refused");
        assert_eq!(
            udp::probe(guest, "192.168.20.1:53").to_string(),
            "reply: box 192.168.20.50"
        );
        assert_eq!(seen(guest, "192.168.10.50:445"), "filtered");
        assert_eq!(seen(guest, "[fd00:10::50]:445"), "filtered");
        assert_eq!(seen(guest, "192.168.20.1:22"), "filtered");
        assert_eq!(
            seen(guest, "192.168.10.1:22"),
            "filtered",
            "the gateway by its other address"
        );
        assert_eq!(seen(pc, "203.0.113.7:443"), as_us);
        assert_eq!(seen(pc, "192.168.10.1:22"), "open: box 192.168.10.50");
        assert_eq!(
            seen(pc, "192.168.20.2:443"),
            "open: guest 192.168.10.50",
            "the access point"
        );
        assert_eq!(seen(pc, "192.168.20.50:80"), "refused");
        assert_eq!(seen(internet, "203.0.113.10:22"), "filtered");
    });
}

#[test]
fn on_one_wire_the_address_decides() {
    alone(|| {
        let (star, _desk) = under(
            "one-lan.yaml",
            &[
                (
                    "eth0",
                    &["203.0.113.10/24"],
                    "internet",
                    &["203.0.113.7/24"],
                ),
                (
                    "eth1",
                    &["192.168.10.1/24"],
                    "house",
                    &[
                        "192.168.10.50/24",
                        "192.168.20.50/24",
                        "192.168.30.50/24",
                        "fd00:10::50/64",
                        "fd00:20::50/64",
                    ],
                ),
            ],
        );
        let addresses = [
            "192.168.20.1/24",
            "192.168.30.1/24",
            "fd00:10::1/64",
            "fd00:20::1/64",
        ];
        address(&star.center, "eth1", &addresses);
        let (internet, house) = (star.host("internet"), star.host("house"));
        answers(internet, &[22, 443]);
        answers(&star.center, &[22]);
        for port in [53, 67] {
            serve::udp(&star.center, port);
        }
        let from = |from: &str, to: &str| tcp::probe_from(house, from, to).to_string();
        let asks = |from: &str, to: &str| udp::probe_from(house, from, to).to_string();
        let (trusted, guest, new) = ("192.168.10.50", "192.168.20.50", "192.168.30.50");
        let as_us = "open: internet 203.0.113.10";
        assert_eq!(from(trusted, "203.0.113.7:22"), as_us);
        assert_eq!(from(guest, "203.0.113.7:443"), as_us);
        assert_eq!(from(guest, "203.0.113.7:22"), "refused");
        assert_eq!(from(new, "203.0.113.7:443"), "filtered");
        serve::tcp(house, 631);
        let print = |to| tcp::probe_from(&star.center, "192.168.10.1", to).to_string();
        assert_eq!(
            print("192.168.20.50:631"),
            "open: house 192.168.10.1",
            "the box itself may"
        );
        assert_eq!(from(trusted, "192.168.10.1:22"), "open: box 192.168.10.50");
        assert_eq!(
            from("fd00:10::50", "[fd00:10::1]:22"),
            "open: box fd00:10::50"
        );
        assert_eq!(from(guest, "192.168.20.1:22"), "filtered");
        assert_eq!(from("fd00:20::50", "[fd00:20::1]:22"), "filtered");
        assert_eq!(asks(guest, "192.168.20.1:53"), "reply: box 192.168.20.50");
        assert_eq!(
            asks("fd00:20::50", "[fd00:20::1]:53"),
            "reply: box fd00:20::50"
        );
        assert_eq!(asks(new, "192.168.30.1:53"), "silence");
        assert_eq!(asks(new, "192.168.30.1:67"), "reply: box 192.168.30.50");
    });
}

#[test]
fn two_sites_see_of_each_other_what_they_agreed_on() {
    alone(|| {
        // A cable called wg0 stands for the tunnel.
        let (star, _desk) = under(
            "site-to-site.yaml",
            &[
                (
                    "eth0",
                    &["203.0.113.10/24"],
                    "internet",
                    &["203.0.113.7/24", "203.0.113.20/24"],
                ),
                (
                    "eth1",
                    &["10.1.0.1/24"],
                    "here",
                    &["10.1.0.10/24", "10.1.0.30/24", "10.1.0.99/24"],
                ),
                (
                    "wg0",
                    &["10.2.0.1/24"],
                    "there",
                    &["10.2.0.50/24", "10.2.0.51/24"],
                ),
            ],
        );
        let (internet, here, there) =
            (star.host("internet"), star.host("here"), star.host("there"));
        answers(here, &[445, 631, 5432]);
        answers(there, &[22, 5432]);
        answers(internet, &[443]);
        answers(&star.center, &[22]);
        serve::udp(&star.center, 51820);
        let tunnel = |from| udp::probe_from(internet, from, "203.0.113.10:51820").to_string();
        assert_eq!(tunnel("203.0.113.20"), "reply: box 203.0.113.20");
        assert_eq!(tunnel("203.0.113.7"), "silence");
        assert_eq!(seen(there, "10.1.0.10:445"), "open: here 10.2.0.50");
        assert_eq!(seen(there, "10.1.0.99:445"), "refused");
        assert_eq!(seen(there, "10.1.0.30:631"), "open: here 10.2.0.50");
        assert_eq!(seen(there, "10.2.0.1:22"), "filtered");
        assert_eq!(
            seen(there, "203.0.113.7:443"),
            "filtered",
            "no way out through us"
        );
        assert_eq!(
            seen(here, "10.2.0.50:5432"),
            "open: there 10.1.0.10",
            "addresses stay"
        );
        assert_eq!(seen(here, "10.2.0.51:5432"), "refused");
        assert_eq!(seen(here, "203.0.113.7:443"), "open: internet 203.0.113.10");
    });
}

#[test]
fn a_web_farm_shares_the_work() {
    alone(|| {
        let (star, _desk) = under(
            "web-farm.yaml",
            &[
                (
                    "eth0",
                    &["203.0.113.10/24"],
                    "internet",
                    &[
                        "203.0.113.7/24",
                        "203.0.113.8/24",
                        "203.0.113.9/24",
                        "192.0.2.9/32",
                    ],
                ),
                (
                    "eth1",
                    &["10.0.0.1/24"],
                    "servers",
                    &["10.0.0.11/24", "10.0.0.12/24", "10.0.0.13/24"],
                ),
            ],
        );
        star.center.ip("route add 192.0.2.0/24 via 203.0.113.7");
        let (internet, servers) = (star.host("internet"), star.host("servers"));
        for port in [80, 443] {
            serve::tcp_by_address(servers, port);
        }
        answers(&star.center, &[22]);
        answers(internet, &[25, 443]);
        let mut turns: Vec<String> = (0..8).map(|_| seen(internet, "203.0.113.10:80")).collect();
        turns.sort();
        let (first, second, third) = (
            "open: 10.0.0.11 203.0.113.7",
            "open: 10.0.0.12 203.0.113.7",
            "open: 10.0.0.13 203.0.113.7",
        );
        assert_eq!(
            turns,
            [first, first, first, first, second, second, third, third]
        );
        for visitor in ["203.0.113.7", "203.0.113.8", "203.0.113.9"] {
            let visit = || tcp::probe_from(internet, visitor, "203.0.113.10:443").to_string();
            let server = visit();
            assert!(server.starts_with("open: 10.0.0.1"), "{server}");
            for _ in 0..4 {
                assert_eq!(visit(), server, "always the same");
            }
        }
        assert_eq!(seen(internet, "203.0.113.10:22"), "filtered");
        let admin = tcp::probe_from(internet, "192.0.2.9", "203.0.113.10:22").to_string();
        assert_eq!(admin, "open: box 192.0.2.9");
        assert_eq!(
            seen(servers, "203.0.113.7:443"),
            "open: internet 203.0.113.10"
        );
        assert_eq!(seen(servers, "203.0.113.7:25"), "refused");
    });
}

#[test]
fn ipv6_servers_are_known_by_the_host_part() {
    alone(|| {
        let (star, _desk) = under(
            "ipv6-only.yaml",
            &[
                (
                    "eth0",
                    &["2001:db8:1::10/64"],
                    "internet",
                    &["2001:db8:1::7/64", "2001:db8:9::7/64"],
                ),
                (
                    "eth1",
                    &["2001:db8:2::1/64"],
                    "servers",
                    &["2001:db8:2::80/64", "2001:db8:2::99/64"],
                ),
            ],
        );
        star.center
            .ip("route add 2001:db8:9::/48 via 2001:db8:1::7");
        let (internet, servers) = (star.host("internet"), star.host("servers"));
        answers(servers, &[22, 80, 8080]);
        answers(internet, &[80]);
        answers(&star.center, &[22]);
        let from = |from, to| tcp::probe_from(internet, from, to).to_string();
        assert_eq!(
            from("2001:db8:1::7", "[2001:db8:2::80]:80"),
            "open: servers 2001:db8:1::7"
        );
        assert_eq!(from("2001:db8:1::7", "[2001:db8:2::99]:80"), "filtered");
        assert_eq!(from("2001:db8:1::7", "[2001:db8:2::80]:8080"), "filtered");
        assert_eq!(from("2001:db8:1::7", "[2001:db8:2::80]:22"), "filtered");
        assert_eq!(
            from("2001:db8:9::7", "[2001:db8:2::80]:22"),
            "open: servers 2001:db8:9::7"
        );
        assert_eq!(ping(internet, "2001:db8:2::99"), "reply: ");
        assert_eq!(
            tcp::probe_from(servers, "2001:db8:2::80", "[2001:db8:2::1]:22").to_string(),
            "open: box 2001:db8:2::80"
        );
        // Tomorrow the provider gives another prefix; the policy is the same.
        star.center.ip("addr add 2001:db8:3::1/64 dev eth1");
        servers.ip("addr add 2001:db8:3::80/64 dev eth0\naddr add 2001:db8:3::99/64 dev eth0");
        assert_eq!(
            from("2001:db8:1::7", "[2001:db8:3::80]:80"),
            "open: servers 2001:db8:1::7"
        );
        assert_eq!(from("2001:db8:1::7", "[2001:db8:3::99]:80"), "filtered");
    });
}

#[test]
fn docker_publishes_and_the_policy_has_the_last_word() {
    // What Docker makes of `-p 8080:80` and `-p 5432:5432` with iptables-nft, in nft's words.
    const DOCKER: &str = "table ip nat {
	chain PREROUTING {
		type nat hook prerouting priority dstnat; policy accept;
		fib daddr type local counter jump DOCKER
	}
	chain POSTROUTING {
		type nat hook postrouting priority srcnat; policy accept;
		oifname != \"docker0\" ip saddr 172.17.0.0/16 counter masquerade
	}
	chain DOCKER {
		iifname != \"docker0\" tcp dport 8080 counter dnat to 172.17.0.2:80
		iifname != \"docker0\" tcp dport 5432 counter dnat to 172.17.0.2:5432
	}
}
table ip filter {
	chain FORWARD {
		type filter hook forward priority filter; policy drop;
		oifname \"docker0\" ct state related,established counter accept
		oifname \"docker0\" ip daddr 172.17.0.2 counter accept
		iifname \"docker0\" counter accept
	}
}
";
    alone(|| {
        let rays: &[Ray<'_>] = &[
            (
                "eth0",
                &["203.0.113.10/24"],
                "internet",
                &["203.0.113.7/24", "203.0.113.8/24"],
            ),
            (
                "docker0",
                &["172.17.0.1/16"],
                "container",
                &["172.17.0.2/16"],
            ),
        ];
        let (star, desk) = (Star::new(rays), Desk::new());
        star.center.forward();
        nft::load(&star.center, DOCKER);
        let (internet, container) = (star.host("internet"), star.host("container"));
        answers(container, &[80, 5432]);
        answers(&star.center, &[22]);
        answers(internet, &[443, 6667]);
        assert_eq!(
            seen(internet, "203.0.113.10:5432"),
            "open: container 203.0.113.7",
            "as Docker does it"
        );
        let theirs = |table| {
            star.center
                .must("nft", &["-s", "list", "table", "ip", table], "")
        };
        let before = [theirs("nat"), theirs("filter")];

        let said = apply("docker-host.yaml", &star.center, &desk);
        let docker = "note: table ip filter is not rfw's and drops by default: `FORWARD` at forward, priority 0; \
                      what rfw accepts there passes only if that table accepts it, too\n";
        assert!(said.starts_with(docker), "{said}");
        assert_eq!(
            seen(internet, "203.0.113.10:8080"),
            "open: container 203.0.113.7"
        );
        assert_eq!(seen(internet, "203.0.113.10:5432"), "filtered");
        assert_eq!(
            seen(&star.center, "172.17.0.2:5432"),
            "open: container 172.17.0.1"
        );
        assert_eq!(
            seen(container, "203.0.113.7:443"),
            "open: internet 203.0.113.10"
        );
        assert_eq!(seen(container, "203.0.113.7:6667"), "refused");
        assert_eq!(seen(container, "172.17.0.1:22"), "filtered");
        assert_eq!(seen(internet, "203.0.113.10:22"), "open: box 203.0.113.7");
        let other = tcp::probe_from(internet, "203.0.113.8", "203.0.113.10:22").to_string();
        assert_eq!(other, "filtered");
        assert_eq!([theirs("nat"), theirs("filter")], before);
    });
}
