//! What the source says is refused: not signed, not later, not valid, not there. The rules in force are looked after all
//! the same, and both are told. With the real program on a real kernel.

use std::fs;
use std::time::Duration;

use serde_json::Value;

use super::support::daemon::Daemon;
use super::support::rfw::Desk;
use super::support::site::{Site, policy};
use super::support::{Host, alone, nft};

/// nft commands against the rules in force.
const DEEDS: [&str; 3] = [
    "flush ruleset",
    "flush chain inet rfw input",
    "insert rule inet rfw input accept",
];

/// Somebody changes the table: it is undone, and what was refused stays refused.
#[track_caller]
fn heals(daemon: &Daemon, host: &Host, deed: &str, fresh: &str) {
    let before = daemon.report();
    let seen = before["drift"]["seen"].as_u64().unwrap();
    nft::load(host, deed);
    let report = daemon.until(deed, |report| report["drift"]["seen"] == seen + 1);
    assert_eq!(nft::ruleset(host), fresh, "{deed}");
    assert_eq!(report["state"], "refused");
    assert_eq!(report["trouble"]["kind"], before["trouble"]["kind"]);
    assert_eq!(report["attempted"], before["attempted"]);
    assert_eq!(report["applied"], before["applied"]);
    assert_eq!(report["drift"]["last"]["repaired"], true);
    assert_eq!(report["drift"]["present"], false);
    let by = report["drift"]["last"]["by"][0].as_str().unwrap();
    assert!(by.starts_with("nft (pid "), "{by}");
    assert!(before["verified"].as_i64() <= report["verified"].as_i64());
}

/// It is refused for this reason.
#[track_caller]
fn refused(daemon: &Daemon, kind: &str, text: &str) -> Value {
    let report = daemon.until(kind, |report| {
        report["state"] == "refused" && report["trouble"]["kind"] == kind
    });
    let said = report["trouble"]["text"].as_str().unwrap();
    assert!(said.contains(text), "{said}");
    report
}

#[test]
fn a_refused_commit_leaves_the_last_one_looked_after() {
    alone(|| {
        let site = Site::new("commits: required");
        let ann = site.key("ann", "ed25519");
        site.signers(&format!("ann@x {ann}\n"));
        let first = site.signed("ann", 1001, None);
        let start = || Daemon::start(&site.desk, &site.host, &["--agent", &site.agent]);
        let daemon = start();
        daemon.until("in force", |report| report["state"] == "in-force");
        let fresh = nft::ruleset(&site.host);
        // Not signed: the commit is named, and nothing of it was read.
        let unsigned = site.git.commit(&[("p.yaml", &policy(1002))]);
        let report = refused(&daemon, "guard", "it is not signed");
        assert_eq!(report["attempted"]["commit"], *unsigned);
        assert_eq!(report["attempted"]["policy"], Value::Null);
        assert_eq!(report["applied"]["commit"], *first);
        for deed in DEEDS {
            heals(&daemon, &site.host, deed, &fresh);
        }
        let status = site.status();
        for line in [
            "; what the source says is refused, what was applied last is looked after\n".to_owned(),
            format!("attempted  commit {unsigned}\n"),
            format!("applied    commit {first}, policy "),
            "trouble    guard since ".to_owned(),
            format!("error: the commit {} (main) is refused", &unsigned[..12]),
        ] {
            assert!(status.contains(&line), "{line}{status}");
        }
        let metrics = site.rfw(&["status", "--format", "prometheus"]).stdout;
        for line in [
            "rfw_state{state=\"refused\"} 1\n",
            "rfw_state{state=\"in-force\"} 0\n",
            "rfw_last_reconcile_success 0\n",
            "rfw_trouble_since_timestamp_seconds{kind=\"guard\"} ",
        ] {
            assert!(metrics.contains(line), "{line}{metrics}");
        }
        site.apply(&[], 4, "it is not signed");
        // A daemon that starts now finds on the disk what to keep in force. After a boot nothing is, and that is no drift.
        let log = daemon.stop();
        assert!(
            log.contains(&format!(
                "policy {} stays in force and is looked after",
                &first[..12]
            )),
            "{log}"
        );
        nft::load(&site.host, "flush ruleset");
        let daemon = start();
        let report = refused(&daemon, "guard", "it is not signed");
        assert_eq!(nft::ruleset(&site.host), fresh);
        assert_eq!(report["applied"]["commit"], *first);
        assert_eq!(report["drift"]["seen"], 0);
        heals(&daemon, &site.host, DEEDS[0], &fresh);
        // Signed, and not valid.
        site.git.write("p.yaml", "version: 1\nzones: 3\n");
        let invalid = site.sign("ann", None);
        let report = refused(&daemon, "rejected", "main:p.yaml:2:");
        assert_eq!(report["attempted"]["commit"], *invalid);
        assert_ne!(report["attempted"]["policy"], Value::Null);
        heals(&daemon, &site.host, DEEDS[1], &fresh);
        // No branch at all.
        site.git.run(&["update-ref", "-d", "refs/heads/main"]);
        refused(&daemon, "source", "main");
        let report = daemon.report();
        assert_eq!(
            report["attempted"]["commit"], *invalid,
            "what was read last"
        );
        heals(&daemon, &site.host, DEEDS[0], &fresh);
        site.git.run(&["update-ref", "refs/heads/main", &invalid]);
        // It is tried again ever more rarely.
        let steps = daemon.report()["steps"]["total"].as_u64().unwrap();
        std::thread::sleep(Duration::from_secs(3));
        let more = daemon.report()["steps"]["total"].as_u64().unwrap() - steps;
        assert!(more < 12, "{more} steps in three seconds");
        // Good again: at once. Then one that does not come after it.
        let third = site.signed("ann", 1003, None);
        daemon.until("the third", |report| {
            report["state"] == "in-force" && report["applied"]["commit"] == *third
        });
        assert_eq!(daemon.report()["trouble"], Value::Null);
        site.open(1003);
        let fresh = nft::ruleset(&site.host);
        site.git.run(&["update-ref", "refs/heads/main", &first]);
        let report = refused(&daemon, "guard", "does not come after");
        assert_eq!(report["attempted"]["commit"], *first);
        assert_eq!(report["applied"]["commit"], *third);
        heals(&daemon, &site.host, DEEDS[2], &fresh);
        daemon.stop();
    });
}

