//! Addresses and routes of the box as an environment has them.
//!
//! All routes lead to one gateway on each link, whose hardware address is known: so the kernel asks for nobody, and however many
//! addresses packets go to, its neighbour tables, which the machine has only once, hold two entries for each interface.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use crate::evaluate::Environment;
use crate::netlink::{Change, Links};

/// The gateways (RFC 3927, RFC 4291): the same on each link.
const GATEWAYS: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 255, 253)),
    IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0x7266, 0x77, 0, 1)),
];
/// Nobody's.
const MAC: [u8; 6] = [0x02, b'r', b'f', 0xff, 0xff, 0xfe];

/// What the box has.
#[derive(Debug, Default)]
pub(super) struct Layout {
    indices: BTreeMap<String, u32>,
    /// In the order in which they came: the first is the primary one.
    addresses: Vec<(String, IpNet)>,
    routes: BTreeMap<IpNet, String>,
}

impl Layout {
    /// Of a box without addresses and routes whose interfaces have these numbers.
    pub(super) fn new(indices: BTreeMap<String, u32>, links: &mut Links) -> io::Result<Self> {
        for (name, index) in &indices {
            if name == "lo" {
                continue;
            }
            for gateway in GATEWAYS {
                links.neighbour(*index, gateway, MAC)?;
            }
        }
        Ok(Self {
            indices,
            ..Self::default()
        })
    }

    pub(super) fn index(&self, name: &str) -> Option<u32> {
        self.indices.get(name).copied()
    }

    pub(super) fn name(&self, index: u32) -> Option<&str> {
        let mut all = self.indices.iter();
        all.find_map(|(name, it)| (*it == index).then_some(name.as_str()))
    }

    /// Takes away what the environment does not have, and adds what it has. On an error: what was being done.
    pub(super) fn arrange(
        &mut self,
        environment: &Environment,
        links: &mut Links,
    ) -> Result<(), (String, io::Error)> {
        let mut addresses = Vec::new();
        for interface in &environment.interfaces {
            for network in &interface.addresses {
                addresses.push((interface.name.clone(), *network));
            }
        }
        // Of several routes to one network the first one counts.
        let mut routes: BTreeMap<IpNet, String> = BTreeMap::new();
        for route in &environment.routes {
            let network = route.network.trunc();
            routes.entry(network).or_insert_with(|| route.oif.clone());
        }
        let wanted: BTreeSet<&(String, IpNet)> = addresses.iter().collect();
        let index = |name: &str| self.indices.get(name).copied().unwrap_or_default();
        for (network, oif) in &self.routes {
            if routes.get(network) != Some(oif) {
                let done = links.route(Change::Delete, *network, gateway(*network), index(oif));
                done.map_err(|error| (format!("taking away the route to {network}"), error))?;
            }
        }
        for (name, network) in &self.addresses {
            if !wanted.contains(&(name.clone(), *network)) {
                let done = links.address(Change::Delete, index(name), *network);
                done.map_err(|error| (format!("taking {network} away from {name}"), error))?;
            }
        }
        let had: BTreeSet<&(String, IpNet)> = self.addresses.iter().collect();
        for address in &addresses {
            let (name, network) = address;
            if !had.contains(address) {
                let done = links.address(Change::Add, index(name), *network);
                done.map_err(|error| (format!("giving {network} to {name}"), error))?;
            }
        }
        for (network, oif) in &routes {
            if self.routes.get(network) != Some(oif) {
                let done = links.route(Change::Add, *network, gateway(*network), index(oif));
                done.map_err(|error| (format!("adding the route to {network} by {oif}"), error))?;
            }
        }
        for address in addresses.iter().filter(|address| !had.contains(address)) {
            await_local(address.1.addr(), links)
                .map_err(|error| (format!("waiting for {}", address.1), error))?;
        }
        self.addresses = addresses;
        self.routes = routes;
        Ok(())
    }
}

/// Waits until the kernel knows an address as the box's.
#[expect(clippy::disallowed_methods, reason = "the kernel is waited for")]
fn await_local(address: IpAddr, links: &mut Links) -> io::Result<()> {
    const TIMES: usize = 50_000;
    const PAUSE: std::time::Duration = std::time::Duration::from_micros(50);
    // Groups and the like never are; packets to them are for the box all the same.
    if address.is_multicast() || address.is_unspecified() {
        return Ok(());
    }
    for _ in 0..TIMES {
        if links.is_local(address)? {
            return Ok(());
        }
        std::thread::sleep(PAUSE);
    }
    Err(io::ErrorKind::TimedOut.into())
}

fn gateway(network: IpNet) -> IpAddr {
    let [v4, v6] = GATEWAYS;
    match network {
        IpNet::V4(_) => v4,
        IpNet::V6(_) => v6,
    }
}
