//! The structure holds: who uses whom, how long files are, that every file says what it is.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Left may use right. A module that is not here may not exist.
const MAY_USE: &[(&str, &[&str])] = &[
    ("diagnostic", &[]),
    ("ruleset", &[]),
    ("system", &[]),
    ("view", &["diagnostic"]),
    ("policy", &["diagnostic"]),
    ("agent", &["policy", "diagnostic"]),
    ("signature", &[]),
    ("schedule", &[]),
    (
        "compile",
        &["policy", "schedule", "ruleset", "system", "diagnostic"],
    ),
    ("bytecode", &["ruleset"]),
    ("nft", &["bytecode", "ruleset"]),
    ("live", &["bytecode", "ruleset"]),
    ("evaluate", &["live", "bytecode", "ruleset"]),
    (
        "prove",
        &["compile", "schedule", "evaluate", "bytecode", "ruleset"],
    ),
    ("diff", &["live", "bytecode", "ruleset"]),
    (
        "plan",
        &[
            "diff", "live", "nft", "bytecode", "ruleset", "system", "view",
        ],
    ),
    ("kernel", &["plan", "diff", "live", "bytecode", "ruleset"]),
    (
        "apply",
        &["kernel", "plan", "diff", "live", "bytecode", "ruleset"],
    ),
    (
        "netlink",
        &[
            "kernel", "plan", "live", "bytecode", "ruleset", "health", "system", "view",
        ],
    ),
    (
        "digest",
        &["compile", "live", "bytecode", "ruleset", "view"],
    ),
    ("counters", &["live", "ruleset", "view"]),
    (
        "metrics",
        &[
            "counters",
            "digest",
            "health",
            "live",
            "reconcile",
            "system",
        ],
    ),
    ("source", &["policy", "diagnostic"]),
    ("state", &["diagnostic", "system", "view"]),
    ("health", &["reconcile", "system", "view"]),
    ("host", &["health", "system"]),
    (
        "testbed",
        &[
            "prove", "compile", "evaluate", "apply", "kernel", "netlink", "plan", "live",
            "bytecode", "ruleset", "system",
        ],
    ),
    ("reconcile", &[]),
    ("watch", &["reconcile"]),
];

/// A file that grows past this is telling about a missing noun.
const MOST_LINES: usize = 600;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(directory: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

fn sources() -> Vec<(String, String)> {
    let mut files = Vec::new();
    rust_files(&root().join("src"), &mut files);
    files.sort();
    assert!(files.len() > 30, "the sources are found");
    files
        .into_iter()
        .map(|path| {
            let name = path
                .strip_prefix(root().join("src"))
                .unwrap()
                .display()
                .to_string();
            (name, std::fs::read_to_string(path).unwrap())
        })
        .collect()
}

/// The crate's modules that a text names, `use crate::{a, b::c}` included. Comments do not count.
fn uses(text: &str) -> BTreeSet<String> {
    let code: String = text
        .lines()
        .map(|line| line.split("//").next().unwrap_or(""))
        .collect::<Vec<_>>()
        .join("\n");
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        let word = |text: &str| -> String {
            text.chars()
                .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
                .collect()
        };
        if let Some(list) = rest.strip_prefix('{') {
            let mut depth = 1;
            let mut item = String::new();
            for c in list.chars() {
                match c {
                    '{' => depth += 1,
                    '}' => depth -= 1,
                    _ => {}
                }
                if depth == 0 || (depth == 1 && c == ',') {
                    found.insert(word(item.trim()));
                    item.clear();
                } else {
                    item.push(c);
                }
                if depth == 0 {
                    break;
                }
            }
        } else {
            found.insert(word(rest));
        }
    }
    found.remove("");
    found
}

#[test]
fn modules_use_only_whom_they_may() {
    let allowed: BTreeMap<&str, &[&str]> = MAY_USE.iter().copied().collect();
    let mut wrong = Vec::new();
    for (file, text) in sources() {
        let Some((module, _)) = file.split_once('/') else {
            continue;
        };
        if module == "cli" {
            continue;
        }
        let Some(may) = allowed.get(module) else {
            wrong.push(format!("{file}: the module `{module}` is not in the table"));
            continue;
        };
        for used in uses(&text) {
            if used != module && !may.contains(&used.as_str()) {
                wrong.push(format!("{file}: `{module}` may not use `{used}`"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What changes links and tables beside rfw's is for namespaces of rfw's own only.
#[test]
fn only_the_testbed_builds_networks() {
    let mut users = BTreeSet::new();
    for (file, text) in sources() {
        let module = file.split('/').next().unwrap_or_default().to_owned();
        let begins = ["Links::open", "Witness::new", "Traces::open"];
        if begins.iter().any(|it| text.contains(it)) {
            users.insert(module);
        }
    }
    let users: Vec<String> = users.into_iter().collect();
    assert_eq!(users, ["testbed"]);
}

#[test]
fn every_file_says_what_it_is_and_fits_in_the_head() {
    let mut wrong = Vec::new();
    for (file, text) in sources() {
        if !text.starts_with("//!") {
            wrong.push(format!("{file}: does not begin with `//!`"));
        }
        let lines = text.lines().count();
        if lines > MOST_LINES {
            wrong.push(format!("{file}: {lines} lines, at most {MOST_LINES}"));
        }
        let stem = file.rsplit('/').next().unwrap_or(&file);
        let says_nothing = [
            "util.rs",
            "utils.rs",
            "helpers.rs",
            "common.rs",
            "misc.rs",
            "manager.rs",
            "types.rs",
        ];
        if says_nothing.contains(&stem) {
            wrong.push(format!("{file}: a name that says nothing"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_test_file_is_forgotten() {
    let main = std::fs::read_to_string(root().join("tests/main.rs")).unwrap();
    for entry in std::fs::read_dir(root().join("tests")).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let is_module =
            path.is_dir() || path.extension().is_some_and(|extension| extension == "rs");
        if is_module && stem != "main" {
            assert!(
                main.contains(&format!("mod {stem};")),
                "tests/{stem} is not in tests/main.rs"
            );
        }
    }
}

#[test]
fn the_reader_of_uses_reads() {
    let text = "use crate::live::{A, b};\nuse crate::{diff::x, plan::{Plan, y}};\nlet z = crate::nft::w(); // crate::cli";
    let found: Vec<String> = uses(text).into_iter().collect();
    assert_eq!(found, ["diff", "live", "nft", "plan"]);
}
