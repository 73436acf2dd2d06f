//! Numbers of ICMP types and of protocols: what few services have, and all have room for.

use std::collections::BTreeSet;
use std::ops::Deref;

/// A set of numbers that takes no room while it is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[expect(
    clippy::box_collection,
    reason = "a box that is not there takes a third of the room"
)]
pub struct Numbers(Option<Box<BTreeSet<u8>>>);

impl Numbers {
    /// Adds a number.
    pub fn insert(&mut self, number: u8) {
        self.0.get_or_insert_default().insert(number);
    }

    /// Adds all of another.
    pub fn extend(&mut self, other: &Self) {
        other.iter().for_each(|number| self.insert(*number));
    }
}

impl Deref for Numbers {
    type Target = BTreeSet<u8>;

    fn deref(&self) -> &BTreeSet<u8> {
        static NONE: BTreeSet<u8> = BTreeSet::new();
        self.0.as_deref().unwrap_or(&NONE)
    }
}

impl FromIterator<u8> for Numbers {
    fn from_iter<I: IntoIterator<Item = u8>>(numbers: I) -> Self {
        let mut all = Self::default();
        numbers.into_iter().for_each(|number| all.insert(number));
        all
    }
}

impl From<Numbers> for BTreeSet<u8> {
    fn from(numbers: Numbers) -> Self {
        numbers.0.map(|numbers| *numbers).unwrap_or_default()
    }
}
