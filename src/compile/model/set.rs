//! Sets: what is in them is not the policy's.

use crate::policy::{SetSource, Url};
use crate::ruleset::Addresses;

/// A set whose content is not the policy's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LivingSet {
    /// Filled by the packet path.
    Dynamic {
        /// How long a source stays in it, in seconds.
        timeout: u64,
        /// How many sources it holds, of each family.
        size: u32,
    },
    /// Fetched from elsewhere.
    Fetched {
        /// What it holds by the copy that is used now.
        addresses: Addresses,
        /// What to fetch, and what to take.
        terms: Terms,
    },
}

/// What a fetched set is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Where it comes from.
    pub source: SetSource,
    /// How old a copy is, in seconds, when it is fetched again.
    pub refresh: Option<u64>,
    /// How many entries it may have.
    pub max_entries: u32,
    /// How old a copy may be, in seconds, that is used.
    pub keep_last_good: Option<u64>,
    /// Where its SHA-256 is published.
    pub sha256_of: Option<Url>,
    /// What it must not hold: entry by entry, as it is written.
    pub never_contains: Vec<(String, Addresses)>,
}
