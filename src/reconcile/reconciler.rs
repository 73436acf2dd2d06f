//! The state machine: its memory, and a step.
//!
//! What it hears of is in `hear`, when it is time in `due`, what a step does to the kernel in `bring`, and what is told of it
//! in `outcome`.

mod bring;
mod due;
mod hear;
mod outcome;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::event::Cause;
use super::heard::{Hearing, Untouched};
use super::limit::Limit;
use super::report::{DriftMode, Next, Report, State};
use super::step::{Ending, Stepped};
use super::world::{Depth, Desired, Failure, Moment, World};

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
}
