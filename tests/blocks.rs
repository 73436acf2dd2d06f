//! Optimised and plain compilation decide alike: a policy's rules read one by one, as the language
//! defines them, against the chain they compile to, maps and all.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use rfw::compile::lower;
use rfw::compile::model::{
    Action, Interface, Model, Ports, RejectWith, Rule, Selected, Selector, Service, Side, Zone,
    ZonePolicy,
};
use rfw::diagnostic::DocPath;
use rfw::ruleset::{
    Addresses, Datum, Expression, Field, Interval, Intervals, Meta, Operand, Relation, Ruleset,
    Statement, Transport, Verdict,
};

/// A packet of a small world: two addresses, a protocol, a port.
#[derive(Clone, Copy, Debug)]
struct Packet {
    source: u32,
    destination: u32,
    transport: Transport,
    port: u16,
}

/// What the language says: the first rule that matches decides, then the default (drop).
fn by_the_policy(policy: &ZonePolicy, model: &Model, packet: Packet) -> &'static str {
    let selected = |selector: &Selector, address: u32| {
        let inside = |list: &[Selected]| {
            list.iter().any(|entry| match entry {
                Selected::Addresses(addresses) => addresses.v4.contains(address),
                Selected::Group(name) => model.groups[name].v4.contains(address),
                Selected::Set(_) | Selected::HostParts(_) => false,
            })
        };
        (selector.include.is_empty() || inside(&selector.include)) && !inside(&selector.exclude)
    };
    let rule = policy.rules.iter().find(|rule| {
        let served = rule.services.is_empty()
            || rule.services.iter().any(|service| {
                service
                    .ports
                    .get(packet.transport)
                    .is_some_and(|ports| ports.contains(packet.port))
            });
        served
            && selected(&rule.source, packet.source)
            && selected(&rule.destination, packet.destination)
    });
    word(rule.map_or(Action::Drop, |rule| rule.action))
}

fn word(action: Action) -> &'static str {
    match action {
        Action::Accept => "accept",
        Action::Drop => "drop",
        Action::Reject(_) => "reject",
    }
}

/// What the compiled chain says, statement by statement.
fn by_the_chain(ruleset: &Ruleset, chain: &str, packet: Packet) -> &'static str {
    let rules = &ruleset
        .chains
        .iter()
        .find(|one| one.name == chain)
        .expect("the chain is there")
        .rules;
    for rule in rules {
        for statement in &rule.statements {
            match statement {
                Statement::Match {
                    left,
                    relation,
                    right,
                } => {
                    let value = value(left, packet);
                    if holds(ruleset, &value, right) != (*relation == Relation::Eq) {
                        break;
                    }
                }
                Statement::Counter => {}
                Statement::Reject(_) => return "reject",
                Statement::Verdict(verdict) => return decided(verdict),
                Statement::VerdictMap { key, map } => {
                    let key = value(key, packet);
                    let set = ruleset
                        .sets
                        .iter()
                        .find(|set| set.spec.name == *map)
                        .expect("the map is there");
                    let found = set.elements.iter().find(|element| *element.key.lo == *key);
                    if let Some(Datum::Verdict(verdict)) =
                        found.and_then(|element| element.datum.clone())
                    {
                        return decided(&verdict);
                    }
                }
                other => panic!("no such statement in this test: {other:?}"),
            }
        }
    }
    panic!("the chain does not decide")
}

fn decided(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Accept => "accept",
        Verdict::Drop => "drop",
        Verdict::Goto(chain) if chain.starts_with("reject") => "reject",
        other => panic!("no such verdict in this test: {other:?}"),
    }
}

