//! Which of its addresses the box takes where it has the choice.

use std::net::{IpAddr, Ipv6Addr};

use super::environment::{Environment, Interface};

/// Labels of RFC 6724, section 2.1, and of linux/net/ipv6/addrlabel.c: what begins so, in so many bits, has this one.
const LABELS: [(u128, u32, u8); 9] = [
    (1, 128, 0),
    (0xffff << 32, 96, 4),
    (0, 96, 3),
    (0x2001 << 112, 32, 6),
    (0x2001_0010 << 96, 28, 7),
    (0x2002 << 112, 16, 2),
    (0x3ffe << 112, 16, 12),
    (0xfec0 << 112, 10, 11),
    (0xfc00 << 112, 7, 5),
];
/// Of all others.
const LABEL: u8 = 1;

impl Environment {
    /// The source that the box gives to what leaves for an address by an interface.
    pub(super) fn source(&self, destination: IpAddr, oif: &str) -> Option<IpAddr> {
        match destination {
            IpAddr::V4(_) => self.source_v4(destination, oif),
            IpAddr::V6(v6) => self.source_v6(v6, oif).map(IpAddr::from),
        }
    }

    /// linux/net/ipv4/devinet.c, `inet_select_addr`: first an address in the network of the next hop, then the first one of the interface,
    /// then the first one that the box has.
    fn source_v4(&self, destination: IpAddr, oif: &str) -> Option<IpAddr> {
        let hop = match self.next_hop(destination) {
            Some((by, Some(gateway))) if by == oif && gateway.is_ipv4() => gateway,
            _ => destination,
        };
        let may_be = |interface: &Interface| {
            let is_source = |address: IpAddr| {
                address.is_ipv4()
                    && !address.is_loopback()
                    && !interface.not_sources.contains(&address)
            };
            let mut all = interface.addresses.clone();
            all.retain(|it| is_source(it.addr()));
            all
        };
        let here = self.interface(oif).map(may_be).unwrap_or_default();
        let near = here.iter().find(|network| network.contains(&hop));
        let first = near.or(here.first()).map(|it| it.addr());
        let mut others = self.interfaces.iter().flat_map(may_be);
        first.or_else(|| others.next().map(|it| it.addr()))
    }

    /// RFC 6724, section 5, as linux/net/ipv6/addrconf.c, `ipv6_dev_get_saddr`, does it without temporary addresses.
    fn source_v6(&self, destination: Ipv6Addr, oif: &str) -> Option<Ipv6Addr> {
        let on_link = destination.is_multicast() || scope(destination) <= LINK;
        let mut best: Option<(Rank, Ipv6Addr)> = None;
        for interface in &self.interfaces {
            let is_oif = interface.name == oif;
            if on_link && !is_oif {
                continue;
            }
            for network in &interface.addresses {
                let IpAddr::V6(address) = network.addr() else {
                    continue;
                };
                let reach = match i16::from(scope(address)) {
                    reach if reach >= i16::from(scope(destination)) => -reach,
                    reach => reach - 128,
                };
                let same = u128::from(address) ^ u128::from(destination);
                let rank = Rank {
                    is_destination: address == destination,
                    reach,
                    is_preferred: !interface.not_sources.contains(&network.addr()),
                    is_oif,
                    has_label: label(address) == label(destination),
                    common: same.leading_zeros().min(network.prefix_len().into()),
                };
                // Of equal ones the first stays.
                if best.is_none_or(|(known, _)| known < rank) {
                    best = Some((rank, address));
                }
            }
        }
        best.map(|(_, address)| address)
    }

    /// The address of the box that a redirection by an interface leads to: linux/net/netfilter/nf_nat_redirect.c.
    pub(super) fn received(&self, iif: &str, destination: IpAddr) -> Option<IpAddr> {
        let mut addresses = self.interface(iif)?.addresses.iter().map(|it| it.addr());
        addresses.find(|address| match (address, destination) {
            (IpAddr::V4(_), IpAddr::V4(_)) => true,
            (IpAddr::V6(own), IpAddr::V6(asked)) => [GLOBAL, scope(*own)].contains(&scope(asked)),
            _ => false,
        })
    }
}

/// How well an address does as a source: what comes first counts first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    is_destination: bool,
    reach: i16,
    is_preferred: bool,
    is_oif: bool,
    has_label: bool,
    common: u32,
}

/// `IPV6_ADDR_SCOPE_LINKLOCAL`
const LINK: u8 = 2;
/// `IPV6_ADDR_SCOPE_GLOBAL`
const GLOBAL: u8 = 14;

/// `__ipv6_addr_src_scope`: how far an address reaches.
fn scope(address: Ipv6Addr) -> u8 {
    const SITE: u8 = 5;
    let [first, second, ..] = address.octets();
    if address.is_multicast() {
        second & 15
    } else if address.is_loopback() || address.is_unicast_link_local() {
        LINK
    } else if first == 0xfe && second & 0xc0 == 0xc0 {
        SITE
    } else {
        GLOBAL
    }
}

fn label(address: Ipv6Addr) -> u8 {
    let number = u128::from(address);
    let mut known = LABELS.iter();
    let known = known.find(|(begin, bits, _)| (number ^ begin).leading_zeros() >= *bits);
    known.map_or(LABEL, |(.., label)| *label)
}
