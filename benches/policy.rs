//! One policy of any size in the words of rfw, of `nft` and of iptables: the same rules, so that all do the same job.
//!
//! The mix is that of a gateway which has grown: one zone policy, every rule with a name, a destination and a
//! service; half of the rules also with a source. Most destinations are hosts and most sources networks
//! of 256 addresses; some are other prefixes or groups. Some services are lists or small ranges of ports, a few are
//! `ping`; some rules are about IPv6. The peers' rules are written one by one, each with a counter and its
//! name as a comment, as people write them: a list of ports is an anonymous set or `multiport`; iptables, which
//! has no groups, gets a rule for each member.
//!
//! The same number always gives the same policy.

use std::fmt::Write;

/// The first and the last rule are about this host, which really exists when packets are measured.
pub(crate) const SERVER: &str = "198.51.100.2";
/// The port of the first rule, TCP and UDP.
pub(crate) const FIRST_PORT: u16 = 7001;
/// The port of the last rule, TCP and UDP.
pub(crate) const LAST_PORT: u16 = 7002;
/// Where the packets come from; the last rule names their network, the first no source at all.
pub(crate) const CLIENT_NETWORK: &str = "192.0.2.0/24";

/// Groups of this many hosts.
const GROUP_SIZE: u32 = 5;
const GROUPS: u32 = 20;
/// Library services, with what they stand for.
const LIBRARY: [(&str, Ports); 8] = [
    ("ssh", Ports::Tcp(&[22])),
    ("http", Ports::Tcp(&[80])),
    ("https", Ports::Tcp(&[443])),
    ("smtp", Ports::Tcp(&[25])),
    ("imaps", Ports::Tcp(&[993])),
    ("postgresql", Ports::Tcp(&[5432])),
    ("ntp", Ports::Udp(123)),
    ("syslog", Ports::Udp(514)),
];
const PORT_LISTS: [&[u16]; 3] = [&[80, 443], &[80, 443, 8443], &[25, 465, 587]];

/// A policy of any number of rules.
pub(crate) struct Policy {
    rules: Vec<Rule>,
}

/// One rule: accept this service, from there to there.
struct Rule {
    name: String,
    service: Service,
    source: Option<String>,
    destination: Destination,
    ipv6: bool,
}

enum Service {
    Library(&'static str, Ports),
    InPlace(Ports),
    Ping,
}

#[derive(Clone, Copy)]
enum Ports {
    Tcp(&'static [u16]),
    Udp(u16),
    One(u16),
    Range(u16, u16),
    Both(u16),
}

enum Destination {
    Address(String),
    Group(u32),
}

impl Policy {
    /// The policy of so many rules (at least two).
    pub(crate) fn new(size: usize) -> Self {
        let mut chance = Chance(7);
        let mut rules: Vec<Rule> = (0..size).map(|nth| rule(nth, &mut chance)).collect();
        let edge = |name: &str, port, source: Option<&str>| Rule {
            name: name.to_owned(),
            service: Service::InPlace(Ports::Both(port)),
            source: source.map(str::to_owned),
            destination: Destination::Address(SERVER.to_owned()),
            ipv6: false,
        };
        if let Some(first) = rules.first_mut() {
            *first = edge("first", FIRST_PORT, None);
        }
        if let Some(last) = rules.last_mut() {
            *last = edge("last", LAST_PORT, Some(CLIENT_NETWORK));
        }
        Self { rules }
    }

    /// With one rule more in its middle, or the same rule with another port, so that the change never repeats.
    pub(crate) fn changed(size: usize, times: u16) -> Self {
        let mut policy = Self::new(size);
        let added = Rule {
            name: "added".to_owned(),
            service: Service::InPlace(Ports::One(20_000 + times)),
            source: None,
            destination: Destination::Address("10.99.99.99".to_owned()),
            ipv6: false,
        };
        policy.rules.insert(size / 2, added);
        policy
    }

