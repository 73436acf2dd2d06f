//! Groups of addresses, and the lists that `source` and `destination` take.

use super::{Host, ListFile};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser::SerializeMap};
use std::{borrow::Cow, fmt};

/// A group of addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Group {
    /// Addresses, prefixes, ranges and names of other groups. The path of an entry is `groups.web[0]`.
    Listed(Vec<Host>),
    /// `file:` and a file of addresses, prefixes and ranges. Its path is `groups.web.file`.
    File(ListFile),
}

impl Group {
    /// The entries that the policy itself lists; none where they are in a file.
    #[must_use]
    pub fn entries(&self) -> &[Host] {
        match self {
            Group::Listed(entries) => entries,
            Group::File(_) => &[],
        }
    }
}

impl Serialize for Group {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Group::Listed(entries) => entries.serialize(serializer),
            Group::File(file) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("file", file)?;
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Group {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Group;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of addresses, or `file:` and the path of such a list")
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, seq: A) -> Result<Group, A::Error> {
                Vec::deserialize(de::value::SeqAccessDeserializer::new(seq)).map(Group::Listed)
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Group, A::Error> {
                #[derive(Deserialize)]
                #[serde(deny_unknown_fields)]
                struct File {
                    file: ListFile,
                }
                let File { file } = File::deserialize(de::value::MapAccessDeserializer::new(map))?;
                Ok(Group::File(file))
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for Group {
    fn schema_name() -> Cow<'static, str> {
        "Group".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let host = generator.subschema_for::<Host>();
        let file = generator.subschema_for::<ListFile>();
        json_schema!({
            "description": "A group of addresses: a list of addresses, prefixes, ranges and names of other groups, or `{ file: ... }` for a file with one address, prefix or range a line. Entries that overlap are merged. Example: `[192.168.1.10, 192.168.2.0/24, servers]`, `{ file: lists/bogons.txt }`.",
            "type": ["array", "object"],
            "items": host,
            "minItems": 1,
            "properties": {
                "file": {
                    "description": "A file of the policy with one address, prefix or range a line; `#` begins a comment.",
                    "allOf": [file]
                }
            },
            "required": ["file"],
            "additionalProperties": false
        })
    }
}

/// Which addresses a rule means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hosts {
    /// A list: any of these. The path of an entry is `source[0]`.
    In(Vec<Host>),
    /// `not:` and a list: any but these. The path of an entry is `source.not[0]`.
    Not(Vec<Host>),
}

impl Hosts {
    /// The entries, whichever way they are meant.
    #[must_use]
    pub fn entries(&self) -> &[Host] {
        match self {
            Hosts::In(entries) | Hosts::Not(entries) => entries,
        }
    }
}

impl Serialize for Hosts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Hosts::In(entries) => entries.serialize(serializer),
            Hosts::Not(entries) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("not", entries)?;
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Hosts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Hosts;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of addresses, or `not:` and such a list")
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, seq: A) -> Result<Hosts, A::Error> {
                Vec::deserialize(de::value::SeqAccessDeserializer::new(seq)).map(Hosts::In)
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Hosts, A::Error> {
                #[derive(Deserialize)]
                #[serde(deny_unknown_fields)]
                struct Not {
                    not: Vec<Host>,
                }
                let Not { not } = Not::deserialize(de::value::MapAccessDeserializer::new(map))?;
                Ok(Hosts::Not(not))
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for Hosts {
    fn schema_name() -> Cow<'static, str> {
        "Hosts".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let host = generator.subschema_for::<Host>();
        json_schema!({
            "description": "A list of addresses, prefixes, ranges, groups and zones, or `{ not: [...] }` for everybody else. Example: `[admins, 192.0.2.0/24]`.",
            "type": ["array", "object"],
            "items": host,
            "minItems": 1,
            "properties": {
                "not": {
                    "description": "Everybody but these.",
                    "type": "array",
                    "items": host,
                    "minItems": 1
                }
            },
            "required": ["not"],
            "additionalProperties": false
        })
    }
}
