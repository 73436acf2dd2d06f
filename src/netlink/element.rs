//! Elements as `NFT_MSG_NEWSETELEM` has them, in both directions.
//!
//! The kernel keeps an interval over one field as two elements, its first key and the key after its
//! last one, the latter flagged as an end; an interval that reaches the greatest key has no end. An
//! interval over several fields is one element with `KEY_END`. Comment, counter and value stand on
//! the first.

use super::attribute::{Malformed, Writer, attributes};
use super::constants::sys;
use super::expression::{self, verdict, write_data, write_verdict};
use super::userdata;
use crate::bytecode::Instruction;
use crate::ruleset::{Count, Datum, Element, Key, SetSpec};

/// How much of an element is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// All of it, to add it.
    Whole,
    /// The key, to delete it.
    Key,
}

/// The kernel's elements that make up one element, as entries of a list.
pub(super) fn write(list: &mut Writer, spec: &SetSpec, element: &Element, part: Part) {
    let ranges_are_pairs = spec.interval && spec.key.len() == 1;
    let end = ranges_are_pairs
        .then(|| successor(element.key.last()))
        .flatten();
    list.list_element(|writer| {
        write_data(writer, sys::NFTA_SET_ELEM_KEY, &element.key.lo);
        if spec.interval && !ranges_are_pairs {
            write_data(writer, sys::NFTA_SET_ELEM_KEY_END, element.key.last());
        }
        if part == Part::Whole {
            let open = ranges_are_pairs && end.is_none();
            write_content(writer, spec, element, open);
        }
    });
    if let Some(end) = end {
        write_end(list, &end);
    }
}

/// The kernel's element that ends an interval.
fn write_end(list: &mut Writer, end: &[u8]) {
    list.list_element(|writer| {
        writer.be32(sys::NFTA_SET_ELEM_FLAGS, sys::NFT_SET_ELEM_INTERVAL_END);
        write_data(writer, sys::NFTA_SET_ELEM_KEY, end);
    });
}

/// The same for an element that is nothing but its key, from its first to its last one, as entries of a list.
pub(super) fn write_plain(list: &mut Writer, spec: &SetSpec, lo: &[u8], hi: &[u8], part: Part) {
    let ranges_are_pairs = spec.interval && spec.key.len() == 1;
    let end = ranges_are_pairs.then(|| successor(hi)).flatten();
    let open = ranges_are_pairs && end.is_none() && part == Part::Whole;
    list.list_element(|writer| {
        write_data(writer, sys::NFTA_SET_ELEM_KEY, lo);
        if spec.interval && !ranges_are_pairs {
            write_data(writer, sys::NFTA_SET_ELEM_KEY_END, hi);
        }
        if open {
            writer.bytes(sys::NFTA_SET_ELEM_USERDATA, &userdata::element(None, true));
        }
    });
    if let Some(end) = end {
        write_end(list, &end);
    }
}

fn write_content(writer: &mut Writer, spec: &SetSpec, element: &Element, open: bool) {
    let Element {
        key: _,
        datum,
        name,
        count,
    } = element;
    match datum {
        None => {}
        Some(Datum::Value(value)) => write_data(writer, sys::NFTA_SET_ELEM_DATA, value),
        Some(Datum::Verdict(verdict)) => writer.nest(sys::NFTA_SET_ELEM_DATA, |writer| {
            write_verdict(writer, verdict);
        }),
    }
    let userdata = userdata::element(name.as_deref(), open);
    if !userdata.is_empty() {
        writer.bytes(sys::NFTA_SET_ELEM_USERDATA, &userdata);
    }
    // In a set whose elements count, the kernel gives one that says nothing of its count the set's own counter, which is
    // at zero (`nft_add_set_elem`); saying it would take a thirtieth of the time of ten thousand rules.
    let count = count.filter(|count| !spec.counter || *count != Count::default());
    if let Some(count) = count {
        writer.nest(sys::NFTA_SET_ELEM_EXPR, |writer| {
            expression::write_expression(writer, &Instruction::Counter(count));
        });
    }
}

/// The next key, keys being big numbers; `None` after the greatest.
pub(super) fn successor(key: &[u8]) -> Option<Box<[u8]>> {
    let mut next: Box<[u8]> = key.into();
    for byte in next.iter_mut().rev() {
        let (sum, carry) = byte.overflowing_add(1);
        *byte = sum;
        if !carry {
            return Some(next);
        }
    }
    None
}

fn predecessor(key: &[u8]) -> Option<Box<[u8]>> {
    let mut previous: Box<[u8]> = key.into();
    for byte in previous.iter_mut().rev() {
        let (difference, borrow) = byte.overflowing_sub(1);
        *byte = difference;
        if !borrow {
            return Some(previous);
        }
    }
    None
}

