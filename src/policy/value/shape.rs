//! Shapes around leaf values: one or a list, a leaf or a map, a map by names. Written out as one schema
//! object each, because `anyOf` makes every mistake inside it "not valid under any of the schemas".

use super::Leaf;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

/// The schema of a map from names to values.
pub(crate) fn names<K: Leaf + JsonSchema, V: JsonSchema>(
    generator: &mut SchemaGenerator,
) -> Schema {
    let (key, value) = (
        generator.subschema_for::<K>(),
        generator.subschema_for::<V>(),
    );
    json_schema!({
        "type": "object",
        "propertyNames": key,
        "additionalProperties": value
    })
}

/// Adds the keywords of a leaf's own schema to that of a shape; keywords for strings leave lists and maps
/// alone, so one object can describe both.
pub(crate) fn with_leaf<L: JsonSchema>(
    generator: &mut SchemaGenerator,
    mut shape: Schema,
) -> Schema {
    let leaf = L::json_schema(generator);
    for (keyword, value) in leaf.as_object().into_iter().flatten() {
        if keyword != "type" && keyword != "description" {
            shape.insert(keyword.clone(), value.clone());
        }
    }
    shape
}

/// Implements serde and schemars for a newtype around `Vec<Leaf>` that is written as one leaf or a list.
macro_rules! one_or_list {
    ($list:ident, $leaf:ty, $what:literal, $description:literal) => {
        impl serde::Serialize for $list {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self.0.as_slice() {
                    [one] => serde::Serialize::serialize(one, serializer),
                    list => serde::Serialize::serialize(list, serializer),
                }
            }
        }

        impl<'de> serde::Deserialize<'de> for $list {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Visitor;

                impl<'de> serde::de::Visitor<'de> for Visitor {
                    type Value = $list;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str($what)
                    }

                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$list, E> {
                        Ok($list(vec![text.parse().map_err(E::custom)?]))
                    }

                    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, seq: A) -> Result<$list, A::Error> {
                        let seq = serde::de::value::SeqAccessDeserializer::new(seq);
                        serde::Deserialize::deserialize(seq).map($list)
                    }
                }

                deserializer.deserialize_any(Visitor)
            }
        }

        impl schemars::JsonSchema for $list {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($list).into()
            }

            fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                let items = generator.subschema_for::<$leaf>();
                let shape = schemars::json_schema!({
                    "description": $description,
                    "type": ["string", "array"],
                    "items": items,
                    "minItems": 1,
                    "uniqueItems": true
                });
                $crate::policy::value::with_leaf::<$leaf>(generator, shape)
            }
        }
    };
}
pub(crate) use one_or_list;

/// Implements serde and schemars for an enum `{ Name(Leaf), Inline(Box<Map>) }`.
macro_rules! one_or_map {
    ($either:ident, $leaf:ty, $map:ty, $what:literal, $description:literal) => {
        impl serde::Serialize for $either {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self {
                    $either::Name(leaf) => serde::Serialize::serialize(leaf, serializer),
                    $either::Inline(map) => serde::Serialize::serialize(map, serializer),
                }
            }
        }

        impl<'de> serde::Deserialize<'de> for $either {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Visitor;

                impl<'de> serde::de::Visitor<'de> for Visitor {
                    type Value = $either;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str($what)
                    }

                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$either, E> {
                        text.parse().map($either::Name).map_err(E::custom)
                    }

                    fn visit_map<A: serde::de::MapAccess<'de>>(
                        self,
                        map: A,
                    ) -> Result<$either, A::Error> {
                        let map = serde::de::value::MapAccessDeserializer::new(map);
                        serde::Deserialize::deserialize(map).map($either::Inline)
                    }
                }

                deserializer.deserialize_any(Visitor)
            }
        }

        impl schemars::JsonSchema for $either {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($either).into()
            }

            fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                let mut shape = <$map as schemars::JsonSchema>::json_schema(generator);
                shape.insert("description".into(), $description.into());
                shape.insert("type".into(), serde_json::json!(["string", "object"]));
                $crate::policy::value::with_leaf::<$leaf>(generator, shape)
            }
        }
    };
}
pub(crate) use one_or_map;
