//! The state machine.

mod outcome;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::backoff::jittered;
use super::event::{Cause, Commit, Event};
use super::heard::{Hearing, Untouched, is_after};
use super::limit::Limit;
use super::report::{Change, DriftMode, LastDrift, Next, Report, State, Trouble};
use super::step::{Ending, Stepped, Todo};
use super::world::{Applied, Compared, Depth, Desired, Difference, Failure, Moment, World};

/// How often to look without a reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rhythm {
    /// How long files and interfaces must have been quiet.
    pub settle: Duration,
    /// The longest that they are waited for.
    pub settle_longest: Duration,
    /// Between two quick looks at the source and the settings of the box.
    pub poll: Duration,
    /// Between two readings of everything, more or less by a third. Both are stretched so that looking costs at most a
    /// thousandth of the time.
    pub verify: Duration,
}

impl Default for Rhythm {
    fn default() -> Self {
        Self {
            settle: Duration::from_millis(250),
            settle_longest: Duration::from_secs(2),
            poll: Duration::from_secs(30),
            verify: Duration::from_secs(60),
        }
    }
}

/// The longest wait, so that a clock that jumps is noticed.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// After a list could not be fetched; doubled each time, up to an hour.
const FETCH_PAUSE: Duration = Duration::from_secs(60);
const FETCH_PAUSE_LONGEST: Duration = Duration::from_secs(3600);
/// So many names of those who changed the table are kept.
const CULPRITS: usize = 8;

/// The loop's memory. None of it is needed to be right; it says when to look, and what to tell.
#[derive(Debug)]
pub struct Reconciler {
    rhythm: Rhythm,
    report: Report,
    /// Reasons to look without waiting, and when the first was heard of.
    asked: Option<(Duration, BTreeSet<Cause>)>,
    /// What is waited for to become quiet: since when, and when it was heard of last.
    settling: BTreeMap<Cause, (Duration, Duration)>,
    retry: Option<Duration>,
    poll: Duration,
    verify: Duration,
    boundary: Option<i64>,
    refresh: Option<i64>,
    fetch: Fetch,
    /// What was last seen to be in force.
    in_force: Option<Desired>,
    /// The generation up to which commits have been looked at.
    seen: Option<u32>,
    /// What is known of the commits of others because they were heard.
    hearing: Hearing,
    /// Generations of our own commits whose events are still to come.
    own: VecDeque<u32>,
    culprits: Vec<String>,
    waiters: Vec<u64>,
    limit: Limit,
    busy_since: Option<Duration>,
    failures: u32,
    chance: u64,
    stopping: bool,
}

#[derive(Debug, Default)]
struct Fetch {
    running: bool,
    failures: u32,
    not_before: Option<Duration>,
}

/// What a step is made for.
struct Taken {
    first: Duration,
    depth: Depth,
    causes: BTreeSet<Cause>,
    waiters: Vec<u64>,
}

/// What came of a look.
struct Looked {
    ending: Ending,
    /// Why it was not at what the source says.
    refused: Option<Failure>,
}

impl Reconciler {
    /// A loop whose first step is due at once. `in_force`: what the process before this one saw to be in force.
    pub fn new(
        rhythm: Rhythm,
        mode: DriftMode,
        pid: u32,
        in_force: Option<Desired>,
        now: Moment,
    ) -> Self {
        Self {
            rhythm,
            report: Report::first(mode, pid, now.unix),
            asked: Some((now.steady, [Cause::Start].into())),
            settling: BTreeMap::new(),
            retry: None,
            poll: now.steady + rhythm.poll,
            verify: now.steady + rhythm.verify,
            boundary: None,
            refresh: None,
            fetch: Fetch::default(),
            in_force,
            seen: None,
            hearing: Hearing::default(),
            own: VecDeque::new(),
            culprits: Vec::new(),
            waiters: Vec::new(),
            limit: Limit::default(),
            busy_since: None,
            failures: 0,
            chance: 0,
            stopping: false,
        }
    }

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

    /// Lists are being fetched.
    pub fn fetching(&mut self) {
        self.fetch.running = true;
    }

    /// Who waits for the next step.
    pub fn waiters(&self) -> &[u64] {
        &self.waiters
    }

    /// Looks, and does what is to be done. `chance`: any number, another each time.
    pub fn step<W: World>(&mut self, world: &mut W, chance: u64) -> Stepped {
        let began = world.now();
        self.chance = chance;
        let taken = self.take(began);
        let result = self.look(world, &taken);
        let ended = world.now();
        let took = ended.steady.saturating_sub(began.steady);
        self.count(&taken, &result, took);
        let (ending, refused) = match result {
            Ok(Looked { ending, refused }) => {
                let refused = self.succeeded(&taken, &ending, refused, ended);
                (ending, refused)
            }
            Err(failure) => (self.failed(failure, ended), None),
        };
        self.plan_ahead(&taken, took, ended);
        let waiters = match ending {
            Ending::Busy => {
                self.waiters = taken.waiters;
                Vec::new()
            }
            _ => taken.waiters,
        };
        Stepped {
            ending,
            refused,
            causes: taken.causes,
            waiters,
        }
    }

