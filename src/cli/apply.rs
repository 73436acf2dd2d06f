//! `rfw apply`: makes it so.
#![expect(
    clippy::disallowed_methods,
    reason = "reads a kept plan, and waits between attempts when the ruleset keeps changing"
)]

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use super::error::{Explained, Failure};
use super::lists::{self, Wanted};
use super::output::Output;
use super::plan::{self, Comparison, Format, Planned, Reading};
use super::policy::Loaded;
use super::validate::counted;
use super::{Global, good, pull, session, settings, trust};
use crate::apply::{self, Aftermath, ApplyError, NotWhole, Options, Outcome};
use crate::bytecode::Program;
use crate::kernel::Kernel;
use crate::live::{Generation, Live};
use crate::netlink::Netlink;
use crate::plan::{Plan, SavedPlan, SettingPromise, View};
use crate::source::Texts;
use crate::state::digest;
use crate::system::Difference;

/// Make the kernel's ruleset what the policy says
///
/// One transaction changes behaviour; it is taken only if nothing else has changed the ruleset since it was read, and is read
/// back afterwards. When nothing has to change, nothing is written. On any failure the old ruleset stays.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// A plan that `rfw plan --out FILE` has kept, instead of the policy
    #[arg(value_name = "FILE")]
    plan: Option<PathBuf>,
    /// Fetch the lists of sets with a `source` before: those that are due, or those of these sets
    #[arg(long, value_name = "SET", num_args = 0.., conflicts_with = "plan")]
    refresh: Option<Vec<String>>,
    /// With --refresh: take lists that have shrunk by more than half, or more than doubled, as well
    #[arg(long, requires = "refresh")]
    any_size: bool,
    /// Take a commit that does not come after the one that was applied last (`never_go_back` in agent.yaml)
    #[arg(long, conflicts_with = "plan")]
    go_back: bool,
    /// How to print what was done
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Read the live ruleset even when neither it nor the policy has changed since it was verified
    #[arg(long)]
    full: bool,
    /// Show every element of new and removed sets, not only the first ten
    #[arg(long)]
    all: bool,
}

pub(super) fn run(
    arguments: &Arguments,
    global: &Global,
    output: &mut Output,
) -> Result<(), Failure> {
    if arguments.plan.is_none() {
        pull::note(global, output);
    }
    // Before the lock: the network takes its time, and what it brings is kept whole or not at all.
    let missed = match &arguments.refresh {
        None => None,
        Some(names) => {
            let any_size = arguments.any_size;
            let (texts, _) = trust::read(global, arguments.go_back, output)?;
            lists::refresh(Wanted { names, any_size }, texts, global, output)?
        }
    };
    let _lock = session::lock(global)?;
    let mut kernel = session::open()?;
    match &arguments.plan {
        Some(path) => apply_saved(path, &mut kernel, arguments, global, output),
        None => apply_policy(&mut kernel, arguments, global, output),
    }?;
    missed.map_or(Ok(()), Err)
}

fn apply_policy(
    kernel: &mut Netlink,
    arguments: &Arguments,
    global: &Global,
    output: &mut Output,
) -> Result<(), Failure> {
    // Under the lock: nobody applies a later commit in the meantime.
    let (texts, trusted) = trust::read(global, arguments.go_back, output)?;
    apply_texts(kernel, texts, arguments, global, output)?;
    if let Some(trusted) = &trusted {
        trust::record(trusted, global, output);
    }
    Ok(())
}

fn apply_texts(
    kernel: &mut Netlink,
    texts: Texts,
    arguments: &Arguments,
    global: &Global,
    output: &mut Output,
) -> Result<(), Failure> {
    let digest = digest(&texts.sources);
    // What is not kept yet has to be compared to be kept.
    let reading = match good::is_kept(&digest, texts.revision.as_ref(), global) {
        _ if arguments.full => Reading::Everything,
        true => Reading::Nothing,
        false => Reading::Ruleset,
    };
    let planned = match plan::compare_texts(kernel, texts, digest, reading, global, output)? {
        Comparison::StillEqual(equal) => {
            return plan::show(plan::unchanged(*equal), None, arguments.format, output);
        }
        Comparison::Read(planned) => *planned,
    };
    let view = planned.view(plan::detail(arguments.all));
    plan::show(view, Some(&planned.loaded), arguments.format, output)?;
    let carried = carry_out(kernel, &planned, None, global, output)?;
    good::keep(&planned.loaded, &planned.digest, global, output);
    // The program ends here: of ten thousand rules the system takes everything back at once, and piece by piece it would be
    // a thirtieth of all the time.
    std::mem::forget((planned, carried));
    Ok(())
}

