//! Who may sign: a file as ssh-keygen(1) knows it under ALLOWED SIGNERS.
//!
//! ```text
//! ann@example.org namespaces="git",valid-before="20270101Z" ssh-ed25519 AAAA… a comment
//! ```
//!
//! Nothing in it is passed over: a line that is not understood makes the whole file unusable, and says why.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use ssh_key::public::KeyData;
use ssh_key::{Algorithm, PublicKey};

/// What git signs in.
pub(super) const NAMESPACE: &str = "git";

/// Keys and the people they belong to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signers {
    pub(super) entries: Vec<Entry>,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) line: usize,
    pub(super) principals: String,
    /// Whether the key may sign for git.
    pub(super) for_git: bool,
    /// From then on (Unix seconds).
    pub(super) after: Option<i64>,
    /// Until then, which is not part of it.
    pub(super) before: Option<i64>,
    pub(super) key: KeyData,
}

/// A line that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the allowed signers: {why}")]
pub struct SignersError {
    /// Its number, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub why: String,
}

impl Signers {
    /// Reads the text of the file.
    ///
    /// # Errors
    /// The first line that cannot be used.
    pub fn read(text: &str) -> Result<Self, SignersError> {
        let mut entries = Vec::new();
        for (number, written) in text.lines().enumerate() {
            let written = written.trim();
            if written.is_empty() || written.starts_with('#') {
                continue;
            }
            let line = number + 1;
            let read = entry(line, written);
            entries.push(read.map_err(|why| SignersError { line, why })?);
        }
        Ok(Self { entries })
    }

    /// Whether nobody is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

fn entry(line: usize, text: &str) -> Result<Entry, String> {
    let (principals, rest) = word(text).ok_or("a quote is not closed")?;
    let mut entry = Entry {
        line,
        principals: principals.trim_matches('"').to_owned(),
        for_git: true,
        after: None,
        before: None,
        key: KeyData::Ed25519(ssh_key::public::Ed25519PublicKey([0; 32])),
    };
    if entry.principals.is_empty() || entry.principals.chars().any(char::is_control) {
        return Err("it does not say to whom the key belongs".into());
    }
    let (first, behind) = word(rest).ok_or("a quote is not closed")?;
    let key = match is_key_type(first) || first.is_empty() {
        true => rest,
        false => {
            for option in options(first) {
                set(&mut entry, option)?;
            }
            behind
        }
    };
    let kind = key.split_whitespace().next().unwrap_or_default();
    if kind.contains("-cert-v01@") {
        return Err("a certificate; rfw takes keys only".into());
    }
    let read = PublicKey::from_openssh(key)
        .map_err(|error| format!("no public key such as `ssh-ed25519 AAAA…`: {error}"))?;
    entry.key = match read.algorithm() {
        Algorithm::Ed25519 | Algorithm::SkEd25519 | Algorithm::SkEcdsaSha2NistP256 => {
            read.key_data().clone()
        }
        Algorithm::Ecdsa { curve } if curve != ssh_key::EcdsaCurve::NistP521 => {
            read.key_data().clone()
        }
        other => {
            return Err(format!(
                "a key of the kind {other}, which rfw does not verify; use ed25519, or ecdsa with nistp256 or nistp384"
            ));
        }
    };
    Ok(entry)
}

fn is_key_type(word: &str) -> bool {
    ["ssh-", "ecdsa-", "sk-"]
        .iter()
        .any(|begin| word.starts_with(begin))
}

/// The first word, in which spaces between quotes do not count, and what follows; `None` when a quote is open.
fn word(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start();
    let mut quoted = false;
    let end = text.find(|c: char| {
        quoted ^= c == '"';
        !quoted && c.is_whitespace()
    });
    if end.is_none() && quoted {
        return None;
    }
    Some(text.split_at(end.unwrap_or(text.len()))).map(|(word, rest)| (word, rest.trim_start()))
}

/// The parts between commas that are not between quotes.
fn options(text: &str) -> Vec<&str> {
    let mut quoted = false;
    text.split(|c: char| {
        quoted ^= c == '"';
        !quoted && c == ','
    })
    .collect()
}

fn set(entry: &mut Entry, option: &str) -> Result<(), String> {
    let (name, value) = option.split_once('=').unwrap_or((option, ""));
    let quoted = value
        .strip_prefix('"')
        .and_then(|value| value.strip_suffix('"'));
    let value = quoted.unwrap_or(value);
    match name.to_ascii_lowercase().as_str() {
        "namespaces" if !value.is_empty() => {
            if let Some(odd) = value
                .split(',')
                .find(|one| *one != "*" && one.contains(['*', '?', '!']))
            {
                return Err(format!(
                    "`{odd}` in `namespaces`; write whole names, or `*`"
                ));
            }
            entry.for_git = value.split(',').any(|one| one == NAMESPACE || one == "*");
            Ok(())
        }
        "valid-after" if entry.after.is_none() => {
            entry.after = Some(moment(value)?);
            Ok(())
        }
        "valid-before" if entry.before.is_none() => {
            entry.before = Some(moment(value)?);
            Ok(())
        }
        "cert-authority" => {
            Err("`cert-authority`: rfw takes keys only, and no certificates".into())
        }
        _ => Err(format!(
            "the option `{}` is not known",
            option.escape_debug()
        )),
    }
}

/// `YYYYMMDD` or `YYYYMMDDHHMM[SS]`, with or without `Z`: always in UTC here, whatever the time zone of the box.
fn moment(text: &str) -> Result<i64, String> {
    let bad = || {
        format!(
            "`{}` is no time such as `20270101` or `202701011200Z`",
            text.escape_debug()
        )
    };
    let digits = text.strip_suffix(['Z', 'z']).unwrap_or(text);
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) || !matches!(digits.len(), 8 | 12 | 14) {
        return Err(bad());
    }
    let part = |at: usize, length: usize| -> i16 {
        let part = digits.get(at..at + length);
        part.and_then(|part| part.parse().ok()).unwrap_or_default()
    };
    let small = |at: usize| i8::try_from(part(at, 2)).unwrap_or_default();
    let moment = DateTime::new(
        part(0, 4),
        small(4),
        small(6),
        small(8),
        small(10),
        small(12),
        0,
    );
    let moment = moment
        .ok()
        .and_then(|moment| moment.to_zoned_datetime(TimeZone::UTC).ok());
    moment
        .map(|moment| moment.timestamp().as_second())
        .ok_or_else(bad)
}

