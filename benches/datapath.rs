//! What a new packet and a new connection cost on their way through a gateway, with 30, 1,000 and 10,000 rules: as rfw
//! compiles them, and for comparison written one by one for `nft -f`.
//!
//!     cargo bench --bench datapath -- [--rounds 41]
//!
//! Each ruleset has three network namespaces of its own, client, gateway and server, joined by cables (veth).
//!
//! *Packets.* Only the first packet of a flow meets the rules of a policy, so every packet sent here is one: a raw
//! socket gives each a source address and port that was not used before. The sender is bound to one processor,
//! and what a cable carries is worked off inside the system call that sent it, so the time of a batch divided by
//! its length is the whole way of a packet: system call, two cables, routing, connection tracking, rules,
//! and the receiving socket, which throws it away. The first and the last rule of the policy are met by UDP to two ports of
//! the server; rfw's own counter must show that the packets were decided by exactly that rule.
//!
//! *Connections.* One client connects and resets, one server accepts, as fast as it goes.
//!
//! All rulesets are measured in turns, and a figure is the median of all rounds; the table also tells the spread.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark meets the system, prints, and stops at the first surprise"
)]

#[expect(dead_code, reason = "other benchmarks need more of it")]
mod measured;
#[expect(dead_code, reason = "other benchmarks need more of it")]
mod policy;
#[path = "../tests/support/mod.rs"]
#[expect(dead_code, unused_imports, reason = "tests need more of it")]
mod support;

use std::env;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::socket::sockopt::{Linger, ReuseAddr};
use nix::sys::socket::{
    AddressFamily, Backlog, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrIn, listen, sendto,
    setsockopt, socket,
};
use nix::unistd::Pid;
use policy::{FIRST_PORT, LAST_PORT, Policy, SERVER};
use rfw::apply;
use rfw::bytecode::linearize;
use rfw::diagnostic::SourceText;
use rfw::kernel::Kernel;
use rfw::netlink::Netlink;
use support::{Host, link, nft};

/// Packets of a batch: a few milliseconds.
const BATCH: u32 = 1000;
/// How long connections are made in one round.
const CONNECTING: Duration = Duration::from_millis(150);
/// The port that connections are made to: that of the last rule.
const SERVED: u16 = LAST_PORT;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let Some(code) = measured::errand(&arguments) {
        return code;
    }
    let rounds = measured::number(&arguments, "--rounds", 41);
    measure(rounds);
    ExitCode::SUCCESS
}

/// What the gateway has loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rules {
    Nothing,
    /// Connection tracking and `ct state established accept`.
    Tracking,
    Rfw(usize),
    Nft(usize),
}

const ALL: [Rules; 8] = [
    Rules::Nothing,
    Rules::Tracking,
    Rules::Rfw(30),
    Rules::Rfw(1_000),
    Rules::Rfw(10_000),
    Rules::Nft(30),
    Rules::Nft(1_000),
    Rules::Nft(10_000),
];

impl Rules {
    fn name(self) -> String {
        match self {
            Self::Nothing => "no rules".into(),
            Self::Tracking => "connection tracking only".into(),
            Self::Rfw(size) => format!("rfw, {size} rules"),
            Self::Nft(size) => format!("nft -f one by one, {size} rules"),
        }
    }
}

/// A gateway between two hosts, and what was measured on it.
struct Path {
    rules: Rules,
    client: Host,
    gateway: Host,
    /// Sockets that take what arrives, and are too small to keep it.
    _sinks: Vec<UdpSocket>,
    _server: Host,
    /// Flows sent so far, so that none is sent twice.
    flows: u32,
    to_first: Vec<f64>,
    to_last: Vec<f64>,
    connections: Vec<f64>,
}

