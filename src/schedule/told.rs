//! The windows of a schedule told in few words: which days of the week, from when to when, and meanwhile which clock.
//!
//! While a zone keeps its offset from UTC, a schedule is open at the same times of every week, by the clock of UTC as by
//! the one on the wall: a working week is five days from 06:00 to 15:00 UTC from the end of March to the end of October,
//! and from 07:00 to 16:00 for the rest of the year. What does not fit in, such as a night on which clocks are moved, stands
//! by itself. Not here: how the kernel is asked for it.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use jiff::tz::TimeZone;

use super::windows::{self, Window, Windows};
use super::{DAY, Schedule};

/// When a schedule is open, for a clock that knows moments, days of the week and hours of the day, all of UTC: while one of
/// the patterns holds and its week says so, and in the windows that stand by themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// One for each offset of the zone, those further west first; none where the windows are told in no more words.
    pub patterns: Vec<Pattern>,
    /// What no pattern tells.
    pub alone: Windows,
}

/// The same week again and again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// Seconds that the clock on the wall is ahead of UTC meanwhile.
    pub offset: i64,
    /// From when to when it holds: each begins and ends with a window.
    pub times: Windows,
    /// When it is open. No two have anything in common.
    pub week: Vec<Slot>,
}

/// Days of the week and a time of the day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// The days, bounds inclusive: 0 is Sunday, 6 is Saturday.
    pub days: RangeInclusive<u8>,
    /// Seconds since midnight, bounds inclusive: 0 to 86,399.
    pub hours: RangeInclusive<u32>,
}

/// Every day of the week.
const ANY_DAY: RangeInclusive<u8> = 0..=6;

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
}

/// The windows of a schedule as patterns of the week. Without any where these take no fewer words, or have hours that nft(8)
/// before 1.1.0 shows as garbage in the time zone of the schedule: those of UTC at which it is the day before there, west of
/// Greenwich (nftables, "meta: fix hour decoding when timezone offset is negative").
pub(super) fn told(schedule: &Schedule, zone: &TimeZone, windows: &Windows) -> Told {
    let as_windows = || Told {
        patterns: Vec::new(),
        alone: windows.clone(),
    };
    let stretches = windows::stretches(zone);
    let every_week: Vec<Window> = if schedule.dates.is_empty() && schedule.except.is_empty() {
        windows.iter().collect()
    } else {
        let every_week = Schedule {
            dates: Vec::new(),
            except: Vec::new(),
            ..schedule.clone()
        };
        every_week.windows(zone).iter().collect()
    };
    // By the offset: when the week is as ever.
    let mut times: BTreeMap<i64, Vec<Window>> = BTreeMap::new();
    let mut alone = Vec::new();
    let mut left = windows.iter().peekable();
    while let Some(first) = left.next() {
        let place = every_week.binary_search(&first).ok();
        let stretch = stretches.iter().find(|stretch| stretch.has(first));
        let (Some(place), Some(stretch)) = (place, stretch) else {
            alone.push(first);
            continue;
        };
        // As many as follow each other as they do every week.
        let mut end = first.end;
        for next in every_week.iter().skip(place + 1) {
            if !stretch.has(*next) || left.next_if_eq(next).is_none() {
                break;
            }
            end = next.end;
        }
        let start = first.start;
        let of_offset = times.entry(stretch.offset).or_default();
        of_offset.push(Window { start, end });
    }
    let patterns = times.into_iter().map(|(offset, times)| Pattern {
        offset,
        times: times.into_iter().collect(),
        week: week(schedule, offset),
    });
    let told = Told {
        patterns: patterns.collect(),
        alone: alone.into_iter().collect(),
    };
    let Some(west) = stretches.iter().map(|stretch| stretch.offset).min() else {
        return as_windows();
    };
    let mut slots = told.patterns.iter().flat_map(|pattern| &pattern.week);
    let is_shown = slots.all(|slot| 0 <= i64::from(*slot.hours.start()) + west);
    if is_shown && told.words() < windows.iter().len() {
        told
    } else {
        as_windows()
    }
}

impl Told {
    /// How many windows and slots it takes.
    fn words(&self) -> usize {
        let patterns = self.patterns.iter();
        let patterns = patterns.map(|it| it.times.iter().len() + it.week.len());
        patterns.sum::<usize>() + self.alone.iter().len()
    }
}

