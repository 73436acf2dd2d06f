//! `rfw digest`: what replicas compare is what the policy means, and nothing else; what the kernel holds is told from it.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use jiff::civil::date;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};
use rfw::apply::{Options, apply};
use rfw::bytecode::{Program, linearize};
use rfw::compile::{Given, Logical, compile_logical};
use rfw::diagnostic::SourceText;
use rfw::digest::{self, Comparison, Detail, Digest, View};
use rfw::kernel::{FakeKernel, Kernel};
use rfw::live::Live;
use rfw::plan::plan;
use rfw::ruleset::validate;
use serde_json::Value;

use super::support::rfw::Desk;
use super::support::{Host, alone, policies};

/// What one text compiles to.
struct Made {
    logical: Logical,
    symbolic: Program,
    program: Program,
}

impl Made {
    fn policy(&self) -> Digest {
        digest::policy(&self.symbolic, &self.logical, "2026a", Detail::Whole).whole
    }

    fn ruleset(&self) -> Digest {
        digest::ruleset(&self.program, Detail::Whole).whole
    }
}

/// `None` when the language refuses the policy.
fn made(sources: &[SourceText], node: Option<&str>) -> Option<Made> {
    let policy = rfw::policy::parse(sources).policy?;
    let given = Given {
        node,
        ..Given::from(date(2026, 11, 24))
    };
    let (compiled, mut logical) = compile_logical(policy, given).0?;
    let ruleset = validate(compiled.ruleset)
        .expect("the contract")
        .into_ruleset();
    Some(Made {
        symbolic: linearize(std::mem::take(&mut logical.ruleset)),
        program: linearize(ruleset),
        logical,
    })
}

fn text(name: &str, text: &str) -> SourceText {
    SourceText {
        name: name.to_owned(),
        text: text.into(),
    }
}

/// A fake kernel that holds a program.
fn live(program: &Program) -> Live {
    let mut kernel = FakeKernel::new();
    let before = kernel.observe().unwrap();
    let made = plan(&before, program, [1; 16]);
    let mut wait = |_: u32| {};
    let options = Options {
        attempts: 3,
        wait: &mut wait,
        recheck: false,
    };
    apply(&mut kernel, program, &made, options).unwrap();
    kernel.observe().unwrap()
}

/// The sections of a policy, each with its lines.
fn sections(policy: &str) -> Vec<String> {
    let mut sections: Vec<String> = Vec::new();
    for line in policy.lines() {
        if !line.starts_with([' ', '#']) || sections.is_empty() {
            sections.push(String::new());
        }
        let last = sections.last_mut().unwrap();
        last.push_str(line);
        last.push('\n');
    }
    sections
}

/// With a comment after each line, and empty lines.
fn spaced(policy: &str) -> String {
    let lines = policy.lines();
    lines.map(|line| format!("{line}   # said\n\n")).collect()
}

/// The same with interfaces by logical names, and two nodes that call them otherwise.
fn with_nodes(policy: &str) -> String {
    let policy = policy.replace("zones:", "nodes:\n  a: { interfaces: { eth0: enp9s0, eth1: enp1s0, eth2: br0 } }\n  b: { interfaces: { eth0: a0, eth1: a1, eth2: a2 } }\nzones:");
    assert!(policy.contains("nodes:"));
    policy
}

/// Small changes of a text, some of which change what it means.
const CHANGES: [(&str, &str); 12] = [
    ("action: accept", "action: drop"),
    ("action: drop", "action: reject"),
    ("10/minute", "11/minute"),
    ("prefix: seen", "prefix: saw"),
    ("192.168.1.10", "192.168.1.11"),
    ("fd00::10", "fd00::11"),
    ("[ssh", "[telnet"),
    ("name: r", "name: s"),
    ("default: drop", "default: reject"),
    ("burst: 7", "burst: 8"),
    ("17:00", "18:00"),
    ("from: lan", "from: vpn"),
];

/// A text with one of the changes at one of its places.
fn changed(policy: &str, which: &Index, place: &Index) -> String {
    let possible: Vec<_> = CHANGES
        .iter()
        .filter(|(from, _)| policy.contains(from))
        .collect();
    if possible.is_empty() {
        return policy.to_owned();
    }
    let (from, to) = which.get(&possible);
    let places: Vec<usize> = policy.match_indices(from).map(|(at, _)| at).collect();
    let at = *place.get(&places);
    format!("{}{to}{}", &policy[..at], &policy[at + from.len()..])
}

