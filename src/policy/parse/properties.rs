//! What holds for every text: no bytes make the reader panic, what is written is what is read, and the
//! schema takes exactly what the types take.

use super::agree::{agree, is_sexagesimal_or_grouped};
use super::instance::Instance;
use super::lockstep::reads_alike_in_pieces;
use super::{guard, meaning, parse, read, see, structure::structure, typed};
use crate::diagnostic::{Report, SourceText};
use crate::policy::schema;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

const OFFICE: &str = include_str!("../../../policies/office.yaml");

fn source(text: impl Into<Vec<u8>>) -> SourceText {
    SourceText {
        name: "x".into(),
        text: text.into().into(),
    }
}

/// Reads, shows what there is to say, and checks that every place lies in the text.
fn survives(bytes: Vec<u8>) -> Result<(), TestCaseError> {
    let sources = [source(bytes)];
    let parsed = parse(&sources);
    prop_assert_eq!(parsed.policy.is_some(), !parsed.diagnostics.has_errors());
    let report = Report {
        diagnostics: &parsed.diagnostics,
        sources: &sources,
        locations: &parsed.locations,
    };
    let escapes = report.plain().contains('\u{1b}');
    prop_assert!(!escapes);
    for shown in report.findings() {
        prop_assert!(shown.line.is_some(), "no place: {:?}", shown);
    }
    Ok(())
}

/// Pieces that YAML is made of.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        "[-:?,{}\\[\\]#&*!|>'\"%@` \n]{1,3}",
        "(null|~|0x16|1e3|\\.inf|010|1_000|22:30|true|yes|<<|---\n|\\.\\.\\.\n|\r\n|\t|\\\\n)",
        "[a-zé→]{1,4}",
    ]
}

/// The office policy with some pieces put in place of others.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec((any::<prop::sample::Index>(), 0_usize..5, piece()), 1..5).prop_map(
        |damages| {
            let mut text: Vec<char> = OFFICE.chars().collect();
            for (at, length, piece) in damages {
                let at = at.index(text.len());
                let end = text.len().min(at + length);
                text.splice(at..end, piece.chars());
            }
            text.into_iter().collect::<String>().into_bytes()
        },
    )
}

/// A key, but no merge key.
fn key() -> impl Strategy<Value = String> {
    "[a-z]{1,4}|[ -~]{1,5}|é".prop_filter("merges", |key| key != "<<")
}

/// A document as somebody means it: maps and lists of texts, numbers and truth.
fn document() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<i64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        // What is refused because readers may take it for a number, serde_yaml does not put into quotes.
        "[ -~éß→\u{1f600}]{0,12}"
            .prop_filter("a number to some", |text| !is_sexagesimal_or_grouped(text))
            .prop_map(Value::from),
        "[a-z][a-z0-9_.-]{0,8}".prop_map(Value::from),
        "(no|on|null|~|0x16|010|1e3|22\\.0|true|- a|a: b|a #b|'|\"|\\\\|!x|&a|\\*a|%a|@a|`a|\\?|:|-|)".prop_map(Value::from),
    ];
    let tree = leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::btree_map(key(), inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    });
    proptest::collection::btree_map("[a-z]{1,6}", tree, 1..4)
        .prop_map(|map| Value::Object(map.into_iter().collect::<Map<_, _>>()))
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        survives(bytes)?;
    }

    #[test]
    fn no_text_makes_it_panic(pieces in proptest::collection::vec(piece(), 0..30)) {
        survives(pieces.concat().into_bytes())?;
    }

    #[test]
    fn no_damage_makes_it_panic(text in damaged()) {
        survives(text)?;
    }

    /// Written by serde_yaml, read by both readers: all three agree.
    #[test]
    fn what_is_written_is_what_is_read(document in document()) {
        let text = serde_yaml::to_string(&document).unwrap();
        let reading = read(0, &source(text.as_str()));
        prop_assert_eq!(&reading.complaints, &[], "{}", text);
        prop_assert_eq!(reading.value, Some(document));
    }

    /// JSON is YAML, and a dense one.
    #[test]
    fn json_is_read_alike(document in document(), pretty: bool) {
        let text = if pretty { format!("{document:#}") } else { document.to_string() };
        let reading = read(0, &source(text.as_str()));
        prop_assert_eq!(&reading.complaints, &[], "{}", text);
        prop_assert_eq!(reading.value, Some(document));
    }

    /// The places of scalars are right in any alphabet: the text there is the scalar.
    #[test]
    fn places_are_right(words in proptest::collection::vec("[a-zé→\u{1f600}]{1,5}", 1..20), crlf: bool) {
        let end = if crlf { "\r\n" } else { "\n" };
        let text: String = words.iter().enumerate().map(|(nth, word)| format!("# ü{end}k{nth}: [ {word} ]{end}")).collect();
        let seen = guard::guard(0, &text.clone().into());
        prop_assert!(seen.whole);
        let (root, _) = seen.tree.root().unwrap();
        for (nth, word) in words.iter().enumerate() {
            let (_, list) = seen.tree.entry(root, &format!("k{nth}")).unwrap();
            let item = seen.tree.items(list).next().unwrap();
            prop_assert_eq!(&text[seen.tree.get(item).unwrap().bytes()], word.as_str());
            let list = format!("[ {word} ]");
            prop_assert_eq!(&text[seen.tree.get(seen.tree.entry(root, &format!("k{nth}")).unwrap().1).unwrap().bytes()], list.as_str());
        }
    }
}

