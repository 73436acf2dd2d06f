//! The tables of others: what the kernel makes of packets with them beside rfw's, and what the evaluator says of what was read of everything.
//!
//! `recorded` holds what those tools really loaded. `docker.rules` and `firewalld.nft` have the shape of it, with more of what is seldom in
//! it; rules of iptables by chance come beside them. iptables-nft itself loads them, so that what is read is what it makes of them.

mod chance;
mod recorded;
mod several;

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::strategy::{Strategy, ValueTree};
use rfw::evaluate::{Choices, Decision, Environment, Firewall, Packet, Reason, Within, evaluate};
use rfw::netlink::{Netlink, network};

use super::field::{self, Cable, Event, FIRST, Field, WATCH, after, agrees, chance, packet, told};
use super::given;
use super::ledger::Ledger;
use super::made::compile;

use crate::support::wire::{Sent, What};
use crate::support::{Host, alone_for, nft, policies};

const FIREWALLD: &str = include_str!("firewalld.nft");
const DOCKER: &str = include_str!("docker.rules");

/// Packets to each ruleset.
const PACKETS: usize = 60;
/// Rulesets in a usual run.
const RULESETS: usize = 30;

const LINKS: [Cable; 5] = {
    let [wan, lan, other, vpn] = field::LINKS;
    let docker = (
        "docker0",
        ["172.17.0.1/16", "fd00:17::1/64"],
        ["172.17.0.77", "fd00:17::77"],
    );
    [wan, lan, other, vpn, docker]
};
const V4: [&str; 18] = [
    "192.168.1.10",
    "192.168.1.20",
    "192.168.1.25",
    "10.1.2.3",
    "10.0.0.9",
    "172.17.0.2",
    "172.17.0.3",
    "172.17.0.4",
    "192.168.2.9",
    "192.168.9.9",
    "203.0.113.9",
    "198.51.100.40",
    "203.0.113.10",
    "203.0.113.10",
    "192.168.1.1",
    "192.168.2.1",
    "10.0.0.1",
    "172.17.0.1",
];
const V6: [&str; 11] = [
    "fd00::11",
    "fd00:1::9",
    "fd00:1:0:1::9",
    "fd00:2::9",
    "fd00:17::2",
    "2001:db8:9::9",
    "2001:db8:0:1::9",
    "2001:db8:0:1::10",
    "fd00:1::1",
    "fd00:2::1",
    "fd00::1",
];

#[test]
fn the_kernel_does_what_is_read_of_all_tables() {
    let count = given("RFW_DIFFERENTIAL_POLICIES", RULESETS);
    let seed = given("RFW_DIFFERENTIAL_SEED", 1) as u64;
    let bound = Duration::from_secs(120 + 5 * count as u64);
    alone_for(bound, || run(count, seed));
}

/// Of two tables with chains of one priority the one comes first that was made last, for filters and for translations.
const EQUALS: [&str; 2] = [
    "table ip one {
        chain n { type nat hook prerouting priority -100; tcp dport 8080 dnat to 192.168.1.20:80; }
        chain f { type filter hook forward priority 0; tcp dport 22 drop; }
    }",
    "table inet two {
        chain n { type nat hook prerouting priority -100; tcp dport 8080 dnat ip to 172.17.0.2:81; }
        chain f { type filter hook forward priority 0; meta l4proto tcp tcp dport 22 reject with tcp reset; }
    }",
];

