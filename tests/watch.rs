//! The daemon: the policy is followed, whatever others do is seen and undone, whatever fails leaves the rules. With the
//! real program on a real kernel.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use rfw::watch::{Reply, Request, ask};
use serde_json::Value;

use super::support::daemon::Daemon;
use super::support::git::Git;
use super::support::rfw::Desk;
use super::support::{Host, alone, nft, program};

/// A policy whose only difference to another is this port.
fn policy(port: u16) -> String {
    format!(
        "version: 1
name: small
sysctl: {{ forwarding: true }}
zones:
  lan: {{ interfaces: [eth0], networks: [10.1.0.0/24] }}
services: {{ door: {{ tcp: [{port}] }} }}
policies:
  - name: in
    from: lan
    to: firewall
    default: drop
    rules: [{{ name: door, services: [door], action: accept, source: [10.1.0.7] }}]
  - {{ name: out, from: firewall, to: lan, default: accept }}
"
    )
}

fn in_force(report: &Value) -> bool {
    report["state"] == "in-force"
}

/// The live table has this port, and nothing else is said of it.
#[track_caller]
fn has(host: &Host, port: u16) {
    let table = nft::table(host, "inet rfw");
    assert!(table.contains(&port.to_string()), "{table}");
}

/// Waits until the kernel has this port.
#[track_caller]
fn follows(daemon: &Daemon, host: &Host, port: u16) {
    daemon.until(&format!("port {port}"), |report| {
        in_force(report) && nft::table(host, "inet rfw").contains(&port.to_string())
    });
}

#[test]
fn files_are_followed_however_they_are_changed() {
    alone(|| {
        let (host, desk) = (Host::new("box"), Desk::new());
        desk.write("v1/gateway.yaml", &policy(1001));
        desk.write("v2/gateway.yaml", &policy(1002));
        symlink("v1", desk.file("current")).unwrap();
        let path = desk.file("current").display().to_string();
        let daemon = Daemon::start(&desk, &host, &["--policy", &path]);
        daemon.until("in force", in_force);
        has(&host, 1001);
        let turn = |to: &str| {
            symlink(to, desk.file("next")).unwrap();
            fs::rename(desk.file("next"), desk.file("current")).unwrap();
        };
        turn("v2");
        follows(&daemon, &host, 1002);
        desk.write("v2/gateway.yaml", &policy(1003));
        follows(&daemon, &host, 1003);
        desk.write("v2/.gateway.yaml.swp", "x");
        desk.write("v2/new", &policy(1004));
        fs::rename(desk.file("v2/new"), desk.file("v2/gateway.yaml")).unwrap();
        follows(&daemon, &host, 1004);
        desk.write("v3/gateway.yaml", &policy(1005));
        turn("v3");
        fs::remove_dir_all(desk.file("v2")).unwrap();
        follows(&daemon, &host, 1005);
        // A hundred times in a row: the last one wins, and it is no hundred steps.
        let before = daemon.report()["steps"]["total"].as_u64().unwrap();
        for port in 2000..2100 {
            desk.write("v3/gateway.yaml", &policy(port));
            std::thread::sleep(Duration::from_millis(3));
        }
        follows(&daemon, &host, 2099);
        let after = daemon.report()["steps"]["total"].as_u64().unwrap();
        assert!(after - before < 10, "{} steps", after - before);
        let table = nft::table(&host, "inet rfw");
        let log = daemon.stop();
        assert_eq!(nft::table(&host, "inet rfw"), table, "the rules stay");
        assert!(log.contains("ended; the rules stay"), "{log}");
        let output = desk.rfw(&host, &["plan", "--policy", &path, "--detailed-exitcode"]);
        assert_eq!(output.code(), 0, "{output:?}");
    });
}

