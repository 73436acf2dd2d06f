//! The program as a whole: exit codes, what goes where, and that a failure changes nothing.

use std::path::Path;

use rfw::kernel::Kernel;
use rfw::netlink::Netlink;

use super::support::program::Output;
use super::support::rfw::Desk;
use super::support::{Host, alone, nft};

const SMALL: &str = "version: 1
zones:
  wan: { interfaces: [eth0] }
policies:
  - name: in
    from: wan
    to: firewall
    default: drop
    rules:
      - { name: ssh, services: [ssh], action: accept }
  - { name: out, from: firewall, to: wan, default: accept }
";

fn generation(host: &Host) -> u32 {
    host.run(|| {
        Netlink::open()
            .expect("netlink")
            .generation()
            .expect("readable")
            .0
    })
}

#[track_caller]
fn check(output: &Output, code: i32, stdout: &str, stderr: &str) {
    assert_eq!(
        output.status.code(),
        Some(code),
        "{}{}",
        output.stdout,
        output.stderr
    );
    assert!(output.stdout.contains(stdout), "stdout: {}", output.stdout);
    assert!(output.stderr.contains(stderr), "stderr: {}", output.stderr);
}

#[test]
fn exit_codes() {
    alone(|| {
        let (host, desk) = (Host::new("box"), Desk::new());
        let policy = desk.write("small.yaml", SMALL);
        let other = desk.write("other.yaml", &SMALL.replace("[ssh]", "[ssh, ntp]"));
        let broken = desk.write("broken.yaml", &SMALL.replace("from: wan", "from: wann"));

        let rfw = |arguments: &[&str]| desk.rfw(&host, arguments);
        check(
            &rfw(&["validate", "--policy", &policy]),
            0,
            "valid, 0 errors and 0 warnings",
            "",
        );
        check(
            &rfw(&["validate", "--policy", &broken]),
            3,
            "rejected, 1 error",
            "did you mean `wan`?",
        );
        check(
            &rfw(&["validate", "--policy", "/nowhere"]),
            1,
            "",
            "cannot read the policy `/nowhere`",
        );
        check(&rfw(&["frobnicate"]), 64, "", "unrecognized subcommand");
        check(
            &rfw(&["plan", "--policy", &policy, "--detailed-exitcode"]),
            2,
            "chain policy/in",
            "",
        );
        check(
            &rfw(&["plan", "--policy", &policy]),
            0,
            "chain policy/in",
            "",
        );
        check(
            &rfw(&["apply", "--policy", &policy]),
            0,
            "chain policy/in",
            "applied and verified",
        );
        check(
            &rfw(&["plan", "--policy", &policy, "--detailed-exitcode"]),
            0,
            "no changes",
            "",
        );
        check(
            &rfw(&["plan", "--policy", &policy, "--full", "--detailed-exitcode"]),
            0,
            "no changes",
            "",
        );
        check(
            &rfw(&["plan", "--policy", &other, "--detailed-exitcode"]),
            2,
            "in/ssh",
            "",
        );
        check(
            &rfw(&["apply", "--policy", &broken]),
            3,
            "",
            "unknown zone `wann`",
        );
        check(&rfw(&["remove"]), 0, "removed", "");
        check(&rfw(&["remove"]), 0, "no changes", "");
        check(&rfw(&["--help"]), 0, "Exit codes:", "");
        check(&rfw(&["man"]), 0, ".TH rfw", "");
        check(&rfw(&["completions", "bash"]), 0, "_rfw", "");
        check(&rfw(&["schema"]), 0, "draft-07", "");
    });
}

