//! What the daemon leaves in the run directory: the lock that says that it lives, its report, its socket.
#![expect(
    clippy::disallowed_methods,
    reason = "writes the report in the run directory"
)]

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use nix::fcntl::Flock;

use crate::cli::daemon::{LOCK, REPORT};
use crate::cli::error::{Explained, Failure};
use crate::cli::{Global, session};

const SOCKET: &str = "control.sock";

/// The daemon's socket.
pub(in crate::cli) fn socket(global: &Global) -> PathBuf {
    global.run_dir.join(SOCKET)
}

/// How often the lock is asked for, and how long between: whoever asks whether the daemon lives holds it for a moment.
const ATTEMPTS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(10);

/// The lock of the only daemon.
pub(super) fn lock(global: &Global) -> Result<Flock<File>, Failure> {
    #[derive(Debug, thiserror::Error)]
    #[error("another `rfw watch` runs (it holds `{path}`)")]
    struct Runs {
        path: PathBuf,
    }
    for _ in 0..ATTEMPTS {
        if let Some(lock) = session::try_lock(global, LOCK)? {
            return Ok(lock);
        }
        thread::sleep(PAUSE);
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
