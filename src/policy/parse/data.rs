//! The tree as serde's data: types are made of it without anything in between.

use super::meaning::{Meaning, meaning};
use super::tree::{NodeId, Tree};
use serde::de::value::{BorrowedStrDeserializer, Error, MapDeserializer, SeqDeserializer};
use serde::de::{Deserialize, Deserializer, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

/// A node as a type; `None` if it is none, or if what it means depends on the reader.
pub(crate) fn make<'de, T: Deserialize<'de>>(tree: &'de Tree, id: NodeId) -> Option<T> {
    T::deserialize(Node { tree, id }).ok()
}

/// Items that know how many they are, so that a list of them takes no more memory than it needs.
struct Counted<I> {
    items: I,
    left: usize,
}

impl<I: Iterator + Clone> Counted<I> {
    fn new(items: I) -> Self {
        let left = items.clone().count();
        Self { items, left }
    }
}

impl<I: Iterator> Iterator for Counted<I> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        self.left = self.left.saturating_sub(1);
        self.items.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

#[derive(Clone, Copy)]
struct Node<'de> {
    tree: &'de Tree,
    id: NodeId,
}

impl<'de> Node<'de> {
    fn meaning(self) -> Result<Meaning<'de>, Error> {
        let odd = || serde::de::Error::custom("depends on the reader");
        meaning(self.tree, self.id).ok_or_else(odd)
    }
}

impl<'de> IntoDeserializer<'de> for Node<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Node<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let Node { tree, id } = self;
        match self.meaning()? {
            Meaning::Nothing => visitor.visit_unit(),
            Meaning::Truth(truth) => visitor.visit_bool(truth),
            Meaning::Whole(whole) => match u64::try_from(whole) {
                Ok(whole) => visitor.visit_u64(whole),
                Err(_) => visitor.visit_i64(whole),
            },
            Meaning::Text(text) => visitor.visit_borrowed_str(text),
            Meaning::List => {
                let items = tree.items(id).map(|id| Node { tree, id });
                visitor.visit_seq(SeqDeserializer::new(Counted::new(items)))
            }
            Meaning::Map => {
                let entries = tree.entries(id).map(|(key, id)| {
                    let key = tree.text(key).unwrap_or_default();
                    (BorrowedStrDeserializer::new(key), Node { tree, id })
                });
                visitor.visit_map(MapDeserializer::new(entries))
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.meaning()? {
            Meaning::Nothing => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    /// Words only: no type of the language is a choice with something in it.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.meaning()? {
            Meaning::Text(text) => visitor.visit_enum(BorrowedStrDeserializer::new(text)),
            _ => Err(serde::de::Error::custom("no word")),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        seq tuple tuple_struct map struct identifier ignored_any
    }
}
