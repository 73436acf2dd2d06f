//! What a policy's texts say: a ruleset, or only diagnostics.
//!
//! Nothing is printed here: that is `findings`'.
#![expect(
    clippy::disallowed_methods,
    reason = "the command line is where the clock is read"
)]

use std::path::Path;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::bytecode::RawCode;
use crate::cli::lists::{self, Stock};
use crate::cli::raw::{self, RawError};
use crate::compile::{self, Compiled, Given, Logical};
use crate::diagnostic::{Diagnostics, Report, SourceText};
use crate::policy::{self, Locations};
use crate::source::Texts;
use crate::source::git::Revision;

/// What a policy's texts say: a ruleset, or only diagnostics.
pub(in crate::cli) struct Examined {
    /// The texts.
    pub(in crate::cli) sources: Vec<SourceText>,
    /// How many of them are the policy itself; lists follow.
    pub(in crate::cli) documents: usize,
    /// Of each list, the path by which the policy names it.
    pub(in crate::cli) list_paths: Vec<String>,
    /// Where everything in them stands.
    pub(in crate::cli) locations: Locations,
    /// Everything there is to say.
    pub(in crate::cli) diagnostics: Diagnostics,
    /// The policy's name and what it compiles to, when there is no error.
    pub(in crate::cli) compiled: Option<(Option<String>, Compiled, TimeZone)>,
    /// What its raw rules mean, or why nobody can say.
    pub(in crate::cli) raw: Result<RawCode, RawError>,
    /// What fetched sets are filled from.
    pub(in crate::cli) stock: Stock,
    /// What replicas compare, when it was asked for.
    pub(in crate::cli) logical: Option<Logical>,
    /// The commit that the texts are those of, if they are.
    pub(in crate::cli) revision: Option<Revision>,
}

impl Examined {
    /// What the renderer needs.
    pub(in crate::cli) fn report(&self) -> Report<'_> {
        Report {
            diagnostics: &self.diagnostics,
            sources: &self.sources,
            locations: &self.locations,
        }
    }
}

/// What a policy is looked at for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Purpose<'a> {
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
pub(in crate::cli) fn examine(
    texts: Texts,
    purpose: Purpose<'_>,
    state_dir: Option<&Path>,
) -> Examined {
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
