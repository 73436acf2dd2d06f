//! The packet that is asked about, and the box as far as the policy tells it.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv4Subnets, Ipv6Net, Ipv6Subnets};

use super::Arguments;
use crate::compile::model::{Interface, Zone};
use crate::diagnostic::nearest;
use crate::evaluate::{self, Environment, Packet, Route, State, Upper};
use crate::policy::{IcmpType, Icmpv6Type, IpProtocol};
use crate::ruleset::Addresses;

/// The box itself, among zones.
pub(super) const FIREWALL: &str = "firewall";
/// Stand for any address of the world (RFC 5737, RFC 3849).
const ANYONE: (Ipv4Addr, Ipv6Addr) = (
    Ipv4Addr::new(198, 51, 100, 1),
    Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, 1),
);
/// Stand for an address of the box.
const SELF: (Ipv4Addr, Ipv6Addr) = (
    Ipv4Addr::new(192, 0, 2, 1),
    Ipv6Addr::new(0x2001, 0xdb8, 0, 2, 0, 0, 0, 1),
);

/// A packet and the box it comes to.
pub(super) struct Sent {
    pub(super) packet: Packet,
    pub(super) environment: Environment,
    /// What was assumed.
    pub(super) notes: Vec<String>,
}

/// Why there is no packet.
#[derive(Debug, thiserror::Error)]
pub(super) enum PacketError {
    #[error("`{word}` is neither a zone nor an address{}", hint(.near))]
    UnknownWord { word: String, near: Option<String> },
    #[error(
        "`{word}` is no protocol and port; write `tcp/443`, `udp/53`, `icmp/echo-request`, `gre`"
    )]
    BadService { word: String },
    #[error("`--{end}` names two {what}")]
    Twice {
        end: &'static str,
        what: &'static str,
    },
    #[error("one address is IPv4, the other IPv6")]
    TwoFamilies,
    #[error(
        "the address {address} is in no zone; name the zone, or the box's own addresses by `--own`"
    )]
    Nowhere { address: IpAddr },
    #[error("a packet has to begin or end elsewhere than at the firewall")]
    Inside,
    #[error("the zone `{zone}` has no interface")]
    NoInterface { zone: String },
    #[error("none of the interfaces of the zone `{zone}` is on this box")]
    NotHere { zone: String },
    #[error("this box has no way to {address}; name the zone that it comes from")]
    NoWay { address: IpAddr },
}

fn hint(near: &Option<String>) -> String {
    let hint = near
        .as_ref()
        .map(|near| format!("; did you mean `{near}`?"));
    hint.unwrap_or_default()
}

/// What is asked about, in the words of the command line.
pub(super) struct Asked {
    pub(super) from: End,
    pub(super) to: End,
    /// Protocol and port.
    pub(super) text: String,
    /// Whether it is IPv6.
    pub(super) v6: bool,
}

/// What one end is said to be.
#[derive(Default)]
pub(super) struct End {
    pub(super) zone: Option<String>,
    pub(super) address: Option<IpAddr>,
}

pub(super) fn read(
    arguments: &Arguments,
    zones: &BTreeMap<String, Zone>,
    time: u64,
) -> Result<Sent, PacketError> {
    let Asked { from, to, text, v6 } = asked(arguments, zones)?;
    let mut notes = Vec::new();
    let mut environment = environment(zones);
    let source_zone = match (from.zone, from.address) {
        (Some(zone), _) => zone,
        (None, Some(address)) if arguments.own.contains(&address) => FIREWALL.to_owned(),
        (None, Some(address)) => zone_of(zones, address).ok_or(PacketError::Nowhere { address })?,
        (None, None) => FIREWALL.to_owned(),
    };
    let to_zone = match (to.zone, to.address) {
        (Some(zone), _) => zone,
        (None, Some(address)) if arguments.own.contains(&address) => FIREWALL.to_owned(),
        (None, Some(address)) => match zone_of(zones, address) {
            Some(zone) if zone != source_zone || lives_in(zones, &zone, address) => zone,
            // Out by where it came from, to the world: it would not have come here.
            _ => {
                notes.push(format!(
                    "note: {address} is taken for an address of the box: no zone but `{source_zone}` leads to it"
                ));
                FIREWALL.to_owned()
            }
        },
        (None, None) => FIREWALL.to_owned(),
    };
    if source_zone == FIREWALL && to_zone == FIREWALL && from.address.is_none() {
        return Err(PacketError::Inside);
    }
    let iif = interface(zones, &source_zone)?;
    let oif = interface(zones, &to_zone)?;
    let source = from
        .address
        .unwrap_or_else(|| someone(zones, &source_zone, v6));
    let destination = to.address.unwrap_or_else(|| someone(zones, &to_zone, v6));
    let beside = iif.as_deref().or(oif.as_deref()).unwrap_or("lo").to_owned();
    let mut own = arguments.own.clone();
    own.extend((source_zone == FIREWALL).then_some(source));
    own.extend((to_zone == FIREWALL).then_some(destination));
    own.sort();
    own.dedup();
    if let Some(interface) = environment
        .interfaces
        .iter_mut()
        .find(|it| it.name == beside)
    {
        interface.addresses = own.into_iter().map(IpNet::from).collect();
    }
    let mut packet = Packet::new(
        source,
        destination,
        upper(&text, arguments.source_port, v6)?,
    );
    packet.iif = iif;
    packet.oif = oif.filter(|_| to_zone != FIREWALL);
    packet.time = time;
    packet.connection.state = state(arguments);
    Ok(Sent {
        packet,
        environment,
        notes,
    })
}

