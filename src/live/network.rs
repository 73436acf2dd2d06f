//! The network of the box as the kernel has it: what decides where packets leave, and which addresses are its own.
//!
//! Not the ruleset; no generation belongs to it.

use std::net::IpAddr;

use ipnet::IpNet;

/// What the kernel knows of the network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// The interfaces by index.
    pub links: Vec<Link>,
    /// The routes of the main table, the longest networks first, of equal ones the least metric.
    pub routes: Vec<KernelRoute>,
    /// Whether rules choose other tables of routes for some packets.
    pub has_rules: bool,
}

/// An interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// The kernel's number.
    pub index: u32,
    /// The name.
    pub name: String,
    /// `ARPHRD_*` of linux/if_arp.h: 1 Ethernet, 772 loopback.
    pub kind: u16,
    /// Whether it is up.
    pub is_up: bool,
    /// The box's addresses on it with the lengths of their networks, in the kernel's order.
    pub addresses: Vec<IpNet>,
    /// Those of them that the box does not take as a source by itself: secondary ones and those not for the whole world (IPv4),
    /// deprecated ones (IPv6).
    pub not_sources: Vec<IpAddr>,
    /// `route_localnet`: 127.0.0.0/8 may come from there and go there.
    pub routes_loopback: bool,
}

/// A route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelRoute {
    /// Where to.
    pub network: IpNet,
    /// The index of the interface; `None` if packets are refused.
    pub oif: Option<u32>,
    /// Who takes packets further.
    pub gateway: Option<IpAddr>,
    /// Less is better.
    pub metric: u32,
    /// Whether the kernel chooses among several next hops, of which this is the first.
    pub is_one_of_several: bool,
}
