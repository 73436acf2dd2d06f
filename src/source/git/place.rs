//! Where a repository lies, whose it is, and of which form: what is looked at before anything is read from it.

use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};

use nix::fcntl::OFlag;

use super::{Access, GitError};

/// Largest file of a repository that is read whole, in bytes; a `packed-refs` of half a million refs.
const LARGEST: u64 = 32 << 20;
/// The right of everybody to write.
const OTHERS_WRITE: u32 = 0o002;

/// A repository on the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The directory with `HEAD`.
    pub(super) git: PathBuf,
    /// The directory with the objects and the branches; the same but for linked work trees.
    pub(super) common: PathBuf,
    /// The path that was asked for, from the root of the repository; parts between `/`, empty for the root.
    pub(super) inside: String,
    pub(super) format: Format,
}

/// How a repository keeps what it keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Format {
    /// Its refs are in tables, not in files.
    pub(super) reftable: bool,
    /// Its objects are named by SHA-256, not by SHA-1.
    pub(super) sha256: bool,
    /// Some of its objects may be elsewhere.
    pub(super) partial: bool,
    /// Its history is cut off somewhere.
    pub(super) shallow: bool,
}

impl Format {
    /// What libgit2 and rfw cannot read themselves.
    pub(super) fn needs_client(self) -> Option<&'static str> {
        match self {
            Self { sha256: true, .. } => Some("SHA-256"),
            Self { reftable: true, .. } => Some("reftable"),
            _ => None,
        }
    }
}

/// Finds the repository that a path lies in: the path itself or the nearest directory above it that has a `.git` or is a
/// bare repository. What follows is a path of the commit: it need not be there on the disk.
pub(super) fn find(path: &Path, access: &Access) -> Result<Place, GitError> {
    let io = |source| GitError::Io {
        path: path.to_owned(),
        source,
    };
    let absolute = std::path::absolute(path).map_err(io)?;
    let written = without_dots(&absolute)?;
    let found = nearest(&written);
    let real = nearest(&real_path(&written));
    let same =
        |found: &Found, real: &Found| found.top.canonicalize().ok() == Some(real.top.clone());
    let found = match (found, real) {
        // Links inside of the repository say how the work tree is, and not the commit.
        (Some(found), Some(real)) if same(&found, &real) => Some(found),
        // Links on the way to it are followed.
        (_, Some(real)) => Some(real),
        (found, None) => found,
    };
    let Some(Found {
        top,
        dot_git,
        inside,
    }) = found
    else {
        return Err(GitError::NotARepository {
            path: path.to_owned(),
        });
    };
    let git = match dot_git {
        true => git_directory(&top.join(".git"), access)?,
        false => top,
    };
    examine(git, inside, access)
}

/// The path up to its last `..` as the file system has it, and what follows as it is written.
fn without_dots(path: &Path) -> Result<PathBuf, GitError> {
    let parts: Vec<Component<'_>> = path.components().collect();
    let last = parts.iter().rposition(|part| *part == Component::ParentDir);
    let Some(last) = last else {
        return Ok(path.to_owned());
    };
    let (head, tail) = parts.split_at(last + 1);
    let head: PathBuf = head.iter().collect();
    let real = head.canonicalize().map_err(|source| GitError::Io {
        path: head.clone(),
        source,
    })?;
    Ok(tail.iter().fold(real, |path, part| path.join(part)))
}

/// The path without links, as far as it is there.
fn real_path(path: &Path) -> PathBuf {
    for above in path.ancestors() {
        if let (Ok(real), Ok(rest)) = (above.canonicalize(), path.strip_prefix(above)) {
            return real.join(rest);
        }
    }
    path.to_owned()
}

/// A repository on the way to a path.
struct Found {
    /// Its directory.
    top: PathBuf,
    /// Whether that has a `.git`; else it is bare.
    dot_git: bool,
    /// The rest of the path.
    inside: String,
}

