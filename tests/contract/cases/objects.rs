//! What is done to stateful objects and to the table's flags, and that a batch is all or nothing.

use rfw::plan::{Operation, Place};

use super::super::operation::{
    INPUT, add, add_chain, add_rule, delete_chain, delete_rule, delete_set, handle, set_policy,
};
use super::Case;
use crate::notation::program;

pub(super) const CASES: &[Case] = &[
    // Objects.
    ("an object that is there", |_| {
        vec![Operation::AddObject {
            object: program("limit slow 5").objects.remove(0),
        }]
    }),
    ("an object of another kind and the same name", |_| {
        vec![Operation::AddObject {
            object: program("helper slow ftp").objects.remove(0),
        }]
    }),
    ("an object that a rule uses goes", |_| {
        vec![Operation::DeleteObject {
            object: program("limit slow 5").objects.remove(0),
        }]
    }),
    ("an object that is not there goes", |_| {
        vec![Operation::DeleteObject {
            object: program("limit new 5").objects.remove(0),
        }]
    }),
    ("an object goes and comes back", |live| {
        vec![
            delete_rule("input", handle(live, "e")),
            Operation::DeleteObject {
                object: program("limit slow 5").objects.remove(0),
            },
            Operation::AddObject {
                object: program("limit slow 6").objects.remove(0),
            },
            add_rule("input", Place::Last, "e: limit:slow counter accept"),
        ]
    }),
    ("a flowtable that is not there goes", |_| {
        vec![Operation::DeleteObject {
            object: rfw::ruleset::Object {
                name: "new".to_owned(),
                kind: rfw::ruleset::ObjectKind::Other(rfw::ruleset::FLOWTABLE),
                origin: None,
            },
        }]
    }),
    // The table's flags.
    ("the same flags", |_| {
        vec![Operation::SetTableFlags { flags: 0 }]
    }),
    ("to sleep", |_| vec![Operation::SetTableFlags { flags: 1 }]),
    ("to sleep and awake in one batch", |_| {
        vec![
            Operation::SetTableFlags { flags: 1 },
            Operation::SetTableFlags { flags: 0 },
        ]
    }),
    ("to sleep, then a base chain", |_| {
        vec![
            Operation::SetTableFlags { flags: 1 },
            add_chain("new", Some(INPUT)),
        ]
    }),
    ("a base chain, then to sleep", |_| {
        vec![
            add_chain("new", Some(INPUT)),
            Operation::SetTableFlags { flags: 1 },
        ]
    }),
    ("a base chain goes, then to sleep", |_| {
        vec![delete_chain("out"), Operation::SetTableFlags { flags: 1 }]
    }),
    ("a chain policy, then to sleep", |_| {
        vec![
            set_policy("input", INPUT),
            Operation::SetTableFlags { flags: 1 },
        ]
    }),
    // All or nothing.
    ("all that is wrong is said", |_| {
        vec![
            add_chain("new", None),
            add_chain("leaf", None),
            add_rule("newer", Place::Last, "x: mark=9 accept"),
            delete_set("ports"),
            add("ports", "443"),
            add("ports", "80"),
        ]
    }),
];
