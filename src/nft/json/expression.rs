//! Expressions and values in nft's JSON.

use serde_json::{Value, json};

use crate::nft::statement;
use crate::nft::statement::split;
use crate::nft::value::{self, Kind};
use crate::ruleset::{Ct, DataType, Expression, Field, Meta, NumgenMode, Set};

/// An expression; `sets` holds the maps that stand in the rule itself.
pub(super) fn expression(it: &Expression, sets: &[Set]) -> Value {
    match it {
        Expression::Meta(meta) => {
            let key = match meta {
                Meta::Iifname => "iifname",
                Meta::Oifname => "oifname",
                Meta::Iif => "iif",
                Meta::Oif => "oif",
                Meta::Nfproto => "nfproto",
                Meta::L4proto => "l4proto",
                Meta::Time => "time",
                Meta::Day => "day",
                Meta::Hour => "hour",
            };
            json!({"meta": {"key": key}})
        }
        Expression::Field(it) => field(*it),
        Expression::Masked(it, mask) => {
            json!({"&": [field(*it), value(Kind::of_field(*it), mask)]})
        }
        Expression::Ct(Ct::State) => json!({"ct": {"key": "state"}}),
        Expression::Ct(Ct::Status) => json!({"ct": {"key": "status"}}),
        Expression::Ct(Ct::Label) => json!({"ct": {"key": "label"}}),
        Expression::FibDaddrType { iif: false } => {
            json!({"fib": {"result": "type", "flags": ["daddr"]}})
        }
        Expression::FibDaddrType { iif: true } => {
            json!({"fib": {"result": "type", "flags": ["daddr", "iif"]}})
        }
        Expression::Numgen { mode, modulus } => {
            let mode = match mode {
                NumgenMode::Inc => "inc",
                NumgenMode::Random => "random",
            };
            json!({"numgen": {"mode": mode, "mod": modulus, "offset": 0}})
        }
        Expression::Jhash {
            field: it,
            modulus,
            seed,
        } => json!({"jhash": {"mod": modulus, "seed": seed, "expr": field(*it)}}),
        Expression::Concat(fields) => {
            let fields: Vec<Value> = fields.iter().map(|it| expression(it, sets)).collect();
            json!({ "concat": fields })
        }
        Expression::Map(key, map) => {
            json!({"map": {"key": expression(key, sets), "data": data(map, sets)}})
        }
    }
}

/// A set or map by its name, or its elements when the schema cannot name it.
pub(super) fn data(name: &str, sets: &[Set]) -> Value {
    match sets.iter().find(|set| set.spec.name == name) {
        Some(set) if super::set::is_nameless(&set.spec) => {
            json!({"set": super::set::elements(set)})
        }
        _ => json!(format!("@{name}")),
    }
}

fn field(it: Field) -> Value {
    let text = statement::expression(&Expression::Field(it));
    let (protocol, field) = text.split_once(' ').unwrap_or((&text, ""));
    json!({"payload": {"protocol": protocol, "field": field}})
}

/// One value: a number where it is one, else its name.
pub(super) fn value(kind: Kind, bytes: &[u8]) -> Value {
    match kind {
        // Several names would be a list, and a list is a test bit by bit.
        Kind::Bits(_) if bits(kind, bytes).is_array() => {
            plain(&value::value(kind.without_names(), bytes))
        }
        _ => plain(&value::value(kind, bytes)),
    }
}

/// Bits by name: one, or a list.
pub(super) fn bits(kind: Kind, bytes: &[u8]) -> Value {
    let names = match kind {
        Kind::Bits(names) => names,
        Kind::Labels => {
            let text = value::labels(bytes);
            let labels: Vec<Value> = text.split(',').map(plain).collect();
            return match labels.as_slice() {
                [one] => one.clone(),
                several => json!(several),
            };
        }
        _ => return value(kind, bytes),
    };
    let text = value::bits(names, bytes, ",");
    if text.starts_with("0x") {
        return plain(&value::value(kind.without_names(), bytes));
    }
    let names: Vec<&str> = text.split(',').collect();
    match names.as_slice() {
        [one] => json!(one),
        several => json!(several),
    }
}

/// A value of an expression: of each field, when there are several.
pub(super) fn part(left: &Expression, bytes: &[u8]) -> Value {
    let Expression::Concat(fields) = left else {
        return value(Kind::of(left).unwrap_or(Kind::Number), bytes);
    };
    let mut rest = bytes;
    let parts: Vec<Value> = fields
        .iter()
        .map(|field| {
            let kind = Kind::of(field).unwrap_or(Kind::Number);
            let (bytes, behind) = split(rest, kind.width());
            rest = behind;
            value(kind, bytes)
        })
        .collect();
    json!({ "concat": parts })
}

/// A range, bounds inclusive.
pub(super) fn range(kind: Kind, lo: &[u8], hi: &[u8]) -> Value {
    let kind = kind.without_names();
    json!({"range": [value(kind, lo), value(kind, hi)]})
}

/// A prefix.
pub(super) fn prefix(kind: Kind, bytes: &[u8], bits: u8) -> Value {
    json!({"prefix": {"addr": value(kind.without_names(), bytes), "len": bits}})
}

/// A range as short as it can be said.
pub(super) fn interval(data: DataType, lo: &[u8], hi: &[u8]) -> Value {
    let text = value::interval(data, lo, hi);
    let kind = Kind::Data(data);
    if lo == hi {
        value(kind, lo)
    } else if let Some((_, bits)) = text.split_once('/')
        && let Ok(bits) = bits.parse()
    {
        prefix(kind, lo, bits)
    } else if data == DataType::Ifname {
        plain(&text)
    } else {
        range(kind, lo, hi)
    }
}

/// nft's text of one value as JSON.
pub(super) fn plain(text: &str) -> Value {
    match text.parse::<u64>() {
        Ok(number) => json!(number),
        Err(_) => json!(text.trim_matches('"')),
    }
}
