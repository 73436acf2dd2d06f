//! Bytes → text that may be looked at: size, encoding, and what was never meant to be a policy.

use crate::diagnostic::{Code, Diagnostic, SourceText, is_invisible};
use std::ops::Range;
use std::sync::Arc;

/// Largest file, in bytes.
pub const LARGEST_FILE: usize = 4 << 20;
/// Largest policy, all files together, in bytes.
pub const LARGEST_POLICY: usize = 16 << 20;

/// The text of a source, or what is wrong with it. One complaint: whoever sends UTF-16 gets no list of NULs.
pub(crate) fn decode(source: usize, document: &SourceText) -> Result<&Arc<String>, Diagnostic> {
    let bytes = &*document.text;
    let complaint = |code, range: Range<usize>, message: &str, label: &str, help: &str| {
        Diagnostic::error(code, message)
            .at_text(source, range, label)
            .help(help)
    };
    if LARGEST_FILE < bytes.len() {
        return Err(complaint(
            Code::TooLarge,
            0..0,
            &format!(
                "the file has {} bytes, at most {LARGEST_FILE} are read",
                bytes.len()
            ),
            "",
            "split the policy into several files of one directory",
        ));
    }
    if let Some(encoding) = wide_encoding(bytes) {
        return Err(complaint(
            Code::Utf16,
            0..0,
            &format!("the file is encoded in {encoding}"),
            "",
            "save it as UTF-8",
        ));
    }
    if bytes.starts_with(b"\xef\xbb\xbf") {
        return Err(complaint(
            Code::ByteOrderMark,
            0..0,
            "the file begins with a byte order mark",
            "three invisible bytes",
            "save it as UTF-8 without byte order mark (BOM)",
        ));
    }
    let text = document.text.utf8().ok_or_else(|| {
        let error = std::str::from_utf8(bytes).err();
        let at = error.map_or(0, |error| error.valid_up_to());
        let byte = bytes.get(at).copied().unwrap_or_default();
        complaint(
            Code::NotUtf8,
            at..at + error.and_then(|error| error.error_len()).unwrap_or(1),
            &format!("the file is not UTF-8: byte 0x{byte:02x} at offset {at}"),
            "no character",
            "save it as UTF-8",
        )
    })?;
    if text.starts_with("version https://git-lfs.github.com/spec/") {
        return Err(complaint(
            Code::LfsPointer,
            0..line_end(text, 0),
            "the file is a Git LFS pointer, not the policy",
            "only says where the content is",
            "keep policies out of Git LFS, or run `git lfs pull`",
        ));
    }
    if let Some(line) = conflict_marker(text) {
        return Err(complaint(
            Code::ConflictMarker,
            line,
            "an unfinished merge left its markers in the file",
            "one side begins here",
            "finish the merge: keep what is right and delete the lines with markers",
        ));
    }
    if let Some((at, odd)) = odd_character(text) {
        return Err(complaint(
            Code::ControlCharacter,
            at..at + odd.len_utf8(),
            &format!(
                "the file holds the invisible character U+{:04X}",
                u32::from(odd)
            ),
            "invisible in most editors",
            "delete it",
        ));
    }
    if let Some(tab) = tab_indentation(text) {
        return Err(complaint(
            Code::Tab,
            tab,
            "a line is indented with a tab",
            "a tab",
            "YAML is indented with spaces only",
        ));
    }
    Ok(text)
}

fn wide_encoding(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => Some("UTF-32"),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some("UTF-16"),
        // Without a mark: every second byte of ASCII text is 0 then.
        [0, second, 0, fourth, ..] | [second, 0, fourth, 0, ..] if *second != 0 && *fourth != 0 => {
            Some("UTF-16")
        }
        _ => None,
    }
}

/// The first character that reviewers cannot see.
fn odd_character(text: &str) -> Option<(usize, char)> {
    let is_clean = |byte: &u8| matches!(byte, b' '..=b'~' | b'\t' | b'\n' | b'\r');
    // Nearly every policy is plain ASCII, and bytes are quicker to look at than characters.
    if text.as_bytes().iter().all(is_clean) {
        return None;
    }
    text.char_indices().find(|(_, c)| is_no_text(*c))
}

/// Characters that reviewers cannot see: controls other than tab and line ends, and changes of direction.
/// The joiners that other scripts (and emoji) need within words are let through.
fn is_no_text(c: char) -> bool {
    match c {
        '\t' | '\n' | '\r' => false,
        '\u{200c}' | '\u{200d}' => false,
        c => is_invisible(c),
    }
}

/// The first line that begins like the markers Git leaves.
fn conflict_marker(text: &str) -> Option<Range<usize>> {
    let starts = |line: &str, marker: &str| {
        line.strip_prefix(marker)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
    };
    if !text.contains("<<<<<<<") && !text.contains(">>>>>>>") {
        return None;
    }
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let line_text = line.trim_end();
        if starts(line_text, "<<<<<<<") || starts(line_text, ">>>>>>>") {
            return Some(at..at + line_text.len());
        }
        at += line.len();
    }
    None
}

/// The first tab before the first character of a line that is not empty and no comment.
fn tab_indentation(text: &str) -> Option<Range<usize>> {
    text.find('\t')?;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let content = line.trim_start_matches([' ', '\t']);
        let indent = line.len() - content.len();
        let tab = line.get(..indent).and_then(|indent| indent.find('\t'));
        if let Some(tab) = tab
            && !content.trim_end().is_empty()
            && !content.starts_with('#')
        {
            return Some(at + tab..at + tab + 1);
        }
        at += line.len();
    }
    None
}

fn line_end(text: &str, from: usize) -> usize {
    text.get(from..)
        .and_then(|rest| rest.find('\n'))
        .map_or(text.len(), |length| from + length)
}
