//! What others do: commits to nf_tables, with who made them, and changes of interfaces and addresses.
//!
//! The kernel tells of each object of a commit, then of the commit itself (`NFT_MSG_NEWGEN`) with the process that made
//! it. Rules, sets and elements are not decoded: a reader only needs to know whether rfw's table was touched. Elements
//! that expire, and tables that go with their owner, make no event.

use std::io;

use nix::libc;

use super::attribute::{Attribute, attributes};
use super::constants::{NFPROTO_INET, sys};
use super::message::{Message, messages, nftables};
use super::socket::{Membership, Socket};
use crate::ruleset::TABLE;
use crate::view::printable;

/// `NFNLGRP_NFTABLES` of linux/netfilter/nfnetlink.h.
const GROUP_NFTABLES: u32 = 7;
/// `RTNLGRP_LINK`, `RTNLGRP_IPV4_IFADDR`, `RTNLGRP_IPV6_IFADDR` of linux/rtnetlink.h.
const GROUPS_LINKS: [u32; 3] = [1, 5, 9];
/// Every object names its table in its first attribute (`NFTA_TABLE_NAME`, `NFTA_RULE_TABLE`, …; all are 1).
const TABLE_ATTRIBUTE: u16 = 1;

/// A commit, as the kernel tells of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommitEvent {
    /// The generation that it made.
    pub generation: u32,
    /// The process, counted where the kernel counts (the first process namespace).
    pub pid: u32,
    /// Its name, at most 15 bytes.
    pub process: String,
    /// Whether rfw's table was touched.
    pub touches_ours: bool,
    /// Whether all that the kernel has told of it was heard, if it was told from the beginning. Else it may have touched rfw's
    /// table all the same.
    pub is_whole: bool,
}

/// Whether what is heard is all that there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Doubt {
    #[default]
    None,
    /// Something was lost. Until nothing waits to be read any more, the kernel goes on to lose things, and says no more of it
    /// (`netlink_overrun`).
    UntilQuiet,
    /// It is quiet, but of the commit that is told of next the beginning may have been lost.
    UntilNext,
}

/// What was told next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RulesetEvent {
    /// Somebody has committed something.
    Commit(CommitEvent),
    /// Events were lost, because they came faster than they were read.
    Lost,
}

/// Listens to commits in the network namespace in which it was opened.
#[derive(Debug)]
pub struct RulesetEvents {
    socket: Socket,
    heard: Heard,
}

/// What was heard of a commit whose end is still to come.
#[derive(Debug, Default)]
struct Heard {
    touched: bool,
    doubt: Doubt,
}

impl RulesetEvents {
    /// Begins to listen: nothing that is committed from now on is missed.
    ///
    /// # Errors
    /// When the system has no netlink, or no file descriptor left.
    pub fn open() -> io::Result<Self> {
        let socket = Socket::open()?;
        socket.membership(GROUP_NFTABLES).join()?;
        Ok(Self {
            socket,
            heard: Heard::default(),
        })
    }

    /// What keeps it from hearing its own process.
    pub fn ears(&self) -> Ears {
        Ears {
            membership: self.socket.membership(GROUP_NFTABLES),
            are_shut: false,
            missed: false,
        }
    }

    /// Waits for events; none after a while without.
    ///
    /// # Errors
    /// When the socket cannot be read any more.
    pub fn wait(&mut self) -> io::Result<Vec<RulesetEvent>> {
        let received = match self.heard.doubt {
            // It has to be known when nothing waits any more.
            Doubt::UntilQuiet => self.socket.receive_waiting(),
            Doubt::None | Doubt::UntilNext => self.socket.receive().map(Some),
        };
        let datagram = match received {
            Ok(Some(datagram)) => datagram,
            Ok(None) => {
                self.heard.quiet();
                return Ok(Vec::new());
            }
            Err(error) => {
                return match error.raw_os_error() {
                    Some(libc::ENOBUFS) => Ok(vec![self.heard.lost()]),
                    Some(libc::EAGAIN) => Ok(Vec::new()),
                    _ => Err(error),
                };
            }
        };
        let mut events = Vec::new();
        for message in messages(datagram) {
            // What is cut off may have been anything.
            let Ok(message) = message else {
                events.push(self.heard.lost());
                break;
            };
            events.extend(self.heard.read(&message).map(RulesetEvent::Commit));
        }
        Ok(events)
    }
}