/// One of the kernel's elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    key: Box<[u8]>,
    key_end: Option<Box<[u8]>>,
    is_end: bool,
    datum: Option<Datum>,
    name: Option<String>,
    count: Option<Count>,
}

/// Reads what one `NFTA_SET_ELEM_LIST_ELEMENTS` holds. What cannot be said goes to `unknown`.
pub(super) fn read(
    spec: &SetSpec,
    list: &[u8],
    entries: &mut Vec<Entry>,
    unknown: &mut Vec<String>,
) -> Result<(), Malformed> {
    for attribute in attributes(list) {
        read_entry(spec, attribute?.value, entries, unknown)?;
    }
    Ok(())
}

fn read_entry(
    spec: &SetSpec,
    bytes: &[u8],
    entries: &mut Vec<Entry>,
    unknown: &mut Vec<String>,
) -> Result<(), Malformed> {
    let mut key = None;
    let mut flags = 0;
    let mut entry = Entry {
        key: Box::default(),
        key_end: None,
        is_end: false,
        datum: None,
        name: None,
        count: None,
    };
    for attribute in attributes(bytes) {
        let attribute = attribute?;
        match attribute.kind {
            sys::NFTA_SET_ELEM_KEY => key = Some(value(attribute.value)?),
            sys::NFTA_SET_ELEM_KEY_END => entry.key_end = Some(value(attribute.value)?),
            sys::NFTA_SET_ELEM_FLAGS => flags = attribute.be32()?,
            sys::NFTA_SET_ELEM_DATA => {
                entry.datum = datum(attribute.value)?;
                if entry.datum.is_none() {
                    unknown.push("an element with an unknown verdict".into());
                }
            }
            sys::NFTA_SET_ELEM_USERDATA => entry.name = userdata::comment_in(attribute.value),
            sys::NFTA_SET_ELEM_EXPR => state(&mut entry, attribute.value, unknown)?,
            sys::NFTA_SET_ELEM_EXPRESSIONS => {
                for element in attribute.nested() {
                    state(&mut entry, element?.value, unknown)?;
                }
            }
            sys::NFTA_SET_ELEM_TIMEOUT => {
                let timeout = attribute.be64()?;
                if spec.timeout != Some(timeout) {
                    unknown.push(format!("an element with its own timeout, {timeout} ms"));
                }
            }
            sys::NFTA_SET_ELEM_OBJREF => {
                let object = attribute.string();
                unknown.push(format!("an element with the object `{object}`"));
            }
            // It moves by itself.
            sys::NFTA_SET_ELEM_EXPIRATION | sys::NFTA_SET_ELEM_PAD => {}
            other => unknown.push(format!("an element with attribute {other}")),
        }
    }
    if flags & sys::NFT_SET_ELEM_CATCHALL != 0 {
        unknown.push("a catch-all element".into());
        return Ok(());
    }
    entry.is_end = flags & sys::NFT_SET_ELEM_INTERVAL_END != 0;
    entry.key = key.ok_or(Malformed("an element without a key"))?;
    entries.push(entry);
    Ok(())
}

