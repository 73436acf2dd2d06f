//! Whether the box is well: tables of the kernel that fill up, told before they are full.
//!
//! Facts go in, findings come out; nothing here reads anything. One check is one function of [`CHECKS`], in a file
//! of its own, so a new one needs a field of [`Facts`], a function, and a line. Not here: what differs from the
//! policy, which is a plan.

mod conntrack;
mod display;
mod feature;
mod foreign;
mod kernel_log;
mod legacy;
mod neighbour;
mod others;
mod permission;
mod service;
mod status;
mod sysctl;
mod time_zone;

pub use conntrack::Conntrack;
pub use feature::{Feature, FeatureAnswer};
pub use foreign::{ForeignChain, conflicts};
pub use kernel_log::{LogRecord, kernel_log_record};
pub use legacy::{Legacy, LegacyTable, legacy_tables};
pub use neighbour::NeighbourTable;
pub use others::{OtherBase, OtherChain, OtherTable};
pub use permission::{Rights, TrustedFile, TrustedKind};
pub use service::{SERVICES, Service};
pub use status::{CommitStatus, Daemon, Drift, Peer, SettingDrift, Status, Verified};
pub use sysctl::{KEYS, Surroundings};
pub use time_zone::{ADVICE as TIME_ZONE_ADVICE, TimeZone};

use schemars::JsonSchema;
use serde::Serialize;

/// What the checks look at. `Err` is why something could not be read, which is itself a finding.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The neighbour tables.
    pub neighbours: Result<Vec<NeighbourTable>, String>,
    /// Connection tracking; `None` where no connections are tracked.
    pub conntrack: Result<Option<Conntrack>, String>,
    /// What the kernel's log says about full tables.
    pub log: Result<Vec<LogRecord>, String>,
    /// What the kernel can do.
    pub features: Result<Vec<FeatureAnswer>, String>,
    /// The base chains of other tables.
    pub foreign: Result<Vec<ForeignChain>, String>,
    /// All tables, and what the rules of those that are not rfw's do.
    pub others: Result<Vec<OtherTable>, String>,
    /// The tables of iptables-legacy.
    pub legacy: Result<Legacy, String>,
    /// Services that write to the ruleset.
    pub services: Result<Vec<Service>, String>,
    /// Who may do what.
    pub rights: Result<Rights, String>,
    /// The settings of the box.
    pub surroundings: Result<Surroundings, String>,
    /// The kernel's own time zone.
    pub time_zone: Result<TimeZone, String>,
}

/// All checks, in the order of their findings.
pub const CHECKS: &[fn(&Facts) -> Vec<Finding>] = &[
    feature::check,
    neighbour::check,
    conntrack::check,
    kernel_log::check,
    foreign::check,
    others::check,
    legacy::check,
    service::check,
    permission::check,
    sysctl::check,
    time_zone::check,
];

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Finding {
    /// What was looked at; stable.
    pub check: String,
    /// How bad it is.
    pub severity: Severity,
    /// What was found.
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// All is well.
    Ok,
    /// It could not be looked at, or is worth knowing.
    Note,
    /// Packets will be lost if it goes on, or have been lost.
    Warning,
    /// Packets are being lost.
    Error,
}

/// All findings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Report {
    /// Of this shape: 1.
    pub version: u32,
    /// The worst of the findings.
    pub worst: Severity,
    /// In the order of the checks.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Makes all checks.
    pub fn of(facts: &Facts) -> Self {
        let findings: Vec<Finding> = CHECKS.iter().flat_map(|check| check(facts)).collect();
        let worst = findings.iter().map(|finding| finding.severity).max();
        Self {
            version: 1,
            worst: worst.unwrap_or(Severity::Ok),
            findings,
        }
    }

    /// The text of `schema/doctor.schema.json`: the shape that `--format json` prints.
    pub fn schema() -> String {
        crate::view::schema::<Self>("urn:rfw:doctor:1", "rfw doctor")
    }
}

impl Finding {
    fn new(check: &str, severity: Severity, message: impl Into<String>) -> Self {
        Self {
            check: check.to_owned(),
            severity,
            message: message.into(),
            advice: None,
        }
    }

    fn advice(mut self, advice: &str) -> Self {
        self.advice = Some(advice.to_owned());
        self
    }

    fn unreadable(check: &str, why: &str) -> Self {
        Self::new(check, Severity::Note, format!("cannot be looked at: {why}"))
    }
}

/// Whether `part` is at least `percent` of `whole`.
fn reaches(part: u64, percent: u64, whole: u64) -> bool {
    u128::from(percent) * u128::from(whole) <= 100 * u128::from(part)
}
