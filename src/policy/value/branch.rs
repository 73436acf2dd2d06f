//! Names of branches.

use super::{ValueError, leaf};
use crate::diagnostic::{Code, is_invisible};
use std::{fmt, str::FromStr};

/// A branch of a Git repository by its short name (git-check-ref-format(1)). Example: `main`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Branch(String);

impl Branch {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// `main`.
impl Default for Branch {
    fn default() -> Self {
        Self("main".to_owned())
    }
}

impl fmt::Display for Branch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Branch {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let bad = |message: String| {
            let help = "the short name as `git branch` shows it: `main`";
            Err(ValueError::new(Code::BadName, message).help(help))
        };
        if text.starts_with("refs/") {
            return bad(format!("`{text}` is the whole name of a ref"));
        }
        let is_odd = |c: &char| is_invisible(*c) || " ~^:?*[\\".contains(*c);
        if let Some(odd) = text.chars().find(is_odd) {
            return bad(format!("a branch cannot hold `{}`", odd.escape_debug()));
        }
        let is_part = |part: &str| {
            !part.is_empty()
                && !part.starts_with('.')
                && !part.ends_with('.')
                && !part.ends_with(".lock")
        };
        let is_name = !text.contains("..")
            && !text.contains("@{")
            && !text.starts_with('-')
            && text != "@"
            && text != "HEAD"
            && text.len() <= 255
            && text.split('/').all(is_part);
        match is_name {
            true => Ok(Self(text.to_owned())),
            false => bad(format!("`{text}` is no name of a branch")),
        }
    }
}

leaf!(Branch, "branch", "a branch", {
    "type": "string",
    "minLength": 1,
    "maxLength": 255,
    "description": "A branch of a Git repository by its short name: `main`."
});

#[cfg(test)]
mod tests {
    use super::Branch;
    use crate::policy::value::leaf::told;

    #[test]
    fn branches() {
        for good in ["main", "team/x", "v1.0", "a-b"] {
            assert_eq!(told::<Branch>(good), format!("ok: {good}"));
        }
        for bad in [
            "",
            "a b",
            "-x",
            "a..b",
            "a/",
            "a.lock",
            "HEAD",
            "@",
            "refs/heads/main",
            "a\nb",
        ] {
            assert!(told::<Branch>(bad).starts_with("bad-name: "), "{bad}");
        }
    }
}
