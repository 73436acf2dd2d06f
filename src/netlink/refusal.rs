//! Where in an operation the kernel saw the mistake: from the offset in its answer to words.
//!
//! The offset points at the header of the bad attribute: a name, a handle, an expression of a rule, the
//! key of an element (net/netfilter/nf_tables_api.c, `NL_SET_BAD_ATTR`).

use std::net::{Ipv4Addr, Ipv6Addr};

use super::attribute::{Attribute, attributes};
use super::constants::{NFT_MSG_DESTROYSETELEM, sys};
use super::element::successor;
use super::message::{HEADERS, messages};
use crate::plan::Operation;
use crate::ruleset::{DataType, Element, Key, SetSpec};

/// The part of the message at an offset, in words.
pub(super) fn detail(message: &[u8], offset: usize, operation: &Operation) -> Option<String> {
    let kind = u32::from(messages(message).next()?.ok()?.kind) & 0xff;
    let offset = offset.checked_sub(HEADERS)?;
    let attribute = at(message.get(HEADERS..)?, offset)?;
    let inside = offset.checked_sub(attribute.offset + 4);
    match kind {
        sys::NFT_MSG_NEWTABLE | sys::NFT_MSG_DELTABLE => table(attribute),
        sys::NFT_MSG_NEWCHAIN | sys::NFT_MSG_DELCHAIN => chain(attribute),
        sys::NFT_MSG_NEWSET | sys::NFT_MSG_DELSET => set(attribute),
        sys::NFT_MSG_NEWOBJ | sys::NFT_MSG_DELOBJ => object(attribute),
        sys::NFT_MSG_NEWRULE | sys::NFT_MSG_DELRULE => rule(attribute, inside),
        sys::NFT_MSG_NEWSETELEM | sys::NFT_MSG_DELSETELEM | NFT_MSG_DESTROYSETELEM => {
            elements(attribute, inside, operation)
        }
        _ => None,
    }
}

/// The attribute that begins at, or holds, an offset.
fn at(bytes: &[u8], offset: usize) -> Option<Attribute<'_>> {
    attributes(bytes)
        .map_while(Result::ok)
        .take_while(|attribute| attribute.offset <= offset)
        .last()
}

fn named(what: &str, attribute: &Attribute<'_>) -> Option<String> {
    Some(format!("{what} `{}`", attribute.string()))
}

fn table(attribute: Attribute<'_>) -> Option<String> {
    match attribute.kind {
        sys::NFTA_TABLE_NAME => named("table", &attribute),
        sys::NFTA_TABLE_FLAGS => Some("table flags".into()),
        _ => None,
    }
}

fn chain(attribute: Attribute<'_>) -> Option<String> {
    match attribute.kind {
        sys::NFTA_CHAIN_TABLE => named("table", &attribute),
        sys::NFTA_CHAIN_NAME => named("chain", &attribute),
        sys::NFTA_CHAIN_TYPE => named("chain type", &attribute),
        sys::NFTA_CHAIN_HOOK => Some("hook".into()),
        sys::NFTA_CHAIN_POLICY => Some("chain policy".into()),
        _ => None,
    }
}

fn set(attribute: Attribute<'_>) -> Option<String> {
    match attribute.kind {
        sys::NFTA_SET_TABLE => named("table", &attribute),
        sys::NFTA_SET_NAME => named("set", &attribute),
        sys::NFTA_SET_FLAGS => Some("flags".into()),
        sys::NFTA_SET_KEY_TYPE | sys::NFTA_SET_KEY_LEN => Some("key type".into()),
        sys::NFTA_SET_DATA_TYPE | sys::NFTA_SET_DATA_LEN => Some("value type".into()),
        sys::NFTA_SET_DESC => Some("size or fields".into()),
        sys::NFTA_SET_TIMEOUT => Some("timeout".into()),
        sys::NFTA_SET_EXPR => Some("counter".into()),
        _ => None,
    }
}

fn object(attribute: Attribute<'_>) -> Option<String> {
    match attribute.kind {
        sys::NFTA_OBJ_TABLE => named("table", &attribute),
        sys::NFTA_OBJ_NAME => named("object", &attribute),
        sys::NFTA_OBJ_TYPE => Some("object type".into()),
        sys::NFTA_OBJ_DATA => Some("object".into()),
        _ => None,
    }
}

fn rule(attribute: Attribute<'_>, inside: Option<usize>) -> Option<String> {
    match attribute.kind {
        sys::NFTA_RULE_TABLE => named("table", &attribute),
        sys::NFTA_RULE_CHAIN => named("chain", &attribute),
        sys::NFTA_RULE_HANDLE => Some(format!("rule handle {}", attribute.be64().ok()?)),
        sys::NFTA_RULE_POSITION => Some(format!(
            "the rule before which it is put, handle {}",
            attribute.be64().ok()?
        )),
        sys::NFTA_RULE_USERDATA => Some("comment".into()),
        sys::NFTA_RULE_EXPRESSIONS => {
            let Some(inside) = inside else {
                return Some("expressions".into());
            };
            let (place, expression) = entry(attribute, inside)?;
            let name = expression
                .nested()
                .map_while(Result::ok)
                .find(|field| field.kind == sys::NFTA_EXPR_NAME)?;
            Some(format!("expression {} ({})", place + 1, name.string()))
        }
        _ => None,
    }
}

