//! What stands where: a YAML document as the guard saw it, with the place of every node. It is never the
//! meaning of a policy, only a second opinion on it and a map of it.
//!
//! A policy has many nodes, so they are small and in one list, in the order of the text: what is in a list or
//! a map comes right after it, and each node knows where it ends.

use serde_json::Value;
use std::{ops::Range, sync::Arc};

/// A node of a [`Tree`]; valid for that tree only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct NodeId(u32);

/// The nodes of one document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tree {
    text: Arc<str>,
    nodes: Vec<Node>,
    /// Scalars that read otherwise than they are written, in the order of the text.
    rewritten: Vec<(NodeId, Box<str>)>,
}

/// Text, list or map, and where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    start: u32,
    end: u32,
    /// The first node that is not in it.
    after: u32,
    shape: Shape,
}

/// How a node is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A scalar without quotes: YAML decides by the text whether it is a number.
    Plain,
    /// A scalar in quotes, or a block of text.
    Quoted,
    /// A list with an entry a line.
    BlockList,
    /// A map by indentation.
    BlockMap,
    /// A list in brackets.
    FlowList,
    /// A map in braces.
    FlowMap,
}

/// What a node is.
#[derive(Clone, Debug)]
pub(crate) enum Kind<'t> {
    /// A scalar as it reads after quotes and escapes.
    Scalar {
        /// The text.
        text: &'t str,
        /// Without quotes and not a block: YAML decides by the text whether it is a number.
        plain: bool,
    },
    /// A list; see [`Tree::items`].
    List,
    /// A map; see [`Tree::entries`].
    Map,
}

impl Node {
    /// Its bytes in the file; of a list or map only those on its first line.
    pub(crate) fn bytes(&self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    /// Whether it is a list or map that is written by indentation, not in brackets.
    pub(crate) fn is_block(&self) -> bool {
        matches!(self.shape, Shape::BlockList | Shape::BlockMap)
    }
}

/// An offset or a number of nodes. Files are at most 4 MiB.
fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

impl Tree {
    /// A tree without nodes for this text.
    pub(crate) fn new(text: &str) -> Self {
        Tree {
            text: text.into(),
            ..Tree::default()
        }
    }

    /// Adds a scalar. The first node added is the root.
    pub(crate) fn scalar(&mut self, bytes: &Range<usize>, plain: bool, reads: &str) {
        let quotes = usize::from(!plain);
        if self
            .text
            .get(bytes.start + quotes..bytes.end.saturating_sub(quotes))
            != Some(reads)
        {
            let id = NodeId(small(self.nodes.len()));
            self.rewritten.push((id, reads.into()));
        }
        self.scalar_as_written(bytes, plain);
    }

    /// Adds a scalar that reads as it is written, but for the quotes around it.
    pub(crate) fn scalar_as_written(&mut self, bytes: &Range<usize>, plain: bool) {
        let shape = if plain { Shape::Plain } else { Shape::Quoted };
        let id = self.open(bytes.start, shape);
        self.end(id, bytes.end);
    }

    /// Adds a list or map; what is added until [`Tree::close`] is in it.
    pub(crate) fn open(&mut self, start: usize, shape: Shape) -> NodeId {
        let id = small(self.nodes.len());
        self.nodes.push(Node {
            start: small(start),
            end: small(start),
            after: id + 1,
            shape,
        });
        NodeId(id)
    }

    /// Ends a list or map; `end` is anywhere behind its last byte.
    pub(crate) fn close(&mut self, id: NodeId, end: usize) {
        let start = self.get(id).map_or(0, |node| node.start as usize);
        let first_line = self.text.get(start..end).unwrap_or_default().lines().next();
        self.end(id, start + first_line.unwrap_or_default().trim_end().len());
    }

    /// Ends a list or map that is wholly on one line.
    pub(crate) fn close_on_line(&mut self, id: NodeId, end: usize) {
        self.end(id, end);
    }