/// The nearest one.
fn nearest(path: &Path) -> Option<Found> {
    path.ancestors().find_map(|above| {
        let dot_git = above.join(".git").symlink_metadata().is_ok();
        let is_bare = || {
            above.join("HEAD").symlink_metadata().is_ok()
                && above.join("objects").is_dir()
                && above.join("refs").is_dir()
        };
        if !dot_git && !is_bare() {
            return None;
        }
        let rest = path.strip_prefix(above).ok()?;
        let rest: Option<Vec<&str>> = rest.iter().map(|part| part.to_str()).collect();
        Some(Found {
            top: above.to_owned(),
            dot_git,
            inside: rest?.join("/"),
        })
    })
}

/// What `.git` is, or leads to: linked work trees and submodules have a file there.
fn git_directory(dot_git: &Path, access: &Access) -> Result<PathBuf, GitError> {
    let kind = fs::symlink_metadata(dot_git).map_err(|source| GitError::Io {
        path: dot_git.to_owned(),
        source,
    })?;
    if !kind.is_file() {
        return Ok(dot_git.to_owned());
    }
    check_owner(dot_git, access)?;
    let text = read_text(dot_git)?.unwrap_or_default();
    let target = text.strip_prefix("gitdir:").map(str::trim);
    let target = target.filter(|target| !target.is_empty());
    let target = target.ok_or_else(|| GitError::Damaged {
        path: dot_git.to_owned(),
        what: "it does not say `gitdir: PATH`",
    })?;
    let above = dot_git.parent().unwrap_or(Path::new("/"));
    Ok(above.join(target))
}

/// Looks at a directory with `HEAD`: to whom it belongs, and how it keeps what it keeps.
fn examine(git: PathBuf, inside: String, access: &Access) -> Result<Place, GitError> {
    check_owner(&git, access)?;
    let common = match read_text(&git.join("commondir"))? {
        None => git.clone(),
        Some(text) => {
            check_owner(&git.join("commondir"), access)?;
            let joined = git.join(text.trim());
            joined.canonicalize().map_err(|source| GitError::Io {
                path: joined,
                source,
            })?
        }
    };
    for name in ["", "objects", "refs", "config", "HEAD"] {
        check_owner(&common.join(name), access)?;
    }
    check_owner(&git.join("HEAD"), access)?;
    let config = read_text(&common.join("config"))?.unwrap_or_default();
    let mut format = format(&config).map_err(|what| GitError::Unknown {
        path: common.clone(),
        what,
    })?;
    format.shallow = common.join("shallow").exists();
    refuse_alternates(&common.join("objects"))?;
    if let Some(quarantine) = &access.quarantine {
        check_owner_of_quarantine(quarantine, &common)?;
        refuse_alternates(quarantine)?;
    }
    Ok(Place {
        git,
        common,
        inside,
        format,
    })
}

/// Only root, the user that runs rfw, and those that the box names decide what a policy says.
fn check_owner(path: &Path, access: &Access) -> Result<(), GitError> {
    let kind = fs::metadata(path).map_err(|source| GitError::Io {
        path: path.to_owned(),
        source,
    })?;
    if kind.mode() & OTHERS_WRITE != 0 {
        return Err(GitError::WorldWritable {
            path: path.to_owned(),
        });
    }
    let owner = kind.uid();
    let trusted =
        owner == 0 || owner == nix::unistd::geteuid().as_raw() || access.owners.contains(&owner);
    match trusted {
        true => Ok(()),
        false => Err(GitError::Owner {
            path: path.to_owned(),
            owner,
        }),
    }
}

/// Objects in quarantine belong to whoever pushes. They lie among the repository's own, or are none of its.
fn check_owner_of_quarantine(quarantine: &Path, common: &Path) -> Result<(), GitError> {
    let real = |path: &Path| {
        path.canonicalize().map_err(|source| GitError::Io {
            path: path.to_owned(),
            source,
        })
    };
    if real(quarantine)?.starts_with(real(&common.join("objects"))?) {
        return Ok(());
    }
    Err(GitError::Damaged {
        path: quarantine.to_owned(),
        what: "a quarantine lies in the `objects` of its repository",
    })
}

fn refuse_alternates(objects: &Path) -> Result<(), GitError> {
    let path = objects.join("info/alternates");
    let text = read_text(&path)?.unwrap_or_default();
    let is_used = |line: &str| !line.trim().is_empty() && !line.starts_with('#');
    match text.lines().any(is_used) {
        true => Err(GitError::Alternates { path }),
        false => Ok(()),
    }
}

