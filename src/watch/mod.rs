//! Where the daemon meets the system: files that change, signals, the service manager, whoever asks.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `files` | the directories of a policy, and those of a repository's refs, by inotify(7) |
//! | `notify` | what the service manager is told (sd_notify(3)) |
//! | `control` | the socket on which commands ask the daemon |
//!
//! Each has a thread of its own that does nothing but wait and tell; what follows from it is decided in `reconcile`.

mod control;
mod files;
mod notify;

pub use control::{Asked, Control, Reply, Request, ask};
pub use files::{Files, Watched};
pub use notify::ServiceManager;
