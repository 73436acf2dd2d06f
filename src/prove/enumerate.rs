//! Every kind of packet that a test is about, one of each.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::rc::Rc;

use super::classes::classes;
use super::compare::full;
use super::distinguish::{Atom, Distinctions, Shape, Way, distinctions};
use super::field::{of, shapes};
use super::upper::uppers;
use super::world::{by_way_of, interfaces, with_address, world, worlds};
use super::{Failed, MOST_PACKETS, Prover};
use crate::compile::claim::{State, Traffic};
use crate::compile::model::Side;
use crate::evaluate::{self, Connection, Environment, Packet, drawn};
use crate::ruleset::{Addresses, Family};
use crate::schedule::{BEGIN, HORIZON};

/// What a proof tries.
pub(super) struct Kinds<'p, 'm> {
    prover: &'p Prover<'m>,
    worlds: Vec<Environment>,
    tried: usize,
    /// Whether they are to be sent in the kernel: see [`Kinds::to_be_sent`].
    sent: bool,
}

/// Where a packet begins and ends before any translation.
struct Path<'t> {
    iif: Option<String>,
    oif: Option<String>,
    sources: &'t Addresses,
    destinations: &'t Addresses,
    is_own: bool,
    is_local: bool,
}

/// What is done with each packet; an error ends it all.
pub(super) type Try<'f> = dyn FnMut(&Packet, &Environment) -> Result<(), Box<Failed>> + 'f;

/// Of packets that are to be sent there are more than kinds, because of the bounds, and they are chosen among later.
const MOST_ENUMERATED: usize = 10 * MOST_PACKETS;
const NANOSECONDS: u64 = 1_000_000_000;

impl<'p, 'm> Kinds<'p, 'm> {
    pub(super) fn new(prover: &'p Prover<'m>) -> Self {
        let all = (0..worlds(prover.model)).map(|number| world(prover.model, number));
        Self {
            prover,
            worlds: all.collect(),
            tried: 0,
            sent: false,
        }
    }

    /// The same for packets that are to be sent: destination ports also at the bounds of their kinds, and only worlds in which
    /// sources are where they come from and destinations where they go to, as far as there are such.
    pub(super) fn to_be_sent(prover: &'p Prover<'m>) -> Self {
        let sent = true;
        Self {
            sent,
            ..Self::new(prover)
        }
    }

    /// Whether a packet from this source is tried in a world.
    fn is_in(&self, world: &Environment, source: IpAddr, iif: Option<&str>) -> bool {
        let from_here = |world: &Environment| world.route(source) == iif;
        let here = !self.sent || iif.is_none() || from_here(world);
        here || !self.worlds.iter().any(from_here)
    }

    pub(super) fn prover(&self) -> &'p Prover<'m> {
        self.prover
    }

    /// How many packets were tried so far.
    pub(super) fn tried(&self) -> usize {
        self.tried
    }

