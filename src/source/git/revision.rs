//! From a word such as `main` to the commit it names.

use super::GitError;
use super::object::{self, Commit, Kind, ObjectId};
use super::store::{Store, Target};
use std::path::Path;

/// Refs that lead to refs, and tags of tags: more than this are a circle.
const DEEPEST: usize = 8;
/// Largest commit or tag, in bytes.
const LARGEST: u64 = 1 << 20;
/// Fewest digits of an abbreviated id.
const FEWEST: usize = 7;

/// A commit of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision {
    /// The commit. Its tree is what is read; a tag has been followed to it.
    pub commit: ObjectId,
    /// The whole name of the branch or tag that it came from, such as `refs/heads/main`; `None`: it was named by itself.
    pub reference: Option<String>,
}

impl Revision {
    /// The branch or tag without its beginning.
    #[must_use]
    pub fn shown_reference(&self) -> Option<&str> {
        let name = self.reference.as_deref()?;
        let begins = ["refs/heads/", "refs/tags/", "refs/remotes/"];
        let short = begins.iter().find_map(|begin| name.strip_prefix(begin));
        Some(short.unwrap_or(name))
    }
}

/// `4f2a91c0d1e2 (main)`
impl std::fmt::Display for Revision {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.commit.short())?;
        match self.shown_reference() {
            Some(name) => write!(f, " ({name})"),
            None => Ok(()),
        }
    }
}

/// Finds the commit that a word names: `HEAD`, a whole name of a ref, a branch, a tag, a branch of a remote, an id or
/// the begin of one; then any number of `~N` and `^N`. A word that is more than one of these is refused, because a tag
/// must not stand before a branch unseen.
pub(super) fn resolve(store: &dyn Store, path: &Path, word: &str) -> Result<Revision, GitError> {
    let (name, steps) = word.split_at(word.find(['~', '^']).unwrap_or(word.len()));
    let (reference, id) = named(store, path, name)?;
    let mut commit = peel(store, name, id)?;
    for (is_parent, number) in parse_steps(word, steps)? {
        let no_such = || GitError::NoSuchRevision {
            path: path.to_owned(),
            revision: word.to_owned(),
        };
        let (times, which) = match is_parent {
            true => (usize::from(number != 0), number.saturating_sub(1)),
            false => (number, 0),
        };
        for _ in 0..times {
            let parents = commit_of(store, &commit)?.parents;
            commit = parents.get(which).cloned().ok_or_else(no_such)?;
        }
    }
    Ok(Revision { commit, reference })
}

/// `~2^1`: whether it chooses a parent, and the number.
fn parse_steps(word: &str, steps: &str) -> Result<Vec<(bool, usize)>, GitError> {
    let bad = || GitError::BadName {
        revision: word.to_owned(),
    };
    let mut parsed = Vec::new();
    let mut rest = steps;
    while let Some(sign) = rest.chars().next() {
        let behind = rest.get(1..).unwrap_or_default();
        let end = behind
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(behind.len());
        let (number, after) = behind.split_at(end);
        let number = match number {
            "" => 1,
            // Nobody means more, and each step reads a commit.
            number if number.len() <= 5 => number.parse().map_err(|_| bad())?,
            _ => return Err(bad()),
        };
        match sign {
            '^' => parsed.push((true, number)),
            '~' => parsed.push((false, number)),
            _ => return Err(bad()),
        }
        rest = after;
    }
    Ok(parsed)
}

/// The ref, if it is one, and the id that a word names.
fn named(
    store: &dyn Store,
    path: &Path,
    word: &str,
) -> Result<(Option<String>, ObjectId), GitError> {
    if let Ok(id) = word.parse() {
        return Ok((None, id));
    }
    if !is_ref_name(word) {
        return Err(GitError::BadName {
            revision: word.to_owned(),
        });
    }
    let candidates = match word {
        "HEAD" => vec![word.to_owned()],
        _ if word.starts_with("refs/") => vec![word.to_owned()],
        _ => ["refs/heads/", "refs/tags/", "refs/remotes/"]
            .map(|begin| format!("{begin}{word}"))
            .to_vec(),
    };
    let mut found = Vec::new();
    for name in candidates {
        found.extend(follow(store, &name)?);
    }
    let is_short = FEWEST <= word.len() && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_short && let Some(id) = store.complete(word)? {
        found.push((id.to_string(), id));
    }
    match found.as_slice() {
        [] => Err(GitError::NoSuchRevision {
            path: path.to_owned(),
            revision: word.to_owned(),
        }),
        [(name, id)] if *name == id.as_str() => Ok((None, id.clone())),
        [(name, id)] => Ok((Some(name.clone()), id.clone())),
        several => {
            let names = several.iter().map(|(name, _)| format!("`{name}`"));
            Err(GitError::Ambiguous {
                revision: word.to_owned(),
                names: names.collect::<Vec<_>>().join(", "),
            })
        }
    }
}

