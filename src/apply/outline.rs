//! What is put in force first where no table is: the desired ruleset without most of what its large sets hold.
//!
//! The kernel takes more than a microsecond for each element of a set, and a box whose table somebody has taken away filters
//! nothing meanwhile. So everything else comes first. Of times only those around now are needed: with them a schedule is for
//! a week what it shall be. A large list of addresses is empty at first, which is less than it shall be and more than the
//! nothing that there was. The rest follows at once, as any change of elements does.

use std::ops::Range;

use super::{ApplyError, Options, Outcome, apply};
use crate::bytecode::Program;
use crate::kernel::Kernel;
use crate::live::Live;
use crate::plan::{self, Plan};
use crate::ruleset::{DataType, Elements, Key, Keys, KeysBuilder, Set};

/// Sets of fewer elements are made whole: they take a millisecond.
const LARGE: usize = 1_000;
/// Of times, those that touch so many seconds before and after now: nobody's clock is off by so much.
const AROUND: Range<i64> = -86_400..8 * 86_400;

/// What comes first, at a moment in Unix seconds; `None` when everything may come at once.
pub fn outline(desired: &Program, now: i64) -> Option<Program> {
    let mut outline = desired.clone();
    let mut is_less = false;
    for Set { spec, elements, .. } in &mut outline.sets {
        if let Some(keys) = elements.plain().filter(|keys| LARGE <= keys.len()) {
            is_less = true;
            *elements = match spec.key.as_slice() {
                [DataType::Time] => around(keys, now).into(),
                _ => Elements::default(),
            };
        }
    }
    is_less.then_some(outline)
}

/// The times around now.
fn around(keys: &Keys, now: i64) -> Keys {
    let [first, last] =
        [AROUND.start, AROUND.end].map(|seconds| Key::moment(now.saturating_add(seconds)));
    let near = |(lo, hi): &(&[u8], &[u8])| **hi >= first[..] && **lo < last[..];
    let mut kept = KeysBuilder::new(keys.width(), keys.has_ranges(), 0);
    for (lo, hi) in keys.iter().filter(near) {
        kept.push(lo, hi);
    }
    kept.finish()
}

/// What went wrong of the two.
#[derive(Debug)]
pub struct NotWhole {
    /// Whether the outline is in force.
    pub is_outlined: bool,
    /// What went wrong with it, or with the rest.
    pub error: ApplyError,
}

/// Brings a kernel that has no table of rfw's to the desired ruleset, its outline first. `plan` is the one to do it at once.
///
/// # Errors
/// When either fails.
pub fn apply_outlined(
    kernel: &mut dyn Kernel,
    desired: &Program,
    outline: &Program,
    plan: &Plan,
    options: Options<'_>,
) -> Result<Outcome, NotWhole> {
    let failed = |is_outlined| move |error| NotWhole { is_outlined, error };
    let mark = plan.mark().unwrap_or_default();
    let bare = Live {
        generation: plan.base,
        table: None,
        others: Vec::new(),
    };
    let first = plan::plan(&bare, outline, mark);
    let once = Options {
        wait: &mut *options.wait,
        ..options
    };
    let first = apply(kernel, outline, &first, once).map_err(failed(false))?;
    let Some(live) = &first.live else {
        return Ok(first);
    };
    let rest = plan::plan(live, desired, mark);
    let options = Options {
        recheck: false,
        ..options
    };
    let second = apply(kernel, desired, &rest, options).map_err(failed(true))?;
    Ok(Outcome {
        staged: first.staged + second.staged,
        committed: first.committed + second.committed,
        before: first.before,
        after: second.after,
        retries: first.retries + second.retries,
        live: second.live.or(first.live),
    })
}

#[cfg(test)]
mod tests {
    use super::{LARGE, apply_outlined, outline};
    use crate::apply::Options;
    use crate::bytecode::Program;
    use crate::kernel::{FakeKernel, Kernel};
    use crate::live::Generation;
    use crate::plan::{Operation, plan};
    use crate::ruleset::{DataType, Keys, KeysBuilder, Set, SetKind, SetSpec};

    const DAY: u64 = 86_400;
    const NOW: u64 = 20_000 * DAY;

    fn set(name: &str, key: DataType, keys: Keys) -> Set {
        let mut spec = SetSpec::new(name, vec![key], SetKind::Set);
        spec.interval = keys.has_ranges();
        Set {
            spec,
            elements: keys.into(),
            origin: None,
        }
    }

    /// An hour of each of so many days from this one on.
    fn days(first: u64, number: u64) -> Keys {
        let mut keys = KeysBuilder::new(8, true, 0);
        for day in first..first + number {
            let at = |seconds: u64| ((day * DAY + seconds) * 1_000_000_000).to_be_bytes();
            keys.push(&at(0), &at(3_600));
        }
        keys.finish()
    }

    fn hosts(number: u32) -> Keys {
        let mut keys = KeysBuilder::new(4, false, 0);
        for host in 0..number {
            keys.push(&host.to_be_bytes(), &host.to_be_bytes());
        }
        keys.finish()
    }

    fn desired() -> Program {
        Program {
            sets: vec![
                set("few", DataType::Ipv4Addr, hosts(LARGE as u32 - 1)),
                set("list", DataType::Ipv4Addr, hosts(LARGE as u32)),
                set("times", DataType::Time, days(19_000, 5_000)),
            ],
            ..Program::default()
        }
    }

    fn lengths(program: &Program) -> Vec<usize> {
        let sets = program.sets.iter();
        sets.map(|set| set.elements.iter().count()).collect()
    }

    #[test]
    fn it_lacks_what_is_large_and_not_needed_now() {
        let whole = desired();
        let first = outline(&whole, NOW as i64).unwrap();
        // Yesterday, today and a week.
        assert_eq!(lengths(&first), [LARGE - 1, 0, 9]);
        let times = first.sets[2].elements.plain().unwrap();
        assert_eq!(times, &days(19_999, 9));
        // What is small is made at once, as is what a clock that was never set has no part of.
        assert_eq!(outline(&first, NOW as i64), None);
        assert_eq!(lengths(&outline(&whole, 0).unwrap()), [LARGE - 1, 0, 0]);
    }

    #[test]
    fn the_rest_follows() {
        let (whole, mut kernel) = (desired(), FakeKernel::default());
        let first = outline(&whole, NOW as i64).unwrap();
        let live = kernel.observe().unwrap();
        let plan = plan(&live, &whole, [7; 16]);
        let options = Options {
            attempts: 1,
            wait: &mut |_| {},
            recheck: false,
        };
        let outcome = apply_outlined(&mut kernel, &whole, &first, &plan, options).unwrap();
        let batches = kernel.committed();
        let last = batches.last().unwrap();
        assert!(1 < batches.len());
        assert!(
            last.iter()
                .all(|operation| matches!(operation, Operation::AddElements { .. }))
        );
        let live = kernel.observe().unwrap();
        assert_eq!(outcome.live.as_ref(), Some(&live));
        assert_ne!(outcome.after, Generation(0));
        assert!(super::plan::plan(&live, &whole, [7; 16]).is_empty());
    }
}
