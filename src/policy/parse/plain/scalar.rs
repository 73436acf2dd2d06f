//! Words of plain YAML: scalars on one line that mean what they look like.

use std::ops::Range;

/// No key may be longer, and no value of the language comes near.
const LONGEST: usize = 1000;

/// A scalar that reads as it is written.
pub(super) struct Scalar {
    /// Where it is, with its quotes.
    pub(super) bytes: Range<usize>,
    /// Where its text is.
    pub(super) text: Range<usize>,
    /// Without quotes.
    pub(super) plain: bool,
}

/// The scalar that begins at `start`.
pub(super) fn scalar(bytes: &[u8], start: usize, in_brackets: bool) -> Option<Scalar> {
    let rest = bytes.get(start..)?;
    let (length, plain) = match rest {
        [quote @ (b'"' | b'\''), inside @ ..] => (quoted(*quote, inside)? + 2, false),
        [b'-', next, ..] if next.is_ascii_alphanumeric() => (unquoted(rest, in_brackets)?, true),
        [b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_', ..] => {
            (unquoted(rest, in_brackets)?, true)
        }
        _ => return None,
    };
    let quotes = usize::from(!plain);
    (length <= LONGEST).then_some(Scalar {
        bytes: start..start + length,
        text: start + quotes..start + length - quotes,
        plain,
    })
}

/// The length of what is between quotes: no escapes, no line ends, and nothing that only some readers take
/// for a line end (NEL, LS, PS).
fn quoted(quote: u8, inside: &[u8]) -> Option<usize> {
    let length = inside.iter().position(|byte| {
        *byte == quote || *byte == b'\\' || *byte < b' ' || matches!(byte, 0xc2 | 0xe2 | 0xef)
    })?;
    let ends = inside.get(length) == Some(&quote) && inside.get(length + 1) != Some(&quote);
    ends.then_some(length)
}

/// The length of a scalar without quotes.
fn unquoted(rest: &[u8], in_brackets: bool) -> Option<usize> {
    let mut length = 0;
    // How long it is without the spaces at its end.
    let mut end = 0;
    loop {
        match rest.get(length) {
            Some(byte) if is_harmless(*byte) => {
                length += 1;
                end = length;
            }
            Some(b' ') => length += 1,
            Some(b':') => match rest.get(length + 1)? {
                // `a : b` is a key with a space after it.
                b' ' | b'\n' => return (end == length).then_some(end),
                next if end == length && (*next == b':' || is_harmless(*next)) => {
                    length += 1;
                    end = length;
                }
                _ => return None,
            },
            None | Some(b'\n') => return Some(end),
            // A comment needs a space before it.
            Some(b'#') => return (end < length).then_some(end),
            // The guard takes a dash by itself at the end for the beginning of something.
            Some(b',' | b']' | b'}') if in_brackets => {
                let is_odd = rest.get(..length).is_some_and(|it| it.ends_with(b" -"));
                return (!is_odd).then_some(end);
            }
            Some(_) => return None,
        }
    }
}

/// What means nothing to YAML after the first character of a scalar.
fn is_harmless(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9')
        || matches!(
            byte,
            b'_' | b'-'
                | b'.'
                | b'/'
                | b'+'
                | b'@'
                | b'*'
                | b'='
                | b'('
                | b')'
                | b';'
                | b'%'
                | b'$'
        )
}
