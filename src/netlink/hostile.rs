//! The reader takes any bytes: it never panics, and what it does not know it keeps.

use proptest::prelude::*;

use super::attribute::{Writer, attributes};
use super::batch::{Answer, Batch, Ending};
use super::constants::sys;
use super::expression::{expression, write_expression};
use super::message::messages;
use super::{decode, element, everything, set, userdata};
use crate::bytecode::{Comparison, Instruction, LookupResult, PayloadBase, Register, Rule, same};
use crate::plan::{Operation, Place};
use crate::ruleset::{
    Base, ChainPolicy, ChainType, Count, DataType, Datum, Element, Hook, Key, Limit, Object,
    ObjectKind, SetKind, SetSpec, Verdict,
};

/// One instruction of every kind, and of every form that is encoded in its own way.
fn samples() -> Vec<Instruction> {
    let (r0, r1, r4) = (Register(0), Register(1), Register(4));
    let limit = Limit {
        rate: 5,
        unit: 60,
        burst: 7,
    };
    let lookup = |result| Instruction::Lookup {
        set: "s".into(),
        from: r1,
        result,
    };
    let dynset = |state| Instruction::Dynset {
        set: "m".into(),
        op: 1,
        key: r0,
        data: Some(r4),
        timeout: 60_000,
        inverted: true,
        state,
    };
    let hash = |from: Option<Register>| Instruction::Hash {
        kind: u32::from(from.is_none()),
        from,
        len: if from.is_some() { 4 } else { 0 },
        to: r0,
        modulus: 3,
        seed: from.map(|_| 0x1234),
        offset: 1,
    };
    let log = |group: Option<u16>| Instruction::Log {
        prefix: "p".into(),
        group,
        level: if group.is_some() { None } else { Some(7) },
    };
    vec![
        Instruction::Meta { key: 6, to: r0 },
        Instruction::MetaSet { key: 3, from: r4 },
        Instruction::Payload {
            base: PayloadBase::Transport,
            offset: 2,
            len: 2,
            to: r1,
        },
        Instruction::Cmp {
            from: r0,
            op: Comparison::Gte,
            data: vec![0, 80],
        },
        Instruction::Range {
            from: r0,
            inverted: true,
            lo: vec![0, 1],
            hi: vec![0, 9],
        },
        Instruction::Bitwise {
            from: r0,
            to: r4,
            len: 4,
            mask: vec![255, 0, 0, 0],
            xor: vec![0; 4],
        },
        Instruction::Byteorder {
            from: r0,
            to: r0,
            op: 1,
            len: 2,
            size: 2,
        },
        lookup(LookupResult::Member { inverted: false }),
        lookup(LookupResult::Member { inverted: true }),
        lookup(LookupResult::Data(r4)),
        lookup(LookupResult::Verdict),
        Instruction::Immediate {
            to: r0,
            data: vec![1, 2, 3, 4],
        },
        Instruction::Verdict(Verdict::Return),
        Instruction::Verdict(Verdict::Jump("c".into())),
        Instruction::Counter(Count {
            packets: 3,
            bytes: 99,
        }),
        Instruction::Limit(limit),
        log(Some(4)),
        log(None),
        Instruction::Reject { kind: 2, code: 3 },
        Instruction::Nat {
            kind: 1,
            family: 2,
            address: Some((r0, r1)),
            port: Some((r4, r4)),
            flags: 8,
        },
        Instruction::Masquerade {
            port: Some((r0, r1)),
            flags: 4,
        },
        Instruction::Redirect {
            port: None,
            flags: 0,
        },
        Instruction::Ct {
            key: 14,
            to: r0,
            direction: Some(1),
        },
        Instruction::CtSet { key: 3, from: r0 },
        Instruction::Fib {
            to: r0,
            result: 3,
            flags: 10,
        },
        Instruction::Numgen {
            to: r0,
            modulus: 3,
            mode: 1,
            offset: 2,
        },
        hash(Some(r4)),
        hash(None),
        Instruction::Object {
            kind: 4,
            name: "o".into(),
        },
        dynset(vec![Instruction::Limit(limit)]),
        dynset(vec![
            Instruction::Limit(limit),
            Instruction::Counter(Count::default()),
        ]),
        dynset(vec![]),
        Instruction::Exthdr {
            to: r0,
            header: 44,
            offset: 0,
            len: 1,
            op: 0,
            flags: 1,
        },
        Instruction::ExthdrSet {
            from: r0,
            header: 2,
            offset: 2,
            len: 2,
            op: 1,
        },
        Instruction::Rt { key: 3, to: r0 },
        Instruction::Connlimit { count: 3, flags: 1 },
        Instruction::Notrack,
        Instruction::Opaque {
            name: "xt".into(),
            data: vec![8, 0, 1, 0, 1, 2, 3, 4],
        },
    ]
}

