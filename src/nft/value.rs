//! Values of packets and sets in nft's notation.
//!
//! Ports and protocols are numbers, so that no file of the machine decides what they mean.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::word::quoted;
use crate::ruleset::{Ct, DataType, Expression, Field, Interval, Meta};

/// How the bytes of a value are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A value that a set can hold.
    Data(DataType),
    /// One byte, a number.
    Byte,
    /// Four bytes in host order, a number.
    Number,
    /// The index of an interface: four bytes in host order.
    Index,
    /// Bits that have names.
    Bits(&'static [(u32, &'static str)]),
    /// `fib … type`
    AddressType,
    /// `meta nfproto`
    Nfproto,
    /// `meta time`: nanoseconds in host order, written in seconds. A number, because nft turns any other form with the
    /// zone of whoever loads it, and one number for all seasons.
    Time,
    /// `ct label`: 128 bits by number.
    Labels,
}

impl Kind {
    /// What an expression yields; `None` for several values and for what a map holds.
    pub(super) fn of(expression: &Expression) -> Option<Self> {
        Some(match expression {
            Expression::Meta(meta) => match meta {
                Meta::Iifname | Meta::Oifname => Self::Data(DataType::Ifname),
                Meta::Iif | Meta::Oif => Self::Index,
                Meta::Nfproto => Self::Nfproto,
                Meta::L4proto => Self::Data(DataType::InetProto),
                Meta::Time => Self::Time,
                Meta::Day => Self::Data(DataType::Day),
                Meta::Hour => Self::Number,
            },
            Expression::Field(field) | Expression::Masked(field, _) => Self::of_field(*field),
            Expression::Ct(Ct::State) => Self::Bits(&CT_STATE),
            Expression::Ct(Ct::Status) => Self::Bits(&CT_STATUS),
            Expression::Ct(Ct::Label) => Self::Labels,
            Expression::FibDaddrType { .. } => Self::AddressType,
            Expression::Numgen { .. } | Expression::Jhash { .. } => Self::Number,
            Expression::Concat(_) | Expression::Map(..) => return None,
        })
    }

    /// What a field holds.
    pub(super) fn of_field(field: Field) -> Self {
        match field {
            Field::IpSaddr | Field::IpDaddr => Self::Data(DataType::Ipv4Addr),
            Field::Ip6Saddr | Field::Ip6Daddr => Self::Data(DataType::Ipv6Addr),
            Field::Ip6Hoplimit => Self::Byte,
            Field::Dport(_) | Field::Sport(_) | Field::ThDport => Self::Data(DataType::InetService),
            Field::TcpFlags => Self::Bits(&TCP_FLAGS),
            Field::IcmpType => Self::Data(DataType::IcmpType),
            Field::Icmpv6Type => Self::Data(DataType::Icmpv6Type),
        }
    }

    /// The same as numbers: a `-` behind a name would be part of the name.
    pub(super) fn without_names(self) -> Self {
        match self {
            Self::Data(DataType::IcmpType | DataType::Icmpv6Type) | Self::Nfproto => Self::Byte,
            Self::Bits(names) if names == TCP_FLAGS => Self::Byte,
            Self::Bits(_) | Self::AddressType | Self::Index => Self::Number,
            Self::Data(_) | Self::Byte | Self::Number | Self::Time | Self::Labels => self,
        }
    }

    /// Bytes of one value.
    pub(super) fn width(self) -> usize {
        match self {
            Self::Data(data) => data.width(),
            Self::Byte | Self::Nfproto => 1,
            Self::Bits(names) if names == TCP_FLAGS => 1,
            Self::Number | Self::Index | Self::Bits(_) | Self::AddressType => 4,
            Self::Time => 8,
            Self::Labels => 16,
        }
    }
}

