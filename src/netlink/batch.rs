//! Operations → one batch: BATCH_BEGIN with the generation, a message or more per operation, BATCH_END;
//! and what the kernel says to it, by operation.
//!
//! nfnetlink works a batch off inside `sendmsg`, so every answer is in the receive queue when it
//! returns (net/netfilter/nfnetlink.c, `nfnetlink_rcv_batch`). Messages ask for no acknowledgement: an
//! error always answers, and acknowledgements of single messages do not prove a commit. Only BATCH_END
//! asks for one, which kernels since 6.10 give.

use std::io;
use std::ops::Range;

use nix::libc;

use super::attribute::{Writer, attributes, string};
use super::constants::{NFPROTO_INET, NFPROTO_UNSPEC, NFT_MSG_DESTROYSETELEM, sys};
use super::encode;
use super::message::{self, Header, Message};
use super::refusal;
use super::socket::Socket;
use crate::kernel::{CommitError, Refusal};
use crate::live::Generation;
use crate::plan::Operation;
use crate::ruleset::{Flowtable, Object, ObjectKind};

/// Whether the kernel shall keep what the batch does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// With BATCH_END: commit.
    Commit,
    /// Without: the kernel checks everything and throws it away.
    DryRun,
}

/// A batch ready to be sent.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) bytes: Vec<u8>,
    /// The sequence number of BATCH_BEGIN; the messages follow it one by one.
    first: u32,
    messages: Vec<Sent>,
}

/// A message of a batch.
#[derive(Debug)]
struct Sent {
    operation: usize,
    place: Range<usize>,
}

/// An operation that does not fit any message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Overlong {
    pub(super) operation: usize,
}

impl Batch {
    /// Encodes a batch whose sequence numbers begin at `first`. `destroy` says whether the kernel knows
    /// `NFT_MSG_DESTROYSETELEM`.
    pub(super) fn new(
        operations: &[Operation],
        destroy: bool,
        base: Option<Generation>,
        first: u32,
        ending: Ending,
    ) -> Result<Self, Overlong> {
        let mut batch = Self {
            bytes: Vec::new(),
            first,
            messages: Vec::new(),
        };
        batch.begin(base);
        for (index, operation) in operations.iter().enumerate() {
            for body in encode::operation(index, operation, destroy) {
                let attributes = body.attributes.ok_or(Overlong { operation: index })?;
                batch.push(index, body.message, body.flags, &attributes);
            }
        }
        if ending == Ending::Commit {
            batch.end();
        }
        Ok(batch)
    }

    /// How many sequence numbers it takes.
    pub(super) fn sequences(&self) -> u32 {
        u32::try_from(self.messages.len())
            .unwrap_or(u32::MAX)
            .saturating_add(2)
    }

    fn begin(&mut self, base: Option<Generation>) {
        let mut writer = Writer::new();
        if let Some(Generation(base)) = base {
            let kind = u16::try_from(sys::NFNL_BATCH_GENID).unwrap_or_default();
            writer.be32(kind, base);
        }
        let attributes = writer.finish().unwrap_or_default();
        self.append_edge(sys::NFNL_MSG_BATCH_BEGIN, 0, self.first, &attributes);
    }

    fn end(&mut self) {
        let sequence = self.end_sequence();
        self.append_edge(sys::NFNL_MSG_BATCH_END, sys::NLM_F_ACK, sequence, &[]);
    }

    fn append_edge(&mut self, kind: u32, flags: u32, sequence: u32, attributes: &[u8]) {
        let header = Header {
            kind: u16::try_from(kind).unwrap_or_default(),
            flags,
            sequence,
            family: NFPROTO_UNSPEC,
            resource: u16::try_from(sys::NFNL_SUBSYS_NFTABLES).unwrap_or_default(),
        };
        message::append(&mut self.bytes, header, attributes);
    }

    fn push(&mut self, operation: usize, message: u32, flags: u32, attributes: &[u8]) {
        let start = self.bytes.len();
        let header = Header {
            kind: message::nftables(message),
            flags,
            sequence: self.end_sequence(),
            family: NFPROTO_INET,
            resource: 0,
        };
        message::append(&mut self.bytes, header, attributes);
        self.messages.push(Sent {
            operation,
            place: start..self.bytes.len(),
        });
    }

