//! What the kernel refuses, and that the answer names the operation and the part of it.

use std::process::Command;
use std::time::Duration;

use rfw::bytecode::{Instruction, LookupResult, PayloadBase, Register};
use rfw::kernel::{CommitError, Kernel, ObserveError};
use rfw::netlink::Netlink;
use rfw::plan::{Operation, Place};
use rfw::ruleset::{Base, ChainPolicy, ChainType, Element, Hook, SetSpec, Verdict};

use super::{
    add_chain, add_elements, add_rule, add_set, add_table, address, addresses, addresses_between,
    commit, delete_elements, live, rule, table, try_commit,
};
use crate::support::{alone, program};

const REG: Register = Register(0);

fn load_source() -> Instruction {
    Instruction::Payload {
        base: PayloadBase::Network,
        offset: 12,
        len: 4,
        to: REG,
    }
}

fn lookup(set: &str) -> Instruction {
    Instruction::Lookup {
        set: set.into(),
        from: REG,
        result: LookupResult::Member { inverted: false },
    }
}

fn jump(chain: &str) -> Instruction {
    Instruction::Verdict(Verdict::Jump(chain.into()))
}

/// A table with a chain `c`, a set `s` that a rule in it uses, and an interval set `i`.
fn prepare() {
    let intervals = intervals();
    commit(&[
        add_table(),
        add_chain("c"),
        add_chain("d"),
        add_set(&addresses("s")),
        add_set(&intervals),
        add_elements(&addresses("s"), vec![address([10, 0, 0, 1])]),
        add_elements(
            &intervals,
            vec![addresses_between([10, 0, 0, 0], [10, 0, 0, 255])],
        ),
        add_rule(
            "c",
            Place::Last,
            rule("r", vec![load_source(), lookup("s"), jump("d")]),
        ),
    ]);
}

fn intervals() -> SetSpec {
    SetSpec {
        interval: true,
        ..addresses("i")
    }
}

#[track_caller]
fn refusals(operations: &[Operation]) -> Vec<String> {
    let before = live();
    let error = try_commit(operations).unwrap_err();
    assert_eq!(live(), before, "nothing has changed");
    let CommitError::Refused { refusals } = error else {
        panic!("{error:?}")
    };
    refusals
        .into_iter()
        .map(|refusal| {
            let operation = refusal.operation.map_or("batch".into(), |n| n.to_string());
            let reason = refusal.reason.raw_os_error().unwrap();
            let detail = refusal.detail.unwrap_or_else(|| "no detail".into());
            format!("{operation}: {detail}: {reason}")
        })
        .collect()
}

/// One operation after a good one.
#[track_caller]
fn check(operation: Operation, expect: &str) {
    assert_eq!(
        refusals(&[add_chain("fine"), operation]),
        [expect.to_owned()]
    );
}

fn in_rule(instructions: Vec<Instruction>) -> Operation {
    add_rule("c", Place::Last, rule("bad", instructions))
}

// Error numbers: 2 ENOENT, 16 EBUSY, 17 EEXIST, 22 EINVAL, 34 ERANGE, 95 EOPNOTSUPP.

#[test]
fn rules_that_miss_something() {
    alone(|| {
        prepare();
        check(
            in_rule(vec![load_source(), Instruction::Notrack, lookup("absent")]),
            "1: expression 3 (lookup): 2",
        );
        check(
            in_rule(vec![jump("absent")]),
            "1: expression 1 (immediate): 2",
        );
        check(
            in_rule(vec![Instruction::Object {
                kind: 4,
                name: "absent".into(),
            }]),
            "1: expression 1 (objref): 2",
        );
        check(
            in_rule(vec![Instruction::Opaque {
                name: "absent".into(),
                data: Vec::new(),
            }]),
            "1: expression 1 (absent): 2",
        );
        check(
            add_rule("absent", Place::Last, rule("r", vec![])),
            "1: chain `absent`: 2",
        );
        check(
            add_rule("c", Place::Before(4096), rule("r", vec![])),
            "1: the rule before which it is put, handle 4096: 2",
        );
        check(
            Operation::ReplaceRule {
                chain: "c".into(),
                handle: 4096,
                rule: rule("r", vec![]),
            },
            "1: rule handle 4096: 2",
        );
        check(
            Operation::DeleteRule {
                chain: "c".into(),
                handle: 4096,
                name: None,
            },
            "1: rule handle 4096: 2",
        );
        check(
            Operation::FlushChain {
                chain: "absent".into(),
            },
            "1: chain `absent`: 2",
        );
    });
}

#[test]
fn objects_that_are_there_or_in_use_or_not_there() {
    alone(|| {
        prepare();
        check(add_chain("c"), "1: chain `c`: 17");
        check(add_set(&addresses("s")), "1: set `s`: 17");
        check(
            Operation::DeleteChain { name: "c".into() },
            "1: no detail: 16",
        );
        check(
            Operation::DeleteChain { name: "d".into() },
            "1: no detail: 16",
        );
        check(Operation::DeleteSet { name: "s".into() }, "1: set `s`: 16");
        check(
            Operation::DeleteSet {
                name: "absent".into(),
            },
            "1: set `absent`: 2",
        );
        check(
            Operation::DeleteChain {
                name: "absent".into(),
            },
            "1: chain `absent`: 2",
        );
        check(
            add_chain(&"x".repeat(300)),
            &format!(
                "1: chain `{}`: Attribute failed policy validation: 34",
                "x".repeat(300)
            ),
        );
        check(
            Operation::SetChainPolicy {
                name: "c".into(),
                base: Base {
                    kind: ChainType::Filter,
                    hook: Hook::Input,
                    priority: 0,
                    policy: ChainPolicy::Drop,
                },
            },
            "1: chain policy: 95",
        );
    });
}

