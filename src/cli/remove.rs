//! `rfw remove`: takes rfw's table, and nothing else, out of the kernel.

use clap::Args;

use super::error::Failure;
use super::output::Output;
use super::{Global, apply, session, settings};
use crate::apply as application;
use crate::state::GoodPolicy;

/// Take rfw's table, and the file that keeps its settings, out of the system
///
/// Afterwards the box filters and translates nothing of its own accord. Settings stay as they are until the next boot, and are
/// named; other tables stay as they are.
#[derive(Debug, Args)]
pub(super) struct Arguments {}

pub(super) fn run(_: &Arguments, global: &Global, output: &mut Output) -> Result<(), Failure> {
    let _lock = session::lock(global)?;
    let mut kernel = session::open()?;
    let live = session::observe(&mut kernel)?;
    let plan = crate::plan::remove(&live);
    // No boot, and no daemon whose source is refused, brings the rules back.
    GoodPolicy::forget(&global.state_dir)
        .map_err(|error| Failure::world_now(error, session::UNCHANGED))?;
    // First, so that no boot finds the settings without the rules.
    let stays = settings::remove(global, output)?;
    if plan.is_empty() {
        output.line("no changes; the kernel has no table inet rfw");
    } else {
        session::forget(global, output);
        let outcome =
            application::remove(&mut kernel, &plan, apply::options(&mut apply::pause, false))
                .map_err(|error| apply::failure(error, None))?;
        output.line(&format!(
            "table inet rfw removed; generation {} -> {}; nothing is filtered by rfw now",
            outcome.before, outcome.after
        ));
    }
    for setting in &stays {
        output.line(&format!("stays until the next boot: {setting}"));
    }
    let forwards = settings::forwards();
    if !plan.is_empty() && !forwards.is_empty() {
        let keys: Vec<String> = forwards.iter().map(|key| format!("{key}=0")).collect();
        output.note(&format!(
            "the box still forwards packets, and rfw no longer filters them; `sysctl -w {}` ends that",
            keys.join(" ")
        ));
    }
    Ok(())
}