/// Does what was planned: settings that must come first, the rules, the other settings. Remembers what was verified.
/// Returns the generation that was read back, and what was, if anything was done. Where there is no table, an `outline` of
/// the rules comes before all of them.
pub(super) fn carry_out(
    kernel: &mut dyn Kernel,
    planned: &Planned,
    outline: Option<&Program>,
    global: &Global,
    output: &mut Output,
) -> Result<(Generation, Option<Live>), Failure> {
    let Planned {
        digest,
        loaded,
        program,
        live,
        plan,
        settings,
    } = planned;
    if planned.is_empty() {
        session::remember(loaded, digest, live, global, output);
        return Ok((live.generation, None));
    }
    settings::refuse_blocked(settings)?;
    let mut read_back = None;
    if !plan.is_empty() {
        session::refuse_owned(Some(live))?;
        session::forget(global, output);
        let done = settings::before_rules(settings)?;
        let mut wait = pause;
        let options = options(&mut wait, false);
        let outcome = match outline {
            None => apply::apply(kernel, program, plan, options)
                .map_err(|error| failure(error, Some(loaded))),
            Some(outline) => apply::apply_outlined(kernel, program, outline, plan, options)
                .map_err(|error| half_way(error, loaded)),
        };
        let outcome = outcome.map_err(|failure| failure.also_now(done))?;
        report(&outcome, output);
        read_back = outcome.live;
    }
    settings::after_rules(&loaded.settings, global, output)?;
    let verified = read_back.as_ref().unwrap_or(live);
    session::remember(loaded, digest, verified, global, output);
    Ok((verified.generation, read_back))
}

/// A failure with an outline, or with the rest when the outline is in force.
fn half_way(error: NotWhole, loaded: &Loaded) -> Failure {
    let NotWhole { is_outlined, error } = error;
    let failure = failure(error, Some(loaded));
    match is_outlined {
        false => failure,
        true => failure.also_now(vec![
            "before that all rules were put in force, but of large sets only the times around now: lists of addresses are empty"
                .to_owned(),
        ]),
    }
}

/// A kept plan needs no source of a policy: it holds what the kernel shall hold. It is applied only if the same operations would be
/// planned now. What it was made of is kept then as after any apply: it was examined when the plan was made, and whoever kept an
/// older policy in force would go back.
fn apply_saved(
    path: &Path,
    kernel: &mut Netlink,
    arguments: &Arguments,
    global: &Global,
    output: &mut Output,
) -> Result<(), Failure> {
    let text = std::fs::read_to_string(path).map_err(|source| {
        Failure::world_now(
            NotRead {
                path: path.to_owned(),
                source,
            },
            session::UNCHANGED,
        )
    })?;
    let saved = SavedPlan::from_json(&text)
        .map_err(|error| Failure::world_now(error, session::UNCHANGED))?;
    let live = session::observe(kernel)?;
    session::refuse_owned(Some(&live))?;
    let settings = settings::compare(&saved.settings, global)?;
    refuse_stale(&saved, &settings)?;
    settings::refuse_blocked(&settings)?;
    session::forget(global, output);
    let done = settings::before_rules(&settings)?;
    let outcome = apply::apply(
        kernel,
        &saved.desired,
        &saved.plan,
        options(&mut pause, true),
    )
    .map_err(|error| failure(error, None).also_now(done))?;
    let view = View::new(
        &live,
        &saved.desired,
        &saved.plan,
        plan::detail(arguments.all),
    )
    .with_settings(&settings);
    plan::show(view, None, arguments.format, output)?;
    report(&outcome, output);
    settings::after_rules(&saved.settings, global, output)?;
    trust::record_saved(&saved.policy, global, output);
    good::keep_saved(saved.policy, global, output);
    Ok(())
}