#[test]
fn elements_that_are_there_or_overlap() {
    alone(|| {
        prepare();
        let element = |n| address([10, 0, 0, n]);
        check(
            add_elements(&addresses("s"), vec![element(7), element(1), element(8)]),
            "1: element 10.0.0.1: 17",
        );
        check(
            add_elements(
                &intervals(),
                vec![
                    addresses_between([11, 0, 0, 0], [11, 0, 0, 1]),
                    addresses_between([10, 0, 0, 7], [10, 0, 0, 9]),
                ],
            ),
            "1: element 10.0.0.7-10.0.0.9: 17",
        );
        check(
            add_elements(&addresses("absent"), vec![element(1)]),
            "1: set `absent`: 2",
        );
        check(
            delete_elements(&addresses("absent"), vec![element(1)]),
            "1: set `absent`: 2",
        );
        let narrow = Element {
            key: rfw::ruleset::Key::exact([10, 0]),
            ..element(1)
        };
        check(
            add_elements(&addresses("s"), vec![narrow]),
            "1: element 0x0a00: 22",
        );
    });
}

#[test]
fn all_refusals_are_told() {
    alone(|| {
        prepare();
        assert_eq!(
            refusals(&[
                in_rule(vec![jump("absent")]),
                add_chain("fine"),
                add_chain("c"),
                add_chain("fine"),
            ]),
            [
                "0: expression 1 (immediate): 2",
                "2: chain `c`: 17",
                "3: chain `fine`: 17",
            ]
        );
    });
}

/// Thousands of errors do not fit the receive buffer that a user without privileges gets, and then
/// nothing is known for sure.
#[test]
fn lost_answers_are_not_a_success() {
    alone(|| {
        prepare();
        let operations: Vec<_> = (0..60_000)
            .map(|n| Operation::DeleteRule {
                chain: "c".into(),
                handle: 4096 + n,
                name: None,
            })
            .collect();
        let before = live();
        let error = try_commit(&operations).unwrap_err();
        assert!(
            matches!(&error, CommitError::Unknown { source } if source.raw_os_error() == Some(105)),
            "{error:?}"
        );
        assert_eq!(live(), before);
        // The socket is in step again.
        let mut netlink = Netlink::open().unwrap();
        let base = netlink.generation().unwrap();
        assert!(netlink.commit(base, &operations).is_err());
        assert_eq!(netlink.generation().unwrap(), base);
        netlink.commit(base, &[add_chain("fine")]).unwrap();
    });
}

#[test]
fn a_batch_that_does_not_fit_is_not_sent() {
    alone(|| {
        let spec = addresses("s");
        let elements: Vec<_> = (0..600_000u32).map(|n| address(n.to_be_bytes())).collect();
        let before = live();
        match try_commit(&[add_table(), add_set(&spec), add_elements(&spec, elements)]) {
            Err(CommitError::TooLarge { bytes, limit }) => {
                assert!(bytes > limit, "{bytes} {limit}");
                assert_eq!(live(), before);
            }
            // Outside a user namespace, root has as large a buffer as it takes.
            Ok(_) => assert_eq!(table().sets[0].set.elements.len(), 600_000),
            Err(error) => panic!("{error:?}"),
        }
    });
}

#[test]
fn a_name_longer_than_an_attribute_is_not_sent() {
    alone(|| {
        prepare();
        let long = Instruction::Opaque {
            name: "x".repeat(70_000),
            data: Vec::new(),
        };
        assert_eq!(
            refusals(&[add_chain("fine"), in_rule(vec![long])]),
            ["1: longer than a netlink attribute can be: 90"]
        );
    });
}

/// In a user namespace of its own, a process has no power over the network namespace it came from.
#[test]
fn without_permission_nothing_is_read_or_written() {
    const HELPLESS: &str = "RFW_TEST_HELPLESS";
    alone(|| {
        if std::env::var_os(HELPLESS).is_some() {
            let mut netlink = Netlink::open().unwrap();
            let error = netlink.observe().unwrap_err();
            assert!(
                matches!(error, ObserveError::Permission { .. }),
                "{error:?}"
            );
            let error = netlink
                .commit(rfw::live::Generation(1), &[add_table()])
                .unwrap_err();
            assert!(matches!(error, CommitError::Permission { .. }), "{error:?}");
            return;
        }
        let mut command: Command = program::command("unshare");
        command.args(["-Ur", "--fork", "--"]);
        command.arg(std::env::current_exe().unwrap());
        command.args([
            "netlink::refusal::without_permission_nothing_is_read_or_written",
            "--exact",
            "--nocapture",
        ]);
        command.env(HELPLESS, "1");
        let output = program::run(command, b"", Duration::from_secs(20));
        assert!(output.success(), "{}{}", output.stdout, output.stderr);
        assert!(output.stdout.contains("1 passed"), "{}", output.stdout);
    });
}

#[test]
fn loops_are_refused_by_check_and_by_commit() {
    alone(|| {
        prepare();
        let operations = [
            Operation::AddChain {
                name: "in".into(),
                base: Some(Base {
                    kind: ChainType::Filter,
                    hook: Hook::Input,
                    priority: 0,
                    policy: ChainPolicy::Accept,
                }),
            },
            add_rule("in", Place::Last, rule("r", vec![jump("c")])),
            add_rule("d", Place::Last, rule("r", vec![jump("c")])),
        ];
        // 31 EMLINK.
        assert_eq!(refusals(&operations), ["2: no detail: 31"]);
        let error = Netlink::open().unwrap().check(&operations).unwrap_err();
        let CommitError::Refused { refusals } = error else {
            panic!("{error:?}")
        };
        assert_eq!(refusals[0].operation, Some(2));
    });
}