/// Two policies have one digest if and only if no plan leads from one to the other.
#[test]
fn digests_are_equal_where_plans_are_empty() {
    let strategy = (policies::policy(), any::<Index>(), any::<Index>());
    let config = Config {
        cases: 120,
        failure_persistence: None,
        ..Config::default()
    };
    let (mut same, mut other) = (0, 0);
    let counts = std::cell::RefCell::new((&mut same, &mut other));
    let ran = TestRunner::new(config).run(&strategy, |(policy, which, place)| {
        let Some(one) = made(&[text("made.yaml", &policy)], None) else {
            return Ok(());
        };
        let live = live(&one.program);
        prop_assert_eq!(digest::live(&live, Detail::Whole).whole, one.ruleset());
        let mutant = changed(&policy, &which, &place);
        let Some(two) = made(&[text("made.yaml", &mutant)], None) else {
            return Ok(());
        };
        let is_empty = plan(&live, &two.program, [1; 16]).is_empty();
        prop_assert_eq!(
            one.ruleset() == two.ruleset(),
            is_empty,
            "{}\n{}",
            policy,
            mutant
        );
        prop_assert_eq!(
            one.policy() == two.policy(),
            is_empty,
            "{}\n{}",
            policy,
            mutant
        );
        let mut counts = counts.borrow_mut();
        *(if is_empty {
            &mut *counts.0
        } else {
            &mut *counts.1
        }) += 1;
        Ok(())
    });
    ran.unwrap();
    assert!(20 < other, "{same} the same, {other} others");
}

#[test]
fn neither_files_nor_spaces_nor_nodes_stand_in_the_policy_digest() {
    let strategy = (policies::policy(), any::<u64>());
    let config = Config {
        cases: 60,
        failure_persistence: None,
        ..Config::default()
    };
    let ran = TestRunner::new(config).run(&strategy, |(policy, order)| {
        let Some(one) = made(&[text("made.yaml", &policy)], None) else {
            return Ok(());
        };
        let expect = one.policy();
        let again = made(&[text("/elsewhere/z.yaml", &spaced(&policy))], None).unwrap();
        prop_assert_eq!(again.policy(), expect, "comments");
        // Each section in a file of its own, in another order.
        let mut files = sections(&policy);
        let mut order = order;
        for end in (1..files.len()).rev() {
            files.swap(end, usize::try_from(order % (end as u64 + 1)).unwrap());
            order = order.rotate_right(7);
        }
        let files: Vec<SourceText> = files
            .iter()
            .enumerate()
            .map(|(nth, section)| text(&format!("{nth}.yaml"), section))
            .collect();
        prop_assert_eq!(made(&files, None).unwrap().policy(), expect, "files");
        let nodes = [text("made.yaml", &with_nodes(&policy))];
        let a = made(&nodes, Some("a")).unwrap();
        let b = made(&nodes, Some("b")).unwrap();
        prop_assert_eq!(a.policy(), expect, "node a");
        prop_assert_eq!(b.policy(), expect, "node b");
        prop_assert!(a.ruleset() != b.ruleset());
        Ok(())
    });
    ran.unwrap();
}

