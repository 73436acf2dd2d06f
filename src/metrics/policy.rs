//! How the policy stands: which one was verified, whether it has changed, and what its schedules do next.

use super::Text;
use super::text::Kind::Gauge;
use crate::health::Status;

pub(super) fn policy(text: &mut Text, status: &Status) {
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
