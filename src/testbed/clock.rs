//! Rules as they would be at another time.
//!
//! The clock that rules are compared with is the machine's, and no namespace has one of its own. So the windows are moved: with
//! all moments that the rules know earlier by an hour, the kernel does now what it would do in an hour. Nothing else of the rules
//! changes.

use std::ops::RangeInclusive;

use rustables::sys;

use crate::bytecode::{Instruction, Program, Rule};
use crate::ruleset::{DataType, Element, Key, Set};

/// A second in nanoseconds.
pub(super) const SECOND: u64 = 1_000_000_000;
/// A day in nanoseconds. Windows that are further away are left out: nobody asks for them before the rules are loaded again.
const NEAR: u64 = 86_400_000_000_000;

/// What time it is, in nanoseconds since 1970.
#[expect(
    clippy::disallowed_methods,
    reason = "the kernel compares packets with the clock of the machine"
)]
pub(super) fn now() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    })
}

/// Whether a program asks what time it is.
pub(super) fn asks(program: &Program) -> bool {
    instructions(program).any(|it| time_key(it).is_some())
}

/// The program that does now what this one does when it is `then`, to the second; both in nanoseconds since 1970. `None` where a
/// rule asks for the time in another way than by sets of moments, or of days and hours.
pub(super) fn moved(program: &Program, now: u64, then: u64) -> Option<Program> {
    let by = i64::try_from(now / SECOND).ok()? - i64::try_from(then / SECOND).ok()?;
    let mut known = Vec::new();
    let mut moved = program.clone();
    for Set {
        spec,
        elements,
        origin: _,
    } in moved.sets.iter_mut().filter(|set| set.spec.interval)
    {
        let change: &dyn Fn(Element) -> Vec<Element> = match spec.key.as_slice() {
            [DataType::Time] => &|element| later(element, by, now).into_iter().collect(),
            key if key == DataType::SLOT => &|element| turned(&element, by),
            _ => continue,
        };
        known.push(spec.name.as_str());
        elements.edit(|elements| {
            *elements = std::mem::take(elements)
                .into_iter()
                .flat_map(change)
                .collect();
            elements.sort();
        });
    }
    let mut rules = program.chains.iter().flat_map(|chain| &chain.rules);
    let is_known = |rule: &Rule| {
        let mut asked = false;
        rule.instructions
            .iter()
            .all(|instruction| match instruction {
                _ if time_key(instruction).is_some() => {
                    asked = true;
                    true
                }
                // In ranges it is turned around first.
                Instruction::Byteorder { .. } => true,
                Instruction::Lookup { set, .. } => {
                    !std::mem::take(&mut asked) || known.contains(&set.as_str())
                }
                _ => !asked,
            })
    };
    rules.all(is_known).then_some(moved)
}

/// An element of moments moved by so many seconds, if it is about a time near enough to now.
fn later(element: Element, by: i64, now: u64) -> Option<Element> {
    let moved = |bytes: &[u8]| {
        let moment = bytes.try_into().map_or(0, u64::from_be_bytes);
        i128::from(moment) + i128::from(by) * i128::from(SECOND)
    };
    let (lo, hi) = (moved(&element.key.lo), moved(element.key.last()));
    if hi < i128::from(now.saturating_sub(NEAR)) || i128::from(now.saturating_add(NEAR)) < lo {
        return None;
    }
    let number = |moment: i128| u64::try_from(moment.max(0)).unwrap_or(u64::MAX);
    let (lo, hi) = (number(lo), number(hi));
    Some(Element {
        key: Key::range(lo.to_be_bytes(), hi.to_be_bytes()),
        ..element
    })
}

/// Days and hours moved by so many seconds: what goes over midnight is on the next day, and what goes over Saturday on the first.
fn turned(element: &Element, by: i64) -> Vec<Element> {
    const DAY: i64 = 86_400;
    const EVERY: RangeInclusive<u8> = 0..=6;
    let Some((days, hours)) = element.key.as_slot() else {
        return vec![element.clone()];
    };
    let [from, to] = [hours.start(), hours.end()].map(|hour| i64::from(*hour) + by.rem_euclid(DAY));
    let later = by.div_euclid(DAY);
    // Before and after a midnight.
    let parts = [
        (later, from, to.min(DAY - 1)),
        (later + 1, (from - DAY).max(0), to - DAY),
    ];
    let mut turned = Vec::new();
    for (later, from, to) in parts.into_iter().filter(|(_, from, to)| from <= to) {
        let on = |day: u8| u8::try_from((i64::from(day) + later).rem_euclid(7)).unwrap_or(0);
        let runs = match (on(*days.start()), on(*days.end())) {
            _ if days == EVERY => vec![EVERY],
            (first, last) if first <= last => vec![first..=last],
            (first, last) => vec![0..=last, first..=6],
        };
        let second = |number: i64| u32::try_from(number).unwrap_or(0);
        turned.extend(runs.into_iter().map(|days| Element {
            key: Key::slot(days, second(from)..=second(to)),
            ..element.clone()
        }));
    }
    turned
}

fn instructions(program: &Program) -> impl Iterator<Item = &Instruction> {
    let rules = program.chains.iter().flat_map(|chain| &chain.rules);
    rules.flat_map(|rule| &rule.instructions)
}

