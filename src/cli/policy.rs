//! From `--policy` to a ruleset, with everything there is to say about it printed on the way.
#![expect(
    clippy::disallowed_methods,
    reason = "the command line is where the clock is read"
)]

use std::cell::LazyCell;
use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Global;
use super::error::{Explained, Failure};
use super::lists::{self, Fetched, Stock};
use super::output::{Findings, Output};
use super::raw::{self, RawError};
use crate::bytecode::RawCode;
use crate::compile::model::Zone;
use crate::compile::{self, Compiled, Given, Logical};
use crate::diagnostic::{Diagnostics, DocPath, Lines, Locate, Place, Report, SourceText};
use crate::plan::Markdown;
use crate::policy::{self, Locations};
use crate::ruleset::{Origin, Valid, Violation, validate};
use crate::schedule::Timetable;
use crate::source::git::{self, Revision};
use crate::source::{SourceError, Texts, read_files};
use crate::state;
use crate::system::Settings;
use crate::view::Switch;

/// A policy that compiles.
pub(super) struct Loaded {
    /// Its texts.
    pub(super) sources: Vec<SourceText>,
    /// How many of them are the policy itself; lists follow.
    pub(super) documents: usize,
    /// Of each list, the path by which the policy names it.
    pub(super) list_paths: Vec<String>,
    /// Where everything in them stands.
    pub(super) locations: Locations,
    /// Its name, when it has one.
    pub(super) name: Option<String>,
    /// What it wants of the box.
    pub(super) settings: Settings,
    /// What its raw rules mean.
    pub(super) raw: RawCode,
    /// What there is to say about it, without colour.
    pub(super) warnings: String,
    /// From then on there may be other warnings, or other switches to come; `None`: never.
    pub(super) until: Option<Timestamp>,
    /// What its schedules do next.
    pub(super) switches: Vec<Switch>,
    /// Whether plans name the tables of others that drop by default.
    pub(super) reports_foreign: bool,
    /// The digest of the copies that its fetched sets were filled from.
    pub(super) lists: Option<String>,
    /// What replicas compare, when it was asked for.
    pub(super) logical: Option<Logical>,
    /// The commit that it is of, if it is of one.
    pub(super) revision: Option<Revision>,
    /// Its fetched sets.
    pub(super) fetched: Vec<Fetched>,
    /// What there is to say about its fetched sets; part of the warnings.
    pub(super) notes: Vec<String>,
    /// Its zones by name.
    pub(super) zones: BTreeMap<String, Zone>,
    /// The time zone of all its times.
    pub(super) timezone: TimeZone,
}

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

/// What a policy's texts say: a ruleset, or only diagnostics.
pub(super) struct Examined {
    /// The texts.
    pub(super) sources: Vec<SourceText>,
    /// How many of them are the policy itself; lists follow.
    pub(super) documents: usize,
    /// Of each list, the path by which the policy names it.
    pub(super) list_paths: Vec<String>,
    /// Where everything in them stands.
    pub(super) locations: Locations,
    /// Everything there is to say.
    pub(super) diagnostics: Diagnostics,
    /// The policy's name and what it compiles to, when there is no error.
    pub(super) compiled: Option<(Option<String>, Compiled, TimeZone)>,
    /// What its raw rules mean, or why nobody can say.
    pub(super) raw: Result<RawCode, RawError>,
    /// What fetched sets are filled from.
    pub(super) stock: Stock,
    /// What replicas compare, when it was asked for.
    pub(super) logical: Option<Logical>,
    /// The commit that the texts are those of, if they are.
    pub(super) revision: Option<Revision>,
}

impl Examined {
    /// What the renderer needs.
    pub(super) fn report(&self) -> Report<'_> {
        Report {
            diagnostics: &self.diagnostics,
            sources: &self.sources,
            locations: &self.locations,
        }
    }
}

