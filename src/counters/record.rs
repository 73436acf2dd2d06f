//! What is remembered over reloads and reboots: when each rule was first there, and when it was last seen to count.
//!
//! ```text
//! rfw seen 1
//! table MARK                                    of the table that was read last; `-` for none
//! read TIME                                     when
//! blind FROM TO                                 counters began anew, and nobody had read them in between
//! KNOWN SEEN GONE PACKETS BYTES NAME            one a rule; `-` for never
//! ```
//!
//! Times are Unix seconds. A text that is damaged in any way is none.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter, Write};

use super::Counts;
use crate::ruleset::Count;

const HEAD: &str = "rfw seen 1";
/// Stands for what there is not.
const NOTHING: &str = "-";
/// About how long a line is, in bytes.
const LINE: usize = 48;
/// How long a rule is remembered that is no longer there: it may come back, as after a reboot without an apply.
const GONE: i64 = 90 * 86_400;
/// How soon is soon, in seconds.
const FRESH: i64 = 300;
/// How long periods are remembered of which nothing is known.
const BLIND: i64 = 400 * 86_400;
/// How many of them.
const MOST_BLIND: usize = 100;

/// All that is remembered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// The mark of the table that was read last.
    table: Option<String>,
    /// When.
    read: i64,
    /// Periods at whose end the counters had begun anew, in order.
    blind: Vec<Blind>,
    /// The rules by stable name.
    rules: BTreeMap<String, Rule>,
}

/// A time in which rules may have counted without anybody knowing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blind {
    /// The last reading before.
    pub from: i64,
    /// The first reading after.
    pub to: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rule {
    known: i64,
    seen: Option<i64>,
    gone: Option<i64>,
    count: Count,
}

/// What is known of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The first reading that it was there at.
    pub known: i64,
    /// The last reading that found it counted since the one before.
    pub seen: Option<i64>,
}

impl Record {
    /// Takes note of a reading. `table` is the mark of the table, if there is one.
    pub fn update(&mut self, table: Option<&str>, counts: Counts, now: i64) {
        let went_back = |name: &String, count: &Count| {
            let before = self.rules.get(name);
            before.is_some_and(|rule| rule.gone.is_none() && count.packets < rule.count.packets)
        };
        let is_anew = self.table.as_deref() != table
            || counts.iter().any(|(name, count)| went_back(name, count));
        if is_anew && self.table.is_some() && self.read < now {
            let from = self.read;
            self.blind.push(Blind { from, to: now });
        }
        self.blind.retain(|blind| now - BLIND < blind.to);
        let surplus = self.blind.len().saturating_sub(MOST_BLIND);
        self.blind.drain(..surplus);
        for (name, rule) in &mut self.rules {
            if !counts.contains_key(name) {
                rule.gone.get_or_insert(now);
                rule.count = Count::default();
            }
        }
        for (name, count) in counts {
            let rule = self.rules.entry(name).or_insert(Rule {
                known: now,
                seen: None,
                gone: None,
                count: Count::default(),
            });
            let before = if is_anew && count.packets < rule.count.packets {
                0
            } else if self.table.as_deref() == table {
                rule.count.packets
            } else {
                0
            };
            if before < count.packets {
                rule.seen = Some(now);
            }
            rule.count = count;
            rule.gone = None;
        }
        self.rules
            .retain(|_, rule| rule.gone.is_none_or(|gone| now - GONE < gone));
        self.table = table.map(str::to_owned);
        self.read = now;
    }

    /// Whether a reading so soon after the last one, of the same rules of the same table, may be passed over: what has counted
    /// since is seen at the next one.
    pub fn is_fresh(&self, table: Option<&str>, counts: &Counts, now: i64) -> bool {
        let names = self.rules().map(|(name, _)| name);
        self.table.as_deref() == table
            && (self.read..self.read.saturating_add(FRESH)).contains(&now)
            && names.eq(counts.keys().map(String::as_str))
    }

