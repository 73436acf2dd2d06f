//! What rfw asks of a repository, and the answers out of its files: refs are read here, objects by libgit2's object
//! database. No configuration is read, and nothing that it names is run.
#![expect(
    clippy::disallowed_methods,
    reason = "opens the database of objects of a repository"
)]

use std::path::{Path, PathBuf};

use git2::{ErrorCode, ObjectType, Odb, Oid};
use sha2::{Digest, Sha256};

use super::loose::{self, Unusable};
use super::object::{Kind, ObjectId};
use super::place::{Place, read_text};
use super::{Access, GitError};

/// A repository as rfw needs it: names of commits, and what objects say. Whatever is read is what its id stands for:
/// replacements are not looked at, and each object is held against its hash.
pub(super) trait Store {
    /// What a ref says: `HEAD` or a whole name, `refs/…`. `None` when there is no such ref.
    fn reference(&self, name: &str) -> Result<Option<Target>, GitError>;

    /// An object of at most so many bytes.
    fn object(&self, id: &ObjectId, most: u64) -> Result<Object, GitError>;

    /// The object whose id begins so, 7 digits or more. `None` when there is none; more than one is an error.
    fn complete(&self, digits: &str) -> Result<Option<ObjectId>, GitError>;
}

/// What a ref leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// An object.
    Id(ObjectId),
    /// Another ref.
    Symbolic(String),
}

/// What an object says.
#[derive(Debug)]
pub(super) struct Object {
    pub(super) kind: Kind,
    pub(super) bytes: Vec<u8>,
}

/// The files of a repository.
pub(super) struct Files<'p> {
    place: &'p Place,
    /// Where objects have files of their own.
    directories: Vec<PathBuf>,
    /// Where they are packed.
    packs: Odb<'static>,
}

impl<'p> Files<'p> {
    /// Opens the objects of a repository, and those in quarantine.
    pub(super) fn open(place: &'p Place, access: &Access) -> Result<Self, GitError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |error: git2::Error| GitError::Io {
                path,
                source: std::io::Error::other(error.message().to_owned()),
            }
        };
        let mut directories = vec![place.common.join("objects")];
        directories.extend(access.quarantine.clone());
        let packs = Odb::new().map_err(failed(&place.common))?;
        for directory in &directories {
            let Some(path) = directory.to_str() else {
                return Err(GitError::Damaged {
                    path: directory.clone(),
                    what: "its name is not UTF-8",
                });
            };
            packs.add_disk_alternate(path).map_err(failed(directory))?;
        }
        Ok(Self {
            place,
            directories,
            packs,
        })
    }

    /// An object that has a file of its own.
    fn loose(&self, id: &ObjectId, most: u64) -> Result<Option<Object>, GitError> {
        for objects in &self.directories {
            let what = match loose::read(objects, id, most) {
                Ok(None) => continue,
                Ok(Some(object)) if is_named(id, object.kind, &object.bytes) => {
                    return Ok(Some(object));
                }
                Ok(Some(_)) => "it is not what its id stands for".to_owned(),
                Err(Unusable::Damaged(why)) => why.to_owned(),
                Err(Unusable::Io(error)) => error.to_string(),
                Err(Unusable::TooLarge(size)) => {
                    return Err(GitError::TooLarge {
                        id: id.clone(),
                        size,
                        most,
                    });
                }
            };
            return Err(GitError::Corrupt {
                path: self.place.common.clone(),
                id: id.clone(),
                what,
            });
        }
        Ok(None)
    }

    fn failed(&self, id: &ObjectId, error: &git2::Error) -> GitError {
        let path = self.place.common.clone();
        let id = id.clone();
        match error.code() {
            ErrorCode::NotFound => GitError::Missing {
                path,
                id,
                hint: missing(self.place),
            },
            _ => GitError::Corrupt {
                path,
                id,
                what: error.message().to_owned(),
            },
        }
    }
}

