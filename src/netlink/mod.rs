//! The kernel over nfnetlink: rfw's own codec and transport; no nft program is run.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `socket` | the socket, its buffers |
//! | `message`, `attribute` | headers; attributes in and out |
//! | `expression/` | instructions in and out |
//! | `set`, `element`, `key_type`, `userdata` | sets in and out, as nft lists them |
//! | `encode`, `batch`, `refusal` | operations → one batch; the kernel's refusals → operations |
//! | `request`, `decode`, `observe` | questions and answers; dumps → one consistent [`Live`] |
//! | `everything` | dumps of all tables of all families → one consistent [`crate::live::Everything`] |
//! | `event` | what others commit, and changes of interfaces |
//! | `link`, `witness`, `nflog`, `nftrace` | for testbeds: links, addresses and routes; a table beside rfw's that logs every packet; what is logged; the rules that packets meet |
//!
//! Three things are not nf_tables: `neighbour`, which asks the kernel how full its neighbour tables are, `network`, which asks it
//! for interfaces, addresses and routes, and `link`, which makes some; all by `rtnetlink`.
//!
//! Facts about the kernel were measured on Linux 6.18 unless they name a kernel file.

mod attribute;
mod batch;
mod constants;
mod decode;
mod element;
mod encode;
mod event;
mod everything;
mod expression;
mod feature;
mod foreign;
#[cfg(test)]
mod hostile;
mod key_type;
mod link;
mod message;
mod neighbour;
mod network;
mod nflog;
mod nftrace;
mod observe;
mod refusal;
mod request;
mod rtnetlink;
#[cfg(test)]
mod second_opinion;
mod set;
mod socket;
mod userdata;
mod witness;

pub use event::{CommitEvent, Ears, LinkEvents, RulesetEvent, RulesetEvents};
pub use link::{CableEnd, Change, Links};
pub use neighbour::neighbour_tables;
pub use network::network;
pub use nftrace::{TraceStep, Traces};
pub use witness::{CAME_IN, CAME_OUT, Seen, Sighting, WITNESS, Witness};

use std::io;
use std::time::Duration;

use nix::libc;

use crate::kernel::{CommitError, Kernel, ObserveError, Refusal};
use crate::live::{Generation, Known, Live};
use crate::plan::Operation;
use batch::{Answers, Batch, Ending, Overlong};
use request::{ReadError, settle};
use socket::Socket;

/// How often a reading is tried.
const ATTEMPTS: u32 = 20;
/// The longest pause between two readings.
const LONGEST_PAUSE: Duration = Duration::from_millis(64);

/// nf_tables in the network namespace in which it was opened.
///
/// Dropping it closes a socket, which waits 16 to 48 ms for the kernel after a commit that retired
/// something. The commit is in force before; report it first.
#[derive(Debug)]
pub struct Netlink {
    socket: Socket,
    sequence: u32,
    /// Whether the kernel has `NFT_MSG_DESTROYSETELEM`; `None` until it was asked.
    destroys_elements: Option<bool>,
    /// Of a listener in this process.
    ears: Option<Ears>,
}

/// The bytes that a commit of these operations sends to the kernel; `None` when one of them is longer than
/// a netlink attribute can be.
#[must_use]
pub fn encode(base: Generation, operations: &[Operation]) -> Option<Vec<u8>> {
    let batch = Batch::new(operations, true, Some(base), 1, Ending::Commit).ok()?;
    Some(batch.bytes)
}

/// What tells a table from every other that had its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableIdentity {
    /// The kernel's id; counted anew in each network namespace.
    pub handle: u64,
    /// See [`crate::live::Table::mark`].
    pub mark: Option<[u8; 16]>,
}

impl Netlink {
    /// Opens a socket in the network namespace of this thread.
    ///
    /// # Errors
    /// When the system has no netlink, or no file descriptor left.
    pub fn open() -> Result<Self, ObserveError> {
        let socket = Socket::open().map_err(|source| ObserveError::Io {
            action: "opening a netlink socket",
            source,
        })?;
        Ok(Self {
            socket,
            sequence: 0,
            destroys_elements: None,
            ears: None,
        })
    }

