//! When it is time for what.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Reconciler, Taken};
use crate::reconcile::event::Cause;
use crate::reconcile::report::State;
use crate::reconcile::step::Todo;
use crate::reconcile::world::{Depth, Moment};

/// The longest wait, so that a clock that jumps is noticed.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

impl Reconciler {
    /// What is to be done now.
    pub fn todo(&self, now: Moment) -> Todo {
        if self.stopping {
            return Todo::Stop;
        }
        let fetch = self.fetch_due(now);
        if fetch.is_some_and(|at| at <= now.steady) {
            return Todo::Fetch;
        }
        let due = self.due(now);
        if due <= now.steady {
            return Todo::Step;
        }
        let wake = fetch.map_or(due, |fetch| fetch.min(due));
        Todo::Wait((wake - now.steady).min(LONGEST_WAIT))
    }

    pub(super) fn fetch_due(&self, now: Moment) -> Option<Duration> {
        if self.fetch.running {
            return None;
        }
        let due = at(self.refresh?, now);
        Some(self.fetch.not_before.map_or(due, |not| not.max(due)))
    }

    /// When the next step is due; never later than the next verification.
    fn due(&self, now: Moment) -> Duration {
        let asked = self.asked.as_ref().map(|(_, causes)| {
            if causes.iter().all(|cause| cause.is_of_others()) {
                self.limit.earliest(now.steady)
            } else {
                now.steady
            }
        });
        let settled = self.settling.values().map(|span| self.settled(*span));
        let boundary = self.boundary.map(|unix| at(unix, now));
        [self.poll, self.verify]
            .into_iter()
            .chain(asked)
            .chain(settled)
            .chain(boundary)
            .chain(self.retry)
            .min()
            .unwrap_or(now.steady)
    }

    fn settled(&self, (first, last): (Duration, Duration)) -> Duration {
        (last + self.rhythm.settle).min(first + self.rhythm.settle_longest)
    }

    /// Everything that a look answers. Files that are still being written are looked at again later.
    pub(super) fn take(&mut self, now: Moment) -> Taken {
        let (mut first, mut causes) = self.asked.take().unwrap_or((now.steady, BTreeSet::new()));
        let settled: Vec<Cause> = self
            .settling
            .iter()
            .filter(|(_, span)| self.settled(**span) <= now.steady)
            .map(|(cause, _)| *cause)
            .collect();
        for cause in settled {
            if let Some((since, _)) = self.settling.remove(&cause) {
                first = first.min(since);
            }
            causes.insert(cause);
        }
        if self.retry.take().is_some() {
            causes.insert(Cause::Retry);
        }
        if self.poll <= now.steady {
            causes.insert(Cause::Poll);
        }
        if self.verify <= now.steady {
            causes.insert(Cause::Verify);
        }
        if self.boundary.is_some_and(|unix| unix <= now.unix) {
            self.boundary = None;
            causes.insert(Cause::Boundary);
        }
        if causes.iter().any(|cause| cause.is_of_others()) {
            self.limit.note(now.steady, self.chance);
        }
        // What is refused says nothing against the kernel.
        let is_refused = self.report.state == State::Refused;
        let depth = causes.iter().map(|cause| match cause {
            Cause::Retry if is_refused => Depth::Quick,
            cause => cause.depth(),
        });
        let depth = depth.max();
        Taken {
            first,
            depth: depth.unwrap_or(Depth::Quick),
            causes,
            waiters: std::mem::take(&mut self.waiters),
        }
    }
}

/// When the wall clock will show this, by the steady one.
fn at(unix: i64, now: Moment) -> Duration {
    let ahead = u64::try_from(unix.saturating_sub(now.unix)).unwrap_or_default();
    now.steady.saturating_add(Duration::from_secs(ahead))
}