/// Why an object may not be there.
pub(super) fn missing(place: &Place) -> &'static str {
    match place.format {
        format if format.partial => {
            ", because it is a partial clone, and rfw fetches nothing (git clone without --filter is whole)"
        }
        format if format.shallow => {
            ", because its history is cut off (git fetch --unshallow brings the rest)"
        }
        _ => " (git fsck finds more)",
    }
}

/// Whether this is what the id stands for.
pub(super) fn is_named(id: &ObjectId, kind: Kind, bytes: &[u8]) -> bool {
    if id.as_str().len() == 64 {
        let header = format!("{} {}\0", kind.word(), bytes.len());
        let hash = Sha256::new()
            .chain_update(header)
            .chain_update(bytes)
            .finalize();
        let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        return hash == id.as_str();
    }
    let kind = match kind {
        Kind::Commit => ObjectType::Commit,
        Kind::Tree => ObjectType::Tree,
        Kind::Blob => ObjectType::Blob,
        Kind::Tag => ObjectType::Tag,
    };
    Oid::hash_object(kind, bytes).is_ok_and(|oid| oid.to_string() == id.as_str())
}

impl Store for Files<'_> {
    fn reference(&self, name: &str) -> Result<Option<Target>, GitError> {
        let of_work_tree = ["refs/worktree/", "refs/bisect/", "refs/rewritten/"];
        let is_own = name == "HEAD" || of_work_tree.iter().any(|begin| name.starts_with(begin));
        let place = self.place;
        let directory = if is_own { &place.git } else { &place.common };
        let path = directory.join(name);
        if let Some(text) = read_text(&path)? {
            let text = text.trim_end();
            let target = match text.strip_prefix("ref:") {
                Some(other) => Some(Target::Symbolic(other.trim().to_owned())),
                None => text.parse().ok().map(Target::Id),
            };
            return match target {
                Some(target) => Ok(Some(target)),
                None => Err(GitError::Damaged {
                    path,
                    what: "it says neither a commit nor `ref: NAME`",
                }),
            };
        }
        let packed = read_text(&place.common.join("packed-refs"))?.unwrap_or_default();
        let found = packed.lines().find_map(|line| {
            let (id, packed) = line.split_once(' ')?;
            (packed == name).then(|| id.parse().ok())?
        });
        Ok(found.map(Target::Id))
    }

    fn object(&self, id: &ObjectId, most: u64) -> Result<Object, GitError> {
        if let Some(object) = self.loose(id, most)? {
            return Ok(object);
        }
        let failed = |error: git2::Error| self.failed(id, &error);
        let oid = Oid::from_str(id.as_str()).map_err(failed)?;
        let (size, _) = self.packs.read_header(oid).map_err(failed)?;
        if most < size as u64 {
            return Err(GitError::TooLarge {
                id: id.clone(),
                size: size as u64,
                most,
            });
        }
        // libgit2 compares what it reads with the id.
        let object = self.packs.read(oid).map_err(failed)?;
        let kind = match object.kind() {
            ObjectType::Commit => Kind::Commit,
            ObjectType::Tree => Kind::Tree,
            ObjectType::Tag => Kind::Tag,
            ObjectType::Blob | ObjectType::Any => Kind::Blob,
        };
        Ok(Object {
            kind,
            bytes: object.data().to_owned(),
        })
    }

    fn complete(&self, digits: &str) -> Result<Option<ObjectId>, GitError> {
        let Ok(prefix) = Oid::from_str(digits) else {
            return Ok(None);
        };
        match self.packs.exists_prefix(prefix, digits.len()) {
            Ok(oid) => Ok(oid.to_string().parse().ok()),
            Err(error) if error.code() == ErrorCode::Ambiguous => Err(GitError::Ambiguous {
                revision: digits.to_owned(),
                names: "several objects begin so".to_owned(),
            }),
            Err(_) => Ok(None),
        }
    }
}
