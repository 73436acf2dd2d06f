//! What the daemon tells in a few words: how it stands, why a step was made, who changed the table.

use std::collections::BTreeSet;

use crate::reconcile::{Cause, FailureKind, Report, Revision, State};

/// How it stands, in a line.
pub(super) fn line(report: &Report) -> String {
    let generation = report
        .generation
        .map_or_else(|| "none".to_owned(), |generation| generation.to_string());
    let applied = policy(report.applied.as_ref());
    match report.state {
        State::Starting => "starting".to_owned(),
        State::InForce => format!("in force: policy {applied}, generation {generation}"),
        State::Drifted => format!("drifted from policy {applied}, generation {generation}"),
        State::Refused => format!(
            "refused: {}; {}, generation {generation}",
            why(report),
            stays(report)
        ),
        State::Degraded => format!("degraded: {}; in force stays policy {applied}", why(report)),
        State::Stopped => "ended; the rules stay".to_owned(),
    }
}

/// What a policy is called in a few letters.
fn policy(revision: Option<&Revision>) -> String {
    let Some(revision) = revision else {
        return "none".to_owned();
    };
    let name = revision.commit.as_ref().or(revision.policy.as_ref());
    let name = name.map_or("unknown", String::as_str);
    name.get(..12).unwrap_or(name).to_owned()
}

fn why(report: &Report) -> &str {
    let trouble = report.trouble.as_ref();
    trouble.map_or("", |trouble| first_line(&trouble.text))
}

/// What is in force while the source has nothing that may be applied.
pub(super) fn stays(report: &Report) -> String {
    let applied = policy(report.applied.as_ref());
    match report.drift.present {
        false => format!("policy {applied} stays in force and is looked after"),
        true => format!("policy {applied} stays, and drift from it is only reported"),
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