    /// In rfw's language, one rule a line.
    pub(crate) fn yaml(&self) -> String {
        let mut text = String::from(
            "version: 1\nname: bench\nzones:\n  wan: { interfaces: [eth0] }\n  lan: { interfaces: [eth1] }\ngroups:\n",
        );
        for group in 0..GROUPS {
            let members: Vec<String> = members(group).collect();
            let _ = writeln!(text, "  group-{group}: [{}]", members.join(", "));
        }
        text.push_str(
            "policies:\n  - name: lan-to-firewall\n    from: lan\n    to: firewall\n    default: drop\n    rules:\n      - { name: ssh, services: [ssh], action: accept }\n\
             \x20 - name: lan-to-wan\n    from: lan\n    to: wan\n    default: drop\n    rules:\n",
        );
        for Rule {
            name,
            service,
            source,
            destination,
            ipv6: _,
        } in &self.rules
        {
            let service = match service {
                Service::Library(name, _) => (*name).to_owned(),
                Service::Ping => "ping".to_owned(),
                Service::InPlace(ports) => match ports {
                    Ports::Tcp(ports) => format!("{{ tcp: [{}] }}", list(ports)),
                    Ports::Udp(port) => format!("{{ udp: [{port}] }}"),
                    Ports::One(port) => format!("{{ tcp: [{port}] }}"),
                    Ports::Range(from, to) => format!("{{ tcp: [\"{from}-{to}\"] }}"),
                    Ports::Both(port) => format!("{{ tcp: [{port}], udp: [{port}] }}"),
                },
            };
            // In YAML a `:` may end a key, so IPv6 is quoted.
            let source = source
                .iter()
                .map(|source| format!("source: [\"{source}\"], "))
                .collect::<String>();
            let destination = match destination {
                Destination::Address(address) => format!("\"{address}\""),
                Destination::Group(group) => format!("group-{group}"),
            };
            let _ = writeln!(
                text,
                "      - {{ name: {name}, services: [{service}], {source}destination: [{destination}], action: accept }}"
            );
        }
        text
    }

    /// For `nft -f`: rule by rule in one chain. Loads into an empty kernel and over itself.
    pub(crate) fn nft(&self) -> String {
        let mut text = String::from(
            "table inet peer\ndelete table inet peer\ntable inet peer {\n\tchain lan-wan {\n",
        );
        for Rule {
            name,
            service,
            source,
            destination,
            ipv6,
        } in &self.rules
        {
            let family = if *ipv6 { "ip6" } else { "ip" };
            let source = source
                .iter()
                .map(|source| format!("{family} saddr {source} "))
                .collect::<String>();
            let destination = match destination {
                Destination::Address(address) => address.clone(),
                Destination::Group(group) => {
                    let members: Vec<String> = members(*group).collect();
                    format!("{{ {} }}", members.join(", "))
                }
            };
            let service = match service {
                Service::Ping if *ipv6 => "icmpv6 type echo-request".to_owned(),
                Service::Ping => "icmp type echo-request".to_owned(),
                Service::Library(_, ports) | Service::InPlace(ports) => match ports {
                    Ports::Tcp([one]) | Ports::One(one) => format!("tcp dport {one}"),
                    Ports::Tcp(ports) => format!("tcp dport {{ {} }}", list(ports)),
                    Ports::Udp(port) => format!("udp dport {port}"),
                    Ports::Range(from, to) => format!("tcp dport {from}-{to}"),
                    Ports::Both(port) => format!("meta l4proto {{ tcp, udp }} th dport {port}"),
                },
            };
            let _ = writeln!(
                text,
                "\t\t{source}{family} daddr {destination} {service} counter accept comment \"{name}\""
            );
        }
        text.push_str("\t\tcounter drop\n\t}\n\tchain input {\n\t\ttype filter hook input priority filter; policy drop;\n\
            \t\tct state established,related accept\n\t\tiifname \"lo\" accept\n\t\tiifname \"eth1\" tcp dport 22 counter accept comment \"ssh\"\n\t}\n\tchain forward {\n\t\ttype filter hook forward priority filter; policy drop;\n\
            \t\tct state established,related accept\n\t\tct state invalid drop\n\t\tiifname \"eth1\" oifname \"eth0\" jump lan-wan\n\t}\n}\n");
        text
    }

