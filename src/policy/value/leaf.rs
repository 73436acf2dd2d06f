//! What all leaf values have in common: how they are read, written, described and complained about.

use super::{
    Address, Auto, Branch, Date, DateRange, Duration, Endpoint, FilePath, Host, IcmpType,
    Icmpv6Type, IncludePattern, InterfaceName, InterfacePattern, IpProtocol, ListFile, LogPrefix,
    Moment, Name, NamedPorts, Port, PortRange, Prefix, Rate, RawRule, RulePath, SetSource,
    SourceAfter, Subdirectory, Text, TimeOfDay, TimeZoneName, Url, ZoneName, ZoneRef,
};
use crate::diagnostic::Code;
use serde_json::Value;
use std::{fmt, str::FromStr};

/// Why a text is not the value it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueError {
    /// Which complaint.
    pub code: Code,
    /// One line, user text in backticks.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
}

impl ValueError {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        ValueError {
            code,
            message: message.into(),
            help: None,
        }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ValueError {}

/// A value that is written as one scalar.
pub trait Leaf: FromStr<Err = ValueError> + fmt::Display {
    /// The `format` of its JSON schema.
    const FORMAT: &str;
    /// What it is, with an article, as in "expected a port".
    const WHAT: &str;
}

/// Makes, from the list of all leaves, the functions that find one by its schema `format`.
macro_rules! leaves {
    ($($leaf:ty),* $(,)?) => {
        /// The complaint about a JSON value in the place of the leaf with this `format`; `None` for other
        /// formats and for values the leaf takes.
        pub(crate) fn complain(format: &str, value: &Value) -> Option<ValueError> {
            $(if format == <$leaf>::FORMAT { return complain_about::<$leaf>(value); })*
            None
        }

        /// What the leaf with this `format` is, with an article; `None` for other formats.
        pub(crate) fn what(format: &str) -> Option<&'static str> {
            $(if format == <$leaf>::FORMAT { return Some(<$leaf>::WHAT); })*
            None
        }

        /// Tells a validator how each `format` is checked.
        pub(crate) fn with_formats<R, F: jsonschema::json::Json>(
            mut options: jsonschema::ValidationOptions<'_, R, F>,
        ) -> jsonschema::ValidationOptions<'_, R, F> {
            $(options = options.with_format(<$leaf>::FORMAT, |text: &str| text.parse::<$leaf>().is_ok());)*
            options
        }
    };
}

leaves! {
    Address, Auto, Date, DateRange, Duration, Host, IcmpType, Icmpv6Type, InterfacePattern,
    IpProtocol, LogPrefix, Name, Port, PortRange, Prefix, RawRule,
    Rate, Text, TimeOfDay, TimeZoneName, ZoneName, ZoneRef,
    IncludePattern, InterfaceName, ListFile, SetSource, Url,
    Branch, Endpoint, FilePath, Subdirectory,
    Moment, NamedPorts, RulePath, SourceAfter,
}

fn complain_about<L: Leaf>(value: &Value) -> Option<ValueError> {
    match value {
        Value::String(text) => text.parse::<L>().err(),
        Value::Number(number) => number.to_string().parse::<L>().err(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Implements [`Leaf`], serde and schemars for a type with `FromStr` and `Display`.
/// The last argument is its schema without `format`.
macro_rules! leaf {
    ($leaf:ident, $format:literal, $what:literal, $schema:tt) => {
        impl $crate::policy::value::Leaf for $leaf {
            const FORMAT: &str = $format;
            const WHAT: &str = $what;
        }

        impl serde::Serialize for $leaf {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $leaf {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::policy::value::leaf::deserialize(deserializer)
            }
        }

        impl schemars::JsonSchema for $leaf {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($leaf).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                let mut schema = schemars::json_schema!($schema);
                schema.insert("format".into(), $format.into());
                schema
            }
        }
    };
}
pub(crate) use leaf;

/// Reads a leaf from a string or a whole number.
pub(crate) fn deserialize<'de, L: Leaf, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<L, D::Error> {
    struct Visitor<L>(std::marker::PhantomData<L>);

    impl<L: Leaf> serde::de::Visitor<'_> for Visitor<L> {
        type Value = L;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(L::WHAT)
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<L, E> {
            text.parse().map_err(E::custom)
        }

        fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<L, E> {
            self.visit_str(&number.to_string())
        }

        fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<L, E> {
            self.visit_str(&number.to_string())
        }
    }

    deserializer.deserialize_any(Visitor(std::marker::PhantomData))
}

/// For tests: a text is read like this, in one line.
#[cfg(test)]
#[track_caller]
pub(crate) fn check<L: Leaf>(text: &str, expect: &str) {
    assert_eq!(told::<L>(text), expect);
}

/// For tests: how a text is read, in one line.
#[cfg(test)]
pub(crate) fn told<L: Leaf>(text: &str) -> String {
    match text.parse::<L>() {
        Ok(leaf) => format!("ok: {leaf}"),
        Err(ValueError {
            code,
            message,
            help,
        }) => {
            let help = help.map(|help| format!("; {help}")).unwrap_or_default();
            format!("{code}: {message}{help}")
        }
    }
}
