//! What the kernel did with a packet, and whether the evaluator says the same.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Display, Formatter};
use std::net::IpAddr;

use rustables::sys;

use super::read::{self, Read};
use crate::bytecode::Instruction;
use crate::evaluate::{Answer, Decision, Met, Outcome, Reason, State, Step};
use crate::live::LiveChain;
use crate::netlink::{CAME_IN, CAME_OUT, Seen, Sighting, TraceStep, WITNESS};
use crate::ruleset::TABLE;

/// What became of a packet in the kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Fate {
    /// It is gone.
    #[default]
    Gone,
    /// It passed all chains.
    Passed {
        /// The interface that it leaves by; `None` for one that is for the box itself.
        oif: Option<String>,
        /// Where it comes from now.
        source: IpAddr,
        /// Where it goes to now.
        destination: IpAddr,
        /// Its ports now, if it has some.
        ports: Option<(u16, u16)>,
    },
    /// It is gone, and was answered with a TCP reset.
    Reset,
    /// It is gone, and was answered with an error: ICMP type 3, ICMPv6 type 1.
    Error {
        /// The code.
        code: u8,
    },
}

/// A packet as the kernel saw it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sight {
    /// Whether it has reached the first chain at all.
    pub came: bool,
    /// What connection tracking says of it; `None` where it did not get that far.
    pub state: Option<State>,
    /// What became of it.
    pub fate: Fate,
    /// The handles of the rules of rfw's table that it fits, in order; `None` where the kernel told of more than could be taken in.
    pub rules: Option<Vec<u64>>,
}

impl Display for Fate {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone => f.write_str("dropped"),
            Self::Reset => f.write_str("rejected with a TCP reset"),
            Self::Error { code } => write!(f, "rejected with an ICMP error of code {code}"),
            Self::Passed {
                oif,
                source,
                destination,
                ports,
            } => {
                write!(f, "passed from {source} to {destination}")?;
                if let Some((sport, dport)) = ports {
                    write!(f, ", ports {sport} to {dport}")?;
                }
                match oif {
                    Some(oif) => write!(f, ", by {oif}"),
                    None => f.write_str(", for the box"),
                }
            }
        }
    }
}

/// What was seen of each packet, by its number.
pub(super) fn sights(
    sightings: &[Sighting],
    name: &dyn Fn(u32) -> Option<String>,
) -> BTreeMap<u16, Sight> {
    let mut sights: BTreeMap<u16, Sight> = BTreeMap::new();
    for Sighting { seen, oif, packet } in sightings {
        let Some((id, read)) = read::read(packet) else {
            continue;
        };
        let sight = sights.entry(id).or_default();
        match (seen, read) {
            (Seen::Came, Read::Itself { .. }) => sight.came = true,
            (Seen::Tracked(bits), Read::Itself { .. }) => sight.state = state(*bits),
            // What has passed may be answered by whoever gets it, which is no matter of the rules; a packet for the box
            // passes twice if it comes from there.
            (
                Seen::In | Seen::Out,
                Read::Itself {
                    source,
                    destination,
                    ports,
                },
            ) => {
                sight.fate = Fate::Passed {
                    oif: oif.filter(|_| *seen == Seen::Out).and_then(name),
                    source,
                    destination,
                    ports,
                };
            }
            (Seen::Out, Read::Reset) if sight.fate == Fate::Gone => sight.fate = Fate::Reset,
            (Seen::Out, Read::Error(code)) if sight.fate == Fate::Gone => {
                sight.fate = Fate::Error { code };
            }
            (_, Read::Reset | Read::Error(_)) => {}
        }
    }
    sights
}

fn state(bits: u32) -> Option<State> {
    let all = [
        State::Invalid,
        State::Established,
        State::Related,
        State::New,
        State::Untracked,
    ];
    all.into_iter().find(|state| state.bit() & bits != 0)
}

