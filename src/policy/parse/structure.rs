//! Every way in which a document differs from the schema, said so that it helps.
//!
//! The validator names keywords of the schema that do not hold; this file knows which of them have one cause,
//! and what the operator probably meant. Names and their meaning are not looked at.

use super::super::{
    schema::CHECKER,
    value::{ValueError, complain, what},
};
use crate::diagnostic::{Code, Diagnostic, DocPath, nearest};
use jsonschema::error::{TypeKind, ValidationErrorKind};
use serde_json::Value;
use std::collections::BTreeSet;

/// More complaints than this about one policy help nobody.
const MOST: usize = 1000;

/// Compares a document with the schema.
pub(crate) fn structure(document: &Value) -> Vec<Diagnostic> {
    let mut structure = Structure {
        document,
        schema: &CHECKER.schema,
        judged: BTreeSet::new(),
        misspelt: BTreeSet::new(),
        missing: Vec::new(),
        diagnostics: Vec::new(),
    };
    let errors = CHECKER
        .validator
        .iter()
        .flat_map(|validator| validator.iter_errors(document));
    for error in errors.take(MOST) {
        let path = error.instance_path().as_str();
        let keyword = error.schema_path().as_str();
        let node = parent(keyword);
        structure.violation(path, node, error.instance(), error.kind());
    }
    structure.finish()
}

/// The schema object that a keyword belongs to.
fn parent(keyword: &str) -> &str {
    keyword.rsplit_once('/').map_or("", |(node, _)| node)
}

/// A key that a map should have.
struct Missing<'a> {
    map: String,
    key: String,
    node: &'a Value,
}

struct Structure<'a> {
    document: &'a Value,
    schema: &'a Value,
    /// Pointers of values that have their complaint already.
    judged: BTreeSet<String>,
    /// Pointer of a map and a key that it has under a misspelt name.
    misspelt: BTreeSet<(String, String)>,
    missing: Vec<Missing<'a>>,
    diagnostics: Vec<Diagnostic>,
}

impl<'a> Structure<'a> {
    fn violation(&mut self, path: &str, node: &str, value: &Value, kind: &ValidationErrorKind) {
        let definition = node.strip_prefix("/definitions/").unwrap_or(node);
        let Some(node) = self.schema.pointer(node) else {
            return;
        };
        match kind {
            ValidationErrorKind::AdditionalProperties { unexpected } => {
                for key in unexpected {
                    self.unknown_key(path, definition, node, key);
                }
            }
            ValidationErrorKind::Required { property } => self.missing.push(Missing {
                map: path.into(),
                key: property.as_str().unwrap_or_default().into(),
                node,
            }),
            ValidationErrorKind::PropertyNames { error } => {
                let name = self.schema.pointer(parent(error.schema_path().as_str()));
                self.bad_key(path, name, error.instance());
            }
            ValidationErrorKind::UniqueItems => self.repeated(path, value),
            ValidationErrorKind::Type { kind } => {
                if self.judged.insert(path.into()) {
                    let diagnostic = wrong_type(path, definition, node, value, kind);
                    self.diagnostics.push(diagnostic);
                }
            }
            _ => {
                if self.judged.insert(path.into()) {
                    let diagnostic = wrong_value(path, node, value, kind);
                    self.diagnostics.push(diagnostic);
                }
            }
        }
    }

    fn unknown_key(&mut self, map: &str, definition: &str, node: &Value, key: &str) {
        let path = DocPath::from_pointer(map).key(key);
        if is_unsupported(definition, key) {
            self.diagnostics.push(unsupported_key(path, key));
            return;
        }
        let have = self.document.pointer(map).and_then(Value::as_object);
        let properties = node.get("properties").and_then(Value::as_object);
        let names = || {
            properties
                .iter()
                .flat_map(|properties| properties.keys())
                .map(String::as_str)
        };
        let free = names().filter(|name| have.is_none_or(|have| !have.contains_key(*name)));
        let diagnostic = Diagnostic::error(Code::UnknownKey, format!("unknown key `{key}`"));
        let diagnostic = match nearest(key, free) {
            Some(name) => {
                self.misspelt.insert((map.into(), name.into()));
                diagnostic
                    .at_key(path, "no such key here")
                    .help(format!("did you mean `{name}`?"))
            }
            None => diagnostic
                .at_key(path, "no such key here")
                .help(format!("possible here: {}", list(names()))),
        };
        self.diagnostics.push(diagnostic);
    }

    fn bad_key(&mut self, map: &str, node: Option<&Value>, key: &Value) {
        let text = key.as_str().unwrap_or_default();
        let format = node
            .and_then(|node| node.get("format"))
            .and_then(Value::as_str);
        let Some(error) = format.and_then(|format| complain(format, key)) else {
            return;
        };
        // A pattern and a format may both object to the same key.
        if self.judged.insert(format!("{map}/{text}")) {
            let place = DocPath::from_pointer(map).key(text);
            self.diagnostics.push(from_error(error, place, true));
        }
    }

