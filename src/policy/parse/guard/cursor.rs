//! From the marks of saphyr-parser, which count characters, to bytes.

use saphyr_parser::{Marker, Span};
use std::ops::Range;

/// Remembers where the last mark was: marks come nearly in order, so the way from one to the next is short.
pub(super) struct Cursor<'a> {
    text: &'a str,
    /// In plain ASCII characters are bytes.
    ascii: bool,
    character: usize,
    byte: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Cursor {
            text,
            ascii: text.is_ascii(),
            character: 0,
            byte: 0,
        }
    }

    pub(super) fn bytes(&mut self, span: Span) -> Range<usize> {
        let start = self.offset(span.start);
        start..self.offset(span.end).max(start)
    }

    pub(super) fn offset(&mut self, mark: Marker) -> usize {
        if self.ascii {
            return mark.index().min(self.text.len());
        }
        let (before, after) = self
            .text
            .split_at_checked(self.byte)
            .unwrap_or((self.text, ""));
        if self.character <= mark.index() {
            let ahead = after.chars().take(mark.index() - self.character);
            self.byte += ahead.map(char::len_utf8).sum::<usize>();
        } else {
            let back = before.chars().rev().take(self.character - mark.index());
            self.byte -= back.map(char::len_utf8).sum::<usize>();
        }
        self.character = mark.index();
        self.byte
    }
}
