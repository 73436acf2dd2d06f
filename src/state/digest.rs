//! The digest of the policy that was looked at last, so that nobody compiles it again only to know it.
#![expect(
    clippy::disallowed_methods,
    reason = "keeps its file in the state directory"
)]

use std::fs;
use std::path::Path;

use super::{StateError, replace_by};

const FILE: &str = "digest";

/// The policy digest of texts with this digest, if it is the one that was kept, by this version of rfw.
pub fn policy_digest(directory: &Path, texts: &str) -> Option<String> {
    let kept = fs::read_to_string(directory.join(FILE)).ok()?;
    let digest = kept.strip_prefix(&head(texts))?.strip_suffix('\n')?;
    let is_whole = digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_whole.then(|| digest.to_owned())
}

/// Keeps it.
///
/// # Errors
/// When the directory cannot be made or the file cannot be written.
pub fn keep_policy_digest(directory: &Path, texts: &str, digest: &str) -> Result<(), StateError> {
    let text = format!("{}{digest}\n", head(texts));
    let beside = format!(".{FILE}.{}", std::process::id());
    replace_by(directory, FILE, &beside, text.as_bytes(), false)
}

fn head(texts: &str) -> String {
    format!("rfw {} {texts} ", env!("CARGO_PKG_VERSION"))
}
