//! The loop itself: what it holds, what it hears, and its steps.
//!
//! Not here: what it says of them, which is `told`'s, and who tells it something, which is `listen`'s.

use std::collections::BTreeMap;
use std::io;
use std::sync::PoisonError;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};

use super::answer::Shared;
use super::chance::next_chance;
use super::edges::{self, Loop, Message};
use super::log::{Level, Log};
use super::published;
use super::words::line;
use super::world::Gateway;
use crate::cli::error::Failure;
use crate::cli::lists::{self, Wanted};
use crate::cli::output::Output;
use crate::cli::{Global, good, trust};
use crate::reconcile::{Ending, Event, Reconciler, Todo, Untouched, World};
use crate::source::Texts;
use crate::watch::{Reply, ServiceManager};

/// What the loop holds.
pub(super) struct Daemon<'g> {
    pub(super) global: &'g Global,
    pub(super) log: Log,
    pub(super) reconciler: Reconciler,
    pub(super) world: Gateway<'g>,
    pub(super) shared: Shared,
    pub(super) sender: Loop,
    /// By which the next fetch of the branch is asked for.
    pub(super) pull: Option<SyncSender<()>>,
    /// Who waits for a step.
    pub(super) replies: BTreeMap<u64, SyncSender<Reply>>,
    pub(super) manager: ServiceManager,
    pub(super) is_ready: bool,
    /// The failure that was told last.
    pub(super) trouble: String,
    /// The warnings that were told last.
    pub(super) warnings: String,
    /// Why the report could not be written, told once.
    pub(super) unpublished: Option<io::ErrorKind>,
    /// What commands were told last of what was heard.
    pub(super) heard: Option<Untouched>,
    pub(super) chance: u64,
}

impl Daemon<'_> {
    /// Runs until it is told to end.
    pub(super) fn run(mut self, events: &Receiver<Message>) {
        let longest = self.manager.interval();
        // What the one before has left is not what this one says.
        self.publish();
        loop {
            self.manager.alive();
            while let Ok(message) = events.try_recv() {
                self.hear(message);
            }
            let now = self.world.now();
            match self.reconciler.todo(now) {
                Todo::Stop => break,
                Todo::Fetch => self.fetch(),
                Todo::Step => self.step(),
                Todo::Wait(span) => {
                    self.tell_commands();
                    let span = longest.map_or(span, |longest| span.min(longest));
                    match events.recv_timeout(span) {
                        Ok(message) => self.hear(message),
                        Err(RecvTimeoutError::Timeout) => {}
                        // Nobody is left who could tell anything; we hold a sender ourselves, so it cannot be.
                        Err(RecvTimeoutError::Disconnected) => break,
                    }
                }
            }
        }
        self.manager.stopping();
        let now = self.world.now();
        self.reconciler.stopped(now);
        self.publish();
        self.log.say(Level::Info, "ended; the rules stay");
    }

    /// Tells commands what was heard, if there is more than before.
    fn tell_commands(&mut self) {
        let untouched = self.reconciler.untouched();
        let Some(heard) = untouched.filter(|heard| heard.since != heard.until) else {
            return;
        };
        if self.heard != untouched {
            self.world.tell(heard);
            self.heard = untouched;
        }
    }

    fn hear(&mut self, message: Message) {
        let Message { event, replies } = message;
        if let (Event::Wake(waiter), Some(replies)) = (&event, replies) {
            self.replies.insert(*waiter, replies);
        }
        let is_reload = event == Event::Reload;
        let level = match &event {
            Event::Commit(_) => Level::Notice,
            Event::Pulled { pull, .. } if pull.trouble.is_none() => Level::Notice,
            _ => Level::Warning,
        };
        let is_pull = matches!(event, Event::Pulled { .. });
        let now = self.world.now();
        if let Some(told) = self.reconciler.hear(event, now) {
            self.log.say(level, &told);
        }
        if is_reload {
            self.log.say(Level::Info, "SIGHUP: reading everything");
            // One that waits already is enough.
            let _ = self.pull.as_ref().map(|pull| pull.try_send(()));
        }
        if is_pull {
            self.publish();
        }
    }

    fn step(&mut self) {
        self.chance = next_chance(self.chance);
        let stepped = self.reconciler.step(&mut self.world, self.chance);
        if self.world.has_missed() {
            self.hear(Event::Lost.into());
        }
        // The report first: whoever is told that it is done finds it there.
        self.publish();
        for (level, text) in self.told(&stepped) {
            self.log.say(level, &text);
            for waiter in &stepped.waiters {
                if let Some(replies) = self.replies.get(waiter) {
                    // Whoever reads too slowly misses lines, not the end.
                    let _ = replies.try_send(Reply::Line { text: text.clone() });
                }
            }
        }
        self.answer(&stepped);
        if !self.is_ready && stepped.ending != Ending::Busy {
            // Also when the policy cannot be applied: the daemon does what it can, and the boot goes on.
            self.is_ready = true;
            self.manager.ready();
        }
        self.manager.status(&line(self.reconciler.report()));
    }

    fn publish(&mut self) {
        let report = self.reconciler.report();
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        shared.clone_from(report);
        drop(shared);
        let text = serde_json::to_string_pretty(report).map_err(io::Error::from);
        match text.and_then(|text| published::store(&self.global.run_dir, &text)) {
            Ok(()) => self.unpublished = None,
            Err(error) if self.unpublished == Some(error.kind()) => {}
            Err(error) => {
                self.unpublished = Some(error.kind());
                self.log.say(
                    Level::Warning,
                    &format!("the report cannot be written: {error}"),
                );
            }
        }
    }

    /// Fetches lists beside the loop.
    fn fetch(&mut self) {
        let due = self.world.due();
        self.reconciler.fetching();
        let (global, to) = (self.global.clone(), self.sender.clone());
        let is_kept = self.world.is_kept();
        let fetch = move || {
            let mut output = Output::kept();
            let wanted = Wanted {
                names: &due,
                any_size: false,
            };
            let missed = match due.is_empty() {
                true => Ok(None),
                // No list is fetched because a commit says so that may not be applied.
                false => in_force(is_kept, &global, &mut output)
                    .and_then(|texts| lists::refresh(wanted, texts, &global, &mut output)),
            };
            let failure = match missed {
                Ok(None) => None,
                Ok(Some(failure)) | Err(failure) => {
                    failure.report(&mut output);
                    Some(output.take().trim_end().to_owned())
                }
            };
            // The loop may have ended.
            let _ = to.send(Event::Fetched { failure }.into());
        };
        if let Err(error) = edges::spawn("fetch", fetch) {
            let failure = Some(format!("lists cannot be fetched: {error}"));
            self.hear(Event::Fetched { failure }.into());
        }
    }
}

/// The texts that are in force: of the source, or what was kept of it.
fn in_force(is_kept: bool, global: &Global, output: &mut Output) -> Result<Texts, Failure> {
    if is_kept && let Some((texts, _)) = good::texts(global).map_err(Failure::world)? {
        return Ok(texts);
    }
    trust::read(global, false, output).map(|(texts, _)| texts)
}