/// Only commits count, however the ref that leads to them is kept.
#[test]
fn commits_are_followed_at_once() {
    alone(|| {
        let (host, desk) = (Host::new("box"), Desk::new());
        let git = Git::new(&desk, "repository");
        git.commit(&[("gateway.yaml", &policy(1001))]);
        let path = git.path.display().to_string();
        let daemon = Daemon::start(&desk, &host, &["--policy", &path, "--rev", "main"]);
        daemon.until("in force", in_force);
        git.write("gateway.yaml", "half a poli");
        std::thread::sleep(Duration::from_millis(400));
        let applied = |commit: &str| {
            let commit = commit.trim().to_owned();
            move |report: &Value| in_force(report) && report["applied"]["commit"] == *commit
        };
        let second = git.commit(&[("gateway.yaml", &policy(1002))]);
        daemon.until("the commit", applied(&second));
        has(&host, 1002);
        // Packing changes no commit.
        git.run(&["pack-refs", "--all"]);
        let third = git.commit(&[("gateway.yaml", &policy(1003))]);
        daemon.until("a commit after packing", applied(&third));
        git.run(&["reset", "-q", "--hard", second.trim()]);
        daemon.until("an older commit", applied(&second));
        has(&host, 1002);
        git.run(&["checkout", "-q", "-b", "team/other"]);
        let elsewhere = git.commit(&[("gateway.yaml", &policy(1004))]);
        git.run(&["branch", "-f", "main", "team/other"]);
        daemon.until("a branch that is moved", applied(&elsewhere));
        // What a commit would change is told before any branch leads to it.
        let plan = |repository: &std::path::Path, commit: &str| {
            let mut replies = Vec::new();
            let request = Request::Plan {
                repository: repository.to_owned(),
                commit: commit.trim().to_owned(),
                quarantine: None,
            };
            let socket = desk.run_file("control.sock");
            ask(&socket, &request, |reply| replies.push(reply)).unwrap();
            format!("{replies:?}")
        };
        let told = plan(&git.path.join(".git"), &third);
        assert!(
            told.contains("+   1003") || told.contains("dport 1003"),
            "{told}"
        );
        assert!(told.contains("ok: true"), "{told}");
        has(&host, 1004);
        let told = plan(&desk.file("home"), &third);
        assert!(told.contains("the repository that it follows"), "{told}");
        let told = plan(&git.path, "main");
        assert!(told.contains("by their ids"), "{told}");
        // A commit that cannot be applied leaves the one before, and says which it was.
        let bad = git.commit(&[("gateway.yaml", "version: 1\nzones: 3\n")]);
        git.run(&["branch", "-f", "main", "team/other"]);
        let report = daemon.until("refused", |report| report["state"] == "refused");
        assert_eq!(report["attempted"]["commit"], *bad.trim());
        assert_eq!(report["applied"]["commit"], *elsewhere.trim());
        has(&host, 1004);
        let log = daemon.stop();
        assert!(!log.contains("half a poli"), "{log}");
    });
}

/// What a command hears that wakes the daemon over its socket.
#[test]
fn whoever_wakes_it_is_told_how_it_goes() {
    alone(|| {
        let (host, desk) = (Host::new("box"), Desk::new());
        let path = desk.write("gateway.yaml", &policy(1001));
        let daemon = Daemon::start(&desk, &host, &["--policy", &path]);
        daemon.until("in force", in_force);
        let socket = desk.run_file("control.sock");
        let wake = || {
            let mut replies = Vec::new();
            let request = Request::Wake { revision: None };
            ask(&socket, &request, |reply| replies.push(reply)).unwrap();
            let last = replies.pop().unwrap();
            (format!("{replies:?}"), last)
        };
        let (_, done) = wake();
        assert!(
            matches!(&done, Reply::Done { ok: true, text, .. } if text == "nothing to change"),
            "{done:?}"
        );
        // Woken, it does not wait for the files to settle.
        desk.write("gateway.yaml", &policy(1002));
        let (lines, done) = wake();
        has(&host, 1002);
        assert!(lines.contains("1002"), "the change is shown: {lines}");
        assert!(matches!(&done, Reply::Done { ok: true, .. }), "{done:?}");
        desk.write("gateway.yaml", "zones: 3");
        let (_, done) = wake();
        assert!(
            matches!(&done, Reply::Done { ok: false, text, .. } if text.contains("gateway.yaml:1:")),
            "{done:?}"
        );
        let mut reports = Vec::new();
        ask(&socket, &Request::Status {}, |reply| reports.push(reply)).unwrap();
        assert!(
            matches!(&reports[..], [Reply::Report { report }] if report.trouble.is_some()),
            "{reports:?}"
        );
        let _ = daemon.stop();
    });
}

/// nft commands; `T` is rfw's table.
const DEEDS: &[&str] = &[
    "flush ruleset",
    "delete table T",
    "flush chain T input",
    "insert rule T input accept",
    "add chain T input { policy accept; }",
    "add table T { flags dormant; }",
    "add chain T more { type filter hook input priority -5; policy accept; }; add rule T more accept",
];

