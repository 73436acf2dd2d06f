//! Schedules as they are compiled, against what the clock on the wall shows by the time zone library.

use jiff::civil::{Date, Weekday, date};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{SignedDuration, Timestamp};
use rfw::compile::{compile, lower, resolve};
use rfw::diagnostic::SourceText;
use rfw::policy::{Policy, parse};
use rfw::ruleset::{DataType, Set};
use rfw::schedule::{BEGIN, HORIZON};

/// Ahead of and behind UTC, by hours, by 45 and by 30 minutes; with and without daylight saving, by an hour and by half of
/// one, at midnight, in both hemispheres, negative (Dublin), and around Ramadan (Casablanca, Gaza).
const ZONES: [&str; 20] = [
    "UTC",
    "Europe/Helsinki",
    "Europe/Dublin",
    "Asia/Kathmandu",
    "Asia/Kolkata",
    "Asia/Tokyo",
    "Asia/Gaza",
    "Asia/Beirut",
    "Africa/Casablanca",
    "Africa/Cairo",
    "America/New_York",
    "America/St_Johns",
    "America/Havana",
    "America/Santiago",
    "America/Phoenix",
    "Australia/Lord_Howe",
    "Pacific/Auckland",
    "Pacific/Chatham",
    "Pacific/Kiritimati",
    "Pacific/Pago_Pago",
];

/// What a schedule should be, told apart from how it is compiled.
struct Case {
    text: &'static str,
    days: &'static [Weekday],
    dates: Option<(Date, Date)>,
    except: Option<(Date, Date)>,
    /// Minutes.
    hours: Option<(i64, i64)>,
}

const WORK: &[Weekday] = &[
    Weekday::Monday,
    Weekday::Tuesday,
    Weekday::Wednesday,
    Weekday::Thursday,
    Weekday::Friday,
];

/// Windows that begin and end where clocks are moved (00:00 to 03:59), over midnight, whole days, none at all.
const CASES: [Case; 8] = [
    Case {
        text: "{ days: [mon, tue, wed, thu, fri], from: '08:00', to: '17:00' }",
        days: WORK,
        dates: None,
        except: None,
        hours: Some((480, 1020)),
    },
    Case {
        text: "{ days: [mon, tue, wed, thu, fri], from: '22:00', to: '02:00' }",
        days: WORK,
        dates: None,
        except: None,
        hours: Some((1320, 120)),
    },
    Case {
        text: "{ days: [sat], from: '01:45', to: '01:15' }",
        days: &[Weekday::Saturday],
        dates: None,
        except: None,
        hours: Some((105, 75)),
    },
    Case {
        text: "{ days: [sun], from: '02:15', to: '02:45' }",
        days: &[Weekday::Sunday],
        dates: None,
        except: None,
        hours: Some((135, 165)),
    },
    Case {
        text: "{ days: [sat, sun], from: '00:00', to: '00:30' }",
        days: &[Weekday::Saturday, Weekday::Sunday],
        dates: None,
        except: None,
        hours: Some((0, 30)),
    },
    Case {
        text: "{ from: '23:30', to: '03:10', except: ['2026-12-24..2027-01-06'] }",
        days: &[],
        dates: None,
        except: Some((date(2026, 12, 24), date(2027, 1, 6))),
        hours: Some((1410, 190)),
    },
    Case {
        text: "{ days: [sun], dates: ['2027-03-01..2031-11-30'] }",
        days: &[Weekday::Sunday],
        dates: Some((date(2027, 3, 1), date(2031, 11, 30))),
        except: None,
        hours: None,
    },
    Case {
        text: "{ dates: ['2028-02-29'], from: '18:00', to: '24:00' }",
        days: &[],
        dates: Some((date(2028, 2, 29), date(2028, 2, 29))),
        except: None,
        hours: Some((1080, 1440)),
    },
];

/// A policy with all cases, each used by a rule.
fn policy(zone: &str) -> Policy {
    let schedules: String = CASES
        .iter()
        .enumerate()
        .map(|(at, case)| format!("  s{at}: {}\n", case.text))
        .collect();
    let rules: String = (0..CASES.len())
        .map(|at| format!("      - {{ name: r{at}, services: [{{ tcp: [{}] }}], schedule: s{at}, action: accept }}\n", 1000 + at))
        .collect();
    let text = format!(
        "version: 1\ntimezone: {zone}\nzones: {{ lan: {{ interfaces: [eth1] }} }}\nschedules:\n{schedules}\
         policies:\n  - name: in\n    from: lan\n    to: firewall\n    rules:\n{rules}"
    );
    let parsed = parse(&[SourceText {
        name: "test.yaml".into(),
        text: text.into(),
    }]);
    parsed
        .policy
        .unwrap_or_else(|| panic!("{:?}", parsed.diagnostics))
}

