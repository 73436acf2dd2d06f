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
    text: Arc<String>,
    nodes: Vec<Node>,
    /// Scalars that read otherwise than they are written, in the order of the text.
    rewritten: Vec<(NodeId, Box<str>)>,
}

/// Text, list or map, and where it is, in eight bytes: a policy of ten thousand rules has a quarter of a million nodes.
///
/// From the lowest bit on: how it is written; its first byte; of text its length, of a list or map how many nodes are in it,
/// then the length of its first line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Node(u64);

/// Bits of a [`Shape`].
const SHAPE: u32 = 3;
/// Bits of an offset: files have at most 4 MiB, and the end of the last byte is one, too.
const OFFSET: u32 = 23;
/// Bits of a number of nodes: documents have at most a million.
const NODES: u32 = 20;
/// Bits of the length of a line: what is longer is only shown to be as long as that.
const LINE: u32 = 64 - SHAPE - OFFSET - NODES;

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

impl Shape {
    const ALL: [Self; 6] = [
        Self::Plain,
        Self::Quoted,
        Self::BlockList,
        Self::BlockMap,
        Self::FlowList,
        Self::FlowMap,
    ];

    fn is_scalar(self) -> bool {
        matches!(self, Self::Plain | Self::Quoted)
    }
}

impl Node {
    fn new(shape: Shape, start: usize, end: usize, within: usize) -> Self {
        let length = end.saturating_sub(start);
        let rest = match shape.is_scalar() {
            true => capped(length, NODES + LINE),
            false => capped(within, NODES) | capped(length, LINE) << NODES,
        };
        Self(shape as u64 | capped(start, OFFSET) << SHAPE | rest << (SHAPE + OFFSET))
    }

    fn shape(self) -> Shape {
        let shape = Shape::ALL.get(self.bits(0, SHAPE));
        shape.copied().unwrap_or(Shape::Plain)
    }

    /// How many nodes are in it.
    fn within(self) -> usize {
        match self.shape().is_scalar() {
            true => 0,
            false => self.bits(SHAPE + OFFSET, NODES),
        }
    }

    fn start(self) -> usize {
        self.bits(SHAPE, OFFSET)
    }

    /// Its bytes in the file; of a list or map only those on its first line, and no more than 256 KiB.
    pub(crate) fn bytes(self) -> Range<usize> {
        let length = match self.shape().is_scalar() {
            true => self.bits(SHAPE + OFFSET, NODES + LINE),
            false => self.bits(SHAPE + OFFSET + NODES, LINE),
        };
        self.start()..self.start() + length
    }

    /// Whether it is a list or map that is written by indentation, not in brackets.
    pub(crate) fn is_block(self) -> bool {
        matches!(self.shape(), Shape::BlockList | Shape::BlockMap)
    }

    fn bits(self, from: u32, number: u32) -> usize {
        usize::try_from(self.0 >> from & ones(number)).unwrap_or(usize::MAX)
    }
}

/// The largest number of so many bits.
fn ones(bits: u32) -> u64 {
    (1 << bits) - 1
}

fn capped(number: usize, bits: u32) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX).min(ones(bits))
}

/// The number of a node. There are at most a million.
fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

impl Tree {
    /// A tree without nodes for this text.
    pub(crate) fn new(text: &Arc<String>) -> Self {
        Tree {
            text: Arc::clone(text),
            ..Tree::default()
        }
    }

    /// Gives back the room that was kept for more nodes.
    pub(crate) fn fit(&mut self) {
        self.nodes.shrink_to_fit();
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
        self.nodes.push(Node::new(shape, bytes.start, bytes.end, 0));
    }

    /// Adds a list or map; what is added until [`Tree::close`] is in it.
    pub(crate) fn open(&mut self, start: usize, shape: Shape) -> NodeId {
        let id = small(self.nodes.len());
        self.nodes.push(Node::new(shape, start, start, 0));
        NodeId(id)
    }

    /// Ends a list or map; `end` is anywhere behind its last byte.
    pub(crate) fn close(&mut self, id: NodeId, end: usize) {
        let start = self.get(id).map_or(0, |node| node.start());
        let first_line = self.text.get(start..end).unwrap_or_default().lines().next();
        self.end(id, start + first_line.unwrap_or_default().trim_end().len());
    }

    /// Ends a list or map that is wholly on one line.
    pub(crate) fn close_on_line(&mut self, id: NodeId, end: usize) {
        self.end(id, end);
    }

    fn end(&mut self, id: NodeId, end: usize) {
        let within = self.nodes.len().saturating_sub(id.0 as usize + 1);
        if let Some(node) = self.nodes.get_mut(id.0 as usize) {
            *node = Node::new(node.shape(), node.start(), end, within);
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
        let plain = node.shape() == Shape::Plain;
        Some(match node.shape() {
            Shape::BlockList | Shape::FlowList => Kind::List,
            Shape::BlockMap | Shape::FlowMap => Kind::Map,
            Shape::Plain | Shape::Quoted => {
                let text = match self.rewritten.binary_search_by_key(&id, |(id, _)| *id) {
                    Ok(found) => self.rewritten.get(found).map(|(_, text)| &**text),
                    Err(_) if plain => self.text.get(node.bytes()),
                    Err(_) => {
                        let Range { start, end } = node.bytes();
                        self.text.get(start + 1..end.saturating_sub(1))
                    }
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
        let after = move |id: NodeId| {
            let node = self.get(id)?;
            Some(id.0 + 1 + small(node.within()))
        };
        let end = after(id).unwrap_or(0);
        let mut next = id.0 + 1;
        std::iter::from_fn(move || {
            let here = Some(next).filter(|next| *next < end)?;
            next = after(NodeId(here))?;
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
