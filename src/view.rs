//! What the things that rfw prints have in common: text that does not act on a terminal, moments, the published shape of JSON,
//! and what a schedule does next. Not what any command says.

use crate::diagnostic::is_invisible;
use jiff::Timestamp;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::{Deserialize, Serialize};

/// A schedule opens or closes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Switch {
    /// The schedule's name.
    pub schedule: String,
    /// Whether it opens; else it closes.
    pub opens: bool,
    /// When, in UTC: `2026-11-25T06:00:00Z`.
    pub at: String,
    /// The same for people, in the policy's time zone.
    pub text: String,
}

/// Text of others, safe for a terminal and for its reader: `?` for every character that nobody sees, be it a control or one
/// that turns the direction of what follows.
pub fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if is_invisible(c) { '?' } else { c })
        .collect()
}

/// A moment in UTC, of seconds since 1970: `2026-11-25T06:00:00Z`.
pub fn moment(seconds: i64) -> String {
    let moment = Timestamp::from_second(seconds);
    moment.unwrap_or_default().to_string()
}

/// The text of a file below `schema/`: the shape that `--format json` prints of a type.
pub fn schema<T: JsonSchema>(id: &str, title: &str) -> String {
    let generator = SchemaSettings::draft07().for_serialize().into_generator();
    let mut schema = generator.into_root_schema_for::<T>();
    schema.insert("$id".into(), id.into());
    schema.insert("title".into(), title.into());
    format!("{:#}\n", schema.to_value())
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn what_nobody_sees_is_marked() {
        // A colour, and letters that would be shown from right to left.
        assert_eq!(printable("a\u{1b}[31mb\n"), "a?[31mb?");
        assert_eq!(printable("drop \u{202e}tpecca\u{202c}é"), "drop ?tpecca?é");
    }
}
