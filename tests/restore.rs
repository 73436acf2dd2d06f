//! What a box boots with: the policy that was in force last, or nothing but ssh. With the real program on a real kernel.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use super::support::daemon::Daemon;
use super::support::program;
use super::support::rfw::Desk;
use super::support::site::{Site, policy};
use super::support::{Host, alone, link, nft, serve, tcp};

/// As after a boot: nothing is in the kernel, nothing is known of it.
fn boot(host: &Host) {
    nft::load(host, "flush ruleset");
}

#[test]
fn what_was_in_force_comes_back_from_its_copy() {
    alone(|| {
        let (host, desk) = (Host::new("box"), Desk::new());
        let text = policy(1001).replace("zones:", "sysctl: { forwarding: true }\nzones:");
        let path = desk.write("p.yaml", &text);
        desk.must(&host, &["apply", "--policy", &path]);
        let fresh = nft::ruleset(&host);
        // Neither the policy nor agent.yaml is asked.
        fs::remove_file(&path).unwrap();
        let agent = desk.write("agent.yaml", "version: 1\nnonsense: 1\n");
        let restore = |arguments: &[&str]| {
            let all = [&["restore", "--agent", &agent], arguments].concat();
            desk.rfw(&host, &all)
        };
        for arguments in [&[][..], &["--boot"]] {
            boot(&host);
            host.sysctl("net/ipv4/ip_forward", "0");
            let output = restore(arguments);
            assert!(output.success(), "{output:?}");
            assert!(output.stdout.starts_with("restored: "), "{output:?}");
            assert_eq!(nft::ruleset(&host), fresh);
            let forwards = host.must("sysctl", &["-n", "net.ipv4.ip_forward"], "");
            assert_eq!(forwards.trim(), "1", "the settings, too");
        }
        let output = restore(&[]);
        assert!(output.stdout.starts_with("no changes; "), "{output:?}");
        // A copy that is not whole is none. Rules that are there stay, whatever they are.
        let copy = desk.state_file("good");
        let whole = fs::read_to_string(&copy).unwrap();
        fs::write(&copy, whole.replace("1001", "1002")).unwrap();
        let output = restore(&["--boot"]);
        assert_eq!(output.code(), 1);
        assert!(output.stderr.contains("is damaged"), "{output:?}");
        assert!(
            output
                .stderr
                .contains("the rules that are in the kernel stay"),
            "{output:?}"
        );
        assert_eq!(nft::ruleset(&host), fresh);
        // A copy that cannot be written: none is better than that of another policy.
        fs::write(&copy, &whole).unwrap();
        fs::create_dir(desk.state_file(".good.new")).unwrap();
        let other = desk.write("other.yaml", &policy(1003));
        let output = desk.rfw(&host, &["apply", "--policy", &other]);
        assert!(output.success(), "the rules are in force: {output:?}");
        assert!(
            output
                .stderr
                .contains("no copy of their policy could be kept")
                && !copy.exists(),
            "{output:?}"
        );
        assert_eq!(restore(&[]).code(), 1);
        fs::remove_dir(desk.state_file(".good.new")).unwrap();
        desk.must(&host, &["apply", "--policy", &other]);
        assert!(copy.exists(), "kept the next time, though nothing changes");
        // Whoever takes rfw's rules away does not get them back by a boot.
        desk.must(&host, &["remove"]);
        assert!(!copy.exists());
        let output = restore(&[]);
        assert_eq!(output.code(), 1);
        assert!(output.stderr.contains("no copy of a policy"), "{output:?}");
        assert_eq!(nft::ruleset(&host), "");
    });
}

#[test]
fn a_commit_comes_back_without_its_repository_and_the_daemon_goes_on_from_it() {
    alone(|| {
        let site = Site::new("commits: off");
        let commit = site.git.commit(&[("p.yaml", &policy(1001))]);
        site.apply(&[], 0, "applied and verified");
        let fresh = nft::ruleset(&site.host);
        boot(&site.host);
        let output = site.rfw(&["restore", "--boot"]);
        assert!(
            output
                .stdout
                .starts_with(&format!("restored: revision {} (main)", &commit[..12])),
            "{output:?}"
        );
        assert_eq!(nft::ruleset(&site.host), fresh);
        let daemon = Daemon::start(&site.desk, &site.host, &["--agent", &site.agent]);
        let report = daemon.until("in force", |report| report["state"] == "in-force");
        assert_eq!(report["steps"]["changed"], 0);
        daemon.stop();
    });
}

