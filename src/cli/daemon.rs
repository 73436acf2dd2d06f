//! What the daemon says of itself, for commands that ask.
#![expect(
    clippy::disallowed_methods,
    reason = "reads the daemon's report, and whether its process is there"
)]

use std::fs;
use std::path::Path;

use super::Global;
use crate::health::Daemon;
use crate::reconcile::{Report, State};

/// The report in the run directory.
pub(super) const REPORT: &str = "status.json";

/// The daemon's report, if there is one, and whether the daemon still runs.
pub(super) fn daemon(global: &Global) -> Option<Daemon> {
    let text = fs::read(global.run_dir.join(REPORT)).ok()?;
    let report: Report = serde_json::from_slice(&text).ok()?;
    let process = Path::new("/proc").join(report.pid.to_string());
    let running = report.state != State::Stopped && process.exists();
    Some(Daemon { running, report })
}
