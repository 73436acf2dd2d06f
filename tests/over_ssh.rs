//! What goes over ssh goes over a real sshd: fetching, pushing, and asking another box for its digests.

use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;

use super::push::{applied, has, plain, policy};
use super::support::daemon::Daemon;
use super::support::git::Git;
use super::support::rfw::Desk;
use super::support::sshd::{Rights, Somebody, Sshd};
use super::support::{Host, alone, alone_for, link, nft};

const HERE: &str = "10.9.0.1";
const THERE: &str = "10.9.0.2";

/// A host with a cable to the one where an sshd runs.
fn connected(name: &str, sshd: &Sshd) -> Host {
    let host = Host::new(name);
    link((&host, "eth0"), (&sshd.host, "eth0"));
    host.ip(&format!("addr add {HERE}/24 dev eth0"));
    sshd.host.ip(&format!("addr add {THERE}/24 dev eth0"));
    host
}

#[test]
fn a_commit_is_fetched_from_a_host_that_the_user_knows_and_from_no_other() {
    // A busy sshd may leave a connection without an answer, which ssh gives up after 20 seconds; the daemon tries again.
    alone_for(Duration::from_secs(180), || {
        let desk = Desk::new();
        let somebody = Somebody::new(&desk);
        let forge = Sshd::start(&somebody, "forge", Rights::None, &[]);
        let host = connected("box", &forge);
        let upstream = Git::new(&desk, "upstream");
        let first = upstream.commit(&[("gateway.yaml", &policy(1001))]);
        let path = desk.file("policy.git");
        let path = path.to_str().unwrap();
        desk.must(&host, &["repo", "init", path]);
        // The name is one of the user's own configuration.
        let address = format!("ssh://forge{}", upstream.path.display());
        let bare = upstream.at(path);
        bare.run(&["remote", "add", "origin", &address]);
        let agent = desk.write(
            "agent.yaml",
            &format!("version: 1\nrepository: {{ path: {path} }}\npull: {{ remote: origin, interval: 1s, user: git }}\n"),
        );
        somebody.finds("forge", THERE);
        let daemon = Daemon::start(&desk, &host, &["--agent", &agent]);
        let trouble = |why: &str| {
            daemon.signal(Signal::SIGHUP);
            let report = daemon.until(why, |report| {
                let text = report["pull"]["trouble"]["text"].as_str();
                text.is_some_and(|text| text.contains(why))
            });
            let text = report["pull"]["trouble"]["text"].as_str().unwrap();
            assert!(text.contains("Host key verification failed."), "{text}");
        };
        // Nobody is asked whether this is the right one.
        trouble("No ED25519 host key is known for [10.9.0.2]:2222");
        assert!(nft::ruleset(&host).is_empty());
        somebody.knows("forge", THERE, &forge);
        daemon.signal(Signal::SIGHUP);
        daemon.until("the first commit", applied(&first));
        assert!(has(&host, 1001));
        assert!(
            forge.log().contains("Accepted publickey for git"),
            "{}",
            forge.log()
        );
        // The host is another than it was.
        let other = Sshd::start(&somebody, "other", Rights::None, &[]);
        somebody.believes(&format!("[{THERE}]:2222 {}", other.public_key()));
        trouble("REMOTE HOST IDENTIFICATION HAS CHANGED");
        let second = upstream.commit(&[("gateway.yaml", &policy(1002))]);
        let failures = |report: &Value| report["pull"]["trouble"]["failures"].as_u64();
        let before = failures(&daemon.report()).unwrap();
        daemon.signal(Signal::SIGHUP);
        daemon.until("refused again", |report| failures(report) > Some(before));
        assert_eq!(bare.run(&["rev-parse", "main"]), first);
        assert!(has(&host, 1001) && !has(&host, 1002));
        let said = desk.must(&host, &["status", "--agent", &agent]);
        assert!(said.contains("Host key verification failed."), "{said}");
        somebody.knows("forge", THERE, &forge);
        daemon.signal(Signal::SIGHUP);
        daemon.until("the second commit", applied(&second));
        assert!(has(&host, 1002));
        let _ = daemon.stop();
    });
}

