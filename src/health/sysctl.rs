//! Settings of the box that contradict the policy, or that are commonly wrong on a gateway.

use std::collections::BTreeMap;

use super::{Facts, Finding, SettingDrift, Severity};

/// What is looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// The settings of [`KEYS`] that are there, by their names.
    pub values: BTreeMap<&'static str, String>,
    /// What is not as the verified policy wants it.
    pub drift: Vec<SettingDrift>,
    /// Whether rfw's table lets packets through from one interface to another; `None` when that is not known.
    pub forwards: Option<bool>,
    /// Whether rules of rfw log to the kernel's log.
    pub logs: bool,
    /// Whether this is another network namespace than the system's.
    pub is_elsewhere: bool,
}

/// What is read, as sysctl(8) names it.
pub const KEYS: [&str; 11] = [
    V4_FORWARD,
    V6_FORWARD,
    V6_ACCEPT_RA,
    RP_FILTER,
    V4_REDIRECTS,
    V4_SOURCE_ROUTE,
    V6_SOURCE_ROUTE,
    TCP_LOOSE,
    LOG_ALL_NETNS,
    BRIDGE_V4,
    SYNCOOKIES,
];

const V4_FORWARD: &str = "net.ipv4.ip_forward";
const V6_FORWARD: &str = "net.ipv6.conf.all.forwarding";
const V6_ACCEPT_RA: &str = "net.ipv6.conf.default.accept_ra";
const RP_FILTER: &str = "net.ipv4.conf.all.rp_filter";
const V4_REDIRECTS: &str = "net.ipv4.conf.all.accept_redirects";
const V4_SOURCE_ROUTE: &str = "net.ipv4.conf.all.accept_source_route";
const V6_SOURCE_ROUTE: &str = "net.ipv6.conf.all.accept_source_route";
const TCP_LOOSE: &str = "net.netfilter.nf_conntrack_tcp_loose";
const LOG_ALL_NETNS: &str = "net.netfilter.nf_log_all_netns";
const BRIDGE_V4: &str = "net.bridge.bridge-nf-call-iptables";
const SYNCOOKIES: &str = "net.ipv4.tcp_syncookies";

const CHECK: &str = "sysctl";

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    match &facts.surroundings {
        Ok(surroundings) => settings(surroundings),
        Err(why) => vec![Finding::unreadable(CHECK, why)],
    }
}

