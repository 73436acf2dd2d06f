//! TCP probes: what a client sees when it connects.

use std::fmt;
use std::io::{ErrorKind, Read};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::Duration;

use super::icmp::error;
use super::socket::{Kind, connect_from};
use super::{Host, Icmp};

/// How long a probe waits before it calls a port filtered.
pub(crate) const WAIT: Duration = Duration::from_millis(600);

/// What came of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Connection {
    /// It was accepted and the server said this (see `serve`): its name and the client's address as it saw it.
    Open(String),
    /// It was accepted and then nothing was said.
    Mute,
    /// A reset came.
    Refused,
    /// An ICMP error came.
    Unreachable(Icmp),
    /// Nothing came.
    Filtered,
    /// This host could not send at all, for example without a route.
    NotSent(String),
}

impl fmt::Display for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open(greeting) => write!(f, "open: {greeting}"),
            Self::Mute => write!(f, "open, mute"),
            Self::Refused => write!(f, "refused"),
            Self::Unreachable(icmp) => write!(f, "unreachable: {icmp}"),
            Self::Filtered => write!(f, "filtered"),
            Self::NotSent(why) => write!(f, "not sent: {why}"),
        }
    }
}

/// Connects from `host` to `to` (`203.0.113.10:22`, `[2001:db8:0:1::10]:22`) and reads the greeting.
#[track_caller]
pub(crate) fn probe(host: &Host, to: &str) -> Connection {
    probe_with(host, None, to, WAIT)
}

/// As [`probe`], from one of the host's addresses.
#[track_caller]
pub(crate) fn probe_from(host: &Host, from: &str, to: &str) -> Connection {
    let from: IpAddr = from.parse().expect("an address");
    probe_with(host, Some(SocketAddr::new(from, 0)), to, WAIT)
}

/// As [`probe`], with a source and a time to wait of one's own.
#[track_caller]
pub(crate) fn probe_with(
    host: &Host,
    from: Option<SocketAddr>,
    to: &str,
    wait: Duration,
) -> Connection {
    let to: SocketAddr = to.parse().expect("an address and a port");
    host.run(|| match connect(from, to, wait) {
        Ok(mut stream) => {
            let mut greeting = String::new();
            match stream.read_to_string(&mut greeting) {
                Ok(_) => Connection::Open(greeting.trim_end().to_owned()),
                Err(_) => Connection::Mute,
            }
        }
        Err(outcome) => outcome,
    })
}

/// A connection that stays, to see what becomes of it when the rules change.
#[track_caller]
pub(crate) fn open(host: &Host, to: &str) -> TcpStream {
    let to: SocketAddr = to.parse().expect("an address and a port");
    host.run(|| connect(None, to, WAIT))
        .unwrap_or_else(|outcome| panic!("{} to {to}: {outcome}", host.name()))
}

/// Connects, in this thread's namespace.
fn connect(
    from: Option<SocketAddr>,
    to: SocketAddr,
    wait: Duration,
) -> Result<TcpStream, Connection> {
    let (socket, result) = connect_from(Kind::Tcp, from, to, wait);
    let Err(failure) = result else {
        return Ok(TcpStream::from(socket));
    };
    if let Some(icmp) = error(&socket) {
        return Err(Connection::Unreachable(icmp));
    }
    Err(match failure.kind() {
        ErrorKind::ConnectionRefused => Connection::Refused,
        ErrorKind::TimedOut | ErrorKind::WouldBlock => Connection::Filtered,
        // EINPROGRESS: the time to send was up; it has no stable kind.
        _ if failure.raw_os_error() == Some(nix::libc::EINPROGRESS) => Connection::Filtered,
        _ => Connection::NotSent(failure.to_string()),
    })
}
