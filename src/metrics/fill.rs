//! How full the kernel's tables of connections and neighbours are.

use super::Text;
use super::text::Kind::{self, Counter, Gauge};
use crate::health::{NeighbourTable, Status};
use crate::system::Family;

pub(super) fn fill(text: &mut Text, status: &Status) {
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
    type Of = fn(&NeighbourTable) -> u64;
    let metrics: [(&str, Kind, &str, Of); 3] = [
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
                        Family::V4 => "ipv4",
                        Family::V6 => "ipv6",
                    },
                )],
                of(table),
            );
        }
    }
}
