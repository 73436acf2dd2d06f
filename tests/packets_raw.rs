//! Rules in nft's own words: what they do to packets, what a plan says of them, and which are refused.

use super::support::gate::Gate;
use super::support::rfw::Desk;
use super::support::{Host, alone, serve, tcp};

const POLICY: &str = "groups: { friends: [203.0.113.7, 203.0.113.8, \"2001:db8:0:1::7\"] }
policies:
  - { name: out, from: lan, to: wan, default: accept }
  - name: in
    from: wan
    to: lan
    default: drop
    rules: [{ name: friends, services: [{ tcp: [9] }], source: [friends], action: accept }]
raw:
  - name: odd
    hook: forward
    rules:
      - ip daddr 203.0.113.7 tcp dport 1000 counter drop
      - ip6 daddr 2001:db8:0:1::7 tcp dport 1000 drop
  - name: friends
    hook: forward
    rules:
      - ip saddr @group/friends.ip4 tcp dport 3000 accept
      - ip6 saddr @group/friends.ip6 tcp dport 3000 accept
      - tcp flags & (fin|syn) == (fin|syn) limit rate 3/minute log group 5 drop
      - ct count over 1000 meta mark set 7
  - { name: last, hook: input, place: after, rules: [iifname eth0 tcp dport 4000 accept] }
";

#[test]
fn raw_rules_come_before_and_after_the_policies() {
    alone(|| {
        let gate = Gate::new("policies: [{ name: none, from: lan, to: wan, default: drop }]\n");
        gate.write(POLICY);
        let planned = gate.must(&["plan", "--policy", "policy.yaml"]);
        let marked: Vec<&str> = planned
            .lines()
            .filter(|line| line.ends_with("(raw, outside the proofs)"))
            .collect();
        assert_eq!(marked.len(), 3 + 7, "{planned}");
        assert!(
            planned.contains("\"raw/odd/1\" (raw, outside the proofs)"),
            "{planned}"
        );
        gate.apply(POLICY);
        for port in [1000, 2000, 3000] {
            serve::tcp(&gate.internet, port);
            serve::tcp(&gate.server, port);
        }
        serve::tcp(&gate.gateway, 4000);
        serve::tcp(&gate.gateway, 5000);
        let seen = |host, to| tcp::probe(host, to).to_string();
        // Dropped, though a policy accepts.
        assert_eq!(seen(&gate.ordinary, "203.0.113.7:1000"), "filtered");
        assert_eq!(
            seen(&gate.ordinary, "203.0.113.7:2000"),
            "open: internet 192.168.2.50"
        );
        assert_eq!(seen(&gate.ordinary, "[2001:db8:0:1::7]:1000"), "filtered");
        let six = seen(&gate.ordinary, "[2001:db8:0:1::7]:2000");
        assert!(six.starts_with("open: internet "), "{six}");
        // Accepted, though a policy drops.
        assert_eq!(
            seen(&gate.internet, "192.168.1.20:3000"),
            "open: server 203.0.113.7"
        );
        assert_eq!(seen(&gate.internet, "192.168.1.20:2000"), "filtered");
        let six = seen(&gate.internet, "[fd12:3456:789a::20]:3000");
        assert_eq!(six, "open: server 2001:db8:0:1::7");
        assert_eq!(
            seen(&gate.internet, "[fd12:3456:789a::20]:2000"),
            "filtered"
        );
        // After the policies, of which none speaks of this pair.
        let open = seen(&gate.internet, "203.0.113.10:4000");
        assert!(open.starts_with("open: "), "{open}");
        assert_eq!(seen(&gate.internet, "203.0.113.10:5000"), "filtered");
    });
}

#[test]
fn raw_rules_stay_as_they_are() {
    alone(|| {
        let gate = Gate::new(POLICY);
        let plan = || gate.must(&["plan", "--full", "--policy", "policy.yaml"]);
        assert!(plan().contains("no changes"), "{}", plan());
        // The same again, and what nft itself makes of the rendered text.
        let render =
            |format: &str| gate.must(&["render", "--format", format, "--policy", "policy.yaml"]);
        assert_eq!(render("bytecode"), render("bytecode"));
        let script = render("nft");
        assert!(
            script.contains(
                "\t\tip daddr 203.0.113.7 tcp dport 1000 counter drop comment \"raw/odd/1\"\n"
            ),
            "{script}"
        );
        let list = || {
            gate.gateway
                .must("nft", &["-s", "list", "table", "inet", "rfw"], "")
        };
        let ours = list();
        gate.gateway.must("nft", &["-f", "-"], &script);
        assert_eq!(sorted(&list()), sorted(&ours));
        assert!(plan().contains("no changes"), "{}", plan());
        // Whoever meddles with them is seen.
        gate.gateway.must(
            "nft",
            &["insert", "rule", "inet", "rfw", "raw/odd", "accept"],
            "",
        );
        let drift = plan();
        assert!(drift.contains("-   accept"), "{drift}");
        assert!(drift.contains("(raw, outside the proofs)"), "{drift}");
        gate.apply(POLICY);
        assert_eq!(sorted(&list()), sorted(&ours));
    });
}

/// The lines of a listing, whatever the order of its chains.
fn sorted(listing: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = listing.lines().collect();
    lines.sort_unstable();
    lines
}

