//! Why nothing can be read from a repository.

use std::io;
use std::path::PathBuf;

use super::object::{Kind, ObjectId};

/// What is wrong with a repository, or with what was asked of it. Nothing of what its files hold is shown.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// No repository there.
    #[error(
        "`{path}` lies in no Git repository: neither it nor a directory above it has a `.git` or is bare"
    )]
    NotARepository {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// A file or directory of the repository could not be read.
    #[error("cannot read `{path}` of the Git repository")]
    Io {
        /// Which one.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Somebody else decides what the repository says.
    #[error(
        "`{path}` belongs to the user {owner}, who is neither root nor the user that runs rfw; give it to one of \
         them (chown -R); the owner of a repository may be named in agent.yaml (`repository: {{ owner: … }}`)"
    )]
    Owner {
        /// What belongs to somebody else.
        path: PathBuf,
        /// The user's number.
        owner: u32,
    },
    /// Everybody decides what the repository says.
    #[error("`{path}` may be written by everybody; take that right away first (chmod o-w)")]
    WorldWritable {
        /// Which file or directory.
        path: PathBuf,
    },
    /// Objects would come from somewhere else.
    #[error(
        "`{path}` borrows objects from another repository; make it complete (git repack -a -d) and remove that file"
    )]
    Alternates {
        /// The file that says so.
        path: PathBuf,
    },
    /// The repository is of a form that this version does not know.
    #[error("the Git repository `{path}` uses {what}, which rfw does not know")]
    Unknown {
        /// The repository.
        path: PathBuf,
        /// What it uses.
        what: String,
    },
    /// A file of the repository is not what it should be.
    #[error("`{path}` of the Git repository is damaged: {what}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The git client is needed and cannot be run.
    #[error(
        "the Git repository `{path}` uses {format}, which rfw reads through the program `git`, and that cannot be \
         run; install git, or make the repository anew: git init --ref-format=files --object-format=sha1"
    )]
    NoClient {
        /// The repository.
        path: PathBuf,
        /// `reftable`, `SHA-256`.
        format: &'static str,
        /// The system's reason.
        source: io::Error,
    },
    /// The git client did not answer as it should.
    #[error("`git {command}` in `{path}`: {said}")]
    Client {
        /// The repository.
        path: PathBuf,
        /// What was asked.
        command: String,
        /// What came of it.
        said: String,
    },
    /// A word that can be no revision.
    #[error("`{revision}` is no name of a revision: say a branch, a tag, HEAD or a commit")]
    BadName {
        /// The word.
        revision: String,
    },
    /// No such revision.
    #[error("the Git repository `{path}` has no revision `{revision}`")]
    NoSuchRevision {
        /// The repository.
        path: PathBuf,
        /// What was asked for.
        revision: String,
    },
    /// More than one thing has this name.
    #[error(
        "`{revision}` is more than one thing in the Git repository: {names}; say the whole name"
    )]
    Ambiguous {
        /// What was asked for.
        revision: String,
        /// The whole names.
        names: String,
    },
    /// A branch without a commit.
    #[error("the branch `{reference}` of the Git repository has no commit yet")]
    Unborn {
        /// The whole name of the branch.
        reference: String,
    },
    /// A tag of something else, or the id of something else.
    #[error("`{revision}` is a {kind} and no commit ({id})")]
    NotACommit {
        /// What was asked for.
        revision: String,
        /// What it is.
        kind: Kind,
        /// Its id.
        id: ObjectId,
    },
    /// The commit does not hold what the policy's path names.
    #[error("the commit {commit} holds no `{inside}`")]
    NoSuchPath {
        /// The commit.
        commit: ObjectId,
        /// The path from the root of the repository.
        inside: String,
    },
    /// An object is not there.
    #[error("the Git repository `{path}` lacks the object {id}{hint}")]
    Missing {
        /// The repository.
        path: PathBuf,
        /// Which object.
        id: ObjectId,
        /// What may be the reason, as a clause of its own.
        hint: &'static str,
    },
    /// An object does not say what its id stands for.
    #[error(
        "the object {id} of the Git repository `{path}` is damaged: {what} (git fsck finds more)"
    )]
    Corrupt {
        /// The repository.
        path: PathBuf,
        /// Which object.
        id: ObjectId,
        /// What is wrong with it.
        what: String,
    },
    /// An object is larger than anything that belongs to a policy.
    #[error("the object {id} of the Git repository has {size} bytes, at most {most} are read")]
    TooLarge {
        /// Which object.
        id: ObjectId,
        /// Its size in bytes.
        size: u64,
        /// How many are allowed.
        most: u64,
    },
    /// Too much history to tell.
    #[error(
        "cannot tell whether {new} descends from {old}: more than {most} commits lie between them"
    )]
    TooFar {
        /// The later one.
        new: ObjectId,
        /// The earlier one.
        old: ObjectId,
        /// How many commits were looked at.
        most: usize,
    },
}
