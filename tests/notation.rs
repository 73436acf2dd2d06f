//! A short notation for programs, so that a test shows what goes in and what comes out as text.
//!
//! ```text
//! set NAME TYPE[.TYPE] [interval] [dynamic] [counter] [size=N] [timeout=MS] [gc-interval=MS]: KEY[#RULE] …
//! map NAME TYPE->TYPE …: KEY=>VALUE[#RULE] …
//! vmap NAME TYPE …: KEY=>VERDICT[#RULE] …
//! limit NAME RATE
//! helper NAME HELPER
//! chain NAME [TYPE HOOK PRIORITY POLICY]
//!   RULE: WORD …
//! ```
//!
//! Keys and values are numbers, `5` or `5-9`, with dots in a concatenation. Words of a rule: `counter`,
//! `accept`, `drop`, `return`, `jump:C`, `goto:C`, `mark=N`, `@SET` and `!@SET`, `map@MAP`, `vmap@MAP`,
//! `meter@SET`, `limit:NAME`, `helper:NAME`, `reject`, `masquerade`. A rule `_` has no name. Sets come
//! before the rules that use them.

use rfw::bytecode::{
    Chain, Comparison, Instruction, LookupResult, PayloadBase, Program, Register, Rule,
};
use rfw::ruleset::{
    Base, ChainPolicy, ChainType, Count, DataType, Datum, Element, Hook, Key, Limit, Object,
    ObjectKind, Origin, Set, SetKind, SetSpec, Verdict,
};

/// `NFT_META_MARK`
const MARK: u32 = 3;

/// The program that a text means.
pub(crate) fn program(text: &str) -> Program {
    let mut program = Program::default();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let (head, tail) = line.split_once(':').unwrap_or((line, ""));
        let words: Vec<_> = line.split_whitespace().collect();
        match (line.starts_with(' '), words.as_slice()) {
            (true, _) => {
                let rule = rule(&program.sets, head.trim(), tail);
                program
                    .chains
                    .last_mut()
                    .expect("a chain before its rules")
                    .rules
                    .push(rule);
            }
            (false, ["set" | "map" | "vmap", ..]) => program.sets.push(set(head, tail)),
            (false, ["limit", name, rate]) => program.objects.push(Object {
                name: (*name).to_owned(),
                kind: ObjectKind::Limit(Limit {
                    rate: rate.parse().expect("a rate"),
                    unit: 1,
                    burst: 5,
                }),
                origin: None,
            }),
            (false, ["helper", name, helper]) => program.objects.push(Object {
                name: (*name).to_owned(),
                kind: ObjectKind::CtHelper {
                    helper: (*helper).to_owned(),
                    protocol: 6,
                },
                origin: None,
            }),
            (false, ["chain", name]) => program.chains.push(chain(name, None)),
            (false, ["chain", name, kind, hook, priority, policy]) => {
                let base = base(kind, hook, priority, policy);
                program.chains.push(chain(name, Some(base)));
            }
            _ => panic!("not in the notation: {line}"),
        }
    }
    program.sets.sort();
    program.objects.sort();
    program.chains.sort_by(|a, b| a.name.cmp(&b.name));
    program
}

fn chain(name: &str, base: Option<Base>) -> Chain {
    Chain {
        name: name.to_owned(),
        base,
        rules: Vec::new(),
    }
}

fn base(kind: &str, hook: &str, priority: &str, policy: &str) -> Base {
    Base {
        kind: match kind {
            "filter" => ChainType::Filter,
            "nat" => ChainType::Nat,
            other => panic!("no chain type {other}"),
        },
        hook: match hook {
            "prerouting" => Hook::Prerouting,
            "input" => Hook::Input,
            "forward" => Hook::Forward,
            "output" => Hook::Output,
            "postrouting" => Hook::Postrouting,
            other => panic!("no hook {other}"),
        },
        priority: priority.parse().expect("a priority"),
        policy: match policy {
            "accept" => ChainPolicy::Accept,
            "drop" => ChainPolicy::Drop,
            other => panic!("no chain policy {other}"),
        },
    }
}

fn data_type(word: &str) -> DataType {
    match word {
        "ipv4" => DataType::Ipv4Addr,
        "port" => DataType::InetService,
        "proto" => DataType::InetProto,
        "mark" => DataType::Mark,
        other => panic!("no data type {other}"),
    }
}

fn set(head: &str, elements: &str) -> Set {
    let mut words = head.split_whitespace();
    let mut word = || words.next().expect("a word");
    let (kind, name, types) = (word(), word(), word());
    let (key, data) = types.split_once("->").unwrap_or((types, ""));
    let kind = match kind {
        "set" => SetKind::Set,
        "map" => SetKind::Map(data_type(data)),
        _ => SetKind::VerdictMap,
    };
    let mut spec = SetSpec::new(name, key.split('.').map(data_type).collect(), kind);
    for word in words {
        match word.split_once('=').unwrap_or((word, "")) {
            ("interval", _) => spec.interval = true,
            ("dynamic", _) => spec.dynamic = true,
            ("counter", _) => spec.counter = true,
            ("size", size) => spec.size = Some(size.parse().expect("a size")),
            ("timeout", timeout) => spec.timeout = Some(timeout.parse().expect("a timeout")),
            ("gc-interval", interval) => {
                spec.gc_interval = Some(interval.parse().expect("an interval"));
            }
            other => panic!("no flag {other:?}"),
        }
    }
    let mut elements: Vec<_> = elements
        .split_whitespace()
        .map(|word| element(&spec, word))
        .collect();
    elements.sort();
    Set {
        spec,
        elements: elements.into(),
        origin: Some(Origin(format!("set {name}"))),
    }
}

