//! Packets that can be tried together: none of them changes what becomes of another.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::frame::Details;
use crate::bytecode::Instruction;
use crate::evaluate::{
    Choices, Environment, Evaluation, Firewall, Met, Outcome, Packet, Step, Taken, Upper, Within,
    evaluate,
};

/// More packets than this are not on their way at once: what is told of them has to fit a socket.
const MOST: usize = 48;
/// Source ports and identifiers of echoes are from here on.
const FIRST: u16 = 41_000;

/// A packet to be sent.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) packet: Packet,
    pub(super) details: Details,
    /// What becomes of it.
    pub(super) evaluation: Evaluation,
}

/// What a packet does to rules that remember something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Uses {
    /// It is counted by rates or limits of connections.
    counted: bool,
    /// What becomes of it depends on what they have counted.
    depends: bool,
    /// It is written into a set.
    written: bool,
}

/// Packets of one box at one time.
#[derive(Debug)]
pub(super) struct Round {
    pub(super) environment: Rc<Environment>,
    /// When it is, for rules that ask.
    pub(super) time: u64,
    /// Whether the rules must not have seen a packet before.
    pub(super) fresh: bool,
    pub(super) entries: Vec<Entry>,
    /// Protocols and ports that are taken: translation could make two connections of them the same.
    taken: BTreeSet<(u8, u16)>,
    counted: bool,
    written: bool,
}

impl Round {
    /// After a round, or as the first one.
    pub(super) fn new(environment: Rc<Environment>, time: u64, before: Option<&Self>) -> Self {
        // What has been written into a set can matter to everybody.
        let fresh = before.is_none_or(|before| before.written);
        Self {
            environment,
            time,
            fresh,
            entries: Vec::new(),
            taken: BTreeSet::new(),
            counted: before.is_some_and(|before| before.counted && !fresh),
            written: false,
        }
    }

    /// Whether a packet can be sent with the others.
    pub(super) fn takes(&self, environment: &Rc<Environment>, entry: &Entry, uses: Uses) -> bool {
        let is_same = Rc::ptr_eq(&self.environment, environment) && self.time == entry.packet.time;
        let is_alone = self.entries.is_empty();
        let is_free = is_alone || !(self.written || uses.depends && self.counted);
        is_same
            && is_free
            && self.entries.len() < MOST
            && !self.taken.contains(&slot(&entry.packet, entry.details))
    }

    pub(super) fn push(&mut self, entry: Entry, uses: Uses) {
        // Only the first one can still ask for rules that have counted nothing.
        self.fresh |= uses.depends && self.counted;
        self.counted |= uses.counted;
        self.written |= uses.written;
        self.taken.insert(slot(&entry.packet, entry.details));
        self.entries.push(entry);
    }

    /// A packet of this one's kind whose connection no other one of the round has.
    pub(super) fn distinct(
        &self,
        packet: &Packet,
        environment: &Environment,
        firewall: &Firewall,
    ) -> Entry {
        let choices = Choices::default();
        let evaluation = evaluate(firewall, packet, environment, &choices);
        let number = FIRST + self.entries.len() as u16;
        let details = Details {
            echo: number,
            ..Details::default()
        };
        let mut other = packet.clone();
        other.upper = packet.upper.with_sport(number);
        if other.upper != packet.upper {
            let same = evaluate(firewall, &other, environment, &choices);
            if is_alike(&evaluation, &same) {
                return Entry {
                    packet: other,
                    details,
                    evaluation: same,
                };
            }
        }
        Entry {
            packet: packet.clone(),
            details,
            evaluation,
        }
    }
}

/// Whether the same becomes of two packets, but for their source ports.
fn is_alike(left: &Evaluation, right: &Evaluation) -> bool {
    let (left, right) = (&left.outcomes, &right.outcomes);
    let is_alike = |(left, right): (&Outcome, &Outcome)| {
        let dport = |outcome: &Outcome| outcome.packet.upper.ports().map(|(_, dport)| dport);
        left.decision == right.decision
            && left.reason == right.reason
            && left.path == right.path
            && left.packet.destination == right.packet.destination
            && left.packet.source == right.packet.source
            && dport(left) == dport(right)
    };
    left.len() == right.len() && left.iter().zip(right).all(is_alike)
}

fn slot(packet: &Packet, details: Details) -> (u8, u16) {
    let number = match packet.upper {
        Upper::Tcp { sport, .. } | Upper::Ports { sport, .. } => sport,
        Upper::Icmp { .. } => details.echo,
        Upper::Other(_) => 0,
    };
    (packet.protocol(), number)
}

impl Uses {
    /// Of a packet.
    pub(super) fn of(entry: &Entry, environment: &Environment, firewall: &Firewall) -> Self {
        let choices = Choices {
            rates: Within::Either,
            connections: Within::Either,
            ..Choices::default()
        };
        let either = evaluate(firewall, &entry.packet, environment, &choices);
        let is_known = |outcome: &Outcome| {
            let mut known = entry.evaluation.outcomes.iter();
            known.any(|known| {
                known.decision == outcome.decision
                    && known.reason == outcome.reason
                    && known.packet == outcome.packet
                    && known.translations == outcome.translations
            })
        };
        let all = || either.outcomes.iter();
        Self {
            counted: all().any(|outcome| {
                outcome.choices.iter().any(|choice| match choice.taken {
                    Taken::Rate { .. } | Taken::Connections { .. } => true,
                    Taken::Number { .. } | Taken::Address { .. } | Taken::Chance { .. } => false,
                })
            }),
            depends: !all().all(is_known),
            written: all().any(|outcome| is_written(outcome, firewall)),
        }
    }
}

/// Whether a rule on the way writes into a set.
fn is_written(outcome: &Outcome, firewall: &Firewall) -> bool {
    outcome.path.iter().any(|step| {
        let Step::Rule(at, met) = step else {
            return false;
        };
        let Some(rule) = firewall.rule(*at) else {
            return false;
        };
        let mut all = rule.instructions.iter();
        let writes = all.position(|it| matches!(it, Instruction::Dynset { .. }));
        match (writes, met) {
            (None, _) => false,
            (Some(writes), Met::Failed(at)) => writes <= usize::from(*at),
            (Some(_), _) => true,
        }
    })
}
