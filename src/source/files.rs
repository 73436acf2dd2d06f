//! A policy from a file and what it includes, or from the `*.yaml` files of a directory and what they include.

use std::io;
use std::path::{Path, PathBuf};

use super::directory::Directory;
use super::gather::{Texts, gather};
use super::git::GitError;
use super::tree::{Odd, Tree, Unreadable};

/// More files than this are not a policy.
const MOST_FILES: usize = 10_000;

/// Why a policy could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A file or directory could not be opened or read.
    #[error("cannot read the policy `{path}`")]
    Read {
        /// Which one.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A directory without a policy in it.
    #[error("the directory `{path}` holds no `*.yaml` file")]
    Empty {
        /// Which one.
        path: PathBuf,
    },
    /// A directory with far too many.
    #[error("the directory `{path}` holds more than {MOST_FILES} files")]
    TooMany {
        /// Which one.
        path: PathBuf,
    },
    /// A device, a pipe, a socket.
    #[error("`{path}` is not a regular file")]
    NotAFile {
        /// Which one.
        path: PathBuf,
    },
    /// A link to somewhere else.
    #[error(
        "`{path}` is a link that leads out of the directory of the policy; put the file itself there"
    )]
    LeadsOut {
        /// Which one.
        path: PathBuf,
    },
    /// A name that cannot be printed.
    #[error("the directory `{path}` holds a file whose name is not plain text; rename it first")]
    OddName {
        /// Which directory.
        path: PathBuf,
    },
    /// Something in a commit that is no file.
    #[error("`{path}` is {odd}; commit the file itself")]
    Odd {
        /// Which one.
        path: PathBuf,
        /// What it is.
        odd: Odd,
    },
    /// More bytes than a policy has.
    #[error("`{path}` has {size} bytes, more than are read")]
    TooLarge {
        /// Which one.
        path: PathBuf,
        /// How many.
        size: u64,
    },
    /// A Git repository that cannot be read.
    #[error(transparent)]
    Git(#[from] GitError),
    /// Others than its owner may change it, so its owner does not decide what it says.
    #[error("`{path}` may be written by everybody; take that right away first (chmod o-w)")]
    WorldWritable {
        /// Which one.
        path: PathBuf,
    },
}

/// Reads the texts of a policy: of the file, or of every `*.yaml` in the directory, in name order; then those of
/// the files they include and of the lists they name, from the same directory downwards.
///
/// # Errors
/// When something cannot be read, is no regular file, or may be written by everybody.
pub fn read_files(path: &Path) -> Result<Texts, SourceError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        |source| SourceError::Read { path, source }
    };
    let kind = std::fs::metadata(path).map_err(failed(path))?;
    if kind.is_dir() {
        let tree = Directory::open(path).map_err(failed(path))?;
        let own = yaml_files(&tree, path)?;
        return gather(&tree, &own);
    }
    if !kind.is_file() {
        return Err(SourceError::NotAFile {
            path: path.to_owned(),
        });
    }
    // The file may be a link; what it includes lies beside the file that it leads to.
    let real = std::fs::canonicalize(path).map_err(failed(path))?;
    let is_link = std::fs::symlink_metadata(path).is_ok_and(|kind| kind.is_symlink());
    let path = if is_link { real.as_path() } else { path };
    let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(SourceError::NotAFile {
            path: path.to_owned(),
        });
    };
    let Some(name) = name.to_str() else {
        return Err(SourceError::OddName {
            path: directory.to_owned(),
        });
    };
    let tree = Directory::open(directory).map_err(failed(directory))?;
    gather(&tree, &[name.to_owned()])
}

/// Reads a file of the box that says whom it trusts, of at most so many bytes: only root and the user that runs rfw
/// may have written it.
///
/// # Errors
/// When it cannot be read, is too large, or somebody else may have written it.
pub fn read_own(path: &Path, most: u64) -> Result<String, SourceError> {
    use std::os::unix::fs::MetadataExt;
    let failed = |source| SourceError::Read {
        path: path.to_owned(),
        source,
    };
    let real = std::fs::canonicalize(path).map_err(failed)?;
    let (Some(directory), Some(name)) = (real.parent(), real.file_name()) else {
        return Err(SourceError::NotAFile { path: real });
    };
    let tree = Directory::open(directory).map_err(failed)?;
    let name = name.to_string_lossy();
    let text = tree.read(&name, most + 1);
    let text = text.map_err(|why| super::gather::failed(&tree, &name, why))?;
    if most < text.len() as u64 {
        let size = text.len() as u64;
        return Err(SourceError::TooLarge { path: real, size });
    }
    let owner = std::fs::metadata(&real).map_err(failed)?.uid();
    if owner != 0 && owner != nix::unistd::geteuid().as_raw() {
        return Err(GitError::Owner { path: real, owner }.into());
    }
    String::from_utf8(text).map_err(|error| failed(io::Error::other(error)))
}

/// The files of a directory that are a policy.
pub(super) fn yaml_files(tree: &dyn Tree, path: &Path) -> Result<Vec<String>, SourceError> {
    let entries = tree.list("").map_err(|why| match why {
        Unreadable::Io(source) => SourceError::Read {
            path: path.to_owned(),
            source,
        },
        Unreadable::Odd(odd) => SourceError::Odd {
            path: path.to_owned(),
            odd,
        },
        Unreadable::Missing
        | Unreadable::NotAFile
        | Unreadable::LeadsOut
        | Unreadable::TooLarge { .. }
        | Unreadable::WorldWritable => SourceError::NotAFile {
            path: path.to_owned(),
        },
    })?;
    let names = entries.into_iter().map(|entry| entry.name);
    let mut files: Vec<String> = names
        .filter(|name| name.ends_with(".yaml") && !name.starts_with('.'))
        .collect();
    if files.len() > MOST_FILES {
        return Err(SourceError::TooMany {
            path: path.to_owned(),
        });
    }
    if files.is_empty() {
        return Err(SourceError::Empty {
            path: path.to_owned(),
        });
    }
    let is_odd = |name: &String| {
        name.chars()
            .any(|c| c == '\u{fffd}' || crate::diagnostic::is_invisible(c))
    };
    if files.iter().any(is_odd) {
        return Err(SourceError::OddName {
            path: path.to_owned(),
        });
    }
    files.sort();
    Ok(files)
}
