//! Where each field and key stands: header layouts, key numbers, widths.
//!
//! One table for both directions. Not the wire format of netlink.

use rustables::sys;

use super::PayloadBase;
use crate::ruleset::{Ct, Expression, Field, Meta, Transport};

/// A payload base and an offset from it in bytes (RFC 791, RFC 8200, RFC 9293, RFC 768, RFC 792, RFC 4443).
pub(super) fn place(field: Field) -> (PayloadBase, u32) {
    match field {
        Field::Ip6Hoplimit => (PayloadBase::Network, 7),
        Field::Ip6Saddr => (PayloadBase::Network, 8),
        Field::IpSaddr => (PayloadBase::Network, 12),
        Field::IpDaddr => (PayloadBase::Network, 16),
        Field::Ip6Daddr => (PayloadBase::Network, 24),
        Field::IcmpType | Field::Icmpv6Type | Field::Sport(_) => (PayloadBase::Transport, 0),
        Field::Dport(_) | Field::ThDport => (PayloadBase::Transport, 2),
        Field::TcpFlags => (PayloadBase::Transport, 13),
    }
}

/// The field that begins at a place, given the family and the protocol that the rule has established.
pub(super) fn field_at(
    base: PayloadBase,
    offset: u32,
    family: Option<u8>,
    protocol: Option<u8>,
) -> Option<Field> {
    let with_ports = || {
        Transport::ALL
            .into_iter()
            .find(|transport| protocol == Some(transport.number()))
    };
    match (base, offset) {
        (PayloadBase::Network, 7) if family == Some(IPV6) => Some(Field::Ip6Hoplimit),
        (PayloadBase::Network, 8) if family == Some(IPV6) => Some(Field::Ip6Saddr),
        (PayloadBase::Network, 24) if family == Some(IPV6) => Some(Field::Ip6Daddr),
        (PayloadBase::Network, 12) if family == Some(IPV4) => Some(Field::IpSaddr),
        (PayloadBase::Network, 16) if family == Some(IPV4) => Some(Field::IpDaddr),
        (PayloadBase::Transport, 0) if protocol == Some(ICMP) => Some(Field::IcmpType),
        (PayloadBase::Transport, 0) if protocol == Some(ICMPV6) => Some(Field::Icmpv6Type),
        (PayloadBase::Transport, 0) => with_ports().map(Field::Sport),
        (PayloadBase::Transport, 2) => Some(with_ports().map_or(Field::ThDport, Field::Dport)),
        (PayloadBase::Transport, 13) if protocol == Some(TCP) => Some(Field::TcpFlags),
        _ => None,
    }
}

/// The nfproto that must hold before the field means anything.
pub(super) fn needs_family(field: Field) -> Option<u8> {
    match field {
        Field::IpSaddr | Field::IpDaddr | Field::IcmpType => Some(IPV4),
        Field::Ip6Saddr | Field::Ip6Daddr | Field::Ip6Hoplimit | Field::Icmpv6Type => Some(IPV6),
        Field::Dport(_) | Field::Sport(_) | Field::ThDport | Field::TcpFlags => None,
    }
}

/// The protocol number that must hold before the field means anything.
pub(super) fn needs_protocol(field: Field) -> Option<u8> {
    match field {
        Field::Dport(transport) | Field::Sport(transport) => Some(transport.number()),
        Field::TcpFlags => Some(TCP),
        Field::IcmpType => Some(ICMP),
        Field::Icmpv6Type => Some(ICMPV6),
        Field::IpSaddr
        | Field::IpDaddr
        | Field::Ip6Saddr
        | Field::Ip6Daddr
        | Field::Ip6Hoplimit
        | Field::ThDport => None,
    }
}

/// `NFPROTO_IPV4`
pub(super) const IPV4: u8 = 2;
/// `NFPROTO_IPV6`
pub(super) const IPV6: u8 = 10;
/// `IPPROTO_ICMP`
pub(super) const ICMP: u8 = 1;
/// `IPPROTO_TCP`
pub(super) const TCP: u8 = 6;
/// `IPPROTO_ICMPV6`
pub(super) const ICMPV6: u8 = 58;