    /// Since when rfw's table is known not to have been touched.
    pub fn untouched(&self) -> Option<Untouched> {
        self.hearing.known()
    }

    /// How things stand after the last step.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// The end: the rules stay.
    pub fn stopped(&mut self, now: Moment) {
        self.report.state = State::Stopped;
        self.report.written = now.unix;
        self.report.next = Next::default();
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

    fn fetch_due(&self, now: Moment) -> Option<Duration> {
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
    fn take(&mut self, now: Moment) -> Taken {
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

    fn look<W: World>(&mut self, world: &mut W, taken: &Taken) -> Result<Looked, Failure> {
        let untouched = self.hearing.known();
        match world.compare(taken.depth, untouched) {
            Ok(compared) => {
                self.report.attempted = Some(compared.desired.revision());
                let ending = self.bring(world, compared)?;
                let refused = None;
                Ok(Looked { ending, refused })
            }
            Err(refused) if refused.kind.is_of_source() => {
                // What is in force is looked after all the same.
                let kept = world.compare_kept(taken.depth, untouched);
                let kept = kept.map_err(|failure| refused.clone().and(failure))?;
                let Some(compared) = kept else {
                    return Err(refused);
                };
                let ending = self.bring(world, compared);
                let ending = ending.map_err(|failure| refused.clone().and(failure))?;
                let refused = Some(refused);
                Ok(Looked { ending, refused })
            }
            Err(failure) => Err(failure),
        }
    }

    /// Brings the kernel to what is desired, unless that is drift that is only reported.
    fn bring<W: World>(
        &mut self,
        world: &mut W,
        compared: Compared<W::Found>,
    ) -> Result<Ending, Failure> {
        let now = world.now();
        let Compared {
            desired,
            generation,
            refresh,
            warnings,
            difference,
        } = compared;
        self.looked_at(generation);
        self.refresh = refresh;
        if refresh.is_none() {
            // There is none to be fetched any more.
            self.report.lists = None;
        }
        self.report.warnings = warnings;
        let Some(Difference { found, change }) = difference else {
            self.in_force(desired, generation, now);
            return Ok(Ending::Unchanged);
        };
        let change = Change {
            at: now.unix,
            ..change
        };
        let before = self.in_force.as_ref();
        let was_drift = before.is_some_and(|before| before.wants_the_same(&desired, now.unix));
        let by = self.culprits.clone();
        if was_drift {
            let known = self.note_drift(&change, &by, now);
            if self.report.drift.mode == DriftMode::Report {
                return Ok(Ending::DriftLeft { change, by, known });
            }
        }
        let applied = world.apply(found).inspect_err(|_| {
            // What is in force now is for the next look to say, and what was committed is not known.
            self.in_force = None;
            self.hearing.loses();
        })?;
        let Applied {
            generation,
            own,
            refresh,
        } = applied;
        self.keep_own(&own);
        self.refresh = refresh.or(self.refresh);
        self.in_force(desired, generation, world.now());
        if was_drift {
            self.report.drift.repaired += 1;
            if let Some(last) = &mut self.report.drift.last {
                last.repaired = true;
            }
        }
        Ok(Ending::Applied {
            change,
            was_drift,
            by,
        })
    }

    /// Counts drift, unless it is what is there already; returns whether it is.
    fn note_drift(&mut self, change: &Change, by: &[String], now: Moment) -> bool {
        let drift = &mut self.report.drift;
        let is_known = drift.present
            && drift.last.as_ref().is_some_and(|last| {
                last.change.operations == change.operations && last.change.first == change.first
            });
        drift.present = true;
        if !is_known {
            drift.seen += 1;
            drift.last = Some(LastDrift {
                at: now.unix,
                by: by.to_vec(),
                change: change.clone(),
                repaired: false,
            });
        }
        is_known
    }

    fn in_force(&mut self, desired: Desired, generation: u32, now: Moment) {
        let report = &mut self.report;
        report.applied = Some(desired.revision());
        report.generation = Some(generation);
        report.verified = Some(now.unix);
        report.drift.present = false;
        self.boundary = desired.until.filter(|until| now.unix < *until);
        self.looked_at(generation);
        self.in_force = Some(desired);
    }

    /// The kernel was read at this generation. Whoever reads is listening already.
    fn looked_at(&mut self, generation: u32) {
        self.seen = Some(generation);
        self.hearing.begins(generation);
    }

    fn keep_own(&mut self, own: &[u32]) {
        self.own.extend(own);
        // Their events may have been lost.
        while self.own.len() > 64 {
            self.own.pop_front();
        }
    }
}

/// When the wall clock will show this, by the steady one.
fn at(unix: i64, now: Moment) -> Duration {
    let ahead = u64::try_from(unix.saturating_sub(now.unix)).unwrap_or_default();
    now.steady.saturating_add(Duration::from_secs(ahead))
}