    /// What is known of a rule that is there.
    pub fn of(&self, name: &str) -> Option<Seen> {
        let rule = self.rules.get(name).filter(|rule| rule.gone.is_none())?;
        Some(Seen {
            known: rule.known,
            seen: rule.seen,
        })
    }

    /// The rules that are there, by name.
    pub fn rules(&self) -> impl Iterator<Item = (&str, Seen)> {
        let names = self.rules.keys();
        names.filter_map(|name| Some((name.as_str(), self.of(name)?)))
    }

    /// The periods of which nothing is known that end after a moment, in order.
    pub fn blind_after(&self, moment: i64) -> impl Iterator<Item = Blind> {
        let blind = self.blind.iter().copied();
        blind.filter(move |blind| moment < blind.to)
    }

    /// As it is kept.
    pub fn to_text(&self) -> String {
        let Self {
            table,
            read,
            blind,
            rules,
        } = self;
        let table = table.as_deref().unwrap_or(NOTHING);
        let mut text = format!("{HEAD}\ntable {table}\nread {read}\n");
        // What a rule that has not counted much takes, so that it rarely grows.
        text.reserve(rules.len() * LINE);
        // Writing to a string cannot fail.
        for Blind { from, to } in blind {
            let _ = writeln!(text, "blind {from} {to}");
        }
        for (name, rule) in rules {
            let Rule {
                known,
                seen,
                gone,
                count: Count { packets, bytes },
            } = rule;
            let (seen, gone) = (Time(*seen), Time(*gone));
            let _ = writeln!(text, "{known} {seen} {gone} {packets} {bytes} {name}");
        }
        text
    }

    /// From how it is kept; `None` when it is damaged.
    pub fn from_text(text: &str) -> Option<Self> {
        let mut record = Self::default();
        let whole = text.strip_suffix('\n')?;
        let mut lines = whole.split('\n');
        if lines.next()? != HEAD {
            return None;
        }
        record.table = option(lines.next()?.strip_prefix("table ")?)?;
        record.read = lines.next()?.strip_prefix("read ")?.parse().ok()?;
        for line in lines {
            if let Some(period) = line.strip_prefix("blind ") {
                let (from, to) = period.split_once(' ')?;
                let (from, to) = (from.parse().ok()?, to.parse().ok()?);
                record.blind.push(Blind { from, to });
                continue;
            }
            let mut words = line.splitn(6, ' ');
            let rule = Rule {
                known: words.next()?.parse().ok()?,
                seen: option(words.next()?)?,
                gone: option(words.next()?)?,
                count: Count {
                    packets: words.next()?.parse().ok()?,
                    bytes: words.next()?.parse().ok()?,
                },
            };
            record.rules.insert(words.next()?.to_owned(), rule);
        }
        Some(record)
    }
}

/// A time that there may not be.
struct Time(Option<i64>);

impl Display for Time {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(time) => write!(f, "{time}"),
            None => f.write_str(NOTHING),
        }
    }
}

