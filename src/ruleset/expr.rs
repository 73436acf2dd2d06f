//! Expressions: what a packet offers to be matched.

/// Something that has a value for a packet, nft(8) EXPRESSIONS.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Expression {
    /// `meta …`
    Meta(Meta),
    /// A header field.
    Field(Field),
    /// A header field masked, `ip saddr & 255.255.255.0`.
    Masked(Field, Box<[u8]>),
    /// `ct …`
    Ct(Ct),
    /// `fib daddr type`, or `fib daddr . iif type` when `iif` is set.
    FibDaddrType {
        /// Only addresses of the interface the packet came in by.
        iif: bool,
    },
    /// `numgen inc mod N` or `numgen random mod N`.
    Numgen {
        /// `inc` or `random`.
        mode: NumgenMode,
        /// The values are below this.
        modulus: u32,
    },
    /// `jhash FIELD mod N seed S`.
    Jhash {
        /// What is hashed.
        field: Field,
        /// The values are below this.
        modulus: u32,
        /// Fixed by the policy, so that replicas choose alike.
        seed: u32,
    },
    /// Several fields side by side.
    Concat(Vec<Expression>),
    /// What a map holds for a key: `KEY map @name`.
    Map(Box<Expression>, String),
}

/// `meta` keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Meta {
    /// `iifname`: name of the interface it came in by.
    Iifname,
    /// `oifname`: name of the interface it leaves by.
    Oifname,
    /// `iif`: index of the incoming interface, host order.
    Iif,
    /// `oif`: index of the outgoing interface, host order.
    Oif,
    /// `meta nfproto`: 2 is IPv4, 10 is IPv6.
    Nfproto,
    /// `meta l4proto`
    L4proto,
    /// `meta time`: nanoseconds since 1970-01-01 UTC, 8 bytes, host order. The wall clock of the kernel, whatever its
    /// time zone is (linux/net/netfilter/nft_meta.c, `ktime_get_real_ns`).
    Time,
    /// `meta day`: the day of the week, 1 byte, 0 is Sunday. Of UTC, unless the kernel has been given a time zone of its
    /// own (`sys_tz`): then the day begins as many minutes earlier or later (`nft_meta_weekday`).
    Day,
    /// `meta hour`: seconds since midnight UTC, 4 bytes, host order, whatever the kernel's time zone is
    /// (`nft_meta_hour`).
    Hour,
}

/// Header fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// `ip saddr`
    IpSaddr,
    /// `ip daddr`
    IpDaddr,
    /// `ip6 saddr`
    Ip6Saddr,
    /// `ip6 daddr`
    Ip6Daddr,
    /// `ip6 hoplimit`
    Ip6Hoplimit,
    /// `tcp dport`, `udp dport`, … of one protocol.
    Dport(Transport),
    /// `tcp sport`, `udp sport`, … of one protocol.
    Sport(Transport),
    /// `th dport`: of whatever protocol it is.
    ThDport,
    /// `tcp flags`
    TcpFlags,
    /// `icmp type`
    IcmpType,
    /// `icmpv6 type`
    Icmpv6Type,
}

/// Protocols with ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// 6
    Tcp,
    /// 17
    Udp,
    /// 33
    Dccp,
    /// 132
    Sctp,
    /// 136
    Udplite,
}

impl Transport {
    /// All of them, by number.
    pub const ALL: [Self; 5] = [Self::Tcp, Self::Udp, Self::Dccp, Self::Sctp, Self::Udplite];

    /// The protocol number (IANA, Assigned Internet Protocol Numbers).
    pub fn number(self) -> u8 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
            Self::Dccp => 33,
            Self::Sctp => 132,
            Self::Udplite => 136,
        }
    }

    /// nft's and the policy's word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Dccp => "dccp",
            Self::Sctp => "sctp",
            Self::Udplite => "udplite",
        }
    }
}

/// `ct` keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ct {
    /// `ct state`: bits, host order; 1 invalid, 2 established, 4 related, 8 new, 64 untracked.
    State,
    /// `ct status`: bits, host order; 32 is `dnat`.
    Status,
    /// `ct label`: 128 bits, host order, that rules set on a connection; none when it has no labels.
    Label,
}

impl Ct {
    /// Labels as the bits that `ct label` is compared with; a label above 127 is left out.
    pub fn label_bits(labels: impl IntoIterator<Item = u8>) -> Box<[u8]> {
        let bits = labels
            .into_iter()
            .filter_map(|label| 1u128.checked_shl(u32::from(label)));
        bits.fold(0, |all, bit| all | bit).to_ne_bytes().into()
    }
}

/// How `numgen` goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NumgenMode {
    /// One after the other.
    Inc,
    /// By chance.
    Random,
}

impl Field {
    /// Bytes of the field.
    pub fn width(self) -> usize {
        match self {
            Self::IpSaddr | Self::IpDaddr => 4,
            Self::Ip6Saddr | Self::Ip6Daddr => 16,
            Self::Dport(_) | Self::Sport(_) | Self::ThDport => 2,
            Self::Ip6Hoplimit | Self::TcpFlags | Self::IcmpType | Self::Icmpv6Type => 1,
        }
    }
}
