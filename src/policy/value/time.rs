//! Times of day, and spans of days.

use super::{Date, ValueError, leaf};
use crate::diagnostic::Code;
use jiff::civil;
use std::{fmt, str::FromStr};

/// A time of day, `HH:MM` or `HH:MM:SS`, from `00:00` to `24:00`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimeOfDay(u32);

impl TimeOfDay {
    /// Seconds since midnight, 0 to 86,400.
    #[must_use]
    pub fn seconds(self) -> u32 {
        self.0
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (minutes, seconds) = (self.0 / 60, self.0 % 60);
        write!(f, "{:02}:{:02}", minutes / 60, minutes % 60)?;
        if seconds > 0 {
            write!(f, ":{seconds:02}")?;
        }
        Ok(())
    }
}

impl FromStr for TimeOfDay {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let bad =
            |message: String, help: &str| Err(ValueError::new(Code::BadTime, message).help(help));
        if text.bytes().all(|b| b.is_ascii_digit()) {
            // `22:00` without quotes is 1320 to some YAML readers.
            let help = "write hours and minutes and quote it: `\"08:00\"`";
            return bad(format!("the number {text} is no time of day"), help);
        }
        let parts: Vec<&str> = text.split(':').collect();
        let well_formed = (2..=3).contains(&parts.len())
            && parts
                .iter()
                .all(|part| part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit()));
        let help = "a time of day is hours and minutes, two digits each: `\"08:00\"`";
        if !well_formed {
            return bad(format!("`{text}` is no time of day"), help);
        }
        let mut numbers = parts.iter().map(|part| part.parse().unwrap_or(u32::MAX));
        let mut next = || numbers.next().unwrap_or(0);
        let (hours, minutes, seconds) = (next(), next(), next());
        let time = (hours <= 24 && minutes <= 59 && seconds <= 59)
            .then(|| hours * 3_600 + minutes * 60 + seconds)
            .filter(|time| *time <= 86_400);
        match time {
            Some(time) => Ok(TimeOfDay(time)),
            None => bad(
                format!("no clock shows `{text}`"),
                "the day goes from `00:00` to `24:00`",
            ),
        }
    }
}

leaf!(TimeOfDay, "time-of-day", "a time of day such as `\"08:00\"`", {
    "type": "string",
    "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?$|^24:00(:00)?$",
    "description": "A time of day, in quotes: hours and minutes as in `\"08:00\"`, or with seconds as in `\"08:00:30\"`."
});

/// A day of the calendar, or all days from one to another, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DateRange {
    first: Date,
    last: Date,
}

impl DateRange {
    /// The first day.
    #[must_use]
    pub fn first(self) -> civil::Date {
        self.first.day()
    }

    /// The last day; not before the first.
    #[must_use]
    pub fn last(self) -> civil::Date {
        self.last.day()
    }
}

impl fmt::Display for DateRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            self.first.fmt(f)
        } else {
            write!(f, "{}..{}", self.first, self.last)
        }
    }
}

impl FromStr for DateRange {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let (first, last) = text.split_once("..").unwrap_or((text, text));
        let (first, last): (Date, Date) = (first.parse()?, last.parse()?);
        if last < first {
            let message = format!("`{text}` ends before it begins");
            let error = ValueError::new(Code::ReversedRange, message);
            return Err(error.help(format!("did you mean `{last}..{first}`?")));
        }
        Ok(DateRange { first, last })
    }
}

leaf!(DateRange, "days", "a date such as `2026-12-24`, or two with `..` between", {
    "type": "string",
    "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}(\\.\\.[0-9]{4}-[0-9]{2}-[0-9]{2})?$",
    "description": "A day as in `2026-12-24`, or all days from one to another as in `2026-12-24..2027-01-06`."
});

#[cfg(test)]
mod tests {
    use super::{DateRange, TimeOfDay};
    use crate::policy::value::leaf::check;

    #[test]
    fn times() {
        check::<TimeOfDay>("08:00", "ok: 08:00");
        check::<TimeOfDay>("23:59:30", "ok: 23:59:30");
        check::<TimeOfDay>("24:00", "ok: 24:00");
        let form = "a time of day is hours and minutes, two digits each: `\"08:00\"`";
        check::<TimeOfDay>(
            "8:00",
            &format!("bad-time: `8:00` is no time of day; {form}"),
        );
        check::<TimeOfDay>("8am", &format!("bad-time: `8am` is no time of day; {form}"));
        let day = "the day goes from `00:00` to `24:00`";
        check::<TimeOfDay>("24:01", &format!("bad-time: no clock shows `24:01`; {day}"));
        check::<TimeOfDay>("08:60", &format!("bad-time: no clock shows `08:60`; {day}"));
        check::<TimeOfDay>(
            "1320",
            "bad-time: the number 1320 is no time of day; \
             write hours and minutes and quote it: `\"08:00\"`",
        );
    }

    #[test]
    fn days() {
        check::<DateRange>("2026-12-24", "ok: 2026-12-24");
        check::<DateRange>("2026-11-10..2026-11-13", "ok: 2026-11-10..2026-11-13");
        check::<DateRange>(
            "2026-11-13..2026-11-10",
            "reversed-range: `2026-11-13..2026-11-10` ends before it begins; \
             did you mean `2026-11-10..2026-11-13`?",
        );
        check::<DateRange>(
            "2026-11-31..2026-12-01",
            "bad-date: the calendar has no day `2026-11-31`",
        );
    }
}
