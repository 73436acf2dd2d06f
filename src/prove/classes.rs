//! Values that no rule tells apart, and one of each kind.

use std::collections::{BTreeMap, BTreeSet};

use super::compare::full;
use super::distinguish::Shape;

/// Values of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Class {
    /// One of them, as people like to see it.
    pub(super) value: u128,
    /// Another of them, if there is one.
    pub(super) other: Option<u128>,
    /// Where all of them are, bounds inclusive; others may be between them.
    pub(super) spans: Vec<(u128, u128)>,
    signature: Vec<u64>,
}

/// The kinds of values in a domain, by what they are compared with. `liked` is taken where it is as good as any other.
pub(super) fn classes(shapes: &[&Shape], domain: &[(u128, u128)], liked: u128) -> Vec<Class> {
    let mut starts: BTreeSet<u128> = BTreeSet::new();
    let mut bound = |(lo, hi): (u128, u128)| {
        starts.insert(lo);
        if let Some(next) = hi.checked_add(1) {
            starts.insert(next);
        }
    };
    domain.iter().copied().for_each(&mut bound);
    let mut suffixes = Vec::new();
    for shape in shapes {
        match shape {
            Shape::Spans(spans) => spans.iter().copied().for_each(&mut bound),
            Shape::Suffix(bits, value) => suffixes.push((*bits, *value)),
        }
    }
    let starts: Vec<u128> = starts.into_iter().collect();
    let mut known: BTreeMap<Vec<u64>, Class> = BTreeMap::new();
    // How many spans of each shape begin before a value: the values go up, so that no span is looked for.
    let mut begun = vec![0; shapes.len()];
    for (index, lo) in starts.iter().enumerate() {
        let next = starts.get(index + 1);
        let hi = next.map_or(u128::MAX, |next| next - 1);
        if !is_inside(domain, *lo) {
            continue;
        }
        // Between two bounds all values are in the same spans.
        let of_spans = of_spans(shapes, *lo, &mut begun);
        for value in candidates(*lo, hi, &suffixes, liked) {
            let mut signature = of_spans.clone();
            if !suffixes.is_empty() {
                add_suffixes(shapes, value, &mut signature);
            }
            let class = known.entry(signature.clone()).or_insert_with(|| Class {
                value,
                other: None,
                spans: Vec::new(),
                signature,
            });
            if class.spans.last() != Some(&(*lo, hi)) {
                class.spans.push((*lo, hi));
            }
            if rank(value, liked) < rank(class.value, liked) {
                class.other = Some(class.value);
                class.value = value;
            } else if value != class.value {
                class.other = Some(value);
            }
        }
    }
    known.into_values().collect()
}

impl Class {
    /// Its values, from the lowest on.
    pub(super) fn values<'c>(&'c self, shapes: &'c [&Shape]) -> impl Iterator<Item = u128> + 'c {
        let has_suffix = shapes
            .iter()
            .any(|shape| matches!(shape, Shape::Suffix(..)));
        self.spans
            .iter()
            .flat_map(|(lo, hi)| *lo..=*hi)
            .filter(move |value| !has_suffix || signature(shapes, *value) == self.signature)
    }
}

/// Values of a run between two bounds that are of every kind that is in it: with every suffix that is asked for, and with
/// none. A few more of each, because a value with one suffix may also have a longer one.
fn candidates(lo: u128, hi: u128, suffixes: &[(u32, u128)], liked: u128) -> BTreeSet<u128> {
    let mut values = BTreeSet::from([lo]);
    values.extend(Some(liked).filter(|liked| lo <= *liked && *liked <= hi));
    values.extend(lo.checked_add(1).filter(|value| *value <= hi));
    if suffixes.is_empty() {
        return values;
    }
    // As many values follow each other without one of some suffixes at most; short suffixes come again soon.
    const SHORT: u32 = 12;
    let shortest = suffixes.iter().map(|(bits, _)| *bits);
    let longest_short = shortest.filter(|bits| *bits <= SHORT).max();
    let period = longest_short.map_or(0, |bits| 2u128 << bits);
    let more = suffixes.len() as u128 + 1 + period;
    values.extend((0..=more).filter_map(|step| lo.checked_add(step)));
    for (bits, value) in suffixes {
        let high = lo.checked_shr(*bits).unwrap_or(0);
        let with = (0..=more + 1).filter_map(|step| {
            let high = high.checked_add(step)?;
            let shifted = high.checked_shl(*bits).unwrap_or(0);
            (shifted.checked_shr(*bits).unwrap_or(0) == high).then_some(shifted | value)
        });
        values.extend(with);
    }
    values.retain(|value| lo <= *value && *value <= hi);
    values
}

