//! The network of the box as the kernel has it: interfaces, their addresses, and the routes that decide where packets leave.
//!
//! Numbers are those of linux/rtnetlink.h, linux/if_link.h, linux/if_addr.h and linux/fib_rules.h; they are in host order, addresses in
//! network order.

use std::fs;
use std::io;
use std::net::IpAddr;

use ipnet::IpNet;
use nix::libc;

use super::attribute::{Attribute, Malformed, attributes};
use super::rtnetlink::dump;
use super::socket::Socket;
use crate::live::{KernelRoute, Link, Network};

/// `RTM_GETLINK`, `RTM_GETADDR`, `RTM_GETROUTE`, `RTM_GETRULE`
const GET: [u16; 4] = [18, 22, 26, 34];
/// Lengths of `struct ifinfomsg`, `struct ifaddrmsg`, `struct rtmsg`, `struct fib_rule_hdr`.
const HEADER: [usize; 4] = [16, 8, 12, 12];

/// Asks the kernel.
///
/// # Errors
/// When the system has no rtnetlink, or its answer cannot be understood.
pub fn network() -> io::Result<Network> {
    let mut socket = Socket::open_route()?;
    let mut network = Network::default();
    let mut addresses = Vec::new();
    let mut bad = None;
    for (sequence, (kind, header)) in (1..).zip(GET.into_iter().zip(HEADER)) {
        let mut ask = vec![0; header];
        // A request that is shorter than its header is refused by strict kernels; one of another family tells only that.
        ask.truncate(header);
        dump(&mut socket, kind, &ask, sequence, &mut |body| {
            let read = match sequence {
                1 => link(body).map(|it| network.links.extend(it)),
                2 => address(body).map(|it| addresses.extend(it)),
                3 => route(body).map(|it| network.routes.extend(it)),
                _ => is_unusual(body).map(|it| network.has_rules |= it),
            };
            if let Err(Malformed(what)) = read {
                bad = Some(what);
            }
        })
        .or_else(|error| match error.raw_os_error() {
            // A kernel without policy routing has no rules.
            Some(libc::EOPNOTSUPP) if sequence == 4 => Ok(()),
            _ => Err(error),
        })?;
    }
    if let Some(what) = bad {
        return Err(io::Error::new(io::ErrorKind::InvalidData, what));
    }
    for Address {
        link: index,
        address,
        is_source,
    } in addresses
    {
        if let Some(link) = network.links.iter_mut().find(|link| link.index == index) {
            link.addresses.push(address);
            if !is_source {
                link.not_sources.push(address.addr());
            }
        }
    }
    network.links.sort_by_key(|link| link.index);
    network
        .routes
        .sort_by_key(|route| (std::cmp::Reverse(route.network.prefix_len()), route.metric));
    Ok(network)
}

/// A number of 32 bits at a place of a header.
fn word(header: &[u8], at: usize) -> Option<u32> {
    header
        .get(at..)?
        .first_chunk()
        .map(|bytes| u32::from_ne_bytes(*bytes))
}

fn number(attribute: &Attribute<'_>) -> Result<u32, Malformed> {
    word(attribute.value, 0).ok_or(Malformed("a 32-bit number of another length"))
}

fn ip(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => Some(IpAddr::from(<[u8; 4]>::try_from(bytes).ok()?)),
        16 => Some(IpAddr::from(<[u8; 16]>::try_from(bytes).ok()?)),
        _ => None,
    }
}

fn split(body: &[u8], header: usize) -> Result<(&[u8], &[u8]), Malformed> {
    body.split_at_checked(header)
        .ok_or(Malformed("a message without its header"))
}

