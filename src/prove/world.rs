//! The box as a proof sees it: interfaces by the policy's names, made-up addresses, and routes to where zones say their networks are.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::compile::model::{Interface, Model, Side, Zone};
use crate::evaluate::{self, Environment, Route};
use crate::ruleset::{Addresses, Family};

/// An interface of no zone, for addresses that the box has elsewhere.
const ELSEWHERE: &str = "rfw-elsewhere";

/// The interfaces of an end; one without a name is the box itself.
pub(super) fn interfaces(side: &Side, model: &Model) -> Vec<Option<String>> {
    match side {
        Side::Firewall => vec![None],
        Side::Zone(name) => {
            let zone = model.zones.get(name);
            let all = zone.into_iter().flat_map(|zone| &zone.interfaces);
            all.map(|interface| Some(called(interface))).collect()
        }
    }
}

/// Of interfaces that are known by the beginning of their name one: `wg0`.
fn called(interface: &Interface) -> String {
    let Interface { name, prefix } = interface;
    match prefix {
        true if name.len() < 15 => format!("{name}0"),
        _ => name.clone(),
    }
}

/// The address that the box has on the interface of a number: of blocks that are for such things (RFC 6890, RFC 5180).
fn own_address(number: usize, family: Family) -> IpAddr {
    match family {
        Family::Ipv4 => {
            let last = u8::try_from(number.min(200)).unwrap_or(200) + 10;
            Ipv4Addr::new(192, 0, 0, last).into()
        }
        Family::Ipv6 => {
            let last = u16::try_from(number).unwrap_or(u16::MAX);
            Ipv6Addr::new(0x2001, 2, 0, 0, 0, 0, 1, last).into()
        }
    }
}

/// The box's own address on an interface, as [`world`] makes it up.
pub(super) fn address_on(environment: &Environment, name: &str, v6: bool) -> Option<IpAddr> {
    environment.primary(name, v6)
}

/// How many worlds there are: so many that in one of them every interface is the way to its zone, and every zone that does not
/// say what lives in it is the way to the rest.
pub(super) fn worlds(model: &Model) -> usize {
    let most = model.zones.values().map(|zone| zone.interfaces.len());
    let defaults = Family::BOTH.map(|family| defaults(model, family).len());
    most.chain(defaults).max().unwrap_or(1).max(1)
}

/// One of the worlds.
pub(super) fn world(model: &Model, number: usize) -> Environment {
    let mut names: Vec<String> = Vec::new();
    for zone in model.zones.values() {
        names.extend(zone.interfaces.iter().map(called));
    }
    names.sort();
    names.dedup();
    let mut environment = Environment::default();
    for (index, name) in names.into_iter().enumerate() {
        let addresses = Family::BOTH.map(|family| alone(own_address(index, family)));
        environment.interfaces.push(evaluate::Interface {
            name,
            // 1 is the loopback's.
            index: u32::try_from(index + 2).ok(),
            kind: None,
            addresses: addresses.into(),
            not_sources: Vec::new(),
            routes_loopback: false,
        });
    }
    environment.interfaces.push(evaluate::Interface {
        name: ELSEWHERE.to_owned(),
        ..evaluate::Interface::default()
    });
    for zone in model.zones.values() {
        let Some(oif) = pick(&zone.interfaces, number).map(called) else {
            continue;
        };
        let networks = networks(&zone.networks).into_iter();
        environment.routes.extend(networks.map(|network| Route {
            network,
            oif: oif.clone(),
            gateway: None,
        }));
    }
    for family in Family::BOTH {
        if let Some(oif) = pick(&defaults(model, family), number) {
            let network = match family {
                Family::Ipv4 => IpNet::V4(Ipv4Net::default()),
                Family::Ipv6 => IpNet::V6(Ipv6Net::default()),
            };
            environment.routes.push(Route {
                network,
                oif: called(oif),
                gateway: None,
            });
        }
    }
    environment
}

/// The same with one more address of the box: on this interface, or on another that is none of any zone.
pub(super) fn with_address(
    environment: &Environment,
    address: IpAddr,
    on: Option<&str>,
) -> Environment {
    let mut environment = environment.clone();
    let on = on.unwrap_or(ELSEWHERE);
    let mut interfaces = environment.interfaces.iter_mut();
    if let Some(interface) = interfaces.find(|interface| interface.name == on) {
        interface.addresses.push(alone(address));
    }
    environment
}

/// The same, where packets to an address leave by this interface.
pub(super) fn by_way_of(
    mut environment: Environment,
    destination: IpAddr,
    oif: &str,
) -> Environment {
    if environment.route(destination) != Some(oif) {
        environment.routes.push(Route {
            network: alone(destination),
            oif: oif.to_owned(),
            gateway: None,
        });
    }
    environment
}

fn alone(address: IpAddr) -> IpNet {
    IpNet::from(address)
}

fn pick<T>(all: &[T], number: usize) -> Option<&T> {
    all.get(number.checked_rem(all.len())?)
}

/// The interfaces of the zones that do not say what lives there.
fn defaults(model: &Model, family: Family) -> Vec<Interface> {
    let is_open = |zone: &&Zone| {
        let says_nothing = match family {
            Family::Ipv4 => zone.networks.v4.is_empty(),
            Family::Ipv6 => zone.networks.v6.is_empty(),
        };
        says_nothing && !zone.by_address
    };
    let zones = model.zones.values().filter(is_open);
    zones.flat_map(|zone| zone.interfaces.clone()).collect()
}

/// Addresses as networks: each span in as few as it takes.
fn networks(addresses: &Addresses) -> Vec<IpNet> {
    let v4 = addresses.v4.iter().flat_map(|span| {
        let (lo, hi) = (Ipv4Addr::from(span.lo), Ipv4Addr::from(span.hi));
        ipnet::Ipv4Subnets::new(lo, hi, 0).map(IpNet::V4)
    });
    let v6 = addresses.v6.iter().flat_map(|span| {
        let (lo, hi) = (Ipv6Addr::from(span.lo), Ipv6Addr::from(span.hi));
        ipnet::Ipv6Subnets::new(lo, hi, 0).map(IpNet::V6)
    });
    v4.chain(v6).collect()
}
