//! The README says what is true: every diagnostic, every dependency, every exit code; its example works.

use std::collections::BTreeSet;

use jiff::civil::date;
use rfw::diagnostic::{Code, SourceText};

fn readme() -> String {
    std::fs::read_to_string("README.md").unwrap()
}

/// Replaces the text between two markers when asked to (`RFW_UPDATE=1`), and compares it otherwise.
fn block(name: &str, expected: &str) {
    let text = readme();
    let (open, close) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let (before, rest) = text.split_once(&open).expect("the opening marker");
    let (inside, after) = rest.split_once(&close).expect("the closing marker");
    if std::env::var_os("RFW_UPDATE").is_some() {
        std::fs::write(
            "README.md",
            format!("{before}{open}{expected}{close}{after}"),
        )
        .unwrap();
    } else {
        assert_eq!(
            inside, expected,
            "RFW_UPDATE=1 cargo test readme brings the README up to date"
        );
    }
}

#[test]
fn every_diagnostic_has_its_line() {
    let mut lines: Vec<String> = Code::ALL
        .iter()
        .map(|code| format!("| `{}` | {} |\n", code.name(), code.meaning()))
        .collect();
    lines.sort();
    block(
        "diagnostics",
        &format!("| code | what is wrong |\n|---|---|\n{}", lines.concat()),
    );
}

#[test]
fn every_dependency_earns_its_place() {
    let manifest = std::fs::read_to_string("Cargo.toml").unwrap();
    let mut section = "";
    let mut named = BTreeSet::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            section = line;
        } else if section.ends_with("dependencies]")
            && let Some((name, _)) = line.split_once(" = ")
        {
            named.insert(name.to_owned());
        }
    }
    assert!(named.len() > 10, "the manifest was read: {named:?}");
    let readme = readme();
    let table: String = readme
        .split("## Dependencies")
        .nth(1)
        .unwrap()
        .lines()
        .filter(|l| l.starts_with('|'))
        .collect();
    let missing: Vec<&String> = named
        .iter()
        .filter(|name| !table.contains(name.as_str()))
        .collect();
    assert!(missing.is_empty(), "not in the README's table: {missing:?}");
}

#[test]
fn the_five_minute_policy_is_valid() {
    let text = readme();
    let yaml = text
        .split("```yaml\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    let source = SourceText {
        name: "gateway.yaml".to_owned(),
        text: yaml.into(),
    };
    let parsed = rfw::policy::parse(&[source]);
    assert!(parsed.diagnostics.is_empty(), "{:?}", parsed.diagnostics);
    let (compiled, diagnostics) = rfw::compile::compile(parsed.policy.unwrap(), date(2026, 11, 24));
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    assert!(compiled.is_some());
}
