//! The daemon, measured from outside: from a ref that has moved to rules in force, from somebody's `nft flush ruleset` to
//! its repair, and what it costs while nothing happens. The kernel itself tells when: both ends are generations of its
//! ruleset, which is asked for some thousand times a second. A listener would slow down what it listens to.
//!
//!     cargo bench --bench daemon -- [--rules 10000] [--rounds 100] [--heals 10] [--idle 30]
//!
//! Without `--rules` the policy is the office's. Wants root, or a user namespace, in which large batches do not fit.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark meets the system, prints, and stops at the first surprise"
)]

#[expect(dead_code, reason = "other benchmarks need more of it")]
mod measured;
#[expect(dead_code, reason = "other benchmarks need more of it")]
mod policy;
#[path = "../tests/support/mod.rs"]
#[expect(dead_code, unused_imports, reason = "tests need more of it")]
mod support;

use std::env;
use std::fs;
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, channel};
use std::thread::sleep;
use std::time::{Duration, Instant};

use measured::number;
use policy::Policy;
use rfw::kernel::Kernel;
use rfw::netlink::Netlink;
use rfw::plan::Operation;
use support::daemon::Daemon;
use support::git::Git;
use support::rfw::Desk;
use support::{Host, nft};

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).filter(|one| one != "--bench").collect();
    if let Some(code) = measured::errand(&arguments) {
        return code;
    }
    let rules = number(&arguments, "--rules", 0);
    let texts = match rules {
        0 => {
            let office = fs::read_to_string("policies/office.yaml").expect("the office's policy");
            let other = office.replacen("198.51.100.40", "198.51.100.41", 1);
            assert_ne!(office, other, "the two differ");
            [office, other]
        }
        rules => [Policy::new(rules).yaml(), Policy::changed(rules, 0).yaml()],
    };
    let (host, desk) = (Host::new("gateway"), Desk::new());
    let git = Git::new(&desk, "repository");
    // The commits are there before; what is measured begins when the ref moves.
    let commits = texts.map(|text| git.commit(&[("policy.yaml", &text)]));
    let path = git.path.join("policy.yaml").display().to_string();
    let events = look(&host);
    let daemon = Daemon::start(&desk, &host, &["--policy", &path, "--rev", "main"]);
    daemon.until("in force", |report| report["state"] == "in-force");
    println!(
        "{} rules, {}",
        if rules == 0 { 45 } else { rules },
        measured::load()
    );

    let mut follow = Vec::new();
    for round in 0..number(&arguments, "--rounds", 100) {
        while events.recv_timeout(Duration::from_millis(300)).is_ok() {}
        fs::write(git.inner("next"), format!("{}\n", commits[round % 2])).expect("a ref");
        let began = Instant::now();
        fs::rename(git.inner("next"), git.inner("refs/heads/main")).expect("a ref that moves");
        follow.push(last(&commits_after(&events, began)));
    }
    print("commit to rules in force", follow);

    let (mut heal, mut whole, mut alone) = (Vec::new(), Vec::new(), Vec::new());
    let (other, its_desk) = (Host::new("other"), Desk::new());
    for _ in 0..number(&arguments, "--heals", 10) {
        alone.push(kernel_alone(&other, &its_desk, &path));
        // More than a few in ten seconds are answered more slowly.
        while events.recv_timeout(Duration::from_millis(2_500)).is_ok() {}
        nft::load(&host, "flush ruleset");
        let flushed = events.recv().expect("the flush");
        let commits = commits_after(&events, flushed);
        // What must be there before, everything that a packet meets now, and perhaps what it meets in weeks: see `outline`.
        heal.extend(commits.get(1).or(commits.last()));
        whole.push(last(&commits));
    }
    print("`nft flush ruleset` healed", heal);
    print("and all times and lists back", whole);
    print(
        "for so long after it the kernel takes nobody's transaction",
        alone,
    );

    let seconds = number(&arguments, "--idle", 30) as u64;
    std::thread::sleep(Duration::from_secs(2));
    let before = ticks(daemon.pid());
    std::thread::sleep(Duration::from_secs(seconds));
    let used = ticks(daemon.pid()) - before;
    println!(
        "idle for {seconds} s: {} ms of processor time, {} kB resident",
        used * 10,
        resident(daemon.pid())
    );
    let _ = daemon.stop();
    ExitCode::SUCCESS
}