#[test]
fn what_others_do_is_named_and_undone() {
    alone(|| {
        let (host, desk) = (Host::new("box"), Desk::new());
        let path = desk.write("gateway.yaml", &policy(1001));
        let daemon = Daemon::start(&desk, &host, &["--policy", &path]);
        daemon.until("in force", in_force);
        let fresh = nft::ruleset(&host);
        for (nth, deed) in DEEDS.iter().enumerate() {
            // More than a few in a row are undone ever more slowly.
            if nth == 4 {
                std::thread::sleep(Duration::from_secs(10));
            }
            let seen = daemon.report()["drift"]["seen"].as_u64().unwrap();
            let began = Instant::now();
            nft::load(&host, &deed.replace(" T", " inet rfw"));
            let report = daemon.until(deed, |report| {
                report["drift"]["seen"] == seen + 1 && in_force(report)
            });
            let took = began.elapsed();
            assert!(took < Duration::from_secs(2), "{deed}: {took:?}");
            assert_eq!(nft::ruleset(&host), fresh, "{deed}");
            let last = &report["drift"]["last"];
            let by = last["by"][0].as_str().unwrap();
            assert!(by.starts_with("nft (pid "), "{deed}: {last}");
            assert_eq!(last["repaired"], true);
            assert!(
                !last["change"]["first"].as_array().unwrap().is_empty(),
                "{deed}: the operations are named"
            );
        }
        // Somebody's own table is none of our business.
        let before = daemon.report();
        nft::load(
            &host,
            "table inet other { chain input { type filter hook input priority 5; }; }",
        );
        std::thread::sleep(Duration::from_millis(300));
        let after = daemon.report();
        assert_eq!(before["drift"], after["drift"]);
        assert_eq!(before["steps"]["total"], after["steps"]["total"]);
        // A setting is noticed by looking.
        host.sysctl("net/ipv4/ip_forward", "0");
        daemon.signal(Signal::SIGHUP);
        daemon.until("the setting", |report| {
            report["drift"]["last"]["change"]["settings"] == 1 && in_force(report)
        });
        assert_eq!(
            host.must("sysctl", &["-n", "net.ipv4.ip_forward"], "")
                .trim(),
            "1"
        );
        let log = daemon.stop();
        assert!(log.contains("drift, by nft (pid "), "{log}");
        assert!(log.contains("has changed table inet rfw"), "{log}");
    });
}

/// Times and lists take the kernel longer than all rules together: the rules are there before.
#[test]
fn a_box_that_has_lost_its_table_is_closed_before_everything_is_back() {
    alone(|| {
        let (host, desk) = (Host::new("box"), Desk::new());
        // Hours that old versions of nft could not show are told day by day.
        let daily =
            "schedules: { daily: { from: '20:00', to: '23:00' } }\ntimezone: America/New_York\n";
        let scheduled = policy(1001).replace("action: accept,", "action: accept, schedule: daily,");
        desk.write("policy.yaml", &format!("{scheduled}{daily}"));
        let path = desk.file("policy.yaml").display().to_string();
        let daemon = Daemon::start(&desk, &host, &["--policy", &path]);
        let before = daemon.until("in force", in_force);
        let listed = nft::table(&host, "inet rfw");
        assert!(5_000 < listed.lines().count(), "all days until 2040");
        nft::load(&host, "flush ruleset");
        let after = daemon.until("whole again", |report| {
            in_force(report) && report["generation"] != before["generation"]
        });
        assert_eq!(nft::table(&host, "inet rfw"), listed);
        let generation = |report: &Value| report["generation"].as_u64().unwrap();
        // The flush, sets and rules of the outline, the rest.
        assert_eq!(generation(&after), generation(&before) + 4, "{after}");
    });
}

#[test]
fn drift_can_be_told_only() {
    alone(|| {
        let (host, desk) = (Host::new("box"), Desk::new());
        let path = desk.write("gateway.yaml", &policy(1001));
        let daemon = Daemon::start(&desk, &host, &["--policy", &path, "--drift", "report"]);
        daemon.until("in force", in_force);
        let fresh = nft::ruleset(&host);
        nft::load(&host, "insert rule inet rfw input accept");
        let report = daemon.until("drift", |report| report["drift"]["present"] == true);
        assert_eq!(report["state"], "drifted");
        daemon.signal(Signal::SIGHUP);
        std::thread::sleep(Duration::from_millis(300));
        assert_ne!(nft::ruleset(&host), fresh, "it is left");
        assert_eq!(daemon.report()["drift"]["seen"], 1, "and told once");
        desk.must(&host, &["apply", "--policy", &path]);
        assert_eq!(nft::ruleset(&host), fresh, "an operator may undo it");
        daemon.until("undone", in_force);
        // A new policy is applied, and what was drift goes with the old one.
        nft::load(&host, "insert rule inet rfw input accept");
        daemon.until("drift again", |report| report["drift"]["seen"] == 2);
        desk.write("gateway.yaml", &policy(1002));
        follows(&daemon, &host, 1002);
        let _ = daemon.stop();
    });
}

