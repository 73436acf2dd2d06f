//! Sets, maps, verdict maps and their elements, as nft(8) knows them.

use std::ops::RangeInclusive;

use super::elements::Elements;
use super::rule::{Origin, Verdict};

/// What one field of a set's key, or the value of a map, is. Fixes its width and byte order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DataType {
    /// `ipv4_addr`: 4 bytes, network order.
    Ipv4Addr,
    /// `ipv6_addr`: 16 bytes, network order.
    Ipv6Addr,
    /// `inet_service`: a port, 2 bytes, network order.
    InetService,
    /// `inet_proto`: a protocol number of the IP header, 1 byte.
    InetProto,
    /// `ifname`: an interface name, 16 bytes padded with NUL.
    Ifname,
    /// `mark`: 4 bytes, host order.
    Mark,
    /// `icmp_type`: 1 byte.
    IcmpType,
    /// `icmpv6_type`: 1 byte.
    Icmpv6Type,
    /// What `meta time` yields: 8 bytes, nanoseconds since 1970-01-01 UTC. Only in sets of ranges, whose keys the kernel
    /// compares byte by byte: there they are in network order. nft(8) can only name it by `typeof meta time`, and writes
    /// whole seconds.
    Time,
    /// What `meta day` yields: 1 byte, 0 (Sunday) to 6 (Saturday).
    Day,
    /// What `meta hour` yields: 4 bytes, seconds since midnight UTC. As with [`Self::Time`], only in sets of ranges, and
    /// there in network order. nft(8) shows it in the time zone of its reader.
    Hour,
    /// The number that `numgen` or `jhash` yields: 4 bytes, host order. nft(8) can only name it by
    /// `typeof numgen inc mod …`.
    Number,
}

impl DataType {
    /// Bytes of one value, unpadded.
    pub fn width(self) -> usize {
        match self {
            Self::InetProto | Self::IcmpType | Self::Icmpv6Type | Self::Day => 1,
            Self::InetService => 2,
            Self::Ipv4Addr | Self::Mark | Self::Number | Self::Hour => 4,
            Self::Time => 8,
            Self::Ipv6Addr | Self::Ifname => 16,
        }
    }

    /// The key of a set of days of the week and times of the day.
    pub const SLOT: [Self; 2] = [Self::Day, Self::Hour];

    /// Whether nft(8) can say that a set is of this type only by an expression that yields it: `typeof …`.
    pub fn has_no_name(self) -> bool {
        matches!(self, Self::Time | Self::Day | Self::Hour | Self::Number)
    }

    /// Whether values are in the byte order of the host, but for the keys of a set of ranges.
    pub fn is_host_order(self) -> bool {
        match self {
            Self::Ifname | Self::Mark | Self::Number | Self::Time | Self::Hour => true,
            Self::Ipv4Addr
            | Self::Ipv6Addr
            | Self::InetService
            | Self::InetProto
            | Self::IcmpType
            | Self::Icmpv6Type
            | Self::Day => false,
        }
    }
}

/// What a set gives back.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SetKind {
    /// Membership only.
    Set,
    /// A map to values of one type.
    Map(DataType),
    /// A verdict map.
    VerdictMap,
}

/// What a set is, without its elements. Any difference here means another set: only size and
/// timeout can be changed in place (measured on 6.18).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SetSpec {
    /// The name, unique in the table.
    pub name: String,
    /// The fields of the key; more than one is a concatenation, each field padded to 4 bytes.
    pub key: Vec<DataType>,
    /// Set, map or verdict map.
    pub kind: SetKind,
    /// `flags interval`: keys are ranges.
    pub interval: bool,
    /// `flags dynamic`: filled by the packet path; its elements belong to the kernel and are never
    /// compared.
    pub dynamic: bool,
    /// Default timeout of elements in milliseconds; `flags timeout` when given.
    pub timeout: Option<u64>,
    /// `gc-interval`: how long the kernel goes without a look through all elements for some whose time is over, in milliseconds;
    /// `flags timeout` when given. Without one it looks through every interval set that a batch changes, more often than once a
    /// second never (6.18, `nft_rbtree_commit`): half of what the change of one of 1,000,000 elements costs (measured).
    pub gc_interval: Option<u32>,
    /// Greatest number of elements. A dynamic set needs one: without, the kernel gives it 65 535 as soon
    /// as a rule fills it, and it would read back as another set.
    pub size: Option<u32>,
    /// `counter`: every element counts its own packets and bytes.
    pub counter: bool,
    /// The comment that `nft list` shows.
    pub comment: Option<String>,
}

