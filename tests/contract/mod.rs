//! What a kernel does with a batch: the same cases on the fake kernel and on the real one, with the same
//! outcome, refusal by refusal, and the same table afterwards.

mod cases;
mod operation;

use std::time::Duration;

use nix::errno::Errno;
use rfw::bytecode::Program;
use rfw::kernel::{CommitError, FakeKernel, Kernel, dump};
use rfw::live::{Generation, Live};
use rfw::netlink::Netlink;
use rfw::plan::{Operation, plan, remove};

use super::notation::program;
use super::support::netns::alone_for;
use cases::cases;
use operation::SETUP;

const MARK: [u8; 16] = [7; 16];

/// Commits one batch after the other, each on the generation of the one before.
#[track_caller]
fn commit_all(kernel: &mut dyn Kernel, mut base: Generation, batches: [&[Operation]; 2]) {
    for batch in batches {
        if !batch.is_empty() {
            base = kernel.commit(base, batch).unwrap();
        }
    }
}

fn observe(kernel: &mut dyn Kernel) -> Live {
    kernel.observe().unwrap()
}

/// The table of [`SETUP`], fresh.
fn set_up(kernel: &mut dyn Kernel) -> Live {
    let live = observe(kernel);
    let plan = remove(&live);
    commit_all(kernel, plan.base, [&plan.staging, &plan.commit]);
    let live = observe(kernel);
    let plan = plan_to(&live, &program(SETUP));
    commit_all(kernel, plan.base, [&plan.staging, &plan.commit]);
    observe(kernel)
}

fn plan_to(live: &Live, desired: &Program) -> rfw::plan::Plan {
    plan(live, desired, MARK)
}

/// What a kernel did with a batch: the refusals or by how much the generation moved, and the table.
fn outcome(kernel: &mut dyn Kernel, operations: &[Operation]) -> String {
    let base = kernel.generation().unwrap();
    let checked = said(kernel.check(operations).map(|()| base), base);
    assert_eq!(
        kernel.generation().unwrap(),
        base,
        "a check changes nothing"
    );
    let result = kernel.commit(base, operations);
    let said = said(result, base);
    assert_eq!(
        said.contains("refused"),
        checked.contains("refused"),
        "checked: {checked}; committed: {said}"
    );
    let live = observe(kernel);
    let table = live.table.as_ref().map_or("no table".to_owned(), dump);
    let kept: Vec<String> = live
        .table
        .iter()
        .flat_map(|table| &table.chains)
        .flat_map(|chain| &chain.rules)
        .map(|rule| {
            format!(
                "{} {:?}",
                rule.handle,
                rule.count().map(|count| count.packets)
            )
        })
        .collect();
    format!("{said}\n{table}{}", kept.join(", "))
}

fn said(result: Result<Generation, CommitError>, base: Generation) -> String {
    match result {
        Ok(generation) => format!("generation +{}", generation.0 - base.0),
        Err(CommitError::Refused { refusals }) => {
            let refusals: Vec<String> = refusals
                .iter()
                .map(|refusal| {
                    let errno = Errno::from_raw(refusal.reason.raw_os_error().unwrap_or(0));
                    format!("{:?} {errno:?}", refusal.operation)
                })
                .collect();
            format!("refused {}", refusals.join(", "))
        }
        Err(other) => format!("{other:?}"),
    }
}

#[test]
fn the_real_kernel_does_what_the_fake_kernel_does() {
    alone_for(Duration::from_secs(180), || {
        let mut differ = Vec::new();
        for (name, operations) in cases() {
            let mut fake = FakeKernel::new();
            let live = set_up(&mut fake);
            let expect = outcome(&mut fake, &operations(&live));
            let mut netlink = Netlink::open().unwrap();
            let live = set_up(&mut netlink);
            let real = outcome(&mut netlink, &operations(&live));
            if expect != real {
                differ.push(format!("{name}\n--- fake\n{expect}\n--- real\n{real}\n"));
            }
        }
        assert!(
            differ.is_empty(),
            "{} differ:\n{}",
            differ.len(),
            differ.join("\n")
        );
    });
}

/// Without a kernel at hand: what the fake kernel says to each case, as the real one did.
#[test]
fn what_the_fake_kernel_says() {
    let mut said = String::new();
    for (name, operations) in cases() {
        let mut fake = FakeKernel::new();
        let live = set_up(&mut fake);
        let outcome = outcome(&mut fake, &operations(&live));
        let first = outcome.lines().next().unwrap_or_default();
        said += &format!("{name}: {first}\n");
    }
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../../snapshots/kernel");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!("contract", said));
}