#[test]
fn a_bad_policy_changes_nothing_and_is_told() {
    alone(|| {
        let (host, desk) = (Host::new("box"), Desk::new());
        let path = desk.write("gateway.yaml", &policy(1001));
        let daemon = Daemon::start(&desk, &host, &["--policy", &path]);
        daemon.until("in force", in_force);
        let fresh = nft::ruleset(&host);
        desk.write(
            "gateway.yaml",
            &policy(1002).replace("from: lan", "from: lann"),
        );
        let report = daemon.until("refused", |report| report["state"] == "refused");
        let text = report["trouble"]["text"].as_str().unwrap();
        assert!(text.contains("unknown-zone"), "{text}");
        assert!(text.contains("gateway.yaml:9:"), "{text}");
        assert_eq!(report["trouble"]["kind"], "rejected");
        assert_eq!(nft::ruleset(&host), fresh);
        fs::remove_file(desk.file("gateway.yaml")).unwrap();
        let report = daemon.until("unreadable", |report| report["trouble"]["kind"] == "source");
        assert_ne!(report["next"]["retry"], Value::Null);
        assert_eq!(nft::ruleset(&host), fresh);
        desk.write("gateway.yaml", &policy(1003));
        follows(&daemon, &host, 1003);
        let log = daemon.stop();
        assert!(log.contains("unknown-zone"), "{log}");
    });
}

/// A daemon that starts with a bad policy starts nevertheless, and the service manager hears of it.
#[test]
fn the_service_manager_hears_how_it_is() {
    alone(|| {
        let (host, desk) = (Host::new("box"), Desk::new());
        let path = desk.write("gateway.yaml", "version: 1\n");
        let socket = std::os::unix::net::UnixDatagram::bind(desk.file("notify")).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        let daemon = Daemon::start_with(
            &desk,
            &host,
            &["--policy", &path],
            &[
                ("NOTIFY_SOCKET", desk.file("notify").to_str().unwrap()),
                ("WATCHDOG_USEC", "400000"),
            ],
        );
        let mut heard = Vec::new();
        let mut hear_until = |word: &str| {
            let mut buffer = [0; 4096];
            while !heard.iter().any(|line: &String| line.starts_with(word)) {
                let length = socket.recv(&mut buffer).expect("it says something");
                heard.push(String::from_utf8_lossy(&buffer[..length]).into_owned());
            }
        };
        hear_until("READY=1");
        hear_until("STATUS=degraded: ");
        hear_until("WATCHDOG=1");
        desk.write("gateway.yaml", &policy(1001));
        hear_until("STATUS=in force: ");
        let _ = daemon.stop();
        hear_until("STOPPING=1");
    });
}

#[test]
fn whatever_ends_it_the_next_one_goes_on() {
    alone(|| {
        let (host, desk) = (Host::new("box"), Desk::new());
        let path = desk.write("gateway.yaml", &policy(1001));
        let daemon = Daemon::start(&desk, &host, &["--policy", &path]);
        daemon.until("in force", in_force);
        // Only one.
        let second = desk.rfw(&host, &["watch", "--policy", &path]);
        assert_eq!(second.code(), 1);
        assert!(
            second.stderr.contains("another `rfw watch` runs"),
            "{second:?}"
        );
        let fresh = nft::ruleset(&host);
        desk.write("gateway.yaml", &policy(1002));
        follows(&daemon, &host, 1002);
        daemon.signal(Signal::SIGKILL);
        drop(daemon);
        assert_ne!(nft::ruleset(&host), fresh);
        has(&host, 1002);
        nft::load(&host, "flush ruleset");
        desk.write("gateway.yaml", &policy(1003));
        let daemon = Daemon::start(&desk, &host, &["--policy", &path]);
        daemon.until("in force", in_force);
        has(&host, 1003);
        let _ = daemon.stop();
    });
}

/// The unit is one that systemd understands, and says what the daemon needs of it.
#[test]
fn the_unit_is_right() {
    let unit = fs::read_to_string("packaging/systemd/rfw-watch.service").unwrap();
    for line in [
        "Type=notify",
        "ExecStart=/usr/local/bin/rfw watch",
        "ExecReload=/bin/kill -HUP $MAINPID",
        "Restart=always",
        "Before=network-pre.target shutdown.target",
        "NoNewPrivileges=yes",
    ] {
        assert!(unit.lines().any(|own| own == line), "{line}");
    }
    assert!(!unit.lines().any(|line| line.starts_with("ExecStop")));
    let desk = Desk::new();
    let here = unit.replace("/usr/local/bin/rfw", env!("CARGO_BIN_EXE_rfw"));
    let path = desk.write("rfw-watch.service", &here);
    let mut command = program::command("systemd-analyze");
    command.args(["verify", "--man=no", "--recursive-errors=no", &path]);
    // Only where systemd is: the tests do not ask for it.
    if std::process::Command::new("systemd-analyze")
        .arg("--version")
        .output()
        .is_ok()
    {
        let output = program::run(command, b"", Duration::from_secs(30));
        assert!(output.success(), "{output:?}");
        assert!(!output.stderr.contains("rfw-watch.service"), "{output:?}");
    }
}
