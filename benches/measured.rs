//! Whole programs, measured: what an administrator waits for, and how much memory it takes. What is compared with what
//! is up to each benchmark.
//!
//! A program that is measured is the only child of a process of its own, whose resource usage tells the peak memory.

use std::env;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

use crate::support::{Host, program};

/// The first argument with which a benchmark measures one program.
const MEASURE: &str = "measure";
/// Set in the second run, inside a user namespace.
const INSIDE: &str = "RFW_BENCH_INSIDE";

/// Does what this run was started for by another: measures one program, or starts itself again where it may make
/// network namespaces. `None`: go on.
pub(crate) fn errand(arguments: &[String]) -> Option<ExitCode> {
    if let [first, rest @ ..] = arguments
        && first == MEASURE
    {
        return Some(measure(rest));
    }
    let may_not = !nix::unistd::geteuid().is_root() && env::var_os(INSIDE).is_none();
    may_not.then(inside)
}

/// The number behind a flag.
pub(crate) fn number(arguments: &[String], flag: &str, otherwise: usize) -> usize {
    let at = arguments.iter().position(|one| one == flag);
    at.and_then(|at| arguments.get(at + 1))
        .map_or(otherwise, |value| value.parse().expect("a number"))
}

/// Runs this program again in a user namespace of its own.
fn inside() -> ExitCode {
    let mut command = program::command("unshare");
    command
        .args(["-Urn", "--"])
        .arg(env::current_exe().expect("the path of this program"))
        .args(env::args().skip(1))
        .env(INSIDE, "1");
    let status = command.status().expect("unshare (util-linux)");
    if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Runs a program as the only child and says how it went: nanoseconds, microseconds of processor time, peak memory in
/// KiB, exit code, and when it began.
fn measure(command: &[String]) -> ExitCode {
    let [name, arguments @ ..] = command else {
        return ExitCode::FAILURE;
    };
    let mut command = Command::new(name);
    command.args(arguments);
    let began = now();
    let started = Instant::now();
    let status = command.status();
    let took = started.elapsed().as_nanos();
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("the usage of a child");
    let processor = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    let memory = usage.max_rss();
    let code = status.map_or(-1, |status| status.code().unwrap_or(-1));
    println!("\nmeasured {took} {processor} {memory} {code} {began}");
    ExitCode::SUCCESS
}

/// One measured run.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Run {
    /// Milliseconds from starting the program to its end.
    pub(crate) time: f64,
    /// Milliseconds of processor time, the kernel's included: what the time would be on an idle machine, if nothing waits.
    pub(crate) processor: f64,
    /// Peak memory in MiB.
    pub(crate) memory: f64,
    /// When it began, as [`now`] tells it; not every benchmark asks.
    pub(crate) began: f64,
}

impl Run {
    /// Runs a program on a host; the first line of what it complained about if it failed.
    pub(crate) fn of(
        host: &Host,
        words: &[String],
        environment: &[(&str, &str)],
        bound: Duration,
    ) -> Result<Self, String> {
        let this = env::current_exe().expect("the path of this program");
        let mut command = program::command(this.to_str().expect("a path in UTF-8"));
        command.arg(MEASURE).args(words);
        command.envs(environment.iter().copied());
        let output = host.run(|| program::run(command, b"", bound));
        let measured = output
            .stdout
            .rsplit_once("\nmeasured ")
            .map(|(_, measured)| measured.split_whitespace().collect::<Vec<_>>());
        let number = |text: &str| text.parse::<f64>().expect("a number");
        match measured.as_deref() {
            Some([took, processor, memory, "0", began]) => Ok(Self {
                time: number(took) / 1e6,
                processor: number(processor) / 1e3,
                memory: number(memory) / 1024.0,
                began: number(began),
            }),
            _ => {
                let said = output.stderr.trim();
                Err(said.lines().next().unwrap_or("failed").to_owned())
            }
        }
    }
}

/// Milliseconds since 1970, to some fractions: the same clock in every process.
pub(crate) fn now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.expect("a clock that goes").as_secs_f64() * 1e3
}

pub(crate) fn is_installed(name: &str) -> bool {
    let path = env::var("PATH").unwrap_or_default();
    name.contains('/')
        || path
            .split(':')
            .chain(["/usr/local/sbin", "/usr/sbin", "/sbin"])
            .any(|directory| Path::new(directory).join(name).exists())
}

pub(crate) fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

/// The machine and the versions of these programs.
pub(crate) fn machine(programs: &[&str]) {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let model = read("/proc/cpuinfo");
    let model = model
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("unknown processor", |rest| {
            rest.trim_matches([' ', '\t', ':'])
        });
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    println!("{cores} cores, {model}");
    println!("Linux {}", read("/proc/sys/kernel/osrelease").trim());
    for name in programs {
        if is_installed(name) {
            let mut command = program::command(name);
            command.arg("--version");
            print!(
                "{}",
                program::run(command, b"", Duration::from_secs(10)).stdout
            );
        }
    }
    if !is_mighty() {
        println!(
            "not root of the machine: socket buffers end at net.core.wmem_max, large batches may fail"
        );
    }
}

/// The load of the last minute and the last five.
pub(crate) fn load() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').take(2).collect::<Vec<_>>().join(" ")
}

/// Whether this is root in the initial user namespace.
pub(crate) fn is_mighty() -> bool {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let initial = map.split_whitespace().eq(["0", "0", "4294967295"]);
    initial && nix::unistd::geteuid().is_root()
}
