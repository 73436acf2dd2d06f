//! Large lists, `rfw` beside `nft -f`, as whole programs: a set of 1,000,000 prefixes from a file, and one of a tenth.
//!
//!     cargo bench --bench lists -- [--elements 1000000] [--rounds 3] [--nft-rounds 1]
//!
//! Everything happens in network namespaces of its own; each round begins with fresh ones. nft takes minutes for a
//! million and therefore has fewer rounds. Its change of an element is the shortest there is for it, `delete element` and
//! `add element`; what rfw is given is the whole list with another line. Beside the time the processor time is told:
//! on a machine that does something else, too, it is nearer to what an idle one would need.
//!
//! Root is needed: only CAP_NET_ADMIN in the initial user namespace may enlarge a socket's buffer beyond the system's limit.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark meets the system, prints, and stops at the first surprise"
)]

mod measured;
#[path = "../tests/support/mod.rs"]
#[expect(dead_code, unused_imports, reason = "tests need more of it")]
mod support;

use std::env;
use std::fmt::Write;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

use measured::{Run, load, median, now, number};
use rfw::apply;
use rfw::bytecode::{Program, linearize};
use rfw::compile::{self, Given};
use rfw::diagnostic::SourceText;
use rfw::kernel::Kernel;
use rfw::live::Known;
use rfw::netlink::{Netlink, RulesetEvents};
use support::Host;

/// The time any program gets.
const BOUND: Duration = Duration::from_secs(600);
/// The kernel looks through an interval set for elements whose time is up when it is committed, once a second at most.
/// Every measured commit pays for that, as one by hand would.
const SECOND: Duration = Duration::from_millis(1100);

const POLICY: &str = "version: 1
zones: { wan: { interfaces: [eth0] } }
groups: { bad: { file: list.txt } }
policies:
  - name: in
    from: wan
    to: firewall
    default: accept
    rules:
      - { name: bad, source: [bad], action: drop }
";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).filter(|one| one != "--bench").collect();
    if let Some(code) = measured::errand(&arguments) {
        return code;
    }
    let elements = number(&arguments, "--elements", 1_000_000).min(1_000_000);
    let rounds = number(&arguments, "--rounds", 3);
    let nft_rounds = number(&arguments, "--nft-rounds", 1).min(rounds);
    measured::machine(&["nft"]);
    println!("{rounds} rounds, {nft_rounds} of nft, medians; time, (processor time), peak memory");
    println!("load at the start: {}", load());
    compare(elements, 1, rounds, nft_rounds);
    compare(elements / 10, 10, rounds, nft_rounds);
    println!("load at the end: {}", load());
    ExitCode::SUCCESS
}

/// A list of /23 prefixes that do not touch, in an order that is none; another one with each version.
#[derive(Clone, Copy)]
struct List {
    elements: usize,
    /// So many lines are others in each version.
    changed: usize,
    version: usize,
}

impl List {
    /// The prefix of a number: all numbers below 2^21 have different ones.
    fn prefix(number: usize) -> String {
        let number = u32::try_from(number).expect("a number below 2^21");
        let block = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223) % (1 << 21);
        let [a, b, c, d] = (block << 11).to_be_bytes();
        format!("{a}.{b}.{c}.{d}/23")
    }

    /// The prefixes that only this version has.
    fn own(self) -> Vec<String> {
        let first = match self.version {
            0 => 0,
            version => self.elements + (version - 1) * self.changed,
        };
        (first..first + self.changed).map(Self::prefix).collect()
    }

    fn prefixes(self) -> Vec<String> {
        let rest = (self.changed..self.elements).map(Self::prefix);
        self.own().into_iter().chain(rest).collect()
    }

    fn text(self) -> String {
        let mut text = self.prefixes().join("\n");
        text.push('\n');
        text
    }

    /// All of it for nft.
    fn nft(self) -> String {
        format!(
            "table inet filter {{\n set bad {{ type ipv4_addr; flags interval; elements = {{ {} }}; }}\n \
             chain in {{ type filter hook input priority 0; policy accept; ip saddr @bad drop; }}\n}}\n",
            self.prefixes().join(",\n")
        )
    }

    /// From one version to the next.
    fn nft_to(self, next: Self) -> String {
        let mut text = String::new();
        for (word, list) in [("delete", self), ("add", next)] {
            let elements = list.own().join(", ");
            writeln!(text, "{word} element inet filter bad {{ {elements} }}").unwrap();
        }
        text
    }

    fn next(self) -> Self {
        Self {
            version: self.version + 1,
            ..self
        }
    }
}