/// When the kernel finds the clock in the sets of a schedule: ranges in nanoseconds, both ends included, in order.
fn ranges(sets: &[Set], schedule: &str) -> Vec<(u64, u64)> {
    let number = |key: &[u8]| {
        let digits = key.iter();
        digits.fold(0, |number, byte| number << 8 | u64::from(*byte))
    };
    let named = |name: &str| sets.iter().find(|set| set.spec.name == name);
    let times = sets.iter().filter(|set| {
        let name = set.spec.name.strip_prefix("schedule/");
        let rest = name.and_then(|name| name.strip_prefix(schedule));
        rest.is_some_and(|rest| !rest.ends_with(".week"))
    });
    let mut ranges = Vec::new();
    for set in times {
        assert_eq!(set.spec.key, [DataType::Time]);
        assert!(set.spec.interval);
        let week = named(&format!("{}.week", set.spec.name));
        for element in set.elements.iter() {
            let (first, last) = (number(&element.key.lo), number(element.key.last()));
            match week {
                Some(week) => ranges.extend(slots(week, first, last)),
                None => ranges.push((first, last)),
            }
        }
    }
    ranges.sort_unstable();
    let mut joined: Vec<(u64, u64)> = Vec::new();
    for (lo, hi) in ranges {
        match joined.last_mut() {
            // Over midnight.
            Some(last) if last.1 + 1 == lo => last.1 = hi,
            last => {
                assert!(last.is_none_or(|last| last.1 < lo), "disjoint");
                joined.push((lo, hi));
            }
        }
    }
    joined
}

/// When the clock is in a week between two moments.
fn slots(week: &Set, first: u64, last: u64) -> Vec<(u64, u64)> {
    const SECOND: u64 = 1_000_000_000;
    assert_eq!(week.spec.key, [DataType::Day, DataType::Hour]);
    let mut ranges = Vec::new();
    for element in week.elements.iter() {
        let (lo, hi) = (&*element.key.lo, element.key.last());
        let hour = |key: &[u8]| u64::from(u32::from_be_bytes(key[4..].try_into().unwrap()));
        for day in first / SECOND / 86_400..=last / SECOND / 86_400 {
            // 1970-01-01 was a Thursday, which is number 4.
            if (lo[0]..=hi[0]).contains(&u8::try_from((day + 4) % 7).unwrap()) {
                let from = (day * 86_400 + hour(lo)) * SECOND;
                let to = (day * 86_400 + hour(hi) + 1) * SECOND - 1;
                if from.max(first) <= to.min(last) {
                    ranges.push((from.max(first), to.min(last)));
                }
            }
        }
    }
    ranges
}

/// Ranges that are asked about one moment after the other.
struct Reader<'a> {
    rest: &'a [(u64, u64)],
}

impl Reader<'_> {
    /// Whether the kernel finds a moment of a second after 1970 in the ranges: a nanosecond inside it, because the one
    /// with which a second begins still belongs to a window that ends there.
    fn has(&mut self, second: i64) -> bool {
        let moment = u64::try_from(second).unwrap() * 1_000_000_000 + 1;
        while let [(lo, hi), rest @ ..] = self.rest {
            if moment <= *hi {
                return *lo <= moment;
            }
            self.rest = rest;
        }
        false
    }
}

impl Case {
    /// Whether a window begins on a day.
    fn begins_on(&self, day: Date) -> bool {
        let within = |span: (Date, Date)| span.0 <= day && day <= span.1;
        (self.days.is_empty() || self.days.contains(&day.weekday()))
            && self.dates.is_none_or(within)
            && !self.except.is_some_and(within)
    }

    /// The definition: what the clock on the wall shows, and nothing else.
    fn is_open(&self, day: Date, minute: i64) -> bool {
        match self.hours {
            None => self.begins_on(day),
            Some((from, to)) if from < to => from <= minute && minute < to && self.begins_on(day),
            Some((from, to)) => {
                (from <= minute && self.begins_on(day))
                    || (minute < to && self.begins_on(day.yesterday().unwrap()))
            }
        }
    }

    fn is_open_at(&self, second: i64, zone: &TimeZone) -> bool {
        let wall = zone.to_datetime(Timestamp::from_second(second).unwrap());
        let minute = i64::from(wall.hour()) * 60 + i64::from(wall.minute());
        self.is_open(wall.date(), minute)
    }
}

fn sets(policy: &Policy) -> Vec<Vec<(u64, u64)>> {
    let (model, diagnostics) = resolve(policy.clone(), date(2026, 11, 24));
    let model = model.unwrap_or_else(|| panic!("{diagnostics:?}"));
    let ruleset = lower(&model);
    (0..CASES.len())
        .map(|at| ranges(&ruleset.sets, &format!("s{at}")))
        .collect()
}

