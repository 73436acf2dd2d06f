//! What the hooks of a repository do beside showing plans: who may push what, by whom, and that nobody has to stay for it. With
//! real pushes.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use rfw::watch::{Reply, Request, ask};
use serde_json::Value;

use super::push::{Pushed, applied, has, plain, policy};
use super::support::git::Git;
use super::support::program::{self, Output};
use super::support::rfw::Desk;
use super::support::{Host, alone, nft};

const BOUND: Duration = Duration::from_secs(30);

/// Makes a key; returns its public half as it stands in the list of signers.
fn key(desk: &Desk, name: &str) -> String {
    let file = desk.file(name);
    let mut command = std::process::Command::new("ssh-keygen");
    command
        .args(["-q", "-N", "", "-C", name, "-t", "ed25519", "-f"])
        .arg(&file);
    assert!(program::run(command, b"", BOUND).success());
    let public = fs::read_to_string(file.with_extension("pub")).unwrap();
    public.trim_end().to_owned()
}

/// Commits the policy of a port, signed.
fn signed(pushed: &Pushed, name: &str, port: u16) -> String {
    let key = pushed.desk.file(name);
    pushed.clone.run(&["config", "gpg.format", "ssh"]);
    let key = key.to_str().unwrap();
    pushed.clone.run(&["config", "user.signingKey", key]);
    pushed.clone.run(&["config", "commit.gpgSign", "true"]);
    let commit = pushed.commit(port);
    pushed.clone.run(&["config", "commit.gpgSign", "false"]);
    commit
}

#[test]
fn who_has_not_signed_pushes_nothing() {
    alone(|| {
        let pushed = Pushed::on("verify: { commits: required, signers: DESK/allowed_signers }");
        let ann = key(&pushed.desk, "ann");
        key(&pushed.desk, "eve");
        let signers = format!("ann@example.org namespaces=\"git\" {ann}\n");
        pushed.desk.write("allowed_signers", &signers);
        let daemon = pushed.daemon();
        let first = signed(&pushed, "ann", 1001);
        pushed.takes(&["main"]);
        daemon.until("the first push", applied(&first));
        let fresh = nft::ruleset(&pushed.host);
        let refused = |expect: &str| {
            let said = pushed.refuses(&["main"]);
            assert!(said.contains(expect), "{said}");
            assert!(
                said.contains("remote: error: push rejected, live ruleset untouched"),
                "{said}"
            );
            assert_eq!(nft::ruleset(&pushed.host), fresh);
            let report = daemon.report();
            assert_eq!(report["applied"]["commit"], *first);
            assert_eq!(report["trouble"], Value::Null, "the daemon saw none of it");
        };
        pushed.commit(1002);
        refused("is refused: it is not signed");
        // Nor does a signature on top of it that is not that of anybody who may sign.
        signed(&pushed, "eve", 1003);
        refused("is refused: ");
        // The signature is that of the commit whose files are read.
        let last = signed(&pushed, "ann", 1004);
        pushed.takes(&["main"]);
        daemon.until("the signed push", applied(&last));
        assert!(has(&pushed.host, 1004));
        // A tag is none of the commit's.
        let fresh_tag = pushed.commit(1005);
        pushed
            .clone
            .run(&["tag", "-s", "-m", "x", "v5", &fresh_tag]);
        let said = pushed.refuses(&["v5^{commit}:refs/heads/main"]);
        assert!(said.contains("it is not signed"), "{said}");
        let _ = daemon.stop();
    });
}

const NODES: &str = "version: 1
name: pair
nodes:
  a: { interfaces: { lan0: eth0 } }
  b: { interfaces: { lan0: eth1 } }
zones: { lan: { interfaces: [lan0] } }
policies:
  - name: in
    from: lan
    to: firewall
    default: drop
    rules: [{ name: door, services: [{ tcp: [PORT] }], action: accept }]
";