/// Where the files are.
struct Files(PathBuf);

impl Files {
    fn new(elements: usize) -> Self {
        let name = format!("lists-{}-{elements}", std::process::id());
        let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&directory).expect("a directory that can be made");
        let files = Self(directory);
        files.write("policy.yaml", POLICY);
        files
    }

    fn path(&self, name: &str) -> String {
        let path = self.0.join(name);
        path.to_str().expect("a path in UTF-8").to_owned()
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("a file");
    }

    fn rfw(&self, words: &[&str]) -> Vec<String> {
        let mut command = vec![env!("CARGO_BIN_EXE_rfw").to_owned()];
        command.extend(words.iter().map(|one| (*one).to_owned()));
        command.extend(["--policy".to_owned(), self.path("policy.yaml")]);
        if words != ["validate"] {
            for directory in ["state", "run"] {
                command.push(format!("--{directory}-dir"));
                command.push(self.path(directory));
            }
        }
        command
    }

    fn nft(&self, name: &str) -> Vec<String> {
        vec!["nft".to_owned(), "-f".to_owned(), self.path(name)]
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The runs of one program for one figure, or why there are none.
#[derive(Default)]
struct Series(Vec<Run>, Option<String>, Vec<f64>);

impl Series {
    fn add(&mut self, host: &Host, words: &[String]) {
        match Run::of(host, words, &[], BOUND) {
            Ok(run) => self.0.push(run),
            Err(failure) => self.1 = Some(failure),
        }
        sleep(SECOND);
    }

    /// The same of a program that commits once; also how long it takes until the kernel tells that this is done.
    fn add_and_hear(&mut self, host: &Host, words: &[String]) {
        let mut events = host.run(|| RulesetEvents::open().expect("netlink"));
        let heard = std::thread::spawn(move || {
            let mut heard = events.wait().expect("events");
            while heard.is_empty() {
                heard = events.wait().expect("events");
            }
            now()
        });
        self.add(host, words);
        let heard = heard.join().expect("a commit");
        self.2.extend(self.0.last().map(|run| heard - run.began));
    }

    fn of(&self, pick: fn(&Run) -> f64) -> Option<f64> {
        median(self.0.iter().map(pick))
    }
}

impl std::fmt::Display for Series {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Some(time) = self.of(|run| run.time) else {
            return f.write_str(self.1.as_deref().unwrap_or("–"));
        };
        let processor = self.of(|run| run.processor).unwrap_or_default();
        let memory = self.of(|run| run.memory).unwrap_or_default();
        write!(f, "{time:.0} ms ({processor:.0}), {memory:.0} MiB")
    }
}

