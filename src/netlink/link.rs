//! Links, addresses, routes and neighbours over rtnetlink: what a testbed is built of. Not nf_tables.
//!
//! Only [`crate::testbed`] changes any, in network namespaces of its own (`tests/architecture.rs` sees to that). Numbers are
//! those of linux/rtnetlink.h, linux/if_link.h, linux/if_addr.h and linux/neighbour.h; they are in host order.

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, BorrowedFd};

use ipnet::IpNet;
use nix::libc;

use super::attribute::Writer;
use super::constants::sys;
use super::message::{Truncated, messages};
use super::socket::Socket;

const RTM_NEWLINK: u16 = 16;
const RTM_NEWADDR: u16 = 20;
const RTM_DELADDR: u16 = 21;
const RTM_NEWROUTE: u16 = 24;
const RTM_DELROUTE: u16 = 25;
const RTM_GETROUTE: u16 = 26;
const RTM_NEWNEIGH: u16 = 28;

const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_LINKINFO: u16 = 18;
const IFLA_NET_NS_FD: u16 = 28;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const VETH_INFO_PEER: u16 = 1;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_FLAGS: u16 = 8;
/// An IPv6 address works at once.
const IFA_F_NODAD: u32 = 2;
const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
/// The gateway is there, whatever addresses the interface has.
const RTNH_F_ONLINK: u32 = 4;
const NDA_DST: u16 = 1;
const NDA_LLADDR: u16 = 2;
const NUD_PERMANENT: u16 = 0x80;
const IFF_UP: u32 = 1;

/// Length of `struct nlmsghdr`.
const NLMSGHDR: usize = 16;
/// Length of `struct ifinfomsg`.
const IFINFOMSG: usize = 16;

/// What is added or taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is not there, and shall be.
    Add,
    /// It is there, and shall not be.
    Delete,
}

/// One end of a cable.
#[derive(Clone, Copy, Debug)]
pub struct CableEnd<'a> {
    /// The name of the interface.
    pub name: &'a str,
    /// Its hardware address.
    pub mac: [u8; 6],
}

/// A conversation with the kernel about the links of the network namespace in which it was begun.
#[derive(Debug)]
pub struct Links {
    socket: Socket,
    sequence: u32,
}

impl Links {
    /// In the network namespace of this thread.
    ///
    /// # Errors
    /// When the system has no rtnetlink, or no file descriptor left.
    pub fn open() -> io::Result<Self> {
        Ok(Self {
            socket: Socket::open_route()?,
            sequence: 0,
        })
    }

    /// A cable (a pair of veth interfaces) between this namespace and another.
    ///
    /// # Errors
    /// The kernel's.
    pub fn cable(
        &mut self,
        here: CableEnd<'_>,
        there: CableEnd<'_>,
        namespace: BorrowedFd<'_>,
    ) -> io::Result<()> {
        let mut writer = Writer::new();
        writer.append(&[0; IFINFOMSG]);
        writer.string(IFLA_IFNAME, here.name);
        writer.bytes(IFLA_ADDRESS, &here.mac);
        writer.nest(IFLA_LINKINFO, |writer| {
            writer.string(IFLA_INFO_KIND, "veth");
            writer.nest(IFLA_INFO_DATA, |writer| {
                writer.nest(VETH_INFO_PEER, |writer| {
                    writer.append(&[0; IFINFOMSG]);
                    writer.string(IFLA_IFNAME, there.name);
                    writer.bytes(IFLA_ADDRESS, &there.mac);
                    writer.bytes(IFLA_NET_NS_FD, &namespace.as_raw_fd().to_ne_bytes());
                });
            });
        });
        self.ask(RTM_NEWLINK, sys::NLM_F_CREATE | sys::NLM_F_EXCL, writer)
    }

    /// Turns an interface on.
    ///
    /// # Errors
    /// The kernel's.
    pub fn up(&mut self, index: u32) -> io::Result<()> {
        let mut writer = Writer::new();
        writer.append(&[0; 4]);
        writer.append(&index.to_ne_bytes());
        writer.append(&IFF_UP.to_ne_bytes());
        writer.append(&IFF_UP.to_ne_bytes());
        self.ask(RTM_NEWLINK, 0, writer)
    }

    /// An address of this namespace.
    ///
    /// # Errors
    /// The kernel's.
    pub fn address(&mut self, change: Change, index: u32, network: IpNet) -> io::Result<()> {
        let mut writer = Writer::new();
        writer.append(&[family(network.addr()), network.prefix_len(), 0, 0]);
        writer.append(&index.to_ne_bytes());
        writer.bytes(IFA_LOCAL, &octets(network.addr()));
        writer.bytes(IFA_ADDRESS, &octets(network.addr()));
        writer.bytes(IFA_FLAGS, &IFA_F_NODAD.to_ne_bytes());
        let kind = match change {
            Change::Add => RTM_NEWADDR,
            Change::Delete => RTM_DELADDR,
        };
        self.ask(kind, flags(change), writer)
    }

