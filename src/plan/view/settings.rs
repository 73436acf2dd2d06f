//! What happens to the settings of the box, for eyes and programs.

use schemars::JsonSchema;
use serde::Serialize;

use super::Verb;
use crate::system::{Difference, FileDifference, Unavailable};

/// What happens to the settings of the box.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Settings {
    /// Settings that get another value.
    pub changes: Vec<SettingChange>,
    /// Settings that the policy names and that cannot be set here; no failure.
    pub unavailable: Vec<UnavailableSetting>,
    /// Settings that the policy no longer names: they stay as they are until the next boot.
    pub released: Vec<String>,
    /// What happens to the file that keeps the settings over a reboot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<FileChange>,
    /// Why the settings are not kept over a reboot, when they are not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_kept: Option<String>,
}

/// A setting that gets another value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SettingChange {
    /// Which, as sysctl(8) writes it.
    pub key: String,
    /// What it will be.
    pub value: u32,
    /// What it is.
    pub was: String,
    /// Where in the policy it comes from.
    pub origin: String,
    /// The same as file and line, when the caller knows them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
}

/// A setting that cannot be set here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct UnavailableSetting {
    /// Which, as sysctl(8) writes it.
    pub key: String,
    /// What it should be.
    pub value: u32,
    /// What it is, when it is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub now: Option<String>,
    /// Why it cannot be set.
    pub why: String,
}

/// What happens to the file that keeps the settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FileChange {
    /// What happens to it.
    pub verb: Verb,
    /// Where it is.
    pub path: String,
    /// Why it cannot be done, when it cannot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blocked: Option<String>,
    /// Lines that go.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<String>,
    /// Lines that come.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub added: Vec<String>,
}

impl Settings {
    /// The view of what differs.
    pub fn of(difference: &Difference) -> Self {
        let Difference {
            changes,
            unavailable,
            released,
            file,
        } = difference;
        let changes = changes.iter().map(|change| SettingChange {
            key: change.key.to_string(),
            value: change.value,
            was: change.was.clone(),
            origin: change.origin.clone(),
            place: None,
        });
        Self {
            changes: changes.collect(),
            unavailable: unavailable.iter().map(unavailable_setting).collect(),
            released: released.iter().map(ToString::to_string).collect(),
            file: file_change(file),
            not_kept: match file {
                FileDifference::NotHere { why } => Some(why.clone()),
                FileDifference::Same
                | FileDifference::Write { .. }
                | FileDifference::Remove { .. }
                | FileDifference::Blocked { .. } => None,
            },
        }
    }

    /// Whether nothing would be done.
    pub fn changes_nothing(&self) -> bool {
        self.changes.is_empty() && self.file.is_none()
    }

    /// Whether there is nothing to say.
    pub fn is_silent(&self) -> bool {
        *self == Self::default()
    }
}

fn unavailable_setting(unavailable: &Unavailable) -> UnavailableSetting {
    let Unavailable {
        key,
        value,
        now,
        why,
    } = unavailable;
    UnavailableSetting {
        key: key.to_string(),
        value: *value,
        now: now.clone(),
        why: (*why).to_owned(),
    }
}

fn file_change(file: &FileDifference) -> Option<FileChange> {
    let change = |verb, path: &str| FileChange {
        verb,
        path: path.to_owned(),
        blocked: None,
        removed: Vec::new(),
        added: Vec::new(),
    };
    match file {
        FileDifference::Same | FileDifference::NotHere { .. } => None,
        FileDifference::Write {
            path,
            text: _,
            was: None,
        } => Some(change(Verb::Add, path)),
        FileDifference::Write {
            path,
            text,
            was: Some(was),
        } => Some(FileChange {
            removed: lines_without(was, text),
            added: lines_without(text, was),
            ..change(Verb::Replace, path)
        }),
        FileDifference::Remove { path, was: _ } => Some(change(Verb::Remove, path)),
        FileDifference::Blocked { path, why } => Some(FileChange {
            blocked: Some(why.clone()),
            ..change(Verb::Replace, path)
        }),
    }
}

/// The lines of one text that the other does not have; empty also when only their order differs.
fn lines_without(text: &str, other: &str) -> Vec<String> {
    let lines = text.lines();
    lines
        .filter(|line| other.lines().all(|another| another != *line))
        .map(str::to_owned)
        .collect()
}
