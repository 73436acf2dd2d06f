//! A round sent through the kernel: its connections made, its rules loaded, its packets sent, and what was seen of each.
//!
//! Not here: what should have been seen, which is `trial`'s to compare.

use std::collections::BTreeMap;

use super::error::follow;
use super::fate::{Sight, rules, sights};
use super::frame::{self, Details};
use super::loaded::Loaded;
use super::opening::opening;
use super::round::{Entry, Round};
use super::{LAST_ID, Testbed, TestbedError, clock};
use crate::bytecode::Program;
use crate::evaluate::{Packet, State};
use crate::netlink::{Sighting, TraceStep};

/// Rules are not used for longer before they are moved again, in nanoseconds.
const MOST_LATE: u64 = 300_000_000;
/// After so many packets the kernel's reports are taken in.
const BETWEEN: usize = 8;

/// A packet as it was sent, and what was seen of it.
pub(super) type Answered = (Vec<u8>, Sight);

/// Sends packets; what was seen of each. `None` where the rules cannot be moved to their time.
pub(super) fn volley(
    testbed: &mut Testbed,
    program: &Program,
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
    testbed.arrange(&round.environment)?;
    testbed.forget_connections()?;
    if opens {
        open(testbed, round)?;
    }
    let is_fresh = fresh || opens;
    if !load(testbed, program, round.time, is_fresh)? {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    let mut sightings = testbed.sightings()?;
    sightings.clear();
    testbed.steps()?;
    let mut steps = Some(Vec::new());
    for (number, entry) in round.entries.iter().enumerate() {
        let Entry {
            packet, details, ..
        } = entry;
        let made = frame::bytes(packet, *details).unwrap_or_default();
        put(testbed, packet, &made)?;
        bytes.push(made);
        if number % BETWEEN == 0 {
            sightings.extend(testbed.sightings()?);
            steps = joined(steps, testbed.steps()?);
        }
    }
    sightings.extend(testbed.settled()?);
    steps = joined(steps, testbed.steps()?);
    let sent = round.entries.iter().map(|entry| {
        let packet = &entry.packet;
        (entry.details.id, (packet.source, packet.destination))
    });
    let rules = steps.map(|steps| rules(&steps, &sent.collect()));
    Ok(Some(seen(testbed, bytes, &sightings, rules)))
}

/// Sees to it that the rules are loaded as they are at a time; `fresh`: and that nothing has happened to them. `false` where
/// they cannot be moved.
fn load(
    testbed: &mut Testbed,
    program: &Program,
    time: u64,
    fresh: bool,
) -> Result<bool, TestbedError> {
    let (asks, now) = (clock::asks(program), clock::now());
    let time = if asks { time } else { 0 };
    let is_there = |loaded: Loaded| {
        loaded.time == time && (!asks || now.saturating_sub(loaded.at) < MOST_LATE)
    };
    if !fresh && testbed.loaded.is_some_and(is_there) {
        return Ok(true);
    }
    if asks {
        let Some(moved) = clock::moved(program, now, time) else {
            return Ok(false);
        };
        testbed.load(&moved)?;
    } else {
        testbed.load(program)?;
    }
    testbed.loaded = Some(Loaded { time, at: now });
    Ok(true)
}

fn seen(
    testbed: &Testbed,
    bytes: Vec<Vec<u8>>,
    sightings: &[Sighting],
    mut rules: Option<BTreeMap<u16, Vec<u64>>>,
) -> Vec<Answered> {
    let layout = &testbed.layout;
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
fn put(testbed: &Testbed, packet: &Packet, bytes: &[u8]) -> Result<(), TestbedError> {
    let iif = packet.iif.as_deref();
    match testbed.send(iif, bytes, packet.destination) {
        Err(error) if iif.is_some() => Err(follow("sending")(error)),
        _ => Ok(()),
    }
}

/// Makes the connections of which packets are a part, while there are no rules.
fn open(testbed: &mut Testbed, round: &Round) -> Result<(), TestbedError> {
    testbed.unload()?;
    testbed.keep_still(true)?;
    for entry in &round.entries {
        for packet in opening(&entry.packet).unwrap_or_default() {
            // An error is about a packet without a number.
            let details = match entry.packet.connection.state {
                State::Related => Details::default(),
                _ => entry.details,
            };
            let made = frame::bytes(&packet, details).unwrap_or_default();
            put(testbed, &packet, &made)?;
        }
        testbed.sightings()?;
    }
    testbed.settled()?;
    testbed.keep_still(false)
}

/// Both, where all was told.
fn joined(left: Option<Vec<TraceStep>>, right: Option<Vec<TraceStep>>) -> Option<Vec<TraceStep>> {
    let (mut left, right) = left.zip(right)?;
    left.extend(right);
    Some(left)
}