#[test]
fn a_push_over_ssh_shows_its_plan_and_a_bad_policy_is_rejected() {
    alone(|| {
        let desk = Desk::new();
        let somebody = Somebody::new(&desk);
        let gateway = Sshd::start(&somebody, "gateway", Rights::None, &[]);
        let (client, host) = (connected("client", &gateway), &gateway.host);
        somebody.knows("gw", THERE, &gateway);
        let path = desk.file("policy.git");
        let path = path.to_str().unwrap();
        desk.must(host, &["repo", "init", path]);
        let clone = Git::new(&desk, "clone");
        clone.run(&["remote", "add", "gw", &format!("ssh://gw{path}")]);
        let daemon = Daemon::start(&desk, host, &["--policy", path, "--rev", "main"]);
        let push = || {
            let output = client.run(|| clone.try_to(&["push", "gw", "main"]));
            (output.success(), plain(&output.stderr))
        };
        let first = clone.commit(&[("gateway.yaml", &over(1001))]);
        let (taken, said) = push();
        assert!(taken, "{said}\n{}", gateway.log());
        assert!(said.contains("remote: + table inet rfw"), "{said}");
        daemon.until("the first push", applied(&first));
        // From here on through rfw's own rules.
        let second = clone.commit(&[("gateway.yaml", &over(1002))]);
        let (taken, said) = push();
        assert!(taken, "{said}");
        for line in [
            "live generation",
            "remote: ~   tcp dport 1002 counter accept",
            &format!(
                "remote: rfw: refs/heads/main {} -> {}",
                &first[..12],
                &second[..12]
            ),
        ] {
            assert!(said.contains(line), "{line}: {said}");
        }
        daemon.until("the second push", applied(&second));
        assert!(has(host, 1002));
        let bad = over(1003).replace("from: lan", "from: lann");
        clone.commit(&[("gateway.yaml", &bad)]);
        let (taken, said) = push();
        assert!(!taken, "{said}");
        for line in [
            "remote: error[unknown-zone]: unknown zone `lann`",
            "remote: error: push rejected, live ruleset untouched",
            "[remote rejected] main -> main (pre-receive hook declined)",
        ] {
            assert!(said.contains(line), "{line}: {said}");
        }
        assert_eq!(clone.at(path).run(&["rev-parse", "main"]), second);
        assert!(has(host, 1002));
        let _ = daemon.stop();
    });
}

/// A policy that lets in who pushes it.
fn over(port: u16) -> String {
    policy(port)
        .replace(
            "services: { door",
            "services: { shell: { tcp: [2222] }, door",
        )
        .replace(
            "rules: [",
            "rules: [{ name: shell, services: [shell], action: accept }, ",
        )
}

#[test]
fn digests_are_compared_over_ssh() {
    alone(|| {
        let desk = Desk::new();
        let of_b = Desk::new();
        let somebody = Somebody::new(&desk);
        let there = of_b.write("there.yaml", &over(1001));
        let (state, run) = (of_b.file("state"), of_b.file("run"));
        let variables = [
            ("RFW_POLICY", there.as_str()),
            ("RFW_STATE_DIR", state.to_str().unwrap()),
            ("RFW_RUN_DIR", run.to_str().unwrap()),
        ];
        let b = Sshd::start(&somebody, "b", Rights::Network, &variables);
        let a = connected("a", &b);
        somebody.knows("b", THERE, &b);
        let here = desk.write("here.yaml", &over(1001));
        desk.must(&a, &["apply", "--policy", &here]);
        of_b.must(&b.host, &["apply", "--policy", &there]);
        let compare = || desk.rfw(&a, &["digest", "--policy", &here, "--peer", "b"]);
        let said = compare();
        assert_eq!(said.code(), 0, "{said:?}\n{}", b.log());
        assert!(said.stdout.starts_with("policy     the same: "), "{said:?}");
        let live = "live       here what this node compiles; there what that node compiles\n";
        assert!(said.stdout.contains(live), "{said:?}");
        // Its kernel is another.
        nft::load(&b.host, "add rule inet rfw policy/out drop");
        let said = compare();
        assert_eq!(said.code(), 2, "{said:?}");
        assert!(said.stdout.starts_with("policy     the same: "), "{said:?}");
        let live = "there not what that node compiles";
        assert!(said.stdout.contains(live), "{said:?}");
        // Its policy is another.
        of_b.write("there.yaml", &over(1002));
        of_b.must(&b.host, &["apply", "--policy", &there]);
        let said = compare();
        assert_eq!(said.code(), 2, "{said:?}");
        assert!(
            said.stdout
                .contains("differs    chain policy/in \"in/door\"\n"),
            "{said:?}"
        );
        // Nobody answers.
        drop(b);
        let said = compare();
        assert_eq!(said.code(), 1, "{said:?}");
        assert!(
            said.stderr.contains("`ssh b rfw digest` has failed"),
            "{said:?}"
        );
    });
}