#[test]
fn the_table_that_was_made_last_is_asked_first() {
    alone_for(Duration::from_secs(120), || {
        let field = Field::new(&LINKS);
        let environment = Environment::of(&field.center.run(|| network().unwrap()));
        let mut id = FIRST;
        for order in [[0, 1], [1, 0]] {
            nft::load(&field.center, &format!("flush ruleset\n{WATCH}"));
            for which in order {
                nft::load(&field.center, EQUALS[which]);
            }
            let everything = field
                .center
                .run(|| Netlink::open().unwrap().everything().unwrap());
            let tables = everything.tables.into_iter();
            let firewall = tables.fold(Firewall::new(), |all, it| all.with_any(it, &|_, _| None));
            for (destination, dport) in [("203.0.113.10", 8080), ("192.168.1.20", 22)] {
                id += 1;
                let sent = Sent {
                    source: "198.51.100.40".parse().unwrap(),
                    destination: destination.parse().unwrap(),
                    what: What::Tcp {
                        sport: id,
                        dport,
                        flags: 2,
                    },
                };
                field.wires[0].send(&sent);
                let events = field.watch().remove(&id).unwrap_or_default();
                let packet = packet("eth0", &sent);
                let choices = Choices::default();
                let known = evaluate(&firewall, &packet, &environment, &choices);
                let outcome = known.only().unwrap();
                assert!(agrees(outcome, &events), "{order:?} {dport}: {events:?}");
                let unknown = firewall.clone().in_any_order();
                let unknown = evaluate(&unknown, &packet, &environment, &choices);
                assert_eq!(unknown.outcomes.len(), 2, "{}", told(&unknown));
                let shares: f64 = unknown.outcomes.iter().map(|it| it.share).sum();
                assert!((shares - 1.0).abs() < 1e-9, "{shares}");
            }
        }
    });
}

/// All that the kernel of the box holds, as it was read.
struct Read {
    firewall: Firewall,
    /// The same for who does not know in which order tables of one priority are asked.
    any_order: Firewall,
    environment: Environment,
    choices: Choices,
}

impl Read {
    fn of(field: &Field) -> Self {
        let (everything, network) = field.center.run(|| {
            let everything = Netlink::open().unwrap().everything().unwrap();
            (everything, network().unwrap())
        });
        let firewall = everything
            .tables
            .into_iter()
            .fold(Firewall::new(), |firewall, table| {
                firewall.with_any(table, &|_, _| None)
            });
        assert!(firewall.unmodelled().is_empty());
        Self {
            any_order: firewall.clone().in_any_order(),
            firewall,
            environment: Environment::of(&network),
            choices: Choices {
                rates: Within::Either,
                connections: Within::Either,
                ..Choices::default()
            },
        }
    }

    /// What the kernel made of a packet must be what is said of it. Why nothing is said of it, if nothing is.
    #[track_caller]
    fn hold(
        &self,
        ledger: &mut Ledger,
        packet: &Packet,
        (link, sent): (&str, &Sent),
        events: &[Event],
        rules: &str,
    ) -> Option<String> {
        ledger.count(events);
        let Self {
            firewall,
            any_order,
            environment,
            choices,
        } = self;
        let in_any_order = evaluate(any_order, packet, environment, choices);
        let is_told = in_any_order
            .outcomes
            .iter()
            .any(|it| it.decision == Decision::Unknown || agrees(it, events));
        let told_all = told(&in_any_order);
        assert!(is_told, "{sent:?}: {events:?}\n{told_all}\n{rules}");
        let evaluation = evaluate(firewall, packet, environment, choices);
        let mut outcomes = evaluation.outcomes.iter();
        let unknown = outcomes.find(|it| it.decision == Decision::Unknown);
        let Some(unknown) = unknown else {
            ledger.hold(&evaluation, (link, sent), events, rules);
            return None;
        };
        let rule = match unknown.reason {
            Reason::Opaque(rule, _) => firewall.rule(rule),
            _ => None,
        };
        Some(format!("{:?} {rule:?}", unknown.reason))
    }
}

/// Loads the rules of both families by iptables itself.
fn iptables(host: &Host, v4: &str, v6: &str) {
    for (program, rules) in [("iptables-nft-restore", v4), ("ip6tables-nft-restore", v6)] {
        if !rules.is_empty() {
            host.must(program, &[], rules);
        }
    }
}

