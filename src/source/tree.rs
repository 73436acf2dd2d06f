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
    /// It is something in a commit that is no file with content of its own.
    Odd(Odd),
    /// It has so many bytes, more than were asked for.
    TooLarge {
        /// How many.
        size: u64,
    },
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
            Self::Odd(odd) => write!(f, "it is {odd}"),
            Self::TooLarge { size } => write!(f, "it has {size} bytes"),
            Self::Io(error) => error.fmt(f),
        }
    }
}

/// What a commit can hold that no policy is read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Odd {
    /// A symbolic link; in a commit none is followed.
    Link,
    /// A commit of another repository.
    Submodule,
    /// A mode that is neither that of a file nor that of a directory.
    Mode(u32),
}

impl fmt::Display for Odd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Link => {
                f.write_str("a symbolic link (mode 120000), and in a commit none is followed")
            }
            Self::Submodule => {
                f.write_str("a submodule (mode 160000), whose files are not in this repository")
            }
            Self::Mode(mode) => write!(f, "of mode {mode:06o}, which is neither 100644 nor 100755"),
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