/// The entry of a list at an offset, and its place.
fn entry<'a>(list: Attribute<'a>, offset: usize) -> Option<(usize, Attribute<'a>)> {
    list.nested()
        .map_while(Result::ok)
        .take_while(|attribute| attribute.offset <= offset)
        .enumerate()
        .last()
}

fn elements(
    attribute: Attribute<'_>,
    inside: Option<usize>,
    operation: &Operation,
) -> Option<String> {
    let (Operation::AddElements { set, elements } | Operation::DeleteElements { set, elements }) =
        operation
    else {
        return None;
    };
    match attribute.kind {
        sys::NFTA_SET_ELEM_LIST_TABLE => named("table", &attribute),
        sys::NFTA_SET_ELEM_LIST_SET => named("set", &attribute),
        sys::NFTA_SET_ELEM_LIST_ELEMENTS => {
            let (_, entry) = entry(attribute, inside?)?;
            let key = entry
                .nested()
                .map_while(Result::ok)
                .find(|field| field.kind == sys::NFTA_SET_ELEM_KEY)?;
            let value = key.nested().next()?.ok()?.value;
            let element = elements.iter().find(|element| is_part(element, value))?;
            Some(format!("element {}", describe(set, &element.key)))
        }
        _ => None,
    }
}

/// Whether a key of the kernel belongs to an element: its first key, or the key after its last.
fn is_part(element: &Element, key: &[u8]) -> bool {
    *element.key.lo == *key || successor(element.key.last()).as_deref() == Some(key)
}

/// A key as nft writes it.
fn describe(spec: &SetSpec, key: &Key) -> String {
    let lo = fields(spec, &key.lo);
    let hi = fields(spec, key.last());
    let fields: Vec<_> = lo
        .into_iter()
        .zip(hi)
        .map(|(lo, hi)| if lo == hi { lo } else { format!("{lo}-{hi}") })
        .collect();
    fields.join(" . ")
}

fn fields(spec: &SetSpec, bytes: &[u8]) -> Vec<String> {
    let mut fields = Vec::new();
    let mut rest = bytes;
    for field in &spec.key {
        let (value, after) = rest.split_at_checked(field.width()).unwrap_or((rest, &[]));
        let padding = field.width().next_multiple_of(4) - field.width();
        rest = after.get(padding..).unwrap_or_default();
        fields.push(value_text(*field, value).unwrap_or_else(|| hex(value)));
    }
    fields
}

fn value_text(data_type: DataType, value: &[u8]) -> Option<String> {
    Some(match data_type {
        DataType::Ipv4Addr => Ipv4Addr::from(<[u8; 4]>::try_from(value).ok()?).to_string(),
        DataType::Ipv6Addr => Ipv6Addr::from(<[u8; 16]>::try_from(value).ok()?).to_string(),
        DataType::InetService => u16::from_be_bytes(value.try_into().ok()?).to_string(),
        DataType::InetProto | DataType::IcmpType | DataType::Icmpv6Type | DataType::Day => {
            u8::from_be_bytes(value.try_into().ok()?).to_string()
        }
        DataType::Ifname => super::attribute::string(value),
        DataType::Time => (u64::from_be_bytes(value.try_into().ok()?) / 1_000_000_000).to_string(),
        DataType::Hour => u32::from_be_bytes(value.try_into().ok()?).to_string(),
        DataType::Mark | DataType::Number => u32::from_ne_bytes(value.try_into().ok()?).to_string(),
    })
}

fn hex(value: &[u8]) -> String {
    let digits: Vec<_> = value.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("0x{}", digits.concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ruleset::SetKind;

    #[test]
    fn keys_in_words() {
        let spec = SetSpec::new(
            "s",
            vec![
                DataType::Ipv4Addr,
                DataType::InetProto,
                DataType::InetService,
            ],
            SetKind::Set,
        );
        let lo = [10, 0, 0, 0, 6, 0, 0, 0, 0, 80, 0, 0];
        let hi = [10, 0, 0, 255, 6, 0, 0, 0, 0, 80, 0, 0];
        assert_eq!(describe(&spec, &Key::exact(lo)), "10.0.0.0 . 6 . 80");
        assert_eq!(
            describe(&spec, &Key::range(lo, hi)),
            "10.0.0.0-10.0.0.255 . 6 . 80"
        );
        assert_eq!(describe(&spec, &Key::exact([1, 2])), "0x0102 . 0x . 0x");
    }
}
