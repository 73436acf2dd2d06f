//! Files of addresses: one address, prefix or range a line, `#` begins a comment.
//!
//! A list may have a million lines, so a line that is right costs no memory of its own and IPv4 is read by hand; a
//! line that is not right is read again by the language's own leaf, which knows what to say.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::Range;

use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::policy::{Host, ValueError};
use crate::ruleset::{Addresses, Bound, Interval, Intervals};
use ipnet::IpNet;

/// Most entries of a list.
const MOST_ENTRIES: usize = 1_000_000;
/// More bad lines than this are not shown one by one.
const MOST_COMPLAINTS: usize = 20;

/// The addresses of lists, by the path by which a policy names them; `None` where a list is wrong, which has been
/// said.
pub type Lists = BTreeMap<String, Option<Addresses>>;

/// Reads the lists of a policy: each by its path, its number among the sources, and its text.
pub fn lists<'t>(
    texts: impl IntoIterator<Item = (&'t str, usize, &'t [u8])>,
) -> (Lists, Diagnostics) {
    let mut diagnostics = Diagnostics::new();
    let mut lists = Lists::new();
    for (path, source, text) in texts {
        let list = list(path, source, text, &mut diagnostics);
        lists.insert(path.to_owned(), list);
    }
    (lists, diagnostics)
}

/// The addresses of one list.
fn list(
    path: &str,
    source: usize,
    text: &[u8],
    diagnostics: &mut Diagnostics,
) -> Option<Addresses> {
    if let Some(diagnostic) = no_list(source, text) {
        diagnostics.push(diagnostic);
        return None;
    }
    let mut v4: Vec<Interval<u32>> = Vec::new();
    let mut v6: Vec<Interval<u128>> = Vec::new();
    let mut bad: Vec<(Range<usize>, ValueError)> = Vec::new();
    let mut more = 0;
    for bytes in Entries::new(text) {
        if v4.len() + v6.len() == MOST_ENTRIES {
            let message = format!("the list `{path}` has more than {MOST_ENTRIES} entries");
            let diagnostic = Diagnostic::error(Code::TooLarge, message)
                .at_text(source, bytes, "the first one too many")
                .help("split it into several groups");
            diagnostics.push(diagnostic);
            return None;
        }
        match entry(text.get(bytes.clone()).unwrap_or_default()) {
            Ok(Span::V4(span)) => v4.push(span),
            Ok(Span::V6(span)) => v6.push(span),
            Err(_) if MOST_COMPLAINTS <= bad.len() => more += 1,
            Err(error) => bad.push((bytes, *error)),
        }
    }
    if !bad.is_empty() {
        complain(path, source, bad, more, diagnostics);
        return None;
    }
    let entries = v4.len() + v6.len();
    if entries == 0 {
        let message = format!("the list `{path}` holds no address");
        let diagnostic = Diagnostic::error(Code::EmptyList, message)
            .at_text(source, 0..0, "nothing but comments and empty lines")
            .help("a group has addresses: take it out, or fill the list");
        diagnostics.push(diagnostic);
        return None;
    }
    v4.sort_unstable();
    v6.sort_unstable();
    let example = first_overlap(&v4)
        .map(|(a, b)| (Span::V4(a), Span::V4(b)))
        .or_else(|| first_overlap(&v6).map(|(a, b)| (Span::V6(a), Span::V6(b))));
    let addresses = Addresses {
        v4: v4.into_iter().collect(),
        v6: v6.into_iter().collect(),
    };
    if let Some((wide, narrow)) = example {
        let merged = entries - addresses.v4.len() - addresses.v6.len();
        diagnostics.push(overlapping(path, source, text, merged, wide, narrow));
    }
    Some(addresses)
}

/// The first entry of a list that shares an address with others: its line, and how it is written.
pub(super) fn place_of(text: &[u8], others: &Addresses) -> Option<(usize, String)> {
    let shares = |span| match span {
        Span::V4(span) => Intervals::from_iter([span]).overlaps(&others.v4),
        Span::V6(span) => Intervals::from_iter([span]).overlaps(&others.v6),
    };
    let bytes = Entries::new(text).find(|bytes| {
        let text = text.get(bytes.clone()).unwrap_or_default();
        entry(text).is_ok_and(shares)
    })?;
    let before = text.get(..bytes.start)?;
    let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
    Some((line, String::from_utf8_lossy(text.get(bytes)?).into_owned()))
}

