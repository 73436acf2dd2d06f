//! The elements of large sets as they were verified last, in a file beside the rest of the state.
//!
//! ```text
//! "rfw elements 1\n" · for each set: name length, name, key width, ranges, bytes length, bytes · SHA-256 of it all
//! ```
//!
//! Numbers are 64 bits, big endian. A file that is damaged in any way is none.
#![expect(
    clippy::disallowed_methods,
    reason = "keeps its file in the state directory"
)]

use std::fs;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::{StateError, hex, replace};

const FILE: &str = "elements";
const HEAD: &[u8] = b"rfw elements 1\n";

/// The elements of a set, which are nothing but keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptSet<'a> {
    /// The set's name.
    pub name: &'a str,
    /// Bytes of a key.
    pub width: usize,
    /// Whether each has a last key behind it.
    pub ranges: bool,
    /// All of them.
    pub bytes: &'a [u8],
}

/// Keeps sets; returns the digest by which they are found again, or `None` if there are none.
///
/// # Errors
/// When the directory cannot be made or the file cannot be written.
pub fn keep(directory: &Path, sets: &[KeptSet<'_>]) -> Result<Option<String>, StateError> {
    if sets.is_empty() {
        return Ok(None);
    }
    let mut file = HEAD.to_vec();
    let number = |file: &mut Vec<u8>, number: usize| {
        file.extend_from_slice(&(number as u64).to_be_bytes());
    };
    for set in sets {
        let KeptSet {
            name,
            width,
            ranges,
            bytes,
        } = set;
        number(&mut file, name.len());
        file.extend_from_slice(name.as_bytes());
        number(&mut file, *width);
        number(&mut file, usize::from(*ranges));
        number(&mut file, bytes.len());
        file.extend_from_slice(bytes);
    }
    let digest = Sha256::digest(&file);
    file.extend_from_slice(&digest);
    // Ext4 writes a file out at once when it replaces another, which takes 100 ms and more for a million elements. Without
    // this one rfw lists the sets, so nothing is lost should the power fail between the two.
    let _ = fs::remove_file(directory.join(FILE));
    replace(directory, FILE, &file, false)?;
    Ok(Some(hex(&digest)))
}

/// Gives the sets of this digest to `take`, one after the other; `None` if they are not there, or not whole.
pub fn kept<T>(
    directory: &Path,
    digest: &str,
    take: impl FnMut(KeptSet<'_>) -> Option<T>,
) -> Option<Vec<T>> {
    let file = fs::read(directory.join(FILE)).ok()?;
    let (content, sum) = file.split_last_chunk::<32>()?;
    if hex(sum) != digest || Sha256::digest(content).as_slice() != sum {
        return None;
    }
    let sets = read(content.strip_prefix(HEAD)?)?;
    sets.into_iter().map(take).collect()
}

fn read(mut rest: &[u8]) -> Option<Vec<KeptSet<'_>>> {
    let mut sets = Vec::new();
    while !rest.is_empty() {
        let name = part(&mut rest)?;
        let width = number(&mut rest)?;
        let ranges = number(&mut rest)?;
        sets.push(KeptSet {
            name: std::str::from_utf8(name).ok()?,
            width,
            ranges: ranges == 1,
            bytes: part(&mut rest)?,
        });
    }
    Some(sets)
}

fn number(rest: &mut &[u8]) -> Option<usize> {
    let (number, after) = rest.split_first_chunk()?;
    *rest = after;
    usize::try_from(u64::from_be_bytes(*number)).ok()
}

fn part<'b>(rest: &mut &'b [u8]) -> Option<&'b [u8]> {
    let length = number(rest)?;
    let (part, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(part)
}

#[cfg(test)]
mod tests {
    use super::{FILE, KeptSet, keep, kept};
    use std::path::Path;

    /// Name, width, ranges, bytes.
    type Owned = (String, usize, bool, Vec<u8>);

    fn all(directory: &Path, digest: &str) -> Option<Vec<Owned>> {
        kept(directory, digest, |set| {
            Some((
                set.name.to_owned(),
                set.width,
                set.ranges,
                set.bytes.to_vec(),
            ))
        })
    }

    #[test]
    fn what_is_kept_comes_back_whole_or_not_at_all() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tmp/kept-elements");
        let set = |name, bytes| KeptSet {
            name,
            width: 2,
            ranges: true,
            bytes,
        };
        assert_eq!(keep(&directory, &[]).unwrap(), None);
        let sets = [set("group/a.net4", &[0, 1, 0, 2]), set("b", &[9; 8])];
        let digest = keep(&directory, &sets).unwrap().unwrap();
        let read = all(&directory, &digest).unwrap();
        assert_eq!(read[0], ("group/a.net4".into(), 2, true, vec![0, 1, 0, 2]));
        assert_eq!(read.len(), 2);
        assert_eq!(all(&directory, &"0".repeat(64)), None);
        let path = directory.join(FILE);
        let whole = std::fs::read(&path).unwrap();
        for damage in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[damage] ^= 1;
            std::fs::write(&path, &damaged).unwrap();
            assert_eq!(all(&directory, &digest), None, "byte {damage}");
            std::fs::write(&path, &whole[..damage]).unwrap();
            assert_eq!(all(&directory, &digest), None, "cut at {damage}");
        }
    }
}
