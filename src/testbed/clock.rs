//! Rules as they would be at another time.
//!
//! The clock that rules are compared with is the machine's, and no namespace has one of its own. So the windows are moved: with
//! all moments that the rules know earlier by an hour, the kernel does now what it would do in an hour. Nothing else of the rules
//! changes.

use rustables::sys;

use crate::bytecode::{Instruction, Program};
use crate::ruleset::{DataType, Element, Key, Set};

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

/// The program that does now what this one does when it is `then`; both in nanoseconds since 1970. `None` where a rule asks for
/// the time in another way than by sets of moments.
pub(super) fn moved(program: &Program, now: u64, then: u64) -> Option<Program> {
    let mut rules = program.chains.iter().flat_map(|chain| &chain.rules);
    let is_plain = rules.all(|rule| {
        let mut at = rule.instructions.iter().peekable();
        while let Some(instruction) = at.next() {
            match time_key(instruction) {
                None => {}
                Some(sys::NFT_META_TIME_NS) => {
                    // In ranges it is turned around first.
                    if let Some(Instruction::Byteorder { .. }) = at.peek() {
                        at.next();
                    }
                    if !matches!(at.next(), Some(Instruction::Lookup { .. })) {
                        return false;
                    }
                }
                Some(_) => return false,
            }
        }
        true
    });
    let by = i128::from(now) - i128::from(then);
    let mut moved = program.clone();
    for Set {
        spec,
        elements,
        origin: _,
    } in &mut moved.sets
    {
        match spec.key.as_slice() {
            [DataType::Time] if spec.interval => {}
            fields if fields.contains(&DataType::Time) => return None,
            _ => continue,
        }
        elements.edit(|elements| {
            let all = std::mem::take(elements).into_iter();
            *elements = all.filter_map(|element| later(element, by, now)).collect();
        });
    }
    is_plain.then_some(moved)
}

/// An element of moments moved, if it is about a time near enough to now.
fn later(element: Element, by: i128, now: u64) -> Option<Element> {
    let moment = |bytes: &[u8]| {
        let moment = bytes.try_into().map(u64::from_be_bytes);
        moment.map_or(0, i128::from) + by
    };
    let (lo, hi) = (moment(&element.key.lo), moment(element.key.last()));
    let (from, to) = (now.saturating_sub(NEAR), now.saturating_add(NEAR));
    if hi < i128::from(from) || i128::from(to) < lo {
        return None;
    }
    let number = |moment: i128| u64::try_from(moment.max(0)).unwrap_or(u64::MAX);
    let (lo, hi) = (number(lo), number(hi));
    Some(Element {
        key: Key::range(lo.to_be_bytes(), hi.to_be_bytes()),
        ..element
    })
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
    use super::{asks, moved};
    use crate::bytecode::{Chain, Instruction, LookupResult, Program, Register, Rule};
    use crate::ruleset::{DataType, Element, Key, Set, SetKind, SetSpec};
    use rustables::sys;

    fn program(key: u32, then: Instruction) -> Program {
        let mut spec = SetSpec::new("open", vec![DataType::Time], SetKind::Set);
        spec.interval = true;
        let window = |lo: u64, hi: u64| Element {
            key: Key::range(lo.to_be_bytes(), hi.to_be_bytes()),
            datum: None,
            name: None,
            count: None,
        };
        Program {
            sets: vec![Set {
                spec,
                elements: vec![window(10, 20), window(100, 200)].into(),
                origin: None,
            }],
            objects: Vec::new(),
            chains: vec![Chain {
                name: "c".to_owned(),
                base: None,
                rules: vec![Rule {
                    name: None,
                    instructions: vec![
                        Instruction::Meta {
                            key,
                            to: Register(0),
                        },
                        then,
                    ],
                    origin: None,
                }],
            }],
        }
    }

    fn lookup() -> Instruction {
        Instruction::Lookup {
            set: "open".to_owned(),
            from: Register(0),
            result: LookupResult::Member { inverted: false },
        }
    }

    #[track_caller]
    fn check(now: u64, then: u64, expect: &[(u64, u64)]) {
        let moved = moved(&program(sys::NFT_META_TIME_NS, lookup()), now, then).unwrap();
        let windows: Vec<(u64, u64)> = moved.sets[0]
            .elements
            .iter()
            .map(|it| {
                let number = |bytes: &[u8]| u64::from_be_bytes(bytes.try_into().unwrap());
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
        let day = 86_400_000_000_000;
        check(10 * day, 3 * day, &[]);
        let (first, last) = (
            (10 * day - 40, 10 * day - 30),
            (10 * day + 50, 10 * day + 150),
        );
        check(10 * day, 50, &[first, last]);
    }

    #[test]
    fn other_clocks_are_not_moved() {
        assert!(asks(&program(sys::NFT_META_TIME_HOUR, lookup())));
        assert!(!asks(&program(sys::NFT_META_IIF, lookup())));
        assert_eq!(
            moved(&program(sys::NFT_META_TIME_HOUR, lookup()), 0, 1),
            None
        );
        let compare = Instruction::Cmp {
            from: Register(0),
            op: crate::bytecode::Comparison::Lt,
            data: vec![0; 8],
        };
        assert_eq!(moved(&program(sys::NFT_META_TIME_NS, compare), 0, 1), None);
    }
}
