//! Connection tracking: how full the table is, and what was lost.

use super::{Facts, Finding, Severity, reaches};
use schemars::JsonSchema;
use serde::Serialize;

/// The connection tracking table of this network namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Conntrack {
    /// Connections that are tracked.
    pub count: u64,
    /// The most there can be; 0 is no limit.
    pub max: u64,
    /// Packets dropped because there was no room or no memory, since the namespace is there.
    pub drop: u64,
    /// Connections that were thrown out to make room.
    pub early_drop: u64,
    /// Connections that could not be added.
    pub insert_failed: u64,
}

const CHECK: &str = "conntrack";
/// Of the maximum.
const FULL_PERCENT: u64 = 95;
/// Of the maximum.
const HIGH_PERCENT: u64 = 75;

impl Conntrack {
    /// With the sums over all processors of the columns of `/proc/net/stat/nf_conntrack`, which are
    /// hexadecimal and differ from kernel to kernel in their number.
    pub fn with_statistics(mut self, text: &str) -> Self {
        let mut lines = text.lines();
        let heading: Vec<&str> = lines
            .next()
            .unwrap_or_default()
            .split_whitespace()
            .collect();
        for line in lines {
            for (name, value) in heading.iter().zip(line.split_whitespace()) {
                let value = u64::from_str_radix(value, 16).unwrap_or_default();
                match *name {
                    "drop" => self.drop += value,
                    "early_drop" => self.early_drop += value,
                    "insert_failed" => self.insert_failed += value,
                    _ => {}
                }
            }
        }
        self
    }
}

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    match &facts.conntrack {
        Ok(Some(conntrack)) => table(conntrack),
        Ok(None) => vec![Finding::new(
            CHECK,
            Severity::Note,
            "connections are not tracked",
        )],
        Err(why) => vec![Finding::unreadable(CHECK, why)],
    }
}

fn table(conntrack: &Conntrack) -> Vec<Finding> {
    const ADVICE: &str = "raise `sysctl: { conntrack_max: … }` in the policy; look for a flood if there cannot be so many";
    let Conntrack {
        count,
        max,
        drop,
        early_drop,
        insert_failed,
    } = *conntrack;
    let fill = format!("{count} of at most {max} connections");
    let mut findings = vec![if max == 0 {
        Finding::new(
            CHECK,
            Severity::Ok,
            format!("{count} connections, no limit"),
        )
    } else if reaches(count, FULL_PERCENT, max) {
        Finding::new(
            CHECK,
            Severity::Error,
            format!("{fill}: new connections are dropped"),
        )
        .advice(ADVICE)
    } else if reaches(count, HIGH_PERCENT, max) {
        Finding::new(CHECK, Severity::Warning, format!("{fill}: nearly full")).advice(ADVICE)
    } else {
        Finding::new(CHECK, Severity::Ok, fill)
    }];
    if 0 < drop {
        findings.push(
            Finding::new(
                CHECK,
                Severity::Warning,
                format!("{drop} packets dropped for want of room or memory since the start"),
            )
            .advice(ADVICE),
        );
    }
    if 0 < early_drop {
        findings.push(
            Finding::new(
                CHECK,
                Severity::Warning,
                format!("{early_drop} connections thrown out to make room since the start"),
            )
            .advice(ADVICE),
        );
    }
    if 0 < insert_failed {
        // Two packets of one new connection at the same time do this as well: it is no sign of trouble alone.
        findings.push(Finding::new(
            CHECK,
            Severity::Note,
            format!("{insert_failed} connections could not be added since the start"),
        ));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::{Conntrack, table};

    fn conntrack(count: u64, max: u64) -> Conntrack {
        Conntrack {
            count,
            max,
            drop: 0,
            early_drop: 0,
            insert_failed: 0,
        }
    }

    #[track_caller]
    fn check(conntrack: &Conntrack, expect: &str) {
        let findings = table(conntrack);
        let lines = findings
            .iter()
            .map(|found| format!("{:?}: {}", found.severity, found.message));
        assert_eq!(lines.collect::<Vec<_>>().join("\n"), expect);
    }

    #[test]
    fn it_warns_before_the_table_is_full() {
        check(&conntrack(74, 100), "Ok: 74 of at most 100 connections");
        check(
            &conntrack(75, 100),
            "Warning: 75 of at most 100 connections: nearly full",
        );
        check(
            &conntrack(95, 100),
            "Error: 95 of at most 100 connections: new connections are dropped",
        );
        check(&conntrack(95, 0), "Ok: 95 connections, no limit");
    }

    #[test]
    fn statistics_are_summed_by_name() {
        let text = "entries  clashres found drop early_drop insert_failed search_restart\n\
                    00000001  00000000 00000000 00000010 00000000 00000001 00000000\n\
                    00000001  00000000 00000000 00000001 00000002 00000000 00000000\n";
        check(
            &conntrack(1, 100).with_statistics(text),
            "Ok: 1 of at most 100 connections\n\
             Warning: 17 packets dropped for want of room or memory since the start\n\
             Warning: 2 connections thrown out to make room since the start\n\
             Note: 1 connections could not be added since the start",
        );
        check(
            &conntrack(1, 100).with_statistics(""),
            "Ok: 1 of at most 100 connections",
        );
    }
}