/// Longer than it takes to close a socket after a commit, and less than any program takes to hear of it and to answer.
const INSTANT: Duration = Duration::from_millis(2);

/// When somebody committed something.
fn look(host: &Host) -> Receiver<Instant> {
    /// What a moment may be wrong by.
    const PAUSE: Duration = Duration::from_micros(200);
    let (sender, receiver) = channel();
    host.spawn(move || {
        let mut kernel = Netlink::open().expect("a netlink socket");
        let mut last = kernel.generation().expect("a generation");
        loop {
            sleep(PAUSE);
            let now = kernel.generation().expect("a generation");
            if now != last && sender.send(Instant::now()).is_err() {
                return;
            }
            last = now;
        }
    });
    receiver
}

/// How long until each of rfw's commits of the next change.
fn commits_after(events: &Receiver<Instant>, began: Instant) -> Vec<Duration> {
    let bound = Duration::from_secs(20);
    let mut all = vec![events.recv_timeout(bound).expect("rfw commits something") - began];
    while let Ok(later) = events.recv_timeout(Duration::from_millis(100)) {
        all.push(later - began);
    }
    all
}

/// How long until the kernel takes a transaction, an empty table, when the same ruleset was taken away elsewhere, from
/// somebody who has it ready in an instant. When the socket of whoever took it away is closed, the kernel frees what
/// was there under its lock (`nft_rcv_nl_event`): nobody could heal sooner.
fn kernel_alone(host: &Host, desk: &Desk, policy: &str) -> Duration {
    let _ = desk.must(
        host,
        &["apply", "--policy", policy, "--rev", "main", "--full"],
    );
    host.run(|| {
        let mut kernel = Netlink::open().expect("a netlink socket");
        let before = kernel.generation().expect("a generation");
        let deleter = host.spawn(move || {
            let mut kernel = Netlink::open().expect("a netlink socket");
            kernel
                .commit(before, &[Operation::DeleteTable])
                .expect("a table");
        });
        let mut now = before;
        while now == before {
            now = kernel.generation().expect("a generation");
        }
        let began = Instant::now();
        sleep(INSTANT);
        let table = [Operation::AddTable { mark: [7; 16] }];
        let after = kernel.commit(now, &table).expect("no table");
        let took = began.elapsed();
        deleter.join().expect("a table that is gone");
        let _ = kernel.commit(after, &[Operation::DeleteTable]);
        took
    })
}

fn last(commits: &[Duration]) -> Duration {
    *commits.last().expect("a commit")
}

fn print(what: &str, mut spans: Vec<Duration>) {
    spans.sort();
    let Some(last) = spans.len().checked_sub(1) else {
        return;
    };
    let at = |part: f64| spans[(last as f64 * part).round() as usize].as_secs_f64() * 1e3;
    println!(
        "{what}, {} times: median {:.1} ms, p99 {:.1} ms, longest {:.1} ms",
        spans.len(),
        at(0.5),
        at(0.99),
        at(1.0)
    );
}

/// Hundredths of a second of processor time so far (proc(5): fields 14 and 15 of `stat`).
fn ticks(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    let (_, fields) = stat.rsplit_once(") ").expect("a name in brackets");
    let fields: Vec<&str> = fields.split(' ').collect();
    [11, 12]
        .map(|nth| fields[nth].parse::<u64>().expect("a number"))
        .iter()
        .sum()
}

fn resident(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let words = line.expect("a line").split_whitespace().nth(1);
    words.expect("a number").parse().expect("a number")
}