/// Asks the clock of the zone at each of these seconds, which go up.
fn compare(zone_name: &str, seconds: impl Iterator<Item = i64>) {
    let zone = TimeZoneDatabase::bundled().get(zone_name).unwrap();
    let compiled = sets(&policy(zone_name));
    let mut readers: Vec<Reader<'_>> = compiled.iter().map(|rest| Reader { rest }).collect();
    for second in seconds {
        let wall = zone.to_datetime(Timestamp::from_second(second).unwrap());
        let minute = i64::from(wall.hour()) * 60 + i64::from(wall.minute());
        for (case, reader) in CASES.iter().zip(&mut readers) {
            assert_eq!(
                reader.has(second),
                case.is_open(wall.date(), minute),
                "{zone_name}: {} at {wall}",
                case.text
            );
        }
    }
}

/// Runs a check for every zone, on two processors.
fn each_zone(check: impl Fn(&str) + Sync) {
    std::thread::scope(|scope| {
        for half in ZONES.chunks(ZONES.len() / 2) {
            scope.spawn(|| half.iter().for_each(|zone| check(zone)));
        }
    });
}

/// Each second at which something is compiled to change: before it and after it.
fn every_boundary(zone_name: &str) {
    let zone = TimeZoneDatabase::bundled().get(zone_name).unwrap();
    let compiled = sets(&policy(zone_name));
    for (case, ranges) in CASES.iter().zip(&compiled) {
        assert!(!ranges.is_empty());
        for (lo, hi) in ranges {
            let seconds = |nanoseconds: u64| {
                assert_eq!(nanoseconds % 1_000_000_000, 0);
                i64::try_from(nanoseconds / 1_000_000_000).unwrap()
            };
            // A window of moments has the very nanosecond with which it closes, a slot has not.
            let (start, end) = (seconds(*lo), seconds(hi + hi % 2));
            let open = |second| case.is_open_at(second, &zone);
            assert!(open(start) && open(end - 1), "{zone_name}: {}", case.text);
            // Nothing is open outside of the time for which is compiled.
            assert!(
                start == BEGIN || !open(start - 1),
                "{zone_name}: {}",
                case.text
            );
            assert!(end == HORIZON || !open(end), "{zone_name}: {}", case.text);
        }
    }
}

/// How many elements a working week, nights over midnight, and the hour after midnight on weekends have: one for each time that
/// the clocks are moved until 2040, and the week; window by window only where nft could not show the hours.
#[test]
fn schedules_are_small() {
    let check = |zone: &str, expect: [usize; 3]| {
        let model = resolve(policy(zone), date(2026, 11, 24)).0.unwrap();
        let ruleset = lower(&model);
        let elements = |schedule: &str| -> usize {
            let sets = ruleset.sets.iter();
            let sets = sets.filter(|set| set.spec.name.starts_with(schedule));
            sets.map(|set| set.elements.len()).sum()
        };
        let found = ["schedule/s0", "schedule/s1", "schedule/s4"].map(elements);
        assert_eq!(found, expect, "{zone}");
    };
    check("UTC", [2, 3, 3]);
    check("Asia/Tokyo", [3, 2, 2]);
    check("Asia/Kathmandu", [2, 2, 2]);
    check("Europe/Helsinki", [33, 33, 33]);
    check("Australia/Lord_Howe", [35, 33, 33]);
    check("America/New_York", [33, 3_913, 1_566]);
    check("America/Phoenix", [2, 3_913, 3]);
}

#[test]
fn every_boundary_is_one_of_the_clock_on_the_wall() {
    each_zone(every_boundary);
}

#[test]
fn every_minute_of_fifteen_years_is_as_the_clock_on_the_wall_says() {
    each_zone(|zone| compare(zone, (BEGIN..HORIZON).step_by(60)));
}

#[test]
fn a_plan_tomorrow_is_empty() {
    let policy = policy("Europe/Helsinki");
    let on = |day: Date| {
        let compiled = compile(policy.clone(), day).0.unwrap();
        rfw::bytecode::linearize(compiled.ruleset)
    };
    let today = on(date(2026, 11, 24));
    for day in [date(2026, 11, 25), date(2026, 3, 29), date(2040, 12, 30)] {
        assert_eq!(on(day), today);
    }
}

/// The clocks of the zones do what the cases are there for.
#[test]
fn the_zones_have_gaps_and_overlaps() {
    let mut jumps = std::collections::BTreeSet::new();
    for name in ZONES {
        let zone = TimeZoneDatabase::bundled().get(name).unwrap();
        let begin = Timestamp::from_second(BEGIN).unwrap();
        let changes = zone.following(begin);
        for change in changes.take_while(|change| change.timestamp().as_second() < HORIZON) {
            let before = change.timestamp() - SignedDuration::from_secs(1);
            let jump = change.offset().seconds() - zone.to_offset(before).seconds();
            jumps.insert(jump / 60);
        }
    }
    assert_eq!(jumps.into_iter().collect::<Vec<_>>(), [-60, -30, 30, 60]);
}
