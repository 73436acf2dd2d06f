//! Every diagnostic has an example that earns it and a snapshot of what the operator sees:
//! `Code::ALL` = `policies/invalid/` = `snapshots/diagnostic/`.

use rfw::compile::{self, Given};
use rfw::diagnostic::{Code, Diagnostics, Report, Severity};
use rfw::policy::{Locations, parse};
use rfw::source::{Texts, read_files};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// An example in `policies/invalid/`: a policy in a file, or in a directory.
struct Example {
    code: String,
    texts: Texts,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut entries: Vec<PathBuf> = entries.collect();
    entries.sort();
    entries
}

/// The texts of an example, called by their paths in the repository.
fn texts(path: &Path) -> Texts {
    let mut texts = read_files(path).unwrap();
    for source in &mut texts.sources {
        let path = Path::new(&source.name).strip_prefix(root()).unwrap();
        source.name = path.display().to_string();
    }
    texts
}

fn examples() -> Vec<Example> {
    let examples = entries(&root().join("policies/invalid"))
        .into_iter()
        .map(|path| Example {
            code: path.file_stem().unwrap().to_str().unwrap().into(),
            texts: texts(&path),
        });
    examples.collect()
}

/// Everything there is to say about a policy, by all stages that look at it, as `rfw validate` does.
fn said(code: &str, texts: &Texts) -> (Diagnostics, Locations) {
    let parsed = parse(texts.documents());
    let (lists, bad_lists) = compile::lists(texts.lists());
    let mut diagnostics = texts.diagnostics.clone();
    let is_whole = !diagnostics.has_errors();
    diagnostics.extend(parsed.diagnostics);
    diagnostics.extend(bad_lists);
    if let Some(policy) = parsed.policy.filter(|_| is_whole) {
        let given = Given {
            today: jiff::civil::date(2026, 11, 24),
            lists: &lists,
            copies: &compile::Copies::new(),
            node: (code != "node-needed").then_some("fw-a"),
        };
        let (_, meaning) = compile::compile(policy, given);
        diagnostics.extend(meaning);
    }
    (diagnostics, parsed.locations)
}

#[test]
fn every_code_has_an_example_and_a_snapshot() {
    let codes: BTreeSet<String> = Code::ALL.iter().map(|code| code.name().into()).collect();
    let examples: BTreeSet<String> = examples().into_iter().map(|example| example.code).collect();
    let snapshots: BTreeSet<String> = entries(&root().join("snapshots/diagnostic"))
        .iter()
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "snap")
        })
        .map(|path| path.file_stem().unwrap().to_str().unwrap().into())
        .collect();
    assert_eq!(codes, examples, "codes, and examples in policies/invalid");
    assert_eq!(
        codes, snapshots,
        "codes, and snapshots in snapshots/diagnostic"
    );
}

#[test]
fn every_example_earns_its_code_and_no_other() {
    for Example { code, texts } in examples() {
        let (diagnostics, _) = said(&code, &texts);
        let codes = |severity| -> BTreeSet<&str> {
            let some = diagnostics
                .iter()
                .filter(|diagnostic| diagnostic.severity == severity);
            some.map(|diagnostic| diagnostic.code.name()).collect()
        };
        let (errors, warnings) = (codes(Severity::Error), codes(Severity::Warning));
        let earned = match errors.is_empty() {
            true => warnings.contains(code.as_str()),
            false => errors == BTreeSet::from([code.as_str()]),
        };
        assert!(earned, "{code}: errors {errors:?}, warnings {warnings:?}");
    }
}

#[test]
fn every_example_is_shown_with_its_place() {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../snapshots/diagnostic");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        for Example { code, texts } in examples() {
            let (diagnostics, locations) = said(&code, &texts);
            let report = Report {
                diagnostics: &diagnostics,
                sources: &texts.sources,
                locations: &locations,
            };
            for shown in report.findings() {
                assert!(
                    shown.line.is_some() && shown.column.is_some(),
                    "{code} has no place: {shown:?}"
                );
            }
            insta::assert_snapshot!(code, report.plain());
        }
    });
}

#[test]
fn messages_are_written_alike() {
    for Example { code, texts } in examples() {
        for diagnostic in &said(&code, &texts).0 {
            let labels = diagnostic.labels.iter().map(|label| label.text.as_str());
            let help = diagnostic.help.as_deref().into_iter();
            for text in [diagnostic.message.as_str()]
                .into_iter()
                .chain(labels)
                .chain(help)
            {
                let plain = text.split('`').step_by(2).collect::<String>();
                let begins_low = !text.starts_with(|c: char| c.is_uppercase())
                    || text.starts_with("YAML")
                    || text.starts_with("IPv");
                assert!(
                    begins_low && !text.ends_with('.') && !plain.contains('\n'),
                    "{code}: {text}"
                );
            }
            assert!(
                !diagnostic.message.is_empty() && !diagnostic.labels.is_empty(),
                "{code}"
            );
        }
    }
}
