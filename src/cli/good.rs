//! The copy of the policy that was put in force last: kept once the kernel was read back, looked at when the source has
//! nothing that may be applied, and when the box boots. Only what may be applied is ever kept: who had signed it, and
//! whether it came after the one before, was asked then.
#![expect(
    clippy::disallowed_methods,
    reason = "the command line is where the clock is read"
)]

use jiff::Timestamp;

use super::Global;
use super::output::Output;
use super::policy::Loaded;
use crate::diagnostic::{Diagnostics, SourceText};
use crate::plan::SavedPolicy;
use crate::source::Texts;
use crate::source::git::Revision;
use crate::state::{DamagedGood, GoodPolicy, digest};

/// Keeps what was put in force, unless it is what is kept already.
pub(super) fn keep(loaded: &Loaded, digest: &str, global: &Global, output: &mut Output) {
    let revision = loaded.revision.as_ref();
    let now = GoodPolicy {
        policy: digest.to_owned(),
        commit: revision.map(|revision| revision.commit.to_string()),
        reference: revision.and_then(|revision| revision.reference.clone()),
        node: global.node.clone(),
        at: Timestamp::now().as_second(),
        documents: loaded.documents,
        lists: loaded.list_paths.clone(),
    };
    store(&now, &loaded.sources, global, output);
}

/// Keeps what a kept plan was made of, now that it is in force.
pub(super) fn keep_saved(policy: SavedPolicy, global: &Global, output: &mut Output) {
    let SavedPolicy {
        node,
        commit,
        reference,
        signer: _,
        documents,
        lists,
        texts,
    } = policy;
    let texts = texts.into_iter().map(|(name, text)| SourceText {
        name,
        text: Vec::from(text).into(),
    });
    let sources: Vec<_> = texts.collect();
    let now = GoodPolicy {
        policy: digest(&sources),
        commit,
        reference,
        node,
        at: Timestamp::now().as_second(),
        documents,
        lists,
    };
    store(&now, &sources, global, output);
}

fn store(now: &GoodPolicy, sources: &[SourceText], global: &Global, output: &mut Output) {
    let is_same = GoodPolicy::known(&global.state_dir).is_some_and(|before| {
        GoodPolicy {
            at: now.at,
            ..before
        } == *now
    });
    if is_same {
        return;
    }
    let Err(error) = now.store(sources, &global.state_dir) else {
        return;
    };
    // The one before is not what is in force any more; whoever kept it in force would go back.
    let rest = match GoodPolicy::forget(&global.state_dir) {
        Ok(()) => "none is kept",
        Err(_) => "an older one is kept",
    };
    output.note(&format!(
        "warning: the rules are in force, but no copy of their policy could be kept: {error}: {}; {rest}",
        error.source
    ));
}

/// Whether texts with this digest, of this commit, are what is kept for this box.
pub(super) fn is_kept(digest: &str, commit: Option<&Revision>, global: &Global) -> bool {
    let commit = commit.map(|revision| revision.commit.as_str());
    GoodPolicy::known(&global.state_dir).is_some_and(|good| {
        (good.policy.as_str(), good.commit.as_deref(), &good.node) == (digest, commit, &global.node)
    })
}

/// What is kept for this box, as it was read then, with its digest.
///
/// # Errors
/// When there is something that is not whole.
pub(super) fn texts(global: &Global) -> Result<Option<(Texts, String)>, DamagedGood> {
    // Another node's rules are not those of this box.
    let kept = any(global)?.filter(|(_, _, node)| *node == global.node);
    Ok(kept.map(|(texts, digest, _)| (texts, digest)))
}

/// What is kept, as it was read then, with its digest and the node that it was compiled for.
///
/// # Errors
/// When there is something that is not whole.
pub(super) fn any(global: &Global) -> Result<Option<(Texts, String, Option<String>)>, DamagedGood> {
    let Some((good, sources)) = GoodPolicy::load(&global.state_dir)? else {
        return Ok(None);
    };
    let GoodPolicy {
        policy,
        commit,
        reference,
        node,
        at: _,
        documents,
        lists,
    } = good;
    let commit = commit.and_then(|commit| commit.parse().ok());
    let texts = Texts {
        sources,
        documents,
        lists,
        diagnostics: Diagnostics::new(),
        revision: commit.map(|commit| Revision { commit, reference }),
    };
    Ok(Some((texts, policy, node)))
}
