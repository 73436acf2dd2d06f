//! Address translation: hiding, forwarding, redirecting.

use super::{Address, Hosts, Name, Port, ServiceRef, Zones};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Address translation. Destinations are translated before the policies are asked, sources after.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Nat {
    /// Hides a zone behind the address of the interface that packets leave by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub masquerade: Vec<Masquerade>,

    /// Hides a zone behind a fixed address.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub snat: Vec<Snat>,

    /// Publishes hosts behind the box: sends connections on to them, and lets them through.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dnat: Vec<Dnat>,

    /// Sends connections through the box to a port of the box itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub redirect: Vec<Redirect>,
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
        } = self;
        masquerade.is_empty() && snat.is_empty() && dnat.is_empty() && redirect.is_empty()
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

/// Hides a zone behind a fixed address.
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

    /// The address to hide behind; it must be one of the box. Example: `203.0.113.10`.
    pub address: Address,
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

    /// The port that connections are sent on to, for services of a single port. Default: the port that was
    /// asked for. Example: `8080`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_port: Option<Port>,

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

    /// The port of the box that answers. Default: the port that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_port: Option<Port>,
}
