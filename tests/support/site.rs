//! A box that follows a Git repository whose commits are signed, and the people who write to it.

use std::fs;
use std::time::Duration;

use super::Host;
use super::git::Git;
use super::program::{self, Output};
use super::rfw::Desk;

const BOUND: Duration = Duration::from_secs(30);

/// A policy whose only rule opens this port.
pub(crate) fn policy(port: u16) -> String {
    format!(
        "version: 1
zones: {{ net: {{ interfaces: [eth0] }} }}
policies:
  - name: in
    from: net
    to: firewall
    rules: [{{ name: own, services: [{{ tcp: [{port}] }}], action: accept }}]
"
    )
}

/// A box that follows a repository, and the people who write to it.
pub(crate) struct Site {
    pub(crate) host: Host,
    pub(crate) desk: Desk,
    pub(crate) git: Git,
    pub(crate) agent: String,
}

impl Site {
    pub(crate) fn new(verify: &str) -> Self {
        let (host, desk) = (Host::new("box"), Desk::new());
        let git = Git::new(&desk, "repository");
        let (path, signers) = (git.path.display(), desk.file("allowed_signers"));
        let text = format!(
            "version: 1\nrepository: {{ path: {path} }}\nverify: {{ {verify}, signers: {} }}\n",
            signers.display()
        );
        let agent = desk.write("agent.yaml", &text);
        Self {
            host,
            desk,
            git,
            agent,
        }
    }

    /// Makes a key; returns its public half as it stands in the list of signers.
    pub(crate) fn key(&self, name: &str, kind: &str) -> String {
        let file = self.desk.file(name);
        let mut command = std::process::Command::new("ssh-keygen");
        command
            .args(["-q", "-N", "", "-C", name, "-t", kind, "-f"])
            .arg(&file);
        assert!(program::run(command, b"", BOUND).success());
        let public = fs::read_to_string(file.with_extension("pub")).unwrap();
        public.trim_end().to_owned()
    }

    pub(crate) fn signers(&self, text: &str) {
        self.desk.write("allowed_signers", text);
    }

    /// Commits a policy that opens a port, signed by a key; dated, if a date is given.
    pub(crate) fn signed(&self, key: &str, port: u16, date: Option<&str>) -> String {
        self.git.write("p.yaml", &policy(port));
        self.sign(key, date)
    }

    /// Commits all of the work tree, likewise.
    pub(crate) fn sign(&self, key: &str, date: Option<&str>) -> String {
        self.git.run(&["add", "-A"]);
        let key = format!("user.signingKey={}", self.desk.file(key).display());
        let mut command = self.git.command(&[
            "-c",
            "gpg.format=ssh",
            "-c",
            &key,
            "commit",
            "-q",
            "-S",
            "-m",
            "x",
        ]);
        command.envs(date.map(|date| ("GIT_COMMITTER_DATE", date)));
        let output = program::run(command, b"", BOUND);
        assert!(output.success(), "{}", output.stderr);
        self.git.run(&["rev-parse", "HEAD"])
    }

    /// Whether git itself calls the signature good.
    pub(crate) fn git_takes(&self, commit: &str) -> bool {
        let signers = format!(
            "gpg.ssh.allowedSignersFile={}",
            self.desk.file("allowed_signers").display()
        );
        self.git
            .try_to(&["-c", &signers, "verify-commit", commit])
            .success()
    }

    pub(crate) fn rfw(&self, arguments: &[&str]) -> Output {
        self.desk
            .rfw(&self.host, &[arguments, &["--agent", &self.agent]].concat())
    }

    /// Applies: this exit code, and this is said.
    #[track_caller]
    pub(crate) fn apply(&self, arguments: &[&str], code: i32, expect: &str) {
        let output = self.rfw(&[&["apply"], arguments].concat());
        let said = format!("{}{}", output.stdout, output.stderr);
        assert_eq!(output.code(), code, "{said}");
        assert!(said.contains(expect), "{said}");
        if code == 4 {
            assert!(
                said.contains("the ruleset in the kernel is unchanged"),
                "{said}"
            );
        }
    }

    /// The port that is open.
    #[track_caller]
    pub(crate) fn open(&self, port: u16) {
        let list = self.host.run(|| {
            let mut command = program::command("nft");
            command.args(["list", "table", "inet", "rfw"]);
            program::run(command, b"", BOUND).stdout
        });
        assert!(list.contains(&format!("tcp dport {port}")), "{list}");
    }

    pub(crate) fn status(&self) -> String {
        self.rfw(&["status"]).stdout
    }
}
