//! The packet that is asked about, on the box as it is: interfaces, addresses and routes are the kernel's.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::Arguments;
use super::packet::{Asked, FIREWALL, PacketError, Sent, asked, someone, state, upper};
use crate::compile::model::Zone;
use crate::evaluate::{Environment, Packet};

pub(super) fn read(
    arguments: &Arguments,
    zones: &BTreeMap<String, Zone>,
    time: u64,
    environment: Environment,
) -> Result<Sent, PacketError> {
    let Asked { from, to, text, v6 } = asked(arguments, zones)?;
    let mut notes = Vec::new();
    let is_own = |address: IpAddr| environment.owner(address).is_some();
    let iif = match (from.zone.as_deref(), from.address) {
        (Some(FIREWALL), _) | (None, None) => None,
        (Some(zone), source) => Some(interface(zones, zone, source, &environment)?),
        (None, Some(source)) if is_own(source) => None,
        (None, Some(source)) => {
            let way = environment.route(source).map(str::to_owned);
            Some(way.ok_or(PacketError::NoWay { address: source })?)
        }
    };
    let to_box = to.zone.as_deref() == Some(FIREWALL);
    if iif.is_none() && to_box && to.address.is_none() {
        return Err(PacketError::Inside);
    }
    let own = |name: Option<&str>| {
        let on = name.and_then(|name| environment.primary(name, v6));
        on.unwrap_or_else(|| someone(zones, FIREWALL, v6))
    };
    let destination = match (to.address, to.zone.as_deref()) {
        (Some(address), _) => address,
        (None, Some(FIREWALL) | None) => own(iif.as_deref()),
        (None, Some(zone)) => another(zones, zone, v6, &environment),
    };
    let source = match (from.address, from.zone.as_deref()) {
        (Some(address), _) => address,
        (None, Some(FIREWALL) | None) => own(environment.route(destination)),
        (None, Some(zone)) => another(zones, zone, v6, &environment),
    };
    let mut packet = Packet::new(
        source,
        destination,
        upper(&text, arguments.source_port, v6)?,
    );
    if let Some(zone) = to.zone.as_deref().filter(|zone| *zone != FIREWALL) {
        let oif = environment.route(destination).unwrap_or("no interface");
        let is_in = zones.get(zone).is_some_and(|zone| has(zone, oif));
        if is_own(destination) || !is_in {
            notes.push(format!(
                "note: {destination} is not in the zone `{zone}` by the routes of this box, which lead to it by {oif}"
            ));
        }
    }
    packet.iif = iif;
    packet.time = time;
    packet.connection.state = state(arguments);
    Ok(Sent {
        packet,
        environment,
        notes,
    })
}

/// Whether an interface is one of a zone's.
fn has(zone: &Zone, name: &str) -> bool {
    zone.interfaces.iter().any(|interface| interface.has(name))
}

/// The interface of a zone that leads to an address, or the first one that is here.
fn interface(
    zones: &BTreeMap<String, Zone>,
    name: &str,
    address: Option<IpAddr>,
    environment: &Environment,
) -> Result<String, PacketError> {
    let zone = zones.get(name);
    let is_in = |interface: &str| zone.is_some_and(|zone| has(zone, interface));
    let way = address.and_then(|address| environment.route(address));
    let mut here = environment.interfaces.iter().map(|it| it.name.as_str());
    let found = way
        .filter(|way| is_in(way))
        .or_else(|| here.find(|it| is_in(it)));
    found
        .map(str::to_owned)
        .ok_or_else(|| PacketError::NotHere {
            zone: name.to_owned(),
        })
}

/// An address of a zone that is not the box's own.
fn another(
    zones: &BTreeMap<String, Zone>,
    name: &str,
    v6: bool,
    environment: &Environment,
) -> IpAddr {
    let mut address = someone(zones, name, v6);
    // A box has few addresses side by side.
    for _ in 0..256 {
        if environment.owner(address).is_none() {
            break;
        }
        address = match address {
            IpAddr::V4(v4) => IpAddr::V4(u32::from(v4).saturating_add(1).into()),
            IpAddr::V6(v6) => IpAddr::V6(u128::from(v6).saturating_add(1).into()),
        };
    }
    address
}