/// In pieces of any size serde_yaml reads what it reads in one piece; of what the readers agree on, that is the tree.
fn pieces_are_the_whole(text: &str, size: usize) -> Result<bool, TestCaseError> {
    let seen = see(0, &text.to_owned().into());
    if !seen.whole || !seen.diagnostics.is_empty() {
        return Ok(false);
    }
    let tree = seen.tree;
    let alike = reads_alike_in_pieces(text, &tree, usize::MAX);
    prop_assert_eq!(reads_alike_in_pieces(text, &tree, size), alike, "{}", text);
    let read = serde_yaml::from_str::<Value>(text).ok();
    let agreed = read.filter(|value| agree(0, &tree, value).is_empty());
    if alike {
        prop_assert_eq!(
            agreed,
            meaning::to_json(&tree, tree.root().unwrap().0),
            "{}",
            text
        );
    }
    Ok(alike)
}

/// Lines by indentation, many of them lists.
fn indented() -> impl Strategy<Value = String> {
    let word = "([a-c]{1,2}|'b'|\"c\"|\"d|'e|f'|g\"|a: b|\\[a, b\\]|\\[a|b\\]|\\{ a: \\[\\] \\}|\\||>-|~|5|010|#x|\\? a|)";
    let line = (
        0_usize..4,
        "(- |-  |- - |)",
        "([a-e]: |[a-e]:|\"k\": |)",
        word,
        "( # c|)",
    )
        .prop_map(|(indent, dash, key, word, comment)| {
            format!("{}{dash}{key}{word}{comment}\n", "  ".repeat(indent))
        });
    proptest::collection::vec(line, 1..12).prop_map(|lines| format!("a:\n{}", lines.concat()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn lines_are_read_alike_in_pieces(text in indented(), size in 1_usize..60) {
        pieces_are_the_whole(&text, size)?;
    }
}

proptest! {
    #[test]
    fn damage_is_read_alike_in_pieces(text in damaged(), size in 1_usize..1000) {
        if let Ok(text) = std::str::from_utf8(&text) {
            pieces_are_the_whole(text, size)?;
        }
    }

    #[test]
    fn documents_are_read_alike_in_pieces(document in document(), size in 1_usize..50) {
        pieces_are_the_whole(&serde_yaml::to_string(&document).unwrap(), size)?;
    }
}

#[test]
fn text_that_looks_like_items_is_no_list() {
    for text in [
        "a:\n- | # c\n  - \"k\": 010 # c\n",
        "a:\n- >-\n  - b\n- >-\n  - c\n",
        "a:\n-\n  - b\n-\n  - c\n",
    ] {
        for size in 1..40 {
            assert!(pieces_are_the_whole(text, size).unwrap(), "{text}");
        }
    }
}

#[test]
fn the_office_is_read_alike_in_pieces() {
    for size in [1, 60, 100, 500, 2000] {
        assert!(pieces_are_the_whole(OFFICE, size).unwrap());
    }
}

/// Texts near each kind of leaf: some good, many nearly so.
fn leaf_text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z_][a-zA-Z0-9_-]{0,3}",
        "(any|firewall|self|wg\\*|\\*|\\.|\\.\\.|eth0:1|eth0\\.1|[!-~]{15}|[!-~]{16})",
        "[0-9]{1,3}(\\.[0-9]{1,3}){3}(/[0-9]{1,2})?",
        "[0-9a-f:]{1,8}(/[0-9]{1,3})?",
        "(10\\.0\\.0\\.1-10\\.0\\.0\\.[0-9]|2001:db8::1-2001:db8::2|::25/-64|::ffff:1\\.2\\.3\\.4|fe80::1%a)",
        "[0-9]{1,6}(-[0-9]{0,6})?",
        "[0-9]{1,11}/(second|minute|hour|day|week|days)",
        "[0-9]{4}-[0-9]{2}-[0-9]{2}",
        "(gre|esp|echo-request|nd-redirect|Europe/Helsinki|UTC|europe/helsinki)",
        "[ -~]{0,70}",
        "\\PC{0,6}",
    ]
}