    fn repeated(&mut self, path: &str, value: &Value) {
        let list = DocPath::from_pointer(path);
        let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
        for (again, item) in items.iter().enumerate() {
            let Some(first) = items.iter().take(again).position(|before| before == item) else {
                continue;
            };
            let message = format!("{} is listed twice", found(item));
            self.diagnostics.push(
                Diagnostic::error(Code::RepeatedItem, message)
                    .at(list.index(again), "again here")
                    .at(list.index(first), "first here"),
            );
        }
    }

    /// Adds the keys that are missing and not just misspelt.
    fn finish(mut self) -> Vec<Diagnostic> {
        for Missing { map, key, node } in self.missing {
            if self.misspelt.contains(&(map.clone(), key.clone())) {
                continue;
            }
            let path = DocPath::from_pointer(&map);
            let whose = match self
                .document
                .pointer(&map)
                .and_then(|map| map.get("name"))
                .and_then(Value::as_str)
            {
                Some(name) if !map.is_empty() => format!("`{name}`"),
                Some(_) | None if map.is_empty() => "the policy".into(),
                Some(_) | None => format!("`{path}`"),
            };
            let description = node
                .pointer(&format!("/properties/{key}/description"))
                .and_then(Value::as_str);
            let diagnostic = Diagnostic::error(Code::MissingKey, format!("{whose} has no `{key}`"))
                .at(path, format!("`{key}` is needed here"));
            self.diagnostics
                .push(match description.map(first_sentence) {
                    Some(meaning) => diagnostic.help(format!("`{key}`: {meaning}")),
                    None => diagnostic,
                });
        }
        self.diagnostics
    }
}

