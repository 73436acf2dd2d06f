//! Every policy in `policies/` holds what its own tests say, and would not if it said something else: `rfw test` as an operator
//! runs it.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use crate::support::rfw::Desk;

/// `rfw test` somewhere in the repository, with nothing of the machine in its environment.
fn rfw_test(arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rfw"));
    command
        .arg("test")
        .args(arguments)
        .env_clear()
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    let ended = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (ended.status.code(), text(ended.stdout), text(ended.stderr))
}

fn policies() -> Vec<String> {
    let files = fs::read_dir("policies").unwrap();
    let mut names: Vec<String> = files
        .map(|file| file.unwrap().path().display().to_string())
        .filter(|name| name.ends_with(".yaml"))
        .collect();
    names.sort();
    assert!(names.len() > 5, "there are policies");
    names
}

#[test]
fn every_policy_holds_what_its_tests_say() {
    let names = policies();
    let mut arguments = vec!["--format", "json"];
    arguments.extend(names.iter().map(String::as_str));
    let (code, out, err) = rfw_test(&arguments);
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    let whole: serde_json::Value = serde_json::from_str(&out).unwrap();
    let tested: BTreeSet<String> = whole["policies"]
        .as_array()
        .unwrap()
        .iter()
        .inspect(|policy| assert!(policy["tests"].as_array().unwrap().len() >= 2, "{policy}"))
        .map(|policy| policy["policy"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(tested, names.into_iter().collect(), "each has some");
}

/// The text of a policy with something else in place of a piece of it, on a desk; and what `rfw test` says.
#[track_caller]
fn changed(name: &str, from: &str, to: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let text = fs::read_to_string(format!("policies/{name}.yaml")).unwrap();
    assert!(text.contains(from), "{from}");
    let desk = Desk::new();
    let path = desk.write("policy.yaml", &text.replacen(from, to, 1));
    let (code, out, err) = rfw_test(&[&[path.as_str()], arguments].concat());
    let directory = path.strip_suffix("policy.yaml").unwrap();
    (code, (out + &err).replace(directory, ""))
}

#[test]
fn a_wrong_rule_is_found_with_a_packet() {
    let (code, said) = changed(
        "guest-wifi",
        "name: guest-to-lan, from: guest, to: lan, default: drop",
        "name: guest-to-lan, from: guest, to: lan, default: drop, rules: [{ name: printer, services: [ipp], destination: [192.168.10.9], action: accept }]",
        &[],
    );
    assert_eq!(code, Some(3), "{said}");
    let failed: Vec<&str> = said
        .lines()
        .filter(|line| line.starts_with("FAIL"))
        .collect();
    assert_eq!(
        failed,
        [
            "FAIL  guests-stay-out            should be dropped, but is accepted by guest-to-lan/printer"
        ],
        "{said}"
    );
    for part in [
        "(eth2) to 192.168.10.9:631 (eth1), new",
        "guest-to-lan/printer  accept   policy.yaml:37",
        "8 passed, 1 failed",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

/// A policy whose fourteen rules `in/r1` … are one verdict map; the first is on line 12.
pub(crate) fn merged() -> String {
    let mut text = "version: 1
zones:
  wan: { interfaces: [eth0] }
  lan: { interfaces: [eth1], networks: [192.168.1.0/24] }
policies:
  - { name: ssh, from: lan, to: firewall, default: drop, rules: [{ name: ssh, services: [ssh], action: accept }] }
  - name: in
    from: wan
    to: lan
    default: drop
    rules:
"
    .to_owned();
    for number in 1..15 {
        text += &format!(
            "      - {{ name: r{number}, services: [{{ tcp: [{}] }}], destination: [192.168.1.{number}], action: accept }}\n",
            1000 + number
        );
    }
    text
}

#[test]
fn a_rule_of_many_in_one_verdict_map_has_its_name() {
    let mut text = merged();
    text += "tests:
  - { name: own, from: wan, to: 192.168.1.3, service: { tcp: [1003] }, expect: accept, by: in/r3 }
  - { name: other, from: wan, to: 192.168.1.3, service: { tcp: [1003] }, expect: accept, by: in/r4 }
  - { name: none, from: wan, to: 192.168.1.3, service: { tcp: [1004] }, expect: drop, by: in/default }
";
    let desk = Desk::new();
    let path = desk.write("policy.yaml", &text);
    let (code, out, err) = rfw_test(&[&path]);
    assert_eq!(code, Some(3), "{out}{err}");
    let directory = path.strip_suffix("policy.yaml").unwrap();
    let said = (out + &err).replace(directory, "");
    for part in [
        "ok    own",
        "FAIL  other  should be decided by in/r4, but is by in/r3",
        "in/r3       accept   policy.yaml:14",
        "ok    none",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    // And so does the way of one packet.
    let traced = |more: &[&str]| {
        let words = ["trace", "--policy", &path, "--from", "wan", "--to"];
        let packet = ["192.168.1.3", "tcp/1003"];
        let output = Command::new(env!("CARGO_BIN_EXE_rfw"))
            .args([&words[..], &packet, more].concat())
            .args(["--state-dir", directory])
            .env_clear()
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout)
            .unwrap()
            .replace(directory, "")
    };
    let said = traced(&[]);
    for part in [
        "    in/r3 (policy.yaml:14): an element of the verdict map that the next rule asks\n",
        "\naccept by `in/r3` (policy.yaml:14), rule ",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let said: serde_json::Value = serde_json::from_str(&traced(&["--format", "json"])).unwrap();
    let outcome = &said["outcomes"][0];
    assert_eq!(outcome["rule"], "in/r3");
    assert_eq!(outcome["at"], "policy.yaml:14");
}

#[test]
fn a_time_that_is_off_by_a_minute_is_found() {
    let (code, said) = changed("office", "to: \"17:00\"", "to: \"17:01\"", &[]);
    assert_eq!(code, Some(3), "{said}");
    assert!(
        said.contains("FAIL  web-evening           should be rejected, but is accepted by lan-to-wan/web-in-office-hours"),
        "{said}"
    );
    assert!(
        said.contains("on Fri 2026-03-27 17:00:00 Europe/Helsinki"),
        "{said}"
    );
}

#[test]
fn a_port_too_many_is_found() {
    let (code, said) = changed(
        "office",
        "services: [ping]",
        "services: [ping, telnet]",
        &["--filter", "scan-from"],
    );
    assert_eq!(code, Some(3), "{said}");
    assert!(
        said.contains("port 23 should be filtered, but is open"),
        "{said}"
    );
    assert!(said.contains("0 passed, 1 failed"), "{said}");
}

#[test]
fn other_weights_are_found() {
    let (code, said) = changed(
        "office",
        ", weight: 2",
        ", weight: 5",
        &["--filter", "spread"],
    );
    assert_eq!(code, Some(3), "{said}");
    let wrong = "6 connections should go to 192.168.1.20: 4, 192.168.1.21: 2, but go to 192.168.1.20: 5, 192.168.1.21: 1";
    assert!(said.contains(wrong), "{said}");
}

#[test]
fn a_translation_too_few_is_found() {
    let (code, said) = changed(
        "dmz-pair",
        "include: [dmz-pair/services/*.yaml, dmz-pair/groups/*.yaml]",
        "groups: { bogons: [192.0.2.0/24] }",
        &[],
    );
    // The groups that are no longer there.
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("unknown-group"), "{said}");
    let (code, said) = changed(
        "site-to-site",
        "from: lan, to: wan }",
        "from: lan, to: wan }\n    - { name: too-much, from: lan, to: site }",
        &[],
    );
    assert_eq!(code, Some(3), "{said}");
    assert!(
        said.contains("the source should be 10.1.0.0/24, but is the address of wg0"),
        "{said}"
    );
}

#[test]
fn a_guard_too_few_is_found() {
    let text = fs::read_to_string("policies/dmz-pair.yaml").unwrap();
    let desk = Desk::new();
    for directory in ["services", "groups", "lists"] {
        for file in fs::read_dir(format!("policies/dmz-pair/{directory}")).unwrap() {
            let path = file.unwrap().path();
            let name = path.strip_prefix("policies").unwrap().display().to_string();
            desk.write(&name, &fs::read_to_string(&path).unwrap());
        }
    }
    let text = text.replacen("[admins, web, 10.0.0.0/8]", "[admins, 10.0.0.0/8]", 1);
    let path = desk.write("pair.yaml", &text);
    let (code, out, _) = rfw_test(&[&path, "--filter", "never"]);
    assert_eq!(code, Some(3), "{out}");
    let wrong = "a list with addresses of `web` would be taken: `never_contains` of the set `drop-list` does not have them all";
    assert!(out.contains(wrong), "{out}");
}

#[test]
fn junit_is_for_machines() {
    let (code, out, err) = rfw_test(&["policies/minimal.yaml", "--format", "junit"]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert!(out.starts_with("<?xml version=\"1.0\""), "{out}");
    assert!(
        out.contains("<testsuites tests=\"3\" failures=\"0\""),
        "{out}"
    );
    assert!(
        out.contains("<testcase classname=\"policies/minimal.yaml\" name=\"goes-out\""),
        "{out}"
    );
}

#[test]
fn no_tests_are_a_warning_and_no_failure() {
    let desk = Desk::new();
    let text = "version: 1\nzones: { lan: { interfaces: [eth0] } }\n\
                policies: [{ name: in, from: lan, to: firewall, default: accept }]\n";
    let path = desk.write("policy.yaml", text);
    let (code, _, err) = rfw_test(&[&path]);
    assert_eq!(
        (code, err.as_str()),
        (Some(0), "warning: there are no `tests`\n")
    );
    let (code, _, err) = rfw_test(&["policies/minimal.yaml", "--filter", "nothing-like"]);
    assert_eq!(
        (code, err.as_str()),
        (Some(0), "warning: no test has `nothing-like` in its name\n")
    );
}