fn signature(shapes: &[&Shape], value: u128) -> Vec<u64> {
    let begun = shapes.iter().map(|shape| match shape {
        Shape::Spans(spans) => spans.partition_point(|(lo, _)| *lo <= value),
        Shape::Suffix(..) => 0,
    });
    let mut bits = of_spans(shapes, value, &mut begun.collect::<Vec<_>>());
    add_suffixes(shapes, value, &mut bits);
    bits
}

/// Which spans a value is in. `begun` is how many spans of each shape begin before it, or fewer.
fn of_spans(shapes: &[&Shape], value: u128, begun: &mut [usize]) -> Vec<u64> {
    let mut bits = vec![0; shapes.len().div_ceil(64)];
    for ((index, shape), begun) in shapes.iter().enumerate().zip(begun) {
        let Shape::Spans(spans) = shape else {
            continue;
        };
        while spans.get(*begun).is_some_and(|(lo, _)| *lo <= value) {
            *begun += 1;
        }
        let last = begun.checked_sub(1).and_then(|at| spans.get(at));
        if last.is_some_and(|(_, hi)| value <= *hi) {
            put(&mut bits, index);
        }
    }
    bits
}

/// Which suffixes a value has.
fn add_suffixes(shapes: &[&Shape], value: u128, bits: &mut [u64]) {
    for (index, shape) in shapes.iter().enumerate() {
        if let Shape::Suffix(width, suffix) = shape
            && value & full(*width) == *suffix
        {
            put(bits, index);
        }
    }
}

fn put(bits: &mut [u64], index: usize) {
    if let Some(word) = bits.get_mut(index / 64) {
        *word |= 1 << (index % 64);
    }
}

/// Whether a value is in sorted spans; they may overlap where a later one does not begin before an earlier one.
pub(super) fn is_inside(spans: &[(u128, u128)], value: u128) -> bool {
    let after = spans.partition_point(|(lo, _)| *lo <= value);
    after
        .checked_sub(1)
        .and_then(|at| spans.get(at))
        .is_some_and(|(_, hi)| value <= *hi)
}

/// Lower is nicer: the one that is liked, then those that do not look like the address of a network.
fn rank(value: u128, liked: u128) -> (bool, bool, u128) {
    let low = value & 0xff;
    (value != liked, low == 0 || low == 0xff, value)
}

#[cfg(test)]
mod tests {
    use super::{classes, signature};
    use crate::prove::distinguish::Shape;
    use proptest::prelude::*;
    use std::collections::BTreeSet;
    use std::rc::Rc;

    fn shape() -> impl Strategy<Value = Shape> {
        let span = (0u128..256, 0u128..256).prop_map(|(a, b)| (a.min(b), a.max(b)));
        prop_oneof![
            span.prop_map(|span| Shape::Spans(Rc::new(vec![span]))),
            (1u32..8, 0u128..256)
                .prop_map(|(bits, value)| { Shape::Suffix(bits, value & ((1 << bits) - 1)) }),
        ]
    }

    proptest! {
        /// Of every kind that there is in a domain of 256 values one is found, and none of a kind that there is not.
        #[test]
        fn no_kind_is_forgotten(shapes in prop::collection::vec(shape(), 0..7), lo in 0u128..256, hi in 0u128..256) {
            let shapes: Vec<&Shape> = shapes.iter().collect();
            let domain = [(lo.min(hi), lo.max(hi))];
            let found = classes(&shapes, &domain, 40);
            let all: BTreeSet<Vec<u64>> = (domain[0].0..=domain[0].1).map(|value| signature(&shapes, value)).collect();
            let seen: BTreeSet<Vec<u64>> = found.iter().map(|class| signature(&shapes, class.value)).collect();
            prop_assert_eq!(&seen, &all);
            prop_assert_eq!(found.len(), all.len());
            for class in &found {
                let several = class.values(&shapes).take(2).count() == 2;
                prop_assert_eq!(class.other.is_some(), several);
                if let Some(other) = class.other {
                    prop_assert_ne!(other, class.value);
                    prop_assert_eq!(signature(&shapes, other), signature(&shapes, class.value));
                }
                prop_assert!(domain[0].0 <= class.value && class.value <= domain[0].1);
                for value in class.values(&shapes) {
                    prop_assert_eq!(signature(&shapes, value), signature(&shapes, class.value));
                }
            }
        }
    }
}