#[test]
fn a_kept_plan_is_what_the_box_boots_with_from_then_on() {
    alone(|| {
        let (host, desk) = (Host::new("box"), Desk::new());
        let path = desk.write("p.yaml", &policy(1001));
        desk.must(&host, &["apply", "--policy", &path]);
        desk.write("p.yaml", &policy(1002));
        let kept = desk.run_file("kept.plan");
        let kept = kept.to_str().unwrap();
        desk.must(&host, &["plan", "--policy", &path, "--out", kept]);
        let copy = || fs::read_to_string(desk.state_file("good")).unwrap();
        // Digests and times may have any digits, the text of a policy has not.
        assert!(
            copy().contains(&policy(1001)),
            "a plan alone changes nothing"
        );
        // By then the source says something else.
        desk.write("p.yaml", &policy(1003));
        desk.must(&host, &["apply", kept]);
        let fresh = nft::ruleset(&host);
        assert!(fresh.contains("1002"), "{fresh}");
        boot(&host);
        desk.must(&host, &["restore", "--boot"]);
        assert_eq!(nft::ruleset(&host), fresh);
        // A plan that cannot be carried out leaves the copy of what is in force.
        nft::load(&host, "add rule inet rfw policy/in udp dport 53 accept");
        desk.must(&host, &["plan", "--policy", &path, "--out", kept]);
        nft::load(&host, "add rule inet rfw policy/in udp dport 54 accept");
        assert_eq!(desk.rfw(&host, &["apply", kept]).code(), 5);
        assert!(copy().contains(&policy(1002)) && !copy().contains(&policy(1003)));
    });
}

#[test]
fn a_kept_plan_of_a_commit_is_what_the_daemon_keeps_in_force() {
    alone(|| {
        let site = Site::new("commits: off");
        site.git.commit(&[("p.yaml", &policy(1001))]);
        site.apply(&[], 0, "applied and verified");
        let commit = site.git.commit(&[("p.yaml", &policy(1002))]);
        let kept = site.desk.run_file("kept.plan");
        let kept = kept.to_str().unwrap();
        assert!(site.rfw(&["plan", "--out", kept]).success());
        site.apply(&[kept], 0, "applied and verified");
        site.open(1002);
        let status = site.status();
        assert!(status.contains(&commit[..12]), "{status}");
        // What comes then may not be applied.
        site.git.commit(&[("p.yaml", "version: 1\nnonsense: 1\n")]);
        let daemon = Daemon::start(&site.desk, &site.host, &["--agent", &site.agent]);
        let report = daemon.until("refused", |report| report["trouble"].is_object());
        assert_eq!(report["applied"]["commit"], commit.as_str(), "{report}");
        assert_eq!(report["steps"]["changed"], 0, "{report}");
        site.open(1002);
        daemon.stop();
    });
}

/// Nothing is known: ssh is open, and what the box begins goes out.
#[test]
fn a_box_that_knows_nothing_is_closed_but_for_ssh() {
    alone(|| {
        let (host, peer, desk) = (Host::new("box"), Host::new("peer"), Desk::new());
        link((&host, "eth0"), (&peer, "eth0"));
        for (side, last) in [(&host, 1), (&peer, 2)] {
            side.ip(&format!(
                "addr add 10.1.0.{last}/24 dev eth0\naddr add fd00::{last}/64 dev eth0 nodad\n"
            ));
            for port in [22, 80] {
                serve::tcp(side, port);
            }
        }
        let reaches = |from: &Host, to: &str| {
            let outcome = tcp::probe_with(from, None, to, Duration::from_millis(300));
            matches!(outcome, tcp::Connection::Open(_))
        };
        assert!(reaches(&peer, "10.1.0.1:80"), "open until then");
        let output = desk.rfw(&host, &["restore"]);
        assert_eq!(output.code(), 1, "without --boot nothing is done");
        assert_eq!(nft::ruleset(&host), "");
        let output = desk.rfw(&host, &["restore", "--boot"]);
        assert_eq!(output.code(), 1, "{output:?}");
        for line in [
            "no copy of a policy that was in force",
            "the box is closed: ",
        ] {
            assert!(output.stderr.contains(line), "{line}: {output:?}");
        }
        for (here, there) in [("10.1.0.1", "10.1.0.2"), ("[fd00::1]", "[fd00::2]")] {
            assert!(reaches(&peer, &format!("{here}:22")), "{here}");
            assert!(!reaches(&peer, &format!("{here}:80")), "{here}");
            assert!(reaches(&host, &format!("{there}:80")), "{there}");
        }
        let table = nft::table(&host, "inet rfw");
        for line in [
            "type filter hook forward priority filter - 10; policy drop;",
            "type filter hook input priority filter - 10; policy drop;",
            "udp dport 68 ",
            "udp dport 546 ",
        ] {
            assert!(table.contains(line), "{line}: {table}");
        }
        // Again: what is there stays. A policy then takes its place.
        let before = nft::ruleset(&host);
        assert_eq!(desk.rfw(&host, &["restore", "--boot"]).code(), 1);
        assert_eq!(nft::ruleset(&host), before);
        let path = desk.write("p.yaml", &policy(80));
        desk.must(&host, &["apply", "--policy", &path]);
        assert!(reaches(&peer, "10.1.0.1:80"));
        assert!(!reaches(&peer, "10.1.0.1:22"));
        let output = desk.rfw(
            &host,
            &["plan", "--policy", &path, "--detailed-exitcode", "--full"],
        );
        assert_eq!(output.code(), 0, "{output:?}");
    });
}

