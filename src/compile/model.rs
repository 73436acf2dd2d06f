//! The policy with every name replaced by what it means: what [`super::resolve`] hands to the lowering.
//!
//! A `Model` has been checked: nothing in it can be unknown, empty by mistake, or in contradiction. The
//! lowering therefore has no errors of its own to report.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

pub use super::numbers::Numbers;
pub use super::ports::Ports;

use super::claim::Test;
use crate::diagnostic::DocPath;
use crate::policy::{HostPart, Prefix, RawHook, RawPlace, SetSource, Url};
use crate::ruleset::{Addresses, Icmpx, Interval, Limit, Log, NatFlags};
use crate::schedule::{Told, Windows};

/// A checked policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Model {
    /// The policy's name.
    pub name: String,
    /// The zones by name, without `firewall`.
    pub zones: BTreeMap<String, Zone>,
    /// The groups by name, flattened.
    pub groups: BTreeMap<String, Addresses>,
    /// The host parts in the groups by name, flattened; groups without any are not here.
    pub host_parts: BTreeMap<String, BTreeSet<HostPart>>,
    /// The groups with addresses from a list file, their own or those of a group in them: they may be long.
    pub from_files: BTreeSet<String>,
    /// The sets by name.
    pub sets: BTreeMap<String, LivingSet>,
    /// The schedules by name.
    pub schedules: BTreeMap<String, Schedule>,
    /// The zone policies in file order.
    pub policies: Vec<ZonePolicy>,
    /// `nat.masquerade` in file order.
    pub masquerade: Vec<Masquerade>,
    /// `nat.snat` in file order.
    pub snat: Vec<Snat>,
    /// `nat.dnat` in file order.
    pub dnat: Vec<Dnat>,
    /// `nat.redirect` in file order.
    pub redirect: Vec<Redirect>,
    /// `flowtable`.
    pub flowtable: Option<Flowtable>,
    /// `nat.netmap`, then `nat.nptv6`, in file order.
    pub netmap: Vec<Netmap>,
    /// `raw` in file order.
    pub raw: Vec<Raw>,
    /// `tests` in file order; nothing of the ruleset comes from them.
    pub tests: Vec<Test>,
}

impl Model {
    /// The schedules that rules have, by name.
    pub fn used_schedules(&self) -> BTreeMap<&str, &Schedule> {
        let rules = self.policies.iter().flat_map(|policy| &policy.rules);
        let names: BTreeSet<&str> = rules.filter_map(|rule| rule.schedule.as_deref()).collect();
        let schedules = self.schedules.iter();
        schedules
            .filter(|(name, _)| names.contains(name.as_str()))
            .map(|(name, schedule)| (name.as_str(), schedule))
            .collect()
    }

    /// The stable names of everything that counts packets, and where it stands; what a name is the beginning of stands
    /// there, too.
    pub fn counted(&self) -> Vec<(String, DocPath)> {
        let mut named = Vec::new();
        for policy in &self.policies {
            let rules = policy.rules.iter();
            named.extend(
                rules.map(|rule| (format!("{}/{}", policy.name, rule.name), rule.at.clone())),
            );
            if policy.default.is_some() {
                named.push((format!("{}/default", policy.name), policy.at.key("default")));
            }
        }
        let nat = [
            self.masquerade
                .iter()
                .map(|it| (&it.name, &it.at))
                .collect::<Vec<_>>(),
            self.snat.iter().map(|it| (&it.name, &it.at)).collect(),
            self.dnat.iter().map(|it| (&it.name, &it.at)).collect(),
            self.redirect.iter().map(|it| (&it.name, &it.at)).collect(),
            self.netmap.iter().map(|it| (&it.name, &it.at)).collect(),
        ];
        let nat = nat.into_iter().flatten();
        named.extend(nat.map(|(name, at)| (format!("nat/{name}"), at.clone())));
        for block in &self.raw {
            let rules = 0..block.rules.len();
            named.extend(rules.map(|index| {
                let name = format!("raw/{}/{}", block.name, index + 1);
                (name, block.at.key("rules").index(index))
            }));
        }
        for (name, schedule) in &self.schedules {
            named.push((format!("schedule/{name}"), schedule.at.clone()));
        }
        for name in self.zones.keys() {
            named.push((
                format!("zone/{name}"),
                DocPath::root().key("zones").name(name),
            ));
        }
        named
    }
}