/// `struct ifinfomsg` { family, pad, type: u16, index: i32, flags: u32, change: u32 }
fn link(body: &[u8]) -> Result<Option<Link>, Malformed> {
    const IFLA_IFNAME: u16 = 3;
    const IFF_UP: u32 = 1;
    let (header, rest) = split(body, 16)?;
    let mut link = Link {
        index: word(header, 4).unwrap_or(0),
        kind: header
            .get(2..)
            .and_then(|rest| rest.first_chunk())
            .map_or(0, |bytes| u16::from_ne_bytes(*bytes)),
        is_up: word(header, 8).is_some_and(|flags| flags & IFF_UP != 0),
        ..Link::default()
    };
    for attribute in attributes(rest) {
        let attribute = attribute?;
        if attribute.kind == IFLA_IFNAME {
            link.name = attribute.string();
        }
    }
    link.routes_loopback = ["all", &link.name].into_iter().any(routes_loopback);
    Ok((!link.name.is_empty()).then_some(link))
}

/// An address of the box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Address {
    /// The index of the interface.
    link: u32,
    address: IpNet,
    /// Whether the box may take it as a source by itself.
    is_source: bool,
}

/// Of an interface, or of all.
#[expect(
    clippy::disallowed_methods,
    reason = "rtnetlink does not tell this setting of `all`"
)]
fn routes_loopback(name: &str) -> bool {
    let value = fs::read(format!("/proc/sys/net/ipv4/conf/{name}/route_localnet"));
    value.is_ok_and(|value| value.first() == Some(&b'1'))
}

/// `struct ifaddrmsg` { family, prefixlen, flags, scope, index: u32 }
fn address(body: &[u8]) -> Result<Option<Address>, Malformed> {
    const IFA_ADDRESS: u16 = 1;
    const IFA_LOCAL: u16 = 2;
    const IFA_FLAGS: u16 = 8;
    const SECONDARY: u32 = 0x01;
    /// Not taken if there is another: `IFA_F_OPTIMISTIC`, `IFA_F_DADFAILED`, `IFA_F_DEPRECATED`, `IFA_F_TENTATIVE`.
    const DOUBTFUL: u32 = 0x04 | 0x08 | 0x20 | 0x40;
    /// `RT_SCOPE_UNIVERSE`
    const EVERYWHERE: u8 = 0;
    let (header, rest) = split(body, 8)?;
    let (mut local, mut peer) = (None, None);
    let mut flags = header.get(2).copied().map_or(0, u32::from);
    for attribute in attributes(rest) {
        let attribute = attribute?;
        match attribute.kind {
            // Of a point-to-point link the other end's.
            IFA_ADDRESS => peer = ip(attribute.value),
            IFA_LOCAL => local = ip(attribute.value),
            IFA_FLAGS => flags = number(&attribute)?,
            _ => {}
        }
    }
    let length = header.get(1).copied().unwrap_or(0);
    let index = word(header, 4).unwrap_or(0);
    let is_peer = local.is_some() && local != peer;
    Ok(local.or(peer).and_then(|address| {
        let whole = if address.is_ipv4() { 32 } else { 128 };
        let length = if is_peer { whole } else { length };
        let is_source = match address {
            IpAddr::V4(_) => flags & SECONDARY == 0 && header.get(3) == Some(&EVERYWHERE),
            IpAddr::V6(_) => flags & DOUBTFUL == 0,
        };
        Some(Address {
            link: index,
            address: IpNet::new(address, length).ok()?,
            is_source,
        })
    }))
}

