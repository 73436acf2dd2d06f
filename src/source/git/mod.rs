//! Policies out of Git: the texts of one commit, never those of a work tree, which may be half written.
//!
//! ```text
//! path ─ place ─► whose it is, which form ─► store (files and libgit2's objects, or the git client)
//!                                              └─ revision ─► commit ─ tree ─► texts
//! ```
//!
//! Nothing that the repository says is run or followed: no hook, filter, helper, replacement, graft, alternate, and no
//! fetch of what is missing. libgit2's own check of the owner is not asked, because only its database of objects is
//! used; `place` has one of its own.

mod client;
mod error;
mod history;
mod loose;
mod object;
mod place;
mod pull;
mod revision;
mod store;
mod tree;

use std::path::{Path, PathBuf};

pub use error::GitError;
pub use object::{Commit, Kind, NoId, ObjectId, commit};
pub use pull::{PullError, Pulled, Puller, pull};
pub use revision::Revision;

use super::files::{SourceError, yaml_files};
use super::gather::{self, Texts, gather};
use super::tree::{Tree, Unreadable};
use client::Client;
use place::Place;
use store::{Files, Store};
use tree::{CommitTree, Is};

/// How a repository may be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// Numbers of users to whom a repository may belong, besides root and the user that runs rfw.
    pub owners: Vec<u32>,
    /// The directory of objects that have been pushed and not yet been taken (`GIT_QUARANTINE_PATH` in a hook).
    pub quarantine: Option<PathBuf>,
}

/// A repository, and the path in it that a policy is read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    place: Place,
    access: Access,
}

impl Repository {
    /// Finds the repository that a path lies in: bare, with a work tree, or one of several work trees. The path is that of
    /// the policy; what of it is below the repository's root is looked for in the commit and need not be on the disk.
    ///
    /// # Errors
    /// When there is none, when somebody else decides what it says, or when its form is not known.
    pub fn open(path: &Path, access: &Access) -> Result<Self, GitError> {
        Ok(Self {
            place: place::find(path, access)?,
            access: access.clone(),
        })
    }

    /// The policy's path from the root of the repository; empty for the root itself.
    #[must_use]
    pub fn inside(&self) -> &str {
        &self.place.inside
    }

    /// The commit that a word names now: `main`, `refs/heads/main`, `HEAD`, a tag, an id, `main~1`.
    ///
    /// # Errors
    /// When it names none, or more than one.
    pub fn resolve(&self, word: &str) -> Result<Revision, GitError> {
        self.with(|store| revision::resolve(store, &self.place.common, word))
    }

    /// What a commit says, its signature included.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn commit(&self, id: &ObjectId) -> Result<Commit, GitError> {
        self.with(|store| revision::commit_of(store, id))
    }

    /// Whether `new` is `old` or comes after it.
    ///
    /// # Errors
    /// When a commit between them cannot be read, or there are too many.
    pub fn descends(&self, new: &ObjectId, old: &ObjectId) -> Result<bool, GitError> {
        self.with(|store| history::descends(store, new, old))
    }

    /// The texts of the policy in a commit. In messages they are called `LABEL:PATH`, the path from the root of the
    /// repository.
    ///
    /// # Errors
    /// When the commit has no such path, or something in it is no regular file.
    pub fn texts(&self, revision: &Revision, label: &str) -> Result<Texts, SourceError> {
        let mut texts = self.with(|store| {
            let root = revision::commit_of(store, &revision.commit)?.tree;
            let inside = self.place.inside.as_str();
            let is = CommitTree::new(store, root.clone(), String::new(), label);
            let directory = |path: &str| CommitTree::new(store, root.clone(), path.into(), label);
            match is.kind(inside) {
                Ok(Is::Directory) => {
                    let tree = directory(inside);
                    let own = yaml_files(&tree, Path::new(&tree.name("")))?;
                    gather(&tree, &own)
                }
                Ok(Is::File) => {
                    let (above, name) = inside.rsplit_once('/').unwrap_or(("", inside));
                    gather(&directory(above), &[name.to_owned()])
                }
                Err(Unreadable::Missing) => Err(GitError::NoSuchPath {
                    commit: revision.commit.clone(),
                    inside: inside.to_owned(),
                }
                .into()),
                Err(why) => Err(gather::failed(&is, inside, why)),
            }
        })?;
        texts.revision = Some(revision.clone());
        Ok(texts)
    }

    /// Whatever is read is read through one opened store.
    fn with<T, E: From<GitError>>(
        &self,
        read: impl FnOnce(&dyn Store) -> Result<T, E>,
    ) -> Result<T, E> {
        match self.place.format.needs_client() {
            Some(format) => read(&Client::new(&self.place, format, &self.access)),
            None => read(&Files::open(&self.place, &self.access)?),
        }
    }

    /// The directories in which something happens when a ref moves.
    #[must_use]
    pub fn watched(&self) -> Vec<Watched> {
        let Place { git, common, .. } = &self.place;
        let mut watched = vec![Watched::alone(git.clone())];
        if common != git {
            watched.push(Watched::alone(common.clone()));
        }
        let mut both = vec![common];
        both.extend((common != git).then_some(git));
        for directory in both {
            let (refs, tables) = (directory.join("refs"), directory.join("reftable"));
            if refs.is_dir() {
                watched.push(Watched {
                    directory: refs,
                    recursive: true,
                });
            }
            if tables.is_dir() {
                watched.push(Watched::alone(tables));
            }
        }
        watched
    }
}

/// A directory to be watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watched {
    /// Which.
    pub directory: PathBuf,
    /// Whether with all directories below it, those to come included: the first branch `team/x` makes a directory.
    pub recursive: bool,
}

impl Watched {
    fn alone(directory: PathBuf) -> Self {
        Self {
            directory,
            recursive: false,
        }
    }
}

/// The directories to watch for the moves of refs in the repository that a path lies in; never `objects`. An event is
/// only a hint: [`resolve`] says what is true.
///
/// # Errors
/// Those of [`Repository::open`].
pub fn watched(path: &Path, access: &Access) -> Result<Vec<Watched>, GitError> {
    Ok(Repository::open(path, access)?.watched())
}

/// The commit that a word names now in the repository that a path lies in. Reads a ref and a commit, no tree.
///
/// # Errors
/// Those of [`Repository::open`] and [`Repository::resolve`].
pub fn resolve(path: &Path, word: &str, access: &Access) -> Result<Revision, GitError> {
    Repository::open(path, access)?.resolve(word)
}

/// Reads the texts of a policy as they are in a revision. In messages a file is `REV:PATH`, as `git show` takes it; of a
/// whole id there are twelve digits, of a whole name of a branch the short one.
///
/// # Errors
/// When there is no repository, no such revision, no such path, or something in it cannot be read.
pub fn read(path: &Path, word: &str, access: &Access) -> Result<Texts, SourceError> {
    let repository = Repository::open(path, access)?;
    let revision = repository.resolve(word)?;
    repository.texts(&revision, label(word))
}

/// What a revision is called in the names of files.
#[must_use]
pub fn label(word: &str) -> &str {
    let word = word.strip_prefix("refs/heads/").unwrap_or(word);
    match word.parse::<ObjectId>() {
        Ok(_) => word.get(..12).unwrap_or(word),
        Err(_) => word,
    }
}
