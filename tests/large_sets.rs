//! Large sets are not listed again while it is known what they hold. A lie shows it: whoever believes what was kept of a set
//! instead of listing it sees a difference that is none, and the kernel has what he would add.

use std::fs;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use rfw::kernel::Kernel;
use rfw::netlink::Netlink;
use rfw::state::{KeptSet, UntouchedTable, Verified, keep, kept};
use serde_json::Value;

use super::netlink::event::make_noise;
use super::support::daemon::Daemon;
use super::support::rfw::Desk;
use super::support::{Host, alone, nft};

const POLICY: &str = "version: 1
zones: { lan: { interfaces: [eth0] } }
groups: { many: { file: many.txt } }
policies:
  - name: in
    from: lan
    to: firewall
    default: drop
    rules: [{ name: many, source: [many], action: drop }]
";
/// A box with a policy that has a list of 20,000 addresses in force.
struct Large {
    host: Host,
    desk: Desk,
    policy: String,
}

impl Large {
    fn new() -> Self {
        let (host, desk) = (Host::new("box"), Desk::new());
        let lines = (0..20_000_u32).map(|nth| {
            format!(
                "10.{}.{}.{}\n",
                nth >> 15,
                nth >> 7 & 255,
                nth << 1 & 255 | 1
            )
        });
        desk.write("policy/many.txt", &lines.collect::<String>());
        desk.write("policy/policy.yaml", POLICY);
        let policy = desk.file("policy").to_str().unwrap().to_owned();
        let large = Self { host, desk, policy };
        large.rfw(&["apply"]);
        assert_eq!(large.elements(), 20_000);
        large
    }

    /// Runs rfw; it must succeed. Both streams.
    #[track_caller]
    fn rfw(&self, arguments: &[&str]) -> String {
        let arguments = [arguments, &["--policy", &self.policy]].concat();
        let output = self.desk.rfw(&self.host, &arguments);
        assert!(output.success(), "{output:?}");
        output.stdout + &output.stderr
    }

    fn daemon(&self, more: &[&str]) -> Daemon {
        // Nothing is looked at but what the test asks for.
        let rarely = ["--poll", "600", "--verify", "600"];
        let arguments = [&["--policy", &self.policy], &rarely[..], more].concat();
        let daemon = Daemon::start(&self.desk, &self.host, &arguments);
        daemon.until("in force", |report| report["state"] == "in-force");
        daemon
    }

    /// What was kept of the elements is another from now on, in the same number.
    #[track_caller]
    fn lie(&self) {
        let state = self.desk.file("state");
        let mut verified = Verified::load(&state).expect("it was verified");
        let digest = verified.elements.clone().expect("it has a large set");
        let sets = kept(&state, &digest, |set| {
            let KeptSet {
                name,
                width,
                ranges,
                bytes,
            } = set;
            Some((name.to_owned(), width, ranges, bytes.to_vec()))
        });
        let mut sets = sets.expect("they are kept");
        let [(name, width, ranges, bytes)] = &mut sets[..] else {
            panic!("one large set: {sets:?}");
        };
        for first in bytes.chunks_mut(*width).take(1 + usize::from(*ranges)) {
            assert_eq!(first, [10, 0, 0, 1]);
            first[0] = 9;
        }
        let set = KeptSet {
            name,
            width: *width,
            ranges: *ranges,
            bytes,
        };
        verified.elements = keep(&state, &[set]).unwrap();
        verified.store(&state).unwrap();
    }

    /// Whether what `rfw` says is about the lie: there is nothing else to say about the set.
    fn is_believed(said: &str) -> bool {
        said.contains("group/many.ip4")
    }

    /// How many elements the kernel holds, by nft.
    fn elements(&self) -> usize {
        let table = nft::table(&self.host, "inet rfw");
        let words = table.split([' ', ',', '\t', '\n']);
        words.filter(|word| word.starts_with("10.")).count()
    }

    /// The next apply has to keep the policy first.
    fn forget_the_copy(&self) {
        fs::remove_file(self.desk.state_file("good")).unwrap();
    }

    /// Somebody else changes a table of his own.
    fn others_commit(&self, name: &str) {
        nft::load(&self.host, &format!("add table ip {name}"));
    }

