//! The settings of the box, on their way from a plan to `/proc/sys` and to the file that keeps them.

use std::io;
use std::path::Path;

use nix::errno::Errno;

use super::error::{Explained, Failure};
use super::output::Output;
use super::validate::counted;
use super::{Global, session};
use crate::host::{self, KeepError, SetError};
use crate::system::{Change, Difference, FileDifference, FileState, Settings, difference, keys_of};
use crate::system::{Family, Key, Reading};

/// What differs now.
pub(super) fn compare(settings: &Settings, global: &Global) -> Result<Difference, Failure> {
    let observed = host::observe(settings, global.sysctl_file.as_deref())
        .map_err(|error| Failure::world_now(error, session::UNCHANGED))?;
    Ok(difference(settings, &observed))
}

/// Refuses to begin what could not be finished.
pub(super) fn refuse_blocked(difference: &Difference) -> Result<(), Failure> {
    #[derive(Debug, thiserror::Error)]
    #[error("cannot keep the settings in `{path}`: {why}")]
    struct Blocked {
        path: String,
        why: String,
    }
    match &difference.file {
        FileDifference::Blocked { path, why } => Err(Failure::World(Explained {
            error: Box::new(Blocked {
                path: path.clone(),
                why: why.clone(),
            }),
            details: Vec::new(),
            now: vec![
                "neither the rules nor the settings have changed".to_owned(),
                "move it away, or name another file with --sysctl-file".to_owned(),
            ],
        })),
        FileDifference::Same
        | FileDifference::Write { .. }
        | FileDifference::Remove { .. }
        | FileDifference::NotHere { .. } => Ok(()),
    }
}

/// Ends forwarding that the policy ends, before the rules change. Returns what was done, for the case that the
/// rules are refused.
pub(super) fn before_rules(difference: &Difference) -> Result<Vec<String>, Failure> {
    let mut done = Vec::new();
    let mut refused = Vec::new();
    for change in difference.before_rules() {
        match host::set(change) {
            Ok(()) => done.push(format!("{} is {} now", change.key, change.value)),
            Err(error) => refused.push(error),
        }
    }
    if refused.is_empty() {
        return Ok(done);
    }
    let now = done.into_iter().chain([session::UNCHANGED.to_owned()]);
    Err(not_set(&refused, now.collect()))
}

/// Sets everything once the rules stand, and keeps it. What the rules have brought with them (connection
/// tracking) is there only now, so everything is read again. What can be set is set, whatever else is refused.
pub(super) fn after_rules(
    settings: &Settings,
    global: &Global,
    output: &mut Output,
) -> Result<(), Failure> {
    let difference = compare(settings, global)?;
    if difference.is_empty() {
        return Ok(());
    }
    let mut refused = Vec::new();
    let changes: Vec<&Change> = difference
        .before_rules()
        .chain(difference.after_rules())
        .collect();
    for change in &changes {
        refused.extend(host::set(change).err());
    }
    let kept = keep(&difference.file);
    if !refused.is_empty() {
        let mut now = vec!["the rules are in force, and so are the other settings".to_owned()];
        if let Err(error) = &kept {
            now.push(format!("{error}: {}", error.source));
        }
        return Err(not_set(&refused, now));
    }
    kept.map_err(|error| {
        Failure::world_now(
            error,
            "the rules and the settings are in force, but the next boot begins without the settings",
        )
    })?;
    verify(settings, global)?;
    report(changes.len(), &difference.file, output);
    Ok(())
}

/// Reads back.
fn verify(settings: &Settings, global: &Global) -> Result<(), Failure> {
    #[derive(Debug, thiserror::Error)]
    #[error("settings differ again after they were set")]
    struct NotVerified;
    let difference = compare(settings, global)?;
    if difference.is_empty() {
        return Ok(());
    }
    let details = difference
        .changes
        .iter()
        .map(|change| format!("{} is {}, not {}", change.key, change.was, change.value));
    Err(Failure::World(Explained {
        error: Box::new(NotVerified),
        details: details.collect(),
        now: vec!["the rules are in force; somebody else sets the same settings".to_owned()],
    }))
}

fn keep(file: &FileDifference) -> Result<(), KeepError> {
    match file {
        FileDifference::Write { path, text, was: _ } => host::keep(Path::new(path), text),
        FileDifference::Remove { path, was: _ } => host::discard(Path::new(path)),
        FileDifference::Same | FileDifference::Blocked { .. } | FileDifference::NotHere { .. } => {
            Ok(())
        }
    }
}

fn report(set: usize, file: &FileDifference, output: &mut Output) {
    let mut parts = Vec::new();
    if set != 0 {
        parts.push(format!("{} set and read back", counted(set, "setting")));
    }
    match file {
        FileDifference::Write { path, .. } => parts.push(format!("kept in {path}")),
        FileDifference::Remove { path, .. } => parts.push(format!("{path} removed")),
        FileDifference::Same | FileDifference::Blocked { .. } | FileDifference::NotHere { .. } => {}
    }
    output.note(&parts.join("; "));
}

/// Which settings were refused, why, what they are now, and what to do.
fn not_set(refused: &[SetError], mut now: Vec<String>) -> Failure {
    #[derive(Debug, thiserror::Error)]
    #[error("the kernel refused {count}")]
    struct NotSet {
        count: String,
    }
    let details = refused.iter().map(|error| match error {
        SetError::Refused {
            source, now: is, ..
        } => {
            format!("{error}: {source}; it is {is}")
        }
        SetError::NotTaken { .. } => error.to_string(),
    });
    let details = details.collect();
    let advice = refused.iter().find_map(|error| match error {
        SetError::Refused { source, .. } => advice(source),
        SetError::NotTaken { .. } => None,
    });
    now.extend(advice.map(str::to_owned));
    Failure::World(Explained {
        error: Box::new(NotSet {
            count: counted(refused.len(), "setting"),
        }),
        details,
        now,
    })
}

fn advice(source: &io::Error) -> Option<&'static str> {
    let errno = source.raw_os_error().map(Errno::from_raw)?;
    match errno {
        Errno::EROFS => Some(
            "/proc/sys is mounted read-only here, as containers have it: set it outside, or leave the section `sysctl` out",
        ),
        Errno::EACCES | Errno::EPERM => {
            Some("settings want CAP_NET_ADMIN in the network namespace they belong to")
        }
        Errno::EINVAL | Errno::ERANGE => Some("the kernel does not take this value"),
        _ => None,
    }
}

/// Takes the file away. Returns what stays: settings that it kept, with their values now.
pub(super) fn remove(global: &Global, output: &mut Output) -> Result<Vec<String>, Failure> {
    let observed = host::observe(&Settings::default(), global.sysctl_file.as_deref())
        .map_err(Failure::world)?;
    let file = difference(&Settings::default(), &observed).file;
    let FileState::Ours(text) = &observed.file.state else {
        return Ok(Vec::new());
    };
    keep(&file).map_err(|error| Failure::world_now(error, session::UNCHANGED))?;
    output.line(&format!("{} removed", observed.file.path));
    let stays = keys_of(text).filter_map(|key| match host::read(&key) {
        Ok(Reading::Value { text, writable: _ }) => Some(format!("{key} = {text}")),
        Ok(Reading::Absent) | Err(_) => None,
    });
    Ok(stays.collect())
}

/// The families whose packets the box forwards now.
pub(super) fn forwards() -> Vec<Key> {
    let keys = Family::BOTH.map(Key::Forwarding).into_iter();
    keys.filter(
        |key| matches!(host::read(key), Ok(Reading::Value { text, writable: _ }) if text != "0"),
    )
    .collect()
}
