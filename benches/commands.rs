//! `rfw` beside `nft -f` and `iptables-restore`, as whole programs: what an administrator waits for, and how much memory it takes.
//!
//! Every contender has a network namespace of its own. They are measured in turns (A B C D, A B C D …), so that
//! whatever else the machine does meets all of them; a figure is the median of its rounds.
//!
//!     cargo bench --bench commands -- [--rules 10000] [--rounds 9]
//!     cargo bench --bench commands -- write DIRECTORY [--rules 10000]     the same policy in all languages, to look at
//!
//! Root is needed for large batches: only CAP_NET_ADMIN in the initial user namespace may enlarge a socket's buffer
//! beyond the system's limit. Without it everything runs in a user namespace, and what fails says so.
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
mod policy;
#[path = "../tests/support/mod.rs"]
#[expect(dead_code, unused_imports, reason = "tests need more of it")]
mod support;

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

use measured::{Run, is_installed, is_mighty, load, median, number};
use policy::Policy;
use rfw::apply;
use rfw::bytecode::{Program, linearize};
use rfw::diagnostic::SourceText;
use rfw::kernel::Kernel;
use rfw::netlink::Netlink;
use support::Host;

/// The time any program gets.
const BOUND: Duration = Duration::from_secs(120);
/// The kernel frees what a program left behind, or what a namespace held, after the program has ended.
const SETTLE: Duration = Duration::from_millis(150);

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).filter(|one| one != "--bench").collect();
    if let [first, directory, ..] = arguments.as_slice()
        && first == "write"
    {
        Files::write(Path::new(directory), number(&arguments, "--rules", 10_000));
        return ExitCode::SUCCESS;
    }
    if let Some(code) = measured::errand(&arguments) {
        return code;
    }
    compare(
        number(&arguments, "--rules", 10_000),
        number(&arguments, "--rounds", 9),
    );
    ExitCode::SUCCESS
}

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Contender {
    Rfw,
    Nft,
    IptablesNft,
    IptablesLegacy,
}

impl Contender {
    const ALL: [Self; 4] = [
        Self::Rfw,
        Self::Nft,
        Self::IptablesNft,
        Self::IptablesLegacy,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Rfw => "rfw",
            Self::Nft => "nft -f",
            Self::IptablesNft => "iptables-nft-restore",
            Self::IptablesLegacy => "iptables-legacy-restore",
        }
    }
}

/// The policy and the policy with one rule more, for everybody.
struct Files {
    directory: PathBuf,
    rules: usize,
}

impl Files {
    fn write(directory: &Path, rules: usize) -> Self {
        fs::create_dir_all(directory).expect("a directory that can be made");
        let files = Self {
            directory: directory.to_owned(),
            rules,
        };
        files.put("base", &Policy::new(rules));
        files.put("changed", &Policy::changed(rules, 0));
        files
    }

    /// The policy with one line that it never had before, in place of the last change.
    fn change(&self, times: u16) {
        self.put("changed", &Policy::changed(self.rules, times));
    }

    fn put(&self, name: &str, policy: &Policy) {
        let write = |ending: &str, text: String| {
            fs::write(self.directory.join(format!("{name}.{ending}")), text).expect("a file");
        };
        write("yaml", policy.yaml());
        write("nft", policy.nft());
        write("v4", policy.iptables(false));
        write("v6", policy.iptables(true));
    }

    fn path(&self, name: &str, ending: &str) -> String {
        let path = self.directory.join(format!("{name}.{ending}"));
        path.to_str().expect("a path in UTF-8").to_owned()
    }

    /// A contender's command for a file; iptables needs two, one for each version of IP.
    fn command(&self, contender: Contender, words: &[&str], file: &str) -> Vec<Vec<String>> {
        let own = |words: &[&str]| words.iter().map(|one| (*one).to_owned()).collect();
        match contender {
            Contender::Rfw => {
                let mut command: Vec<String> = own(&[env!("CARGO_BIN_EXE_rfw")]);
                command.extend(own(words));
                command.extend(["--policy".to_owned(), self.path(file, "yaml")]);
                for directory in ["state", "run"] {
                    command.push(format!("--{directory}-dir"));
                    command.push(self.path(directory, "d"));
                }
                vec![command]
            }
            Contender::Nft => vec![own(&["nft", "-f", &self.path(file, "nft")])],
            Contender::IptablesNft => vec![
                own(&["iptables-nft-restore", &self.path(file, "v4")]),
                own(&["ip6tables-nft-restore", &self.path(file, "v6")]),
            ],
            Contender::IptablesLegacy => vec![
                own(&["iptables-legacy-restore", &self.path(file, "v4")]),
                own(&["ip6tables-legacy-restore", &self.path(file, "v6")]),
            ],
        }
    }

