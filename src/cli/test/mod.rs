//! `rfw test`: holds policies against their own `tests`.
#![expect(
    clippy::disallowed_methods,
    reason = "the command line is where the clock is read"
)]

mod junit;
mod kernel;
mod report;
mod text;
mod way;

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use jiff::tz::TimeZone;

pub(super) use report::schema;

use super::error::Failure;
use super::output::Output;
use super::places::Places;
use super::validate::counted;
use super::{Global, offload, policy, raw, time_zone};
use crate::bytecode::{RawCode, linearize_with};
use crate::compile::model::Model;
use crate::compile::{self, Copies, Given};
use crate::diagnostic::{Diagnostics, Report, SourceText};
use crate::policy::{Locations, parse_and};
use crate::prove::Prover;
use crate::ruleset::{Ruleset, validate};
use crate::source::{Texts, read_files};
use crate::system::Settings;
use report::{Case, Suite, Whole};

/// Hold policies against their own tests
///
/// Compiles each policy and tries, for each of its `tests`, one packet of every kind that the rules tell apart: a test that passes
/// holds for all packets that it is about. Needs neither root nor the kernel, but for raw rules. What it finds does not depend on the
/// day, the node or what fetched sets hold. Exits with 3 when a test fails or a policy is rejected.
///
/// With --kernel the packets are also sent, through the rules as the kernel runs them, in network namespaces that nothing else is in
/// and that go with rfw; needs no root where user namespaces are allowed. The kernel must do what the proof says with every one
/// of them. Where it does not, rfw is wrong: that is told with all there is to know, and rfw exits with 70.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Policies, each a file or a directory [default: the one of --policy]
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Only tests whose names have this in them
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Send the packets through the kernel as well, in network namespaces of rfw's own, and demand the same answers
    #[arg(long)]
    kernel: bool,
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
    let mut policies = Vec::new();
    if arguments.paths.is_empty() {
        let texts = policy::read(global)?;
        policies.push(compiled(&global.policy, texts, output)?);
    }
    for path in &arguments.paths {
        let texts = read_files(path).map_err(Failure::world)?;
        policies.push(compiled(path, texts, output)?);
    }
    let is_right = policies.iter().all(Option::is_some);
    let kernel = match arguments.kernel {
        true => Some(kernel::leave()?),
        false => None,
    };
    let mut suites = Vec::new();
    let lacks_flowtables = kernel.as_ref().is_some_and(|it| !it.has_flowtables);
    for policy in policies.iter_mut().flatten() {
        if lacks_flowtables && policy.ruleset.offloads() {
            output.note(offload::LEFT_OUT);
            policy.ruleset = std::mem::take(&mut policy.ruleset).without_offload();
        }
        // Then the kernel may be right to disagree.
        if kernel.is_some()
            && let Some(warning) = time_zone::warning(&policy.ruleset.sets)
        {
            output.note(&warning);
        }
        suites.push(suite(policy, arguments)?);
    }
    let whole = Whole {
        version: 1,
        passed: suites.iter().map(Suite::passed).sum(),
        failed: suites.iter().map(Suite::failed).sum(),
        seconds: begin.elapsed().as_secs_f64(),
        kernel,
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
    let failure = match () {
        () if whole.disagreements() > 0 => Failure::Wrong,
        () if !is_right || whole.failed > 0 => Failure::Rejected,
        () => return Ok(()),
    };
    output.finish().map_err(Failure::Output).and(Err(failure))
}

/// A policy that is one, and what it compiles to.
struct Compiled {
    path: String,
    sources: Vec<SourceText>,
    locations: Locations,
    zone: TimeZone,
    model: Model,
    settings: Settings,
    ruleset: Ruleset,
    raw: RawCode,
    seconds: f64,
}

/// Compiles a policy; `None`, which has been told, if it is none.
fn compiled(path: &Path, texts: Texts, output: &mut Output) -> Result<Option<Compiled>, Failure> {
    let begin = Instant::now();
    let (lists, bad_lists) = compile::lists(texts.lists());
    let is_whole = !texts.diagnostics.has_errors();
    let parsed = parse_and(texts.documents(), |mut policy| {
        let zone = compile::timezone(&policy);
        let given = Given {
            today: Timestamp::now().to_zoned_datetime(zone.clone()).date(),
            lists: &lists,
            copies: &Copies::new(),
            node: None,
        };
        let (model, found) = match is_whole {
            true => compile::resolve_out_of(&mut policy, given),
            false => (None, Diagnostics::new()),
        };
        let model = model.map(|model| (compile::settings(&policy, &model), model));
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
    let mut code = RawCode::new();
    let ruleset = resolved
        .as_ref()
        .map(|((_, model), _)| compile::lower(model));
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
    let (Some(((settings, model), zone)), Some(ruleset), false) =
        (resolved, ruleset, diagnostics.has_errors())
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
        return Ok(None);
    };
    let ruleset = validate(ruleset).map_err(|violations| policy::too_large(&violations))?;
    Ok(Some(Compiled {
        path: path.display().to_string(),
        sources: texts.sources,
        locations: parsed.locations,
        zone,
        model,
        settings,
        ruleset: ruleset.into_ruleset(),
        raw: code,
        seconds: begin.elapsed().as_secs_f64(),
    }))
}

/// Runs the tests of a policy.
fn suite(policy: &Compiled, arguments: &Arguments) -> Result<Suite, Failure> {
    let begin = Instant::now();
    let program = linearize_with(policy.ruleset.clone(), &policy.raw);
    let prover = Prover::new(&policy.model, &program);
    let counted = policy.model.counted();
    let places = Places::new(&policy.sources, &policy.locations, counted);
    let wanted = policy.model.tests.iter().filter(|test| {
        let filter = arguments.filter.as_ref();
        filter.is_none_or(|text| test.name.contains(text.as_str()))
    });
    let mut testbed = match arguments.kernel {
        true => Some(kernel::testbed(&prover, &policy.settings)?),
        false => None,
    };
    let mut cases = Vec::new();
    for test in wanted {
        let begin = Instant::now();
        let proof = prover.prove(test);
        let seconds = begin.elapsed().as_secs_f64();
        let mut case = Case::of(test, &proof, seconds, &prover, &policy.zone, &places);
        if let Some(testbed) = &mut testbed {
            let tried = kernel::tried(testbed, &prover, test)?;
            case.also(kernel::told(&tried, policy, &prover, &places), &tried);
        }
        cases.push(case);
    }
    Ok(Suite {
        policy: policy.path.clone(),
        cases,
        seconds: policy.seconds + begin.elapsed().as_secs_f64(),
    })
}
