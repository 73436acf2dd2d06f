//! Push to deploy: a real Git server directory, real pushes, the real hooks and the real daemon.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use super::support::daemon::Daemon;
use super::support::git::Git;
use super::support::program::Output;
use super::support::rfw::Desk;
use super::support::{Host, alone, nft};

/// A policy whose only difference to another is this port.
pub(super) fn policy(port: u16) -> String {
    format!(
        "version: 1
name: small
zones:
  lan: {{ interfaces: [eth0] }}
services: {{ door: {{ tcp: [{port}] }} }}
policies:
  - name: in
    from: lan
    to: firewall
    default: drop
    rules: [{{ name: door, services: [door], action: accept }}]
  - {{ name: out, from: firewall, to: lan, default: accept }}
"
    )
}

/// A box with a repository that is pushed to, and somebody's clone.
pub(super) struct Pushed {
    pub(super) host: Host,
    pub(super) desk: Desk,
    pub(super) clone: Git,
    pub(super) bare: Git,
    agent: Option<String>,
}

impl Pushed {
    pub(super) fn new() -> Self {
        Self::made(None)
    }

    /// On a box whose agent.yaml names the repository and says this.
    pub(super) fn on(agent: &str) -> Self {
        Self::made(Some(agent))
    }

    fn made(agent: Option<&str>) -> Self {
        let (host, desk) = (Host::new("box"), Desk::new());
        let clone = Git::new(&desk, "clone");
        let path = desk.file("policy.git");
        let path = path.to_str().unwrap();
        let agent = agent.map(|says| {
            let says = says.replace("DESK", desk.file("").to_str().unwrap());
            let text = format!("version: 1\nrepository: {{ path: {path} }}\n{says}\n");
            desk.write("agent.yaml", &text)
        });
        let mut arguments = vec!["repo", "init", path];
        arguments.extend(agent.iter().flat_map(|file| ["--agent", file.as_str()]));
        desk.must(&host, &arguments);
        let bare = clone.at(path);
        clone.run(&["remote", "add", "gw", &format!("file://{path}")]);
        Self {
            host,
            desk,
            clone,
            bare,
            agent,
        }
    }

    /// With a daemon that has put a first commit in force.
    #[track_caller]
    pub(super) fn in_force() -> (Self, Daemon, String) {
        let pushed = Self::new();
        let daemon = pushed.daemon();
        let first = pushed.commit(1001);
        pushed.takes(&["main"]);
        daemon.until("the first push", applied(&first));
        (pushed, daemon, first)
    }

    pub(super) fn daemon(&self) -> Daemon {
        let path = self.bare.path.to_str().unwrap();
        let arguments = match &self.agent {
            Some(file) => vec!["--agent", file],
            None => vec!["--policy", path, "--rev", "main"],
        };
        Daemon::start(&self.desk, &self.host, &arguments)
    }

    pub(super) fn commit(&self, port: u16) -> String {
        self.clone.commit(&[("gateway.yaml", &policy(port))])
    }

    /// Pushes; what the pusher sees, without colour.
    pub(super) fn push(&self, arguments: &[&str]) -> (bool, String) {
        let Output { status, stderr, .. } =
            self.clone.try_to(&[&["push", "gw"], arguments].concat());
        (status.success(), plain(&stderr))
    }

    #[track_caller]
    pub(super) fn takes(&self, arguments: &[&str]) -> String {
        let (taken, said) = self.push(arguments);
        assert!(taken, "{said}");
        said
    }

    #[track_caller]
    pub(super) fn refuses(&self, arguments: &[&str]) -> String {
        let before = self.bare.run(&["for-each-ref"]);
        let (taken, said) = self.push(arguments);
        assert!(!taken, "{said}");
        assert_eq!(self.bare.run(&["for-each-ref"]), before, "no ref moves");
        said
    }
}

/// Without colours, and without what git puts at the ends of lines.
pub(super) fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('\x1b') {
        plain.push_str(before);
        rest = behind
            .split_once(|c: char| c.is_ascii_alphabetic())
            .map_or("", |(_, rest)| rest);
    }
    plain.push_str(rest);
    let lines = plain.lines().map(str::trim_end);
    lines.collect::<Vec<_>>().join("\n")
}

pub(super) fn applied(commit: &str) -> impl Fn(&Value) -> bool {
    let commit = commit.to_owned();
    move |report| report["state"] == "in-force" && report["applied"]["commit"] == *commit
}

