//! The tree as a document that the validator can look at: a representation of JSON of our own, so that no
//! JSON has to be made of a large policy.

use super::meaning::{Meaning, meaning, to_json};
use super::tree::{NodeId, Tree};
use jsonschema::JsonType;
use jsonschema::json::{Array, Json, JsonNumber, Node, NodeIdentity, Object};
use serde_json::{Number, Value};
use std::borrow::Cow;

/// The representation. What depends on the reader is like nothing to it, which no key of the language may have.
#[derive(Debug)]
pub(crate) struct Written;

/// A value in a tree, or a key by itself.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Instance<'t> {
    /// A node.
    Node(&'t Tree, NodeId),
    /// A key.
    Key(&'t str),
}

impl<'t> Instance<'t> {
    fn meaning(&self) -> Meaning<'t> {
        match *self {
            Instance::Node(tree, id) => meaning(tree, id).unwrap_or(Meaning::Nothing),
            Instance::Key(text) => Meaning::Text(text),
        }
    }

    fn if_means(self, wanted: Meaning<'_>) -> Option<(&'t Tree, NodeId)> {
        match self {
            Instance::Node(tree, id) if meaning(tree, id) == Some(wanted) => Some((tree, id)),
            Instance::Node(..) | Instance::Key(_) => None,
        }
    }
}

impl Json for Written {
    type Node<'t> = Instance<'t>;
    type PreparedKey = Box<str>;
    type StringBuffer = ();

    const ACYCLIC: bool = true;

    fn prepare_key(key: &str) -> Box<str> {
        key.into()
    }

    fn with_string_node<T>((): &mut (), string: &str, f: impl FnOnce(Instance<'_>) -> T) -> T {
        f(Instance::Key(string))
    }
}

impl<'t> Node<'t, Written> for Instance<'t> {
    type Object = Map<'t>;
    type Array = List<'t>;
    type Number = Whole;

    fn as_object(&self) -> Option<Map<'t>> {
        let (tree, id) = self.if_means(Meaning::Map)?;
        Some(Map { tree, id })
    }

    fn as_array(&self) -> Option<List<'t>> {
        let (tree, id) = self.if_means(Meaning::List)?;
        Some(List { tree, id })
    }

    fn as_string(&self) -> Option<Cow<'t, str>> {
        match self.meaning() {
            Meaning::Text(text) => Some(text.into()),
            _ => None,
        }
    }

    fn as_number(&self) -> Option<Whole> {
        match self.meaning() {
            Meaning::Whole(number) => Some(Whole(number)),
            _ => None,
        }
    }

    fn as_boolean(&self) -> Option<bool> {
        match self.meaning() {
            Meaning::Truth(truth) => Some(truth),
            _ => None,
        }
    }

    fn is_null(&self) -> bool {
        self.meaning() == Meaning::Nothing
    }

    fn json_type(&self) -> JsonType {
        match self.meaning() {
            Meaning::Nothing => JsonType::Null,
            Meaning::Truth(_) => JsonType::Boolean,
            Meaning::Whole(_) => JsonType::Number,
            Meaning::Text(_) => JsonType::String,
            Meaning::List => JsonType::Array,
            Meaning::Map => JsonType::Object,
        }
    }

    fn to_value(&self) -> Cow<'t, Value> {
        Cow::Owned(match *self {
            Instance::Node(tree, id) => to_json(tree, id).unwrap_or_default(),
            Instance::Key(text) => text.into(),
        })
    }

    /// Trees are not deep, and the schema leads from a value only to what is in it.
    fn identity(&self) -> Option<NodeIdentity> {
        None
    }
}

/// A map in a tree.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Map<'t> {
    tree: &'t Tree,
    id: NodeId,
}

impl<'t> Map<'t> {
    fn iter(self) -> impl Iterator<Item = (&'t str, Instance<'t>)> {
        let Map { tree, id } = self;
        tree.entries(id).map(move |(key, value)| {
            (
                tree.text(key).unwrap_or_default(),
                Instance::Node(tree, value),
            )
        })
    }
}

impl<'t> Object<'t, Written> for Map<'t> {
    type Node = Instance<'t>;
    type MemberName = &'t str;
    type MembersIter = Box<dyn Iterator<Item = (&'t str, Instance<'t>)> + 't>;

    fn len(&self) -> usize {
        self.tree.entries(self.id).count()
    }

    fn get(&self, key: &Box<str>) -> Option<Instance<'t>> {
        let entry = self.iter().find(|(name, _)| *name == &**key);
        entry.map(|(_, value)| value)
    }

    fn members(&self) -> Self::MembersIter {
        Box::new(self.iter())
    }
}

/// A list in a tree.
#[derive(Clone, Copy, Debug)]
pub(crate) struct List<'t> {
    tree: &'t Tree,
    id: NodeId,
}

impl<'t> Array<'t, Written> for List<'t> {
    type Node = Instance<'t>;
    type ElementsIter = Box<dyn Iterator<Item = Instance<'t>> + 't>;

    fn len(&self) -> usize {
        self.tree.items(self.id).count()
    }

    fn elements(&self) -> Self::ElementsIter {
        let List { tree, id } = *self;
        Box::new(tree.items(id).map(move |item| Instance::Node(tree, item)))
    }
}

/// A whole number; there are no others in a tree.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Whole(i64);

impl JsonNumber for Whole {
    fn as_u64(&self) -> Option<u64> {
        u64::try_from(self.0).ok()
    }

    fn as_i64(&self) -> Option<i64> {
        Some(self.0)
    }

    fn as_f64(&self) -> Option<f64> {
        self.to_number().as_f64()
    }

    fn as_str(&self) -> Cow<'_, str> {
        self.0.to_string().into()
    }

    fn to_number(&self) -> Cow<'_, Number> {
        Cow::Owned(self.0.into())
    }

    fn is_integer(&self) -> bool {
        true
    }
}
