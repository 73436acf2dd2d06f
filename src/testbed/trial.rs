//! All packets of a test, tried in the kernel and by the evaluator.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::rc::Rc;

use super::fate::{Fate, Sight, agrees, rules, sights};
use super::frame::{self, Details};
use super::opening::opening;
use super::round::{Entry, Round, Uses};
use super::{LAST_ID, Loaded, Testbed, TestbedError, clock, follow};
use crate::compile::claim::{Claim, Counts, Test};
use crate::evaluate::{
    ChainRef, Choices, Decision, Environment, Evaluation, Outcome, Packet, RuleRef, State, Upper,
    evaluate,
};
use crate::netlink::{Sighting, TraceStep};
use crate::prove::{Prover, other_shares};

/// More packets than this are not sent for one test: of more, every second, every third and so on.
pub const MOST_SENT: usize = 20_000;
/// More connections than this are not made to see how they are shared out.
const MOST_CONNECTIONS: u32 = 4096;
/// Rules are not used for longer before they are moved again, in nanoseconds.
const MOST_LATE: u64 = 300_000_000;
/// After so many packets the kernel's reports are taken in.
const BETWEEN: usize = 8;

/// What has come out of a test in the kernel.
#[derive(Clone, Debug, Default)]
pub struct Tried {
    /// How many packets were sent.
    pub sent: usize,
    /// How many there are, of which those were chosen.
    pub of: usize,
    /// Packets that were not sent, or say nothing about the test, and why.
    pub left_out: BTreeMap<LeftOut, usize>,
    /// Of how many of those the kernel told of more rules than could be taken in, so that only what became of them was compared.
    pub untraced: usize,
    /// How often the kernel did something else than the evaluator says.
    pub disagreements: usize,
    /// The first of these.
    pub disagreement: Option<Box<Disagreement>>,
    /// What is not as the test expects, in the kernel.
    pub failed: Option<String>,
}

/// Why a packet says nothing about a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LeftOut {
    /// Connection tracking calls it this, and not what the test says. Kernel and evaluator agree on it all the same.
    IsOf(State),
    /// It belongs to a connection that another one announces, and is no error about that one.
    Related,
    /// A connection of this protocol cannot be made by packets alone.
    NotOpened,
    /// A packet of this protocol cannot be damaged.
    NotInvalid,
    /// It would be no packet of this protocol.
    NoSuchPacket,
    /// Rules ask for the time in a way that cannot be moved, and it is another time.
    OtherTime,
    /// Nobody can say what becomes of it.
    NotFollowed,
    /// So many connections are not made.
    TooMany,
}

impl LeftOut {
    /// In words that follow a number of packets.
    pub fn why(self) -> String {
        let why = match self {
            Self::IsOf(state) => {
                return format!("connection tracking calls them {}", state.name());
            }
            Self::Related => "they belong to connections that others announce in what they carry",
            Self::NotOpened => "their connections cannot be made by packets alone",
            Self::NotInvalid => "nothing can be wrong with them",
            Self::NoSuchPacket => "there are no such packets",
            Self::OtherTime => "they need another time",
            Self::NotFollowed => "nobody can say what becomes of them",
            Self::TooMany => "they are too many connections",
        };
        why.to_owned()
    }
}

