//! Settings of the box under `/proc/sys`, as values: which the policy wants, which the box has, and what differs.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `key` | the keys that rfw knows, and no others |
//! | `settings` | what the policy wants of them |
//! | `observed` | what the box has |
//! | `difference` | what has to be written, and what cannot be |
//! | `file` | the text that keeps them over a reboot (sysctl.d(5)) |
//!
//! Not here: reading and writing them, which is [`crate::host`].

mod difference;
mod file;
mod key;
mod observed;
mod settings;

pub use difference::{Change, Difference, FileDifference, Unavailable, between, difference};
pub use file::{is_ours, keys_of, text_of};
pub use key::{Family, Key, Scope, Threshold, UnknownKey};
pub use observed::{FileState, Observed, Reading, SysctlFile};
pub use settings::{Setting, Settings};