fn encoded(instruction: &Instruction) -> Vec<u8> {
    let mut writer = Writer::new();
    write_expression(&mut writer, instruction);
    writer.finish().unwrap()
}

#[test]
fn every_instruction_comes_back() {
    for instruction in samples() {
        assert_eq!(expression(&encoded(&instruction)), Ok(instruction));
    }
}

/// An expression with one more attribute than rfw knows is not what it seems.
#[test]
fn an_unknown_attribute_makes_it_opaque() {
    for instruction in samples() {
        let bytes = encoded(&instruction);
        let mut writer = Writer::new();
        for part in attributes(&bytes) {
            let part = part.unwrap();
            if part.kind == sys::NFTA_EXPR_NAME {
                writer.bytes(part.kind, part.value);
            }
        }
        let data = attributes(&bytes)
            .map(Result::unwrap)
            .find(|part| part.kind == sys::NFTA_EXPR_DATA)
            .map_or(&[][..], |part| part.value);
        writer.nest(sys::NFTA_EXPR_DATA, |writer| {
            writer.append(data);
            writer.be32(15, 1);
        });
        let Ok(Instruction::Opaque { data: kept, .. }) = expression(&writer.finish().unwrap())
        else {
            panic!("{instruction:?} hides an attribute");
        };
        assert_eq!(kept, [data, &[8, 0, 15, 0, 0, 0, 0, 1]].concat());
    }
}

/// Elements that keep elements that keep elements … would need a stack without end.
#[test]
fn dynsets_do_not_nest() {
    let mut inner = samples().into_iter().last().unwrap();
    for _ in 0..500 {
        inner = Instruction::Dynset {
            set: "s".into(),
            op: 0,
            key: Register(0),
            data: None,
            timeout: 0,
            inverted: false,
            state: vec![inner],
        };
    }
    assert!(matches!(
        expression(&encoded(&inner)),
        Ok(Instruction::Opaque { name, .. }) if name == "dynset"
    ));
}

/// Every kind of message that a dump may hold.
fn dump() -> Vec<u8> {
    let spec = SetSpec {
        interval: true,
        counter: true,
        size: Some(9),
        timeout: Some(1000),
        comment: Some("c".into()),
        ..SetSpec::new("s", vec![DataType::Ipv4Addr], SetKind::VerdictMap)
    };
    let element = Element {
        key: Key::range([10, 0, 0, 0], [10, 0, 0, 255]),
        datum: Some(Datum::Verdict(Verdict::Goto("c".into()))),
        name: Some("n".into()),
        count: Some(Count {
            packets: 1,
            bytes: 2,
        }),
    };
    let object = |kind| Object {
        name: "o".into(),
        kind,
        origin: None,
    };
    let operations = [
        Operation::AddTable { mark: [1; 16] },
        Operation::AddSet {
            spec: spec.clone(),
            origin: None,
        },
        Operation::AddElements {
            set: spec,
            elements: vec![element].into(),
        },
        Operation::AddObject {
            object: object(ObjectKind::Limit(Limit {
                rate: 1,
                unit: 1,
                burst: 5,
            })),
        },
        Operation::AddObject {
            object: object(ObjectKind::CtHelper {
                helper: "ftp".into(),
                protocol: 6,
            }),
        },
        Operation::AddChain {
            name: "c".into(),
            base: Some(Base {
                kind: ChainType::Nat,
                hook: Hook::Prerouting,
                priority: -100,
                policy: ChainPolicy::Accept,
            }),
        },
        Operation::AddRule {
            chain: "c".into(),
            place: Place::Last,
            rule: Rule {
                name: Some("r".into()),
                instructions: samples(),
                origin: None,
            },
        },
    ];
    Batch::new(&operations, true, None, 1, Ending::Commit)
        .unwrap()
        .bytes
}

/// Reads a datagram as every kind of answer about all tables, in the order in which the kernel gives them.
fn read_everything(datagram: &[u8]) {
    let mut tables = everything::Tables::new();
    let (mut rules, mut elements) = (100, 100);
    for stage in 0..4 {
        for message in messages(datagram) {
            let Ok(message) = message else { break };
            let Some(answer) = message.netfilter() else {
                continue;
            };
            let (family, bytes) = (answer.family, answer.attributes);
            match stage {
                0 => drop(everything::add_table(&mut tables, family, bytes)),
                1 => drop(everything::add_chain(&mut tables, family, bytes)),
                2 => drop(everything::add_rule(&mut tables, family, bytes, &mut rules)),
                _ => {
                    if let Ok(shape) = set::shape(bytes) {
                        let mut reading = everything::Reading::default();
                        let _ = reading.take(&shape.head, datagram, &mut elements);
                        let _ = reading.take(&shape.head, bytes, &mut elements);
                        let _ = element::catch_all(bytes);
                        let width: usize = shape.fields.iter().sum();
                        assert!(shape.obstacle.is_some() || width <= 64, "{shape:?}");
                    }
                }
            }
        }
    }
}

