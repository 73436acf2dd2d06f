//! The last good copies of the lists that fetched sets are filled from: a file each, below `lists` in the state
//! directory.
//!
//! ```text
//! rfw list 1
//! source https://lists.example.net/drop.txt
//! fetched 1795522455
//! sha256 ...
//!
//! 192.0.2.0/24
//! ```
//!
//! The checksum is that of what follows the empty line. A copy that is damaged in any way is none, and that is said.
#![expect(
    clippy::disallowed_methods,
    reason = "keeps its files in the state directory"
)]

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::{StateError, hex, replace};

const DIRECTORY: &str = "lists";
const HEAD: &str = "rfw list 1";

/// A list as it was fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListCopy {
    /// Where from.
    pub source: String,
    /// When, in seconds since 1970.
    pub fetched: i64,
    /// The list.
    pub text: Vec<u8>,
}

/// A copy that is there and cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the copy `{0}` is damaged or cannot be read")]
pub struct DamagedCopy(PathBuf);

impl ListCopy {
    /// The copy of a set; `None` if there is none.
    ///
    /// # Errors
    /// There is one, and it is not whole.
    pub fn load(directory: &Path, set: &str) -> Result<Option<Self>, DamagedCopy> {
        let path = directory.join(DIRECTORY).join(set);
        match fs::read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Ok(file) => read(&file).map(Some).ok_or(DamagedCopy(path)),
            Err(_) => Err(DamagedCopy(path)),
        }
    }

    /// Keeps the copy in place of the one before: whole or not at all, also when the power goes.
    ///
    /// # Errors
    /// When the directory cannot be made or the file cannot be written.
    pub fn store(&self, directory: &Path, set: &str) -> Result<(), StateError> {
        let Self {
            source,
            fetched,
            text,
        } = self;
        let sum = hex(&Sha256::digest(text));
        let mut file =
            format!("{HEAD}\nsource {source}\nfetched {fetched}\nsha256 {sum}\n\n").into_bytes();
        file.extend_from_slice(text);
        replace(&directory.join(DIRECTORY), set, &file, true)
    }
}

fn read(file: &[u8]) -> Option<ListCopy> {
    let mut rest = file;
    let mut line = || {
        let end = rest.iter().position(|byte| *byte == b'\n')?;
        let line = std::str::from_utf8(rest.get(..end)?).ok()?;
        rest = rest.get(end + 1..)?;
        Some(line)
    };
    (line()? == HEAD).then_some(())?;
    let source = line()?.strip_prefix("source ")?.to_owned();
    let fetched = line()?.strip_prefix("fetched ")?.parse().ok()?;
    let sum = line()?.strip_prefix("sha256 ")?;
    line()?.is_empty().then_some(())?;
    (hex(&Sha256::digest(rest)) == sum).then(|| ListCopy {
        source,
        fetched,
        text: rest.to_vec(),
    })
}

/// A digest of all copies, by which a change of one is noticed; `None` if there are none.
pub fn copies_digest(directory: &Path) -> Option<String> {
    let entries = fs::read_dir(directory.join(DIRECTORY)).ok()?;
    let mut paths: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    paths.sort();
    let mut hash = Sha256::new();
    for path in &paths {
        let name = path.file_name().unwrap_or_default().as_encoded_bytes();
        for part in [name, &fs::read(path).unwrap_or_default()] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
    }
    (!paths.is_empty()).then(|| hex(&hash.finalize()))
}

#[cfg(test)]
mod tests {
    use super::{ListCopy, copies_digest};
    use std::path::Path;

    #[test]
    fn a_copy_comes_back_whole_or_not_at_all() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tmp/kept-lists");
        let _ = std::fs::remove_dir_all(&directory);
        assert_eq!(ListCopy::load(&directory, "a").unwrap(), None);
        assert_eq!(copies_digest(&directory), None);
        let mut copy = ListCopy {
            source: "https://example.net/a b".into(),
            fetched: 1_795_522_455,
            text: b"10.0.0.1\n\n# x\n".to_vec(),
        };
        copy.store(&directory, "a").unwrap();
        assert_eq!(ListCopy::load(&directory, "a").unwrap(), Some(copy.clone()));
        let before = copies_digest(&directory);
        copy.text.push(b'\n');
        copy.store(&directory, "a").unwrap();
        assert_ne!(copies_digest(&directory), before);
        let path = directory.join("lists/a");
        let whole = std::fs::read(&path).unwrap();
        let begin = whole.len() - copy.text.len();
        for damage in (0..11).chain(begin - 60..whole.len()) {
            let mut damaged = whole.clone();
            damaged[damage] ^= 1;
            std::fs::write(&path, &damaged).unwrap();
            assert!(ListCopy::load(&directory, "a").is_err(), "byte {damage}");
            std::fs::write(&path, &whole[..damage]).unwrap();
            assert!(ListCopy::load(&directory, "a").is_err(), "cut at {damage}");
        }
    }
}
