//! `rfw hook`: what the hooks of a repository run when somebody pushes to it. Whatever they print is seen by who pushes.
//!
//! A hook decides only whether a push is taken. It never applies: it ends with the connection of who pushes, which the change
//! may cut. The daemon applies, and looks for itself at what the branch really is.
#![expect(
    clippy::disallowed_methods,
    reason = "git tells its hooks by the environment and standard input what is pushed"
)]

mod judge;
mod update;
mod wake;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, ColorChoice, Subcommand};

use super::Global;
use super::error::Failure;
use super::output::Output;
use crate::source::git::ObjectId;
use judge::{Push, judge};
use update::{Options, Update, lines};
use wake::wake;

/// What the hooks of a repository run
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Refuse a push whose policy is not valid, and show what a valid one changes
    ///
    /// `git push -o plan` only asks: the plan is shown, and the push declined. `-o no-color` shows it without colour.
    PreReceive(Followed),
    /// Wake the daemon, and show how it goes
    PostReceive(Followed),
}

/// What is followed of the repository.
#[derive(Debug, Args)]
struct Followed {
    /// The branch [default: that of agent.yaml, else the one that HEAD of the repository names]
    #[arg(long, value_name = "NAME")]
    branch: Option<String>,
    /// The directory of the policy in the repository [default: that of agent.yaml, else its root]
    #[arg(long, value_name = "DIR")]
    subdirectory: Option<String>,
}

const REJECTED: &str = "push rejected, live ruleset untouched";

pub(super) fn run(
    arguments: &Arguments,
    global: &Global,
    output: &mut Output,
) -> Result<(), Failure> {
    let (Verb::PreReceive(followed) | Verb::PostReceive(followed)) = &arguments.command;
    let options = Options::read()?;
    // The terminal is at the other end; git lets colours through.
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    if global.color == ColorChoice::Auto && !no_color && !options.no_color {
        *output = Output::new(ColorChoice::Always);
    }
    let directory = std::env::var_os("GIT_DIR").map_or_else(|| PathBuf::from("."), PathBuf::from);
    let directory = directory.canonicalize().map_err(|source| {
        let path = directory.clone();
        Failure::world(NotRead { path, source })
    })?;
    let branch = branch(followed, &directory, global)?;
    let mut pushed = None;
    for line in lines()? {
        let Update {
            old,
            new,
            reference,
        } = line;
        if reference == branch {
            pushed = Some((old, new));
        } else if matches!(arguments.command, Verb::PreReceive(_)) {
            let reference = shown(&reference);
            output.note(&format!(
                "rfw: {reference} is not followed, and not looked at"
            ));
        }
    }
    match (&arguments.command, pushed) {
        (Verb::PreReceive(_), pushed) => {
            if let Some((old, new)) = pushed {
                let short = |id: &Option<ObjectId>| {
                    let id = id.as_ref();
                    id.map_or_else(|| "nothing".to_owned(), |id| id.short().to_owned())
                };
                output.note(&format!("rfw: {branch} {} -> {}", short(&old), short(&new)));
                let push = Push {
                    old,
                    new,
                    repository: &directory,
                    global: &inside(followed, &directory, global),
                };
                judge(&push, output).map_err(|failure| rejected(failure, output))?;
            }
            match options.plan {
                true => Err(declined(
                    "only a plan was asked for: push declined, live ruleset untouched",
                )),
                false => Ok(()),
            }
        }
        (Verb::PostReceive(_), Some((_, Some(new)))) => wake(&new, global, output),
        (Verb::PostReceive(_), _) => Ok(()),
    }
}

#[derive(Debug, thiserror::Error)]
#[error("cannot read `{path}`")]
struct NotRead {
    path: PathBuf,
    source: io::Error,
}

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Declined(String);

fn declined(why: impl Into<String>) -> Failure {
    Failure::world(Declined(why.into()))
}

/// Says why, and that the push is rejected.
fn rejected(failure: Failure, output: &mut Output) -> Failure {
    failure.report(output);
    declined(REJECTED)
}

/// Text of who pushes, safe for a terminal.
fn shown(text: &str) -> String {
    crate::diagnostic::escaped(text)
}

/// The whole name of the branch that is followed.
fn branch(followed: &Followed, directory: &Path, global: &Global) -> Result<String, Failure> {
    let of_agent = global.agent.repository.as_ref();
    let named = followed.branch.clone();
    if let Some(name) = named.or_else(|| of_agent.map(|ours| ours.branch.to_string())) {
        return Ok(format!(
            "refs/heads/{}",
            name.trim_start_matches("refs/heads/")
        ));
    }
    let path = directory.join("HEAD");
    let head = fs::read_to_string(&path).map_err(|source| {
        let path = path.clone();
        Failure::world(NotRead { path, source })
    })?;
    let name = head.trim_end().strip_prefix("ref: ");
    // Where refs are in tables, HEAD is a file that names nothing.
    let name = name.filter(|name| name.starts_with("refs/heads/") && !name.ends_with(".invalid"));
    let unknown = || declined("HEAD of the repository names no branch: say --branch");
    name.map(str::to_owned).ok_or_else(unknown)
}

/// The policy of a repository's commits, in place of that of the command line.
fn inside(followed: &Followed, directory: &Path, global: &Global) -> Global {
    let of_agent = global.agent.repository.as_ref();
    let below = followed.subdirectory.clone();
    let below = below.or_else(|| of_agent.map(|ours| ours.subdirectory.as_str().to_owned()));
    let mut global = global.clone();
    global.policy = match below.as_deref() {
        None | Some("" | ".") => directory.to_owned(),
        Some(below) => directory.join(below),
    };
    global.access.quarantine = std::env::var_os("GIT_QUARANTINE_PATH").map(PathBuf::from);
    global
}
