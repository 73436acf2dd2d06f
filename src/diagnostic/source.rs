//! Texts that diagnostics are about, and places in them.

use super::{Place, Text};
use std::ops::Range;

/// A text and where it is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceText {
    /// What to call it in messages: a path or `<stdin>`.
    pub name: String,
    /// The bytes as they were read.
    pub text: Text,
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

/// Line and column, both counted from 1; columns count characters, not bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The character of the line.
    pub column: usize,
}

/// Where the lines of a text begin.
#[derive(Clone, Debug)]
pub struct Lines<'a> {
    text: &'a [u8],
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    /// Looks for the lines of a text.
    #[must_use]
    pub fn new(text: &'a [u8]) -> Self {
        let breaks = text.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
        let starts = std::iter::once(0)
            .chain(breaks.map(|(at, _)| at + 1))
            .collect();
        Lines { text, starts }
    }

    /// The position of a byte; of one behind the end: the end.
    #[must_use]
    pub fn position(&self, byte: usize) -> Position {
        let line = self.starts.partition_point(|start| *start <= byte).max(1);
        let before = self
            .text
            .get(self.start(line)..byte.min(self.text.len()))
            .unwrap_or_default();
        Position {
            line,
            column: 1 + String::from_utf8_lossy(before).chars().count(),
        }
    }

    /// The first byte of a line.
    #[must_use]
    pub fn start(&self, line: usize) -> usize {
        self.starts
            .get(line.saturating_sub(1))
            .copied()
            .unwrap_or(self.text.len())
    }

    /// The bytes of some lines, from one to another, both included; without the last line's end.
    #[must_use]
    pub fn slice(&self, from: usize, to: usize) -> &'a [u8] {
        let lines = self
            .text
            .get(self.start(from)..self.start(to + 1))
            .unwrap_or_default();
        let lines = lines.strip_suffix(b"\n").unwrap_or(lines);
        lines.strip_suffix(b"\r").unwrap_or(lines)
    }
}

/// Characters that nobody sees: controls, separators of lines and paragraphs, marks and overrides of direction
/// (Unicode's Bidi_Control), joiners and other formats without a shape, tags.
#[must_use]
pub fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::{Lines, Position};

    #[track_caller]
    fn check(text: &str, byte: usize, line: usize, column: usize) {
        assert_eq!(
            Lines::new(text.as_bytes()).position(byte),
            Position { line, column }
        );
    }

    #[test]
    fn positions() {
        check("", 0, 1, 1);
        check("ab\ncd", 0, 1, 1);
        check("ab\ncd", 2, 1, 3);
        check("ab\ncd", 3, 2, 1);
        check("ab\ncd", 99, 2, 3);
        check("é→x\ny", 5, 1, 3);
        check("é→x\ny", 7, 2, 1);
    }

    #[test]
    fn slices() {
        let lines = Lines::new(b"a\r\nb\nc\n");
        assert_eq!(lines.slice(1, 1), b"a");
        assert_eq!(lines.slice(2, 3), b"b\nc");
        assert_eq!(lines.slice(9, 9), b"");
    }
}
