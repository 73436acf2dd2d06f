//! The two readings of a document side by side. Where they differ, the text means different things to
//! different programs, and the operator has to say which one he means.

use super::tree::{Kind, NodeId, Tree, is_null};
use crate::diagnostic::{Code, Diagnostic};
use serde_json::Value;

/// Compares what saphyr saw (`tree`) with what serde_yaml read (`value`).
pub(crate) fn agree(source: usize, tree: &Tree, value: &Value) -> Vec<Diagnostic> {
    let mut comparison = Comparison {
        source,
        tree,
        diagnostics: Vec::new(),
    };
    if let Some((root, _)) = tree.root() {
        comparison.node(root, value);
    }
    comparison.diagnostics
}

struct Comparison<'a> {
    source: usize,
    tree: &'a Tree,
    diagnostics: Vec<Diagnostic>,
}

impl Comparison<'_> {
    fn node(&mut self, id: NodeId, value: &Value) {
        let tree = self.tree;
        let Some(kind) = tree.kind(id) else {
            return;
        };
        match (kind, value) {
            (Kind::List, Value::Array(values)) if tree.items(id).count() == values.len() => {
                for (item, value) in tree.items(id).zip(values) {
                    self.node(item, value);
                }
            }
            (Kind::Map, Value::Object(values)) if tree.entries(id).count() == values.len() => {
                for (key, item) in tree.entries(id) {
                    match tree.text(key).and_then(|text| values.get(text)) {
                        Some(value) => self.node(item, value),
                        None => self.differs(key),
                    }
                }
            }
            (Kind::Scalar { text, plain }, value) => self.scalar(id, text, plain, value),
            (Kind::List | Kind::Map, _) => self.differs(id),
        }
    }

    fn scalar(&mut self, id: NodeId, text: &str, plain: bool, value: &Value) {
        match value {
            Value::String(read) if read == text => {
                if plain && is_sexagesimal_or_grouped(text) {
                    self.complain(
                        id,
                        Code::AmbiguousValue,
                        format!("some YAML readers take `{text}` for a number"),
                        format!("quote it: \"{text}\""),
                    );
                }
            }
            Value::Null if plain && is_null(text) => {}
            Value::Bool(read)
                if plain && text.eq_ignore_ascii_case(if *read { "true" } else { "false" }) => {}
            Value::Number(read) if plain && !read.is_f64() && read.to_string() == text => {}
            Value::Number(read) if plain => {
                let help = match read.as_f64() {
                    Some(whole) if whole.fract() == 0.0 && whole.abs() < 1e15 => {
                        format!("write `{whole}`, or quote it if it is text")
                    }
                    _ => format!("quote it if it is text: \"{text}\""),
                };
                self.complain(
                    id,
                    Code::NumberSpelling,
                    format!("`{text}` is no plain decimal number"),
                    help,
                );
            }
            // Infinity and not-a-number have no JSON.
            Value::Null if plain && text.trim_start_matches(['+', '-']).starts_with('.') => {
                self.complain(
                    id,
                    Code::NumberSpelling,
                    format!("`{text}` is no number of the language"),
                    format!("quote it if it is text: \"{text}\""),
                );
            }
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_)
            | Value::Object(_) => {
                self.differs(id);
            }
        }
    }

    fn differs(&mut self, id: NodeId) {
        let message = "YAML readers do not agree on what this says".into();
        self.complain(
            id,
            Code::AmbiguousValue,
            message,
            "put it between quotes, on one line".into(),
        );
    }

    fn complain(&mut self, id: NodeId, code: Code, message: String, help: String) {
        let bytes = self
            .tree
            .get(id)
            .map(|node| node.bytes())
            .unwrap_or_default();
        self.diagnostics.push(
            Diagnostic::error(code, message)
                .at_text(self.source, bytes, "")
                .help(help),
        );
    }
}

/// What YAML 1.1 takes for a number and YAML 1.2 for text: `22:30` (1350), `1_000`.
pub(super) fn is_sexagesimal_or_grouped(text: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !unsigned.starts_with(|c: char| c.is_ascii_digit()) {
        return false;
    }
    let mut parts = unsigned.split(':');
    let first = parts.next().unwrap_or_default();
    let rest: Vec<&str> = parts.collect();
    let sexagesimal = !rest.is_empty()
        && digits(first)
        && rest.iter().all(|part| part.len() <= 2 && digits(part));
    let grouped = rest.is_empty()
        && unsigned.contains('_')
        && unsigned.bytes().all(|b| b.is_ascii_digit() || b == b'_');
    sexagesimal || grouped
}
