//! The texts of the policy that was put in force last, as they were then: what the daemon keeps in force while its source
//! has nothing that may be applied, and what a box boots with.
//!
//! ```text
//! "rfw policy 1\n" · one line of JSON: what it is, names and lengths of the texts · the texts, one after the other
//! ```
//!
//! The digest of the policy, by which it is known everywhere, is the checksum of names and texts; the rest of the line has
//! one of its own. Like the commit that was applied last this is no shortcut: it is written whole or not at all, also when
//! the power goes, and the one before stays until then.
#![expect(
    clippy::disallowed_methods,
    reason = "keeps its file in the state directory"
)]

use std::fs;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{StateError, digest, hex, if_there, replace_with};
use crate::diagnostic::SourceText;

const FILE: &str = "good";
const HEAD: &str = "rfw policy 1\n";
/// The line of JSON is never longer: ten thousand files with the longest paths.
const LONGEST_LINE: u64 = 64 << 20;

/// Which policy it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GoodPolicy {
    /// SHA-256 of the policy's file names and texts, hexadecimal.
    pub policy: String,
    /// The commit that it is of, if it is of one, hexadecimal.
    pub commit: Option<String>,
    /// The branch or tag that the commit came from, by its whole name.
    pub reference: Option<String>,
    /// Which of its nodes it was compiled for.
    pub node: Option<String>,
    /// When it was first in force, Unix seconds.
    pub at: i64,
    /// How many of the texts are the policy itself; lists follow.
    pub documents: usize,
    /// Of each list, the path by which the policy names it.
    pub lists: Vec<String>,
}

/// The line.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    good: GoodPolicy,
    /// Name and length of each text.
    texts: Vec<(String, usize)>,
    /// SHA-256 of what `good` says.
    sum: String,
}

/// It is there and cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("`{path}`, the copy of the policy that was in force last, is damaged or cannot be read")]
pub struct DamagedGood {
    /// The file.
    pub path: PathBuf,
}

impl GoodPolicy {
    /// Which one is kept; `None` when there is none, or none whose first line can be read.
    pub fn known(directory: &Path) -> Option<Self> {
        let (line, _) = open(&directory.join(FILE)).ok()??;
        Some(line.good)
    }

    /// It with its texts; `None` when there is none.
    ///
    /// # Errors
    /// When the file is there and is not whole.
    pub fn load(directory: &Path) -> Result<Option<(Self, Vec<SourceText>)>, DamagedGood> {
        let path = directory.join(FILE);
        let read = || {
            let Some((line, mut rest)) = open(&path)? else {
                return Ok(None);
            };
            let Line { good, texts, .. } = line;
            let mut sources = Vec::new();
            for (name, length) in texts {
                // Not by the length that it says: it may be wrong.
                let mut text = Vec::new();
                if (&mut rest).take(length as u64).read_to_end(&mut text)? != length {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                let text = text.into();
                sources.push(SourceText { name, text });
            }
            let is_whole = rest.fill_buf()?.is_empty()
                && digest(&sources) == good.policy
                && good.documents.checked_add(good.lists.len()) == Some(sources.len());
            match is_whole {
                true => Ok(Some((good, sources))),
                false => Err(io::ErrorKind::InvalidData.into()),
            }
        };
        read().map_err(|_: io::Error| DamagedGood { path: path.clone() })
    }

    /// Keeps it with its texts in place of the one before.
    ///
    /// # Errors
    /// When the directory cannot be made or the file cannot be written.
    pub fn store(&self, sources: &[SourceText], directory: &Path) -> Result<(), StateError> {
        let texts = sources.iter();
        let line = Line {
            good: self.clone(),
            texts: texts
                .map(|source| (source.name.clone(), source.text.len()))
                .collect(),
            sum: self.sum(),
        };
        let line = serde_json::to_string(&line).map_err(|error| StateError {
            path: directory.join(FILE),
            source: error.into(),
        })?;
        let head = format!("{HEAD}{line}\n");
        let parts = [head.as_bytes()].into_iter();
        let parts = parts.chain(sources.iter().map(|source| &*source.text));
        replace_with(directory, FILE, &format!(".{FILE}.new"), parts, true)
    }

    /// Takes it away: it is not what is in force.
    ///
    /// # Errors
    /// When it is there and cannot be removed.
    pub fn forget(directory: &Path) -> Result<(), StateError> {
        let path = directory.join(FILE);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(StateError { path, source })
            }
            _ => Ok(()),
        }
    }

    fn sum(&self) -> String {
        let Self {
            policy,
            commit,
            reference,
            node,
            at,
            documents,
            lists,
        } = self;
        let text =
            format!("{policy}\n{commit:?}\n{reference:?}\n{node:?}\n{at}\n{documents}\n{lists:?}");
        hex(&Sha256::digest(text))
    }
}

/// The line, and the texts behind it.
fn open(path: &Path) -> io::Result<Option<(Line, BufReader<fs::File>)>> {
    let Some(file) = if_there(fs::File::open(path))? else {
        return Ok(None);
    };
    let mut file = BufReader::new(file);
    let mut head = String::new();
    (&mut file)
        .take(HEAD.len() as u64)
        .read_to_string(&mut head)?;
    let mut line = String::new();
    (&mut file).take(LONGEST_LINE).read_line(&mut line)?;
    let read: Line = serde_json::from_str(&line)?;
    if head != HEAD || read.sum != read.good.sum() {
        return Err(io::ErrorKind::InvalidData.into());
    }
    Ok(Some((read, file)))
}

#[cfg(test)]
mod tests {
    use super::{FILE, GoodPolicy};
    use crate::diagnostic::SourceText;
    use crate::state::digest;
    use std::path::Path;

    fn sources(port: &str) -> Vec<SourceText> {
        let text = |name: &str, text: &[u8]| SourceText {
            name: name.into(),
            text: text.to_vec().into(),
        };
        vec![
            text("main:a.yaml", format!("port: {port}\n").as_bytes()),
            text("main:empty.yaml", b""),
            text("main:list.txt", &[0, 255, b'\n', b'{']),
        ]
    }

    fn good(sources: &[SourceText]) -> GoodPolicy {
        GoodPolicy {
            policy: digest(sources),
            commit: Some("c0ffee".into()),
            reference: None,
            node: Some("fw-a".into()),
            at: 7,
            documents: 2,
            lists: vec!["list.txt".into()],
        }
    }

    #[test]
    fn it_comes_back_whole_or_not_at_all() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tmp/kept-good");
        let _ = std::fs::remove_dir_all(&directory);
        assert!(GoodPolicy::load(&directory).unwrap().is_none());
        assert_eq!(GoodPolicy::known(&directory), None);
        for port in ["22", "443"] {
            let sources = sources(port);
            let kept = good(&sources);
            kept.store(&sources, &directory).unwrap();
            assert_eq!(GoodPolicy::known(&directory).as_ref(), Some(&kept));
            assert_eq!(GoodPolicy::load(&directory).unwrap(), Some((kept, sources)));
        }
        let path = directory.join(FILE);
        let whole = std::fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            std::fs::write(&path, &damaged).unwrap();
            assert!(GoodPolicy::load(&directory).is_err(), "byte {at}");
            std::fs::write(&path, &whole[..at]).unwrap();
            assert!(GoodPolicy::load(&directory).is_err(), "cut at {at}");
        }
        std::fs::write(&path, [&whole[..], b"x"].concat()).unwrap();
        assert!(GoodPolicy::load(&directory).is_err(), "more than all");
        GoodPolicy::forget(&directory).unwrap();
        assert!(GoodPolicy::load(&directory).unwrap().is_none());
    }
}
