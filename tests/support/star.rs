//! A box in the middle and a host at the end of each of its links.

use super::topology::address;
use super::{Host, link};

/// A link of the box: interface, its addresses there, the host at the other end, its addresses.
pub(crate) type Ray<'a> = (&'a str, &'a [&'a str], &'a str, &'a [&'a str]);

/// The box under test and its neighbours, each of which sends everything to the box.
#[derive(Debug)]
pub(crate) struct Star {
    /// The box.
    pub(crate) center: Host,
    hosts: Vec<Host>,
}

impl Star {
    /// Builds it; addresses have their prefix lengths.
    #[track_caller]
    pub(crate) fn new(rays: &[Ray<'_>]) -> Self {
        let center = Host::new("box");
        let mut hosts = Vec::new();
        for (interface, here, name, there) in rays {
            let host = Host::new(name);
            link((&host, "eth0"), (&center, interface));
            address(&center, interface, here);
            address(&host, "eth0", there);
            for gateway in here.iter() {
                let (gateway, _) = gateway.split_once('/').expect("a prefix length");
                host.ip(&format!("route add default via {gateway}"));
            }
            hosts.push(host);
        }
        Self { center, hosts }
    }

    /// A neighbour by its name.
    #[track_caller]
    pub(crate) fn host(&self, name: &str) -> &Host {
        let found = self.hosts.iter().find(|host| host.name() == name);
        found.expect("a host of this name")
    }
}