/// The patterns are for editors; they must not refuse what the types take, nor must `format` take what they
/// refuse. Each leaf in a document of its own: exactly the complaint or exactly the value.
#[test]
fn patterns_and_formats_take_what_the_types_take() {
    let schema = schema::schema();
    let leaves: Vec<(&String, &Value)> = schema["definitions"]
        .as_object()
        .unwrap()
        .iter()
        // Not the shapes around leaves, which refer to other definitions.
        .filter(|(_, node)| {
            node["format"].is_string() && node.get("items").or(node.get("properties")).is_none()
        })
        .collect();
    assert!(leaves.len() > 12, "the leaves are found");
    let config = ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    for (name, node) in leaves {
        let format = node["format"].as_str().unwrap();
        let pattern_alone = {
            let mut node = node.clone();
            node.as_object_mut().unwrap().remove("format");
            jsonschema::validator_for(&node).unwrap()
        };
        runner
            .run(&leaf_text(), |text| {
                let value = Value::from(text.as_str());
                if crate::policy::value::complain(format, &value).is_none() {
                    prop_assert!(
                        pattern_alone.is_valid(&value),
                        "{name} takes {text:?}, its pattern does not"
                    );
                }
                Ok(())
            })
            .unwrap();
    }
}

/// The office policy with one value replaced by another.
fn changed() -> impl Strategy<Value = Value> {
    let replacement = prop_oneof![
        leaf_text().prop_map(Value::from),
        (-2_i64..70_000).prop_map(Value::from),
        Just(Value::Null),
        Just(json!([])),
        Just(json!({})),
        Just(json!(["ssh"])),
        Just(json!(true)),
        Just(json!(1.5)),
    ];
    (any::<prop::sample::Index>(), replacement).prop_map(|(which, replacement)| {
        let mut document: Value = serde_yaml::from_str(OFFICE).unwrap();
        let mut pointers = Vec::new();
        collect(&document, String::new(), &mut pointers);
        *document
            .pointer_mut(which.get(pointers.as_slice()).as_str())
            .unwrap() = replacement;
        document
    })
}

fn collect(node: &Value, pointer: String, into: &mut Vec<String>) {
    match node {
        Value::Object(map) => map
            .iter()
            .for_each(|(key, below)| collect(below, format!("{pointer}/{key}"), into)),
        Value::Array(list) => list
            .iter()
            .enumerate()
            .for_each(|(nth, below)| collect(below, format!("{pointer}/{nth}"), into)),
        _ => {}
    }
    into.push(pointer);
}

proptest! {
    /// What the schema takes, the types take: nobody ever sees the words of serde. And what it refuses is
    /// complained about.
    #[test]
    fn schema_and_types_agree(document in changed()) {
        let complaints = structure(&document, &schema::CHECKER);
        let asked = schema::CHECKER.validator.as_ref().unwrap().is_valid(Instance::Value(&document));
        prop_assert_eq!(asked, complaints.is_empty(), "{:?}", complaints);
        if asked {
            let read = typed::<crate::policy::Policy>(document.clone());
            prop_assert!(read.is_ok(), "{:?}: {}", read, document);
            // And it is written as it was read.
            let again = typed::<crate::policy::Policy>(serde_json::to_value(read.unwrap()).unwrap());
            prop_assert_eq!(again.unwrap(), typed::<crate::policy::Policy>(document).unwrap());
        }
    }

    /// The validator sees in a tree what it sees in JSON.
    #[test]
    fn trees_are_checked_as_json_is(document in changed()) {
        let text = serde_yaml::to_string(&document).unwrap();
        let tree = see(0, &text.into()).tree;
        let root = tree.root().unwrap().0;
        // A broken number is text to a tree, which the other reader contradicts.
        if meaning::to_json(&tree, root).as_ref() == Some(&document) {
            let checker = schema::CHECKER.validator.as_ref().unwrap();
            prop_assert_eq!(checker.is_valid(Instance::Node(&tree, root)), structure(&document, &schema::CHECKER).is_empty());
        }
    }
}
