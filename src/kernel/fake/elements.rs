//! The elements of a set: what the kernel takes, and in which order it is kept.

use nix::errno::Errno;

use super::refer;
use crate::live::{LiveSet, Table};
use crate::ruleset::{Count, Datum, Element, Elements, Key, Set, SetKind, SetSpec};

/// Adds elements, as with `NLM_F_EXCL`.
pub(super) fn add(table: &mut Table, name: &str, elements: &Elements) -> Result<bool, Errno> {
    let LiveSet { set, anonymous, .. } = refer::find(table, name)?;
    if *anonymous {
        return Err(Errno::EBUSY);
    }
    for element in elements.iter() {
        check(table, &set.spec, &element)?;
    }
    let Some(Set {
        spec,
        elements: all,
        origin: _,
    }) = find(table, name)
    else {
        return Err(Errno::ENOENT);
    };
    all.edit(|all| {
        for element in elements.iter() {
            insert(spec, all, element.into_owned())?;
        }
        Ok(!elements.is_empty())
    })
}

fn insert(spec: &SetSpec, all: &mut Vec<Element>, mut element: Element) -> Result<(), Errno> {
    let at = all.partition_point(|other| other.key < element.key);
    // Sorted and disjoint keys of one field can only overlap a neighbour.
    let (skip, take) = if is_boxes(spec) {
        (0, usize::MAX)
    } else {
        (at.saturating_sub(1), 2)
    };
    let mut others = all.iter().skip(skip).take(take);
    if others.any(|other| overlap(spec, &other.key, &element.key)) {
        return Err(Errno::EEXIST);
    }
    if spec.size.is_some_and(|size| size as usize <= all.len()) {
        return Err(Errno::ENFILE);
    }
    if spec.counter {
        element.count.get_or_insert(Count::default());
    }
    all.insert(at, element);
    Ok(())
}

/// Deletes elements, as with `NFT_MSG_DESTROYSETELEM`: what is not there is no error. A range in one
/// field is two elements to the kernel, its ends; deleting from the right beginning to a wrong end breaks
/// the range all the same.
pub(super) fn delete(table: &mut Table, name: &str, elements: &Elements) -> Result<bool, Errno> {
    if refer::find(table, name)?.anonymous {
        return Err(Errno::EBUSY);
    }
    let Some(set) = find(table, name) else {
        return Err(Errno::ENOENT);
    };
    let before = set.elements.len();
    let by_ends = set.spec.interval && !is_boxes(&set.spec);
    set.elements.edit(|all| {
        for element in elements.iter() {
            let found = all.binary_search_by(|other| {
                if by_ends {
                    other.key.lo.cmp(&element.key.lo)
                } else {
                    other.key.cmp(&element.key)
                }
            });
            if let Ok(at) = found {
                all.remove(at);
            }
        }
    });
    Ok(set.elements.len() != before)
}

fn find<'t>(table: &'t mut Table, name: &str) -> Option<&'t mut Set> {
    table
        .sets
        .iter_mut()
        .map(|set| &mut set.set)
        .find(|set| set.spec.name == name)
}

/// `nft_add_set_elem`: the form of one element.
fn check(table: &Table, spec: &SetSpec, element: &Element) -> Result<(), Errno> {
    let Key { lo, hi } = &element.key;
    let width = spec.key_width();
    if lo.len() != width || hi.as_ref().is_some_and(|hi| hi.len() != width || hi < lo) {
        return Err(Errno::EINVAL);
    }
    if hi.is_some() && !spec.interval {
        return Err(Errno::EINVAL);
    }
    match (&spec.kind, &element.datum) {
        (SetKind::Set, None) => Ok(()),
        (SetKind::Map(data), Some(Datum::Value(value))) if value.len() == data.width() => Ok(()),
        (SetKind::VerdictMap, Some(Datum::Verdict(verdict))) => {
            refer::check_verdict(table, verdict)
        }
        (SetKind::Set | SetKind::Map(_) | SetKind::VerdictMap, _) => Err(Errno::EINVAL),
    }
}

/// Whether keys are ranges in several fields: then neighbours in order are not all that can overlap.
fn is_boxes(spec: &SetSpec) -> bool {
    spec.interval && 1 < spec.key.len()
}

fn overlap(spec: &SetSpec, left: &Key, right: &Key) -> bool {
    if !is_boxes(spec) {
        return *left.lo <= *right.last() && *right.lo <= *left.last();
    }
    let mut from = 0;
    spec.key.iter().all(|field| {
        let bytes = from..from + field.width();
        from += field.width().next_multiple_of(4);
        let part = |key: &[u8]| key.get(bytes.clone()).map(<[u8]>::to_vec);
        part(&left.lo) <= part(right.last()) && part(&right.lo) <= part(left.last())
    })
}
