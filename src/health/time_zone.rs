//! Whether the kernel's days of the week are those of UTC, which schedules are compiled for.

use std::collections::BTreeSet;

use super::{Facts, Finding, Severity};

/// The kernel's time zone, and what it matters to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TimeZone {
    /// Minutes west of Greenwich, negative is east; 0 is UTC.
    pub minutes_west: i32,
    /// The schedules in force that it opens and closes at other times than the policy says.
    pub moved: BTreeSet<String>,
}

const CHECK: &str = "time-zone";

/// What takes it away.
pub const ADVICE: &str = "`TZ=UTC hwclock --systz --utc` takes it away until hwclock or `timedatectl set-timezone` sets it again";

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let finding = match &facts.time_zone {
        Err(why) => Finding::unreadable(CHECK, why),
        Ok(TimeZone {
            minutes_west: 0, ..
        }) => Finding::new(CHECK, Severity::Ok, "the kernel's days are those of UTC"),
        Ok(zone) if zone.moved.is_empty() => {
            let message = format!("{}; no schedule minds", zone.own());
            Finding::new(CHECK, Severity::Note, message)
        }
        Ok(zone) => Finding::new(CHECK, Severity::Warning, zone.to_string()).advice(ADVICE),
    };
    vec![finding]
}

impl TimeZone {
    fn own(&self) -> String {
        let (side, _) = self.words();
        let hours = self.hours();
        format!("the kernel has a time zone of its own, {hours} h {side} of UTC")
    }

    /// On which side of Greenwich it is, and how its days begin there.
    fn words(&self) -> (&'static str, &'static str) {
        if self.minutes_west < 0 {
            ("east", "early")
        } else {
            ("west", "late")
        }
    }

    /// How far it is from UTC: `2:00`.
    fn hours(&self) -> String {
        let minutes = self.minutes_west.unsigned_abs();
        format!("{}:{:02}", minutes / 60, minutes % 60)
    }
}

/// What is wrong.
impl std::fmt::Display for TimeZone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<String> = self.moved.iter().map(|name| format!("`{name}`")).collect();
        let word = if names.len() == 1 {
            "schedule"
        } else {
            "schedules"
        };
        let (own, hours, (_, when)) = (self.own(), self.hours(), self.words());
        let names = names.join(", ");
        write!(
            f,
            "{own}: days of the week begin {hours} h too {when} for {word} {names}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::TimeZone;

    #[test]
    fn it_is_said_what_is_wrong() {
        let zone = |minutes_west, moved: &[&str]| TimeZone {
            minutes_west,
            moved: moved.iter().map(|name| (*name).to_owned()).collect(),
        };
        assert_eq!(
            zone(-120, &["night"]).to_string(),
            "the kernel has a time zone of its own, 2:00 h east of UTC: days of the week begin 2:00 h too \
             early for schedule `night`"
        );
        assert_eq!(
            zone(210, &["a", "b"]).to_string(),
            "the kernel has a time zone of its own, 3:30 h west of UTC: days of the week begin 3:30 h too \
             late for schedules `a`, `b`"
        );
    }
}
