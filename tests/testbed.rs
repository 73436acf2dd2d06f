//! `rfw test --kernel`: every scenario with real packets, and that a kernel which does something else is found out.

use std::fs;
use std::io::{self, Write};
use std::process::Command;
use std::time::Duration;

use jiff::civil::date;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use rfw::bytecode::{Program, linearize};
use rfw::compile::model::Model;
use rfw::diagnostic::SourceText;
use rfw::prove::Prover;
use rfw::ruleset::validate;
use rfw::system::Settings;
use rfw::testbed::{Fate, Testbed, Tried, try_test};

use super::support::rfw::Desk;
use super::support::{alone, alone_for};
use super::support::{policies, program};

/// `rfw test --kernel`, with nothing of the machine in its environment: exit code, output, errors.
fn rfw_test(arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = program::command(env!("CARGO_BIN_EXE_rfw"));
    command
        .args(["test", "--kernel"])
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    let ended = program::run(command, b"", Duration::from_secs(300));
    (ended.status.code(), ended.stdout, ended.stderr)
}

#[test]
fn the_kernel_does_what_every_policy_says() {
    alone_for(Duration::from_secs(400), || {
        let files = fs::read_dir("policies").unwrap();
        let names: Vec<String> = files
            .map(|file| file.unwrap().path().display().to_string())
            .filter(|name| name.ends_with(".yaml"))
            .collect();
        let mut arguments = vec!["--format", "json"];
        arguments.extend(names.iter().map(String::as_str));
        let (code, out, err) = rfw_test(&arguments);
        assert_eq!(code, Some(0), "{out}{err}");
        let whole: serde_json::Value = serde_json::from_str(&out).unwrap();
        let policies = whole["policies"].as_array().unwrap();
        assert_eq!(policies.len(), names.len());
        let (mut sent, mut without) = (0, Vec::new());
        for test in policies
            .iter()
            .flat_map(|it| it["tests"].as_array().unwrap())
        {
            assert_eq!(test["kernel"]["agrees"], true, "{test}");
            match test["kernel"]["packets"].as_u64().unwrap() {
                0 => without.push(test["name"].as_str().unwrap().to_owned()),
                packets => sent += packets,
            }
        }
        // A test of a set is about no packets.
        assert_eq!(without, ["own-addresses-never-listed"]);
        assert!(sent > 5000, "{sent}");
    });
}

#[test]
fn a_wrong_expectation_fails_in_the_kernel_as_well() {
    alone(|| {
        let desk = Desk::new();
        let text = fs::read_to_string("policies/minimal.yaml").unwrap();
        let from = "service: ssh, expect: accept";
        assert!(text.contains(from), "{text}");
        let path = desk.write("p.yaml", &text.replace(from, "service: ssh, expect: drop"));
        let (code, out, err) = rfw_test(&[&path]);
        assert_eq!(code, Some(3), "{out}{err}");
        assert!(
            out.contains("should be dropped, but is accepted by in/ssh; 2 sent, the kernel agrees"),
            "{out}"
        );
        let (code, out, _) = rfw_test(&[&path, "--format", "junit"]);
        assert_eq!(code, Some(3), "{out}");
        assert!(out.contains("<system-out>"), "{out}");
    });
}