#[test]
fn each_node_is_shown_its_own_plan() {
    alone(|| {
        let text = |port: &str| NODES.replace("PORT", port);
        let push = |pushed: &Pushed, text: &str| {
            let commit = pushed.clone.commit(&[("gateway.yaml", text)]);
            (commit, pushed.takes(&["main"]))
        };
        let pushed = Pushed::on("node: b");
        let (_, said) = push(&pushed, &text("1001"));
        assert!(said.contains("no daemon runs"), "{said}");
        assert!(said.contains("\"eth1\""), "{said}");
        assert!(!said.contains("\"eth0\""), "{said}");
        let (_, said) = push(&pushed, &text("1002"));
        assert!(said.contains("remote: ~   tcp dport 1002"), "{said}");
        let daemon = pushed.daemon();
        let (third, said) = push(&pushed, &text("1003"));
        assert!(said.contains("live generation"), "{said}");
        daemon.until("the third", applied(&third));
        let table = nft::table(&pushed.host, "inet rfw");
        assert!(
            table.contains("\"eth1\"") && table.contains("1003"),
            "{table}"
        );
        // What is wrong for another node only is wrong.
        let bad = text("1004").replace("lan0: eth0", "lan1: eth0");
        pushed.clone.commit(&[("gateway.yaml", &bad)]);
        let said = pushed.refuses(&["main"]);
        assert!(said.contains("error[unmapped-interface]"), "{said}");
        let _ = daemon.stop();
        // Nobody says which node it is: it is looked at for all of them, and there is no plan.
        let pushed = Pushed::new();
        let raw = "raw: [{ name: r, hook: input, rules: [\"tcp dport 7 drop\"] }]\n";
        for more in ["", raw] {
            let (_, said) = push(&pushed, &(text("1001") + more));
            assert!(
                said.contains("no plan, because nobody says which node"),
                "{said}"
            );
            assert!(!said.contains("dport"), "{said}");
        }
        pushed.clone.commit(&[("gateway.yaml", &bad)]);
        let said = pushed.refuses(&["main"]);
        assert!(said.contains("error[unmapped-interface]"), "{said}");
    });
}

#[test]
fn warnings_are_shown_and_reject_nothing() {
    alone(|| {
        let (pushed, daemon, _) = Pushed::in_force();
        let warned =
            |port: u16| policy(port).replace("services: {", "services: { idle: { tcp: [9] },");
        const WARNING: &str = "remote: warning[unused-service]";
        let second = pushed.clone.commit(&[("gateway.yaml", &warned(1002))]);
        let said = pushed.takes(&["main"]);
        assert!(said.contains(WARNING), "{said}");
        assert!(said.contains(":gateway.yaml:5:"), "{said}");
        daemon.until("the second", applied(&second));
        let _ = daemon.stop();
        pushed.clone.commit(&[("gateway.yaml", &warned(1003))]);
        let said = pushed.takes(&["main"]);
        assert!(said.contains("no daemon runs"), "{said}");
        assert_eq!(said.matches(WARNING).count(), 1, "{said}");
        assert!(said.contains("remote: ~   tcp dport 1003"), "{said}");
    });
}

/// What is only asked for is never taken: the daemon reads it where git keeps it meanwhile, and nothing of it stays.
#[test]
fn the_daemon_plans_what_is_in_quarantine() {
    alone(|| {
        let (pushed, daemon, first) = Pushed::in_force();
        let second = pushed.commit(1002);
        let said = pushed.refuses(&["-o", "plan", "main"]);
        assert!(said.contains("live generation"), "by the daemon: {said}");
        assert!(said.contains("remote: ~   tcp dport 1002"), "{said}");
        let gone = pushed.bare.try_to(&["cat-file", "-e", &second]);
        assert!(!gone.success(), "nothing of it stays");
        assert_eq!(daemon.report()["applied"]["commit"], *first);
        let plan = |quarantine: &str| {
            let mut replies = Vec::new();
            let request = Request::Plan {
                repository: pushed.bare.path.clone(),
                commit: second.clone(),
                quarantine: Some(quarantine.into()),
            };
            let socket = pushed.desk.run_file("control.sock");
            ask(&socket, &request, |reply| replies.push(reply)).unwrap();
            replies.pop().unwrap()
        };
        // Somebody else's objects are not read for whoever asks.
        let elsewhere = pushed.clone.inner("objects");
        let reply = plan(elsewhere.to_str().unwrap());
        assert!(
            matches!(&reply, Reply::Error { text } if text.contains("not in the repository")),
            "{reply:?}"
        );
        let reply = plan("/nonexistent");
        assert!(matches!(&reply, Reply::Error { .. }), "{reply:?}");
        assert!(has(&pushed.host, 1001));
        let _ = daemon.stop();
    });
}

