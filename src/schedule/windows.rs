//! Where the windows of a schedule lie on the world's clock.
//!
//! A zone is a row of stretches of time in each of which its offset from UTC does not change. In a stretch the clock
//! on the wall simply is UTC and the offset, so the windows there are the local ones, cut to the stretch and moved.

use jiff::civil::Date;
use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, ToSpan};

use super::{BEGIN, DAY, HORIZON, Schedule};

/// A time during which a schedule is open, in Unix seconds: `start` included, `end` not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Window {
    /// The first second.
    pub start: i64,
    /// The first second after it.
    pub end: i64,
}

/// When a schedule is open, in order; two windows never touch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Windows(Vec<Window>);

/// A schedule opens or closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Switch {
    /// When, in Unix seconds.
    pub at: i64,
    /// Whether it opens.
    pub opens: bool,
}

impl Windows {
    /// The windows in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Window> + '_ {
        self.0.iter().copied()
    }

    /// Whether it is never open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether it is open at a moment in Unix seconds.
    #[must_use]
    pub fn is_open(&self, at: i64) -> bool {
        let behind = self.0.partition_point(|window| window.end <= at);
        self.0.get(behind).is_some_and(|window| window.start <= at)
    }

    /// The first switch after a moment in Unix seconds; `None`: it stays as it is.
    #[must_use]
    pub fn next(&self, after: i64) -> Option<Switch> {
        let behind = self.0.partition_point(|window| window.end <= after);
        let window = self.0.get(behind)?;
        Some(if after < window.start {
            Switch {
                at: window.start,
                opens: true,
            }
        } else {
            Switch {
                at: window.end,
                opens: false,
            }
        })
    }

    /// The second after which it is never open again; `None` when it never is.
    #[must_use]
    pub fn end(&self) -> Option<i64> {
        self.0.last().map(|window| window.end)
    }
}

impl FromIterator<Window> for Windows {
    /// In any order; what touches or overlaps becomes one, and what is empty is left out.
    fn from_iter<I: IntoIterator<Item = Window>>(windows: I) -> Self {
        let mut sorted: Vec<Window> = windows
            .into_iter()
            .filter(|window| window.start < window.end)
            .collect();
        sorted.sort_unstable();
        let mut merged: Vec<Window> = Vec::with_capacity(sorted.len());
        for window in sorted {
            match merged.last_mut() {
                Some(last) if window.start <= last.end => last.end = last.end.max(window.end),
                _ => merged.push(window),
            }
        }
        Self(merged)
    }
}

/// All windows of a schedule in a zone.
pub(super) fn windows(schedule: &Schedule, zone: &TimeZone) -> Windows {
    let local = local_windows(schedule);
    let mut found = Vec::with_capacity(local.len());
    for Stretch { start, end, offset } in stretches(zone) {
        let (first, last) = (start + offset, end + offset);
        let behind = local.partition_point(|window| window.end <= first);
        let inside = local
            .iter()
            .skip(behind)
            .take_while(|window| window.start < last);
        found.extend(inside.map(|window| Window {
            start: window.start.max(first) - offset,
            end: window.end.min(last) - offset,
        }));
    }
    found.into_iter().collect()
}

/// The windows by the clock on the wall: seconds as if the wall were in Greenwich. In order, and none longer than a
/// day, so that their ends are in order, too.
fn local_windows(schedule: &Schedule) -> Vec<Window> {
    let (from, length) = schedule.opening();
    // No zone is a day away from Greenwich, and a window may have begun the day before.
    let days = (BEGIN / DAY - 2)..(HORIZON / DAY + 2);
    let open = days.filter(|day| calendar(*day).is_some_and(|date| schedule.has(date)));
    open.map(|day| Window {
        start: day * DAY + from,
        end: day * DAY + from + length,
    })
    .collect()
}

/// The date of a day counted from 1970-01-01.
fn calendar(day: i64) -> Option<Date> {
    jiff::civil::date(1970, 1, 1).checked_add(day.days()).ok()
}

/// A time without a change of the offset, in Unix seconds: `start` included, `end` not.
pub(super) struct Stretch {
    start: i64,
    end: i64,
    /// Seconds that the clock on the wall is ahead of UTC.
    pub(super) offset: i64,
}

impl Stretch {
    /// Whether all of a window is in it.
    pub(super) fn has(&self, window: Window) -> bool {
        self.start <= window.start && window.end <= self.end
    }
}

