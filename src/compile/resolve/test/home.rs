//! Which addresses tests mean by a zone, and which zone by an address.
//!
//! A zone's addresses are its networks, and where it says none of a family, everything that no other zone says and that
//! no translation calls the box's. Only addresses that one host may have count. The box may have any of them, but those where translations say that hosts live.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::compile::claim::End;
use crate::compile::model::{Selected, Selector};
use crate::compile::model::{Side, Zone};
use crate::compile::resolve::addresses_of_prefix;
use crate::compile::resolve::nat::Entries;
use crate::ruleset::Addresses;

/// Where addresses live.
pub(super) struct Homes {
    zones: BTreeMap<String, Home>,
    /// What the box may have.
    firewall: Addresses,
    /// What the box certainly has: translations say so.
    own: Addresses,
}

struct Home {
    /// Everything that may come from there.
    addresses: Addresses,
    /// What is certainly there.
    networks: Addresses,
}

impl Homes {
    pub(super) fn of(zones: &BTreeMap<String, Zone>, nat: &Entries) -> Self {
        let (single, own) = (single(), own(nat));
        let taken = zones
            .values()
            .fold(Addresses::default(), |all, zone| all.union(&zone.networks));
        let homes = zones.iter().map(|(name, zone)| {
            let rest = single.subtract(&taken).subtract(&own);
            let open = !zone.by_address;
            let mut addresses = zone.networks.clone();
            if addresses.v4.is_empty() && open {
                addresses.v4 = rest.v4;
            }
            if addresses.v6.is_empty() && open {
                addresses.v6 = rest.v6;
            }
            let networks = zone.networks.clone();
            (
                name.clone(),
                Home {
                    addresses,
                    networks,
                },
            )
        });
        Self {
            zones: homes.collect(),
            firewall: single.subtract(&hosts(nat)),
            own,
        }
    }

    pub(super) fn firewall(&self) -> End {
        End {
            side: Side::Firewall,
            addresses: self.firewall.clone(),
        }
    }

    pub(super) fn zone(&self, name: &str) -> End {
        let home = self.zones.get(name);
        End {
            side: Side::Zone(name.to_owned()),
            addresses: home.map(|home| home.addresses.clone()).unwrap_or_default(),
        }
    }

    pub(super) fn all(&self) -> Vec<End> {
        let zones = self.zones.keys().map(|name| self.zone(name));
        zones.chain([self.firewall()]).collect()
    }

    /// The ends that have some of these addresses: the zones whose networks hold them, then the box, then every zone
    /// that may have them for all it says.
    pub(super) fn of_addresses(&self, addresses: &Addresses) -> Vec<End> {
        let mut ends = Vec::new();
        let mut rest = addresses.clone();
        for (name, home) in &self.zones {
            let inside = common(addresses, &home.networks);
            rest = rest.subtract(&home.networks);
            ends.push((Side::Zone(name.clone()), inside));
        }
        let inside = common(&rest, &self.own);
        rest = rest.subtract(&self.own);
        ends.push((Side::Firewall, inside));
        for (name, home) in &self.zones {
            let inside = common(&rest, &home.addresses);
            ends.push((Side::Zone(name.clone()), inside));
        }
        let ends = ends.into_iter();
        ends.filter(|(_, addresses)| !addresses.is_empty())
            .map(|(side, addresses)| End { side, addresses })
            .collect()
    }
}

/// The addresses in both.
fn common(one: &Addresses, other: &Addresses) -> Addresses {
    Addresses {
        v4: one.v4.intersect(&other.v4),
        v6: one.v6.intersect(&other.v6),
    }
}

/// The addresses that one host may have and that are routed: no groups, no loopback, nothing of one link only, nothing that is kept for
/// later (RFC 6890). Without 192.0.0.0/24 and 2001:2::/48, which are for experiments and protocols, so that there is something left for
/// the box to be called by.
fn single() -> Addresses {
    let v4 = |lo: [u8; 4], hi: [u8; 4]| Addresses::v4_range(Ipv4Addr::from(lo), Ipv4Addr::from(hi));
    let v6 = |lo: u128, hi: u128| Addresses::v6_range(Ipv6Addr::from(lo), Ipv6Addr::from(hi));
    let no_host = [
        v4([0, 0, 0, 0], [0, 255, 255, 255]),
        v4([127, 0, 0, 0], [127, 255, 255, 255]),
        v4([169, 254, 0, 0], [169, 254, 255, 255]),
        v4([192, 0, 0, 0], [192, 0, 0, 255]),
        v4([224, 0, 0, 0], [255, 255, 255, 255]),
        // ::/8 with the unspecified address, the loopback and IPv4 in disguise; fe80::/10, fec0::/10 (given up by RFC 3879) and ff00::/8.
        v6(0, (1 << 120) - 1),
        v6(0xfe80 << 112, u128::MAX),
        v6(0x2001_0002 << 96, (0x2001_0002_0001 << 80) - 1),
    ];
    let all = [v4([0, 0, 0, 0], [255, 255, 255, 255]), v6(0, u128::MAX)];
    let sum = |some: &[Option<Addresses>]| {
        some.iter()
            .flatten()
            .fold(Addresses::default(), |all, one| all.union(one))
    };
    sum(&all).subtract(&sum(&no_host))
}

/// Where translations say that hosts live, or that others see them.
fn hosts(nat: &Entries) -> Addresses {
    let mut hosts = Addresses::default();
    let backends = nat.dnat.iter().flat_map(|entry| &entry.backends);
    for backend in backends {
        hosts = hosts.union(&one(backend.address, backend.address));
    }
    for entry in &nat.netmap {
        hosts = hosts.union(&addresses_of_prefix(entry.inside));
        hosts = hosts.union(&addresses_of_prefix(entry.outside));
    }
    hosts
}

/// The addresses that translations receive for or hide behind.
fn own(nat: &Entries) -> Addresses {
    let mut own = Addresses::default();
    for entry in &nat.snat {
        own = own.union(&one(entry.address, entry.last));
    }
    for entry in &nat.dnat {
        own = own.union(&written(&entry.destination));
    }
    own
}

/// The addresses that are written in place.
fn written(selector: &Selector) -> Addresses {
    let entries = selector.include.iter();
    entries.fold(Addresses::default(), |all, entry| match entry {
        Selected::Addresses(addresses) => all.union(addresses),
        Selected::Group(_) | Selected::Set(_) | Selected::HostParts(_) => all,
    })
}

fn one(lo: IpAddr, hi: IpAddr) -> Addresses {
    let range = match (lo, hi) {
        (IpAddr::V4(lo), IpAddr::V4(hi)) => Addresses::v4_range(lo, hi),
        (IpAddr::V6(lo), IpAddr::V6(hi)) => Addresses::v6_range(lo, hi),
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => None,
    };
    range.unwrap_or_default()
}
