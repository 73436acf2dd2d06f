//! Git's objects as values: what a commit, a tree and a tag say. Functions of bytes; nothing is looked up here, so no
//! replacement (`refs/replace`), no graft and no commit graph can change what a commit says.
//!
//! The forms are those of gitformat-signature(5), git-fast-import(1) and Git's `Documentation/gitformat-*`.

use std::fmt;
use std::str::FromStr;

/// The name of an object: the hash of what it says, hexadecimal in small letters; 40 digits for SHA-1, 64 for SHA-256.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId(String);

impl ObjectId {
    /// All digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Enough digits for people.
    #[must_use]
    pub fn short(&self) -> &str {
        self.0.get(..12).unwrap_or(&self.0)
    }

    /// From the bytes of a tree.
    fn from_bytes(bytes: &[u8]) -> Self {
        Self(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text that is no id of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no 40 or 64 hexadecimal digits")]
pub struct NoId;

impl FromStr for ObjectId {
    type Err = NoId;

    fn from_str(text: &str) -> Result<Self, NoId> {
        let is_hex = text.bytes().all(|byte| byte.is_ascii_hexdigit());
        match text.len() {
            40 | 64 if is_hex => Ok(Self(text.to_ascii_lowercase())),
            _ => Err(NoId),
        }
    }
}

/// What an object can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A revision.
    Commit,
    /// A directory.
    Tree,
    /// A file.
    Blob,
    /// An annotated tag.
    Tag,
}

impl Kind {
    /// Its name in the object's header.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Commit => "commit",
            Self::Tree => "tree",
            Self::Blob => "blob",
            Self::Tag => "tag",
        }
    }

    pub(super) fn from_word(word: &str) -> Option<Self> {
        let all = [Self::Commit, Self::Tree, Self::Blob, Self::Tag];
        all.into_iter().find(|kind| kind.word() == word)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Commit => "commit",
            Self::Tree => "directory (tree)",
            Self::Blob => "file (blob)",
            Self::Tag => "tag",
        })
    }
}

/// A commit, as far as rfw asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// The directory that it holds.
    pub tree: ObjectId,
    /// What it follows; several for a merge.
    pub parents: Vec<ObjectId>,
    /// The time of the committer's clock, in seconds since 1970.
    pub time: i64,
    /// The signature, armoured, if there is one.
    pub signature: Option<String>,
    /// What is signed: the commit without the signature.
    pub signed: Vec<u8>,
}

/// Reads a commit; `None` if it is none.
#[must_use]
pub fn commit(bytes: &[u8]) -> Option<Commit> {
    let (mut tree, mut parents, mut time) = (None, Vec::new(), None);
    let mut signature: Option<String> = None;
    let mut signed = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    // The header that a line with a space at its begin goes on with, if it is a signature.
    let mut in_signature: Option<bool> = None;
    loop {
        let end = rest.iter().position(|byte| *byte == b'\n')? + 1;
        let (line, below) = rest.split_at(end);
        if line == b"\n" {
            signed.extend(rest);
            break;
        }
        rest = below;
        let (word, value) = match line.strip_prefix(b" ") {
            Some(more) => {
                match in_signature {
                    Some(true) => signature
                        .get_or_insert_default()
                        .push_str(&String::from_utf8_lossy(more)),
                    Some(false) => {}
                    None => signed.extend(line),
                }
                continue;
            }
            None => {
                let space = line.iter().position(|byte| *byte == b' ')?;
                (line.get(..space)?, line.get(space + 1..)?)
            }
        };
        in_signature = None;
        let value = String::from_utf8_lossy(value);
        match word {
            b"gpgsig" if signature.is_none() => {
                signature = Some(value.into_owned());
                in_signature = Some(true);
                continue;
            }
            // The same commit under the other hash is signed on its own; neither signature signs the other.
            b"gpgsig" | b"gpgsig-sha256" => {
                in_signature = Some(false);
                continue;
            }
            b"tree" if tree.is_none() => tree = Some(value.trim_end().parse().ok()?),
            b"parent" => parents.push(value.trim_end().parse().ok()?),
            b"committer" if time.is_none() => {
                time = value.trim_end().rsplit(' ').nth(1)?.parse().ok();
            }
            _ => {}
        }
        signed.extend(line);
    }
    Some(Commit {
        tree: tree?,
        parents,
        time: time?,
        signature,
        signed,
    })
}

/// What a tag names, and of which kind that is; `None` if it is no tag.
pub(super) fn tag(bytes: &[u8]) -> Option<(ObjectId, Kind)> {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let mut value = |word: &str| {
        let line = std::str::from_utf8(lines.next()?).ok()?;
        line.strip_prefix(word)?.strip_prefix(' ')
    };
    let id = value("object")?.parse().ok()?;
    let kind = Kind::from_word(value("type")?)?;
    Some((id, kind))
}

