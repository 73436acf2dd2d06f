//! Netlink attributes: type, length, value, padded to 4 bytes (linux/netlink.h `struct nlattr`).
//!
//! Nested attributes in nf_tables dumps do not carry the nested flag, so the reader does not look at
//! it: its caller knows what is a nest. Numbers are big endian, as nf_tables has them. The reader
//! takes any bytes and never panics. Not here: what the attributes mean.

use super::constants::sys;

/// Set in the type of an attribute that holds attributes (linux/netlink.h).
const NLA_F_NESTED: u16 = 1 << 15;
/// Without `NLA_F_NESTED` and `NLA_F_NET_BYTEORDER`.
const NLA_TYPE_MASK: u16 = 0x3fff;
const HEADER: usize = 4;

/// Bytes that do not have the form of attributes, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed(pub(super) &'static str);

/// One attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Attribute<'a> {
    /// The type, without flags.
    pub(super) kind: u16,
    /// Where its header stands, counted from the first byte given to [`attributes`].
    pub(super) offset: usize,
    /// The value, without padding.
    pub(super) value: &'a [u8],
}

impl<'a> Attribute<'a> {
    pub(super) fn be32(&self) -> Result<u32, Malformed> {
        be32(self.value)
    }

    pub(super) fn be64(&self) -> Result<u64, Malformed> {
        self.value
            .try_into()
            .map(u64::from_be_bytes)
            .map_err(|_| Malformed("a 64-bit number of another length"))
    }

    /// The attributes inside.
    pub(super) fn nested(&self) -> Attributes<'a> {
        attributes(self.value)
    }

    /// The text up to the first NUL. Bytes that are not UTF-8 (the kernel takes any) come as U+FFFD.
    pub(super) fn string(&self) -> String {
        string(self.value)
    }
}

pub(super) fn be32(value: &[u8]) -> Result<u32, Malformed> {
    value
        .try_into()
        .map(u32::from_be_bytes)
        .map_err(|_| Malformed("a 32-bit number of another length"))
}

pub(super) fn string(value: &[u8]) -> String {
    let end = value.iter().position(|byte| *byte == 0);
    let text = end.and_then(|end| value.get(..end)).unwrap_or(value);
    String::from_utf8_lossy(text).into_owned()
}

/// Reads attributes that stand one after the other.
pub(super) fn attributes(bytes: &[u8]) -> Attributes<'_> {
    Attributes { bytes, offset: 0 }
}

/// See [`attributes`]. After an error it ends.
#[derive(Clone, Debug)]
pub(super) struct Attributes<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Result<Attribute<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.bytes.is_empty() {
            return None;
        }
        let Some((attribute, rest)) = split(self.bytes, self.offset) else {
            self.bytes = &[];
            return Some(Err(Malformed("an attribute longer than what holds it")));
        };
        self.offset += self.bytes.len() - rest.len();
        self.bytes = rest;
        Some(Ok(attribute))
    }
}

fn split(bytes: &[u8], offset: usize) -> Option<(Attribute<'_>, &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    let (kind, _) = rest.split_first_chunk::<2>()?;
    let length = usize::from(u16::from_ne_bytes(*length));
    let value = bytes.get(HEADER..length)?;
    // The last attribute may lack its padding.
    let rest = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    let kind = u16::from_ne_bytes(*kind) & NLA_TYPE_MASK;
    Some((
        Attribute {
            kind,
            offset,
            value,
        },
        rest,
    ))
}

/// Writes attributes.
#[derive(Clone, Debug, Default)]
pub(super) struct Writer {
    bytes: Vec<u8>,
    overlong: bool,
}

impl Writer {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// What has been written, or `None` when an attribute became longer than 65 535 bytes.
    pub(super) fn finish(self) -> Option<Vec<u8>> {
        (!self.overlong).then_some(self.bytes)
    }

    /// Bytes written so far.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Takes away what was written after so many bytes, which must end an attribute.
    pub(super) fn split_off(&mut self, at: usize) -> Self {
        Self {
            bytes: self.bytes.split_off(at),
            overlong: self.overlong,
        }
    }