#[test]
fn what_is_no_rule_stands_in_the_digest_too() {
    const POLICY: &str = "version: 1\ntimezone: Europe/Berlin\nsysctl: { forwarding: true }\n\
        zones: { lan: { interfaces: [eth0] } }\n\
        sets: { bad: { source: https://l.example/a, refresh: 1h, never_contains: [10.0.0.0/8, \"fd00::/8\"] } }\n\
        schedules: { w: { dates: [2027-03-01], from: \"08:00\", to: \"09:00\" } }\n\
        policies:\n  - { name: in, from: lan, to: firewall, default: drop, rules: [{ name: b, source: [bad], action: drop }, \
        { name: s, services: [ssh], schedule: w, action: accept }] }\n";
    let digest = |policy: &str| made(&[text("a.yaml", policy)], None).unwrap().policy();
    let mut seen = BTreeSet::from([digest(POLICY)]);
    for (from, to) in [
        ("forwarding: true", "forwarding: false"),
        ("forwarding: true", "forwarding: true, tcp_loose: false"),
        ("l.example/a", "l.example/b"),
        ("refresh: 1h", "refresh: 2h"),
        ("refresh: 1h", "refresh: 1h, max_entries: 9"),
        ("refresh: 1h", "refresh: 1h, keep_last_good: 2d"),
        ("refresh: 1h", "refresh: 1h, sha256_of: https://l.example/s"),
        ("10.0.0.0/8", "10.0.0.0/9"),
        ("fd00::/8", "fd00::/9"),
        ("Europe/Berlin", "Europe/Lisbon"),
        ("09:00", "09:30"),
    ] {
        let changed = POLICY.replace(from, to);
        assert_ne!(changed, POLICY);
        assert!(seen.insert(digest(&changed)), "{from} -> {to}");
    }
    // The time zone database has a say where there are schedules, and only there.
    let by = |policy: &str, version| {
        let made = made(&[text("a.yaml", policy)], None).unwrap();
        digest::policy(&made.symbolic, &made.logical, version, Detail::Whole).whole
    };
    assert_ne!(by(POLICY, "2026a"), by(POLICY, "2026b"));
    let timeless = POLICY.replace("schedule: w, ", "");
    assert_eq!(by(&timeless, "2026a"), by(&timeless, "2026b"));
}

/// What a copy of a list holds is no part of the policy.
#[test]
fn copies_of_lists_belong_to_the_node() {
    const POLICY: &str = "version: 1\nzones: { lan: { interfaces: [eth0] } }\n\
        sets: { bad: { source: https://l.example/a } }\n\
        policies:\n  - { name: in, from: lan, to: firewall, default: drop, rules: [{ name: b, source: [bad], action: drop }] }\n";
    let (host_list, none) = (
        rfw::compile::Copies::from([(
            "bad".to_owned(),
            rfw::ruleset::Addresses::v4_range([198, 51, 100, 7].into(), [198, 51, 100, 9].into())
                .unwrap(),
        )]),
        rfw::compile::Copies::new(),
    );
    let digests = |copies| {
        let policy = rfw::policy::parse(&[text("a.yaml", POLICY)])
            .policy
            .unwrap();
        let given = Given {
            copies,
            ..Given::from(date(2026, 11, 24))
        };
        let (compiled, mut logical) = compile_logical(policy, given).0.unwrap();
        let symbolic = linearize(std::mem::take(&mut logical.ruleset));
        (
            digest::policy(&symbolic, &logical, "", Detail::Whole).whole,
            digest::ruleset(&linearize(compiled.ruleset), Detail::Whole).whole,
        )
    };
    let (filled, empty) = (digests(&host_list), digests(&none));
    assert_eq!(filled.0, empty.0);
    assert_ne!(filled.1, empty.1);
}

const POLICY: &str = "version: 1
name: pair
nodes:
  fw-a: { interfaces: { wan0: eth0, lan0: eth1 } }
  fw-b: { interfaces: { wan0: enp1s0, lan0: enp2s0 } }
zones:
  wan: { interfaces: [wan0] }
  lan: { interfaces: [lan0], networks: [10.1.0.0/24] }
sets:
  knockers: { dynamic: true, timeout: 1h, size: 100 }
groups:
  web: [10.1.0.10, 10.1.0.20]
policies:
  - name: in
    from: wan
    to: firewall
    default: drop
    rules:
      - { name: known, source: [knockers], action: drop }
      - { name: ssh, services: [ssh], source: [web], action: accept, limit: { rate: 10/minute, per: source } }
      - { name: knock, services: [telnet], action: drop, add_source_to: knockers }
  - { name: out, from: firewall, to: [wan, lan], default: accept }
";

