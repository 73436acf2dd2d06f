//! What is done to rules, and what is validated of them in the end.

use rfw::bytecode::{Instruction, LookupResult, Register};
use rfw::plan::{Operation, Place};
use rfw::ruleset::Verdict;

use super::super::operation::{
    add_chain, add_rule, append, before, delete_rule, flush, handle, lookup, replace, rule,
};
use super::Case;

pub(super) const CASES: &[Case] = &[
    // Rules.
    ("a rule at the end", |_| {
        vec![add_rule("input", Place::Last, "x: mark=9 accept")]
    }),
    ("a rule in no chain", |_| {
        vec![add_rule("new", Place::Last, "x: mark=9 accept")]
    }),
    ("a rule before another", |live| {
        vec![add_rule("input", before(live, "c"), "x: mark=9 accept")]
    }),
    ("rules before another come in their order", |live| {
        vec![
            add_rule("input", before(live, "c"), "x: mark=9 accept"),
            add_rule("input", before(live, "c"), "y: mark=9 accept"),
            add_rule("input", before(live, "c"), "z: mark=9 accept"),
        ]
    }),
    ("a rule before one that is not there", |_| {
        vec![add_rule("input", Place::Before(4711), "x: mark=9 accept")]
    }),
    ("a rule before one of another chain", |live| {
        vec![add_rule("input", before(live, "g"), "x: mark=9 accept")]
    }),
    ("a rule is replaced and keeps its handle", |live| {
        vec![replace(live, "input", "b", "b: mark=9 counter accept")]
    }),
    ("a rule comes before one that is then replaced", |live| {
        vec![
            add_rule("input", before(live, "b"), "x: mark=9 accept"),
            replace(live, "input", "b", "b: mark=9 counter accept"),
        ]
    }),
    ("a rule comes before one that was replaced", |live| {
        vec![
            replace(live, "input", "b", "b: mark=9 counter accept"),
            add_rule("input", before(live, "b"), "x: mark=9 accept"),
        ]
    }),
    ("a rule that is not there is replaced", |_| {
        vec![Operation::ReplaceRule {
            chain: "input".to_owned(),
            handle: 4711,
            rule: rule("x: mark=9 accept"),
        }]
    }),
    ("a rule of another chain is replaced", |live| {
        vec![replace(live, "lonely", "a", "a: mark=9 accept")]
    }),
    ("a rule goes", |live| {
        vec![delete_rule("input", handle(live, "b"))]
    }),
    ("a rule that is not there goes", |_| {
        vec![delete_rule("input", 4711)]
    }),
    ("a rule of another chain goes", |live| {
        vec![delete_rule("lonely", handle(live, "b"))]
    }),
    ("a rule goes twice", |live| {
        vec![
            delete_rule("input", handle(live, "b")),
            delete_rule("input", handle(live, "b")),
        ]
    }),
    ("a rule moves", |live| {
        vec![
            delete_rule("input", handle(live, "b")),
            add_rule("input", before(live, "e"), "b: @ports counter accept"),
        ]
    }),
    ("a rule with start values", |_| {
        let mut rule = rule("x: mark=9 counter accept");
        rule.instructions[2] = Instruction::Counter(rfw::ruleset::Count {
            packets: 42,
            bytes: 4200,
        });
        vec![Operation::AddRule {
            chain: "input".to_owned(),
            place: Place::Last,
            rule,
        }]
    }),
    ("a rule of a set that is not there", |_| {
        vec![append(
            "input",
            lookup("new", LookupResult::Member { inverted: false }),
        )]
    }),
    ("a rule of an object that is not there", |_| {
        vec![add_rule("input", Place::Last, "x: limit:new accept")]
    }),
    ("an object of another kind", |_| {
        vec![add_rule("input", Place::Last, "x: helper:slow accept")]
    }),
    ("a rule that leads nowhere", |_| {
        vec![append(
            "input",
            vec![Instruction::Verdict(Verdict::Jump("new".to_owned()))],
        )]
    }),
    ("a rule that leads into a base chain", |_| {
        vec![append(
            "leaf",
            vec![Instruction::Verdict(Verdict::Goto("input".to_owned()))],
        )]
    }),
    ("a value out of a plain set", |_| {
        vec![append(
            "input",
            lookup("full", LookupResult::Data(Register(8))),
        )]
    }),
    ("a verdict out of a plain set", |_| {
        vec![append("input", lookup("full", LookupResult::Verdict))]
    }),
    ("a verdict out of a map", |_| {
        vec![append("input", lookup("backends", LookupResult::Verdict))]
    }),
    ("a value out of a verdict map", |_| {
        vec![append(
            "input",
            lookup("ways", LookupResult::Data(Register(8))),
        )]
    }),
    ("a value out of a map", |_| {
        vec![append(
            "input",
            lookup("backends", LookupResult::Data(Register(8))),
        )]
    }),
    ("packets feed a dynamic set", |_| {
        vec![add_rule("input", Place::Last, "x: meter@fed accept")]
    }),
    ("packets feed a set that is not dynamic", |_| {
        vec![add_rule("input", Place::Last, "x: meter@nets accept")]
    }),
    ("the most expressions", |_| {
        vec![append("spare", vec![Instruction::Notrack; 128])]
    }),
    ("too many expressions", |_| {
        vec![append("spare", vec![Instruction::Notrack; 129])]
    }),
    ("an unknown expression", |_| {
        vec![append(
            "spare",
            vec![Instruction::Opaque {
                name: "nonsense".to_owned(),
                data: Vec::new(),
            }],
        )]
    }),
    ("the longest comment", |_| {
        let mut rule = rule("x: mark=9 accept");
        rule.name = Some("n".repeat(253));
        vec![Operation::AddRule {
            chain: "input".to_owned(),
            place: Place::Last,
            rule,
        }]
    }),
    ("too long a comment", |_| {
        let mut rule = rule("x: mark=9 accept");
        rule.name = Some("n".repeat(254));
        vec![Operation::AddRule {
            chain: "input".to_owned(),
            place: Place::Last,
            rule,
        }]
    }),
    // What is validated in the end.
    ("a chain that nothing leads into may lead to itself", |_| {
        vec![add_rule("spare", Place::Last, "x: jump:spare")]
    }),
    ("a loop", |_| {
        vec![
            add_rule("leaf", Place::Last, "x: jump:spare"),
            add_rule("spare", Place::Last, "x: jump:leaf"),
        ]
    }),
    ("a loop through a verdict map", |_| {
        vec![add_rule("leaf", Place::Last, "x: vmap@ways")]
    }),
    ("a loop that is opened again", |_| {
        vec![
            add_rule("leaf", Place::Last, "x: jump:spare"),
            add_rule("spare", Place::Last, "x: jump:leaf"),
            flush("spare"),
        ]
    }),
    ("fifteen jumps", |_| jumps(15)),
    ("sixteen jumps", |_| jumps(16)),
    ("masquerade where it belongs", |_| {
        vec![add_rule("out", Place::Last, "x: masquerade")]
    }),
    ("masquerade in a filter chain", |_| {
        vec![add_rule("input", Place::Last, "x: masquerade")]
    }),
    ("masquerade behind a jump from a filter chain", |_| {
        vec![
            add_rule("leaf", Place::Last, "x: masquerade"),
            add_rule("input", Place::Last, "x: mark=1 accept"),
        ]
    }),
    ("masquerade where nothing leads", |_| {
        vec![add_rule("spare", Place::Last, "x: masquerade")]
    }),
    ("reject at postrouting", |_| {
        vec![add_rule("out", Place::Last, "x: reject")]
    }),
    ("reject at input", |_| {
        vec![add_rule("input", Place::Last, "x: reject")]
    }),
];

/// A way of so many jumps from the input chain on.
fn jumps(n: usize) -> Vec<Operation> {
    let name = |n: usize| {
        if n == 0 {
            "input".to_owned()
        } else {
            format!("j{n}")
        }
    };
    let chains = (1..=n).map(|n| add_chain(&name(n), None));
    let rules = (0..n).map(|n| {
        append(
            &name(n),
            vec![Instruction::Verdict(Verdict::Jump(name(n + 1)))],
        )
    });
    chains.chain(rules).collect()
}