    /// Waits until commands are told that nobody has touched the table up to now.
    #[track_caller]
    fn until_told(&self, daemon: &Daemon) {
        let deadline = Instant::now() + Duration::from_secs(10);
        let run = self.desk.file("run");
        let now = self.host.run(|| Netlink::open().unwrap().generation());
        let now = now.unwrap().0;
        loop {
            let told = UntouchedTable::load(&run);
            if told.is_some_and(|told| told.until == now) {
                return;
            }
            assert!(Instant::now() < deadline, "{}", daemon.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The daemon believes the lie; that fails, and then it lists.
    #[track_caller]
    fn believes(&self, daemon: &Daemon) {
        let seen = daemon.report()["drift"]["seen"].as_u64().unwrap();
        let report = self.look(daemon);
        assert_eq!(report["drift"]["seen"], seen + 1, "{}", daemon.log());
        let first = &report["drift"]["last"]["change"]["first"];
        assert!(Self::is_believed(&first.to_string()), "{first}");
        daemon.until("listed", |report| {
            report["state"] == "in-force" && report["drift"]["present"] == false
        });
    }

    /// Has the daemon look, because files have changed.
    #[track_caller]
    fn look(&self, daemon: &Daemon) -> Value {
        let steps = |report: &Value| report["steps"]["causes"]["files"].as_u64().unwrap_or(0);
        let before = steps(&daemon.report());
        self.desk.write("policy/policy.yaml", POLICY);
        daemon.until("a look", |report| steps(report) > before)
    }
}

#[test]
fn what_is_compared_to_be_kept_is_not_listed() {
    alone(|| {
        let large = Large::new();
        // Nothing has changed and the copy is there: nothing is read at all.
        large.lie();
        assert!(!Large::is_believed(&large.rfw(&["apply"])));
        large.forget_the_copy();
        let output = large
            .desk
            .rfw(&large.host, &["apply", "--policy", &large.policy]);
        assert!(Large::is_believed(&output.stdout), "{output:?}");
        assert!(output.stderr.contains("File exists"), "{output:?}");
        assert!(!Large::is_believed(&large.rfw(&["apply", "--full"])));
        large.lie();
        assert!(!Large::is_believed(&large.rfw(&["apply", "--full"])));

        let daemon = large.daemon(&[]);
        large.lie();
        assert_eq!(large.look(&daemon)["drift"]["seen"], 0);
        large.forget_the_copy();
        large.believes(&daemon);
        assert_eq!(large.elements(), 20_000);
        let _ = daemon.stop();
    });
}

#[test]
fn after_commits_of_others_that_were_heard_nothing_is_listed() {
    alone(|| {
        let large = Large::new();
        // Nobody has heard anything.
        large.others_commit("a");
        large.lie();
        assert!(!Large::is_believed(&large.rfw(&["plan"])), "it is listed");

        let daemon = large.daemon(&[]);
        large.others_commit("b");
        large.others_commit("c");
        large.until_told(&daemon);
        large.lie();
        // Commands profit, and the daemon itself.
        assert!(Large::is_believed(&large.rfw(&["plan"])));
        assert_eq!(daemon.report()["foreign"]["commits"], 0, "no step was made");
        large.believes(&daemon);
        assert_eq!(daemon.report()["foreign"]["commits"], 2);
        // What has been looked at is the beginning of what is heard from then on.
        large.others_commit("d");
        large.until_told(&daemon);
        large.lie();
        assert!(Large::is_believed(&large.rfw(&["plan"])));
        assert!(!Large::is_believed(&large.rfw(&["plan", "--full"])));

        // What they do to rfw's own set is seen as ever, and undone.
        large.others_commit("e");
        nft::load(
            &large.host,
            "delete table ip e; add element inet rfw group/many.ip4 { 9.9.9.9 }",
        );
        let report = daemon.until("undone", |report| report["drift"]["repaired"] == 1);
        assert_eq!(
            report["drift"]["last"]["change"]["operations"], 1,
            "{report:#}"
        );
        assert_eq!(large.elements(), 20_000);
        assert!(!nft::table(&large.host, "inet rfw").contains("9.9.9.9"));
        let _ = daemon.stop();
    });
}

#[test]
fn after_a_commit_that_touches_the_table_everything_is_listed() {
    alone(|| {
        let large = Large::new();
        let daemon = large.daemon(&["--drift", "report"]);
        large.others_commit("a");
        large.until_told(&daemon);
        large.lie();
        nft::load(&large.host, "add chain inet rfw theirs");
        large.others_commit("b");
        let report = daemon.until("drift", |report| report["drift"]["present"] == true);
        let first = &report["drift"]["last"]["change"]["first"];
        assert!(!Large::is_believed(&first.to_string()), "{first}");
        let said = large.rfw(&["plan"]);
        assert!(
            said.contains("theirs") && !Large::is_believed(&said),
            "{said}"
        );
        let _ = daemon.stop();
    });
}

#[test]
fn after_events_that_were_lost_everything_is_listed() {
    alone(|| {
        let large = Large::new();
        let daemon = large.daemon(&[]);
        large.others_commit("a");
        large.until_told(&daemon);
        large.lie();
        daemon.signal(Signal::SIGSTOP);
        large
            .host
            .run(|| make_noise(|script| nft::load(&large.host, script)));
        daemon.signal(Signal::SIGCONT);
        let report = daemon.until("lost", |report| {
            report["foreign"]["lost"] != 0 && report["steps"]["causes"]["lost"] != Value::Null
        });
        assert_eq!(report["drift"]["seen"], 0, "{report:#}");
        assert_eq!(large.look(&daemon)["drift"]["seen"], 0);
        assert_eq!(large.elements(), 20_000);
        let _ = daemon.stop();
    });
}
