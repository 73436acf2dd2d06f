//! Schedules: each name becomes the times at which it is open.

use std::collections::{BTreeMap, BTreeSet};

use crate::compile::model;
use crate::diagnostic::{Code, Diagnostic, Diagnostics, DocPath, nearest};
use crate::policy::{self, Day, OnEnd, Policy};
use crate::ruleset::OFFLOAD_LABEL;
use crate::schedule::{Dates, Hours, Schedule};
use jiff::civil::Weekday;

/// How many labels a connection can have (linux/netfilter/xt_connlabel.h, `XT_CONNLABEL_MAXBIT`).
const LABELS: u8 = 128;

/// What every schedule means; `None` where the definition is wrong.
pub(super) fn schedules<'a>(
    policy: &'a Policy,
    diagnostics: &mut Diagnostics,
) -> BTreeMap<&'a str, Option<model::Schedule>> {
    let root = DocPath::root().key("schedules");
    if policy.timezone.is_none() && !policy.schedules.is_empty() {
        let diagnostic = Diagnostic::error(Code::MissingKey, "schedules need a `timezone`")
            .at_key(
                root.clone(),
                "times of day and days mean nothing without it",
            )
            .help("write, for example, `timezone: Europe/Helsinki` beside `schedules`");
        diagnostics.push(diagnostic);
    }
    let zone = crate::compile::timezone(policy);
    // One is for connections that are handed over.
    let mut taken = BTreeSet::from([OFFLOAD_LABEL]);
    let mut known = BTreeMap::new();
    for (name, written) in &policy.schedules {
        let at = root.name(name.as_str());
        let resolved = schedule(name.as_str(), written, &at, diagnostics).and_then(|schedule| {
            let windows = schedule.windows(&zone);
            if windows.is_empty() {
                diagnostics.push(never_open(name.as_str(), &at));
                return None;
            }
            let cut = match written.on_end {
                None | Some(OnEnd::Keep) => None,
                Some(OnEnd::Cut) => Some(label(name.as_str(), &mut taken, &at, diagnostics)?),
            };
            let told = schedule.told(&zone, &windows);
            Some(model::Schedule {
                windows,
                told,
                cut,
                at,
            })
        });
        known.insert(name.as_str(), resolved);
    }
    known
}

/// The schedule of a rule, if it is known and means something.
pub(super) fn of_rule<'a>(
    name: &str,
    at: DocPath,
    schedules: &BTreeMap<&'a str, Option<model::Schedule>>,
    diagnostics: &mut Diagnostics,
) -> Option<&'a str> {
    if let Some((known, schedule)) = schedules.get_key_value(name) {
        return schedule.as_ref().map(|_| *known);
    }
    let diagnostic = Diagnostic::error(Code::UnknownSchedule, format!("unknown schedule `{name}`"))
        .at(at, "no schedule has this name");
    diagnostics.push(match nearest(name, schedules.keys().copied()) {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None => diagnostic.help("schedules are defined below `schedules:`"),
    });
    None
}

fn schedule(
    name: &str,
    written: &policy::Schedule,
    at: &DocPath,
    diagnostics: &mut Diagnostics,
) -> Option<Schedule> {
    let policy::Schedule {
        days,
        dates,
        except,
        from,
        to,
        on_end: _,
    } = written;
    let hours = match (from, to) {
        (None, None) => None,
        (Some(from), Some(to)) => {
            let hours = Hours {
                from: from.seconds(),
                to: to.seconds(),
            };
            if hours.from == 86_400 {
                let message = format!("the schedule `{name}` cannot open at the end of the day");
                let diagnostic = Diagnostic::error(Code::BadTime, message)
                    .at(at.key("from"), "no clock shows it")
                    .help("write `\"00:00\"`, and the day after");
                diagnostics.push(diagnostic);
                return None;
            }
            if hours.from == hours.to {
                let message = format!("the schedule `{name}` closes when it opens");
                let diagnostic = Diagnostic::error(Code::NeverOpen, message)
                    .at(at.key("from"), "opens")
                    .at(at.key("to"), "and closes")
                    .help("leave `from` and `to` out for the whole day");
                diagnostics.push(diagnostic);
                return None;
            }
            Some(hours)
        }
        (from, _) => {
            let (there, missing) = match from {
                Some(_) => ("from", "to"),
                None => ("to", "from"),
            };
            let message = format!("the schedule `{name}` has `{there}` and no `{missing}`");
            let diagnostic = Diagnostic::error(Code::MissingKey, message)
                .at_key(at.key(there), format!("`{missing}` is missing"))
                .help("write both, or none of them for the whole day");
            diagnostics.push(diagnostic);
            return None;
        }
    };
    Some(Schedule {
        days: days.iter().copied().map(weekday).collect(),
        dates: spans(dates),
        except: spans(except),
        hours,
    })
}

