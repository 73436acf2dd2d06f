//! Whether a commit may be applied: who has signed it, and whether it comes after the one that was applied last. Asked before
//! anything of it is read but the commit itself, and remembered after the kernel was read back.
#![expect(
    clippy::disallowed_methods,
    reason = "keys have a time, and the command line is where the clock is read"
)]

use std::error::Error;
use std::path::PathBuf;

use jiff::Timestamp;

use super::error::{Explained, Failure};
use super::output::Output;
use super::{Global, policy, session};
use crate::agent::{Commits, Verify};
use crate::plan::SavedPolicy;
use crate::signature::{self, SignatureError, Signers, SignersError, Times};
use crate::source::git::{self, ObjectId, Repository, Revision};
use crate::source::{SourceError, Texts, read_own};
use crate::state::AppliedCommit;

/// Largest list of signers, in bytes.
const LARGEST: u64 = 1 << 20;

/// A commit that may be applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trusted {
    /// Which.
    pub(super) revision: Revision,
    /// Who has signed it; `None` where that does not matter.
    pub(super) signer: Option<String>,
}

/// Why a commit is not applied.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("the commit {0} is refused: {1}")]
    Signature(String, SignatureError),
    #[error("the commit {new} is refused: it does not come after {last}, which was applied last")]
    Back { new: String, last: String },
    #[error("the allowed signers cannot be read, and agent.yaml wants signed commits (`verify`)")]
    NoSigners(#[source] SourceError),
    #[error("`{path}` cannot be used, and agent.yaml wants signed commits (`verify`)")]
    BadSigners { path: PathBuf, source: SignersError },
    #[error("`{0}` is empty, and agent.yaml wants signed commits (`verify`)")]
    NobodySigns(PathBuf),
    #[error(
        "agent.yaml wants signed commits (`verify`), but neither it nor the command line names a revision"
    )]
    NoRevision,
    #[error("it cannot be told whether the commit {0} comes after the one that was applied last")]
    Unknown(String, #[source] Box<dyn Error>),
}

/// Looks at a commit as agent.yaml says. `go_back`: it need not come after the one applied last.
///
/// # Errors
/// Why it is not to be applied; nothing has changed.
fn examine(
    repository: &Repository,
    revision: &Revision,
    global: &Global,
    go_back: bool,
) -> Result<Trusted, Failure> {
    let Verify {
        commits,
        signers,
        never_go_back,
    } = &global.agent.verify;
    let last = AppliedCommit::load(&global.state_dir);
    let shown = revision.to_string();
    let signer = match commits {
        Commits::Off => None,
        Commits::Required => {
            let signers = read_signers(signers.as_path().to_owned())?;
            let commit = repository
                .commit(&revision.commit)
                .map_err(Failure::world)?;
            let is_known =
                matches!(&last, Ok(Some(last)) if last.commit == revision.commit.as_str());
            let times = Times {
                made: commit.time,
                now: (!is_known).then(|| Timestamp::now().as_second()),
            };
            let signature = commit.signature.as_deref();
            let signer = signature::verify(&commit.signed, signature, &signers, times);
            Some(signer.map_err(|why| {
                let now =
                    "a commit signed by one of the allowed signers is taken as soon as it is there";
                refuse(Refused::Signature(shown.clone(), why), now)
            })?)
        }
    };
    if *never_go_back && !go_back {
        comes_after(repository, revision, last)?;
    }
    Ok(Trusted {
        revision: revision.clone(),
        signer,
    })
}

fn comes_after(
    repository: &Repository,
    revision: &Revision,
    last: Result<Option<AppliedCommit>, crate::state::DamagedApplied>,
) -> Result<(), Failure> {
    const WAY: &str = "if that is meant: `rfw apply --go-back` takes it once";
    let shown = revision.to_string();
    let unknown = |error: Box<dyn Error>| refuse(Refused::Unknown(shown.clone(), error), WAY);
    let Some(last) = last.map_err(|error| unknown(error.into()))? else {
        return Ok(());
    };
    let id: ObjectId = last
        .commit
        .parse()
        .map_err(|_| unknown(format!("`{}` is no commit", last.commit.escape_debug()).into()))?;
    match repository.descends(&revision.commit, &id) {
        Ok(true) => Ok(()),
        Ok(false) => {
            let at = Timestamp::from_second(last.at).unwrap_or_default();
            let last = format!("{} ({})", id.short(), at.strftime("%Y-%m-%d %H:%M UTC"));
            let new = shown.clone();
            Err(refuse(Refused::Back { new, last }, WAY))
        }
        Err(error) => Err(unknown(error.into())),
    }
}

/// Reads the policy to apply it: of a commit only if that may be applied.
///
/// # Errors
/// Why there is none to be applied.
pub(super) fn read(
    global: &Global,
    go_back: bool,
    output: &mut Output,
) -> Result<(Texts, Option<Trusted>), Failure> {
    head(global)?.read(global, go_back, output)
}

/// Where the policy stands that is to be applied; nothing of it has been read.
pub(super) enum Head<'g> {
    /// In files.
    Files,
    /// In a commit.
    Commit {
        /// Where that is.
        repository: Box<Repository>,
        /// Which.
        revision: Revision,
        /// The name it was asked for by.
        rev: &'g str,
    },
}

