//! Sets, maps, elements and objects in nft's JSON.

use serde_json::{Value, json};

use super::expression::{interval, value};
use super::statement::verdict;
use crate::nft::set::type_name;
use crate::nft::statement::{split, unit_name};
use crate::nft::value::Kind;
use crate::ruleset::{
    Datum, Element, Flowtable, Key, Object, ObjectKind, Set, SetKind, SetSpec, TABLE,
};

/// Whether the key is a number or a time that only an expression yields; the schema has no type for it.
pub(super) fn is_nameless(spec: &SetSpec) -> bool {
    spec.key.iter().any(|data| data.has_no_name())
}

/// A set with its elements.
pub(super) fn set(set: &Set) -> Value {
    let SetSpec {
        name,
        key,
        kind,
        interval,
        // Follows from the rules that fill it; nft does not read the flag.
        dynamic: _,
        timeout,
        gc_interval,
        size,
        counter,
        comment,
    } = &set.spec;
    let types: Vec<&str> = key.iter().map(|data| type_name(*data)).collect();
    let types = match types.as_slice() {
        [only] => json!(only),
        several => json!(several),
    };
    let mut fields = serde_json::Map::new();
    let mut put = |key: &str, value: Value| fields.insert(key.to_owned(), value);
    put("family", json!("inet"));
    put("table", json!(TABLE));
    put("name", json!(name));
    put("type", types);
    let word = match kind {
        SetKind::Set => "set",
        SetKind::Map(data) => {
            put("map", json!(type_name(*data)));
            "map"
        }
        SetKind::VerdictMap => {
            put("map", json!("verdict"));
            "map"
        }
    };
    let may_time_out = timeout.is_some() || gc_interval.is_some();
    let flags: Vec<&str> = [(*interval, "interval"), (may_time_out, "timeout")]
        .into_iter()
        .filter_map(|(set, flag)| set.then_some(flag))
        .collect();
    if !flags.is_empty() {
        put("flags", json!(flags));
    }
    if let Some(milliseconds) = timeout {
        put("timeout", json!(milliseconds / 1000));
    }
    if let Some(milliseconds) = gc_interval {
        put("gc-interval", json!(milliseconds / 1000));
    }
    if let Some(size) = size {
        put("size", json!(size));
    }
    if *counter {
        put("stmt", json!([{"counter": null}]));
    }
    if let Some(comment) = comment {
        put("comment", json!(comment));
    }
    if !set.elements.is_empty() {
        put("elem", elements(set));
    }
    json!({ word: fields })
}

/// The elements of a set as a list.
pub(super) fn elements(set: &Set) -> Value {
    let elements: Vec<Value> = set
        .elements
        .iter()
        .map(|it| element(&set.spec, &it))
        .collect();
    json!(elements)
}

fn element(set: &SetSpec, element: &Element) -> Value {
    let Element {
        key,
        datum,
        name,
        count,
    } = element;
    let mut text = key_of(set, key);
    let count = count.filter(|_| set.counter);
    if name.is_some() || count.is_some() {
        let mut fields = serde_json::Map::new();
        fields.insert("val".to_owned(), text);
        if let Some(name) = name {
            fields.insert("comment".to_owned(), json!(name));
        }
        if let Some(count) = count {
            let counter = json!({"packets": count.packets, "bytes": count.bytes});
            fields.insert("counter".to_owned(), counter);
        }
        text = json!({ "elem": fields });
    }
    match (datum, &set.kind) {
        (Some(Datum::Verdict(it)), _) => json!([text, verdict(it)]),
        (Some(Datum::Value(bytes)), SetKind::Map(data)) => {
            json!([text, value(Kind::Data(*data), bytes)])
        }
        (Some(Datum::Value(_)) | None, _) => text,
    }
}

fn key_of(set: &SetSpec, key: &Key) -> Value {
    let [only] = set.key.as_slice() else {
        let (mut lo, mut hi) = (&*key.lo, key.last());
        let fields: Vec<Value> = set
            .key
            .iter()
            .map(|data| {
                let (low, lo_behind) = split(lo, data.width());
                let (high, hi_behind) = split(hi, data.width());
                (lo, hi) = (lo_behind, hi_behind);
                interval(*data, low, high)
            })
            .collect();
        return json!({ "concat": fields });
    };
    interval(*only, &key.lo, key.last())
}

/// A named object.
pub(super) fn object(object: &Object) -> Value {
    let Object {
        name,
        kind,
        origin: _,
    } = object;
    match kind {
        ObjectKind::Limit(limit) => json!({"limit": {
            "family": "inet", "table": TABLE, "name": name,
            "rate": limit.rate, "per": unit_name(limit.unit), "burst": limit.burst,
        }}),
        ObjectKind::CtHelper { helper, protocol } => {
            let protocol = match protocol {
                6 => "tcp".to_owned(),
                17 => "udp".to_owned(),
                other => other.to_string(),
            };
            json!({"ct helper": {
                "family": "inet", "table": TABLE, "name": name,
                "type": helper, "protocol": protocol, "l3proto": "inet",
            }})
        }
        // nft 1.0.6 has no word for `flags offload` here.
        ObjectKind::Flowtable(Flowtable {
            interfaces,
            hardware: _,
        }) => json!({"flowtable": {
            "family": "inet", "table": TABLE, "name": name,
            "hook": "ingress", "prio": 0, "dev": interfaces,
        }}),
        ObjectKind::Other(kind) => json!({"object": {
            "family": "inet", "table": TABLE, "name": name, "kind": kind,
        }}),
    }
}