#[test]
fn texts_that_cannot_be_raw_rules_are_refused() {
    alone(|| {
        let gate = Gate::new("policies: [{ name: none, from: lan, to: wan, default: drop }]\n");
        let list = || gate.gateway.must("nft", &["list", "ruleset"], "");
        let before = list();
        let check = |text: &str, code: &str, message: &str| {
            gate.write(&format!(
                "policies: [{{ name: none, from: lan, to: wan, default: drop }}]\nraw:\n  - name: odd\n    hook: input\n    rules:\n      - accept\n      - {text:?}\n"
            ));
            let output = gate.rfw(&["validate", "--policy", "policy.yaml"]);
            let said = format!("{}{}", output.stdout, output.stderr);
            assert!(!output.success(), "{text}");
            assert!(
                said.contains(&format!("error[{code}]: {message}")),
                "{said}"
            );
            assert!(said.contains("policy.yaml:12:"), "{said}");
            let applied = gate.rfw(&["apply", "--policy", "policy.yaml"]);
            assert!(!applied.success(), "{text}");
            assert_eq!(list(), before, "{text}");
        };
        let nft = "nft does not take the raw rule: ";
        check("tcp dprt 22 drop", "raw-syntax", nft);
        check("ip saddr @nobody drop", "raw-syntax", nft);
        check("iif eth7 drop", "raw-syntax", nft);
        check("drop accept nonsense", "raw-syntax", nft);
        for text in [
            "}; flush ruleset; table x {",
            "drop\nflush ruleset",
            "drop; flush ruleset",
            "drop \\",
            "drop # then",
            "log prefix \"x\"",
        ] {
            check(text, "raw-syntax", "");
        }
        check(
            "limit rate over 10/second drop",
            "raw-not-possible",
            "the raw rule holds what rfw cannot keep as it is (`limit`)",
        );
        check(
            "masquerade",
            "raw-not-possible",
            "the raw rule translates addresses",
        );
        check(
            "ct label set 5",
            "raw-not-possible",
            "the raw rule sets labels of connections, which belong to rfw",
        );
        check("goto input", "raw-not-possible", "");
        check("ip saddr localhost drop", "raw-not-possible", "");
    });
}

#[test]
fn raw_rules_of_a_policy_for_several_nodes_are_read_for_any() {
    alone(|| {
        let gate = Gate::new("policies: [{ name: none, from: lan, to: wan, default: drop }]\n");
        let rules = "nodes: { a: { interfaces: { eth0: x0, eth1: x1 } }, b: { interfaces: { eth0: y0, eth1: y1 } } }
policies: [{ name: none, from: lan, to: wan, default: drop }]
raw: [{ name: odd, hook: forward, rules: [tcp dport 1000 drop, RULE] }]
";
        let check = |rule: &str, expect: &str| {
            gate.write(&rules.replace("RULE", rule));
            let output = gate.rfw(&["validate", "--policy", "policy.yaml"]);
            let said = format!("{}{}", output.stdout, output.stderr);
            assert!(said.contains(expect), "{said}");
        };
        check("tcp dport 2000 drop", "valid, 0 errors");
        check("tcp dport two drop", "error[raw-syntax]");
    });
}

#[test]
fn without_nft_only_raw_rules_do_not_work() {
    alone(|| {
        let gate = Gate::new("policies: [{ name: none, from: lan, to: wan, default: drop }]\n");
        // In the mount namespace of this test.
        let hide = "for f in /usr/local/sbin/nft /usr/local/bin/nft /usr/sbin/nft /usr/bin/nft /sbin/nft /bin/nft; do \
                    test ! -e $f || mount --bind /dev/null $f; done";
        gate.gateway.must("sh", &["-c", hide], "");
        gate.write(POLICY);
        let output = gate.rfw(&["validate", "--policy", "policy.yaml"]);
        assert!(!output.success(), "{}", output.stdout);
        assert!(
            output
                .stderr
                .contains("cannot run `nft`, which raw rules need"),
            "{}",
            output.stderr
        );
        gate.apply("policies: [{ name: none, from: lan, to: wan, default: accept }]\n");
    });
}

#[test]
fn what_asks_for_the_length_is_not_proven() {
    alone(|| {
        let (host, desk) = (Host::new("box"), Desk::new());
        for (rule, proven) in [
            ("meta length > 100 counter drop", false),
            ("ip length > 100 counter drop", false),
            ("ip6 length > 100 counter drop", false),
            ("tcp dport 23 counter drop", true),
        ] {
            let text = format!(
                "version: 1\nname: raw\nzones: {{ lan: {{ interfaces: [eth0] }} }}\n\
                 policies: [{{ name: in, from: lan, to: firewall, default: accept }}]\n\
                 raw: [{{ name: odd, hook: input, place: before, rules: [{rule:?}] }}]\n\
                 tests: [{{ name: web, from: lan, to: firewall, service: http, expect: accept }}]\n"
            );
            let path = desk.write("raw.yaml", &text);
            let output = desk.rfw(&host, &["test", &path]);
            let said = format!("{}{}", output.stdout, output.stderr);
            assert_eq!(output.success(), proven, "{rule}: {said}");
            let not_proven = "`raw/odd/1` in chain `raw/odd` compares packets in a way that proofs do not follow";
            assert_eq!(said.contains(not_proven), !proven, "{rule}: {said}");
        }
    });
}