    /// Runs commands one after the other on a host: their time together, the memory of the largest.
    fn run(&self, host: &Host, commands: &[Vec<String>]) -> Result<Run, String> {
        let lock = self.path("xtables", "lock");
        let mut sum = Run::default();
        for words in commands {
            let run = Run::of(host, words, &[("XTABLES_LOCKFILE", &lock)], BOUND)?;
            sum.time += run.time;
            sum.processor += run.processor;
            sum.memory = sum.memory.max(run.memory);
        }
        sleep(SETTLE);
        Ok(sum)
    }
}

/// The runs of one contender for one figure, or why there are none.
#[derive(Default)]
struct Series {
    runs: Vec<Run>,
    failure: Option<String>,
}

impl Series {
    fn add(&mut self, run: Result<Run, String>) {
        match run {
            Ok(run) => self.runs.push(run),
            Err(failure) => self.failure = Some(failure),
        }
    }

    fn time(&self) -> Option<f64> {
        median(self.runs.iter().map(|run| run.time))
    }

    fn memory(&self) -> Option<f64> {
        median(self.runs.iter().map(|run| run.memory))
    }
}

/// Everything about one contender.
#[derive(Default)]
struct Results {
    first: Series,
    unchanged: Series,
    verified: Series,
    one_line: Series,
}

fn compare(rules: usize, rounds: usize) {
    let directory =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("commands-{}", std::process::id()));
    let files = Files::write(&directory, rules);
    facts(rules, rounds, &files);
    let mut results: Vec<(Contender, Results)> = Contender::ALL
        .into_iter()
        .filter(|contender| is_installed(&files.command(*contender, &[], "base")[0][0]))
        .map(|contender| (contender, Results::default()))
        .collect();
    let hosts: Vec<Host> = results
        .iter()
        .map(|(contender, _)| Host::new(contender.name()))
        .collect();
    for round in 0..rounds {
        for (contender, results) in &mut results {
            let host = Host::new("fresh");
            forget(&files);
            let command = files.command(*contender, &["apply"], "base");
            results.first.add(files.run(&host, &command));
            drop(host);
            sleep(SETTLE);
        }
        forget(&files);
        for ((contender, results), host) in results.iter_mut().zip(&hosts) {
            let load = files.command(*contender, &["apply"], "base");
            if files.run(host, &load).is_err() {
                continue;
            }
            let full = files.command(*contender, &["plan", "--full"], "base");
            results.unchanged.add(files.run(host, &full));
        }
        for ((contender, results), host) in results.iter_mut().zip(&hosts) {
            let short = files.command(*contender, &["plan"], "base");
            results.verified.add(files.run(host, &short));
        }
        files.change(round as u16);
        for ((contender, results), host) in results.iter_mut().zip(&hosts) {
            let change = files.command(*contender, &["apply"], "changed");
            results.one_line.add(files.run(host, &change));
        }
    }
    let commits = commits(rules, rounds);
    report(&results, &commits);
    let _ = fs::remove_dir_all(&directory);
}

/// What rfw remembers of another namespace's kernel would be of no use; it notices, but let it begin as new.
fn forget(files: &Files) {
    let _ = fs::remove_dir_all(files.path("state", "d"));
}

/// How long the commit of one changed line takes, measured inside this process: encoding the batch, sending it, and
/// reading the kernel's answers.
fn commits(rules: usize, rounds: usize) -> Vec<f64> {
    let host = Host::new("commits");
    host.run(|| {
        let mut kernel = Netlink::open().expect("netlink");
        let mut times = Vec::new();
        for round in 0..=rounds {
            let policy = match round {
                0 => Policy::new(rules),
                round => Policy::changed(rules, round as u16),
            };
            let desired = compiled(&policy);
            let live = kernel.observe().expect("the live ruleset");
            let plan = rfw::plan::plan(&live, &desired, [1; 16]);
            if round > 0 && plan.staging.is_empty() {
                let started = Instant::now();
                kernel.commit(plan.base, &plan.commit).expect("a commit");
                times.push(started.elapsed().as_secs_f64() * 1e3);
            } else {
                let mut wait = |_| ();
                let options = apply::Options {
                    attempts: 3,
                    wait: &mut wait,
                    recheck: false,
                };
                if apply::apply(&mut kernel, &desired, &plan, options).is_err() {
                    return Vec::new();
                }
            }
        }
        times
    })
}

