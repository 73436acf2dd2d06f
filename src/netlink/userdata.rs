//! User data of nft's making: what the kernel keeps for nft and does not read. One byte tag, one byte
//! length, value, one after the other (libnftnl/udata.h).
//!
//! nft lists comments, interface names and marks rightly only when it is there.

use rustables::sys;

use super::constants::udata;
use crate::ruleset::{DataType, SetKind, SetSpec};

/// Byte order by nft's number (nftables/include/datatype.h `enum byteorder`).
const ORDER_UNSAID: u32 = 0;
const ORDER_HOST: u32 = 1;
const ORDER_BIG_ENDIAN: u32 = 2;

/// nft's expressions that `typeof` may name (nftables/include/expression.h `enum expr_types`).
const EXPR_VERDICT: u32 = 1;
const EXPR_PAYLOAD: u32 = 7;
const EXPR_META: u32 = 9;
const EXPR_CONCAT: u32 = 13;
const EXPR_NUMGEN: u32 = 23;
/// Stands in the declaration of such a set and means nothing there: nft takes any key.
const MODULUS: u32 = 65536;

/// User data with one value.
fn entry(bytes: &mut Vec<u8>, tag: u8, value: &[u8]) {
    // A longer value has no place; policies bound comments far below.
    let Ok(length) = u8::try_from(value.len()) else {
        return;
    };
    bytes.extend_from_slice(&[tag, length]);
    bytes.extend_from_slice(value);
}

fn number(bytes: &mut Vec<u8>, tag: u8, value: u32) {
    entry(bytes, tag, &value.to_ne_bytes());
}

/// Text with its NUL.
fn text(bytes: &mut Vec<u8>, tag: u8, text: &str) {
    // As in `entry`.
    let Ok(length) = u8::try_from(text.len() + 1) else {
        return;
    };
    bytes.reserve(text.len() + 3);
    bytes.extend_from_slice(&[tag, length]);
    bytes.extend_from_slice(text.as_bytes());
    bytes.push(0);
}

fn entries(bytes: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let (&[tag, length], after) = rest.split_first_chunk::<2>()?;
        let value = after.get(..usize::from(length))?;
        rest = after.get(usize::from(length)..)?;
        Some((tag, value))
    })
}

fn find(bytes: &[u8], tag: u8) -> Option<&[u8]> {
    entries(bytes)
        .find(|(found, _)| *found == tag)
        .map(|(_, value)| value)
}

/// User data of rfw's table.
pub(super) fn table(mark: &[u8; 16]) -> Vec<u8> {
    let mut bytes = Vec::new();
    entry(&mut bytes, udata::TABLE_MARK, mark);
    bytes
}

/// rfw's mark in the user data of a table.
pub(super) fn table_mark(bytes: &[u8]) -> Option<[u8; 16]> {
    find(bytes, udata::TABLE_MARK)?.try_into().ok()
}

/// User data of a rule or an element with a comment.
pub(super) fn comment(comment: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    text(&mut bytes, udata::COMMENT, comment);
    bytes
}

/// The comment in the user data of a rule or an element.
pub(super) fn comment_in(bytes: &[u8]) -> Option<String> {
    find(bytes, udata::ELEMENT_COMMENT).map(super::attribute::string)
}

/// User data of an element: its comment, and whether its interval has no end.
pub(super) fn element(name: Option<&str>, open: bool) -> Vec<u8> {
    let mut bytes = name.map(comment).unwrap_or_default();
    if open {
        number(&mut bytes, udata::ELEMENT_FLAGS, 1);
    }
    bytes
}

/// The comment in the user data of a set.
pub(super) fn set_comment(bytes: &[u8]) -> Option<String> {
    find(bytes, udata::SET_COMMENT).map(super::attribute::string)
}

