//! What is done to the table as a whole, and to its chains.

use rfw::plan::{Operation, Place};
use rfw::ruleset::{Base, ChainPolicy, ChainType, Hook};

use super::super::operation::{
    INPUT, add_chain, add_rule, base, delete, delete_chain, delete_rule, delete_set, flush, handle,
    set_policy,
};
use super::Case;

pub(super) const CASES: &[Case] = &[
    ("nothing", |_| vec![]),
    ("the table again", |_| {
        vec![Operation::AddTable { mark: [1; 16] }]
    }),
    ("the table goes", |_| vec![Operation::DeleteTable]),
    ("the table goes and something is added", |_| {
        vec![Operation::DeleteTable, add_chain("new", None)]
    }),
    ("the table goes and comes back", |_| {
        vec![
            Operation::DeleteTable,
            Operation::AddTable { mark: [1; 16] },
            add_chain("new", None),
        ]
    }),
    // Chains.
    ("a chain", |_| vec![add_chain("new", None)]),
    ("a chain that is there", |_| vec![add_chain("leaf", None)]),
    ("a chain twice", |_| {
        vec![add_chain("new", None), add_chain("new", None)]
    }),
    ("a base chain", |_| vec![add_chain("new", Some(INPUT))]),
    ("a nat chain at forward", |_| {
        let base = base(Hook::Forward, 0, ChainType::Nat, ChainPolicy::Accept);
        vec![add_chain("new", Some(base))]
    }),
    ("a nat chain before conntrack", |_| {
        let base = base(Hook::Prerouting, -200, ChainType::Nat, ChainPolicy::Accept);
        vec![add_chain("new", Some(base))]
    }),
    ("a route chain at output and at input", |_| {
        let at = |hook| Some(base(hook, 0, ChainType::Route, ChainPolicy::Accept));
        vec![
            add_chain("new", at(Hook::Output)),
            add_chain("newer", at(Hook::Input)),
        ]
    }),
    ("a chain that is not there goes", |_| {
        vec![delete_chain("new")]
    }),
    ("an empty chain goes", |_| vec![delete_chain("spare")]),
    ("a base chain goes", |_| vec![delete_chain("out")]),
    ("a chain with rules goes", |_| vec![delete_chain("lonely")]),
    ("a flushed chain goes", |_| {
        vec![flush("lonely"), delete_chain("lonely")]
    }),
    ("an empty chain is flushed", |_| vec![flush("spare")]),
    ("a chain that is not there is flushed", |_| {
        vec![flush("new")]
    }),
    ("a chain goes that an element leads into", |_| {
        vec![flush("leaf"), delete_chain("leaf")]
    }),
    ("a chain goes after the element that led into it", |_| {
        vec![
            flush("leaf"),
            delete("ways", "1=>accept"),
            delete_chain("leaf"),
        ]
    }),
    (
        "a chain goes after the verdict map that led into it",
        |live| {
            vec![
                flush("leaf"),
                delete_rule("input", handle(live, "d")),
                delete_set("ways"),
                delete_chain("leaf"),
            ]
        },
    ),
    ("a chain goes that a rule leads into", |_| {
        vec![
            add_rule("lonely", Place::Last, "x: jump:spare"),
            delete_chain("spare"),
        ]
    }),
    ("a chain goes and comes back", |_| {
        vec![
            flush("lonely"),
            delete_chain("lonely"),
            add_chain("lonely", None),
        ]
    }),
    ("a chain becomes a base chain", |_| {
        vec![delete_chain("spare"), add_chain("spare", Some(INPUT))]
    }),
    ("a base chain of another priority", |_| {
        vec![
            flush("input"),
            delete_chain("input"),
            add_chain(
                "input",
                Some(Base {
                    priority: 10,
                    ..INPUT
                }),
            ),
            add_rule("input", Place::Last, "a: mark=1 counter accept"),
        ]
    }),
    ("another chain policy", |_| {
        vec![set_policy(
            "input",
            Base {
                policy: ChainPolicy::Accept,
                ..INPUT
            },
        )]
    }),
    ("the same chain policy", |_| {
        vec![set_policy("input", INPUT)]
    }),
    ("a chain policy for a regular chain", |_| {
        vec![set_policy("spare", INPUT)]
    }),
    ("a chain policy for no chain", |_| {
        vec![set_policy("new", INPUT)]
    }),
    ("a chain of the longest name", |_| {
        vec![add_chain(&"n".repeat(255), None)]
    }),
    ("a chain of too long a name", |_| {
        vec![add_chain(&"n".repeat(256), None)]
    }),
];