/// A range of addresses of one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Span {
    V4(Interval<u32>),
    V6(Interval<u128>),
}

/// The bytes of each entry of a text: lines without comments, white space and empty ones.
struct Entries<'t> {
    text: &'t [u8],
    at: usize,
}

impl<'t> Entries<'t> {
    fn new(text: &'t [u8]) -> Self {
        // Invisible, and no editor shows it.
        let at = if text.starts_with(b"\xef\xbb\xbf") {
            3
        } else {
            0
        };
        Self { text, at }
    }
}

impl Iterator for Entries<'_> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        loop {
            let rest = self.text.get(self.at..).filter(|rest| !rest.is_empty())?;
            let length = rest.iter().position(|byte| *byte == b'\n');
            let line = rest.get(..length.unwrap_or(rest.len())).unwrap_or(rest);
            let start = self.at;
            self.at += line.len() + 1;
            let entry = match line.iter().position(|byte| *byte == b'#') {
                Some(comment) => line.get(..comment).unwrap_or_default(),
                None => line,
            };
            let indent = entry.len() - entry.trim_ascii_start().len();
            let entry = entry.trim_ascii();
            if !entry.is_empty() {
                return Some(start + indent..start + indent + entry.len());
            }
        }
    }
}

fn entry(text: &[u8]) -> Result<Span, Box<ValueError>> {
    match plain_v4(text) {
        Some(span) => Ok(Span::V4(span)),
        None => any(text).map_err(Box::new),
    }
}

/// An IPv4 address, prefix or range in its plain spelling; `None` for all else, right or wrong.
fn plain_v4(text: &[u8]) -> Option<Interval<u32>> {
    let (lo, rest) = v4(text)?;
    match rest.split_first() {
        None => Some(Interval::single(lo)),
        Some((b'-', rest)) => match v4(rest)? {
            (hi, []) => Interval::new(lo, hi),
            _ => None,
        },
        Some((b'/', rest)) => {
            let length = match rest {
                [digit @ b'0'..=b'9'] => u32::from(digit - b'0'),
                [tens @ b'1'..=b'9', digit @ b'0'..=b'9'] => {
                    u32::from(tens - b'0') * 10 + u32::from(digit - b'0')
                }
                _ => return None,
            };
            let hosts = u32::MAX.checked_shr(length).unwrap_or(0);
            (length <= 32 && lo & hosts == 0).then_some(Interval { lo, hi: lo | hosts })
        }
        Some(_) => None,
    }
}

/// An IPv4 address at the beginning of a text, and what follows.
fn v4(mut text: &[u8]) -> Option<(u32, &[u8])> {
    let mut address = 0;
    for nth in 0..4 {
        if nth > 0 {
            text = text.strip_prefix(b".")?;
        }
        let digits = text
            .iter()
            .take(4)
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        let (octet, rest) = text.split_at_checked(digits)?;
        let value = match octet {
            [a] => u32::from(a - b'0'),
            [a @ b'1'..=b'9', b] => u32::from(a - b'0') * 10 + u32::from(b - b'0'),
            [a @ b'1'..=b'2', b, c] => {
                u32::from(a - b'0') * 100 + u32::from(b - b'0') * 10 + u32::from(c - b'0')
            }
            _ => return None,
        };
        if value > 255 {
            return None;
        }
        address = address << 8 | value;
        text = rest;
    }
    Some((address, text))
}

/// Any address, prefix or range, or what is wrong with it.
fn any(text: &[u8]) -> Result<Span, ValueError> {
    const HELP: &str = "write one address, prefix or range on a line; `#` begins a comment";
    let bad = |what: &str| ValueError {
        code: Code::BadAddress,
        message: format!("{what} is no address, prefix or range"),
        help: Some(HELP.into()),
    };
    let text = std::str::from_utf8(text).map_err(|_| bad("this"))?;
    let between = |lo, hi| match (lo, hi) {
        (IpAddr::V4(lo), IpAddr::V4(hi)) => Interval::new(lo.into(), hi.into()).map(Span::V4),
        (IpAddr::V6(lo), IpAddr::V6(hi)) => Interval::new(lo.into(), hi.into()).map(Span::V6),
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => None,
    };
    // Names of groups and long lines are not what the leaf would complain about.
    if 100 < text.len() || text.contains([' ', '\t']) {
        return Err(bad("this line"));
    }
    let span = match text.parse()? {
        Host::Address(address) => between(address.ip(), address.ip()),
        Host::Prefix(prefix) => match prefix.net() {
            IpNet::V4(net) => between(net.network().into(), net.broadcast().into()),
            IpNet::V6(net) => between(net.network().into(), net.broadcast().into()),
        },
        Host::Range(range) => between(range.lo(), range.hi()),
        Host::HostPart(host) => {
            return Err(ValueError {
                help: Some("host parts are for groups that the policy itself lists".into()),
                ..bad(&format!("`{host}`"))
            });
        }
        Host::Name(name) => return Err(bad(&format!("`{name}`"))),
    };
    span.ok_or_else(|| bad("this"))
}

