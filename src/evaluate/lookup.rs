//! Finding a key in a set of any kind.

use std::cmp::Ordering;

use super::operation::Act;
use super::outcome::Opaque;
use crate::ruleset::{Datum, Element, Elements, Set, SetKind, Verdict};

/// A set, ready to be looked into.
#[derive(Clone, Debug)]
pub(super) struct Lookup {
    pub(super) name: String,
    /// Bytes of the key.
    pub(super) width: usize,
    /// Bytes of each field, padded, of a set of ranges over several fields.
    fields: Vec<usize>,
    /// Whether keys are ranges.
    interval: bool,
    /// Of a set of ranges over several fields: whether the first field of every element is one value.
    first_is_exact: bool,
    elements: Elements,
    /// The verdicts of the elements, in their order; empty if it is no verdict map.
    verdicts: Vec<Act>,
    /// What it yields for keys that no element has.
    pub(super) otherwise: Option<Otherwise>,
    /// Why it cannot be looked into.
    pub(super) opaque: Option<Opaque>,
    /// Whether the packet path fills it.
    pub(super) dynamic: bool,
}

impl Lookup {
    /// Of a set; `fields` are the widths of the fields of its key, unpadded. `act` says what a verdict means in the table.
    pub(super) fn of(set: Set, fields: &[usize], act: &mut dyn FnMut(&Verdict) -> Act) -> Self {
        let Set {
            spec,
            elements,
            origin: _,
        } = set;
        let padded: Vec<usize> = match fields {
            [only] => vec![*only],
            several => several
                .iter()
                .map(|field| field.next_multiple_of(4))
                .collect(),
        };
        let elements = in_order(elements);
        let first = padded.first().copied().unwrap_or(0);
        let several = spec.interval && padded.len() > 1;
        let first_is_exact = several
            && (0..elements.len()).all(|index| match bounds(&elements, index) {
                Some((lo, hi)) => lo.get(..first) == hi.get(..first),
                None => false,
            });
        let verdicts = match spec.kind {
            SetKind::VerdictMap => elements.iter().map(|it| verdict(&it, act)).collect(),
            SetKind::Set | SetKind::Map(_) => Vec::new(),
        };
        Self {
            name: spec.name,
            width: padded.iter().sum(),
            fields: if several { padded } else { Vec::new() },
            interval: spec.interval,
            first_is_exact,
            elements,
            verdicts,
            otherwise: None,
            opaque: None,
            dynamic: spec.dynamic,
        }
    }

    /// What it yields for a key.
    pub(super) fn find(&self, key: &[u8]) -> Option<Hit<'_>> {
        self.element(key).or_else(|| {
            Some(match self.otherwise.as_ref()? {
                Otherwise::Member => Hit::Member,
                Otherwise::Value(value) => Hit::Value(value),
                Otherwise::Verdict(act) => Hit::Verdict(*act, None),
            })
        })
    }

    /// The element that a key is in.
    fn element(&self, key: &[u8]) -> Option<Hit<'_>> {
        let index = if !self.fields.is_empty() {
            self.among_boxes(key)?
        } else {
            let index = self.below(|lo| lo <= key).checked_sub(1)?;
            let (lo, hi) = bounds(&self.elements, index)?;
            let inside = if self.interval { key <= hi } else { key == lo };
            inside.then_some(index)?
        };
        Some(match self.verdicts.get(index) {
            Some(act) => Hit::Verdict(*act, self.is_named(index).then_some(index)),
            None => match self.elements.rich().get(index).map(|it| &it.datum) {
                Some(Some(Datum::Value(value))) => Hit::Value(value),
                _ => Hit::Member,
            },
        })
    }

    /// An element that stands for a rule.
    pub(super) fn rich(&self, index: usize) -> Option<&Element> {
        self.elements.rich().get(index)
    }

    /// Whether an element stands for a rule of its own.
    fn is_named(&self, index: usize) -> bool {
        let element = self.elements.rich().get(index);
        element.is_some_and(|element| element.name.is_some())
    }

    /// How many elements at the beginning have a lowest key that is `low`.
    fn below(&self, low: impl Fn(&[u8]) -> bool) -> usize {
        let (mut from, mut to) = (0, self.elements.len());
        while from < to {
            let middle = from + (to - from) / 2;
            match bounds(&self.elements, middle) {
                Some((lo, _)) if low(lo) => from = middle + 1,
                _ => to = middle,
            }
        }
        from
    }

    fn among_boxes(&self, key: &[u8]) -> Option<usize> {
        let first = self.fields.first().copied()?;
        let (from, to) = if self.first_is_exact {
            let head = key.get(..first)?;
            let from = self.below(|lo| lo.get(..first).is_some_and(|it| it < head));
            let to = self.below(|lo| lo.get(..first).is_some_and(|it| it <= head));
            (from, to)
        } else {
            (0, self.elements.len())
        };
        (from..to).find(|index| {
            bounds(&self.elements, *index).is_some_and(|(lo, hi)| self.is_inside(key, lo, hi))
        })
    }

    fn is_inside(&self, key: &[u8], lo: &[u8], hi: &[u8]) -> bool {
        let mut at = 0;
        self.fields.iter().all(|width| {
            let place = at..at + width;
            at += width;
            match (key.get(place.clone()), lo.get(place.clone()), hi.get(place)) {
                (Some(key), Some(lo), Some(hi)) => lo <= key && key <= hi,
                _ => false,
            }
        })
    }
}

/// What a set yields for keys that no element has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Otherwise {
    Member,
    Value(Box<[u8]>),
    Verdict(Act),
}

impl Otherwise {
    pub(super) fn of(datum: Option<Datum>, act: &mut dyn FnMut(&Verdict) -> Act) -> Self {
        match datum {
            None => Self::Member,
            Some(Datum::Value(value)) => Self::Value(value),
            Some(Datum::Verdict(verdict)) => Self::Verdict(act(&verdict)),
        }
    }
}

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hit<'a> {
    Member,
    Value(&'a [u8]),
    /// What to do, and which element says so, if it stands for a rule of its own.
    Verdict(Act, Option<usize>),
}

fn bounds(elements: &Elements, index: usize) -> Option<(&[u8], &[u8])> {
    match elements.plain() {
        Some(keys) => keys.get(index),
        None => {
            let element = elements.rich().get(index)?;
            Some((&element.key.lo, element.key.last()))
        }
    }
}

fn in_order(elements: Elements) -> Elements {
    let sorted = match elements.plain() {
        Some(keys) => keys.is_in_order(),
        None => elements.rich().is_sorted_by(|a, b| order(a, b).is_lt()),
    };
    if sorted {
        return elements;
    }
    let mut elements = elements;
    elements.edit(|all| all.sort_by(order));
    elements
}

fn order(a: &Element, b: &Element) -> Ordering {
    (&a.key.lo, a.key.last()).cmp(&(&b.key.lo, b.key.last()))
}

fn verdict(element: &Element, act: &mut dyn FnMut(&Verdict) -> Act) -> Act {
    match &element.datum {
        Some(Datum::Verdict(verdict)) => act(verdict),
        _ => Act::Continue,
    }
}
