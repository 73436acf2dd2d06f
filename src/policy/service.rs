//! Services: protocols and ports, by name or in place.

use super::{IcmpType, Icmpv6Type, IpProtocol, Name, PortRange, value::one_or_map};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A service: any of these protocols and destination ports.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("minProperties" = 1))]
pub struct Service {
    /// TCP ports and ranges of ports. Example: `[8080, "9000-9010"]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1))]
    pub tcp: Vec<PortRange>,

    /// UDP ports and ranges of ports. Example: `[53]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1))]
    pub udp: Vec<PortRange>,

    /// SCTP ports and ranges of ports.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1))]
    pub sctp: Vec<PortRange>,

    /// DCCP ports and ranges of ports.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1))]
    pub dccp: Vec<PortRange>,

    /// UDP-Lite ports and ranges of ports.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1))]
    pub udplite: Vec<PortRange>,

    /// Types of ICMP (IPv4) messages. Example: `[echo-request]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1))]
    pub icmp: Vec<IcmpType>,

    /// Types of ICMPv6 messages. Example: `[echo-request]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1))]
    pub icmpv6: Vec<Icmpv6Type>,

    /// Whole IP protocols, by name or number. Example: `[gre, 47]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1))]
    pub protocol: Vec<IpProtocol>,

    /// The connection tracking helper that finds the related connections of this service, and opens them.
    /// Default: none. Example: `ftp`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub helper: Option<Helper>,
}

/// A connection tracking helper of the kernel.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Helper {
    /// Amanda backups (UDP 10080).
    Amanda,
    /// FTP data connections (TCP 21).
    Ftp,
    /// H.323 calls (TCP 1720): Q.931.
    Q931,
    /// H.323 registration (UDP 1719): RAS.
    Ras,
    /// Direct connections of IRC (TCP 6667).
    Irc,
    /// NetBIOS name service broadcasts (UDP 137).
    NetbiosNs,
    /// PPTP tunnels (TCP 1723).
    Pptp,
    /// SANE scanners (TCP 6566).
    Sane,
    /// SIP calls (UDP and TCP 5060).
    Sip,
    /// SNMP broadcasts (UDP 161).
    Snmp,
    /// TFTP transfers (UDP 69).
    Tftp,
}

impl Helper {
    /// The kernel's name of the helper (`net/netfilter/nf_conntrack_*.c`).
    #[must_use]
    pub fn kernel_name(self) -> &'static str {
        match self {
            Helper::Amanda => "amanda",
            Helper::Ftp => "ftp",
            Helper::Q931 => "Q.931",
            Helper::Ras => "RAS",
            Helper::Irc => "irc",
            Helper::NetbiosNs => "netbios-ns",
            Helper::Pptp => "pptp",
            Helper::Sane => "sane",
            Helper::Sip => "sip",
            Helper::Snmp => "snmp",
            Helper::Tftp => "tftp",
        }
    }
}

/// A service as a rule lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServiceRef {
    /// By name: of the policy or built in.
    Name(Name),
    /// Written in place.
    Inline(Box<Service>),
}

one_or_map!(
    ServiceRef,
    Name,
    Service,
    "the name of a service, or a service in place",
    "The name of a service, or a service written in place: `ssh`, `{ tcp: [8080] }`."
);
