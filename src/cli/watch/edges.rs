//! The threads that wait for something to happen, and tell the loop.
//!
//! Each is one that only waits; what they tell goes through one channel of bounded length. When the loop is at work they
//! wait for it, and the kernel's own queues take what comes meanwhile: if those run over, that is told, too.

use std::io;
use std::sync::mpsc::SyncSender;
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::netlink::{CommitEvent, LinkEvents, RulesetEvent, RulesetEvents};
use crate::reconcile::{Commit, Event};
use crate::watch::{Files, Reply};

/// What the loop is told.
#[derive(Debug)]
pub(super) struct Message {
    /// What has happened.
    pub(super) event: Event,
    /// Who wants to be told how it goes on.
    pub(super) replies: Option<SyncSender<Reply>>,
}

impl From<Event> for Message {
    fn from(event: Event) -> Self {
        Self {
            event,
            replies: None,
        }
    }
}

/// What the loop listens to.
pub(super) type Loop = SyncSender<Message>;

/// Changes of files and refs.
pub(super) fn files(mut files: Files, to: Loop) -> io::Result<()> {
    spawn("files", move || {
        while let Ok(changed) = files.wait() {
            let told = (!changed.files || to.send(Event::Files.into()).is_ok())
                && (!changed.refs || to.send(Event::Revision.into()).is_ok());
            if !told {
                break;
            }
        }
    })
}

/// Commits of anybody.
pub(super) fn ruleset(mut events: RulesetEvents, to: Loop) -> io::Result<()> {
    spawn("ruleset", move || {
        while let Ok(heard) = events.wait() {
            for event in heard {
                if to.send(ruleset_event(event).into()).is_err() {
                    return;
                }
            }
        }
        // A deaf daemon still looks now and then; that it is deaf is told.
        let _ = to.send(Event::Lost.into());
    })
}

fn ruleset_event(event: RulesetEvent) -> Event {
    match event {
        RulesetEvent::Lost => Event::Lost,
        RulesetEvent::Commit(commit) => {
            let CommitEvent {
                generation,
                pid,
                process,
                touches_ours,
                is_whole,
            } = commit;
            Event::Commit(Commit {
                generation,
                pid,
                process,
                touches_ours,
                is_whole,
            })
        }
    }
}

/// Interfaces and addresses.
pub(super) fn links(mut events: LinkEvents, to: Loop) -> io::Result<()> {
    spawn("links", move || {
        while let Ok(changed) = events.wait() {
            if changed && to.send(Event::Links.into()).is_err() {
                break;
            }
        }
    })
}

/// SIGTERM and SIGINT end the daemon, SIGHUP has it look.
pub(super) fn signals(to: Loop) -> io::Result<()> {
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM])?;
    spawn("signals", move || {
        for signal in signals.forever() {
            let event = match signal {
                SIGHUP => Event::Reload,
                _ => Event::Stop,
            };
            if to.send(event.into()).is_err() {
                break;
            }
        }
    })
}

/// Runs beside the loop until the process ends.
pub(super) fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().name(name.to_owned()).spawn(run)?;
    Ok(())
}
