//! A policy from a file, or from the `*.yaml` files of a directory in name order.
#![expect(
    clippy::disallowed_methods,
    reason = "reads the operator's policy from the file system"
)]

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::diagnostic::SourceText;

/// A file may have one byte more than the language allows: enough to see that it is too large.
const MOST_BYTES: u64 = 4 * 1024 * 1024 + 1;
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
    /// Others than its owner may change it, so its owner does not decide what it says.
    #[error("`{path}` may be written by everybody; take that right away first (chmod o-w)")]
    WorldWritable {
        /// Which one.
        path: PathBuf,
    },
}

/// Reads the texts of a policy: of the file, or of every `*.yaml` in the directory, in name order.
///
/// # Errors
/// When something cannot be read, is no regular file, or may be written by everybody.
pub fn read_files(path: &Path) -> Result<Vec<SourceText>, SourceError> {
    let metadata = fs::metadata(path).map_err(|source| SourceError::Read {
        path: path.to_owned(),
        source,
    })?;
    if metadata.is_dir() {
        let files = yaml_files(path)?;
        if files.is_empty() {
            return Err(SourceError::Empty {
                path: path.to_owned(),
            });
        }
        files.iter().map(|file| read_file(file)).collect()
    } else {
        Ok(vec![read_file(path)?])
    }
}

fn yaml_files(directory: &Path) -> Result<Vec<PathBuf>, SourceError> {
    let read = |source| SourceError::Read {
        path: directory.to_owned(),
        source,
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).map_err(read)? {
        let path = entry.map_err(read)?.path();
        let hidden = path
            .file_name()
            .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if path
            .extension()
            .is_some_and(|extension| extension == "yaml")
            && !hidden
        {
            files.push(path);
        }
        if files.len() > MOST_FILES {
            return Err(SourceError::TooMany {
                path: directory.to_owned(),
            });
        }
    }
    files.sort();
    Ok(files)
}

fn read_file(path: &Path) -> Result<SourceText, SourceError> {
    use std::os::unix::fs::MetadataExt;
    let failed = |source| SourceError::Read {
        path: path.to_owned(),
        source,
    };
    // Opening a pipe would wait for a writer, so what it is comes before opening.
    let kind = fs::metadata(path).map_err(failed)?;
    if !kind.is_file() {
        return Err(SourceError::NotAFile {
            path: path.to_owned(),
        });
    }
    const OTHERS_WRITE: u32 = 0o002;
    if kind.mode() & OTHERS_WRITE != 0 {
        return Err(SourceError::WorldWritable {
            path: path.to_owned(),
        });
    }
    let mut text =
        Vec::with_capacity(usize::try_from(kind.len().min(MOST_BYTES)).unwrap_or_default() + 1);
    fs::File::open(path)
        .and_then(|file| file.take(MOST_BYTES).read_to_end(&mut text))
        .map_err(failed)?;
    Ok(SourceText {
        name: path.display().to_string(),
        text,
    })
}