pub(super) fn has(host: &Host, port: u16) -> bool {
    nft::table(host, "inet rfw").contains(&port.to_string())
}

#[test]
fn a_repository_is_made_once() {
    alone(|| {
        let (host, desk) = (Host::new("box"), Desk::new());
        let path = desk.file("a b/policy.git");
        let path = path.to_str().unwrap();
        let init = ["repo", "init", path];
        let said = desk.must(&host, &init);
        assert!(
            said.ends_with("policy.git: made, the branch main is followed\n"),
            "{said}"
        );
        let bare = Git::new(&desk, "other").at(path);
        for key in [
            "denyNonFastForwards",
            "denyDeletes",
            "fsckObjects",
            "advertisePushOptions",
        ] {
            assert_eq!(bare.run(&["config", &format!("receive.{key}")]), "true");
        }
        assert_eq!(bare.run(&["symbolic-ref", "HEAD"]), "refs/heads/main");
        let mode = |file: &str| {
            fs::metadata(bare.path.join(file))
                .unwrap()
                .permissions()
                .mode()
        };
        assert_eq!(mode("") & 0o777, 0o750);
        assert_eq!(mode("hooks/pre-receive") & 0o777, 0o755);
        // Again: what is missing comes back, what somebody has changed is left and named.
        let output = desk.rfw(&host, &init);
        assert!(
            output.success() && output.stderr.is_empty(),
            "{}",
            output.stderr
        );
        bare.run(&["config", "receive.denyDeletes", "false"]);
        bare.run(&["config", "--unset", "receive.fsckObjects"]);
        fs::write(bare.path.join("hooks/post-receive"), "#!/bin/sh\n").unwrap();
        fs::remove_file(bare.path.join("hooks/pre-receive")).unwrap();
        let output = desk.rfw(&host, &init);
        assert!(output.success());
        assert_eq!(
            output.stderr,
            "left alone: receive.denyDeletes = false\nleft alone: hooks/post-receive says something else\n"
        );
        assert_eq!(bare.run(&["config", "receive.fsckObjects"]), "true");
        assert!(bare.path.join("hooks/pre-receive").exists());
        // Somebody else's.
        for path in ["other", "full"] {
            desk.write("full/file", "");
            let path = desk.file(path);
            let output = desk.rfw(&host, &["repo", "init", path.to_str().unwrap()]);
            assert_eq!(output.code(), 1);
            assert!(output.stderr.contains("is not empty"), "{}", output.stderr);
            assert!(!path.join("hooks/pre-receive").exists());
        }
    });
}

#[test]
fn a_push_shows_its_plan_and_the_daemon_applies_it() {
    alone(|| {
        let pushed = Pushed::new();
        let daemon = pushed.daemon();
        let first = pushed.commit(1001);
        let said = pushed.takes(&["main"]);
        daemon.until("the first push", applied(&first));
        assert!(has(&pushed.host, 1001));
        assert!(said.contains("remote: + table inet rfw"), "{said}");
        let second = pushed.commit(1002);
        let said = pushed.takes(&["main"]);
        daemon.until("the second push", applied(&second));
        assert!(has(&pushed.host, 1002));
        let moved = format!(
            "remote: rfw: refs/heads/main {} -> {}",
            &first[..12],
            &second[..12]
        );
        assert!(said.contains(&moved), "{said}");
        assert!(
            said.contains("live generation"),
            "against what the kernel holds: {said}"
        );
        assert!(
            said.contains("remote: ~   tcp dport 1002 counter accept"),
            "{said}"
        );
        assert!(said.contains("tcp dport 1001 counter accept"), "{said}");
        let _ = daemon.stop();
    });
}