/// The first sentence of a description, as help: `the name of this rule, unique within its policy`.
fn first_sentence(description: &str) -> String {
    let sentence = description.split(". ").next().unwrap_or_default();
    let sentence = sentence.trim_end_matches('.').replace('\n', " ");
    let mut letters = sentence.chars();
    let first = letters.next().map(|first| first.to_lowercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}

/// Keys of the language that this version does not do, by the map they belong to.
const UNSUPPORTED: &[(&str, &[&str])] = &[
    (
        "",
        &[
            "sysctl",
            "schedules",
            "protect",
            "tests",
            "include",
            "nodes",
            "ha",
            "foreign_tables",
            "sets",
            "flowtable",
            "raw",
        ],
    ),
    ("Zone", &["match"]),
    (
        "Rule",
        &["schedule", "connlimit", "offload", "add_source_to"],
    ),
    ("Nat", &["netmap", "nptv6"]),
];

fn is_unsupported(definition: &str, key: &str) -> bool {
    UNSUPPORTED
        .iter()
        .any(|(map, keys)| *map == definition && keys.contains(&key))
}

fn unsupported_key(path: DocPath, key: &str) -> Diagnostic {
    let message = format!("`{key}` belongs to the language but this version does not do it yet");
    Diagnostic::error(Code::UnsupportedKey, message)
        .at_key(path, "not done yet")
        .help("take it out; it is refused so that nobody relies on it")
}

fn wrong_type(
    path: &str,
    definition: &str,
    node: &Value,
    value: &Value,
    kind: &TypeKind,
) -> Diagnostic {
    let path = DocPath::from_pointer(path);
    let expected = expected(node, kind);
    if value.is_null() {
        let whose = match path.segments().last() {
            Some(_) => format!("`{path}`"),
            None => "the policy".into(),
        };
        return Diagnostic::error(Code::EmptyValue, format!("{whose} has no value"))
            .at(path, format!("expected {expected}"))
            .help("write a value, or leave the key out");
    }
    if definition == "Group" && value.get("file").is_some() {
        return unsupported_key(path.key("file"), "file");
    }
    let message = format!("expected {expected}, found {}", found(value));
    let diagnostic =
        Diagnostic::error(Code::WrongType, message).at(path, format!("expected {expected}"));
    match wrong_type_help(node, value) {
        Some(help) => diagnostic.help(help),
        None => diagnostic,
    }
}

fn wrong_type_help(node: &Value, value: &Value) -> Option<String> {
    let allows = |name: &str| types(node).any(|one| one == name);
    match value {
        Value::String(text) if allows("boolean") => match text.to_lowercase().as_str() {
            "yes" | "on" | "y" => Some("write `true`".into()),
            "no" | "off" | "n" => Some("write `false`".into()),
            _ => None,
        },
        Value::String(text) if allows("integer") && text.parse::<i64>().is_ok() => {
            Some(format!("write it without quotes: {text}"))
        }
        Value::String(text) if allows("array") => Some(format!("write a list: [{text}]")),
        Value::Number(number) if allows("array") => Some(format!("write a list: [{number}]")),
        Value::Number(number) if allows("string") => {
            // A number is no name and no address either: say what one looks like, if the leaf knows.
            let format = node.get("format").and_then(Value::as_str);
            let leaf =
                format.and_then(|format| complain(format, &Value::String(number.to_string())));
            match leaf {
                Some(ValueError {
                    help: Some(help), ..
                }) => Some(help),
                Some(ValueError { message, .. }) => Some(message),
                None => Some(format!("quote it: \"{number}\"")),
            }
        }
        Value::Bool(word) if allows("string") => Some(format!("quote it: \"{word}\"")),
        Value::Object(_) if allows("array") => {
            Some("write a list: begin each entry with `- `".into())
        }
        _ => None,
    }
}

fn wrong_value(path: &str, node: &Value, value: &Value, kind: &ValidationErrorKind) -> Diagnostic {
    let format = node.get("format").and_then(Value::as_str);
    let path = DocPath::from_pointer(path);
    if let Some(error) = format.and_then(|format| complain(format, value)) {
        return from_error(error, path, false);
    }
    match kind {
        ValidationErrorKind::MinItems { .. } | ValidationErrorKind::MinProperties { .. } => {
            let message = format!("`{path}` is empty");
            Diagnostic::error(Code::EmptyList, message)
                .at(path, "at least one entry is needed")
                .help("write an entry, or leave the key out")
        }
        ValidationErrorKind::MaxItems { limit } => Diagnostic::error(
            Code::TooLarge,
            format!("`{path}` has more than {limit} entries"),
        )
        .at(path, ""),
        ValidationErrorKind::Minimum { .. } | ValidationErrorKind::Maximum { .. }
            if path.to_pointer() == "/version" =>
        {
            Diagnostic::error(
                Code::UnsupportedVersion,
                format!("version {value} of the language is not known"),
            )
            .at(path, "this program knows version 1")
            .help("write `version: 1`, or install a newer rfw")
        }
        ValidationErrorKind::Minimum { .. } | ValidationErrorKind::Maximum { .. } => {
            let bound = |keyword: &str| node.get(keyword).map(whole).unwrap_or_default();
            let range = format!("{} to {}", bound("minimum"), bound("maximum"));
            Diagnostic::error(Code::OutOfRange, format!("`{path}` cannot be {value}"))
                .at(path, format!("expected {range}"))
        }
        _ => {
            let words: Vec<&str> = words(node).collect();
            let text = value.as_str().unwrap_or_default();
            let diagnostic = Diagnostic::error(
                Code::UnknownValue,
                format!("`{path}` cannot be {}", found(value)),
            )
            .at(path, "not one of the possible words");
            match nearest(text, words.iter().copied()) {
                Some(word) => diagnostic.help(format!("did you mean `{word}`?")),
                None => diagnostic.help(format!("possible here: {}", list(words.into_iter()))),
            }
        }
    }
}

/// A bound of the schema, which schemars may write as `1` or `1.0`.
fn whole(bound: &Value) -> String {
    match bound.as_f64() {
        Some(number) => format!("{number:.0}"),
        None => bound.to_string(),
    }
}

fn from_error(error: ValueError, path: DocPath, key: bool) -> Diagnostic {
    let ValueError {
        code,
        message,
        help,
    } = error;
    let diagnostic = Diagnostic::error(code, message);
    let diagnostic = match key {
        true => diagnostic.at_key(path, ""),
        false => diagnostic.at(path, ""),
    };
    match help {
        Some(help) => diagnostic.help(help),
        None => diagnostic,
    }
}

/// The kinds of value that a node of the schema allows.
fn types(node: &Value) -> impl Iterator<Item = &str> {
    let (one, many) = match node.get("type") {
        Some(Value::String(one)) => (Some(one.as_str()), None),
        Some(Value::Array(many)) => (None, Some(many)),
        _ => (None, None),
    };
    one.into_iter()
        .chain(many.into_iter().flatten().filter_map(Value::as_str))
}

/// The words that a node of the schema allows, with or without a description each.
fn words(node: &Value) -> impl Iterator<Item = &str> {
    let described = node
        .get("oneOf")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let consts = described.filter_map(|word| word.get("const").or_else(|| word.pointer("/enum/0")));
    let plain = node
        .get("enum")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    consts
        .chain(plain)
        .chain(node.get("const"))
        .filter_map(Value::as_str)
}

/// What a node of the schema wants: `a port or a list`.
fn expected(node: &Value, kind: &TypeKind) -> String {
    let leaf = node.get("format").and_then(Value::as_str).and_then(what);
    let mut parts: Vec<&str> = Vec::new();
    for one in types(node) {
        let part = match (one, leaf) {
            ("string" | "integer", Some(leaf)) => leaf,
            ("string", None) => "a word",
            ("integer", None) => "a whole number",
            ("boolean", _) => "`true` or `false`",
            ("array", _) => "a list",
            ("object", _) => "a map",
            _ => continue,
        };
        if !parts.contains(&part) {
            parts.push(part);
        }
    }
    match parts.is_empty() {
        true => format!("{kind:?}"),
        false => parts.join(" or "),
    }
}

/// What a value is, in words.
fn found(value: &Value) -> String {
    match value {
        Value::Null => "nothing".into(),
        Value::Bool(word) => format!("`{word}`"),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) => format!("`{text}`"),
        Value::Array(_) => "a list".into(),
        Value::Object(_) => "a map".into(),
    }
}

fn list<'s>(words: impl Iterator<Item = &'s str>) -> String {
    words
        .map(|word| format!("`{word}`"))
        .collect::<Vec<_>>()
        .join(", ")
}
