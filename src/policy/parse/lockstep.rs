//! serde_yaml's reading of a text, compared with the tree as it comes, without keeping it.

use super::meaning::{Meaning, meaning};
use super::pieces::{PIECE, Pieces};
use super::tree::{NodeId, Tree};
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::collections::BTreeSet;
use std::fmt;

/// Whether serde_yaml reads the text as what the tree means, in every node.
pub(crate) fn reads_alike(text: &str, tree: &Tree) -> bool {
    reads_alike_in_pieces(text, tree, PIECE)
}

/// As [`reads_alike`], with lists of more than so many bytes apart.
pub(crate) fn reads_alike_in_pieces(text: &str, tree: &Tree, size: usize) -> bool {
    let pieces = Pieces::new(text, tree, size);
    let reads = |text: &str, taken: &BTreeSet<NodeId>, what| {
        let same = Same { tree, taken, what };
        same.deserialize(serde_yaml::Deserializer::from_str(text))
            .is_ok()
    };
    let whole = tree.root().is_some_and(|(root, _)| {
        if pieces.lists.is_empty() {
            reads(text, &pieces.lists, What::Node(root))
        } else {
            reads(&pieces.rest(), &pieces.lists, What::Node(root))
        }
    });
    let none = BTreeSet::new();
    whole
        && pieces
            .items
            .iter()
            .all(|(text, items)| reads(text, &none, What::Items(items)))
}

/// Takes only what a node means.
#[derive(Clone, Copy)]
struct Same<'t> {
    tree: &'t Tree,
    /// Lists in whose place stands one empty item.
    taken: &'t BTreeSet<NodeId>,
    what: What<'t>,
}

/// What is looked at.
#[derive(Clone, Copy)]
enum What<'t> {
    /// A node.
    Node(NodeId),
    /// Items of a list.
    Items(&'t [NodeId]),
    /// The empty item.
    Nothing,
}

impl<'t> Same<'t> {
    fn is<E: Error>(self, read: Meaning<'_>) -> Result<(), E> {
        let meant = match self.what {
            What::Node(id) => meaning(self.tree, id),
            What::Items(_) => Some(Meaning::List),
            What::Nothing => Some(Meaning::Nothing),
        };
        match meant == Some(read) {
            true => Ok(()),
            false => Err(differs()),
        }
    }

    fn with(self, what: What<'t>) -> Self {
        Same { what, ..self }
    }
}

fn differs<E: Error>() -> E {
    E::custom("the readings differ")
}

impl<'de> DeserializeSeed<'de> for Same<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Same<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("what the tree means")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.is(Meaning::Nothing)
    }

    fn visit_bool<E: Error>(self, read: bool) -> Result<(), E> {
        self.is(Meaning::Truth(read))
    }

    fn visit_i64<E: Error>(self, read: i64) -> Result<(), E> {
        self.is(Meaning::Whole(read))
    }

    fn visit_u64<E: Error>(self, read: u64) -> Result<(), E> {
        self.is(Meaning::Whole(read.try_into().map_err(E::custom)?))
    }

    fn visit_str<E: Error>(self, read: &str) -> Result<(), E> {
        self.is(Meaning::Text(read))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut read: A) -> Result<(), A::Error> {
        self.is(Meaning::List)?;
        let mut next = |what| read.next_element_seed(self.with(what))?.ok_or_else(differs);
        match self.what {
            What::Node(id) if self.taken.contains(&id) => next(What::Nothing)?,
            What::Node(id) => self
                .tree
                .items(id)
                .try_for_each(|id| next(What::Node(id)))?,
            What::Items(items) => items.iter().try_for_each(|id| next(What::Node(*id)))?,
            What::Nothing => {}
        }
        end(read.next_element()?)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut read: A) -> Result<(), A::Error> {
        self.is(Meaning::Map)?;
        if let What::Node(id) = self.what {
            for (key, id) in self.tree.entries(id) {
                let key = Key(self.tree.text(key));
                read.next_key_seed(key)?.ok_or_else(differs)?;
                read.next_value_seed(self.with(What::Node(id)))?;
            }
        }
        end(read.next_key()?)
    }
}

fn end<E: Error>(more: Option<IgnoredAny>) -> Result<(), E> {
    match more {
        None => Ok(()),
        Some(_) => Err(differs()),
    }
}

/// Takes only this key. Keys are text, whatever they look like.
struct Key<'t>(Option<&'t str>);

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the key of the tree")
    }

    fn visit_str<E: Error>(self, read: &str) -> Result<(), E> {
        match self.0 == Some(read) {
            true => Ok(()),
            false => Err(differs()),
        }
    }
}
