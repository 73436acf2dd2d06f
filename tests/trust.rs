//! Which commits are applied: signed by somebody who may, and later than the last. Each attack is made with the real `git`
//! and `ssh-keygen`, and git itself is shown to fall for it where it does.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use super::support::alone;
use super::support::daemon::Daemon;
use super::support::site::{Site, policy};

#[test]
fn only_commits_signed_by_an_allowed_signer_are_applied() {
    alone(|| {
        let site = Site::new("commits: required");
        let (ann, bob) = (site.key("ann", "ed25519"), site.key("bob", "ecdsa"));
        site.signers(&format!(
            "# who may\nann@example.org namespaces=\"git\" {ann}\n"
        ));
        let first = site.signed("ann", 1001, None);
        site.apply(&[], 0, "applied and verified");
        site.open(1001);
        assert!(
            site.status().contains(&format!(
                "commit     {} now; {0} (main) applied at",
                &first[..12]
            )),
            "{}",
            site.status()
        );
        assert!(site.status().contains("signed by ann@example.org"));
        // Nobody's, somebody else's.
        let unsigned = site.git.commit(&[("p.yaml", &policy(1002))]);
        site.apply(
            &[],
            4,
            &format!(
                "the commit {} (main) is refused: it is not signed",
                &unsigned[..12]
            ),
        );
        site.open(1001);
        assert!(
            site.status().contains("`rfw apply` refuses it: the commit"),
            "{}",
            site.status()
        );
        let plan = site.rfw(&["plan"]);
        assert!(
            plan.success()
                && plan
                    .stderr
                    .contains("`rfw apply` would refuse this: the commit"),
            "{}",
            plan.stderr
        );
        assert_eq!(site.rfw(&["plan", "--out", "plan.json"]).code(), 4);
        site.signed("bob", 1003, None);
        site.apply(&[], 4, "is refused: it is signed by the key SHA256:");
        // The commit whose files are read is what counts, not a signed one before it or after.
        site.signed("ann", 1004, None);
        site.apply(
            &["--rev", "main~1"],
            4,
            "is refused: it is signed by the key SHA256:",
        );
        site.apply(&[], 0, "applied and verified");
        site.open(1004);
        // Another kind of key, and a key for something else.
        site.signed("bob", 1005, None);
        site.signers(&format!(
            "ann@example.org {ann}\nbob@example.org namespaces=\"file\" {bob}\n"
        ));
        site.apply(&[], 4, "the key of bob@example.org may not sign for git");
        site.signers(&format!(
            "ann@example.org {ann}\nbob@example.org,b@x {bob}\n"
        ));
        site.apply(&[], 0, "applied and verified");
        assert!(site.status().contains("signed by bob@example.org,b@x"));
        // Without a list that can be used nobody signs.
        site.signed("ann", 1006, None);
        for (list, expect) in [
            ("", "is empty, and agent.yaml wants signed commits"),
            (
                "# nobody\n",
                "is empty, and agent.yaml wants signed commits",
            ),
            (
                "ann@example.org cert-authority ssh-ed25519 AAAA\n",
                "`cert-authority`: rfw takes keys only",
            ),
            ("nonsense\n", "line 1 of the allowed signers"),
        ] {
            site.signers(list);
            site.apply(&[], 4, expect);
        }
        let list = site.desk.file("allowed_signers");
        site.signers(&format!("ann@example.org {ann}\n"));
        fs::set_permissions(&list, fs::Permissions::from_mode(0o666)).unwrap();
        site.apply(&[], 4, "may be written by everybody");
        fs::remove_file(&list).unwrap();
        site.apply(&[], 4, "the allowed signers cannot be read");
        site.open(1005);
    });
}

