//! A directory of a commit as a [`Tree`]: what was committed, whatever the work tree holds at the moment.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;

use super::GitError;
use super::object::{self, DIRECTORY, FILE, Kind, LINK, ObjectId, PROGRAM, SUBMODULE, TreeEntry};
use super::store::Store;
use crate::source::tree::{Entry, Odd, Tree, Unreadable};

/// Largest directory, in bytes: more than a hundred thousand files.
const LARGEST: u64 = 8 << 20;

/// A directory of a commit.
pub(super) struct CommitTree<'s> {
    store: &'s dyn Store,
    /// The root of the commit.
    root: ObjectId,
    /// The directory from there.
    directory: String,
    /// What the revision is called in messages.
    label: &'s str,
    /// Directories that have been read.
    known: RefCell<BTreeMap<ObjectId, Rc<Vec<TreeEntry>>>>,
}

/// What a path of a commit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Is {
    File,
    Directory,
}

impl<'s> CommitTree<'s> {
    /// The directory of a commit's root; it need not be there.
    pub(super) fn new(
        store: &'s dyn Store,
        root: ObjectId,
        directory: String,
        label: &'s str,
    ) -> Self {
        Self {
            store,
            root,
            directory,
            label,
            known: RefCell::default(),
        }
    }

    /// What the path is, or why it cannot be read.
    pub(super) fn kind(&self, path: &str) -> Result<Is, Unreadable> {
        let (mode, _) = self.find(path)?;
        match mode {
            DIRECTORY => Ok(Is::Directory),
            FILE | PROGRAM => Ok(Is::File),
            mode => Err(Unreadable::Odd(odd(mode))),
        }
    }

    fn whole(&self, path: &str) -> String {
        let parts = [self.directory.as_str(), path];
        let parts = parts.into_iter().filter(|part| !part.is_empty());
        parts.collect::<Vec<_>>().join("/")
    }

    /// The mode and the id of a path.
    fn find(&self, path: &str) -> Result<(u32, ObjectId), Unreadable> {
        let (mut mode, mut id) = (DIRECTORY, self.root.clone());
        let path = self.whole(path);
        for part in path.split('/').filter(|part| !part.is_empty()) {
            match mode {
                DIRECTORY => {}
                FILE | PROGRAM => return Err(Unreadable::Missing),
                mode => return Err(Unreadable::Odd(odd(mode))),
            }
            let entries = self.entries(&id)?;
            let entry = entries.iter().find(|entry| entry.name == part.as_bytes());
            let entry = entry.ok_or(Unreadable::Missing)?;
            (mode, id) = (entry.mode, entry.id.clone());
        }
        Ok((mode, id))
    }

    fn entries(&self, id: &ObjectId) -> Result<Rc<Vec<TreeEntry>>, Unreadable> {
        if let Some(entries) = self.known.borrow().get(id) {
            return Ok(Rc::clone(entries));
        }
        let object = self.store.object(id, LARGEST).map_err(unreadable)?;
        let entries = match object.kind {
            Kind::Tree => object::tree(&object.bytes, id.as_str().len() / 2),
            Kind::Commit | Kind::Blob | Kind::Tag => None,
        };
        let damaged = || Unreadable::Io(io::Error::other(format!("{id} is no directory (tree)")));
        let entries = Rc::new(entries.ok_or_else(damaged)?);
        self.known
            .borrow_mut()
            .insert(id.clone(), Rc::clone(&entries));
        Ok(entries)
    }
}

impl Tree for CommitTree<'_> {
    fn list(&self, directory: &str) -> Result<Vec<Entry>, Unreadable> {
        let (mode, id) = self.find(directory)?;
        match mode {
            DIRECTORY => {}
            FILE | PROGRAM => return Err(Unreadable::NotAFile),
            mode => return Err(Unreadable::Odd(odd(mode))),
        }
        let entries = self.entries(&id)?;
        let entries = entries.iter().map(|entry| Entry {
            name: String::from_utf8_lossy(&entry.name).into_owned(),
            may_hold_more: entry.mode == DIRECTORY,
        });
        Ok(entries.collect())
    }

    fn read(&self, file: &str, most: u64) -> Result<Vec<u8>, Unreadable> {
        let (mode, id) = self.find(file)?;
        match mode {
            FILE | PROGRAM => {}
            DIRECTORY => return Err(Unreadable::NotAFile),
            mode => return Err(Unreadable::Odd(odd(mode))),
        }
        match self.store.object(&id, most) {
            Ok(object) if object.kind == Kind::Blob => Ok(object.bytes),
            Ok(_) => Err(Unreadable::NotAFile),
            Err(GitError::TooLarge { size, .. }) => Err(Unreadable::TooLarge { size }),
            Err(error) => Err(unreadable(error)),
        }
    }

    /// As in `git show main:sites/office.yaml`.
    fn name(&self, file: &str) -> String {
        format!("{}:{}", self.label, self.whole(file))
    }
}

fn odd(mode: u32) -> Odd {
    match mode {
        LINK => Odd::Link,
        SUBMODULE => Odd::Submodule,
        mode => Odd::Mode(mode),
    }
}

fn unreadable(error: GitError) -> Unreadable {
    Unreadable::Io(io::Error::other(error))
}
