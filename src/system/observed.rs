//! What the box has of the settings that the policy names.

use std::collections::BTreeMap;

use super::Key;

/// A reading of the box.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// Whether the kernel has IPv6 here.
    pub ipv6: bool,
    /// What was read. Of settings for every interface, each interface there is, under its own name.
    pub readings: BTreeMap<Key, Reading>,
    /// The file that keeps them over a reboot.
    pub file: SysctlFile,
}

/// What there is of one setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Its value.
    Value {
        /// As the kernel writes it, without the line's end.
        text: String,
        /// Whether the kernel lets anybody write it here.
        writable: bool,
    },
    /// It is not there.
    Absent,
}

/// The file that rfw keeps settings in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SysctlFile {
    /// Where it is.
    pub path: String,
    /// What is there.
    pub state: FileState,
}

/// What is where the file of the settings should be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum FileState {
    /// Nothing.
    #[default]
    Missing,
    /// A file that rfw has written, perhaps edited since.
    Ours(String),
    /// Something that rfw has not written, and will not touch; and what it is.
    Foreign(String),
    /// It is not the file of this network namespace; and why.
    NotHere(String),
}
