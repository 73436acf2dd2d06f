//! The windows of a schedule told in few words: which days of the week, from when to when, between which two moments.
//!
//! While a zone keeps its offset from UTC, a schedule is open at the same times of every week, by the clock of UTC as by
//! the one on the wall: a working week is five days from 06:00 to 15:00 UTC from the end of March to the end of October,
//! and from 07:00 to 16:00 for the rest of the year. What does not fit in, such as a night on which clocks are moved, stands
//! by itself. Not here: how the kernel is asked for it.

use std::ops::RangeInclusive;

use jiff::tz::TimeZone;

use super::windows::{self, Window, Windows};
use super::{DAY, Schedule};

/// Open on some days of the week at some time of the day, between two moments; all of UTC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// The first second, in Unix seconds.
    pub start: i64,
    /// The second after the last. Where `hours` are the whole day, it is this that closes the slot.
    pub end: i64,
    /// The days of the week, bounds inclusive: 0 is Sunday, 6 is Saturday.
    pub days: RangeInclusive<u8>,
    /// Seconds since midnight, bounds inclusive: 0 to 86,399.
    pub hours: RangeInclusive<u32>,
}

/// Every day of the week.
const ANY_DAY: RangeInclusive<u8> = 0..=6;

/// Every time of the day.
const ANY_TIME: RangeInclusive<u32> = 0..=86_399;

impl Slot {
    /// Whether it is open at other times where the kernel has been given a time zone of its own, so many minutes west of
    /// Greenwich (`sys_tz`; negative is east): there the days of the week begin as much later.
    #[must_use]
    pub fn is_moved(&self, minutes_west: i32) -> bool {
        let seconds = minutes_west.unsigned_abs().saturating_mul(60);
        let on_another_day = match minutes_west {
            0 => false,
            // The day before goes on.
            1.. => *self.hours.start() < seconds,
            // The day after has begun.
            ..0 => 86_400_u32.saturating_sub(seconds) <= *self.hours.end(),
        };
        on_another_day && self.days != ANY_DAY
    }

    /// A window that does not come every week.
    fn alone(window: Window) -> Self {
        let Window { start, end } = window;
        let midnight = start - start.rem_euclid(DAY);
        let hours = if end <= midnight + DAY {
            second(start - midnight)..=second(end - midnight - 1)
        } else {
            ANY_TIME
        };
        Self {
            start,
            end,
            days: ANY_DAY,
            hours,
        }
    }
}

/// The windows of a schedule as slots; `None` where these are not fewer, or have hours that nft(8) before 1.1.0 shows as
/// garbage in the time zone of the schedule: those of UTC at which it is the day before there, west of Greenwich
/// (nftables, "meta: fix hour decoding when timezone offset is negative").
pub(super) fn slots(schedule: &Schedule, zone: &TimeZone, windows: &Windows) -> Option<Vec<Slot>> {
    let stretches = windows::stretches(zone);
    let every_week = Schedule {
        dates: Vec::new(),
        except: Vec::new(),
        ..schedule.clone()
    };
    let every_week: Vec<Window> = every_week.windows(zone).iter().collect();
    let mut slots = Vec::new();
    let mut windows_left = windows.iter().peekable();
    while let Some(first) = windows_left.next() {
        let place = every_week.binary_search(&first).ok();
        let stretch = stretches.iter().find(|stretch| stretch.has(first));
        let (Some(place), Some(stretch)) = (place, stretch) else {
            slots.push(Slot::alone(first));
            continue;
        };
        // As many as follow each other as they do every week.
        let mut last = first;
        for next in every_week.iter().skip(place + 1) {
            if !stretch.has(*next) || windows_left.next_if_eq(next).is_none() {
                break;
            }
            last = *next;
        }
        if first == last {
            slots.push(Slot::alone(first));
        } else {
            slots.extend(
                weekly(schedule, stretch.offset)
                    .into_iter()
                    .map(|slot| Slot {
                        start: first.start,
                        end: last.end,
                        ..slot
                    }),
            );
        }
    }
    let west = stretches.iter().map(|stretch| stretch.offset).min()?;
    let is_shown = |slot: &Slot| 0 <= i64::from(*slot.hours.start()) + west;
    (slots.len() < windows.iter().len() && slots.iter().all(is_shown)).then_some(slots)
}

/// What is open every week, while the clock on the wall is so many seconds ahead of UTC.
fn weekly(schedule: &Schedule, offset: i64) -> Vec<Slot> {
    let (from, length) = schedule.opening();
    let from = from - offset;
    let (day, from) = (from.div_euclid(DAY), from.rem_euclid(DAY));
    let end = from + length;
    // It ends on the day it begins on, or on the next one.
    let parts = [(day, from, end.min(DAY)), (day + 1, 0, end - DAY)];
    let mut slots = Vec::new();
    for (later, from, end) in parts.into_iter().filter(|(_, from, end)| from < end) {
        for days in schedule.weekdays(later) {
            slots.push(Slot {
                start: 0,
                end: 0,
                days,
                hours: second(from)..=second(end - 1),
            });
        }
    }
    slots
}

