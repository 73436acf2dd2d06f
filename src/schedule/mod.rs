//! Time windows: when a schedule is open, to the second, from 2026 to 2040.
//!
//! A schedule is open while the clock on the wall of its time zone shows a time inside it. That is all there is to
//! daylight saving: in the gap in spring the clock never shows the times that are left out, in the overlap in autumn
//! it shows some times twice, and a window that has them is open twice. A window over midnight belongs to the day it
//! begins on.
//!
//! [`Schedule::windows`] works this out once, as moments of the world's one clock ([`Windows`]), from [`BEGIN`] to
//! [`HORIZON`]: the same on every day and every machine that has the same time zone database. Nothing here knows what
//! time it is, how a schedule is written, or how the kernel asks for it.

mod told;
mod windows;

use jiff::civil::{Date, Weekday};
use jiff::{Timestamp, tz::TimeZone};

pub use told::{Pattern, Slot, Told};
pub use windows::{Switch, Window, Windows};

/// 2026-01-01T00:00:00Z in Unix seconds: before it no schedule is open.
pub const BEGIN: i64 = 1_767_225_600;
/// 2041-01-01T00:00:00Z in Unix seconds: from then on no schedule is open.
pub const HORIZON: i64 = 2_240_611_200;
/// The last day (UTC) before [`HORIZON`].
pub const LAST_DAY: Date = jiff::civil::date(2040, 12, 31);

/// Seconds of a day of 24 hours.
const DAY: i64 = 86_400;

/// On which days, and from when to when.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schedule {
    /// Days of the week; empty is every day.
    pub days: Vec<Weekday>,
    /// Days of the calendar; empty is every day.
    pub dates: Vec<Dates>,
    /// Days of the calendar that are left out.
    pub except: Vec<Dates>,
    /// The time of day; `None` is the whole day.
    pub hours: Option<Hours>,
}

/// Days of the calendar, the first and the last included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Dates {
    /// The first.
    pub first: Date,
    /// The last, not before the first.
    pub last: Date,
}

/// A time of day in seconds since midnight as the clock shows them, `from` included, `to` not. A window whose `to` is
/// not after its `from` ends on the next day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hours {
    /// 0 to 86,399.
    pub from: u32,
    /// 0 to 86,400.
    pub to: u32,
}

impl Schedule {
    /// When it is open in a time zone.
    #[must_use]
    pub fn windows(&self, zone: &TimeZone) -> Windows {
        windows::windows(self, zone)
    }

    /// Its windows told by days of the week and hours of the day, where that takes fewer words and old versions of nft(8) can
    /// show it.
    #[must_use]
    pub fn told(&self, zone: &TimeZone, windows: &Windows) -> Told {
        told::told(self, zone, windows)
    }

    /// The second of the day at which windows begin, and for how many seconds they are open by the clock on the wall: a day
    /// at most.
    fn opening(&self) -> (i64, i64) {
        match self.hours {
            None => (0, DAY),
            Some(Hours { from, to }) => {
                let (from, to) = (i64::from(from), i64::from(to));
                let days = if to <= from { DAY } else { 0 };
                (from, to + days - from)
            }
        }
    }

    /// Whether a window begins on a day.
    fn has(&self, day: Date) -> bool {
        let among = |dates: &[Dates]| {
            dates
                .iter()
                .any(|dates| dates.first <= day && day <= dates.last)
        };
        (self.days.is_empty() || self.days.contains(&day.weekday()))
            && (self.dates.is_empty() || among(&self.dates))
            && !among(&self.except)
    }
}

/// A schedule by its name, with its windows.
#[derive(Clone, Debug)]
pub struct Timetable {
    /// The name.
    pub name: String,
    /// The time zone it is meant in.
    pub zone: TimeZone,
    /// When it is open.
    pub windows: Windows,
}

impl Timetable {
    /// When it opens or closes next; `None`: never again.
    #[must_use]
    pub fn next(&self, now: Timestamp) -> Option<Switch> {
        self.windows.next(now.as_second())
    }

    /// The next switch for people: `office-hours opens Wed 2026-11-25 08:00 Europe/Helsinki`.
    #[must_use]
    pub fn announce(&self, switch: Switch) -> String {
        let does = if switch.opens { "opens" } else { "closes" };
        let at = Timestamp::from_second(switch.at).unwrap_or_default();
        let local = at.to_zoned_datetime(self.zone.clone());
        let form = match local.second() {
            0 => "%a %Y-%m-%d %H:%M",
            _ => "%a %Y-%m-%d %H:%M:%S",
        };
        let zone = self.zone.iana_name().unwrap_or("UTC");
        format!("{} {does} {} {zone}", self.name, local.strftime(form))
    }
}
