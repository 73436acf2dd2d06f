//! Diagnostics for people (plain or in colour) and programs (JSON). The only file that knows
//! annotate-snippets.

use super::{Diagnostics, Place};
use std::ops::Range;

/// A text and where it is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceText {
    /// What to call it in messages: a path or `<stdin>`.
    pub name: String,
    /// The bytes as they were read; not necessarily UTF-8.
    pub text: Vec<u8>,
}

/// Bytes of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spot {
    /// Which source, counted from 0.
    pub source: usize,
    /// Which of its bytes.
    pub bytes: Range<usize>,
}

/// Finds places in sources.
pub trait Locate {
    /// Where a place is; `None` if there is no text for it at all.
    fn locate(&self, place: &Place) -> Option<Spot>;
}

/// Everything needed to show diagnostics.
#[expect(missing_debug_implementations, reason = "holds a trait object")]
#[derive(Clone, Copy)]
pub struct Report<'a> {
    /// What to show.
    pub diagnostics: &'a Diagnostics,
    /// The texts it is about.
    pub sources: &'a [SourceText],
    /// How places are found in them.
    pub locations: &'a dyn Locate,
}

/// Text of a stranger, safe for a terminal: control characters and those that change the direction of
/// writing are shown by their numbers.
#[must_use]
pub fn printable(text: &str) -> String {
    text.into()
}