impl Schedule {
    /// The days of the week, so many days later, as runs.
    fn weekdays(&self, later: i64) -> Vec<RangeInclusive<u8>> {
        if self.days.is_empty() {
            return vec![ANY_DAY];
        }
        let is_in = |day: &i8| {
            let before = (i64::from(*day) - later).rem_euclid(7);
            let mut days = self.days.iter();
            days.any(|it| i64::from(it.to_sunday_zero_offset()) == before)
        };
        let mut runs: Vec<RangeInclusive<u8>> = Vec::new();
        for day in (0..7).filter(is_in).map(i8::unsigned_abs) {
            match runs.last_mut() {
                Some(run) if *run.end() + 1 == day => *run = *run.start()..=day,
                _ => runs.push(day..=day),
            }
        }
        runs
    }
}

/// A second of a day.
fn second(number: i64) -> u32 {
    u32::try_from(number).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::{Dates, Hours};
    use jiff::Timestamp;
    use jiff::civil::{Weekday, date};
    use jiff::tz::TimeZoneDatabase;

    const WORK: [Weekday; 5] = [
        Weekday::Monday,
        Weekday::Tuesday,
        Weekday::Wednesday,
        Weekday::Thursday,
        Weekday::Friday,
    ];

    /// The slots that begin in the second half of 2026, all of UTC: `DATE HH:MM-DATE HH:MM DAYS HH:MM:SS-HH:MM:SS`.
    #[track_caller]
    fn check(schedule: &Schedule, zone: &str, expect: &[&str]) {
        let zone = TimeZoneDatabase::bundled().get(zone).unwrap();
        let slots = schedule.slots(&zone, &schedule.windows(&zone)).unwrap();
        let moment = |second: i64, form: &str| {
            let moment = Timestamp::from_second(second).unwrap();
            moment.strftime(form).to_string()
        };
        let half = (1_782_864_000, 1_798_761_600);
        let told: Vec<String> = slots
            .iter()
            .filter(|slot| half.0 <= slot.start && slot.start < half.1)
            .map(|slot| {
                let [start, end] = [slot.start, slot.end].map(|it| moment(it, "%y-%m-%d %H:%M"));
                let [from, to] = [slot.hours.start(), slot.hours.end()]
                    .map(|it| moment(i64::from(*it), "%H:%M:%S"));
                let (first, last) = (slot.days.start(), slot.days.end());
                format!("{start} to {end}, {first}-{last} {from}-{to}")
            })
            .collect();
        assert_eq!(told, expect);
    }

    fn hours(from: u32, to: u32) -> Option<Hours> {
        let [from, to] = [from, to].map(|it| it * 3_600);
        Some(Hours { from, to })
    }

    #[test]
    fn a_working_week_is_a_slot_between_two_moves_of_the_clocks() {
        let work = Schedule {
            days: WORK.to_vec(),
            hours: hours(8, 17),
            ..Schedule::default()
        };
        let winter = "26-10-26 06:00 to 27-03-26 15:00, 1-5 06:00:00-14:59:59";
        check(&work, "Europe/Helsinki", &[winter]);
        // What is left out splits it; a day between two of them stands alone.
        let on = |day| Dates {
            first: date(2026, 12, day),
            last: date(2026, 12, day),
        };
        let with_holidays = Schedule {
            except: vec![on(22), on(24)],
            ..work
        };
        let expect = [
            "26-10-26 06:00 to 26-12-21 15:00, 1-5 06:00:00-14:59:59",
            "26-12-23 06:00 to 26-12-23 15:00, 0-6 06:00:00-14:59:59",
            "26-12-25 06:00 to 27-03-26 15:00, 1-5 06:00:00-14:59:59",
        ];
        check(&with_holidays, "Europe/Helsinki", &expect);
    }

    #[test]
    fn over_midnight_utc_it_is_on_two_days() {
        let weekend = Schedule {
            days: vec![Weekday::Saturday, Weekday::Sunday],
            hours: hours(1, 10),
            ..Schedule::default()
        };
        let expect = [
            // The night in which clocks are moved stands alone.
            "26-10-24 22:00 to 26-10-25 08:00, 0-6 00:00:00-23:59:59",
            "26-10-30 23:00 to 27-03-27 08:00, 5-6 23:00:00-23:59:59",
            "26-10-30 23:00 to 27-03-27 08:00, 0-0 00:00:00-07:59:59",
            "26-10-30 23:00 to 27-03-27 08:00, 6-6 00:00:00-07:59:59",
        ];
        check(&weekend, "Europe/Helsinki", &expect);
    }

    #[test]
    fn days_of_another_time_zone_move_what_is_near_midnight() {
        let slot = |days: RangeInclusive<u8>, from: u32, to: u32| Slot {
            start: 0,
            end: 0,
            days,
            hours: from * 3_600..=to * 3_600 - 1,
        };
        let work = slot(1..=5, 7, 16);
        // Honolulu, Los Angeles, Halifax, Greenwich, Helsinki, Tokyo, Kiritimati.
        let zones = [600, 480, 240, 0, -120, -540, -840];
        let moved = |slot: &Slot| zones.map(|minutes| slot.is_moved(minutes));
        assert_eq!(moved(&work), [true, true, false, false, false, true, true]);
        let night = slot(1..=5, 20, 24);
        assert_eq!(
            moved(&night),
            [false, false, false, false, true, true, true]
        );
        assert_eq!(moved(&slot(0..=6, 0, 24)), [false; 7]);
    }
}