/// The stretches of a zone from [`BEGIN`] to [`HORIZON`].
pub(super) fn stretches(zone: &TimeZone) -> Vec<Stretch> {
    let begin = Timestamp::from_second(BEGIN).unwrap_or_default();
    let ahead = |offset: Offset| i64::from(offset.seconds());
    let mut stretches = Vec::new();
    let (mut start, mut offset) = (BEGIN, ahead(zone.to_offset(begin)));
    for change in zone.following(begin) {
        let end = change.timestamp().as_second();
        if HORIZON <= end {
            break;
        }
        // The zone may change its name only.
        if ahead(change.offset()) == offset {
            continue;
        }
        stretches.push(Stretch { start, end, offset });
        (start, offset) = (end, ahead(change.offset()));
    }
    stretches.push(Stretch {
        start,
        end: HORIZON,
        offset,
    });
    stretches
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::{Dates, Hours, LAST_DAY, Timetable};
    use jiff::civil::{Weekday, date};
    use jiff::tz::TimeZoneDatabase;

    fn zone(name: &str) -> TimeZone {
        TimeZoneDatabase::bundled().get(name).unwrap()
    }

    fn hours(from: u32, to: u32) -> Option<Hours> {
        let (from, to) = (from / 100 * 60 + from % 100, to / 100 * 60 + to % 100);
        Some(Hours {
            from: from * 60,
            to: to * 60,
        })
    }

    /// The windows that begin on some days, in UTC.
    #[track_caller]
    fn check(schedule: &Schedule, zone_name: &str, first: Date, last: Date, expect: &[&str]) {
        let seconds = |date: Date| {
            let noon = date.at(0, 0, 0, 0);
            Offset::UTC.to_timestamp(noon).unwrap().as_second()
        };
        let within = seconds(first)..seconds(last) + DAY;
        let show = |at: i64| {
            Timestamp::from_second(at)
                .unwrap()
                .strftime("%d %H:%M")
                .to_string()
        };
        let windows = schedule.windows(&zone(zone_name));
        let found: Vec<String> = windows
            .iter()
            .filter(|window| within.contains(&window.start))
            .map(|window| format!("{}-{}", show(window.start), show(window.end)))
            .collect();
        assert_eq!(found, expect);
    }

    #[test]
    fn the_bounds_are_those_they_say() {
        assert_eq!(
            Timestamp::from_second(BEGIN).unwrap().to_string(),
            "2026-01-01T00:00:00Z"
        );
        let last = Timestamp::from_second(HORIZON - 1).unwrap();
        assert_eq!(last.to_zoned_datetime(TimeZone::UTC).date(), LAST_DAY);
    }

    #[test]
    fn a_working_week() {
        let work = Schedule {
            days: vec![Weekday::Thursday, Weekday::Friday, Weekday::Monday],
            except: vec![Dates {
                first: date(2026, 11, 26),
                last: date(2026, 11, 26),
            }],
            hours: hours(800, 1700),
            ..Schedule::default()
        };
        let (first, last) = (date(2026, 11, 25), date(2026, 11, 30));
        let expect = ["27 06:00-27 15:00", "30 06:00-30 15:00"];
        check(&work, "Europe/Helsinki", first, last, &expect);
        let expect = ["27 02:15-27 11:15", "30 02:15-30 11:15"];
        check(&work, "Asia/Kathmandu", first, last, &expect);
    }

    /// In Berlin the clock goes from 02:00 to 03:00 on 2026-03-29, and from 03:00 to 02:00 on 2026-10-25.
    #[test]
    fn in_a_gap_the_clock_shows_nothing_and_in_an_overlap_everything_twice() {
        let (gap, overlap) = (date(2026, 3, 29), date(2026, 10, 25));
        let check = |from, to, day: Date, expect: &[&str]| {
            let schedule = Schedule {
                dates: vec![Dates {
                    first: day,
                    last: day,
                }],
                hours: hours(from, to),
                ..Schedule::default()
            };
            let before = day.yesterday().unwrap();
            check(&schedule, "Europe/Berlin", before, day, expect);
        };
        check(210, 250, gap, &[]);
        check(230, 330, gap, &["29 01:00-29 01:30"]);
        check(130, 230, gap, &["29 00:30-29 01:00"]);
        check(130, 330, gap, &["29 00:30-29 01:30"]);
        check(
            210,
            250,
            overlap,
            &["25 00:10-25 00:50", "25 01:10-25 01:50"],
        );
        check(
            230,
            330,
            overlap,
            &["25 00:30-25 01:00", "25 01:30-25 02:30"],
        );
        let expect = ["24 23:30-25 00:30", "25 01:00-25 01:30"];
        check(130, 230, overlap, &expect);
        check(130, 330, overlap, &["24 23:30-25 02:30"]);
    }

    #[test]
    fn over_midnight_belongs_to_the_day_it_begins_on() {
        let night = Schedule {
            days: vec![Weekday::Friday],
            hours: hours(2200, 200),
            ..Schedule::default()
        };
        let (first, last) = (date(2026, 11, 23), date(2026, 11, 29));
        check(&night, "UTC", first, last, &["27 22:00-28 02:00"]);
        let to_midnight = Schedule {
            hours: hours(2200, 2400),
            ..night
        };
        check(&to_midnight, "UTC", first, last, &["27 22:00-28 00:00"]);
        let whole = Schedule {
            days: vec![Weekday::Friday, Weekday::Saturday],
            ..Schedule::default()
        };
        check(&whole, "UTC", first, last, &["27 00:00-29 00:00"]);
    }

    #[test]
    fn the_next_switch() {
        let fair = Schedule {
            dates: vec![Dates {
                first: date(2026, 11, 25),
                last: date(2026, 11, 25),
            }],
            hours: hours(800, 1700),
            ..Schedule::default()
        };
        let zone = zone("Europe/Helsinki");
        let timetable = Timetable {
            name: "fair".into(),
            windows: fair.windows(&zone),
            zone,
        };
        let mut now: Timestamp = "2026-11-24T12:00:00Z".parse().unwrap();
        let mut told = Vec::new();
        while let Some(switch) = timetable.next(now) {
            assert_eq!(timetable.windows.is_open(switch.at), switch.opens);
            assert_eq!(timetable.windows.is_open(switch.at - 1), !switch.opens);
            told.push(timetable.announce(switch));
            now = Timestamp::from_second(switch.at).unwrap();
        }
        let expect = [
            "fair opens Wed 2026-11-25 08:00 Europe/Helsinki",
            "fair closes Wed 2026-11-25 17:00 Europe/Helsinki",
        ];
        assert_eq!(told, expect);
    }

    #[test]
    fn windows_that_touch_are_one() {
        let window = |start, end| Window { start, end };
        let windows: Windows = [
            window(5, 7),
            window(0, 2),
            window(7, 9),
            window(3, 3),
            window(1, 4),
        ]
        .into_iter()
        .collect();
        assert_eq!(
            windows.iter().collect::<Vec<_>>(),
            [window(0, 4), window(5, 9)]
        );
    }
}