/// A zone other than `firewall`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Zone {
    /// Interface names, sorted; each belongs to one zone that is not told by address at most.
    pub interfaces: Vec<Interface>,
    /// What lives behind them; empty when not said. Without what zones that are told by address take of it on a common
    /// interface: there the networks of the zones have no address in common.
    pub networks: Addresses,
    /// Whether only these addresses belong to it, on these interfaces; otherwise everything does that belongs to no
    /// other.
    pub by_address: bool,
}

impl Zone {
    /// Whether it has an interface in common with another.
    pub fn meets(&self, other: &Self) -> bool {
        let has = |interface| other.interfaces.binary_search(interface).is_ok();
        self.interfaces.iter().any(has)
    }
}

/// An interface by name, or all whose names begin alike.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Interface {
    /// The name, or its beginning without the `*`.
    pub name: String,
    /// Whether it is only the beginning.
    pub prefix: bool,
}

impl Interface {
    /// Sorts interfaces and takes out those that a beginning of names holds already.
    pub fn tidy(interfaces: &mut Vec<Self>) {
        interfaces.sort();
        interfaces.dedup();
        let all = interfaces.clone();
        interfaces.retain(|interface| {
            !all.iter()
                .any(|other| other != interface && other.holds(interface))
        });
    }

    /// Whether it is the interface of this name, or one of those.
    pub fn has(&self, name: &str) -> bool {
        match self.prefix {
            true => name.starts_with(&self.name),
            false => name == self.name,
        }
    }

    /// Whether it is a beginning of names that another interface, or a longer beginning, has.
    fn holds(&self, other: &Self) -> bool {
        self.prefix && other.name.starts_with(&self.name)
    }
}

/// A set whose content is not the policy's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LivingSet {
    /// Filled by the packet path.
    Dynamic {
        /// How long a source stays in it, in seconds.
        timeout: u64,
        /// How many sources it holds, of each family.
        size: u32,
    },
    /// Fetched from elsewhere.
    Fetched {
        /// What it holds by the copy that is used now.
        addresses: Addresses,
        /// What to fetch, and what to take.
        terms: Terms,
    },
}

/// What a fetched set is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Where it comes from.
    pub source: SetSource,
    /// How old a copy is, in seconds, when it is fetched again.
    pub refresh: Option<u64>,
    /// How many entries it may have.
    pub max_entries: u32,
    /// How old a copy may be, in seconds, that is used.
    pub keep_last_good: Option<u64>,
    /// Where its SHA-256 is published.
    pub sha256_of: Option<Url>,
    /// What it must not hold: entry by entry, as it is written.
    pub never_contains: Vec<(String, Addresses)>,
}

/// The times at which rules are there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// When it is open; at least once.
    pub windows: Windows,
    /// The same in fewer words, where there are fewer.
    pub told: Told,
    /// The label of connections that are ended when it closes, 0 to 127; `None` lets them go on.
    pub cut: Option<u8>,
    /// Where it stands.
    pub at: DocPath,
}

/// One end of a pair.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// The box itself.
    Firewall,
    /// A zone by name.
    Zone(String),
}

/// A zone policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZonePolicy {
    /// The name.
    pub name: String,
    /// Where packets come from; `any` is every zone and the box itself. Sorted, no duplicates.
    pub from: Vec<Side>,
    /// Where they go. Sorted, no duplicates.
    pub to: Vec<Side>,
    /// What ends a pair; `None` passes on to the next policy that fits.
    pub default: Option<Action>,
    /// Logs what the default drops or rejects (or accepts).
    pub log: Option<LogLimit>,
    /// The rules in order.
    pub rules: Vec<Rule>,
    /// Where it stands.
    pub at: DocPath,
}

