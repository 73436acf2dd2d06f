//! Sets, live and desired: what they are, and their elements.

use std::borrow::Cow;
use std::cmp::Ordering;

use crate::live::LiveSet;
use crate::ruleset::{Element, Elements, Key, Keys, Set, SetSpec};

/// One difference between two sets.
#[derive(Clone, Debug, PartialEq)]
pub enum SetDiff<'a> {
    /// Only desired.
    Added(&'a Set),
    /// Only live.
    Removed(&'a LiveSet),
    /// Another set of the same name: it has to go and come back, with all that refers to it.
    Rebuilt {
        /// The set as it is.
        live: &'a LiveSet,
        /// The set as it should be.
        set: &'a Set,
    },
    /// A dynamic set that holds its elements for another time, or another number of them: in place, its elements stay.
    Bounded {
        /// The set as it is.
        live: &'a LiveSet,
        /// The set as it should be.
        set: &'a Set,
    },
    /// The same set with other elements.
    Changed {
        /// The set as it should be.
        set: &'a Set,
        /// Its elements, by key.
        elements: Vec<ElementDiff<'a>>,
    },
}

/// One difference between the elements of two sets. An element is its key; what it holds and its name
/// are compared, what it has counted is not.
#[derive(Clone, Debug, PartialEq)]
pub enum ElementDiff<'a> {
    /// Only desired.
    Added(Cow<'a, Element>),
    /// Only live.
    Removed(Cow<'a, Element>),
    /// The same key with another value or name.
    Replaced {
        /// The element as it is.
        live: Cow<'a, Element>,
        /// The element as it should be.
        element: Cow<'a, Element>,
    },
}

/// What tells two sets apart, if anything does.
pub(super) fn diff<'a>(live: Option<&'a LiveSet>, set: Option<&'a Set>) -> Option<SetDiff<'a>> {
    match (live, set) {
        (None, None) => None,
        (None, Some(set)) => Some(SetDiff::Added(set)),
        (Some(live), None) => Some(SetDiff::Removed(live)),
        (Some(live), Some(set)) if !is_same(live, &set.spec) => {
            Some(if is_same_but_for_bounds(live, &set.spec) {
                SetDiff::Bounded { live, set }
            } else {
                SetDiff::Rebuilt { live, set }
            })
        }
        (Some(_), Some(set)) if set.spec.dynamic => None,
        (Some(live), Some(set)) => {
            let elements = diff_elements(&live.set.elements, &set.elements);
            (!elements.is_empty()).then_some(SetDiff::Changed { set, elements })
        }
    }
}

/// Whether the live set can become the desired one by its elements alone.
///
/// The comment is left out: no packet meets it, the kernel cannot change it in place, and rebuilding an
/// interval set lets packets through for a moment (measured), which no comment is worth.
fn is_same(live: &LiveSet, desired: &SetSpec) -> bool {
    let LiveSet {
        handle: _,
        set,
        unknown,
        anonymous,
    } = live;
    let SetSpec {
        name,
        key,
        kind,
        interval,
        dynamic,
        timeout,
        gc_interval,
        size,
        counter,
        comment: _,
    } = &set.spec;
    unknown.is_empty()
        && !anonymous
        && *name == desired.name
        && *key == desired.key
        && *kind == desired.kind
        && *interval == desired.interval
        && *dynamic == desired.dynamic
        && *timeout == desired.timeout
        && *gc_interval == desired.gc_interval
        && *size == desired.size
        && *counter == desired.counter
}

/// Whether the live set is dynamic and only how long and how many elements it holds is another. The kernel changes both in
/// place, but not whether elements have a timeout, and not from a size to none.
fn is_same_but_for_bounds(live: &LiveSet, desired: &SetSpec) -> bool {
    let spec = &live.set.spec;
    let bounded = SetSpec {
        timeout: desired.timeout.and(spec.timeout),
        size: desired.size.and(spec.size),
        ..desired.clone()
    };
    desired.dynamic
        && spec.timeout.is_some() == desired.timeout.is_some()
        && spec.size.is_some() == desired.size.is_some()
        && is_same(live, &bounded)
}

fn diff_elements<'a>(live: &'a Elements, desired: &'a Elements) -> Vec<ElementDiff<'a>> {
    if let (Some(live), Some(desired)) = (live.plain(), desired.plain())
        && live.is_in_order()
        && desired.is_in_order()
    {
        return diff_keys(live, desired);
    }
    let (live, desired) = (by_key(live), by_key(desired));
    let mut live = live.into_iter().peekable();
    let mut desired = desired.into_iter().peekable();
    let mut diff = Vec::new();
    loop {
        let order = match (live.peek(), desired.peek()) {
            (None, None) => return diff,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(live), Some(desired)) => live.key.cmp(&desired.key),
        };
        match order {
            Ordering::Less => diff.extend(live.next().map(ElementDiff::Removed)),
            Ordering::Greater => diff.extend(desired.next().map(ElementDiff::Added)),
            Ordering::Equal => {
                if let (Some(live), Some(element)) = (live.next(), desired.next())
                    && !is_same_element(&live, &element)
                {
                    diff.push(ElementDiff::Replaced { live, element });
                }
            }
        }
    }
}

/// The same for elements that are nothing but their keys: what is equal is passed over in long pieces.
fn diff_keys<'a>(live: &'a Keys, desired: &'a Keys) -> Vec<ElementDiff<'a>> {
    let element = |(lo, hi): (&[u8], &[u8])| {
        Cow::Owned(Element {
            key: Key::range(lo, hi),
            datum: None,
            name: None,
            count: None,
        })
    };
    let mut diff = Vec::new();
    let (mut of_live, mut of_desired) = (0, 0);
    loop {
        let same = live.equal_run(of_live, desired, of_desired);
        (of_live, of_desired) = (of_live + same, of_desired + same);
        let (left, right) = (live.get(of_live), desired.get(of_desired));
        let order = match (left, right) {
            (None, None) => return diff,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(left), Some(right)) => left.cmp(&right),
        };
        if order.is_le() {
            of_live += 1;
        }
        if order.is_ge() {
            of_desired += 1;
        }
        match order {
            Ordering::Less => diff.extend(left.map(element).map(ElementDiff::Removed)),
            Ordering::Greater => diff.extend(right.map(element).map(ElementDiff::Added)),
            Ordering::Equal => {}
        }
    }
}

