//! How the daemon stands: what its report says.

use super::Text;
use super::text::Kind::{Counter, Gauge};
use crate::reconcile::{Latency, Pull, Report, State};

pub(super) fn report(text: &mut Text, report: &Report) {
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
