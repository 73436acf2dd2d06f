//! A set of slots of the week as spans of time: when the time, the day and the hour of one moment are in it.
//!
//! The three are one thing for a packet, so that they are not varied one by one.

use std::ops::Range;
use std::rc::Rc;

use super::compare::number;
use super::distinguish::{Atom, Shape};
use super::rule::{Content, Part, RuleWalk};
use crate::bytecode::Register;
use crate::ruleset::{DataType, Set};

/// The key of such a set.
const KEY: [DataType; 3] = [DataType::Time, DataType::Day, DataType::Hour];
/// Where the fields are in a key, and in which register, counted from the first.
const TIME: (Range<usize>, u8) = (0..8, 0);
const DAY: (Range<usize>, u8) = (8..9, 2);
const HOUR: (Range<usize>, u8) = (12..16, 3);

const SECOND: u128 = 1_000_000_000;
/// Seconds of a day.
const LONG: u128 = 86_400;

impl RuleWalk<'_, '_> {
    /// Asks when a set of slots is open. `false`: it is not one that is asked for the clock.
    pub(super) fn slots(&mut self, set: &Set, from: Register) -> Option<bool> {
        let content = |slot: u8| self.registers.get(&(from.0.saturating_add(slot)));
        let time = match content(TIME.1) {
            Some(Content::Part(part)) if is_time(part) => part.clone(),
            _ => return Some(false),
        };
        let asks_the_clock = [DAY.1, HOUR.1].map(|slot| content(slot) == Some(&Content::Clock));
        if set.spec.key != KEY || asks_the_clock != [true, true] {
            return Some(false);
        }
        let mut spans = Vec::new();
        for element in set.elements.iter() {
            let (lo, hi) = (&element.key.lo, element.key.last());
            let bounds = |place: Range<usize>| {
                let (lo, hi) = (lo.get(place.clone())?, hi.get(place)?);
                Some((number(lo), number(hi)))
            };
            open(bounds(TIME.0)?, bounds(DAY.0)?, bounds(HOUR.0)?, &mut spans);
        }
        spans.sort_unstable();
        self.add(&time, &Shape::Spans(Rc::new(spans)));
        Some(true)
    }
}

fn is_time(part: &Part) -> bool {
    part.atoms == [(Atom::Time, None, 8)] && part.from == 0 && part.mask.is_none()
}

/// When a slot is open, in nanoseconds since 1970; bounds inclusive everywhere.
fn open(
    time: (u128, u128),
    days: (u128, u128),
    hours: (u128, u128),
    spans: &mut Vec<(u128, u128)>,
) {
    let day_of = |moment: u128| moment / SECOND / LONG;
    for day in day_of(time.0)..=day_of(time.1) {
        // 1970-01-01 was a Thursday.
        let weekday = (day + 4) % 7;
        if weekday < days.0 || days.1 < weekday {
            continue;
        }
        let lo = (day * LONG + hours.0) * SECOND;
        let hi = (day * LONG + hours.1 + 1) * SECOND - 1;
        let (lo, hi) = (lo.max(time.0), hi.min(time.1));
        if hi < lo {
            continue;
        }
        match spans.last_mut() {
            Some(last) if last.1 + 1 == lo => last.1 = hi,
            _ => spans.push((lo, hi)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{LONG, SECOND, open};

    /// Days and hours of the first two weeks, as `day hour-hour`; the first of them is a Thursday.
    #[track_caller]
    fn check(time: (u128, u128), days: (u128, u128), hours: (u128, u128), expect: &[&str]) {
        let hour = 3_600;
        let mut spans = Vec::new();
        let time = (time.0 * hour * SECOND, time.1 * hour * SECOND);
        open(time, days, (hours.0 * hour, hours.1 * hour - 1), &mut spans);
        let text = |(lo, hi): &(u128, u128)| {
            let (lo, hi) = (lo / SECOND / hour, (hi + 1) / SECOND / hour);
            format!("{} {}-{}", lo / 24, lo % 24, hi - lo / 24 * (LONG / hour))
        };
        assert_eq!(spans.iter().map(text).collect::<Vec<_>>(), expect);
    }

    #[test]
    fn a_slot_is_open_in_spans() {
        let fortnight = (0, 14 * 24);
        check(fortnight, (6, 6), (8, 10), &["2 8-10", "9 8-10"]);
        check((24, 96), (4, 5), (8, 10), &["1 8-10"]);
        check((2 * 24 + 9, 300), (6, 6), (8, 10), &["2 9-10", "9 8-10"]);
        check((0, 9 * 24 + 9), (6, 6), (8, 10), &["2 8-10", "9 8-9"]);
        check((30, 80), (0, 6), (0, 24), &["1 6-56"]);
    }
}