fn json(desk: &Desk, host: &Host, arguments: &[&str]) -> View {
    let output = desk.rfw(host, &[arguments, &["--format", "json"]].concat());
    View::from_json(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

#[test]
fn what_the_kernel_holds_is_told_from_what_it_should() {
    alone(|| {
        let (host, desk) = (Host::new("box"), Desk::new());
        let path = desk.write("pair.yaml", POLICY);
        let digest = ["digest", "--policy", &path, "--node", "fw-a"];
        let code = |arguments: &[&str]| desk.rfw(&host, arguments).code();
        // No table is not the ruleset.
        assert_eq!(code(&digest), 2);
        let apply = || desk.must(&host, &["apply", "--policy", &path, "--node", "fw-a"]);
        apply();
        let view = json(&desk, &host, &digest);
        assert_eq!(view.live.as_deref(), Some(view.ruleset.as_str()));
        assert_eq!(code(&digest), 0);
        // What moves by itself is no difference.
        host.must(
            "nft",
            &[
                "add",
                "element",
                "inet",
                "rfw",
                "set/knockers.ip4",
                "{ 192.0.2.1 }",
            ],
            "",
        );
        assert_eq!(code(&digest), 0);
        for script in [
            "add rule inet rfw policy/out drop",
            "add element inet rfw group/web.ip4 { 10.1.0.99 }",
            "add set inet rfw mine { type ipv4_addr; }",
            "add chain inet rfw mine",
            "add table inet rfw { flags dormant; }",
        ] {
            host.must("nft", &["-f", "-"], script);
            assert_eq!(code(&digest), 2, "{script}");
            assert_ne!(json(&desk, &host, &digest).live, view.live, "{script}");
            assert_eq!(json(&desk, &host, &digest).policy, view.policy);
            apply();
            assert_eq!(code(&digest), 0, "{script}");
        }
        // Without rights the digests are there all the same.
        let output = desk.rfw_without_rights(&host, &digest);
        assert_eq!(output.code(), 1, "{output:?}");
        assert!(output.stdout.contains(&view.policy), "{output:?}");
        assert!(
            output.stdout.contains("live       was not read"),
            "{output:?}"
        );
        assert!(output.stderr.contains("CAP_NET_ADMIN"), "{output:?}");
        let output = desk.rfw_without_rights(&host, &[&digest[..], &["--no-kernel"]].concat());
        assert_eq!(output.code(), 0, "{output:?}");
        assert!(output.stdout.contains(&view.ruleset), "{output:?}");
    });
}

/// A stand-in for ssh that runs the program on another host of the test.
fn stand_in(
    desk: &Desk,
    name: &str,
    peer: &Host,
    of_peer: &Desk,
    policy: &str,
    node: &str,
) -> String {
    let script = format!(
        "#!/bin/sh\nset -e\ntest \"$1 $2\" = 'peer rfw'\nshift 2\nexec /usr/bin/nsenter --net={} /usr/bin/env \
         RFW_POLICY={policy} RFW_NODE={node} RFW_STATE_DIR={} RFW_RUN_DIR={} {} \"$@\"\n",
        peer.path(),
        of_peer.file("state").display(),
        of_peer.file("run").display(),
        env!("CARGO_BIN_EXE_rfw"),
    );
    let path = desk.write(name, &script);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[test]
fn replicas_are_compared_and_what_differs_is_named() {
    alone(|| {
        let (a, b) = (Host::new("fw-a"), Host::new("fw-b"));
        let (desk, of_b) = (Desk::new(), Desk::new());
        let here = desk.write("pair.yaml", POLICY);
        let there = of_b.write("other/name.yaml", POLICY);
        desk.must(&a, &["apply", "--policy", &here, "--node", "fw-a"]);
        of_b.must(&b, &["apply", "--policy", &there, "--node", "fw-b"]);
        let ssh = stand_in(&desk, "ssh", &b, &of_b, &there, "fw-b");
        let compare = |more: &[&str]| {
            let arguments = [
                "digest", "--policy", &here, "--node", "fw-a", "--peer", "peer", "--ssh", &ssh,
            ];
            desk.rfw(&a, &[&arguments, more].concat())
        };
        let said = compare(&[]);
        let lines: Vec<&str> = said.stdout.lines().skip(1).collect();
        assert_eq!(
            lines,
            [
                "node       interface lan0: eth1 here, enp2s0 there",
                "node       interface wan0: eth0 here, enp1s0 there",
                "node       node: fw-a here, fw-b there",
                "live       here what this node compiles; there what that node compiles",
            ],
            "{said:?}"
        );
        assert!(said.stdout.starts_with("policy     the same: "), "{said:?}");
        assert_eq!(said.code(), 0);
        // The other one has another policy.
        of_b.write(
            "other/name.yaml",
            &POLICY
                .replace("10/minute", "20/minute")
                .replace("telnet", "smtp"),
        );
        let said = compare(&[]);
        assert_eq!(said.code(), 2, "{said:?}");
        for line in [
            "differs    chain policy/in \"in/ssh\"\n",
            "differs    chain policy/in \"in/knock\"\n",
            "there not what that node compiles; `rfw plan` shows what differs\n",
        ] {
            assert!(said.stdout.contains(line), "{line}{}", said.stdout);
        }
        assert!(!said.stdout.contains("in/known"), "{said:?}");
        let printed: Value = serde_json::from_str(&compare(&["--format", "json"]).stdout).unwrap();
        let schema: Value = serde_json::from_str(&Comparison::schema()).unwrap();
        let errors: Vec<String> = jsonschema::validator_for(&schema)
            .unwrap()
            .iter_errors(&printed)
            .map(|error| error.to_string())
            .collect();
        assert_eq!(errors, [""; 0], "{printed}");
        // Only its kernel is another.
        of_b.write("other/name.yaml", POLICY);
        b.must("nft", &["flush", "ruleset"], "");
        let said = compare(&[]);
        assert_eq!(said.code(), 2, "{said:?}");
        assert!(said.stdout.starts_with("policy     the same: "), "{said:?}");
        // By its name in agent.yaml, and all of them for the status.
        of_b.must(&b, &["apply", "--policy", &there, "--node", "fw-b"]);
        let agent = desk.write(
            "agent.yaml",
            "version: 1\nnode: fw-a\npeers:\n  - { node: fw-b, address: 192.0.2.2 }\n  - { node: fw-c, address: 192.0.2.3 }\n",
        );
        let by_address = desk.write(
            "by-address",
            &fs::read_to_string(&ssh)
                .unwrap()
                .replace("'peer rfw'", "'192.0.2.2 rfw'"),
        );
        fs::set_permissions(&by_address, fs::Permissions::from_mode(0o755)).unwrap();
        let common = ["--policy", &here, "--agent", &agent, "--ssh", &by_address];
        let said = desk.rfw(&a, &[&["digest", "--peer", "fw-b"], &common[..]].concat());
        assert_eq!(said.code(), 0, "{said:?}");
        let said = desk.must(&a, &[&["status", "--peers"], &common[..]].concat());
        assert!(
            said.contains(
                "peer       fw-b: the same policy, and its kernel holds it\npeer       fw-c: `"
            ),
            "{said}"
        );
        // Whom nobody knows, and what is an option.
        let said = desk.rfw(
            &a,
            &[
                "digest", "--policy", &here, "--node", "fw-a", "--peer", "stranger", "--ssh", &ssh,
            ],
        );
        assert_eq!(said.code(), 1, "{said:?}");
        let said = desk.rfw(
            &a,
            &[
                "digest",
                "--policy",
                &here,
                "--node",
                "fw-a",
                "--peer=-oProxyCommand=x",
                "--ssh",
                &ssh,
            ],
        );
        assert_eq!(said.code(), 1, "{said:?}");
        assert!(said.stderr.contains("is no name of a host"), "{said:?}");
    });
}

/// `RFW_UPDATE=1` rewrites the files.
#[test]
fn the_shapes_are_published() {
    for (name, schema) in [
        ("digest", View::schema()),
        ("digest-peer", Comparison::schema()),
    ] {
        let path = format!("{}/schema/{name}.schema.json", env!("CARGO_MANIFEST_DIR"));
        if std::env::var_os("RFW_UPDATE").is_some() {
            fs::write(&path, &schema).unwrap();
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), schema, "{name}");
    }
    let made = made(&[text("a.yaml", POLICY)], Some("fw-a")).unwrap();
    let digested = digest::policy(&made.symbolic, &made.logical, "", Detail::Parts);
    let view = View {
        version: 1,
        rfw: "1".into(),
        timezones: None,
        policy: digested.whole.to_string(),
        ruleset: made.ruleset().to_string(),
        live: None,
        node: Vec::new(),
        parts: digested.parts,
    };
    assert!(10 < view.parts.len());
    let schema: Value = serde_json::from_str(&View::schema()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let printed = serde_json::to_value(&view).unwrap();
    assert_eq!(validator.iter_errors(&printed).count(), 0, "{printed}");
}
