//! Statements: what a rule matches and does.

use super::expr::{Expression, Field};
use super::rule::Verdict;

/// One statement, nft(8) STATEMENTS. A rule's statements are worked off left to right; a match that
/// fails ends the rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Statement {
    /// Go on only if the relation holds.
    Match {
        /// What the packet offers.
        left: Expression,
        /// `==` or `!=`.
        relation: Relation,
        /// What it is compared with.
        right: Operand,
    },
    /// Count packets and bytes.
    Counter,
    /// Go on only within the rate.
    Limit(Limit),
    /// Go on only within the rate of the named limit, shared by several rules.
    NamedLimit(String),
    /// Track the connection with the named conntrack helper.
    CtHelper(String),
    /// Put a label on the connection, 0 to 127; labels that it has stay.
    CtLabel(u8),
    /// Hand the connection, once it is established, to the named flowtable: `flow add @NAME`.
    Offload(String),
    /// Log the packet.
    Log(Log),
    /// Answer and drop.
    Reject(Reject),
    /// Decide.
    Verdict(Verdict),
    /// Decide by a verdict map; go on when the key is not in it.
    VerdictMap {
        /// The key.
        key: Expression,
        /// The verdict map's name.
        map: String,
    },
    /// Rewrite source or destination; decides `accept`.
    Nat(Nat),
    /// Rewrite the source to the address of the outgoing interface.
    Masquerade,
    /// Rewrite the destination to the box itself.
    Redirect {
        /// The new destination port.
        port: Option<NatPort>,
    },
    /// Keep the key in a dynamic set, and go on only within the rate that the element keeps.
    Meter {
        /// The dynamic set.
        set: String,
        /// The key.
        key: Expression,
        /// The rate of one key.
        limit: Limit,
    },
    /// Count the connections of a key in a dynamic set without a timeout, and go on only while the key has
    /// at most so many: `add @set { KEY ct count N }`.
    CountConnections {
        /// The dynamic set.
        set: String,
        /// The key.
        key: Expression,
        /// How many connections a key may have.
        most: u32,
    },
    /// Put the key into a dynamic set, or begin its time there anew: `update @set { KEY }`. When the set is full, the
    /// rule ends here.
    SetUpdate {
        /// The dynamic set.
        set: String,
        /// The key.
        key: Expression,
    },
    /// A whole rule in nft's own words: printable ASCII, no word of which leads out of its chain. What it means is known
    /// only to who has asked nft and the kernel, so it is the only statement of its rule.
    Raw(String),
    /// Clamp the maximum segment size of a SYN to what the route can carry.
    ClampMss,
}

impl Statement {
    /// A match on segments that end their connection at once: `tcp flags & rst == rst` (RFC 9293, 3.1).
    pub fn is_reset() -> Self {
        const RST: u8 = 4;
        Self::Match {
            left: Expression::Field(Field::TcpFlags),
            relation: Relation::Eq,
            right: Operand::Bits {
                mask: [RST].into(),
                value: [RST].into(),
            },
        }
    }
}

/// `==` or `!=`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Relation {
    /// Equal, inside, member.
    Eq,
    /// Not equal, outside, not a member.
    Ne,
}

/// What an expression is compared with. Bytes are as the kernel compares them: network order for
/// headers, host order for `ct` and interface indices.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operand {
    /// One value.
    Value(Box<[u8]>),
    /// The first bytes of a string: `"wg*"`.
    StartsWith(Box<[u8]>),
    /// A prefix: the value and the number of leading bits that count.
    Prefix(Box<[u8]>, u8),
    /// A range, bounds inclusive.
    Range(Box<[u8]>, Box<[u8]>),
    /// A named set.
    Set(String),
    /// At least one of these bits is set: `ct state established,related`.
    AnyBit(Box<[u8]>),
    /// Of the bits in the mask, just these are set: `tcp flags syn / syn,rst`.
    Bits {
        /// The bits looked at.
        mask: Box<[u8]>,
        /// How they must be.
        value: Box<[u8]>,
    },
}

/// A rate of packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Limit {
    /// Packets per unit.
    pub rate: u64,
    /// The unit in seconds: 1, 60, 3600, 86400 or 604800.
    pub unit: u64,
    /// Packets that may come at once on top.
    pub burst: u32,
}

/// Where a log line goes and how it starts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Log {
    /// The start of the line, at most 127 bytes.
    pub prefix: String,
    /// The nflog group; the kernel log when `None`.
    pub group: Option<u16>,
}

/// The answer to a rejected packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reject {
    /// A TCP reset; only for TCP.
    TcpReset,
    /// An ICMP or ICMPv6 error by the kernel's neutral code (linux/netfilter/nf_tables.h
    /// `nft_reject_inet_code`).
    Icmpx(Icmpx),
}

/// `NFT_REJECT_ICMPX_*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Icmpx {
    /// `no-route`, 0
    NoRoute,
    /// `port-unreachable`, 1
    PortUnreachable,
    /// `host-unreachable`, 2
    HostUnreachable,
    /// `admin-prohibited`, 3
    AdminProhibited,
}

impl Icmpx {
    /// All codes; the position is the kernel's number.
    pub const ALL: [Self; 4] = [
        Self::NoRoute,
        Self::PortUnreachable,
        Self::HostUnreachable,
        Self::AdminProhibited,
    ];

    /// nft's word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoRoute => "no-route",
            Self::PortUnreachable => "port-unreachable",
            Self::HostUnreachable => "host-unreachable",
            Self::AdminProhibited => "admin-prohibited",
        }
    }
}

/// An address family, by nfproto number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// 2
    Ipv4,
    /// 10
    Ipv6,
}

impl Family {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::Ipv4, Self::Ipv6];

    /// `NFPROTO_IPV4` or `NFPROTO_IPV6`.
    pub fn nfproto(self) -> u8 {
        match self {
            Self::Ipv4 => 2,
            Self::Ipv6 => 10,
        }
    }

    /// nft's word: `ip` or `ip6`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ipv4 => "ip",
            Self::Ipv6 => "ip6",
        }
    }
}

/// Which side of the packet is rewritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NatKind {
    /// The source.
    Snat,
    /// The destination.
    Dnat,
}

/// `snat` or `dnat`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Nat {
    /// Source or destination.
    pub kind: NatKind,
    /// The family of the address.
    pub family: Family,
    /// The new address.
    pub address: NatAddress,
    /// The new port.
    pub port: Option<NatPort>,
    /// How it is chosen where there is a choice.
    pub flags: NatFlags,
}

/// Where the new address comes from. Bytes are in network order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NatAddress {
    /// Always this one.
    Value(Box<[u8]>),
    /// One of these, bounds inclusive; the kernel chooses by the addresses of the connection.
    Range(Box<[u8]>, Box<[u8]>),
    /// The first so many bits become these, the others stay (`dnat prefix to`, `NF_NAT_RANGE_NETMAP`).
    Prefix(Box<[u8]>, u8),
    /// From a map.
    Map(Expression),
}

/// Where the new port comes from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NatPort {
    /// Always this one.
    Value(u16),
    /// One of these, bounds inclusive.
    Range(u16, u16),
    /// From a map.
    Map(Expression),
}

/// How the kernel chooses among addresses and ports (linux/netfilter/nf_nat.h `NF_NAT_RANGE_*`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NatFlags {
    /// `fully-random`: the port by chance, even where the old one would be free.
    pub fully_random: bool,
    /// `persistent`: the address by the source alone, so that a host keeps it for all it talks to.
    pub persistent: bool,
}
