//! `rfw test`: holds policies against their own `tests`.
#![expect(
    clippy::disallowed_methods,
    reason = "the command line is where the clock is read"
)]

mod junit;
mod report;

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::{Args, ValueEnum};
use jiff::Timestamp;

use super::error::Failure;
use super::output::Output;
use super::validate::counted;
use super::{Global, policy, raw};
use crate::bytecode::linearize_with;
use crate::compile::{self, Copies, Given};
use crate::diagnostic::{Diagnostics, Report};
use crate::policy::parse_and;
use crate::prove::Prover;
use crate::ruleset::validate;
use crate::source::{Texts, read_files};
use report::{Case, Suite, Whole};

/// Hold policies against their own tests
///
/// Compiles each policy and tries, for each of its `tests`, one packet of every kind that the rules tell apart: a test that passes
/// holds for all packets that it is about. Needs neither root nor the kernel, but for raw rules. What it finds does not depend on the
/// day, the node or what fetched sets hold. Exits with 3 when a test fails or a policy is rejected.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Policies, each a file or a directory [default: the one of --policy]
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Only tests whose names have this in them
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// How to print what was found
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

impl Arguments {
    /// Whether it is about the box's own policy.
    pub(super) fn asks_for_the_policy(&self) -> bool {
        self.paths.is_empty()
    }
}

/// Forms of the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people: a line for each test, and the way of a packet with which one fails
    Text,
    /// For programs
    Json,
    /// For those that collect the results of tests
    Junit,
}

pub(super) fn run(
    arguments: &Arguments,
    global: &Global,
    output: &mut Output,
) -> Result<(), Failure> {
    let begin = Instant::now();
    let mut suites = Vec::new();
    let mut is_right = true;
    if arguments.paths.is_empty() {
        let texts = policy::read(global)?;
        is_right &= suite(&global.policy, texts, arguments, output, &mut suites)?;
    }
    for path in &arguments.paths {
        let texts = read_files(path).map_err(Failure::world)?;
        is_right &= suite(path, texts, arguments, output, &mut suites)?;
    }
    let whole = Whole {
        version: 1,
        passed: suites.iter().map(Suite::passed).sum(),
        failed: suites.iter().map(Suite::failed).sum(),
        seconds: begin.elapsed().as_secs_f64(),
        suites,
    };
    match arguments.format {
        Format::Text => {
            let bold = output.color();
            output.result(&whole.text(bold));
        }
        Format::Json => {
            output.line(&serde_json::to_string_pretty(&whole).map_err(Failure::world)?);
        }
        Format::Junit => output.result(&junit::junit(&whole)),
    }
    if is_right && whole.passed + whole.failed == 0 {
        let what = match &arguments.filter {
            Some(text) => format!("warning: no test has `{text}` in its name"),
            None => "warning: there are no `tests`".to_owned(),
        };
        output.note(&what);
    }
    if is_right && whole.failed == 0 {
        Ok(())
    } else {
        output
            .finish()
            .map_err(Failure::Output)
            .and(Err(Failure::Rejected))
    }
}

/// Runs the tests of one policy; `false` if it is none.
fn suite(
    path: &Path,
    texts: Texts,
    arguments: &Arguments,
    output: &mut Output,
    suites: &mut Vec<Suite>,
) -> Result<bool, Failure> {
    let begin = Instant::now();
    let (lists, bad_lists) = compile::lists(texts.lists());
    let is_whole = !texts.diagnostics.has_errors();
    let parsed = parse_and(texts.documents(), |policy| {
        let zone = compile::timezone(&policy);
        let given = Given {
            today: Timestamp::now().to_zoned_datetime(zone.clone()).date(),
            lists: &lists,
            copies: &Copies::new(),
            node: None,
        };
        let (model, found) = match is_whole {
            true => compile::resolve(&policy, given),
            false => (None, Diagnostics::new()),
        };
        (model, found, zone)
    });
    let mut diagnostics = texts.diagnostics;
    diagnostics.extend(parsed.diagnostics);
    diagnostics.extend(bad_lists);
    let mut resolved = None;
    if let Some((model, found, zone)) = parsed.policy {
        diagnostics.extend(found);
        resolved = model.zip(Some(zone));
    }
    let mut code = crate::bytecode::RawCode::new();
    let ruleset = resolved.as_ref().map(|(model, _)| compile::lower(model));
    if let Some(ruleset) = &ruleset
        && !diagnostics.has_errors()
    {
        let (read, found) = raw::read(ruleset).map_err(raw::failure)?;
        code = read;
        diagnostics.extend(found);
    }
    policy::print_report(
        &Report {
            diagnostics: &diagnostics,
            sources: &texts.sources,
            locations: &parsed.locations,
        },
        output,
    );
    let (Some((model, zone)), Some(ruleset), false) = (resolved, ruleset, diagnostics.has_errors())
    else {
        output.note(&format!(
            "{}: rejected, {}",
            path.display(),
            counted(
                diagnostics
                    .iter()
                    .filter(|found| found.severity == crate::diagnostic::Severity::Error)
                    .count(),
                "error"
            )
        ));
        return Ok(false);
    };
    let ruleset = validate(ruleset).map_err(|violations| policy::too_large(&violations))?;
    let program = linearize_with(ruleset.into_ruleset(), &code);
    let prover = Prover::new(&model, &program);
    let places = policy::places(&texts.sources, &parsed.locations);
    let wanted = model.tests.iter().filter(|test| {
        let filter = arguments.filter.as_ref();
        filter.is_none_or(|text| test.name.contains(text.as_str()))
    });
    let cases = wanted.map(|test| {
        let begin = Instant::now();
        let proof = prover.prove(test);
        let seconds = begin.elapsed().as_secs_f64();
        Case::of(test, &proof, seconds, &prover, &zone, &places)
    });
    let cases = cases.collect();
    suites.push(Suite {
        policy: path.display().to_string(),
        cases,
        seconds: begin.elapsed().as_secs_f64(),
    });
    Ok(true)
}
