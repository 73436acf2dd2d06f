//! Claims held against what becomes of packets.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::Failed;
use super::enumerate::Kinds;
use super::judge::{Ends, complaint, failed, passed_to, port_state};
use crate::compile::claim::{Counts, Expect, Port, Traffic, tcp};
use crate::evaluate::{Choices, Decision, Environment, Outcome, Packet, Taken, evaluate};
use crate::ruleset::{Addresses, Intervals};

type Held = Result<(), Box<Failed>>;

/// What becomes of packets.
pub(super) fn packets(kinds: &mut Kinds<'_, '_>, traffic: &Traffic, expect: &Expect) -> Held {
    let prover = kinds.prover();
    let firewall = prover.firewall();
    let choices = Choices::default();
    kinds.each(traffic, &mut |packet, environment| {
        let evaluation = evaluate(firewall, packet, environment, &choices);
        let ends = Ends {
            prover,
            packet,
            environment,
        };
        for outcome in &evaluation.outcomes {
            if let Some(message) = complaint(&ends, outcome, expect) {
                return Err(failed(message, packet, outcome));
            }
        }
        match &expect.counts {
            Some(counts) => shared(&ends, &evaluation.outcomes, counts),
            None => Ok(()),
        }
    })
}

/// Whether connections that are made one after the other are shared out like this, wherever the counter stands.
fn shared(ends: &Ends<'_, '_>, outcomes: &[Outcome], counts: &Counts) -> Held {
    let Counts {
        connections,
        shares,
    } = counts;
    let numbers = outcomes
        .iter()
        .flat_map(|outcome| &outcome.choices)
        .filter_map(|choice| match choice.taken {
            Taken::Number { number: _, of } => Some(of),
            Taken::Rate { .. }
            | Taken::Connections { .. }
            | Taken::Chance { .. }
            | Taken::Address { .. } => None,
        });
    // Where several count, what they count to together comes round.
    let period = numbers.fold(1u32, least_common_multiple);
    let mut goes_to = Vec::new();
    let mut last = None;
    for counter in 0..period {
        let choices = Choices {
            counter: Some(counter),
            ..Choices::default()
        };
        let Ends {
            prover,
            packet,
            environment,
        } = *ends;
        let evaluation = evaluate(prover.firewall(), packet, environment, &choices);
        let [only] = evaluation.outcomes.as_slice() else {
            let message = "where each connection goes is a matter of chance";
            let first = evaluation.outcomes.first().or(outcomes.first());
            return Err(match first {
                Some(first) => failed(message.to_owned(), packet, first),
                None => Failed::of(message.to_owned()),
            });
        };
        goes_to.push(passed_to(only));
        last = Some(only.clone());
    }
    for start in 0..period {
        let mut tally: BTreeMap<IpAddr, u32> = BTreeMap::new();
        // Whole rounds, and then the rest of one.
        for (place, address) in goes_to.iter().enumerate() {
            let place = u32::try_from(place).unwrap_or(u32::MAX);
            let behind = (place + period - start) % period;
            let times = connections / period + u32::from(behind < connections % period);
            if times > 0 {
                *tally.entry(*address).or_default() += times;
            }
        }
        if let Some((wanted, found)) = other_shares(shares, &tally) {
            let message =
                format!("{connections} connections should go to {wanted}, but go to {found}");
            return Err(match &last {
                Some(outcome) => failed(message, ends.packet, outcome),
                None => Failed::of(message),
            });
        }
    }
    Ok(())
}

fn least_common_multiple(a: u32, b: u32) -> u32 {
    let (mut x, mut y) = (a, b);
    while y != 0 {
        (x, y) = (y, x % y);
    }
    a.checked_div(x).map_or(1, |a| a.saturating_mul(b))
}

/// What a scan finds.
pub(super) fn scan(
    kinds: &mut Kinds<'_, '_>,
    traffic: &Traffic,
    ports: &BTreeMap<Port, Intervals<u16>>,
) -> Held {
    let prover = kinds.prover();
    let firewall = prover.firewall();
    let choices = Choices::default();
    for (wanted, ports) in ports {
        let traffic = scanned(traffic, ports);
        let mut judge = |packet: &Packet, environment: &Environment| {
            let evaluation = evaluate(firewall, packet, environment, &choices);
            for outcome in &evaluation.outcomes {
                if outcome.decision == Decision::Unknown {
                    let ends = Ends {
                        prover,
                        packet,
                        environment,
                    };
                    return Err(failed(
                        super::judge::unknown(&ends, outcome),
                        packet,
                        outcome,
                    ));
                }
                if let Some(message) = wrong_state(*wanted, packet, outcome) {
                    return Err(failed(message, packet, outcome));
                }
            }
            Ok(())
        };
        kinds.each(&traffic, &mut judge)?;
    }
    Ok(())
}

/// The packets of a scan of these ports.
pub(super) fn scanned(traffic: &Traffic, ports: &Intervals<u16>) -> Traffic {
    Traffic {
        services: Some(vec![tcp(ports)]),
        ..traffic.clone()
    }
}

/// What a scanned port is instead of what it should be.
pub(super) fn wrong_state(wanted: Port, packet: &Packet, outcome: &Outcome) -> Option<String> {
    let is = port_state(outcome);
    let port = packet.upper.ports().map_or(0, |(_, dport)| dport);
    (is != wanted).then(|| {
        let (wanted, is) = (wanted.name(), is.name());
        format!("port {port} should be {wanted}, but is {is}")
    })
}

/// What a list must never hold: its guard has to see to it.
pub(super) fn set(name: &str, entries: &[(String, Addresses)]) -> Held {
    let open = entries.iter().find(|(_, open)| !open.is_empty());
    match open {
        None => Ok(()),
        Some((text, _)) => Err(Failed::of(format!(
            "a list with addresses of `{text}` would be taken: `never_contains` of the set `{name}` does not have them all"
        ))),
    }
}

/// What should go where, and what does, when that is not the same. Where nothing should go, nothing may.
pub fn other_shares(
    shares: &BTreeMap<IpAddr, u32>,
    tally: &BTreeMap<IpAddr, u32>,
) -> Option<(String, String)> {
    let wanted: BTreeMap<IpAddr, u32> = shares
        .iter()
        .filter(|(_, count)| **count > 0)
        .map(|(address, count)| (*address, *count))
        .collect();
    let shown = |all: &BTreeMap<IpAddr, u32>| {
        let all = all
            .iter()
            .map(|(address, count)| format!("{address}: {count}"));
        all.collect::<Vec<_>>().join(", ")
    };
    (*tally != wanted).then(|| (shown(&wanted), shown(tally)))
}