/// In a user namespace of his own he has no right to anything that is not his.
fn push_without_rights(pushed: &Pushed) -> (bool, String) {
    let inner = pushed.clone.command(&["push", "gw", "main"]);
    let mut command = std::process::Command::new("unshare");
    command
        .args(["-U", "git"])
        .args(inner.get_args())
        .current_dir(&pushed.clone.path)
        .env_clear()
        .envs(
            inner
                .get_envs()
                .filter_map(|(key, value)| Some((key, value?))),
        );
    let output = pushed.host.run(|| program::run(command, b"", BOUND));
    (output.success(), plain(&output.stderr))
}

#[test]
fn whoever_pushes_needs_no_rights() {
    alone(|| {
        let (pushed, daemon, _) = Pushed::in_force();
        let second = pushed.commit(1002);
        let (taken, said) = push_without_rights(&pushed);
        assert!(taken, "{said}");
        assert!(said.contains("live generation"), "by the daemon: {said}");
        daemon.until("the second", applied(&second));
        // Nor even that of asking the daemon.
        let socket = pushed.desk.run_file("control.sock");
        fs::set_permissions(&socket, fs::Permissions::from_mode(0o000)).unwrap();
        let third = pushed.commit(1003);
        let (taken, said) = push_without_rights(&pushed);
        assert!(taken, "{said}");
        assert!(
            said.contains("this user may not ask the daemon: compared with the branch as it is"),
            "{said}"
        );
        assert!(said.contains("remote: ~   tcp dport 1003"), "{said}");
        daemon.until("the third, which it was not woken for", applied(&third));
        let bad = policy(1004).replace("to: lan", "to: lann");
        pushed.clone.commit(&[("gateway.yaml", &bad)]);
        let (taken, said) = push_without_rights(&pushed);
        assert!(!taken && said.contains("error[unknown-zone]"), "{said}");
        assert!(has(&pushed.host, 1003));
        let _ = daemon.stop();
    });
}

#[test]
fn the_repository_belongs_to_whom_it_is_given() {
    let desk = Desk::new();
    let path = desk.file("policy.git");
    let path = path.to_str().unwrap();
    let init = |owner: &str| {
        let command = desk.command(&["repo", "init", "--owner", owner, path]);
        program::run(command, b"", BOUND)
    };
    let unknown = init("nobody-of-this-name");
    assert_eq!(unknown.code(), 1);
    assert!(
        unknown
            .stderr
            .contains("there is no user `nobody-of-this-name`"),
        "{}",
        unknown.stderr
    );
    assert!(!desk.file("policy.git").exists(), "nothing is made");
    let us = nix::unistd::Uid::effective();
    let output = init("nobody");
    if !us.is_root() {
        // Only root gives things away.
        assert_eq!(output.code(), 1, "{output:?}");
        return;
    }
    assert!(output.success(), "{output:?}");
    let nobody = nix::unistd::User::from_name("nobody").unwrap().unwrap();
    for file in [
        "",
        "HEAD",
        "config",
        "objects",
        "refs/heads",
        "hooks/pre-receive",
    ] {
        let found = fs::metadata(desk.file("policy.git").join(file)).unwrap();
        assert_eq!(found.uid(), nobody.uid.as_raw(), "{file}");
    }
    // He is pushed to, and needs nothing that is root's.
    let clone = Git::new(&desk, "clone");
    clone.commit(&[("gateway.yaml", &policy(1001))]);
    let give = |path: &str| {
        let mut command = std::process::Command::new("chown");
        command.args(["-R", "nobody"]).arg(desk.file(path));
        assert!(program::run(command, b"", BOUND).success());
    };
    for path in ["clone", "home", "run", "state"] {
        give(path);
    }
    let push = |expect: bool| {
        let mut command = clone.command(&["push", path, "main"]);
        command.uid(nobody.uid.as_raw()).gid(nobody.gid.as_raw());
        let Output { status, stderr, .. } = program::run(command, b"", BOUND);
        assert_eq!(status.success(), expect, "{stderr}");
        plain(&stderr)
    };
    let said = push(true);
    assert!(said.contains("remote: + table inet rfw"), "{said}");
    assert!(said.contains("no daemon runs"), "{said}");
    give("home");
    clone.write("gateway.yaml", &policy(1001).replace("to: lan", "to: lann"));
    clone.run(&["-c", "safe.directory=*", "add", "-A"]);
    clone.run(&["-c", "safe.directory=*", "commit", "-q", "-m", "x"]);
    give("clone");
    let said = push(false);
    assert!(said.contains("error[unknown-zone]"), "{said}");
}

