//! What a step leaves behind: the report, and when to look again.

use std::time::Duration;

use super::super::backoff::{jittered, pause};
use super::super::event::Cause;
use super::super::report::{Next, Revision, State, Trouble};
use super::super::step::{Ending, Refused};
use super::super::world::{Depth, Failure, FailureKind, Moment};
use super::{Looked, Reconciler, Taken};

/// Looking takes at most this part of the time.
const COST: u32 = 1000;
/// How often another rfw is asked whether it is done, and how long before that is a failure.
const BUSY_PAUSE: Duration = Duration::from_millis(100);
const BUSY_LONGEST: Duration = Duration::from_secs(10);
/// So much of a failure's text is kept.
const TEXT: usize = 16 * 1024;

impl Reconciler {
    pub(super) fn count(
        &mut self,
        taken: &Taken,
        result: &Result<Looked, Failure>,
        took: Duration,
    ) {
        let steps = &mut self.report.steps;
        steps.total += 1;
        steps.full += u64::from(taken.depth == Depth::Full);
        for cause in &taken.causes {
            *steps.causes.entry(*cause).or_default() += 1;
        }
        let ending = result.as_ref().map(|looked| &looked.ending);
        if matches!(ending, Ok(Ending::Applied { .. })) {
            steps.changed += 1;
        }
        self.report.step.note(took);
    }

    /// The kernel is as it should be, or its drift is only reported; `refused`: as it should be by what was kept.
    pub(super) fn succeeded(
        &mut self,
        taken: &Taken,
        ending: &Ending,
        refused: Option<Failure>,
        now: Moment,
    ) -> Option<Refused> {
        self.busy_since = None;
        self.culprits.clear();
        if let Ending::Applied { change, .. } = ending {
            self.report.last_change = Some(change.clone());
            let reaction = now.steady.saturating_sub(taken.first);
            self.report.reaction.note(reaction);
        }
        let Some(Failure {
            kind,
            text,
            attempted,
            own: _,
        }) = refused
        else {
            self.failures = 0;
            self.report.trouble = None;
            self.report.state = match ending {
                Ending::DriftLeft { .. } => State::Drifted,
                _ => State::InForce,
            };
            return None;
        };
        self.attempt(attempted);
        let text = self.trouble(kind, text, now);
        self.report.state = State::Refused;
        Some(Refused { kind, text })
    }

    pub(super) fn failed(&mut self, failure: Failure, now: Moment) -> Ending {
        let Failure {
            mut kind,
            mut text,
            attempted,
            own,
        } = failure;
        self.keep_own(&own);
        self.attempt(attempted);
        if kind == FailureKind::Busy {
            let since = *self.busy_since.get_or_insert(now.steady);
            if now.steady < since + BUSY_LONGEST {
                self.retry = Some(now.steady + jittered(BUSY_PAUSE, self.chance));
                return Ending::Busy;
            }
            kind = FailureKind::World;
        }
        self.busy_since = None;
        if kind == FailureKind::Stale && !self.culprits.is_empty() {
            text.push_str("\n  meanwhile it was changed by ");
            text.push_str(&self.culprits.join(", "));
        }
        self.culprits.clear();
        let text = self.trouble(kind, text, now);
        self.report.state = State::Degraded;
        Ending::Failed { kind, text }
    }

    fn attempt(&mut self, attempted: Option<Box<Revision>>) {
        if let Some(attempted) = attempted {
            self.report.attempted = Some(*attempted);
        }
    }

    /// Takes note of what fails, and when it is tried again. Returns what is kept of its text.
    fn trouble(&mut self, kind: FailureKind, mut text: String, now: Moment) -> String {
        self.failures = self.failures.saturating_add(1);
        self.report.steps.failed += 1;
        self.retry = Some(now.steady + pause(self.failures, self.chance));
        truncate(&mut text);
        let since = self.report.trouble.as_ref().map(|before| before.since);
        self.report.trouble = Some(Trouble {
            kind: kind.name().to_owned(),
            text: text.clone(),
            since: since.unwrap_or(now.unix),
            failures: self.failures,
        });
        text
    }

    /// When to look again without a reason, and what is told of it.
    pub(super) fn plan_ahead(&mut self, taken: &Taken, took: Duration, now: Moment) {
        let cost = took.saturating_mul(COST);
        self.poll = now.steady + self.rhythm.poll.max(cost);
        if taken.depth == Depth::Full || taken.causes.contains(&Cause::Kernel) {
            let verify = jittered(self.rhythm.verify.saturating_mul(4) / 3, self.chance);
            self.verify = now.steady + verify.max(cost);
        }
        let unix = |at: Duration| {
            let ahead = at.saturating_sub(now.steady).as_secs();
            now.unix.saturating_add_unsigned(ahead)
        };
        self.report.written = now.unix;
        self.report.next = Next {
            switch: self.boundary,
            refresh: self.fetch_due(now).map(unix),
            retry: self.retry.map(unix),
            verify: Some(unix(self.verify)),
        };
    }
}

fn truncate(text: &mut String) {
    if TEXT < text.len() {
        let end = (0..=TEXT).rev().find(|at| text.is_char_boundary(*at));
        text.truncate(end.unwrap_or_default());
        text.push_str("\n(and more)");
    }
}
