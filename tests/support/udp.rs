//! UDP probes: one datagram, and what comes back.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::sys::socket::{MsgFlags, recv, send};

use super::icmp::error;
use super::socket::{Kind, connected};
use super::tcp::WAIT;
use super::{Host, Icmp};

/// What came back for a datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// This text (see `serve`).
    Reply(String),
    /// An ICMP error.
    Error(Icmp),
    /// Nothing.
    Silence,
    /// This host could not send at all, for example because its own rules forbid it.
    NotSent(String),
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reply(text) => write!(f, "reply: {text}"),
            Self::Error(icmp) => write!(f, "error: {icmp}"),
            Self::Silence => write!(f, "silence"),
            Self::NotSent(why) => write!(f, "not sent: {why}"),
        }
    }
}

impl Answer {
    /// Sends `request` on a connected datagram socket and waits for what comes first: data, an ICMP error, the end of
    /// the time.
    pub(crate) fn exchange(socket: &OwnedFd, request: &[u8], wait: Duration) -> Self {
        let fd = socket.as_raw_fd();
        if let Err(errno) = send(fd, request, MsgFlags::empty()) {
            return Self::NotSent(errno.to_string());
        }
        let deadline = Instant::now() + wait;
        let mut reply = [0; 2048];
        while Instant::now() < deadline {
            // An ICMP error ends the wait with its errno; the details wait beside.
            match recv(fd, &mut reply, MsgFlags::empty()) {
                Ok(length) => {
                    return Self::Reply(
                        String::from_utf8_lossy(&reply[..length])
                            .trim_end()
                            .to_owned(),
                    );
                }
                Err(_) => {
                    if let Some(icmp) = error(socket) {
                        return Self::Error(icmp);
                    }
                }
            }
        }
        Self::Silence
    }
}

/// Sends one datagram from `host` to `to` (`203.0.113.10:53`) and tells what came back.
#[track_caller]
pub(crate) fn probe(host: &Host, to: &str) -> Answer {
    exchange(host, None, to)
}

/// As [`probe`], from one of the host's addresses.
#[track_caller]
pub(crate) fn probe_from(host: &Host, from: &str, to: &str) -> Answer {
    let from: IpAddr = from.parse().expect("an address");
    exchange(host, Some(SocketAddr::new(from, 0)), to)
}

/// One exchange on a socket of its own.
#[track_caller]
fn exchange(host: &Host, from: Option<SocketAddr>, to: &str) -> Answer {
    let to: SocketAddr = to.parse().expect("an address and a port");
    host.run(|| match connected(Kind::Udp, from, to, WAIT) {
        Ok(socket) => Answer::exchange(&socket, b"hello", WAIT),
        Err(failure) => Answer::NotSent(io::Error::to_string(&failure)),
    })
}