#[test]
fn signatures_of_something_else_are_noticed() {
    alone(|| {
        let site = Site::new("commits: required");
        let ann = site.key("ann", "ed25519");
        site.signers(&format!("ann@example.org {ann}\n"));
        let good = site.signed("ann", 1001, None);
        site.apply(&[], 0, "applied and verified");
        // Her signature below another commit.
        let unsigned = site.git.commit(&[("p.yaml", &policy(1002))]);
        let (good, bad) = (
            site.git.run(&["cat-file", "commit", &good]),
            site.git.run(&["cat-file", "commit", &unsigned]),
        );
        let begin = good.find("gpgsig").unwrap();
        let end = good.find("-----END SSH SIGNATURE-----").unwrap()
            + "-----END SSH SIGNATURE-----\n".len();
        let (head, text) = bad.split_once("\n\n").unwrap();
        let forge = |signature: &str| {
            let commit = site.git.object(
                "commit",
                format!("{head}\n{signature}\n{text}\n").as_bytes(),
            );
            site.git.run(&["update-ref", "refs/heads/main", &commit]);
            commit
        };
        let forged = forge(&good[begin..end]);
        assert!(!site.git_takes(&forged));
        site.apply(
            &[],
            4,
            "the signature of ann@example.org belongs to something else",
        );
        forge(
            "gpgsig -----BEGIN PGP SIGNATURE-----\n \n iQEzBAABCAAdFiEE\n -----END PGP SIGNATURE-----\n",
        );
        site.apply(
            &[],
            4,
            "is signed by OpenPGP, which rfw does not verify; sign by SSH",
        );
        forge("gpgsig nonsense\n");
        site.apply(&[], 4, "its signature cannot be read");
        // A replacement: git shows the evil tree below a good signature.
        site.git.run(&["update-ref", "refs/heads/main", &unsigned]);
        site.git.run(&["reset", "-q", "--hard"]);
        let evil = site.git.run(&["rev-parse", "HEAD^{tree}"]);
        let signed = site.signed("ann", 1003, None);
        site.git
            .run(&["replace", &format!("{signed}^{{tree}}"), &evil]);
        assert!(site.git_takes(&signed));
        assert!(site.git.run(&["show", "main:p.yaml"]).contains("1002"));
        site.apply(&[], 0, "applied and verified");
        site.open(1003);
        // A signed tag does not sign its commit.
        site.git.commit(&[("p.yaml", &policy(1004))]);
        let key = format!("user.signingKey={}", site.desk.file("ann").display());
        site.git.run(&[
            "-c",
            "gpg.format=ssh",
            "-c",
            &key,
            "tag",
            "-s",
            "-m",
            "x",
            "v1",
        ]);
        site.apply(&["--rev", "v1"], 4, "(v1) is refused: it is not signed");
        // A program that says of everything that it is good, and leaves a trace.
        let canary = site.desk.file("canary");
        let program = site.desk.write(
            "program",
            &format!("#!/bin/sh\ntouch {}\necho Good\n", canary.display()),
        );
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        for key in [
            "gpg.program",
            "gpg.ssh.program",
            "gpg.ssh.defaultKeyCommand",
        ] {
            site.git.run(&["config", key, &program]);
        }
        site.git_takes(&signed);
        assert!(canary.exists());
        fs::remove_file(&canary).unwrap();
        site.apply(&[], 4, "it is not signed");
        assert!(!canary.exists());
    });
}

#[test]
fn a_key_that_has_expired_signs_nothing_new_whatever_the_date_says() {
    alone(|| {
        let site = Site::new("commits: required");
        let (ann, bob) = (site.key("ann", "ed25519"), site.key("bob", "ed25519"));
        let valid = |ann_until: &str| {
            site.signers(&format!(
                "ann@x valid-before=\"{ann_until}\" {ann}\nbob@x valid-after=\"20400101\" {bob}\n"
            ));
        };
        valid("20400101");
        site.signed("ann", 1001, None);
        site.apply(&[], 0, "applied and verified");
        // What was applied stays good when its key expires, so a restart does not lose it.
        valid("20200101");
        site.apply(&[], 4, "was not valid any more when the commit was made");
        valid("20260101");
        let dated_back = site.signed("ann", 1002, Some("2025-06-01T00:00:00Z"));
        assert!(site.git_takes(&dated_back));
        site.apply(&[], 4, "the key of ann@x was not valid any more now");
        site.open(1001);
        valid("20400101");
        site.apply(&[], 0, "applied and verified");
        valid("20260101");
        site.apply(&[], 0, "no changes");
        site.signed("bob", 1003, None);
        site.apply(&[], 4, "the key of bob@x was not valid yet");
        site.open(1002);
    });
}

#[test]
fn a_commit_comes_after_the_last_one_or_is_refused() {
    alone(|| {
        // Nothing about signatures: to stay in order is what is wanted when nothing is said.
        let site = Site::new("commits: off");
        let first = site.git.commit(&[("p.yaml", &policy(1001))]);
        let second = site.git.commit(&[("p.yaml", &policy(1002))]);
        site.apply(&[], 0, "applied and verified");
        // Reset, as by a force push.
        site.git.run(&["update-ref", "refs/heads/main", &first]);
        let refused = format!(
            "the commit {} (main) is refused: it does not come after {}",
            &first[..12],
            &second[..12]
        );
        site.apply(&[], 4, &refused);
        site.apply(&[], 4, "`rfw apply --go-back` takes it once");
        site.apply(&["--rev", &first], 4, "does not come after");
        site.open(1002);
        let status = site.status();
        assert!(
            status.contains(&format!(
                "commit     {} now; {} (main) applied at",
                &first[..12],
                &second[..12]
            )),
            "{status}"
        );
        assert!(status.contains("refuses it: the commit"), "{status}");
        // The other side of a fork, though it is newer.
        site.git.run(&["reset", "-q", "--hard"]);
        let fork = site.git.commit(&[("p.yaml", &policy(1003))]);
        site.apply(&[], 4, "does not come after");
        // Another history altogether.
        site.git.run(&["checkout", "-q", "--orphan", "new"]);
        site.git.commit(&[("p.yaml", &policy(1004))]);
        site.apply(&["--rev", "new"], 4, "does not come after");
        // A graft that says otherwise.
        fs::create_dir_all(site.git.inner("info")).unwrap();
        fs::write(site.git.inner("info/grafts"), format!("{fork} {second}\n")).unwrap();
        site.apply(&[], 4, "does not come after");
        fs::remove_file(site.git.inner("info/grafts")).unwrap();
        // A merge of both comes after both.
        site.git.run(&["checkout", "-q", "-f", "main"]);
        site.git
            .run(&["merge", "-q", "-s", "ours", "-m", "x", &second]);
        site.apply(&[], 0, "applied and verified");
        site.open(1003);
        // Back, because whoever is at the box says so; then on from there.
        site.git.run(&["reset", "-q", "--hard", &first]);
        site.apply(&["--go-back"], 0, "applied and verified");
        site.open(1001);
        site.git.commit(&[("p.yaml", &policy(1005))]);
        site.apply(&[], 0, "applied and verified");
        // The same rules in a new commit: nothing to do, and it is the last one all the same.
        let same = site.git.commit(&[("README", "x")]);
        site.apply(&[], 0, "no changes");
        assert!(
            site.status()
                .contains(&format!("{} (main) applied at", &same[..12]))
        );
        // What was last is not known: nothing is taken until somebody says so.
        let file = site.desk.state_file("applied.json");
        let whole = fs::read_to_string(&file).unwrap();
        for damaged in [
            "",
            &whole.replace(&same[..4], "0000"),
            &whole[..whole.len() / 2],
        ] {
            fs::write(&file, damaged).unwrap();
            site.apply(&[], 4, "it cannot be told whether the commit");
        }
        site.apply(&["--go-back"], 0, "no changes");
        site.apply(&[], 0, "no changes");
    });
}

