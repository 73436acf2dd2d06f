//! When each rule was last seen to count, in a file of the state directory; what is in it is not known here.
#![expect(
    clippy::disallowed_methods,
    reason = "keeps its file in the state directory"
)]

use std::fs;
use std::path::Path;

use super::{StateError, replace_by};

const FILE: &str = "seen";

/// What is kept; `None` if there is nothing, or no text.
pub fn seen(directory: &Path) -> Option<String> {
    fs::read_to_string(directory.join(FILE)).ok()
}

/// Keeps it instead of what was kept. Whoever does so at the same time does not get in the way: the last one is right.
///
/// # Errors
/// When the directory cannot be made or the file cannot be written.
pub fn keep_seen(directory: &Path, text: &str) -> Result<(), StateError> {
    let beside = format!(".{FILE}.{}", std::process::id());
    replace_by(directory, FILE, &beside, text.as_bytes(), false)
}