    /// For `iptables-restore` (or, of the rules about IPv6, for `ip6tables-restore`): rule by rule in one chain.
    pub(crate) fn iptables(&self, version_6: bool) -> String {
        let mut text = String::from(
            "*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n:lan-wan - [0:0]\n\
             -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n\
             -A INPUT -i lo -j ACCEPT\n\
             -A INPUT -i eth1 -p tcp -m tcp --dport 22 -m comment --comment ssh -j ACCEPT\n\
             -A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n\
             -A FORWARD -m conntrack --ctstate INVALID -j DROP\n\
             -A FORWARD -i eth1 -o eth0 -j lan-wan\n",
        );
        for Rule {
            name,
            service,
            source,
            destination,
            ipv6,
        } in &self.rules
        {
            if *ipv6 != version_6 {
                continue;
            }
            let source = source
                .iter()
                .map(|source| format!(" -s {source}"))
                .collect::<String>();
            let destinations: Vec<String> = match destination {
                Destination::Address(address) => vec![address.clone()],
                Destination::Group(group) => members(*group).collect(),
            };
            let services = match service {
                Service::Ping if *ipv6 => {
                    vec!["-p ipv6-icmp -m icmp6 --icmpv6-type echo-request".to_owned()]
                }
                Service::Ping => vec!["-p icmp -m icmp --icmp-type echo-request".to_owned()],
                Service::Library(_, ports) | Service::InPlace(ports) => match ports {
                    Ports::Tcp([one]) | Ports::One(one) => {
                        vec![format!("-p tcp -m tcp --dport {one}")]
                    }
                    Ports::Tcp(ports) => vec![format!(
                        "-p tcp -m multiport --dports {}",
                        list(ports).replace(' ', "")
                    )],
                    Ports::Udp(port) => vec![format!("-p udp -m udp --dport {port}")],
                    Ports::Range(from, to) => vec![format!("-p tcp -m tcp --dport {from}:{to}")],
                    Ports::Both(port) => vec![
                        format!("-p tcp -m tcp --dport {port}"),
                        format!("-p udp -m udp --dport {port}"),
                    ],
                },
            };
            for destination in &destinations {
                for service in &services {
                    let _ = writeln!(
                        text,
                        "-A lan-wan{source} -d {destination} {service} -m comment --comment {name} -j ACCEPT"
                    );
                }
            }
        }
        text.push_str("-A lan-wan -j DROP\nCOMMIT\n");
        text
    }
}

/// A rule of the mix.
fn rule(nth: usize, chance: &mut Chance) -> Rule {
    let ipv6 = chance.percent() < 5;
    let service = match chance.percent() {
        0 if chance.percent() < 50 => Service::Ping,
        0..8 => Service::InPlace(Ports::Tcp(pick(&PORT_LISTS, chance))),
        8..12 => {
            let from = 8000 + chance.below(500) as u16 * 8;
            Service::InPlace(Ports::Range(from, from + 7))
        }
        12..50 => {
            let (name, ports) = pick(&LIBRARY, chance);
            Service::Library(name, ports)
        }
        50..60 => Service::InPlace(Ports::Udp(chance.port())),
        _ => Service::InPlace(Ports::One(chance.port())),
    };
    let destination = if ipv6 {
        let (net, host) = (chance.below(4096), chance.below(65_535) + 1);
        Destination::Address(format!("2001:db8:{net:x}::{host:x}"))
    } else {
        match chance.percent() {
            0..3 => Destination::Group(chance.below(GROUPS)),
            3..8 => {
                let (a, b) = (chance.below(60), chance.below(256));
                Destination::Address(format!("10.{a}.{b}.0/24"))
            }
            8..10 => {
                let (a, b, c) = (chance.below(60), chance.below(256), chance.below(16) * 16);
                Destination::Address(format!("10.{a}.{b}.{c}/28"))
            }
            _ => {
                let (a, b, c) = (chance.below(60), chance.below(256), 1 + chance.below(254));
                Destination::Address(format!("10.{a}.{b}.{c}"))
            }
        }
    };
    // Two rules about a group would soon say the same, and one of them nothing.
    let service = match destination {
        Destination::Group(_) => Service::InPlace(Ports::One(10_000 + nth as u16)),
        Destination::Address(_) => service,
    };
    let source = (chance.percent() < 50).then(|| {
        let (a, b) = (16 + chance.below(16), chance.below(256));
        match (ipv6, chance.percent()) {
            (true, _) => format!("fd12:{a:x}:{b:x}::/64"),
            (false, 0..4) => format!("172.{a}.0.0/16"),
            (false, 4..8) => format!("172.{a}.{b}.{}", 1 + chance.below(254)),
            (false, _) => format!("172.{a}.{b}.0/24"),
        }
    });
    Rule {
        name: format!("rule-{nth}"),
        service,
        source,
        destination,
        ipv6,
    }
}

fn members(group: u32) -> impl Iterator<Item = String> {
    (0..GROUP_SIZE).map(move |nth| format!("10.100.{group}.{}", 10 + nth))
}

fn list(ports: &[u16]) -> String {
    let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
    ports.join(", ")
}

/// Chance that is the same every time: splitmix64.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u32) -> u32 {
        (self.next() % u64::from(bound)) as u32
    }

    fn percent(&mut self) -> u32 {
        self.below(100)
    }

    /// A port that no server of the library has.
    fn port(&mut self) -> u16 {
        10_000 + self.below(50_000) as u16
    }
}

fn pick<T: Copy>(from: &[T], chance: &mut Chance) -> T {
    from[chance.below(from.len() as u32) as usize]
}