/// Gives all ends of cables addresses that the others know for good: rules by chance drop what asks for them, too.
fn know_each_other(field: &Field, cables: &[Cable]) {
    for (number, host) in field.neighbours.iter().enumerate() {
        let (name, here, there) = cables[number];
        let ends = [
            (host, "eth0", ether(number)),
            (&field.center, name, ether(number + cables.len())),
        ];
        for (host, name, own) in ends {
            host.ip(&format!("link set {name} address {}", ether_text(own)));
        }
        let [(_, _, theirs), (_, _, own)] =
            ends.map(|(host, name, it)| (host, name, ether_text(it)));
        for (here, there) in here.into_iter().zip(there) {
            let (here, _) = here.split_once('/').unwrap();
            host.ip(&format!(
                "neigh replace {here} lladdr {own} dev eth0 nud permanent"
            ));
            field.center.ip(&format!(
                "neigh replace {there} lladdr {theirs} dev {name} nud permanent"
            ));
        }
    }
}

/// The address of a neighbour; behind those, that of the box on the same cable.
fn ether(number: usize) -> [u8; 6] {
    [2, 0, 0, 0, 0, u8::try_from(number + 1).unwrap()]
}

fn ether_text(address: [u8; 6]) -> String {
    address.map(|byte| format!("{byte:02x}")).join(":")
}

fn run(count: usize, seed: u64) {
    let (mut runner, mut dice) = chance(seed, 9);
    let field = Field::new(&LINKS);
    know_each_other(&field, &LINKS);
    let mut id = FIRST;
    let mut ledger = Ledger::default();
    let mut unknown = BTreeMap::new();
    for round in 0..count {
        let rfw = loop {
            let text = policies::policy().new_tree(&mut runner).unwrap().current();
            if let Some(ruleset) = compile(&text) {
                break rfw::nft::script(ruleset.ruleset());
            }
        };
        nft::load(&field.center, &format!("flush ruleset\n{WATCH}"));
        // Who comes first stands later among equals.
        let rfw_is_first = dice.below(2) == 0;
        // Without rfw what others decide is seen more often.
        let has_rfw = dice.below(2) > 0;
        if has_rfw && rfw_is_first {
            nft::load(&field.center, &rfw);
        }
        let (v4, v6) = chance::rules(&mut dice);
        let (v4, v6, nft) = match round % 6 {
            0 | 1 => (DOCKER.to_owned(), v6, ""),
            2 => (String::new(), String::new(), FIREWALLD),
            3 => (DOCKER.to_owned(), String::new(), FIREWALLD),
            _ => (v4, v6, ""),
        };
        nft::load(&field.center, nft);
        iptables(&field.center, &v4, &v6);
        let others = format!("{v4}{v6}{nft}");
        if has_rfw && !rfw_is_first {
            nft::load(&field.center, &rfw);
        }
        let read = Read::of(&field);
        let batch: Vec<(u16, usize, Sent)> = (0..PACKETS)
            .map(|_| {
                id = after(id);
                let pool: &[&str] = if dice.below(3) > 0 { &V4 } else { &V6 };
                (id, dice.below(LINKS.len()), dice.sent(id, pool))
            })
            .collect();
        for (link, sent, events) in field.try_all(batch) {
            let mut packet = packet(LINKS[link].0, &sent);
            packet.ether = Some((ether(link), ether(link + LINKS.len())));
            let rfw = if has_rfw { rfw.as_str() } else { "" };
            let rules = format!("{others}\n{rfw}");
            let why = read.hold(
                &mut ledger,
                &packet,
                (LINKS[link].0, &sent),
                &events,
                &rules,
            );
            if let Some(why) = why {
                *unknown.entry(why).or_insert(0) += 1;
            }
        }
    }
    ledger.close(&format!(
        "{count} rulesets, seed {seed}, unknown {unknown:?}"
    ));
    assert!(
        unknown.values().sum::<usize>() * 100 < ledger.packets(),
        "{unknown:?}"
    );
    ledger.assert_all_kinds();
}
