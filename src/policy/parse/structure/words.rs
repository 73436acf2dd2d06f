//! What the schema wants and what a document has, in an operator's words.

use crate::diagnostic::{DocPath, Segment};
use crate::policy::value::what;
use serde_json::Value;

/// The kinds of value that a node of the schema allows.
pub(super) fn types(node: &Value) -> impl Iterator<Item = &str> {
    let (one, many) = match node.get("type") {
        Some(Value::String(one)) => (Some(one.as_str()), None),
        Some(Value::Array(many)) => (None, Some(many)),
        _ => (None, None),
    };
    one.into_iter()
        .chain(many.into_iter().flatten().filter_map(Value::as_str))
}

/// The words that a node of the schema allows, with or without a description each.
pub(super) fn words(node: &Value) -> impl Iterator<Item = &str> {
    let described = node
        .get("oneOf")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let consts = described.filter_map(|word| word.get("const").or_else(|| word.pointer("/enum/0")));
    let plain = node
        .get("enum")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    consts
        .chain(plain)
        .chain(node.get("const"))
        .filter_map(Value::as_str)
}

/// What a node of the schema wants: `a port or a list`.
pub(super) fn expected(node: &Value) -> String {
    let leaf = node.get("format").and_then(Value::as_str).and_then(what);
    let mut parts: Vec<&str> = Vec::new();
    for one in types(node) {
        let part = match (one, leaf) {
            ("string" | "integer", Some(leaf)) => leaf,
            ("string", None) => "a word",
            ("integer", None) => "a whole number",
            ("boolean", _) => "`true` or `false`",
            ("array", _) => "a list",
            ("object", _) => "a map",
            _ => continue,
        };
        if !parts.contains(&part) {
            parts.push(part);
        }
    }
    if parts.is_empty() {
        return match words(node).next() {
            Some(_) => format!("one of {}", list(words(node))),
            None => "something else".into(),
        };
    }
    parts.join(" or ")
}

/// What a value is, in words.
pub(super) fn found(value: &Value) -> String {
    match value {
        Value::Null => "nothing".into(),
        Value::Bool(word) => format!("`{word}`"),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) => format!("`{text}`"),
        Value::Array(_) => "a list".into(),
        Value::Object(_) => "a map".into(),
    }
}

pub(super) fn list<'s>(words: impl Iterator<Item = &'s str>) -> String {
    words
        .map(|word| format!("`{word}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// What to call the value at a path: by its key, for the place is shown beside it.
pub(super) fn called(path: &DocPath) -> String {
    let segments = path.segments();
    let mut keys = segments.iter().rev().filter_map(|segment| match segment {
        Segment::Key(key) => Some(key),
        Segment::Index(_) => None,
    });
    match (path.last(), keys.next()) {
        (Some(Segment::Key(_)), Some(key)) => format!("`{key}`"),
        (_, Some(key)) => format!("an entry of `{key}`"),
        (_, None) => "the policy".into(),
    }
}
