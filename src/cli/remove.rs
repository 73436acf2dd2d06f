//! `rfw remove`: takes rfw's table, and nothing else, out of the kernel.

use clap::Args;

use super::error::Failure;
use super::output::Output;
use super::{Global, apply, session};
use crate::apply as application;

/// Take rfw's table out of the kernel, and nothing else
///
/// Afterwards the box filters and translates nothing of its own accord. Settings and other tables stay as they are.
#[derive(Debug, Args)]
pub(super) struct Arguments {}

pub(super) fn run(_: &Arguments, global: &Global, output: &mut Output) -> Result<(), Failure> {
    let _lock = session::lock(global)?;
    let mut kernel = session::open()?;
    let live = session::observe(&mut kernel)?;
    let plan = crate::plan::remove(&live);
    if plan.is_empty() {
        output.line("no changes; the kernel has no table inet rfw");
        return Ok(());
    }
    session::forget(global, output);
    let outcome = application::remove(&mut kernel, &plan, apply::options(&mut apply::pause, false))
        .map_err(|error| apply::failure(error, None))?;
    output.line(&format!(
        "table inet rfw removed; generation {} -> {}; nothing is filtered by rfw now",
        outcome.before, outcome.after
    ));
    Ok(())
}
