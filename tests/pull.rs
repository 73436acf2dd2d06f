//! The branch is fetched from elsewhere: with the real git and the real daemon. What comes is applied; what does not come, or
//! does not come after what is there, changes nothing and is told.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::Value;

use super::push::policy;
use super::support::daemon::Daemon;
use super::support::git::Git;
use super::support::rfw::Desk;
use super::support::{Host, alone, nft};

/// A box with a repository, and somebody else's, which it is fetched from.
///
/// In here there is only one user, who is called root and is none: `nobody` stands for that one.
struct Pulling {
    host: Host,
    desk: Desk,
    upstream: Git,
    bare: Git,
    agent: String,
}

impl Pulling {
    fn new() -> Self {
        let (host, desk) = (Host::new("box"), Desk::new());
        let upstream = Git::new(&desk, "upstream");
        let path = desk.file("policy.git");
        let path = path.to_str().unwrap();
        desk.must(&host, &["repo", "init", path]);
        let bare = upstream.at(path);
        let address = format!("file://{}", upstream.path.display());
        bare.run(&["remote", "add", "origin", &address]);
        let agent = desk.write(
            "agent.yaml",
            &format!("version: 1\nrepository: {{ path: {path} }}\npull: {{ remote: origin, interval: 1s, user: nobody }}\n"),
        );
        Self {
            host,
            desk,
            upstream,
            bare,
            agent,
        }
    }

    /// With a daemon that has put a first commit in force.
    #[track_caller]
    fn in_force() -> (Self, Daemon, String) {
        let pulling = Self::new();
        // The repository is empty: the first commit comes by fetching.
        let first = pulling.commit(1001);
        let daemon = Daemon::start(&pulling.desk, &pulling.host, &["--agent", &pulling.agent]);
        daemon.until("the first commit", applied(&first));
        pulling.has(1001);
        (pulling, daemon, first)
    }

    fn commit(&self, port: u16) -> String {
        self.upstream.commit(&[("gateway.yaml", &policy(port))])
    }

    #[track_caller]
    fn has(&self, port: u16) {
        let table = nft::table(&self.host, "inet rfw");
        assert!(table.contains(&port.to_string()), "{table}");
    }