#[test]
fn nothing_is_written_when_nothing_changed() {
    alone(|| {
        let (host, desk) = (Host::new("box"), Desk::new());
        let policy = desk.write("small.yaml", SMALL);
        desk.must(&host, &["apply", "--policy", &policy]);
        let before = generation(&host);
        for arguments in [
            &["apply"][..],
            &["apply", "--full"],
            &["plan"],
            &["plan", "--full"],
        ] {
            let all = [arguments, &["--policy", &policy]].concat();
            assert!(desk.must(&host, &all).contains("no changes"));
        }
        assert_eq!(generation(&host), before);
        // Somebody else's commit moves the generation, so the short way is not taken; still nothing to do.
        nft::load(&host, "table inet other { }");
        assert!(
            desk.must(&host, &["plan", "--policy", &policy])
                .contains("no changes")
        );
    });
}

#[test]
fn drift_is_seen_although_the_policy_was_verified() {
    alone(|| {
        let (host, desk) = (Host::new("box"), Desk::new());
        let policy = desk.write("small.yaml", SMALL);
        desk.must(&host, &["apply", "--policy", &policy]);
        let clean = nft::ruleset(&host);
        // The comment stays right, the body does not.
        let edits = [
            "add rule inet rfw policy/in tcp dport 23 accept",
            "insert rule inet rfw input accept comment \"established\"",
            "flush chain inet rfw policy/out",
            "delete element inet rfw pairs/input { \"eth0\" }",
            "add set inet rfw mine { type ipv4_addr; }",
            "add chain inet rfw input { policy accept; }",
            "delete table inet rfw",
            "add chain inet rfw hole { type filter hook input priority -300; policy accept; }",
            "add rule inet rfw input ip saddr { 10.0.0.1, 10.0.0.7 } accept",
            "add table inet rfw { flags dormant; }",
        ];
        for edit in edits {
            nft::load(&host, edit);
            let plan = desk.rfw(&host, &["plan", "--policy", &policy, "--detailed-exitcode"]);
            check(&plan, 2, "", "");
            desk.must(&host, &["apply", "--policy", &policy]);
            assert_eq!(
                sorted(&nft::ruleset(&host)),
                sorted(&clean),
                "after: {edit}"
            );
        }
    });
}

/// A listing whose blocks are in the order they were made in, made comparable.
fn sorted(listing: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = listing.lines().collect();
    lines.sort_unstable();
    lines
}

#[test]
fn a_rejected_policy_changes_nothing() {
    alone(|| {
        let (host, desk) = (Host::new("box"), Desk::new());
        let policy = desk.write("small.yaml", SMALL);
        desk.must(&host, &["apply", "--policy", &policy]);
        let (before, rules) = (generation(&host), nft::ruleset(&host));
        let mut tried = 0;
        for entry in
            std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("policies/invalid"))
                .unwrap()
        {
            let path = entry.unwrap().path();
            let validated = desk.rfw(&host, &["validate", "--policy", path.to_str().unwrap()]);
            // A warning does not reject; only what is rejected is of interest here.
            if validated.success() {
                continue;
            }
            check(&validated, 3, "rejected", "error");
            check(
                &desk.rfw(&host, &["apply", "--policy", path.to_str().unwrap()]),
                3,
                "",
                "error",
            );
            tried += 1;
        }
        assert!(tried >= 60, "{tried} rejected policies");
        assert_eq!(generation(&host), before);
        assert_eq!(nft::ruleset(&host), rules);
    });
}

#[test]
fn without_the_right_to_change_it_says_so() {
    alone(|| {
        let (host, desk) = (Host::new("box"), Desk::new());
        let policy = desk.write("small.yaml", SMALL);
        let output = desk.rfw_without_rights(&host, &["plan", "--policy", &policy]);
        check(&output, 1, "", "CAP_NET_ADMIN");
    });
}

#[test]
fn two_at_once_do_not_meet() {
    alone(|| {
        let (host, desk) = (Host::new("box"), Desk::new());
        let policy = desk.write("small.yaml", SMALL);
        let lock = std::fs::File::create(desk.run_file("lock")).unwrap();
        let held =
            nix::fcntl::Flock::lock(lock, nix::fcntl::FlockArg::LockExclusiveNonblock).unwrap();
        let output = desk.rfw(&host, &["apply", "--policy", &policy]);
        check(&output, 1, "", "another rfw is changing the ruleset");
        drop(held);
        desk.must(&host, &["apply", "--policy", &policy]);
    });
}