/// A rule of a zone policy. There are many, and most have little of what they may have: what is rare is elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The name, unique in the zone policy.
    pub name: Box<str>,
    /// What it is for; empty is everything.
    pub services: Vec<Service>,
    /// Where from.
    pub source: Selector,
    /// Where to.
    pub destination: Selector,
    /// What happens.
    pub action: Action,
    /// Only while this schedule is open, by name; a packet at another time goes on to the next rule.
    pub schedule: Option<Box<str>>,
    /// Only within this rate; a packet over it goes on to the next rule.
    pub limit: Option<Box<RuleLimit>>,
    /// Only while a source (IPv6: each /64) has at most so many connections by this rule; one more goes on to the next
    /// rule.
    pub most_connections: Option<u32>,
    /// Whether its connections go past the rules once they are established.
    pub offload: bool,
    /// The dynamic set, by name, that it adds the source of each packet to.
    pub adds_source_to: Option<Box<str>>,
    /// Logs what the rule decides; never limits the verdict.
    pub log: Option<Box<LogLimit>>,
    /// Where it stands.
    pub at: DocPath,
}

impl Rule {
    /// Whether it may let a packet go on although it fits.
    pub fn is_limited(&self) -> bool {
        self.schedule.is_some() || self.limit.is_some() || self.most_connections.is_some()
    }
}

/// What happens to a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// It goes on.
    Accept,
    /// It ends here, without a word.
    Drop,
    /// It ends here, with an answer.
    Reject(RejectWith),
}

/// The answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RejectWith {
    /// A reset for TCP, administratively prohibited for the rest.
    Default,
    /// A reset for TCP; other packets are dropped without a word.
    TcpReset,
    /// This ICMP error for all.
    Icmpx(Icmpx),
}

/// A rate on a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RuleLimit {
    /// The rate.
    pub limit: Limit,
    /// One bucket for each source (IPv6: each /64) instead of one for all.
    pub per_source: bool,
}

/// A log statement with its own rate.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogLimit {
    /// What is logged.
    pub log: Log,
    /// How many lines; `None` is every packet.
    pub rate: Option<Limit>,
}

/// What a service is on the wire. At least one of the fields is not empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Service {
    /// Its name, or how it was written in place.
    pub name: Box<str>,
    /// Destination ports by protocol.
    pub ports: Ports,
    /// ICMP types.
    pub icmp: Numbers,
    /// ICMPv6 types.
    pub icmpv6: Numbers,
    /// Whole protocols by number, such as 47 for GRE.
    pub protocols: Numbers,
    /// The conntrack helper that follows its control connection.
    pub helper: Option<Box<str>>,
}

/// Which addresses an end may have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector {
    /// Any of these; empty is any address at all.
    pub include: Vec<Selected>,
    /// None of these.
    pub exclude: Vec<Selected>,
}

/// One entry of a selector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selected {
    /// A group by name.
    Group(String),
    /// A set by name: what it holds is not known here.
    Set(String),
    /// Addresses written in place, or the networks of a zone.
    Addresses(Addresses),
    /// Hosts by the host part of their IPv6 address, written in place.
    HostParts(BTreeSet<HostPart>),
}

impl Selected {
    /// The host parts in it.
    pub fn host_parts<'a>(&'a self, model: &'a Model) -> Option<&'a BTreeSet<HostPart>> {
        match self {
            Self::Group(name) => model.host_parts.get(name),
            Self::Set(_) | Self::Addresses(_) => None,
            Self::HostParts(hosts) => Some(hosts),
        }
    }
}

impl Selector {
    /// Whether hosts are named by the host part of their address, or by sets: then the addresses of its entries are not
    /// all there is to it.
    pub fn is_vague(&self, model: &Model) -> bool {
        let Self { include, exclude } = self;
        include
            .iter()
            .chain(exclude)
            .any(|entry| matches!(entry, Selected::Set(_)) || entry.host_parts(model).is_some())
    }
}

/// Which families an entry is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Families {
    /// IPv4.
    pub v4: bool,
    /// IPv6.
    pub v6: bool,
}

