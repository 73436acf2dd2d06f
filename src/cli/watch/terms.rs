//! What commands know, in the terms of the loop.

use crate::cli::error::Failure;
use crate::cli::output::Output;
use crate::cli::plan::{Planned, Reading};
use crate::cli::validate::counted;
use crate::plan::{Detail, Listing};
use crate::reconcile::{self, Change, Depth, Desired, FailureKind, Revision};
use crate::state::Verified;
use crate::system::FileDifference;

/// Larger changes are told by their number.
const SHOWN: usize = 1_000;
/// So many operations of a change are kept by name.
const FIRST: usize = 10;

pub(super) fn reading(depth: Depth) -> Reading {
    match depth {
        Depth::Quick => Reading::Nothing,
        Depth::Full => Reading::Everything,
    }
}

pub(super) fn kind(failure: &Failure) -> FailureKind {
    match failure {
        Failure::Rejected => FailureKind::Rejected,
        Failure::Guard(_) => FailureKind::Guard,
        Failure::Stale(_) => FailureKind::Stale,
        Failure::Wrong
        | Failure::Changes
        | Failure::World(_)
        | Failure::Usage(_)
        | Failure::Output(_) => FailureKind::World,
    }
}

/// As a command would print it, after what it has said on the way.
pub(super) fn explain(
    failure: Failure,
    kind: FailureKind,
    attempted: Option<Box<Revision>>,
    mut output: Output,
) -> reconcile::Failure {
    failure.report(&mut output);
    reconcile::Failure {
        kind,
        text: output.take().trim_end().to_owned(),
        attempted,
        own: Vec::new(),
    }
}

pub(super) fn desired_of(verified: Verified, commit: Option<String>) -> Desired {
    Desired {
        commit,
        policy: verified.policy,
        lists: verified.lists,
        until: verified.until,
    }
}

pub(super) fn commit_of(planned: &Planned) -> Option<String> {
    let revision = planned.loaded.revision.as_ref()?;
    Some(revision.commit.as_str().to_owned())
}

pub(super) fn change(planned: &Planned) -> Change {
    let Planned {
        digest: _,
        loaded: _,
        program: _,
        live: _,
        plan,
        settings,
    } = planned;
    let file = match &settings.file {
        FileDifference::Write { .. }
        | FileDifference::Remove { .. }
        | FileDifference::Blocked { .. } => 1,
        FileDifference::Same | FileDifference::NotHere { .. } => 0,
    };
    let settings_count = settings.changes.len() + file;
    let mut parts = Vec::new();
    if !plan.is_empty() {
        parts.push(counted(plan.len(), "operation"));
    }
    if settings_count != 0 {
        parts.push(counted(settings_count, "setting"));
    }
    let operations = plan.staging.iter().chain(&plan.commit);
    let changed = settings.changes.iter();
    let changed =
        changed.map(|change| format!("{} {} -> {}", change.key, change.was, change.value));
    Change {
        at: 0,
        operations: plan.len() as u64,
        settings: settings_count as u64,
        summary: parts.join(", "),
        first: operations
            .map(ToString::to_string)
            .chain(changed)
            .take(FIRST)
            .collect(),
    }
}

/// What was changed, rule by rule.
pub(super) fn listing(planned: &Planned) -> String {
    if SHOWN < planned.plan.len() {
        return format!(
            "{} in the kernel\n",
            counted(planned.plan.len(), "operation")
        );
    }
    let mut view = planned.view(Detail::Few);
    view.locate(planned.loaded.places());
    let headline = planned.loaded.name.as_deref();
    Listing {
        view: &view,
        headline,
        against: None,
        color: false,
    }
    .to_string()
}