impl Path {
    fn new(rules: Rules) -> Self {
        let (client, gateway, server) = (
            Host::new("client"),
            Host::new("gateway"),
            Host::new("server"),
        );
        gateway.forward();
        link((&client, "eth0"), (&gateway, "eth1"));
        link((&gateway, "eth0"), (&server, "eth0"));
        client.ip("addr add 192.0.2.10/24 dev eth0\nroute add default via 192.0.2.1");
        gateway.ip("addr add 192.0.2.1/24 dev eth1\naddr add 198.51.100.1/24 dev eth0");
        server.ip(&format!(
            "addr add {SERVER}/24 dev eth0\nroute add default via 198.51.100.1"
        ));
        match rules {
            Rules::Nothing => {}
            Rules::Tracking => nft::load(
                &gateway,
                "table inet peer { chain forward { type filter hook forward priority filter; ct state established,related accept; }; }",
            ),
            Rules::Nft(size) => nft::load(&gateway, &Policy::new(size).nft()),
            Rules::Rfw(size) => gateway.run(|| load(&Policy::new(size))),
        }
        if rules != Rules::Nothing {
            // So that thousands of flows of one round are gone in the next one.
            for (of, seconds) in [("udp_timeout", "1"), ("tcp_timeout_close", "1")] {
                gateway.sysctl(&format!("net/netfilter/nf_conntrack_{of}"), seconds);
            }
        }
        let sinks = [FIRST_PORT, LAST_PORT].map(|port| {
            server.run(|| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).expect("a free port"))
        });
        let listener =
            server.run(|| TcpListener::bind((Ipv4Addr::UNSPECIFIED, SERVED)).expect("a free port"));
        // A client that finds the queue full waits for a second, and is not what is measured.
        listen(&listener, Backlog::new(4096).expect("a queue")).expect("a longer queue");
        server.spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                drop(stream);
            }
        });
        Self {
            rules,
            client,
            gateway,
            _sinks: sinks.into(),
            _server: server,
            flows: 0,
            to_first: Vec::new(),
            to_last: Vec::new(),
            connections: Vec::new(),
        }
    }

    /// Nanoseconds per packet of a batch of new flows to a port.
    fn packets(&mut self, port: u16) -> f64 {
        let from = self.flows;
        self.flows += BATCH;
        let took = self.client.run(|| {
            stay_on_one_processor();
            let socket = raw_socket();
            // The first ones find cold caches.
            let warm = BATCH / 10;
            send(&socket, port, from..from + warm);
            let started = Instant::now();
            send(&socket, port, from + warm..from + BATCH);
            started.elapsed()
        });
        took.as_nanos() as f64 / f64::from(BATCH - BATCH / 10)
    }

    /// Connections per second.
    fn connect(&self) -> f64 {
        let server = SocketAddrV4::new(SERVER.parse().unwrap(), SERVED);
        self.client.run(|| {
            let started = Instant::now();
            let mut connections = 0.0;
            while started.elapsed() < CONNECTING {
                let stream = TcpStream::connect(server).expect("the server answers");
                // Closing resets, so that no port is kept waiting.
                let at_once = nix::libc::linger {
                    l_onoff: 1,
                    l_linger: 0,
                };
                setsockopt(&stream, Linger, &at_once).expect("SO_LINGER");
                drop(stream);
                connections += 1.0;
            }
            connections / started.elapsed().as_secs_f64()
        })
    }

    /// The packets that rfw's counters say were decided by the last rule.
    fn counted(&self) -> u64 {
        self.gateway.run(|| {
            let live = Netlink::open().unwrap().observe().unwrap();
            let table = live.table.expect("rfw's table");
            let elements = table.sets.iter().flat_map(|set| set.set.elements.rich());
            let of_last =
                elements.filter(|element| element.name.as_deref() == Some("lan-to-wan/last"));
            let in_sets: u64 = of_last
                .filter_map(|element| Some(element.count?.packets))
                .sum();
            let rules = table.chains.iter().flat_map(|chain| &chain.rules);
            let linear: u64 = rules
                .filter(|rule| rule.name.as_deref() == Some("lan-to-wan/last"))
                .filter_map(|rule| Some(rule.count()?.packets))
                .sum();
            in_sets + linear
        })
    }
}

/// Applies a policy as `rfw apply` does.
fn load(policy: &Policy) {
    let source = SourceText {
        name: "bench.yaml".into(),
        text: policy.yaml().into(),
    };
    let policy = rfw::policy::parse(&[source])
        .policy
        .expect("a policy without errors");
    let (compiled, _) = rfw::compile::compile(policy, jiff::civil::date(2026, 1, 1));
    let ruleset = rfw::ruleset::validate(compiled.expect("a ruleset").ruleset);
    let desired = linearize(ruleset.expect("a valid ruleset").into_ruleset());
    let mut kernel = Netlink::open().expect("netlink");
    let live = kernel.observe().expect("the live ruleset");
    let plan = rfw::plan::plan(&live, &desired, [1; 16]);
    let options = apply::Options {
        attempts: 3,
        wait: &mut |_| (),
        recheck: false,
    };
    apply::apply(&mut kernel, &desired, &plan, options).expect("the policy can be applied");
}

fn raw_socket() -> OwnedFd {
    let socket = socket(
        AddressFamily::Inet,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::Raw,
    )
    .expect("a raw socket");
    setsockopt(&socket, ReuseAddr, &true).expect("SO_REUSEADDR");
    socket
}

