//! serde_yaml's reading of a text, compared with the tree as it comes, without keeping it.

use super::meaning::{Meaning, meaning};
use super::tree::{NodeId, Tree};
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// Whether serde_yaml reads the text as what the tree means, in every node.
pub(crate) fn reads_alike(text: &str, tree: &Tree) -> bool {
    tree.root().is_some_and(|(id, _)| {
        let same = Same { tree, id };
        same.deserialize(serde_yaml::Deserializer::from_str(text))
            .is_ok()
    })
}

/// Takes only what a node means.
#[derive(Clone, Copy)]
struct Same<'t> {
    tree: &'t Tree,
    id: NodeId,
}

impl Same<'_> {
    fn is<E: Error>(self, read: Meaning<'_>) -> Result<(), E> {
        match meaning(self.tree, self.id) == Some(read) {
            true => Ok(()),
            false => Err(differs()),
        }
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
        for id in self.tree.items(self.id) {
            let same = Same { id, ..self };
            read.next_element_seed(same)?.ok_or_else(differs)?;
        }
        end(read.next_element()?)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut read: A) -> Result<(), A::Error> {
        self.is(Meaning::Map)?;
        for (key, id) in self.tree.entries(self.id) {
            let key = Key(self.tree.text(key));
            read.next_key_seed(key)?.ok_or_else(differs)?;
            read.next_value_seed(Same { id, ..self })?;
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