/// A push whose post-receive hook first says that it has begun, and waits.
struct Pusher {
    child: Child,
}

impl Pusher {
    fn start(pushed: &Pushed) -> Self {
        let hook = pushed.bare.path.join("hooks/post-receive");
        let text = fs::read_to_string(&hook).unwrap();
        let text = text.replace("exec ", "touch ../begun; sleep 0.3; exec ");
        fs::write(&hook, text).unwrap();
        let mut command = pushed.clone.command(&["push", "gw", "main"]);
        command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .stdin(Stdio::piped())
            .process_group(0);
        let child = command.spawn().unwrap();
        let begun = pushed.desk.file("begun");
        let deadline = Instant::now() + Duration::from_secs(20);
        while !begun.exists() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(2));
        }
        assert!(begun.exists(), "the branch has moved, and the hook runs");
        Self { child }
    }
}

fn woken(report: &Value) -> u64 {
    report["steps"]["causes"]["wake"].as_u64().unwrap_or(0)
}

#[test]
fn whoever_pushes_may_go() {
    alone(|| {
        let (pushed, daemon, _) = Pushed::in_force();
        let before = woken(&daemon.report());
        let second = pushed.commit(1002);
        let mut pusher = Pusher::start(&pushed);
        pusher.child.kill().unwrap();
        pusher.child.wait().unwrap();
        daemon.until("the push of somebody who has gone", applied(&second));
        // Not only because a file has changed: the hook has outlived who pushed.
        daemon.until("woken", |report| woken(report) == before + 1);
        assert!(has(&pushed.host, 1002));
        let _ = daemon.stop();
    });
}

#[test]
fn all_that_pushes_may_be_killed() {
    alone(|| {
        let (pushed, daemon, _) = Pushed::in_force();
        let before = woken(&daemon.report());
        let second = pushed.commit(1002);
        let mut pusher = Pusher::start(&pushed);
        // With the server's side and the hook, before it has woken anybody.
        let group = Pid::from_raw(i32::try_from(pusher.child.id()).unwrap());
        killpg(group, Signal::SIGKILL).unwrap();
        pusher.child.wait().unwrap();
        daemon.until("the push that nobody has finished", applied(&second));
        assert!(has(&pushed.host, 1002));
        std::thread::sleep(Duration::from_millis(500));
        assert_eq!(
            woken(&daemon.report()),
            before,
            "nobody was left to wake it"
        );
        let _ = daemon.stop();
    });
}

/// Each time that a policy with raw rules is compiled, nft is asked what they mean: that is counted.
#[test]
fn a_hook_compiles_a_policy_once() {
    alone(|| {
        let (host, desk) = (Host::new("box"), Desk::new());
        let clone = Git::new(&desk, "clone");
        let path = desk.file("policy.git");
        let path = path.to_str().unwrap();
        desk.must(&host, &["repo", "init", path]);
        let nft = ["/usr/local/sbin/nft", "/usr/sbin/nft", "/usr/bin/nft"];
        let nft = nft.into_iter().find(|nft| fs::exists(nft).unwrap());
        let nft = nft.expect("nft");
        let (real, count) = (desk.write("real-nft", ""), desk.write("count", ""));
        let script = format!("#!/bin/sh\necho asked >>{count}\nexec {real} \"$@\"\n");
        let counting = desk.write("counting-nft", &script);
        fs::set_permissions(&counting, fs::Permissions::from_mode(0o755)).unwrap();
        // In this mount namespace only.
        host.must("mount", &["--bind", nft, &real], "");
        host.must("mount", &["--bind", &counting, nft], "");
        let raw = "raw: [{ name: r, hook: input, rules: [\"tcp dport 7 drop\"] }]\n";
        let compiled = |port: u16| {
            desk.write("count", "");
            clone.commit(&[("gateway.yaml", &(policy(port) + raw))]);
            let command = clone.command(&["push", path, "main"]);
            let output = host.run(|| program::run(command, b"", BOUND));
            assert!(output.success(), "{}", output.stderr);
            fs::read_to_string(&count).unwrap().lines().count()
        };
        assert_eq!(compiled(1001), 1, "the new one");
        assert_eq!(compiled(1002), 2, "the new one and the one before");
        host.must("umount", &[nft], "");
        host.must("umount", &[&real], "");
    });
}
