//! What must hold after each step and each crash, whatever goes wrong:
//!
//! * I1: the kernel does what it did, or what it should do, or one of these with sets and chains that nothing looks at;
//! * I2: at no moment does it accept what both would refuse;
//! * I3: once nothing goes wrong any more, two rounds are enough;
//! * I4: nothing is written but our own table and the settings that a policy names; what packets have left there stays;
//! * I5: the copy of what was good always loads;
//! * I6: what was never in force, or may not be, is never kept as good;
//! * I7: what is remembered, reported and said to have been heard is true;
//! * I8: nothing is tried again without a pause.
//!
//! I3 and I8 are asked by the life itself, the others here.

use std::net::IpAddr;
use std::sync::OnceLock;

use rfw::apply::{self, Options};
use rfw::bytecode::Instruction;
use rfw::evaluate::{Choices, Decision, Environment, Firewall, Interface, Packet, Upper, evaluate};
use rfw::kernel::{FakeKernel, Kernel};
use rfw::live::{Generation, Live, LiveRule, Table};
use rfw::netlink;
use rfw::plan::{Operation, plan};
use rfw::reconcile::{Ending, Report, State, Stepped};

use super::world::{NOT_OURS, POLICIES, Simulated, Source, UNSIGNED};
use crate::notation::program;
use crate::plan::MARK;

/// How it was before a step.
pub(super) struct Before {
    behaviour: Vec<String>,
    table: Option<Table>,
    good: Option<usize>,
    committed: usize,
}

impl Before {
    pub(super) fn of(world: &mut Simulated) -> Self {
        world.disturbed = false;
        world.tables.clear();
        Self {
            behaviour: behaviour(&world.kernel.observe().unwrap()),
            table: world.kernel.table().cloned(),
            good: world.good(),
            committed: world.kernel.committed().len(),
        }
    }
}

/// Asks everything that does not depend on how the step ended.
pub(super) fn ask(world: &mut Simulated, before: &Before) {
    let good = world.good();
    let wanted: Vec<usize> = world
        .source
        .good()
        .into_iter()
        .chain(before.good)
        .chain(good)
        .collect();
    if !world.disturbed {
        old_or_new(world, before, &wanted);
        nothing_is_open_meanwhile(world, before, &wanted);
        what_packets_left_stays(world, before);
    }
    let batches = &world.kernel.committed()[before.committed..];
    batches.iter().for_each(|batch| only_our_table(batch));
    for key in NOT_OURS {
        assert_eq!(world.settings[key], 7, "I4: `{key}` is no setting of ours");
    }
    if let Some(good) = good {
        assert!(!behaviour_of(good).is_empty(), "I5: it loads");
        assert_ne!(good, UNSIGNED, "I6: what may not be applied is kept");
        if before.good != Some(good) {
            assert_eq!(
                world.source,
                Source::Good(good),
                "I6: what the source does not say is kept"
            );
            assert!(
                world.disturbed || holds(&mut world.kernel, good),
                "I6: policy {good} is kept, and was not in force"
            );
        }
    }
    let generation = world.kernel.generation().unwrap().0;
    if let Some((policy, verified)) = world.remembered
        && verified == generation
    {
        assert!(
            holds(&mut world.kernel, policy),
            "I7: what is remembered is not true"
        );
    }
}

/// Asks whether what is told of a step is true (I7).
pub(super) fn ask_report(world: &mut Simulated, report: &Report, stepped: &Stepped) {
    let is_good = matches!(stepped.ending, Ending::Unchanged | Ending::Applied { .. });
    // A step that another rfw held up says nothing new.
    if stepped.ending != Ending::Busy {
        let expect = match (is_good, &stepped.refused) {
            (true, None) => State::InForce,
            (true, Some(_)) => State::Refused,
            (false, _) => State::Degraded,
        };
        assert_eq!(report.state, expect, "I7: {stepped:?}");
        assert_eq!(report.trouble.is_some(), expect != State::InForce, "I7");
    }
    let generation = world.kernel.generation().unwrap().0;
    if is_good && report.generation == Some(generation) {
        let applied = report.applied.as_ref().unwrap().policy.as_ref().unwrap();
        let applied = applied.parse().unwrap();
        match stepped.refused {
            None => assert_eq!(Source::Good(applied), world.source, "I7"),
            Some(_) => assert_eq!(Some(applied), world.good(), "I7"),
        }
        assert!(
            holds(&mut world.kernel, applied),
            "I7: the report claims too much"
        );
    }
}