/// The rules that each of these packets has met, as they came: number, source and destination. Numbers of traces are used again, so
/// a trace is that of the packet that was seen last to begin it.
pub(super) fn rules(
    steps: &[TraceStep],
    packets: &BTreeMap<u16, (IpAddr, IpAddr)>,
) -> BTreeMap<u16, Vec<u64>> {
    let mut whose: BTreeMap<u32, u16> = BTreeMap::new();
    let mut rules: BTreeMap<u16, Vec<u64>> = BTreeMap::new();
    for TraceStep {
        trace,
        table,
        chain,
        rule,
        headers,
    } in steps
    {
        let begins = table == WITNESS && (chain == CAME_IN || chain == CAME_OUT);
        if begins && !headers.is_empty() {
            let ends = read::ends(headers);
            let known = ends.and_then(|(id, ends)| Some((id, packets.get(&id)?, ends)));
            match known {
                // What comes back to the box goes on.
                Some((id, sent, ends)) if *sent == ends => _ = whose.insert(*trace, id),
                _ if chain == CAME_OUT => _ = whose.remove(trace),
                _ => {}
            }
        }
        if table == TABLE
            && let (Some(id), Some(rule)) = (whose.get(trace), rule)
        {
            rules.entry(*id).or_default().push(*rule);
        }
    }
    rules
}

/// The rules of a program as they are loaded.
#[derive(Clone, Debug, Default)]
pub(super) struct Handles {
    /// In the order of the program's chains.
    pub(super) rules: Vec<Vec<u64>>,
    /// Those that only tell of packets, as often as a rate allows: whether a packet fits one of them depends on all others.
    pub(super) at_times: BTreeSet<u64>,
}

impl Handles {
    /// Of chains as the kernel lists them.
    pub(super) fn of(chains: &[LiveChain]) -> Self {
        let all = || chains.iter().flat_map(|chain| &chain.rules);
        let at_times = all().filter(|rule| {
            let mut instructions = rule.instructions.iter();
            let is_rate = |it: &Instruction| match it {
                Instruction::Limit(_) => true,
                Instruction::Object { kind, name: _ } => *kind == sys::NFT_OBJECT_LIMIT,
                _ => false,
            };
            let decides = |it: &Instruction| {
                matches!(it, Instruction::Verdict(_) | Instruction::Reject { .. })
            };
            instructions.any(is_rate) && !rule.instructions.iter().any(decides)
        });
        Self {
            at_times: at_times.map(|rule| rule.handle).collect(),
            rules: chains
                .iter()
                .map(|chain| chain.rules.iter().map(|rule| rule.handle).collect())
                .collect(),
        }
    }
}

/// Whether the kernel did what an outcome says, by the rules that it says. A packet whose source is `filtered` does not get further
/// than to where the kernel routes it (`rp_filter`).
pub(super) fn agrees(outcome: &Outcome, sight: &Sight, handles: &Handles, filtered: bool) -> bool {
    let path = outcome.path.iter().take_while(|step| {
        let is_routed = matches!(step, Step::Local | Step::Forward);
        !(filtered && is_routed)
    });
    let said = path.filter_map(|step| match step {
        Step::Rule(_, Met::Failed(_)) => None,
        Step::Rule(at, _) => {
            let rules = handles.rules.get(at.chain.chain as usize)?;
            Some(rules.get(at.rule as usize).copied().unwrap_or_default())
        }
        _ => None,
    });
    let always = |rule: &u64| !handles.at_times.contains(rule);
    let is_way = sight.rules.as_ref().is_none_or(|met| {
        let met = met.iter().copied().filter(always);
        said.filter(always).eq(met)
    });
    let is_fate = match filtered {
        true => sight.fate == Fate::Gone,
        false => does(outcome, &sight.fate),
    };
    is_fate && is_way
}

/// Whether the kernel did what an outcome says.
fn does(outcome: &Outcome, fate: &Fate) -> bool {
    match (outcome.decision, fate) {
        (Decision::Accept, Fate::Passed { .. }) => is_as_said(outcome, fate),
        // What the kernel ends of its own accord it may answer.
        (Decision::Drop, Fate::Gone) => true,
        (Decision::Drop, Fate::Error { .. }) => matches!(outcome.reason, Reason::Kernel(_)),
        (Decision::Reject(Answer::TcpReset), Fate::Reset) => true,
        (Decision::Reject(Answer::Icmp(said)), Fate::Error { code }) => said == *code,
        (Decision::Reject(Answer::Icmpx(said)), Fate::Error { code }) => {
            // `NFT_REJECT_ICMPX_*`: no route, port unreachable, host unreachable, prohibited (nft_reject.c).
            let codes = match outcome.packet.is_v6() {
                true => [0, 4, 3, 1],
                false => [0, 3, 1, 13],
            };
            codes.get(usize::from(said)) == Some(code)
        }
        (Decision::Accept | Decision::Drop | Decision::Reject(_) | Decision::Unknown, _) => false,
    }
}

