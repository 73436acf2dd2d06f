//! What rfw remembers between two runs: which policy the kernel was last seen to hold.
//!
//! Only a shortcut: with it gone, rfw reads the kernel in full. It says nothing that the kernel does not
//! confirm again by its generation and by the mark of rfw's table. Two things are more than that: which commit was
//! applied last, and the texts of the policy that was.
#![expect(
    clippy::disallowed_methods,
    reason = "keeps its file in the state directory"
)]

mod applied;
mod digest;
mod good;
mod kept;
mod lists;
mod seen;
mod untouched;

pub use applied::{AppliedCommit, DamagedApplied};
pub use digest::{keep_policy_digest, policy_digest};
pub use good::{DamagedGood, GoodPolicy};
pub use kept::{KeptSet, keep, kept};
pub use lists::{DamagedCopy, ListCopy, copies_digest};
pub use seen::{keep_seen, seen};
pub use untouched::UntouchedTable;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::diagnostic::SourceText;
use crate::system::{Setting, Settings};
use crate::view::Switch;

/// The kernel held exactly this policy at this generation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
    /// The form of this file: 5.
    pub version: u32,
    /// The version of rfw that compiled the policy.
    pub rfw: String,
    /// SHA-256 of the policy's file names and texts, hexadecimal.
    pub policy: String,
    /// Which of the policy's nodes it was compiled for.
    pub node: Option<String>,
    /// The generation at which the kernel was read back and found equal.
    pub generation: u32,
    /// The handle of rfw's table.
    pub table: u64,
    /// The mark of rfw's table, hexadecimal.
    pub mark: String,
    /// From this moment on (Unix seconds) there may be something else to say, because a rule is about to expire or a
    /// schedule opens or closes; `None`: never.
    pub until: Option<i64>,
    /// The settings of the box that the policy wants: key and value.
    pub settings: Vec<(String, u32)>,
    /// SHA-256 of the copies of fetched lists; `None` if there were none.
    pub lists: Option<String>,
    /// Under which digest the elements of large sets are kept; `None` if there are none.
    pub elements: Option<String>,
    /// Minutes west of Greenwich of the time zone that the kernel had, which may be a reason for a warning.
    pub minutes_west: i32,
    /// What there was to say about the policy, as it is printed without colour; said again each time.
    pub warnings: String,
    /// What the policy's schedules do next; none of it is before `until`.
    pub next: Vec<Switch>,
}

/// Why the state could not be kept.
#[derive(Debug, thiserror::Error)]
#[error("cannot write `{path}`")]
pub struct StateError {
    /// The file or directory.
    pub path: PathBuf,
    /// The system's reason.
    pub source: io::Error,
}

const FILE: &str = "verified.json";

impl Verified {
    /// The form of the file that this version writes and reads.
    pub const VERSION: u32 = 5;

    /// What was remembered; `None` when there is nothing, or nothing that this version understands.
    pub fn load(directory: &Path) -> Option<Self> {
        let text = fs::read(directory.join(FILE)).ok()?;
        let read: Self = serde_json::from_slice(&text).ok()?;
        (read.version == Self::VERSION && read.rfw == env!("CARGO_PKG_VERSION")).then_some(read)
    }

    /// The settings of the box, as the policy wants them; `None` when one is none that this version knows.
    pub fn settings(&self) -> Option<Settings> {
        let settings = self.settings.iter().map(|(key, value)| {
            Some(Setting {
                key: key.parse().ok()?,
                value: *value,
                origin: String::new(),
            })
        });
        settings.collect::<Option<Vec<_>>>().map(Settings::new)
    }

    /// Remembers. The file is whole or the old one: written beside it, then renamed.
    ///
    /// # Errors
    /// When the directory cannot be made or the file cannot be written.
    pub fn store(&self, directory: &Path) -> Result<(), StateError> {
        let text = serde_json::to_vec_pretty(self).map_err(|error| StateError {
            path: directory.join(FILE),
            source: error.into(),
        })?;
        replace(directory, FILE, &text, false)
    }

    /// Forgets: after a failure nothing is known.
    ///
    /// # Errors
    /// When the file is there and cannot be removed.
    pub fn forget(directory: &Path) -> Result<(), StateError> {
        let path = directory.join(FILE);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(StateError { path, source })
            }
            _ => Ok(()),
        }
    }
}

/// Puts a file into the directory. It is whole or the old one: written beside it, then renamed. `durable`: also
/// when the power goes.
fn replace(directory: &Path, name: &str, content: &[u8], durable: bool) -> Result<(), StateError> {
    replace_by(directory, name, &format!(".{name}.new"), content, durable)
}

/// The same, with a name for the file beside it.
fn replace_by(
    directory: &Path,
    name: &str,
    beside: &str,
    content: &[u8],
    durable: bool,
) -> Result<(), StateError> {
    replace_with(directory, name, beside, [content], durable)
}

/// The same, of a content in parts.
fn replace_with<'p>(
    directory: &Path,
    name: &str,
    beside: &str,
    parts: impl IntoIterator<Item = &'p [u8]>,
    durable: bool,
) -> Result<(), StateError> {
    use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| StateError { path, source }
    };
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .map_err(failed(directory))?;
    let (path, beside) = (directory.join(name), directory.join(beside));
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(&beside).map_err(failed(&beside))?;
    for part in parts {
        file.write_all(part).map_err(failed(&beside))?;
    }
    if durable {
        file.sync_all().map_err(failed(&beside))?;
    }
    fs::rename(&beside, &path).map_err(failed(&path))?;
    if durable {
        // The name, too.
        let written = fs::File::open(directory).and_then(|directory| directory.sync_all());
        written.map_err(failed(directory))?;
    }
    Ok(())
}

/// What was read of a file; `None` when there is none.
fn if_there<T>(read: io::Result<T>) -> io::Result<Option<T>> {
    match read {
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            Ok(None)
        }
        read => read.map(Some),
    }
}

/// SHA-256 over names and texts in order, each with its length, hexadecimal.
pub fn digest(sources: &[SourceText]) -> String {
    let mut hash = Sha256::new();
    for SourceText { name, text } in sources {
        for part in [name.as_bytes(), &**text] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
    }
    hex(&hash.finalize())
}

/// Bytes in hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
