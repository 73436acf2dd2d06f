//! The cases: what is done to a table, and what for.

use rfw::bytecode::{Instruction, LookupResult, Program, Register, Rule};
use rfw::live::{Live, Table};
use rfw::plan::{Operation, Place};
use rfw::ruleset::{
    Base, ChainPolicy, ChainType, DataType, Element, Elements, Hook, Key, SetSpec, Verdict,
};

use crate::notation::program;

/// What all cases start from.
pub(super) const SETUP: &str = "
set ports port: 22 80
set nets ipv4 interval gc-interval=604800000: 10-19 30-39
set full mark size=2: 1 2
set fed ipv4 dynamic timeout=60000 size=100
set mixed ipv4.port interval: 1-5.10-19
map backends mark->ipv4: 0=>1
vmap ways mark: 1=>jump:leaf 2=>accept
limit slow 5
chain input filter input 0 drop
 a: mark=1 counter accept
 b: @ports counter accept
 c: @nets counter drop
 d: vmap@ways
 e: limit:slow counter accept
chain leaf
 f: mark=5 counter accept
chain lonely
 g: mark=6 drop
 h: mark=7 drop
chain spare
chain out nat postrouting 100 accept
";

/// What it is, and the operations, given what is live.
pub(super) type Case = (&'static str, fn(&Live) -> Vec<Operation>);

/// A rule of the notation, in a program that has the sets of [`SETUP`].
fn rule(text: &str) -> Rule {
    let sets = SETUP.split_once("limit").map_or("", |(sets, _)| sets);
    let Program { chains, .. } = program(&format!("{sets}chain x\n {text}"));
    chains[0].rules[0].clone()
}

fn spec(name: &str) -> SetSpec {
    let setup = program(SETUP);
    let set = setup.sets.iter().find(|set| set.spec.name == name);
    set.expect("a set of the setup").spec.clone()
}

fn table(live: &Live) -> &Table {
    live.table.as_ref().expect("the setup made a table")
}

/// The handle of a rule of the setup.
fn handle(live: &Live, name: &str) -> u64 {
    let mut rules = table(live).chains.iter().flat_map(|chain| &chain.rules);
    let rule = rules.find(|rule| rule.name.as_deref() == Some(name));
    rule.expect("a rule of the setup").handle
}

fn base(hook: Hook, priority: i32, kind: ChainType, policy: ChainPolicy) -> Base {
    Base {
        kind,
        hook,
        priority,
        policy,
    }
}

const INPUT: Base = Base {
    kind: ChainType::Filter,
    hook: Hook::Input,
    priority: 0,
    policy: ChainPolicy::Drop,
};

fn add_chain(name: &str, base: Option<Base>) -> Operation {
    Operation::AddChain {
        name: name.to_owned(),
        base,
    }
}

fn delete_chain(name: &str) -> Operation {
    Operation::DeleteChain {
        name: name.to_owned(),
    }
}

fn flush(chain: &str) -> Operation {
    Operation::FlushChain {
        chain: chain.to_owned(),
    }
}

fn add_set(spec: SetSpec) -> Operation {
    Operation::AddSet { spec, origin: None }
}

fn set_bounds(name: &str, change: impl FnOnce(&mut SetSpec)) -> Operation {
    let mut spec = spec(name);
    change(&mut spec);
    Operation::SetBounds { spec }
}

fn delete_set(name: &str) -> Operation {
    Operation::DeleteSet {
        name: name.to_owned(),
    }
}

/// Elements of a set of the setup, in the notation.
fn elements(set: &str, text: &str) -> (SetSpec, Elements) {
    let line = SETUP
        .lines()
        .find(|line| line.split_whitespace().nth(1) == Some(set))
        .expect("a set of the setup");
    let head = line.split_once(':').map_or(line, |(head, _)| head);
    let set = program(&format!("{head}: {text}")).sets.remove(0);
    (set.spec, set.elements)
}

fn add(set: &str, text: &str) -> Operation {
    let (set, elements) = elements(set, text);
    Operation::AddElements { set, elements }
}

fn delete(set: &str, text: &str) -> Operation {
    let (set, elements) = elements(set, text);
    Operation::DeleteElements { set, elements }
}

fn add_rule(chain: &str, place: Place, text: &str) -> Operation {
    Operation::AddRule {
        chain: chain.to_owned(),
        place,
        rule: rule(text),
    }
}

fn append(chain: &str, instructions: Vec<Instruction>) -> Operation {
    Operation::AddRule {
        chain: chain.to_owned(),
        place: Place::Last,
        rule: Rule {
            name: None,
            instructions,
            origin: None,
        },
    }
}

fn replace(live: &Live, chain: &str, name: &str, text: &str) -> Operation {
    Operation::ReplaceRule {
        chain: chain.to_owned(),
        handle: handle(live, name),
        rule: rule(text),
    }
}

fn delete_rule(chain: &str, handle: u64) -> Operation {
    Operation::DeleteRule {
        chain: chain.to_owned(),
        handle,
        name: None,
    }
}

fn before(live: &Live, name: &str) -> Place {
    Place::Before(handle(live, name))
}

fn set_policy(name: &str, base: Base) -> Operation {
    Operation::SetChainPolicy {
        name: name.to_owned(),
        base,
    }
}

fn lookup(set: &str, result: LookupResult) -> Vec<Instruction> {
    vec![
        Instruction::Meta {
            key: 3,
            to: Register(0),
        },
        Instruction::Lookup {
            set: set.to_owned(),
            from: Register(0),
            result,
        },
    ]
}

/// All cases.
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
    // Sets.
    ("a set that is there", |_| vec![add_set(spec("ports"))]),
    ("a set that is there, of another type", |_| {
        let mut spec = spec("ports");
        spec.interval = true;
        vec![add_set(spec)]
    }),
    ("a dynamic set gets another timeout and size", |_| {
        vec![set_bounds("fed", |spec| {
            (spec.timeout, spec.size) = (Some(5000), Some(7));
        })]
    }),
    (
        "a dynamic set gets the timeout and size that it has",
        |_| vec![set_bounds("fed", |_| {})],
    ),
    ("a dynamic set gets another timeout and no size", |_| {
        vec![set_bounds("fed", |spec| {
            (spec.timeout, spec.size) = (Some(5000), None);
        })]
    }),
    ("a dynamic set gets no timeout", |_| {
        vec![set_bounds("fed", |spec| spec.timeout = None)]
    }),
    ("a set without a timeout gets one", |_| {
        vec![set_bounds("ports", |spec| spec.timeout = Some(5000))]
    }),
    ("a set gets another size and another key", |_| {
        vec![set_bounds("fed", |spec| {
            spec.size = Some(7);
            spec.key = vec![DataType::Ipv6Addr];
        })]
    }),
    ("a set that is not there gets a size", |_| {
        vec![set_bounds("fed", |spec| spec.name = "new".to_owned())]
    }),
    ("a set gets another size after it came", |_| {
        let spec = SetSpec {
            name: "new".to_owned(),
            ..spec("fed")
        };
        let more = SetSpec {
            size: Some(200),
            ..spec.clone()
        };
        vec![add_set(spec), Operation::SetBounds { spec: more }]
    }),
    ("a set that is not there goes", |_| vec![delete_set("new")]),
    ("a set that a rule uses goes", |_| vec![delete_set("ports")]),
    ("a set goes after its rule", |live| {
        vec![delete_rule("input", handle(live, "b")), delete_set("ports")]
    }),
    ("a set goes before its rule", |live| {
        vec![delete_set("ports"), delete_rule("input", handle(live, "b"))]
    }),
    ("a set goes after its rule was replaced", |live| {
        vec![
            replace(live, "input", "b", "b: mark=4 accept"),
            delete_set("ports"),
        ]
    }),
    ("a set of another type takes its rule with it", |live| {
        let mut spec = spec("ports");
        spec.interval = true;
        vec![
            delete_rule("input", handle(live, "b")),
            delete_set("ports"),
            add_set(spec.clone()),
            Operation::AddElements {
                set: spec,
                elements: elements("nets", "").1,
            },
            add_rule("input", before(live, "c"), "b: @ports counter accept"),
        ]
    }),
    ("a set of the longest name", |_| {
        let mut spec = spec("ports");
        spec.name = "n".repeat(255);
        vec![add_set(spec)]
    }),
    ("a set of too long a name", |_| {
        let mut spec = spec("ports");
        spec.name = "n".repeat(256);
        vec![add_set(spec)]
    }),
    // Elements.
    ("an element", |_| vec![add("ports", "443")]),
    ("an element that is there", |_| vec![add("ports", "443 80")]),
    ("an element twice", |_| {
        vec![add("ports", "443"), add("ports", "443")]
    }),
    ("an element goes and comes back", |_| {
        vec![delete("ports", "80"), add("ports", "80")]
    }),
    ("an element that is not there goes", |_| {
        vec![delete("ports", "443")]
    }),
    ("an element of no set", |_| {
        let (mut set, elements) = elements("ports", "443");
        set.name = "new".to_owned();
        vec![Operation::AddElements { set, elements }]
    }),
    ("an element of no set goes", |_| {
        let (mut set, elements) = elements("ports", "443");
        set.name = "new".to_owned();
        vec![Operation::DeleteElements { set, elements }]
    }),
    ("an element of the wrong width", |_| {
        let set = spec("ports");
        let elements = Elements::from(vec![Element {
            key: Key::exact([1, 2, 3, 4]),
            datum: None,
            name: None,
            count: None,
        }]);
        vec![Operation::AddElements { set, elements }]
    }),
    ("an element of a map without a value", |_| {
        let (set, mut elements) = elements("backends", "3=>5");
        elements.edit(|all| all[0].datum = None);
        vec![Operation::AddElements { set, elements }]
    }),
    ("an element with another value", |_| {
        vec![add("backends", "0=>2")]
    }),
    ("an element gets another value", |_| {
        vec![delete("backends", "0=>1"), add("backends", "0=>2")]
    }),
    ("an element leads nowhere", |_| {
        vec![add("ways", "3=>jump:new")]
    }),
    ("an element leads into a base chain", |_| {
        vec![add("ways", "3=>goto:input")]
    }),
    ("an element leads into a new chain", |_| {
        vec![add_chain("new", None), add("ways", "3=>goto:new")]
    }),
    ("a full set", |_| vec![add("full", "3")]),
    ("a full set after one went", |_| {
        vec![delete("full", "1"), add("full", "3")]
    }),
    ("ranges apart and side by side", |_| {
        vec![add("nets", "20-29 50 51-60 1-9")]
    }),
    ("a range that is there", |_| vec![add("nets", "10-19")]),
    ("a range in another", |_| vec![add("nets", "12-13")]),
    ("a range around another", |_| vec![add("nets", "5-25")]),
    ("a range over the end of another", |_| {
        vec![add("nets", "15-25")]
    }),
    ("a range over the beginning of another", |_| {
        vec![add("nets", "5-10")]
    }),
    ("a range widens", |_| {
        vec![delete("nets", "10-19"), add("nets", "10-29")]
    }),
    ("a range is split", |_| {
        vec![delete("nets", "10-19"), add("nets", "10-14 16-19")]
    }),
    ("half a range goes", |_| vec![delete("nets", "10-14")]),
    ("boxes apart", |_| vec![add("mixed", "1-5.20-29 6-9.10-19")]),
    ("a box that is there", |_| vec![add("mixed", "1-5.10-19")]),
    ("a box over another", |_| vec![add("mixed", "3-7.15-25")]),
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