/// What a unit says: words by their key, also where one key stands several times.
fn unit(name: &str) -> BTreeMap<String, Vec<String>> {
    let text = fs::read_to_string(format!("packaging/systemd/{name}.service")).unwrap();
    let mut said: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    for (key, value) in lines.filter_map(|line| line.split_once('=')) {
        let words = value.split(' ').map(str::to_owned);
        said.entry(key.to_owned()).or_default().extend(words);
    }
    said
}

/// Without systemd only this much can be asked: both come before the network, the one before the other, and neither opens
/// the box when it ends.
#[test]
fn the_units_bring_the_rules_before_the_network() {
    let (restore, watch) = (unit("rfw-restore"), unit("rfw-watch"));
    let says = |unit: &BTreeMap<String, Vec<String>>, key: &str, word: &str| {
        unit.get(key)
            .is_some_and(|words| words.iter().any(|own| own == word))
    };
    for unit in [&restore, &watch] {
        assert!(says(unit, "Before", "network-pre.target"));
        assert!(says(unit, "Wants", "network-pre.target"));
        assert!(says(unit, "DefaultDependencies", "no"));
        assert!(says(unit, "After", "local-fs.target"));
        assert!(says(unit, "WantedBy", "sysinit.target"));
        assert!(says(unit, "StateDirectory", "rfw"));
        assert!(says(unit, "RuntimeDirectoryPreserve", "yes"));
        assert!(!unit.contains_key("ExecStop") && !unit.contains_key("ExecStopPost"));
        for other in ["nftables.service", "firewalld.service", "ufw.service"] {
            assert!(says(unit, "Conflicts", other) && says(unit, "After", other));
        }
    }
    assert!(says(&restore, "Before", "rfw-watch.service"));
    assert!(says(&watch, "After", "rfw-restore.service"));
    // A boot without a copy goes on, and so does the daemon.
    assert!(!says(&watch, "Requires", "rfw-restore.service"));
    assert_eq!(restore["Type"], ["oneshot"]);
    assert_eq!(restore["RemainAfterExit"], ["yes"]);
    assert_eq!(
        restore["ExecStart"],
        ["/usr/local/bin/rfw", "restore", "--boot"]
    );
    // Only where systemd is: the tests do not ask for it.
    if std::process::Command::new("systemd-analyze")
        .arg("--version")
        .output()
        .is_err()
    {
        return;
    }
    let desk = Desk::new();
    let text = fs::read_to_string("packaging/systemd/rfw-restore.service").unwrap();
    let here = text.replace("/usr/local/bin/rfw", env!("CARGO_BIN_EXE_rfw"));
    let path = desk.write("rfw-restore.service", &here);
    let mut command = program::command("systemd-analyze");
    command.args(["verify", "--man=no", "--recursive-errors=no", &path]);
    let output = program::run(command, b"", Duration::from_secs(30));
    assert!(output.success(), "{output:?}");
    assert!(!output.stderr.contains("rfw-restore.service"), "{output:?}");
}
