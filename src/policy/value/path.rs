//! Files of the policy's own tree: [`ListFile`], and [`IncludePattern`] for several of them.
//!
//! Whatever could lead out of the tree is refused as text, before any file is looked for. Links are another matter:
//! whoever opens the file sees to them.

use super::{ValueError, leaf};
use crate::diagnostic::{Code, is_invisible};
use std::{fmt, str::FromStr};

/// Longest path, in bytes.
const LONGEST: usize = 1024;
/// Longest part between two `/`, in bytes; no file system has longer names.
const LONGEST_NAME: usize = 255;

/// A pattern for files that belong to the policy, from the directory of the policy downwards. `*` stands for any
/// characters of one name and `?` for one. Example: `services/*.yaml`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IncludePattern(String);

impl IncludePattern {
    /// The pattern; `/` between its parts, none of which is empty or begins with `.`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The parts between the `/`.
    pub fn parts(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }
}

impl fmt::Display for IncludePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for IncludePattern {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        stays_inside(text)?;
        if let Some(odd) = text.chars().find(|c| matches!(c, '[' | ']' | '{' | '}')) {
            let message = format!("a pattern cannot hold `{odd}`");
            return Err(ValueError::new(Code::BadPath, message)
                .help("`*` stands for any characters of a name, `?` for one"));
        }
        if text.contains("**") {
            let message = format!("`{text}` holds `**`, which the language does not have");
            return Err(ValueError::new(Code::BadPath, message)
                .help("`*` stands for a part of one name: write one `*` for each directory"));
        }
        if !text.ends_with(".yaml") {
            let message = format!("`{text}` does not end in `.yaml`");
            return Err(ValueError::new(Code::BadPath, message)
                .help("files of a policy do; lists of addresses are groups: `{ file: ... }`"));
        }
        Ok(IncludePattern(text.into()))
    }
}

leaf!(IncludePattern, "include-pattern", "a pattern for files", {
    "type": "string",
    "pattern": "^[^/~].*\\.yaml$",
    "maxLength": 1024,
    "description": "A pattern for files below the directory of the policy: `services/*.yaml`."
});

/// A file of addresses that belongs to the policy, by its path from the directory of the policy downwards.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ListFile(String);

impl ListFile {
    /// The path; `/` between its parts, none of which is empty or begins with `.`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ListFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ListFile {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        stays_inside(text)?;
        if let Some(odd) = text.chars().find(|c| matches!(c, '*' | '?' | '[' | ']')) {
            let message = format!("the path `{text}` holds `{odd}`");
            return Err(ValueError::new(Code::BadPath, message).help(
                "a group is one file: write one group for each, and a group of these groups",
            ));
        }
        Ok(ListFile(text.into()))
    }
}

leaf!(ListFile, "list-file", "the path of a file", {
    "type": "string",
    "pattern": "^[^/~]",
    "maxLength": 1024,
    "description": "A file below the directory of the policy: `lists/bogons.txt`."
});

/// A directory of a repository from its root downwards; `.` for the root itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subdirectory(String);

impl Subdirectory {
    /// The path; `/` between its parts, empty for the root.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Subdirectory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "." } else { &self.0 })
    }
}

impl FromStr for Subdirectory {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let below = text.strip_suffix('/').unwrap_or(text);
        if below == "." {
            return Ok(Self(String::new()));
        }
        stays_inside(below)?;
        Ok(Self(below.to_owned()))
    }
}

leaf!(Subdirectory, "subdirectory", "a directory of the repository", {
    "type": "string",
    "pattern": "^[^/~]",
    "maxLength": 1024,
    "description": "A directory from the root of the repository downwards: `sites/office`; `.` for the root."
});

/// A file or directory of the box by its whole path. Example: `/etc/rfw/allowed_signers`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FilePath(String);

impl FilePath {
    /// Where the allowed signers are, when nothing else is said.
    #[must_use]
    pub fn allowed_signers() -> Self {
        Self("/etc/rfw/allowed_signers".to_owned())
    }

    /// The path.
    #[must_use]
    pub fn as_path(&self) -> &std::path::Path {
        std::path::Path::new(&self.0)
    }
}

impl fmt::Display for FilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for FilePath {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let bad = |message: String| {
            let help = "write the whole path: `/etc/rfw/allowed_signers`";
            Err(ValueError::new(Code::BadPath, message).help(help))
        };
        if let Some(odd) = text.chars().find(|c| is_invisible(*c)) {
            let odd = u32::from(odd);
            return bad(format!("a path cannot hold the character U+{odd:04X}"));
        }
        if LONGEST < text.len() {
            return bad(format!(
                "the path has {} bytes, at most {LONGEST} are read",
                text.len()
            ));
        }
        if !text.starts_with('/') {
            return bad(format!(
                "`{text}` is no path from the root of the file system"
            ));
        }
        if text.split('/').any(|part| part == "..") {
            return bad(format!("`{text}` holds `..`"));
        }
        Ok(Self(text.to_owned()))
    }
}

