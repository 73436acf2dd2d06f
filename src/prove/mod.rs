//! Whether a claim of a test holds for all packets that it is about, by trying one of every kind.
//!
//! The rules draw boundaries through the packets: addresses, ports and times between which no rule tells meet the same rules, so
//! one packet of each kind stands for all. Which boundaries there are is read from the compiled rules (`distinguish`), the
//! kinds of each field are numbered (`classes`), and every combination of them goes through [`crate::evaluate`]. If there
//! are too many, or a rule compares in a way that is not followed, that is said: nothing is ever tried in samples.
//!
//! What is the same of every packet: hop limit 64 (it comes from beyond the link), no mark, one ordinary segment. Rates are not
//! used up, dynamic and fetched sets are empty, numbers that rules draw are tried in every way.

mod claim;
mod classes;
mod compare;
mod distinguish;
mod enumerate;
mod field;
mod judge;
mod rule;
mod slot;
mod upper;
mod world;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::bytecode::Program;
use crate::compile::claim::{Claim, Test};
use crate::compile::model::Model;
use crate::evaluate::{Environment, Firewall, Outcome, Packet};
use distinguish::{Distinctions, NotFollowed};
use enumerate::Kinds;

pub use claim::other_shares;
pub use judge::deciding;

/// More packets than this are not tried for one test.
pub const MOST_PACKETS: usize = 200_000;

/// The rules that claims are held against.
pub struct Prover<'m> {
    model: &'m Model,
    program: &'m Program,
    firewall: Firewall,
    found: RefCell<BTreeMap<WayKey, Found>>,
    times: RefCell<BTreeMap<WayKey, Rc<Vec<u64>>>>,
}

/// Interfaces of a way.
type WayKey = (Option<String>, Option<String>);
/// What is told apart on a way.
type Found = Result<Rc<Distinctions>, NotFollowed>;

/// What has come out.
#[derive(Clone, Debug)]
pub struct Proof {
    /// How many packets were tried.
    pub packets: usize,
    /// Whether it holds.
    pub result: Result<(), Box<Failed>>,
}

/// Why a claim is not shown to hold.
#[derive(Clone, Debug)]
pub struct Failed {
    /// In one line: what should be, and what is.
    pub message: String,
    /// The packet with which it does not hold, where it is one packet.
    pub packet: Option<Packet>,
    /// What becomes of it.
    pub outcome: Option<Outcome>,
}

impl Failed {
    fn of(message: String) -> Box<Self> {
        Box::new(Self {
            message,
            packet: None,
            outcome: None,
        })
    }
}

impl<'m> Prover<'m> {
    /// Of a policy and what it compiles to.
    pub fn new(model: &'m Model, program: &'m Program) -> Self {
        Self {
            model,
            program,
            firewall: Firewall::new().with_program(program.clone()),
            found: RefCell::default(),
            times: RefCell::default(),
        }
    }

    /// The rules, as outcomes refer to them.
    pub fn firewall(&self) -> &Firewall {
        &self.firewall
    }

    /// The rules, in the order of their chains.
    pub fn program(&self) -> &Program {
        self.program
    }

    /// The box as proofs make it up, without what single packets need.
    pub fn environment(&self) -> Environment {
        world::world(self.model, 0)
    }

    /// Every packet of a test that is to be sent, and its world: one of every kind, of destination ports also those at the bounds of
    /// their kinds.
    ///
    /// # Errors
    /// As for a proof: where there are too many, or rules compare in a way that is not followed.
    pub fn packets(
        &self,
        test: &Test,
        each: &mut dyn FnMut(&Packet, &Environment),
    ) -> Result<(), Box<Failed>> {
        let mut kinds = Kinds::to_be_sent(self);
        let mut each = |packet: &Packet, environment: &Environment| {
            each(packet, environment);
            Ok(())
        };
        match &test.claim {
            Claim::Packets { traffic, expect: _ } => kinds.each(traffic, &mut each),
            Claim::Scan { traffic, ports } => {
                for ports in ports.values() {
                    kinds.each(&claim::scanned(traffic, ports), &mut each)?;
                }
                Ok(())
            }
            Claim::Set { .. } => Ok(()),
        }
    }

    /// What is not as a test expects when this becomes of a packet of it.
    pub fn complaint(
        &self,
        test: &Test,
        packet: &Packet,
        environment: &Environment,
        outcome: &Outcome,
    ) -> Option<String> {
        match &test.claim {
            Claim::Packets { traffic: _, expect } => {
                let ends = judge::Ends {
                    prover: self,
                    packet,
                    environment,
                };
                judge::complaint(&ends, outcome, expect)
            }
            Claim::Scan { traffic: _, ports } => {
                let (_, dport) = packet.upper.ports()?;
                let wanted = ports.iter().find(|(_, ports)| ports.contains(dport));
                let (wanted, _) = wanted?;
                claim::wrong_state(*wanted, packet, outcome)
            }
            Claim::Set { .. } => None,
        }
    }

    /// Holds the claim of a test against the rules.
    pub fn prove(&self, test: &Test) -> Proof {
        let mut kinds = Kinds::new(self);
        let result = match &test.claim {
            Claim::Packets { traffic, expect } => claim::packets(&mut kinds, traffic, expect),
            Claim::Scan { traffic, ports } => claim::scan(&mut kinds, traffic, ports),
            Claim::Set { set, entries } => claim::set(set, entries),
        };
        let packets = kinds.tried();
        let is_about_packets = !matches!(test.claim, Claim::Set { .. });
        let result = match result {
            Ok(()) if is_about_packets && packets == 0 => {
                let message = "there is no such packet, so nothing was tried";
                Err(Failed::of(message.to_owned()))
            }
            result => result,
        };
        Proof { packets, result }
    }
}
