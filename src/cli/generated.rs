//! `rfw schema`, `rfw completions`, `rfw man`: texts made from the program itself.

use clap::{Args, ValueEnum};
use clap_complete::Shell;

use super::error::Failure;
use super::output::Output;
use super::{test, trace, validate};

/// Print a JSON schema: of the policy language, or of what programs read of rfw
///
/// The same bytes as `schema/WHAT.schema.json`. Name that of the language in the first line of a policy, and editors complete and check
/// while you type: `# yaml-language-server: $schema=policy.schema.json`
#[derive(Debug, Args)]
pub(super) struct SchemaArguments {
    /// Of what
    #[arg(value_enum, value_name = "WHAT", default_value_t = Shape::Policy)]
    of: Shape,
    /// The same as `rfw schema agent`
    #[arg(id = "agent-file", long = "for-agent", conflicts_with = "of")]
    agent: bool,
}

/// What has a published shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Shape {
    /// The policy language
    Policy,
    /// /etc/rfw/agent.yaml
    Agent,
    /// What `rfw validate --format json` prints
    Validate,
    /// What `rfw test --format json` prints
    Test,
    /// What `rfw trace --format json` prints
    Trace,
    /// What `rfw plan --format json` prints, also with `--against`, and `rfw apply --format json`
    Plan,
    /// What `rfw status --format json` prints
    Status,
    /// What `rfw doctor --format json` prints
    Doctor,
    /// What `rfw counters --format json` prints, also with `--watch`
    Counters,
    /// What `rfw counters --unused … --format json` prints
    Unused,
    /// What `rfw digest --format json` prints
    Digest,
    /// What `rfw digest --peer … --format json` prints
    DigestPeer,
}

/// Print completions for a shell
#[derive(Debug, Args)]
pub(super) struct CompletionsArguments {
    /// Which shell
    shell: Shell,
}

/// Print the manual page, or write one for each command into a directory
#[derive(Debug, Args)]
pub(super) struct ManArguments {
    /// Write `rfw.1`, `rfw-plan.1` and so on here instead of printing `rfw.1`
    #[arg(long, value_name = "DIR")]
    dir: Option<std::path::PathBuf>,
}

pub(super) fn schema(arguments: &SchemaArguments, output: &mut Output) -> Result<(), Failure> {
    let shape = match arguments.agent {
        true => Shape::Agent,
        false => arguments.of,
    };
    output.result(&match shape {
        Shape::Policy => crate::policy::schema_text(),
        Shape::Agent => crate::agent::schema_text(),
        Shape::Validate => validate::schema(),
        Shape::Test => test::schema(),
        Shape::Trace => trace::schema(),
        Shape::Plan => crate::plan::View::schema(),
        Shape::Status => crate::health::Status::schema(),
        Shape::Doctor => crate::health::Report::schema(),
        Shape::Counters => crate::counters::Counters::schema(),
        Shape::Unused => crate::counters::Unused::schema(),
        Shape::Digest => crate::digest::View::schema(),
        Shape::DigestPeer => crate::digest::Comparison::schema(),
    });
    Ok(())
}

pub(super) fn completions(
    arguments: &CompletionsArguments,
    mut command: clap::Command,
    output: &mut Output,
) -> Result<(), Failure> {
    let mut text = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, "rfw", &mut text);
    output.result(&String::from_utf8_lossy(&text));
    Ok(())
}

pub(super) fn man(
    arguments: &ManArguments,
    command: clap::Command,
    output: &mut Output,
) -> Result<(), Failure> {
    if let Some(directory) = &arguments.dir {
        return clap_mangen::generate_to(command, directory).map_err(Failure::world);
    }
    let mut text = Vec::new();
    clap_mangen::Man::new(command)
        .render(&mut text)
        .map_err(Failure::world)?;
    output.result(&String::from_utf8_lossy(&text));
    Ok(())
}
