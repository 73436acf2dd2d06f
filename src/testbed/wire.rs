//! Sockets that send packets as they are: on the far ends of the box's links, and from the box itself.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, OwnedFd};

use nix::ifaddrs::getifaddrs;
use nix::sys::socket::sockopt::Broadcast;
use nix::sys::socket::{
    AddressFamily, LinkAddr, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrLike,
    SockaddrStorage, bind, send, sendto, setsockopt, socket,
};

/// The far end of a link.
#[derive(Debug)]
pub(super) struct Wire {
    socket: OwnedFd,
    /// Whom its frames are for, and who they are from (Ethernet).
    ends: [[u8; 6]; 2],
}

impl Wire {
    /// Sends a packet to the box.
    pub(super) fn send(&self, packet: &[u8]) -> io::Result<()> {
        let kind: u16 = match packet.first().map(|byte| byte >> 4) {
            Some(6) => 0x86dd,
            _ => 0x0800,
        };
        let mut frame = self.ends.concat();
        frame.extend_from_slice(&kind.to_be_bytes());
        frame.extend_from_slice(packet);
        send(self.socket.as_raw_fd(), &frame, MsgFlags::empty())?;
        Ok(())
    }
}

/// Wires on interfaces of this thread's namespace, by their names: each to the hardware address that is given.
pub(super) fn wires(to: &BTreeMap<String, [u8; 6]>) -> io::Result<BTreeMap<String, Wire>> {
    let links = links()?;
    let wires = to.iter().map(|(name, mac)| {
        let link = links.get(name).ok_or(io::ErrorKind::NotFound)?;
        // Without a protocol it hears nothing.
        let socket = socket(
            AddressFamily::Packet,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC,
            None,
        )?;
        bind(socket.as_raw_fd(), link)?;
        let wire = Wire {
            socket,
            ends: [*mac, link.addr().unwrap_or_default()],
        };
        Ok((name.clone(), wire))
    });
    wires.collect()
}

/// The interfaces of this thread's namespace, by their names.
pub(super) fn links() -> io::Result<BTreeMap<String, LinkAddr>> {
    let all = getifaddrs()?.filter_map(|it| {
        let address = it.address?;
        let is_link = address.family() == Some(AddressFamily::Packet);
        let link = is_link.then(|| address.as_link_addr().copied())??;
        Some((it.interface_name, link))
    });
    Ok(all.collect())
}

/// Sockets of programs on the box that make their own headers (raw(7)).
#[derive(Debug)]
pub(super) struct Own {
    v4: OwnedFd,
    v6: OwnedFd,
}

impl Own {
    /// In the namespace of this thread.
    pub(super) fn open() -> io::Result<Self> {
        let open = |family| {
            let flags = SockFlag::SOCK_CLOEXEC;
            socket(family, SockType::Raw, flags, SockProtocol::Raw)
        };
        let own = Self {
            v4: open(AddressFamily::Inet)?,
            v6: open(AddressFamily::Inet6)?,
        };
        setsockopt(&own.v4, Broadcast, &true)?;
        Ok(own)
    }

    /// Sends a packet by the box's routes.
    pub(super) fn send(&self, packet: &[u8], destination: IpAddr) -> io::Result<()> {
        let to = SockaddrStorage::from(SocketAddr::new(destination, 0));
        let socket = match destination {
            IpAddr::V4(_) => &self.v4,
            IpAddr::V6(_) => &self.v6,
        };
        sendto(socket.as_raw_fd(), packet, &to, MsgFlags::empty())?;
        Ok(())
    }
}