    fn end(&mut self, id: NodeId, end: usize) {
        let after = small(self.nodes.len());
        if let Some(node) = self.nodes.get_mut(id.0 as usize) {
            node.end = small(end).max(node.start);
            node.after = after;
        }
    }

    /// How many nodes there are, keys included.
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// The root; `None` for a document without anything.
    pub(crate) fn root(&self) -> Option<(NodeId, &Node)> {
        Some((NodeId(0), self.nodes.first()?))
    }

    /// A node by its number, in the order of the text.
    #[cfg(test)]
    pub(crate) fn nth(&self, nth: usize) -> Option<(NodeId, &Node)> {
        Some((NodeId(small(nth)), self.nodes.get(nth)?))
    }

    /// A node of this tree.
    pub(crate) fn get(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(id.0 as usize)
    }

    /// What a node is.
    pub(crate) fn kind(&self, id: NodeId) -> Option<Kind<'_>> {
        let node = self.get(id)?;
        let plain = node.shape == Shape::Plain;
        Some(match node.shape {
            Shape::BlockList | Shape::FlowList => Kind::List,
            Shape::BlockMap | Shape::FlowMap => Kind::Map,
            Shape::Plain | Shape::Quoted => {
                let text = match self.rewritten.binary_search_by_key(&id, |(id, _)| *id) {
                    Ok(found) => self.rewritten.get(found).map(|(_, text)| &**text),
                    Err(_) if plain => self.text.get(node.bytes()),
                    Err(_) => self
                        .text
                        .get(node.start as usize + 1..(node.end as usize).saturating_sub(1)),
                };
                Kind::Scalar {
                    text: text.unwrap_or_default(),
                    plain,
                }
            }
        })
    }

    /// The text of a scalar.
    pub(crate) fn text(&self, id: NodeId) -> Option<&str> {
        match self.kind(id)? {
            Kind::Scalar { text, .. } => Some(text),
            Kind::List | Kind::Map => None,
        }
    }

    /// What is directly in a list or map; in a map keys and values take turns.
    pub(crate) fn items(&self, id: NodeId) -> impl Iterator<Item = NodeId> + Clone {
        let end = self.get(id).map_or(0, |node| node.after);
        let mut next = id.0 + 1;
        std::iter::from_fn(move || {
            let here = Some(next).filter(|next| *next < end)?;
            next = self.get(NodeId(here))?.after;
            Some(NodeId(here))
        })
    }

    /// Keys and values of a map, in the order in which they are written. Keys are scalars and differ.
    pub(crate) fn entries(&self, id: NodeId) -> impl Iterator<Item = (NodeId, NodeId)> {
        let mut items = self.items(id);
        std::iter::from_fn(move || Some((items.next()?, items.next()?)))
    }

    /// Key and value of the entry of a map.
    pub(crate) fn entry(&self, map: NodeId, key: &str) -> Option<(NodeId, NodeId)> {
        let Kind::Map = self.kind(map)? else {
            return None;
        };
        self.entries(map)
            .find(|(id, _)| self.text(*id) == Some(key))
    }

    /// The document as JSON, each plain scalar read by `plain`.
    pub(crate) fn to_json(&self, id: NodeId, plain: fn(&str) -> Value) -> Value {
        match self.kind(id) {
            None => Value::Null,
            Some(Kind::Scalar { text, plain: true }) => plain(text),
            Some(Kind::Scalar { text, plain: false }) => text.into(),
            Some(Kind::List) => self
                .items(id)
                .map(|item| self.to_json(item, plain))
                .collect(),
            Some(Kind::Map) => {
                let mut map = serde_json::Map::new();
                for (key, value) in self.entries(id) {
                    let key = self.text(key).unwrap_or_default();
                    map.entry(key).or_insert_with(|| self.to_json(value, plain));
                }
                Value::Object(map)
            }
        }
    }
}

/// A plain scalar in YAML's core schema; for finding further mistakes in a document that is refused already,
/// never for a policy.
pub(crate) fn core_schema(text: &str) -> Value {
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
