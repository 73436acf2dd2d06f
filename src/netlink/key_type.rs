//! Data types by the numbers that nft keeps in a set (nftables/include/datatype.h `enum datatypes`):
//! the kernel stores them and does not look at them.
//!
//! The type of a concatenation is its fields' numbers, 6 bits each, the first field highest. All
//! numbers were read off `nft --debug=mnl` (nft 1.0.6).

use crate::ruleset::DataType;

const BITS: u32 = 6;
const MASK: u32 = (1 << BITS) - 1;
/// nft's plain integer: what `numgen` and `jhash` yield.
const INTEGER: u32 = 4;

/// Every type that has a number.
const NUMBERS: [(DataType, u32); 12] = [
    (DataType::Number, INTEGER),
    (DataType::Ipv4Addr, 7),
    (DataType::Ipv6Addr, 8),
    (DataType::InetProto, 12),
    (DataType::InetService, 13),
    (DataType::IcmpType, 14),
    (DataType::Mark, 19),
    (DataType::Icmpv6Type, 29),
    (DataType::Ifname, 41),
    (DataType::Time, 43),
    (DataType::Hour, 44),
    (DataType::Day, 45),
];

/// The number of one type.
pub(super) fn number(data_type: DataType) -> u32 {
    NUMBERS
        .iter()
        .find(|(known, _)| *known == data_type)
        .map_or(0, |(_, number)| *number)
}

/// The number of a key.
pub(super) fn key_number(key: &[DataType]) -> u32 {
    key.iter()
        .fold(0, |sum, field| (sum << BITS) | number(*field))
}

/// The type with a number.
pub(super) fn data_type(number: u32) -> Option<DataType> {
    NUMBERS
        .iter()
        .find(|(_, known)| *known == number)
        .map(|(data_type, _)| *data_type)
}

/// The fields of a key, first field first; numbers that rfw does not know come as `Err`.
pub(super) fn key(number: u32) -> Vec<Result<DataType, u32>> {
    let mut fields = Vec::new();
    let mut rest = number;
    while rest != 0 {
        fields.push(data_type(rest & MASK).ok_or(rest & MASK));
        rest >>= BITS;
    }
    fields.reverse();
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(fields: &[DataType], expect: u32) {
        assert_eq!(key_number(fields), expect);
        let back: Vec<_> = fields.iter().copied().map(Ok).collect();
        assert_eq!(key(expect), back);
    }

    #[test]
    fn numbers_are_those_of_nft() {
        check(&[DataType::Ipv4Addr], 7);
        check(&[DataType::Ipv4Addr, DataType::InetService], 0x1cd);
        check(
            &[
                DataType::Ipv4Addr,
                DataType::InetProto,
                DataType::InetService,
            ],
            0x730d,
        );
        check(
            &[
                DataType::InetProto,
                DataType::Ifname,
                DataType::Mark,
                DataType::Ipv6Addr,
            ],
            0x0032_94c8,
        );
        check(&[DataType::Time, DataType::Day, DataType::Hour], 0x2_bb6c);
    }

    #[test]
    fn unknown_numbers_stay() {
        assert_eq!(key(7 << 6 | 9), [Ok(DataType::Ipv4Addr), Err(9)]);
        assert_eq!(key(0), []);
    }
}
