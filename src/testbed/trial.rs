//! All packets of a test, tried in the kernel and by the evaluator.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::rc::Rc;

use super::fate::{Fate, Sight, agrees};
use super::frame::{self, Details};
use super::opening::opening;
use super::round::{Entry, Round, Uses};
use super::tried::{Disagreement, LeftOut, Tried};
use super::volley::volley;
use super::{Testbed, TestbedError, clock};
use crate::compile::claim::{Claim, Counts, Test};
use crate::evaluate::{
    ChainRef, Choices, Decision, Environment, Outcome, Packet, RuleRef, State, Upper, evaluate,
};
use crate::prove::{Prover, other_shares};

/// More packets than this are not sent for one test: of more, every second, every third and so on.
pub const MOST_SENT: usize = 20_000;
/// More connections than this are not made to see how they are shared out.
const MOST_CONNECTIONS: u32 = 4096;

/// Sends every packet of a test through the kernel and demands that it does what the evaluator says, and that the test holds for
/// what it did.
///
/// # Errors
/// When the testbed fails.
pub fn try_test(
    testbed: &mut Testbed,
    prover: &Prover<'_>,
    test: &Test,
) -> Result<Tried, TestbedError> {
    let mut run = Run {
        testbed,
        prover,
        test,
        tried: Tried::default(),
    };
    let packets = run.packets();
    run.all(packets)?;
    Ok(run.tried)
}

struct Run<'r, 'm> {
    testbed: &'r mut Testbed,
    prover: &'r Prover<'m>,
    test: &'r Test,
    tried: Tried,
}

type World = Rc<Environment>;

