//! What is read: all of it, of one moment, whoever made it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rfw::bytecode::{Comparison, Instruction, PayloadBase, Register};
use rfw::kernel::Kernel;

use rfw::live::{Known, Live, OtherTable};
use rfw::netlink::Netlink;
use rfw::plan::{Operation, Place};
use rfw::ruleset::{
    Count, DataType, Datum, Element, Elements, Key, ObjectKind, Set, SetKind, SetSpec, Verdict,
};

use super::{
    add_chain, add_elements, add_rule, add_set, add_table, address, addresses, addresses_between,
    chain, commit, delete_elements, live, nft, rule, set, table,
};
use crate::support::alone;

#[test]
fn other_tables_are_only_named() {
    alone(|| {
        nft(
            &["-f", "-"],
            "table inet a {\nchain c { type filter hook input priority 0; counter; }\n}\n\
             table ip rfw {\nset s { type ipv4_addr; }\n}\ntable ip6 b {}\n",
        );
        let live = live();
        assert_eq!(live.table, None);
        let other = |family, name: &str| OtherTable {
            family,
            name: name.into(),
        };
        assert_eq!(
            live.others,
            [other(1, "a"), other(2, "rfw"), other(10, "b")]
        );
        // Their chains are not ours.
        commit(&[add_table(), add_chain("c")]);
        assert_eq!(table().chains.len(), 1);
        assert_eq!(table().sets, []);
    });
}

/// Somebody else wrote into our table: all of it is there, and what rfw cannot say is named.
#[test]
fn what_others_wrote_is_shown() {
    alone(|| {
        nft(
            &["-f", "-"],
            r#"table inet rfw {
                quota q { over 10 mbytes }
                limit l { rate over 3 mbytes/second }
                ct helper h { type "ftp" protocol tcp; l3proto ip; }
                set mac { type ether_addr; elements = { 00:11:22:33:44:55 } }
                set own { type ipv4_addr; timeout 60s; elements = { 10.0.0.1 timeout 30s, 10.0.0.2 } }
                set any { type ipv4_addr; flags interval; elements = { 10.0.0.0/8, * } }
                set fix { type ipv4_addr; flags constant; }
                set mem { type ipv4_addr; policy memory; }
                map obj { type ipv4_addr : quota; elements = { 10.0.0.1 : "q" } }
                set lim { type ipv4_addr; limit rate 5/second; }
                chain c {
                    ip saddr { 10.0.0.1, 10.0.0.2 } drop
                    quota over 10 bytes
                    limit rate over 3/second
                    jump { accept; }
                    log flags ip options
                    quota name "q"
                }
            }"#,
        );
        let table = table();
        let kinds: Vec<_> = table.objects.iter().map(|it| &it.object.kind).collect();
        assert_eq!(
            kinds,
            [
                &ObjectKind::Other(3),
                &ObjectKind::Other(4),
                &ObjectKind::Other(2)
            ]
        );
        let unknown: Vec<_> = table
            .sets
            .iter()
            .map(|set| (set.set.spec.name.as_str(), set.unknown.join(", ")))
            .collect();
        let unknown: Vec<_> = unknown.iter().map(|(a, b)| (*a, b.as_str())).collect();
        assert_eq!(
            unknown,
            [
                ("__set0", "flag constant"),
                ("any", "a catch-all element"),
                ("fix", "flag constant"),
                (
                    "lim",
                    "elements keep Limit(Limit { rate: 5, unit: 1, burst: 5 })"
                ),
                ("mac", "key type 9"),
                ("mem", "policy 1"),
                (
                    "obj",
                    "values are objects of type 2, flag object, an element with the object `q`"
                ),
                ("own", "an element with its own timeout, 30000 ms"),
            ]
        );
        let anonymous: Vec<_> = table.sets.iter().filter(|set| set.anonymous).collect();
        assert_eq!(anonymous.len(), 1);
        assert_eq!(anonymous[0].set.elements.len(), 2);
        assert_eq!(set("own").set.elements.len(), 2);
        assert_eq!(set("any").set.elements.len(), 1);
        let anonymous: Vec<_> = table.chains.iter().filter(|it| it.anonymous).collect();
        assert_eq!(anonymous.len(), 1);
        assert_eq!(anonymous[0].rules.len(), 1);
        let rules = chain("c").rules;
        let opaque: Vec<_> = rules
            .iter()
            .flat_map(|rule| &rule.instructions)
            .filter_map(|instruction| match instruction {
                Instruction::Opaque { name, data } => Some((name.as_str(), !data.is_empty())),
                _ => None,
            })
            .collect();
        assert_eq!(opaque, [("quota", true), ("limit", true), ("log", true)]);
    });
}

