//! Requests and their answers: one object, or a dump in which every message belongs to one generation.
//!
//! Not here: what is asked for.

use std::io;

use nix::libc;

use super::Netlink;
use super::attribute::{Malformed, Writer};
use super::constants::{NFPROTO_INET, sys};
use super::message::{self, Header, Netfilter};
use crate::kernel::ObserveError;
use crate::live::Generation;
use crate::ruleset::TABLE;

/// Why one reading failed.
#[derive(Debug)]
pub(super) enum ReadError {
    /// Somebody committed meanwhile.
    Moved,
    /// The kernel answered with an error number.
    Refused {
        /// What was asked for.
        action: &'static str,
        /// The kernel's reason.
        source: io::Error,
    },
    /// It cannot be read at all.
    Failed(ObserveError),
}

impl From<ObserveError> for ReadError {
    fn from(error: ObserveError) -> Self {
        Self::Failed(error)
    }
}

/// Called for every message with its flags and, without a message, for the end of the answer.
type Listener<'l> = dyn FnMut(Option<Netfilter<'_>>, u32) -> Result<(), Malformed> + 'l;

/// A request for a dump or for one object.
#[derive(Debug)]
pub(super) struct Request {
    action: &'static str,
    message: u32,
    family: u8,
    attributes: Vec<u8>,
}

impl Request {
    pub(super) fn new(action: &'static str, message: u32, family: u8, writer: Writer) -> Self {
        Self {
            action,
            message,
            family,
            // Names are far below the limit of an attribute.
            attributes: writer.finish().unwrap_or_default(),
        }
    }

    /// Everything of one kind in rfw's table, where the kernel can tell.
    pub(super) fn of_table(action: &'static str, message: u32, table_attribute: u16) -> Self {
        let mut writer = Writer::new();
        writer.string(table_attribute, TABLE);
        Self::new(action, message, NFPROTO_INET, writer)
    }
}

impl Netlink {
    /// A dump whose every message belongs to `generation`.
    pub(super) fn dump(
        &mut self,
        generation: Generation,
        request: &Request,
        each: &mut dyn FnMut(Netfilter<'_>) -> Result<(), Malformed>,
    ) -> Result<(), ReadError> {
        let mut moved = false;
        let answered = self.talk(request, sys::NLM_F_DUMP, &mut |answer, flags| {
            moved |= flags & sys::NLM_F_DUMP_INTR != 0;
            if let Some(answer) = answer {
                moved |= answer.resource != lower_half(generation);
                // What does not belong together need not be understood.
                if !moved {
                    return each(answer);
                }
            }
            Ok(())
        });
        match answered {
            _ if moved => Err(ReadError::Moved),
            // It may have been there when it was listed.
            Err(ReadError::Refused { .. }) if self.read_generation()? != generation => {
                Err(ReadError::Moved)
            }
            other => other,
        }
    }

    /// A request with one answer.
    pub(super) fn ask(
        &mut self,
        request: &Request,
        each: &mut dyn FnMut(Netfilter<'_>) -> Result<(), Malformed>,
    ) -> Result<(), ReadError> {
        self.talk(request, 0, &mut |answer, _| {
            answer.map_or(Ok(()), &mut *each)
        })
    }

    /// Sends a request and reads to the end of its answer, whatever is in it: what stays in the
    /// receive queue would answer the next request.
    fn talk(
        &mut self,
        request: &Request,
        flags: u32,
        each: &mut Listener<'_>,
    ) -> Result<(), ReadError> {
        let Request {
            action,
            message,
            family,
            attributes,
        } = request;
        let sequence = self.next_sequence();
        let header = Header {
            kind: message::nftables(*message),
            flags,
            sequence,
            family: *family,
            resource: 0,
        };
        let mut datagram = Vec::with_capacity(message::HEADERS + attributes.len());
        message::append(&mut datagram, header, attributes);
        let io = |source: io::Error| ReadError::from(io_error(action, source));
        self.socket.send(&datagram).map_err(io)?;
        let mut outcome = Ok(());
        loop {
            for message in message::messages(self.socket.receive().map_err(io)?) {
                let message =
                    message.map_err(|_| malformed(action, Malformed("a message is cut off")))?;
                if message.sequence != sequence {
                    continue;
                }
                let kind = u32::from(message.kind);
                if kind == sys::NLMSG_ERROR || kind == sys::NLMSG_DONE {
                    let (error, _) = message
                        .outcome()
                        .ok_or_else(|| malformed(action, Malformed("an empty answer")))?;
                    outcome = outcome.and(each(None, message.flags));
                    if error != 0 {
                        let source = io::Error::from_raw_os_error(error);
                        return Err(ReadError::Refused { action, source });
                    }
                    return Ok(outcome.map_err(|error| malformed(action, error))?);
                }
                let answer = message.netfilter();
                let read = answer
                    .ok_or(Malformed("a message without headers"))
                    .and_then(|answer| each(Some(answer), message.flags));
                outcome = outcome.and(read);
                if message.flags & sys::NLM_F_MULTI == 0 {
                    return Ok(outcome.map_err(|error| malformed(action, error))?);
                }
            }
        }
    }
}

/// What a message of a generation carries of it.
pub(super) fn lower_half(generation: Generation) -> u16 {
    (generation.0 & 0xffff) as u16
}

/// An error of a reading that is not repeated.
pub(super) fn settle(error: ReadError) -> ObserveError {
    match error {
        ReadError::Moved => ObserveError::Unsteady { attempts: 1 },
        ReadError::Refused { action, source } => io_error(action, source),
        ReadError::Failed(error) => error,
    }
}

fn io_error(action: &'static str, source: io::Error) -> ObserveError {
    if source.raw_os_error() == Some(libc::EPERM) {
        ObserveError::Permission { source }
    } else {
        ObserveError::Io { action, source }
    }
}

pub(super) fn malformed(what: &str, error: Malformed) -> ObserveError {
    let Malformed(detail) = error;
    ObserveError::Malformed {
        what: what.to_owned(),
        detail: detail.to_owned(),
    }
}
