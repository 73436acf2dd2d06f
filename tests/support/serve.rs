//! Servers that say who they are and whom they see: `web-1 203.0.113.7`. From that a test reads which backend was
//! chosen and what became of the source address.
//!
//! A server lives in a thread until the test ends; its port is open when the function returns.

use std::io::{Read, Write};
use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::mpsc::{Receiver, channel};

use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::TcpMaxSeg;

use super::Host;

/// Greets every TCP connection to `port`, of both families, and closes it.
pub(crate) fn tcp(host: &Host, port: u16) {
    each_connection(host, port, |name, mut stream, peer| {
        let _ = writeln!(stream, "{name} {}", peer.ip().to_canonical());
    });
}

/// As [`tcp`], but named by the address that was asked for: several servers on one host.
pub(crate) fn tcp_by_address(host: &Host, port: u16) {
    each_connection(host, port, |_, mut stream, peer| {
        let here = stream.local_addr().expect("an address").ip();
        let _ = writeln!(
            stream,
            "{} {}",
            here.to_canonical(),
            peer.ip().to_canonical()
        );
    });
}

/// Greets every TCP connection to `port` and then echoes what it is sent, for connections that stay.
pub(crate) fn tcp_echo(host: &Host, port: u16) {
    each_connection(host, port, |_, mut stream, _| {
        std::thread::spawn(move || {
            let mut bytes = [0; 1024];
            while let Ok(length @ 1..) = stream.read(&mut bytes) {
                if stream.write_all(&bytes[..length]).is_err() {
                    break;
                }
            }
        });
    });
}

/// Accepts TCP connections to `port` and tells the segment size that each came with, as far as this host may use it.
pub(crate) fn segment_sizes(host: &Host, port: u16) -> Receiver<u32> {
    let (tell, told) = channel();
    // Time stamps would make every segment 12 bytes shorter than what the SYN offered.
    host.sysctl("net/ipv4/tcp_timestamps", "0");
    each_connection(host, port, move |_, stream, _| {
        let _ = tell.send(getsockopt(&stream, TcpMaxSeg).expect("TCP_MAXSEG"));
    });
    told
}

/// Answers every datagram to `port`, of both families, with the greeting.
pub(crate) fn udp(host: &Host, port: u16) {
    let socket = host.run(|| UdpSocket::bind(any(port)).expect("a free port"));
    let name = host.name().to_owned();
    host.spawn(move || {
        let mut datagram = [0; 2048];
        while let Ok((_, peer)) = socket.recv_from(&mut datagram) {
            let _ = socket.send_to(
                format!("{name} {}", peer.ip().to_canonical()).as_bytes(),
                peer,
            );
        }
    });
}

/// Calls `greet` with the host's name, the stream and the peer for every connection to `port`.
fn each_connection(
    host: &Host,
    port: u16,
    greet: impl Fn(&str, TcpStream, SocketAddr) + Send + 'static,
) {
    let listener = host.run(|| TcpListener::bind(any(port)).expect("a free port"));
    let name = host.name().to_owned();
    host.spawn(move || {
        while let Ok((stream, peer)) = listener.accept() {
            greet(&name, stream, peer);
        }
    });
}

/// Every address of both families: Linux lets an IPv6 socket take IPv4 as well (ipv6(7), bindv6only).
fn any(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv6Addr::UNSPECIFIED, port))
}
