//! Sockets with a chosen source address, which the standard library does not offer for TCP.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use nix::sys::socket::sockopt::{ReceiveTimeout, ReuseAddr, SendTimeout};
use nix::sys::socket::{
    AddressFamily, SockFlag, SockProtocol, SockType, SockaddrStorage, bind, connect, setsockopt,
    socket,
};
use nix::sys::time::TimeVal;

use super::icmp::keep_errors;

/// What a socket speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// ICMP and ICMPv6 echo.
    Ping,
}

/// A socket of this thread's namespace, bound to `from` if given, connected to `to`; ICMP errors are kept in detail.
/// Connecting and each later read and write take at most `wait`.
///
/// # Errors
/// Those of `connect(2)`, with the socket: the ICMP error that explains them waits on it.
pub(crate) fn connect_from(
    kind: Kind,
    from: Option<SocketAddr>,
    to: SocketAddr,
    wait: Duration,
) -> (OwnedFd, io::Result<()>) {
    let family = if to.is_ipv6() {
        AddressFamily::Inet6
    } else {
        AddressFamily::Inet
    };
    let (ty, protocol) = match (kind, to.is_ipv6()) {
        (Kind::Tcp, _) => (SockType::Stream, None),
        (Kind::Udp, _) => (SockType::Datagram, None),
        (Kind::Ping, false) => (SockType::Datagram, Some(SockProtocol::Icmp)),
        (Kind::Ping, true) => (SockType::Datagram, Some(SockProtocol::IcmpV6)),
    };
    let socket = socket(family, ty, SockFlag::SOCK_CLOEXEC, protocol).expect("a socket");
    let wait = TimeVal::new(
        wait.as_secs().cast_signed(),
        i64::from(wait.subsec_micros()),
    );
    setsockopt(&socket, SendTimeout, &wait).expect("SO_SNDTIMEO");
    setsockopt(&socket, ReceiveTimeout, &wait).expect("SO_RCVTIMEO");
    keep_errors(&socket, to.is_ipv6());
    if let Some(from) = from {
        setsockopt(&socket, ReuseAddr, &true).expect("SO_REUSEADDR");
        bind(socket.as_raw_fd(), &SockaddrStorage::from(from))
            .unwrap_or_else(|errno| panic!("cannot send from {from}: {errno}"));
    }
    let result = connect(socket.as_raw_fd(), &SockaddrStorage::from(to)).map_err(io::Error::from);
    (socket, result)
}

/// As [`connect_from`], where a failure needs no explanation.
///
/// # Errors
/// Those of `connect(2)`.
pub(crate) fn connected(
    kind: Kind,
    from: Option<SocketAddr>,
    to: SocketAddr,
    wait: Duration,
) -> io::Result<OwnedFd> {
    let (socket, result) = connect_from(kind, from, to, wait);
    result.map(|()| socket)
}
