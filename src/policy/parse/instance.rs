//! A tree, or JSON, as a document that the validator can look at: a representation of our own, so that no JSON has to
//! be made of a large policy. It is one for both because a validator is compiled anew for each representation, and is
//! the largest thing in the program.

use super::meaning::{Meaning, meaning, to_json};
use super::tree::{NodeId, Tree};
use jsonschema::JsonType;
use jsonschema::json::{Array, Json, JsonNumber, Node, NodeIdentity, Object};
use serde_json::{Number, Value};
use std::borrow::Cow;

/// The representation. What depends on the reader is like nothing to it, which no key of the language may have.
#[derive(Debug)]
pub(crate) struct Written;

/// A value of a document, or a key by itself.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Instance<'t> {
    /// A node of a tree.
    Node(&'t Tree, NodeId),
    /// A value of JSON.
    Value(&'t Value),
    /// A key.
    Key(&'t str),
}

/// What a document can be to the schema.
enum Kind<'t> {
    Nothing,
    Truth(bool),
    Number(Digits<'t>),
    Text(&'t str),
    List(List<'t>),
    Map(Map<'t>),
}

impl<'t> Instance<'t> {
    fn kind(self) -> Kind<'t> {
        match self {
            Instance::Node(tree, id) => match meaning(tree, id).unwrap_or(Meaning::Nothing) {
                Meaning::Nothing => Kind::Nothing,
                Meaning::Truth(truth) => Kind::Truth(truth),
                Meaning::Whole(whole) => Kind::Number(Digits::Whole(whole)),
                Meaning::Text(text) => Kind::Text(text),
                Meaning::List => Kind::List(List::Node(tree, id)),
                Meaning::Map => Kind::Map(Map::Node(tree, id)),
            },
            Instance::Value(value) => match value {
                Value::Null => Kind::Nothing,
                Value::Bool(truth) => Kind::Truth(*truth),
                Value::Number(number) => Kind::Number(Digits::Number(number)),
                Value::String(text) => Kind::Text(text),
                Value::Array(list) => Kind::List(List::Value(list)),
                Value::Object(map) => Kind::Map(Map::Value(map)),
            },
            Instance::Key(text) => Kind::Text(text),
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
    type Number = Digits<'t>;

    fn as_object(&self) -> Option<Map<'t>> {
        match self.kind() {
            Kind::Map(map) => Some(map),
            _ => None,
        }
    }

    fn as_array(&self) -> Option<List<'t>> {
        match self.kind() {
            Kind::List(list) => Some(list),
            _ => None,
        }
    }

    fn as_string(&self) -> Option<Cow<'t, str>> {
        match self.kind() {
            Kind::Text(text) => Some(text.into()),
            _ => None,
        }
    }

    fn as_number(&self) -> Option<Digits<'t>> {
        match self.kind() {
            Kind::Number(number) => Some(number),
            _ => None,
        }
    }

    fn as_boolean(&self) -> Option<bool> {
        match self.kind() {
            Kind::Truth(truth) => Some(truth),
            _ => None,
        }
    }

    fn is_null(&self) -> bool {
        matches!(self.kind(), Kind::Nothing)
    }

    fn json_type(&self) -> JsonType {
        match self.kind() {
            Kind::Nothing => JsonType::Null,
            Kind::Truth(_) => JsonType::Boolean,
            Kind::Number(_) => JsonType::Number,
            Kind::Text(_) => JsonType::String,
            Kind::List(_) => JsonType::Array,
            Kind::Map(_) => JsonType::Object,
        }
    }

    fn to_value(&self) -> Cow<'t, Value> {
        match *self {
            Instance::Node(tree, id) => Cow::Owned(to_json(tree, id).unwrap_or_default()),
            Instance::Value(value) => Cow::Borrowed(value),
            Instance::Key(text) => Cow::Owned(text.into()),
        }
    }

    /// Documents are not deep, and the schema leads from a value only to what is in it.
    fn identity(&self) -> Option<NodeIdentity> {
        None
    }
}

/// The entries of a map: keys and values.
type Members<'t> = Box<dyn Iterator<Item = (&'t str, Instance<'t>)> + 't>;

/// A map.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Map<'t> {
    /// In a tree.
    Node(&'t Tree, NodeId),
    /// In JSON.
    Value(&'t serde_json::Map<String, Value>),
}

impl<'t> Object<'t, Written> for Map<'t> {
    type Node = Instance<'t>;
    type MemberName = &'t str;
    type MembersIter = Members<'t>;

    fn len(&self) -> usize {
        match self {
            Map::Node(tree, id) => tree.entries(*id).count(),
            Map::Value(map) => map.len(),
        }
    }

    fn get(&self, key: &Box<str>) -> Option<Instance<'t>> {
        match *self {
            Map::Node(tree, id) => {
                let (_, value) = tree.entry(id, key)?;
                Some(Instance::Node(tree, value))
            }
            Map::Value(map) => map.get(&**key).map(Instance::Value),
        }
    }

    fn members(&self) -> Members<'t> {
        match *self {
            Map::Node(tree, id) => Box::new(tree.entries(id).map(move |(key, value)| {
                let key = tree.text(key).unwrap_or_default();
                (key, Instance::Node(tree, value))
            })),
            Map::Value(map) => {
                let entries = map.iter();
                Box::new(entries.map(|(key, value)| (key.as_str(), Instance::Value(value))))
            }
        }
    }
}

/// A list.
#[derive(Clone, Copy, Debug)]
pub(crate) enum List<'t> {
    /// In a tree.
    Node(&'t Tree, NodeId),
    /// In JSON.
    Value(&'t [Value]),
}

impl<'t> Array<'t, Written> for List<'t> {
    type Node = Instance<'t>;
    type ElementsIter = Box<dyn Iterator<Item = Instance<'t>> + 't>;

    fn len(&self) -> usize {
        match self {
            List::Node(tree, id) => tree.items(*id).count(),
            List::Value(list) => list.len(),
        }
    }

    fn elements(&self) -> Self::ElementsIter {
        match *self {
            List::Node(tree, id) => {
                Box::new(tree.items(id).map(move |item| Instance::Node(tree, item)))
            }
            List::Value(list) => Box::new(list.iter().map(Instance::Value)),
        }
    }
}

/// A number; those in a tree are whole.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Digits<'t> {
    /// In a tree.
    Whole(i64),
    /// In JSON.
    Number(&'t Number),
}

impl JsonNumber for Digits<'_> {
    fn as_u64(&self) -> Option<u64> {
        match self {
            Digits::Whole(whole) => u64::try_from(*whole).ok(),
            Digits::Number(number) => number.as_u64(),
        }
    }

    fn as_i64(&self) -> Option<i64> {
        match self {
            Digits::Whole(whole) => Some(*whole),
            Digits::Number(number) => number.as_i64(),
        }
    }

    fn as_f64(&self) -> Option<f64> {
        self.to_number().as_f64()
    }

    fn as_str(&self) -> Cow<'_, str> {
        self.to_number().to_string().into()
    }

    fn to_number(&self) -> Cow<'_, Number> {
        match *self {
            Digits::Whole(whole) => Cow::Owned(whole.into()),
            Digits::Number(number) => Cow::Borrowed(number),
        }
    }

    fn is_integer(&self) -> bool {
        match self {
            Digits::Whole(_) => true,
            Digits::Number(number) => JsonNumber::is_integer(number),
        }
    }
}
