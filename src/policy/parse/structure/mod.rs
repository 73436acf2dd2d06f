//! Every way in which a document differs from the schema, said so that it helps.
//!
//! The validator names keywords of the schema that do not hold; this file knows which of them have one cause,
//! and what the operator probably meant. Names and their meaning are not looked at.

mod words;
mod wrong;

use super::guard::MOST_COMPLAINTS;
use super::instance::Instance;
use crate::diagnostic::{Code, Diagnostic, DocPath, Place, nearest};
use crate::policy::schema::Checker;
use jsonschema::error::ValidationErrorKind;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use words::{found, list};
use wrong::{bad_leaf, no_value, wrong_type, wrong_value};

/// Compares a document with the schema.
pub(crate) fn structure(document: &Value, checker: &Checker) -> Vec<Diagnostic> {
    let mut structure = Structure {
        document,
        schema: &checker.schema,
        what: checker.what,
        judged: BTreeSet::new(),
        misspelt: BTreeSet::new(),
        missing: Vec::new(),
        diagnostics: Vec::new(),
    };
    let errors = checker
        .validator
        .iter()
        .flat_map(|validator| validator.iter_errors(Instance::Value(document)));
    for error in errors.take(MOST_COMPLAINTS) {
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
    /// What the document is called.
    what: &'static str,
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
                // One violation may name as many keys as a file can hold.
                for key in unexpected
                    .iter()
                    .take(MOST_COMPLAINTS.saturating_sub(self.diagnostics.len()))
                {
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
            // A pattern and a format may both object to the same value.
            _ if !self.judged.insert(path.into()) => {}
            _ => {
                let path = DocPath::from_pointer(path);
                self.diagnostics.push(match kind {
                    _ if value.is_null() => no_value(path, node),
                    ValidationErrorKind::Type { .. } => wrong_type(path, node, value),
                    kind => wrong_value(path, node, value, kind),
                });
            }
        }
    }

    fn unknown_key(&mut self, map: &str, definition: &str, node: &Value, key: &str) {
        let path = DocPath::from_pointer(map).name(key);
        if self.what == "the policy" && is_unsupported(definition, key) {
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
        let path = DocPath::from_pointer(map).name(key.as_str().unwrap_or_default());
        let complaint = node.and_then(|node| bad_leaf(&path, node, key, Place::Key));
        // A key and its value may both be wrong, so keys are not judged by the same pointer.
        if let Some(complaint) = complaint
            && self.judged.insert(format!("{map}#{key}"))
        {
            self.diagnostics.push(complaint);
        }
    }

    fn repeated(&mut self, path: &str, value: &Value) {
        let list = DocPath::from_pointer(path);
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        for (again, item) in value.as_array().into_iter().flatten().enumerate() {
            if self.diagnostics.len() == MOST_COMPLAINTS {
                return;
            }
            let first = *seen.entry(item.to_string()).or_insert(again);
            if first != again {
                let message = format!("{} is listed twice", found(item));
                self.diagnostics.push(
                    Diagnostic::error(Code::RepeatedItem, message)
                        .at(list.index(again), "again here")
                        .at(list.index(first), "first here"),
                );
            }
        }
    }

    /// Adds the keys that are missing and not just misspelt.
    fn finish(mut self) -> Vec<Diagnostic> {
        for Missing { map, key, node } in self.missing {
            if self.misspelt.contains(&(map.clone(), key.clone())) {
                continue;
            }
            let path = DocPath::from_pointer(&map);
            let what = self.what;
            let whose = match self
                .document
                .pointer(&map)
                .and_then(|map| map.get("name"))
                .and_then(Value::as_str)
            {
                Some(name) if !map.is_empty() => format!("`{name}`"),
                Some(_) | None if map.is_empty() => what.into(),
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
const UNSUPPORTED: &[(&str, &[&str])] = &[("", &["protect", "ha"])];

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
