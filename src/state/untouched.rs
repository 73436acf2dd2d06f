//! That others have committed and have not touched rfw's table, as the daemon has heard it: for commands, which have heard nothing.
//!
//! What it says has happened and stays true, whoever reads it and whether or not the daemon still runs, as long as the table is the
//! same one.
#![expect(
    clippy::disallowed_methods,
    reason = "keeps its file in the run directory"
)]

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{StateError, replace};

/// None of the commits after one generation and up to another has touched the table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UntouchedTable {
    /// The form of this file: 1.
    pub version: u32,
    /// The handle of the table.
    pub table: u64,
    /// Its mark, hexadecimal.
    pub mark: String,
    /// The first generation; what made it is not known.
    pub since: u32,
    /// The last one.
    pub until: u32,
}

const FILE: &str = "untouched.json";

impl UntouchedTable {
    /// The form of the file that this version writes and reads.
    pub const VERSION: u32 = 1;

    /// What was heard; `None` when there is nothing, or nothing that this version understands.
    pub fn load(directory: &Path) -> Option<Self> {
        let text = fs::read(directory.join(FILE)).ok()?;
        let read: Self = serde_json::from_slice(&text).ok()?;
        (read.version == Self::VERSION).then_some(read)
    }

    /// Tells it.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn store(&self, directory: &Path) -> Result<(), StateError> {
        let text = serde_json::to_vec(self).map_err(|error| StateError {
            path: directory.join(FILE),
            source: error.into(),
        })?;
        replace(directory, FILE, &text, false)
    }
}