/// What both readings begin with.
pub(super) fn asked(
    arguments: &Arguments,
    zones: &BTreeMap<String, Zone>,
) -> Result<Asked, PacketError> {
    let mut what = arguments.what.clone();
    let from = end("from", &arguments.from, zones, &mut what)?;
    let to = end("to", &arguments.to, zones, &mut what)?;
    if let (Some(one), Some(other)) = (from.address, to.address)
        && one.is_ipv4() != other.is_ipv4()
    {
        return Err(PacketError::TwoFamilies);
    }
    let text = what.unwrap_or_else(|| "tcp/443".to_owned());
    let given = from.address.or(to.address).map(|address| address.is_ipv6());
    let v6 = given.unwrap_or_else(|| text.starts_with("icmpv6"));
    Ok(Asked { from, to, text, v6 })
}

/// The state of the packet's connection.
pub(super) fn state(arguments: &Arguments) -> State {
    match arguments.state.as_str() {
        "established" => State::Established,
        "related" => State::Related,
        "invalid" => State::Invalid,
        "untracked" => State::Untracked,
        _ => State::New,
    }
}

/// Reads the words of one end; one that tells a protocol is taken out: `--to 192.0.2.1 tcp/443`.
fn end(
    name: &'static str,
    words: &[String],
    zones: &BTreeMap<String, Zone>,
    what: &mut Option<String>,
) -> Result<End, PacketError> {
    let mut end = End::default();
    for word in words {
        let twice = |what| PacketError::Twice { end: name, what };
        if let Ok(address) = word.parse() {
            if end.address.replace(address).is_some() {
                return Err(twice("addresses"));
            }
        } else if word == FIREWALL || zones.contains_key(word) {
            if end.zone.replace(word.clone()).is_some() {
                return Err(twice("zones"));
            }
        } else if what.is_none() && upper(word, 0, false).is_ok() {
            *what = Some(word.clone());
        } else if word.contains('/') {
            return Err(PacketError::BadService { word: word.clone() });
        } else {
            let names = zones.keys().map(String::as_str).chain([FIREWALL]);
            return Err(PacketError::UnknownWord {
                word: word.clone(),
                near: nearest(word, names).map(str::to_owned),
            });
        }
    }
    Ok(end)
}

pub(super) fn upper(word: &str, sport: u16, v6: bool) -> Result<Upper, PacketError> {
    let bad = || PacketError::BadService {
        word: word.to_owned(),
    };
    let (protocol, number) = match word.split_once('/') {
        Some((protocol, number)) => (protocol, Some(number)),
        None => (word, None),
    };
    let port = || -> Result<u16, PacketError> {
        number
            .and_then(|number| number.parse().ok())
            .ok_or_else(bad)
    };
    match protocol {
        "tcp" => Ok(Upper::syn(sport, port()?)),
        "icmp" | "icmpv6" => {
            let number = number.unwrap_or("echo-request");
            let kind = match v6 || protocol == "icmpv6" {
                true => number.parse::<Icmpv6Type>().map(Icmpv6Type::number),
                false => number.parse::<IcmpType>().map(IcmpType::number),
            };
            let kind = kind.map_err(|_| bad())?;
            Ok(Upper::Icmp { kind, code: 0 })
        }
        _ => {
            let protocol: IpProtocol = protocol.parse().map_err(|_| bad())?;
            let protocol = protocol.number();
            let has_ports = [17, 33, 132, 136].contains(&protocol);
            if has_ports {
                let dport = port()?;
                return Ok(Upper::Ports {
                    protocol,
                    sport,
                    dport,
                });
            }
            match number {
                None => Ok(Upper::Other(protocol)),
                Some(_) => Err(bad()),
            }
        }
    }
}