    /// Tries one packet of every kind.
    pub(super) fn each(
        &mut self,
        traffic: &Traffic,
        each: &mut Try<'_>,
    ) -> Result<(), Box<Failed>> {
        let model = self.prover.model;
        for from in &traffic.from {
            for to in &traffic.to {
                if from.side == Side::Firewall && to.side == Side::Firewall {
                    continue;
                }
                for iif in interfaces(&from.side, model) {
                    for oif in interfaces(&to.side, model) {
                        let path = Path {
                            iif: iif.clone(),
                            oif,
                            sources: &from.addresses,
                            destinations: &to.addresses,
                            is_own: from.side == Side::Firewall,
                            is_local: to.side == Side::Firewall,
                        };
                        for family in &traffic.families {
                            self.path(&path, *family, traffic, each)?;
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn path(
        &mut self,
        path: &Path<'_>,
        family: Family,
        traffic: &Traffic,
        each: &mut Try<'_>,
    ) -> Result<(), Box<Failed>> {
        let found = self.found(path)?;
        let sources = spans(path.sources, family);
        let destinations = spans(path.destinations, family);
        if sources.is_empty() || destinations.is_empty() {
            return Ok(());
        }
        let sources = self.sources(&found, &sources, family)?;
        let shapes = shapes(&found, Atom::Destination, family, None);
        // Nobody talks to himself: where source and destination would be the same, another of the kind.
        let destinations: Vec<(u128, Option<u128>)> = classes(&shapes, &destinations, 0)
            .iter()
            .map(|class| (class.value, class.other))
            .collect();
        let times = self.times(path, &found, traffic);
        let uppers = uppers(&found, traffic, family, self.sent);
        // Nothing is routed by rules if no destination is rewritten.
        let worlds = match found.redirects || self.sent {
            true => self.worlds.clone(),
            false => self.worlds.iter().take(1).cloned().collect(),
        };
        let mut done = BTreeSet::new();
        let owners = usize::from(path.is_local && found.asks_owner) + 1;
        let sizes = [
            sources.len(),
            destinations.len(),
            times.len(),
            uppers.len(),
            if found.redirects { worlds.len() } else { 1 },
            owners,
        ];
        let most = if self.sent {
            MOST_ENUMERATED
        } else {
            MOST_PACKETS
        };
        let number = sizes
            .iter()
            .try_fold(1usize, |all, one| all.checked_mul(*one));
        let number = number.and_then(|number| number.checked_add(self.tried));
        if number.is_none_or(|number| most < number) {
            return Err(Failed::of(format!(
                "not proven: there are more than {most} kinds of such packets; name a service or an address"
            )));
        }
        for world in &worlds {
            for source in &sources {
                for (destination, other) in &destinations {
                    let destination = match source == destination {
                        false => *destination,
                        true => match other {
                            Some(other) => *other,
                            None => continue,
                        },
                    };
                    let (source, destination) =
                        (address(*source, family), address(destination, family));
                    if !self.is_in(world, source, path.iif.as_deref()) {
                        continue;
                    }
                    // Where no rule asks for routes, one of the worlds is as good as another.
                    if self.sent && !found.redirects && !done.insert((source, destination)) {
                        continue;
                    }
                    for on_iif in [true, false].into_iter().take(owners) {
                        let environment = if path.is_local {
                            let on = path.iif.as_deref().filter(|_| on_iif);
                            with_address(world, destination, on)
                        } else if path.is_own {
                            with_address(world, source, path.oif.as_deref())
                        } else {
                            world.clone()
                        };
                        let environment = match &path.oif {
                            Some(oif) if self.sent => by_way_of(environment, destination, oif),
                            _ => environment,
                        };
                        for upper in &uppers {
                            for time in times.iter() {
                                let mut packet = Packet::new(source, destination, *upper);
                                packet.iif.clone_from(&path.iif);
                                packet.oif.clone_from(&path.oif);
                                packet.time = *time;
                                packet.connection = Connection {
                                    state: state(traffic.state),
                                    ..Connection::default()
                                };
                                self.tried += 1;
                                each(&packet, &environment)?;
                            }
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn found(&self, path: &Path<'_>) -> Result<Rc<Distinctions>, Box<Failed>> {
        let key = (path.iif.clone(), path.oif.clone());
        let mut known = self.prover.found.borrow_mut();
        let found = known.entry(key).or_insert_with(|| {
            let way = Way {
                iif: path.iif.as_deref(),
                oif: path.oif.as_deref(),
            };
            distinctions(self.prover.program, &way).map(Rc::new)
        });
        found.clone().map_err(|not_followed| {
            Failed::of(format!(
                "not proven: the rule {} compares packets in a way that proofs do not follow",
                not_followed.rule
            ))
        })
    }

    /// One source of every kind; where the source draws a number, one for every number.
    fn sources(
        &self,
        found: &Distinctions,
        domain: &[(u128, u128)],
        family: Family,
    ) -> Result<Vec<u128>, Box<Failed>> {
        let shapes = shapes(found, Atom::Source, family, None);
        let all = classes(&shapes, domain, 0);
        let nfproto = family.nfproto();
        let draws: Vec<_> = found
            .draws
            .iter()
            .filter(|draw| draw.family.is_none_or(|family| family == nfproto))
            .collect();
        if draws.is_empty() {
            return Ok(all.into_iter().map(|class| class.value).collect());
        }
        let ways = draws
            .iter()
            .map(|draw| draw.modulus as usize)
            .try_fold(1usize, |all, one| all.checked_mul(one))
            .filter(|ways| *ways <= MOST_PACKETS);
        let Some(ways) = ways else {
            return Err(Failed::of(
                "not proven: sources are shared out in too many ways".to_owned(),
            ));
        };
        let mut sources = Vec::new();
        for class in &all {
            let mut seen = BTreeSet::new();
            let most = ways.saturating_mul(64) + 1024;
            let mut values = class.values(&shapes);
            for value in values.by_ref().take(most) {
                let bytes = octets(value, family);
                let numbers: Vec<u32> = draws
                    .iter()
                    .map(|draw| drawn(&bytes, draw.seed, draw.modulus))
                    .collect();
                if seen.insert(numbers) {
                    sources.push(value);
                }
                if seen.len() == ways {
                    break;
                }
            }
            if seen.len() < ways && values.next().is_some() {
                return Err(Failed::of(
                    "not proven: no source was found for every number that sources are shared out by"
                        .to_owned(),
                ));
            }
        }
        Ok(sources)
    }

    /// Moments in nanoseconds: those that are meant, or one of every kind.
    fn times(&self, path: &Path<'_>, found: &Distinctions, traffic: &Traffic) -> Rc<Vec<u64>> {
        if let Some(times) = &traffic.times {
            let times = times.iter().filter_map(|time| u64::try_from(*time).ok());
            // The nanosecond in which a window closes is still in it; a moment is the second that begins there.
            return Rc::new(
                times
                    .map(|time| time * NANOSECONDS + NANOSECONDS / 2)
                    .collect(),
            );
        }
        let key = (path.iif.clone(), path.oif.clone());
        let mut known = self.prover.times.borrow_mut();
        let times = known.entry(key).or_insert_with(|| {
            let shapes: Vec<&Shape> = of(found, Atom::Time).map(|it| &it.shape).collect();
            let bound =
                |seconds: i64| u128::try_from(seconds).unwrap_or(0) * u128::from(NANOSECONDS);
            let domain = [(bound(BEGIN), bound(HORIZON) - 1)];
            let times = classes(&shapes, &domain, 0).into_iter();
            let times = times.filter_map(|class| u64::try_from(class.value).ok());
            Rc::new(times.collect())
        });
        Rc::clone(times)
    }
}

fn spans(addresses: &Addresses, family: Family) -> Vec<(u128, u128)> {
    match family {
        Family::Ipv4 => {
            let spans = addresses.v4.iter();
            spans
                .map(|span| (u128::from(span.lo), u128::from(span.hi)))
                .collect()
        }
        Family::Ipv6 => addresses.v6.iter().map(|span| (span.lo, span.hi)).collect(),
    }
}

fn address(value: u128, family: Family) -> IpAddr {
    match family {
        Family::Ipv4 => {
            let value = value & full(32);
            Ipv4Addr::from(u32::try_from(value).unwrap_or(u32::MAX)).into()
        }
        Family::Ipv6 => Ipv6Addr::from(value).into(),
    }
}

fn octets(value: u128, family: Family) -> Vec<u8> {
    match address(value, family) {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

fn state(state: State) -> evaluate::State {
    match state {
        State::New => evaluate::State::New,
        State::Established => evaluate::State::Established,
        State::Related => evaluate::State::Related,
        State::Invalid => evaluate::State::Invalid,
    }
}
