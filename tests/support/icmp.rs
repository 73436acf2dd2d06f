//! ICMP as a prober meets it: the errors that come back, and echo requests.

use std::fmt;
use std::io::IoSliceMut;
use std::mem;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use nix::cmsg_space;
use nix::libc;
use nix::sys::socket::sockopt::{Ipv4RecvErr, Ipv6RecvErr};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt};

use super::Host;
use super::socket::{Kind, connected};
use super::udp::Answer;

/// An ICMP error, by the numbers on the wire (RFC 792, RFC 1812, RFC 4443).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Icmp {
    /// ICMPv6 and not ICMP.
    pub(crate) v6: bool,
    /// Type.
    pub(crate) kind: u8,
    /// Code.
    pub(crate) code: u8,
}

impl Icmp {
    /// ICMP 3/3.
    pub(crate) const PORT: Self = Self {
        v6: false,
        kind: 3,
        code: 3,
    };
    /// ICMP 3/13, communication administratively prohibited.
    pub(crate) const PROHIBITED: Self = Self {
        v6: false,
        kind: 3,
        code: 13,
    };
    /// ICMPv6 1/4.
    pub(crate) const PORT6: Self = Self {
        v6: true,
        kind: 1,
        code: 4,
    };
    /// ICMPv6 1/1, communication administratively prohibited.
    pub(crate) const PROHIBITED6: Self = Self {
        v6: true,
        kind: 1,
        code: 1,
    };
}

impl fmt::Display for Icmp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { v6, kind, code } = self;
        write!(f, "icmp{} {kind}/{code}", if *v6 { "v6" } else { "" })
    }
}

/// Asks for the ICMP errors of a socket in detail: `connect` and `recv` tell an errno, and several errors share one.
pub(crate) fn keep_errors(socket: &impl AsFd, v6: bool) {
    let kept = if v6 {
        setsockopt(socket, Ipv6RecvErr, &true)
    } else {
        setsockopt(socket, Ipv4RecvErr, &true)
    };
    kept.expect("IP_RECVERR");
}

/// The ICMP error that waits on a socket, if one does.
pub(crate) fn error(socket: &impl AsRawFd) -> Option<Icmp> {
    let mut packet = [0; 256];
    let mut iov = [IoSliceMut::new(&mut packet)];
    let mut space = cmsg_space!(
        [u8; mem::size_of::<libc::sock_extended_err>() + mem::size_of::<libc::sockaddr_in6>()]
    );
    let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
    let message =
        recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut iov, Some(&mut space), flags).ok()?;
    message.cmsgs().ok()?.find_map(|control| match control {
        ControlMessageOwned::Ipv4RecvErr(error, _)
            if error.ee_origin == libc::SO_EE_ORIGIN_ICMP =>
        {
            Some(Icmp {
                v6: false,
                kind: error.ee_type,
                code: error.ee_code,
            })
        }
        ControlMessageOwned::Ipv6RecvErr(error, _)
            if error.ee_origin == libc::SO_EE_ORIGIN_ICMP6 =>
        {
            Some(Icmp {
                v6: true,
                kind: error.ee_type,
                code: error.ee_code,
            })
        }
        _ => None,
    })
}

/// One echo request from `host` to `to`. The answer's text is empty.
#[track_caller]
pub(crate) fn ping(host: &Host, to: &str, wait: Duration) -> Answer {
    let to: IpAddr = to.parse().expect("an address");
    // Echo sockets need no raw packets, only a group that may have them (icmp(7)).
    host.sysctl("net/ipv4/ping_group_range", "0 0");
    let request = match to {
        IpAddr::V4(_) => [8, 0, 0, 0, 0, 0, 0, 1],
        IpAddr::V6(_) => [128, 0, 0, 0, 0, 0, 0, 1],
    };
    host.run(|| {
        let socket = match connected(Kind::Ping, None, SocketAddr::new(to, 0), wait) {
            Ok(socket) => socket,
            Err(error) => panic!("ping {to}: {error}"),
        };
        match Answer::exchange(&socket, &request, wait) {
            Answer::Reply(_) => Answer::Reply(String::new()),
            other @ (Answer::Error(_) | Answer::Silence | Answer::NotSent(_)) => other,
        }
    })
}