/// One value.
pub(super) fn value(kind: Kind, bytes: &[u8]) -> String {
    let text = match kind {
        Kind::Data(DataType::Ipv4Addr) => {
            <[u8; 4]>::try_from(bytes).map(|bytes| Ipv4Addr::from(bytes).to_string())
        }
        Kind::Data(DataType::Ipv6Addr) => {
            <[u8; 16]>::try_from(bytes).map(|bytes| Ipv6Addr::from(bytes).to_string())
        }
        Kind::Data(DataType::InetService) => {
            <[u8; 2]>::try_from(bytes).map(|bytes| u16::from_be_bytes(bytes).to_string())
        }
        Kind::Data(DataType::InetProto) | Kind::Byte => byte(bytes, &[]),
        Kind::Data(DataType::Ifname) => Ok(interface(bytes, "")),
        Kind::Data(DataType::Mark) => {
            <[u8; 4]>::try_from(bytes).map(|bytes| format!("{:#010x}", u32::from_ne_bytes(bytes)))
        }
        Kind::Data(DataType::Number) | Kind::Number => {
            <[u8; 4]>::try_from(bytes).map(|bytes| u32::from_ne_bytes(bytes).to_string())
        }
        Kind::Index => <[u8; 4]>::try_from(bytes).map(|bytes| match u32::from_ne_bytes(bytes) {
            LOOPBACK => "\"lo\"".to_owned(),
            other => other.to_string(),
        }),
        Kind::Data(DataType::IcmpType) => byte(bytes, &ICMP),
        Kind::Data(DataType::Icmpv6Type) => byte(bytes, &ICMPV6),
        Kind::Bits(names) => return bits(names, bytes, " | "),
        Kind::AddressType => <[u8; 4]>::try_from(bytes).map(|bytes| {
            let number = u32::from_ne_bytes(bytes);
            usize::try_from(number)
                .ok()
                .and_then(|number| ADDRESS_TYPE.get(number))
                .map_or_else(|| number.to_string(), |name| (*name).to_owned())
        }),
        Kind::Nfproto => byte(bytes, &[(2, "ipv4"), (10, "ipv6")]),
        Kind::Data(DataType::Day) => byte(bytes, &DAYS),
        Kind::Data(DataType::Hour) => {
            <[u8; 4]>::try_from(bytes).map(|bytes| u32::from_be_bytes(bytes).to_string())
        }
        Kind::Data(DataType::Time) => {
            <[u8; 8]>::try_from(bytes).map(|bytes| seconds(u64::from_be_bytes(bytes)))
        }
        Kind::Time => <[u8; 8]>::try_from(bytes).map(|bytes| seconds(u64::from_ne_bytes(bytes))),
        Kind::Labels => return labels(bytes),
    };
    text.unwrap_or_else(|_| hex(bytes))
}

/// An address of the family that its length tells.
pub(super) fn address(bytes: &[u8]) -> String {
    let data = match bytes.len() {
        16 => DataType::Ipv6Addr,
        _ => DataType::Ipv4Addr,
    };
    value(Kind::Data(data), bytes)
}

/// A prefix.
pub(super) fn prefix(kind: Kind, bytes: &[u8], bits: u8) -> String {
    format!("{}/{bits}", value(kind.without_names(), bytes))
}

/// A range, bounds inclusive.
pub(super) fn range(kind: Kind, lo: &[u8], hi: &[u8]) -> String {
    let kind = kind.without_names();
    format!("{}-{}", value(kind, lo), value(kind, hi))
}

/// A range as short as it can be said: a value, a prefix of an address, the beginning of an interface
/// name, or two bounds.
pub(super) fn interval(data: DataType, lo: &[u8], hi: &[u8]) -> String {
    let kind = Kind::Data(data);
    if lo == hi {
        return value(kind, lo);
    }
    match data {
        DataType::Ipv4Addr | DataType::Ipv6Addr => match prefix_bits(lo, hi) {
            Some(bits) => prefix(kind, lo, bits),
            None => range(kind, lo, hi),
        },
        DataType::Ifname => {
            let same = lo.iter().zip(hi).take_while(|(lo, hi)| lo == hi).count();
            let rest = |bytes: &[u8], fill| bytes.iter().skip(same).all(|byte| *byte == fill);
            if rest(lo, 0) && rest(hi, u8::MAX) {
                interface(lo, "*")
            } else {
                range(kind, lo, hi)
            }
        }
        DataType::InetService
        | DataType::InetProto
        | DataType::Mark
        | DataType::IcmpType
        | DataType::Icmpv6Type
        | DataType::Time
        | DataType::Day
        | DataType::Hour
        | DataType::Number => range(kind, lo, hi),
    }
}

/// The beginning of an interface name: `"wg*"`.
pub(super) fn starts_with(bytes: &[u8]) -> String {
    // With its NUL it is the whole name, as iptables compares it.
    interface(bytes, if bytes.ends_with(&[0]) { "" } else { "*" })
}

