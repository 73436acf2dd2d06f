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
            Some(SetDiff::Rebuilt { live, set })
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
        && *size == desired.size
        && *counter == desired.counter
}

fn diff_elements<'a>(live: &'a Elements, desired: &'a Elements) -> Vec<ElementDiff<'a>> {
    if let (Some(live), Some(desired)) = (live.plain(), desired.plain())
        && is_in_order(live)
        && is_in_order(desired)
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

/// The same for elements that are nothing but their keys: only what differs is looked at one by one.
fn diff_keys<'a>(live: &'a Keys, desired: &'a Keys) -> Vec<ElementDiff<'a>> {
    let mut diff = Vec::new();
    if live == desired {
        return diff;
    }
    let mut live = live.iter().peekable();
    let mut desired = desired.iter().peekable();
    let element = |(lo, hi): (&[u8], &[u8])| {
        Cow::Owned(Element {
            key: Key::range(lo, hi),
            datum: None,
            name: None,
            count: None,
        })
    };
    loop {
        let order = match (live.peek(), desired.peek()) {
            (None, None) => return diff,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(live), Some(desired)) => live.cmp(desired),
        };
        match order {
            Ordering::Less => diff.extend(live.next().map(element).map(ElementDiff::Removed)),
            Ordering::Greater => diff.extend(desired.next().map(element).map(ElementDiff::Added)),
            Ordering::Equal => _ = (live.next(), desired.next()),
        }
    }
}

fn is_in_order(keys: &Keys) -> bool {
    keys.iter()
        .zip(keys.iter().skip(1))
        .all(|(one, next)| one < next)
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