fn compiled(policy: &Policy) -> Program {
    let source = SourceText {
        name: "bench.yaml".into(),
        text: policy.yaml().into(),
    };
    let parsed = rfw::policy::parse(&[source]);
    let policy = parsed.policy.expect("a policy without errors");
    let (compiled, _) = rfw::compile::compile(policy, jiff::civil::date(2026, 1, 1));
    let ruleset = rfw::ruleset::validate(compiled.expect("a ruleset").ruleset);
    linearize(ruleset.expect("a valid ruleset").into_ruleset())
}

fn report(results: &[(Contender, Results)], commits: &[f64]) {
    let of = |contender| {
        results
            .iter()
            .find(|(one, _)| *one == contender)
            .map(|(_, results)| results)
    };
    let (Some(ours), Some(nft)) = (of(Contender::Rfw), of(Contender::Nft)) else {
        println!("nft is not installed");
        return;
    };
    let names: Vec<&str> = results.iter().map(|(one, _)| one.name()).collect();
    println!("| | {} | of nft -f | aim | |", names.join(" | "));
    println!("|---|{}", "---|".repeat(names.len() + 3));
    let line = |what: &str, unit: &str, pick: &dyn Fn(&Results) -> Option<f64>, aim: f64| {
        let values: Vec<String> = results
            .iter()
            .map(|(_, results)| {
                pick(results).map_or("–".into(), |value| format!("{value:.1} {unit}"))
            })
            .collect();
        let ratio = pick(ours).zip(pick(nft)).map(|(ours, nft)| ours / nft);
        println!(
            "| {what} | {} | {} | ≤ {aim} | {} |",
            values.join(" | "),
            ratio.map_or("–".into(), |ratio| format!("{ratio:.3}")),
            verdict(ratio, aim)
        );
    };
    line("first apply", "ms", &|one| one.first.time(), 0.35);
    line(
        "nothing changed, all read back",
        "ms",
        &|one| one.unchanged.time(),
        0.2,
    );
    line("one line changed", "ms", &|one| one.one_line.time(), 0.25);
    line(
        "peak memory, first apply",
        "MiB",
        &|one| one.first.memory(),
        0.4,
    );
    line(
        "peak memory, nothing changed",
        "MiB",
        &|one| one.unchanged.memory(),
        0.4,
    );
    line(
        "peak memory, one line changed",
        "MiB",
        &|one| one.one_line.memory(),
        0.4,
    );
    let absolute = |what: &str, value: Option<f64>, aim: f64| {
        println!(
            "| {what} | {} |{} – | ≤ {aim} ms | {} |",
            value.map_or("–".into(), |value| format!("{value:.2} ms")),
            " – |".repeat(names.len() - 1),
            verdict(value, aim)
        );
    };
    absolute(
        "nothing changed since it was verified",
        ours.verified.time(),
        5.0,
    );
    absolute(
        "one line changed, the commit alone",
        median(commits.iter().copied()),
        1.0,
    );
    for (contender, results) in results {
        let Results {
            first,
            unchanged,
            verified,
            one_line,
        } = results;
        for failure in [first, unchanged, verified, one_line]
            .into_iter()
            .filter_map(|series| series.failure.as_deref())
        {
            println!("{} failed: {failure}", contender.name());
            if failure.contains("Message too long") && !is_mighty() {
                println!(
                    "  it may not enlarge its socket's buffer beyond net.core.wmem_max: run this as root"
                );
            }
        }
    }
    println!("load at the end: {}", load());
}

fn verdict(value: Option<f64>, aim: f64) -> &'static str {
    match value {
        Some(value) if value <= aim => "met",
        Some(_) => "NOT met",
        None => "not measured",
    }
}

/// The machine, the versions, the conditions.
fn facts(rules: usize, rounds: usize, files: &Files) {
    measured::machine(&["nft", "iptables-nft", "iptables-legacy"]);
    let size = |path: String| {
        File::open(path)
            .and_then(|file| file.metadata())
            .map_or(0, |meta| meta.len() / 1024)
    };
    println!(
        "{rules} rules: {} KiB of YAML, {} KiB for nft, {} KiB for iptables; {rounds} rounds in turns, medians",
        size(files.path("base", "yaml")),
        size(files.path("base", "nft")),
        size(files.path("base", "v4")) + size(files.path("base", "v6")),
    );
    println!("load at the start: {}\n", load());
}
