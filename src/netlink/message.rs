//! Netlink messages: the header (linux/netlink.h `struct nlmsghdr`) and nfnetlink's own
//! (linux/netfilter/nfnetlink.h `struct nfgenmsg`). Not here: attributes.

use std::io;

use super::constants::sys;

/// Length of both headers.
pub(super) const HEADERS: usize = NLMSGHDR + NFGENMSG;
const NLMSGHDR: usize = 16;
const NFGENMSG: usize = 4;

/// The type of a message to or from nf_tables.
pub(super) fn nftables(message: u32) -> u16 {
    // Both numbers are below 256.
    (sys::NFNL_SUBSYS_NFTABLES << 8 | message & 0xff) as u16
}

/// What the headers of a message to be sent say.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    pub(super) kind: u16,
    pub(super) flags: u32,
    pub(super) sequence: u32,
    pub(super) family: u8,
    pub(super) resource: u16,
}

/// Appends a message.
pub(super) fn append(buffer: &mut Vec<u8>, header: Header, attributes: &[u8]) {
    let Header {
        kind,
        flags,
        sequence,
        family,
        resource,
    } = header;
    // A batch is far below 4 GiB: the socket's buffer bounds it.
    let length = (HEADERS + attributes.len()) as u32;
    let flags = (flags | sys::NLM_F_REQUEST) as u16;
    buffer.extend_from_slice(&length.to_ne_bytes());
    buffer.extend_from_slice(&kind.to_ne_bytes());
    buffer.extend_from_slice(&flags.to_ne_bytes());
    buffer.extend_from_slice(&sequence.to_ne_bytes());
    buffer.extend_from_slice(&0u32.to_ne_bytes());
    buffer.extend_from_slice(&[family, sys::NFNETLINK_V0 as u8]);
    buffer.extend_from_slice(&resource.to_be_bytes());
    buffer.extend_from_slice(attributes);
    buffer.resize(buffer.len().next_multiple_of(4), 0);
}

/// A message as it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Message<'a> {
    pub(super) kind: u16,
    pub(super) flags: u32,
    pub(super) sequence: u32,
    /// Everything after `nlmsghdr`.
    pub(super) body: &'a [u8],
}

impl<'a> Message<'a> {
    /// nfnetlink's header and the attributes after it.
    pub(super) fn netfilter(&self) -> Option<Netfilter<'a>> {
        let (&[family, _version, high, low], attributes) =
            self.body.split_first_chunk::<NFGENMSG>()?;
        Some(Netfilter {
            family,
            resource: u16::from_be_bytes([high, low]),
            attributes,
        })
    }

    /// For `NLMSG_ERROR` and `NLMSG_DONE`: the error number, 0 for none, and what follows it.
    pub(super) fn outcome(&self) -> Option<(i32, &'a [u8])> {
        let (code, rest) = self.body.split_first_chunk::<4>()?;
        Some((i32::from_ne_bytes(*code).wrapping_neg(), rest))
    }
}

/// What nfnetlink puts after the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Netfilter<'a> {
    pub(super) family: u8,
    /// In answers of nf_tables: the lower half of the generation.
    pub(super) resource: u16,
    pub(super) attributes: &'a [u8],
}

/// Takes a datagram apart. A message that is longer than what is left ends it with `Err`.
pub(super) fn messages(datagram: &[u8]) -> impl Iterator<Item = Result<Message<'_>, Truncated>> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let Some((message, after)) = split(rest) else {
            rest = &[];
            return Some(Err(Truncated));
        };
        rest = after;
        Some(Ok(message))
    })
}

/// A message longer than the datagram that holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Truncated;

impl From<Truncated> for io::Error {
    fn from(_: Truncated) -> Self {
        Self::new(io::ErrorKind::InvalidData, "a message is cut short")
    }
}

fn split(bytes: &[u8]) -> Option<(Message<'_>, &[u8])> {
    let (length, after) = bytes.split_first_chunk::<4>()?;
    let (kind, after) = after.split_first_chunk::<2>()?;
    let (flags, after) = after.split_first_chunk::<2>()?;
    let (sequence, _) = after.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_ne_bytes(*length)).ok()?;
    let body = bytes.get(NLMSGHDR..length)?;
    let rest = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    Some((
        Message {
            kind: u16::from_ne_bytes(*kind),
            flags: u32::from(u16::from_ne_bytes(*flags)),
            sequence: u32::from_ne_bytes(*sequence),
            body,
        },
        rest,
    ))
}
