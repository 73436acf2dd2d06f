//! What the kernel did with a packet, and whether the evaluator says the same.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};
use std::net::IpAddr;

use super::frame::{self, Read};
use crate::evaluate::{Answer, Decision, Outcome, Reason, State, Step};
use crate::netlink::{Seen, Sighting};

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
        let Some((id, read)) = frame::read(packet) else {
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

/// Whether the kernel did what an outcome says.
pub(super) fn agrees(outcome: &Outcome, fate: &Fate) -> bool {
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
