//! Metrics: how rfw stands, in the text format of Prometheus (version 0.0.4).
//!
//! Facts in, text out. What is not known has no line: a missing series is honest, a zero is not. Metrics and their series come in one
//! order, so that two texts can be compared. Where the text goes is the edge's: a file for node_exporter, or an answer over HTTP.

mod peer;
mod text;

pub use peer::read_policy;
pub use text::Text;

use crate::counters::Counts;
use crate::health::{Drift, Status};
use crate::live::{Live, LiveSet, Table};
use crate::reconcile::{Latency, Pull, Report, State};
use text::Kind::{Counter, Gauge};

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
        text.metric(
            "rfw_rule_packets_total",
            Counter,
            "Packets counted under the stable name of a rule.",
        );
        for (name, count) in *counts {
            text.sample(&[("rule", name)], count.packets);
        }
        text.metric(
            "rfw_rule_bytes_total",
            Counter,
            "Bytes counted under the stable name of a rule.",
        );
        for (name, count) in *counts {
            text.sample(&[("rule", name)], count.bytes);
        }
    }
    text.finish()
}

fn table(text: &mut Text, status: &Status, live: Option<&Live>) {
    text.metric(
        "rfw_generation",
        Gauge,
        "The generation of the live ruleset, of all tables.",
    );
    text.sample(&[], status.generation);
    let is_there = live.map_or(status.table.is_some(), |live| live.table.is_some());
    text.metric(
        "rfw_table_present",
        Gauge,
        "Whether table inet rfw is in the kernel.",
    );
    text.sample(&[], u8::from(is_there));
    let drift = match status.drift {
        Drift::No => Some(0_u8),
        Drift::Yes => Some(1),
        Drift::Unknown => None,
    };
    if let Some(drift) = drift {
        text.metric(
            "rfw_drift",
            Gauge,
            "Whether the box is not as it was verified; missing when that is not known.",
        );
        text.sample(&[], drift);
    }
    text.metric(
        "rfw_settings_drifted",
        Gauge,
        "Settings of the box that are not as they were verified.",
    );
    text.sample(&[], status.settings.len() as u64);
}

fn policy(text: &mut Text, status: &Status) {
    let commit = status.daemon.as_ref().and_then(|daemon| {
        let applied = daemon.report.applied.as_ref()?;
        applied.commit.as_deref()
    });
    if let Some(digest) = status.digest.as_deref() {
        text.metric(
            "rfw_policy_info",
            Gauge,
            "The policy that was verified last: its commit, and its digest, which is equal on all replicas.",
        );
        text.sample(
            &[("revision", commit.unwrap_or_default()), ("digest", digest)],
            1,
        );
    }
    let verified = status.verified.as_ref();
    if let Some(same) = verified.and_then(|verified| verified.policy_is_same) {
        text.metric(
            "rfw_policy_changed",
            Gauge,
            "Whether the policy has changed since it was verified.",
        );
        text.sample(&[], u8::from(!same));
    }
    if !status.next.is_empty() {
        text.metric(
            "rfw_next_switch_timestamp_seconds",
            Gauge,
            "When a schedule opens or closes next.",
        );
        for switch in &status.next {
            let Ok(at) = switch.at.parse::<jiff::Timestamp>() else {
                continue;
            };
            let does = if switch.opens { "opens" } else { "closes" };
            text.sample(
                &[("schedule", &switch.schedule), ("does", does)],
                at.as_second(),
            );
        }
    }
}

fn report(text: &mut Text, report: &Report) {
    let Report {
        version: _,
        pid: _,
        started,
        written,
        state,
        trouble,
        attempted: _,
        applied: _,
        generation: _,
        verified,
        drift,
        last_change,
        steps,
        step,
        reaction,
        foreign,
        next: _,
        warnings: _,
        lists,
        pull,
    } = report;
    text.metric(
        "rfw_daemon_start_timestamp_seconds",
        Gauge,
        "When the daemon started.",
    );
    text.sample(&[], *started);
    text.metric(
        "rfw_daemon_report_timestamp_seconds",
        Gauge,
        "When the daemon last wrote its report.",
    );
    text.sample(&[], *written);
    text.metric(
        "rfw_state",
        Gauge,
        "How the kernel and the policy stand to each other: 1 for the state that holds.",
    );
    for (name, one) in [
        ("starting", State::Starting),
        ("in-force", State::InForce),
        ("drifted", State::Drifted),
        ("refused", State::Refused),
        ("degraded", State::Degraded),
        ("stopped", State::Stopped),
    ] {
        text.sample(&[("state", name)], u8::from(*state == one));
    }
    text.metric(
        "rfw_last_reconcile_success",
        Gauge,
        "Whether the last step of the daemon succeeded.",
    );
    text.sample(&[], u8::from(trouble.is_none()));
    if let Some(trouble) = trouble {
        text.metric(
            "rfw_trouble_since_timestamp_seconds",
            Gauge,
            "Since when the daemon has failed, and of what kind the failure is.",
        );
        text.sample(&[("kind", &trouble.kind)], trouble.since);
    }
    if let Some(verified) = verified {
        text.metric(
            "rfw_last_verified_timestamp_seconds",
            Gauge,
            "When the policy was last found to be in force.",
        );
        text.sample(&[], *verified);
    }
    if let Some(change) = last_change {
        text.metric(
            "rfw_last_change_timestamp_seconds",
            Gauge,
            "When the daemon last changed something.",
        );
        text.sample(&[], change.at);
    }
    for (name, help, value) in [
        (
            "rfw_reconcile_steps_total",
            "Steps of the daemon.",
            steps.total,
        ),
        (
            "rfw_reconcile_full_total",
            "Steps that read everything.",
            steps.full,
        ),
        (
            "rfw_reconcile_changed_total",
            "Steps that changed something.",
            steps.changed,
        ),
        (
            "rfw_reconcile_errors_total",
            "Steps that failed.",
            steps.failed,
        ),
        (
            "rfw_drift_seen_total",
            "How often somebody else had changed the table or a setting.",
            drift.seen,
        ),
        (
            "rfw_drift_repaired_total",
            "How often that was undone.",
            drift.repaired,
        ),
        (
            "rfw_foreign_commits_total",
            "Commits of others, in whatever table.",
            foreign.commits,
        ),
        (
            "rfw_foreign_commits_touching_total",
            "Commits of others that touched table inet rfw.",
            foreign.touching_ours,
        ),
        (
            "rfw_events_lost_total",
            "How often events of the kernel were lost.",
            foreign.lost,
        ),
    ] {
        text.metric(name, Counter, help);
        text.sample(&[], value);
    }
    text.metric(
        "rfw_drift_present",
        Gauge,
        "Whether the daemon knows of drift that is there now.",
    );
    text.sample(&[], u8::from(drift.present));
    text.metric(
        "rfw_lists_failures",
        Gauge,
        "Attempts in a row after which not every list that was due was fetched and taken.",
    );
    text.sample(&[], lists.as_ref().map_or(0, |lists| lists.failures));
    if let Some(pull) = pull {
        self::pull(text, pull);
    }
    latency(
        text,
        "rfw_reconcile_seconds",
        "How long a step takes.",
        step,
    );
    latency(
        text,
        "rfw_reaction_seconds",
        "From a reason to look until the rules are in force.",
        reaction,
    );
}

