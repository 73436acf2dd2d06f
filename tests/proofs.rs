//! What is proven of a policy holds for packets by chance.
//!
//! Policies by chance, claims by chance: of each claim all three verdicts are tried, and whichever is proven is then held against packets
//! with other addresses and ports of those that the claim is about. A claim that is refuted comes with a packet that refutes it.

use std::net::IpAddr;

use jiff::civil::date;
use proptest::prelude::Strategy;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use rfw::bytecode::linearize;
use rfw::compile::claim::{Claim, End, Test, Traffic};
use rfw::compile::model::Side;
use rfw::diagnostic::SourceText;
use rfw::evaluate::{Choices, Environment, Packet, Upper, evaluate};
use rfw::prove::Prover;
use rfw::ruleset::{Addresses, validate};

use crate::support::policies;

const POLICIES: usize = 40;
/// Packets by chance for each packet of a proof.
const OTHERS: usize = 8;

const ENDS: [&str; 7] = [
    "wan",
    "lan",
    "vpn",
    "firewall",
    "{ zone: lan, address: 192.168.1.0/24 }",
    "{ zone: vpn, address: 10.0.0.0/8 }",
    "192.168.1.20",
];
const SERVICES: [&str; 6] = [
    "ssh",
    "[http, https]",
    "dns",
    "{ tcp: [\"1000-9100\"] }",
    "{ udp: [\"1-600\"] }",
    "ping",
];

/// Numbers by chance that are the same again each time.
struct Dice(u64);

impl Dice {
    fn number(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[(self.number() >> 16) as usize % of.len()]
    }

    /// An address of the family of another, out of these.
    fn address(&mut self, of: &Addresses, like: IpAddr) -> Option<IpAddr> {
        match like {
            IpAddr::V4(_) => {
                let all = of.v4.iter().map(|it| (it.lo.into(), it.hi.into()));
                let number = self.within(&all.collect::<Vec<_>>())?;
                Some(IpAddr::V4((number as u32).into()))
            }
            IpAddr::V6(_) => {
                let all: Vec<_> = of.v6.iter().map(|it| (it.lo, it.hi)).collect();
                Some(IpAddr::V6(self.within(&all)?.into()))
            }
        }
    }

    /// A number of these spans; every other time one near a bound.
    fn within(&mut self, all: &[(u128, u128)]) -> Option<u128> {
        if all.is_empty() {
            return None;
        }
        let (lo, hi) = self.one(all);
        let wide = u128::from(self.number()) << 64 | u128::from(self.number());
        let width = hi - lo;
        Some(match self.number() >> 20 & 3 {
            0 => lo + (wide % 3).min(width),
            1 => hi - (wide % 3).min(width),
            _ => lo + wide.checked_rem(width.wrapping_add(1)).unwrap_or(wide),
        })
    }
}

fn claims(dice: &mut Dice) -> String {
    let mut text = String::from("tests:\n");
    for number in 0..8 {
        let (from, to) = (dice.one(&ENDS), dice.one(&ENDS));
        if from == "firewall" && to == "firewall" {
            continue;
        }
        let service = dice.one(&SERVICES);
        for expect in ["accept", "drop", "reject"] {
            text += &format!(
                "  - {{ name: {expect}-{number}, from: {from}, to: {to}, service: {service}, at: \"2027-03-29 12:00\", expect: {expect} }}\n"
            );
        }
    }
    text
}

/// Another packet that the same is claimed of: with the addresses that do not say which world it is in.
fn another(dice: &mut Dice, traffic: &Traffic, packet: &Packet) -> Option<Packet> {
    // The box's own address makes the world.
    let of = |all: &[End], address: IpAddr| {
        let end = all.iter().find(|end| end.addresses.contains(address))?;
        (end.side != Side::Firewall).then(|| end.addresses.clone())
    };
    let mut other = packet.clone();
    if let Some(addresses) = of(&traffic.from, packet.source) {
        other.source = dice.address(&addresses, packet.source)?;
    }
    if let Some(addresses) = of(&traffic.to, packet.destination) {
        other.destination = dice.address(&addresses, packet.destination)?;
    }
    if let Upper::Tcp { sport, .. } | Upper::Ports { sport, .. } = &mut other.upper {
        *sport = 1024 + (dice.number() >> 20) as u16 % 60_000;
    }
    (other.source != other.destination).then_some(other)
}

#[test]
fn what_is_proven_holds_for_packets_by_chance() {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[9; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let mut dice = Dice(0x5eed);
    let (mut done, mut proven, mut refuted, mut tried) = (0, 0, 0, 0);
    while done < POLICIES {
        let text = policies::policy().new_tree(&mut runner).unwrap().current() + &claims(&mut dice);
        let source = SourceText {
            name: "made.yaml".to_owned(),
            text: text.clone().into(),
        };
        let Some(policy) = rfw::policy::parse(&[source]).policy else {
            continue;
        };
        let (Some(model), _) = rfw::compile::resolve(policy, date(2026, 11, 24)) else {
            continue;
        };
        done += 1;
        let ruleset =
            validate(rfw::compile::lower(&model)).expect("the ruleset keeps the contract");
        let program = linearize(ruleset.into_ruleset());
        let prover = Prover::new(&model, &program);
        for test in &model.tests {
            let Claim::Packets { traffic, .. } = &test.claim else {
                panic!("a claim of packets");
            };
            let proof = prover.prove(test);
            let Err(failed) = proof.result else {
                proven += 1;
                tried += hold(&prover, test, traffic, &mut dice, &text);
                continue;
            };
            if let (Some(packet), Some(outcome)) = (&failed.packet, &failed.outcome) {
                refuted += 1;
                let complaint = prover.complaint(test, packet, &prover.environment(), outcome);
                assert!(
                    complaint.is_some(),
                    "{}: {}\n{text}",
                    test.name,
                    failed.message
                );
            }
        }
    }
    assert!(
        proven > 100 && refuted > 200 && tried > 1_000,
        "{proven} proven, {refuted} refuted, {tried} tried"
    );
}

/// Tries others of the kinds that were tried for a proof; how many.
fn hold(prover: &Prover<'_>, test: &Test, traffic: &Traffic, dice: &mut Dice, text: &str) -> usize {
    let mut kinds: Vec<(Packet, Environment)> = Vec::new();
    prover
        .packets(test, &mut |packet, environment| {
            kinds.push((packet.clone(), environment.clone()));
        })
        .expect("as for the proof");
    let mut tried = 0;
    for (packet, environment) in &kinds {
        for _ in 0..OTHERS {
            let Some(other) = another(dice, traffic, packet) else {
                continue;
            };
            tried += 1;
            let evaluation = evaluate(prover.firewall(), &other, environment, &Choices::default());
            for outcome in &evaluation.outcomes {
                let complaint = prover.complaint(test, &other, environment, outcome);
                assert_eq!(
                    complaint, None,
                    "{}: {other:?}\n{outcome:?}\n{text}",
                    test.name
                );
            }
        }
    }
    tried
}
