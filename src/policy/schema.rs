//! The language as a JSON schema, for editors and for the validator: one schema, made from the types, so
//! that neither can know more than the other.

use super::{Policy, parse::Written, value::with_formats};
use jsonschema::{Draft, ValidationOptions, Validator};
use schemars::{JsonSchema, Schema, generate::SchemaSettings, transform::RecursiveTransform};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::sync::LazyLock;

/// The schema of [`Policy`]: draft-07, which editors know best.
#[must_use]
pub fn schema() -> Value {
    schema_of::<Policy>("urn:rfw:policy:1", "rfw policy")
}

/// The schema of a kind of document.
#[must_use]
pub fn schema_of<D: JsonSchema>(id: &str, title: &str) -> Value {
    let settings = SchemaSettings::draft07().with_transform(RecursiveTransform(tidy));
    let generator = settings.into_generator();
    let mut schema = generator.into_root_schema_for::<D>();
    schema.insert("$id".into(), id.into());
    schema.insert("title".into(), title.into());
    schema.to_value()
}

/// A kind of document that is read as a policy is: with every mistake at its place.
pub trait Document: DeserializeOwned {
    /// Its schema, ready to be asked.
    fn checker() -> &'static Checker;
}

impl Document for Policy {
    fn checker() -> &'static Checker {
        &CHECKER
    }
}

/// Takes out what serde would accept and the language does not: a key without a value (`null`). Also joins
/// the lines of descriptions, which are wrapped for the source, and drops the formats of Rust's integers.
fn tidy(schema: &mut Schema) {
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|one| one != "null");
        if let [one] = types.as_slice() {
            let one = one.clone();
            schema.insert("type".into(), one);
        }
    }
    if let Some(Value::Array(choices)) = schema.get_mut("anyOf") {
        choices.retain(|choice| choice.get("type").is_none_or(|one| one != "null"));
        // Not the choice itself: draft-07 ignores what stands beside a `$ref`.
        if choices.len() == 1
            && let Some(choices) = schema.remove("anyOf")
        {
            schema.insert("allOf".into(), choices);
        }
    }
    if let Some(Value::String(description)) = schema.get_mut("description") {
        let paragraphs = description
            .split("\n\n")
            .map(|paragraph| paragraph.replace('\n', " "));
        *description = paragraphs.collect::<Vec<_>>().join("\n\n");
    }
    if schema
        .get("format")
        .and_then(Value::as_str)
        .is_some_and(|format| format.starts_with("uint"))
    {
        schema.remove("format");
    }
}

/// The text of `schema/policy.schema.json`.
#[must_use]
pub fn schema_text() -> String {
    format!("{:#}\n", schema())
}

/// A schema, ready to be asked.
#[derive(Debug)]
pub struct Checker {
    /// The schema itself, for what errors refer to.
    pub(crate) schema: Value,
    /// What checks documents. There is always one, as a test proves.
    pub(crate) validator: Option<Validator<Written>>,
    /// What a document of this kind is called, with an article.
    pub(crate) what: &'static str,
}

impl Checker {
    /// Makes one of a schema.
    #[must_use]
    pub fn new(schema: Value, what: &'static str) -> Self {
        let validator = validator_of(schema.clone());
        Self {
            schema,
            validator,
            what,
        }
    }

    /// Whether it can be asked.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.validator.is_some()
    }
}

/// Made once, for those who say what is wrong with a document.
pub(crate) static CHECKER: LazyLock<Checker> =
    LazyLock::new(|| Checker::new(schema(), "the policy"));

/// What checks policies; made in about a millisecond. It is large, and whether all is well is asked once of a policy, so
/// it need not be kept for that.
pub(crate) fn validator() -> Option<Validator<Written>> {
    validator_of(schema())
}

fn validator_of(schema: Value) -> Option<Validator<Written>> {
    let options = ValidationOptions::<'_, _, Written>::default()
        .with_draft(Draft::Draft7)
        .should_validate_formats(true);
    with_formats(options).build(&without_patterns(schema)).ok()
}

/// The schema without the patterns that stand beside a format. They are for editors, which do not know our formats, and
/// take all that the formats take, as a test proves; without them no regular expression is compiled.
fn without_patterns(mut schema: Value) -> Value {
    fn strip(node: &mut Value) {
        match node {
            Value::Object(map) => {
                if map.get("format").is_some_and(Value::is_string)
                    && map.get("pattern").is_some_and(Value::is_string)
                {
                    map.remove("pattern");
                }
                map.values_mut().for_each(strip);
            }
            Value::Array(list) => list.iter_mut().for_each(strip),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    strip(&mut schema);
    schema
}

#[cfg(test)]
mod tests {
    use super::{CHECKER, schema, without_patterns};

    #[test]
    fn the_schema_can_be_asked() {
        assert!(CHECKER.is_ready());
    }

    #[test]
    fn every_pattern_has_a_format_beside_it() {
        assert!(schema().to_string().contains("\"pattern\":\""));
        let asked = without_patterns(schema()).to_string();
        assert!(!asked.contains("\"pattern\":\""));
    }
}
