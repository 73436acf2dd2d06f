//! What has to be done: the operations that lead from the live ruleset to the desired one.
//!
//! A function of its arguments: same live, same desired, same plan. All decisions are made here, so that
//! `apply` has none left.

mod counts;
mod display;
mod markdown;
mod operation;
mod order;
mod saved;
mod settings_listing;
mod stage;
mod view;

pub use display::Listing;
pub use markdown::Markdown;
pub use operation::{Operation, Place};
pub use saved::{
    RawReading, SavedPlan, SavedPlanError, SavedPolicy, SavedText, SettingPromise, digest,
};
pub use view::{
    Change, Detail, FileChange, SettingChange, Settings, Subject, Summary, Tally,
    UnavailableSetting, Verb, View,
};

use crate::bytecode::Program;
use crate::diff::diff;
use crate::live::{Generation, Live};
use order::{Batches, order};

/// At most one batch that no packet notices, then exactly one that changes behaviour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The generation it was made from; it is void for any other.
    pub base: Generation,
    /// The mark of the live table it was made for; `None` when there is no table, or it has no mark.
    pub table: Option<[u8; 16]>,
    /// First batch: what must be there a batch before it is used. Often empty.
    pub staging: Vec<Operation>,
    /// Second batch, one transaction: everything that changes what happens to a packet. Empty only when
    /// nothing is to be done at all.
    pub commit: Vec<Operation>,
}

impl Plan {
    /// The plan of a live ruleset that is as desired.
    pub fn nothing(base: Generation) -> Self {
        Self {
            base,
            table: None,
            staging: Vec::new(),
            commit: Vec::new(),
        }
    }

    /// Whether live is as desired already; such a plan sends nothing.
    pub fn is_empty(&self) -> bool {
        let Self {
            base: _,
            table: _,
            staging,
            commit,
        } = self;
        staging.is_empty() && commit.is_empty()
    }

    /// Operations in both batches.
    pub fn len(&self) -> usize {
        self.staging.len() + self.commit.len()
    }

    /// The mark of the table that the plan creates, if it does.
    pub fn mark(&self) -> Option<[u8; 16]> {
        self.staging
            .iter()
            .chain(&self.commit)
            .find_map(|operation| match operation {
                Operation::AddTable { mark } => Some(*mark),
                _ => None,
            })
    }

    /// Whether this plan, made later, is what is left to do of an earlier one: the same change, prepared
    /// already or still to be prepared.
    pub fn continues(&self, earlier: &Self) -> bool {
        let is_same_table =
            self.table == earlier.table || earlier.table.is_none() && self.table == earlier.mark();
        is_same_table
            && (self.staging.is_empty() || same(&self.staging, &earlier.staging))
            && same(&self.commit, &earlier.commit)
    }
}

/// The plan that makes the live ruleset the desired one by the smallest change. `mark` is put on the
/// table if it has to be created.
pub fn plan(live: &Live, desired: &Program, mark: [u8; 16]) -> Plan {
    let Batches { staging, commit } = order(&diff(live, desired), mark);
    Plan {
        base: live.generation,
        table: mark_of(live),
        staging,
        commit,
    }
}

/// The plan that takes rfw's table, and nothing else, out of the kernel.
pub fn remove(live: &Live) -> Plan {
    Plan {
        base: live.generation,
        table: mark_of(live),
        staging: Vec::new(),
        commit: live.table.iter().map(|_| Operation::DeleteTable).collect(),
    }
}

fn mark_of(live: &Live) -> Option<[u8; 16]> {
    live.table.as_ref().and_then(|table| table.mark)
}

fn same(left: &[Operation], right: &[Operation]) -> bool {
    left.len() == right.len()
        && left
            .iter()
            .zip(right)
            .all(|(left, right)| left.is_same(right))
}