/// I1.
fn old_or_new(world: &mut Simulated, before: &Before, wanted: &[usize]) {
    let after = behaviour(&world.kernel.observe().unwrap());
    let is_new = wanted.iter().any(|policy| after == behaviour_of(*policy));
    assert!(
        after == before.behaviour || is_new,
        "I1: neither old nor new\nbefore {:#?}\nafter {after:#?}",
        before.behaviour
    );
}

/// I2, after each commit of the step.
fn nothing_is_open_meanwhile(world: &Simulated, before: &Before, wanted: &[usize]) {
    // Where there was no table, everything went through.
    let (Some(old), false) = (&before.table, world.tables.is_empty()) else {
        return;
    };
    let mut open = accepted(old);
    for policy in wanted {
        let news = accepted_by(*policy);
        open.iter_mut()
            .zip(news)
            .for_each(|(open, new)| *open |= new);
    }
    for table in &world.tables {
        let table = table.as_ref().expect("I2: the table is gone");
        for ((nth, now), may) in accepted(table).into_iter().enumerate().zip(&open) {
            assert!(
                *may || !now,
                "I2: {:?} is accepted meanwhile",
                packets()[nth]
            );
        }
    }
}

/// I4: each message of a batch names the table `rfw` of the family inet, as the kernel reads it (linux/netlink.h,
/// linux/netfilter/nf_tables.h: the name of the table is attribute 1 of every message).
fn only_our_table(operations: &[Operation]) {
    const BATCH_BEGIN: u16 = 16;
    const BATCH_END: u16 = 17;
    const NF_TABLES: u16 = 10;
    const INET: u8 = 1;
    let bytes = netlink::encode(Generation(1), operations).expect("no operation is too long");
    let mut rest = bytes.as_slice();
    while !rest.is_empty() {
        let length = u32::from_ne_bytes(rest[..4].try_into().unwrap()) as usize;
        let kind = u16::from_ne_bytes(rest[4..6].try_into().unwrap());
        let (message, after) = rest.split_at(length.next_multiple_of(4));
        rest = after;
        if kind == BATCH_BEGIN || kind == BATCH_END {
            continue;
        }
        assert_eq!(kind >> 8, NF_TABLES, "I4: another subsystem");
        assert_eq!(message[16], INET, "I4: another family");
        let length = u16::from_ne_bytes(message[20..22].try_into().unwrap());
        let attribute = u16::from_ne_bytes(message[22..24].try_into().unwrap());
        let name = &message[24..20 + usize::from(length)];
        assert_eq!((attribute, name), (1, &b"rfw\0"[..]), "I4: another table");
    }
}

/// I4: what the kernel has counted and learned is not ours to take away.
fn what_packets_left_stays(world: &Simulated, before: &Before) {
    let (Some(old), Some(new)) = (&before.table, world.kernel.table()) else {
        return;
    };
    for set in old.sets.iter().filter(|set| set.set.spec.dynamic) {
        let name = &set.set.spec.name;
        let now = new.sets.iter().find(|now| now.set.spec.name == *name);
        for element in now.iter().flat_map(|_| set.set.elements.iter()) {
            let stays = now.iter().any(|now| {
                now.set
                    .elements
                    .iter()
                    .any(|other| other.key == element.key)
            });
            assert!(stays, "I4: {:?} is gone out of {name}", element.key);
        }
    }
    for chain in &old.chains {
        let Some(now) = new.chains.iter().find(|now| now.name == chain.name) else {
            continue;
        };
        for rule in chain.rules.iter().filter(|rule| rule.name.is_some()) {
            let is_it = |other: &&LiveRule| other.name == rule.name && said(other) == said(rule);
            if let (Some(was), Some(is)) = (rule.count(), now.rules.iter().find(is_it)) {
                let is = is.count().expect("the same rule counts");
                assert!(was.packets <= is.packets, "I4: {:?} was reset", rule.name);
            }
        }
    }
}

/// The instructions of a rule, without what they have counted.
fn said(rule: &LiveRule) -> Vec<String> {
    let instructions = rule.instructions.iter();
    let said = instructions.map(|instruction| match instruction {
        Instruction::Counter(_) => "counter".to_owned(),
        other => format!("{other:?}"),
    });
    said.collect()
}

