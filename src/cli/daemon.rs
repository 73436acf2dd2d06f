//! What the daemon says of itself, for commands that ask. Whether it lives says the lock that it holds: a process with the
//! number that stands in its report may be any other by now.
#![expect(
    clippy::disallowed_methods,
    reason = "reads the daemon's report, and whether its lock is held"
)]

use std::fs::{self, File};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use super::Global;
use crate::health::Daemon;
use crate::reconcile::Report;

/// The report in the run directory.
pub(super) const REPORT: &str = "status.json";
/// The lock that the daemon holds as long as it lives.
pub(super) const LOCK: &str = "watch.lock";

/// The daemon's report, if there is one, and whether the daemon still runs.
pub(super) fn daemon(global: &Global) -> Option<Daemon> {
    let text = fs::read(global.run_dir.join(REPORT)).ok()?;
    let report: Report = serde_json::from_slice(&text).ok()?;
    let running = is_held(&global.run_dir.join(LOCK));
    Some(Daemon { running, report })
}

/// Whether somebody holds a lock. It is asked for as one that many may hold, and only for this moment; whoever wants it
/// for himself tries again.
fn is_held(path: &Path) -> bool {
    let Ok(file) = File::open(path) else {
        return false;
    };
    let lock = Flock::lock(file, FlockArg::LockSharedNonblock);
    matches!(lock, Err((_, Errno::EWOULDBLOCK)))
}