/// Bits by name, with something between them; a number when a bit has no name.
pub(super) fn bits(names: &[(u32, &str)], bytes: &[u8], between: &str) -> String {
    let number = match bytes {
        [byte] => u32::from(*byte),
        _ => match <[u8; 4]>::try_from(bytes) {
            Ok(bytes) => u32::from_ne_bytes(bytes),
            Err(_) => return hex(bytes),
        },
    };
    let known: Vec<(u32, &str)> = names
        .iter()
        .filter(|(bit, _)| number & bit != 0)
        .copied()
        .collect();
    if number == 0 || known.iter().fold(0, |sum, (bit, _)| sum | bit) != number {
        return format!("{number:#x}");
    }
    let names: Vec<&str> = known.into_iter().map(|(_, name)| name).collect();
    names.join(between)
}

/// nft has no way to write a part of a second.
fn seconds(nanoseconds: u64) -> String {
    (nanoseconds / 1_000_000_000).to_string()
}

/// The labels that are set: `5,9`.
pub(super) fn labels(bytes: &[u8]) -> String {
    let Ok(bits) = <[u8; 16]>::try_from(bytes).map(u128::from_ne_bytes) else {
        return hex(bytes);
    };
    let set = (0..128).filter(|label| bits >> label & 1 == 1);
    let labels: Vec<String> = set.map(|label: u32| label.to_string()).collect();
    labels.join(",")
}

/// Bytes that are not what the type says.
fn hex(bytes: &[u8]) -> String {
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("0x{digits}")
}

fn byte(bytes: &[u8], names: &[(u8, &str)]) -> Result<String, std::array::TryFromSliceError> {
    let [number] = <[u8; 1]>::try_from(bytes)?;
    let name = names.iter().find(|(value, _)| *value == number);
    Ok(name.map_or_else(|| number.to_string(), |(_, name)| (*name).to_owned()))
}

/// An interface name up to the first NUL; a `*` of its own must not become a wildcard.
fn interface(bytes: &[u8], end: &str) -> String {
    let name = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    let name = String::from_utf8_lossy(name);
    let mut name = match name.strip_suffix('*') {
        Some(start) => format!("{start}\\*"),
        None => name.into_owned(),
    };
    name.push_str(end);
    quoted(&name)
}

/// The length of the prefix that a range of addresses is.
fn prefix_bits(lo: &[u8], hi: &[u8]) -> Option<u8> {
    if let (Ok(lo), Ok(hi)) = (<[u8; 4]>::try_from(lo), <[u8; 4]>::try_from(hi)) {
        return Interval::new(u32::from_be_bytes(lo), u32::from_be_bytes(hi))?.prefix_len();
    }
    let lo = <[u8; 16]>::try_from(lo).ok()?;
    let hi = <[u8; 16]>::try_from(hi).ok()?;
    Interval::new(u128::from_be_bytes(lo), u128::from_be_bytes(hi))?.prefix_len()
}

/// linux/if.h `LOOPBACK_IFINDEX`: the index of `lo` in every network namespace
const LOOPBACK: u32 = 1;

/// linux/netfilter/nf_conntrack_common.h `NF_CT_STATE_BIT`
pub(super) const CT_STATE: [(u32, &str); 5] = [
    (1, "invalid"),
    (2, "established"),
    (4, "related"),
    (8, "new"),
    (64, "untracked"),
];

/// linux/netfilter/nf_conntrack_common.h `enum ip_conntrack_status`
pub(super) const CT_STATUS: [(u32, &str); 7] = [
    (1, "expected"),
    (2, "seen-reply"),
    (4, "assured"),
    (8, "confirmed"),
    (16, "snat"),
    (32, "dnat"),
    (512, "dying"),
];

/// RFC 9293, 3.1
pub(super) const TCP_FLAGS: [(u32, &str); 8] = [
    (1, "fin"),
    (2, "syn"),
    (4, "rst"),
    (8, "psh"),
    (16, "ack"),
    (32, "urg"),
    (64, "ecn"),
    (128, "cwr"),
];

/// linux/rtnetlink.h `RTN_*`, by number
const ADDRESS_TYPE: [&str; 9] = [
    "unspec",
    "unicast",
    "local",
    "broadcast",
    "anycast",
    "multicast",
    "blackhole",
    "unreachable",
    "prohibit",
];