/// The rules of base chains, which are all that a packet meets first, with the policy of each.
fn behaviour(live: &Live) -> Vec<String> {
    let chains = live.table.iter().flat_map(|table| &table.chains);
    let base = chains.filter_map(|chain| {
        let base = chain.base.as_ref()?;
        let rules: Vec<_> = chain.rules.iter().map(said).collect();
        Some(format!("{} {base:?} {rules:?}", chain.name))
    });
    base.collect()
}

/// What the kernel does when it holds a policy and nothing else.
fn behaviour_of(policy: usize) -> Vec<String> {
    static ALL: OnceLock<Vec<Vec<String>>> = OnceLock::new();
    let one = |text: &&str| {
        let mut kernel = FakeKernel::new();
        let desired = program(text);
        let plan = plan(&kernel.observe().unwrap(), &desired, MARK);
        let mut wait = |_| ();
        let options = Options {
            attempts: 1,
            wait: &mut wait,
            recheck: false,
        };
        apply::apply(&mut kernel, &desired, &plan, options).unwrap();
        behaviour(&kernel.observe().unwrap())
    };
    ALL.get_or_init(|| POLICIES.iter().map(one).collect())[policy].clone()
}

/// Whether a policy is in force, to the last element.
pub(super) fn holds(kernel: &mut FakeKernel, policy: usize) -> bool {
    let live = kernel.observe().unwrap();
    plan(&live, &program(POLICIES[policy]), MARK).is_empty()
}

/// Packets that tell the policies apart: to the box and through it, by mark, port and source.
fn packets() -> &'static [Packet] {
    static ALL: OnceLock<Vec<Packet>> = OnceLock::new();
    ALL.get_or_init(|| {
        let one = |(to_us, mark, port, last): (bool, u32, u16, u8)| {
            let source = IpAddr::from([10, 0, 0, last]);
            let to = IpAddr::from(if to_us { [10, 0, 0, 1] } else { [10, 9, 0, 1] });
            let mut packet = Packet::new(source, to, Upper::syn(40_000, port));
            packet.iif = Some("eth0".to_owned());
            packet.mark = mark;
            packet
        };
        [
            (true, 0, 22, 100),
            (true, 0, 80, 100),
            (true, 0, 80, 15),
            (true, 0, 443, 22),
            (true, 5, 443, 100),
            (true, 1, 9, 30),
            (true, 1, 9, 100),
            (true, 9, 9, 100),
            (true, 7, 9, 100),
            (true, 66, 9, 100),
            (false, 3, 9, 100),
            (false, 0, 22, 100),
        ]
        .map(one)
        .to_vec()
    })
}

fn accepted(table: &Table) -> Vec<bool> {
    accepts(&Firewall::new().with_table(1, "rfw", table.clone()))
}

fn accepted_by(policy: usize) -> Vec<bool> {
    static ALL: OnceLock<Vec<Vec<bool>>> = OnceLock::new();
    let one = |text: &&str| accepts(&Firewall::new().with_program(program(text)));
    ALL.get_or_init(|| POLICIES.iter().map(one).collect())[policy].clone()
}

/// Of each packet, whether it may go on.
fn accepts(firewall: &Firewall) -> Vec<bool> {
    let interface = |name: &str, addresses: &str| Interface {
        name: name.to_owned(),
        addresses: vec![addresses.parse().unwrap()],
        ..Interface::default()
    };
    let environment = Environment {
        interfaces: vec![
            interface("eth0", "10.0.0.1/16"),
            interface("eth1", "10.9.0.254/16"),
        ],
        routes: Vec::new(),
    };
    let packets = packets().iter().map(|packet| {
        let evaluation = evaluate(firewall, packet, &environment, &Choices::default());
        let mut decisions = evaluation.outcomes.iter().map(|outcome| outcome.decision);
        decisions.any(|decision| matches!(decision, Decision::Accept | Decision::Unknown))
    });
    packets.collect()
}

/// The packets do tell the policies apart.
#[test]
fn the_packets_see_each_policy() {
    for policy in 0..POLICIES.len() {
        for other in policy + 1..POLICIES.len() {
            assert_ne!(accepted_by(policy), accepted_by(other), "{policy}, {other}");
        }
        let accepted = accepted_by(policy);
        assert!(accepted.contains(&true) && accepted.contains(&false));
    }
}
