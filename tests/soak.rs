//! Many steps of the daemon leave nothing behind: no open file, no thread, no memory. `scripts/soak` makes very many.

use std::fs;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use rfw::watch::{Reply, Request, ask};

use super::support::daemon::Daemon;
use super::support::netns::alone_for;
use super::support::rfw::Desk;
use super::support::{Host, nft};

/// Steps before anything is measured: every way has been gone then.
const WARM_UP: u64 = 100;
/// So much more memory than after that is no growth: what an allocator keeps differs by that from time to time.
const MOST_GROWTH_KB: u64 = 4_096;

/// Where the test leaves what it has measured.
const TOLD: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/soak.txt");

/// A number out of the environment, or this one.
fn given(name: &str, otherwise: u64) -> u64 {
    let said = std::env::var(name).ok();
    said.map_or(otherwise, |said| said.parse().expect("a number"))
}

/// A policy whose only difference to another is this port.
fn policy(port: u64) -> String {
    format!(
        "version: 1
sysctl: {{ forwarding: true }}
zones:
  lan: {{ interfaces: [eth0], networks: [10.1.0.0/24] }}
services: {{ door: {{ tcp: [{port}] }} }}
groups: {{ some: {{ file: some.txt }} }}
policies:
  - name: in
    from: lan
    to: firewall
    default: drop
    rules: [{{ name: door, services: [door], action: accept, source: [some] }}]
  - {{ name: out, from: firewall, to: lan, default: accept }}
"
    )
}

/// Files that a process has open, its threads, and the kB that it has in memory.
fn size(pid: u32) -> (usize, usize, u64) {
    let count = |what: &str| {
        let entries = fs::read_dir(format!("/proc/{pid}/{what}"));
        entries.unwrap().count()
    };
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let words = line.unwrap().split_whitespace().nth(1);
    (count("fd"), count("task"), words.unwrap().parse().unwrap())
}

/// `RFW_SOAK=10000 RFW_SEED=1 cargo test --test main soak -- --nocapture` makes more of them; `scripts/soak` does that.
#[test]
fn many_steps_leave_nothing_behind() {
    let (steps, seed) = (given("RFW_SOAK", 150), given("RFW_SEED", 1));
    alone_for(Duration::from_secs(120 + steps), || {
        let (host, desk) = (Host::new("box"), Desk::new());
        desk.write("policy/some.txt", "10.1.0.7\n");
        let path = desk.write("policy/gateway.yaml", &policy(1001));
        let daemon = Daemon::start(&desk, &host, &["--policy", &path]);
        daemon.until("in force", |report| report["state"] == "in-force");
        let socket = desk.run_file("control.sock");
        let wake = || {
            let mut last = None;
            let request = Request::Wake { revision: None };
            ask(&socket, &request, |reply| last = Some(reply)).unwrap();
            matches!(last, Some(Reply::Done { ok: true, .. }))
        };
        let total = || daemon.report()["steps"]["total"].as_u64().unwrap();
        let mut chance = seed;
        let mut turn = || {
            chance = chance
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let draw = chance >> 33;
            match draw % 20 {
                // What somebody else does; often enough that the daemon takes its time, so the wake comes first.
                0 => nft::load(&host, "flush ruleset"),
                1 => nft::load(&host, "insert rule inet rfw input accept"),
                2 => daemon.signal(Signal::SIGHUP),
                3 => _ = desk.write("policy/gateway.yaml", "version: 1\nzones: 3\n"),
                4 => _ = desk.rfw(&host, &["status", "--policy", &path]),
                5..=7 => {
                    let last = draw / 20 % 100;
                    desk.write("policy/some.txt", &format!("10.1.0.{last}\n10.1.0.200\n"));
                }
                _ => _ = desk.write("policy/gateway.yaml", &policy(2_000 + draw / 20 % 7)),
            }
            wake()
        };
        let began = Instant::now();
        while total() < WARM_UP {
            turn();
        }
        let before = size(daemon.pid());
        let (mut most, mut middle) = (before.2, None);
        while total() < WARM_UP + steps {
            turn();
            let now = size(daemon.pid()).2;
            most = most.max(now);
            if WARM_UP + steps / 2 <= total() {
                middle.get_or_insert(now);
            }
        }
        desk.write("policy/gateway.yaml", &policy(1001));
        assert!(wake(), "the policy can be applied in the end");
        let after = size(daemon.pid());
        let report = daemon.report();
        let told = format!(
            "{} steps in {} s, {} changed something, {} failed, drift seen {} times; seed {seed}\n\
             open files {} then {}; threads {} then {}; memory {} kB after {WARM_UP} steps, {} kB halfway, {} kB at the end, \
             {most} kB at most",
            report["steps"]["total"],
            began.elapsed().as_secs(),
            report["steps"]["changed"],
            report["steps"]["failed"],
            report["drift"]["seen"],
            before.0,
            after.0,
            before.1,
            after.1,
            before.2,
            middle.unwrap_or(after.2),
            after.2,
        );
        // What is printed in here nobody sees when all is well.
        fs::write(TOLD, told).unwrap();
        assert!(after.0 <= before.0 + 2, "open files");
        assert!(after.1 <= before.1 + 1, "threads");
        assert!(after.2 <= before.2 + MOST_GROWTH_KB, "memory");
        assert!(report["steps"]["changed"].as_u64().unwrap() > steps / 4);
        let _ = daemon.stop();
    });
    println!("{}", fs::read_to_string(TOLD).unwrap_or_default());
}