    /// Files in the repository that git has begun and not ended.
    fn unfinished(&self) -> Vec<String> {
        let mut find = std::process::Command::new("find");
        find.arg(self.bare.path.join("objects"))
            .args(["-name", "tmp_*"]);
        let output = find.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    /// What a command says, on both streams.
    #[track_caller]
    fn says(&self, arguments: &[&str]) -> String {
        let arguments = [arguments, &["--agent", &self.agent]].concat();
        let output = self.desk.rfw(&self.host, &arguments);
        assert!(output.success(), "{output:?}");
        output.stdout + &output.stderr
    }
}

fn applied(commit: &str) -> impl Fn(&Value) -> bool {
    let commit = commit.to_owned();
    move |report| report["state"] == "in-force" && report["applied"]["commit"] == *commit
}

#[test]
fn a_commit_upstream_comes_into_the_kernel() {
    alone(|| {
        let (pulling, daemon, first) = Pulling::in_force();
        let said = pulling.says(&["status"]);
        let line = format!("fetched    main from origin: {} at ", &first[..12]);
        assert!(said.contains(&line), "{said}");
        let second = pulling.commit(1002);
        daemon.until("the second commit", applied(&second));
        pulling.has(1002);
        let report = daemon.until("told", |report| report["pull"]["commit"] == *second);
        assert_eq!(report["pull"]["trouble"], Value::Null);
        for command in [&["plan"][..], &["apply"]] {
            let said = pulling.says(command);
            assert!(
                said.contains("note: `main` was last fetched from `origin` at "),
                "{said}"
            );
        }
        let said = pulling.says(&["status", "--format", "prometheus"]);
        for line in [
            "rfw_pull_success{remote=\"origin\"} 1\n",
            "rfw_pull_failures{remote=\"origin\"} 0\n",
            "rfw_pull_success_timestamp_seconds{remote=\"origin\"} 1",
        ] {
            assert!(said.contains(line), "{line}: {said}");
        }
        let log = daemon.stop();
        assert!(
            log.contains("`main` is fetched from `origin` by the user nobody"),
            "{log}"
        );
        // Nobody fetches now, and that is said.
        let said = pulling.says(&["plan"]);
        assert!(
            said.contains("no daemon runs that has fetched it"),
            "{said}"
        );
        // A policy from elsewhere has nothing to do with it.
        let file = pulling.desk.write("own.yaml", &policy(1003));
        let said = pulling.says(&["plan", "--policy", &file]);
        assert!(!said.contains("fetched"), "{said}");
    });
}

#[test]
fn what_is_out_of_reach_changes_nothing_and_is_told() {
    alone(|| {
        let (pulling, daemon, first) = Pulling::in_force();
        let fresh = nft::ruleset(&pulling.host);
        let away = pulling.desk.file("away");
        fs::rename(&pulling.upstream.path, &away).unwrap();
        let report = daemon.until("trouble", |report| report["pull"]["trouble"].is_object());
        assert_eq!(report["state"], "in-force", "the rules have none of it");
        assert_eq!(report["trouble"], Value::Null);
        assert_eq!(report["pull"]["trouble"]["kind"], "source");
        assert_eq!(report["pull"]["commit"], *first);
        assert_eq!(nft::ruleset(&pulling.host), fresh);
        let said = pulling.says(&["status"]);
        assert!(said.contains("           fails since "), "{said}");
        assert!(
            said.contains("does not appear to be a git repository"),
            "{said}"
        );
        let said = pulling.says(&["status", "--format", "prometheus"]);
        assert!(
            said.contains("rfw_pull_success{remote=\"origin\"} 0\n"),
            "{said}"
        );
        let said = pulling.says(&["plan"]);
        assert!(said.contains("; it fails since "), "{said}");
        // Drift is repaired as ever.
        nft::load(&pulling.host, "flush table inet rfw");
        daemon.until("repaired", |report| {
            report["drift"]["repaired"] == 1 && report["state"] == "in-force"
        });
        assert_eq!(nft::ruleset(&pulling.host), fresh);
        fs::rename(&away, &pulling.upstream.path).unwrap();
        let second = pulling.commit(1002);
        daemon.signal(Signal::SIGHUP);
        daemon.until("in reach again", applied(&second));
        pulling.has(1002);
        let log = daemon.stop();
        assert!(
            log.contains("`main` is fetched from `origin` again"),
            "{log}"
        );
        let times = log
            .matches("; the rules stay, and it is tried again")
            .count();
        assert_eq!(times, 1, "told once: {log}");
    });
}

#[test]
fn a_rewritten_branch_is_refused() {
    alone(|| {
        let (pulling, daemon, first) = Pulling::in_force();
        let second = pulling.commit(1002);
        daemon.until("the second commit", applied(&second));
        let fresh = nft::ruleset(&pulling.host);
        pulling.upstream.run(&["reset", "-q", "--hard", &first]);
        // Older.
        daemon.signal(Signal::SIGHUP);
        std::thread::sleep(Duration::from_millis(1500));
        assert_eq!(pulling.bare.run(&["rev-parse", "main"]), second);
        // Beside it.
        pulling.commit(1003);
        daemon.signal(Signal::SIGHUP);
        let report = daemon.until("refused", |report| {
            report["pull"]["trouble"]["kind"] == "guard"
        });
        let text = report["pull"]["trouble"]["text"].as_str().unwrap();
        assert!(text.contains("does not come after the one here"), "{text}");
        assert_eq!(report["state"], "in-force");
        assert_eq!(report["applied"]["commit"], *second);
        assert_eq!(pulling.bare.run(&["rev-parse", "main"]), second);
        assert_eq!(nft::ruleset(&pulling.host), fresh);
        // Put right at the other end.
        pulling.upstream.run(&["reset", "-q", "--hard", &second]);
        let third = pulling.commit(1004);
        daemon.signal(Signal::SIGHUP);
        daemon.until("put right", applied(&third));
        pulling.has(1004);
        let _ = daemon.stop();
    });
}

#[test]
fn more_than_may_come_is_refused_and_leaves_nothing_behind() {
    alone(|| {
        let (mut pulling, daemon, first) = Pulling::in_force();
        let _ = daemon.stop();
        let fresh = nft::ruleset(&pulling.host);
        let text = fs::read_to_string(&pulling.agent).unwrap();
        let with =
            |size: u32| text.replace("user: nobody", &format!("user: nobody, max_size: {size}"));
        pulling.agent = pulling.desk.write("agent.yaml", &with(1));
        let arguments = ["--agent", pulling.agent.as_str()];
        // What nothing makes smaller: two files of 3 MB, once alone, and once with so many others that all are one file.
        let mut noise = vec![0; 3 << 20];
        let mut source = fs::File::open("/dev/urandom").unwrap();
        std::io::Read::read_exact(&mut source, &mut noise).unwrap();
        let daemon = Daemon::start(&pulling.desk, &pulling.host, &arguments);
        let mut last = String::new();
        for others in [0_u16, 30] {
            fs::write(pulling.upstream.path.join("noise"), &noise).unwrap();
            for number in 0..others {
                pulling
                    .upstream
                    .write(&format!("other-{number}"), &number.to_string());
            }
            last = pulling.commit(1002 + others);
            daemon.signal(Signal::SIGHUP);
            let report = daemon.until("refused", |report| {
                report["pull"]["trouble"]["kind"] == "guard"
            });
            let text = report["pull"]["trouble"]["text"].as_str().unwrap();
            assert!(
                text.starts_with(
                    "`git fetch` from `origin`: more than 1 MiB, and nothing of it was kept; "
                ),
                "{text}"
            );
            assert_eq!(report["applied"]["commit"], *first);
            assert_eq!(pulling.bare.run(&["rev-parse", "main"]), first);
            assert_eq!(nft::ruleset(&pulling.host), fresh);
            assert_eq!(pulling.unfinished(), [""; 0]);
            // Less than that comes as ever.
            pulling.upstream.run(&["reset", "-q", "--hard", &first]);
            daemon.signal(Signal::SIGHUP);
            daemon.until("well again", |report| report["pull"]["trouble"].is_null());
        }
        let _ = daemon.stop();
        pulling.upstream.run(&["reset", "-q", "--hard", &last]);
        pulling.agent = pulling.desk.write("agent.yaml", &with(16));
        let arguments = ["--agent", pulling.agent.as_str()];
        let daemon = Daemon::start(&pulling.desk, &pulling.host, &arguments);
        daemon.until("as much as is said comes", applied(&last));
        let _ = daemon.stop();
    });
}

/// What comes is not yet what is applied.
#[test]
fn what_nobody_has_signed_is_fetched_and_not_applied() {
    alone(|| {
        let (mut pulling, daemon, _) = Pulling::in_force();
        let _ = daemon.stop();
        let fresh = nft::ruleset(&pulling.host);
        let text = fs::read_to_string(&pulling.agent).unwrap();
        let signers = pulling.desk.write(
            "allowed_signers",
            "ann@example.org ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKy53FjQ1lFcUoUFOhUiV2vsTQO1a1nKqyyKZhKJ1cGk\n",
        );
        let more = format!("verify: {{ commits: required, signers: {signers} }}\n");
        pulling.agent = pulling.desk.write("strict.yaml", &(text + &more));
        let arguments = ["--agent", pulling.agent.as_str()];
        let daemon = Daemon::start(&pulling.desk, &pulling.host, &arguments);
        let second = pulling.commit(1002);
        let report = daemon.until("fetched", |report| {
            report["pull"]["commit"] == *second && report["trouble"]["kind"] == "guard"
        });
        let text = report["trouble"]["text"].as_str().unwrap();
        assert!(text.contains("it is not signed"), "{text}");
        assert_eq!(report["pull"]["trouble"], Value::Null, "fetching is well");
        assert_eq!(nft::ruleset(&pulling.host), fresh);
        let _ = daemon.stop();
    });
}

#[test]
fn a_server_that_hangs_holds_up_nothing() {
    alone(|| {
        let pulling = Pulling::new();
        let first = pulling.commit(1001);
        // There already, so that there is something to hold up.
        let address = format!("file://{}", pulling.bare.path.display());
        pulling.upstream.run(&["push", "-q", &address, "main"]);
        let address = "ssh://git@192.0.2.1/policy.git";
        pulling.bare.run(&["remote", "set-url", "origin", address]);
        let ssh = pulling.desk.write(
            "bin/ssh",
            "#!/bin/sh\necho \"$@\" >\"${0%/*}/said\"\ngrep Cap /proc/self/status >\"${0%/*}/rights\"\nenv >\"${0%/*}/env\"\nexec sleep 100\n",
        );
        fs::set_permissions(&ssh, fs::Permissions::from_mode(0o755)).unwrap();
        let path = format!("{}:/usr/bin:/bin", pulling.desk.file("bin").display());
        let environment = [("PATH", path.as_str()), ("SECRET", "x")];
        let arguments = ["--agent", &pulling.agent];
        let daemon = Daemon::start_with(&pulling.desk, &pulling.host, &arguments, &environment);
        daemon.until("in force", applied(&first));
        let fresh = nft::ruleset(&pulling.host);
        let said = pulling.desk.file("bin/env");
        let deadline = Instant::now() + Duration::from_secs(20);
        while !said.exists() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(daemon.report()["pull"], Value::Null, "it hangs");
        let began = Instant::now();
        nft::load(&pulling.host, "flush ruleset");
        daemon.until("repaired", |report| report["drift"]["repaired"] == 1);
        assert!(began.elapsed() < Duration::from_secs(5));
        assert_eq!(nft::ruleset(&pulling.host), fresh);
        let read = |name: &str| fs::read_to_string(pulling.desk.file(name)).unwrap();
        let said = read("bin/said");
        assert!(
            said.starts_with("-o BatchMode=yes -o StrictHostKeyChecking=yes -o ConnectTimeout=20 "),
            "{said}"
        );
        assert!(said.contains(" git@192.0.2.1 "), "{said}");
        // Here root cannot become anybody else; what fetches has no rights all the same.
        let rights = read("bin/rights");
        for line in rights.lines() {
            let (what, rights) = line.split_once(':').unwrap();
            assert_eq!(u64::from_str_radix(rights.trim(), 16), Ok(0), "{what}");
        }
        assert!(rights.contains("CapEff"), "{rights}");
        let environment = read("bin/env");
        for (word, expect) in [
            ("SECRET", false),
            ("RFW_", false),
            ("GIT_TERMINAL_PROMPT=0\n", true),
            ("USER=nobody\n", true),
        ] {
            assert_eq!(environment.contains(word), expect, "{word}: {environment}");
        }
        // Nor does it hold up the end.
        let began = Instant::now();
        let _ = daemon.stop();
        assert!(began.elapsed() < Duration::from_secs(5));
    });
}
