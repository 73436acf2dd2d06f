//! The cases: what is done to a table, and what for.

mod chains;
mod objects;
mod rules;
mod sets;

use rfw::live::Live;
use rfw::plan::Operation;

/// What it is, and the operations, given what is live.
pub(super) type Case = (&'static str, fn(&Live) -> Vec<Operation>);

/// All cases, in one order.
pub(super) fn cases() -> impl Iterator<Item = &'static Case> {
    let all = [chains::CASES, rules::CASES, sets::CASES, objects::CASES];
    all.into_iter().flatten()
}
