//! The box around the rules: its interfaces, its addresses, its routes.
//!
//! Only as much of the kernel's routing as decides where a packet goes next and what `fib` yields.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::live::{Link, Network};

/// The box.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// Its interfaces. `lo` is always there, with 127.0.0.0/8 and ::1.
    pub interfaces: Vec<Interface>,
    /// Its routes beside those to the networks of its interfaces.
    pub routes: Vec<Route>,
}

/// An interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interface {
    /// The name.
    pub name: String,
    /// `meta iif`; `None` for one that no rule names.
    pub index: Option<u32>,
    /// `meta iiftype`: `ARPHRD_*` of linux/if_arp.h, if it is known.
    pub kind: Option<u16>,
    /// The box's addresses on it, with the lengths of their networks; the first of each family is the primary one.
    pub addresses: Vec<IpNet>,
    /// Those of them that the box does not take as a source by itself: secondary ones and those not for the whole world (IPv4),
    /// deprecated ones as long as there are others (IPv6).
    pub not_sources: Vec<IpAddr>,
    /// `route_localnet`: 127.0.0.0/8 may come from there and go there.
    pub routes_loopback: bool,
}

/// A route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Where to.
    pub network: IpNet,
    /// By which interface; empty if packets are refused.
    pub oif: String,
    /// Who takes packets further.
    pub gateway: Option<IpAddr>,
}

/// The index of an interface that no rule names: the greatest, which the kernel never gives away.
const NAMELESS: u32 = u32::MAX;

/// `lo`
pub(super) const LOOPBACK: &str = "lo";

/// What kind of address it is for the box: `RTN_*` of linux/rtnetlink.h.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AddressType {
    /// 1
    Unicast,
    /// 2
    Local,
    /// 3
    Broadcast,
    /// 4: of an IPv6 network the first address, which all its routers have (RFC 4291, section 2.6.1).
    Anycast,
    /// 5
    Multicast,
    /// 7
    Unreachable,
}

impl AddressType {
    /// The kernel's number.
    pub fn number(self) -> u32 {
        match self {
            Self::Unicast => 1,
            Self::Local => 2,
            Self::Broadcast => 3,
            Self::Anycast => 4,
            Self::Multicast => 5,
            Self::Unreachable => 7,
        }
    }
}

impl Environment {
    /// The box as the kernel describes it.
    pub fn of(network: &Network) -> Self {
        let Network {
            links,
            routes,
            has_rules: _,
        } = network;
        let is_routed = |link: &Link, address: &IpNet| {
            let mut routes = routes.iter();
            routes.any(|route| route.oif == Some(link.index) && route.network == address.trunc())
        };
        // An address that comes without a route to its network, and one of an interface that is down, make no way there.
        let addresses = |link: &Link| {
            let up = link.addresses.iter().filter(|_| link.is_up);
            let addresses = up.map(|address| match is_routed(link, address) {
                true => *address,
                false => IpNet::from(address.addr()),
            });
            addresses.collect()
        };
        let name = |index: u32| links.iter().find(|link| link.index == index);
        let routes = routes.iter().map(|route| Route {
            network: route.network,
            oif: match route.oif {
                Some(index) => name(index).map_or_else(String::new, |link| link.name.clone()),
                None => String::new(),
            },
            gateway: route.gateway,
        });
        Self {
            interfaces: links
                .iter()
                .map(|link| Interface {
                    name: link.name.clone(),
                    index: Some(link.index),
                    kind: Some(link.kind),
                    addresses: addresses(link),
                    not_sources: link.not_sources.clone(),
                    routes_loopback: link.routes_loopback,
                })
                .collect(),
            routes: routes.collect(),
        }
    }

    /// An interface by its name.
    pub fn interface(&self, name: &str) -> Option<&Interface> {
        self.interfaces
            .iter()
            .find(|interface| interface.name == name)
    }

    /// The index of an interface.
    pub fn index(&self, name: &str) -> u32 {
        let known = self.interface(name).and_then(|interface| interface.index);
        let known = known.or((name == LOOPBACK).then_some(1));
        known.unwrap_or(NAMELESS)
    }

    /// Whether 127.0.0.0/8 may come from an interface and go there.
    pub(super) fn routes_loopback(&self, name: &str) -> bool {
        let interface = self.interface(name);
        name == LOOPBACK || interface.is_some_and(|it| it.routes_loopback)
    }

    /// The primary address of an interface.
    pub fn primary(&self, name: &str, v6: bool) -> Option<IpAddr> {
        let addresses = self.interface(name)?.addresses.iter();
        addresses
            .map(IpNet::addr)
            .find(|address| address.is_ipv6() == v6)
    }

