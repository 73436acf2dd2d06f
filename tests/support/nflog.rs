//! Listens to an nflog group, as ulogd would: what `log` statements with a group send.
//!
//! Message and attribute numbers are those of linux/netfilter/nfnetlink_log.h.

use std::time::Duration;

use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_NETFILTER};
use nix::errno::Errno;
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::ReceiveTimeout;
use nix::sys::time::TimeVal;

use super::Host;

/// `NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET`.
const PACKET: u16 = 4 << 8;
/// `NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_CONFIG`.
const CONFIG: u16 = (4 << 8) | 1;
/// `NFULA_CFG_CMD`.
const COMMAND: u16 = 1;
/// `NFULNL_CFG_CMD_BIND`.
const BIND: u8 = 1;
/// `NFULA_CFG_QTHRESH`: how many packets the kernel gathers before it tells.
const THRESHOLD: u16 = 5;
/// `NFULA_PAYLOAD`.
const PAYLOAD: u16 = 9;
/// `NFULA_PREFIX`.
const PREFIX: u16 = 10;

/// A listener to one group.
pub(crate) struct Listener {
    socket: Socket,
}

impl Listener {
    /// Starts to listen on a host.
    #[track_caller]
    pub(crate) fn new(host: &Host, group: u16) -> Self {
        let mut socket = host
            .run(|| Socket::new(NETLINK_NETFILTER))
            .expect("a netlink socket");
        socket.bind_auto().expect("a netlink address");
        setsockopt(&socket, ReceiveTimeout, &TimeVal::new(5, 0)).expect("SO_RCVTIMEO");
        let listener = Self { socket };
        listener.configure(group, COMMAND, &[BIND]);
        listener.configure(group, THRESHOLD, &1u32.to_be_bytes());
        listener
    }

    /// The prefixes of all packets that were logged, until none came for `quiet`.
    pub(crate) fn prefixes(&self, quiet: Duration) -> Vec<String> {
        let packets = self.packets(quiet).into_iter();
        packets.map(|(prefix, _)| prefix).collect()
    }

    /// The same with the packets from their IP headers on.
    pub(crate) fn packets(&self, quiet: Duration) -> Vec<(String, Vec<u8>)> {
        let quiet = TimeVal::new(
            quiet.as_secs().cast_signed(),
            i64::from(quiet.subsec_micros()),
        );
        setsockopt(&self.socket, ReceiveTimeout, &quiet).expect("SO_RCVTIMEO");
        let mut packets = Vec::new();
        loop {
            let datagram = match self.socket.recv_from_full() {
                Ok((datagram, _)) => datagram,
                // Something was lost, but there is more.
                Err(error) if error.raw_os_error() == Some(Errno::ENOBUFS as i32) => continue,
                Err(_) => break,
            };
            for message in pieces(&datagram, 4) {
                if u16::from_ne_bytes([message[4], message[5]]) == PACKET {
                    let payload = attribute(message, PAYLOAD).to_vec();
                    packets.push((prefix(message), payload));
                }
            }
        }
        packets
    }

    /// Sends one attribute of the group's configuration and waits for the kernel's yes.
    #[track_caller]
    fn configure(&self, group: u16, attribute: u16, value: &[u8]) {
        let length = u16::try_from(4 + value.len()).unwrap();
        let mut message = Vec::new();
        message.extend(u32::from(20 + length.next_multiple_of(4)).to_ne_bytes());
        message.extend(CONFIG.to_ne_bytes());
        message.extend(5u16.to_ne_bytes()); // NLM_F_REQUEST | NLM_F_ACK
        message.extend([0; 8]);
        message.extend([0, 0]); // AF_UNSPEC, NFNETLINK_V0
        message.extend(group.to_be_bytes());
        message.extend(length.to_ne_bytes());
        message.extend(attribute.to_ne_bytes());
        message.extend(value);
        message.resize(message.len().next_multiple_of(4), 0);
        self.socket
            .send_to(&message, &SocketAddr::new(0, 0), 0)
            .expect("the kernel listens");
        let (answer, _) = self.socket.recv_from_full().expect("the kernel answers");
        let errno = i32::from_ne_bytes(answer[16..20].try_into().unwrap());
        assert_eq!(errno, 0, "nflog group {group}: attribute {attribute}");
    }
}

/// The prefix in a packet message, without its final zero.
fn prefix(message: &[u8]) -> String {
    String::from_utf8_lossy(attribute(message, PREFIX))
        .trim_end_matches('\0')
        .to_owned()
}

/// An attribute of a packet message; nothing where it has none.
fn attribute(message: &[u8], kind: u16) -> &[u8] {
    let attribute =
        pieces(&message[20..], 2).find(|piece| u16::from_ne_bytes([piece[2], piece[3]]) == kind);
    attribute.map_or(&[][..], |piece| &piece[4..])
}

/// Messages (length in 4 bytes) or attributes (in 2) one after the other, padded to 4.
fn pieces(mut bytes: &[u8], width: usize) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let length = match width {
            4 => u32::from_ne_bytes(bytes.get(..4)?.try_into().ok()?) as usize,
            _ => usize::from(u16::from_ne_bytes(bytes.get(..2)?.try_into().ok()?)),
        };
        let piece = bytes.get(..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(piece)
    })
}