#[test]
fn what_is_no_policy_is_rejected_with_its_lines() {
    alone(|| {
        let (pushed, daemon, first) = Pushed::in_force();
        let bad = policy(1001).replace("to: lan", "to: lann");
        pushed.clone.commit(&[("gateway.yaml", &bad)]);
        let output = pushed.clone.try_to(&["push", "gw", "main"]);
        assert!(
            output.stderr.contains("\x1b["),
            "in colour: {}",
            output.stderr
        );
        let said = pushed.refuses(&["main"]);
        for line in [
            "remote: error[unknown-zone]: unknown zone `lann`",
            "gateway.yaml:12:",
            "to: lann",
            "did you mean `lan`",
            "remote: error: push rejected, live ruleset untouched",
            "[remote rejected] main -> main (pre-receive hook declined)",
        ] {
            assert!(said.contains(line), "{line}: {said}");
        }
        let output = pushed
            .clone
            .try_to(&["push", "-o", "no-color", "gw", "main"]);
        assert!(!output.stderr.contains("\x1b[3") && !output.stderr.contains("\x1b[1"));
        assert!(has(&pushed.host, 1001));
        assert_eq!(daemon.report()["applied"]["commit"], *first);
        let _ = daemon.stop();
    });
}

#[test]
fn a_push_can_be_asked_for_its_plan_only() {
    alone(|| {
        let pushed = Pushed::new();
        let first = pushed.commit(1001);
        // Without a daemon the branch is what it is compared with, and that is said.
        let said = pushed.takes(&["main"]);
        assert!(
            said.contains("no daemon runs: compared with the branch as it is"),
            "{said}"
        );
        assert!(
            said.contains("against nothing: the branch is new"),
            "{said}"
        );
        assert!(
            said.contains("`rfw apply` on the box puts it in force"),
            "{said}"
        );
        pushed.commit(1002);
        let said = pushed.refuses(&["-o", "plan", "main"]);
        assert!(
            said.contains(&format!("against revision {}", &first[..12])),
            "{said}"
        );
        assert!(said.contains("remote: ~   tcp dport 1002"), "{said}");
        assert!(said.contains("only a plan was asked for: push declined, live ruleset untouched"));
        let daemon = pushed.daemon();
        daemon.until("the first push", applied(&first));
        let said = pushed.refuses(&["-o", "plan", "main"]);
        assert!(said.contains("live generation"), "{said}");
        assert!(said.contains("remote: ~   tcp dport 1002"), "{said}");
        let said = pushed.refuses(&["-o", "paln", "main"]);
        assert!(said.contains("`-o paln` is not known"), "{said}");
        assert!(has(&pushed.host, 1001) && !has(&pushed.host, 1002));
        let _ = daemon.stop();
    });
}

#[test]
fn the_branch_only_goes_forward() {
    alone(|| {
        let pushed = Pushed::new();
        pushed.commit(1001);
        pushed.commit(1002);
        pushed.takes(&["main"]);
        pushed.clone.run(&["reset", "-q", "--hard", "HEAD~1"]);
        pushed.commit(1003);
        let said = pushed.refuses(&["--force", "main"]);
        assert!(said.contains("does not come after"), "{said}");
        pushed.refuses(&["--delete", "main"]);
        // Nor where the configuration would let it.
        pushed.bare.run(&["config", "receive.denyDeletes", "false"]);
        pushed
            .bare
            .run(&["config", "receive.denyDeleteCurrent", "ignore"]);
        let said = pushed.refuses(&["--delete", "main"]);
        assert!(said.contains("cannot be deleted"), "{said}");
        // Other branches are nobody's business.
        let said = pushed.takes(&["HEAD:refs/heads/try"]);
        assert!(
            said.contains("refs/heads/try is not followed, and not looked at"),
            "{said}"
        );
    });
}

#[test]
fn of_two_pushes_at_once_one_is_taken_and_in_force() {
    alone(|| {
        let (pushed, daemon, first) = Pushed::in_force();
        let left = pushed.commit(1002);
        pushed.clone.run(&["branch", "left"]);
        pushed.clone.run(&["reset", "-q", "--hard", &first]);
        let right = pushed.commit(1003);
        let results = std::thread::scope(|scope| {
            let push = |from| {
                let pushed = &pushed;
                scope.spawn(move || pushed.push(&[from]))
            };
            let both = [push("left:main"), push("main:main")];
            both.map(|thread| thread.join().unwrap())
        });
        let taken = results.iter().filter(|(taken, _)| *taken).count();
        assert_eq!(taken, 1, "{results:?}");
        let winner = pushed.bare.run(&["rev-parse", "main"]);
        assert!([&left, &right].contains(&&winner));
        daemon.until("the one that was taken", applied(&winner));
        assert_eq!(has(&pushed.host, 1002), winner == left);
        assert_eq!(has(&pushed.host, 1003), winner == right);
        let _ = daemon.stop();
    });
}
