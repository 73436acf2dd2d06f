//! Two backends, one meaning: what nft makes of the text and what the kernel makes of our batch are
//! listed alike, and read alike.

use std::cell::Cell;

use jiff::civil::date;
use proptest::test_runner::{Config, TestCaseError, TestCaseResult, TestRunner};
use rfw::bytecode::linearize;
use rfw::diagnostic::SourceText;
use rfw::live::{Live, Table};
use rfw::plan::plan;
use rfw::ruleset::{Valid, validate};

use super::{MARK, bare, commit, nft, sorted, table};
use crate::support::{alone, policies};

fn compiled(text: &str) -> Option<Valid> {
    let source = SourceText {
        name: "policy.yaml".to_owned(),
        text: text.into(),
    };
    let policy = rfw::policy::parse(&[source]).policy?;
    let (compiled, _) = rfw::compile::compile(policy, date(2026, 11, 24));
    let ruleset = policies::thinned(compiled?.ruleset);
    Some(validate(ruleset).expect("the ruleset keeps the contract"))
}

/// What nft lists and what we read, after a change of an empty namespace.
fn outcome(change: impl FnOnce()) -> (String, Table) {
    nft(&["flush", "ruleset"], "");
    change();
    (nft(&["list", "ruleset"], ""), bare(table()))
}

fn check(ruleset: &Valid) -> TestCaseResult {
    let (text, by_text) = outcome(|| {
        nft(&["-f", "-"], &rfw::nft::script(ruleset.ruleset()));
    });
    let (batch, by_batch) = outcome(|| {
        let program = linearize(ruleset.ruleset().clone());
        let live = Live {
            generation: super::live().generation,
            table: None,
            others: Vec::new(),
        };
        let plan = plan(&live, &program, MARK);
        for operations in [&plan.staging, &plan.commit] {
            if !operations.is_empty() {
                commit(operations);
            }
        }
    });
    let (text, batch) = (sorted(&text), sorted(&batch));
    if text != batch {
        let only = |here: &[&str], there: &[&str]| {
            let only = here.iter().filter(|object| !there.contains(object));
            only.copied().collect::<Vec<_>>().join("\n")
        };
        return Err(TestCaseError::fail(format!(
            "by nft:\n{}\nby us:\n{}",
            only(&text, &batch),
            only(&batch, &text)
        )));
    }
    if by_text != by_batch {
        return Err(TestCaseError::fail(format!(
            "by nft:\n{by_text:#?}\nby us:\n{by_batch:#?}"
        )));
    }
    Ok(())
}

#[test]
fn every_policy_is_listed_alike() {
    alone(|| {
        let mut seen = 0;
        for entry in std::fs::read_dir("policies").unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|it| it == "yaml") {
                // A flowtable wants its interfaces there, and a kernel that has flowtables.
                let ruleset = crate::compile::compiled(&path).into_ruleset();
                let ruleset =
                    validate(policies::thinned(ruleset.without_offload())).expect("fewer elements");
                check(&ruleset).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
                seen += 1;
            }
        }
        assert!(seen > 0, "there are policies");
    });
}

#[test]
fn policies_by_chance_are_listed_alike() {
    alone(|| {
        let config = Config {
            cases: 24,
            failure_persistence: None,
            ..Config::default()
        };
        let compiled_cases = Cell::new(0);
        TestRunner::new(config)
            .run(&policies::policy(), |text| match compiled(&text) {
                Some(ruleset) => {
                    compiled_cases.set(compiled_cases.get() + 1);
                    check(&ruleset)
                }
                None => Ok(()),
            })
            .unwrap_or_else(|error| panic!("{error}"));
        assert!(compiled_cases.get() > 8, "too few policies compiled");
    });
}
