//! Sets, maps, elements and objects in nft's notation.

use super::statement::{rate, split, verdict};
use super::value::{self, Kind};
use super::word::{name, quoted};
use crate::ruleset::{DataType, Datum, Element, Key, Object, ObjectKind, Set, SetKind, SetSpec};

/// A set, map or verdict map without its elements, on one line.
pub fn set_text(spec: &SetSpec) -> String {
    let lines = set_lines(spec);
    format!("{} {{ {}; }}", heading(spec), lines.join("; "))
}

/// A named object on one line.
pub fn object_text(object: &Object) -> String {
    let (heading, lines) = object_lines(object);
    format!("{heading} {{ {}; }}", lines.join("; "))
}

/// An element of a set: its key, its comment, what a map holds for it. What it has counted is left out.
pub fn element_text(set: &SetSpec, element: &Element) -> String {
    element_with(set, element, false)
}

/// A key of a set: prefixes as CIDR, other ranges as `lo-hi`.
pub fn key_text(set: &SetSpec, key: &Key) -> String {
    let [only] = set.key.as_slice() else {
        let (mut lo, mut hi) = (&*key.lo, key.last());
        let fields: Vec<String> = set
            .key
            .iter()
            .map(|data| {
                let (low, lo_behind) = split(lo, data.width());
                let (high, hi_behind) = split(hi, data.width());
                (lo, hi) = (lo_behind, hi_behind);
                value::interval(*data, low, high)
            })
            .collect();
        return fields.join(" . ");
    };
    value::interval(*only, &key.lo, key.last())
}

/// `set NAME` or `map NAME`
pub(super) fn heading(spec: &SetSpec) -> String {
    let word = match spec.kind {
        SetKind::Set => "set",
        SetKind::Map(_) | SetKind::VerdictMap => "map",
    };
    format!("{word} {}", name(&spec.name))
}

/// What stands inside the braces before the elements, a line each.
pub(super) fn set_lines(spec: &SetSpec) -> Vec<String> {
    let SetSpec {
        name: _,
        key,
        kind,
        interval,
        dynamic,
        timeout,
        size,
        counter,
        comment,
    } = spec;
    let mut lines = vec![types(key, kind)];
    if let Some(size) = size {
        lines.push(format!("size {size}"));
    }
    let flags: Vec<&str> = [
        (*interval, "interval"),
        (*dynamic, "dynamic"),
        (timeout.is_some(), "timeout"),
    ]
    .into_iter()
    .filter_map(|(set, flag)| set.then_some(flag))
    .collect();
    if !flags.is_empty() {
        lines.push(format!("flags {}", flags.join(",")));
    }
    if *counter {
        lines.push("counter".to_owned());
    }
    if let Some(timeout) = timeout {
        lines.push(format!("timeout {}", duration(*timeout)));
    }
    if let Some(comment) = comment {
        lines.push(format!("comment {}", quoted(comment)));
    }
    lines
}

/// The elements, one line each.
pub(super) fn element_lines(set: &Set) -> impl Iterator<Item = String> + '_ {
    set.elements
        .iter()
        .map(|element| element_with(&set.spec, element, true))
}

/// The line before the braces, and the lines inside.
pub(super) fn object_lines(object: &Object) -> (String, Vec<String>) {
    let Object {
        name: called,
        kind,
        origin: _,
    } = object;
    match kind {
        ObjectKind::Limit(limit) => (format!("limit {}", name(called)), vec![rate(limit)]),
        ObjectKind::CtHelper { helper, protocol } => {
            let protocol = match protocol {
                6 => "tcp".to_owned(),
                17 => "udp".to_owned(),
                other => other.to_string(),
            };
            (
                format!("ct helper {}", name(called)),
                vec![
                    format!("type {} protocol {protocol}", quoted(helper)),
                    "l3proto inet".to_owned(),
                ],
            )
        }
        ObjectKind::Other(kind) => (format!("object {kind} {}", name(called)), Vec::new()),
    }
}

