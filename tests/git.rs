//! Policies out of Git: what is read is what was committed, and nothing that a repository holds is run or followed.
//!
//! Each attack is made with the real `git`, and shown to be one: it changes what git itself, or the work tree, says.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use rfw::source::SourceError;
use rfw::source::git::{self, Access, GitError, Repository};

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
fn every_kind_of_repository_is_found() {
    let (desk, git) = repository();
    git.commit(&[("a/office.yaml", "# two"), ("a/lists/x", "# x")]);
    // Bare, and from within a directory by dots.
    git.run(&["clone", "-q", "--bare", ".", "../bare.git"]);
    let bare = desk.file("bare.git");
    assert_eq!(seen(&bare.join("a"), "main"), "main:a/office.yaml: # two");
    assert_eq!(
        seen(&bare.join("refs/../a"), "main"),
        "main:a/office.yaml: # two"
    );
    // Links on the way to it.
    symlink(&bare, desk.file("link")).unwrap();
    symlink(git.path.join("a"), desk.file("policy")).unwrap();
    assert_eq!(
        seen(&desk.file("link/a"), "main"),
        "main:a/office.yaml: # two"
    );
    assert_eq!(
        seen(&desk.file("policy"), "main"),
        "main:a/office.yaml: # two"
    );
    // Packed objects and packed refs: no file is left under refs.
    git.run(&["gc", "-q"]);
    git.run(&["pack-refs", "--all"]);
    assert!(!git.inner("refs/heads/main").exists());
    assert_eq!(seen(&git.path, "main"), "main:office.yaml: # one");
    // A linked work tree, whose .git is a file, on a branch of its own; its HEAD is its own, too.
    git.run(&["worktree", "add", "-q", "-b", "team/x", "../linked"]);
    let linked = git.at(desk.file("linked"));
    assert!(linked.path.join(".git").is_file());
    linked.commit(&[("office.yaml", "# x")]);
    assert_eq!(seen(&linked.path, "HEAD"), "HEAD:office.yaml: # x");
    assert_eq!(seen(&git.path, "HEAD"), "HEAD:office.yaml: # one");
    assert_eq!(seen(&git.path, "team/x"), "team/x:office.yaml: # x");
    let watched = git::watched(&linked.path, &Access::default()).unwrap();
    let real = |path: &Path| path.canonicalize().unwrap();
    let watched: Vec<(PathBuf, bool)> = watched
        .iter()
        .map(|watched| (real(&watched.directory), watched.recursive))
        .collect();
    for expect in [
        (real(&git.inner("worktrees/linked")), false),
        (real(&git.inner("")), false),
        (real(&git.inner("refs")), true),
    ] {
        assert!(watched.contains(&expect), "{watched:?}");
    }
    assert!(watched.iter().all(|(path, _)| !path.ends_with("objects")));
    // A detached HEAD belongs to no branch.
    let head = linked.run(&["rev-parse", "HEAD"]);
    linked.run(&["checkout", "-q", "--detach"]);
    let revision = git::resolve(&linked.path, "HEAD", &Access::default()).unwrap();
    assert_eq!(
        (revision.commit.as_str(), revision.reference),
        (head.as_str(), Some("HEAD".into()))
    );
    // None.
    says(Path::new("/proc"), "main", "lies in no Git repository");
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

#[test]
fn replacements_and_grafts_change_nothing() {
    let (_desk, git) = repository();
    let old = git.run(&["rev-parse", "HEAD"]);
    let new = git.commit(&[("office.yaml", "# two")]);
    git.run(&["checkout", "-q", "--orphan", "evil"]);
    let evil = git.commit(&[("office.yaml", "# everything is accepted")]);
    git.run(&["checkout", "-q", "main"]);
    let access = Access::default();
    let repository = Repository::open(&git.path, &access).unwrap();
    let id = |text: &str| text.parse().unwrap();
    for replaced in ["HEAD", "HEAD^{tree}", "HEAD:office.yaml"] {
        let by = replaced.replace("HEAD", &evil);
        git.run(&["replace", replaced, &by]);
    }
    assert_eq!(
        git.run(&["show", "main:office.yaml"]),
        "# everything is accepted"
    );
    assert_eq!(seen(&git.path, "main"), "main:office.yaml: # two");
    assert!(repository.descends(&id(&new), &id(&old)).unwrap());
    assert!(!repository.descends(&id(&new), &id(&evil)).unwrap());
    let tags = git.run(&["replace", "-l"]);
    for tag in tags.lines() {
        git.run(&["replace", "-d", tag]);
    }
    // A graft says that `new` follows `evil` and not `old`.
    fs::create_dir_all(git.inner("info")).unwrap();
    fs::write(git.inner("info/grafts"), format!("{new} {evil}\n")).unwrap();
    assert!(
        git.try_to(&["merge-base", "--is-ancestor", &evil, &new])
            .success()
    );
    assert!(repository.descends(&id(&new), &id(&old)).unwrap());
    assert!(!repository.descends(&id(&new), &id(&evil)).unwrap());
    assert!(!repository.descends(&id(&old), &id(&new)).unwrap());
    assert!(repository.descends(&id(&new), &id(&new)).unwrap());
    assert_eq!(repository.commit(&id(&new)).unwrap().parents, [id(&old)]);
}

#[test]
fn programs_of_the_configuration_are_not_run() {
    let (desk, git) = repository();
    let canary = desk.file("canary");
    let program = desk.file("program");
    fs::write(
        &program,
        format!("#!/bin/sh\ntouch {}\ncat\n", canary.display()),
    )
    .unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let program = program.to_str().unwrap();
    git.write(".gitattributes", "* filter=evil diff=evil\n");
    git.commit(&[]);
    for key in [
        "core.fsmonitor",
        "gpg.program",
        "gpg.ssh.program",
        "filter.evil.smudge",
        "filter.evil.clean",
        "diff.evil.textconv",
        "core.pager",
        "core.sshCommand",
        "core.editor",
        "uploadpack.packObjectsHook",
    ] {
        git.run(&["config", key, program]);
    }
    git.run(&["config", "core.hooksPath", desk.file("").to_str().unwrap()]);
    fs::copy(program, desk.file("post-checkout")).unwrap();
    fs::copy(program, desk.file("reference-transaction")).unwrap();
    // They would be run.
    git.try_to(&["status"]);
    assert!(canary.exists());
    fs::remove_file(&canary).unwrap();
    let file = git.path.join("office.yaml");
    assert_eq!(seen(&file, "HEAD"), "HEAD:office.yaml: # one");
    let output = program::run(
        rfw(
            &desk,
            &[
                "validate",
                "--rev",
                "main",
                "--policy",
                file.to_str().unwrap(),
            ],
        ),
        b"",
        super::git::BOUND,
    );
    assert_eq!(output.code(), 3, "{}", output.stderr);
    assert!(!canary.exists());
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
fn only_files_of_the_commit_are_a_policy() {
    let (desk, git) = repository();
    let secret = desk.write("secret.yaml", "hunter2: [");
    symlink(&secret, git.path.join("link.yaml")).unwrap();
    git.run(&["add", "-A"]);
    git.commit(&[]);
    says(
        &git.path,
        "main",
        "`main:link.yaml` is a symbolic link (mode 120000)",
    );
    git.run(&["rm", "-q", "link.yaml"]);
    // A directory that is a link, and one that belongs to another repository.
    symlink("..", git.path.join("up")).unwrap();
    let commit = git.run(&["rev-parse", "HEAD"]);
    git.run(&[
        "update-index",
        "--add",
        "--cacheinfo",
        &format!("160000,{commit},module"),
    ]);
    git.run(&["add", "up"]);
    git.run(&["commit", "-q", "-m", "x"]);
    for (included, expect) in [
        (
            "up/secret.yaml",
            "not-a-file: `up/secret.yaml` is not a regular file: a symbolic link",
        ),
        (
            "module/x.yaml",
            "not-a-file: `module/x.yaml` is not a regular file: a submodule",
        ),
        ("gone.yaml", "no-such-file"),
        ("*/x.yaml", "no-such-file"),
    ] {
        git.write("office.yaml", &format!("include: [\"{included}\"]"));
        git.run(&["commit", "-q", "-m", "x", "office.yaml"]);
        says(&git.path, "main", expect);
        assert!(!seen(&git.path, "main").contains("hunter2"));
    }
    // Paths that lead out are refused by the language, before anything is looked up.
    for included in [
        "../secret.yaml",
        secret.as_str(),
        "~/secret.yaml",
        ".git/config",
    ] {
        git.write(
            "office.yaml",
            &format!("version: 1\ninclude: [\"{included}\"]\n"),
        );
        git.run(&["commit", "-q", "-m", "x", "office.yaml"]);
        let path = git.path.to_str().unwrap();
        let output = program::run(
            rfw(&desk, &["validate", "--rev", "main", "--policy", path]),
            b"",
            BOUND,
        );
        assert_eq!(output.code(), 3, "{}", output.stderr);
        assert!(
            output.stderr.contains("error[bad-path]"),
            "{}",
            output.stderr
        );
        assert!(
            output.stderr.contains("main:office.yaml:2:"),
            "{}",
            output.stderr
        );
        assert!(!output.stderr.contains("hunter2"), "{}", output.stderr);
    }
    // Modes and names that git itself would not write.
    let blob = git.run(&["rev-parse", "HEAD:office.yaml"]);
    let raw: Vec<u8> = (0..20)
        .map(|at| u8::from_str_radix(&blob[2 * at..2 * at + 2], 16).unwrap())
        .collect();
    for (mode, name, expect) in [
        ("100664", "a.yaml", "`main:a.yaml` is of mode 100664"),
        ("100600", "a.yaml", "is of mode 100600"),
        ("777", "a.yaml", "is of mode 000777"),
        ("100755", "a.yaml", "main:a.yaml: version: 1"),
        ("100644", "a\u{1b}[31m.yaml", "whose name is not plain text"),
        ("100644", "../../a.yaml", "holds no `*.yaml` file"),
        ("100644", "", "holds no `*.yaml` file"),
    ] {
        let tree = git.object(
            "tree",
            &[format!("{mode} {name}\0").as_bytes(), &raw].concat(),
        );
        let commit = git.run(&["commit-tree", "-m", "x", &tree]);
        git.run(&["update-ref", "refs/heads/main", &commit]);
        says(&git.path, "main", expect);
    }
    // Not UTF-8; not a tree at all; a file where a directory should be.
    let tree = git.object("tree", &[b"100644 \xff.yaml\0".as_slice(), &raw].concat());
    git.run(&[
        "update-ref",
        "refs/heads/main",
        &git.run(&["commit-tree", "-m", "x", &tree]),
    ]);
    says(&git.path, "main", "whose name is not plain text");
    let text = format!("tree {blob}\nauthor a <a> 1 +0000\ncommitter a <a> 1 +0000\n\nx\n");
    let commit = git.object("commit", text.as_bytes());
    git.run(&["update-ref", "refs/heads/main", &commit]);
    says(&git.path, "main", "is no directory (tree)");
}

#[test]
fn large_files_are_not_even_read() {
    let (_desk, git) = repository();
    git.commit(&[("office.yaml", &"#".repeat((4 << 20) + 2))]);
    says(
        &git.path,
        "main",
        "`main:office.yaml` has 4194306 bytes, more than are read",
    );
    git.commit(&[
        ("office.yaml", "include: [\"s/*.yaml\"]"),
        ("s/big.yaml", &"#".repeat(5 << 20)),
    ]);
    says(
        &git.path,
        "main",
        "too-large: `s/big.yaml` is too large: 5242880 bytes",
    );
}

#[test]
fn what_is_pushed_with_git_lfs_is_a_pointer() {
    let (desk, git) = repository();
    git.commit(&[(
        "office.yaml",
        "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
    )]);
    let path = git.path.to_str().unwrap();
    let output = program::run(
        rfw(&desk, &["validate", "--rev", "main", "--policy", path]),
        b"",
        BOUND,
    );
    assert_eq!(output.code(), 3);
    assert!(
        output.stderr.contains("error[lfs-pointer]"),
        "{}",
        output.stderr
    );
}

#[test]
fn objects_from_elsewhere_and_damaged_ones_are_refused() {
    let (desk, git) = repository();
    // A clone that borrows.
    git.run(&["clone", "-q", "--shared", ".", "../borrower"]);
    let borrower = git.at(desk.file("borrower"));
    assert_eq!(borrower.run(&["show", "main:office.yaml"]), "# one");
    says(
        &borrower.path,
        "main",
        "borrows objects from another repository",
    );
    borrower.run(&["repack", "-q", "-a", "-d"]);
    fs::remove_file(borrower.inner("objects/info/alternates")).unwrap();
    says(&borrower.path, "main", "main:office.yaml: # one");
    // A clone without files, which git would fetch now.
    git.run(&["config", "uploadpack.allowFilter", "true"]);
    let url = format!("file://{}", git.path.display());
    git.run(&[
        "clone",
        "-q",
        "--bare",
        "--filter=blob:none",
        &url,
        "../partial.git",
    ]);
    let partial = git.at(desk.file("partial.git"));
    says(
        &partial.path,
        "main",
        "because it is a partial clone, and rfw fetches nothing",
    );
    assert_eq!(partial.run(&["show", "main:office.yaml"]), "# one");
    says(&partial.path, "main", "main:office.yaml: # one");
    // A history that is cut off: the commit itself is whole.
    git.commit(&[("office.yaml", "# two")]);
    git.run(&["clone", "-q", "--depth=1", &url, "../shallow"]);
    let shallow = desk.file("shallow");
    says(&shallow, "main", "main:office.yaml: # two");
    says(&shallow, "main~1", "because its history is cut off");
    // Another text in the place of an object, and none.
    let blob = git.run(&["rev-parse", "HEAD:office.yaml"]);
    let other = git.run(&["rev-parse", "HEAD~1:office.yaml"]);
    let file = |id: &str| git.inner(&format!("objects/{}/{}", &id[..2], &id[2..]));
    let good = fs::read(file(&blob)).unwrap();
    fs::set_permissions(file(&blob), fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(file(&blob), fs::read(file(&other)).unwrap()).unwrap();
    says(&git.path, "main", "is damaged");
    fs::write(file(&blob), &good[..good.len() / 2]).unwrap();
    says(&git.path, "main", "is damaged");
    fs::write(file(&blob), "").unwrap();
    says(&git.path, "main", "damaged");
    fs::remove_file(file(&blob)).unwrap();
    says(&git.path, "main", "lacks the object");
    fs::write(file(&blob), &good).unwrap();
    says(&git.path, "main", "main:office.yaml: # two");
    // A ref that says nothing, or lies outside.
    for (text, expect) in [
        ("", "says neither a commit nor"),
        ("nonsense\n", "says neither a commit nor"),
        ("ref: ../../../etc/passwd\n", "is no name of a revision"),
        ("ref: refs/heads/main\n", "is no name of a revision"),
        ("ref: refs/heads/gone\n", "has no commit yet"),
    ] {
        fs::write(git.inner("refs/heads/main"), text).unwrap();
        says(&git.path, "main", expect);
    }
    fs::remove_file(git.inner("refs/heads/main")).unwrap();
    symlink(desk.file("secret"), git.inner("refs/heads/main")).unwrap();
    fs::write(desk.file("secret"), "hunter2").unwrap();
    says(&git.path, "main", "cannot read `");
    assert!(!seen(&git.path, "main").contains("hunter2"));
}

#[test]
fn nobody_else_decides_what_a_repository_says() {
    alone(|| {
        let (desk, git) = repository();
        let says = |expect: &str| says(&git.path, "main", expect);
        says("# one");
        for name in ["", "objects", "config", "HEAD", "refs", "refs/heads/main"] {
            let path = git.inner(name);
            let mode = fs::metadata(&path).unwrap().permissions().mode();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode | 0o002)).unwrap();
            says("may be written by everybody");
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        }
        says("# one");
        // Only real root can give a file to somebody else; in a user namespace of one user there is nobody else.
        if std::os::unix::fs::chown(git.inner("config"), Some(1234), None).is_ok() {
            says("belongs to the user 1234, who is neither root nor the user that runs rfw");
            let access = Access {
                owners: vec![1234],
                ..Access::default()
            };
            assert!(seen_as(&git.path, "main", &access).contains("# one"));
            let access = Access {
                owners: vec![1235],
                ..Access::default()
            };
            assert!(seen_as(&git.path, "main", &access).contains("1234"));
        } else {
            let host = Host::new("box");
            let path = git.path.to_str().unwrap();
            // Without any user of its own rfw is `nobody`, and so is everybody else.
            let output =
                desk.rfw_without_rights(&host, &["validate", "--rev", "main", "--policy", path]);
            assert_eq!(output.code(), 3, "{}", output.stderr);
        }
    });
}

#[test]
fn what_libgit2_cannot_read_the_client_reads() {
    let desk = Desk::new();
    let sha256 = Git::with(&desk, "sha256", &["--object-format=sha256"]).unwrap();
    let tables = Git::with(&desk, "tables", &["--ref-format=reftable"]);
    if let Err(why) = &tables {
        // Before git 2.45: then nobody has such a repository, but for one that was brought along.
        assert!(why.contains("unknown option"), "{why}");
        let git = Git::new(&desk, "old");
        git.commit(&[("office.yaml", "# one")]);
        let format = "[core]\nrepositoryformatversion = 1\n[extensions]\nrefstorage = reftable\n";
        fs::write(git.inner("config"), format).unwrap();
        says(&git.path, "main", "error: `git symbolic-ref");
    }
    for git in [Some(sha256), tables.ok()].into_iter().flatten() {
        git.commit(&[("office.yaml", "# one"), ("s/a.yaml", "# a")]);
        let old = git.run(&["rev-parse", "HEAD"]);
        let new = git.commit(&[("office.yaml", "include: [s/*.yaml]")]);
        let path = &git.path;
        let both = "include: [s/*.yaml]";
        assert_eq!(
            seen(path, "main"),
            format!("main:office.yaml: {both}\nmain:s/a.yaml: # a")
        );
        says(path, "HEAD", both);
        says(path, "refs/heads/main", both);
        says(path, &new[..9], both);
        says(path, "main~1", "# one");
        says(path, "nothing", "has no revision");
        says(path, "refs/heads", "has no revision");
        says(path, &"0".repeat(old.len()), "lacks the object");
        git.run(&["tag", "-a", "-m", "x", "v1"]);
        says(path, "v1", both);
        // Neither a replacement nor a program of the configuration.
        let canary = desk.file("canary");
        git.run(&[
            "config",
            "core.fsmonitor",
            &format!("touch {};", canary.display()),
        ]);
        git.run(&["replace", &new, &old]);
        assert_eq!(git.run(&["show", "main:office.yaml"]), "# one");
        git.try_to(&["status"]);
        assert!(canary.exists());
        fs::remove_file(&canary).unwrap();
        says(path, "main", both);
        assert!(!canary.exists());
        let repository = Repository::open(path, &Access::default()).unwrap();
        let id = |text: &str| text.parse().unwrap();
        assert!(repository.descends(&id(&new), &id(&old)).unwrap());
        assert!(!repository.descends(&id(&old), &id(&new)).unwrap());
        let error = repository.resolve(&git.run(&["rev-parse", "HEAD:office.yaml"]));
        assert!(
            matches!(error, Err(GitError::NotACommit { .. })),
            "{error:?}"
        );
        git.run(&["checkout", "-q", "--detach"]);
        says(path, "HEAD", both);
        git.run(&["checkout", "-q", "--orphan", "empty"]);
        says(path, "HEAD", "has no");
        // Without the client.
        let arguments = [
            "validate",
            "--rev",
            "main",
            "--policy",
            path.to_str().unwrap(),
        ];
        let mut command = rfw(&desk, &arguments);
        command.env("PATH", "/nonexistent");
        let output = program::run(command, b"", BOUND);
        assert_eq!(output.code(), 1);
        assert!(
            output
                .stderr
                .contains("rfw reads through the program `git`"),
            "{}",
            output.stderr
        );
    }
}

#[test]
fn a_form_that_is_not_known_is_refused() {
    let (_desk, git) = repository();
    let config = fs::read(git.inner("config")).unwrap();
    git.run(&["config", "core.repositoryFormatVersion", "1"]);
    git.run(&["config", "extensions.new", "x"]);
    says(
        &git.path,
        "main",
        "uses `extensions.new = x`, which rfw does not know",
    );
    fs::write(git.inner("config"), config).unwrap();
    says(&git.path, "main", "# one");
}

#[test]
fn objects_in_quarantine_are_read_only_where_that_is_said() {
    let (desk, git) = repository();
    git.run(&["clone", "-q", "--bare", ".", "../bare.git"]);
    let bare = git.at(desk.file("bare.git"));
    let new = git.commit(&[("office.yaml", "# two")]);
    // What a hook sees: the objects that were pushed lie beside the repository's own, and no ref names them.
    let kept = desk.file("kept");
    let hook = format!(
        "#!/bin/sh\ncp -a \"$GIT_QUARANTINE_PATH\" {}\nexit 1\n",
        bare.path.join("objects/incoming").display()
    );
    fs::create_dir_all(bare.path.join("hooks")).unwrap();
    fs::write(bare.path.join("hooks/pre-receive"), hook).unwrap();
    fs::set_permissions(
        bare.path.join("hooks/pre-receive"),
        fs::Permissions::from_mode(0o755),
    )
    .unwrap();
    assert!(!git.try_to(&["push", "-q", "../bare.git", "main"]).success());
    says(&bare.path, &new, "lacks the object");
    says(&bare.path, "main", "# one");
    let quarantine = Some(bare.path.join("objects/incoming"));
    let access = Access {
        quarantine,
        ..Access::default()
    };
    assert!(seen_as(&bare.path, &new, &access).contains("# two"));
    let repository = Repository::open(&bare.path, &access).unwrap();
    let old = repository.resolve("main").unwrap().commit;
    assert!(repository.descends(&new.parse().unwrap(), &old).unwrap());
    // Not from anywhere.
    fs::rename(bare.path.join("objects/incoming"), &kept).unwrap();
    let access = Access {
        quarantine: Some(kept),
        ..Access::default()
    };
    let error = git::read(&bare.path, &new, &access);
    assert!(
        matches!(error, Err(SourceError::Git(GitError::Damaged { .. }))),
        "{error:?}"
    );
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
