//! The harness itself, proven with plain nft rulesets: a prober that cannot tell dropped from refused proves nothing.

use std::io::{Read, Write};
use std::time::Duration;

use super::support::rfw::Desk;
use super::support::{
    Host, Icmp, Office, alone, flood, icmp, link, nft, nmap, serve, tcp, topology, udp,
};

/// Two hosts and a cable; the server answers on TCP and UDP port 1000.
fn pair() -> (Host, Host) {
    let (client, server) = (Host::new("client"), Host::new("server"));
    link((&client, "eth0"), (&server, "eth0"));
    topology::address(&client, "eth0", &["192.0.2.1/24", "2001:db8::1/64"]);
    topology::address(&server, "eth0", &["192.0.2.2/24", "2001:db8::2/64"]);
    serve::tcp(&server, 1000);
    serve::udp(&server, 1000);
    (client, server)
}

/// Gives a host an input chain with these rules, separated by semicolons.
#[track_caller]
fn input(host: &Host, rules: &str) {
    let rules = rules.replace("; ", "\n");
    nft::load(
        host,
        &format!(
            "table inet t {{\nchain c {{\ntype filter hook input priority 0;\n{rules}\n}}\n}}\n"
        ),
    );
}

/// What a client sees of the server with `rule` in its input chain, before an accept of the rest.
#[track_caller]
fn check(rule: &str, expect: &[&str]) {
    let (client, server) = pair();
    input(&server, rule);
    let wait = tcp::WAIT;
    let seen = [
        tcp::probe(&client, "192.0.2.2:1000").to_string(),
        tcp::probe(&client, "[2001:db8::2]:1000").to_string(),
        udp::probe(&client, "192.0.2.2:1000").to_string(),
        udp::probe(&client, "[2001:db8::2]:1000").to_string(),
        icmp::ping(&client, "192.0.2.2", wait).to_string(),
        icmp::ping(&client, "2001:db8::2", wait).to_string(),
    ];
    assert_eq!(
        seen, expect,
        "tcp, tcp6, udp, udp6, ping, ping6 with `{rule}`"
    );
}

#[test]
fn accept_is_open() {
    alone(|| {
        check(
            "accept",
            &[
                "open: server 192.0.2.1",
                "open: server 2001:db8::1",
                "reply: server 192.0.2.1",
                "reply: server 2001:db8::1",
                "reply: ",
                "reply: ",
            ],
        );
    });
}

#[test]
fn drop_is_filtered() {
    alone(|| {
        let icmp6 = "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept";
        check(
            &format!("{icmp6}; drop"),
            &[
                "filtered", "filtered", "silence", "silence", "silence", "silence",
            ],
        );
    });
}

#[test]
fn every_reject_is_told_apart() {
    alone(|| {
        let prohibited = "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept; \
                          meta l4proto tcp reject with tcp reset; reject with icmpx type admin-prohibited";
        let v4 = format!("error: {}", Icmp::PROHIBITED);
        let v6 = format!("error: {}", Icmp::PROHIBITED6);
        check(prohibited, &["refused", "refused", &v4, &v6, &v4, &v6]);
        let port = "meta l4proto { tcp, udp } reject with icmpx type port-unreachable";
        let (v4, v6) = (Icmp::PORT.to_string(), Icmp::PORT6.to_string());
        let tcp = [format!("unreachable: {v4}"), format!("unreachable: {v6}")];
        let udp = [format!("error: {v4}"), format!("error: {v6}")];
        check(
            port,
            &[&tcp[0], &tcp[1], &udp[0], &udp[1], "reply: ", "reply: "],
        );
    });
}

#[test]
fn a_closed_port_is_refused() {
    alone(|| {
        let (client, _server) = pair();
        assert_eq!(
            tcp::probe(&client, "192.0.2.2:1001"),
            tcp::Connection::Refused
        );
        assert_eq!(
            udp::probe(&client, "192.0.2.2:1001"),
            udp::Answer::Error(Icmp::PORT)
        );
        let nowhere = tcp::probe(&client, "198.51.100.1:1000");
        assert!(
            matches!(nowhere, tcp::Connection::NotSent(_)),
            "no route: {nowhere}"
        );
    });
}

