//! Whether one commit comes after another.

use std::collections::{BTreeSet, VecDeque};

use super::GitError;
use super::object::ObjectId;
use super::revision::commit_of;
use super::store::Store;

/// Most commits that are looked at.
const MOST: usize = 100_000;

/// Whether `new` is `old` or has it among its ancestors. Only what the commits themselves say counts: no graft, no
/// replacement and no file that remembers their order is looked at.
pub(super) fn descends(
    store: &dyn Store,
    new: &ObjectId,
    old: &ObjectId,
) -> Result<bool, GitError> {
    let mut seen = BTreeSet::from([new.clone()]);
    let mut next = VecDeque::from([new.clone()]);
    while let Some(id) = next.pop_front() {
        if id == *old {
            return Ok(true);
        }
        if MOST <= seen.len() {
            return Err(GitError::TooFar {
                new: new.clone(),
                old: old.clone(),
                most: MOST,
            });
        }
        for parent in commit_of(store, &id)?.parents {
            if seen.insert(parent.clone()) {
                next.push_back(parent);
            }
        }
    }
    Ok(false)
}
