//! From `--policy` to a ruleset, with everything there is to say about it printed on the way: read, examined, loaded.
#![expect(
    clippy::disallowed_methods,
    reason = "the command line is where the clock is read"
)]

mod examined;
mod findings;
mod loaded;
mod places;

use jiff::Timestamp;

use super::Global;
use super::error::Failure;
use super::output::Output;
use crate::ruleset::Valid;
use crate::source::git;
use crate::source::{SourceError, Texts, read_files};
use crate::state;
use crate::view::Switch;
use loaded::switches;

pub(super) use examined::{Examined, Purpose, examine};
pub(super) use findings::{print, print_report};
pub(super) use loaded::{Loaded, finish, too_large};
pub(super) use places::places;

/// Reads the texts of the policy as they are in another revision of its repository.
pub(super) fn read_at(global: &Global, rev: &str) -> Result<Texts, SourceError> {
    git::read(&global.policy, rev, &global.access)
}

/// Reads the texts of the policy.
pub(super) fn read(global: &Global) -> Result<Texts, Failure> {
    let Some(rev) = &global.rev else {
        return read_files(&global.policy).map_err(Failure::world);
    };
    git::read(&global.policy, rev, &global.access).map_err(Failure::world)
}

/// Parses and compiles; prints all diagnostics; goes on only without errors, with what the policy means.
pub(super) fn load(
    texts: Texts,
    global: &Global,
    output: &mut Output,
) -> Result<(Loaded, Valid), Failure> {
    load_for(
        Purpose::Ruleset(global.node.as_deref()),
        texts,
        global,
        output,
    )
}

/// The same for a purpose that is not the validity alone.
pub(super) fn load_for(
    purpose: Purpose<'_>,
    texts: Texts,
    global: &Global,
    output: &mut Output,
) -> Result<(Loaded, Valid), Failure> {
    let lists = state::copies_digest(&global.state_dir);
    let examined = examine(texts, purpose, Some(&global.state_dir));
    let said = print(&examined, output);
    let loaded = finish(examined, said, lists)?;
    for note in &loaded.0.notes {
        output.note(note);
    }
    Ok(loaded)
}

/// The same of a revision that is only compared with: nothing is printed, not even why it is rejected.
pub(super) fn load_silently(texts: Texts, global: &Global) -> Result<(Loaded, Valid), Failure> {
    let lists = state::copies_digest(&global.state_dir);
    let purpose = Purpose::Ruleset(global.node.as_deref());
    let examined = examine(texts, purpose, Some(&global.state_dir));
    finish(examined, String::new(), lists)
}

/// What the schedules of a policy do next, whatever else there is to say about it.
pub(super) fn next(texts: Texts, global: &Global) -> Vec<Switch> {
    let examined = examine(texts, Purpose::Ruleset(global.node.as_deref()), None);
    let compiled = examined.compiled.map(|(_, compiled, _)| compiled);
    compiled.map_or_else(Vec::new, |compiled| {
        switches(&compiled.timetables, Timestamp::now())
    })
}
