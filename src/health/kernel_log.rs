//! What the kernel's log says about full tables.

use super::{Facts, Finding, Severity};

/// A line of the kernel's log that is about a full table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRecord {
    /// When, in seconds since the machine started.
    pub seconds: u64,
    /// What.
    pub message: String,
}

const CHECK: &str = "kernel-log";

/// What the kernel writes when a table is full (net/core/neighbour.c, net/netfilter/nf_conntrack_core.c).
const COMPLAINTS: &[&str] = &[
    "neighbor table overflow!",
    "Neighbour table overflow",
    "nf_conntrack: table full, dropping packet",
];

/// A record of `/dev/kmsg`, `6,339,5140900,-;message`, if it is about a full table. The time is in microseconds
/// (Documentation/ABI/testing/dev-kmsg).
pub fn kernel_log_record(record: &str) -> Option<LogRecord> {
    let (prefix, rest) = record.split_once(';')?;
    let message = rest.lines().next()?;
    if !COMPLAINTS
        .iter()
        .any(|complaint| message.contains(complaint))
    {
        return None;
    }
    let mut fields = prefix.split(',');
    // Facilities are added to the severity from 8 on; whoever may write to the log is no kernel.
    let priority: u32 = fields.next()?.parse().ok()?;
    let microseconds: u64 = fields.nth(1)?.parse().ok()?;
    (priority < 8).then(|| LogRecord {
        seconds: microseconds / 1_000_000,
        message: message.to_owned(),
    })
}

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let records = match &facts.log {
        Ok(records) => records,
        Err(why) => return vec![Finding::unreadable(CHECK, why)],
    };
    let Some(last) = records.last() else {
        return vec![Finding::new(
            CHECK,
            Severity::Ok,
            "says nothing about full tables",
        )];
    };
    let LogRecord { seconds, message } = last;
    vec![
        Finding::new(
            CHECK,
            Severity::Warning,
            format!(
                "{} lines about full tables; the last one {seconds} s after the start: `{message}`",
                records.len()
            ),
        )
        .advice("raise `neighbour` or `conntrack_max` in the section `sysctl` of the policy"),
    ]
}

#[cfg(test)]
mod tests {
    use super::kernel_log_record;

    #[track_caller]
    fn check(record: &str, expect: Option<(u64, &str)>) {
        let record = kernel_log_record(record);
        let found = record
            .as_ref()
            .map(|record| (record.seconds, record.message.as_str()));
        assert_eq!(found, expect);
    }

    #[test]
    fn only_the_kernel_complains_of_full_tables() {
        check(
            "6,339,5140900,-;neighbour: arp_cache: neighbor table overflow!\n SUBSYSTEM=x\n",
            Some((5, "neighbour: arp_cache: neighbor table overflow!")),
        );
        check(
            "4,1,99000000,c;nf_conntrack: nf_conntrack: table full, dropping packet",
            Some((
                99,
                "nf_conntrack: nf_conntrack: table full, dropping packet",
            )),
        );
        check("6,339,5140900,-;eth0: link up", None);
        check("12,339,5140900,-;arp_cache: neighbor table overflow!", None);
        check("garbage", None);
        check("6,x,y;neighbor table overflow!", None);
    }
}
