//! `rfw doctor`: whether the box is well, and what to do.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::Args;

use super::error::Failure;
use super::output::Output;
use super::plan::Format;
use super::{Global, agent, counters, session, settings};
use crate::bytecode::Instruction;
use crate::health::{self, Facts, Report, SettingDrift, Severity, Surroundings};
use crate::live::Live;
use crate::{compile, host, netlink, state};

/// Look at the box for what will go wrong
///
/// What the kernel cannot do, asked by dry runs; how full its tables of neighbours and connections are, before they are full; what rules of
/// other tables and of iptables-legacy do to what rfw accepts; services that write to the ruleset, too; who else may write what rfw trusts; settings that contradict the
/// policy or are commonly wrong; a time zone of the kernel's own that moves schedules. Needs no policy and changes nothing. Exits with 2 when there is a warning.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// How to print the findings
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Look for services below this directory
    #[arg(long, value_name = "DIR", default_value = "/")]
    root: PathBuf,
}

pub(super) fn run(
    arguments: &Arguments,
    global: &Global,
    output: &mut Output,
) -> Result<(), Failure> {
    let mut global = global.clone();
    // It looks at the box whatever agent.yaml says.
    if let Err(failure) = agent::settle(&mut global, output) {
        output.note(&format!("note: {}", failure.text()));
    }
    let report = Report::of(&facts(&arguments.root, &global));
    match arguments.format {
        Format::Text => output.result(&report.to_string()),
        Format::Json => {
            output.line(&serde_json::to_string_pretty(&report).map_err(Failure::world)?);
        }
    }
    if Severity::Warning <= report.worst {
        return output
            .finish()
            .map_err(Failure::Output)
            .and(Err(Failure::Changes));
    }
    Ok(())
}

/// An error with its causes.
fn explained(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

fn facts(root: &Path, global: &Global) -> Facts {
    let foreign = netlink::Netlink::open().and_then(|mut kernel| kernel.foreign_chains());
    let features = netlink::Netlink::open()
        .map_err(|error| error.to_string())
        .and_then(|mut kernel| kernel.features().map_err(|error| explained(&error)));
    let others = netlink::Netlink::open().and_then(|mut kernel| kernel.other_tables());
    let named = global.agent_file.as_deref();
    let trust = [
        named.unwrap_or(Path::new(agent::DEFAULT)),
        global.agent.verify.signers.as_path(),
    ];
    let rights = host::rights(&global.policy, &global.state_dir, &trust);
    Facts {
        features,
        others: others.map_err(|error| explained(&error)),
        legacy: host::legacy().map_err(|error| format!("/proc/net/ip_tables_names: {error}")),
        services: host::services(root).map_err(|error| error.to_string()),
        rights: rights.map_err(|error| error.to_string()),
        surroundings: surroundings(global),
        foreign: foreign.map_err(|error| error.to_string()),
        neighbours: netlink::neighbour_tables().map_err(|error| error.to_string()),
        conntrack: host::conntrack().map_err(|error| error.to_string()),
        time_zone: time_zone(global),
        log: host::kernel_log().map_err(|error| format!("/dev/kmsg: {error}")),
    }
}

/// The kernel's own time zone, and the schedules in force that it moves.
fn time_zone(global: &Global) -> Result<health::TimeZone, String> {
    let minutes_west = host::minutes_west().map_err(|error| error.to_string())?;
    let mut moved = BTreeSet::new();
    if minutes_west != 0
        && let Ok(mut kernel) = session::open()
        && let Ok(live) = counters::read(&mut kernel, global)
    {
        let sets = live.table.iter().flat_map(|table| &table.sets);
        moved = compile::moved_schedules(sets.map(|live| &live.set), minutes_west);
    }
    Ok(health::TimeZone {
        minutes_west,
        moved,
    })
}

/// The settings of the box, and what of rfw's table they matter to.
fn surroundings(global: &Global) -> Result<Surroundings, String> {
    let kept = state::Verified::load(&global.state_dir);
    let difference = match kept.and_then(|kept| kept.settings()) {
        Some(wanted) => settings::compare(&wanted, global).map_err(|failure| failure.text())?,
        None => crate::system::Difference::default(),
    };
    let drift = difference.changes.into_iter().map(|change| SettingDrift {
        key: change.key.to_string(),
        value: change.value,
        now: change.was,
    });
    let live = session::open().and_then(|mut kernel| counters::read(&mut kernel, global));
    let live = live.ok();
    Ok(Surroundings {
        values: host::values(&health::KEYS),
        drift: drift.collect(),
        forwards: live.as_ref().and_then(forwards),
        logs: live.as_ref().is_some_and(logs),
        is_elsewhere: host::is_elsewhere(),
    })
}

/// Whether rules lead from one interface to another.
fn forwards(live: &Live) -> Option<bool> {
    let table = live.table.as_ref()?;
    let mut sets = table.sets.iter();
    Some(sets.any(|live| live.set.spec.name == "pairs/forward" && !live.set.elements.is_empty()))
}

/// Whether a rule logs to the kernel's log.
fn logs(live: &Live) -> bool {
    let chains = live.table.iter().flat_map(|table| &table.chains);
    let mut instructions = chains
        .flat_map(|chain| &chain.rules)
        .flat_map(|rule| &rule.instructions);
    instructions.any(|it| matches!(it, Instruction::Log { group: None, .. }))
}