fn element(spec: &SetSpec, word: &str) -> Element {
    let (word, name) = match word.split_once('#') {
        Some((word, name)) => (word, Some(name.to_owned())),
        None => (word, None),
    };
    let (keys, datum) = match (word.split_once("=>"), &spec.kind) {
        (None, _) => (word, None),
        (Some((keys, value)), SetKind::Map(data)) => {
            (keys, Some(Datum::Value(number(*data, value).into())))
        }
        (Some((keys, value)), _) => (keys, Some(Datum::Verdict(verdict(value)))),
    };
    let (mut lo, mut hi) = (Vec::new(), Vec::new());
    for (field, part) in spec.key.iter().zip(keys.split('.')) {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        for (key, value) in [(&mut lo, from), (&mut hi, to)] {
            key.extend(number(*field, value));
            if spec.key.len() > 1 {
                key.resize(key.len().next_multiple_of(4), 0);
            }
        }
    }
    Element {
        key: Key::range(lo, hi),
        datum,
        name,
        count: None,
    }
}

fn number(kind: DataType, text: &str) -> Vec<u8> {
    let value: u32 = text.parse().expect("a number");
    if kind.is_host_order() {
        value.to_ne_bytes().to_vec()
    } else {
        value.to_be_bytes()[4 - kind.width()..].to_vec()
    }
}

fn verdict(word: &str) -> Verdict {
    match word.split_once(':').unwrap_or((word, "")) {
        ("accept", _) => Verdict::Accept,
        ("drop", _) => Verdict::Drop,
        ("return", _) => Verdict::Return,
        ("jump", chain) => Verdict::Jump(chain.to_owned()),
        ("goto", chain) => Verdict::Goto(chain.to_owned()),
        other => panic!("no verdict {other:?}"),
    }
}

fn rule(sets: &[Set], name: &str, words: &str) -> Rule {
    let mut instructions = Vec::new();
    for word in words.split_whitespace() {
        statement(sets, word, &mut instructions);
    }
    Rule {
        name: (name != "_").then(|| name.to_owned()),
        instructions,
        origin: Some(Origin(format!("rule {name}"))),
    }
}

fn statement(sets: &[Set], word: &str, into: &mut Vec<Instruction>) {
    let from = Register(0);
    if let Some((how, set)) = word.split_once('@') {
        let spec = &sets
            .iter()
            .find(|known| known.spec.name == set)
            .unwrap_or_else(|| panic!("no set {set} so far"))
            .spec;
        load(spec, into);
        let result = match how {
            "" => LookupResult::Member { inverted: false },
            "!" => LookupResult::Member { inverted: true },
            "map" => LookupResult::Data(Register(8)),
            "vmap" => LookupResult::Verdict,
            "meter" => {
                into.push(Instruction::Dynset {
                    set: set.to_owned(),
                    op: 1,
                    key: from,
                    data: None,
                    timeout: 0,
                    inverted: false,
                    state: Vec::new(),
                });
                return;
            }
            other => panic!("no lookup {other}"),
        };
        into.push(Instruction::Lookup {
            set: set.to_owned(),
            from,
            result,
        });
        return;
    }
    if let Some(mark) = word.strip_prefix("mark=") {
        into.push(Instruction::Meta {
            key: MARK,
            to: from,
        });
        into.push(Instruction::Cmp {
            from,
            op: Comparison::Eq,
            data: number(DataType::Mark, mark),
        });
        return;
    }
    into.push(match word.split_once(':').unwrap_or((word, "")) {
        ("counter", _) => Instruction::Counter(Count::default()),
        ("reject", _) => Instruction::Reject { kind: 2, code: 1 },
        ("masquerade", _) => Instruction::Masquerade {
            port: None,
            flags: 0,
        },
        ("limit", name) => Instruction::Object {
            kind: 4,
            name: name.to_owned(),
        },
        ("helper", name) => Instruction::Object {
            kind: 3,
            name: name.to_owned(),
        },
        _ => Instruction::Verdict(verdict(word)),
    });
}

/// Loads what the set's key is made of.
fn load(spec: &SetSpec, into: &mut Vec<Instruction>) {
    let mut slot = 0;
    for field in &spec.key {
        let to = Register(slot);
        slot += u8::try_from(field.width().div_ceil(4)).expect("a short key");
        into.push(match field {
            DataType::Ipv4Addr => Instruction::Payload {
                base: PayloadBase::Network,
                offset: 12,
                len: 4,
                to,
            },
            DataType::InetService => Instruction::Payload {
                base: PayloadBase::Transport,
                offset: 2,
                len: 2,
                to,
            },
            DataType::InetProto => Instruction::Meta { key: 16, to },
            DataType::Mark => Instruction::Meta { key: MARK, to },
            other => panic!("no load for {other:?}"),
        });
    }
}