fn pull(text: &mut Text, pull: &Pull) {
    let Pull {
        remote,
        branch: _,
        succeeded,
        commit: _,
        trouble,
        next: _,
    } = pull;
    let remote = [("remote", remote.as_str())];
    text.metric(
        "rfw_pull_success",
        Gauge,
        "Whether the last attempt to fetch the branch succeeded.",
    );
    text.sample(&remote, u8::from(trouble.is_none()));
    text.metric("rfw_pull_failures", Gauge, "Attempts that failed in a row.");
    let failures = trouble.as_ref().map_or(0, |trouble| trouble.failures);
    text.sample(&remote, failures);
    if let Some(succeeded) = succeeded {
        text.metric(
            "rfw_pull_success_timestamp_seconds",
            Gauge,
            "When the branch was last known to be what the remote has.",
        );
        text.sample(&remote, *succeeded);
    }
}

fn latency(text: &mut Text, name: &str, help: &str, latency: &Latency) {
    let Latency {
        count,
        sum_us,
        last_us: _,
        max_us,
    } = latency;
    text.summary(name, help, *count, *sum_us);
    text.metric(&format!("{name}_max"), Gauge, "The longest so far.");
    text.seconds(*max_us);
}

fn fill(text: &mut Text, status: &Status) {
    if let Some(conntrack) = &status.conntrack {
        text.metric(
            "rfw_conntrack_entries",
            Gauge,
            "Connections that are tracked.",
        );
        text.sample(&[], conntrack.count);
        text.metric(
            "rfw_conntrack_limit",
            Gauge,
            "The most there can be; 0 is no limit.",
        );
        text.sample(&[], conntrack.max);
        for (name, help, value) in [
            (
                "rfw_conntrack_drop_total",
                "Packets dropped for want of room or memory.",
                conntrack.drop,
            ),
            (
                "rfw_conntrack_early_drop_total",
                "Connections thrown out to make room.",
                conntrack.early_drop,
            ),
            (
                "rfw_conntrack_insert_failed_total",
                "Connections that could not be added.",
                conntrack.insert_failed,
            ),
        ] {
            text.metric(name, Counter, help);
            text.sample(&[], value);
        }
    }
    type Of = fn(&crate::health::NeighbourTable) -> u64;
    let metrics: [(&str, text::Kind, &str, Of); 3] = [
        (
            "rfw_neighbour_entries",
            Gauge,
            "Neighbours in the whole machine.",
            |table| table.entries.into(),
        ),
        (
            "rfw_neighbour_limit",
            Gauge,
            "The most there can be (gc_thresh3).",
            |table| table.gc_thresh3.into(),
        ),
        (
            "rfw_neighbour_table_fulls_total",
            Counter,
            "How often a neighbour found no place.",
            |table| table.table_fulls,
        ),
    ];
    for (name, kind, help, of) in metrics {
        if status.neighbours.is_empty() {
            continue;
        }
        text.metric(name, kind, help);
        for table in &status.neighbours {
            text.sample(
                &[(
                    "family",
                    match table.family {
                        crate::system::Family::V4 => "ipv4",
                        crate::system::Family::V6 => "ipv6",
                    },
                )],
                of(table),
            );
        }
    }
}

fn contents(text: &mut Text, table: &Table) {
    let Table { sets, chains, .. } = table;
    let rules: usize = chains.iter().map(|chain| chain.rules.len()).sum();
    text.metric("rfw_rules", Gauge, "Rules in the table.");
    text.sample(&[], rules as u64);
    text.metric(
        "rfw_set_elements",
        Gauge,
        "Elements of a set; those that the packet path fills are not listed.",
    );
    for LiveSet { set, anonymous, .. } in sets {
        if !set.spec.dynamic && !anonymous {
            text.sample(&[("set", &set.spec.name)], set.elements.len() as u64);
        }
    }
}
