//! What the loop hears of, and what there is to tell of it at once.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Reconciler;
use crate::reconcile::backoff::jittered;
use crate::reconcile::event::{Cause, Commit, Event};
use crate::reconcile::heard::is_after;
use crate::reconcile::report::{State, Trouble};
use crate::reconcile::world::Moment;

/// After a list could not be fetched; doubled each time, up to an hour.
const FETCH_PAUSE: Duration = Duration::from_secs(60);
const FETCH_PAUSE_LONGEST: Duration = Duration::from_secs(3600);
/// So many names of those who changed the table are kept.
const CULPRITS: usize = 8;

impl Reconciler {
    /// Takes note of an event. Returns what there is to tell at once.
    pub fn hear(&mut self, event: Event, now: Moment) -> Option<String> {
        match event {
            Event::Files => self.settle(Cause::Files, now),
            Event::Links => self.settle(Cause::Links, now),
            Event::Revision => self.ask(Cause::Revision, now),
            Event::Commit(commit) => return self.hear_commit(commit, now),
            Event::Lost => {
                self.hearing.loses();
                self.report.foreign.lost += 1;
                self.ask(Cause::Lost, now);
                return Some("events of the kernel were lost".to_owned());
            }
            Event::Fetched { failure } => return self.hear_fetched(failure, now),
            Event::Pulled { pull, moved } => {
                let news = pull.news(self.report.pull.as_ref());
                self.report.pull = Some(*pull);
                if moved {
                    self.ask(Cause::Revision, now);
                }
                return news;
            }
            Event::Wake(waiter) => {
                self.waiters.push(waiter);
                self.ask(Cause::Wake, now);
            }
            Event::Reload => self.ask(Cause::Reload, now),
            Event::Stop => self.stopping = true,
        }
        None
    }

    fn ask(&mut self, cause: Cause, now: Moment) {
        let (_, causes) = self
            .asked
            .get_or_insert_with(|| (now.steady, BTreeSet::new()));
        causes.insert(cause);
    }

    fn settle(&mut self, cause: Cause, now: Moment) {
        let (_, last) = self
            .settling
            .entry(cause)
            .or_insert((now.steady, now.steady));
        *last = now.steady;
    }

    fn hear_commit(&mut self, commit: Commit, now: Moment) -> Option<String> {
        self.hearing.hears(&commit);
        let Commit {
            generation,
            pid,
            process,
            touches_ours,
            is_whole: _,
        } = commit;
        if let Some(at) = self.own.iter().position(|own| *own == generation) {
            // Events come in order: what is before it was lost.
            self.own.drain(..=at);
            return None;
        }
        self.report.foreign.commits += 1;
        if !touches_ours {
            return None;
        }
        self.report.foreign.touching_ours += 1;
        let who = format!("{process} (pid {pid})");
        if self.seen.is_some_and(|seen| !is_after(generation, seen)) {
            // The step was quicker than the event.
            let last = self.report.drift.last.as_mut();
            match last.filter(|last| last.by.is_empty()) {
                Some(last) => last.by.push(who.clone()),
                None => return None,
            }
        } else {
            if matches!(self.report.state, State::InForce | State::Refused) {
                self.report.state = State::Drifted;
            }
            self.ask(Cause::Kernel, now);
            // A storm is told once a step.
            if self.culprits.contains(&who) || self.culprits.len() == CULPRITS {
                return None;
            }
            self.culprits.push(who.clone());
        }
        Some(format!(
            "{who} has changed table inet rfw (generation {generation})"
        ))
    }

    fn hear_fetched(&mut self, failure: Option<String>, now: Moment) -> Option<String> {
        self.fetch.running = false;
        self.refresh = None;
        self.fetch.failures = match failure {
            None => 0,
            Some(_) => self.fetch.failures.saturating_add(1),
        };
        let since = self.report.lists.as_ref().map(|before| before.since);
        self.report.lists = failure.clone().map(|text| Trouble {
            kind: "lists".to_owned(),
            text,
            since: since.unwrap_or(now.unix),
            failures: self.fetch.failures,
        });
        self.fetch.not_before = self.fetch.failures.checked_sub(1).map(|before| {
            let pause = FETCH_PAUSE.saturating_mul(1 << before.min(10));
            now.steady + jittered(pause.min(FETCH_PAUSE_LONGEST), self.chance)
        });
        // Some may be new, and when the next is due is known only after a look.
        self.ask(Cause::Lists, now);
        failure
    }
}
