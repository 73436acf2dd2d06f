//! Policies out of Git: what is read is what was committed, and nothing that a repository holds is run or followed.
//!
//! Each attack is made with the real `git`, and shown to be one: it changes what git itself, or the work tree, says.

mod distrust;
mod forms;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rfw::source::git::{self, Access, Repository};

use super::support::alone;
use super::support::git::Git;
use super::support::rfw::Desk;
use super::support::{Host, program};

const POLICY: &str = "version: 1
zones: { net: { interfaces: [eth0] } }
policies:
  - { name: out, from: firewall, to: net, default: accept }
";

/// What is read of a path in a revision: `NAME: first line` of each text, or why not.
fn seen(path: &Path, revision: &str) -> String {
    seen_as(path, revision, &Access::default())
}

fn seen_as(path: &Path, revision: &str, access: &Access) -> String {
    match git::read(path, revision, access) {
        Ok(texts) => {
            let mut shown = texts.sources.iter().map(|source| {
                let text = String::from_utf8_lossy(&source.text);
                format!("{}: {}", source.name, text.lines().next().unwrap_or(""))
            });
            let found = texts.diagnostics.iter().map(|found| {
                format!(
                    "{}: {}: {}",
                    found.code, found.message, found.labels[0].text
                )
            });
            let shown: Vec<String> = shown.by_ref().chain(found).collect();
            shown.join("\n")
        }
        Err(error) => {
            use std::error::Error;
            let mut text = format!("error: {error}");
            let mut cause = error.source();
            while let Some(error) = cause {
                text += &format!(": {error}");
                cause = error.source();
            }
            text
        }
    }
}

#[track_caller]
fn says(path: &Path, revision: &str, expect: &str) {
    let shown = seen(path, revision);
    assert!(shown.contains(expect), "{revision}: {shown}");
}

/// A repository with one commit of `office.yaml`, which begins with `# one`.
fn repository() -> (Desk, Git) {
    let desk = Desk::new();
    let git = Git::new(&desk, "repository");
    git.commit(&[("office.yaml", "# one")]);
    (desk, git)
}

#[test]
fn the_commit_is_read_and_never_the_work_tree() {
    let (_desk, git) = repository();
    let file = git.path.join("office.yaml");
    // Half of a checkout: the work tree says something else, or nothing.
    git.write("office.yaml", "# half");
    git.write("more.yaml", "# new");
    git.run(&["add", "-A"]);
    fs::write(git.inner("index.lock"), "").unwrap();
    assert_eq!(seen(&file, "main"), "main:office.yaml: # one");
    assert_eq!(seen(&git.path, "HEAD"), "HEAD:office.yaml: # one");
    fs::remove_file(&file).unwrap();
    assert_eq!(seen(&file, "refs/heads/main"), "main:office.yaml: # one");
    fs::remove_file(git.inner("index.lock")).unwrap();
    let second = git.commit(&[("office.yaml", "# two"), ("sites/a/x.yaml", "# x")]);
    assert_eq!(seen(&file, "main"), "main:office.yaml: # two");
    assert_eq!(seen(&file, "main~1"), "main~1:office.yaml: # one");
    assert_eq!(
        seen(&file, &second),
        format!("{}:office.yaml: # two", &second[..12])
    );
    assert_eq!(
        seen(&file, &second[..8]),
        format!("{}:office.yaml: # two", &second[..8])
    );
    assert_eq!(
        seen(&git.path.join("sites/a"), "main"),
        "main:sites/a/x.yaml: # x"
    );
    says(&git.path.join("sites/b"), "main", "holds no `sites/b`");
    says(
        &git.path.join("sites"),
        "main",
        "the directory `main:sites` holds no `*.yaml` file",
    );
    let revision = git::resolve(&file, "HEAD", &Access::default()).unwrap();
    assert_eq!(revision.commit.as_str(), second);
    assert_eq!(revision.reference.as_deref(), Some("refs/heads/main"));
    assert_eq!(revision.to_string(), format!("{} (main)", &second[..12]));
}

