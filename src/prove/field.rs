//! What values of one field are compared with, and one value of every kind.

use super::classes::classes;
use super::distinguish::{Atom, Distinctions, Predicate, Shape};
use crate::ruleset::Family;

/// All that is asked about a field.
pub(super) fn of(found: &Distinctions, atom: Atom) -> impl Iterator<Item = &Predicate> {
    found
        .predicates
        .iter()
        .filter(move |predicate| predicate.atom == atom)
}

/// What values of a field are compared with, in packets of this family and protocol.
pub(super) fn shapes(
    found: &Distinctions,
    atom: Atom,
    family: Family,
    protocol: Option<u8>,
) -> Vec<&Shape> {
    let fits = |known: Option<u8>, wanted: Option<u8>| match (known, wanted) {
        (Some(known), Some(wanted)) => known == wanted,
        _ => true,
    };
    let mut shapes: Vec<&Shape> = of(found, atom)
        .filter(|predicate| {
            fits(predicate.family, Some(family.nfproto())) && fits(predicate.protocol, protocol)
        })
        .map(|predicate| &predicate.shape)
        .collect();
    shapes.sort();
    shapes.dedup();
    shapes
}

/// One value of every kind; `liked` where it is one of its kind.
pub(super) fn values(shapes: &[&Shape], domain: &[(u128, u128)], liked: u128) -> Vec<u128> {
    let classes = classes(shapes, domain, liked).into_iter();
    classes.map(|class| class.value).collect()
}