/// nft's own names (`src/meta.c`), in quotes, because a `-` behind a bare name would be part of it
const DAYS: [(u8, &str); 7] = [
    (0, "\"Sunday\""),
    (1, "\"Monday\""),
    (2, "\"Tuesday\""),
    (3, "\"Wednesday\""),
    (4, "\"Thursday\""),
    (5, "\"Friday\""),
    (6, "\"Saturday\""),
];

/// nft's own names (`src/proto.c`), which no file of the machine changes
const ICMP: [(u8, &str); 15] = [
    (0, "echo-reply"),
    (3, "destination-unreachable"),
    (4, "source-quench"),
    (5, "redirect"),
    (8, "echo-request"),
    (9, "router-advertisement"),
    (10, "router-solicitation"),
    (11, "time-exceeded"),
    (12, "parameter-problem"),
    (13, "timestamp-request"),
    (14, "timestamp-reply"),
    (15, "info-request"),
    (16, "info-reply"),
    (17, "address-mask-request"),
    (18, "address-mask-reply"),
];

/// nft's own names (`src/proto.c`)
const ICMPV6: [(u8, &str); 18] = [
    (1, "destination-unreachable"),
    (2, "packet-too-big"),
    (3, "time-exceeded"),
    (4, "parameter-problem"),
    (128, "echo-request"),
    (129, "echo-reply"),
    (130, "mld-listener-query"),
    (131, "mld-listener-report"),
    (132, "mld-listener-done"),
    (133, "nd-router-solicit"),
    (134, "nd-router-advert"),
    (135, "nd-neighbor-solicit"),
    (136, "nd-neighbor-advert"),
    (137, "nd-redirect"),
    (138, "router-renumbering"),
    (141, "ind-neighbor-solicit"),
    (142, "ind-neighbor-advert"),
    (143, "mld2-listener-report"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(kind: Kind, bytes: &[u8], expect: &str) {
        assert_eq!(value(kind, bytes), expect);
    }

    #[test]
    fn values() {
        check(Kind::Data(DataType::Ipv4Addr), &[10, 0, 0, 1], "10.0.0.1");
        check(Kind::Data(DataType::InetService), &[1, 187], "443");
        check(Kind::Data(DataType::InetProto), &[6], "6");
        check(Kind::Data(DataType::Ifname), b"eth0\0\0", "\"eth0\"");
        check(Kind::Data(DataType::Ifname), b"eth*\0\0", "\"eth\\*\"");
        check(Kind::Data(DataType::Ifname), b"a\"b\n", "\"a?b?\"");
        check(
            Kind::Data(DataType::Icmpv6Type),
            &[135],
            "nd-neighbor-solicit",
        );
        check(Kind::Data(DataType::IcmpType), &[200], "200");
        check(
            Kind::Bits(&CT_STATE),
            &6u32.to_ne_bytes(),
            "established | related",
        );
        check(Kind::Bits(&TCP_FLAGS), &[0], "0x0");
        check(Kind::Bits(&CT_STATE), &1024u32.to_ne_bytes(), "0x400");
        check(Kind::AddressType, &2u32.to_ne_bytes(), "local");
        check(Kind::Nfproto, &[10], "ipv6");
        check(Kind::Number, &[1, 2, 3], "0x010203");
    }

    #[track_caller]
    fn check_interval(data: DataType, lo: &[u8], hi: &[u8], expect: &str) {
        assert_eq!(interval(data, lo, hi), expect);
    }

    #[test]
    fn intervals() {
        use DataType::{Ifname, InetService, Ipv4Addr, Ipv6Addr};
        check_interval(Ipv4Addr, &[10, 0, 0, 0], &[10, 0, 0, 255], "10.0.0.0/24");
        check_interval(
            Ipv4Addr,
            &[10, 0, 0, 0],
            &[10, 0, 0, 254],
            "10.0.0.0-10.0.0.254",
        );
        check_interval(Ipv4Addr, &[10, 0, 0, 1], &[10, 0, 0, 1], "10.0.0.1");
        check_interval(Ipv6Addr, &[0; 16], &[255; 16], "::/0");
        check_interval(InetService, &[0, 80], &[0, 90], "80-90");
        check_interval(InetService, &[0, 80], &[0, 81], "80-81");
        check_interval(DataType::IcmpType, &[3], &[8], "3-8");
        check_interval(Ifname, b"wg\0\0", b"wg\xff\xff", "\"wg*\"");
    }
}