/// User data of a set. A key of [`DataType::Number`] is declared as `numgen inc mod 65536`, the only way
/// in which nft 1.0.6 can say it (`typeof jhash …` makes it crash); one of times as `meta time` and so on,
/// because the `type time` that nft lists without it is another one to its parser.
pub(super) fn set(spec: &SetSpec) -> Vec<u8> {
    let mut bytes = Vec::new();
    let key_order = match spec.key.as_slice() {
        [only] => order(*only),
        _ => ORDER_UNSAID,
    };
    number(&mut bytes, udata::SET_KEY_BYTEORDER, key_order);
    match &spec.kind {
        SetKind::Set => {}
        SetKind::Map(value) => number(&mut bytes, udata::SET_DATA_BYTEORDER, order(*value)),
        SetKind::VerdictMap => number(&mut bytes, udata::SET_DATA_BYTEORDER, ORDER_UNSAID),
    }
    if let Some(key) = typeof_key(&spec.key)
        && let Some(value) = typeof_value(&spec.kind)
    {
        entry(&mut bytes, udata::SET_KEY_TYPEOF, &key);
        if !value.is_empty() {
            entry(&mut bytes, udata::SET_DATA_TYPEOF, &value);
        }
    }
    if spec.kind != SetKind::Set {
        number(&mut bytes, udata::SET_DATA_INTERVAL, 0);
    }
    if let Some(comment) = &spec.comment {
        text(&mut bytes, udata::SET_COMMENT, comment);
    }
    bytes
}

fn order(data_type: DataType) -> u32 {
    if data_type.is_host_order() {
        ORDER_HOST
    } else {
        ORDER_BIG_ENDIAN
    }
}

/// What a key that has no name of its own is by `typeof`.
fn typeof_key(key: &[DataType]) -> Option<Vec<u8>> {
    match key {
        [DataType::Number] => Some(expression(EXPR_NUMGEN, &[0, MODULUS, 0])),
        [only] => Some(expression(EXPR_META, &[meta_of(*only)?])),
        fields => {
            let mut inside = Vec::new();
            for (tag, field) in (0..).zip(fields) {
                entry(
                    &mut inside,
                    tag,
                    &expression(EXPR_META, &[meta_of(*field)?]),
                );
            }
            Some(nested(EXPR_CONCAT, &inside))
        }
    }
}

/// The `meta` expression that yields a type without a name.
fn meta_of(data_type: DataType) -> Option<u32> {
    match data_type {
        DataType::Time => Some(sys::NFT_META_TIME_NS),
        DataType::Day => Some(sys::NFT_META_TIME_DAY),
        DataType::Hour => Some(sys::NFT_META_TIME_HOUR),
        _ => None,
    }
}

/// A field that has the map's value type, as `typeof` names it; `None` when there is none.
fn typeof_value(kind: &SetKind) -> Option<Vec<u8>> {
    /// Protocol and field by nft's numbers (nftables/include/proto.h).
    const IP_DADDR: [u32; 2] = [12, 12];
    const IP6_DADDR: [u32; 2] = [13, 9];
    const TCP_DPORT: [u32; 2] = [8, 2];
    const META_MARK: u32 = 3;
    match kind {
        SetKind::Set => Some(Vec::new()),
        SetKind::VerdictMap => Some(expression(EXPR_VERDICT, &[])),
        SetKind::Map(DataType::Ipv4Addr) => Some(expression(EXPR_PAYLOAD, &IP_DADDR)),
        SetKind::Map(DataType::Ipv6Addr) => Some(expression(EXPR_PAYLOAD, &IP6_DADDR)),
        SetKind::Map(DataType::InetService) => Some(expression(EXPR_PAYLOAD, &TCP_DPORT)),
        SetKind::Map(DataType::Mark) => Some(expression(EXPR_META, &[META_MARK])),
        SetKind::Map(
            DataType::InetProto
            | DataType::Ifname
            | DataType::IcmpType
            | DataType::Icmpv6Type
            | DataType::Time
            | DataType::Day
            | DataType::Hour
            | DataType::Number,
        ) => None,
    }
}

