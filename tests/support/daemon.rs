//! `rfw watch` beside a test.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::Host;
use super::rfw::Desk;

/// How long anything may take on a busy machine.
const BOUND: Duration = Duration::from_secs(50);

/// A daemon that runs on a host; killed when dropped.
#[derive(Debug)]
pub(crate) struct Daemon {
    child: Child,
    report: PathBuf,
    log: PathBuf,
}

impl Daemon {
    /// Starts it and waits for its first step.
    #[track_caller]
    pub(crate) fn start(desk: &Desk, host: &Host, arguments: &[&str]) -> Self {
        Self::start_with(desk, host, arguments, &[])
    }

    /// The same, with more in its environment.
    #[track_caller]
    pub(crate) fn start_with(
        desk: &Desk,
        host: &Host,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Self {
        let log = desk.run_file("watch.log");
        let file = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&log)
            .expect("a log");
        let arguments: Vec<&str> = ["watch"].iter().chain(arguments).copied().collect();
        let mut command = desk.command(&arguments);
        command.envs(environment.iter().copied());
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(file);
        let report = desk.run_file("status.json");
        let _ = fs::remove_file(&report);
        let child = host.run(|| command.spawn().expect("rfw starts"));
        let daemon = Self { child, report, log };
        daemon.until("its first step", |report| report["steps"]["total"] != 0);
        daemon
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has logged.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Its report; nothing when it has none yet.
    pub(crate) fn report(&self) -> Value {
        let text = fs::read_to_string(&self.report).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// Waits until its report is so.
    #[track_caller]
    pub(crate) fn until(&self, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + BOUND;
        loop {
            let report = self.report();
            if !report.is_null() && holds(&report) {
                return report;
            }
            assert!(
                Instant::now() < deadline,
                "not in time: {what}\n{report:#}\n{}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).expect("a process id"));
        kill(pid, signal).expect("it runs");
    }

    /// Ends it as systemd does; it must end by itself, and well.
    #[track_caller]
    pub(crate) fn stop(mut self) -> String {
        self.signal(Signal::SIGTERM);
        let deadline = Instant::now() + BOUND;
        loop {
            if let Some(status) = self.child.try_wait().expect("it is ours") {
                assert!(status.success(), "{status}: {}", self.log());
                return self.log();
            }
            assert!(Instant::now() < deadline, "does not end: {}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
