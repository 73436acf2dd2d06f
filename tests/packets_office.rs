//! `policies/office.yaml` as strangers and colleagues meet it.

use std::fs;

use super::support::rfw::Desk;
use super::support::{Office, alone, nmap, serve, tcp, udp};

/// The office under its policy, with servers that answer.
#[track_caller]
fn office() -> (Office, Desk) {
    let (office, desk) = (Office::new(), Desk::new());
    let policy =
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/policies/office.yaml")).unwrap();
    let path = desk.write("office.yaml", &policy);
    desk.must(&office.gateway, &["apply", "--policy", &path]);
    for port in [22, 3306] {
        serve::tcp(&office.gateway, port);
    }
    serve::udp(&office.gateway, 53);
    for host in [&office.server, &office.server_2, &office.internet] {
        for port in [80, 443, 8080] {
            serve::tcp(host, port);
        }
    }
    (office, desk)
}

#[test]
fn a_scan_from_the_internet_finds_ssh_and_the_published_web() {
    alone(|| {
        let (office, _desk) = office();
        // Not from 203.0.113.0/24: that network may see more, `nat/intranet-preview`.
        let scan = nmap::scan_from(
            &office.internet,
            "198.51.100.40",
            "203.0.113.10",
            "top-1000",
        );
        assert_eq!(
            scan,
            nmap::Scan {
                open: vec![22, 80, 443],
                closed: vec![],
                filtered: 997
            }
        );
        let scan = nmap::scan(&office.internet, "2001:db8:0:1::10", "top-1000");
        assert_eq!(
            scan,
            nmap::Scan {
                open: vec![22],
                closed: vec![],
                filtered: 999
            }
        );
    });
}

#[test]
fn the_web_is_shared_two_to_one_and_works_from_inside() {
    alone(|| {
        let (office, _desk) = office();
        let mut answers: Vec<String> = (0..6)
            .map(|_| tcp::probe(&office.internet, "203.0.113.10:80").to_string())
            .collect();
        answers.sort();
        let (first, second) = ("open: server 203.0.113.7", "open: server-2 203.0.113.7");
        assert_eq!(answers, [first, first, first, first, second, second]);
        for _ in 0..3 {
            let inside = tcp::probe(&office.ordinary, "203.0.113.10:443").to_string();
            assert!(
                inside.starts_with("open: server") && inside.ends_with(" 192.168.0.1"),
                "{inside}"
            );
        }
    });
}

#[test]
fn colleagues_may_do_what_the_policy_says() {
    alone(|| {
        let (office, _desk) = office();
        let seen = |host, to| tcp::probe(host, to).to_string();
        assert_eq!(
            seen(&office.admin, "192.168.0.1:22"),
            "open: gateway 192.168.1.10"
        );
        assert_eq!(seen(&office.ordinary, "192.168.0.1:22"), "refused");
        assert_eq!(
            udp::probe(&office.ordinary, "192.168.0.1:53").to_string(),
            "reply: gateway 192.168.2.50"
        );
        assert_eq!(
            seen(&office.server, "203.0.113.7:80"),
            "open: internet 203.0.113.10",
            "as the gateway"
        );
        assert_eq!(seen(&office.server, "203.0.113.7:8080"), "refused");
    });
}
