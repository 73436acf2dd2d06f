//! Counters as `rfw counters` prints them; the shapes are published and versioned.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};

use schemars::JsonSchema;
use serde::Serialize;

use super::{Counts, Record, Seen};
use crate::ruleset::Count;
use crate::view::{moment, printable, schema};

/// All counters, those that have counted most first.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Counters {
    /// Of this shape: 1.
    pub version: u32,
    /// When they were read, in UTC (RFC 3339).
    pub read_at: String,
    /// One each name.
    pub counters: Vec<Counter>,
}

/// What is counted under one stable name.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Counter {
    /// The stable name: `POLICY/RULE`, `POLICY/default`, `nat/NAME`.
    pub name: String,
    /// Where the policy says it: `office.yaml:73`; nothing for what is built in, and where the policy cannot be read.
    pub place: Option<String>,
    /// Packets since the rule is in the kernel.
    pub packets: u64,
    /// Bytes since then.
    pub bytes: u64,
    /// Packets a second since the reading before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub packet_rate: Option<f64>,
    /// Bytes a second since the reading before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub byte_rate: Option<f64>,
    /// When it was first there, in UTC.
    pub known_since: Option<String>,
    /// When it was last seen to count, in UTC.
    pub last_seen: Option<String>,
}

/// The rules that have not counted for a while.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Unused {
    /// Of this shape: 1.
    pub version: u32,
    /// When counters were read, in UTC (RFC 3339).
    pub read_at: String,
    /// Since when nothing was counted, in UTC: so long ago as was asked for.
    pub since: String,
    /// Rules that were there all the time and not seen to count.
    pub unused: Vec<Counter>,
    /// Rules that were not seen to count either, but are not known for so long.
    pub too_young: Vec<Counter>,
    /// Times in it of which nothing is known, because counters began anew without being read before.
    pub blind: Vec<Period>,
}

/// From one moment to another, in UTC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Period {
    /// When it begins.
    pub from: String,
    /// When it ends.
    pub to: String,
}

/// Where names stand in the policy.
pub type Places = BTreeMap<String, String>;

impl Counters {
    /// What was read, with the rates since an earlier reading `seconds` ago.
    pub fn new(
        counts: &Counts,
        earlier: Option<(&Counts, f64)>,
        record: &Record,
        places: &Places,
        now: i64,
    ) -> Self {
        let counter = |(name, count): (&String, &Count)| {
            let rate = earlier.map(|(counts, seconds)| {
                let before = counts.get(name).copied().unwrap_or_default();
                (
                    rate(before.packets, count.packets, seconds),
                    rate(before.bytes, count.bytes, seconds),
                )
            });
            let (packet_rate, byte_rate) = rate.unzip();
            Counter {
                packet_rate,
                byte_rate,
                ..Counter::of(name, *count, record, places)
            }
        };
        let mut counters: Vec<Counter> = counts.iter().map(counter).collect();
        counters.sort_by(|left, right| {
            let order = right.packet_rate.partial_cmp(&left.packet_rate);
            let order = order.unwrap_or(std::cmp::Ordering::Equal);
            order
                .then(right.packets.cmp(&left.packets))
                .then(left.name.cmp(&right.name))
        });
        Self {
            version: 1,
            read_at: moment(now),
            counters,
        }
    }

    /// The text of `schema/counters.schema.json`: the shape that `--format json` prints.
    pub fn schema() -> String {
        schema::<Self>("urn:rfw:counters:1", "rfw counters")
    }
}

impl Counter {
    fn of(name: &str, count: Count, record: &Record, places: &Places) -> Self {
        let seen = record.of(name);
        Self {
            name: name.to_owned(),
            place: place(name, places).cloned(),
            packets: count.packets,
            bytes: count.bytes,
            packet_rate: None,
            byte_rate: None,
            known_since: seen.map(|seen| moment(seen.known)),
            last_seen: seen.and_then(|seen| seen.seen).map(moment),
        }
    }
}