impl<'m> Run<'_, 'm> {
    /// The packets and their worlds; at the same time those that are at the same time.
    fn packets(&mut self) -> Vec<(Packet, World)> {
        let mut number = 0;
        let enumerated = self.prover.packets(self.test, &mut |_, _| number += 1);
        if let Err(failed) = enumerated {
            self.tried.failed = Some(failed.message);
            return Vec::new();
        }
        self.tried.of = number;
        let step = number.div_ceil(MOST_SENT).max(1);
        let mut worlds: Vec<World> = Vec::new();
        let mut packets = Vec::new();
        let mut at = 0;
        _ = self.prover.packets(self.test, &mut |packet, environment| {
            at += 1;
            if at % step != 0 {
                return;
            }
            let world = match worlds.last() {
                Some(last) if **last == *environment => Rc::clone(last),
                _ => {
                    let world = Rc::new(environment.clone());
                    worlds.push(Rc::clone(&world));
                    world
                }
            };
            packets.push((packet.clone(), world));
        });
        packets.sort_by_key(|(packet, _)| packet.time);
        packets
    }

    fn all(&mut self, packets: Vec<(Packet, World)>) -> Result<(), TestbedError> {
        let counts = match &self.test.claim {
            Claim::Packets { expect, .. } => expect.counts.clone(),
            Claim::Scan { .. } | Claim::Set { .. } => None,
        };
        let mut round: Option<Round> = None;
        for (packet, given) in packets {
            let world = match &round {
                Some(round) if *round.environment == self.testbed.numbered(&given) => {
                    Rc::clone(&round.environment)
                }
                _ => Rc::new(self.testbed.numbered(&given)),
            };
            let firewall = self.prover.firewall();
            let time = packet.time;
            let mut current = match round.take() {
                Some(round) => round,
                None => Round::new(Rc::clone(&world), time, None),
            };
            let entry = current.distinct(&packet, &world, firewall);
            if let Some(why) = self.left_out(&entry) {
                *self.tried.left_out.entry(why).or_default() += 1;
                round = Some(current);
                continue;
            }
            let uses = Uses::of(&entry, &world, firewall);
            if !current.takes(&world, &entry, &uses) {
                self.play(&mut current)?;
                let mut next = Round::new(Rc::clone(&world), time, Some(&current));
                let entry = next.distinct(&packet, &world, firewall);
                next.push(entry, &uses);
                current = next;
            } else {
                current.push(entry, &uses);
            }
            round = Some(current);
            if let Some(counts) = &counts {
                self.shared(&packet, &world, counts)?;
            }
        }
        if let Some(mut round) = round {
            self.play(&mut round)?;
        }
        Ok(())
    }

    /// Why a packet is not sent.
    fn left_out(&self, entry: &Entry) -> Option<LeftOut> {
        let packet = &entry.packet;
        let mut outcomes = entry.evaluation.outcomes.iter();
        if outcomes.any(|outcome| outcome.decision == Decision::Unknown) {
            return Some(LeftOut::NotFollowed);
        }
        if frame::bytes(packet, Details::default()).is_none() {
            return Some(LeftOut::NoSuchPacket);
        }
        match packet.connection.state {
            State::New | State::Untracked => None,
            State::Established if opening(packet).is_none() => Some(LeftOut::NotOpened),
            State::Established => None,
            State::Related if opening(packet).is_none() => Some(LeftOut::Related),
            State::Related => None,
            State::Invalid => {
                let has_sum = matches!(
                    packet.upper,
                    Upper::Tcp { .. } | Upper::Icmp { .. } | Upper::Ports { protocol: 17, .. }
                );
                (!has_sum || packet.iif.is_none()).then_some(LeftOut::NotInvalid)
            }
        }
    }

    /// Sends the packets of a round and compares.
    fn play(&mut self, round: &mut Round) -> Result<(), TestbedError> {
        if round.entries.is_empty() {
            return Ok(());
        }
        let Some(seen) = volley(self.testbed, self.prover.program(), round, round.fresh)? else {
            let number = round.entries.len();
            *self.tried.left_out.entry(LeftOut::OtherTime).or_default() += number;
            return Ok(());
        };
        // The clock has gone on since the rules were loaded, at some moment of the second that was meant: one of both moments is
        // that of the packet.
        let loaded = self.testbed.loaded.map_or(0, |loaded| loaded.at);
        let later = clock::now().saturating_sub(loaded) + clock::SECOND;
        for (entry, (bytes, sight)) in round.entries.iter().zip(seen) {
            self.tried.sent += 1;
            self.tried.untraced += usize::from(sight.rules.is_none());
            self.compare(entry, bytes, sight, &round.environment, later);
        }
        Ok(())
    }

    fn compare(
        &mut self,
        entry: &Entry,
        bytes: Vec<u8>,
        sight: Sight,
        environment: &Environment,
        later: u64,
    ) {
        let firewall = self.prover.firewall();
        let choices = Choices::default();
        let mut packet = entry.packet.clone();
        let said = packet.connection.state;
        if let Some(state) = sight.state {
            packet.connection.state = state;
        }
        let is_meant = packet.connection.state == said;
        if !is_meant {
            let why = LeftOut::IsOf(packet.connection.state);
            *self.tried.left_out.entry(why).or_default() += 1;
        }
        let evaluation = match is_meant {
            true => entry.evaluation.clone(),
            false => evaluate(firewall, &packet, environment, &choices),
        };
        let handles = &self.testbed.handles;
        let filtered = self.testbed.filters(&packet, environment);
        let mut agreed = evaluation
            .outcomes
            .iter()
            .find(|outcome| agrees(outcome, &sight, handles, filtered));
        let after;
        if agreed.is_none() && clock::asks(self.prover.program()) {
            let mut packet = packet.clone();
            packet.time = packet.time.saturating_add(later);
            after = evaluate(firewall, &packet, environment, &choices);
            let mut outcomes = after.outcomes.iter();
            agreed = outcomes.find(|outcome| agrees(outcome, &sight, handles, filtered));
        }
        match agreed {
            Some(outcome) if is_meant && filtered && outcome.decision != Decision::Drop => {
                let message = format!(
                    "`rp_filter` drops packets from {} that come in by {}",
                    packet.source,
                    packet.iif.as_deref().unwrap_or_default()
                );
                self.tried.failed.get_or_insert(message);
            }
            Some(outcome) if is_meant => self.hold(&packet, environment, outcome),
            Some(_) => {}
            None => {
                self.tried.disagreements += 1;
                let met = sight.rules.as_ref().map(|rules| self.refer(rules));
                self.tried.disagreement.get_or_insert_with(|| {
                    Box::new(Disagreement {
                        packet,
                        bytes,
                        environment: environment.clone(),
                        kernel: sight,
                        evaluation,
                        met,
                    })
                });
            }
        }
    }

    /// Rules by their handles.
    fn refer(&self, rules: &[u64]) -> Vec<RuleRef> {
        let find = |handle: &u64| {
            let mut chains = (0u32..).zip(&self.testbed.handles.rules);
            chains.find_map(|(chain, rules)| {
                let rule = rules.iter().position(|it| it == handle)?;
                let chain = ChainRef { table: 0, chain };
                let rule = u32::try_from(rule).ok()?;
                Some(RuleRef { chain, rule })
            })
        };
        rules.iter().filter_map(find).collect()
    }

    /// What the test says to what became of a packet.
    fn hold(&mut self, packet: &Packet, environment: &Environment, outcome: &Outcome) {
        if self.tried.failed.is_none() {
            let complaint = self
                .prover
                .complaint(self.test, packet, environment, outcome);
            self.tried.failed = complaint;
        }
    }

    /// Makes connections one after the other, and counts where they go.
    fn shared(
        &mut self,
        packet: &Packet,
        world: &World,
        counts: &Counts,
    ) -> Result<(), TestbedError> {
        let Counts {
            connections,
            shares,
        } = counts;
        if MOST_CONNECTIONS < *connections {
            *self.tried.left_out.entry(LeftOut::TooMany).or_default() += 1;
            return Ok(());
        }
        let firewall = self.prover.firewall();
        let mut tally: BTreeMap<IpAddr, u32> = BTreeMap::new();
        let mut left = *connections;
        let mut fresh = true;
        while left > 0 {
            let mut round = Round::new(Rc::clone(world), packet.time, None);
            while left > 0 {
                let entry = round.distinct(packet, world, firewall);
                if !round.takes(world, &entry, &Uses::default()) {
                    break;
                }
                round.push(entry, &Uses::default());
                left -= 1;
            }
            if round.entries.is_empty() {
                return Ok(());
            }
            let seen = volley(self.testbed, self.prover.program(), &mut round, fresh)?;
            fresh = false;
            for (_, sight) in seen.into_iter().flatten() {
                self.tried.sent += 1;
                if let Fate::Passed { destination, .. } = sight.fate {
                    *tally.entry(destination).or_default() += 1;
                }
            }
        }
        if let Some((wanted, found)) = other_shares(shares, &tally) {
            let message =
                format!("{connections} connections should go to {wanted}, but went to {found}");
            self.tried.failed.get_or_insert(message);
        }
        Ok(())
    }
}