    /// Has a listener in this process not hear what is committed here.
    pub fn shut_while_committing(&mut self, ears: Ears) {
        self.ears = Some(ears);
    }

    /// Whether the listener has missed commits of others since this was asked last.
    pub fn has_missed(&mut self) -> bool {
        self.ears.as_mut().is_some_and(Ears::missed)
    }

    /// The generation and which table is rfw's, in two round trips of a few microseconds: enough to
    /// know that nothing changed since both were last seen.
    ///
    /// # Errors
    /// As for [`Kernel::observe`].
    pub fn identity(&mut self) -> Result<(Generation, Option<TableIdentity>), ObserveError> {
        self.steadily(|netlink, generation| {
            let head = netlink.read_table_head(generation)?;
            let identity = head.map(|head| TableIdentity {
                handle: head.handle,
                mark: head.mark,
            });
            Ok((generation, identity))
        })
    }

    /// Repeats a reading until one belongs to a single generation.
    #[expect(
        clippy::disallowed_methods,
        reason = "a reading that was disturbed is repeated after a pause"
    )]
    fn steadily<T>(
        &mut self,
        mut read: impl FnMut(&mut Self, Generation) -> Result<T, ReadError>,
    ) -> Result<T, ObserveError> {
        for attempt in 0..ATTEMPTS {
            let before = self.read_generation()?;
            match read(self, before) {
                Ok(reading) if self.read_generation()? == before => return Ok(reading),
                Ok(_) | Err(ReadError::Moved) => std::thread::sleep(pause(attempt)),
                Err(error) => return Err(settle(error)),
            }
        }
        Err(ObserveError::Unsteady { attempts: ATTEMPTS })
    }

    fn next_sequence(&mut self) -> u32 {
        self.sequence = self.sequence.wrapping_add(1);
        self.sequence
    }

    /// Encodes the operations and sends them; what the kernel answered.
    fn send(
        &mut self,
        base: Option<Generation>,
        operations: &[Operation],
        ending: Ending,
    ) -> Result<Answers, CommitError> {
        let destroy = self.destroys_elements(operations)?;
        let first = self.next_sequence();
        let batch = Batch::new(operations, destroy, base, first, ending).map_err(overlong)?;
        self.sequence = first.wrapping_add(batch.sequences());
        let bytes = batch.bytes.len();
        let io = |action| move |source| CommitError::Io { action, source };
        let limit = self
            .socket
            .reserve(bytes)
            .map_err(io("making room for it"))?;
        if bytes > limit {
            return Err(CommitError::TooLarge { bytes, limit });
        }
        let mut ears = self.ears.as_mut().filter(|_| ending == Ending::Commit);
        if let Some(ears) = &mut ears {
            ears.shut();
        }
        let sent = self.socket.send(&batch.bytes);
        if let Some(ears) = ears {
            ears.open();
        }
        sent.map_err(|source| match source.raw_os_error() {
            Some(libc::EMSGSIZE) => CommitError::TooLarge { bytes, limit },
            Some(libc::EPERM) => CommitError::Permission { source },
            _ => CommitError::Io {
                action: "sending it",
                source,
            },
        })?;
        let answers = batch::answers(&mut self.socket, &batch, operations)
            .map_err(|source| CommitError::Unknown { source })?;
        judge(answers, base)
    }

    /// Whether the kernel has flowtables. Asked by a dry run; nothing is changed.
    ///
    /// # Errors
    /// When the kernel cannot be asked.
    pub fn has_flowtables(&mut self) -> Result<bool, CommitError> {
        let known = batch::knows_flowtables(&mut self.socket, self.sequence.wrapping_add(1))?;
        self.sequence = self.sequence.wrapping_add(3);
        Ok(known)
    }

    /// Whether the kernel can delete elements without minding those that are gone. Asked once, by a
    /// deletion in a table that does not exist, without committing.
    fn destroys_elements(&mut self, operations: &[Operation]) -> Result<bool, CommitError> {
        let needed = operations
            .iter()
            .any(|operation| matches!(operation, Operation::DeleteElements { .. }));
        if !needed {
            return Ok(false);
        }
        if let Some(known) = self.destroys_elements {
            return Ok(known);
        }
        let known = batch::knows_destroy(&mut self.socket, self.sequence.wrapping_add(1))?;
        self.sequence = self.sequence.wrapping_add(2);
        self.destroys_elements = Some(known);
        Ok(known)
    }
}

