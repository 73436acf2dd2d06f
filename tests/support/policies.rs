//! Policies by chance: texts in the language, small enough to collide often, wide enough to use every
//! feature. Most of them compile; those that do not are the language's business.

use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use rfw::ruleset::{DataType, Ruleset};

/// A ruleset with schedules of some months only: nft sends all that it loads in one message, and in a namespace it cannot
/// have a larger buffer for it.
pub(crate) fn thinned(mut ruleset: Ruleset) -> Ruleset {
    const MOST: usize = 500;
    for set in &mut ruleset.sets {
        if set.spec.key == [DataType::Time] {
            set.elements.edit(|elements| elements.truncate(MOST));
        }
    }
    ruleset
}

/// Short schedules, so that what they compile to is, too.
const SCHEDULES: &str = "timezone: Europe/Helsinki\nschedules:\n  \
    week: { dates: [2027-03-22..2027-04-02], days: [mon, fri], from: \"08:00\", to: \"17:00\" }\n  \
    night: { dates: [2027-03-27..2027-03-28], from: \"22:00\", to: \"04:30\", on_end: cut }\n";

/// What there is to the zones `lan` and `vpn`: each for itself, without and with networks; then on a common interface, where
/// either or both are told by address.
const ZONES: [[&str; 2]; 5] = [
    ["", "]"],
    [", networks: [192.168.0.0/16, \"fd00::/32\"]", "]"],
    [
        ", match: address, networks: [192.168.0.0/16, \"fd00::/32\"]",
        ", eth1]",
    ],
    [
        ", networks: [192.168.0.0/16]",
        ", eth1], match: address, networks: [192.168.2.0/24, 10.0.0.0/8, \"fd00:1::/64\"]",
    ],
    [
        ", match: address, networks: [192.168.0.0/16, 172.16.0.0/12]",
        ", eth1], match: address, networks: [192.168.2.0/24, \"fd00::/16\"]",
    ],
];

/// A policy's text.
pub(crate) fn policy() -> impl Strategy<Value = String> {
    (
        groups(),
        prop::collection::vec(zone_policy(), 4),
        order(),
        nat(),
        select(ZONES.to_vec()),
    )
        .prop_map(|(groups, policies, order, nat, [lan, vpn])| {
            let policies: String = order
                .iter()
                .map(|at| policies[*at].replace("NAME", &format!("p{at}")))
                .collect();
            format!(
                "version: 1\nname: made\n{SCHEDULES}zones:\n  wan: {{ interfaces: [eth0] }}\n  \
                 lan: {{ interfaces: [eth1, eth2]{lan} }}\n  vpn: {{ interfaces: [\"wg*\"{vpn} }}\n\
                 services:\n  own: {{ tcp: [8080, \"9000-9010\"], udp: [53] }}\n\
                 groups:\n{groups}policies:\n{policies}{nat}"
            )
        })
}

/// Some of the four policies, in some order.
fn order() -> impl Strategy<Value = Vec<usize>> {
    subsequence(vec![0, 1, 2, 3], 1..=4).prop_shuffle()
}

const HOSTS: [&str; 8] = [
    "192.168.1.10",
    "192.168.1.11",
    "192.168.1.20",
    "10.0.0.0/8",
    "172.16.0.5-172.16.0.9",
    "\"fd00::10\"",
    "\"fd00:1::/64\"",
    "192.168.2.0/24",
];

fn groups() -> impl Strategy<Value = String> {
    let members = || subsequence(HOSTS.to_vec(), 1..=4);
    (members(), members())
        .prop_map(|(a, b)| format!("  ga: [{}]\n  gb: [{}]\n", a.join(", "), b.join(", ")))
}

fn hosts() -> impl Strategy<Value = Option<String>> {
    let list = prop_oneof![
        select(vec!["[ga]", "[gb]", "[ga, 203.0.113.9]", "{ not: [gb] }"]).prop_map(str::to_owned),
        subsequence(HOSTS.to_vec(), 1..=2).prop_map(|hosts| format!("[{}]", hosts.join(", "))),
    ];
    prop::option::weighted(0.5, list)
}

