//! The box itself, as far as it is not nf_tables: its settings under `/proc/sys`, the file that keeps them, how full
//! its tables are.
//!
//! Everything under `/proc/sys/net` is that of the network namespace in which this process runs. What is read
//! becomes values of [`crate::system`]; what they mean is decided there.
#![expect(
    clippy::disallowed_methods,
    reason = "reads and writes /proc/sys, and the file that keeps the settings"
)]

mod address;
mod fill;
mod keep;
mod legacy;
mod rights;
mod service;
mod time_zone;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::system::{Change, Key, Observed, Reading, Scope, Settings};
pub use address::addresses;
pub use fill::{conntrack, kernel_log};
pub use keep::{KeepError, discard, is_elsewhere, keep};
pub use legacy::legacy;
pub use rights::rights;
pub use service::services;
pub use time_zone::minutes_west;

/// Where the kernel shows its settings.
const SYSCTL: &str = "/proc/sys";

/// Why the settings could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// Nothing is there.
    #[error(
        "cannot read the settings of the kernel: there is no `{SYSCTL}/net` (is /proc mounted?)"
    )]
    NoProc,
    /// One of them.
    #[error("cannot read `{path}`")]
    Unreadable {
        /// Its file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

/// Why a setting was not set.
#[derive(Debug, thiserror::Error)]
pub enum SetError {
    /// The kernel refused.
    #[error("cannot set {key} to {value}")]
    Refused {
        /// Which.
        key: String,
        /// What it should have become.
        value: u32,
        /// What it is now.
        now: String,
        /// The system's reason.
        source: io::Error,
    },
    /// It was taken, and is something else nevertheless.
    #[error("{key} was set to {value} and is {now}")]
    NotTaken {
        /// Which.
        key: String,
        /// What it should have become.
        value: u32,
        /// What it is now.
        now: String,
    },
}

/// The settings of these names that are there, as sysctl(8) names them.
pub fn values(names: &[&'static str]) -> BTreeMap<&'static str, String> {
    let read = names.iter().filter_map(|name| {
        let path = Path::new(SYSCTL).join(name.replace('.', "/"));
        let value = fs::read_to_string(path).ok()?;
        Some((*name, value.trim().to_owned()))
    });
    read.collect()
}

/// How strictly the kernel looks at the way back to the sources of what comes in by an interface (`rp_filter`: 0 not at all, 1 strict,
/// 2 loose): the greater of the interface's own and that of all.
pub fn reverse_path_filter(interface: &str) -> Option<u32> {
    let read = |scope: &str| -> Option<u32> {
        let path = Path::new(SYSCTL).join("net/ipv4/conf").join(scope);
        let value = fs::read_to_string(path.join("rp_filter")).ok()?;
        value.trim().parse().ok()
    };
    read(interface).into_iter().chain(read("all")).max()
}

/// Reads what these settings are now, and the file that keeps them: at `file`, or where it is when nothing else
/// is said.
///
/// # Errors
/// When there is no `/proc/sys`, or something in it cannot be read. A setting that is not there is no error.
pub fn observe(settings: &Settings, file: Option<&Path>) -> Result<Observed, SettingsError> {
    let mut readings = BTreeMap::new();
    let root = Path::new(SYSCTL);
    if !settings.is_empty() && !root.join("net").is_dir() {
        return Err(SettingsError::NoProc);
    }
    for setting in settings.iter() {
        if setting.key == Key::RpFilter(Scope::Every) {
            for name in interfaces(&root.join("net/ipv4/conf"))? {
                let key = Key::RpFilter(Scope::Interface(name));
                let reading = read(&key)?;
                // An interface may have gone since the names were read.
                if reading != Reading::Absent {
                    readings.insert(key, reading);
                }
            }
        } else {
            readings.insert(setting.key.clone(), read(&setting.key)?);
        }
    }
    Ok(Observed {
        ipv6: root.join("net/ipv6").is_dir(),
        readings,
        file: keep::look(file),
    })
}

/// Sets one, and reads it back. An interface that has gone has no setting any more, and that is no error.
///
/// # Errors
/// When the kernel refuses, or has something else afterwards.
pub fn set(change: &Change) -> Result<(), SetError> {
    let Change {
        key,
        value,
        was: _,
        origin: _,
    } = change;
    let path = Path::new(SYSCTL).join(key.path());
    let written = fs::OpenOptions::new()
        .write(true)
        .open(&path)
        .and_then(|mut file| file.write_all(format!("{value}\n").as_bytes()));
    let is_interface = matches!(key, Key::RpFilter(Scope::Interface(_)));
    let now = match read(key) {
        Ok(Reading::Value { text, writable: _ }) => text,
        Ok(Reading::Absent) if is_interface => return Ok(()),
        Ok(Reading::Absent) => "not there".to_owned(),
        Err(_) => "unreadable".to_owned(),
    };
    match written {
        Err(source) => Err(SetError::Refused {
            key: key.to_string(),
            value: *value,
            now,
            source,
        }),
        Ok(()) if now == value.to_string() => Ok(()),
        Ok(()) => Err(SetError::NotTaken {
            key: key.to_string(),
            value: *value,
            now,
        }),
    }
}

/// The value of one setting.
///
/// # Errors
/// When it is there and cannot be read.
pub fn read(key: &Key) -> Result<Reading, SettingsError> {
    use std::os::unix::fs::MetadataExt;
    let path = Path::new(SYSCTL).join(key.path());
    let read = fs::read_to_string(&path).and_then(|text| {
        // Where a setting belongs to the whole machine, the kernel takes the right to write away for everybody.
        let writable = fs::metadata(&path)?.mode() & 0o222 != 0;
        Ok(Reading::Value {
            text: text.trim_end().to_owned(),
            writable,
        })
    });
    match read {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Reading::Absent),
        read => read.map_err(|source| SettingsError::Unreadable { path, source }),
    }
}

/// The names in a directory of interfaces, without `all` and `default`, in order.
fn interfaces(directory: &Path) -> Result<Vec<String>, SettingsError> {
    let unreadable = |source| SettingsError::Unreadable {
        path: directory.to_owned(),
        source,
    };
    let mut names = Vec::new();
    for entry in fs::read_dir(directory).map_err(unreadable)? {
        // The kernel takes nearly any bytes as a name; what is not UTF-8 has its own value, and keeps it.
        if let Ok(name) = entry.map_err(unreadable)?.file_name().into_string()
            && name != "all"
            && name != "default"
        {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}