#[test]
fn files_that_are_not_valid_leave_the_last_ones_looked_after() {
    alone(|| {
        let (host, desk) = (Host::new("box"), Desk::new());
        let with_list = |port| {
            let text = policy(port).replace("action: accept", "action: accept, source: [some]");
            format!("groups: {{ some: {{ file: some.txt }} }}\n{text}")
        };
        desk.write("policy/some.txt", "192.0.2.0/24\n198.51.100.7\n");
        let path = desk.write("policy/p.yaml", &with_list(1001));
        let start = || Daemon::start(&desk, &host, &["--policy", &path]);
        let daemon = start();
        daemon.until("in force", |report| report["state"] == "in-force");
        let fresh = nft::ruleset(&host);
        desk.write("policy/p.yaml", "version: 1\nzones: 3\n");
        let report = refused(&daemon, "rejected", "p.yaml:2:");
        assert_ne!(report["attempted"]["policy"], report["applied"]["policy"]);
        heals(&daemon, &host, DEEDS[0], &fresh);
        fs::remove_dir_all(desk.file("policy")).unwrap();
        refused(&daemon, "source", "cannot read the policy");
        heals(&daemon, &host, DEEDS[1], &fresh);
        daemon.stop();
        nft::load(&host, "flush ruleset");
        let daemon = start();
        refused(&daemon, "source", "cannot read the policy");
        assert_eq!(nft::ruleset(&host), fresh);
        daemon.stop();
        // What somebody applied by hand in the meantime is what is in force.
        let other = desk.write("other.yaml", &policy(1002));
        desk.must(&host, &["apply", "--policy", &other]);
        let fresh = nft::ruleset(&host);
        let daemon = start();
        refused(&daemon, "source", "cannot read the policy");
        assert_eq!(nft::ruleset(&host), fresh);
        // A copy that is not whole is none, and both are told.
        let copy = desk.state_file("good");
        let text = fs::read_to_string(&copy).unwrap();
        fs::write(&copy, text.replace("1002", "1003")).unwrap();
        nft::load(&host, "flush ruleset");
        let report = daemon.until("degraded", |report| report["state"] == "degraded");
        let said = report["trouble"]["text"].as_str().unwrap();
        assert!(
            said.contains("cannot read the policy") && said.contains("is damaged"),
            "{said}"
        );
        assert_eq!(nft::ruleset(&host), "");
        daemon.stop();
    });
}

/// Where drift is only told, rules that a boot has taken away are loaded all the same.
#[test]
fn what_is_missing_after_a_boot_is_no_drift() {
    alone(|| {
        let (host, desk) = (Host::new("box"), Desk::new());
        let path = desk.write("p.yaml", &policy(1001));
        let start = || Daemon::start(&desk, &host, &["--policy", &path, "--drift", "report"]);
        let daemon = start();
        daemon.until("in force", |report| report["state"] == "in-force");
        let fresh = nft::ruleset(&host);
        daemon.stop();
        for text in [policy(1001), "version: 1\nzones: 3\n".to_owned()] {
            desk.write("p.yaml", &text);
            nft::load(&host, "flush ruleset");
            let daemon = start();
            assert_eq!(nft::ruleset(&host), fresh);
            daemon.stop();
        }
        // While it runs, drift is left, also drift from what was applied last.
        let daemon = start();
        nft::load(&host, "insert rule inet rfw input accept");
        let report = daemon.until("drift", |report| report["drift"]["present"] == true);
        assert_eq!(report["state"], "refused");
        assert_ne!(nft::ruleset(&host), fresh);
        let log = daemon.stop();
        assert!(
            log.contains("operations; only reported") || log.contains("operation; only reported"),
            "{log}"
        );
    });
}
