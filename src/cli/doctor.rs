//! `rfw doctor`: whether the box is well, and what to do.

use clap::Args;

use super::error::Failure;
use super::output::Output;
use super::plan::Format;
use crate::health::{Facts, Report, Severity};
use crate::{host, netlink};

/// Look at the box for what will go wrong
///
/// Reads how full the kernel's tables of neighbours and connections are, what they have lost, and what the kernel's log says
/// of it; warns before they are full. Tells which other firewalls drop what rfw may accept. Needs no policy and changes nothing. Exits with 2 when there is a warning.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// How to print the findings
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

pub(super) fn run(arguments: &Arguments, output: &mut Output) -> Result<(), Failure> {
    let report = Report::of(&facts());
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

fn facts() -> Facts {
    let foreign = netlink::Netlink::open().and_then(|mut kernel| kernel.foreign_chains());
    Facts {
        foreign: foreign.map_err(|error| error.to_string()),
        neighbours: netlink::neighbour_tables().map_err(|error| error.to_string()),
        conntrack: host::conntrack().map_err(|error| error.to_string()),
        log: host::kernel_log().map_err(|error| format!("/dev/kmsg: {error}")),
    }
}