const STATES: &str = "version: 1
sysctl: { forwarding: true, rp_filter: strict }
zones:
  wan: { interfaces: [eth0] }
  lan: { interfaces: [eth1], networks: [192.168.0.0/24, \"fd00::/64\"] }
policies:
  - { name: in, from: lan, to: firewall, default: reject, rules: [{ name: ssh, services: [ssh], action: accept, limit: { rate: 1/minute, burst: 1, per: source } }] }
  - { name: on, from: lan, to: wan, default: reject, rules: [{ name: web, services: [http], action: accept }] }
  - { name: out, from: firewall, to: [lan, wan], default: reject, rules: [{ name: names, services: [dns], action: accept }] }
nat:
  masquerade: [{ name: out, from: lan, to: wan }]
  dnat: [{ name: web, from: wan, services: [http], to: \"192.168.0.9\" }]
tests:
  - { name: goes-on, from: lan, to: wan, service: any, state: established, expect: accept }
  - { name: goes-on-here, from: wan, to: firewall, service: https, state: established, expect: accept }
  - { name: goes-on-out, from: firewall, to: wan, service: ssh, state: established, expect: accept }
  - { name: told-of-errors, from: wan, to: lan, service: { icmp: [time-exceeded], icmpv6: [packet-too-big] }, state: related, expect: accept, by: established }
  - { name: told-of-errors-here, from: lan, to: firewall, service: { icmp: [time-exceeded], icmpv6: [packet-too-big] }, state: related, expect: accept }
  - { name: invalid, from: lan, to: wan, service: http, state: invalid, expect: drop }
  - { name: limited, from: lan, to: firewall, service: ssh, expect: accept }
  - { name: refused, from: lan, to: firewall, service: https, expect: reject }
  - { name: asks, from: firewall, to: wan, service: dns, expect: accept }
  - { name: asks-nothing-else, from: firewall, to: wan, service: { tcp: [22, 25], udp: [123] }, expect: reject }
  - { name: hidden, from: lan, to: wan, service: http, expect: accept, source_after: eth0 }
  - { name: published, from: wan, to: firewall, service: http, family: ipv4, expect: accept, destination_after: 192.168.0.9 }
";

#[test]
fn packets_of_every_state_and_way_are_sent() {
    alone(|| {
        let desk = Desk::new();
        let path = desk.write("p.yaml", STATES);
        let (code, out, err) = rfw_test(&[&path, "--format", "json"]);
        assert_eq!(code, Some(0), "{out}{err}");
        let whole: serde_json::Value = serde_json::from_str(&out).unwrap();
        for test in whole["policies"][0]["tests"].as_array().unwrap() {
            assert!(test["kernel"]["packets"].as_u64().unwrap() > 0, "{test}");
        }
    });
}

/// A network in another one, behind an interface of its own: who is in it should not come by the other.
const NESTED: &str = "version: 1
sysctl: { forwarding: true, rp_filter: MODE }
zones:
  open: { interfaces: [eth0] }
  wide: { interfaces: [eth1], networks: [192.168.0.0/16] }
  near: { interfaces: [eth2], networks: [192.168.5.0/24] }
policies:
  - { name: all, from: any, to: [firewall, open], default: accept }
tests:
  - { name: there, from: { zone: near, address: 192.168.5.7 }, to: firewall, service: ssh, expect: accept }
  - { name: elsewhere, from: { zone: wide, address: 192.168.5.7 }, to: firewall, service: ssh, expect: accept }
  - { name: through, from: { zone: wide, address: 192.168.5.7 }, to: { zone: open, address: 198.51.100.7 }, service: ssh, expect: accept }
  - { name: false-source, from: { zone: open, address: 192.168.5.7 }, to: firewall, service: ssh, expect: drop }
";

#[test]
fn sources_that_another_interface_leads_to() {
    alone(|| {
        let desk = Desk::new();
        for mode in ["disabled", "loose", "strict"] {
            let path = desk.write("p.yaml", &NESTED.replace("MODE", mode));
            let (code, out, err) = rfw_test(&[&path]);
            let filters = mode == "strict";
            assert_eq!(
                code,
                Some(if filters { 3 } else { 0 }),
                "{mode}: {out}{err}"
            );
            let drops = "`rp_filter` drops packets from 192.168.5.7 that come in by eth1; 1 sent, the kernel agrees";
            assert_eq!(
                out.matches(drops).count(),
                if filters { 2 } else { 0 },
                "{out}"
            );
            // What the rules drop as well is dropped.
            for name in ["there", "false-source"] {
                assert!(out.contains(&format!("ok    {name} ")), "{out}");
            }
        }
    });
}

/// What a policy means and compiles to.
fn compiled(text: &str) -> (Model, Program) {
    let source = SourceText {
        name: "p.yaml".to_owned(),
        text: text.into(),
    };
    let policy = rfw::policy::parse(&[source]).policy.expect("a policy");
    let (model, found) = rfw::compile::resolve(policy, date(2026, 11, 24));
    let model = model.unwrap_or_else(|| panic!("{found:?}"));
    let ruleset = validate(rfw::compile::lower(&model)).expect("the contract");
    (model, linearize(ruleset.into_ruleset()))
}

/// What a test of [`STATES`] comes to when somebody else has such a table on the box.
fn beside(table: &str, test: &str) -> Tried {
    let (model, program) = compiled(STATES);
    let prover = Prover::new(&model, &program);
    let interfaces = prover.environment().interfaces;
    let mut testbed = Testbed::new(&interfaces, &Settings::default()).unwrap();
    testbed.apply(&program).unwrap();
    let loaded = testbed.inside(|| {
        let mut nft = program::command("nft");
        nft.args(["-f", "-"]);
        program::run(nft, table.as_bytes(), Duration::from_secs(10))
    });
    let loaded = loaded.unwrap();
    assert!(loaded.success(), "{}", loaded.stderr);
    let test = model.tests.iter().find(|it| it.name == test).unwrap();
    try_test(&mut testbed, &prover, test).unwrap()
}

#[track_caller]
fn check(table: &str, test: &str, expect: impl Fn(&Fate) -> bool) {
    let tried = beside(table, test);
    assert!(tried.sent > 0, "{tried:?}");
    match tried.disagreement {
        None => panic!("{test}: nobody noticed: {tried:?}"),
        Some(found) => {
            assert!(expect(&found.kernel.fate), "{test}: {found:?}");
            assert!(found.kernel.came && !found.bytes.is_empty(), "{found:?}");
            assert!(!found.evaluation.outcomes.is_empty());
        }
    }
}

#[test]
fn a_kernel_that_does_something_else_is_found_out() {
    alone(|| {
        let table = |chain: &str| format!("table inet other {{\nchain c {{\n{chain}\n}}\n}}\n");
        let nothing = table("type filter hook forward priority 5; policy accept;");
        assert_eq!(beside(&nothing, "hidden").disagreements, 0);
        let gone = |fate: &Fate| *fate == Fate::Gone;
        // What should pass is dropped, here and there.
        let drop = |hook: &str| table(&format!("type filter hook {hook} priority 5; policy drop;"));
        check(&drop("forward"), "hidden", gone);
        check(&drop("input"), "limited", gone);
        check(&drop("output"), "asks", gone);
        // What should be rejected is dropped, or in another way.
        check(&drop("prerouting"), "refused", gone);
        let reject = table(
            "type filter hook input priority -50; policy accept;\nreject with icmpx host-unreachable",
        );
        let error = |fate: &Fate| matches!(fate, Fate::Error { .. });
        check(&reject, "refused", error);
        // What is translated becomes something else.
        let nat = table(
            "type nat hook postrouting priority 50; policy accept;\nip saddr 192.168.0.0/24 snat ip to 192.0.2.99",
        );
        let elsewhere = |fate: &Fate| match fate {
            Fate::Passed { source, .. } => source.to_string() == "192.0.2.99",
            _ => false,
        };
        check(&nat, "hidden", elsewhere);
        // Established connections are looked at as well.
        check(&drop("forward"), "goes-on", gone);
    });
}

/// Tests about everything that can come from a zone or the box, new and going on; what becomes of it does not matter here.
const EVERYTHING: &str = "tests:
  - { name: wan-lan, from: { zone: wan, address: 203.0.113.8/31 }, to: { zone: lan, address: 192.168.1.8/29 }, service: { tcp: [22, 80, 9005], udp: [53] }, at: \"2027-03-26 12:00\", expect: accept }
  - { name: lan-wan, from: { zone: lan, address: 192.168.1.10/31 }, to: { zone: wan, address: 203.0.113.8/31 }, service: any, at: \"2027-03-28 04:29\", expect: accept }
  - { name: lan-vpn, from: { zone: lan, address: \"fd00::10/127\" }, to: { zone: vpn, address: \"fd00:1::/126\" }, service: { tcp: [22, 53, 8080], udp: [53] }, at: \"2027-03-26 12:00\", expect: accept }
  - { name: wan-here, from: { zone: wan, address: 203.0.113.8/31 }, to: firewall, family: ipv4, service: { tcp: [22, 25, 80], udp: [53] }, at: \"2027-03-29 17:00\", expect: accept }
  - { name: vpn-here, from: { zone: vpn, address: \"fd00:1::/126\" }, to: firewall, service: ssh, at: \"2027-03-27 23:00\", expect: accept }
  - { name: out, from: firewall, to: { zone: wan, address: 203.0.113.8/31 }, service: { tcp: [22, 80], udp: [53] }, at: \"2027-03-26 12:00\", expect: accept }
  - { name: goes-on, from: { zone: lan, address: 192.168.1.10/31 }, to: { zone: wan, address: 203.0.113.8/31 }, service: any, at: \"2027-03-27 12:00\", state: established, expect: accept }
  - { name: invalid, from: { zone: wan, address: 203.0.113.8/31 }, to: { zone: lan, address: 192.168.1.8/29 }, service: https, at: \"2027-03-27 12:00\", state: invalid, expect: accept }
";

/// `RFW_DIFFERENTIAL_POLICIES` and `RFW_DIFFERENTIAL_SEED` make longer and other runs.
#[test]
fn proofs_of_policies_by_chance_are_what_the_kernel_does() {
    let given = |name: &str, otherwise: u64| {
        std::env::var(name).map_or(otherwise, |text| text.parse().expect("a number"))
    };
    let count = given("RFW_DIFFERENTIAL_POLICIES", 4);
    let seed = given("RFW_DIFFERENTIAL_SEED", 1);
    alone_for(Duration::from_secs(120 + 20 * count), || {
        let mut bytes = [9; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        let mut runner = TestRunner::new_with_rng(Config::default(), rng);
        let (mut done, mut drawn, mut sent) = (0, 0, 0);
        while done < count {
            drawn += 1;
            assert!(drawn < 50 * count, "hardly any of the policies is one");
            let text = policies::policy().new_tree(&mut runner).unwrap().current();
            let text = format!("{text}{EVERYTHING}");
            let source = SourceText {
                name: "p.yaml".to_owned(),
                text: text.clone().into(),
            };
            let Some(policy) = rfw::policy::parse(&[source]).policy else {
                continue;
            };
            let (model, _) = rfw::compile::resolve(policy, date(2026, 11, 24));
            let Some(model) = model else {
                continue;
            };
            done += 1;
            let ruleset = validate(rfw::compile::lower(&model)).expect("the contract");
            let program = linearize(ruleset.into_ruleset());
            let prover = Prover::new(&model, &program);
            let interfaces = prover.environment().interfaces;
            let mut testbed = Testbed::new(&interfaces, &Settings::default()).unwrap();
            testbed.apply(&program).unwrap();
            for test in &model.tests {
                let tried = try_test(&mut testbed, &prover, test).unwrap();
                let name = &test.name;
                let (number, sent_now) = (tried.disagreements, tried.sent);
                if let Some(found) = &tried.disagreement {
                    let firewall = prover.firewall();
                    let met = found.met.iter().flatten().map(|at| firewall.rule(*at));
                    let met: Vec<_> = met.collect();
                    panic!("{name}: {number} of {sent_now}: {found:?}\nby {met:#?}\n{text}");
                }
                assert_eq!(tried.untraced, 0, "{name}\n{text}");
                sent += tried.sent;
            }
        }
        let _ = writeln!(
            io::stderr(),
            "{sent} packets of proofs of {done} policies, seed {seed}: 0 wrong"
        );
        assert!(sent > 100 * count as usize, "{sent}");
    });
}

#[test]
fn without_namespaces_it_says_why_and_fails() {
    alone(|| {
        let script = "echo 0 >/proc/sys/user/max_user_namespaces; echo 0 >/proc/sys/user/max_net_namespaces; \
                      exec \"$0\" test --kernel policies/minimal.yaml";
        let mut command = Command::new("unshare");
        command
            .args(["-Ur", "sh", "-c", script, env!("CARGO_BIN_EXE_rfw")])
            .current_dir(env!("CARGO_MANIFEST_DIR"));
        let ended = program::run(command, b"", Duration::from_secs(60));
        assert_eq!(
            ended.status.code(),
            Some(1),
            "{}{}",
            ended.stdout,
            ended.stderr
        );
        for part in [
            "cannot make a network namespace to send packets in",
            "user.max_user_namespaces",
            "No space left on device",
        ] {
            assert!(ended.stderr.contains(part), "{part}: {}", ended.stderr);
        }
        assert_eq!(ended.stdout, "");
    });
}

#[test]
fn nothing_outside_is_touched() {
    alone(|| {
        let look = || {
            let run = |name: &str, arguments: &[&str]| {
                let mut command = program::command(name);
                command.args(arguments);
                let ended = program::run(command, b"", Duration::from_secs(10));
                assert!(ended.success(), "{}", ended.stderr);
                ended.stdout
            };
            run("ip", &["-o", "link"])
                + &run("nft", &["list", "ruleset"])
                + &run("ip", &["route"])
                + &fs::read_to_string("/proc/sys/net/ipv4/ip_forward").unwrap()
        };
        let before = look();
        let (code, out, err) = rfw_test(&["policies/minimal.yaml"]);
        assert_eq!(code, Some(0), "{out}{err}");
        assert_eq!(look(), before);
    });
}
