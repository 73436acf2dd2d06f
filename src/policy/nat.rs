//! Address translation: hiding, forwarding, redirecting.

use super::{Address, AddressPool, Hosts, Name, PortRange, Prefix, ServiceRef, Zones};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Address translation. Destinations are translated before the policies are asked, sources after.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Nat {
    /// Hides a zone behind the address of the interface that packets leave by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub masquerade: Vec<Masquerade>,

    /// Hides a zone behind a fixed address, or several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub snat: Vec<Snat>,

    /// Publishes hosts behind the box: sends connections on to them, and lets them through.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dnat: Vec<Dnat>,

    /// Sends connections through the box to a port of the box itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub redirect: Vec<Redirect>,

    /// Shows a network to a zone as another network of the same size, host by host, both ways. For sites
    /// whose addresses collide.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub netmap: Vec<Netmap>,

    /// Shows an IPv6 network under another prefix of the same length, both ways: the inside keeps its
    /// addresses when the provider changes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nptv6: Vec<Nptv6>,
}

impl Nat {
    /// Whether nothing is translated.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Nat {
            masquerade,
            snat,
            dnat,
            redirect,
            netmap,
            nptv6,
        } = self;
        masquerade.is_empty()
            && snat.is_empty()
            && dnat.is_empty()
            && redirect.is_empty()
            && netmap.is_empty()
            && nptv6.is_empty()
    }
}

/// Hides a zone behind the address of the interface that packets leave by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Masquerade {
    /// The name of this entry, unique among all entries of `nat`.
    pub name: Name,

    /// The zones to hide: a zone, a list, or `any` for every zone that is not in `to`.
    pub from: Zones,

    /// The zones to hide them from: a zone, a list, or `any` for every zone that is not in `from`.
    pub to: Zones,

    /// Whether the TCP segment size is clamped to the path MTU, which lines such as PPPoE need. Default:
    /// `true`.
    #[serde(default = "yes")]
    pub clamp_mss: bool,

    /// Which addresses are translated. Default: `both`.
    #[serde(default)]
    pub family: NatFamily,
}

fn yes() -> bool {
    true
}

/// Which addresses a masquerade entry translates.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum NatFamily {
    /// IPv4 only.
    Ipv4,
    /// IPv6 only.
    Ipv6,
    /// IPv4 and IPv6.
    #[default]
    Both,
}

/// Hides a zone behind a fixed address, or several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Snat {
    /// The name of this entry, unique among all entries of `nat`.
    pub name: Name,

    /// The zones to hide: a zone, a list, or `any` for every zone that is not in `to`.
    pub from: Zones,

    /// The zones to hide them from: a zone, a list, or `any` for every zone that is not in `from`.
    pub to: Zones,

    /// Only these of them: a list of addresses, prefixes, ranges, groups and zones, or `not:` and such a list.
    /// Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Hosts>,

    /// Only towards these: a list of addresses, prefixes, ranges, groups and zones, or `not:` and such a
    /// list. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<Hosts>,

    /// Only for these services. Default: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1))]
    pub services: Vec<ServiceRef>,

    /// The address to hide behind, or a range or prefix of them; they must be the box's own, or be routed to it.
    /// Examples: `203.0.113.10`, `203.0.113.10-203.0.113.13`, `203.0.113.16/30`.
    pub address: AddressPool,

    /// The source ports that connections leave with. Default: the port they came with, where it is free.
    /// Example: `"1024-65535"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ports: Option<PortRange>,

    /// Whether a host keeps its address out of several for everything it talks to; otherwise it depends on
    /// whom it talks to, too. Default: `true`.
    #[serde(default = "yes")]
    pub persistent: bool,

    /// Whether the source port is chosen by chance, even where the old one is free. Default: `false`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub random: bool,
}

