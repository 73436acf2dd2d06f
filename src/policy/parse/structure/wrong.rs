//! A value that is not what its place wants.

use super::words::{called, expected, found, list, types, words};
use crate::diagnostic::{Code, Diagnostic, DocPath, Place, nearest};
use crate::policy::value::{ValueError, complain, what};
use jsonschema::error::ValidationErrorKind;
use serde_json::Value;

/// The complaint about a value of another kind than the place wants (`node` of the schema).
pub(super) fn wrong_type(path: DocPath, node: &Value, value: &Value) -> Diagnostic {
    let expected = expected(node);
    let message = format!("expected {expected}, found {}", found(value));
    let diagnostic =
        Diagnostic::error(Code::WrongType, message).at(path, format!("expected {expected}"));
    match wrong_type_help(node, value) {
        Some(help) => diagnostic.help(help),
        None => diagnostic,
    }
}

/// The complaint about a key with nothing behind it.
pub(super) fn no_value(path: DocPath, node: &Value) -> Diagnostic {
    Diagnostic::error(Code::EmptyValue, format!("{} has no value", called(&path)))
        .at(path, format!("expected {}", expected(node)))
        .help("write a value, or leave the key out")
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
        Value::Number(number) if allows("array") => Some(format!("write a list: [{number}]")),
        Value::Bool(word) if allows("string") => Some(format!("quote it: \"{word}\"")),
        Value::Object(_) if allows("array") && !allows("string") => {
            Some("write a list: begin each entry with `- `".into())
        }
        _ => None,
    }
}

/// The complaint about a value of the right kind that the place does not take.
pub(super) fn wrong_value(
    path: DocPath,
    node: &Value,
    value: &Value,
    kind: &ValidationErrorKind,
) -> Diagnostic {
    if let Some(diagnostic) = bad_leaf(&path, node, value, Place::Value) {
        return diagnostic;
    }
    let called = called(&path);
    match kind {
        ValidationErrorKind::MinItems { .. } | ValidationErrorKind::MinProperties { .. } => {
            Diagnostic::error(Code::EmptyList, format!("{called} is empty"))
                .at(path, "at least one entry is needed")
                .help("write an entry, or leave the key out")
        }
        ValidationErrorKind::MaxItems { limit } => Diagnostic::error(
            Code::TooLarge,
            format!("{called} has more than {limit} entries"),
        )
        .at(path, format!("at most {limit} are taken")),
        ValidationErrorKind::Minimum { .. } | ValidationErrorKind::Maximum { .. } => {
            out_of_range(path, node, value)
        }
        _ => unknown_word(path, node, value),
    }
}

fn out_of_range(path: DocPath, node: &Value, value: &Value) -> Diagnostic {
    if path.to_pointer() == "/version" {
        return Diagnostic::error(
            Code::UnsupportedVersion,
            format!("version {value} of the language is not known"),
        )
        .at(path, "this program knows version 1")
        .help("write `version: 1`, or install a newer rfw");
    }
    let bound = |keyword: &str| node.get(keyword).map(whole).unwrap_or_default();
    let range = format!("expected {} to {}", bound("minimum"), bound("maximum"));
    Diagnostic::error(
        Code::OutOfRange,
        format!("{} cannot be {value}", called(&path)),
    )
    .at(path, range)
}

/// Words of other firewalls for ours.
const ELSEWHERE: &[(&str, &str)] = &[
    ("allow", "accept"),
    ("pass", "accept"),
    ("permit", "accept"),
    ("block", "drop"),
    ("deny", "drop"),
    ("off", "disabled"),
    ("on", "strict"),
];

fn unknown_word(path: DocPath, node: &Value, value: &Value) -> Diagnostic {
    let words: Vec<&str> = words(node).collect();
    let text = value.as_str().unwrap_or_default();
    let message = format!("{} cannot be {}", called(&path), found(value));
    let diagnostic =
        Diagnostic::error(Code::UnknownValue, message).at(path, "not one of the possible words");
    let elsewhere = ELSEWHERE
        .iter()
        .find(|(word, ours)| *word == text && words.contains(ours));
    let meant = elsewhere
        .map(|(_, ours)| *ours)
        .or_else(|| nearest(text, words.iter().copied()));
    match meant {
        Some(word) => diagnostic.help(format!("did you mean `{word}`?")),
        None => diagnostic.help(format!("possible here: {}", list(words.into_iter()))),
    }
}

/// The complaint about a leaf value that its own type does not take; `None` if it does, or is none.
pub(super) fn bad_leaf(
    path: &DocPath,
    node: &Value,
    value: &Value,
    place: fn(DocPath) -> Place,
) -> Option<Diagnostic> {
    let format = node.get("format").and_then(Value::as_str)?;
    let ValueError {
        code,
        message,
        help,
    } = complain(format, value)?;
    let label = what(format)
        .map(|what| format!("expected {what}"))
        .unwrap_or_default();
    let diagnostic = Diagnostic::error(code, message).at(place(path.clone()), label);
    Some(match help {
        Some(help) => diagnostic.help(help),
        None => diagnostic,
    })
}

/// A bound of the schema, which schemars may write as `1` or `1.0`.
fn whole(bound: &Value) -> String {
    match bound.as_f64() {
        Some(number) => format!("{number:.0}"),
        None => bound.to_string(),
    }
}