/// nft's expression: its number, and its own numbers counted from 0.
fn expression(kind: u32, fields: &[u32]) -> Vec<u8> {
    let mut inside = Vec::new();
    for (tag, field) in (0..).zip(fields) {
        number(&mut inside, tag, *field);
    }
    nested(kind, &inside)
}

fn nested(kind: u32, inside: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    number(&mut bytes, 0, kind);
    entry(&mut bytes, 1, inside);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(kind: SetKind, key: DataType, expect: &str) {
        check_key(kind, &[key], expect);
    }

    #[track_caller]
    fn check_key(kind: SetKind, key: &[DataType], expect: &str) {
        let bytes = set(&SetSpec::new("m", key.to_vec(), kind));
        let text: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(text.join(" "), expect);
    }

    /// Copied from `nft --debug=mnl` (nft 1.0.6, little endian) for `typeof numgen inc mod 65536 : …`.
    #[test]
    #[cfg(target_endian = "little")]
    fn set_userdata_is_that_of_nft() {
        check(
            SetKind::Map(DataType::Ipv4Addr),
            DataType::Number,
            "00 04 01 00 00 00 01 04 02 00 00 00 03 1a 00 04 17 00 00 00 01 12 00 04 00 00 00 00 \
             01 04 00 00 01 00 02 04 00 00 00 00 04 14 00 04 07 00 00 00 01 0c 00 04 0c 00 00 00 \
             01 04 0c 00 00 00 06 04 00 00 00 00",
        );
        check(
            SetKind::VerdictMap,
            DataType::Number,
            "00 04 01 00 00 00 01 04 00 00 00 00 03 1a 00 04 17 00 00 00 01 12 00 04 00 00 00 00 \
             01 04 00 00 01 00 02 04 00 00 00 00 04 08 00 04 01 00 00 00 01 00 06 04 00 00 00 00",
        );
        check(
            SetKind::Map(DataType::Mark),
            DataType::Number,
            "00 04 01 00 00 00 01 04 01 00 00 00 03 1a 00 04 17 00 00 00 01 12 00 04 00 00 00 00 \
             01 04 00 00 01 00 02 04 00 00 00 00 04 0e 00 04 09 00 00 00 01 06 00 04 03 00 00 00 \
             06 04 00 00 00 00",
        );
        check(
            SetKind::Map(DataType::Mark),
            DataType::Ipv4Addr,
            "00 04 02 00 00 00 01 04 01 00 00 00 06 04 00 00 00 00",
        );
        check(SetKind::Set, DataType::Ifname, "00 04 01 00 00 00");
        check(
            SetKind::Set,
            DataType::Time,
            "00 04 01 00 00 00 03 0e 00 04 09 00 00 00 01 06 00 04 1e 00 00 00",
        );
        check_key(
            SetKind::Set,
            &[DataType::Time, DataType::Day, DataType::Hour],
            "00 04 00 00 00 00 03 38 00 04 0d 00 00 00 01 30 \
             00 0e 00 04 09 00 00 00 01 06 00 04 1e 00 00 00 \
             01 0e 00 04 09 00 00 00 01 06 00 04 1f 00 00 00 \
             02 0e 00 04 09 00 00 00 01 06 00 04 20 00 00 00",
        );
    }

    #[test]
    fn comments_and_marks_come_back() {
        assert_eq!(comment("a/b"), b"\x00\x04a/b\x00");
        assert_eq!(comment_in(&comment("a/b")).as_deref(), Some("a/b"));
        assert_eq!(comment_in(&element(Some("c"), true)).as_deref(), Some("c"));
        assert_eq!(comment_in(&element(None, true)), None);
        assert_eq!(table_mark(&table(&[7; 16])), Some([7; 16]));
        assert_eq!(table_mark(&comment("a")), None);
        assert_eq!(comment_in(b"\x00\x09ab"), None);
    }
}
