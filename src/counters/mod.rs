//! What the rules of the live ruleset have counted, by their stable names; and since when one has not counted.
//!
//! A rule of the policy is several rules and elements in the kernel; their counts are summed. What accepts counts the packets
//! that open connections: those that follow are accepted before any rule of a policy is asked.
//!
//! The kernel counts from the moment a table is made, so its numbers alone say nothing about the time before. The
//! [`Record`] says it: when each rule was first there, and when it was last seen to count.

mod record;
mod view;

pub use record::{Blind, Record, Seen};
pub use view::{Counter, Counters, Period, Places, Unused};

use std::collections::BTreeMap;

use crate::live::{Live, LiveChain, LiveSet, Table};
use crate::ruleset::Count;

/// What is counted under each stable name.
pub type Counts = BTreeMap<String, Count>;

/// The sums over rules and elements that have a name and a counter.
pub fn counts(live: &Live) -> Counts {
    let mut counts = Counts::new();
    let Some(Table { sets, chains, .. }) = &live.table else {
        return counts;
    };
    let mut add = |name: &Option<String>, count: Option<Count>| {
        let (Some(name), Some(count)) = (name, count) else {
            return;
        };
        match counts.get_mut(name) {
            Some(sum) => *sum += count,
            None => {
                counts.insert(name.clone(), count);
            }
        }
    };
    for LiveChain { rules, .. } in chains {
        rules.iter().for_each(|rule| add(&rule.name, rule.count()));
    }
    for LiveSet { set, .. } in sets {
        let elements = set.elements.rich().iter();
        elements.for_each(|element| add(&element.name, element.count));
    }
    counts
}