leaf!(FilePath, "file-path", "a path from the root of the file system", {
    "type": "string",
    "pattern": "^/",
    "maxLength": 1024,
    "description": "A file or directory of the box by its whole path: `/etc/rfw/allowed_signers`."
});

/// Refuses what is no path from the policy's directory downwards.
fn stays_inside(text: &str) -> Result<(), ValueError> {
    const HELP: &str = "write a path below the directory of the policy: `services/web.yaml`";
    let bad = |message: String| Err(ValueError::new(Code::BadPath, message).help(HELP));
    if text.is_empty() {
        return bad("the path is empty".into());
    }
    if let Some(odd) = text.chars().find(|c| is_invisible(*c)) {
        return bad(format!(
            "a path cannot hold the character U+{:04X}",
            u32::from(odd)
        ));
    }
    if LONGEST < text.len() {
        return bad(format!(
            "the path has {} bytes, at most {LONGEST} are read",
            text.len()
        ));
    }
    if text.contains("://") {
        return bad(format!(
            "`{text}` is no file but an address to fetch it from"
        ));
    }
    if text.starts_with('/') {
        return bad(format!("`{text}` is an absolute path"));
    }
    if text.starts_with('~') {
        return bad(format!("`{text}` begins with `~`, a home directory"));
    }
    if text.contains('\\') {
        return bad(format!("`{text}` holds a `\\`"));
    }
    for part in text.split('/') {
        if part == ".." {
            return bad(format!("`{text}` leads out of the policy by `..`"));
        }
        if part.is_empty() {
            return bad(format!("a part of the path `{text}` is empty"));
        }
        if part.starts_with('.') {
            return bad(format!(
                "`{part}` in `{text}` begins with a dot, and hidden files are no part of a policy"
            ));
        }
        if LONGEST_NAME < part.len() {
            return bad(format!(
                "a name of {} bytes in the path, at most {LONGEST_NAME} are possible",
                part.len()
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{FilePath, IncludePattern, ListFile, Subdirectory};
    use crate::policy::value::leaf::told;

    #[track_caller]
    fn check(text: &str, expect: &str) {
        let told = told::<IncludePattern>(text);
        assert_eq!(told.split(';').next().unwrap(), expect, "{text}");
    }

    #[test]
    fn patterns_stay_inside() {
        check("services/*.yaml", "ok: services/*.yaml");
        check("sites/*/rules-?.yaml", "ok: sites/*/rules-?.yaml");
        check("a..b/c.yaml", "ok: a..b/c.yaml");
        for (text, expect) in [
            ("", "the path is empty"),
            ("/etc/shadow.yaml", "`/etc/shadow.yaml` is an absolute path"),
            ("../x.yaml", "`../x.yaml` leads out of the policy by `..`"),
            (
                "a/../../x.yaml",
                "`a/../../x.yaml` leads out of the policy by `..`",
            ),
            ("~/x.yaml", "`~/x.yaml` begins with `~`, a home directory"),
            ("a\0.yaml", "a path cannot hold the character U+0000"),
            ("a//b.yaml", "a part of the path `a//b.yaml` is empty"),
            ("a\\b.yaml", "`a\\b.yaml` holds a `\\`"),
            (
                "https://x/y.yaml",
                "`https://x/y.yaml` is no file but an address to fetch it from",
            ),
            (
                "**/a.yaml",
                "`**/a.yaml` holds `**`, which the language does not have",
            ),
            ("[ab].yaml", "a pattern cannot hold `[`"),
            ("services/*", "`services/*` does not end in `.yaml`"),
            (
                ".git/config.yaml",
                "`.git` in `.git/config.yaml` begins with a dot, and hidden files are no part of a policy",
            ),
            (
                "./a.yaml",
                "`.` in `./a.yaml` begins with a dot, and hidden files are no part of a policy",
            ),
        ] {
            check(text, &format!("bad-path: {expect}"));
        }
    }

    #[test]
    fn directories_of_a_repository_and_paths_of_the_box() {
        assert_eq!(told::<Subdirectory>("."), "ok: .");
        assert_eq!(told::<Subdirectory>("a/b/"), "ok: a/b");
        assert!(told::<Subdirectory>("../a").starts_with("bad-path: "));
        assert!(told::<Subdirectory>("/a").starts_with("bad-path: "));
        assert_eq!(told::<FilePath>("/etc/x"), "ok: /etc/x");
        for bad in ["", "etc/x", "/etc/../x", "/etc/\n"] {
            assert!(told::<FilePath>(bad).starts_with("bad-path: "), "{bad}");
        }
    }

    #[test]
    fn a_list_is_one_file() {
        assert_eq!(told::<ListFile>("lists/bogons.txt"), "ok: lists/bogons.txt");
        let several = told::<ListFile>("lists/*.txt");
        assert!(
            several.starts_with("bad-path: the path `lists/*.txt` holds `*`"),
            "{several}"
        );
        assert!(told::<ListFile>("lists/../../x").starts_with("bad-path"));
    }
}