/// What was never meant to be a list.
fn no_list(source: usize, text: &[u8]) -> Option<Diagnostic> {
    if text.starts_with(b"version https://git-lfs.github.com/spec/") {
        return Some(
            Diagnostic::error(
                Code::LfsPointer,
                "the file is a Git LFS pointer, not the list",
            )
            .at_text(source, 0..7, "only says where the content is")
            .help("keep lists out of Git LFS, or run `git lfs pull`"),
        );
    }
    let is_wide = matches!(
        text,
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, _, 0, _, ..] | [_, 0, _, 0, ..]
    );
    is_wide.then(|| {
        Diagnostic::error(Code::Utf16, "the list is encoded in UTF-16 or UTF-32")
            .at_text(source, 0..0, "")
            .help("save it as UTF-8")
    })
}

fn complain(
    path: &str,
    source: usize,
    bad: Vec<(Range<usize>, ValueError)>,
    more: usize,
    diagnostics: &mut Diagnostics,
) {
    let last = bad
        .last()
        .map(|(bytes, _)| bytes.clone())
        .unwrap_or_default();
    for (bytes, error) in bad {
        let ValueError {
            code,
            message,
            help,
        } = error;
        let diagnostic = Diagnostic::error(code, message).at_text(source, bytes, "in this list");
        diagnostics.push(match help {
            Some(help) => diagnostic.help(help),
            None => diagnostic,
        });
    }
    if more > 0 {
        let message = format!("{more} more lines of the list `{path}` are wrong");
        let diagnostic = Diagnostic::error(Code::BadAddress, message).at_text(
            source,
            last,
            "and behind this one",
        );
        diagnostics.push(diagnostic);
    }
}

/// The first of sorted intervals that meets one before it, behind the widest of these.
fn first_overlap<T: Bound>(sorted: &[Interval<T>]) -> Option<(Interval<T>, Interval<T>)> {
    let mut widest: Option<Interval<T>> = None;
    for span in sorted {
        match widest {
            Some(wide) if span.lo <= wide.hi => return Some((wide, *span)),
            _ => widest = Some(*span),
        }
    }
    None
}

fn overlapping(
    path: &str,
    source: usize,
    text: &[u8],
    merged: usize,
    wide: Span,
    narrow: Span,
) -> Diagnostic {
    let places = |wanted: Span| {
        Entries::new(text).filter(move |bytes| {
            let text = text.get(bytes.clone()).unwrap_or_default();
            entry(text).is_ok_and(|span| span == wanted)
        })
    };
    let first = places(wide).next().unwrap_or_default();
    let again = places(narrow)
        .find(|bytes| *bytes != first)
        .unwrap_or_default();
    let entries = if merged == 1 {
        "entry is"
    } else {
        "entries are"
    };
    let message =
        format!("{merged} {entries} part of others in the list `{path}`, or overlap them");
    Diagnostic::warning(Code::OverlappingEntries, message)
        .at_text(source, again, "for example this one")
        .at_text(source, first, "and this one")
        .help("they are merged: the list is read as one set of addresses")
}

#[cfg(test)]
mod tests {
    use super::{Span, any, lists, plain_v4};
    use crate::compile::resolve::tests::shown;
    use crate::diagnostic::Place;
    use proptest::prelude::*;