    /// The sequence number after that of the last message.
    fn end_sequence(&self) -> u32 {
        let messages = u32::try_from(self.messages.len()).unwrap_or(u32::MAX);
        self.first.wrapping_add(1).wrapping_add(messages)
    }
}

/// What the kernel said to a batch.
#[derive(Debug, Default)]
pub(super) struct Answers {
    /// The error number for BATCH_BEGIN, which stands for the batch as a whole.
    pub(super) whole: Option<i32>,
    /// Errors of single messages.
    pub(super) refusals: Vec<Refusal>,
    /// Whether BATCH_END was acknowledged.
    pub(super) acknowledged: bool,
}

/// Takes all answers to a batch out of the receive queue. ENOBUFS when some did not fit into it.
pub(super) fn answers(
    socket: &mut Socket,
    batch: &Batch,
    operations: &[Operation],
) -> io::Result<Answers> {
    let mut answers = Answers::default();
    let mut lost = None;
    loop {
        let datagram = match socket.receive_waiting() {
            Ok(Some(datagram)) => datagram,
            Ok(None) => break,
            // What did fit is still in the queue and would stand in the way of the next answer.
            Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {
                lost = Some(error);
                continue;
            }
            Err(error) => return Err(error),
        };
        for message in message::messages(datagram) {
            let message = message?;
            if u32::from(message.kind) == sys::NLMSG_ERROR {
                let answer = Answer::read(&message).ok_or(message::Truncated)?;
                answers.take(batch, operations, &answer);
            }
        }
    }
    match lost {
        Some(error) => Err(error),
        None => Ok(answers),
    }
}

impl Answers {
    fn take(&mut self, batch: &Batch, operations: &[Operation], answer: &Answer) {
        let place = answer.sequence.wrapping_sub(batch.first);
        if place == 0 {
            if answer.error != 0 {
                self.whole = Some(answer.error);
            }
            return;
        }
        if answer.error == 0 {
            self.acknowledged |= answer.sequence == batch.end_sequence();
            return;
        }
        let sent = usize::try_from(place - 1)
            .ok()
            .and_then(|place| batch.messages.get(place));
        let detail = sent.and_then(|sent| {
            let message = batch.bytes.get(sent.place.clone())?;
            refusal::detail(message, answer.offset?, operations.get(sent.operation)?)
        });
        let text = answer.text.clone();
        self.refusals.push(Refusal {
            operation: sent.map(|sent| sent.operation),
            reason: io::Error::from_raw_os_error(answer.error),
            detail: match (detail, text) {
                (Some(detail), Some(text)) => Some(format!("{detail}: {text}")),
                (detail, text) => detail.or(text),
            },
        });
    }
}

/// `NLMSG_ERROR` (linux/netlink.h `struct nlmsgerr`).
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    sequence: u32,
    /// 0 is an acknowledgement.
    error: i32,
    /// Where the bad attribute stands in the message, counted from its header.
    offset: Option<usize>,
    /// What the kernel says in words.
    text: Option<String>,
}

impl Answer {
    pub(super) fn read(message: &Message<'_>) -> Option<Self> {
        const NLMSGHDR: usize = 16;
        let (error, request) = message.outcome()?;
        let mut answer = Self {
            sequence: message.sequence,
            error,
            offset: None,
            text: None,
        };
        if message.flags & sys::NLM_F_ACK_TLVS == 0 {
            return Some(answer);
        }
        let echoed = if message.flags & sys::NLM_F_CAPPED != 0 {
            NLMSGHDR
        } else {
            let (length, _) = request.split_first_chunk::<4>()?;
            let length = usize::try_from(u32::from_ne_bytes(*length)).ok()?;
            length.checked_next_multiple_of(4)?
        };
        for attribute in attributes(request.get(echoed..)?) {
            let attribute = attribute.ok()?;
            match u32::from(attribute.kind) {
                // Unlike nf_tables' own numbers, in host order.
                sys::NLMSGERR_ATTR_OFFS => {
                    let offset = attribute.value.try_into().ok().map(u32::from_ne_bytes)?;
                    answer.offset = usize::try_from(offset).ok();
                }
                sys::NLMSGERR_ATTR_MSG => answer.text = Some(string(attribute.value)),
                _ => {}
            }
        }
        Some(answer)
    }
}

