//! The command line: arguments in, exit code out. One file for each command.
//!
//! Results go to standard output, everything else to standard error. This is the only module that knows
//! what time it is, what the terminal can show, and what the exit codes are.

mod against;
mod agent;
mod apply;
mod counters;
mod daemon;
mod digest;
mod doctor;
mod error;
mod exit;
mod foreign;
mod generated;
mod good;
mod hook;
mod lists;
mod metrics;
mod offload;
mod outlet;
mod output;
mod peer;
mod places;
mod plan;
mod policy;
mod pull;
mod raw;
mod remove;
mod render;
mod repo;
mod restore;
mod session;
mod settings;
mod status;
mod test;
mod time_zone;
mod trace;
mod trust;
mod validate;
mod watch;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ColorChoice, CommandFactory, Parser, Subcommand};

use crate::agent::Agent;
use crate::source::git::Access;
use error::Failure;
use output::Output;

/// A declarative firewall reconciler: from a policy in YAML to nftables, by the smallest change.
#[derive(Debug, Parser)]
#[command(name = "rfw", version, after_help = exit::HELP, disable_help_subcommand = true)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// What every command takes.
#[derive(Clone, Debug, Args)]
struct Global {
    /// The policy: a file, or a directory whose `*.yaml` files are read in name order [default: the repository that agent.yaml
    /// names, else /etc/rfw/policy]
    #[arg(
        id = "policy",
        long = "policy",
        global = true,
        value_name = "PATH",
        env = "RFW_POLICY"
    )]
    given_policy: Option<PathBuf>,
    /// The same, settled.
    #[arg(skip)]
    policy: PathBuf,
    /// Read the policy from this revision of the Git repository that PATH lies in: a branch, a tag, HEAD, a commit
    #[arg(long, global = true, value_name = "REV", env = "RFW_REV")]
    rev: Option<String>,
    /// Which of the policy's nodes this box is, where it has several
    #[arg(long, global = true, value_name = "NAME", env = "RFW_NODE")]
    node: Option<String>,
    /// What stays on the box: its node, repository and whom it trusts [default: /etc/rfw/agent.yaml, if it is there]
    #[arg(
        id = "agent",
        long = "agent",
        global = true,
        value_name = "FILE",
        env = "RFW_AGENT"
    )]
    agent_file: Option<PathBuf>,
    /// What that file says.
    #[arg(skip)]
    agent: Agent,
    /// How repositories are read.
    #[arg(skip)]
    access: Access,
    /// Where the repository that agent.yaml names is fetched from; nothing where the policy comes from elsewhere.
    #[arg(skip)]
    upstream: Option<pull::Upstream>,
    /// When to use colour (NO_COLOR is respected)
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    color: ColorChoice,
    /// Where rfw keeps what it remembers
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "RFW_STATE_DIR",
        default_value = "/var/lib/rfw"
    )]
    state_dir: PathBuf,
    /// Where rfw keeps its lock
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "RFW_RUN_DIR",
        default_value = "/run/rfw"
    )]
    run_dir: PathBuf,
    /// The file that keeps the system settings over a reboot [default: /etc/sysctl.d/90-rfw.conf]
    #[arg(long, global = true, value_name = "FILE", env = "RFW_SYSCTL_FILE")]
    sysctl_file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Validate(validate::Arguments),
    Schema(generated::SchemaArguments),
    Render(render::Arguments),
    Trace(trace::Arguments),
    Test(test::Arguments),
    Plan(plan::Arguments),
    Apply(apply::Arguments),
    Restore(restore::Arguments),
    Status(status::Arguments),
    Counters(counters::Arguments),
    Watch(watch::Arguments),
    Digest(digest::Arguments),
    Doctor(doctor::Arguments),
    Remove(remove::Arguments),
    Repo(repo::Arguments),
    Hook(hook::Arguments),
    Completions(generated::CompletionsArguments),
    Man(generated::ManArguments),
    /// What raw rules on standard input mean, in a network namespace of its own
    #[command(name = raw::COMMAND, hide = true)]
    ReadRaw,
}

impl Command {
    /// Whether it is about a policy; the others work whatever agent.yaml says.
    fn reads_policy(&self) -> bool {
        match self {
            Self::Schema(_)
            | Self::Doctor(_)
            | Self::Remove(_)
            | Self::Restore(_)
            | Self::Completions(_)
            | Self::Man(_)
            | Self::ReadRaw => false,
            Self::Test(arguments) => arguments.asks_for_the_policy(),
            Self::Validate(_)
            | Self::Render(_)
            | Self::Trace(_)
            | Self::Plan(_)
            | Self::Apply(_)
            | Self::Status(_)
            | Self::Counters(_)
            | Self::Watch(_)
            | Self::Digest(_)
            | Self::Repo(_)
            | Self::Hook(_) => true,
        }
    }
}

/// Runs one command and says how it went.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let mut cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            let code = if error.use_stderr() {
                exit::USAGE
            } else {
                exit::DONE
            };
            // Nothing sensible is left to do when even this cannot be printed.
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    let mut output = Output::new(cli.global.color);
    if cli.command.reads_policy()
        && let Err(failure) = agent::settle(&mut cli.global, &mut output)
    {
        return ExitCode::from(failure.report(&mut output));
    }
    let done = match cli.command {
        Command::Validate(arguments) => validate::run(&arguments, &cli.global, &mut output),
        Command::Schema(arguments) => generated::schema(&arguments, &mut output),
        Command::Render(arguments) => render::run(&arguments, &cli.global, &mut output),
        Command::Trace(arguments) => trace::run(&arguments, &cli.global, &mut output),
        Command::Test(arguments) => test::run(&arguments, &cli.global, &mut output),
        Command::Plan(arguments) => plan::run(&arguments, &cli.global, &mut output),
        Command::Apply(arguments) => apply::run(&arguments, &cli.global, &mut output),
        Command::Watch(arguments) => watch::run(&arguments, &cli.global),
        Command::Status(arguments) => status::run(&arguments, &cli.global, &mut output),
        Command::Counters(arguments) => counters::run(&arguments, &cli.global, &mut output),
        Command::Digest(arguments) => digest::run(&arguments, &cli.global, &mut output),
        Command::Doctor(arguments) => doctor::run(&arguments, &cli.global, &mut output),
        Command::Restore(arguments) => restore::run(&arguments, &cli.global, &mut output),
        Command::Remove(arguments) => remove::run(&arguments, &cli.global, &mut output),
        Command::Repo(arguments) => repo::run(&arguments, &cli.global, &mut output),
        Command::Hook(arguments) => hook::run(&arguments, &cli.global, &mut output),
        Command::Completions(arguments) => {
            generated::completions(&arguments, Cli::command(), &mut output)
        }
        Command::Man(arguments) => generated::man(&arguments, Cli::command(), &mut output),
        Command::ReadRaw => raw::inside(&mut output),
    };
    ExitCode::from(
        match done.and_then(|()| output.finish().map_err(Failure::Output)) {
            Ok(()) => exit::DONE,
            Err(failure) => failure.report(&mut output),
        },
    )
}
