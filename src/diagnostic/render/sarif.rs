//! Diagnostics as a log of the Static Analysis Results Interchange Format, version 2.1.0 (OASIS, 2020): the paragraphs in
//! comments are those of the standard.

use serde_json::{Value, json};

use super::{Found, Span, escaped};
use crate::diagnostic::{Code, Severity};

/// The log of one run.
pub(super) fn log(found: &[Found<'_>]) -> Value {
    let rules: Vec<Value> = Code::ALL.iter().map(|code| rule(*code)).collect();
    let results: Vec<Value> = found.iter().map(result).collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "rfw",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            } },
            // 3.14.17: our columns count characters.
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

/// 3.49: what a code means.
fn rule(code: Code) -> Value {
    let (name, meaning) = (code.name(), code.meaning());
    json!({
        "id": name,
        "shortDescription": { "text": meaning },
        "help": { "text": format!(
            "{name}: {meaning}. The shortest policy that earns it is policies/invalid/{name}.yaml; `rfw validate` shows the line \
             and what to do."
        ) },
    })
}

/// 3.27: one diagnostic.
fn result(found: &Found<'_>) -> Value {
    let level = match found.diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let code = found.diagnostic.code;
    let mut result = json!({
        "ruleId": code.name(),
        "ruleIndex": Code::ALL.iter().position(|other| *other == code),
        "level": level,
        "message": { "text": found.text() },
    });
    if let (Some(Span { file, start, end }), Some(result)) = (&found.place, result.as_object_mut())
    {
        let mut region = json!({ "startLine": start.line, "startColumn": start.column });
        // 3.30.7: the end is behind the last character, as ours is.
        if let Some(region) = region.as_object_mut() {
            region.insert("endLine".into(), end.line.into());
            region.insert("endColumn".into(), end.column.into());
        }
        let place = json!({ "physicalLocation": {
            "artifactLocation": { "uri": uri(&escaped(file)) },
            "region": region,
        } });
        result.insert("locations".into(), json!([place]));
    }
    result
}

/// A path as a relative reference (RFC 3986); an absolute one keeps its slash.
fn uri(path: &str) -> String {
    let mut uri = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                uri.push(char::from(byte));
            }
            byte => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}
