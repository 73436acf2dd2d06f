//! What a commit does, and that it does it at once or not at all.

use std::collections::BTreeSet;

use rfw::bytecode::Instruction;
use rfw::kernel::{CommitError, Kernel};
use rfw::live::Generation;
use rfw::netlink::{Netlink, TableIdentity};
use rfw::plan::{Operation, Place};
use rfw::ruleset::{
    Base, ChainPolicy, ChainType, Count, DataType, Datum, Element, Hook, Key, Limit, Object,
    ObjectKind, SetKind, SetSpec, Verdict,
};

use super::{
    MARK, add_chain, add_elements, add_rule, add_set, add_table, address, addresses,
    addresses_between, chain, commit, delete_elements, live, nft, rule, set, table, try_commit,
};
use crate::support::alone;

fn counter(packets: u64, bytes: u64) -> Instruction {
    Instruction::Counter(Count { packets, bytes })
}

fn names(chain_name: &str) -> Vec<String> {
    let rules = chain(chain_name).rules;
    rules.into_iter().map(|rule| rule.name.unwrap()).collect()
}

#[test]
fn a_stale_batch_changes_nothing() {
    alone(|| {
        let mut netlink = Netlink::open().unwrap();
        let base = netlink.generation().unwrap();
        nft(&["add", "table", "ip", "other"], "");
        let error = netlink.commit(base, &[add_table()]).unwrap_err();
        assert!(
            matches!(error, CommitError::Stale { expected } if expected == base),
            "{error:?}"
        );
        let live = live();
        assert_eq!(live.table, None);
        assert_eq!(live.generation, Generation(base.0 + 1));
        // The same batch on the new generation goes through, and the socket is still in step.
        let after = netlink.commit(live.generation, &[add_table()]).unwrap();
        assert_eq!(after, Generation(base.0 + 2));
        assert_eq!(netlink.generation().unwrap(), after);
    });
}

#[test]
fn a_check_moves_nothing() {
    alone(|| {
        let mut netlink = Netlink::open().unwrap();
        let before = netlink.generation().unwrap();
        let operations = [
            add_table(),
            add_chain("c"),
            add_rule("c", Place::Last, rule("r", vec![counter(0, 0)])),
        ];
        netlink.check(&operations).unwrap();
        assert!(matches!(
            netlink.check(&operations[1..]),
            Err(CommitError::Refused { .. })
        ));
        assert_eq!(netlink.generation().unwrap(), before);
        assert_eq!(netlink.observe().unwrap().table, None);
    });
}

#[test]
fn what_changes_nothing_moves_nothing() {
    alone(|| {
        let spec = addresses("s");
        let (base, after) = try_commit(&[]).unwrap();
        assert_eq!(after, base);
        commit(&[add_table(), add_set(&spec)]);
        let (base, after) = try_commit(&[Operation::AddTable { mark: [1; 16] }]).unwrap();
        assert_eq!(after, base);
        assert_eq!(table().mark, Some(MARK));
        let gone = vec![address([10, 0, 0, 1]), address([10, 0, 0, 2])];
        let (base, after) = try_commit(&[delete_elements(&spec, gone)]).unwrap();
        assert_eq!(after, base);
    });
}

#[test]
fn rules_stand_where_they_are_put() {
    alone(|| {
        let accept = |name| rule(name, vec![Instruction::Verdict(Verdict::Accept)]);
        commit(&[
            add_table(),
            add_chain("c"),
            add_rule("c", Place::Last, accept("first")),
            add_rule("c", Place::Last, accept("last")),
        ]);
        let last = chain("c").rules[1].handle;
        commit(&[
            add_rule("c", Place::Before(last), accept("a")),
            add_rule("c", Place::Last, accept("z")),
            add_rule("c", Place::Before(last), accept("b")),
            add_rule("c", Place::Before(last), accept("c")),
        ]);
        assert_eq!(names("c"), ["first", "a", "b", "c", "last", "z"]);
        commit(&[
            Operation::DeleteRule {
                chain: "c".into(),
                handle: last,
                name: None,
            },
            add_rule("c", Place::Last, accept("new")),
        ]);
        assert_eq!(names("c"), ["first", "a", "b", "c", "z", "new"]);
        commit(&[Operation::FlushChain { chain: "c".into() }]);
        assert_eq!(names("c"), [""; 0]);
    });
}

#[test]
fn a_replaced_rule_keeps_handle_place_and_count() {
    alone(|| {
        let counted = |name, count| rule(name, vec![count, Instruction::Verdict(Verdict::Drop)]);
        commit(&[
            add_table(),
            add_chain("c"),
            add_rule("c", Place::Last, counted("a", counter(0, 0))),
            add_rule("c", Place::Last, counted("b", counter(5, 500))),
            add_rule("c", Place::Last, counted("c", counter(0, 0))),
        ]);
        let old = chain("c").rules[1].clone();
        assert_eq!(
            old.count(),
            Some(Count {
                packets: 5,
                bytes: 500
            })
        );
        commit(&[Operation::ReplaceRule {
            chain: "c".into(),
            handle: old.handle,
            rule: rule(
                "b2",
                vec![counter(7, 700), Instruction::Verdict(Verdict::Accept)],
            ),
        }]);
        let new = chain("c").rules[1].clone();
        assert_eq!(new.handle, old.handle);
        assert_eq!(
            new.instructions,
            [counter(7, 700), Instruction::Verdict(Verdict::Accept)]
        );
        assert_eq!(names("c"), ["a", "b2", "c"]);
    });
}