fn value(expression: &Expression, packet: Packet) -> Vec<u8> {
    match expression {
        Expression::Meta(Meta::L4proto) => vec![packet.transport.number()],
        Expression::Meta(Meta::Nfproto) => vec![2],
        Expression::Field(Field::IpSaddr) => packet.source.to_be_bytes().to_vec(),
        Expression::Field(Field::IpDaddr) => packet.destination.to_be_bytes().to_vec(),
        Expression::Field(Field::ThDport) => packet.port.to_be_bytes().to_vec(),
        // A port of another protocol: the match on the protocol has failed before it is read.
        Expression::Field(Field::Dport(transport)) if *transport == packet.transport => {
            packet.port.to_be_bytes().to_vec()
        }
        Expression::Field(Field::Dport(_)) => Vec::new(),
        Expression::Masked(field, mask) => {
            let bytes = value(&Expression::Field(*field), packet);
            bytes
                .iter()
                .zip(mask)
                .map(|(byte, mask)| byte & mask)
                .collect()
        }
        Expression::Concat(fields) => {
            let mut key = Vec::new();
            for field in fields {
                key.extend(value(field, packet));
                key.resize(key.len().next_multiple_of(4), 0);
            }
            key
        }
        other => panic!("no such expression in this test: {other:?}"),
    }
}

fn holds(ruleset: &Ruleset, value: &[u8], operand: &Operand) -> bool {
    if value.is_empty() {
        return false;
    }
    match operand {
        Operand::Value(expected) => value == &**expected,
        Operand::Range(lo, hi) => &**lo <= value && value <= &**hi,
        Operand::Prefix(prefix, length) => {
            let bits = |bytes: &[u8]| {
                bytes
                    .iter()
                    .fold(0u64, |all, byte| all << 8 | u64::from(*byte))
            };
            let shift = value.len() * 8 - usize::from(*length);
            bits(value).checked_shr(shift as u32) == bits(prefix).checked_shr(shift as u32)
        }
        Operand::Set(name) => {
            let set = ruleset
                .sets
                .iter()
                .find(|set| set.spec.name == *name)
                .expect("the set is there");
            set.elements
                .iter()
                .any(|element| &*element.key.lo <= value && value <= element.key.last())
        }
        other => panic!("no such operand in this test: {other:?}"),
    }
}

/// Addresses of the small world: 10.0.0.0 to 10.0.0.15.
const FIRST: u32 = 0x0a00_0000;
const PORTS: std::ops::Range<u16> = 20..28;

fn addresses() -> impl Strategy<Value = Addresses> {
    prop::collection::vec((0u32..16, 0u32..4), 1..3).prop_map(|parts| Addresses {
        v4: parts
            .into_iter()
            .map(|(at, bits)| {
                let lo = FIRST + (at >> bits << bits);
                Interval {
                    lo,
                    hi: lo + (1 << bits) - 1,
                }
            })
            .collect(),
        v6: Intervals::empty(),
    })
}

fn selector() -> impl Strategy<Value = Selector> {
    let include = prop_oneof![
        4 => Just(Vec::new()),
        4 => addresses().prop_map(|addresses| vec![Selected::Addresses(addresses)]),
        1 => Just(vec![Selected::Group("admins".to_owned())]),
    ];
    let exclude = prop_oneof![
        8 => Just(Vec::new()),
        1 => addresses().prop_map(|addresses| vec![Selected::Addresses(addresses)]),
    ];
    (include, exclude).prop_map(|(include, exclude)| Selector { include, exclude })
}

fn services() -> impl Strategy<Value = Vec<Service>> {
    let ports = prop::collection::vec((PORTS, 0u16..3), 1..3).prop_map(|parts| {
        parts
            .into_iter()
            .map(|(lo, more)| Interval { lo, hi: lo + more })
            .collect()
    });
    let service = (
        prop_oneof![Just(Transport::Tcp), Just(Transport::Udp)],
        ports,
    )
        .prop_map(|(transport, ports)| Service {
            name: "made".into(),
            ports: Ports::from_iter([(transport, ports)]),
            ..Service::default()
        });
    prop_oneof![1 => Just(Vec::new()), 9 => prop::collection::vec(service, 1..3)]
}

