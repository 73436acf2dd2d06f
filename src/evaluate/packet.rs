//! A packet, and the connection that it belongs to: what the kernel's expressions read of them.
//!
//! Not bytes on a wire: those are made of it where an expression loads them.

use std::net::IpAddr;

/// `NF_CT_STATE_BIT` of the states, as `ct state` has them (linux/netfilter/nf_conntrack_common.h).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// 1: belongs to no connection and can begin none.
    Invalid,
    /// 2
    Established,
    /// 4
    Related,
    /// 8: the first packet of a connection, or a further one before there was a reply.
    #[default]
    New,
    /// 64: connection tracking was told not to look.
    Untracked,
}

impl State {
    /// The bit of `ct state`.
    pub fn bit(self) -> u32 {
        match self {
            Self::Invalid => 1,
            Self::Established => 2,
            Self::Related => 4,
            Self::New => 8,
            Self::Untracked => 64,
        }
    }

    /// nft's word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::Established => "established",
            Self::Related => "related",
            Self::New => "new",
            Self::Untracked => "untracked",
        }
    }
}

/// What the kernel knows of the packet's connection before the packet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Connection {
    /// `ct state`
    pub state: State,
    /// Whether the packet goes against the direction of the first one.
    pub reply: bool,
    /// `ct status`: `IPS_*` bits; 16 is `snat`, 32 is `dnat`.
    pub status: u32,
    /// `ct label`: bit n is label n.
    pub labels: u128,
    /// `ct mark`
    pub mark: u32,
    /// `ct helper`
    pub helper: Option<String>,
}

/// What stands behind the IP header (RFC 8200: the upper-layer header).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Upper {
    /// Protocol 6.
    Tcp {
        /// Source port.
        sport: u16,
        /// Destination port.
        dport: u16,
        /// The flags: 1 fin, 2 syn, 4 rst, 8 psh, 16 ack, 32 urg.
        flags: u8,
    },
    /// Any other protocol whose header begins with two ports: UDP, SCTP, DCCP, UDP-Lite.
    Ports {
        /// The protocol number.
        protocol: u8,
        /// Source port.
        sport: u16,
        /// Destination port.
        dport: u16,
    },
    /// ICMP or ICMPv6, by the family of the addresses.
    Icmp {
        /// The type.
        kind: u8,
        /// The code.
        code: u8,
    },
    /// Another protocol, of which nothing is known but the number.
    Other(u8),
}

/// `IPPROTO_ICMP`
pub(super) const ICMP: u8 = 1;
/// `IPPROTO_TCP`
pub(super) const TCP: u8 = 6;
/// `IPPROTO_ICMPV6`
pub(super) const ICMPV6: u8 = 58;

/// TCP's `syn`.
const SYN: u8 = 2;

impl Upper {
    /// The first segment of a TCP connection.
    pub fn syn(sport: u16, dport: u16) -> Self {
        let flags = SYN;
        Self::Tcp {
            sport,
            dport,
            flags,
        }
    }

    /// UDP.
    pub fn udp(sport: u16, dport: u16) -> Self {
        let protocol = 17;
        Self::Ports {
            protocol,
            sport,
            dport,
        }
    }

    /// Source and destination port, of a protocol that has them.
    pub fn ports(self) -> Option<(u16, u16)> {
        match self {
            Self::Tcp { sport, dport, .. } | Self::Ports { sport, dport, .. } => {
                Some((sport, dport))
            }
            Self::Icmp { .. } | Self::Other(_) => None,
        }
    }

    /// The same with another source port; nothing changes where there is none.
    pub fn with_sport(mut self, new: u16) -> Self {
        if let Self::Tcp { sport, .. } | Self::Ports { sport, .. } = &mut self {
            *sport = new;
        }
        self
    }

    /// The same with another destination port; nothing changes where there is none.
    pub fn with_dport(mut self, new: u16) -> Self {
        if let Self::Tcp { dport, .. } | Self::Ports { dport, .. } = &mut self {
            *dport = new;
        }
        self
    }
}

/// One packet, at the moment when it reaches the box or leaves a program on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// The interface it comes in by; `None` for a packet of the box itself.
    pub iif: Option<String>,
    /// The interface it goes out by, if that is known. Otherwise, and whenever the destination is rewritten, the routes of
    /// the [`Environment`](super::Environment) decide.
    pub oif: Option<String>,
    /// Source address.
    pub source: IpAddr,
    /// Destination address, of the same family.
    pub destination: IpAddr,
    /// What is in it.
    pub upper: Upper,
    /// The byte that holds DSCP (its upper 6 bits) and ECN.
    pub traffic_class: u8,
    /// Time to live, or hop limit.
    pub ttl: u8,
    /// Bytes from the IP header on (`meta length`).
    pub length: u16,
    /// `meta mark`
    pub mark: u32,
    /// `meta time`: nanoseconds since 1970-01-01 UTC.
    pub time: u64,
    /// Its connection.
    pub connection: Connection,
    /// Ethernet addresses, source first, of a packet that comes in by an interface that has them.
    pub ether: Option<([u8; 6], [u8; 6])>,
}

impl Packet {
    /// A packet of 60 bytes that begins a connection, from the box itself as long as nobody says otherwise, at the
    /// beginning of 1970.
    pub fn new(source: IpAddr, destination: IpAddr, upper: Upper) -> Self {
        Self {
            iif: None,
            oif: None,
            source,
            destination,
            upper,
            traffic_class: 0,
            ttl: 64,
            length: 60,
            mark: 0,
            time: 0,
            connection: Connection::default(),
            ether: None,
        }
    }

    /// The protocol number.
    pub fn protocol(&self) -> u8 {
        match self.upper {
            Upper::Tcp { .. } => TCP,
            Upper::Ports { protocol, .. } | Upper::Other(protocol) => protocol,
            Upper::Icmp { .. } if self.is_v6() => ICMPV6,
            Upper::Icmp { .. } => ICMP,
        }
    }

    /// Whether it is IPv6.
    pub fn is_v6(&self) -> bool {
        self.source.is_ipv6()
    }

    /// nfproto: 2 or 10.
    pub fn family(&self) -> u8 {
        if self.is_v6() { 10 } else { 2 }
    }
}
