//! All tables of all families as the kernel has them: what a packet meets, whoever made it.
//!
//! Read apart from [`super::Live`], which plan and apply need and which holds rfw's own table only.

use super::{Generation, LiveSet, Table};
use crate::ruleset::Datum;

/// One consistent reading of all tables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Everything {
    /// The generation all of it belongs to.
    pub generation: Generation,
    /// The tables in the order in which they were made.
    pub tables: Vec<AnyTable>,
}

/// A table of any family, whoever made it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AnyTable {
    /// The family by nfproto number: 1 inet, 2 ip, 3 arp, 5 netdev, 7 bridge, 10 ip6.
    pub family: u8,
    /// The name.
    pub name: String,
    /// What is in it, but for its sets.
    pub table: Table,
    /// Its sets, sorted by name.
    pub sets: Vec<AnySet>,
    /// Why this is not all of it; `None` if it is.
    pub incomplete: Option<String>,
}

/// A set of any kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnySet {
    /// The set, as far as rfw can say what it is. Elements of dynamic sets are those at the moment of the reading.
    pub live: LiveSet,
    /// The widths in bytes of what the kernel compares: each field of a set of ranges over several fields, unpadded; else the
    /// whole key.
    pub fields: Vec<usize>,
    /// What it yields for keys that no element has.
    pub catch_all: Option<Option<Datum>>,
    /// Why nobody can say what a lookup in it yields.
    pub obstacle: Option<String>,
}
