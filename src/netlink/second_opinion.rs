//! rustables as a second, independent encoder: for all that it can express, its bytes and ours are the
//! same message.
//!
//! Both are taken apart into attributes; order, the NUL at the end of text, and what the kernel fills in by
//! itself do not count.

use std::net::Ipv4Addr;

use rustables::expr::{
    Bitwise, Cmp, CmpOp, Conntrack, ConntrackKey, Counter, IcmpCode, Immediate, Log, Lookup,
    Masquerade, Meta, MetaType, Nat, NatType, Payload, RawExpression, Register as TheirRegister,
    Reject, RejectType, VerdictKind,
};
use rustables::set::SetBuilder;
use rustables::{Batch as TheirBatch, MsgType, ProtocolFamily};

use super::attribute::attributes;
use super::batch::{Batch, Ending};
use super::constants::sys;
use super::message::messages;
use crate::bytecode::{Comparison, Instruction, LookupResult, PayloadBase, Register, Rule};
use crate::plan::{Operation, Place};
use crate::ruleset::{
    Base, ChainPolicy, ChainType, Count, DataType, Element, Hook, Key, SetKind, SetSpec, Verdict,
};

const REG_1: Register = Register(0);
const REG_2: Register = Register(4);
const MARK: [u8; 16] = [0xab; 16];

/// A batch as text: one line per message, attributes sorted by type, lists in their order.
fn canonical(bytes: &[u8]) -> Vec<String> {
    messages(bytes)
        .map(|message| message.unwrap())
        .filter(|message| message.kind >> 8 == sys::NFNL_SUBSYS_NFTABLES as u16)
        .map(|message| {
            let body = message.netfilter().unwrap();
            let text = tree(body.attributes);
            format!("{} family {} {text}", message.kind & 0xff, body.family)
        })
        .collect()
}

fn tree(bytes: &[u8]) -> String {
    let mut parts: Vec<(u16, String)> = Vec::new();
    for attribute in attributes(bytes) {
        let attribute = attribute.unwrap();
        // The type's bytes, before the value.
        let header = &bytes[attribute.offset..];
        let nested = header[3] & 0x80 != 0;
        let text = if nested {
            format!("{{{}}}", tree(attribute.value))
        } else {
            leaf(attribute.value)
        };
        parts.push((attribute.kind, text));
    }
    // Stable: the entries of a list have one type.
    parts.sort_by_key(|(kind, _)| *kind);
    let parts: Vec<_> = parts
        .into_iter()
        .map(|(kind, text)| format!("{kind}={text}"))
        .collect();
    parts.join(" ")
}

fn leaf(value: &[u8]) -> String {
    let text = value.strip_suffix(&[0]).unwrap_or(value);
    if !text.is_empty() && text.iter().all(|byte| (0x20..0x7f).contains(byte)) {
        return format!("{:?}", String::from_utf8_lossy(text));
    }
    format!("{value:02x?}")
}

fn ours(operations: &[Operation]) -> Vec<String> {
    canonical(
        &Batch::new(operations, true, None, 1, Ending::Commit)
            .unwrap()
            .bytes,
    )
}

fn theirs(fill: impl FnOnce(&mut TheirBatch)) -> Vec<String> {
    let mut batch = TheirBatch::new();
    fill(&mut batch);
    canonical(&batch.finalize())
}

fn their_table() -> rustables::Table {
    rustables::Table::new(ProtocolFamily::Inet).with_name("rfw")
}

fn their_chain() -> rustables::Chain {
    rustables::Chain::new(&their_table()).with_name("c")
}

/// One expression in a rule; `added` are the attributes that we send and rustables leaves to the kernel.
#[track_caller]
fn check(instruction: Instruction, expression: impl Into<RawExpression>, added: &[&str]) {
    let mut ours = ours(&[Operation::AddRule {
        chain: "c".into(),
        place: Place::Last,
        rule: Rule {
            name: None,
            instructions: vec![instruction],
            origin: None,
        },
    }])
    .concat();
    for added in added {
        assert!(ours.contains(added), "{added} is not in {ours}");
        ours = ours.replacen(added, "", 1);
    }
    let rule = rustables::Rule::new(&their_chain())
        .unwrap()
        .with_expr(expression);
    let theirs = theirs(|batch| batch.add(&rule, MsgType::Add)).concat();
    assert_eq!(ours, theirs);
}

