//! Schedules that are over, or that reach beyond what is compiled.

use crate::compile::model::Model;
use crate::diagnostic::{Code, Diagnostic, Diagnostics, DocPath};
use crate::policy::Policy;
use crate::schedule::{HORIZON, LAST_DAY};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

/// From this day on every schedule without end is pointed out: a year before there are no more times.
fn notice_day() -> Date {
    LAST_DAY.saturating_sub(1.year())
}

/// Points out schedules that will not be open again, and those that should be open after the last day.
pub(super) fn schedules(
    policy: &Policy,
    model: &Model,
    today: Date,
    diagnostics: &mut Diagnostics,
) {
    let zone = crate::compile::timezone(policy);
    let root = DocPath::root().key("schedules");
    for (name, schedule) in &model.schedules {
        let at = root.name(name);
        let end = schedule.windows.end().unwrap_or(HORIZON);
        let over = day_after(end, &zone);
        if over <= today {
            let message = format!("the schedule `{name}` will not be open again");
            let diagnostic = Diagnostic::warning(Code::ScheduleOver, message)
                .at_key(at, format!("was open until {}", last_day(end, &zone)))
                .help("give it later dates, or take it out with its rules");
            diagnostics.push(diagnostic);
            continue;
        }
        let reaches = |dates: &crate::policy::DateRange| LAST_DAY < dates.last();
        let dates = policy
            .schedules
            .iter()
            .find(|(known, _)| known.as_str() == name)
            .map_or(&[][..], |(_, written)| written.dates.as_slice());
        let place = match dates.iter().position(reaches) {
            Some(index) => Some(at.key("dates").index(index).into()),
            None if end == HORIZON && notice_day() <= today => {
                Some(crate::diagnostic::Place::Key(at))
            }
            None => None,
        };
        if let Some(place) = place {
            let message = format!("the schedule `{name}` ends on {LAST_DAY}, whatever it says");
            let diagnostic = Diagnostic::warning(Code::BeyondHorizon, message)
                .at(place, "goes on after that day")
                .help("times are compiled until then; a later rfw knows later ones");
            diagnostics.push(diagnostic);
        }
    }
}

/// The first day after `today` on which there is more to say.
pub(in crate::compile) fn next_notice(model: &Model, zone: &TimeZone, today: Date) -> Option<Date> {
    let days = model.schedules.values().flat_map(|schedule| {
        let end = schedule.windows.end().unwrap_or(HORIZON);
        [day_after(end, zone), notice_day()]
    });
    days.filter(|day| today < *day).min()
}

/// The last day on which something that ends then is open.
fn last_day(end: i64, zone: &TimeZone) -> Date {
    let last = Timestamp::from_second(end.saturating_sub(1)).unwrap_or_default();
    last.to_zoned_datetime(zone.clone()).date()
}

/// The first day on which it is over.
fn day_after(end: i64, zone: &TimeZone) -> Date {
    last_day(end, zone).saturating_add(1.day())
}

#[cfg(test)]
mod tests {
    use crate::compile::check::tests::said;

    /// Today is 2026-11-24.
    #[track_caller]
    fn check(schedule: &str, expect: &str) {
        let text = format!(
            "version: 1\ntimezone: Europe/Helsinki\nzones: {{ lan: {{ interfaces: [eth1] }} }}\n\
             schedules: {{ s: {schedule} }}\n\
             policies:\n  - name: in\n    from: lan\n    to: firewall\n    rules:\n\
             \x20     - {{ name: a, schedule: s, action: accept }}\n"
        );
        assert_eq!(said(&text), expect);
    }

    #[test]
    fn over_and_beyond() {
        check("{ days: [mon] }", "");
        check(
            "{ dates: [2026-11-24], from: \"01:00\", to: \"02:00\" }",
            "",
        );
        let over = "warning[schedule-over]: the schedule `s` will not be open again\n";
        check("{ dates: [2026-11-23] }", over);
        // The night of the 23rd ends today.
        check(
            "{ dates: [2026-11-23], from: \"22:00\", to: \"02:00\" }",
            "",
        );
        check(
            "{ dates: [2026-11-22], from: \"22:00\", to: \"02:00\" }",
            over,
        );
        check(
            "{ dates: [2040-12-30..2041-01-02] }",
            "warning[beyond-horizon]: the schedule `s` ends on 2040-12-31, whatever it says\n",
        );
    }
}