/// `struct rtmsg` { family, dst_len, src_len, tos, table, protocol, scope, type, flags: u32 }
fn route(body: &[u8]) -> Result<Option<KernelRoute>, Malformed> {
    const MAIN: u32 = 254;
    const UNICAST: u8 = 1;
    /// Blackhole, unreachable, prohibit.
    const REFUSED: [u8; 3] = [6, 7, 8];
    /// `RTM_F_CLONED`
    const CLONED: u32 = 0x200;
    /// `RTNH_F_DEAD`, `RTNH_F_LINKDOWN`: of the latter the kernel minds only if it is told to.
    const DEAD: u32 = 1;
    const RTA_DST: u16 = 1;
    const RTA_OIF: u16 = 4;
    const RTA_GATEWAY: u16 = 5;
    const RTA_PRIORITY: u16 = 6;
    const RTA_MULTIPATH: u16 = 9;
    const RTA_TABLE: u16 = 15;
    let (header, rest) = split(body, 12)?;
    let &[family, length, _, _, table, _, _, kind, ..] = header else {
        return Err(Malformed("a route without its header"));
    };
    let flags = word(header, 8).unwrap_or(0);
    let mut table = u32::from(table);
    let (mut destination, mut oif, mut gateway, mut metric) = (None, None, None, 0);
    let mut is_one_of_several = false;
    for attribute in attributes(rest) {
        let attribute = attribute?;
        match attribute.kind {
            RTA_DST => destination = ip(attribute.value),
            RTA_OIF => oif = Some(number(&attribute)?),
            RTA_GATEWAY => gateway = ip(attribute.value),
            RTA_PRIORITY => metric = number(&attribute)?,
            RTA_TABLE => table = number(&attribute)?,
            RTA_MULTIPATH => {
                // `struct rtnexthop` { len: u16, flags, hops, ifindex: i32 }
                oif = oif.or(word(attribute.value, 4));
                is_one_of_several = true;
            }
            _ => {}
        }
    }
    let is_refused = REFUSED.contains(&kind);
    if table != MAIN || flags & (CLONED | DEAD) != 0 || !(is_refused || kind == UNICAST) {
        return Ok(None);
    }
    let any = match i32::from(family) {
        libc::AF_INET => IpAddr::from([0; 4]),
        libc::AF_INET6 => IpAddr::from([0; 16]),
        _ => return Ok(None),
    };
    let network = IpNet::new(destination.unwrap_or(any), length);
    Ok(Some(KernelRoute {
        network: network.map_err(|_| Malformed("a route to a network that is none"))?,
        oif: oif.filter(|_| !is_refused),
        gateway,
        metric,
        is_one_of_several,
    }))
}

/// `struct fib_rule_hdr` { family, dst_len, src_len, tos, table, res1, res2, action, flags: u32 }: whether it is none of the three that
/// every box has, which send all packets to the tables local, main and default.
fn is_unusual(body: &[u8]) -> Result<bool, Malformed> {
    const FRA_PRIORITY: u16 = 6;
    const USUAL: [u32; 3] = [0, 32_766, 32_767];
    let (_, rest) = split(body, 12)?;
    let mut priority = 0;
    for attribute in attributes(rest) {
        let attribute = attribute?;
        if attribute.kind == FRA_PRIORITY {
            priority = number(&attribute)?;
        }
    }
    Ok(!USUAL.contains(&priority))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_kernel_tells_of_loopback() {
        let network = network().unwrap();
        let lo = network.links.iter().find(|link| link.name == "lo").unwrap();
        assert_eq!(lo.index, 1);
    }

    #[test]
    fn a_route_with_its_gateway() {
        let mut body = vec![2, 8, 0, 0, 254, 3, 0, 1, 0, 0, 0, 0];
        let mut put = |kind: u16, value: &[u8]| {
            body.extend((4 + value.len() as u16).to_ne_bytes());
            body.extend(kind.to_ne_bytes());
            body.extend(value);
        };
        put(1, &[10, 0, 0, 0]);
        put(4, &3u32.to_ne_bytes());
        put(5, &[192, 0, 2, 1]);
        put(6, &100u32.to_ne_bytes());
        let read = route(&body).unwrap().unwrap();
        let KernelRoute {
            network,
            oif,
            gateway,
            metric,
            is_one_of_several,
        } = read;
        assert_eq!(network.to_string(), "10.0.0.0/8");
        assert_eq!((oif, metric, is_one_of_several), (Some(3), 100, false));
        assert_eq!(gateway, Some(IpAddr::from([192, 0, 2, 1])));
        // A blackhole; a route of another table; a route that the kernel made for a packet.
        body[7] = 6;
        assert_eq!(route(&body).unwrap().unwrap().oif, None);
        body[4] = 255;
        assert_eq!(route(&body), Ok(None));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = link(&bytes);
            let _ = address(&bytes);
            let _ = route(&bytes);
            let _ = is_unusual(&bytes);
        }
    }
}