    /// The addresses of a list, then what is said: `code at text: message` a line.
    #[track_caller]
    fn check(text: &[u8], expect: &str) {
        let (lists, diagnostics) = lists([("l.txt", 7, text)]);
        let mut out: String = lists["l.txt"].as_ref().map(shown).unwrap_or_default();
        for found in &diagnostics {
            let places = found.labels.iter().map(|label| {
                let Place::Text(spot) = &label.at else {
                    panic!()
                };
                assert_eq!(spot.source, 7);
                let line = 1 + text[..spot.bytes.start]
                    .iter()
                    .filter(|byte| **byte == b'\n')
                    .count();
                format!(
                    "{line}:{}",
                    String::from_utf8_lossy(&text[spot.bytes.clone()])
                )
            });
            let places: Vec<String> = places.collect();
            out += &format!(
                "\n{} at {}: {}",
                found.code,
                places.join(" "),
                found.message
            );
        }
        assert_eq!(out.trim(), expect);
    }

    #[test]
    fn lines() {
        check(
            b"\xef\xbb\xbf# bogons\r\n10.0.0.0/8\r\n\r\n  192.0.2.1\t# one\n2001:db8::/32\n::1-::2#x\n0.0.0.0/32\n255.255.255.255",
            "0.0.0.0 10.0.0.0-10.255.255.255 192.0.2.1 255.255.255.255 ::1-::2 2001:db8::-2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
        );
        check(b"0.0.0.0/0", "0.0.0.0-255.255.255.255");
    }

    #[test]
    fn nothing() {
        for text in ["", "# only\n", "\n\r\n \t\n"] {
            check(
                text.as_bytes(),
                "empty-list at 1:: the list `l.txt` holds no address",
            );
        }
    }

    #[test]
    fn what_is_wrong() {
        check(
            b"10.0.0.1/8\nweb\n10.0.0.1 10.0.0.2\n::ffff:10.0.0.1\n10.0.0.9-10.0.0.1\n010.0.0.1\n\xff\n1.2.3.4",
            "host-bits-set at 1:10.0.0.1/8: `10.0.0.1/8` has address bits beyond the prefix length\n\
             bad-address at 2:web: `web` is no address, prefix or range\n\
             bad-address at 3:10.0.0.1 10.0.0.2: this line is no address, prefix or range\n\
             mapped-address at 4:::ffff:10.0.0.1: `::ffff:10.0.0.1` is an IPv4 address written as IPv6\n\
             reversed-range at 5:10.0.0.9-10.0.0.1: the range `10.0.0.9-10.0.0.1` ends before it begins\n\
             leading-zero at 6:010.0.0.1: the address `010.0.0.1` has leading zeros\n\
             bad-address at 7:\u{fffd}: this is no address, prefix or range",
        );
        let (_, diagnostics) = lists([("l", 0, "x\n".repeat(5000).as_bytes())]);
        assert_eq!(diagnostics.len(), 21);
        let last = diagnostics.iter().last().unwrap();
        assert_eq!(last.message, "4980 more lines of the list `l` are wrong");
        check(
            b"v\0e\0",
            "utf-16 at 1:: the list is encoded in UTF-16 or UTF-32",
        );
    }

    #[test]
    fn what_overlaps_is_said_once() {
        check(
            b"10.1.0.0/16\n10.0.0.0/8\n10.0.0.0/8\n10.255.0.0-11.0.0.0\n11.0.0.1",
            "10.0.0.0-11.0.0.0 11.0.0.1\n\
             overlapping-entries at 3:10.0.0.0/8 2:10.0.0.0/8: 3 entries are part of others in the list `l.txt`, or overlap them",
        );
        check(
            b"::/0\n::1",
            "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff\n\
             overlapping-entries at 2:::1 1:::/0: 1 entry is part of others in the list `l.txt`, or overlap them",
        );
    }

    #[test]
    fn too_many() {
        let text = "10.0.0.1\n".repeat(1_000_001);
        let (lists, diagnostics) = lists([("l", 0, text.as_bytes())]);
        assert!(lists["l"].is_none());
        assert_eq!(diagnostics.iter().next().unwrap().code.name(), "too-large");
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// What is read by hand is what the language reads.
        #[test]
        fn by_hand_as_by_the_leaf(text in r"[0-3]?[0-9]{1,2}(\.[0-2]?[0-9]{1,2}){3}(/[0-9]{1,2}|-[0-9]{1,3}(\.[0-9]{1,3}){3})?") {
            if let Some(span) = plain_v4(text.as_bytes()) {
                prop_assert_eq!(any(text.as_bytes()), Ok(Span::V4(span)));
            }
        }
    }
}
