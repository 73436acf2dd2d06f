//! Metrics: how rfw stands, in the text format of Prometheus (version 0.0.4).
//!
//! Facts in, text out. What is not known has no line: a missing series is honest, a zero is not. Metrics and their series come in one
//! order, so that two texts can be compared. Where the text goes is the edge's: a file for node_exporter, or an answer over HTTP.

mod daemon;
mod fill;
mod peer;
mod policy;
mod ruleset;
mod text;

pub use peer::read_policy;
pub use text::Text;

use crate::counters::Counts;
use crate::health::Status;
use crate::live::Live;
use daemon::report;
use fill::fill;
use policy::policy;
use ruleset::{contents, counted, table};
use text::Kind::Gauge;

/// What the metrics are made from.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The version of rfw.
    pub version: &'a str,
    /// How rfw stands.
    pub status: &'a Status,
    /// The live ruleset; `None` when it was not read.
    pub live: Option<&'a Live>,
    /// What its rules have counted.
    pub counts: Option<&'a Counts>,
}

/// The content type of the text.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The metrics.
pub fn metrics(facts: &Facts<'_>) -> String {
    let Facts {
        version,
        status,
        live,
        counts,
    } = facts;
    let mut text = Text::default();
    text.metric("rfw_info", Gauge, "The version of rfw.");
    text.sample(&[("version", version)], 1);
    table(&mut text, status, *live);
    policy(&mut text, status);
    if let Some(daemon) = &status.daemon {
        text.metric("rfw_daemon_running", Gauge, "Whether the daemon runs.");
        text.sample(&[], u8::from(daemon.running));
        report(&mut text, &daemon.report);
    }
    fill(&mut text, status);
    let ruleset = live.and_then(|live| live.table.as_ref());
    if let Some(table) = ruleset {
        contents(&mut text, table);
    }
    if let Some(counts) = counts {
        counted(&mut text, counts);
    }
    text.finish()
}