/// Something in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TreeEntry {
    /// What it is, as Git writes it: a file type and rights, octal.
    pub(super) mode: u32,
    pub(super) name: Vec<u8>,
    pub(super) id: ObjectId,
}

/// A directory.
pub(super) const DIRECTORY: u32 = 0o040_000;
/// A file.
pub(super) const FILE: u32 = 0o100_644;
/// A file that may be run.
pub(super) const PROGRAM: u32 = 0o100_755;
/// A symbolic link.
pub(super) const LINK: u32 = 0o120_000;
/// A commit of another repository.
pub(super) const SUBMODULE: u32 = 0o160_000;

/// Reads a directory whose ids have so many bytes; `None` if it is none.
pub(super) fn tree(mut bytes: &[u8], id_length: usize) -> Option<Vec<TreeEntry>> {
    let mut entries = Vec::new();
    while !bytes.is_empty() {
        let space = bytes.iter().position(|byte| *byte == b' ')?;
        let mode = std::str::from_utf8(bytes.get(..space)?).ok()?;
        let mode = u32::from_str_radix(mode, 8).ok()?;
        bytes = bytes.get(space + 1..)?;
        let nul = bytes.iter().position(|byte| *byte == 0)?;
        let name = bytes.get(..nul)?.to_owned();
        bytes = bytes.get(nul + 1..)?;
        let id = ObjectId::from_bytes(bytes.get(..id_length)?);
        bytes = bytes.get(id_length..)?;
        entries.push(TreeEntry { mode, name, id });
    }
    Some(entries)
}

#[cfg(test)]
mod tests {
    use super::{Kind, commit, tag, tree};

    const ID: &str = "0123456789abcdef0123456789abcdef01234567";

    #[track_caller]
    fn check(text: &str, expect: &str) {
        let shown = match commit(text.as_bytes()) {
            None => "no commit".to_owned(),
            Some(commit) => format!(
                "{} {:?} {:?} {:?}",
                commit.parents.len(),
                commit.time,
                commit.signature.unwrap_or_default(),
                String::from_utf8(commit.signed).unwrap().replace(ID, "ID")
            ),
        };
        assert_eq!(shown, expect);
    }

    #[test]
    fn commits() {
        let head =
            format!("tree {ID}\nparent {ID}\nauthor a <a> 1 +0000\ncommitter c <c> 7 +0200\n");
        let signed = "\"tree ID\\nparent ID\\nauthor a <a> 1 +0000\\ncommitter c <c> 7 +0200\\n";
        check(
            &format!("{head}\ntext\n"),
            &format!("1 7 \"\" {signed}\\ntext\\n\""),
        );
        // What follows the empty line is text, whatever it looks like.
        check(
            &format!("{head}gpgsig A\n B\n \n C\n\ngpgsig D\n"),
            &format!("1 7 \"A\\nB\\n\\nC\\n\" {signed}\\ngpgsig D\\n\""),
        );
        check(
            &format!("{head}gpgsig A\ngpgsig-sha256 B\n C\nencoding x\n y\n\n"),
            &format!("1 7 \"A\\n\" {signed}encoding x\\n y\\n\\n\""),
        );
        // A second signature is no signature of the commit, and not part of what is signed either.
        check(
            &format!("{head}gpgsig A\ngpgsig B\n C\n\n"),
            &format!("1 7 \"A\\n\" {signed}\\n\""),
        );
        for wrong in [
            "",
            "\n",
            "tree x\n\n",
            "tree",
            &head.replace("tree", "trees"),
        ] {
            check(wrong, "no commit");
        }
        check(&format!("tree {ID}\n\n"), "no commit");
    }

    #[test]
    fn tags_and_trees() {
        let text = format!("object {ID}\ntype blob\ntag x\n");
        assert_eq!(tag(text.as_bytes()).unwrap().1, Kind::Blob);
        assert!(tag(b"object 12\ntype blob\n").is_none());
        let raw = [
            b"100644 a\0".as_slice(),
            &[0xab; 20],
            b"40000 b\0",
            &[1; 20],
        ]
        .concat();
        let entries = tree(&raw, 20).unwrap();
        assert_eq!((entries[0].mode, entries[1].mode), (0o100_644, 0o40_000));
        assert_eq!(entries[0].id.as_str(), "ab".repeat(20));
        for cut in 1..raw.len() {
            let whole = cut == 8 + 1 + 20;
            assert_eq!(tree(&raw[..cut], 20).is_some(), whole, "{cut}");
        }
    }
}
