//! A box with four neighbours, packets by chance, and what the kernel made of each.
//!
//! Each packet has a source port (or echo id) of its own. It is sent by a raw socket into the box; behind all other chains of
//! the box stand chains that log what passes, before all others one that logs what the box answers.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use rfw::evaluate::{
    Answer, Decision, Environment, Evaluation, Interface, Kernel, Outcome, Packet, Reason, Route,
    Upper,
};

use crate::support::nflog::Listener;
use crate::support::topology::address;
use crate::support::wire::{self, Seen, Sent, What, Wire};
use crate::support::{Host, link, nft};

/// The first source port; ports of services are below.
pub(super) const FIRST: u16 = 20_000;
/// The nflog group of the chains that watch.
pub(super) const GROUP: u16 = 77;

/// So long nothing is logged when all is.
const QUIET: Duration = Duration::from_millis(150);
/// So long packets are waited for.
const LONGEST: Duration = Duration::from_secs(3);

pub(super) const WATCH: &str = "table inet watch {
    chain came { type filter hook prerouting priority -1000; iifname != lo log prefix \"came\" group 77; }
    chain passed-in { type filter hook input priority 1000; log prefix \"in\" group 77; }
    chain passed-out { type filter hook postrouting priority 1000; log prefix \"out\" group 77; }
    chain answered { type filter hook output priority -1000; log prefix \"answer\" group 77; }
}";

/// An interface of the box, its addresses, and the neighbour's at the other end.
pub(super) type Cable = (&'static str, [&'static str; 2], [&'static str; 2]);

pub(super) const LINKS: [Cable; 4] = [
    (
        "eth0",
        ["203.0.113.10/24", "2001:db8:0:1::10/64"],
        ["203.0.113.77", "2001:db8:0:1::77"],
    ),
    (
        "eth1",
        ["192.168.1.1/24", "fd00:1::1/64"],
        ["192.168.1.77", "fd00:1::77"],
    ),
    (
        "eth2",
        ["192.168.2.1/24", "fd00:2::1/64"],
        ["192.168.2.77", "fd00:2::77"],
    ),
    (
        "wg0",
        ["10.0.0.1/8", "fd00::1/64"],
        ["10.0.0.77", "fd00::77"],
    ),
];
pub(super) const V4: [&str; 18] = [
    "192.168.1.10",
    "192.168.1.11",
    "192.168.1.20",
    "192.168.1.21",
    "192.168.1.25",
    "10.1.2.3",
    "10.0.0.9",
    "172.16.0.4",
    "172.16.0.5",
    "172.16.0.9",
    "192.168.2.9",
    "192.168.9.9",
    "203.0.113.9",
    "198.51.100.40",
    "203.0.113.10",
    "192.168.1.1",
    "192.168.2.1",
    "10.0.0.1",
];
pub(super) const V6: [&str; 11] = [
    "fd00::10",
    "fd00::11",
    "fd00:1::9",
    "fd00:1:0:1::9",
    "fd00:2::9",
    "2001:db8:9::9",
    "2001:db8:0:1::9",
    "2001:db8:0:1::10",
    "fd00:1::1",
    "fd00:2::1",
    "fd00::1",
];
pub(super) const PORTS: [u16; 13] = [
    22, 53, 80, 443, 25, 587, 8080, 8999, 9000, 9010, 9011, 5353, 1,
];

/// The box and its neighbours.
pub(super) struct Field {
    pub(super) center: Host,
    /// Of the neighbours; behind those the box's own.
    pub(super) wires: Vec<Wire>,
    log: Listener,
    pub(super) environment: Environment,
    pub(super) neighbours: Vec<Host>,
}

impl Field {
    pub(super) fn new(cables: &[Cable]) -> Self {
        let center = Host::new("box");
        center.forward();
        center.sysctl("net/ipv4/icmp_ratemask", "0");
        center.sysctl("net/ipv6/icmp/ratelimit", "0");
        // Which types count against the limit of all together: one that nobody sends.
        center.sysctl("net/ipv6/icmp/ratemask", "127");
        let (mut wires, mut neighbours) = (Vec::new(), Vec::new());
        let mut environment = Environment::default();
        for (name, here, there) in cables.iter().copied() {
            let host = Host::new(name);
            link((&host, "eth0"), (&center, name));
            address(&center, name, &here);
            for key in ["rp_filter", "send_redirects"] {
                center.sysctl(&format!("net/ipv4/conf/{name}/{key}"), "0");
            }
            // Everything goes by the box, whatever is near.
            address(&host, "eth0", &there);
            for gateway in here {
                let (gateway, _) = gateway.split_once('/').unwrap();
                host.ip(&format!(
                    "route add {gateway} dev eth0\nroute add default via {gateway}"
                ));
            }
            wires.push(Wire::new(&host));
            neighbours.push(host);
            environment.interfaces.push(Interface {
                name: name.to_owned(),
                index: None,
                kind: Some(1),
                addresses: here.map(|it| it.parse().unwrap()).to_vec(),
                not_sources: Vec::new(),
                routes_loopback: false,
            });
        }
        wires.push(Wire::new(&center));
        for key in ["all/rp_filter", "all/send_redirects"] {
            center.sysctl(&format!("net/ipv4/conf/{key}"), "0");
        }
        for gateway in cables[0].2 {
            center.ip(&format!("route add default via {gateway}"));
        }
        environment.routes = ["0.0.0.0/0", "::/0"]
            .map(|network| Route {
                network: network.parse().unwrap(),
                oif: "eth0".to_owned(),
                gateway: None,
            })
            .to_vec();
        nft::load(&center, WATCH);
        let log = Listener::new(&center, GROUP);
        Self {
            center,
            wires,
            log,
            environment,
            neighbours,
        }
    }

    /// Sends packets, each by its id and by the number of its cable; with each, what the kernel made of it.
    pub(super) fn try_all(
        &self,
        batch: Vec<(u16, usize, Sent)>,
    ) -> impl Iterator<Item = (usize, Sent, Vec<Event>)> {
        let mut missing: BTreeSet<u16> = BTreeSet::new();
        let mut events = BTreeMap::new();
        // The kernel keeps no more of what is logged than about a hundred packets for us.
        for some in batch.chunks(10) {
            for (id, link, sent) in some {
                if *link < self.neighbours.len() {
                    self.wires[*link].send(sent);
                    missing.insert(*id);
                } else {
                    // What the box may not send, it does not.
                    let _ = self.wires[*link].try_send(sent);
                }
            }
            self.hear(Duration::from_millis(1), &mut events, &mut missing);
        }
        // On a busy machine the kernel gets to them when it has time.
        let begin = Instant::now();
        self.hear(QUIET, &mut events, &mut missing);
        while !missing.is_empty() && begin.elapsed() < LONGEST {
            self.hear(QUIET, &mut events, &mut missing);
        }
        batch
            .into_iter()
            .map(move |(id, link, sent)| (link, sent, events.remove(&id).unwrap_or_default()))
    }

    /// What the kernel made of packets, by their ids.
    pub(super) fn watch(&self) -> BTreeMap<u16, Vec<Event>> {
        let mut events = BTreeMap::new();
        self.hear(QUIET, &mut events, &mut BTreeSet::new());
        events
    }

    /// Reads what is logged until nothing is for a while: what became of packets, and which have come to the box at all.
    fn hear(
        &self,
        quiet: Duration,
        events: &mut BTreeMap<u16, Vec<Event>>,
        missing: &mut BTreeSet<u16>,
    ) {
        for (prefix, bytes) in self.log.packets(quiet) {
            let event = wire::seen(&bytes).and_then(|seen| event(&prefix, &seen));
            match event {
                Some((id, Event::Passed(..))) if prefix == "came" => {
                    missing.remove(&id);
                }
                Some((id, event)) => events.entry(id).or_default().push(event),
                None => {}
            }
        }
    }
}

/// The id of the packet after the one with this.
pub(super) fn after(id: u16) -> u16 {
    if id == u16::MAX { FIRST } else { id + 1 }
}

/// What was logged of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// It passed, as this.
    Passed(IpAddr, IpAddr, u16),
    /// A reset.
    Reset,
    /// An ICMP error with this code.
    Error(u8),
}

pub(super) fn event(prefix: &str, seen: &Seen<'_>) -> Option<(u16, Event)> {
    let word = |at: usize| {
        Some(u16::from_be_bytes([
            *seen.rest.get(at)?,
            *seen.rest.get(at + 1)?,
        ]))
    };
    if prefix != "answer" {
        let (id, port) = match (seen.protocol, seen.rest.first()?) {
            (6 | 17, _) => (word(0)?, word(2)?),
            (1, 8) | (58, 128) => (word(4)?, 0),
            _ => return None,
        };
        let event = Event::Passed(seen.source, seen.destination, port);
        return (FIRST <= id).then_some((id, event));
    }
    match (seen.protocol, seen.rest.first()?) {
        (6, _) if seen.rest.get(13)? & 4 != 0 => Some((word(2)?, Event::Reset)),
        (1, 3) | (58, 1) => {
            let inner = wire::seen(seen.rest.get(8..)?)?;
            let at = if matches!(inner.protocol, 6 | 17) {
                0
            } else {
                4
            };
            let id = u16::from_be_bytes([*inner.rest.get(at)?, *inner.rest.get(at + 1)?]);
            Some((id, Event::Error(*seen.rest.get(1)?)))
        }
        _ => None,
    }
}

/// Numbers by chance that are the same again with the same seed.
pub(super) struct Dice(pub(super) u64);

/// What a run by chance draws from: policies, and dice for the rest. `what` tells runs apart that have the same seed.
pub(super) fn chance(seed: u64, what: u8) -> (TestRunner, Dice) {
    let mut bytes = [what; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let runner = TestRunner::new_with_rng(Config::default(), rng);
    (runner, Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1))
}

impl Dice {
    pub(super) fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % most
    }

    pub(super) fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    /// A packet with an id, and where it comes in.
    pub(super) fn packet(&mut self, id: u16) -> (usize, Sent) {
        let pool: &[&str] = if self.below(3) > 0 { &V4 } else { &V6 };
        let sent = self.sent(id, pool);
        (self.below(LINKS.len()), sent)
    }

    /// A packet with an id between addresses of a pool.
    pub(super) fn sent(&mut self, id: u16, pool: &[&str]) -> Sent {
        let what = match self.below(8) {
            0..4 => What::Tcp {
                sport: id,
                dport: self.one(&PORTS),
                flags: self.one(&[2, 2, 2, 16]),
            },
            4..7 => What::Udp {
                sport: id,
                dport: self.one(&PORTS),
            },
            _ => What::Echo { id },
        };
        Sent {
            source: self.one(pool).parse().unwrap(),
            destination: self.one(pool).parse().unwrap(),
            what,
        }
    }
}

pub(super) fn packet(iif: &str, sent: &Sent) -> Packet {
    let (upper, length) = match sent.what {
        What::Tcp {
            sport,
            dport,
            flags,
        } => (
            Upper::Tcp {
                sport,
                dport,
                flags,
            },
            20,
        ),
        What::Udp { sport, dport } => (Upper::udp(sport, dport), 12),
        What::Echo { .. } => {
            let kind = if sent.source.is_ipv6() { 128 } else { 8 };
            (Upper::Icmp { kind, code: 0 }, 12)
        }
    };
    let mut packet = Packet::new(sent.source, sent.destination, upper);
    packet.iif = Some(iif.to_owned());
    packet.length = length + if sent.source.is_ipv6() { 40 } else { 20 };
    packet.time = jiff::Timestamp::now().as_nanosecond() as u64;
    packet
}

/// Whether the kernel did what an outcome says.
pub(super) fn agrees(outcome: &Outcome, events: &[Event]) -> bool {
    let passed = events
        .iter()
        .find(|event| matches!(event, Event::Passed(..)));
    match (outcome.decision, passed) {
        (Decision::Accept, Some(Event::Passed(source, destination, port))) => {
            let packet = &outcome.packet;
            let dport = packet.upper.ports().map_or(0, |(_, dport)| dport);
            (packet.source, packet.destination, dport) == (*source, *destination, *port)
        }
        // The kernel says so to whom it could not forward for: beyond the scope of the source.
        (Decision::Drop, None) if outcome.reason == Reason::Kernel(Kernel::NotForwarded) => {
            events.is_empty() || events == [Event::Error(2)]
        }
        (Decision::Drop, None) if outcome.reason == Reason::Kernel(Kernel::NoRoute) => {
            events.is_empty() || events == [Event::Error(0)]
        }
        (Decision::Drop, None) => events.is_empty(),
        // What went to all is not answered (RFC 1122, section 3.2.2); so end the networks here.
        (Decision::Reject(_), None) if events.is_empty() => {
            matches!(outcome.packet.destination, IpAddr::V4(v4) if v4.octets()[3] == 255)
        }
        (Decision::Reject(Answer::TcpReset), None) => events == [Event::Reset],
        (Decision::Reject(Answer::Icmpx(code)), None) => {
            let codes = if outcome.packet.is_v6() {
                [0, 4, 3, 1]
            } else {
                [0, 3, 1, 13]
            };
            events == [Event::Error(codes[usize::from(code)])]
        }
        (Decision::Reject(Answer::Icmp(code)), None) => events == [Event::Error(code)],
        _ => false,
    }
}

pub(super) fn told(evaluation: &Evaluation) -> String {
    let outcomes = evaluation.outcomes.iter();
    let lines: Vec<String> = outcomes
        .map(|it| {
            format!(
                "{:?} by {:?} as {:?} through {:?}",
                it.decision, it.reason, it.packet, it.path
            )
        })
        .collect();
    lines.join("\n")
}
