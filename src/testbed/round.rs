//! Packets that can be tried together: none of them changes what becomes of another.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::rc::Rc;

use super::frame::Details;
use crate::bytecode::Instruction;
use crate::evaluate::{
    Choices, Environment, Evaluation, Firewall, Met, Outcome, Packet, RuleRef, Step, Taken, Upper,
    Within, evaluate,
};

/// More packets than this are not on their way at once: what is told of them has to fit a socket.
const MOST: usize = 48;
/// Source ports and identifiers of echoes are from here on.
const FIRST: u16 = 41_000;

const UDP: u8 = 17;

/// A packet to be sent.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) packet: Packet,
    pub(super) details: Details,
    /// What becomes of it.
    pub(super) evaluation: Evaluation,
}

/// What a packet does to rules that remember something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Uses {
    /// Rules that count it by a rate or a limit of connections, and how many they let through at once.
    counted: BTreeMap<RuleRef, u32>,
    /// What becomes of it depends on what they have counted.
    depends: bool,
    /// Its source is written into a set.
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
    /// How often rules have counted since they were loaded.
    counted: BTreeMap<RuleRef, u32>,
    /// Whose packets have been written into sets since then.
    written: BTreeSet<IpAddr>,
}

impl Round {
    /// After a round, or as the first one.
    pub(super) fn new(environment: Rc<Environment>, time: u64, before: Option<&Self>) -> Self {
        Self {
            environment,
            time,
            fresh: before.is_none(),
            entries: Vec::new(),
            taken: BTreeSet::new(),
            counted: before.map_or_else(BTreeMap::new, |it| it.counted.clone()),
            written: before.map_or_else(BTreeSet::new, |it| it.written.clone()),
        }
    }

    /// Whether a packet can be sent with the others.
    pub(super) fn takes(&self, environment: &Rc<Environment>, entry: &Entry, uses: &Uses) -> bool {
        let is_same = Rc::ptr_eq(&self.environment, environment) && self.time == entry.packet.time;
        is_same
            && (self.entries.is_empty() || !self.disturbs(entry, uses))
            && self.entries.len() < MOST
            && !self.taken.contains(&slot(&entry.packet, entry.details))
    }

    /// Whether what has been sent since the rules were loaded matters to a packet.
    fn disturbs(&self, entry: &Entry, uses: &Uses) -> bool {
        let is_over = |(rule, most): (&RuleRef, &u32)| self.counted.get(rule) >= Some(most);
        let is_full = uses.depends && uses.counted.iter().any(is_over);
        is_full || self.written.contains(&entry.packet.source)
    }

    pub(super) fn push(&mut self, entry: Entry, uses: &Uses) {
        // Only the first one can still ask for rules to which nothing has happened.
        if self.entries.is_empty() && self.disturbs(&entry, uses) {
            self.fresh = true;
            self.counted.clear();
            self.written.clear();
        }
        for rule in uses.counted.keys() {
            *self.counted.entry(*rule).or_default() += 1;
        }
        if uses.written {
            self.written.insert(entry.packet.source);
        }
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
        Upper::Tcp { sport, .. }
        | Upper::Ports {
            protocol: UDP,
            sport,
            ..
        } => sport,
        Upper::Icmp { .. } => details.echo,
        // Not every kernel tracks these by their ports.
        Upper::Ports { .. } | Upper::Other(_) => 0,
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
        let mut counted = BTreeMap::new();
        for choice in all().flat_map(|outcome| &outcome.choices) {
            if let Taken::Rate { .. } | Taken::Connections { .. } = choice.taken {
                counted.insert(choice.rule, at_once(choice.rule, firewall));
            }
        }
        Self {
            counted,
            depends: !all().all(is_known),
            written: all().any(|outcome| is_written(outcome, firewall)),
        }
    }
}

/// How many packets or connections a rule lets through at once; 1 where that is not known.
fn at_once(rule: RuleRef, firewall: &Firewall) -> u32 {
    let of = |instruction: &Instruction| match instruction {
        Instruction::Limit(limit) => Some(limit.burst),
        Instruction::Connlimit { count, flags: _ } => Some(*count),
        _ => None,
    };
    let rule = firewall.rule(rule);
    let all = rule.iter().flat_map(|rule| rule.instructions);
    let most = all.filter_map(|instruction| match instruction {
        Instruction::Dynset { state, .. } => state.iter().filter_map(of).min(),
        instruction => of(instruction),
    });
    most.min().unwrap_or(1).max(1)
}

/// Whether a rule on the way writes into a set, for more than to count.
fn is_written(outcome: &Outcome, firewall: &Firewall) -> bool {
    outcome.path.iter().any(|step| {
        let Step::Rule(at, met) = step else {
            return false;
        };
        let Some(rule) = firewall.rule(*at) else {
            return false;
        };
        let mut all = rule.instructions.iter();
        let writes =
            all.position(|it| matches!(it, Instruction::Dynset { state, .. } if state.is_empty()));
        match (writes, met) {
            (None, _) => false,
            (Some(writes), Met::Failed(at)) => writes <= usize::from(*at),
            (Some(_), _) => true,
        }
    })
}
