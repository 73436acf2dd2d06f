//! What stands where: a YAML document as the guard saw it, with the place of every node. It is never the
//! meaning of a policy, only a second opinion on it and a map of it.

use serde_json::Value;
use std::ops::Range;

/// A node of a [`Tree`]; valid for that tree only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NodeId(u32);

/// The nodes of one document.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tree {
    nodes: Vec<Node>,
}

/// Text, list or map, and where it is.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    start: u32,
    end: u32,
    /// A list or map that is written by indentation, not in brackets.
    pub(crate) block: bool,
    pub(crate) kind: Kind,
}

/// What a node is.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// A scalar as it reads after quotes and escapes.
    Scalar {
        /// The text.
        text: Box<str>,
        /// Without quotes and not a block: YAML decides by the text whether it is a number.
        plain: bool,
    },
    /// A list.
    List(Vec<NodeId>),
    /// A map: keys, which are scalars, and values. Sorted by key once the map is complete.
    Map(Vec<(NodeId, NodeId)>),
}

impl Node {
    /// A node at these bytes. Files are at most 4 MiB.
    pub(crate) fn new(bytes: &Range<usize>, kind: Kind) -> Self {
        let small = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
        Node {
            start: small(bytes.start),
            end: small(bytes.end),
            block: false,
            kind,
        }
    }

    /// Its bytes in the file; of a list or map only those on its first line.
    pub(crate) fn bytes(&self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    /// The text of a scalar.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar { text, .. } => Some(text),
            Kind::List(_) | Kind::Map(_) => None,
        }
    }

    /// Sets where a list or map ends, once that is known.
    pub(crate) fn end_at(&mut self, end: usize) {
        self.end = u32::try_from(end).unwrap_or(u32::MAX).max(self.start);
    }
}

impl Tree {
    /// Adds a node. The first one added is the root.
    pub(crate) fn add(&mut self, node: Node) -> NodeId {
        self.nodes.push(node);
        NodeId(u32::try_from(self.nodes.len() - 1).unwrap_or(u32::MAX))
    }

    /// How many nodes there are, keys included.
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// The root; `None` for a document without anything.
    pub(crate) fn root(&self) -> Option<(NodeId, &Node)> {
        Some((NodeId(0), self.nodes.first()?))
    }

    /// A node of this tree.
    pub(crate) fn get(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(id.0 as usize)
    }

    /// A node of this tree, to change it.
    pub(crate) fn get_mut(&mut self, id: NodeId) -> Option<&mut Node> {
        self.nodes.get_mut(id.0 as usize)
    }

    /// Sorts a map that is complete by its keys, and finds those that are there twice: first one, other one.
    pub(crate) fn complete(&mut self, map: NodeId) -> Vec<(NodeId, NodeId)> {
        let Some(Kind::Map(entries)) = self.get_mut(map).map(|node| &mut node.kind) else {
            return Vec::new();
        };
        let mut entries = std::mem::take(entries);
        // Stable: of two keys with the same text, the one written first stays first.
        entries.sort_by(|(a, _), (b, _)| self.key_text(*a).cmp(self.key_text(*b)));
        let same = |before: NodeId, key: NodeId| self.key_text(before) == self.key_text(key);
        let twice = entries.windows(2).filter_map(|pair| match pair {
            [(before, _), (key, _)] if same(*before, *key) => Some((*before, *key)),
            _ => None,
        });
        let twice = twice.collect();
        if let Some(node) = self.get_mut(map) {
            node.kind = Kind::Map(entries);
        }
        twice
    }

    /// The text of a key.
    pub(crate) fn key_text(&self, key: NodeId) -> &str {
        self.get(key).and_then(Node::text).unwrap_or_default()
    }

    /// Key and value of the entry of a complete map; of two with the same key the first.
    pub(crate) fn entry(&self, map: NodeId, key: &str) -> Option<(NodeId, NodeId)> {
        let Kind::Map(entries) = &self.get(map)?.kind else {
            return None;
        };
        let nth = entries.partition_point(|(id, _)| self.key_text(*id) < key);
        let entry = entries.get(nth).copied();
        entry.filter(|(id, _)| self.key_text(*id) == key)
    }

    /// The document as JSON, read by YAML's core schema; for finding further mistakes in a document that is
    /// refused already, never for a policy.
    pub(crate) fn to_json(&self, id: NodeId) -> Value {
        match self.get(id).map(|node| &node.kind) {
            None => Value::Null,
            Some(Kind::Scalar { text, plain: true }) => plain_to_json(text),
            Some(Kind::Scalar { text, plain: false }) => Value::String(text.to_string()),
            Some(Kind::List(items)) => items.iter().map(|item| self.to_json(*item)).collect(),
            Some(Kind::Map(entries)) => {
                let mut map = serde_json::Map::new();
                for (key, value) in entries {
                    let key = self.key_text(*key);
                    map.entry(key).or_insert_with(|| self.to_json(*value));
                }
                Value::Object(map)
            }
        }
    }
}

fn plain_to_json(text: &str) -> Value {
    if is_null(text) {
        return Value::Null;
    }
    match text {
        "true" | "True" | "TRUE" => true.into(),
        "false" | "False" | "FALSE" => false.into(),
        _ => match text.parse::<i64>() {
            Ok(number) if number.to_string() == text => number.into(),
            _ => text.into(),
        },
    }
}

/// Whether YAML's core schema reads a plain scalar as nothing.
pub(crate) fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}