impl SetSpec {
    /// A plain set of exact keys.
    pub fn new(name: impl Into<String>, key: Vec<DataType>, kind: SetKind) -> Self {
        Self {
            name: name.into(),
            key,
            kind,
            interval: false,
            dynamic: false,
            timeout: None,
            gc_interval: None,
            size: None,
            counter: false,
            comment: None,
        }
    }

    /// Bytes of a key: the sum of the fields, each rounded up to 4 when there are several
    /// (linux/net/netfilter/nf_tables_api.c, `nft_set_desc_concat`).
    pub fn key_width(&self) -> usize {
        match self.key.as_slice() {
            [only] => only.width(),
            fields => fields
                .iter()
                .map(|field| field.width().next_multiple_of(4))
                .sum(),
        }
    }
}

/// A key: the bytes as the kernel compares them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The key, or the first key of a range.
    pub lo: Box<[u8]>,
    /// The last key of a range, inclusive; `None` when the key is one value.
    pub hi: Option<Box<[u8]>>,
}

impl Key {
    /// The bytes of a moment in a set of [`DataType::Time`]: nanoseconds since 1970, of Unix seconds. Those of a set of ranges
    /// are in network order.
    pub fn moment(seconds: i64) -> [u8; 8] {
        let seconds = u64::try_from(seconds).unwrap_or(0);
        seconds.saturating_mul(1_000_000_000).to_be_bytes()
    }

    /// A range of days of the week and one of times of the day, in a set of [`DataType::SLOT`]: 0 is Sunday, and seconds since
    /// midnight UTC.
    pub fn slot(days: RangeInclusive<u8>, hours: RangeInclusive<u32>) -> Self {
        let bytes = |day: u8, hour: u32| -> Vec<u8> {
            // Every field begins at a register.
            [[day, 0, 0, 0], hour.to_be_bytes()].concat()
        };
        Self::range(
            bytes(*days.start(), *hours.start()),
            bytes(*days.end(), *hours.end()),
        )
    }

    /// The days and the times of a key of [`Self::slot`]; `None` where it is none.
    pub fn as_slot(&self) -> Option<(RangeInclusive<u8>, RangeInclusive<u32>)> {
        let read = |key: &[u8]| {
            let (day, hour) = key.split_first_chunk::<4>()?;
            Some((day[0], u32::from_be_bytes(hour.try_into().ok()?)))
        };
        let (first, last) = (read(&self.lo)?, read(self.last())?);
        Some((first.0..=last.0, first.1..=last.1))
    }

    /// One value.
    pub fn exact(bytes: impl Into<Box<[u8]>>) -> Self {
        Self {
            lo: bytes.into(),
            hi: None,
        }
    }

    /// A range, bounds inclusive; one value when both bounds are equal.
    pub fn range(lo: impl Into<Box<[u8]>>, hi: impl Into<Box<[u8]>>) -> Self {
        let (lo, hi) = (lo.into(), hi.into());
        if lo == hi {
            Self { lo, hi: None }
        } else {
            Self { lo, hi: Some(hi) }
        }
    }

    /// The last value: `hi`, or `lo` for one value.
    pub fn last(&self) -> &[u8] {
        self.hi.as_deref().unwrap_or(&self.lo)
    }
}

/// What an element of a map holds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Datum {
    /// Bytes of the map's value type.
    Value(Box<[u8]>),
    /// A verdict.
    Verdict(Verdict),
}

/// Packets and bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Count {
    /// Packets counted.
    pub packets: u64,
    /// Bytes counted.
    pub bytes: u64,
}

impl std::ops::AddAssign for Count {
    fn add_assign(&mut self, other: Self) {
        self.packets = self.packets.wrapping_add(other.packets);
        self.bytes = self.bytes.wrapping_add(other.bytes);
    }
}

/// One element. Identity is the key; a different datum or comment is another element.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Element {
    /// The key.
    pub key: Key,
    /// What a map returns for it.
    pub datum: Option<Datum>,
    /// The stable name of the rule the element stands for, as its comment.
    pub name: Option<String>,
    /// What it has counted; the start value when it is created. Never compared.
    pub count: Option<Count>,
}

/// A set with its elements, sorted by key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Set {
    /// What it is.
    pub spec: SetSpec,
    /// What is in it; empty for dynamic sets.
    pub elements: Elements,
    /// Where it came from in the policy.
    pub origin: Option<Origin>,
}
