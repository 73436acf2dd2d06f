//! `agent.yaml`: what the box itself trusts, where its policy comes from, and what a daemon does. It stays on the box and is
//! never in the repository that it speaks of. Read as a policy is: every mistake at its place.
//!
//! The comments are the operator's manual: they become the descriptions in the schema.

mod check;

use std::sync::LazyLock;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::diagnostic::SourceText;
use crate::policy::{
    Address, Branch, Checker, Document, Duration, Endpoint, FilePath, Name, Parsed, Subdirectory,
    schema_of, thoroughly,
};

/// What stays on the box: which node it is, where its policy comes from, whom it trusts, and what is done about drift.
///
/// All of it may be left out: then the policy is that of `--policy`, whoever wrote it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Agent {
    /// The version of this file's language: 1.
    #[schemars(range(min = 1, max = 1))]
    pub version: u32,

    /// Which of the policy's nodes this box is. `--node` and the variable `RFW_NODE` come before it. Example: `fw-a`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<Name>,

    /// The Git repository that the policy is read from, where neither `--policy` nor `--rev` says otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<Repository>,

    /// Fetch the branch of the repository from somewhere else now and then. The daemon does it, and only forward: what does not come
    /// after the commit that is there is refused. Default: not; the repository is pushed to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pull: Option<Pull>,

    /// What a commit must be to be applied.
    #[serde(default)]
    pub verify: Verify,

    /// What is done when the kernel no longer holds what was applied. Default: `repair`.
    #[serde(default)]
    pub drift: DriftAnswer,

    /// Where numbers for Prometheus are to be had. Default: nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<MetricsOutlet>,

    /// Boxes with the same policy, with which digests are compared.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub peers: Vec<Peer>,
}

/// A Git repository on this box. The tree of a commit is read, never a work tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Repository {
    /// Where it is, bare or not. Example: `/srv/rfw/policy.git`.
    pub path: FilePath,

    /// The branch that is followed. Default: `main`.
    #[serde(default)]
    pub branch: Branch,

    /// The directory of the policy in the repository. Default: `.`, its root.
    #[serde(default)]
    pub subdirectory: Subdirectory,

    /// The user to whom the repository may belong besides root and the user that runs rfw, such as the one that is pushed
    /// to. Default: nobody else. Example: `git`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Name>,
}

/// Fetching from a remote repository, by the program `git` as a user who is not root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pull {
    /// The remote, as the repository's configuration knows it; of that only its address is taken (`ssh`, `https`, a path of this box).
    /// Example: `origin`.
    pub remote: Name,

    /// How often, more or less by a third; after failures ever more slowly, up to 15 minutes or this, whichever is longer. Example: `60s`.
    pub interval: Duration,

    /// The user who fetches, with keys and known hosts of its own, and to whom the repository may belong. Default: the owner of the
    /// repository. Never root. Example: `git`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<Name>,

    /// How much may come at once, in MiB, 1 to 65536. A fetch that brings more is ended, and nothing of it is kept. Default: `64`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65_536))]
    pub max_size: Option<u32>,
}

/// What a commit must be to be applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Verify {
    /// Whether commits must be signed. Default: `off`.
    pub commits: Commits,

    /// Who may sign: a file as `ssh-keygen` knows it (allowed signers). Default: `/etc/rfw/allowed_signers`.
    pub signers: FilePath,

    /// Whether a commit must descend from the one that was applied last. Default: `true`; `rfw apply --go-back` is the way
    /// around it.
    pub never_go_back: bool,
}

/// Whether commits must be signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Commits {
    /// Only signed ones are applied: the very commit whose files are read, by a key of `signers`.
    Required,
    /// Signatures are not looked at.
    #[default]
    Off,
}

/// What is done about drift.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DriftAnswer {
    /// The daemon makes it again what the policy says.
    #[default]
    Repair,
    /// It is only told.
    Report,
}

/// Where numbers for Prometheus are to be had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("minProperties" = 1))]
pub struct MetricsOutlet {
    /// The address and port on which the daemon answers. Example: `127.0.0.1:9472`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listen: Option<Endpoint>,

    /// The file that the daemon writes, for the node exporter. Example: `/var/lib/node_exporter/rfw.prom`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub textfile: Option<FilePath>,
}

/// A box with the same policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Peer {
    /// Which of the policy's nodes it is.
    pub node: Name,

    /// Where it can be asked.
    pub address: Address,
}

impl Default for Verify {
    fn default() -> Self {
        Self {
            commits: Commits::Off,
            signers: FilePath::allowed_signers(),
            never_go_back: true,
        }
    }
}

/// Where there is no such file, nothing is asked of commits.
impl Default for Agent {
    fn default() -> Self {
        Self {
            version: 1,
            node: None,
            repository: None,
            pull: None,
            verify: Verify {
                never_go_back: false,
                ..Verify::default()
            },
            drift: DriftAnswer::default(),
            metrics: None,
            peers: Vec::new(),
        }
    }
}

static CHECKER: LazyLock<Checker> = LazyLock::new(|| Checker::new(schema(), "agent.yaml"));

impl Document for Agent {
    fn checker() -> &'static Checker {
        &CHECKER
    }
}

