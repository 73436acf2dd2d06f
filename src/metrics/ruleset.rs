//! How table inet rfw stands: whether it is there and as it was verified, and what is in it.

use super::Text;
use super::text::Kind::{Counter, Gauge};
use crate::counters::Counts;
use crate::health::{Drift, Status};
use crate::live::{Live, LiveSet, Table};

pub(super) fn table(text: &mut Text, status: &Status, live: Option<&Live>) {
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

pub(super) fn contents(text: &mut Text, table: &Table) {
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

/// What its rules have counted.
pub(super) fn counted(text: &mut Text, counts: &Counts) {
    text.metric(
        "rfw_rule_packets_total",
        Counter,
        "Packets counted under the stable name of a rule.",
    );
    for (name, count) in counts {
        text.sample(&[("rule", name)], count.packets);
    }
    text.metric(
        "rfw_rule_bytes_total",
        Counter,
        "Bytes counted under the stable name of a rule.",
    );
    for (name, count) in counts {
        text.sample(&[("rule", name)], count.bytes);
    }
}
