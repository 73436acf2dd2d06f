//! A tree of files, wherever it is kept: all that is asked of it to read a policy.

use std::fmt;
use std::io;

/// A directory and everything below it. Paths go from it downwards, their parts between `/`; the root itself is the
/// empty path. Nothing outside is ever read.
pub trait Tree {
    /// What a directory holds, in any order.
    ///
    /// # Errors
    /// [`Unreadable::Missing`] if there is no such directory, or when the path leads out.
    fn list(&self, directory: &str) -> Result<Vec<Entry>, Unreadable>;

    /// The bytes of a file, at most so many.
    ///
    /// # Errors
    /// When there is no such file, or when it is not one that a policy may be read from.
    fn read(&self, file: &str, most: u64) -> Result<Vec<u8>, Unreadable>;

    /// What a file is called in messages.
    fn name(&self, file: &str) -> String;
}

/// Something in a directory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Its name. Names that are no UTF-8 come with the character U+FFFD in them.
    pub name: String,
    /// Whether more may be below it: a directory, or a link that may lead to one.
    pub may_hold_more: bool,
}

/// Why a file or a directory of a tree cannot be read.
#[derive(Debug)]
pub enum Unreadable {
    /// It is not there.
    Missing,
    /// It is of another kind, such as a device or a pipe, or a directory for a file.
    NotAFile,
    /// A link leads out of the tree.
    LeadsOut,
    /// Others than its owner may change it.
    WorldWritable,
    /// The system says no.
    Io(io::Error),
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("it is not there"),
            Self::NotAFile => f.write_str("it is not a regular file"),
            Self::LeadsOut => f.write_str("a link leads out of the policy's own directory"),
            Self::WorldWritable => f.write_str("everybody may write it"),
            Self::Io(error) => error.fmt(f),
        }
    }
}

/// Joins a directory and a name; the root is empty.
pub(super) fn join(directory: &str, name: &str) -> String {
    if directory.is_empty() {
        name.to_owned()
    } else {
        format!("{directory}/{name}")
    }
}