/// Finds it.
///
/// # Errors
/// When there is no such revision.
pub(super) fn head(global: &Global) -> Result<Head<'_>, Failure> {
    let Some(rev) = &global.rev else {
        return Ok(Head::Files);
    };
    let (repository, revision) = resolve(global, rev)?;
    Ok(Head::Commit {
        repository: Box::new(repository),
        revision,
        rev,
    })
}

impl Head<'_> {
    /// The commit, if it is one.
    pub(super) fn commit(&self) -> Option<String> {
        match self {
            Self::Files => None,
            Self::Commit { revision, .. } => Some(revision.commit.to_string()),
        }
    }

    /// Reads it: of a commit only if that may be applied.
    ///
    /// # Errors
    /// Why there is none to be applied.
    pub(super) fn read(
        self,
        global: &Global,
        go_back: bool,
        output: &mut Output,
    ) -> Result<(Texts, Option<Trusted>), Failure> {
        let Self::Commit {
            repository,
            revision,
            rev,
        } = self
        else {
            examine_files(global, output)?;
            return Ok((policy::read(global)?, None));
        };
        let trusted = examine(&repository, &revision, global, go_back)?;
        let texts = repository.texts(&revision, git::label(rev));
        Ok((texts.map_err(Failure::world)?, Some(trusted)))
    }
}

/// Whether a commit that was trusted still comes after the one that was applied last.
///
/// # Errors
/// A later one was applied in the meantime.
pub(super) fn still(trusted: &Trusted, global: &Global) -> Result<(), Failure> {
    if !global.agent.verify.never_go_back {
        return Ok(());
    }
    let repository = Repository::open(&global.policy, &global.access).map_err(Failure::world)?;
    let last = AppliedCommit::load(&global.state_dir);
    comes_after(&repository, &trusted.revision, last)
}

/// Why `rfw apply` would refuse the revision that is there now; `None`: it would not.
///
/// # Errors
/// When there is no such revision.
pub(super) fn refusal(global: &Global) -> Result<Option<(Revision, Option<Failure>)>, Failure> {
    let Some(rev) = &global.rev else {
        return Ok(None);
    };
    let (repository, revision) = resolve(global, rev)?;
    let why = examine(&repository, &revision, global, false).err();
    Ok(Some((revision, why)))
}

fn resolve(global: &Global, rev: &str) -> Result<(Repository, Revision), Failure> {
    let repository = Repository::open(&global.policy, &global.access).map_err(Failure::world)?;
    let revision = repository.resolve(rev).map_err(Failure::world)?;
    Ok((repository, revision))
}

/// What is true of a policy that is of no commit.
///
/// # Errors
/// When only signed commits are to be applied, and no path was named by whoever is at the box.
fn examine_files(global: &Global, output: &mut Output) -> Result<(), Failure> {
    if global.agent.verify.commits == Commits::Off {
        return Ok(());
    }
    if global.given_policy.is_none() {
        let now = "name the `repository` in agent.yaml, or a path by --policy";
        return Err(refuse(Refused::NoRevision, now));
    }
    output.note("note: this policy is not out of Git, so what agent.yaml wants of commits (`verify`) says nothing about it");
    Ok(())
}

/// Remembers that a commit was applied, after the kernel was read back.
pub(super) fn record(trusted: &Trusted, global: &Global, output: &mut Output) {
    let Trusted { revision, signer } = trusted;
    let before = AppliedCommit::load(&global.state_dir).ok().flatten();
    let now = AppliedCommit {
        commit: revision.commit.to_string(),
        reference: revision.reference.clone(),
        signer: signer.clone(),
        at: Timestamp::now().as_second(),
    };
    let is_same = before.is_some_and(|before| {
        AppliedCommit {
            at: now.at,
            ..before
        } == now
    });
    if is_same {
        return;
    }
    if let Err(error) = now.store(&global.state_dir) {
        output.note(&format!(
            "warning: the rules are in force, but which commit they are of could not be kept: {error}: {}",
            error.source
        ));
    }
}

/// The same of a plan that was kept in a file, when it was in force: its commit was examined when the plan was made.
pub(super) fn record_saved(policy: &SavedPolicy, global: &Global, output: &mut Output) {
    let commit = policy
        .commit
        .as_ref()
        .and_then(|commit| commit.parse().ok());
    let Some(commit) = commit else { return };
    let revision = Revision {
        commit,
        reference: policy.reference.clone(),
    };
    let signer = policy.signer.clone();
    record(&Trusted { revision, signer }, global, output);
}

fn read_signers(path: PathBuf) -> Result<Signers, Failure> {
    const NOW: &str = "nothing is applied until it can be said who signs";
    let text = read_own(&path, LARGEST).map_err(|error| refuse(Refused::NoSigners(error), NOW))?;
    let signers = Signers::read(&text).map_err(|source| {
        let path = path.clone();
        refuse(Refused::BadSigners { path, source }, NOW)
    })?;
    match signers.is_empty() {
        true => Err(refuse(Refused::NobodySigns(path), NOW)),
        false => Ok(signers),
    }
}

fn refuse(error: Refused, what_to_do: &str) -> Failure {
    Failure::Guard(Explained {
        error: Box::new(error),
        details: Vec::new(),
        now: vec![session::UNCHANGED.to_owned(), what_to_do.to_owned()],
    })
}