/// Publishes hosts behind the box: sends connections on to one (`to`) or several (`balance`).
///
/// The matching path through the policies is opened as well; nothing has to be written for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Dnat {
    /// The name of this entry, unique among all entries of `nat`.
    pub name: Name,

    /// The zones that connections come from: a zone, a list, or `any` for every zone.
    pub from: Zones,

    /// Only from these: a list of addresses, prefixes, ranges, groups and zones, or `not:` and such a list.
    /// Default: everybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Hosts>,

    /// The public addresses. Default: the addresses of the box.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<Hosts>,

    /// The services that are published.
    #[schemars(length(min = 1))]
    pub services: Vec<ServiceRef>,

    /// The host that connections are sent on to. Either this or `balance` is needed. Example: `192.168.1.20`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Address>,

    /// The hosts that share the connections. Either this or `to` is needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub balance: Option<Balance>,

    /// The port that connections are sent on to, for services of a single port; or a range as long as that of
    /// the service, whose first port becomes the first, and so on. Default: the port that was asked for.
    /// Examples: `8080`, `"19000-19010"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_port: Option<PortRange>,

    /// Whether the hosts' own zone may use the public addresses, too. Default: `false`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hairpin: bool,
}

/// How connections are shared between hosts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Balance {
    /// Who gets the next connection.
    pub mode: BalanceMode,

    /// The hosts, each with its share; at most 1,024.
    #[schemars(length(min = 1, max = 1024))]
    pub backends: Vec<Backend>,
}

/// Who gets the next connection.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum BalanceMode {
    /// Each in turn.
    Nth,
    /// Any, by chance.
    Random,
    /// Always the same one for the same source address.
    SourceHash,
}

/// A host that gets connections.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Backend {
    /// The host. Example: `192.168.1.20`.
    pub address: Address,

    /// Its share: a host of weight 2 gets twice the connections of one of weight 1. 1 to 1000. Default: 1.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    #[schemars(range(min = 1, max = 1000))]
    pub weight: u16,
}

fn one() -> u16 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_one(weight: &u16) -> bool {
    *weight == 1
}

/// Sends connections through the box to a port of the box itself, such as all DNS to its own resolver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Redirect {
    /// The name of this entry, unique among all entries of `nat`.
    pub name: Name,

    /// The zones that connections come from: a zone, a list, or `any` for every zone.
    pub from: Zones,

    /// The services that are redirected.
    #[schemars(length(min = 1))]
    pub services: Vec<ServiceRef>,

    /// Only from these: a list of addresses, prefixes, ranges, groups and zones, or `not:` and such a list.
    /// Default: everybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Hosts>,

    /// Only connections to these: a list of addresses, prefixes, ranges, groups and zones, or `not:` and such
    /// a list. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<Hosts>,

    /// The port of the box that answers; or a range as long as that of the service, whose first port becomes
    /// the first, and so on. Default: the port that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_port: Option<PortRange>,
}

/// Shows a network to a zone as another one of the same size. Host 7 of `inside` is host 7 of `outside` there,
/// whoever opens the connection. Nothing is opened by it: policies speak of the inside addresses and decide.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Netmap {
    /// The name of this entry, unique among all entries of `nat`.
    pub name: Name,

    /// The zones that see the network as `outside`: a zone, a list, or `any`.
    pub between: Zones,

    /// The network as it really is. Example: `10.1.4.0/24`.
    pub inside: Prefix,

    /// The network as `between` sees it, of the same prefix length; it must be routed to the box there.
    /// Example: `172.20.4.0/24`.
    pub outside: Prefix,
}

/// Shows an IPv6 network under another prefix of the same length (NPTv6, RFC 6296). Nothing is opened by it:
/// policies speak of the inside addresses and decide.
///
/// Unlike the RFC's, this translation is stateful (connections are tracked as always) and leaves the host part of
/// addresses alone: checksums are rewritten instead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Nptv6 {
    /// The name of this entry, unique among all entries of `nat`.
    pub name: Name,

    /// The zones whose network it is: a zone, a list, or `any` for every zone that is not in `to`.
    pub from: Zones,

    /// The zones that see the network as `outside`: a zone, a list, or `any` for every zone that is not in
    /// `from`.
    pub to: Zones,

    /// The network as it really is. Example: `"fd00:1::/64"`.
    pub inside: Prefix,

    /// The network as `to` sees it, of the same prefix length; it must be routed to the box there. Example:
    /// `"2001:db8:0:11::/64"`.
    pub outside: Prefix,
}
