//! What Docker, firewalld, ufw, fail2ban, libvirt and Podman really loaded, beside the kernel: each alone, and with rfw's table.
//!
//! `record` writes the files of `recorded`; each says which version loaded it. Packets go between the addresses that the rules name, their
//! neighbours, and others, to the ports that they name and those next to these; from beyond each link, and from the box itself.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use proptest::strategy::{Strategy, ValueTree};

use super::{LINKS as FIVE, Read, ether, iptables, know_each_other};
use crate::differential::field::{
    Cable, Dice, FIRST, Field, PORTS, V4, V6, WATCH, after, chance, packet,
};
use crate::differential::given;
use crate::differential::ledger::Ledger;
use crate::differential::made::compile;
use crate::support::wire::{Sent, What};
use crate::support::{alone_for, nft, policies};

/// Packets to each ruleset.
const PACKETS: usize = 60;
/// A policy that is written for such a host.
const OURS: &str = include_str!("../../../policies/docker-host.yaml");

/// The box that `record` records on, with the bridges that the tools make there.
const LINKS: [Cable; 7] = {
    let [wan, lan, other, vpn, docker] = FIVE;
    let app = (
        "br-app",
        ["172.18.0.1/16", "fd00:18::1/64"],
        ["172.18.0.77", "fd00:18::77"],
    );
    let inside = (
        "br-in",
        ["172.19.0.1/16", "fd00:19::1/64"],
        ["172.19.0.77", "fd00:19::77"],
    );
    [wan, lan, other, vpn, docker, app, inside]
};

/// What one tool loaded.
#[derive(Default)]
struct Recorded {
    v4: String,
    v6: String,
    nft: String,
}

impl Recorded {
    fn all() -> BTreeMap<String, Self> {
        let directory = "tests/differential/foreign/recorded";
        let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(directory);
        let mut all: BTreeMap<String, Self> = BTreeMap::new();
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let file = path.file_name().unwrap().to_str().unwrap();
            let text = fs::read_to_string(&path).unwrap();
            let mut put = |end: &str, to: fn(&mut Self) -> &mut String| {
                let name = file.strip_suffix(end);
                name.map(|name| *to(all.entry(name.to_owned()).or_default()) = text.clone())
            };
            put(".ip4.rules", |it| &mut it.v4)
                .or_else(|| put(".ip6.rules", |it| &mut it.v6))
                .or_else(|| put(".nft", |it| &mut it.nft))
                .unwrap_or_else(|| panic!("{file}: what is that?"));
        }
        all
    }

    fn text(&self) -> String {
        [self.v4.as_str(), &self.v6, &self.nft].concat()
    }
}

/// Addresses and ports at which rules tell packets apart.
struct Interest {
    v4: Vec<IpAddr>,
    v6: Vec<IpAddr>,
    ports: Vec<u16>,
}

impl Interest {
    fn of(text: &str) -> Self {
        let mut addresses: BTreeSet<IpAddr> = BTreeSet::new();
        let mut ports: BTreeSet<u16> = BTreeSet::new();
        let mut are_ports = 0;
        for word in text.split(|it: char| it.is_whitespace() || "{},\"[]".contains(it)) {
            let network = word.parse::<IpNet>();
            let network = network.or_else(|_| word.parse::<IpAddr>().map(IpNet::from));
            if let Ok(network) = network {
                addresses.extend([network.network(), network.broadcast()].map(|it| next(it, 0)));
                addresses.extend([next(network.network(), -1), next(network.broadcast(), 1)]);
                addresses.insert(next(network.network(), 2));
            }
            let numbers: Vec<u16> = word
                .split(['-', ':'])
                .filter_map(|it| it.parse().ok())
                .collect();
            match numbers.as_slice() {
                _ if word.contains("port") => are_ports = 8,
                [] if word.is_empty() => {}
                [] => are_ports = 0,
                numbers if are_ports > 0 => {
                    are_ports -= 1;
                    let around = numbers
                        .iter()
                        .flat_map(|it| [it.saturating_sub(1), *it, it.saturating_add(1)]);
                    ports.extend(around);
                }
                _ => {}
            }
        }
        ports.extend(PORTS);
        ports.remove(&0);
        addresses.extend(V4.iter().chain(&V6).map(|it| it.parse::<IpAddr>().unwrap()));
        for (_, here, _) in LINKS {
            addresses.extend(here.map(|it| it.parse::<IpNet>().unwrap().addr()));
        }
        let is_mapped = |it: &IpAddr| matches!(it, IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some());
        addresses.retain(|it| {
            !(it.is_unspecified() || it.is_multicast() || it.is_loopback() || is_mapped(it))
        });
        addresses.remove(&IpAddr::from([255; 4]));
        let (v4, v6) = addresses.into_iter().partition(IpAddr::is_ipv4);
        let ports = ports.into_iter().collect();
        Self { v4, v6, ports }
    }

