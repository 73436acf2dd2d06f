//! The few lines of a source that a diagnostic is about, made fit to be shown.

use super::super::{Lines, is_invisible};
use std::ops::Range;

/// Lines further apart than this are shown apart.
const FAR: usize = 6;
/// Longest part of a line that is shown, in bytes.
const WIDEST: usize = 400;

/// A label with its place.
pub(super) struct Mark {
    pub(super) source: usize,
    pub(super) line: usize,
    pub(super) bytes: Range<usize>,
    pub(super) primary: bool,
    pub(super) text: String,
}

/// Puts marks together that are near each other; the primary one's cluster comes first.
pub(super) fn clusters(mut marks: Vec<Mark>) -> Vec<Vec<Mark>> {
    marks.sort_by_key(|mark| (mark.source, mark.line, mark.bytes.start));
    let mut clusters: Vec<Vec<Mark>> = Vec::new();
    for mark in marks {
        let near = |last: &Mark| {
            last.source == mark.source
                && mark.line - last.line <= FAR
                && mark.bytes.start.saturating_sub(last.bytes.start) <= 4 * WIDEST
        };
        match clusters.last_mut() {
            Some(cluster) if cluster.last().is_some_and(near) => cluster.push(mark),
            Some(_) | None => clusters.push(vec![mark]),
        }
    }
    clusters.sort_by_key(|cluster| !cluster.iter().any(|mark| mark.primary));
    clusters
}

/// The part of a source that is shown: the lines of some marks, cut where they are very long.
pub(super) struct Window<'a> {
    pub(super) bytes: &'a [u8],
    /// Where it begins in the source.
    pub(super) start: usize,
    /// Whether it begins within a line.
    pub(super) is_cut: bool,
}

impl<'a> Window<'a> {
    pub(super) fn new(lines: &Lines<'a>, first: &Mark, last: &Mark) -> Self {
        let bytes = lines.slice(first.line, last.line);
        let line = lines.start(first.line);
        let character = |mut at: usize| {
            while bytes
                .get(at)
                .is_some_and(|byte| byte & 0b1100_0000 == 0b1000_0000)
            {
                at += 1;
            }
            at.min(bytes.len())
        };
        let before = first.bytes.start.saturating_sub(line);
        let from = if before <= WIDEST {
            0
        } else {
            character(before - WIDEST / 2)
        };
        let behind = last
            .bytes
            .end
            .max(last.bytes.start)
            .min(last.bytes.start + WIDEST)
            - line.min(last.bytes.start);
        let to = character(behind.saturating_add(WIDEST)).max(from);
        Window {
            bytes: bytes.get(from..to).unwrap_or_default(),
            start: line + from,
            is_cut: from != 0,
        }
    }
}

/// Some bytes of a source as they may be shown: every character that is none is replaced by one that is.
pub(super) struct Excerpt {
    pub(super) text: String,
    /// Where the marks are in `text`.
    pub(super) spans: Vec<Range<usize>>,
}

impl Excerpt {
    pub(super) fn new(bytes: &[u8], start: usize, marks: &[Mark]) -> Self {
        let mut text = String::new();
        // Offsets in the source, and where they are in the excerpt.
        let mut offsets: Vec<(usize, usize)> = Vec::new();
        let mut at = start;
        for chunk in bytes.utf8_chunks() {
            for c in chunk.valid().chars() {
                offsets.push((at, text.len()));
                at += c.len_utf8();
                text.push(visible(c));
            }
            if !chunk.invalid().is_empty() {
                offsets.push((at, text.len()));
                at += chunk.invalid().len();
                text.push('\u{fffd}');
            }
        }
        let place = |byte: usize| {
            let nth = offsets.partition_point(|(at, _)| *at < byte);
            offsets.get(nth).map_or(text.len(), |(_, shown)| *shown)
        };
        let spans = marks.iter().map(|mark| {
            let first = place(mark.bytes.start);
            first..place(mark.bytes.end).max(first)
        });
        Excerpt {
            spans: spans.collect(),
            text,
        }
    }
}

/// One character for one character, so that columns stay right.
fn visible(c: char) -> char {
    match c {
        '\n' | '\t' => c,
        '\0'..='\u{1f}' => char::from_u32(0x2400 + u32::from(c)).unwrap_or('\u{fffd}'),
        '\u{7f}' => '\u{2421}',
        c if is_invisible(c) => '\u{fffd}',
        c => c,
    }
}
