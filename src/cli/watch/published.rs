//! What the daemon leaves in the run directory: the lock that says that it lives, its report, its socket.
#![expect(
    clippy::disallowed_methods,
    reason = "writes the report in the run directory"
)]

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use nix::fcntl::Flock;

use crate::cli::daemon::REPORT;
use crate::cli::error::{Explained, Failure};
use crate::cli::{Global, session};

const LOCK: &str = "watch.lock";
const SOCKET: &str = "control.sock";

/// The daemon's socket.
pub(in crate::cli) fn socket(global: &Global) -> PathBuf {
    global.run_dir.join(SOCKET)
}

/// The lock of the only daemon.
pub(super) fn lock(global: &Global) -> Result<Flock<File>, Failure> {
    #[derive(Debug, thiserror::Error)]
    #[error("another `rfw watch` runs (it holds `{path}`)")]
    struct Runs {
        path: PathBuf,
    }
    if let Some(lock) = session::try_lock(global, LOCK)? {
        return Ok(lock);
    }
    Err(Failure::World(Explained {
        error: Box::new(Runs {
            path: global.run_dir.join(LOCK),
        }),
        details: Vec::new(),
        now: vec!["this one has changed nothing".to_owned()],
    }))
}

/// Writes the report: whole, or the old one stays.
pub(super) fn store(run_dir: &Path, text: &str) -> io::Result<()> {
    let beside = run_dir.join(".status.json.new");
    fs::write(&beside, text)?;
    fs::rename(&beside, run_dir.join(REPORT))
}