/// A chain of more rules than are read ends in one that nobody can follow, and its table says so.
#[test]
fn what_is_not_read_is_told() {
    let base = Base {
        kind: ChainType::Filter,
        hook: Hook::Input,
        priority: 0,
        policy: ChainPolicy::Accept,
    };
    let rule = Operation::AddRule {
        chain: "c".into(),
        place: Place::Last,
        rule: Rule {
            name: None,
            instructions: vec![Instruction::Verdict(Verdict::Accept)],
            origin: None,
        },
    };
    let mut operations = vec![
        Operation::AddTable { mark: [1; 16] },
        Operation::AddChain {
            name: "c".into(),
            base: Some(base),
        },
    ];
    operations.extend(std::iter::repeat_n(rule, 5));
    let batch = Batch::new(&operations, true, None, 1, Ending::Commit).unwrap();
    let mut tables = everything::Tables::new();
    let mut left = 3;
    for message in messages(&batch.bytes).map(Result::unwrap) {
        let Some(answer) = message.netfilter() else {
            continue;
        };
        let (family, bytes) = (answer.family, answer.attributes);
        let kind = |of| message.kind == super::message::nftables(of);
        if kind(sys::NFT_MSG_NEWTABLE) {
            everything::add_table(&mut tables, family, bytes).unwrap();
        } else if kind(sys::NFT_MSG_NEWCHAIN) {
            everything::add_chain(&mut tables, family, bytes).unwrap();
        } else if kind(sys::NFT_MSG_NEWRULE) {
            everything::add_rule(&mut tables, family, bytes, &mut left).unwrap();
        }
    }
    let table = tables.values().next().unwrap();
    assert_eq!(
        table.incomplete.as_deref(),
        Some("more rules than rfw reads")
    );
    let chain = table.table.chains.first().unwrap();
    assert_eq!(chain.rules.len(), 4);
    let last = chain.rules.last().unwrap();
    assert!(matches!(
        last.instructions.as_slice(),
        [Instruction::Opaque { .. }]
    ));
}

/// Reads a datagram as every kind of answer, whatever it is.
fn read(datagram: &[u8]) {
    read_everything(datagram);
    let spec = SetSpec {
        interval: true,
        ..SetSpec::new("s", vec![DataType::Ipv4Addr], SetKind::VerdictMap)
    };
    for message in messages(datagram) {
        let Ok(message) = message else { break };
        let _ = message.outcome();
        let _ = Answer::read(&message);
        let Some(answer) = message.netfilter() else {
            continue;
        };
        let bytes = answer.attributes;
        let _ = decode::table(bytes);
        let _ = decode::chain(bytes);
        let _ = decode::object(bytes);
        let _ = decode::flowtable(bytes);
        if let Ok(rule) = decode::rule(bytes) {
            let instructions = &rule.rule.instructions;
            assert!(same(instructions, instructions));
        }
        let _ = set::read(bytes);
        let mut entries = Vec::new();
        for attribute in attributes(bytes) {
            let Ok(attribute) = attribute else { break };
            let _ = element::read(&spec, attribute.value, &mut entries, &mut Vec::new());
            let _ = userdata::comment_in(attribute.value);
            let _ = userdata::table_mark(attribute.value);
        }
        let _ = element::assemble(&spec, entries);
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        read(&bytes);
        let _ = expression(&bytes);
        let _ = set::read(&bytes);
        let _ = userdata::comment_in(&bytes);
    }

    #[test]
    fn damaged_dumps_are_read(
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        length in any::<prop::sample::Index>(),
    ) {
        let mut bytes = dump();
        for (place, byte) in damage {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        read(&bytes);
        bytes.truncate(length.index(bytes.len()));
        read(&bytes);
    }

    /// Damage inside one message, with the headers and lengths outside it intact.
    #[test]
    fn damaged_expressions_are_read(
        which in any::<prop::sample::Index>(),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let samples = samples();
        let mut bytes = encoded(&samples[which.index(samples.len())]);
        for (place, byte) in damage {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        if let Ok(read) = expression(&bytes) {
            // What is understood is understood in full: it says the same when it is sent again.
            prop_assert_eq!(expression(&encoded(&read)), Ok(read));
        }
    }
}
