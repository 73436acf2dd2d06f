//! What a repository holds is not believed: nothing of it is run, followed, or taken from elsewhere.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use rfw::source::git::{Access, Repository};

use super::{BOUND, repository, rfw, says, seen, seen_as};
use crate::support::{Host, alone, program};

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
        BOUND,
    );
    assert_eq!(output.code(), 3, "{}", output.stderr);
    assert!(!canary.exists());
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
