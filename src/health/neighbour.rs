//! The neighbour tables: how full they are, and whether they have been too full.
//!
//! What the kernel does (net/core/neighbour.c `neigh_alloc`): from `gc_thresh3` on a new neighbour finds no place
//! unless another can be thrown out, which none can that was used in the last five seconds; from `gc_thresh2` on it
//! throws out every five seconds. Permanent neighbours do not count. The table is the whole machine's, over all
//! network namespaces.

use super::{Facts, Finding, Severity, reaches};
use crate::system::Family;
use schemars::JsonSchema;
use serde::Serialize;

/// A neighbour table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct NeighbourTable {
    /// IPv4 (`arp_cache`) or IPv6 (`ndisc_cache`).
    pub family: Family,
    /// Neighbours in the whole machine, without the permanent ones of this network namespace.
    pub entries: u32,
    /// From here on they are forgotten when they were not used for long.
    pub gc_thresh1: u32,
    /// From here on room is made.
    pub gc_thresh2: u32,
    /// The most there can be.
    pub gc_thresh3: u32,
    /// How often a neighbour found no place since the machine started.
    pub table_fulls: u64,
}

/// Of `gc_thresh3`: nothing is left in reserve.
const FULL_PERCENT: u64 = 95;
/// Of `gc_thresh3`: where `gc_thresh2` does not come before.
const HIGH_PERCENT: u64 = 75;

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    match &facts.neighbours {
        Ok(tables) => tables.iter().flat_map(table).collect(),
        Err(why) => vec![Finding::unreadable("neighbours", why)],
    }
}

fn table(table: &NeighbourTable) -> Vec<Finding> {
    const ADVICE: &str = "raise `sysctl: { neighbour: … }` in the policy: `auto`, or more than there are hosts; look for a scan or a loop if there cannot be so many";
    let NeighbourTable {
        family,
        entries,
        gc_thresh1: _,
        gc_thresh2,
        gc_thresh3,
        table_fulls,
    } = table;
    let check = match family {
        Family::V4 => "neighbours-ipv4",
        Family::V6 => "neighbours-ipv6",
    };
    let most = u64::from(*gc_thresh3);
    let fill = format!("{entries} of at most {gc_thresh3} neighbours");
    let now = u64::from(*entries);
    let mut findings = Vec::new();
    findings.push(if reaches(now, FULL_PERCENT, most) {
        Finding::new(
            check,
            Severity::Error,
            format!("{fill}: new hosts find no place, and packets to them are lost"),
        )
        .advice(ADVICE)
    } else if u64::from(*gc_thresh2) <= now {
        Finding::new(
            check,
            Severity::Warning,
            format!("{fill}: more than gc_thresh2 ({gc_thresh2}), so the kernel forgets hosts that are in use"),
        )
        .advice(ADVICE)
    } else if reaches(now, HIGH_PERCENT, most) {
        Finding::new(check, Severity::Warning, format!("{fill}: nearly full")).advice(ADVICE)
    } else {
        Finding::new(check, Severity::Ok, fill)
    });
    if 0 < *table_fulls {
        findings.push(
            Finding::new(
                check,
                Severity::Warning,
                format!("the table has overflowed {table_fulls} times since the machine started"),
            )
            .advice(ADVICE),
        );
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::{NeighbourTable, table};
    use crate::system::Family;

    #[track_caller]
    fn check(entries: u32, thresholds: [u32; 3], table_fulls: u64, expect: &str) {
        let [gc_thresh1, gc_thresh2, gc_thresh3] = thresholds;
        let findings = table(&NeighbourTable {
            family: Family::V6,
            entries,
            gc_thresh1,
            gc_thresh2,
            gc_thresh3,
            table_fulls,
        });
        let lines = findings.iter().map(|found| {
            assert_eq!(found.check, "neighbours-ipv6");
            format!("{:?}: {}", found.severity, found.message)
        });
        assert_eq!(lines.collect::<Vec<_>>().join("\n"), expect);
    }

    #[test]
    fn it_warns_before_the_table_is_full() {
        const KERNEL: [u32; 3] = [128, 512, 1024];
        check(511, KERNEL, 0, "Ok: 511 of at most 1024 neighbours");
        check(
            512,
            KERNEL,
            0,
            "Warning: 512 of at most 1024 neighbours: more than gc_thresh2 (512), so the kernel forgets hosts that are in use",
        );
        check(
            973,
            KERNEL,
            0,
            "Error: 973 of at most 1024 neighbours: new hosts find no place, and packets to them are lost",
        );
        check(
            75,
            [100, 100, 100],
            0,
            "Warning: 75 of at most 100 neighbours: nearly full",
        );
        check(
            3,
            KERNEL,
            7,
            "Ok: 3 of at most 1024 neighbours\n\
             Warning: the table has overflowed 7 times since the machine started",
        );
    }
}
