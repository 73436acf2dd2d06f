//! Repositories of every form: bare and not, from within and from worktrees, of other hashes and other tables of refs.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use rfw::source::SourceError;
use rfw::source::git::{self, Access, GitError, Repository};

use super::{BOUND, repository, rfw, says, seen, seen_as};
use crate::support::git::Git;
use crate::support::program;
use crate::support::rfw::Desk;

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