    /// The interface that has an address.
    pub fn owner(&self, address: IpAddr) -> Option<&str> {
        let has = |interface: &&Interface| {
            let mut addresses = interface.addresses.iter();
            addresses.any(|network| network.addr() == address)
        };
        match self.interfaces.iter().find(has) {
            Some(interface) => Some(&interface.name),
            None => address.is_loopback().then_some(LOOPBACK),
        }
    }

    /// Where packets to an address leave by the routes: the longest network wins.
    pub fn route(&self, address: IpAddr) -> Option<&str> {
        self.next_hop(address).map(|(oif, _)| oif)
    }

    /// Likewise, and who takes packets further there, if it is not the address itself.
    pub(super) fn next_hop(&self, address: IpAddr) -> Option<(&str, Option<IpAddr>)> {
        let links = self.interfaces.iter().flat_map(|interface| {
            let networks = interface.addresses.iter();
            networks.map(|network| (network.trunc(), interface.name.as_str(), None))
        });
        let routes = self.routes.iter();
        let routes = routes.map(|it| (it.network.trunc(), it.oif.as_str(), it.gateway));
        // Of equal length the first one: `max_by_key` would take the last.
        links
            .chain(routes)
            .filter(|(network, ..)| network.contains(&address))
            .fold(
                None,
                |best: Option<(IpNet, &str, Option<IpAddr>)>, next| match best {
                    Some(best) if next.0.prefix_len() <= best.0.prefix_len() => Some(best),
                    _ => Some(next),
                },
            )
            .map(|(_, oif, gateway)| (oif, gateway))
            .filter(|(oif, _)| !oif.is_empty())
    }

    /// Where packets to an address leave, if that is by this interface: it has to be the best way, not just one of them. The box's
    /// own addresses are reached by none.
    pub fn way<'a>(&'a self, address: IpAddr, on: Option<&'a str>) -> Option<&'a str> {
        if self.owner(address).is_some() || self.is_anycast(address) {
            return None;
        }
        match on {
            // Each link has such addresses.
            Some(on) if is_on_each_link(address) => Some(on),
            on => self
                .route(address)
                .filter(|oif| on.is_none_or(|on| on == *oif)),
        }
    }

    /// Whether it is the address that a box that forwards has in a network beside its own: linux/net/ipv6/addrconf.c,
    /// `addrconf_join_anycast`.
    pub(super) fn is_anycast(&self, address: IpAddr) -> bool {
        let networks = self.interfaces.iter().flat_map(|it| &it.addresses);
        let mut networks = networks.filter(|network| network.prefix_len() < 127);
        address.is_ipv6() && networks.any(|network| network.network() == address)
    }

    /// The type of an address: of the whole box, or as one interface sees it.
    pub fn address_type(&self, address: IpAddr, on: Option<&str>) -> AddressType {
        let is_on = |name: &str| on.is_none_or(|on| on == name);
        if address.is_multicast() {
            return AddressType::Multicast;
        }
        match address {
            IpAddr::V4(v4) if v4.is_broadcast() || v4.is_unspecified() => {
                return AddressType::Broadcast;
            }
            _ => {}
        }
        if self.owner(address).is_some() {
            let is_here = self.interfaces.iter().any(|interface| {
                is_on(&interface.name)
                    && interface
                        .addresses
                        .iter()
                        .any(|network| network.addr() == address)
            });
            let is_loopback = address.is_loopback() && is_on(LOOPBACK);
            return if is_here || is_loopback {
                AddressType::Local
            } else {
                AddressType::Unicast
            };
        }
        if self.is_anycast(address) {
            return AddressType::Anycast;
        }
        let is_broadcast = self.interfaces.iter().any(|interface| {
            is_on(&interface.name)
                && interface.addresses.iter().any(|network| match network {
                    IpNet::V4(v4) => v4.prefix_len() < 31 && IpAddr::V4(v4.broadcast()) == address,
                    IpNet::V6(_) => false,
                })
        });
        if is_broadcast {
            return AddressType::Broadcast;
        }
        if address.is_ipv6() && self.route(address).is_none() && !is_on_each_link(address) {
            return AddressType::Unreachable;
        }
        AddressType::Unicast
    }
}

/// fe80::/64, to which each interface has a route of its own. Of fe80::/10 that is all that links use.
pub(super) fn is_on_each_link(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(v6) if u128::from(v6) >> 64 == 0xfe80 << 48)
}
