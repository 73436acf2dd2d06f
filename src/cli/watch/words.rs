//! What the daemon tells in a few words: how it stands, why a step was made, who changed the table.

use std::collections::BTreeSet;

use crate::reconcile::{Cause, FailureKind, Report, Revision, State};

/// How it stands, in a line.
pub(super) fn line(report: &Report) -> String {
    let policy = |revision: &Option<Revision>| {
        revision.as_ref().map_or_else(
            || "none".to_owned(),
            |revision| {
                let name = revision.commit.as_ref().unwrap_or(&revision.policy);
                name.get(..12).unwrap_or(name).to_owned()
            },
        )
    };
    let generation = report
        .generation
        .map_or_else(|| "none".to_owned(), |generation| generation.to_string());
    let applied = policy(&report.applied);
    match report.state {
        State::Starting => "starting".to_owned(),
        State::InForce => format!("in force: policy {applied}, generation {generation}"),
        State::Drifted => format!("drifted from policy {applied}, generation {generation}"),
        State::Degraded => {
            let why = report
                .trouble
                .as_ref()
                .map(|trouble| first_line(&trouble.text));
            format!(
                "degraded: {}; in force stays policy {applied}",
                why.unwrap_or_default()
            )
        }
        State::Stopped => "ended; the rules stay".to_owned(),
    }
}

pub(super) fn failure_line(kind: FailureKind, text: &str) -> String {
    match kind {
        FailureKind::Busy => "another rfw is changing the ruleset".to_owned(),
        FailureKind::Source
        | FailureKind::Rejected
        | FailureKind::Guard
        | FailureKind::Stale
        | FailureKind::World => text.to_owned(),
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

pub(super) fn names(by: &[String]) -> String {
    match by {
        [] => "nobody the kernel names".to_owned(),
        by => by.join(", "),
    }
}

pub(super) fn reasons(causes: &BTreeSet<Cause>) -> String {
    let words = causes.iter().map(|cause| match cause {
        Cause::Start => "at the start",
        Cause::Files => "files changed",
        Cause::Revision => "the repository moved on",
        Cause::Kernel => "the table was changed",
        Cause::Lost => "events were lost",
        Cause::Links => "interfaces changed",
        Cause::Boundary => "a schedule or an expiry",
        Cause::Lists => "lists were fetched",
        Cause::Poll => "looked now and then",
        Cause::Verify => "everything was read",
        Cause::Retry => "tried again",
        Cause::Wake => "a command asked for it",
        Cause::Reload => "SIGHUP",
    });
    words.collect::<Vec<_>>().join(", ")
}
