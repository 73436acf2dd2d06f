//! Sets, maps, elements and objects in nft's notation.

use super::statement::{rate, split, verdict};
use super::value::{self, Kind};
use super::word::{name, quoted};
use crate::ruleset::{
    DataType, Datum, Element, FLOWTABLE, Flowtable, Key, Object, ObjectKind, Set, SetKind, SetSpec,
};

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
        gc_interval,
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
        (timeout.is_some() || gc_interval.is_some(), "timeout"),
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
    if let Some(interval) = gc_interval {
        lines.push(format!("gc-interval {}", duration(u64::from(*interval))));
    }
    if let Some(comment) = comment {
        lines.push(format!("comment {}", quoted(comment)));
    }
    lines
}

/// The elements, and whether each is nothing but its key.
pub(super) fn elements(set: &Set) -> Vec<(String, bool)> {
    set.elements
        .iter()
        .map(|element| {
            let plain = element.datum.is_none() && element.name.is_none();
            (element_with(&set.spec, &element, true), plain)
        })
        .collect()
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
        ObjectKind::Flowtable(Flowtable {
            interfaces,
            hardware,
        }) => {
            let interfaces: Vec<String> = interfaces.iter().map(|it| quoted(it)).collect();
            let mut lines = vec![
                "hook ingress priority 0".to_owned(),
                format!("devices = {{ {} }}", interfaces.join(", ")),
            ];
            if *hardware {
                lines.push("flags offload".to_owned());
            }
            (format!("flowtable {}", name(called)), lines)
        }
        ObjectKind::Other(FLOWTABLE) => (format!("flowtable {}", name(called)), Vec::new()),
        ObjectKind::Other(kind) => (format!("object {kind} {}", name(called)), Vec::new()),
    }
}

/// `type KEY : VALUE`. nft has no name for the type of what `numgen` and the times yield and takes an expression of
/// that type instead; its modulus means nothing there.
fn types(key: &[DataType], kind: &SetKind) -> String {
    let value = match kind {
        SetKind::Map(data) => Some(*data),
        SetKind::Set | SetKind::VerdictMap => None,
    };
    let by_example = key.iter().chain(&value).any(|data| data.has_no_name());
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

/// nft's name of a type.
pub(super) fn type_name(data: DataType) -> &'static str {
    match data {
        DataType::Ipv4Addr => "ipv4_addr",
        DataType::Ipv6Addr => "ipv6_addr",
        DataType::InetService => "inet_service",
        DataType::InetProto => "inet_proto",
        DataType::Ifname => "ifname",
        DataType::Mark => "mark",
        DataType::IcmpType => "icmp_type",
        DataType::Icmpv6Type => "icmpv6_type",
        DataType::Time => "time",
        DataType::Day => "day",
        DataType::Hour => "hour",
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
        DataType::Time => "meta time",
        DataType::Day => "meta day",
        DataType::Hour => "meta hour",
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ruleset::{Count, Limit, Verdict};

    #[test]
    fn sets_on_one_line() {
        let mut spec = SetSpec::new("lan.net4", vec![DataType::Ipv4Addr], SetKind::Set);
        spec.interval = true;
        spec.size = Some(10);
        spec.timeout = Some(5_400_500);
        spec.comment = Some("our \"lan\"".to_owned());
        assert_eq!(
            set_text(&spec),
            "set lan.net4 { type ipv4_addr; size 10; flags interval,timeout; \
             timeout 1h30m500ms; comment \"our ?lan?\"; }"
        );
        spec.timeout = None;
        spec.gc_interval = Some(604_800_000);
        assert_eq!(
            set_text(&spec),
            "set lan.net4 { type ipv4_addr; size 10; flags interval,timeout; gc-interval 7d; comment \"our ?lan?\"; }"
        );
        let key = vec![DataType::Number, DataType::InetService];
        let spec = SetSpec::new("m", key, SetKind::Map(DataType::Ipv6Addr));
        assert_eq!(
            set_text(&spec),
            "map m { typeof numgen inc mod 65536 . tcp dport : ip6 daddr; }"
        );
    }

    #[test]
    fn elements() {
        let key = vec![
            DataType::Ipv4Addr,
            DataType::InetProto,
            DataType::InetService,
        ];
        let mut spec = SetSpec::new("v", key, SetKind::VerdictMap);
        spec.counter = true;
        let element = Element {
            key: Key::range(
                [10, 0, 0, 0, 6, 0, 0, 0, 0, 80, 0, 0],
                [10, 0, 3, 255, 6, 0, 0, 0, 0, 90, 0, 0],
            ),
            datum: Some(Datum::Verdict(Verdict::Goto("c".to_owned()))),
            name: Some("p/r".to_owned()),
            count: Some(Count {
                packets: 1,
                bytes: 2,
            }),
        };
        assert_eq!(
            element_text(&spec, &element),
            "10.0.0.0/22 . 6 . 80-90 comment \"p/r\" : goto c"
        );
        assert_eq!(
            element_with(&spec, &element, true),
            "10.0.0.0/22 . 6 . 80-90 counter packets 1 bytes 2 comment \"p/r\" : goto c"
        );
    }

    #[test]
    fn objects() {
        let object = Object {
            name: "wan/ping".to_owned(),
            kind: ObjectKind::Limit(Limit {
                rate: 5,
                unit: 60,
                burst: 7,
            }),
            origin: None,
        };
        assert_eq!(
            object_text(&object),
            "limit wan/ping { rate 5/minute burst 7 packets; }"
        );
    }
}
