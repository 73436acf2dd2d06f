//! What the rules leave open: whether a rate is exceeded, which number comes next.
//!
//! Each such place of a run is a choice. What is not said beforehand is tried in every way, one run after the other.

use super::view::RuleRef;

/// Whether a limit holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Within {
    /// Within the limit.
    #[default]
    Within,
    /// Over the limit.
    Over,
    /// Either; both are tried.
    Either,
}

/// What is said of the choices beforehand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choices {
    /// Rates: `limit`, named or not, and those that elements of dynamic sets keep.
    pub rates: Within,
    /// Numbers of connections: `ct count`.
    pub connections: Within,
    /// What `numgen inc` has counted: the number is this modulo its own. `None` tries all numbers.
    pub counter: Option<u32>,
    /// The numbers of `numgen random` and of hashes whose seed is not known: each yields this modulo its own. `None` tries
    /// all.
    pub random: Option<u32>,
    /// Keys in dynamic sets, by the name of the set, as bytes of the registers, beside those that the set is known to
    /// hold.
    pub members: Vec<(String, Vec<u8>)>,
}

/// A choice that was taken on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Choice {
    /// The rule that leaves it open.
    pub rule: RuleRef,
    /// What was taken.
    pub taken: Taken,
}

/// What was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Taken {
    /// A rate that was not exceeded, or that was.
    Rate {
        /// Not exceeded.
        within: bool,
    },
    /// A number of connections that was not exceeded, or that was.
    Connections {
        /// Not exceeded.
        within: bool,
    },
    /// A number among so many.
    Number {
        /// The number.
        number: u32,
        /// How many there are.
        of: u32,
    },
    /// What comes to pass so often, or not.
    Chance {
        /// In so many cases
        number: u32,
        /// of so many.
        of: u32,
    },
    /// One address among those of a range.
    Address {
        /// Which, from 0 on.
        number: u32,
        /// How many there are.
        of: u32,
    },
}

/// The choices of one run: those to be taken, and those that were.
#[derive(Clone, Debug, Default)]
pub(super) struct Script {
    planned: Vec<(u32, u32)>,
    next: usize,
}

impl Script {
    /// Takes one of `of` ways.
    pub(super) fn take(&mut self, of: u32) -> u32 {
        let taken = match self.planned.get(self.next) {
            Some((taken, _)) => *taken,
            None => {
                self.planned.push((0, of));
                0
            }
        };
        self.next += 1;
        taken
    }

    /// The script of the next run; `false` after the last one.
    pub(super) fn advance(&mut self) -> bool {
        self.next = 0;
        while let Some((taken, of)) = self.planned.pop() {
            if taken + 1 < of {
                self.planned.push((taken + 1, of));
                return true;
            }
        }
        false
    }
}