/// What a policy is looked at for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose<'a> {
    /// The ruleset of the node of this name, or of the only one there is.
    Ruleset(Option<&'a str>),
    /// The same, and what replicas compare.
    Digest(Option<&'a str>),
    /// Whether it is right: on this node, or on all of them.
    Validity(Option<&'a str>),
    /// The same, and the ruleset where it is known which node's.
    Push(Option<&'a str>),
}

/// Parses and compiles, as of today in the policy's own time zone, with what fetched sets are filled from where there
/// is a state directory.
pub(super) fn examine(texts: Texts, purpose: Purpose<'_>, state_dir: Option<&Path>) -> Examined {
    let (lists, bad_lists) = compile::lists(texts.lists());
    // Whoever refers to what is not there is told so, and not what follows from it.
    let (Purpose::Ruleset(node)
    | Purpose::Digest(node)
    | Purpose::Validity(node)
    | Purpose::Push(node)) = purpose;
    let is_whole = !texts.diagnostics.has_errors();
    let parsed = policy::parse_and(texts.documents(), |policy| {
        let name = policy.name.as_ref().map(ToString::to_string);
        let zone = compile::timezone(&policy);
        let now = Timestamp::now();
        let stock = state_dir.map(|directory| lists::stock(&policy, directory, now));
        let stock = stock.unwrap_or_default();
        let today = now.to_zoned_datetime(zone.clone()).date();
        // What raw rules mean is the same on all nodes, and known only of a ruleset: that of any will do.
        let first = policy.nodes.keys().next().map(ToString::to_string);
        let is_of_all = match purpose {
            Purpose::Ruleset(_) | Purpose::Digest(_) => false,
            Purpose::Validity(node) => node.is_none(),
            Purpose::Push(node) => node.is_none() && !policy.nodes.is_empty(),
        };
        let is_of_any = is_of_all && !policy.raw.is_empty();
        let given = Given {
            today,
            lists: &lists,
            copies: &stock.copies,
            node: node.or(first.as_deref().filter(|_| is_of_any)),
        };
        let mut logical = None;
        let (result, found) = match purpose {
            _ if !is_whole => (None, Diagnostics::new()),
            _ if is_of_any => compile::compile(policy, given),
            // Whatever can be wrong is the same on all nodes.
            _ if is_of_all => (None, compile::resolve(policy, given).1),
            Purpose::Validity(_) | Purpose::Push(_) | Purpose::Ruleset(_) => {
                compile::compile(policy, given)
            }
            Purpose::Digest(_) => {
                let (both, found) = compile::compile_logical(policy, given);
                let (compiled, of_all) = both.unzip();
                logical = of_all;
                (compiled, found)
            }
        };
        (name, result, found, zone, stock, logical, is_of_any)
    });
    let mut diagnostics = texts.diagnostics;
    diagnostics.extend(parsed.diagnostics);
    diagnostics.extend(bad_lists);
    let (mut compiled, mut stock, mut logical) = (None, Stock::default(), None);
    // A ruleset of which nobody can say whose it is serves for its raw rules only.
    let mut is_of_nobody = false;
    if let Some((name, result, found, zone, in_stock, of_all, is_of_any)) = parsed.policy {
        (stock, logical, is_of_nobody) = (in_stock, of_all, is_of_any);
        diagnostics.extend(found);
        compiled = result
            .filter(|_| !diagnostics.has_errors())
            .map(|compiled| (name, compiled, zone));
    }
    let read = compiled
        .as_ref()
        .map(|(_, compiled, _)| raw::read(&compiled.ruleset));
    let raw = read
        .unwrap_or_else(|| Ok((RawCode::new(), Diagnostics::new())))
        .map(|(code, found)| {
            diagnostics.extend(found);
            code
        });
    if diagnostics.has_errors() || is_of_nobody {
        compiled = None;
    }
    Examined {
        sources: texts.sources,
        documents: texts.documents,
        list_paths: texts.lists,
        locations: parsed.locations,
        diagnostics,
        compiled,
        raw,
        stock,
        logical,
        revision: texts.revision,
    }
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

/// From what was examined to what is wanted of the box; `warnings` is what there is to say about it, `lists` the digest of the copies
/// that its fetched sets were filled from.
pub(super) fn finish(
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

/// What the schedules of a policy do next, whatever else there is to say about it.
pub(super) fn next(texts: Texts, global: &Global) -> Vec<Switch> {
    let examined = examine(texts, Purpose::Ruleset(global.node.as_deref()), None);
    let compiled = examined.compiled.map(|(_, compiled, _)| compiled);
    compiled.map_or_else(Vec::new, |compiled| {
        switches(&compiled.timetables, Timestamp::now())
    })
}

/// What each schedule does next, the soonest first.
fn switches(timetables: &[Timetable], now: Timestamp) -> Vec<Switch> {
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

/// Prints diagnostics to standard error; returns what was said, without colour.
pub(super) fn print(examined: &Examined, output: &mut Output) -> String {
    let report = examined.report();
    let plain = report.plain().trim_end().to_owned();
    match output.findings() {
        Findings::Text if plain.is_empty() => {}
        Findings::Text if output.color_err() => output.note(report.colour().trim_end()),
        Findings::Text => output.note(&plain),
        Findings::Markdown if examined.diagnostics.has_errors() => {
            output.result(&Markdown::Rejected { findings: &plain }.to_string());
        }
        Findings::Markdown => {}
        Findings::Github | Findings::Sarif => {
            let sources = in_repository(examined);
            let report = Report {
                sources: &sources,
                ..report
            };
            match output.findings() {
                Findings::Sarif => output.line(&format!("{:#}", report.sarif())),
                Findings::Text | Findings::Markdown | Findings::Github => {
                    output.result(&report.github());
                }
            }
        }
    }
    plain
}

/// Prints diagnostics to standard error, for people.
pub(super) fn print_report(report: &Report<'_>, output: &mut Output) {
    let shown = match output.color_err() {
        true => report.colour(),
        false => report.plain(),
    };
    if !shown.trim_end().is_empty() {
        output.note(shown.trim_end());
    }
}

/// The texts under the names that they have in the repository, without the revision before it.
fn in_repository(examined: &Examined) -> Vec<SourceText> {
    let sources = examined.sources.iter().map(|source| {
        let mut source = source.clone();
        // No revision has a colon in its name.
        if examined.revision.is_some()
            && let Some((_, path)) = source.name.split_once(':')
        {
            source.name = path.to_owned();
        }
        source
    });
    sources.collect()
}

/// The policy means more than a ruleset can hold.
pub(super) fn too_large(violations: &[Violation]) -> Failure {
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
    pub(super) fn headline(&self) -> Option<String> {
        let revision = self.revision.as_ref();
        let revision = revision.map(|revision| format!("revision {revision}"));
        let parts: Vec<String> = self.name.iter().cloned().chain(revision).collect();
        (!parts.is_empty()).then(|| parts.join("   "))
    }

    /// Says what the kernel, not the policy, is the reason of; it is said again with the policy's own warnings.
    pub(super) fn say(&mut self, note: &str, output: &mut Output) {
        output.note(note);
        if !self.warnings.is_empty() {
            self.warnings.push_str("\n\n");
        }
        self.warnings.push_str(note);
    }

    /// Finds where the policy says what an operation came from: `office.yaml:73`.
    pub(super) fn places(&self) -> impl Fn(&Origin) -> Option<String> + '_ {
        places(&self.sources, &self.locations)
    }
}

/// Finds where texts say what something came from: `office.yaml:73`.
pub(super) fn places<'t>(
    sources: &'t [SourceText],
    locations: &'t Locations,
) -> impl Fn(&Origin) -> Option<String> + 't {
    let lines = LazyCell::new(|| {
        let texts = sources.iter().map(|source| Lines::new(&source.text));
        texts.collect::<Vec<_>>()
    });
    move |origin| {
        let path: DocPath = origin.0.parse().ok()?;
        let spot = locations.locate(&Place::Value(path))?;
        let line = lines.get(spot.source)?.position(spot.bytes.start).line;
        Some(format!("{}:{line}", sources.get(spot.source)?.name))
    }
}
