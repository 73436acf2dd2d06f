//! `schema/policy.schema.json` is what the types say, describes everything to operators, and works where
//! editors look for it.

use rfw::policy::{schema, schema_text};
use serde_json::Value;
use std::{fs, path::PathBuf};

const HEADER: &str = "# yaml-language-server: $schema=";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// `RFW_UPDATE=1 cargo test --test main schema` writes the file anew.
#[test]
fn the_schema_is_fresh() {
    let path = root().join("schema/policy.schema.json");
    if std::env::var_os("RFW_UPDATE").is_some() {
        fs::write(&path, schema_text()).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap();
    assert!(
        written == schema_text(),
        "run `RFW_UPDATE=1 cargo test --test main schema`"
    );
}

#[test]
fn it_is_a_draft_07_schema_with_a_name() {
    let schema = schema();
    assert_eq!(schema["$schema"], "http://json-schema.org/draft-07/schema#");
    assert_eq!(schema["$id"], "urn:rfw:policy:1");
    assert_eq!(schema["title"], "rfw policy");
    assert!(jsonschema::draft7::meta::is_valid(&schema));
}

/// Keys, words and definitions without a description, by their place in the schema.
pub(crate) fn undescribed(node: &Value, place: &str, found: &mut Vec<String>) {
    let described = |node: &Value| {
        node["description"]
            .as_str()
            .is_some_and(|text| text.len() > 8)
    };
    for kind in ["properties", "definitions"] {
        for (name, below) in node[kind].as_object().into_iter().flatten() {
            if !described(below) {
                found.push(format!("{place}/{kind}/{name}"));
            }
            undescribed(below, &format!("{place}/{kind}/{name}"), found);
        }
    }
    for (nth, word) in node["oneOf"].as_array().into_iter().flatten().enumerate() {
        if !described(word) {
            found.push(format!("{place}/oneOf/{nth}"));
        }
    }
}

#[test]
fn everything_is_described() {
    let mut found = Vec::new();
    undescribed(&schema(), "", &mut found);
    assert_eq!(found, [""; 0]);
    let mut found = Vec::new();
    undescribed(
        &serde_json::json!({ "properties": { "a": {}, "b": { "oneOf": [{}] } } }),
        "",
        &mut found,
    );
    assert_eq!(
        found,
        ["/properties/a", "/properties/b", "/properties/b/oneOf/0"],
        "the search finds"
    );
}

/// No word for Rust programmers in what operators read.
#[test]
fn descriptions_speak_the_operators_language() {
    let text = schema_text();
    for word in [
        "null", "Option", "Vec", "enum", "struct", "serde", "[`", "crate::", "u16", "uint",
    ] {
        assert!(!text.contains(word), "`{word}` in the schema");
    }
}

#[test]
fn policies_name_the_schema_and_fit_it() {
    let mut seen = 0;
    for entry in fs::read_dir(root().join("policies")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let name = path.display();
        let named = text
            .lines()
            .next()
            .and_then(|line| line.strip_prefix(HEADER));
        let named = named.unwrap_or_else(|| panic!("{name} does not begin with `{HEADER}`"));
        let schema = fs::read_to_string(path.parent().unwrap().join(named)).unwrap();
        let schema: Value = serde_json::from_str(&schema).unwrap();
        let document: Value = serde_yaml::from_str(&text).unwrap();
        // As an editor does it: with the patterns, without our formats.
        let validator = jsonschema::validator_for(&schema).unwrap();
        let errors: Vec<String> = validator
            .iter_errors(&document)
            .map(|error| error.to_string())
            .collect();
        assert_eq!(errors, [""; 0], "{name}");
        seen += 1;
    }
    assert!(seen > 0, "there are policies");
}