fn is_as_said(outcome: &Outcome, fate: &Fate) -> bool {
    let Fate::Passed {
        oif,
        source,
        destination,
        ports,
    } = fate
    else {
        return false;
    };
    let mut ways = outcome.path.iter().rev();
    let is_local = ways.find_map(|step| match step {
        Step::Local => Some(true),
        Step::Forward => Some(false),
        _ => None,
    });
    let by = outcome
        .packet
        .oif
        .as_deref()
        .filter(|_| is_local != Some(true));
    let ends = [
        (false, *source, ports.map(|(sport, _)| sport)),
        (true, *destination, ports.map(|(_, dport)| dport)),
    ];
    by == oif.as_deref()
        && ends
            .into_iter()
            .all(|(of_destination, address, port)| is_end(outcome, of_destination, address, port))
}

/// Whether an end of the packet may be this: what it was translated to last, or what it was.
fn is_end(outcome: &Outcome, of_destination: bool, address: IpAddr, port: Option<u16>) -> bool {
    let mut last = outcome.translations.iter().rev();
    let said = outcome.packet.upper.ports();
    match last.find(|it| it.destination == of_destination) {
        Some(it) => {
            let is_address = it
                .address
                .is_none_or(|(lo, hi)| lo <= address && address <= hi);
            let is_port = match (it.port, port) {
                (Some((lo, hi)), Some(port)) => lo <= port && port <= hi,
                _ => true,
            };
            is_address && is_port
        }
        None => {
            let (was, said) = match of_destination {
                true => (outcome.packet.destination, said.map(|(_, dport)| dport)),
                false => (outcome.packet.source, said.map(|(sport, _)| sport)),
            };
            was == address && said.is_none_or(|said| port == Some(said))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Fate, Handles, Sight, agrees};
    use crate::evaluate::{ChainRef, Decision, Met, Outcome, Packet, Reason, RuleRef, Step, Upper};
    use std::collections::BTreeSet;

    fn at(rule: u32) -> RuleRef {
        let chain = ChainRef { table: 0, chain: 1 };
        RuleRef { chain, rule }
    }

    /// A packet that meets four rules, fits all but the first, and is dropped by the last.
    fn outcome() -> Outcome {
        let one = "192.0.2.1".parse().unwrap();
        Outcome {
            decision: Decision::Drop,
            reason: Reason::Rule(at(3)),
            callers: Vec::new(),
            packet: Packet::new(one, one, Upper::udp(1, 2)),
            translations: Vec::new(),
            path: vec![
                Step::Rule(at(0), Met::Failed(0)),
                Step::Rule(at(1), Met::Passed),
                Step::Local,
                Step::Rule(at(2), Met::Passed),
                Step::Rule(at(3), Met::Drop),
            ],
            choices: Vec::new(),
            share: 1.0,
        }
    }

    #[track_caller]
    fn check(fate: Fate, rules: Option<&[u64]>, filtered: bool, expect: bool) {
        let handles = Handles {
            rules: vec![vec![1], vec![10, 11, 12, 13]],
            at_times: BTreeSet::from([12]),
        };
        let sight = Sight {
            came: true,
            state: None,
            fate,
            rules: rules.map(<[u64]>::to_vec),
        };
        assert_eq!(agrees(&outcome(), &sight, &handles, filtered), expect);
    }

    #[test]
    fn the_same_by_other_rules_is_not_the_same() {
        check(Fate::Gone, Some(&[11, 12, 13]), false, true);
        // A rule that only logs at times may be left out.
        check(Fate::Gone, Some(&[11, 13]), false, true);
        check(Fate::Gone, Some(&[11]), false, false);
        check(Fate::Gone, Some(&[10, 11, 13]), false, false);
        check(Fate::Gone, Some(&[13, 11]), false, false);
        check(Fate::Gone, Some(&[]), false, false);
        // What was not told is not compared.
        check(Fate::Gone, None, false, true);
        check(Fate::Reset, Some(&[11, 13]), false, false);
    }

    #[test]
    fn a_false_source_gets_as_far_as_routing() {
        check(Fate::Gone, Some(&[11]), true, true);
        check(Fate::Gone, Some(&[11, 13]), true, false);
        check(Fate::Reset, Some(&[11]), true, false);
    }
}