/// The ears of a listener, which are shut while its own process commits.
///
/// The kernel tells of every element, one by one, as long as anybody listens: of a batch of 15,000 it takes 15 ms without a
/// listener and 50 ms with one (measured). What others commit just then is not heard; that it was, is
/// known by the generation, see `Ears::missed`.
#[derive(Debug)]
pub struct Ears {
    membership: Membership,
    are_shut: bool,
    missed: bool,
}

impl Ears {
    pub(super) fn shut(&mut self) {
        self.are_shut = self.membership.leave().is_ok();
    }

    /// Opens them again; what is committed from now on is heard.
    pub(super) fn open(&mut self) {
        if self.are_shut {
            self.are_shut = self.membership.join().is_err();
        }
        self.missed |= self.are_shut;
    }

    /// Somebody has committed something meanwhile, or may have.
    pub(super) fn miss(&mut self) {
        self.missed = true;
    }

    /// Whether something was missed since this was asked last.
    pub(super) fn missed(&mut self) -> bool {
        self.open();
        std::mem::take(&mut self.missed)
    }
}

impl Heard {
    fn lost(&mut self) -> RulesetEvent {
        *self = Self {
            touched: false,
            doubt: Doubt::UntilQuiet,
        };
        RulesetEvent::Lost
    }

    /// Nothing waits to be read.
    fn quiet(&mut self) {
        if self.doubt == Doubt::UntilQuiet {
            self.doubt = Doubt::UntilNext;
        }
    }

    /// Whether the commit that ends here was heard from its beginning.
    fn is_whole(&mut self) -> bool {
        match self.doubt {
            Doubt::None => true,
            Doubt::UntilQuiet => false,
            Doubt::UntilNext => {
                self.doubt = Doubt::None;
                false
            }
        }
    }

    /// Takes in a message; returns the commit when this is its end.
    fn read(&mut self, message: &Message<'_>) -> Option<CommitEvent> {
        let commit = read(message, &mut self.touched)?;
        Some(CommitEvent {
            is_whole: self.is_whole(),
            ..commit
        })
    }
}

/// Notes whether an object is in rfw's table; returns the commit when this is its end.
fn read(message: &Message<'_>, touched: &mut bool) -> Option<CommitEvent> {
    let body = message.netfilter()?;
    if message.kind != nftables(sys::NFT_MSG_NEWGEN) {
        let is_ours = body.family == NFPROTO_INET
            && attributes(body.attributes).any(|attribute| {
                attribute.is_ok_and(|attribute| {
                    attribute.kind == TABLE_ATTRIBUTE && text(attribute.value) == TABLE
                })
            });
        *touched |= is_ours;
        return None;
    }
    let mut commit = CommitEvent {
        touches_ours: std::mem::take(touched),
        ..CommitEvent::default()
    };
    for attribute in attributes(body.attributes) {
        let Ok(Attribute { kind, value, .. }) = attribute else {
            break;
        };
        let number = || value.first_chunk().map(|bytes| u32::from_be_bytes(*bytes));
        match kind {
            sys::NFTA_GEN_ID => commit.generation = number().unwrap_or_default(),
            sys::NFTA_GEN_PROC_PID => commit.pid = number().unwrap_or_default(),
            sys::NFTA_GEN_PROC_NAME => commit.process = printable(&text(value)),
            _ => {}
        }
    }
    Some(commit)
}

fn text(value: &[u8]) -> String {
    let end = value.iter().position(|byte| *byte == 0);
    String::from_utf8_lossy(value.get(..end.unwrap_or(value.len())).unwrap_or_default())
        .into_owned()
}