impl Kernel for Netlink {
    fn generation(&mut self) -> Result<Generation, ObserveError> {
        self.read_generation()
    }

    fn observe(&mut self) -> Result<Live, ObserveError> {
        self.observe_beside(&Known::default())
    }

    fn observe_beside(&mut self, known: &Known) -> Result<Live, ObserveError> {
        self.steadily(|netlink, generation| netlink.read(generation, known))
    }

    fn check(&mut self, operations: &[Operation]) -> Result<(), CommitError> {
        self.send(None, operations, Ending::DryRun)?;
        Ok(())
    }

    fn commit(
        &mut self,
        base: Generation,
        operations: &[Operation],
    ) -> Result<Generation, CommitError> {
        let sent = self.send(Some(base), operations, Ending::Commit);
        let now = self.read_generation();
        if let Some(ears) = &mut self.ears {
            // A commit of others after this reading was heard as a whole: the kernel tells of it after it has counted it.
            let is_ours = |now: Generation| now == base || sent.is_ok() && now == following(base);
            if !now.as_ref().is_ok_and(|now| is_ours(*now)) {
                ears.miss();
            }
        }
        let answers = sent?;
        let now = now.map_err(|error| CommitError::Unknown {
            source: io::Error::other(error),
        })?;
        if now != base {
            // Somebody may have committed after us; ours was the first after `base`.
            return Ok(following(base));
        }
        // A batch that changes nothing does not move the generation.
        if answers.acknowledged || operations.iter().all(may_do_nothing) {
            return Ok(base);
        }
        Err(CommitError::Unknown {
            source: io::Error::other("no error was reported, but the generation did not move"),
        })
    }
}

/// The generation after a commit; the kernel leaves out 0.
fn following(generation: Generation) -> Generation {
    Generation(generation.0.wrapping_add(1).max(1))
}

fn may_do_nothing(operation: &Operation) -> bool {
    matches!(
        operation,
        Operation::AddTable { .. } | Operation::DeleteElements { .. }
    )
}

/// Errors of the batch as a whole come first: they are why the others may be missing.
fn judge(answers: Answers, base: Option<Generation>) -> Result<Answers, CommitError> {
    if let Some(error) = answers.whole {
        let source = io::Error::from_raw_os_error(error);
        return Err(match (error, base) {
            (libc::ERESTART, Some(expected)) => CommitError::Stale { expected },
            (libc::EPERM, _) => CommitError::Permission { source },
            _ => CommitError::Refused {
                refusals: vec![Refusal {
                    operation: None,
                    reason: source,
                    detail: None,
                }],
            },
        });
    }
    if answers.refusals.is_empty() {
        Ok(answers)
    } else {
        Err(CommitError::Refused {
            refusals: answers.refusals,
        })
    }
}

fn overlong(overlong: Overlong) -> CommitError {
    CommitError::Refused {
        refusals: vec![Refusal {
            operation: Some(overlong.operation),
            reason: io::Error::from_raw_os_error(libc::EMSGSIZE),
            detail: Some("longer than a netlink attribute can be".into()),
        }],
    }
}

/// Longer each time; not the same for two processes that disturb each other.
fn pause(attempt: u32) -> Duration {
    let jitter = Duration::from_micros(u64::from(std::process::id() % 1000));
    Duration::from_millis(1 << attempt.min(6)).min(LONGEST_PAUSE) + jitter
}