fn option<T: std::str::FromStr>(word: &str) -> Option<Option<T>> {
    match word {
        NOTHING => Some(None),
        word => word.parse().ok().map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::{Blind, Count, Counts, Record, Seen};

    const DAY: i64 = 86_400;

    fn counts(counts: &[(&str, u64)]) -> Counts {
        let counts = counts.iter().map(|(name, packets)| {
            let count = Count {
                packets: *packets,
                bytes: 60 * packets,
            };
            ((*name).to_owned(), count)
        });
        counts.collect()
    }

    fn seen(known: i64, seen: Option<i64>) -> Option<Seen> {
        Some(Seen { known, seen })
    }

    #[test]
    fn who_counts_is_seen() {
        let mut record = Record::default();
        record.update(Some("m"), counts(&[("a", 0), ("b", 3)]), 100);
        assert_eq!(record.of("a"), seen(100, None));
        assert_eq!(record.of("b"), seen(100, Some(100)));
        record.update(Some("m"), counts(&[("a", 1), ("b", 3), ("c", 0)]), 200);
        assert_eq!(record.of("a"), seen(100, Some(200)));
        assert_eq!(record.of("b"), seen(100, Some(100)));
        assert_eq!(record.of("c"), seen(200, None));
        assert_eq!(record.blind_after(0).count(), 0);
    }

    #[test]
    fn a_new_table_counts_from_nothing() {
        let mut record = Record::default();
        record.update(Some("m"), counts(&[("a", 9), ("b", 9), ("c", 9)]), 100);
        // A reboot: no table yet, then a new one. `a` has counted in it, more than before even.
        record.update(None, counts(&[]), 150);
        assert_eq!(record.of("a"), None);
        record.update(Some("n"), counts(&[("a", 12), ("b", 0), ("c", 2)]), 200);
        assert_eq!(record.of("a"), seen(100, Some(200)));
        assert_eq!(record.of("b"), seen(100, Some(100)));
        assert_eq!(record.of("c"), seen(100, Some(200)));
        let blind: Vec<Blind> = record.blind_after(0).collect();
        assert_eq!(blind, [Blind { from: 100, to: 150 }]);
        // The same table, whose counters somebody has reset.
        record.update(Some("n"), counts(&[("a", 5), ("b", 0), ("c", 2)]), 300);
        assert_eq!(record.of("a"), seen(100, Some(300)));
        assert_eq!(record.of("c"), seen(100, Some(200)));
        assert_eq!(record.blind_after(200).count(), 1);
    }

    #[test]
    fn what_is_gone_for_long_is_forgotten() {
        let mut record = Record::default();
        record.update(Some("m"), counts(&[("a", 1), ("b", 1)]), 0);
        record.update(Some("m"), counts(&[("b", 1)]), DAY);
        assert_eq!(record.of("a"), None);
        record.update(Some("m"), counts(&[("a", 0), ("b", 1)]), 2 * DAY);
        assert_eq!(record.of("a"), seen(0, Some(0)));
        record.update(Some("m"), counts(&[("b", 1)]), 3 * DAY);
        record.update(Some("m"), counts(&[("b", 1)]), 95 * DAY);
        record.update(Some("m"), counts(&[("a", 0), ("b", 1)]), 96 * DAY);
        assert_eq!(record.of("a"), seen(96 * DAY, None));
        assert_eq!(record.of("b"), seen(0, Some(0)));
    }

    #[test]
    fn who_reads_often_need_not_write_as_often() {
        let mut record = Record::default();
        let two = counts(&[("a", 0), ("b", 3)]);
        assert!(!record.is_fresh(Some("m"), &two, 100));
        record.update(Some("m"), two.clone(), 100);
        assert!(record.is_fresh(Some("m"), &counts(&[("a", 9), ("b", 9)]), 399));
        assert!(!record.is_fresh(Some("m"), &two, 400));
        assert!(!record.is_fresh(Some("m"), &two, 99));
        assert!(!record.is_fresh(Some("n"), &two, 101));
        assert!(!record.is_fresh(Some("m"), &counts(&[("a", 0)]), 101));
        assert!(!record.is_fresh(None, &two, 101));
        // What was passed over is not lost.
        record.update(Some("m"), counts(&[("a", 9), ("b", 3)]), 400);
        assert_eq!(record.of("a"), seen(100, Some(400)));
    }

    #[test]
    fn it_is_kept_whole_or_not_at_all() {
        let mut record = Record::default();
        record.update(Some("m"), counts(&[("lan/a b", 1), ("c", 0)]), 100);
        record.update(Some("n"), counts(&[("c", 7)]), 200);
        let text = record.to_text();
        assert_eq!(
            text,
            "rfw seen 1\ntable n\nread 200\nblind 100 200\n\
             100 200 - 7 420 c\n100 100 200 0 0 lan/a b\n"
        );
        assert_eq!(Record::from_text(&text), Some(record));
        for end in 0..text.len() {
            let cut = &text[..end];
            // What is cut at the end of a line is a shorter record: it is written beside and renamed.
            assert!(
                Record::from_text(cut).is_none() || cut.ends_with('\n'),
                "{cut}"
            );
        }
        assert_eq!(Record::from_text(&text.replace("420", "x")), None);
    }
}