fn spans(written: &[policy::DateRange]) -> Vec<Dates> {
    let dates = written.iter().map(|dates| Dates {
        first: dates.first(),
        last: dates.last(),
    });
    dates.collect()
}

fn weekday(day: Day) -> Weekday {
    match day {
        Day::Mon => Weekday::Monday,
        Day::Tue => Weekday::Tuesday,
        Day::Wed => Weekday::Wednesday,
        Day::Thu => Weekday::Thursday,
        Day::Fri => Weekday::Friday,
        Day::Sat => Weekday::Saturday,
        Day::Sun => Weekday::Sunday,
    }
}

fn never_open(name: &str, at: &DocPath) -> Diagnostic {
    let message = format!("the schedule `{name}` is never open");
    Diagnostic::error(Code::NeverOpen, message)
        .at_key(
            at.clone(),
            "no day from 2026 to 2040 is left by `days`, `dates` and `except`",
        )
        .help("times are compiled from 2026 to 2040; correct the days, or take the schedule out")
}

/// The label for connections of a schedule. It follows from the name, so that another schedule more or less does not
/// change it, but for the rare two that fall on the same.
fn label(
    name: &str,
    taken: &mut BTreeSet<u8>,
    at: &DocPath,
    diagnostics: &mut Diagnostics,
) -> Option<u8> {
    // FNV-1a, 32 bits.
    let hash = name.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    let wish = u8::try_from(hash % u32::from(LABELS)).unwrap_or(0);
    let free = (wish..LABELS)
        .chain(0..wish)
        .find(|label| taken.insert(*label));
    if free.is_none() {
        let message = format!("more than {} schedules with `on_end: cut`", LABELS - 1);
        let diagnostic = Diagnostic::error(Code::TooLarge, message)
            .at(at.key("on_end"), "a connection has no label left for it");
        diagnostics.push(diagnostic);
    }
    free
}

#[cfg(test)]
mod tests {
    use crate::compile::resolve::tests::drafted;

    #[track_caller]
    fn check(schedules: &str, expect: &str) {
        let (_, said) = drafted(&format!(
            "version: 1\ntimezone: Europe/Helsinki\nzones: {{ lan: {{ interfaces: [eth1] }} }}\n\
             schedules:\n  {schedules}\n"
        ));
        assert_eq!(said, expect);
    }

    #[test]
    fn what_is_never_open_is_said() {
        check("a: { from: \"08:00\", to: \"17:00\" }", "");
        check("a: { from: \"22:00\", to: \"02:00\" }", "");
        check("a: { from: \"18:00\", to: \"24:00\" }", "");
        check(
            "a: { from: \"08:00\", to: \"08:00\" }",
            "never-open: the schedule `a` closes when it opens\n",
        );
        check(
            "a: { from: \"24:00\", to: \"08:00\" }",
            "bad-time: the schedule `a` cannot open at the end of the day\n",
        );
        check(
            "a: { to: \"08:00\" }",
            "missing-key: the schedule `a` has `to` and no `from`\n",
        );
        let never = "never-open: the schedule `a` is never open\n";
        check("a: { dates: [2025-11-10..2025-11-13] }", never);
        check("a: { dates: [2041-02-01] }", never);
        check("a: { days: [sun], dates: [2026-11-24] }", never);
        check("a: { dates: [2026-11-24], except: [2026-11-24] }", never);
    }

    #[test]
    fn labels_follow_from_names() {
        let labels = |schedules: &[&str]| {
            let lines: String = schedules
                .iter()
                .map(|name| {
                    format!("  {name}: {{ from: \"08:00\", to: \"09:00\", on_end: cut }}\n")
                })
                .collect();
            let (model, said) = drafted(&format!(
                "version: 1\ntimezone: UTC\nzones: {{ lan: {{ interfaces: [eth1] }} }}\nschedules:\n{lines}"
            ));
            assert_eq!(said, "");
            let labels = model.schedules.into_iter();
            labels
                .map(|(name, schedule)| (name, schedule.cut.unwrap()))
                .collect::<Vec<_>>()
        };
        let (alone, both) = (labels(&["work"]), labels(&["play", "work"]));
        assert_eq!(both[1], alone[0]);
        assert_ne!(both[0].1, both[1].1);
    }
}
