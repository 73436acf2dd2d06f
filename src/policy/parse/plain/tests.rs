//! What the quick reader takes it reads like the guard, byte for byte; and it takes what people write.

use super::plain;
use crate::policy::parse::{guard::guard, tree::Tree};
use proptest::prelude::*;
use serde_json::Value;
use std::sync::Arc;

const OFFICE: &str = include_str!("../../../../policies/office.yaml");

/// Whether the quick reader takes the text, which it must then read like the guard.
#[track_caller]
fn takes(text: &str) -> bool {
    let text = &Arc::new(text.to_owned());
    let Some(tree) = plain(text) else {
        return false;
    };
    let seen = guard(0, text);
    assert_eq!(seen.diagnostics, [], "{text}");
    assert!(seen.whole, "{text}");
    assert_eq!(shown(&tree), shown(&seen.tree), "{text}");
    assert!(tree == seen.tree, "{text}");
    true
}

/// The nodes of a tree, one a line.
fn shown(tree: &Tree) -> String {
    let ids = (0..tree.len()).filter_map(|nth| tree.nth(nth));
    ids.map(|(id, node)| format!("{node:?} {:?}\n", tree.kind(id)))
        .collect()
}

#[test]
fn it_takes_what_people_write() {
    assert!(takes(OFFICE));
    let rules: String = (0..10_000)
        .map(|nth| format!("      - {{ name: r{nth}, services: [{{ tcp: [{nth}] }}], source: [172.16.0.0/24], action: accept }}\n"))
        .collect();
    assert!(takes(&format!(
        "version: 1\nzones:\n  lan: {{ interfaces: [eth1] }}\npolicies:\n  - name: a\n    rules:\n{rules}"
    )));
    for text in [
        "a: 1",
        "a:   1   # one\n\n# two\nb: \"x: y\" \n",
        "a:\n- b\n- c: d\n  e: f\n-   - g\n    - h\ni: j\n",
        "a:\n    b:\n      - 1\n      -   c: -1\n          d: e f  g\n    'h i': { }\n",
        "a: [\n  b, # c\n\n  { d: e,\n f: [g,] } ] # h\nh: fd00::/8\ni: 2026-01-01\n",
        "\"ä é\": 'ü' # →\nb: []\n",
        "a: [ ]\n\n\n",
    ] {
        assert!(takes(text), "{text}");
    }
}

#[test]
fn it_leaves_alone_what_is_odd() {
    for text in [
        "",
        "\n",
        "# a\n",
        " a: b",
        "- a",
        "a",
        "a:",
        "a: b: c",
        "a: { b: c -}",
        "a: [b -, c]",
        "a: { b: c, }",
        "a: { b: c,}",
        "a: [b, ]",
        "a: b\n  c",
        "a: b\n c: d",
        "a: b\nc",
        "a: &x b",
        "a: *x",
        "a: !x b",
        "a: |\n b",
        "a: >\n b",
        "a: \"b\\n\"",
        "a: 'b''c'",
        "a: \"b\n c\"",
        "<<: b",
        "a:\tb",
        "a: b\r\n",
        "---\na: b",
        "a: b\n---\n",
        "a: b\n...\n",
        "%YAML 1.2\n---\na: b",
        "? a\n: b",
        "a: b\na: c",
        "a: {b: c, b: d}",
        "a: [b",
        "a: [b}",
        "a: {b}",
        "a: [b: c]",
        "a: [b]\n]",
        "a: [b]c",
        "a: [\nb ]",
        "a: [b\n c]",
        "a: \"b\"c",
        "a: b#\n c",
        "a: - b",
        "a: [- b]",
        "a: @b",
        "a: `b`",
        "a:b",
        "a :b",
        "a : b",
        "a: {b:c}",
        "a: {\"b\":c}",
        "a: [,]",
        "a: ::1",
        "a:\n  - b\n c: d",
        "a:\n  - b\n - c",
        "a:\n b: c\n  d: e",
        "a: ~",
        "a: \"b\u{2028}c\"",
        "a: \"\u{feff}\"",
        "a: [b]#c",
        "a: -",
        "a:\n- b\n-c",
    ] {
        assert!(!takes(text), "{text}");
    }
    let deep = format!("a: {}{}", "[".repeat(32), "]".repeat(32));
    assert!(!takes(&deep));
    assert!(takes(&format!("a: {}{}", "[".repeat(31), "]".repeat(31))));
    assert!(!takes(&format!("{}: b", "a".repeat(1001))));
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the policies of the project are files"
)]
fn it_reads_all_policies_of_the_project() {
    let mut files = vec![std::path::PathBuf::from("policies")];
    let mut taken = 0;
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(
                std::fs::read_dir(path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        } else if let Ok(text) = std::fs::read_to_string(&path) {
            taken += usize::from(takes(&text));
        }
    }
    assert!(60 < taken, "{taken} were taken");
}

/// Lines and pieces of YAML, many of them plain.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => " {0,4}(- ){0,2}[a-c\"']{1,2}: ?[a-c1]{0,2}( #[a ])?\n",
        3 => " {0,4}(- ){0,2}[ab]: ?[\\[{][ab, :#\n]{0,6}[\\]}]\n",
        2 => " {0,5}- ?[a-c:0-9 ]{0,4}\n",
        1 => "[-:?,{}\\[\\]#&*!|>'\"%@` \n]{1,3}",
        1 => "(null|~|0x16|<<|---\n|\\.\\.\\.\n|\r\n|\t|\\\\n|é|::1|a: b)",
        1 => " {0,4}",
    ]
}

fn document() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<i32>().prop_map(Value::from),
        "[ -~éß→]{0,8}".prop_map(Value::from),
        "[a-z][a-z0-9_.-]{0,8}".prop_map(Value::from),
    ];
    let tree = leaf.prop_recursive(4, 30, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 1..4).prop_map(Value::from),
            proptest::collection::btree_map("[a-z]{1,4}|é", inner, 1..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    });
    proptest::collection::btree_map("[a-z]{1,6}", tree, 1..4)
        .prop_map(|map| Value::Object(map.into_iter().collect()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn it_reads_any_text_like_the_guard(pieces in proptest::collection::vec(piece(), 1..12)) {
        takes(&pieces.concat());
    }

    /// The office policy with some characters put in place of others.
    #[test]
    fn it_reads_damaged_policies_like_the_guard(
        damages in proptest::collection::vec((any::<prop::sample::Index>(), 0_usize..5, piece()), 1..4),
    ) {
        let mut text: Vec<char> = OFFICE.chars().collect();
        for (at, length, piece) in damages {
            let at = at.index(text.len());
            let end = text.len().min(at + length);
            text.splice(at..end, piece.chars());
        }
        takes(&text.into_iter().collect::<String>());
    }

    #[test]
    fn it_reads_written_documents_like_the_guard(document in document()) {
        takes(&serde_yaml::to_string(&document).unwrap());
        takes(&format!("a: {document:#}"));
    }
}