#[test]
fn the_daemon_follows_what_may_be_applied_and_nothing_else() {
    alone(|| {
        let site = Site::new("commits: required");
        let ann = site.key("ann", "ed25519");
        site.signers(&format!("ann@x {ann}\n"));
        let first = site.signed("ann", 1001, None);
        let daemon = Daemon::start(&site.desk, &site.host, &["--agent", &site.agent]);
        let applied = |commit: &str| {
            let commit = commit.to_owned();
            move |report: &Value| {
                report["state"] == "in-force" && report["applied"]["commit"] == *commit
            }
        };
        daemon.until("the first", applied(&first));
        site.open(1001);
        site.git.commit(&[("p.yaml", &policy(1002))]);
        let report = daemon.until("refused", |report| report["trouble"]["kind"] == "guard");
        let text = report["trouble"]["text"].as_str().unwrap();
        assert!(text.contains("it is not signed"), "{text}");
        assert_eq!(report["applied"]["commit"], *first);
        site.open(1001);
        let second = site.signed("ann", 1003, None);
        daemon.until("the second", applied(&second));
        site.open(1003);
        site.git.run(&["update-ref", "refs/heads/main", &first]);
        let report = daemon.until("refused", |report| report["trouble"]["kind"] == "guard");
        let text = report["trouble"]["text"].as_str().unwrap();
        assert!(text.contains("does not come after"), "{text}");
        site.open(1003);
        assert!(
            site.status().contains("signed by ann@x"),
            "{}",
            site.status()
        );
        site.git.run(&["update-ref", "refs/heads/main", &second]);
        daemon.until("the second again", applied(&second));
        daemon.stop();
    });
}

#[test]
fn a_failed_apply_does_not_count() {
    alone(|| {
        let site = Site::new("commits: off");
        site.git.commit(&[("p.yaml", &policy(1001))]);
        site.apply(&[], 0, "applied and verified");
        let kept = fs::read(site.desk.state_file("applied.json")).unwrap();
        site.git.commit(&[("p.yaml", "version: 1\nnonsense: 1\n")]);
        site.apply(&[], 3, "--> main:p.yaml:2:1");
        site.git.run(&["reset", "-q", "--hard", "HEAD~1"]);
        assert_eq!(
            fs::read(site.desk.state_file("applied.json")).unwrap(),
            kept
        );
        site.apply(&[], 0, "no changes");
    });
}

#[test]
fn what_is_not_out_of_git_needs_somebody_at_the_box() {
    alone(|| {
        let site = Site::new("commits: required");
        let file = site.desk.write("p.yaml", &policy(1001));
        site.apply(
            &["--policy", &file],
            0,
            "note: this policy is not out of Git",
        );
        let agent = site
            .desk
            .write("bare.yaml", "version: 1\nverify: { commits: required }\n");
        let output = site.desk.rfw(&site.host, &["apply", "--agent", &agent]);
        assert_eq!(output.code(), 4, "{}", output.stderr);
        assert!(
            output
                .stderr
                .contains("neither it nor the command line names a revision"),
            "{}",
            output.stderr
        );
        // May go back where agent.yaml says so.
        let free = Site::new("never_go_back: false");
        let first = free.git.commit(&[("p.yaml", &policy(1001))]);
        free.git.commit(&[("p.yaml", &policy(1002))]);
        free.apply(&[], 0, "applied and verified");
        free.git.run(&["reset", "-q", "--hard", &first]);
        free.apply(&[], 0, "applied and verified");
        free.open(1001);
    });
}