    /// A route to a network by a gateway, which is on the link of the interface.
    ///
    /// # Errors
    /// The kernel's.
    pub fn route(
        &mut self,
        change: Change,
        network: IpNet,
        gateway: IpAddr,
        index: u32,
    ) -> io::Result<()> {
        const TABLE_MAIN: u8 = 254;
        const PROTOCOL_STATIC: u8 = 4;
        const UNICAST: u8 = 1;
        let mut writer = Writer::new();
        writer.append(&[family(gateway), network.prefix_len(), 0, 0]);
        writer.append(&[TABLE_MAIN, PROTOCOL_STATIC, 0, UNICAST]);
        writer.append(&RTNH_F_ONLINK.to_ne_bytes());
        if network.prefix_len() > 0 {
            writer.bytes(RTA_DST, &octets(network.network()));
        }
        writer.bytes(RTA_GATEWAY, &octets(gateway));
        writer.bytes(RTA_OIF, &index.to_ne_bytes());
        let kind = match change {
            Change::Add => RTM_NEWROUTE,
            Change::Delete => RTM_DELROUTE,
        };
        self.ask(kind, flags(change), writer)
    }

    /// Whether an address is one of this namespace by now: of IPv6 it becomes one a moment after it was added.
    ///
    /// # Errors
    /// The kernel's.
    pub fn is_local(&mut self, address: IpAddr) -> io::Result<bool> {
        /// Where `rtm_type` stands in `struct rtmsg`, and `RTN_LOCAL`.
        const TYPE: usize = 7;
        const LOCAL: u8 = 2;
        let octets = octets(address);
        let bits = u8::try_from(octets.len() * 8).unwrap_or(u8::MAX);
        let mut writer = Writer::new();
        writer.append(&[family(address), bits, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        writer.bytes(RTA_DST, &octets);
        self.request(RTM_GETROUTE, 0, writer)?;
        loop {
            for message in messages(self.socket.receive()?) {
                let message = message?;
                if message.sequence != self.sequence {
                    continue;
                }
                return Ok(message.kind == RTM_NEWROUTE && message.body.get(TYPE) == Some(&LOCAL));
            }
        }
    }

    /// Somebody on the link of an interface who need not be asked for.
    ///
    /// # Errors
    /// The kernel's.
    pub fn neighbour(&mut self, index: u32, address: IpAddr, mac: [u8; 6]) -> io::Result<()> {
        let mut writer = Writer::new();
        writer.append(&[family(address), 0, 0, 0]);
        writer.append(&index.to_ne_bytes());
        writer.append(&NUD_PERMANENT.to_ne_bytes());
        writer.append(&[0, 0]);
        writer.bytes(NDA_DST, &octets(address));
        writer.bytes(NDA_LLADDR, &mac);
        self.ask(RTM_NEWNEIGH, flags(Change::Add), writer)
    }

    /// Sends a request and waits for the kernel's answer to it.
    fn ask(&mut self, kind: u16, flags: u32, writer: Writer) -> io::Result<()> {
        self.request(kind, flags | sys::NLM_F_ACK, writer)?;
        loop {
            for message in messages(self.socket.receive()?) {
                let message = message?;
                let is_answer = i32::from(message.kind) == libc::NLMSG_ERROR;
                if message.sequence != self.sequence || !is_answer {
                    continue;
                }
                return match message.outcome().ok_or(Truncated)? {
                    (0, _) => Ok(()),
                    (errno, _) => Err(io::Error::from_raw_os_error(errno)),
                };
            }
        }
    }

    fn request(&mut self, kind: u16, flags: u32, writer: Writer) -> io::Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        let body = writer.finish().unwrap_or_default();
        let flags = (flags | sys::NLM_F_REQUEST) as u16;
        let mut request = Vec::new();
        request.extend_from_slice(&((NLMSGHDR + body.len()) as u32).to_ne_bytes());
        request.extend_from_slice(&kind.to_ne_bytes());
        request.extend_from_slice(&flags.to_ne_bytes());
        request.extend_from_slice(&self.sequence.to_ne_bytes());
        request.extend_from_slice(&0u32.to_ne_bytes());
        request.extend_from_slice(&body);
        self.socket.send(&request)
    }
}

fn flags(change: Change) -> u32 {
    match change {
        Change::Add => sys::NLM_F_CREATE | sys::NLM_F_EXCL,
        Change::Delete => 0,
    }
}

fn family(address: IpAddr) -> u8 {
    let family = match address {
        IpAddr::V4(_) => libc::AF_INET,
        IpAddr::V6(_) => libc::AF_INET6,
    };
    // 2 and 10.
    family as u8
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}