/// `NFT_META_*`
pub(super) fn meta_key(meta: Meta) -> u32 {
    match meta {
        Meta::Iifname => sys::NFT_META_IIFNAME,
        Meta::Oifname => sys::NFT_META_OIFNAME,
        Meta::Iif => sys::NFT_META_IIF,
        Meta::Oif => sys::NFT_META_OIF,
        Meta::Nfproto => sys::NFT_META_NFPROTO,
        Meta::L4proto => sys::NFT_META_L4PROTO,
        Meta::Time => sys::NFT_META_TIME_NS,
        Meta::Day => sys::NFT_META_TIME_DAY,
        Meta::Hour => sys::NFT_META_TIME_HOUR,
    }
}

/// The `meta` expression of a key, when rfw has one.
pub(super) fn meta_of(key: u32) -> Option<Meta> {
    [
        Meta::Iifname,
        Meta::Oifname,
        Meta::Iif,
        Meta::Oif,
        Meta::Nfproto,
        Meta::L4proto,
        Meta::Time,
        Meta::Day,
        Meta::Hour,
    ]
    .into_iter()
    .find(|meta| meta_key(*meta) == key)
}

/// `NFT_CT_*`
pub(super) fn ct_key(ct: Ct) -> u32 {
    match ct {
        Ct::State => sys::NFT_CT_STATE,
        Ct::Status => sys::NFT_CT_STATUS,
        Ct::Label => sys::NFT_CT_LABELS,
    }
}

/// The `ct` expression of a key, when rfw has one.
pub(super) fn ct_of(key: u32) -> Option<Ct> {
    [Ct::State, Ct::Status, Ct::Label]
        .into_iter()
        .find(|ct| ct_key(*ct) == key)
}

/// Bytes of an expression's value. What a map yields depends on the map and is taken for one word.
pub(super) fn width(expression: &Expression) -> usize {
    match expression {
        Expression::Meta(Meta::Iifname | Meta::Oifname) => 16,
        Expression::Meta(Meta::Nfproto | Meta::L4proto | Meta::Day) => 1,
        Expression::Meta(Meta::Time) => 8,
        Expression::Ct(Ct::Label) => 16,
        Expression::Meta(Meta::Iif | Meta::Oif | Meta::Hour)
        | Expression::Ct(Ct::State | Ct::Status)
        | Expression::FibDaddrType { .. }
        | Expression::Numgen { .. }
        | Expression::Jhash { .. }
        | Expression::Map(..) => 4,
        Expression::Field(field) | Expression::Masked(field, _) => field.width(),
        Expression::Concat(fields) => fields
            .iter()
            .map(|field| width(field).next_multiple_of(4))
            .sum(),
    }
}

/// Whether the value is a number in the byte order of the host, so that `<` needs it turned first.
pub(super) fn is_host_order(expression: &Expression) -> bool {
    match expression {
        Expression::Meta(Meta::Iif | Meta::Oif | Meta::Time | Meta::Hour)
        | Expression::Ct(_)
        | Expression::FibDaddrType { .. }
        | Expression::Numgen { .. }
        | Expression::Jhash { .. } => true,
        Expression::Meta(
            Meta::Iifname | Meta::Oifname | Meta::Nfproto | Meta::L4proto | Meta::Day,
        )
        | Expression::Field(_)
        | Expression::Masked(..)
        | Expression::Concat(_)
        | Expression::Map(..) => false,
    }
}

/// The mask of a prefix: `bits` ones, then zeros, `bytes` bytes in all.
pub(super) fn prefix_mask(bits: u8, bytes: usize) -> Vec<u8> {
    (0..bytes)
        .map(|at| {
            let ones = usize::from(bits).saturating_sub(at * 8).min(8);
            !(0xffu16 >> ones) as u8
        })
        .collect()
}

/// The prefix length of a mask, when it is ones and then zeros.
pub(super) fn prefix_of(mask: &[u8]) -> Option<u8> {
    let ones = mask.iter().map(|byte| byte.leading_ones()).sum::<u32>();
    let bits = u8::try_from(ones).ok()?;
    (prefix_mask(bits, mask.len()) == mask).then_some(bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_and_prefixes_are_inverse() {
        assert_eq!(prefix_mask(22, 4), [255, 255, 252, 0]);
        assert_eq!(prefix_mask(0, 4), [0; 4]);
        for bits in 0..=128 {
            assert_eq!(prefix_of(&prefix_mask(bits, 16)), Some(bits));
        }
        assert_eq!(prefix_of(&[255, 0, 255, 0]), None);
        assert_eq!(prefix_of(&[254, 255, 0, 0]), None);
    }
}