/// A writer turns every rule and every element over in each commit; no reading may mix them.
#[test]
fn a_reading_is_of_one_moment() {
    const COUNT: u16 = 400;
    alone(|| {
        let spec = SetSpec::new(
            "s",
            vec![DataType::InetService, DataType::InetService],
            SetKind::Set,
        );
        let elements = |round: u16| -> Vec<Element> {
            (0..COUNT)
                .map(|n| {
                    let [a, b] = n.to_be_bytes();
                    let [c, d] = round.to_be_bytes();
                    Element {
                        key: Key::exact([a, b, 0, 0, c, d, 0, 0]),
                        datum: None,
                        name: None,
                        count: None,
                    }
                })
                .collect()
        };
        let rules = |round: u16| {
            (0..COUNT).map(move |_| add_rule("c", Place::Last, rule(&round.to_string(), vec![])))
        };
        let mut first = vec![add_table(), add_chain("c"), add_set(&spec)];
        first.push(add_elements(&spec, elements(0)));
        first.extend(rules(0));
        commit(&first);
        let done = AtomicBool::new(false);
        let read = std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut netlink = Netlink::open().unwrap();
                let mut round = 0;
                while !done.load(Ordering::Relaxed) && round < 2000 {
                    let mut next = vec![Operation::FlushChain { chain: "c".into() }];
                    next.push(delete_elements(&spec, elements(round)));
                    round += 1;
                    next.push(add_elements(&spec, elements(round)));
                    next.extend(rules(round));
                    let base = netlink.generation().unwrap();
                    netlink.commit(base, &next).unwrap();
                    std::thread::sleep(Duration::from_millis(20));
                }
            });
            let mut netlink = Netlink::open().unwrap();
            let mut read = 0;
            let start = Instant::now();
            while start.elapsed() < Duration::from_secs(3) {
                // It may give up when it is disturbed all the time, but it may not be wrong.
                let Ok(live) = netlink.observe() else {
                    continue;
                };
                let table = live.table.unwrap();
                let rules = &table.chains[0].rules;
                let round = rules[0].name.clone();
                assert_eq!(rules.len(), usize::from(COUNT));
                assert!(rules.iter().all(|rule| rule.name == round));
                let round: u16 = round.unwrap().parse().unwrap();
                assert_eq!(table.sets[0].set.elements, elements(round));
                read += 1;
            }
            done.store(true, Ordering::Relaxed);
            read
        });
        assert!(read > 10, "{read} readings");
    });
}

/// Above 20 000 rules the chains are read one by one.
#[test]
fn a_large_table_is_read_chain_by_chain() {
    alone(|| {
        let mut operations = vec![add_table()];
        for n in 0..21 {
            operations.push(add_chain(&format!("c{n:02}")));
        }
        for n in 0..21_000 {
            let chain = format!("c{:02}", n % 21);
            let rule = rule(&n.to_string(), vec![]);
            operations.push(add_rule(&chain, Place::Last, rule));
        }
        commit(&operations);
        let table = table();
        for (place, chain) in table.chains.iter().enumerate() {
            let names: Vec<usize> = chain
                .rules
                .iter()
                .map(|rule| rule.name.as_ref().unwrap().parse().unwrap())
                .collect();
            let expect: Vec<_> = (0..1000).map(|n| n * 21 + place).collect();
            assert_eq!(names, expect);
        }
    });
}