/// The zone that an address lives in: by its networks, otherwise the one that does not say what lives there, if there is only one.
fn zone_of(zones: &BTreeMap<String, Zone>, address: IpAddr) -> Option<String> {
    if let Some(name) = zones.keys().find(|name| lives_in(zones, name, address)) {
        return Some(name.clone());
    }
    let mut open = zones
        .iter()
        .filter(|(_, zone)| is_open(zone, address.is_ipv6()));
    let first = open.next()?;
    open.next().is_none().then(|| first.0.clone())
}

fn lives_in(zones: &BTreeMap<String, Zone>, name: &str, address: IpAddr) -> bool {
    zones
        .get(name)
        .is_some_and(|zone| zone.networks.contains(address))
}

fn is_open(zone: &Zone, v6: bool) -> bool {
    !zone.by_address
        && match v6 {
            true => zone.networks.v6.is_empty(),
            false => zone.networks.v4.is_empty(),
        }
}

/// An interface of a zone; none for the box itself.
fn interface(zones: &BTreeMap<String, Zone>, name: &str) -> Result<Option<String>, PacketError> {
    if name == FIREWALL {
        return Ok(None);
    }
    let first = zones.get(name).and_then(|zone| zone.interfaces.first());
    match first {
        Some(interface) => Ok(Some(called(interface))),
        None => Err(PacketError::NoInterface {
            zone: name.to_owned(),
        }),
    }
}

/// One of those whose names begin alike is called `wg0`.
fn called(interface: &Interface) -> String {
    match interface.prefix {
        true => format!("{}0", interface.name),
        false => interface.name.clone(),
    }
}

/// An address of a zone.
pub(super) fn someone(zones: &BTreeMap<String, Zone>, name: &str, v6: bool) -> IpAddr {
    let pick = |pair: (Ipv4Addr, Ipv6Addr)| match v6 {
        true => IpAddr::V6(pair.1),
        false => IpAddr::V4(pair.0),
    };
    if name == FIREWALL {
        return pick(SELF);
    }
    let Some(zone) = zones.get(name) else {
        return pick(ANYONE);
    };
    // Not the first address of a network, which is no host's.
    let first = match v6 {
        true => zone.networks.v6.iter().next().map(|span| {
            let host = span.lo.saturating_add(1).min(span.hi);
            IpAddr::V6(host.into())
        }),
        false => zone.networks.v4.iter().next().map(|span| {
            let host = span.lo.saturating_add(1).min(span.hi);
            IpAddr::V4(host.into())
        }),
    };
    first.unwrap_or_else(|| pick(ANYONE))
}

/// Interfaces of all zones, routes to their networks, and to everything else by the first zone that does not say what lives there.
fn environment(zones: &BTreeMap<String, Zone>) -> Environment {
    let mut environment = Environment::default();
    for zone in zones.values() {
        let Some(first) = zone.interfaces.first() else {
            continue;
        };
        let oif = called(first);
        for interface in &zone.interfaces {
            let name = called(interface);
            if environment.interface(&name).is_none() {
                environment.interfaces.push(evaluate::Interface {
                    name,
                    ..evaluate::Interface::default()
                });
            }
        }
        let mut networks = networks(&zone.networks);
        if is_open(zone, false) {
            networks.push(IpNet::V4(Ipv4Net::default()));
        }
        if is_open(zone, true) {
            networks.push(IpNet::V6(Ipv6Net::default()));
        }
        environment
            .routes
            .extend(networks.into_iter().map(|network| Route {
                network,
                oif: oif.clone(),
                gateway: None,
            }));
    }
    environment
}

fn networks(addresses: &Addresses) -> Vec<IpNet> {
    let v4 = addresses
        .v4
        .iter()
        .flat_map(|span| Ipv4Subnets::new(span.lo.into(), span.hi.into(), 0).map(IpNet::V4));
    let v6 = addresses
        .v6
        .iter()
        .flat_map(|span| Ipv6Subnets::new(span.lo.into(), span.hi.into(), 0).map(IpNet::V6));
    v4.chain(v6).collect()
}
