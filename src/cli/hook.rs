//! `rfw hook`: what the hooks of a repository run when somebody pushes to it. Whatever they print is seen by who pushes.
//!
//! A hook decides only whether a push is taken. It never applies: it ends with the connection of who pushes, which the change
//! may cut. The daemon applies, and looks for itself at what the branch really is.
#![expect(
    clippy::disallowed_methods,
    reason = "git tells its hooks by the environment and standard input what is pushed"
)]

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use clap::{Args, ColorChoice, Subcommand};

use super::against::{Before, compare_loaded, why_nothing};
use super::error::{Explained, Failure};
use super::output::Output;
use super::plan::PlanFormat;
use super::policy::Purpose;
use super::{Global, plan, policy, raw, trust, watch};
use crate::plan::Detail;
use crate::source::git::{ObjectId, Repository};
use crate::state;
use crate::watch::{Reply, Request, ask};

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

/// The longest list of refs that is read, in bytes.
const MOST: u64 = 1 << 20;
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

/// What was said with `git push -o`.
#[derive(Debug, Default)]
struct Options {
    plan: bool,
    no_color: bool,
}

impl Options {
    fn read() -> Result<Self, Failure> {
        let count = std::env::var("GIT_PUSH_OPTION_COUNT").unwrap_or_default();
        let mut options = Self::default();
        for nth in 0..count.parse::<u16>().unwrap_or(0) {
            let word = std::env::var(format!("GIT_PUSH_OPTION_{nth}")).unwrap_or_default();
            match word.as_str() {
                "plan" => options.plan = true,
                "no-color" => options.no_color = true,
                // Who has mistyped `plan` wants no push.
                _ => {
                    let word = shown(&word);
                    return Err(Failure::World(Explained {
                        error: Box::new(Declined(format!("`-o {word}` is not known"))),
                        details: Vec::new(),
                        now: vec![
                            "there are `-o plan` and `-o no-color`".into(),
                            REJECTED.into(),
                        ],
                    }));
                }
            }
        }
        Ok(options)
    }
}

/// A ref that moves; no commit: it is not there.
struct Update {
    old: Option<ObjectId>,
    new: Option<ObjectId>,
    reference: String,
}

/// `OLD NEW REF` in each line, as githooks(5) says.
fn lines() -> Result<Vec<Update>, Failure> {
    let mut text = String::new();
    let read = io::stdin().take(MOST).read_to_string(&mut text);
    read.map_err(|source| {
        let path = "standard input".into();
        Failure::world(NotRead { path, source })
    })?;
    let update = |line: &str| {
        let mut words = line.splitn(3, ' ');
        let mut id = || {
            let word = words.next()?;
            match word.bytes().all(|byte| byte == b'0') {
                true => Some(None),
                false => Some(Some(word.parse().ok()?)),
            }
        };
        let (old, new) = (id()?, id()?);
        let reference = words.next()?.to_owned();
        Some(Update {
            old,
            new,
            reference,
        })
    };
    let updates = text.lines().map(|line| {
        let bad = || declined(format!("`{}` is no line of a push", shown(line)));
        update(line).ok_or_else(bad)
    });
    updates.collect()
}

/// Text of who pushes, safe for a terminal.
fn shown(text: &str) -> String {
    crate::diagnostic::printable(text)
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

/// What is pushed to the branch that is followed.
struct Push<'a> {
    old: Option<ObjectId>,
    new: Option<ObjectId>,
    repository: &'a Path,
    /// With the policy's path in the repository, and the quarantine.
    global: &'a Global,
}