/// Reads a small file of the repository; `None` when it is not there. No link is followed, no pipe waited for.
pub(super) fn read_text(path: &Path) -> Result<Option<String>, GitError> {
    let io = |source| GitError::Io {
        path: path.to_owned(),
        source,
    };
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let mut options = fs::OpenOptions::new();
    let file = match options.read(true).custom_flags(flags.bits()).open(path) {
        Ok(file) => file,
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(io(error)),
    };
    let kind = file.metadata().map_err(io)?;
    if kind.is_dir() {
        // `refs/heads/team` where `refs/heads/team/x` is a branch.
        return Ok(None);
    }
    if !kind.is_file() {
        return Err(GitError::Damaged {
            path: path.to_owned(),
            what: "it is not a regular file",
        });
    }
    if kind.mode() & OTHERS_WRITE != 0 {
        return Err(GitError::WorldWritable {
            path: path.to_owned(),
        });
    }
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(io)?;
    let damaged = |what| GitError::Damaged {
        path: path.to_owned(),
        what,
    };
    if LARGEST < bytes.len() as u64 {
        return Err(damaged("it is far too large"));
    }
    let text = String::from_utf8(bytes).map_err(|_| damaged("it is not UTF-8"))?;
    Ok(Some(text))
}

/// What `config` says of the form of the repository (`gitrepository-layout(5)`, `extensions.*`). Nothing else of it is
/// looked at: it names programs.
fn format(config: &str) -> Result<Format, String> {
    let mut format = Format::default();
    let mut section = String::new();
    for line in config.lines() {
        let mut line = line.trim();
        if let Some(rest) = line.strip_prefix('[') {
            let Some((name, behind)) = rest.split_once(']') else {
                continue;
            };
            section = name.trim().to_ascii_lowercase();
            line = behind.trim();
        }
        let Some((key, value)) = line.split_once('=') else {
            continue;
        };
        let (key, value) = (key.trim().to_ascii_lowercase(), plain_value(value));
        match (section.as_str(), key.as_str(), value.as_str()) {
            ("core", "repositoryformatversion", "0" | "1") => {}
            ("core", "repositoryformatversion", other) => {
                return Err(format!("version {} of the format", other.escape_debug()));
            }
            ("extensions", "objectformat", "sha1") | ("extensions", "refstorage", "files") => {}
            ("extensions", "objectformat", "sha256") => format.sha256 = true,
            ("extensions", "refstorage", "reftable") => format.reftable = true,
            ("extensions", "partialclone", _) => format.partial = true,
            (section, "partialclonefilter", _) if section.starts_with("remote ") => {
                format.partial = true;
            }
            (
                "extensions",
                "noop" | "preciousobjects" | "worktreeconfig" | "relativeworktrees"
                | "compatobjectformat",
                _,
            ) => {}
            ("extensions", key, value) => {
                let (key, value) = (key.escape_debug(), value.escape_debug());
                return Err(format!("`extensions.{key} = {value}`"));
            }
            _ => {}
        }
    }
    Ok(format)
}

/// A value without quotes and comment.
fn plain_value(value: &str) -> String {
    let value = value.split(['#', ';']).next().unwrap_or_default();
    value.trim().trim_matches('"').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::{Format, format};

    #[test]
    fn forms() {
        let check = |config: &str, expect: Result<Format, &str>| {
            assert_eq!(format(config), expect.map_err(str::to_owned), "{config}");
        };
        let plain = Format::default();
        check("", Ok(plain));
        check(
            "[core]\n\trepositoryformatversion = 0\n\tbare = true\n",
            Ok(plain),
        );
        check(
            "[Extensions] ObjectFormat = \"sha256\" # new\n",
            Ok(Format {
                sha256: true,
                ..plain
            }),
        );
        check(
            "[extensions]\n\trefstorage = reftable\n",
            Ok(Format {
                reftable: true,
                ..plain
            }),
        );
        check(
            "[core]\nrepositoryformatversion = 1\n[extensions]\nnew = 1\n",
            Err("`extensions.new = 1`"),
        );
        check(
            "[core]\nrepositoryformatversion = 2\n",
            Err("version 2 of the format"),
        );
        // Another section's key of that name.
        check("[remote \"x\"]\nobjectformat = sha256\n", Ok(plain));
    }
}
