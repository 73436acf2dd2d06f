//! Metrics of this box, and the file in which node_exporter finds them.
#![expect(clippy::disallowed_methods, reason = "writes the file")]

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::error::Failure;
use super::{Global, counters, session, status};
use crate::counters::counts;
use crate::metrics::{Facts, metrics};

/// The metrics now. What may not be read is left out.
pub(super) fn text(global: &Global) -> Result<String, Failure> {
    let status = status::status(global)?;
    let live = session::open().and_then(|mut kernel| counters::read(&mut kernel, global));
    let live = live.ok();
    if let Some(live) = &live {
        counters::take_note_silently(live, global);
    }
    let counts = live.as_ref().map(counts);
    Ok(metrics(&Facts {
        version: env!("CARGO_PKG_VERSION"),
        status: &status,
        live: live.as_ref(),
        counts: counts.as_ref(),
    }))
}

#[derive(Debug, thiserror::Error)]
#[error("cannot write the metrics to `{path}`")]
struct NotWritten {
    path: PathBuf,
    source: io::Error,
}

/// Puts the metrics into a file, whole or not at all, for everybody to read.
pub(super) fn write(text: &str, path: &Path) -> Result<(), Failure> {
    use std::os::unix::fs::PermissionsExt;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // node_exporter reads only what ends in `.prom`.
    let beside = path.with_file_name(format!(".{name}.{}", std::process::id()));
    let written = fs::write(&beside, text)
        .and_then(|()| fs::set_permissions(&beside, fs::Permissions::from_mode(0o644)))
        .and_then(|()| fs::rename(&beside, path));
    written.map_err(|source| {
        let _ = fs::remove_file(&beside);
        let path = path.to_owned();
        Failure::world(NotWritten { path, source })
    })
}