    /// A packet, and by which link it comes; behind all links, from the box itself.
    fn packet(&self, dice: &mut Dice, id: u16) -> (usize, Sent) {
        let pool = if dice.below(3) > 0 {
            &self.v4
        } else {
            &self.v6
        };
        let is_own = dice.below(8) == 0;
        let mut source = dice.one(pool);
        let home = LINKS.iter().position(|(_, here, _)| {
            let mut here = here.iter().map(|it| it.parse::<IpNet>().unwrap());
            here.any(|network| network.contains(&source))
        });
        let link = match dice.below(4) {
            _ if is_own => LINKS.len(),
            0 => dice.below(LINKS.len()),
            _ => home.unwrap_or(0),
        };
        let is_boxes_own = |address: IpAddr| {
            let own = LINKS.iter().flat_map(|(_, here, _)| here);
            let mut own = own.map(|it| it.parse::<IpNet>().unwrap().addr());
            own.any(|own| own == address)
        };
        // What the box sends, it sends from an address of its own; and no host has the address that all routers have (anycast).
        let networks = LINKS.iter().flat_map(|(_, here, _)| here);
        let networks = networks.chain([&"fe80::/64"]).map(|it| it.parse().unwrap());
        let networks: Vec<IpNet> = networks.collect();
        while (is_own && !is_boxes_own(source)) || networks.iter().any(|it| it.network() == source)
        {
            source = dice.one(pool);
        }
        let dport = dice.one(&self.ports);
        let what = match dice.below(9) {
            0..5 => What::Tcp {
                sport: id,
                dport,
                flags: dice.one(&[2, 2, 2, 16]),
            },
            5..8 => What::Udp { sport: id, dport },
            _ => What::Echo { id },
        };
        // Half of them to the box: that is where ports are published.
        let mut destination = dice.one(pool);
        while dice.below(2) == 0 && !is_boxes_own(destination) {
            destination = dice.one(pool);
        }
        // Those of links are not the box's to bring somewhere: who sends to them asks for them first.
        while matches!(destination, IpAddr::V6(v6) if v6.octets()[..8] == [0xfe, 0x80, 0, 0, 0, 0, 0, 0])
        {
            destination = dice.one(pool);
        }
        // Packets to all near it, that it sends, it also hears.
        let is_broadcast = |address: IpAddr| {
            address.is_ipv4()
                && networks
                    .iter()
                    .any(|network| network.broadcast() == address)
        };
        while is_own && is_broadcast(destination) {
            destination = dice.one(pool);
        }
        if is_own && dice.below(8) == 0 {
            source = match source {
                IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
            };
            destination = source;
        }
        let sent = Sent {
            source,
            destination,
            what,
        };
        (link, sent)
    }
}

fn next(address: IpAddr, by: i8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => IpAddr::V4(u32::from(v4).wrapping_add_signed(by.into()).into()),
        IpAddr::V6(v6) => IpAddr::V6(u128::from(v6).wrapping_add_signed(by.into()).into()),
    }
}

#[test]
fn the_kernel_does_what_is_read_of_what_others_really_load() {
    let seed = given("RFW_DIFFERENTIAL_SEED", 1) as u64;
    let rounds = given("RFW_DIFFERENTIAL_POLICIES", 0).div_ceil(10).max(3);
    let bound = Duration::from_secs(120 + 60 * rounds as u64);
    alone_for(bound, || run(rounds, seed));
}

fn run(rounds: usize, seed: u64) {
    let (mut runner, mut dice) = chance(seed, 11);
    let field = Field::new(&LINKS);
    know_each_other(&field, &LINKS);
    let mut id = FIRST;
    let mut ledger = Ledger::default();
    let mut unknown: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
    let all = Recorded::all();
    for (name, recorded) in &all {
        let text = recorded.text();
        let interest = Interest::of(&text);
        for round in 0..rounds {
            let policy = match round % 3 {
                0 => String::new(),
                1 => OURS.to_owned(),
                _ => policies::policy().new_tree(&mut runner).unwrap().current(),
            };
            let rfw = compile(&policy);
            let rfw = rfw.map_or_else(String::new, |it| rfw::nft::script(it.ruleset()));
            nft::load(&field.center, &format!("flush ruleset\n{WATCH}"));
            // Who comes first stands later among equals.
            let rfw_is_first = dice.below(2) == 0;
            if rfw_is_first {
                nft::load(&field.center, &rfw);
            }
            nft::load(&field.center, &recorded.nft);
            iptables(&field.center, &recorded.v4, &recorded.v6);
            if !rfw_is_first {
                nft::load(&field.center, &rfw);
            }
            let read = Read::of(&field);
            let batch: Vec<(u16, usize, Sent)> = (0..PACKETS)
                .map(|_| {
                    id = after(id);
                    let (link, sent) = interest.packet(&mut dice, id);
                    (id, link, sent)
                })
                .collect();
            for (link, sent, events) in field.try_all(batch) {
                let mut packet = packet("", &sent);
                let iif = LINKS.get(link).map(|(name, ..)| (*name).to_owned());
                let by = iif.clone().unwrap_or_else(|| "the box".to_owned());
                packet.ether = iif
                    .is_some()
                    .then(|| (ether(link), ether(link + LINKS.len())));
                packet.iif = iif;
                let rules = format!("{name}\n{text}\n{rfw}");
                let why = read.hold(&mut ledger, &packet, (&by, &sent), &events, &rules);
                if let Some(why) = why {
                    let of = unknown.entry(name.clone()).or_default();
                    *of.entry(why).or_default() += 1;
                }
            }
        }
    }
    for (name, of) in &unknown {
        for (why, number) in of {
            let _ = writeln!(io::stderr(), "{name}: {number} packets unknown: {why}");
        }
    }
    let names: Vec<&String> = all.keys().collect();
    ledger.close(&format!(
        "{names:?}, seed {seed}, {} unknown",
        unknown.values().flat_map(BTreeMap::values).sum::<usize>()
    ));
    ledger.assert_all_kinds();
    for tool in ["docker", "firewalld"] {
        assert!(names.iter().any(|name| name.starts_with(tool)), "{names:?}");
        assert!(!unknown.keys().any(|name| name.starts_with(tool)));
    }
}
