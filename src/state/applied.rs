//! The commit that was applied last, so that the next one can be asked whether it comes after it. Unlike the rest of the
//! state this is no shortcut: with it gone, a box takes any commit once more. It is written after the kernel was
//! read back, whole or not at all, also when the power goes.
#![expect(
    clippy::disallowed_methods,
    reason = "keeps its file in the state directory"
)]

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{StateError, hex, if_there, replace};

const FILE: &str = "applied.json";

/// A commit that was applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppliedCommit {
    /// Its id, hexadecimal.
    pub commit: String,
    /// The branch or tag it came from, by its whole name.
    pub reference: Option<String>,
    /// Who had signed it, where that was looked at.
    pub signer: Option<String>,
    /// When it was applied, Unix seconds.
    pub at: i64,
}

/// The file.
#[derive(Serialize, Deserialize)]
struct Kept {
    version: u32,
    applied: AppliedCommit,
    /// SHA-256 of the line before.
    sum: String,
}

/// It is there and cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("`{path}`, which says which commit was applied last, is damaged or cannot be read")]
pub struct DamagedApplied {
    /// The file.
    pub path: PathBuf,
}

impl AppliedCommit {
    /// The one that was applied last; `None` when there was none.
    ///
    /// # Errors
    /// When the file is there and is not whole.
    pub fn load(directory: &Path) -> Result<Option<Self>, DamagedApplied> {
        let path = directory.join(FILE);
        let text = match if_there(fs::read(&path)) {
            Ok(Some(text)) => text,
            Ok(None) => return Ok(None),
            Err(_) => return Err(DamagedApplied { path }),
        };
        let kept: Option<Kept> = serde_json::from_slice(&text).ok();
        let whole = kept.filter(|kept| kept.version == 1 && kept.sum == kept.applied.sum());
        whole
            .map(|kept| Some(kept.applied))
            .ok_or(DamagedApplied { path })
    }

    /// Keeps it in place of the one before.
    ///
    /// # Errors
    /// When the directory cannot be made or the file cannot be written.
    pub fn store(&self, directory: &Path) -> Result<(), StateError> {
        let kept = Kept {
            version: 1,
            applied: self.clone(),
            sum: self.sum(),
        };
        let text = serde_json::to_vec_pretty(&kept).map_err(|error| StateError {
            path: directory.join(FILE),
            source: error.into(),
        })?;
        replace(directory, FILE, &text, true)
    }

    fn sum(&self) -> String {
        let Self {
            commit,
            reference,
            signer,
            at,
        } = self;
        let text = format!("{commit}\n{reference:?}\n{signer:?}\n{at}");
        hex(&Sha256::digest(text))
    }
}

#[cfg(test)]
mod tests {
    use super::AppliedCommit;

    #[test]
    fn it_is_whole_or_refused() {
        let name = std::fs::read_to_string("/proc/sys/kernel/random/uuid").unwrap();
        let directory = std::env::temp_dir().join(name.trim());
        assert_eq!(AppliedCommit::load(&directory).unwrap(), None);
        let applied = AppliedCommit {
            commit: "0123456789abcdef".into(),
            reference: Some("refs/heads/main".into()),
            signer: None,
            at: 7,
        };
        applied.store(&directory).unwrap();
        assert_eq!(
            AppliedCommit::load(&directory).unwrap(),
            Some(applied.clone())
        );
        let other = AppliedCommit {
            signer: Some("a@b".into()),
            ..applied
        };
        other.store(&directory).unwrap();
        assert_eq!(AppliedCommit::load(&directory).unwrap(), Some(other));
        let path = directory.join("applied.json");
        let whole = std::fs::read_to_string(&path).unwrap();
        for damaged in [
            "",
            &whole[..whole.len() / 2],
            &whole.replace("0123", "4567"),
            &whole.replace("7", "8"),
        ] {
            std::fs::write(&path, damaged).unwrap();
            assert!(AppliedCommit::load(&directory).is_err(), "{damaged}");
        }
        std::fs::remove_dir_all(directory).unwrap();
    }
}
