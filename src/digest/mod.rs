//! Digests: one number for what a policy means, one for what it compiles to on this node, one for what the kernel holds.
//!
//! | digest | of what | equal to |
//! |---|---|---|
//! | *policy* | the ruleset with interfaces as the policy calls them, the settings, the terms of fetched sets | that of every replica, whatever its node, host, date, path and names of files |
//! | *ruleset* | the table `inet rfw` as this node compiles it | nothing else: interfaces, copies of lists and what the kernel can do differ from node to node |
//! | *live* | the table `inet rfw` as the kernel holds it | *ruleset*, unless somebody has changed it |
//!
//! All are SHA-256 over one canonical form (`feed`, `program`): what a packet meets, in one order. Neither places in
//! the policy nor handles, counters, elements that the packet path adds, comments of sets or the mark of the table stand in it.
//! What no rule uses is not compiled, so it does not stand in any of them.
//!
//! Before everything else in the policy digest stand the version of rfw, which decides what a policy means, and that of the time zone
//! database where rules have schedules. Values that the kernel compares in the byte order of the host stand as they are,
//! so machines of different byte order have different digests.

mod compare;
mod display;
mod feed;
mod instruction;
mod program;
mod view;

pub use compare::{Comparison, Difference, Side, compare};
pub use program::{live, policy, ruleset};
pub use view::{NodeValue, Part, View};

use std::fmt::{self, Display, Formatter};

/// The form of what is digested; another one is another digest of everything.
const FORM: u32 = 1;

/// A SHA-256, shown in hexadecimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

impl Display for Digest {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A digest, and those of everything in it, as far as they were asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digested {
    /// Of the whole.
    pub whole: Digest,
    /// Of each rule, set, chain, object and setting, by place and name.
    pub parts: Vec<Part>,
}

/// Whether the digests of everything in it are wanted as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Only the whole.
    Whole,
    /// Every part.
    Parts,
}
