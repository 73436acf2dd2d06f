//! A policy that compiles, with all that is wanted of the box.
#![expect(
    clippy::disallowed_methods,
    reason = "the command line is where the clock is read"
)]

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Examined;
use super::places::places;
use crate::bytecode::RawCode;
use crate::cli::error::{Explained, Failure};
use crate::cli::lists::{self, Fetched};
use crate::cli::output::Output;
use crate::cli::raw;
use crate::compile::model::Zone;
use crate::compile::{Compiled, Logical};
use crate::diagnostic::SourceText;
use crate::policy::Locations;
use crate::ruleset::{Origin, Valid, Violation, validate};
use crate::schedule::Timetable;
use crate::source::git::Revision;
use crate::system::Settings;
use crate::view::Switch;

/// A policy that compiles.
pub(in crate::cli) struct Loaded {
    /// Its texts.
    pub(in crate::cli) sources: Vec<SourceText>,
    /// How many of them are the policy itself; lists follow.
    pub(in crate::cli) documents: usize,
    /// Of each list, the path by which the policy names it.
    pub(in crate::cli) list_paths: Vec<String>,
    /// Where everything in them stands.
    pub(in crate::cli) locations: Locations,
    /// Its name, when it has one.
    pub(in crate::cli) name: Option<String>,
    /// What it wants of the box.
    pub(in crate::cli) settings: Settings,
    /// What its raw rules mean.
    pub(in crate::cli) raw: RawCode,
    /// What there is to say about it, without colour.
    pub(in crate::cli) warnings: String,
    /// From then on there may be other warnings, or other switches to come; `None`: never.
    pub(in crate::cli) until: Option<Timestamp>,
    /// What its schedules do next.
    pub(in crate::cli) switches: Vec<Switch>,
    /// Whether plans name the tables of others that drop by default.
    pub(in crate::cli) reports_foreign: bool,
    /// The digest of the copies that its fetched sets were filled from.
    pub(in crate::cli) lists: Option<String>,
    /// What replicas compare, when it was asked for.
    pub(in crate::cli) logical: Option<Logical>,
    /// The commit that it is of, if it is of one.
    pub(in crate::cli) revision: Option<Revision>,
    /// Its fetched sets.
    pub(in crate::cli) fetched: Vec<Fetched>,
    /// What there is to say about its fetched sets; part of the warnings.
    pub(in crate::cli) notes: Vec<String>,
    /// Its zones by name.
    pub(in crate::cli) zones: BTreeMap<String, Zone>,
    /// The time zone of all its times.
    pub(in crate::cli) timezone: TimeZone,
}

/// From what was examined to what is wanted of the box; `warnings` is what there is to say about it, `lists` the digest of the copies
/// that its fetched sets were filled from.
pub(in crate::cli) fn finish(
    examined: Examined,
    mut warnings: String,
    lists: Option<String>,
) -> Result<(Loaded, Valid), Failure> {
    let Examined {
        sources,
        documents,
        list_paths,
        locations,
        diagnostics: _,
        compiled,
        raw,
        stock,
        logical,
        revision,
    } = examined;
    let raw = raw.map_err(raw::failure)?;
    let Some((name, compiled, zone)) = compiled else {
        return Err(Failure::Rejected);
    };
    for note in &stock.notes {
        if !warnings.is_empty() {
            warnings.push('\n');
        }
        warnings.push_str(note);
    }
    lists::refuse_forbidden(&compiled, &stock.copies)?;
    let Compiled {
        ruleset,
        settings,
        until,
        timetables,
        reports_foreign,
        fetched,
        zones,
    } = compiled;
    let now = Timestamp::now();
    let ruleset = validate(ruleset).map_err(|violations| too_large(&violations))?;
    let switches = switches(&timetables, now);
    let until = until
        .and_then(|date| date.to_zoned_datetime(zone.clone()).ok())
        .map(|moment| moment.timestamp());
    let first = switches.iter().filter_map(|switch| switch.at.parse().ok());
    let until = first.chain(until).chain(stock.until).min();
    let loaded = Loaded {
        sources,
        documents,
        list_paths,
        locations,
        name,
        settings,
        raw,
        warnings,
        until,
        switches,
        reports_foreign,
        lists,
        logical,
        revision,
        fetched: fetched
            .into_iter()
            .map(|(name, terms)| Fetched::new(name, &terms))
            .collect(),
        notes: stock.notes,
        zones,
        timezone: zone,
    };
    Ok((loaded, ruleset))
}

/// What each schedule does next, the soonest first.
pub(super) fn switches(timetables: &[Timetable], now: Timestamp) -> Vec<Switch> {
    let next = timetables.iter().filter_map(|timetable| {
        let switch = timetable.next(now)?;
        let at = Timestamp::from_second(switch.at).ok()?;
        Some(Switch {
            schedule: timetable.name.clone(),
            opens: switch.opens,
            at: at.to_string(),
            text: timetable.announce(switch),
        })
    });
    let mut next: Vec<Switch> = next.collect();
    // All are of one form and in UTC.
    next.sort_by(|left, right| (&left.at, &left.schedule).cmp(&(&right.at, &right.schedule)));
    next
}

/// The policy means more than a ruleset can hold.
pub(in crate::cli) fn too_large(violations: &[Violation]) -> Failure {
    #[derive(Debug, thiserror::Error)]
    #[error("the policy does not fit into a ruleset")]
    struct DoesNotFit;
    Failure::World(Explained {
        error: Box::new(DoesNotFit),
        details: violations.iter().map(ToString::to_string).collect(),
        now: vec!["the ruleset in the kernel is unchanged".to_owned()],
    })
}

impl Loaded {
    /// What stands above a plan: the policy's name, and the commit that it is of.
    pub(in crate::cli) fn headline(&self) -> Option<String> {
        let revision = self.revision.as_ref();
        let revision = revision.map(|revision| format!("revision {revision}"));
        let parts: Vec<String> = self.name.iter().cloned().chain(revision).collect();
        (!parts.is_empty()).then(|| parts.join("   "))
    }

    /// Says what the kernel, not the policy, is the reason of; it is said again with the policy's own warnings.
    pub(in crate::cli) fn say(&mut self, note: &str, output: &mut Output) {
        output.note(note);
        if !self.warnings.is_empty() {
            self.warnings.push_str("\n\n");
        }
        self.warnings.push_str(note);
    }

    /// Finds where the policy says what an operation came from: `office.yaml:73`.
    pub(in crate::cli) fn places(&self) -> impl Fn(&Origin) -> Option<String> + '_ {
        places(&self.sources, &self.locations)
    }
}
