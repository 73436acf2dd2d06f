//! What commands are answered that ask the daemon over its socket. Each is answered by a thread of its own; only what
//! wants a step of the loop waits for it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::edges::{Loop, Message};
use crate::cli::output::Output;
use crate::cli::plan::{self, Reading};
use crate::cli::{Global, session};
use crate::reconcile::{Event, Report};
use crate::watch::{Asked, Reply, Request};

/// How long whoever has woken the loop is kept waiting for its next word.
const PATIENCE: Duration = Duration::from_secs(60);
/// Lines on their way; more are dropped, so that nobody who reads slowly holds up the loop.
const WAITING: usize = 1024;

/// The report, for everybody.
pub(super) type Shared = Arc<Mutex<Report>>;

/// A copy of the report.
pub(super) fn report(shared: &Shared) -> Report {
    shared
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone()
}

/// Answers one request.
pub(super) fn answer(
    request: Request,
    asked: Asked,
    global: &Global,
    shared: &Shared,
    to: &Loop,
    say: &mut dyn FnMut(&Reply) -> io::Result<()>,
) {
    // Whoever does not listen has gone.
    let _ = match request {
        Request::Status {} => say(&Reply::Report {
            report: Box::new(report(shared)),
        }),
        Request::Wake { revision } => wake(revision.as_deref(), asked, to, say),
        Request::Plan {
            repository,
            commit,
            quarantine,
        } => plan_of(global, &repository, &commit, quarantine, say),
    };
}

/// What a pushed commit would change. Only of the repository that the daemon follows: whoever may ask here may not be
/// allowed to read others.
fn plan_of(
    global: &Global,
    repository: &Path,
    commit: &str,
    quarantine: Option<PathBuf>,
    say: &mut dyn FnMut(&Reply) -> io::Result<()>,
) -> io::Result<()> {
    /// One at a time: a large policy takes its memory.
    static ONE: Mutex<()> = Mutex::new(());
    let is_commit =
        (7..=64).contains(&commit.len()) && commit.bytes().all(|c| c.is_ascii_hexdigit());
    let repository = fs::canonicalize(repository).ok().filter(|repository| {
        let policy = fs::canonicalize(&global.policy).unwrap_or_else(|_| global.policy.clone());
        // Its work tree, or the bare repository itself; a hook names `.git`.
        policy.starts_with(repository)
            || repository
                .parent()
                .is_some_and(|tree| repository.ends_with(".git") && policy.starts_with(tree))
    });
    let quarantine = quarantine.map(|quarantine| fs::canonicalize(quarantine).ok());
    let (Some(repository), true, true) = (repository, is_commit, global.rev.is_some()) else {
        return say(&Reply::Error {
            text: "this daemon plans commits of the repository that it follows, by their ids"
                .to_owned(),
        });
    };
    let mut global = global.clone();
    global.rev = Some(commit.to_owned());
    global.access.quarantine = match quarantine {
        None => None,
        Some(Some(quarantine)) if quarantine.starts_with(&repository) => Some(quarantine),
        Some(_) => {
            return say(&Reply::Error {
                text: "the quarantine is not in the repository".to_owned(),
            });
        }
    };
    let mut output = Output::kept();
    let one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let planned = session::open()
        .and_then(|mut kernel| plan::compare(&mut kernel, Reading::Nothing, &global, &mut output))
        .and_then(|comparison| plan::show_comparison(comparison, &mut output));
    drop(one);
    let ok = planned.is_ok();
    if let Err(failure) = planned {
        failure.report(&mut output);
    }
    say(&Reply::Line {
        text: output.take().trim_end().to_owned(),
    })?;
    say(&Reply::Done {
        ok,
        text: match ok {
            true => "the commit can be applied; nothing has changed".to_owned(),
            false => "the commit cannot be applied; nothing has changed".to_owned(),
        },
        applied: None,
        generation: None,
    })
}

fn wake(
    revision: Option<&str>,
    asked: Asked,
    to: &Loop,
    say: &mut dyn FnMut(&Reply) -> io::Result<()>,
) -> io::Result<()> {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let (sender, replies) = sync_channel(WAITING);
    let about = revision.map_or_else(String::new, |revision| {
        let short: String = revision
            .chars()
            .filter(char::is_ascii_hexdigit)
            .take(12)
            .collect();
        format!(" for {short}")
    });
    let Asked { pid, uid } = asked;
    let _ = sender.try_send(Reply::Line {
        text: format!("woken by process {pid} of user {uid}{about}"),
    });
    let message = Message {
        event: Event::Wake(NEXT.fetch_add(1, Ordering::Relaxed)),
        replies: Some(sender),
    };
    if to.try_send(message).is_err() {
        let text = "the daemon has too much to do, or ends; it looks by itself".to_owned();
        return say(&Reply::Error { text });
    }
    loop {
        let reply = match replies.recv_timeout(PATIENCE) {
            Ok(reply) => reply,
            Err(RecvTimeoutError::Timeout) => Reply::Error {
                text: format!("no word from the loop for {} s", PATIENCE.as_secs()),
            },
            Err(RecvTimeoutError::Disconnected) => Reply::Error {
                text: "the daemon ends; the rules stay".to_owned(),
            },
        };
        say(&reply)?;
        if !matches!(reply, Reply::Line { .. }) {
            return Ok(());
        }
    }
}
