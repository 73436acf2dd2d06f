//! Sets that the kernel fills: who is put into them, what that means for him, and for how long.

use std::net::SocketAddr;
use std::time::Duration;

use super::support::gate::Gate;
use super::support::{alone, serve, tcp};

/// Whoever asks for port 22 is banned; port 1000 is for everybody else.
fn policy(set: &str, knockers: &str) -> String {
    format!(
        "sets: {{ abuse: {{ dynamic: true, {set} }} }}
policies:
  - name: early
    from: wan
    to: any
    rules: [{{ name: banned, source: [abuse], action: drop }}]
  - name: in
    from: wan
    to: firewall
    default: reject
    rules:
      - {{ name: knockers, services: [{{ tcp: [22] }}], add_source_to: abuse, {knockers} }}
      - {{ name: web, services: [{{ tcp: [1000] }}], action: accept }}
"
    )
}

/// What becomes of a connection from an address.
fn ask(gate: &Gate, from: &str, to: &str) -> String {
    let from = SocketAddr::new(from.parse().unwrap(), 0);
    let wait = Duration::from_millis(150);
    match tcp::probe_with(&gate.internet, Some(from), to, wait) {
        tcp::Connection::Open(_) => "open".to_owned(),
        other => other.to_string(),
    }
}

/// The elements of a set as nft lists them.
fn listed(gate: &Gate, set: &str) -> String {
    let text = gate
        .gateway
        .must("nft", &["list", "set", "inet", "rfw", set], "");
    let elements = text.split_once("elements = {").map_or("", |(_, rest)| rest);
    elements.split('}').next().unwrap().trim().to_owned()
}

const WEB: &str = "203.0.113.10:1000";
const SSH: &str = "203.0.113.10:22";

#[test]
fn whoever_knocks_is_banned_and_stays_it_over_an_apply() {
    alone(|| {
        let drops = policy("timeout: 1h", "action: drop");
        let gate = Gate::new(&drops);
        let plan = gate.must(&["plan", "--full", "--policy", "policy.yaml"]);
        assert!(plan.contains("no changes"), "{plan}");
        serve::tcp(&gate.gateway, 1000);
        assert_eq!(ask(&gate, "203.0.113.7", WEB), "open");
        assert_eq!(ask(&gate, "203.0.113.7", SSH), "filtered");
        assert_eq!(ask(&gate, "203.0.113.7", WEB), "filtered");
        assert_eq!(ask(&gate, "203.0.113.8", WEB), "open");

        // In IPv6 a source is a /64.
        gate.internet
            .ip("addr add 2001:db8:0:1::8/64 dev eth0\naddr add 2001:db8:0:2::7/128 dev lo");
        gate.gateway
            .ip("route add 2001:db8:0:2::/64 via 2001:db8:0:1::8");
        let (web, ssh) = ("[2001:db8:0:1::10]:1000", "[2001:db8:0:1::10]:22");
        assert_eq!(ask(&gate, "2001:db8:0:1::7", web), "open");
        assert_eq!(ask(&gate, "2001:db8:0:1::7", ssh), "filtered");
        assert_eq!(ask(&gate, "2001:db8:0:1::8", web), "filtered");
        assert_eq!(ask(&gate, "2001:db8:0:2::7", web), "open");

        // What the kernel put in is nobody's difference, and survives other changes, also of the rules that have it.
        let plan = gate.must(&["plan", "--full", "--policy", "policy.yaml"]);
        assert!(plan.contains("no changes"), "{plan}");
        gate.apply(&format!(
            "{}  - {{ name: more, from: lan, to: firewall, default: accept }}\n",
            drops.replace("action: drop }", "action: drop, log: { group: 3 } }")
        ));
        assert_eq!(ask(&gate, "203.0.113.7", WEB), "filtered");
        assert_eq!(ask(&gate, "2001:db8:0:1::8", web), "filtered");
        assert_eq!(ask(&gate, "203.0.113.8", SSH), "filtered");
        assert_eq!(ask(&gate, "203.0.113.8", WEB), "filtered", "it still fills");
        // Even while no rule asks or fills it.
        gate.apply(
            &policy("timeout: 1h", "action: drop")
                .replace("add_source_to: abuse, ", "")
                .replace("source: [abuse], ", "services: [http], "),
        );
        assert_eq!(ask(&gate, "203.0.113.7", WEB), "open");
        gate.apply(&drops);
        assert_eq!(ask(&gate, "203.0.113.7", WEB), "filtered");
    });
}

#[test]
fn a_ban_ends_by_itself() {
    alone(|| {
        let gate = Gate::new(&policy("timeout: 2s", "action: reject"));
        serve::tcp(&gate.gateway, 1000);
        assert_eq!(ask(&gate, "203.0.113.7", SSH), "refused");
        assert_eq!(ask(&gate, "203.0.113.7", WEB), "filtered");
        std::thread::sleep(Duration::from_millis(2300));
        assert_eq!(ask(&gate, "203.0.113.7", WEB), "open");
    });
}

#[test]
fn a_full_set_takes_no_more_and_the_rule_decides_all_the_same() {
    alone(|| {
        let gate = Gate::new(&policy(
            "timeout: 1h, size: 1",
            "action: drop, log: { group: 3, rate: 1/second }",
        ));
        serve::tcp(&gate.gateway, 1000);
        assert_eq!(ask(&gate, "203.0.113.7", SSH), "filtered");
        assert!(listed(&gate, "set/abuse.ip4").contains("203.0.113.7"));
        assert_eq!(ask(&gate, "203.0.113.8", SSH), "filtered", "not refused");
        assert!(!listed(&gate, "set/abuse.ip4").contains("203.0.113.8"));
        assert_eq!(ask(&gate, "203.0.113.8", WEB), "open");
        assert_eq!(ask(&gate, "203.0.113.7", WEB), "filtered");
    });
}

#[test]
fn another_timeout_or_size_leaves_who_is_in_it() {
    alone(|| {
        let gate = Gate::new(&policy("timeout: 1h, size: 1", "action: drop"));
        serve::tcp(&gate.gateway, 1000);
        assert_eq!(ask(&gate, "203.0.113.7", SSH), "filtered");
        assert_eq!(ask(&gate, "203.0.113.8", SSH), "filtered");
        assert_eq!(ask(&gate, "203.0.113.8", WEB), "open", "the set is full");

        gate.write(&policy("timeout: 2s, size: 2", "action: drop"));
        let plan = gate.must(&["plan", "--policy", "policy.yaml"]);
        let size =
            "~ set set/abuse.ip4 { type ipv4_addr; size 2; flags dynamic,timeout; timeout 2s; }";
        assert!(plan.contains(size), "{plan}");
        assert!(
            plan.contains("2 sets replaced; one batch of 2 operations"),
            "{plan}"
        );
        gate.must(&["apply", "--policy", "policy.yaml"]);
        let plan = gate.must(&["plan", "--full", "--policy", "policy.yaml"]);
        assert!(plan.contains("no changes"), "{plan}");

        assert_eq!(ask(&gate, "203.0.113.7", WEB), "filtered");
        assert_eq!(ask(&gate, "203.0.113.8", SSH), "filtered");
        assert_eq!(
            ask(&gate, "203.0.113.8", WEB),
            "filtered",
            "there is room now"
        );
        std::thread::sleep(Duration::from_millis(2300));
        assert_eq!(ask(&gate, "203.0.113.8", WEB), "open", "its time is over");
        assert_eq!(
            ask(&gate, "203.0.113.7", WEB),
            "filtered",
            "it came with an hour"
        );
    });
}