/// The element for all keys that no other has, in what one `NFTA_SET_ELEM_LIST_ELEMENTS` holds: its value, if it has one.
pub(super) fn catch_all(list: &[u8]) -> Result<Option<Option<Datum>>, Malformed> {
    for element in attributes(list) {
        let mut flags = 0;
        let mut found = None;
        for attribute in element?.nested() {
            let attribute = attribute?;
            match attribute.kind {
                sys::NFTA_SET_ELEM_FLAGS => flags = attribute.be32()?,
                sys::NFTA_SET_ELEM_DATA => found = datum(attribute.value)?,
                _ => {}
            }
        }
        if flags & sys::NFT_SET_ELEM_CATCHALL != 0 {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// The value of `NFTA_DATA_VALUE`.
fn value(bytes: &[u8]) -> Result<Box<[u8]>, Malformed> {
    for attribute in attributes(bytes) {
        let attribute = attribute?;
        if attribute.kind == sys::NFTA_DATA_VALUE {
            return Ok(attribute.value.into());
        }
    }
    Err(Malformed("a key without a value"))
}

fn datum(bytes: &[u8]) -> Result<Option<Datum>, Malformed> {
    for attribute in attributes(bytes) {
        let attribute = attribute?;
        match attribute.kind {
            sys::NFTA_DATA_VALUE => return Ok(Some(Datum::Value(attribute.value.into()))),
            sys::NFTA_DATA_VERDICT => return Ok(verdict(attribute.value).map(Datum::Verdict)),
            _ => {}
        }
    }
    Err(Malformed("an element's value without a value"))
}

fn state(entry: &mut Entry, expression: &[u8], unknown: &mut Vec<String>) -> Result<(), Malformed> {
    match expression::expression(expression)? {
        Instruction::Counter(count) => entry.count = Some(count),
        Instruction::Opaque { name, data: _ } => {
            unknown.push(format!("an element that keeps a {name}"));
        }
        other => unknown.push(format!("an element that keeps {other:?}")),
    }
    Ok(())
}

/// Puts the kernel's elements together to elements, sorted by key.
pub(super) fn assemble(spec: &SetSpec, mut entries: Vec<Entry>) -> Vec<Element> {
    // An end comes before the start that has the same key: intervals may touch.
    entries.sort_unstable_by(|a, b| (&a.key, !a.is_end).cmp(&(&b.key, !b.is_end)));
    if !spec.interval {
        // A hash table that grows while it is read shows some elements twice, without a new generation.
        entries.dedup_by(|again, first| again.key == first.key);
    }
    let pairs = spec.interval && entries.iter().all(|entry| entry.key_end.is_none());
    let mut elements = Vec::with_capacity(entries.len());
    let mut entries = entries.into_iter().peekable();
    while let Some(entry) = entries.next() {
        let Entry {
            key,
            key_end,
            is_end,
            datum,
            name,
            count,
        } = entry;
        // An end that ends nothing is how nft begins a set; lookups do not see it.
        if is_end {
            continue;
        }
        let key = if pairs {
            // Without an end, an interval goes on to the next start, or for ever.
            let last = match entries.peek() {
                Some(next) => predecessor(&next.key),
                None => Some(vec![u8::MAX; key.len()].into()),
            };
            Key::range(key.clone(), last.unwrap_or(key))
        } else {
            match key_end {
                Some(end) => Key::range(key, end),
                None => Key::exact(key),
            }
        };
        elements.push(Element {
            key,
            datum,
            name,
            count,
        });
    }
    elements
}

#[cfg(test)]
mod tests {
    #[test]
    fn an_element_that_was_seen_twice_is_one() {
        let spec = SetSpec::new("s", vec![DataType::InetService], SetKind::Set);
        let entry = || Entry {
            key: [0, 22].into(),
            key_end: None,
            is_end: false,
            datum: None,
            name: None,
            count: None,
        };
        let elements = assemble(&spec, vec![entry(), entry()]);
        assert_eq!(elements.len(), 1);
    }

    use super::*;
    use crate::ruleset::{DataType, SetKind};

    fn ports() -> SetSpec {
        SetSpec {
            interval: true,
            ..SetSpec::new("s", vec![DataType::InetService], SetKind::Set)
        }
    }

    fn range(lo: u16, hi: u16) -> Element {
        Element {
            key: Key::range(lo.to_be_bytes(), hi.to_be_bytes()),
            datum: None,
            name: None,
            count: None,
        }
    }

    fn round_trip(spec: &SetSpec, elements: &[Element]) -> (Vec<Element>, Vec<String>) {
        let mut entries = Vec::new();
        let mut unknown = Vec::new();
        for element in elements {
            let mut list = Writer::new();
            write(&mut list, spec, element, Part::Whole);
            read(spec, &list.finish().unwrap(), &mut entries, &mut unknown).unwrap();
        }
        entries.reverse();
        (assemble(spec, entries), unknown)
    }

    #[test]
    fn intervals_survive_the_kernels_form() {
        let elements = [
            range(0, 10),
            range(11, 11),
            range(22, 22),
            range(443, 65534),
            range(65535, 65535),
        ];
        assert_eq!(
            round_trip(&ports(), &elements),
            (elements.to_vec(), Vec::new())
        );
        let everything = [range(0, 65535)];
        assert_eq!(
            round_trip(&ports(), &everything),
            (everything.to_vec(), Vec::new())
        );
    }

    #[test]
    fn a_lone_end_is_nothing() {
        let mut entries = Vec::new();
        let mut writer = Writer::new();
        writer.be32(sys::NFTA_SET_ELEM_FLAGS, sys::NFT_SET_ELEM_INTERVAL_END);
        write_data(&mut writer, sys::NFTA_SET_ELEM_KEY, &[0, 0]);
        let bytes = writer.finish().unwrap();
        read_entry(&ports(), &bytes, &mut entries, &mut Vec::new()).unwrap();
        assert_eq!(assemble(&ports(), entries), []);
    }

    #[test]
    fn neighbours_of_keys() {
        assert_eq!(successor(&[0, 255]).as_deref(), Some([1, 0].as_slice()));
        assert_eq!(successor(&[255, 255]), None);
        assert_eq!(predecessor(&[1, 0]).as_deref(), Some([0, 255].as_slice()));
        assert_eq!(predecessor(&[0, 0]), None);
    }
}