/// The elements sorted by key: both sides promise that order, and one that broke it would be a flood of
/// false differences.
fn by_key(elements: &Elements) -> Vec<Cow<'_, Element>> {
    let mut sorted: Vec<_> = elements.iter().collect();
    if !sorted.is_sorted_by(|left, right| left.key < right.key) {
        sorted.sort_by(|left, right| left.key.cmp(&right.key));
    }
    sorted
}

fn is_same_element(live: &Element, desired: &Element) -> bool {
    let Element {
        key,
        datum,
        name,
        count: _,
    } = live;
    *key == desired.key && *datum == desired.datum && *name == desired.name
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::{ElementDiff, diff_keys};
    use crate::ruleset::{Keys, KeysBuilder};

    fn keys(numbers: &BTreeSet<u16>, width: u16) -> Keys {
        let mut keys = KeysBuilder::new(2, width > 0, numbers.len());
        for number in numbers {
            keys.push(
                &(8 * number).to_be_bytes(),
                &(8 * number + width).to_be_bytes(),
            );
        }
        keys.finish()
    }

    fn numbers() -> impl Strategy<Value = BTreeSet<u16>> {
        prop::collection::btree_set(0u16..4000, 0..40)
    }

    proptest! {
        /// Over runs that are longer and shorter than what is passed over at once.
        #[test]
        fn what_differs_is_what_one_of_two_sets_has(
            length in 0u16..3000, out in numbers(), more in numbers(), width in 0u16..2, other in 0u16..2,
        ) {
            let live: BTreeSet<u16> = (0..length).collect();
            let desired: BTreeSet<u16> = live.difference(&out).chain(&more).copied().collect();
            let (left, right) = (keys(&live, width), keys(&desired, other));
            let mut found = [BTreeSet::new(), BTreeSet::new()];
            for one in diff_keys(&left, &right) {
                let (side, element) = match one {
                    ElementDiff::Removed(element) => (0, element),
                    ElementDiff::Added(element) => (1, element),
                    ElementDiff::Replaced { .. } => return Err(TestCaseError::fail("replaced")),
                };
                let key = u16::from_be_bytes([element.key.lo[0], element.key.lo[1]]);
                prop_assert!(found[side].insert(key / 8));
            }
            let [removed, added] = found;
            if width == other {
                prop_assert_eq!(removed, live.difference(&desired).copied().collect::<BTreeSet<_>>());
                prop_assert_eq!(added, desired.difference(&live).copied().collect::<BTreeSet<_>>());
            } else {
                prop_assert_eq!(removed, live);
                prop_assert_eq!(added, desired);
            }
        }
    }
}