fn rule() -> impl Strategy<Value = String> {
    let services = subsequence(
        vec![
            "ssh",
            "dns",
            "http",
            "https",
            "ping",
            "own",
            "{ tcp: [25, 587] }",
        ],
        0..=3,
    );
    let action = select(vec!["accept", "accept", "accept", "drop", "reject"]);
    let extra = prop_oneof![
        6 => Just(String::new()),
        1 => Just(", limit: { rate: 10/minute, burst: 7 }".to_owned()),
        1 => Just(", limit: { rate: 3/second, per: source }".to_owned()),
        1 => Just(", schedule: week".to_owned()),
        1 => Just(", schedule: night, limit: { rate: 9/hour }".to_owned()),
        1 => Just(", log: { prefix: seen, rate: 5/minute }".to_owned()),
        1 => Just(", log: { prefix: seen, group: 5 }".to_owned()),
    ];
    (services, hosts(), hosts(), action, extra).prop_map(
        |(services, source, destination, action, extra)| {
            let mut text = String::from("      - { name: RULE");
            if !services.is_empty() {
                text.push_str(&format!(", services: [{}]", services.join(", ")));
            }
            for (key, hosts) in [("source", source), ("destination", destination)] {
                if let Some(hosts) = hosts {
                    text.push_str(&format!(", {key}: {hosts}"));
                }
            }
            text + &format!(", action: {action}{extra} }}\n")
        },
    )
}

fn zone_policy() -> impl Strategy<Value = String> {
    let ends = || {
        select(vec![
            "wan",
            "lan",
            "firewall",
            "[lan, vpn]",
            "[wan, vpn]",
            "any",
        ])
    };
    let default = select(vec![
        "",
        "    default: drop\n",
        "    default: reject\n",
        "    default: accept\n",
    ]);
    let rules = prop_oneof![
        4 => prop::collection::vec(rule(), 0..6),
        1 => prop::collection::vec(rule(), 14..24),
    ];
    // Names are drawn, not counted, so that rules move, come and go under one name.
    let names = subsequence((0..24).collect::<Vec<_>>(), 24).prop_shuffle();
    (ends(), ends(), default, rules, names).prop_map(|(from, to, default, rules, names)| {
        let mut text = format!("  - name: NAME\n    from: {from}\n    to: {to}\n{default}");
        if !default.is_empty() && rules.len() % 2 == 1 {
            text.push_str("    log: { prefix: end, rate: 1/second }\n");
        }
        if !rules.is_empty() {
            text.push_str("    rules:\n");
        }
        for (rule, name) in rules.iter().zip(names) {
            text.push_str(&rule.replace("RULE", &format!("r{name}")));
        }
        text
    })
}

fn nat() -> impl Strategy<Value = String> {
    let entries = vec![
        "  masquerade:\n    - { name: out, from: lan, to: wan }\n",
        "  snat:\n    - { name: fixed, from: vpn, to: wan, address: 203.0.113.4 }\n",
        "  dnat:\n    - { name: web, from: wan, services: [http, https], balance: { mode: MODE, backends: \
         [{ address: 192.168.1.20, weight: WEIGHT }, { address: 192.168.1.21 }] } }\n    \
         - { name: mail, from: [wan, vpn], services: [smtp], to: 192.168.1.25 }\n",
        "  redirect:\n    - { name: resolver, from: lan, services: [dns], to_port: 5353 }\n",
    ];
    let mode = select(vec!["nth", "random", "source-hash"]);
    (subsequence(entries, 0..=4), mode, 1..4u32).prop_map(|(entries, mode, weight)| {
        if entries.is_empty() {
            return String::new();
        }
        format!("nat:\n{}", entries.concat())
            .replace("MODE", mode)
            .replace("WEIGHT", &weight.to_string())
    })
}
