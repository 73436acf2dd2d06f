//! What commands are answered that ask the daemon over its socket. Each is answered by a thread of its own; only what
//! wants a step of the loop waits for it.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::edges::{Loop, Message};
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
        Request::Plan { .. } => say(&Reply::Error {
            text: "this version does not answer `plan`".to_owned(),
        }),
    };
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