fn rules() -> impl Strategy<Value = Vec<Rule>> {
    let action = prop_oneof![
        6 => Just(Action::Accept),
        2 => Just(Action::Drop),
        1 => Just(Action::Reject(RejectWith::Default)),
    ];
    // Runs of one action, so that blocks form.
    let run = (
        action,
        prop::collection::vec((services(), selector(), selector()), 1..30),
    );
    prop::collection::vec(run, 1..4).prop_map(|runs| {
        let mut rules = Vec::new();
        for (action, parts) in runs {
            for (services, source, destination) in parts {
                rules.push(Rule {
                    name: format!("r{}", rules.len()).into(),
                    services,
                    source,
                    destination,
                    action,
                    schedule: None,
                    limit: None,
                    most_connections: None,
                    offload: false,
                    adds_source_to: None,
                    log: None,
                    at: DocPath::root(),
                });
            }
        }
        rules
    })
}

fn model(rules: Vec<Rule>) -> Model {
    let zone = |interface: &str| Zone {
        interfaces: vec![Interface {
            name: interface.to_owned(),
            prefix: false,
        }],
        networks: Addresses::default(),
        by_address: false,
    };
    Model {
        zones: BTreeMap::from([
            ("lan".to_owned(), zone("eth1")),
            ("wan".to_owned(), zone("eth0")),
        ]),
        groups: BTreeMap::from([(
            "admins".to_owned(),
            Addresses {
                v4: [3, 9]
                    .map(|at| Interval::single(FIRST + at))
                    .into_iter()
                    .collect(),
                v6: Intervals::empty(),
            },
        )]),
        policies: vec![ZonePolicy {
            name: "out".to_owned(),
            from: vec![Side::Zone("lan".to_owned())],
            to: vec![Side::Zone("wan".to_owned())],
            default: Some(Action::Drop),
            log: None,
            rules,
            at: DocPath::root(),
        }],
        ..Model::default()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_block_decides_as_its_rules_do(rules in rules()) {
        let model = model(rules);
        let ruleset = lower(&model);
        rfw::ruleset::validate(ruleset.clone()).expect("the ruleset keeps the contract");
        for source in FIRST..FIRST + 16 {
            for destination in FIRST..FIRST + 16 {
                for transport in [Transport::Tcp, Transport::Udp] {
                    for port in PORTS.start - 1..PORTS.end + 2 {
                        let packet = Packet { source, destination, transport, port };
                        prop_assert_eq!(
                            by_the_chain(&ruleset, "policy/out", packet),
                            by_the_policy(&model.policies[0], &model, packet),
                            "{:?}", packet
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn a_long_run_becomes_one_lookup_for_each_shape() {
    let rule = |number: u16, source: bool| {
        let host = |at: u32| Selector {
            include: vec![Selected::Addresses(Addresses {
                v4: [Interval::single(FIRST + at)].into_iter().collect(),
                v6: Intervals::empty(),
            })],
            exclude: Vec::new(),
        };
        Rule {
            name: format!("r{number}").into(),
            services: vec![Service {
                name: "made".into(),
                ports: Ports::from_iter([(
                    Transport::Tcp,
                    [Interval::single(number)].into_iter().collect(),
                )]),
                ..Service::default()
            }],
            source: if source {
                host(u32::from(number))
            } else {
                Selector::default()
            },
            destination: host(1),
            action: Action::Accept,
            schedule: None,
            limit: None,
            most_connections: None,
            offload: false,
            adds_source_to: None,
            log: None,
            at: DocPath::root(),
        }
    };
    let rules = (1..=1000)
        .map(|number| rule(number, number % 2 == 0))
        .collect();
    let ruleset = lower(&model(rules));
    let chain = ruleset
        .chains
        .iter()
        .find(|chain| chain.name == "policy/out")
        .unwrap();
    assert_eq!(chain.rules.len(), 3, "two lookups and the default");
    let maps: BTreeSet<(&str, usize)> = ruleset
        .sets
        .iter()
        .map(|set| (set.spec.name.as_str(), set.elements.len()))
        .filter(|(name, _)| name.starts_with("out"))
        .collect();
    let expected = [
        ("out.accept.4.d32.port", 500),
        ("out.accept.4.s32.d32.port", 500),
    ];
    assert_eq!(maps, BTreeSet::from(expected));
}
