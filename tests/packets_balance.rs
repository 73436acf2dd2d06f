//! How connections are shared between backends.

use std::collections::BTreeMap;

use super::support::gate::Gate;
use super::support::{alone, serve, tcp};

/// An office that publishes port 1000 on its two servers.
#[track_caller]
fn balanced(mode: &str, backends: &str) -> Gate {
    let gate = Gate::new(&format!(
        "policies:
  - {{ name: in, from: wan, to: [lan, firewall], default: drop }}
nat:
  dnat:
    - {{ name: web, from: wan, services: [{{ tcp: [1000] }}], balance: {{ mode: {mode}, backends: [{backends}] }} }}
"
    ));
    serve::tcp(&gate.server, 1000);
    serve::tcp(&gate.server_2, 1000);
    gate
}

/// Who answered, of so many connections to `to`.
#[track_caller]
fn answers(gate: &Gate, to: &str, connections: usize) -> Vec<String> {
    (0..connections)
        .map(|_| match tcp::probe(&gate.internet, to) {
            tcp::Connection::Open(greeting) => greeting.split(' ').next().unwrap().to_owned(),
            other => panic!("{to}: {other}"),
        })
        .collect()
}

/// How often each answered.
fn count(answers: &[String]) -> BTreeMap<&str, usize> {
    let mut count = BTreeMap::new();
    for answer in answers {
        *count.entry(answer.as_str()).or_default() += 1;
    }
    count
}

#[test]
fn nth_takes_turns_by_weight() {
    alone(|| {
        let gate = balanced(
            "nth",
            "{ address: 192.168.1.20, weight: 2 }, { address: 192.168.1.21 }",
        );
        let answers = answers(&gate, "203.0.113.10:1000", 30);
        assert_eq!(
            count(&answers),
            [("server", 20), ("server-2", 10)].into(),
            "exactly: {answers:?}"
        );
        // And evenly: every three in a row hold the same shares.
        for three in answers.chunks(3) {
            assert_eq!(
                count(three),
                [("server", 2), ("server-2", 1)].into(),
                "{answers:?}"
            );
        }
    });
}

#[test]
fn random_keeps_the_shares_in_the_long_run() {
    alone(|| {
        let gate = balanced(
            "random",
            "{ address: 192.168.1.20, weight: 3 }, { address: 192.168.1.21 }",
        );
        let answers = answers(&gate, "203.0.113.10:1000", 400);
        // 300 expected; the bounds are seven standard deviations (8.7) away.
        let first = count(&answers)["server"];
        assert!((240..=360).contains(&first), "{first} of 400");
        let orders: std::collections::BTreeSet<&[String]> = answers.chunks(4).collect();
        assert!(orders.len() > 2, "it only takes turns: {answers:?}");
    });
}

#[test]
fn source_hash_always_chooses_the_same_for_a_source() {
    alone(|| {
        let gate = balanced(
            "source-hash",
            "{ address: 192.168.1.20, weight: 2 }, { address: 192.168.1.21 }",
        );
        let sources: Vec<String> = (1..=90).map(|host| format!("198.51.100.{host}")).collect();
        let lines: Vec<String> = sources
            .iter()
            .map(|source| format!("addr add {source}/32 dev lo"))
            .collect();
        gate.internet.ip(&lines
            .join("\n")
            .replace("addr add 198.51.100.40/32 dev lo\n", ""));
        let visit = || -> Vec<String> {
            sources
                .iter()
                .map(|source| {
                    tcp::probe_from(&gate.internet, source, "203.0.113.10:1000").to_string()
                })
                .map(|seen| seen.split(' ').nth(1).unwrap_or_default().to_owned())
                .collect()
        };
        let first = visit();
        assert_eq!(visit(), first);
        // 60 of 90 expected; the hash has no seed of chance, so this is one fixed outcome.
        let share = count(&first)["server"];
        assert!(
            (45..=75).contains(&share) && count(&first).len() == 2,
            "{share} of 90: {first:?}"
        );
    });
}

#[test]
fn ipv6_is_balanced_as_well() {
    alone(|| {
        let backends =
            "{ address: \"fd12:3456:789a::20\", weight: 2 }, { address: \"fd12:3456:789a::21\" }";
        let gate = balanced("nth", backends);
        let answers = answers(&gate, "[2001:db8:0:1::10]:1000", 12);
        assert_eq!(count(&answers), [("server", 8), ("server-2", 4)].into());
    });
}
