//! Fetching beside the loop, now and then. A server that hangs holds up nothing but the next attempt.
#![expect(
    clippy::disallowed_methods,
    reason = "the command line is where the clock is read"
)]

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};

use jiff::Timestamp;

use super::chance::{next_chance, seed};
use super::edges::{Loop, spawn};
use crate::cli::error::Failure;
use crate::cli::pull::Upstream;
use crate::reconcile::{Attempt, Event, FailureKind, Pulls};
use crate::source::git::{Access, PullError, Pulled, Repository, pull};

/// Begins to fetch. Whoever sends through what is returned has it done at once.
pub(super) fn start(upstream: Upstream, access: Access, to: Loop) -> io::Result<SyncSender<()>> {
    let (ask, asked) = sync_channel(1);
    spawn("pull", move || {
        again_and_again(&upstream, &access, &asked, &to);
    })?;
    Ok(ask)
}

fn again_and_again(upstream: &Upstream, access: &Access, asked: &Receiver<()>, to: &Loop) {
    let Upstream {
        remote,
        branch,
        interval,
        ..
    } = upstream;
    let mut pulls = Pulls::new(remote.clone(), branch.clone(), *interval);
    let mut chance = seed();
    loop {
        let (attempt, moved) = once(upstream, access);
        chance = next_chance(chance);
        let (told, pause) = pulls.heard(attempt, Timestamp::now().as_second(), chance);
        let pull = Box::new(told);
        if to.send(Event::Pulled { pull, moved }.into()).is_err() {
            return;
        }
        if asked.recv_timeout(pause) == Err(RecvTimeoutError::Disconnected) {
            return;
        }
    }
}

/// One attempt, and whether the branch has moved.
fn once(upstream: &Upstream, access: &Access) -> (Attempt, bool) {
    let Upstream {
        repository,
        remote,
        branch,
        interval: _,
        puller,
        most,
    } = upstream;
    let pulled = Repository::open(repository, access)
        .map_err(PullError::from)
        .and_then(|repository| pull(&repository, remote, branch, puller, *most));
    match pulled {
        Ok(Pulled { commit, moved }) => (Attempt::Fetched(commit.to_string()), moved),
        Err(error) => {
            let kind = match error.is_refusal() {
                true => FailureKind::Guard,
                false => FailureKind::Source,
            };
            let text = Failure::world(error).text();
            (Attempt::Failed { kind, text }, false)
        }
    }
}