/// Prints what it takes (`--nocapture`); fails when it does not come back.
#[test]
fn ten_thousand_rules_and_elements_come_back() {
    const COUNT: u16 = 10_000;
    alone(|| {
        let spec = SetSpec {
            counter: true,
            ..SetSpec::new("m", vec![DataType::InetService], SetKind::VerdictMap)
        };
        let elements: Vec<_> = (0..COUNT)
            .map(|n| Element {
                key: Key::exact(n.to_be_bytes()),
                datum: Some(Datum::Verdict(Verdict::Goto("d".into()))),
                name: Some(format!("policy/rule-{n}")),
                count: Some(Count {
                    packets: u64::from(n),
                    bytes: 1,
                }),
            })
            .collect();
        let instructions = |n: u16| {
            let register = Register(0);
            vec![
                Instruction::Meta {
                    key: 16,
                    to: register,
                },
                Instruction::Cmp {
                    from: register,
                    op: Comparison::Eq,
                    data: vec![6],
                },
                Instruction::Payload {
                    base: PayloadBase::Transport,
                    offset: 2,
                    len: 2,
                    to: register,
                },
                Instruction::Cmp {
                    from: register,
                    op: Comparison::Eq,
                    data: n.to_be_bytes().to_vec(),
                },
                Instruction::Counter(Count::default()),
                Instruction::Verdict(Verdict::Accept),
            ]
        };
        let mut operations = vec![
            add_table(),
            add_set(&spec),
            add_chain("c"),
            add_chain("d"),
            add_elements(&spec, elements.clone()),
        ];
        operations.extend((0..COUNT).map(|n| {
            let rule = rule(&format!("policy/rule-{n}"), instructions(n));
            add_rule("c", Place::Last, rule)
        }));
        let mut netlink = Netlink::open().unwrap();
        let base = netlink.generation().unwrap();
        let start = Instant::now();
        let base = netlink.commit(base, &operations).unwrap();
        let committed = start.elapsed();
        let start = Instant::now();
        let table = netlink.observe().unwrap().table.unwrap();
        let observed = start.elapsed();
        assert_eq!(table.sets[0].set.elements, elements);
        assert_eq!(table.chains[0].rules.len(), usize::from(COUNT));
        for (n, rule) in (0..COUNT).zip(&table.chains[0].rules) {
            assert_eq!(rule.instructions, instructions(n));
        }
        let one = [add_rule(
            "c",
            Place::Before(table.chains[0].rules[5000].handle),
            rule("one", instructions(1)),
        )];
        let start = Instant::now();
        netlink.commit(base, &one).unwrap();
        let one = start.elapsed();
        let start = Instant::now();
        netlink.identity().unwrap();
        let identity = start.elapsed();
        println!(
            "commit {committed:?}, observe {observed:?}, one rule {one:?}, identity {identity:?}"
        );
    });
}

/// What is known is not listed, but only if it is of this generation and the kernel counts as many.
#[test]
fn large_sets_that_are_known_are_not_listed() {
    alone(|| {
        let mut netlink = Netlink::open().unwrap();
        let ranges = SetSpec {
            interval: true,
            ..addresses("ranges")
        };
        let open = SetSpec {
            interval: true,
            ..addresses("open")
        };
        let fill = |number: u32, last: u32| -> Elements {
            let keys = (0..number).map(|n| if n + 1 == number { last } else { 4 * n });
            keys.map(|lo| addresses_between(lo.to_be_bytes(), (lo | 1).to_be_bytes()))
                .collect()
        };
        let base = netlink.generation().unwrap();
        let operations = [
            add_table(),
            add_set(&ranges),
            add_set(&open),
            add_set(&addresses("hosts")),
            add_elements(&ranges, fill(10_000, 80_000)),
            add_elements(&open, fill(10_000, u32::MAX - 1)),
            add_elements(&addresses("hosts"), hosts(1)),
        ];
        let generation = netlink.commit(base, &operations).unwrap();
        let true_sets: Vec<Set> = sets(&netlink.observe().unwrap());
        let known = Known::of(generation, &true_sets);
        assert_eq!(known.sets.len(), 3);
        assert_eq!(sets(&netlink.observe_beside(&known).unwrap()), true_sets);
        // A lie of the right size is believed, so nothing was listed.
        let mut lie = known.clone();
        lie.sets.insert(
            "ranges".into(),
            fill(10_000, 90_000).plain().unwrap().clone(),
        );
        lie.sets.insert(
            "open".into(),
            fill(9_999, u32::MAX - 3).plain().unwrap().clone(),
        );
        lie.sets
            .insert("hosts".into(), hosts(3).plain().unwrap().clone());
        let read = sets(&netlink.observe_beside(&lie).unwrap());
        assert!(
            read.iter()
                .zip(&true_sets)
                .all(|(read, set)| read.elements != set.elements)
        );
        // Of another size or of another time, it is not.
        for (name, elements) in [
            ("ranges", fill(9_999, 80_000)),
            ("open", fill(10_000, 80_000)),
        ] {
            let mut lie = known.clone();
            lie.sets
                .insert(name.into(), elements.plain().unwrap().clone());
            assert_eq!(sets(&netlink.observe_beside(&lie).unwrap()), true_sets);
        }
        commit(&[delete_elements(&ranges, fill(1, 80_000))]);
        let read = sets(&netlink.observe_beside(&lie).unwrap());
        assert_eq!(read[1], true_sets[1]);
        assert_eq!(read[2].elements.len(), 9_999);
    });
}

/// So many hosts, one of which is another.
fn hosts(last: u32) -> Elements {
    (0..10_000u32)
        .map(|n| address((4 * n + if n == 9_999 { last } else { 0 }).to_be_bytes()))
        .collect()
}

fn sets(live: &Live) -> Vec<Set> {
    live.table
        .as_ref()
        .unwrap()
        .sets
        .iter()
        .map(|set| set.set.clone())
        .collect()
}
