//! What an apply leaves alone: connections, counters, the generation, other tables.

use std::io::{Read, Write};
use std::time::Duration;

use super::support::gate::Gate;
use super::support::{alone, nft, serve, tcp};

/// One rule for port 1000, and something unrelated that changes.
fn policy(accept: bool, unrelated: u16) -> String {
    let rule = "{ name: one, services: [{ tcp: [1000] }], action: accept }, ";
    format!(
        "policies:
  - name: in
    from: wan
    to: firewall
    default: drop
    rules: [{}{{ name: two, services: [{{ tcp: [{unrelated}] }}], action: accept }}]
",
        if accept { rule } else { "" }
    )
}

#[test]
fn an_established_connection_outlives_its_rule() {
    alone(|| {
        let gate = Gate::new(&policy(true, 2000));
        serve::tcp_echo(&gate.gateway, 1000);
        let mut stream = tcp::open(&gate.internet, "203.0.113.10:1000");
        stream
            .set_read_timeout(Some(Duration::from_secs(2)))
            .unwrap();
        let mut echo = |text: &[u8; 4]| {
            let mut back = [0; 4];
            stream
                .write_all(text)
                .and_then(|()| stream.read_exact(&mut back))
                .map(|()| back)
        };
        assert_eq!(&echo(b"with").unwrap(), b"with");
        gate.apply(&policy(false, 2000));
        assert_eq!(&echo(b"gone").unwrap(), b"gone");
        assert_eq!(
            tcp::probe(&gate.internet, "203.0.113.10:1000"),
            tcp::Connection::Filtered,
            "a new one"
        );
    });
}

#[test]
fn counters_outlive_an_unrelated_change() {
    alone(|| {
        let gate = Gate::new(&policy(true, 2000));
        serve::tcp(&gate.gateway, 1000);
        for _ in 0..3 {
            tcp::probe(&gate.internet, "203.0.113.10:1000");
        }
        let counted =
            |rule| nft::packets(&gate.gateway, "inet rfw", &format!("comment \"{rule}\""));
        assert_eq!(counted("in/one"), 3);
        gate.apply(&policy(true, 2001));
        assert_eq!(counted("in/one"), 3);
        tcp::probe(&gate.internet, "203.0.113.10:1000");
        assert_eq!(counted("in/one"), 4);
    });
}

#[test]
fn a_changed_rule_keeps_what_it_counted() {
    alone(|| {
        let gate = Gate::new(&policy(true, 2000));
        serve::tcp(&gate.gateway, 2000);
        tcp::probe(&gate.internet, "203.0.113.10:2000");
        let counted = || nft::packets(&gate.gateway, "inet rfw", "comment \"in/two\"");
        assert_eq!(counted(), 1);
        gate.apply(&policy(true, 2001));
        assert_eq!(counted(), 1);
    });
}

#[test]
fn nothing_is_written_when_nothing_changed() {
    alone(|| {
        let gate = Gate::new(&policy(true, 2000));
        let events = gate.gateway.watch("nft", &["monitor"]);
        gate.apply(&policy(true, 2000));
        gate.apply(&policy(true, 2000));
        assert_eq!(events.stop(), "", "no event, so no new generation");
        // The watch does see a change.
        let events = gate.gateway.watch("nft", &["monitor"]);
        gate.apply(&policy(true, 2001));
        assert!(events.stop().contains("new generation"));
        let code = gate
            .rfw(&["plan", "--policy", "policy.yaml", "--detailed-exitcode"])
            .code();
        assert_eq!(code, 0, "and the plan is empty");
    });
}

#[test]
fn base_chains_and_what_did_not_change_keep_their_handles() {
    alone(|| {
        let gate = Gate::new(&policy(true, 2000));
        let handles = || -> Vec<String> {
            let listing = gate
                .gateway
                .must("nft", &["-a", "list", "table", "inet", "rfw"], "");
            let kept =
                |line: &&str| line.contains("{ # handle") || line.contains("comment \"in/one\"");
            listing
                .lines()
                .filter(kept)
                .map(|line| line.rsplit(' ').next().unwrap().to_owned())
                .collect()
        };
        let before = handles();
        assert!(before.len() > 5, "table, chains, sets: {before:?}");
        gate.apply(&policy(true, 2001));
        assert_eq!(handles(), before);
    });
}

#[test]
fn other_tables_stay_as_they_are_to_the_byte() {
    alone(|| {
        let gate = Gate::new("policies: []\n");
        nft::load(
            &gate.gateway,
            "table ip docker {
  set s { type ipv4_addr; flags dynamic, timeout; timeout 1h; elements = { 192.0.2.1 } }
  counter c { }
  chain forward {
    type filter hook forward priority filter; policy accept;
    ip saddr 192.0.2.0/24 counter accept comment \"in/one\"
    counter name c
  }
}
table inet rfw-not {
  chain policy/in {
    tcp dport 1000 drop
  }
}
",
        );
        let others =
            || ["ip docker", "inet rfw-not"].map(|table| nft::table_json(&gate.gateway, table));
        let before = others();
        assert!(before[0].contains("\"expires\": …"), "{}", before[0]);
        gate.apply(&policy(true, 2000));
        gate.apply(&policy(false, 2001));
        assert_eq!(others(), before);
        gate.must(&["remove"]);
        assert_eq!(others(), before);
        let tables = gate.gateway.must("nft", &["list", "tables"], "");
        assert_eq!(tables, "table ip docker\ntable inet rfw-not\n");
    });
}

#[test]
fn a_hole_made_by_hand_is_seen_and_closed() {
    alone(|| {
        let gate = Gate::new(&policy(false, 2000));
        serve::tcp(&gate.gateway, 1000);
        let probe = || tcp::probe(&gate.internet, "203.0.113.10:1000").to_string();
        assert_eq!(probe(), "filtered");
        let plan = || gate.rfw(&["plan", "--policy", "policy.yaml", "--detailed-exitcode"]);
        gate.gateway.must(
            "nft",
            &[
                "insert", "rule", "inet", "rfw", "input", "tcp", "dport", "1000", "accept",
            ],
            "",
        );
        assert_eq!(probe(), "open: gateway 203.0.113.7");
        assert_eq!(plan().code(), 2);
        gate.apply(&policy(false, 2000));
        assert_eq!(probe(), "filtered");
        assert_eq!(plan().code(), 0);
    });
}