/// `type KEY : VALUE`. nft has no name for the type of what `numgen` yields and takes an expression of
/// that type instead; its modulus means nothing there.
fn types(key: &[DataType], kind: &SetKind) -> String {
    let value = match kind {
        SetKind::Map(data) => Some(*data),
        SetKind::Set | SetKind::VerdictMap => None,
    };
    let by_example = key
        .iter()
        .chain(&value)
        .any(|data| *data == DataType::Number);
    let (word, show): (_, fn(DataType) -> &'static str) = if by_example {
        ("typeof", example)
    } else {
        ("type", type_name)
    };
    let fields: Vec<&str> = key.iter().map(|data| show(*data)).collect();
    let end = match kind {
        SetKind::Set => "",
        SetKind::Map(data) if by_example && *data == DataType::Ipv4Addr => "ip daddr",
        SetKind::Map(data) if by_example && *data == DataType::Ipv6Addr => "ip6 daddr",
        SetKind::Map(data) => show(*data),
        SetKind::VerdictMap => "verdict",
    };
    let colon = if end.is_empty() { "" } else { " : " };
    format!("{word} {}{colon}{end}", fields.join(" . "))
}

fn type_name(data: DataType) -> &'static str {
    match data {
        DataType::Ipv4Addr => "ipv4_addr",
        DataType::Ipv6Addr => "ipv6_addr",
        DataType::InetService => "inet_service",
        DataType::InetProto => "inet_proto",
        DataType::Ifname => "ifname",
        DataType::Mark => "mark",
        DataType::IcmpType => "icmp_type",
        DataType::Icmpv6Type => "icmpv6_type",
        DataType::Number => "integer",
    }
}

/// An expression of the type. Never `jhash`: nft 1.0.6 crashes when it lists such a set.
fn example(data: DataType) -> &'static str {
    match data {
        DataType::Ipv4Addr => "ip saddr",
        DataType::Ipv6Addr => "ip6 saddr",
        DataType::InetService => "tcp dport",
        DataType::InetProto => "meta l4proto",
        DataType::Ifname => "iifname",
        DataType::Mark => "meta mark",
        DataType::IcmpType => "icmp type",
        DataType::Icmpv6Type => "icmpv6 type",
        DataType::Number => "numgen inc mod 65536",
    }
}

fn element_with(set: &SetSpec, element: &Element, with_count: bool) -> String {
    let Element {
        key,
        datum,
        name: comment,
        count,
    } = element;
    let mut text = key_text(set, key);
    if with_count
        && set.counter
        && let Some(count) = count
    {
        let (packets, bytes) = (count.packets, count.bytes);
        text.push_str(&format!(" counter packets {packets} bytes {bytes}"));
    }
    if let Some(comment) = comment {
        text.push_str(" comment ");
        text.push_str(&quoted(comment));
    }
    match (datum, &set.kind) {
        (Some(Datum::Verdict(it)), _) => {
            text.push_str(" : ");
            text.push_str(&verdict(it));
        }
        (Some(Datum::Value(bytes)), SetKind::Map(data)) => {
            text.push_str(" : ");
            text.push_str(&value::value(Kind::Data(*data), bytes));
        }
        (Some(Datum::Value(_)) | None, _) => {}
    }
    text
}

/// Milliseconds as nft writes them: `1h30m`.
fn duration(milliseconds: u64) -> String {
    let units = [
        (86_400_000, "d"),
        (3_600_000, "h"),
        (60_000, "m"),
        (1_000, "s"),
        (1, "ms"),
    ];
    let mut rest = milliseconds;
    let mut text = String::new();
    for (unit, name) in units {
        if rest >= unit {
            text.push_str(&format!("{}{name}", rest / unit));
            rest %= unit;
        }
    }
    if text.is_empty() {
        text.push_str("0s");
    }
    text
}
