//! `rfw restore`: the policy that was in force last, out of its copy.

use clap::Args;

use super::error::Failure;
use super::output::Output;
use super::plan::{self, Comparison, Reading};
use super::{Global, apply, good, policy, session};
use crate::apply as application;
use crate::bytecode::linearize;
use crate::compile;
use crate::netlink::Netlink;
use crate::ruleset::validate;
use crate::state::DamagedGood;

/// Put the policy that was in force last into the kernel, from the copy in the state directory
///
/// For the boot: needs neither the source of the policy nor agent.yaml nor the network. What the policy says now, and whether it
/// may be applied, is for `rfw apply` and `rfw watch` to find out.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Without a copy that can be used, and where no rules of rfw are in the kernel, let nothing in but answers and ssh, and
    /// forward nothing; it ends with an error all the same
    #[arg(long)]
    boot: bool,
}

pub(super) fn run(
    arguments: &Arguments,
    global: &Global,
    output: &mut Output,
) -> Result<(), Failure> {
    let _lock = session::lock(global)?;
    let mut kernel = session::open()?;
    match restore(&mut kernel, global, output) {
        Err(failure) if arguments.boot => Err(close(&mut kernel, failure, global, output)),
        result => result,
    }
}

#[derive(Debug, thiserror::Error)]
#[error("no copy of a policy that was in force is kept")]
struct NothingKept;

fn restore(kernel: &mut Netlink, global: &Global, output: &mut Output) -> Result<(), Failure> {
    let kept = good::any(global).map_err(|error: DamagedGood| Failure::world(error))?;
    let (texts, digest, node) = kept.ok_or_else(|| Failure::world(NothingKept))?;
    // The copy says for which node it was compiled.
    let global = Global {
        node,
        ..global.clone()
    };
    let compared =
        plan::compare_texts(kernel, texts, digest, Reading::Everything, &global, output)?;
    let Comparison::Read(planned) = compared else {
        // It was asked to read.
        return Ok(());
    };
    let name = planned.loaded.headline();
    let name = name.unwrap_or_else(|| planned.digest.chars().take(12).collect());
    let is_there = planned.is_empty();
    apply::carry_out(kernel, &planned, None, &global, output)?;
    output.line(&match is_there {
        true => format!("no changes; in force is the policy that was last: {name}"),
        false => format!("restored: {name}"),
    });
    Ok(())
}

/// Closes the box, unless rules of ours are there: whatever they are, they were meant. Returns the failure that led here,
/// with what is true now.
fn close(kernel: &mut Netlink, failure: Failure, global: &Global, output: &mut Output) -> Failure {
    let now = match closed(kernel, global, output) {
        Ok(now) => now.to_owned(),
        Err(other) => format!("the box could not be closed either: {}", other.text()),
    };
    match failure {
        // What is wrong with the policy has been said.
        Failure::Rejected => {
            output.note(&format!("  {now}"));
            Failure::Rejected
        }
        failure => failure.also_now(vec![now]),
    }
}

fn closed(
    kernel: &mut Netlink,
    global: &Global,
    output: &mut Output,
) -> Result<&'static str, Failure> {
    let live = session::observe(kernel)?;
    if live.table.is_some() {
        return Ok("the rules that are in the kernel stay");
    }
    let ruleset =
        validate(compile::closed()).map_err(|violations| policy::too_large(&violations))?;
    let program = linearize(ruleset.into_ruleset());
    let plan = crate::plan::plan(&live, &program, session::fresh_mark()?);
    session::forget(global, output);
    application::apply(
        kernel,
        &program,
        &plan,
        apply::options(&mut apply::pause, false),
    )
    .map_err(|error| apply::failure(error, None))?;
    Ok(
        "the box is closed: nothing gets in but answers and ssh, and nothing is forwarded; `rfw apply` ends that",
    )
}
