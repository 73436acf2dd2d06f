//! `rfw render`: what a policy compiles to, for people and for nft(8).

use clap::{Args, ValueEnum};

use super::error::Failure;
use super::output::Output;
use super::{Global, policy};
use crate::{bytecode, nft};

/// Print the ruleset that a policy compiles to
///
/// Needs neither root nor the kernel, but for raw rules. `rfw render | nft -c -f -` lets nft check it.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// In which form
    #[arg(long, value_enum, default_value_t = Format::Nft)]
    format: Format,
}

/// Forms of a ruleset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A script for `nft -f`
    Nft,
    /// Commands for `nft -j -f`, libnftables-json(5)
    Json,
    /// What the kernel runs, as `nft --debug=netlink` writes it
    Bytecode,
}

pub(super) fn run(
    arguments: &Arguments,
    global: &Global,
    output: &mut Output,
) -> Result<(), Failure> {
    let (loaded, ruleset) = policy::load(policy::read(global)?, global, output)?;
    if arguments.format == Format::Json && nft::raw_script(ruleset.ruleset()).is_some() {
        return Err(Failure::world(RawInJson));
    }
    let text = match arguments.format {
        Format::Nft => nft::script(ruleset.ruleset()),
        Format::Json => nft::json(ruleset.ruleset()),
        Format::Bytecode => listing(&bytecode::linearize_with(
            ruleset.into_ruleset(),
            &loaded.raw,
        )),
    };
    output.result(&text);
    Ok(())
}

/// nft's JSON has words only for what it takes apart itself.
#[derive(Debug, thiserror::Error)]
#[error("raw rules have no form in nft's JSON; `--format nft` and `--format bytecode` show them")]
struct RawInJson;

/// Rule by rule, chain by chain.
fn listing(program: &bytecode::Program) -> String {
    use std::fmt::Write;
    let mut text = String::new();
    for chain in &program.chains {
        for rule in &chain.rules {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "inet {} {}", crate::ruleset::TABLE, chain.name);
            for instruction in &rule.instructions {
                let _ = writeln!(text, "  {instruction}");
            }
            let _ = writeln!(text);
        }
    }
    text
}
