//! What the nodes of a tree mean, as far as nobody can read them otherwise. What the other reader says must
//! be the very same before anything made of this is used.

use super::agree::is_sexagesimal_or_grouped;
use super::tree::{Kind, NodeId, Tree, is_null};
use serde_json::Value;

/// What a node means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning<'t> {
    /// A key without a value, or `null`.
    Nothing,
    /// `true` or `false`.
    Truth(bool),
    /// A number in decimal digits and no other spelling.
    Whole(i64),
    /// Text.
    Text(&'t str),
    /// A list.
    List,
    /// A map.
    Map,
}

/// What a node means; `None` if that depends on the reader.
pub(crate) fn meaning(tree: &Tree, id: NodeId) -> Option<Meaning<'_>> {
    match tree.kind(id)? {
        Kind::Scalar { text, plain: true } => scalar(text),
        Kind::Scalar { text, plain: false } => Some(Meaning::Text(text)),
        Kind::List => Some(Meaning::List),
        Kind::Map => Some(Meaning::Map),
    }
}

/// What a plain scalar means. A number that is spelt oddly is text here, and a number to the other reader.
fn scalar(text: &str) -> Option<Meaning<'_>> {
    if is_null(text) {
        return Some(Meaning::Nothing);
    }
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let is_whole = !digits.starts_with('0') || text == "0";
        // Larger ones are no numbers of the language.
        return text.parse().ok().filter(|_| is_whole).map(Meaning::Whole);
    }
    match text {
        "true" | "True" | "TRUE" => Some(Meaning::Truth(true)),
        "false" | "False" | "FALSE" => Some(Meaning::Truth(false)),
        _ if is_sexagesimal_or_grouped(text) => None,
        _ => Some(Meaning::Text(text)),
    }
}

/// A node as JSON; `None` if what it means depends on the reader.
pub(crate) fn to_json(tree: &Tree, id: NodeId) -> Option<Value> {
    Some(match meaning(tree, id)? {
        Meaning::Nothing => Value::Null,
        Meaning::Truth(truth) => truth.into(),
        Meaning::Whole(whole) => whole.into(),
        Meaning::Text(text) => text.into(),
        Meaning::List => {
            let items: Option<Vec<Value>> =
                tree.items(id).map(|item| to_json(tree, item)).collect();
            items?.into()
        }
        Meaning::Map => {
            let entries = tree
                .entries(id)
                .map(|(key, value)| Some((tree.text(key)?.to_owned(), to_json(tree, value)?)));
            Value::Object(entries.collect::<Option<_>>()?)
        }
    })
}
