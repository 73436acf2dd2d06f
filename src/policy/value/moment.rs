//! Moments: a day and a time on its clock.

use super::{Date, TimeOfDay, ValueError, leaf};
use crate::diagnostic::Code;
use jiff::civil;
use std::{fmt, str::FromStr};

/// A day and a time of day, in whatever time zone the policy has: `YYYY-MM-DD HH:MM`, or with seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment {
    day: Date,
    time: TimeOfDay,
}

impl Moment {
    /// What calendar and clock show; 24:00 is midnight of the next day.
    #[must_use]
    pub fn civil(self) -> civil::DateTime {
        let midnight = self.day.day().at(0, 0, 0, 0);
        let seconds = jiff::SignedDuration::from_secs(i64::from(self.time.seconds()));
        midnight.saturating_add(seconds)
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Moment { day, time } = self;
        write!(f, "{day} {time}")
    }
}

impl FromStr for Moment {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let Some((day, time)) = text.split_once(' ') else {
            let message = format!("`{text}` is no day with a time");
            let error = ValueError::new(Code::BadTime, message);
            return Err(error.help("write day and time and quote them: `\"2026-03-27 12:00\"`"));
        };
        Ok(Moment {
            day: day.parse()?,
            time: time.parse()?,
        })
    }
}

leaf!(Moment, "moment", "a day and a time such as `\"2026-03-27 12:00\"`", {
    "type": "string",
    "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2} (([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?|24:00(:00)?)$",
    "description": "A day and a time on its clock, in quotes: `\"2026-03-27 12:00\"`."
});

#[cfg(test)]
mod tests {
    use super::Moment;
    use crate::policy::value::leaf::check;

    #[test]
    fn moments() {
        check::<Moment>("2026-03-27 12:00", "ok: 2026-03-27 12:00");
        check::<Moment>("2026-03-27 24:00", "ok: 2026-03-27 24:00");
        let midnight: Moment = "2026-03-31 24:00".parse().unwrap();
        assert_eq!(midnight.civil().to_string(), "2026-04-01T00:00:00");
        check::<Moment>(
            "2026-03-27",
            "bad-time: `2026-03-27` is no day with a time; write day and time and quote them: `\"2026-03-27 12:00\"`",
        );
        check::<Moment>(
            "2026-02-30 12:00",
            "bad-date: the calendar has no day `2026-02-30`",
        );
        check::<Moment>(
            "2026-03-27 25:00",
            "bad-time: no clock shows `25:00`; the day goes from `00:00` to `24:00`",
        );
    }
}