#[test]
fn elements_come_and_go_one_by_one() {
    alone(|| {
        let spec = SetSpec {
            counter: true,
            ..SetSpec::new("m", vec![DataType::InetService], SetKind::VerdictMap)
        };
        let element = |port: u16, verdict, packets| Element {
            key: Key::exact(port.to_be_bytes()),
            datum: Some(Datum::Verdict(verdict)),
            name: Some(format!("p/{port}")),
            count: Some(Count { packets, bytes: 0 }),
        };
        let [ssh, web, mail] = [
            element(22, Verdict::Accept, 3),
            element(80, Verdict::Jump("c".into()), 4),
            element(25, Verdict::Drop, 0),
        ];
        let elements = vec![ssh.clone(), web.clone()];
        commit(&[
            add_table(),
            add_set(&spec),
            add_chain("c"),
            add_elements(&spec, elements.clone()),
        ]);
        assert_eq!(set("m").set.elements, elements);
        // The other value goes in with the count of the old one, in one batch.
        let other = element(22, Verdict::Drop, 3);
        commit(&[
            delete_elements(&spec, vec![ssh, mail.clone()]),
            add_elements(&spec, vec![other.clone(), mail.clone()]),
        ]);
        assert_eq!(set("m").set.elements, [other, mail, web]);
    });
}

#[test]
fn intervals_come_and_go_one_by_one() {
    alone(|| {
        let spec = SetSpec {
            interval: true,
            ..addresses("s")
        };
        let [low, middle, next, high] = [
            addresses_between([0, 0, 0, 0], [9, 255, 255, 255]),
            addresses_between([10, 0, 0, 0], [10, 255, 255, 255]),
            addresses_between([11, 0, 0, 0], [11, 0, 0, 0]),
            addresses_between([192, 0, 0, 0], [255, 255, 255, 255]),
        ];
        let all = vec![low.clone(), middle.clone(), next.clone(), high.clone()];
        commit(&[
            add_table(),
            add_set(&spec),
            add_elements(&spec, all.clone()),
        ]);
        assert_eq!(set("s").set.elements, all);
        let wider = addresses_between([10, 0, 0, 0], [11, 0, 0, 0]);
        commit(&[
            delete_elements(&spec, vec![middle, next, high]),
            add_elements(&spec, vec![wider.clone()]),
        ]);
        assert_eq!(set("s").set.elements, [low.clone(), wider.clone()]);
        commit(&[delete_elements(&spec, vec![low, wider])]);
        assert_eq!(set("s").set.elements, []);
    });
}

/// More elements than one message can hold.
#[test]
fn many_elements_are_split_into_messages() {
    alone(|| {
        let spec = addresses("s");
        let elements: Vec<_> = (0..10_000u32).map(|n| address(n.to_be_bytes())).collect();
        commit(&[
            add_table(),
            add_set(&spec),
            add_elements(&spec, elements.clone()),
        ]);
        assert_eq!(set("s").set.elements, elements);
        commit(&[delete_elements(&spec, elements[1..].to_vec())]);
        assert_eq!(set("s").set.elements, elements[..1]);
    });
}

#[test]
fn chains_objects_and_the_table_are_changed_in_place_and_deleted() {
    alone(|| {
        let base = Base {
            kind: ChainType::Filter,
            hook: Hook::Input,
            priority: -5,
            policy: ChainPolicy::Accept,
        };
        let object = |kind| Object {
            name: "o".into(),
            kind,
            origin: None,
        };
        let limit = object(ObjectKind::Limit(Limit {
            rate: 3,
            unit: 3600,
            burst: 9,
        }));
        let helper = object(ObjectKind::CtHelper {
            helper: "ftp".into(),
            protocol: 6,
        });
        commit(&[
            add_table(),
            Operation::AddChain {
                name: "in".into(),
                base: Some(base),
            },
            Operation::AddObject {
                object: limit.clone(),
            },
            Operation::AddObject {
                object: helper.clone(),
            },
        ]);
        assert_eq!(chain("in").base, Some(base));
        let objects: Vec<_> = table().objects.into_iter().map(|it| it.object).collect();
        assert_eq!(objects, [limit.clone(), helper.clone()]);
        let closed = Base {
            policy: ChainPolicy::Drop,
            ..base
        };
        commit(&[
            Operation::SetTableFlags { flags: 1 },
            Operation::SetChainPolicy {
                name: "in".into(),
                base: closed,
            },
            Operation::DeleteObject { object: helper },
        ]);
        assert_eq!(chain("in").base, Some(closed));
        assert_eq!(table().flags, 1);
        let objects: Vec<_> = table().objects.into_iter().map(|it| it.object).collect();
        assert_eq!(objects, [limit]);
        commit(&[
            Operation::SetTableFlags { flags: 0 },
            Operation::DeleteChain { name: "in".into() },
        ]);
        assert_eq!((table().flags, table().chains), (0, Vec::new()));
        commit(&[Operation::DeleteTable]);
        assert_eq!(live().table, None);
    });
}

#[test]
fn a_table_is_known_by_handle_and_mark() {
    alone(|| {
        let mut netlink = Netlink::open().unwrap();
        let generation = netlink.generation().unwrap();
        assert_eq!(netlink.identity().unwrap(), (generation, None));
        let mut seen = BTreeSet::new();
        for mark in [[1; 16], [2; 16]] {
            nft(&["flush", "ruleset"], "");
            let base = netlink.generation().unwrap();
            let operations = [Operation::AddTable { mark }];
            let generation = netlink.commit(base, &operations).unwrap();
            let handle = table().handle;
            let mark = Some(mark);
            let identity = TableIdentity { handle, mark };
            assert_eq!(netlink.identity().unwrap(), (generation, Some(identity)));
            seen.insert((handle, mark));
        }
        assert_eq!(seen.len(), 2);
    });
}