/// What it asks of the time.
fn time_key(instruction: &Instruction) -> Option<u32> {
    const KEYS: [u32; 3] = [
        sys::NFT_META_TIME_NS,
        sys::NFT_META_TIME_DAY,
        sys::NFT_META_TIME_HOUR,
    ];
    match instruction {
        Instruction::Meta { key, to: _ } => KEYS.contains(key).then_some(*key),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{SECOND, asks, moved};
    use crate::bytecode::{Chain, Instruction, LookupResult, Program, Register, Rule};
    use crate::ruleset::{DataType, Element, Key, Set, SetKind, SetSpec};
    use rustables::sys;

    fn program(key: &[DataType], elements: Vec<Key>, instructions: Vec<Instruction>) -> Program {
        let mut spec = SetSpec::new("open", key.to_vec(), SetKind::Set);
        spec.interval = true;
        let element = |key| Element {
            key,
            datum: None,
            name: None,
            count: None,
        };
        let elements: Vec<Element> = elements.into_iter().map(element).collect();
        Program {
            sets: vec![Set {
                spec,
                elements: elements.into(),
                origin: None,
            }],
            objects: Vec::new(),
            chains: vec![Chain {
                name: "c".to_owned(),
                base: None,
                rules: vec![Rule {
                    name: None,
                    instructions,
                    origin: None,
                }],
            }],
        }
    }

    fn moments(instructions: Vec<Instruction>) -> Program {
        let window =
            |lo: u64, hi: u64| Key::range((lo * SECOND).to_be_bytes(), (hi * SECOND).to_be_bytes());
        let windows = vec![window(10, 20), window(100, 200)];
        program(&[DataType::Time], windows, instructions)
    }

    fn load(key: u32) -> Instruction {
        let to = Register(0);
        Instruction::Meta { key, to }
    }

    fn lookup() -> Instruction {
        Instruction::Lookup {
            set: "open".to_owned(),
            from: Register(0),
            result: LookupResult::Member { inverted: false },
        }
    }

    /// In seconds.
    #[track_caller]
    fn check(now: u64, then: u64, expect: &[(u64, u64)]) {
        let moments = moments(vec![load(sys::NFT_META_TIME_NS), lookup()]);
        let moved = moved(&moments, now * SECOND + 7, then * SECOND + 5).unwrap();
        let windows: Vec<(u64, u64)> = moved.sets[0]
            .elements
            .iter()
            .map(|it| {
                let number = |bytes: &[u8]| u64::from_be_bytes(bytes.try_into().unwrap()) / SECOND;
                (number(&it.key.lo), number(it.key.last()))
            })
            .collect();
        assert_eq!(windows, expect);
    }

    #[test]
    fn windows_move_with_the_clock() {
        check(5, 5, &[(10, 20), (100, 200)]);
        // What shall be in 50 has to be now.
        check(0, 50, &[(50, 150)]);
        check(1000, 15, &[(995, 1005), (1085, 1185)]);
        check(0, 15, &[(0, 5), (85, 185)]);
        // Those of other days do not count.
        let day = 86_400;
        check(10 * day, 3 * day, &[]);
        let (first, last) = (
            (10 * day - 40, 10 * day - 30),
            (10 * day + 50, 10 * day + 150),
        );
        check(10 * day, 50, &[first, last]);
    }

    /// A slot `by` hours later.
    #[track_caller]
    fn check_slot(days: (u8, u8), hours: (u32, u32), by: i64, expect: &[&str]) {
        let slot = Key::slot(days.0..=days.1, hours.0 * 3_600..=hours.1 * 3_600);
        let ask = [sys::NFT_META_TIME_DAY, sys::NFT_META_TIME_HOUR];
        let instructions = ask.map(load).into_iter().chain([lookup()]).collect();
        let program = program(&DataType::SLOT, vec![slot], instructions);
        let (now, then) = (100 * 3_600, u64::try_from((100 - by) * 3_600).unwrap());
        let moved = moved(&program, now * SECOND, then * SECOND).unwrap();
        let slots: Vec<String> = moved.sets[0]
            .elements
            .iter()
            .map(|it| {
                let (days, hours) = it.key.as_slot().unwrap();
                let [from, to] = [hours.start(), hours.end()].map(|it| it / 3_600);
                format!("{}-{} {from}-{to}", days.start(), days.end())
            })
            .collect();
        assert_eq!(slots, expect);
    }

    #[test]
    fn slots_turn_with_the_clock() {
        check_slot((1, 5), (6, 8), 0, &["1-5 6-8"]);
        check_slot((1, 5), (6, 8), 2, &["1-5 8-10"]);
        check_slot((1, 5), (6, 8), 26, &["2-6 8-10"]);
        check_slot((1, 5), (6, 8), -8, &["0-4 22-23", "1-5 0-0"]);
        check_slot((5, 6), (6, 8), 24, &["0-0 6-8", "6-6 6-8"]);
        check_slot((0, 6), (6, 8), 20, &["0-6 2-4"]);
        check_slot((6, 6), (6, 8), 17, &["0-0 0-1", "6-6 23-23"]);
    }

    #[test]
    fn other_clocks_are_not_moved() {
        let hour = moments(vec![load(sys::NFT_META_TIME_HOUR), lookup()]);
        assert!(asks(&hour));
        assert!(!asks(&moments(vec![load(sys::NFT_META_IIF), lookup()])));
        let other = Instruction::Lookup {
            set: "other".to_owned(),
            from: Register(0),
            result: LookupResult::Member { inverted: false },
        };
        let other = moments(vec![load(sys::NFT_META_TIME_HOUR), other]);
        assert_eq!(moved(&other, 0, SECOND), None);
        let compare = Instruction::Cmp {
            from: Register(0),
            op: crate::bytecode::Comparison::Lt,
            data: vec![0; 8],
        };
        let compare = moments(vec![load(sys::NFT_META_TIME_NS), compare]);
        assert_eq!(moved(&compare, 0, SECOND), None);
    }
}
