//! Backend of the tests and traces: runs bytecode on one packet as the kernel would.
//!
//! It runs what is sent to the kernel, and what a dump of it returns, so it can also tell what the tables of others do to
//! a packet. What it cannot follow makes the answer unknown, never a guess. Nothing here reads a clock or the system:
//! the packet, its connection, the time, the box's interfaces, addresses and routes, and whether limits hold are all
//! arguments. What is not given is tried in every way.
//!
//! Not modelled: tables of the families arp, bridge and netdev ([`Firewall::unmodelled`]), fragments, IP options and IPv6
//! extension headers, rerouting by marks, and what a later packet of a connection that was translated looks like.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `packet`, `environment`, `source`, `choice` | what is given |
//! | `firewall`, `table`, `view` | all tables by their hooks; one of them; chains and rules as they are named and known |
//! | `operation`, `lookup`, `resolve` | rules and sets, and how their names are resolved |
//! | `machine`, `step`, `effect`, `extension`, `register`, `header`, `load`, `hash` | one base chain on one packet |
//! | `translate` | address translation |
//! | `walk` | from hook to hook |
//! | `outcome` | what became of it |

mod choice;
mod effect;
mod environment;
mod extension;
mod firewall;
mod hash;
mod header;
mod load;
mod lookup;
mod machine;
mod operation;
mod outcome;
mod packet;
mod register;
mod resolve;
mod source;
mod step;
mod table;
mod translate;
mod view;
mod walk;

pub use choice::{Choice, Choices, Taken, Within};
pub use environment::{AddressType, Environment, Interface, Route};
pub use firewall::{Firewall, Origins};
pub use hash::drawn;
pub use outcome::{
    Answer, Decision, Evaluation, Kernel, Met, Named, Opaque, Outcome, Reason, Step, Translation,
};
pub use packet::{Connection, Packet, State, Upper};
pub use view::{ChainRef, ChainView, ElementRef, ElementView, RuleRef, RuleView};

use choice::Script;
use machine::Run;

/// More runs than this are not made of one packet.
const MOST_RUNS: usize = 4096;

/// What becomes of a packet.
///
/// One run for every way that the choices can go; outcomes that differ in their paths alone are one.
pub fn evaluate(
    firewall: &Firewall,
    packet: &Packet,
    environment: &Environment,
    choices: &Choices,
) -> Evaluation {
    let mut outcomes: Vec<Outcome> = Vec::new();
    let mut script = Script::default();
    for _ in 0..MOST_RUNS {
        let (outcome, used) = run(firewall, packet, environment, choices, script);
        script = used;
        let known = outcomes
            .iter_mut()
            .find(|known| is_same(known, &outcome, firewall.any_order));
        match known {
            Some(known) => known.share += outcome.share,
            None => outcomes.push(outcome),
        }
        if !script.advance() {
            return Evaluation { outcomes };
        }
    }
    outcomes.push(Outcome {
        decision: Decision::Unknown,
        reason: Reason::TooManyWays,
        callers: Vec::new(),
        packet: packet.clone(),
        translations: Vec::new(),
        path: Vec::new(),
        choices: Vec::new(),
        share: 0.0,
    });
    Evaluation { outcomes }
}

fn run(
    firewall: &Firewall,
    packet: &Packet,
    environment: &Environment,
    choices: &Choices,
    script: Script,
) -> (Outcome, Script) {
    let mut run = Run::new(firewall, environment, choices, packet, script);
    let (decision, reason) = run.walk();
    let share = run.taken.iter().map(|choice| match choice.taken {
        Taken::Number { number: _, of } | Taken::Address { number: _, of } => 1.0 / f64::from(of),
        Taken::Chance { number, of } => f64::from(number) / f64::from(of),
        Taken::Rate { .. } | Taken::Connections { .. } => 1.0,
    });
    let share = share.product::<f64>() / run.orders;
    let Run {
        packet,
        translations,
        path,
        taken,
        callers,
        script,
        ..
    } = run;
    let outcome = Outcome {
        decision,
        reason,
        callers,
        packet,
        translations,
        path,
        choices: taken,
        share,
    };
    (outcome, script)
}

/// Whether two outcomes differ in their paths alone, or in their reasons if those do not count.
fn is_same(left: &Outcome, right: &Outcome, whatever_reason: bool) -> bool {
    left.decision == right.decision
        && (whatever_reason || left.reason == right.reason)
        && left.packet == right.packet
        && left.translations == right.translations
}

#[cfg(test)]
mod tests;