#[test]
fn a_revision_is_one_commit_or_an_error() {
    let (desk, git) = repository();
    let says = |revision: &str, expect: &str| says(&git.path, revision, expect);
    git.run(&["tag", "light"]);
    git.run(&["tag", "-a", "-m", "x", "annotated"]);
    git.run(&["tag", "-a", "-m", "x", "twice", "annotated"]);
    for tag in ["light", "annotated", "twice"] {
        says(tag, &format!("{tag}:office.yaml: # one"));
    }
    let blob = git.run(&["rev-parse", "HEAD:office.yaml"]);
    let tree = git.run(&["rev-parse", "HEAD^{tree}"]);
    git.run(&["tag", "-a", "-m", "x", "blob", &blob]);
    git.run(&["tag", "tree", &tree]);
    says("blob", "`blob` is a file (blob) and no commit");
    says("tree", "`tree` is a directory (tree) and no commit");
    says(&blob, "is a file (blob) and no commit");
    says("nothing", "has no revision `nothing`");
    says("main~1", "has no revision `main~1`");
    says(&"0".repeat(40), "lacks the object 000000");
    for bad in [
        "../../etc/passwd",
        "refs/../HEAD",
        "-q",
        "a b",
        "main:office.yaml",
        "",
        "main^{tree}",
        "@{-1}",
    ] {
        says(bad, "is no name of a revision");
    }
    // A tag must not stand before a branch unseen, and the other way round.
    git.run(&["tag", "main"]);
    says(
        "main",
        "`main` is more than one thing in the Git repository: `refs/heads/main`, `refs/tags/main`",
    );
    says("refs/heads/main", "# one");
    // No commit yet; a branch that is gone.
    let empty = Git::new(&desk, "empty");
    super::git::says(
        &empty.path,
        "HEAD",
        "the branch `refs/heads/main` of the Git repository has no commit yet",
    );
    git.run(&["checkout", "-q", "-b", "other"]);
    git.run(&["branch", "-q", "-D", "main"]);
    git.run(&["tag", "-d", "main"]);
    says("main", "has no revision `main`");
}

const BOUND: std::time::Duration = std::time::Duration::from_secs(60);

fn rfw(desk: &Desk, arguments: &[&str]) -> std::process::Command {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_rfw"));
    command.args(arguments).env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command
        .env("RFW_STATE_DIR", desk.file("state"))
        .current_dir(desk.file(""));
    command
}

#[test]
fn commands_read_a_revision() {
    alone(|| {
        let (host, desk) = (Host::new("box"), Desk::new());
        let git = Git::new(&desk, "repository");
        let commit = git.commit(&[("sites/gw.yaml", POLICY)]);
        git.write("sites/gw.yaml", "not: what was committed");
        let policy = git.path.join("sites/gw.yaml");
        let policy = policy.to_str().unwrap();
        let must =
            |command: &str| desk.must(&host, &[command, "--rev", "main", "--policy", policy]);
        let short = &commit[..12];
        assert_eq!(
            must("validate"),
            format!("{policy} at {short} (main): valid, 0 errors and 1 warning\n")
        );
        assert!(must("render").contains("table inet rfw"));
        assert!(must("plan").starts_with(&format!("revision {short} (main)   live generation")));
        must("apply");
        assert!(must("plan").contains("no changes"));
        assert!(
            must("status").contains("drift      no"),
            "{}",
            must("status")
        );
        let output = desk.rfw(&host, &["plan", "--policy", policy]);
        assert_eq!(output.code(), 3);
        // A mistake in a commit is shown where it is.
        git.commit(&[("sites/gw.yaml", &POLICY.replace("to: net", "to: nett"))]);
        let output = desk.rfw(&host, &["apply", "--rev", "main", "--policy", policy]);
        assert_eq!(output.code(), 3);
        assert!(
            output.stderr.contains("--> main:sites/gw.yaml:4:"),
            "{}",
            output.stderr
        );
        let output = desk.rfw(&host, &["plan", "--rev", "gone", "--policy", policy]);
        assert_eq!(output.code(), 1);
        assert!(
            output.stderr.contains("has no revision `gone`"),
            "{}",
            output.stderr
        );
    });
}