fn compare(elements: usize, changed: usize, rounds: usize, nft_rounds: usize) {
    let files = Files::new(elements);
    let first = List {
        elements,
        changed,
        version: 0,
    };
    let [mut validate, mut load, mut change, mut nothing, mut others] =
        [(); 5].map(|()| Series::default());
    let [mut nft_load, mut nft_change] = [(); 2].map(|()| Series::default());
    for round in 0..rounds {
        let _ = fs::remove_dir_all(files.path("state"));
        files.write("list.txt", &first.text());
        let host = Host::new("rfw");
        validate.add(&host, &files.rfw(&["validate"]));
        load.add(&host, &files.rfw(&["apply"]));
        if round < nft_rounds {
            let host = Host::new("nft");
            files.write("all.nft", &first.nft());
            files.write("change.nft", &first.nft_to(first.next()));
            nft_load.add(&host, &files.nft("all.nft"));
            nft_change.add(&host, &files.nft("change.nft"));
        }
        files.write("list.txt", &first.next().text());
        change.add_and_hear(&host, &files.rfw(&["apply"]));
        nothing.add(&host, &files.rfw(&["apply"]));
        if round == 0 {
            host.must("nft", &["add table ip other"], "");
            others.add(&host, &files.rfw(&["apply"]));
        }
    }
    let commits = commits(first, rounds);
    println!("\n| {elements} prefixes | rfw | nft -f | time | memory | aim |");
    println!("|---|---|---|---|---|---|");
    let line = |what: &str, rfw: &Series, nft: &Series, aim: &str| {
        let ratio = |pick| match (rfw.of(pick), nft.of(pick)) {
            (Some(ours), Some(theirs)) => format!("{:.3}", ours / theirs),
            _ => "–".to_owned(),
        };
        let (time, memory) = (ratio(|run| run.time), ratio(|run| run.memory));
        println!("| {what} | {rfw} | {nft} | {time} | {memory} | {aim} |");
    };
    let none = Series::default();
    let (aim, one) = match changed {
        1 => ("≤ 300 ms", "1 line changed".to_owned()),
        _ => ("≤ 50 ms", format!("{changed} lines changed")),
    };
    line("read, merged, compiled", &validate, &none, "≤ 1 s");
    line(
        "first apply",
        &load,
        &nft_load,
        "≤ 0.3 of the time, ≤ 0.25 of the memory",
    );
    line(&one, &change, &nft_change, aim);
    println!(
        "| of it the commit, at rest and at once after another | {} | – | – | – | |",
        ["at rest", "at once"]
            .iter()
            .zip(commits)
            .map(|(what, time)| time.map_or("–".into(), |time| format!("{what} {time:.0} ms")))
            .collect::<Vec<String>>()
            .join(", ")
    );
    println!(
        "| until the kernel has it | {} | – | – | – | |",
        median(change.2.iter().copied()).map_or("–".into(), |time| format!("{time:.0} ms"))
    );
    line("nothing changed", &nothing, &none, "");
    line(
        "nothing changed, after a commit of somebody else",
        &others,
        &none,
        "",
    );
}

/// How long the commit of a change takes in this process, from encoding the batch to the kernel's answers: a second
/// after the one before, and at once. Medians.
fn commits(first: List, rounds: usize) -> [Option<f64>; 2] {
    let host = Host::new("commits");
    host.run(|| {
        let mut kernel = Netlink::open().expect("netlink");
        let mut list = first;
        let mut before = compiled(list);
        let live = kernel.observe().expect("the live ruleset");
        let plan = rfw::plan::plan(&live, &before, [1; 16]);
        let options = apply::Options {
            attempts: 3,
            wait: &mut |_| (),
            recheck: false,
        };
        if apply::apply(&mut kernel, &before, &plan, options).is_err() {
            return [None; 2];
        }
        let mut times = [Vec::new(), Vec::new()];
        for _ in 0..rounds {
            // Both are planned beforehand, so that nothing but the first commit is between them.
            let mut plans = Vec::new();
            for _ in &times {
                list = list.next();
                let desired = compiled(list);
                let generation = kernel.generation().expect("the generation");
                let known = Known::of(generation, &before.sets);
                // As many elements as the kernel counts, be the one before committed or not yet.
                let live = kernel.observe_beside(&known).expect("the live ruleset");
                plans.push(rfw::plan::plan(&live, &desired, [1; 16]));
                before = desired;
            }
            sleep(SECOND);
            for (plan, times) in plans.iter().zip(&mut times) {
                let base = kernel.generation().expect("the generation");
                let started = Instant::now();
                kernel.commit(base, &plan.commit).expect("a commit");
                times.push(started.elapsed().as_secs_f64() * 1e3);
            }
        }
        times.map(|times| median(times.into_iter()))
    })
}

fn compiled(list: List) -> Program {
    let source = SourceText {
        name: "policy.yaml".into(),
        text: POLICY.into(),
    };
    let text = list.text();
    let (lists, _) = compile::lists([("list.txt", 1, text.as_bytes())]);
    let policy = rfw::policy::parse(&[source]).policy;
    let given = Given {
        today: jiff::civil::date(2026, 1, 1),
        lists: &lists,
        copies: &rfw::compile::Copies::new(),
        node: None,
    };
    let (compiled, found) = compile::compile(policy.expect("a policy without errors"), given);
    assert!(!found.has_errors(), "{found:?}");
    let ruleset = rfw::ruleset::validate(compiled.expect("a ruleset").ruleset);
    linearize(ruleset.expect("a valid ruleset").into_ruleset())
}