/// Listens to interfaces and their addresses.
#[derive(Debug)]
pub struct LinkEvents {
    socket: Socket,
}

impl LinkEvents {
    /// Begins to listen.
    ///
    /// # Errors
    /// When the system has no netlink, or no file descriptor left.
    pub fn open() -> io::Result<Self> {
        let socket = Socket::open_route()?;
        for group in GROUPS_LINKS {
            socket.membership(group).join()?;
        }
        Ok(Self { socket })
    }

    /// Waits; whether something has changed.
    ///
    /// # Errors
    /// When the socket cannot be read any more.
    pub fn wait(&mut self) -> io::Result<bool> {
        match self.socket.receive() {
            Ok(_) => Ok(true),
            Err(error) => match error.raw_os_error() {
                // Lost events are a change.
                Some(libc::ENOBUFS) => Ok(true),
                Some(libc::EAGAIN) => Ok(false),
                _ => Err(error),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{CommitEvent, Heard, RulesetEvent, read};
    use crate::netlink::message::messages;

    /// A message of nf_tables with string and number attributes.
    fn message(kind: u16, family: u8, attributes: &[(u16, &[u8])]) -> Vec<u8> {
        let mut body = vec![family, 0, 0, 0];
        for (kind, value) in attributes {
            body.extend(((value.len() + 4) as u16).to_ne_bytes());
            body.extend(kind.to_ne_bytes());
            body.extend(*value);
            body.resize(body.len().next_multiple_of(4), 0);
        }
        let mut all = ((body.len() + 16) as u32).to_ne_bytes().to_vec();
        all.extend(kind.to_ne_bytes());
        all.extend([0; 10]);
        all.extend(body);
        all
    }

    const RULE: u16 = 10 << 8 | 6;
    const GENERATION: u16 = 10 << 8 | 15;

    #[track_caller]
    fn check(objects: &[(u8, &[u8])], touches_ours: bool) {
        let mut datagram = Vec::new();
        for (family, table) in objects {
            datagram.extend(message(RULE, *family, &[(1, table), (2, b"input\0")]));
        }
        let process: [(u16, &[u8]); 3] = [
            (1, &[0, 0, 0, 36]),
            (2, &[0, 0, 0, 9]),
            (3, b"nf\x1bt\0\0\0"),
        ];
        datagram.extend(message(GENERATION, 0, &process));
        let mut touched = false;
        let read: Vec<CommitEvent> = messages(&datagram)
            .filter_map(|message| read(&message.unwrap(), &mut touched))
            .collect();
        let expect = CommitEvent {
            generation: 36,
            pid: 9,
            process: "nf?t".into(),
            touches_ours,
            is_whole: false,
        };
        assert_eq!((read, touched), (vec![expect], false));
    }

    #[test]
    fn what_is_lost_casts_doubt_on_what_follows() {
        let datagram = message(GENERATION, 0, &[(1, &[0, 0, 0, 36])]);
        let mut heard = Heard::default();
        let whole = |heard: &mut Heard| {
            let message = messages(&datagram).next().unwrap().unwrap();
            heard.read(&message).unwrap().is_whole
        };
        assert!(whole(&mut heard));
        heard.quiet();
        assert!(whole(&mut heard));
        heard.touched = true;
        assert_eq!(heard.lost(), RulesetEvent::Lost);
        assert!(!heard.touched);
        // As long as more waits, more may be lost without a word.
        assert!(!whole(&mut heard) && !whole(&mut heard));
        heard.quiet();
        assert!(!whole(&mut heard), "its beginning may be lost");
        assert!(whole(&mut heard));
    }

    #[test]
    fn a_commit_tells_whom_it_touches() {
        check(&[], false);
        check(&[(1, b"rfw\0")], true);
        check(&[(2, b"rfw\0")], false);
        check(&[(1, b"rfw2\0")], false);
        check(&[(1, b"rfw\0"), (1, b"other\0")], true);
    }
}