#[test]
fn a_kept_plan_is_applied_as_long_as_it_is_still_the_plan() {
    alone(|| {
        let (host, desk) = (Host::new("box"), Desk::new());
        let policy = desk.write("small.yaml", SMALL);
        let other = desk.write("other.yaml", &SMALL.replace("[ssh]", "[ssh, ntp]"));
        let kept = desk.run_file("kept.plan");
        let kept = kept.to_str().unwrap();
        desk.must(&host, &["plan", "--policy", &policy, "--out", kept]);
        desk.must(&host, &["apply", kept]);
        assert!(
            desk.must(&host, &["plan", "--policy", &policy])
                .contains("no changes")
        );

        // Another table's commit moves the generation; what is to be done stays the same.
        desk.must(&host, &["plan", "--policy", &other, "--out", kept]);
        nft::load(&host, "table inet other { }");
        desk.must(&host, &["apply", kept]);
        assert!(
            desk.must(&host, &["plan", "--policy", &other])
                .contains("no changes")
        );

        // Here it does not.
        desk.must(&host, &["plan", "--policy", &policy, "--out", kept]);
        nft::load(&host, "add rule inet rfw policy/in udp dport 53 accept");
        let before = (generation(&host), nft::ruleset(&host));
        check(
            &desk.rfw(&host, &["apply", kept]),
            5,
            "",
            "the plan is stale",
        );
        assert_eq!((generation(&host), nft::ruleset(&host)), before);

        let text = std::fs::read_to_string(kept)
            .unwrap()
            .replace("policy/in", "policy/on");
        std::fs::write(kept, text).unwrap();
        check(
            &desk.rfw(&host, &["apply", kept]),
            1,
            "",
            "was changed after it was saved",
        );
        check(
            &desk.rfw(&host, &["apply", "/nowhere"]),
            1,
            "",
            "cannot read the plan `/nowhere`",
        );
        assert_eq!((generation(&host), nft::ruleset(&host)), before);
    });
}

#[test]
fn a_table_that_somebody_owns_is_left_to_them() {
    alone(|| {
        let (host, desk) = (Host::new("box"), Desk::new());
        let policy = desk.write("small.yaml", SMALL);
        // nft owns the table for as long as it waits for more.
        let owner = host.watch(
            "sh",
            &[
                "-c",
                "(echo 'table inet rfw { flags owner; }'; sleep 30) | nft -i",
            ],
        );
        let owned = |host: &Host| nft::ruleset(host).contains("flags owner");
        for _ in 0..100 {
            if owned(&host) {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        assert!(owned(&host));
        let output = desk.rfw(&host, &["apply", "--policy", &policy]);
        check(&output, 1, "", "belongs to another process");
        check(&output, 1, "", "the ruleset in the kernel is unchanged");
        owner.stop();
    });
}

#[test]
fn a_warning_is_said_again_on_the_short_way() {
    alone(|| {
        let (host, desk) = (Host::new("box"), Desk::new());
        let unused = SMALL.replace("policies:", "groups:\n  nobody: [192.0.2.1]\npolicies:");
        let policy = desk.write("unused.yaml", &unused);
        desk.must(&host, &["apply", "--policy", &policy]);
        for full in [&[][..], &["--full"]] {
            let output = desk.rfw(&host, &[&["plan", "--policy", &policy], full].concat());
            check(&output, 0, "no changes", "warning[");
        }
        // It was verified although there is something to say, so the first of the two took the short way.
        let state = std::fs::read_to_string(desk.state_file("verified.json")).unwrap();
        assert!(state.contains("warning["), "{state}");
    });
}
