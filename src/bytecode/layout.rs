//! Where each field and key stands: header layouts, key numbers, widths.
//!
//! One table for both directions. Not the wire format of netlink.

use rustables::sys;

use super::PayloadBase;
use crate::ruleset::{Ct, Expression, Field, Meta};

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
    }
}

/// `NFT_CT_*`
pub(super) fn ct_key(ct: Ct) -> u32 {
    match ct {
        Ct::State => sys::NFT_CT_STATE,
        Ct::Status => sys::NFT_CT_STATUS,
    }
}

/// Bytes of an expression's value. What a map yields depends on the map and is taken for one word.
pub(super) fn width(expression: &Expression) -> usize {
    match expression {
        Expression::Meta(Meta::Iifname | Meta::Oifname) => 16,
        Expression::Meta(Meta::Nfproto | Meta::L4proto) => 1,
        Expression::Meta(Meta::Iif | Meta::Oif)
        | Expression::Ct(_)
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
        Expression::Meta(Meta::Iif | Meta::Oif)
        | Expression::Ct(_)
        | Expression::FibDaddrType { .. }
        | Expression::Numgen { .. }
        | Expression::Jhash { .. } => true,
        Expression::Meta(Meta::Iifname | Meta::Oifname | Meta::Nfproto | Meta::L4proto)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks() {
        assert_eq!(prefix_mask(22, 4), [255, 255, 252, 0]);
        assert_eq!(prefix_mask(0, 4), [0; 4]);
        assert_eq!(prefix_mask(128, 16), [255; 16]);
    }
}
