//! The days and hours of a week as spans of time: when the day and the hour of one moment are in a set.
//!
//! They follow the time, so that they are not varied beside it. Where a rule has asked for the time just before, the two are
//! one question.

use std::ops::RangeInclusive;
use std::rc::Rc;

use super::distinguish::{Atom, Predicate, Shape};
use super::rule::{Content, RuleWalk};
use crate::bytecode::Register;
use crate::ruleset::{DataType, Set};
use crate::schedule::{BEGIN, HORIZON};

const SECOND: u128 = 1_000_000_000;
/// Seconds of a day.
const LONG: u128 = 86_400;

impl RuleWalk<'_, '_> {
    /// Asks when a week is open. `false`: it is not one that is asked for the clock.
    pub(super) fn week(&mut self, set: &Set, from: Register) -> Option<bool> {
        let asks_the_clock = |slot: u8| {
            let content = self.registers.get(&from.0.saturating_add(slot));
            content == Some(&Content::Clock)
        };
        if set.spec.key != DataType::SLOT || !asks_the_clock(0) || !asks_the_clock(1) {
            return Some(false);
        }
        let ever = [(moment(BEGIN), moment(HORIZON) - 1)];
        let times = self.within.take();
        let within = times.as_deref().map_or(&ever[..], Vec::as_slice);
        let mut spans = Vec::new();
        for element in set.elements.iter() {
            let (days, hours) = element.key.as_slot()?;
            open(within, &days, &hours, &mut spans);
        }
        spans.sort_unstable();
        if times.is_some() {
            // What was asked then.
            self.found.predicates.pop();
        }
        self.found.predicates.push(Predicate {
            atom: Atom::Time,
            family: None,
            protocol: None,
            shape: Shape::Spans(Rc::new(spans)),
        });
        Some(true)
    }
}

/// A moment in Unix seconds, in nanoseconds.
fn moment(seconds: i64) -> u128 {
    u128::try_from(seconds).unwrap_or(0) * SECOND
}

/// When a slot is open within some times, in nanoseconds since 1970; all bounds are inclusive.
fn open(
    within: &[(u128, u128)],
    days: &RangeInclusive<u8>,
    hours: &RangeInclusive<u32>,
    spans: &mut Vec<(u128, u128)>,
) {
    let [from, to] = [hours.start(), hours.end()].map(|it| u128::from(*it));
    for (first, last) in within {
        for day in first / SECOND / LONG..=last / SECOND / LONG {
            // 1970-01-01 was a Thursday.
            let weekday = u8::try_from((day + 4) % 7).unwrap_or(0);
            let lo = (day * LONG + from) * SECOND;
            let hi = (day * LONG + to + 1) * SECOND - 1;
            let (lo, hi) = (lo.max(*first), hi.min(*last));
            if days.contains(&weekday) && lo <= hi {
                spans.push((lo, hi));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{LONG, SECOND, open};

    /// In ten days without the fifth, of which the first is a Thursday.
    #[track_caller]
    fn check(days: (u8, u8), hours: (u32, u32), expect: &[&str]) {
        let hour = 3_600;
        let within = [(0, 4), (5, 10)].map(|(from, to)| {
            let bound = |days: u128| days * LONG * SECOND;
            (bound(from), bound(to) - 1)
        });
        let mut spans = Vec::new();
        let hours = hours.0 * 3_600..=hours.1 * 3_600 - 1;
        open(&within, &(days.0..=days.1), &hours, &mut spans);
        let text = |(lo, hi): &(u128, u128)| {
            let (lo, hi) = (lo / SECOND / hour, (hi + 1) / SECOND / hour);
            let day = lo / (LONG / hour);
            format!("{day} {}-{}", lo - day * 24, hi - day * 24)
        };
        assert_eq!(spans.iter().map(text).collect::<Vec<_>>(), expect);
    }

    #[test]
    fn a_slot_is_open_in_spans() {
        check((6, 6), (8, 10), &["2 8-10", "9 8-10"]);
        check((4, 5), (0, 24), &["0 0-24", "1 0-24", "7 0-24", "8 0-24"]);
        check((0, 1), (23, 24), &["3 23-24"]);
    }
}
