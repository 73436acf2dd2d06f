//! The root of the document, its policies and their rules, as plain data. The comments are the operator's
//! manual: they become the descriptions in the schema.

use super::{
    ConnLimit, Date, Flowtable, Group, Hosts, IncludePattern, Limit, LivingSet, Log, Name, Nat,
    Node, Raw, Schedule, Service, ServiceRef, Sysctl, Test, Text, TimeZoneName, Zone, ZoneName,
    Zones, value::names,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A firewall policy for a gateway: who may talk to whom, and how addresses are translated.
///
/// Always there, without being written: established and related packets are accepted, invalid ones are
/// dropped; loopback, IPv6 neighbour discovery, path MTU discovery and error ICMP work. What no policy
/// accepts is dropped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// The version of the language: 1.
    #[schemars(range(min = 1, max = 1))]
    pub version: u32,

    /// What this policy is called in plans and logs. Example: `office-gw`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Name>,

    /// The time zone of all wall-clock times and dates in this policy, from the IANA database. Default:
    /// `UTC`; a policy with `schedules` has to say it. Example: `Europe/Helsinki`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<TimeZoneName>,

    /// More files of this policy, by patterns from its own directory downwards; `*` stands for any characters
    /// of one name. They are read after the policy's own files, in the order of their paths: names from all
    /// files are taken together, lists are appended. Example: `[services/*.yaml, groups/*.yaml]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1))]
    pub include: Vec<IncludePattern>,

    /// The boxes that this policy is for, by name, where there are several: `zones` then speak of logical
    /// interface names, and each box says what it calls them. Which box it is, is told by `--node`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "names::<Name, Node>")]
    pub nodes: BTreeMap<Name, Node>,

    /// Settings of the box itself: forwarding, neighbours, connection tracking. Default: left as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sysctl: Option<Sysctl>,

    /// The networks around the box, by name. The box itself is the zone `firewall`, which always exists.
    #[schemars(schema_with = "names::<ZoneName, Zone>", extend("minProperties" = 1))]
    pub zones: BTreeMap<ZoneName, Zone>,

    /// Services of your own, by name, on top of the built-in ones (`ssh`, `dns`, `https`, ...).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "names::<Name, Service>")]
    pub services: BTreeMap<Name, Service>,

    /// Groups of addresses, by name, for `source` and `destination`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "names::<Name, Group>")]
    pub groups: BTreeMap<Name, Group>,

    /// Sets of addresses that change while the box runs, by name, for `source` and `destination`. Example: `ssh-abuse:
    /// { dynamic: true, timeout: 1h }`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "names::<Name, LivingSet>")]
    pub sets: BTreeMap<Name, LivingSet>,

    /// Times at which rules are there, by name, for `schedule`. Example: `office-hours: { days: [mon, tue], from:
    /// "08:00", to: "17:00" }`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "names::<Name, Schedule>")]
    pub schedules: BTreeMap<Name, Schedule>,

    /// Who may talk to whom. For a new connection the policies between its two zones are read in this order;
    /// the first rule that fits decides, then the policy's `default`. A policy without `default` passes on
    /// to the next one. What reaches the end is dropped.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<ZonePolicy>,

    /// Address translation.
    #[serde(default, skip_serializing_if = "Nat::is_empty")]
    pub nat: Nat,

    /// Where connections of rules with `offload: true` go past the rules. Default: nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flowtable: Option<Flowtable>,

    /// What is said of the tables of others (Docker, libvirt, ...), which are never touched. Default: `report`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub foreign_tables: Option<ForeignTables>,

    /// Rules in nft's own words, in chains of their own, outside of all that rfw can say about the policy. In this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub raw: Vec<Raw>,

    /// What must become of which packets: `rfw test` holds the compiled rules against it, without the kernel, and with `--kernel` in it as well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tests: Vec<Test>,
}

/// What is said of tables that are not rfw's.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum ForeignTables {
    /// Plans name those that drop by default: what rfw accepts there passes only if they accept it, too.
    Report,
    /// Nothing is said of them.
    Ignore,
}

/// Rules for connections from some zones to others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ZonePolicy {
    /// The name of this policy, unique among the policies. Logs, counters and plans call a rule
    /// `policy/rule`.
    pub name: Name,

    /// Where connections come from: a zone or a list of zones, `firewall` for the box itself, `any` for all.
    pub from: Zones,

    /// Where connections go to, after `nat.dnat`: a zone or a list of zones, `firewall` for the box itself,
    /// `any` for all.
    pub to: Zones,

    /// What happens to connections that no rule decided. Default: the next policy that fits is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Action>,

    /// Logs the connections that `default` decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<Log>,

    /// The rules, in the order in which they are asked; the first that fits decides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    // Boxes: each is let go of by itself when its meaning is known.
    pub rules: Vec<Box<Rule>>,
}

/// One rule: what it matches, and what happens then. What is left out matches everything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The name of this rule, unique within its policy.
    pub name: Name,

    /// What is asked for: names of services, or services written in place (`{ tcp: [8080] }`). Default: every
    /// protocol and port.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1))]
    pub services: Vec<ServiceRef>,

    /// Who asks: a list of addresses, prefixes, ranges, groups and zones, or `not:` and such a list. Default:
    /// everybody in the zones of `from`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Hosts>,

    /// Who is asked: a list of addresses, prefixes, ranges, groups and zones, or `not:` and such a list.
    /// Default: everybody in the zones of `to`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<Hosts>,

    /// What happens to the connection.
    pub action: Action,

    /// What the asker is told by `action: reject`. Default: `tcp-reset` for TCP, `admin-prohibited` for the
    /// rest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reject_with: Option<RejectWith>,

    /// The schedule, by name, outside of which this rule does not match and the next rule is asked. It decides about
    /// new connections; what becomes of running ones when it closes is the schedule's `on_end`. Default: the rule is
    /// always there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Name>,

    /// How many new connections this rule matches in a time; beyond that it does not match and the next rule
    /// is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<Limit>,

    /// How many connections at the same time this rule matches; beyond that it does not match and the next rule
    /// is asked. Example: `{ max: 200, per: source }`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connlimit: Option<ConnLimit>,

    /// Whether connections that this rule accepts go past the rules once they are established, by the `flowtable`.
    /// They are then no longer looked at, counted or ended by a change of the rules. Default: `false`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub offload: bool,

    /// The dynamic set, by name, that the source of each packet that this rule matches is put into, before the action
    /// happens. Only the first packets of connections come to rules. Example: `ssh-abuse`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub add_source_to: Option<Name>,

    /// Logs what this rule decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<Log>,

    /// Who answers for this rule. Example: `it@example.com`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Text>,

    /// Why this rule is there. Example: `OPS-142`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<Text>,

    /// The last day on which this rule should be there. From the next day on it is reported; it does not
    /// stop working by itself. Example: `2027-06-30`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Date>,
}

/// What happens to a connection.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// It is let through.
    Accept,
    /// It is thrown away without an answer.
    Drop,
    /// It is thrown away and the asker is told so.
    Reject,
}

/// What the asker is told.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum RejectWith {
    /// A TCP reset, as from a closed port; for TCP only.
    TcpReset,
    /// ICMP port unreachable, as from a closed UDP port.
    PortUnreachable,
    /// ICMP communication administratively prohibited.
    AdminProhibited,
    /// ICMP host unreachable.
    HostUnreachable,
    /// ICMP no route to destination (IPv4: network unreachable).
    NoRoute,
}