impl Unused {
    /// The rules that have not counted for so many seconds: those of the policy, or all where it is not known which they are.
    pub fn new(counts: &Counts, record: &Record, places: &Places, now: i64, seconds: i64) -> Self {
        let since = now.saturating_sub(seconds);
        let (mut unused, mut too_young) = (Vec::new(), Vec::new());
        for (name, count) in counts {
            if !places.is_empty() && place(name, places).is_none() {
                continue;
            }
            let counter = || Counter::of(name, *count, record, places);
            match record.of(name) {
                Some(Seen { known, seen }) if seen.unwrap_or(known) <= since => {
                    unused.push((seen.unwrap_or(known), counter()));
                }
                Some(Seen { seen: None, known }) => too_young.push((known, counter())),
                Some(_) | None => {}
            }
        }
        let sorted = |mut counters: Vec<(i64, Counter)>| {
            counters.sort_by(|(left, one), (right, other)| {
                left.cmp(right).then_with(|| one.name.cmp(&other.name))
            });
            counters.into_iter().map(|(_, counter)| counter).collect()
        };
        let blind = record.blind_after(since).map(|blind| Period {
            from: moment(blind.from),
            to: moment(blind.to),
        });
        Self {
            version: 1,
            read_at: moment(now),
            since: moment(since),
            unused: sorted(unused),
            too_young: sorted(too_young),
            blind: blind.collect(),
        }
    }

    /// The text of `schema/unused.schema.json`: the shape that `--unused … --format json` prints.
    pub fn schema() -> String {
        schema::<Self>("urn:rfw:unused:1", "rfw counters --unused")
    }
}

/// The place of a name, or of what it is a part of: `nat/web/forward` stands where `nat/web` does.
fn place<'p>(name: &str, places: &'p Places) -> Option<&'p String> {
    let mut name = name;
    loop {
        if let Some(place) = places.get(name) {
            return Some(place);
        }
        (name, _) = name.rsplit_once('/')?;
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a rate is shown with a few digits"
)]
fn rate(before: u64, now: u64, seconds: f64) -> f64 {
    // What went back began anew.
    let more = now.checked_sub(before).unwrap_or(now);
    if seconds <= 0.0 {
        return 0.0;
    }
    (more as f64 / seconds * 10.0).round() / 10.0
}

impl Display for Counters {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let has_rates = self
            .counters
            .iter()
            .any(|counter| counter.packet_rate.is_some());
        if has_rates {
            write!(f, "{:>10} {:>12} ", "packets/s", "bytes/s")?;
        }
        writeln!(f, "{:>12} {:>15}  rule", "packets", "bytes")?;
        let names = self
            .counters
            .iter()
            .map(|counter| counter.name.chars().count());
        let width = names.max().unwrap_or(0).min(48);
        for counter in &self.counters {
            if let (Some(packets), Some(bytes)) = (counter.packet_rate, counter.byte_rate) {
                write!(f, "{packets:>10.1} {bytes:>12.0} ")?;
            }
            write!(f, "{:>12} {:>15}  ", counter.packets, counter.bytes)?;
            let name = printable(&counter.name);
            match &counter.place {
                Some(place) => writeln!(f, "{name:width$}  {}", printable(place))?,
                None => writeln!(f, "{name}")?,
            }
        }
        Ok(())
    }
}

impl Display for Unused {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            version: _,
            read_at: _,
            since,
            unused,
            too_young,
            blind,
        } = self;
        let line = |f: &mut Formatter<'_>, counter: &Counter| {
            let place = counter.place.as_deref().unwrap_or_default();
            let when = match (&counter.last_seen, &counter.known_since) {
                (Some(seen), _) => format!("last seen {seen}"),
                (None, Some(known)) => format!("never seen, known since {known}"),
                (None, None) => String::new(),
            };
            writeln!(
                f,
                "  {}  {}  {when}",
                printable(&counter.name),
                printable(place)
            )
        };
        match unused.len() {
            0 => writeln!(
                f,
                "every rule that is known since {since} has counted since then"
            )?,
            number => writeln!(f, "{number} not seen to count since {since}:")?,
        }
        unused.iter().try_for_each(|counter| line(f, counter))?;
        if !too_young.is_empty() {
            writeln!(
                f,
                "{} never seen to count, but not known for so long:",
                too_young.len()
            )?;
        }
        too_young.iter().try_for_each(|counter| line(f, counter))?;
        for Period { from, to } in blind {
            writeln!(
                f,
                "not known: what has counted between {from} and {to}, when counters began anew without being read"
            )?;
        }
        Ok(())
    }
}
