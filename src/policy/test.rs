//! Tests: what must become of which packets, written next to the rules. What the names in them mean is not decided here.

use super::value::{one_or_map, with_leaf};
use super::{
    Action, Address, Host, Moment, Name, NamedPorts, PortRange, RulePath, ServiceRef, SourceAfter,
    ZoneRef,
};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{borrow::Cow, collections::BTreeMap, fmt};

/// A claim about packets, or about a set, that `rfw test` holds the policy against. It has either `from`, `to` and `expect`, or
/// `from`, `to` and `scan`, or `set` and `never_contains`. What is left open is meant in every way: a zone is all its
/// interfaces and addresses, no `at` is every time, no `family` both. The claim must hold for all such packets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Test {
    /// What this test is called in reports, unique among the tests. Example: `no-wan-lan`.
    pub name: Name,

    /// Where the packets come from: a zone, `firewall` for the box itself, `any` for every zone, an address, prefix, range or group,
    /// or both as `{ zone: lan, address: 10.0.0.5 }`. An address alone belongs to the zone whose `networks` hold it, else to every
    /// zone without `networks`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<TestEnd>,

    /// Where the packets go to, before any translation; as `from`. `firewall` is every address that the box may have. An address
    /// that `nat` receives or hides behind is the box's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<TestEnd>,

    /// What is asked for: the name of a service, a service in place, `any` for every protocol and port. Example: `https`,
    /// `{ udp: ["5000-5010"] }`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceRef>,

    /// Whether IPv4 or IPv6 is meant. Default: both, as far as the addresses have them; for `scan` IPv4.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family: Option<TestFamily>,

    /// What connection tracking knows of the packets. Default: `new`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<TestState>,

    /// When, in the policy's `timezone`. Default: at any time. Example: `"2026-03-27 12:00"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Moment>,

    /// What must become of the packets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<Action>,

    /// The rule that must decide. Example: `lan-to-wan/web`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<RulePath>,

    /// The source that the packets must leave with: an address, prefix, range or group, or an interface for the address of the
    /// box on it. Example: `eth0`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_after: Option<SourceAfter>,

    /// The destination that the packets must leave with: an address, prefix, range or group; or, with `count`, how many of them go to
    /// which address. Example: `{ 192.168.1.20: 4, 192.168.1.21: 2 }`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination_after: Option<DestinationAfter>,

    /// How many connections are made one after the other, 1 to 10000, for `destination_after` with numbers: what a `balance` by
    /// `nth` makes of them, wherever it has counted to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000))]
    pub count: Option<u32>,

    /// What a scan of TCP ports must find.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scan: Option<Scan>,

    /// The fetched set, by name, that `never_contains` is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set: Option<Name>,

    /// Addresses, prefixes, ranges, groups and zones that no list of the `set` may ever hold: its own `never_contains` must see to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1))]
    pub never_contains: Vec<Host>,
}

/// An address in a zone, whichever zone it belongs to by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TestHost {
    /// The zone, or `firewall` for the box itself.
    pub zone: ZoneRef,

    /// The address, prefix, range or group. From a zone that has it not in its `networks` it is a false one.
    pub address: Host,
}

/// One end of the packets of a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TestEnd {
    /// A zone, `firewall`, `any`, a group, or addresses.
    Name(Host),
    /// Addresses in a zone.
    Inline(Box<TestHost>),
}

one_or_map!(
    TestEnd,
    Host,
    TestHost,
    "a zone, an address, or both",
    "A zone, `firewall`, `any`, an address, prefix, range or group, or `{ zone: lan, address: 10.0.0.5 }`."
);

/// A family of addresses.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum TestFamily {
    /// IPv4 only.
    Ipv4,
    /// IPv6 only.
    Ipv6,
}

/// What connection tracking knows of a packet.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum TestState {
    /// The first packet of a connection.
    New,
    /// A packet of a connection that both ends have spoken on, and that no schedule ends.
    Established,
    /// The first packet of a connection that another one has announced, or an error about one.
    Related,
    /// A packet that belongs to no connection and can begin none.
    Invalid,
}

/// Where packets go behind the box.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DestinationAfter {
    /// One of these.
    Host(Host),
    /// So many to each.
    Counts(BTreeMap<Address, u32>),
}

impl Serialize for DestinationAfter {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            DestinationAfter::Host(host) => host.serialize(serializer),
            DestinationAfter::Counts(counts) => counts.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for DestinationAfter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = DestinationAfter;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an address or a group, or addresses and numbers")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<DestinationAfter, E> {
                text.parse().map(DestinationAfter::Host).map_err(E::custom)
            }

            fn visit_map<A: de::MapAccess<'de>>(
                self,
                map: A,
            ) -> Result<DestinationAfter, A::Error> {
                let map = de::value::MapAccessDeserializer::new(map);
                BTreeMap::deserialize(map).map(DestinationAfter::Counts)
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for DestinationAfter {
    fn schema_name() -> Cow<'static, str> {
        "DestinationAfter".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let address = Address::json_schema(generator);
        let shape = json_schema!({
            "description": "An address, prefix, range or group, or how many connections go to which address: `{ 192.168.1.20: 4 }`.",
            "type": ["string", "object"],
            "propertyNames": address,
            "additionalProperties": { "type": "integer", "minimum": 0, "maximum": 10000 },
            "minProperties": 1
        });
        with_leaf::<Host>(generator, shape)
    }
}

/// What a scan of TCP ports finds, as nmap names it. A port is open that the box lets through, whether or not anybody answers
/// behind it; closed, if it answers with a reset; filtered, if it drops, or rejects in another way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scan {
    /// The ports that are tried, beside those that are listed as open or closed. Example: `top-1000`, `[22, "8000-8999"]`.
    pub ports: ScanPorts,

    /// Those that must be open. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1))]
    pub open: Vec<PortRange>,

    /// Those that must be closed. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1))]
    pub closed: Vec<PortRange>,

    /// What all others must be.
    pub rest: ScanRest,
}

/// What the ports must be that a scan does not list.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum ScanRest {
    /// Nothing comes back, or an error that is no reset.
    Filtered,
    /// A reset comes back.
    Closed,
}

/// Ports that a scan tries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScanPorts {
    /// By a name.
    Named(NamedPorts),
    /// These.
    Listed(Vec<PortRange>),
}

impl Serialize for ScanPorts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            ScanPorts::Named(name) => name.serialize(serializer),
            ScanPorts::Listed(list) => list.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for ScanPorts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = ScanPorts;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`top-1000`, `all` or a list of ports")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<ScanPorts, E> {
                text.parse().map(ScanPorts::Named).map_err(E::custom)
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, seq: A) -> Result<ScanPorts, A::Error> {
                Vec::deserialize(de::value::SeqAccessDeserializer::new(seq)).map(ScanPorts::Listed)
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for ScanPorts {
    fn schema_name() -> Cow<'static, str> {
        "ScanPorts".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let port = generator.subschema_for::<PortRange>();
        let shape = json_schema!({
            "description": "`top-1000`: the TCP ports of the built-in services, and the lowest ones up to 1000 in all; `all`: 1 to 65535; or a list of ports and ranges.",
            "type": ["string", "array"],
            "items": port,
            "minItems": 1
        });
        with_leaf::<NamedPorts>(generator, shape)
    }
}
