//! Two revisions of a policy, compared without a kernel: the plan from what the kernel would hold if it held exactly the one, to
//! the other. Needs no rights, and is what a pull request and a push are told.

use super::error::Failure;
use super::output::Output;
use super::policy::{self, Loaded};
use super::{Global, session};
use crate::bytecode::linearize_with;
use crate::live::Assumed;
use crate::plan::{Detail, View, plan};
use crate::ruleset::Valid;
use crate::source::git::{GitError, Revision};
use crate::source::{SourceError, Texts};
use crate::system::{Settings, between};

/// What differs between two revisions.
pub(super) struct Compared {
    /// The later one.
    pub(super) loaded: Loaded,
    /// What differs, with its places in both.
    pub(super) view: View,
    /// What it was compared with.
    pub(super) against: String,
}

/// Compares the policy with another revision of it.
pub(super) fn compare(
    rev: &str,
    detail: Detail,
    global: &Global,
    output: &mut Output,
) -> Result<Compared, Failure> {
    // Read first: what was asked for may not be there.
    let before = match policy::read_at(global, rev) {
        Ok(texts) => Before::Texts(Box::new(texts)),
        Err(error) => Before::Nothing(why_nothing(error).map_err(Failure::world)?),
    };
    let loaded = policy::load(policy::read(global)?, global, output)?;
    compare_loaded(before, loaded, detail, global)
}

/// What is compared with.
pub(super) enum Before {
    /// A revision.
    Texts(Box<Texts>),
    /// Nothing, and why: everything is new.
    Nothing(String),
}

/// A revision that holds no policy is one to compare with all the same.
pub(super) fn why_nothing(error: SourceError) -> Result<String, SourceError> {
    match error {
        SourceError::Git(GitError::NoSuchPath { .. }) | SourceError::Empty { .. } => {
            Ok(format!("nothing: {error}"))
        }
        error => Err(error),
    }
}

/// Compares what is loaded with another revision. Where that one is rejected, everything is new: whoever puts it right is not kept
/// from it.
pub(super) fn compare_loaded(
    before: Before,
    (loaded, ruleset): (Loaded, Valid),
    detail: Detail,
    global: &Global,
) -> Result<Compared, Failure> {
    let desired = linearize_with(ruleset.into_ruleset(), &loaded.raw);
    let (assumed, old, against) = match before {
        Before::Nothing(why) => (Assumed::nothing(), None, why),
        Before::Texts(texts) => {
            let name = name(texts.revision.as_ref());
            match policy::load_silently(*texts, global) {
                Ok((old, ruleset)) => {
                    let program = linearize_with(ruleset.into_ruleset(), &old.raw);
                    (Assumed::of(program), Some(old), name)
                }
                Err(Failure::Rejected) => {
                    let why = format!("nothing: the policy of {name} is rejected");
                    (Assumed::nothing(), None, why)
                }
                Err(failure) => return Err(failure),
            }
        }
    };
    let plan = plan(&assumed.live, &desired, session::fresh_mark()?);
    let none = Settings::default();
    let settings = between(
        old.as_ref().map_or(&none, |old| &old.settings),
        &loaded.settings,
    );
    let mut view = View::new(&assumed.live, &desired, &plan, detail).with_settings(&settings);
    view.locate(loaded.places());
    if let Some(old) = &old {
        view.locate_before(&assumed, old.places());
    }
    view.next.clone_from(&loaded.switches);
    Ok(Compared {
        loaded,
        view,
        against,
    })
}

fn name(revision: Option<&Revision>) -> String {
    revision.map_or_else(
        || "the other revision".to_owned(),
        |revision| format!("revision {revision}"),
    )
}