/// An entry of `nat.masquerade`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Masquerade {
    /// The name.
    pub name: String,
    /// Zones that packets come from.
    pub from: Vec<String>,
    /// Zones that they leave to.
    pub to: Vec<String>,
    /// Which families.
    pub families: Families,
    /// Whether the MSS of TCP between these zones is clamped.
    pub clamp_mss: bool,
    /// Where it stands.
    pub at: DocPath,
}

/// An entry of `nat.snat`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snat {
    /// The name.
    pub name: String,
    /// Zones that packets come from.
    pub from: Vec<String>,
    /// Zones that they leave to.
    pub to: Vec<String>,
    /// Only from these.
    pub source: Selector,
    /// Only to these.
    pub destination: Selector,
    /// Only these; empty is everything.
    pub services: Vec<Service>,
    /// The new source: the first of those that it may be.
    pub address: IpAddr,
    /// The last of those that it may be; `address` when it is the only one.
    pub last: IpAddr,
    /// The ports that it may leave with.
    pub ports: Option<Interval<u16>>,
    /// How address and port are chosen.
    pub flags: NatFlags,
    /// Where it stands.
    pub at: DocPath,
}

/// An entry of `nat.dnat`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dnat {
    /// The name.
    pub name: String,
    /// Zones that packets come from.
    pub from: Vec<String>,
    /// Only from these.
    pub source: Selector,
    /// Only to these; empty is every address of the box.
    pub destination: Selector,
    /// Only these; has ports.
    pub services: Vec<Service>,
    /// Where to; more than one only with `mode`. All of one family.
    pub backends: Vec<Backend>,
    /// How one of several is chosen.
    pub mode: Option<BalanceMode>,
    /// The new port; or a range as long as that of the services, port by port.
    pub port: Option<Interval<u16>>,
    /// Zones that may use the public address although the backends live in them; empty without
    /// `hairpin`.
    pub hairpin: Vec<String>,
    /// Zones that the backends live in; every zone where the networks do not tell.
    pub opens: Vec<String>,
    /// Where it stands.
    pub at: DocPath,
}

/// A backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Backend {
    /// The address.
    pub address: IpAddr,
    /// Its share: 1 to 1024 in all.
    pub weight: u32,
}

/// How a backend is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BalanceMode {
    /// One after the other.
    Nth,
    /// By chance.
    Random,
    /// The same source always to the same backend.
    SourceHash,
}

/// An entry of `nat.redirect`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirect {
    /// The name.
    pub name: String,
    /// Zones that packets come from.
    pub from: Vec<String>,
    /// Only from these.
    pub source: Selector,
    /// Only to these.
    pub destination: Selector,
    /// Only these; has ports.
    pub services: Vec<Service>,
    /// The new port on the box, or a range as long as that of the services, port by port; the port that was asked
    /// for when `None`.
    pub port: Option<Interval<u16>>,
    /// Where it stands.
    pub at: DocPath,
}

/// An entry of `nat.netmap` or `nat.nptv6`: a network that zones see as another one of the same size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Netmap {
    /// The name.
    pub name: String,
    /// Zones whose network it is; empty when not said.
    pub from: Vec<String>,
    /// Zones that see the other network.
    pub to: Vec<String>,
    /// The network as it is.
    pub inside: Prefix,
    /// The network as it is seen; of the same family and prefix length.
    pub outside: Prefix,
    /// Whether it is an entry of `nat.nptv6`.
    pub nptv6: bool,
    /// Where it stands.
    pub at: DocPath,
}

/// `flowtable`: where established connections of some rules go past all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flowtable {
    /// The zones between whose interfaces they go.
    pub zones: Vec<String>,
    /// Whether the network cards take them over.
    pub hardware: bool,
}

/// A raw block: rules that only nft understands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Raw {
    /// The name.
    pub name: String,
    /// The base chain that leads to it.
    pub hook: RawHook,
    /// Where in the base chain.
    pub place: RawPlace,
    /// The rules as texts, in order.
    pub rules: Vec<String>,
    /// Where it stands.
    pub at: DocPath,
}
