//! Laws of the whole flow, over policies by chance: from A to B the kernel holds exactly what a fresh B
//! would be, and there is nothing left to do. On the fake kernel and on the real one.

use std::cell::Cell;

use jiff::civil::date;
use proptest::test_runner::{Config, TestCaseError, TestCaseResult, TestRunner};
use rfw::apply::{Options, apply, remove};
use rfw::bytecode::{Instruction, Program, linearize};
use rfw::diagnostic::SourceText;
use rfw::kernel::{FakeKernel, Kernel};
use rfw::live::{LiveChain, LiveObject, LiveRule, LiveSet, Table};
use rfw::netlink::Netlink;
use rfw::plan::{self, plan};
use rfw::ruleset::{Count, validate};

use super::support::{alone, policies};

/// The program of a policy's text; `None` when the language refuses the policy.
fn program(text: &str) -> Option<Program> {
    let source = SourceText {
        name: "made.yaml".to_owned(),
        text: text.into(),
    };
    let policy = rfw::policy::parse(&[source]).policy?;
    let (compiled, _) = rfw::compile::compile(policy, date(2026, 11, 24));
    Some(linearize(
        validate(compiled?.ruleset)
            .expect("the ruleset keeps the contract")
            .into_ruleset(),
    ))
}

fn apply_to(kernel: &mut dyn Kernel, desired: &Program) -> Result<Table, TestCaseError> {
    let fail = |error: &dyn std::fmt::Debug| TestCaseError::fail(format!("{error:?}"));
    let live = kernel.observe().map_err(|error| fail(&error))?;
    let made = plan(&live, desired, [1; 16]);
    let mut wait = |_: u32| {};
    let options = Options {
        attempts: 3,
        wait: &mut wait,
        recheck: false,
    };
    apply(kernel, desired, &made, options).map_err(|error| fail(&error))?;
    let live = kernel.observe().map_err(|error| fail(&error))?;
    Ok(bare(
        live.table.ok_or_else(|| TestCaseError::fail("no table"))?,
    ))
}

fn remove_from(kernel: &mut dyn Kernel) {
    let live = kernel.observe().expect("readable");
    let mut wait = |_: u32| {};
    let options = Options {
        attempts: 3,
        wait: &mut wait,
        recheck: false,
    };
    remove(kernel, &plan::remove(&live), options).expect("removable");
}

/// A table without what differs between two equal ones: handles and counts.
fn bare(table: Table) -> Table {
    let rule = |rule: LiveRule| LiveRule {
        handle: 0,
        instructions: rule
            .instructions
            .into_iter()
            .map(|instruction| match instruction {
                Instruction::Counter(_) => Instruction::Counter(Count::default()),
                other => other,
            })
            .collect(),
        ..rule
    };
    Table {
        handle: 0,
        mark: None,
        sets: table
            .sets
            .into_iter()
            .map(|mut set| {
                set.set.elements.edit(|elements| {
                    elements.iter_mut().for_each(|element| element.count = None);
                });
                set.set.origin = None;
                LiveSet { handle: 0, ..set }
            })
            .collect(),
        objects: table
            .objects
            .into_iter()
            .map(|mut object| {
                object.object.origin = None;
                LiveObject {
                    handle: 0,
                    ..object
                }
            })
            .collect(),
        chains: table
            .chains
            .into_iter()
            .map(|chain| LiveChain {
                handle: 0,
                rules: chain.rules.into_iter().map(rule).collect(),
                ..chain
            })
            .collect(),
        ..table
    }
}

/// From whatever is there to A, to B; then B from nothing.
fn the_law(kernel: &mut dyn Kernel, a: &Program, b: &Program) -> TestCaseResult {
    apply_to(kernel, a)?;
    let changed = apply_to(kernel, b)?;

    let live = kernel.observe().expect("readable");
    let again = plan(&live, b, [1; 16]);
    if !again.is_empty() {
        return Err(TestCaseError::fail(format!(
            "a second plan has {} operations",
            again.len()
        )));
    }
    let same = apply_to(kernel, b)?;
    if kernel.generation().expect("readable") != live.generation {
        return Err(TestCaseError::fail(
            "an apply of nothing moved the generation",
        ));
    }
    if same != changed {
        return Err(TestCaseError::fail("an apply of nothing changed something"));
    }

    remove_from(kernel);
    let fresh = apply_to(kernel, b)?;
    if fresh != changed {
        return Err(TestCaseError::fail(format!(
            "changed: {changed:#?}\nfresh: {fresh:#?}"
        )));
    }
    Ok(())
}

/// Runs the law on pairs that compile, and makes sure that there are enough of them.
fn hold(kernel: &mut dyn Kernel, cases: u32) {
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    let pairs = (policies::policy(), policies::policy());
    let (all, compiled) = (Cell::new(0u32), Cell::new(0u32));
    let kernel = std::cell::RefCell::new(kernel);
    TestRunner::new(config)
        .run(&pairs, |(a, b)| {
            all.set(all.get() + 1);
            let (Some(a), Some(b)) = (program(&a), program(&b)) else {
                return Ok(());
            };
            compiled.set(compiled.get() + 1);
            the_law(&mut **kernel.borrow_mut(), &a, &b)
        })
        .unwrap_or_else(|error| panic!("{error}"));
    assert!(
        compiled.get() * 4 > all.get(),
        "only {} of {} pairs compiled: the law was hardly tried",
        compiled.get(),
        all.get()
    );
}

#[test]
fn from_a_to_b_on_the_fake_kernel() {
    hold(&mut FakeKernel::new(), 192);
}

#[test]
fn from_a_to_b_on_the_real_kernel() {
    alone(|| hold(&mut Netlink::open().expect("netlink"), 48));
}