#[test]
fn tables_and_chains() {
    let mut userdata = vec![0xf0, 16];
    userdata.extend(MARK);
    assert_eq!(
        ours(&[
            Operation::AddTable { mark: MARK },
            Operation::SetTableFlags { flags: 1 },
            Operation::AddChain {
                name: "c".into(),
                base: None
            },
            Operation::AddChain {
                name: "forward".into(),
                base: Some(Base {
                    kind: ChainType::Filter,
                    hook: Hook::Forward,
                    priority: -10,
                    policy: ChainPolicy::Drop,
                })
            },
            Operation::AddChain {
                name: "post".into(),
                base: Some(Base {
                    kind: ChainType::Nat,
                    hook: Hook::Postrouting,
                    priority: 100,
                    policy: ChainPolicy::Accept,
                })
            },
            Operation::DeleteChain { name: "c".into() },
            Operation::DeleteTable,
        ]),
        theirs(|batch| {
            batch.add(&their_table().with_userdata(userdata), MsgType::Add);
            batch.add(&their_table().with_flags(1u32), MsgType::Add);
            batch.add(&their_chain(), MsgType::Add);
            batch.add(
                &rustables::Chain::new(&their_table())
                    .with_name("forward")
                    .with_type(rustables::ChainType::Filter)
                    .with_hook(rustables::Hook::new(rustables::HookClass::Forward, -10))
                    .with_policy(rustables::ChainPolicy::Drop),
                MsgType::Add,
            );
            batch.add(
                &rustables::Chain::new(&their_table())
                    .with_name("post")
                    .with_type(rustables::ChainType::Nat)
                    .with_hook(rustables::Hook::new(rustables::HookClass::PostRouting, 100))
                    .with_policy(rustables::ChainPolicy::Accept),
                MsgType::Add,
            );
            batch.add(&their_chain(), MsgType::Del);
            batch.add(&their_table(), MsgType::Del);
        })
    );
}

#[test]
fn rules_and_their_places() {
    let rule = Rule {
        name: Some("lan/web".into()),
        instructions: vec![Instruction::Verdict(Verdict::Accept)],
        origin: None,
    };
    let accept = || {
        rustables::Rule::new(&their_chain())
            .unwrap()
            .with_expr(Immediate::new_verdict(VerdictKind::Accept))
            .with_userdata(b"\x00\x08lan/web\x00".to_vec())
    };
    assert_eq!(
        ours(&[
            Operation::AddRule {
                chain: "c".into(),
                place: Place::Last,
                rule: rule.clone(),
            },
            Operation::AddRule {
                chain: "c".into(),
                place: Place::Before(7),
                rule: rule.clone(),
            },
            Operation::ReplaceRule {
                chain: "c".into(),
                handle: 8,
                rule,
            },
            Operation::DeleteRule {
                chain: "c".into(),
                handle: 9,
                name: None,
            },
            Operation::FlushChain { chain: "c".into() },
        ]),
        theirs(|batch| {
            batch.add(&accept(), MsgType::Add);
            batch.add(&accept().with_position(7u64), MsgType::Add);
            batch.add(&accept().with_handle(8u64), MsgType::Add);
            let rule = || rustables::Rule::new(&their_chain()).unwrap();
            batch.add(&rule().with_handle(9u64), MsgType::Del);
            batch.add(&rule(), MsgType::Del);
        })
    );
}

#[test]
fn sets_of_addresses() {
    let spec = SetSpec {
        timeout: Some(60_000),
        ..SetSpec::new("s", vec![DataType::Ipv4Addr], SetKind::Set)
    };
    let addresses = [Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2)];
    let elements: Vec<_> = addresses
        .iter()
        .map(|address| Element {
            key: Key::exact(address.octets()),
            datum: None,
            name: None,
            count: None,
        })
        .collect();
    let mut builder = SetBuilder::<Ipv4Addr>::new("s", &their_table()).unwrap();
    for address in &addresses {
        builder.add(address);
    }
    let (mut set, list) = builder.finish();
    set.family = ProtocolFamily::Inet;
    set.set_flags(sys::NFT_SET_TIMEOUT);
    set.set_id(1u32);
    set.set_timeout(60_000u64);
    set.set_userdata(vec![0, 4, 2, 0, 0, 0]);
    assert_eq!(
        ours(&[
            Operation::AddSet {
                spec: spec.clone(),
                origin: None
            },
            Operation::AddElements {
                set: spec,
                elements: elements.into(),
            },
        ]),
        theirs(|batch| {
            batch.add(&set, MsgType::Add);
            batch.add(&list, MsgType::Add);
        })
    );
}

