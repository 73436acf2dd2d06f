//! What the policies compile to, as text: `snapshots/nft` for people, `snapshots/bytecode` as the kernel
//! runs it.

use std::path::Path;

use jiff::civil::date;
use rfw::ruleset::{Valid, validate};

/// A policy of `policies/`, compiled as of a fixed day.
pub(crate) fn compiled(path: &Path) -> Valid {
    let texts = rfw::source::read_files(path).unwrap();
    let (lists, bad_lists) = rfw::compile::lists(texts.lists());
    assert!(texts.diagnostics.is_empty() && bad_lists.is_empty());
    let parsed = rfw::policy::parse(texts.documents());
    assert!(parsed.diagnostics.is_empty(), "{:?}", parsed.diagnostics);
    let given = rfw::compile::Given {
        today: date(2026, 11, 24),
        lists: &lists,
        copies: &rfw::compile::Copies::new(),
        node: Some("fw-a"),
    };
    let (compiled, diagnostics) = rfw::compile::compile(parsed.policy.unwrap(), given);
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    validate(compiled.unwrap().ruleset).expect("the ruleset keeps the contract")
}

fn each_policy(folder: &str, text: impl Fn(&Valid) -> String) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(format!("../snapshots/{folder}"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let _guard = settings.bind_to_scope();
    let mut seen = 0;
    let mut files: Vec<_> = std::fs::read_dir("policies")
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    for path in files.iter().filter(|path| {
        path.extension()
            .is_some_and(|extension| extension == "yaml")
    }) {
        let stem = path.file_stem().unwrap().to_str().unwrap();
        insta::assert_snapshot!(stem, text(&compiled(path)));
        seen += 1;
    }
    assert!(seen > 0, "there are policies");
}

#[test]
fn as_nft_text() {
    each_policy("nft", |ruleset| {
        abbreviated(&rfw::nft::script(ruleset.ruleset()))
    });
}

/// The times of fifteen years tell no more than the first and the last of them.
fn abbreviated(script: &str) -> String {
    const SHOWN: usize = 3;
    let is_time = |line: &str| line.trim_start().starts_with(|c: char| c.is_ascii_digit());
    let lines: Vec<&str> = script.lines().collect();
    let mut text = String::new();
    for run in lines.chunk_by(|a, b| is_time(a) == is_time(b)) {
        let hidden = run.len().saturating_sub(2 * SHOWN);
        for (at, line) in run.iter().enumerate() {
            if !is_time(line) || at < SHOWN || hidden + SHOWN <= at || hidden == 0 {
                text.push_str(line);
                text.push('\n');
            } else if at == SHOWN {
                text.push_str(&format!("\t\t\t({hidden} lines more)\n"));
            }
        }
    }
    text
}

#[test]
fn as_bytecode() {
    each_policy("bytecode", |ruleset| {
        let program = rfw::bytecode::linearize(ruleset.ruleset().clone());
        let mut text = String::new();
        for chain in &program.chains {
            for rule in &chain.rules {
                text.push_str(&format!(
                    "{} {}\n{rule}\n",
                    chain.name,
                    rule.name.as_deref().unwrap_or("-")
                ));
            }
        }
        text
    });
}

#[test]
fn the_same_policy_compiles_to_the_same_bytes() {
    let path = Path::new("policies/office.yaml");
    let (first, second) = (compiled(path), compiled(path));
    assert_eq!(
        rfw::nft::script(first.ruleset()),
        rfw::nft::script(second.ruleset())
    );
    assert_eq!(first, second);
}
