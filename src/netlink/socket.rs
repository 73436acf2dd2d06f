//! The netlink socket to nf_tables: buffers as large as the kernel lets us have, whole datagrams,
//! answers of the kernel only. Not here: what is said over it.
//!
//! `close()` of a socket after a commit that retired something waits for a grace period of the
//! kernel, 16 to 48 ms (measured on 6.18). The commit is in force when `send` returns, so whoever
//! reports to a person does it before the socket is dropped.

use std::io;
use std::sync::Arc;

use netlink_sys::{
    Socket as RawSocket, SocketAddr,
    protocols::{NETLINK_NETFILTER, NETLINK_ROUTE},
};
use nix::libc;
use nix::sys::socket::{getsockopt, setsockopt, sockopt};
use nix::sys::time::TimeVal;

/// The kernel fills at most 32 KiB of a dump at once; single messages may reach 64 KiB.
const DATAGRAM: usize = 128 * 1024;
/// Room for the errors of a batch in which 10 000 messages fail.
const RECEIVE_BUFFER: usize = 32 * 1024 * 1024;
/// What the kernel keeps of the send buffer for itself (net/netlink/af_netlink.c,
/// `netlink_sendmsg`).
const SEND_RESERVE: usize = 32;
/// How long an answer of the kernel may take. Dumps are made while we read.
const PATIENCE_SECONDS: i64 = 30;

/// An open socket and its receive buffer.
pub(super) struct Socket {
    raw: Arc<RawSocket>,
    buffer: Vec<u8>,
}

/// A socket's place in a multicast group.
pub(super) struct Membership {
    raw: Arc<RawSocket>,
    group: u32,
}

impl Membership {
    /// The messages of the group are received from now on.
    pub(super) fn join(&self) -> io::Result<()> {
        self.raw.add_membership(self.group)
    }

    /// No more of them are; those that have come stay to be read.
    pub(super) fn leave(&self) -> io::Result<()> {
        self.raw.drop_membership(self.group)
    }
}

impl std::fmt::Debug for Membership {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Membership").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Socket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Socket").finish_non_exhaustive()
    }
}

impl Socket {
    /// Opens a socket in the network namespace of this thread.
    pub(super) fn open() -> io::Result<Self> {
        Self::open_for(NETLINK_NETFILTER)
    }

    /// The same, to the kernel's network configuration.
    pub(super) fn open_route() -> io::Result<Self> {
        Self::open_for(NETLINK_ROUTE)
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where rfw opens its socket to the kernel"
    )]
    fn open_for(protocol: isize) -> io::Result<Self> {
        let mut raw = RawSocket::new(protocol)?;
        raw.bind(&SocketAddr::new(0, 0))?;
        raw.connect(&SocketAddr::new(0, 0))?;
        raw.set_ext_ack(true)?;
        raw.set_cap_ack(true)?;
        setsockopt(
            &raw,
            sockopt::ReceiveTimeout,
            &TimeVal::new(PATIENCE_SECONDS, 0),
        )?;
        // Above the system's limit only with CAP_NET_ADMIN in the initial user namespace.
        if setsockopt(&raw, sockopt::RcvBufForce, &RECEIVE_BUFFER).is_err() {
            setsockopt(&raw, sockopt::RcvBuf, &RECEIVE_BUFFER)?;
        }
        Ok(Self {
            raw: Arc::new(raw),
            buffer: Vec::with_capacity(DATAGRAM),
        })
    }

    /// What joins and leaves groups for this socket while somebody waits for its messages.
    pub(super) fn membership(&self, group: u32) -> Membership {
        Membership {
            raw: Arc::clone(&self.raw),
            group,
        }
    }

    /// Makes room for a batch of so many bytes, as far as the kernel lets us; returns the size of the
    /// largest batch it takes now.
    pub(super) fn reserve(&self, bytes: usize) -> io::Result<usize> {
        let raw = &*self.raw;
        let limit =
            |raw| getsockopt(raw, sockopt::SndBuf).map(|size| size.saturating_sub(SEND_RESERVE));
        let now = limit(raw)?;
        if bytes <= now {
            return Ok(now);
        }
        let wanted = bytes.saturating_add(SEND_RESERVE);
        if setsockopt(raw, sockopt::SndBufForce, &wanted).is_err() {
            // The kernel caps this one at wmem_max, without an error.
            setsockopt(raw, sockopt::SndBuf, &wanted)?;
        }
        Ok(limit(raw)?)
    }

    /// Sends one datagram.
    pub(super) fn send(&self, datagram: &[u8]) -> io::Result<()> {
        loop {
            match self.raw.send(datagram, 0) {
                Ok(sent) if sent == datagram.len() => return Ok(()),
                Ok(_) => return Err(io::Error::from(io::ErrorKind::WriteZero)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The next datagram of the kernel; waits for it.
    pub(super) fn receive(&mut self) -> io::Result<&[u8]> {
        self.receive_with(0)
    }

    /// The next datagram of the kernel if there is one.
    pub(super) fn receive_waiting(&mut self) -> io::Result<Option<&[u8]>> {
        match self.receive_with(libc::MSG_DONTWAIT) {
            Ok(datagram) => Ok(Some(datagram)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn receive_with(&mut self, flags: libc::c_int) -> io::Result<&[u8]> {
        loop {
            self.buffer.clear();
            match self
                .raw
                .recv_from(&mut self.buffer, flags | libc::MSG_TRUNC)
            {
                // Other processes may send to us too; the kernel is port 0.
                Ok((_, sender)) if sender.port_number() != 0 => {}
                Ok((length, _)) if length > self.buffer.len() => {
                    return Err(io::Error::new(
                        io::ErrorKind::InvalidData,
                        "a message is longer than the receive buffer",
                    ));
                }
                Ok(_) => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(&self.buffer)
    }
}
