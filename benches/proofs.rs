//! What a policy test costs: one packet through 10,000 rules, and `rfw test` as a whole program on an office with 1,000 tests.
//!
//!     cargo bench --bench proofs -- [--rules 10000] [--tests 1000] [--rounds 9]
//!
//! The kernel has no part in it.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
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
use std::fmt::Write;
use std::fs;
use std::hint::black_box;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use measured::{Run, errand, load, median, number};
use policy::{FIRST_PORT, LAST_PORT, Policy, SERVER};
use rfw::bytecode::linearize;
use rfw::compile::compile;
use rfw::diagnostic::SourceText;
use rfw::evaluate::{Choices, Environment, Firewall, Packet, Upper, evaluate};
use rfw::policy::parse;
use rfw::ruleset::validate;
use support::Host;

const OFFICE: &str = include_str!("../policies/office.yaml");
/// The time a run gets.
const BOUND: Duration = Duration::from_secs(120);
/// Evaluations of each packet.
const EVALUATIONS: usize = 2_001;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).filter(|one| one != "--bench").collect();
    if let Some(code) = errand(&arguments) {
        return code;
    }
    let rounds = number(&arguments, "--rounds", 9);
    println!("load at the start: {}", load());
    packets(number(&arguments, "--rules", 10_000));
    office(number(&arguments, "--tests", 1_000), rounds);
    println!("load at the end: {}", load());
    ExitCode::SUCCESS
}

/// One packet, evaluated: for the first and for the last rule, and for none.
fn packets(rules: usize) {
    let source = SourceText {
        name: "bench.yaml".into(),
        text: Policy::new(rules).yaml().into(),
    };
    let policy = parse(&[source]).policy.expect("no errors");
    let (compiled, _) = compile(policy, jiff::civil::date(2026, 1, 1));
    let ruleset = validate(compiled.expect("no errors").ruleset).expect("a valid ruleset");
    let firewall = Firewall::new().with_program(linearize(ruleset.into_ruleset()));
    let environment = Environment::default();
    println!("\n| one packet, {rules} rules | median |\n|---|---|");
    for (what, port) in [
        ("for the first rule", FIRST_PORT),
        ("for the last rule", LAST_PORT),
        ("for none", 9),
    ] {
        let (source, server) = ("192.0.2.2", SERVER);
        let mut packet = Packet::new(
            source.parse().unwrap(),
            server.parse().unwrap(),
            Upper::syn(40_000, port),
        );
        packet.iif = Some("eth1".to_owned());
        packet.oif = Some("eth0".to_owned());
        let choices = Choices::default();
        let mut times = Vec::with_capacity(EVALUATIONS);
        for _ in 0..EVALUATIONS {
            let began = Instant::now();
            black_box(evaluate(&firewall, &packet, &environment, &choices));
            times.push(began.elapsed().as_secs_f64() * 1e6);
        }
        println!(
            "| {what} | {:.1} µs |",
            median(times.into_iter()).expect("some")
        );
    }
}

/// The office's own tests, again and again under other names.
fn many(tests: usize) -> String {
    let (policy, own) = OFFICE
        .split_once("\ntests:\n")
        .expect("the office has tests");
    let own: Vec<&str> = own.split("\n  - ").collect();
    let mut text = format!("{policy}\ntests:\n");
    for number in 0..tests {
        let test = own[number % own.len()].trim_start_matches("  - ");
        let (before, rest) = test.split_once("name: ").expect("a name");
        let at = rest.find([',', ' ', '\n']).expect("more than a name");
        let (name, rest) = rest.split_at(at);
        let _ = writeln!(text, "  - {before}name: {name}-{number}{}", rest.trim_end());
    }
    text
}

/// `rfw test` as a whole.
fn office(tests: usize, rounds: usize) {
    let directory = env::temp_dir().join(format!("rfw-proofs-{}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    let path = directory.join("office.yaml");
    fs::write(&path, many(tests)).unwrap();
    let host = Host::new("bench");
    let words = [env!("CARGO_BIN_EXE_rfw"), "test", path.to_str().unwrap()].map(str::to_owned);
    let runs: Vec<Run> = (0..rounds)
        .map(|_| Run::of(&host, &words, &[], BOUND).expect("the tests hold"))
        .collect();
    let middle = |of: fn(&Run) -> f64| median(runs.iter().map(of)).expect("some");
    println!("\n| rfw test | time | processor | memory |\n|---|---|---|---|");
    println!(
        "| the office with {tests} tests | {:.0} ms | {:.0} ms | {:.1} MiB |",
        middle(|run| run.time),
        middle(|run| run.processor),
        middle(|run| run.memory)
    );
    fs::remove_dir_all(&directory).unwrap();
}