/// What is open every week, while the clock on the wall is so many seconds ahead of UTC.
fn week(schedule: &Schedule, offset: i64) -> Vec<Slot> {
    let (from, length) = schedule.opening();
    let from = from - offset;
    let (day, from) = (from.div_euclid(DAY), from.rem_euclid(DAY));
    let end = from + length;
    // It ends on the day it begins on, or on the next one.
    let parts = [(day, from, end.min(DAY)), (day + 1, 0, end - DAY)];
    let mut slots = Vec::new();
    for (later, from, end) in parts.into_iter().filter(|(_, from, end)| from < end) {
        let days = schedule.weekdays(later).into_iter();
        slots.extend(days.map(|days| Slot {
            days,
            hours: second(from)..=second(end - 1),
        }));
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

    /// What begins from July 2026 to July 2027, all of UTC, and the week beside.
    #[track_caller]
    fn check(schedule: &Schedule, zone: &str, expect: &[&str]) {
        let zone = TimeZoneDatabase::bundled().get(zone).unwrap();
        let told = schedule.told(&zone, &schedule.windows(&zone));
        let moment = |second: i64, form: &str| {
            let moment = Timestamp::from_second(second).unwrap();
            moment.strftime(form).to_string()
        };
        let year = 1_782_864_000..1_814_400_000;
        let lines = |windows: &Windows| {
            let windows = windows.iter().filter(|it| year.contains(&it.start));
            let lines = windows.map(|it| {
                let [start, end] = [it.start, it.end].map(|it| moment(it, "%y-%m-%d %H:%M"));
                format!("{start} to {end}")
            });
            lines.collect::<Vec<_>>()
        };
        let mut said = Vec::new();
        for pattern in &told.patterns {
            let slots = pattern.week.iter().map(|slot| {
                let [from, to] = [slot.hours.start(), slot.hours.end()]
                    .map(|it| moment(i64::from(*it), "%H:%M:%S"));
                let (first, last) = (slot.days.start(), slot.days.end());
                format!("{first}-{last} {from}-{to}")
            });
            let slots = slots.collect::<Vec<_>>().join(", ");
            let times = lines(&pattern.times).join(", ");
            said.push(format!("{} h: {slots}: {times}", pattern.offset / 3_600));
        }
        said.extend(lines(&told.alone));
        assert_eq!(said, expect);
    }

    fn hours(from: u32, to: u32) -> Option<Hours> {
        let [from, to] = [from, to].map(|it| it * 3_600);
        Some(Hours { from, to })
    }

    #[test]
    fn a_working_week_is_the_same_between_two_moves_of_the_clocks() {
        let work = Schedule {
            days: WORK.to_vec(),
            hours: hours(8, 17),
            ..Schedule::default()
        };
        let expect = [
            "2 h: 1-5 06:00:00-14:59:59: 26-10-26 06:00 to 27-03-26 15:00",
            "3 h: 1-5 05:00:00-13:59:59: 27-03-29 05:00 to 27-10-29 14:00",
        ];
        check(&work, "Europe/Helsinki", &expect);
        // What is left out splits it.
        let on = |day| Dates {
            first: date(2026, 12, day),
            last: date(2026, 12, day),
        };
        let with_holidays = Schedule {
            except: vec![on(22), on(24)],
            ..work
        };
        let winter = "2 h: 1-5 06:00:00-14:59:59: 26-10-26 06:00 to 26-12-21 15:00, \
                      26-12-23 06:00 to 26-12-23 15:00, 26-12-25 06:00 to 27-03-26 15:00";
        check(&with_holidays, "Europe/Helsinki", &[winter, expect[1]]);
    }

    #[test]
    fn over_midnight_utc_it_is_on_two_days() {
        let weekend = Schedule {
            days: vec![Weekday::Saturday, Weekday::Sunday],
            hours: hours(1, 10),
            ..Schedule::default()
        };
        let expect = [
            "2 h: 5-6 23:00:00-23:59:59, 0-0 00:00:00-07:59:59, 6-6 00:00:00-07:59:59: \
             26-10-30 23:00 to 27-03-27 08:00",
            "3 h: 5-6 22:00:00-23:59:59, 0-0 00:00:00-06:59:59, 6-6 00:00:00-06:59:59: \
             27-04-02 22:00 to 27-10-30 07:00",
            // The nights in which clocks are moved stand alone.
            "26-10-24 22:00 to 26-10-25 08:00",
            "27-03-27 23:00 to 27-03-28 07:00",
        ];
        check(&weekend, "Europe/Helsinki", &expect);
    }

    #[test]
    fn days_of_another_time_zone_move_what_is_near_midnight() {
        let slot = |days: RangeInclusive<u8>, from: u32, to: u32| Slot {
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
