//! Which commits have touched the table, and whether the loop is right about those that it says have not.

use std::collections::BTreeSet;

use rfw::reconcile::Untouched;

/// The generations whose commits have touched the table.
#[derive(Debug, Default)]
pub(super) struct Commits {
    touched: BTreeSet<u32>,
}

impl Commits {
    pub(super) fn touch(&mut self, generation: u32) {
        self.touched.insert(generation);
    }

    /// I7, of what was heard. Whether it says anything.
    pub(super) fn hold_against(&self, untouched: Option<Untouched>) -> bool {
        let Some(Untouched { since, until }) = untouched else {
            return false;
        };
        let wrong: Vec<_> = self.touched.range(since + 1..until + 1).collect();
        assert!(
            wrong.is_empty(),
            "I7: {since} to {until} untouched, but {wrong:?}"
        );
        since != until
    }
}