/// Follows a ref to its end: the name of the last one, and the id; `None` when there is no such ref.
fn follow(store: &dyn Store, name: &str) -> Result<Option<(String, ObjectId)>, GitError> {
    let mut name = name.to_owned();
    for depth in 0..DEEPEST {
        match store.reference(&name)? {
            Some(Target::Id(id)) => return Ok(Some((name, id))),
            Some(Target::Symbolic(other)) if is_ref_name(&other) && other.starts_with("refs/") => {
                name = other;
            }
            Some(Target::Symbolic(other)) => return Err(GitError::BadName { revision: other }),
            None if depth == 0 => return Ok(None),
            None => return Err(GitError::Unborn { reference: name }),
        }
    }
    Err(GitError::BadName { revision: name })
}

/// Whether a word can be a ref, or part of one (git-check-ref-format(1)); it becomes a path.
fn is_ref_name(word: &str) -> bool {
    let is_part = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && !part.ends_with('.')
            && !part.ends_with(".lock")
    };
    let is_odd = |c: char| c.is_control() || " ~^:?*[\\".contains(c);
    !word.contains("..")
        && !word.contains("@{")
        && !word.starts_with('-')
        && word != "@"
        && word.len() <= 512
        && !word.contains(is_odd)
        && word.split('/').all(is_part)
}

/// From a tag to the commit it names.
fn peel(store: &dyn Store, word: &str, id: ObjectId) -> Result<ObjectId, GitError> {
    let mut id = id;
    for _ in 0..DEEPEST {
        let read = store.object(&id, LARGEST);
        let found = match read {
            Ok(object) => object,
            // Whatever it is, it is no commit.
            Err(GitError::TooLarge { .. }) => {
                return Err(GitError::NotACommit {
                    revision: word.to_owned(),
                    kind: Kind::Blob,
                    id,
                });
            }
            Err(error) => return Err(error),
        };
        let next = object::tag(&found.bytes).filter(|_| found.kind == Kind::Tag);
        match (found.kind, next) {
            (Kind::Commit, _) => return Ok(id),
            (Kind::Tag, Some((next, _))) => id = next,
            (kind, _) => {
                return Err(GitError::NotACommit {
                    revision: word.to_owned(),
                    kind,
                    id,
                });
            }
        }
    }
    Err(GitError::BadName {
        revision: word.to_owned(),
    })
}

/// What a commit says.
pub(super) fn commit_of(store: &dyn Store, id: &ObjectId) -> Result<Commit, GitError> {
    let object = store.object(id, LARGEST)?;
    let commit = match object.kind {
        Kind::Commit => object::commit(&object.bytes),
        Kind::Tree | Kind::Blob | Kind::Tag => None,
    };
    commit.ok_or_else(|| GitError::NotACommit {
        revision: id.to_string(),
        kind: object.kind,
        id: id.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::is_ref_name;

    #[test]
    fn names_of_refs() {
        for good in ["main", "team/x", "refs/heads/a-b_c", "v1.0", "HEAD", "ä"] {
            assert!(is_ref_name(good), "{good}");
        }
        for bad in [
            "",
            "..",
            "a/../b",
            "/a",
            "a/",
            "a//b",
            ".a",
            "a/.b",
            "a.lock",
            "a b",
            "a:b",
            "a*",
            "a\nb",
            "a@{1}",
            "@",
            "-a",
            "a^",
            "a~1",
            "a\\b",
            "a.",
            "refs/../../etc/shadow",
        ] {
            assert!(!is_ref_name(bad), "{bad}");
        }
    }
}