/// Sends UDP, one packet for each number of a flow.
fn send(socket: &OwnedFd, port: u16, flows: std::ops::Range<u32>) {
    let server: Ipv4Addr = SERVER.parse().unwrap();
    let to = SockaddrIn::from(SocketAddrV4::new(server, 0));
    // IPv4 (RFC 791) without options and UDP (RFC 768) without checksum; the kernel fills in length and checksum.
    let mut packet = [0_u8; 36];
    packet[0] = 0x45;
    packet[8] = 64;
    packet[9] = 17;
    packet[16..20].copy_from_slice(&server.octets());
    packet[22..24].copy_from_slice(&port.to_be_bytes());
    packet[24..26].copy_from_slice(&16_u16.to_be_bytes());
    for flow in flows {
        let (host, source_port) = (10 + flow / 50_000 % 200, 1024 + flow % 50_000);
        packet[12..16].copy_from_slice(&[192, 0, 2, host as u8]);
        packet[20..22].copy_from_slice(&(source_port as u16).to_be_bytes());
        // A full queue on the way loses a packet; that is rare and costs no less.
        let _ = sendto(socket.as_raw_fd(), &packet, &to, MsgFlags::empty());
    }
}

fn stay_on_one_processor() {
    let mut one = CpuSet::new();
    one.set(0).expect("a processor");
    sched_setaffinity(Pid::from_raw(0), &one).expect("a processor");
}

fn measure(rounds: usize) {
    let mut paths: Vec<Path> = ALL.into_iter().map(Path::new).collect();
    for round in 0..=rounds {
        // Whoever comes first after the pause finds a cold processor: each in its turn.
        let count = paths.len();
        for nth in 0..count {
            let path = &mut paths[(round + nth) % count];
            let (first, last, connections) = (
                path.packets(FIRST_PORT),
                path.packets(LAST_PORT),
                path.connect(),
            );
            // The first round fills caches and tables.
            if round > 0 {
                path.to_first.push(first);
                path.to_last.push(last);
                path.connections.push(connections);
            }
        }
        sleep(Duration::from_millis(200));
    }
    for path in &paths {
        if let Rules::Rfw(size) = path.rules {
            // A connection is one packet more to its counter, so there are more than the datagrams.
            let (counted, sent) = (path.counted(), u64::from(path.flows) / 2);
            assert!(
                counted * 100 >= sent * 99,
                "the last of {size} rules decided {counted} of {sent} packets: something else was measured"
            );
        }
    }
    report(&mut paths);
}

fn report(paths: &mut [Path]) {
    println!(
        "| ruleset | packet for the first rule, ns | for the last rule, ns (middle half) | beyond no rules | connections per second (middle half) |"
    );
    println!("|---|---|---|---|---|");
    let nothing = quartiles(&mut paths[0].to_last)[1];
    let mut last = Vec::new();
    for path in paths {
        let first = quartiles(&mut path.to_first);
        let [low, median, high] = quartiles(&mut path.to_last);
        let connections = quartiles(&mut path.connections);
        last.push((path.rules, median));
        println!(
            "| {} | {:.0} | {median:.0} ({low:.0}–{high:.0}) | {:.0} | {:.0} ({:.0}–{:.0}) |",
            path.rules.name(),
            first[1],
            median - nothing,
            connections[1],
            connections[0],
            connections[2],
        );
    }
    let of = |rules| {
        last.iter()
            .find(|(one, _)| *one == rules)
            .map_or(f64::NAN, |(_, ns)| *ns)
    };
    for (name, ratio, aim) in [
        (
            "a packet for the last of 10,000 rules: of one for the last of 30",
            of(Rules::Rfw(10_000)) / of(Rules::Rfw(30)),
            Some(1.5),
        ),
        (
            "the same, rules one by one",
            of(Rules::Nft(10_000)) / of(Rules::Nft(30)),
            None,
        ),
    ] {
        let verdict = match aim {
            Some(aim) if ratio <= aim => format!("aim ≤ {aim}: met"),
            Some(aim) => format!("aim ≤ {aim}: NOT met"),
            None => "for comparison".into(),
        };
        println!("{name}: {ratio:.2} ({verdict})");
    }
}

/// The first quartile, the median and the third.
fn quartiles(values: &mut [f64]) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    let at = |part: usize| {
        values
            .get(values.len() * part / 4)
            .copied()
            .unwrap_or(f64::NAN)
    };
    [at(1), at(2), at(3)]
}