#[test]
fn a_branch_is_fetched_forward_only_and_not_by_root() {
    use rfw::source::git::{PullError, Pulled, Puller, pull};
    let (desk, git) = repository();
    git.run(&["clone", "-q", "--bare", ".", "../bare.git"]);
    let bare = desk.file("bare.git");
    let mut access = Access::default();
    let us = nix::unistd::geteuid().as_raw();
    let root = Puller {
        name: "root".into(),
        uid: 0,
        gid: 0,
        home: desk.file("home"),
    };
    let mut puller = Puller {
        name: "somebody".into(),
        uid: us,
        gid: nix::unistd::getegid().as_raw(),
        ..root.clone()
    };
    if us == 0 {
        // As nobody, to whom both repositories belong while he fetches.
        (puller.uid, puller.gid) = (65_534, 65_534);
        access.owners.push(65_534);
    }
    let give = |owner: &str| {
        if us == 0 {
            let mut command = std::process::Command::new("chown");
            command.args(["-R", owner]).arg(&git.path).arg(&bare);
            assert!(program::run(command, b"", BOUND).success());
        }
    };
    let configure = |key: &str, value: &str| {
        let file = bare.join("config");
        git.run(&["config", "--file", file.to_str().unwrap(), key, value]);
    };
    // Everything that a repository can have run by a fetch.
    let canary = desk.file("canary");
    let touch = format!("touch {}; false", canary.display());
    for key in [
        "core.fsmonitor",
        "core.sshCommand",
        "core.gitProxy",
        "core.askPass",
        "core.alternateRefsCommand",
        "credential.helper",
        "remote.origin.uploadpack",
        "uploadpack.packObjectsHook",
    ] {
        configure(key, &touch);
    }
    configure("remote.origin.vcs", "canary");
    configure("fetch.recurseSubmodules", "true");
    let hooks = bare.join("hooks");
    fs::create_dir_all(&hooks).unwrap();
    for name in ["reference-transaction", "post-checkout", "pre-auto-gc"] {
        let hook = hooks.join(name);
        fs::write(&hook, format!("#!/bin/sh\n{touch}\n")).unwrap();
        fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    }
    configure(
        "remote.origin.url",
        &format!("file://{}", git.path.display()),
    );
    let repository = Repository::open(&bare, &access).unwrap();
    let pull = |repository: &Repository, remote: &str, branch: &str, puller: &Puller| {
        pull(repository, remote, branch, puller, 1 << 20)
    };
    let error = pull(&repository, "origin", "main", &root).unwrap_err();
    assert!(error.to_string().contains("root does not fetch"), "{error}");
    let first = repository.resolve("main").unwrap().commit;
    let second = git.commit(&[("office.yaml", "# two")]);
    give("65534:65534");
    let Pulled { commit, moved } = pull(&repository, "origin", "main", &puller).unwrap();
    assert_eq!((commit.as_str(), moved), (second.as_str(), true));
    assert_eq!(repository.resolve("main").unwrap().commit, commit);
    assert!(!pull(&repository, "origin", "main", &puller).unwrap().moved);
    // Reset at the other end: the branch here stays, and it is said.
    give("0:0");
    git.run(&["reset", "-q", "--hard", first.as_str()]);
    let third = git.commit(&[("office.yaml", "# three")]);
    give("65534:65534");
    let error = pull(&repository, "origin", "main", &puller).unwrap_err();
    assert!(error.is_refusal(), "{error}");
    assert!(error.to_string().contains("does not come after"), "{error}");
    assert_eq!(repository.resolve("main").unwrap().commit, commit);
    // A branch that is not here yet.
    give("0:0");
    git.run(&["branch", "team/new", &third]);
    give("65534:65534");
    let new = pull(&repository, "origin", "team/new", &puller).unwrap();
    assert_eq!((new.commit.as_str(), new.moved), (third.as_str(), true));
    let check = |remote: &str, branch: &str, expect: &str| {
        let error = pull(&repository, remote, branch, &puller).unwrap_err();
        let error = error.to_string();
        assert!(error.contains(expect), "{error}");
    };
    check("elsewhere", "main", "has no remote `elsewhere`");
    check("origin", "gone", "couldn't find remote ref");
    for (address, expect) in [
        ("ext::sh -c touch%20canary", "transport 'ext' not allowed"),
        ("git://127.0.0.1/x", "transport 'git' not allowed"),
        ("http://127.0.0.1/x", "transport 'http' not allowed"),
        ("--upload-pack=touch", "strange pathname"),
        ("/nonexistent", "does not appear to be a git repository"),
        (
            "https://me:secret@127.0.0.1:9/x",
            "'https://127.0.0.1:9/x/'",
        ),
        ("ssh://-oProxyCommand=touch/x", "strange hostname"),
    ] {
        give("0:0");
        configure("remote.origin.url", address);
        give("65534:65534");
        check("origin", "main", expect);
    }
    assert!(!canary.exists());
    let error = pull(
        &repository,
        "origin",
        "main",
        &Puller {
            uid: 4_000_000,
            ..puller
        },
    );
    if us != 0 {
        assert!(matches!(error, Err(PullError::SomebodyElse { .. })));
    }
}