/// A kept plan changes the settings that it promised to change, from what they were then.
fn refuse_stale(saved: &SavedPlan, settings: &Difference) -> Result<(), Failure> {
    #[derive(Debug, thiserror::Error)]
    #[error("the settings of the box have changed since the plan was made")]
    struct Stale;
    let now = SettingPromise::all(settings);
    if now == saved.changes {
        return Ok(());
    }
    let told = |what: &str, promises: &[SettingPromise]| {
        let lines = promises.iter().map(|promise| {
            let SettingPromise { key, was, value } = promise;
            format!("{what}: {key} {was} -> {value}")
        });
        lines.collect::<Vec<_>>()
    };
    Err(Failure::Stale(Explained {
        error: Box::new(Stale),
        details: [told("planned", &saved.changes), told("needed", &now)].concat(),
        now: vec!["neither the rules nor the settings have changed; plan again".to_owned()],
    }))
}

#[derive(Debug, thiserror::Error)]
#[error("cannot read the plan `{path}`")]
struct NotRead {
    path: PathBuf,
    source: std::io::Error,
}

/// How often, and how patiently.
pub(super) fn options(wait: &mut dyn FnMut(u32), recheck: bool) -> Options<'_> {
    Options {
        attempts: 20,
        wait,
        recheck,
    }
}

/// Longer and longer, and not in step with whoever else is trying.
pub(super) fn pause(attempt: u32) {
    let jitter = u64::from(std::process::id() % 7);
    std::thread::sleep(Duration::from_millis((1 << attempt.min(7)) + jitter));
}

/// What was done, for the person at the terminal.
pub(super) fn report(outcome: &Outcome, output: &mut Output) {
    let Outcome {
        staged,
        committed,
        before,
        after,
        retries,
        live: _,
    } = outcome;
    if *staged + *committed == 0 {
        return;
    }
    let staged = if *staged == 0 {
        String::new()
    } else {
        format!(" after {staged} staged")
    };
    let retries = if *retries == 0 {
        String::new()
    } else {
        format!(", {retries} retries")
    };
    output.note(&format!(
        "applied and verified: {} in one transaction{staged}; generation {before} -> {after}{retries}",
        counted(*committed, "operation")
    ));
}

/// The first operations of a plan, so that one can see what is different.
fn needed(plan: &Plan) -> Vec<String> {
    const SHOWN: usize = 10;
    let all = || plan.staging.iter().chain(&plan.commit);
    let mut lines: Vec<String> = all()
        .take(SHOWN)
        .map(|operation| format!("needed: {operation}"))
        .collect();
    if let Some(more) = plan.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        lines.push(format!("and {more} more"));
    }
    lines
}

/// What went wrong, down to the line of the policy, and what is true now.
pub(super) fn failure(error: ApplyError, loaded: Option<&Loaded>) -> Failure {
    let now = vec![match error.aftermath() {
        Aftermath::Applied => {
            "the batch is in force; run `rfw plan` to see what differs".to_owned()
        }
        aftermath => aftermath.to_string(),
    }];
    let mut details = Vec::new();
    if let ApplyError::Refused { operations, .. } = &error {
        let places = loaded.map(Loaded::places);
        for refused in operations {
            let place = refused
                .origin
                .as_ref()
                .and_then(|origin| places.as_ref()?(origin));
            let place = place.map_or_else(String::new, |place| format!(", {place}"));
            details.push(format!("{refused}{place}: {}", refused.reason));
        }
    }
    if let ApplyError::Changed { now: plan, .. }
    | ApplyError::NotVerified {
        remaining: plan, ..
    } = &error
    {
        details.extend(needed(plan));
    }
    let stale = matches!(
        error,
        ApplyError::Changed { .. } | ApplyError::Unsteady { .. }
    );
    let explained = Explained {
        error: Box::new(error),
        details,
        now,
    };
    if stale {
        Failure::Stale(explained)
    } else {
        Failure::World(explained)
    }
}