    pub(super) fn bytes(&mut self, kind: u16, value: &[u8]) {
        let start = self.begin(kind);
        self.bytes.extend_from_slice(value);
        self.end(start);
    }

    /// Text with a NUL at its end.
    pub(super) fn string(&mut self, kind: u16, text: &str) {
        let start = self.begin(kind);
        self.bytes.extend_from_slice(text.as_bytes());
        self.bytes.push(0);
        self.end(start);
    }

    pub(super) fn u8(&mut self, kind: u16, number: u8) {
        self.bytes(kind, &[number]);
    }

    pub(super) fn be16(&mut self, kind: u16, number: u16) {
        self.bytes(kind, &number.to_be_bytes());
    }

    pub(super) fn be32(&mut self, kind: u16, number: u32) {
        self.bytes(kind, &number.to_be_bytes());
    }

    pub(super) fn be64(&mut self, kind: u16, number: u64) {
        self.bytes(kind, &number.to_be_bytes());
    }

    /// An attribute that holds what `inside` writes.
    pub(super) fn nest(&mut self, kind: u16, inside: impl FnOnce(&mut Self)) {
        let start = self.begin(kind | NLA_F_NESTED);
        inside(self);
        self.end(start);
    }

    /// `NFTA_LIST_ELEM` with what `inside` writes.
    pub(super) fn list_element(&mut self, inside: impl FnOnce(&mut Self)) {
        self.nest(sys::NFTA_LIST_ELEM, inside);
    }

    /// Attributes that were written before.
    pub(super) fn append(&mut self, attributes: &[u8]) {
        self.bytes.extend_from_slice(attributes);
    }

    fn begin(&mut self, kind: u16) -> usize {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0, 0]);
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        start
    }

    fn end(&mut self, start: usize) {
        match u16::try_from(self.bytes.len() - start) {
            Ok(length) => {
                if let Some(place) = self.bytes.get_mut(start..start + 2) {
                    place.copy_from_slice(&length.to_ne_bytes());
                }
            }
            Err(_) => self.overlong = true,
        }
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<Vec<(u16, Vec<u8>)>, Malformed> {
        attributes(bytes)
            .map(|attribute| attribute.map(|it| (it.kind, it.value.to_vec())))
            .collect()
    }

    #[test]
    fn what_is_written_is_read() {
        let mut writer = Writer::new();
        writer.string(1, "rfw");
        writer.u8(2, 7);
        writer.nest(3, |writer| writer.be32(1, 0x0102_0304));
        let bytes = writer.finish().unwrap();
        assert_eq!(
            bytes,
            [
                [8, 0, 1, 0].as_slice(),
                b"rfw\0",
                &[5, 0, 2, 0, 7, 0, 0, 0],
                &[12, 0, 3, 0x80, 8, 0, 1, 0, 1, 2, 3, 4]
            ]
            .concat()
        );
        assert_eq!(
            read(&bytes).unwrap(),
            [
                (1, b"rfw\0".to_vec()),
                (2, vec![7]),
                (3, vec![8, 0, 1, 0, 1, 2, 3, 4])
            ]
        );
    }

    #[test]
    fn bad_lengths_are_errors() {
        assert!(read(&[8, 0, 1, 0, 1]).is_err());
        assert!(read(&[3, 0, 1, 0]).is_err());
        assert!(read(&[0, 0, 1, 0]).is_err());
        assert!(read(&[4, 0, 1]).is_err());
        assert_eq!(read(&[5, 0, 1, 0, 9]), Ok(vec![(1, vec![9])]));
    }

    #[test]
    fn too_long_is_no_message() {
        let mut writer = Writer::new();
        writer.nest(1, |writer| {
            writer.bytes(1, &[0; 40_000]);
            writer.bytes(1, &[0; 40_000]);
        });
        assert_eq!(writer.finish(), None);
    }
}