fn settings(surroundings: &Surroundings) -> Vec<Finding> {
    let Surroundings {
        values,
        drift,
        forwards,
        logs,
        is_elsewhere,
    } = surroundings;
    let is = |key: &str, value: &str| values.get(key).is_some_and(|now| now == value);
    let is_in_policy = |key: &str| drift.iter().any(|it| it.key == key);
    let mut findings = Vec::new();
    for SettingDrift { key, value, now } in drift {
        let message = format!("{key} is {now}, and the policy wants {value}");
        findings.push(
            Finding::new(CHECK, Severity::Warning, message)
                .advice("`rfw apply` sets it; whoever has changed it may do so again"),
        );
    }
    let mut add = |severity, message: String, advice: &str| {
        findings.push(Finding::new(CHECK, severity, message).advice(advice));
    };
    if *forwards == Some(true) {
        for (key, family) in [(V4_FORWARD, "IPv4"), (V6_FORWARD, "IPv6")] {
            if is(key, "0") && !is_in_policy(key) {
                add(
                    Severity::Note,
                    format!(
                        "{key} is 0: the rules let packets through, and the box forwards no {family}"
                    ),
                    "write `sysctl: { forwarding: true }` in the policy, unless the box is no router",
                );
            }
        }
    }
    let is_router = *forwards == Some(true) && (is(V4_FORWARD, "1") || is(V6_FORWARD, "1"));
    if is_router {
        // An IPv6 router takes none, whatever is set (Documentation/networking/ip-sysctl.rst).
        if is(V4_REDIRECTS, "1") {
            add(
                Severity::Note,
                format!("{V4_REDIRECTS} is 1: hosts beside the box may move its routes"),
                "set it to 0 in a file of /etc/sysctl.d",
            );
        }
        if is(RP_FILTER, "1") {
            add(
                Severity::Note,
                format!(
                    "{RP_FILTER} is 1 (strict): what comes in by another way than the answer goes out is dropped before any rule, without a count"
                ),
                "write `sysctl: { rp_filter: loose }` in the policy where the box has several uplinks, and `networks` in zones against wrong sources",
            );
        }
        if is(V6_FORWARD, "1") && is(V6_ACCEPT_RA, "1") {
            add(
                Severity::Note,
                format!(
                    "{V6_FORWARD} is 1 and {V6_ACCEPT_RA} is 1: a router ignores router advertisements then"
                ),
                "set `net.ipv6.conf.IFACE.accept_ra` to 2 for an uplink that gets its address so",
            );
        }
        if is(TCP_LOOSE, "1") && !is_in_policy(TCP_LOOSE) {
            add(
                Severity::Note,
                format!(
                    "{TCP_LOOSE} is 1 (the kernel's choice): a TCP connection that is met in the middle counts as new, and rules that accept it let it in"
                ),
                "write `sysctl: { tcp_loose: false }` where that must not be; connections do not outlive a reboot of the box then",
            );
        }
        if is(BRIDGE_V4, "1") {
            add(
                Severity::Note,
                format!(
                    "{BRIDGE_V4} is 1: packets from port to port of a bridge meet the rules as if they were routed"
                ),
                "Docker wants it; else set it to 0",
            );
        }
    }
    for key in [V4_SOURCE_ROUTE, V6_SOURCE_ROUTE] {
        if is(key, "1") {
            add(
                Severity::Warning,
                format!(
                    "{key} is 1: a sender may choose the way of its packets past the routes of the box"
                ),
                "set it to 0 in a file of /etc/sysctl.d",
            );
        }
    }
    if is(SYNCOOKIES, "0") {
        add(
            Severity::Note,
            format!("{SYNCOOKIES} is 0: a flood of connections to the box itself fills its queues"),
            "set it to 1 in a file of /etc/sysctl.d",
        );
    }
    if *is_elsewhere && *logs && is(LOG_ALL_NETNS, "0") {
        add(
            Severity::Warning,
            format!(
                "{LOG_ALL_NETNS} is 0, and this is not the system's network namespace: what rules log goes nowhere"
            ),
            "set it to 1 on the machine, or give rules `log: { group: N }` and read them with ulogd",
        );
    }
    if findings.is_empty() {
        let message = format!(
            "{} settings looked at, none of them is in the way",
            values.len()
        );
        findings.push(Finding::new(CHECK, Severity::Ok, message));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::{KEYS, Surroundings, settings};

    /// A router with `changes` to settings that are well; what is said, up to the first colon.
    #[track_caller]
    fn check(
        changes: &[(&'static str, &str)],
        change: impl FnOnce(&mut Surroundings),
        expect: &[&str],
    ) {
        let mut surroundings = Surroundings {
            forwards: Some(true),
            ..Surroundings::default()
        };
        for key in KEYS {
            let well = match key {
                super::V4_FORWARD
                | super::V6_FORWARD
                | super::SYNCOOKIES
                | super::LOG_ALL_NETNS => "1",
                super::V6_ACCEPT_RA => "2",
                _ => "0",
            };
            surroundings.values.insert(key, well.to_owned());
        }
        for (key, value) in changes {
            *surroundings.values.get_mut(key).unwrap() = (*value).to_owned();
        }
        change(&mut surroundings);
        let said = settings(&surroundings);
        let said: Vec<String> = said
            .iter()
            .map(|it| {
                format!(
                    "{:?}: {}",
                    it.severity,
                    it.message.split([':', ';']).next().unwrap()
                )
            })
            .collect();
        assert_eq!(said, expect);
    }

    #[test]
    fn what_is_in_the_way_is_told() {
        let nothing = |_: &mut Surroundings| ();
        check(
            &[],
            nothing,
            &["Ok: 11 settings looked at, none of them is in the way"],
        );
        check(
            &[("net.ipv4.ip_forward", "0")],
            nothing,
            &["Note: net.ipv4.ip_forward is 0"],
        );
        check(
            &[("net.ipv6.conf.all.forwarding", "0")],
            nothing,
            &["Note: net.ipv6.conf.all.forwarding is 0"],
        );
        // A host that forwards nothing needs none of it.
        let host = |it: &mut Surroundings| it.forwards = Some(false);
        check(
            &[
                ("net.ipv4.ip_forward", "0"),
                ("net.ipv4.conf.all.rp_filter", "1"),
            ],
            host,
            &["Ok: 11 settings looked at, none of them is in the way"],
        );
        check(
            &[
                ("net.ipv4.conf.all.rp_filter", "1"),
                ("net.ipv4.conf.all.accept_redirects", "1"),
                ("net.netfilter.nf_conntrack_tcp_loose", "1"),
                ("net.bridge.bridge-nf-call-iptables", "1"),
                ("net.ipv6.conf.default.accept_ra", "1"),
            ],
            nothing,
            &[
                "Note: net.ipv4.conf.all.accept_redirects is 1",
                "Note: net.ipv4.conf.all.rp_filter is 1 (strict)",
                "Note: net.ipv6.conf.all.forwarding is 1 and net.ipv6.conf.default.accept_ra is 1",
                "Note: net.netfilter.nf_conntrack_tcp_loose is 1 (the kernel's choice)",
                "Note: net.bridge.bridge-nf-call-iptables is 1",
            ],
        );
        check(
            &[
                ("net.ipv4.conf.all.accept_source_route", "1"),
                ("net.ipv4.tcp_syncookies", "0"),
            ],
            nothing,
            &[
                "Warning: net.ipv4.conf.all.accept_source_route is 1",
                "Note: net.ipv4.tcp_syncookies is 0",
            ],
        );
        let drift = |it: &mut Surroundings| {
            it.drift.push(crate::health::SettingDrift {
                key: "net.ipv4.ip_forward".into(),
                value: 1,
                now: "0".into(),
            });
        };
        check(
            &[("net.ipv4.ip_forward", "0")],
            drift,
            &["Warning: net.ipv4.ip_forward is 0, and the policy wants 1"],
        );
    }

    #[test]
    fn logs_of_a_namespace_need_a_way_out() {
        let logs = |is_elsewhere| {
            move |it: &mut Surroundings| {
                it.logs = true;
                it.is_elsewhere = is_elsewhere;
            }
        };
        let off = [("net.netfilter.nf_log_all_netns", "0")];
        let well = ["Ok: 11 settings looked at, none of them is in the way"];
        check(&off, logs(false), &well);
        check(&[], logs(true), &well);
        check(
            &off,
            logs(true),
            &[
                "Warning: net.netfilter.nf_log_all_netns is 0, and this is not the system's network namespace",
            ],
        );
    }
}
