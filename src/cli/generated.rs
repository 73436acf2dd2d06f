//! `rfw schema`, `rfw completions`, `rfw man`: texts made from the program itself.

use clap::Args;
use clap_complete::Shell;

use super::error::Failure;
use super::output::Output;

/// Print the JSON schema of the policy language
///
/// The same bytes as `schema/policy.schema.json`. Name it in the first line of a policy, and editors complete and check while you type:
/// `# yaml-language-server: $schema=policy.schema.json`
#[derive(Debug, Args)]
pub(super) struct SchemaArguments {
    /// That of agent.yaml instead, the same bytes as `schema/agent.schema.json`
    #[arg(id = "agent-file", long = "for-agent")]
    agent: bool,
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
    output.result(&match arguments.agent {
        true => crate::agent::schema_text(),
        false => crate::policy::schema_text(),
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