#[cfg(test)]
mod tests {
    use super::Signers;

    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGd6qmnOCO0Rlf8xgvdBYfdbX0IRB43GhCB0FdAPVhi9";

    fn told(text: &str) -> String {
        match Signers::read(text) {
            Err(error) => error.to_string(),
            Ok(signers) => {
                let entries = signers.entries.iter().map(|entry| {
                    let (git, after, before) = (entry.for_git, entry.after, entry.before);
                    format!(
                        "{} {} {git} {after:?} {before:?}",
                        entry.line, entry.principals
                    )
                });
                entries.collect::<Vec<_>>().join("; ")
            }
        }
    }

    #[track_caller]
    fn check(options: &str, expect: &str) {
        let told = told(&format!("a@b {options} {KEY} some comment\n"));
        assert_eq!(told.strip_prefix("1 a@b ").unwrap_or(&told), expect);
    }

    #[test]
    fn lines() {
        assert_eq!(told(""), "");
        assert_eq!(told("# a\n\n"), "");
        assert_eq!(
            told(&format!(
                "# a\n\"a b,c\" {KEY}\r\n  x@y\tnamespaces=\"git\" {KEY} c\n"
            )),
            "2 a b,c true None None; 3 x@y true None None"
        );
        check("", "true None None");
        check("namespaces=\"git\"", "true None None");
        check("namespaces=\"file,git\"", "true None None");
        check("NameSpaces=\"file\"", "false None None");
        check("namespaces=\"*\"", "true None None");
        check(
            "valid-after=\"19700102\",valid-before=\"197001020000\"",
            "true Some(86400) Some(86400)",
        );
        check("valid-before=\"19700102000001Z\"", "true None Some(86401)");
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        let line = "line 1 of the allowed signers: ";
        let check = |options: &str, expect: &str| check(options, &format!("{line}{expect}"));
        check(
            "cert-authority",
            "`cert-authority`: rfw takes keys only, and no certificates",
        );
        check(
            "namespaces=\"git\",cert-authority",
            "`cert-authority`: rfw takes keys only, and no certificates",
        );
        check(
            "namespaces=\"!git\"",
            "`!git` in `namespaces`; write whole names, or `*`",
        );
        check(
            "namespaces=\"g*\"",
            "`g*` in `namespaces`; write whole names, or `*`",
        );
        check(
            "namespaces=\"\"",
            "the option `namespaces=\\\"\\\"` is not known",
        );
        check(
            "valid-before=\"2027\"",
            "`2027` is no time such as `20270101` or `202701011200Z`",
        );
        check(
            "valid-before=\"20271301\"",
            "`20271301` is no time such as `20270101` or `202701011200Z`",
        );
        check(
            "valid-before=\"20270101\",valid-before=\"20280101\"",
            "the option `valid-before=\\\"20280101\\\"` is not known",
        );
        check(
            "verify-required",
            "the option `verify-required` is not known",
        );
        check("namespaces=\"git", "a quote is not closed");
        let told = |text: &str| told(text).replace(line, "");
        assert!(told("a@b").starts_with("no public key"));
        assert!(told("a@b ssh-ed25519 AAAA").starts_with("no public key"));
        assert!(told("a@b ssh-ed25519-cert-v01@openssh.com AAAA").starts_with("a certificate"));
        assert!(told(KEY).contains("is not known"), "{}", told(KEY));
    }
}