/// Whether it is taken; shows what it changes.
fn judge(push: &Push<'_>, output: &mut Output) -> Result<(), Failure> {
    let Push {
        old,
        new,
        repository,
        global,
    } = push;
    let Some(new) = new else {
        return Err(declined("the branch that is followed cannot be deleted"));
    };
    if let Some(old) = old {
        let opened = Repository::open(&global.policy, &global.access).map_err(Failure::world)?;
        if !opened.descends(new, old).map_err(Failure::world)? {
            return Err(declined(format!(
                "{} does not come after {}: the branch that is followed only goes forward",
                new.short(),
                old.short()
            )));
        }
    }
    let mut global = Global {
        rev: Some(new.as_str().to_owned()),
        ..(*global).clone()
    };
    // That it comes after what was applied last is the daemon's to say: whoever is pushed to need not be able to read that.
    global.agent.verify.never_go_back = false;
    if let Some((_, Some(refused))) = trust::refusal(&global)? {
        return Err(refused);
    }
    let lists = state::copies_digest(&global.state_dir);
    // On all nodes, where it has several and none is named.
    let purpose = Purpose::Push(global.node.as_deref());
    let examined = policy::examine(policy::read(&global)?, purpose, Some(&global.state_dir));
    if examined.diagnostics.has_errors() {
        policy::print(&examined, output);
        return Err(Failure::Rejected);
    }
    match plan_of_daemon(new, repository, &global, output)? {
        // With what there is to say of the policy.
        Told::All => return Ok(()),
        Told::Nothing(why) => {
            policy::print(&examined, output);
            output.note(&format!(
                "rfw: {why}: compared with the branch as it is, not with the live ruleset"
            ));
        }
    }
    if let Err(error) = examined.raw {
        return Err(raw::failure(error));
    }
    if examined.compiled.is_none() {
        output.note("rfw: no plan, because nobody says which node this box is (--node, or `node` of agent.yaml)");
        return Ok(());
    }
    let before = match old {
        None => Before::Nothing("nothing: the branch is new".to_owned()),
        Some(old) => match policy::read_at(&global, old.as_str()) {
            Ok(texts) => Before::Texts(Box::new(texts)),
            Err(error) => Before::Nothing(why_nothing(error).map_err(Failure::world)?),
        },
    };
    let loaded = policy::finish(examined, String::new(), lists)?;
    let compared = compare_loaded(before, loaded, Detail::Few, &global)?;
    plan::print(
        &compared.view,
        Some(&compared.loaded),
        Some(&compared.against),
        PlanFormat::Text,
        output,
    )
}

/// What the daemon has told.
enum Told {
    All,
    /// And why.
    Nothing(&'static str),
}

/// Shows what the daemon says that the commit would change in the kernel.
fn plan_of_daemon(
    commit: &ObjectId,
    repository: &Path,
    global: &Global,
    output: &mut Output,
) -> Result<Told, Failure> {
    let quarantine = global.access.quarantine.as_ref();
    let quarantine = quarantine.and_then(|path| path.canonicalize().ok());
    let request = Request::Plan {
        repository: repository.to_owned(),
        commit: commit.as_str().to_owned(),
        quarantine,
    };
    let mut told = None;
    let asked = ask(&watch::socket(global), &request, |reply| match reply {
        Reply::Line { text } => output.note(&plan::coloured(&text, output.color_err())),
        Reply::Done { ok: true, .. } => told = Some(Ok(Told::All)),
        Reply::Done {
            ok: false, text, ..
        } => told = Some(Err(declined(text))),
        Reply::Error { text } => {
            output.note(&format!("rfw: the daemon cannot say: {text}"));
            told = Some(Ok(Told::Nothing("without the daemon")));
        }
        Reply::Report { .. } => {}
    });
    match (asked, told) {
        (_, Some(told)) => told,
        (Err(error), None) if error.kind() == io::ErrorKind::PermissionDenied => {
            Ok(Told::Nothing("this user may not ask the daemon"))
        }
        (_, None) => Ok(Told::Nothing("no daemon runs")),
    }
}

/// Wakes the daemon, and shows what it says until it is done. Whoever pushes may go at any time: the daemon goes on.
fn wake(commit: &ObjectId, global: &Global, output: &mut Output) -> Result<(), Failure> {
    let request = Request::Wake {
        revision: Some(commit.as_str().to_owned()),
    };
    let mut end = None;
    let asked = ask(&watch::socket(global), &request, |reply| match reply {
        Reply::Line { text } => output.note(&plan::coloured(text.trim_end(), output.color_err())),
        Reply::Done {
            ok: true,
            generation: Some(generation),
            ..
        } => end = Some((true, format!("in force, live generation {generation}"))),
        Reply::Done { ok, text, .. } => end = Some((ok, text)),
        Reply::Error { text } => end = Some((false, text)),
        Reply::Report { .. } => {}
    });
    match (asked, end) {
        (_, Some((true, text))) => {
            output.note(&format!("rfw: {text}"));
            Ok(())
        }
        (_, Some((false, text))) => Err(declined(format!("taken, but not in force: {text}"))),
        (Err(error), None) if error.kind() == io::ErrorKind::UnexpectedEof => Err(declined(
            "the daemon has ended in between; `rfw status` on the box says what is in force",
        )),
        (_, None) => {
            output.note(
                "rfw: taken; no daemon that this user may ask runs here: `rfw apply` on the box puts it in force",
            );
            Ok(())
        }
    }
}