/// Asks the kernel whether it has flowtables for tables of rfw's family, by a dry run: one without interfaces in a table
/// of its own, never committed. A kernel without them has no such thing as their type (ENOENT; EOPNOTSUPP before 5.3).
pub(super) fn knows_flowtables(socket: &mut Socket, first: u32) -> Result<bool, CommitError> {
    const PROBE: &str = "rfw\u{1}probe";
    let mut batch = Batch {
        bytes: Vec::new(),
        first,
        messages: Vec::new(),
    };
    batch.begin(None);
    let mut table = Writer::new();
    table.string(sys::NFTA_TABLE_NAME, PROBE);
    let create = sys::NLM_F_CREATE;
    batch.push(
        0,
        sys::NFT_MSG_NEWTABLE,
        create,
        &table.finish().unwrap_or_default(),
    );
    let mut flowtable = Writer::new();
    flowtable.string(sys::NFTA_FLOWTABLE_TABLE, PROBE);
    let object = Object {
        name: "probe".to_owned(),
        kind: ObjectKind::Flowtable(Flowtable {
            interfaces: Vec::new(),
            hardware: false,
        }),
        origin: None,
    };
    encode::write_flowtable(&mut flowtable, &object);
    let attributes = flowtable.finish().unwrap_or_default();
    batch.push(1, sys::NFT_MSG_NEWFLOWTABLE, create, &attributes);
    let io = |source| CommitError::Io {
        action: "asking whether the kernel has flowtables",
        source,
    };
    socket.send(&batch.bytes).map_err(io)?;
    let answers = answers(socket, &batch, &[]).map_err(io)?;
    Ok(answers.refusals.is_empty())
}

/// Why the kernel refuses a batch of this one message, by a dry run; `None` if it takes it.
pub(super) fn is_refused(
    socket: &mut Socket,
    first: u32,
    message: u32,
    attributes: &[u8],
) -> Result<Option<io::Error>, CommitError> {
    let mut batch = Batch {
        bytes: Vec::new(),
        first,
        messages: Vec::new(),
    };
    batch.begin(None);
    batch.push(0, message, sys::NLM_F_CREATE, attributes);
    let io = |source| CommitError::Io {
        action: "asking what the kernel knows",
        source,
    };
    socket.send(&batch.bytes).map_err(io)?;
    let answers = answers(socket, &batch, &[]).map_err(io)?;
    if let Some(error) = answers.whole {
        return Err(io(io::Error::from_raw_os_error(error)));
    }
    Ok(answers.refusals.into_iter().next().map(|it| it.reason))
}

/// Asks the kernel whether it has `NFT_MSG_DESTROYSETELEM` (since 6.3), outside a batch, where nothing can come of it:
/// an unknown message is EINVAL; of a known one the attributes are looked at first, and the name of the table is
/// too long, ERANGE (net/netfilter/nfnetlink.c, `nfnetlink_rcv_msg`).
///
/// A dry run would do as well, but the kernel waits for a grace period when it ends one (6.18: 20 to 100 ms).
pub(super) fn knows_destroy(socket: &mut Socket, sequence: u32) -> Result<bool, CommitError> {
    knows(socket, sequence, NFT_MSG_DESTROYSETELEM)
}

/// The same for any message about elements that belongs into a batch.
fn knows(socket: &mut Socket, sequence: u32, kind: u32) -> Result<bool, CommitError> {
    /// Longer than `NFT_TABLE_MAXNAMELEN`, 256.
    const TOO_LONG: usize = 300;
    let mut writer = Writer::new();
    writer.string(sys::NFTA_SET_ELEM_LIST_TABLE, &"x".repeat(TOO_LONG));
    let header = Header {
        kind: message::nftables(kind),
        flags: sys::NLM_F_ACK,
        sequence,
        family: NFPROTO_INET,
        resource: 0,
    };
    let mut bytes = Vec::new();
    message::append(&mut bytes, header, &writer.finish().unwrap_or_default());
    let io = |source| CommitError::Io {
        action: "asking what the kernel knows",
        source,
    };
    socket.send(&bytes).map_err(io)?;
    loop {
        for answer in message::messages(socket.receive().map_err(io)?).flatten() {
            let is_ours = answer.sequence == sequence && u32::from(answer.kind) == sys::NLMSG_ERROR;
            if let Some((error, _)) = answer.outcome().filter(|_| is_ours) {
                return match error {
                    libc::EPERM => Err(CommitError::Permission {
                        source: std::io::Error::from_raw_os_error(error),
                    }),
                    error => Ok(error == libc::ERANGE),
                };
            }
        }
    }
}
