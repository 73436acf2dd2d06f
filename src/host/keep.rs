//! The file that keeps the settings over a reboot.
//!
//! At boot it is read for the system's own network namespace (that of process 1). A run in another one therefore
//! does not write it, unless it is told which file to use.
#![expect(
    clippy::disallowed_methods,
    reason = "reads and writes the file that keeps the settings"
)]

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::system::{FileState, SysctlFile, is_ours};

/// Where it is when nothing else is said. systemd-sysctl(8) and sysctl(8) read the directory in name order; the
/// last word wins.
const FILE: &str = "/etc/sysctl.d/90-rfw.conf";

/// Why the file was not written or removed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {act} `{path}`")]
pub struct KeepError {
    /// What was tried.
    pub act: &'static str,
    /// The file.
    pub path: PathBuf,
    /// The system's reason.
    pub source: io::Error,
}

/// What is where the file should be.
pub(super) fn look(file: Option<&Path>) -> SysctlFile {
    let path = file.unwrap_or(Path::new(FILE));
    let state = if file.is_none() && is_elsewhere() {
        FileState::NotHere(
            "the settings are not kept over a reboot: this is not the network namespace that the system boots with"
                .to_owned(),
        )
    } else {
        state(path)
    };
    SysctlFile {
        path: path.display().to_string(),
        state,
    }
}

fn state(path: &Path) -> FileState {
    // Not followed: a link to /dev/null is how an administrator switches such a file off.
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => FileState::Missing,
        Err(error) => FileState::Foreign(format!("it cannot be looked at: {error}")),
        Ok(metadata) if metadata.is_symlink() => FileState::Foreign("it is a link".to_owned()),
        Ok(metadata) if !metadata.is_file() => FileState::Foreign("it is no file".to_owned()),
        Ok(_) => match fs::read_to_string(path) {
            Ok(text) if is_ours(&text) => FileState::Ours(text),
            Ok(_) => FileState::Foreign("rfw has not written it".to_owned()),
            Err(error) => FileState::Foreign(format!("it cannot be read: {error}")),
        },
    }
}

/// Whether this is surely not the network namespace of process 1. An ordinary user cannot know.
pub fn is_elsewhere() -> bool {
    let namespace = |process: &str| fs::read_link(format!("/proc/{process}/ns/net"));
    match (namespace("1"), namespace("self")) {
        (Ok(system), Ok(own)) => system != own,
        _ => false,
    }
}

/// Writes the file. It is whole or the old one, also after a loss of power: written beside it, then renamed.
///
/// # Errors
/// When the directory cannot be made or the file cannot be written.
pub fn keep(path: &Path, text: &str) -> Result<(), KeepError> {
    use std::os::unix::fs::OpenOptionsExt;
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| KeepError {
            act: "write",
            path,
            source,
        }
    };
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    fs::create_dir_all(directory).map_err(failed(directory))?;
    // Not `*.conf`, so that nobody reads it before its time.
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    let written = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o644)
        .open(&beside)
        .and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        });
    written.map_err(failed(&beside))?;
    fs::rename(&beside, path).map_err(failed(path))?;
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(failed(directory))
}

/// Removes the file.
///
/// # Errors
/// When it is there and cannot be removed.
pub fn discard(path: &Path) -> Result<(), KeepError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(KeepError {
            act: "remove",
            path: path.to_owned(),
            source,
        }),
        _ => Ok(()),
    }
}