#[test]
fn the_office_is_wired() {
    alone(|| {
        let office = Office::new();
        for host in [
            &office.server,
            &office.server_2,
            &office.gateway,
            &office.internet,
        ] {
            serve::tcp(host, 1000);
        }
        let from = |host: &Host, to: &str| tcp::probe(host, to).to_string();
        assert_eq!(
            from(&office.internet, "203.0.113.10:1000"),
            "open: gateway 203.0.113.7"
        );
        assert_eq!(
            from(&office.internet, "192.168.1.20:1000"),
            "open: server 203.0.113.7"
        );
        assert_eq!(
            from(&office.ordinary, "192.168.1.21:1000"),
            "open: server-2 192.168.2.50"
        );
        assert_eq!(
            from(&office.ordinary, "198.51.100.40:1000"),
            "open: internet 192.168.2.50"
        );
        assert_eq!(
            from(&office.admin, "[2001:db8:0:1::7]:1000"),
            "open: internet fd12:3456:789a::10"
        );
        let from = |address: &str| {
            tcp::probe_from(&office.internet, address, "203.0.113.10:1000").to_string()
        };
        assert_eq!(from("203.0.113.9"), "open: gateway 203.0.113.9");
        assert_eq!(from("198.51.100.40"), "open: gateway 198.51.100.40");
        let answer = udp::probe_from(&office.admin, "192.168.1.11", "203.0.113.10:9");
        assert_eq!(answer, udp::Answer::Error(Icmp::PORT));
    });
}

#[test]
fn a_connection_can_be_held() {
    alone(|| {
        let (client, server) = pair();
        serve::tcp_echo(&server, 1002);
        let mut stream = tcp::open(&client, "192.0.2.2:1002");
        let mut echo = [0; 4];
        stream.write_all(b"once").unwrap();
        stream.read_exact(&mut echo).unwrap();
        assert_eq!(&echo, b"once");
        input(&server, "drop");
        stream
            .set_read_timeout(Some(Duration::from_millis(300)))
            .unwrap();
        stream.write_all(b"more").unwrap();
        stream.read_exact(&mut echo).expect_err("dropped");
    });
}

#[test]
fn segment_sizes_are_seen() {
    alone(|| {
        let (client, server) = pair();
        let sizes = serve::segment_sizes(&server, 1003);
        tcp::open(&client, "192.0.2.2:1003");
        assert_eq!(sizes.recv_timeout(Duration::from_secs(5)), Ok(1460));
        nft::load(
            &client,
            "table inet t {
chain c {
type filter hook output priority 0;
\
             tcp flags syn tcp option maxseg size set 1300
}
}
",
        );
        tcp::open(&client, "192.0.2.2:1003");
        assert_eq!(sizes.recv_timeout(Duration::from_secs(5)), Ok(1300));
    });
}

#[test]
fn nmap_sees_open_closed_and_filtered() {
    alone(|| {
        let (client, server) = pair();
        input(
            &server,
            "tcp dport 1000-1001 accept; tcp dport 0-65535 drop",
        );
        for address in ["192.0.2.2", "2001:db8::2"] {
            let scan = nmap::scan(&client, address, "990-1010");
            assert_eq!(
                scan,
                nmap::Scan {
                    open: vec![1000],
                    closed: vec![1001],
                    filtered: 19
                }
            );
        }
    });
}

#[test]
fn a_flood_is_counted_at_both_ends() {
    alone(|| {
        let (client, server) = pair();
        let stream = flood::Stream::start(&client, "192.0.2.2:1000");
        let blocked = flood::Blocked::start(&client, &server, "192.0.2.2:2000");
        std::thread::sleep(Duration::from_millis(100));
        assert!(blocked.arrived() > 0);
        let (blocked, stream) = (blocked.stop(), stream.stop());
        assert!(
            blocked.arrived > 100 && blocked.arrived <= blocked.sent,
            "{blocked:?}"
        );
        assert!(
            stream.sent > 100 && stream.arrived == stream.sent,
            "{stream:?}"
        );

        input(&server, "udp dport { 1000, 2000 } counter drop");
        let stream = flood::Stream::start(&client, "192.0.2.2:1000");
        let blocked = flood::Blocked::start(&client, &server, "192.0.2.2:2000");
        std::thread::sleep(Duration::from_millis(100));
        let (blocked, stream) = (blocked.stop(), stream.stop());
        assert!(blocked.sent > 100 && blocked.arrived == 0, "{blocked:?}");
        assert!(stream.sent > 0 && stream.arrived == 0, "{stream:?}");
        assert_eq!(
            nft::packets(&server, "inet t", "udp dport"),
            blocked.sent + stream.sent
        );
    });
}

#[test]
fn a_ruleset_is_shown_without_what_passes() {
    alone(|| {
        let host = Host::new("host");
        let script = "table inet t {\n\tchain c {\n\t\ttcp dport 22 counter accept\n\t}\n}\n";
        nft::load(&host, script);
        assert_eq!(nft::ruleset(&host), script);
        assert_eq!(nft::packets(&host, "inet t", "dport 22"), 0);
        assert!(nft::table_json(&host, "inet t").contains("\"handle\""));
    });
}

#[test]
fn the_program_runs_at_a_desk_of_its_own() {
    alone(|| {
        let (desk, host) = (Desk::new(), Host::new("host"));
        assert_eq!(desk.rfw(&host, &["--version"]).code(), 0);
        desk.must(&host, &["--version"]);
        let path = desk.write("a", "text");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "text");
        drop(desk);
        std::fs::read_to_string(&path).expect_err("gone with the desk");
    });
}