/// A packet with which the kernel did something else than the evaluator says.
#[derive(Clone, Debug)]
pub struct Disagreement {
    /// The packet, as the evaluator got it.
    pub packet: Packet,
    /// As it was sent, from its IP header on.
    pub bytes: Vec<u8>,
    /// The box.
    pub environment: Environment,
    /// What the kernel did.
    pub kernel: Sight,
    /// What the evaluator says.
    pub evaluation: Evaluation,
    /// The rules of rfw's table that it fits in the kernel, in order, by chain and place.
    pub met: Option<Vec<RuleRef>>,
}

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
/// A packet as it was sent, and what was seen of it.
type Answered = (Vec<u8>, Sight);

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
        let Some(seen) = self.send(round, round.fresh)? else {
            let number = round.entries.len();
            *self.tried.left_out.entry(LeftOut::OtherTime).or_default() += number;
            return Ok(());
        };
        // The clock has gone on since the rules were loaded: one of both moments is that of the packet.
        let loaded = self.testbed.loaded.map_or(0, |loaded| loaded.at);
        let later = now().saturating_sub(loaded);
        for (entry, (bytes, sight)) in round.entries.iter().zip(seen) {
            self.tried.sent += 1;
            self.tried.untraced += usize::from(sight.rules.is_none());
            self.compare(entry, bytes, sight, &round.environment, later);
        }
        Ok(())
    }

    /// Sends packets; what was seen of each. `None` where the rules cannot be moved to their time.
    fn send(
        &mut self,
        round: &mut Round,
        fresh: bool,
    ) -> Result<Option<Vec<Answered>>, TestbedError> {
        let is_open = |entry: &Entry| {
            let state = entry.packet.connection.state;
            matches!(state, State::Established | State::Related)
        };
        let opens = round.entries.iter().any(is_open);
        for (entry, id) in round.entries.iter_mut().zip(1u16..) {
            entry.details.id = id;
            entry.details.damaged = entry.packet.connection.state == State::Invalid;
        }
        self.testbed.arrange(&round.environment)?;
        self.testbed.forget_connections()?;
        if opens {
            self.open(round)?;
        }
        let is_fresh = fresh || opens;
        if !self.load(round.time, is_fresh)? {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        let mut sightings = self.testbed.sightings()?;
        sightings.clear();
        self.testbed.steps()?;
        let mut steps = Some(Vec::new());
        for (number, entry) in round.entries.iter().enumerate() {
            let Entry {
                packet, details, ..
            } = entry;
            let made = frame::bytes(packet, *details).unwrap_or_default();
            self.put(packet, &made)?;
            bytes.push(made);
            if number % BETWEEN == 0 {
                sightings.extend(self.testbed.sightings()?);
                steps = joined(steps, self.testbed.steps()?);
            }
        }
        sightings.extend(self.testbed.settled()?);
        steps = joined(steps, self.testbed.steps()?);
        let sent = round.entries.iter().map(|entry| {
            let packet = &entry.packet;
            (entry.details.id, (packet.source, packet.destination))
        });
        let rules = steps.map(|steps| rules(&steps, &sent.collect()));
        Ok(Some(self.seen(bytes, &sightings, rules)))
    }

    /// Sees to it that the rules are loaded as they are at a time; `fresh`: and that nothing has happened to them. `false` where
    /// they cannot be moved.
    fn load(&mut self, time: u64, fresh: bool) -> Result<bool, TestbedError> {
        let program = self.prover.program();
        let (asks, now) = (clock::asks(program), now());
        let time = if asks { time } else { 0 };
        let is_there = |loaded: Loaded| {
            loaded.time == time && (!asks || now.saturating_sub(loaded.at) < MOST_LATE)
        };
        if !fresh && self.testbed.loaded.is_some_and(is_there) {
            return Ok(true);
        }
        if asks {
            let Some(moved) = clock::moved(program, now, time) else {
                return Ok(false);
            };
            self.testbed.load(&moved)?;
        } else {
            self.testbed.load(program)?;
        }
        self.testbed.loaded = Some(Loaded { time, at: now });
        Ok(true)
    }

    fn seen(
        &self,
        bytes: Vec<Vec<u8>>,
        sightings: &[Sighting],
        mut rules: Option<BTreeMap<u16, Vec<u64>>>,
    ) -> Vec<Answered> {
        let layout = &self.testbed.layout;
        let mut all = sights(sightings, &|index| {
            layout.name(index).map(ToOwned::to_owned)
        });
        let numbered = bytes.into_iter().zip(1u16..LAST_ID);
        let answered = numbered.map(|(bytes, id)| {
            let mut sight = all.remove(&id).unwrap_or_default();
            let rules = rules.as_mut();
            sight.rules = rules.map(|rules| rules.remove(&id).unwrap_or_default());
            (bytes, sight)
        });
        answered.collect()
    }

    /// Sends a packet; one that the box's own rules or routes hold back is refused to its program, and that is its fate.
    fn put(&self, packet: &Packet, bytes: &[u8]) -> Result<(), TestbedError> {
        let iif = packet.iif.as_deref();
        match self.testbed.send(iif, bytes, packet.destination) {
            Err(error) if iif.is_some() => Err(follow("sending")(error)),
            _ => Ok(()),
        }
    }

    /// Makes the connections of which packets are a part, while there are no rules.
    fn open(&mut self, round: &Round) -> Result<(), TestbedError> {
        self.testbed.unload()?;
        self.testbed.keep_still(true)?;
        for entry in &round.entries {
            for packet in opening(&entry.packet).unwrap_or_default() {
                // An error is about a packet without a number.
                let details = match entry.packet.connection.state {
                    State::Related => Details::default(),
                    _ => entry.details,
                };
                let made = frame::bytes(&packet, details).unwrap_or_default();
                self.put(&packet, &made)?;
            }
            self.testbed.sightings()?;
        }
        self.testbed.settled()?;
        self.testbed.keep_still(false)
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
            let seen = self.send(&mut round, fresh)?;
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

/// Both, where all was told.
fn joined(left: Option<Vec<TraceStep>>, right: Option<Vec<TraceStep>>) -> Option<Vec<TraceStep>> {
    let (mut left, right) = left.zip(right)?;
    left.extend(right);
    Some(left)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the kernel compares packets with the clock of the machine"
)]
pub(super) fn now() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    })
}