/// The schema of [`Agent`].
#[must_use]
pub fn schema() -> Value {
    schema_of::<Agent>("urn:rfw:agent:1", "rfw agent.yaml")
}

/// The text of `schema/agent.schema.json`.
#[must_use]
pub fn schema_text() -> String {
    format!("{:#}\n", schema())
}

/// Reads the file; the result is there exactly if no diagnostic is an error.
#[must_use]
pub fn parse(text: &SourceText) -> Parsed<Agent> {
    let mut parsed = thoroughly(std::slice::from_ref(text));
    for diagnostic in parsed.policy.iter().flat_map(check::check) {
        parsed.diagnostics.push(diagnostic);
    }
    if parsed.diagnostics.has_errors() {
        parsed.policy = None;
    }
    parsed
}

#[cfg(test)]
mod tests {
    use super::{Agent, Commits, Document, DriftAnswer, Verify, parse};
    use crate::diagnostic::{Report, SourceText};

    /// What is read, or the first line and place of each complaint.
    fn told(text: &str) -> Result<Agent, String> {
        let sources = [SourceText {
            name: "agent.yaml".into(),
            text: text.into(),
        }];
        let parsed = parse(&sources[0]);
        let report = Report {
            diagnostics: &parsed.diagnostics,
            sources: &sources,
            locations: &parsed.locations,
        };
        parsed.policy.ok_or_else(|| {
            let said = report.plain();
            let lines = said.lines().filter_map(|line| {
                let line = line.trim();
                (line.starts_with("error") || line.starts_with("-->")).then_some(line)
            });
            lines.collect::<Vec<_>>().join(" ")
        })
    }

    #[track_caller]
    fn check(text: &str, expect: &str) {
        assert_eq!(told(text).unwrap_err(), expect);
    }

    #[test]
    fn everything_may_be_left_out() {
        assert!(Agent::checker().is_ready());
        let agent = told("version: 1\n").unwrap();
        assert_eq!(agent.verify, Verify::default());
        let verify = Agent::default().verify;
        assert_eq!(
            Agent {
                verify,
                ..agent.clone()
            },
            Agent::default()
        );
        assert_eq!(agent.verify.commits, Commits::Off);
        assert_eq!(agent.drift, DriftAnswer::Repair);
        let agent =
            told("version: 1\nrepository: { path: /srv/x.git }\nverify: { commits: required }\n");
        let agent = agent.unwrap();
        let off = told("version: 1\nverify: { commits: off, never_go_back: false }\n").unwrap();
        assert_eq!(
            (off.verify.commits, off.verify.never_go_back),
            (Commits::Off, false)
        );
        let repository = agent.repository.unwrap();
        assert_eq!(repository.branch.as_str(), "main");
        assert_eq!(repository.subdirectory.as_str(), "");
        assert_eq!(agent.verify.commits, Commits::Required);
        assert!(agent.verify.never_go_back);
    }

    #[test]
    fn mistakes_have_their_places() {
        check(
            "node: a\n",
            "error[missing-key]: agent.yaml has no `version` --> agent.yaml:1:1",
        );
        check(
            "version: 1\nverfy: {}\n",
            "error[unknown-key]: unknown key `verfy` --> agent.yaml:2:1",
        );
        check(
            "version: 1\nrepository: { path: srv }\n",
            "error[bad-path]: `srv` is no path from the root of the file system --> agent.yaml:2:21",
        );
        check(
            "version: 1\nprotect: {}\n",
            "error[unknown-key]: unknown key `protect` --> agent.yaml:2:1",
        );
        check(
            "version: 1\nmetrics: {}\n",
            "error[empty-list]: `metrics` is empty --> agent.yaml:2:10",
        );
        check(
            "version: 1\nverify: { commits: yes }\n",
            "error[unknown-value]: `commits` cannot be `yes` --> agent.yaml:2:20",
        );
        check(
            "version: 1\ndrift: repare\n",
            "error[unknown-value]: `drift` cannot be `repare` --> agent.yaml:2:8",
        );
    }

    #[test]
    fn pulling_needs_a_place_and_somebody() {
        const PULL: &str = "pull: { remote: origin, interval: 60s";
        let check = |rest: &str, expect: &str| check(&format!("version: 1\n{PULL}{rest}"), expect);
        check(
            " }\n",
            "error[missing-key]: `pull` without `repository`: there is nothing to fetch into --> agent.yaml:2:1",
        );
        check(
            " }\nrepository: { path: /srv/x }\n",
            "error[missing-key]: `pull` does not say who fetches: root does not --> agent.yaml:2:1",
        );
        check(
            " }\nrepository: { path: /srv/x, owner: root }\n",
            "error[missing-key]: `pull` does not say who fetches: root does not --> agent.yaml:2:1",
        );
        check(
            ", user: root }\nrepository: { path: /srv/x, owner: git }\n",
            "error[unknown-value]: `user` of `pull` cannot be `root` --> agent.yaml:2:46",
        );
        let right = |rest: &str| told(&format!("version: 1\n{PULL}{rest}")).unwrap();
        right(" }\nrepository: { path: /srv/x, owner: git }\n");
        right(", user: git }\nrepository: { path: /srv/x, owner: root }\n");
    }
}