#[test]
fn loads_and_comparisons() {
    for (key, theirs) in [
        (sys::NFT_META_IIFNAME, MetaType::IifName),
        (sys::NFT_META_OIFNAME, MetaType::OifName),
        (sys::NFT_META_NFPROTO, MetaType::NfProto),
        (sys::NFT_META_L4PROTO, MetaType::L4Proto),
        (sys::NFT_META_MARK, MetaType::Mark),
    ] {
        let to = REG_1;
        check(Instruction::Meta { key, to }, Meta::new(theirs), &[]);
    }
    check(
        Instruction::MetaSet {
            key: sys::NFT_META_MARK,
            from: REG_2,
        },
        Meta::default()
            .with_key(MetaType::Mark)
            .with_sreg(TheirRegister::Reg2),
        &[],
    );
    check(
        Instruction::Ct {
            key: sys::NFT_CT_STATE,
            to: REG_1,
            direction: None,
        },
        Conntrack::new(ConntrackKey::State),
        &[],
    );
    check(
        Instruction::CtSet {
            key: sys::NFT_CT_MARK,
            from: REG_1,
        },
        Conntrack::default().with_mark_value(TheirRegister::Reg1),
        &[],
    );
    check(
        Instruction::Payload {
            base: PayloadBase::Network,
            offset: 12,
            len: 4,
            to: REG_2,
        },
        Payload::default()
            .with_dreg(TheirRegister::Reg2)
            .with_base(sys::NFT_PAYLOAD_NETWORK_HEADER)
            .with_offset(12u32)
            .with_len(4u32),
        &[],
    );
    for (op, theirs) in [
        (Comparison::Eq, CmpOp::Eq),
        (Comparison::Neq, CmpOp::Neq),
        (Comparison::Lt, CmpOp::Lt),
        (Comparison::Lte, CmpOp::Lte),
        (Comparison::Gt, CmpOp::Gt),
        (Comparison::Gte, CmpOp::Gte),
    ] {
        check(
            Instruction::Cmp {
                from: REG_1,
                op,
                data: vec![0, 22],
            },
            Cmp::new(theirs, [0, 22]),
            &[],
        );
    }
    check(
        Instruction::Bitwise {
            from: REG_1,
            to: REG_1,
            len: 4,
            mask: vec![255, 255, 255, 0],
            xor: vec![0; 4],
        },
        Bitwise::new([255, 255, 255, 0], [0; 4]).unwrap(),
        &[" 6=[00, 00, 00, 00]"],
    );
    let (set, _) = SetBuilder::<Ipv4Addr>::new("s", &their_table())
        .unwrap()
        .finish();
    check(
        Instruction::Lookup {
            set: "s".into(),
            from: REG_1,
            result: LookupResult::Member { inverted: false },
        },
        Lookup::new(&set).unwrap(),
        &[],
    );
    check(
        Instruction::Lookup {
            set: "s".into(),
            from: REG_1,
            result: LookupResult::Data(REG_2),
        },
        Lookup::new(&set).unwrap().with_dreg(TheirRegister::Reg2),
        &[],
    );
    check(
        Instruction::Lookup {
            set: "s".into(),
            from: REG_1,
            result: LookupResult::Verdict,
        },
        Lookup::new(&set).unwrap().with_dreg(TheirRegister::Verdict),
        &[],
    );
    check(
        Instruction::Immediate {
            to: REG_2,
            data: vec![10, 0, 0, 1],
        },
        Immediate::new_data(vec![10, 0, 0, 1], TheirRegister::Reg2),
        &[],
    );
}

#[test]
fn statements() {
    for (verdict, theirs) in [
        (Verdict::Accept, VerdictKind::Accept),
        (Verdict::Drop, VerdictKind::Drop),
        (Verdict::Continue, VerdictKind::Continue),
        (Verdict::Return, VerdictKind::Return),
        (
            Verdict::Jump("d".into()),
            VerdictKind::Jump { chain: "d".into() },
        ),
        (
            Verdict::Goto("d".into()),
            VerdictKind::Goto { chain: "d".into() },
        ),
    ] {
        check(
            Instruction::Verdict(verdict),
            Immediate::new_verdict(theirs),
            &[],
        );
    }
    check(
        Instruction::Counter(Count {
            packets: 3,
            bytes: 300,
        }),
        Counter::default()
            .with_nb_packets(3u64)
            .with_nb_bytes(300u64),
        &[],
    );
    check(
        Instruction::Log {
            prefix: "wan-in: ".into(),
            group: Some(3),
            level: None,
        },
        Log::new(Some(3), Some("wan-in: ")).unwrap(),
        &[],
    );
    check(
        Instruction::Log {
            prefix: "wan-in: ".into(),
            group: None,
            level: Some(4),
        },
        Log::new(None, Some("wan-in: ")).unwrap(),
        &[" 5=[00, 00, 00, 04]"],
    );
    check(
        Instruction::Reject {
            kind: sys::NFT_REJECT_ICMPX_UNREACH,
            code: 3,
        },
        Reject::default()
            .with_type(RejectType::IcmpxUnreach)
            .with_icmp_code(IcmpCode::AdminProhibited),
        &[],
    );
    check(
        Instruction::Nat {
            kind: sys::NFT_NAT_DNAT,
            family: 2,
            address: Some((REG_1, REG_1)),
            port: Some((REG_2, REG_2)),
            flags: 0,
        },
        Nat::default()
            .with_nat_type(NatType::DNat)
            .with_family(ProtocolFamily::Ipv4)
            .with_ip_register(TheirRegister::Reg1)
            .with_port_register(TheirRegister::Reg2),
        &[" 7=[00, 00, 00, 02]"],
    );
    check(
        Instruction::Masquerade {
            port: None,
            flags: 0,
        },
        Masquerade {},
        &[],
    );
}
