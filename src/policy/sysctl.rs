//! The settings of the box itself: forwarding, the neighbour table, connection tracking. Which kernel keys they
//! become is not decided here.

use super::{Auto, value::one_or_map};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of the box. Each that is written here is compared, set and kept over reboots like a rule; the
/// others are left alone. They are kept in `/etc/sysctl.d/90-rfw.conf`, a file of rfw's own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("minProperties" = 1))]
pub struct Sysctl {
    /// Whether the box passes packets on from one network to another, in both families
    /// (`net.ipv4.ip_forward` and `net.ipv6.conf.all.forwarding`). It is switched on after the rules stand, and
    /// off before they change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forwarding: Option<bool>,

    /// How many neighbours (hosts in the networks that the box is attached to) the kernel remembers:
    /// `auto`, or the three thresholds, for both families. With more than `gc_thresh3` packets are lost
    /// (`neighbor table overflow`). `auto` counts the addresses that the zones' `networks` can hold:
    /// `gc_thresh1` is the power of two that holds them all, from 1024 to 32768, `gc_thresh2` is twice and
    /// `gc_thresh3` four times that. An IPv6 network beyond a /112 counts as two addresses for each IPv4
    /// address of its zone, or as 1024.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub neighbour: Option<Neighbour>,

    /// How many connections are tracked at most (`net.netfilter.nf_conntrack_max`). When they are reached, new
    /// connections are dropped. Each takes about 300 bytes. Example: `131072`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 2_147_483_647))]
    pub conntrack_max: Option<u32>,

    /// Whether TCP segments outside the window are still part of their connection
    /// (`net.netfilter.nf_conntrack_tcp_be_liberal`), as a box needs that takes over running connections from
    /// another. Otherwise they are invalid, and dropped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conntrack_tcp_liberal: Option<bool>,

    /// Whether a TCP connection may be picked up in its middle (`net.netfilter.nf_conntrack_tcp_loose`). With
    /// `false` a connection that was forgotten or cut stays dead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tcp_loose: Option<bool>,

    /// What the kernel does with IPv4 packets whose source it would not reach by the interface they came in by
    /// (`net.ipv4.conf.*.rp_filter`). There is none for IPv6; a zone's `networks` check both families.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rp_filter: Option<RpFilter>,
}

/// What the kernel does with packets of doubtful source.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum RpFilter {
    /// It drops a packet whose answer would leave by another interface (RFC 3704 strict).
    Strict,
    /// It drops a packet whose source no interface leads to (RFC 3704 loose).
    Loose,
    /// It takes every packet.
    Disabled,
}

/// The size of the neighbour tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Neighbour {
    /// As the zones' networks need it.
    Name(Auto),
    /// As it is written.
    Inline(Box<Thresholds>),
}

one_or_map!(
    Neighbour,
    Auto,
    Thresholds,
    "`auto`, or thresholds",
    "The size of the neighbour tables: `auto`, or `{ gc_thresh1: 1024, gc_thresh2: 2048, gc_thresh3: 4096 }`."
);

/// The thresholds of a neighbour table (arp(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Thresholds {
    /// Up to so many neighbours nothing is ever forgotten. Example: `1024`.
    #[schemars(range(min = 1, max = 2_147_483_647))]
    pub gc_thresh1: u32,

    /// Beyond so many neighbours the kernel makes room when it has been five seconds without. Example: `2048`.
    #[schemars(range(min = 1, max = 2_147_483_647))]
    pub gc_thresh2: u32,

    /// There are never more neighbours than this; packets to further ones are lost. Example: `4096`.
    #[schemars(range(min = 1, max = 2_147_483_647))]
    pub gc_thresh3: u32,
}
