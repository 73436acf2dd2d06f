//! The world of the simulation: a clock, policies, a kernel in memory with packets and neighbours of its own, settings, a
//! disk, and all that can go wrong with them.

use std::collections::BTreeMap;
use std::fs;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rfw::apply::{self, ApplyError, Options};
use rfw::bytecode::Program;
use rfw::diagnostic::SourceText;
use rfw::kernel::{CommitError, FakeKernel, Fault, Kernel, ObserveError, Recorded};
use rfw::live::{Generation, Live, Table};
use rfw::plan::{Operation, Plan, plan};
use rfw::reconcile::{
    Applied, Change, Commit, Compared, Depth, Desired, Difference, Event, Failure, FailureKind,
    Moment, Revision, Untouched, World,
};
use rfw::ruleset::{Count, Key};
use rfw::state::{GoodPolicy, digest};
use rfw::system::{self, FileState, Observed, Reading, Setting, Settings, SysctlFile};

use super::commits::Commits;
use crate::notation::program;
use crate::plan::MARK;

/// Policies that follow each other; some need a staging batch. Addresses are 10.0.0.10 and so on. The last one is never
/// signed, and accepts what no other does.
pub(super) const POLICIES: [&str; 5] = [
    "
set ports port: 22 80
set seen ipv4 dynamic timeout=60000 size=9
chain input filter input 0 drop
 a: mark=1 counter accept
 b: @ports counter accept
 m: mark=7 meter@seen drop
 _: drop
",
    "
set blocked ipv4 interval: 167772170-167772179 167772190
set ports port: 22 80
set seen ipv4 dynamic timeout=60000 size=9
chain input filter input 0 drop
 x: @blocked drop
 a: mark=1 counter accept
 b: @ports counter accept
 m: mark=7 meter@seen drop
 _: drop
",
    "
set blocked ipv4 interval: 167772170-167772185 167772190
set ports port: 22 443
set seen ipv4 dynamic timeout=60000 size=9
chain input filter input 0 drop
 a: mark=1 counter accept
 x: @blocked drop
 m: mark=7 meter@seen drop
 b: @ports counter goto:more
 _: drop
chain more
 c: mark=5 accept
 _: drop
",
    "
chain input filter input 0 drop
 a: mark=9 counter accept
 _: drop
chain forward filter forward 0 drop
 f: mark=3 accept
 _: drop
",
    "
chain input filter input 0 drop
 z: mark=66 accept
 _: drop
",
];

/// Which of them nobody has signed.
pub(super) const UNSIGNED: usize = 4;

/// What each of them wants of the box.
const SETTINGS: [&[(&str, u32)]; 5] = [
    &[("net.ipv4.ip_forward", 1)],
    &[
        ("net.ipv4.ip_forward", 1),
        ("net.netfilter.nf_conntrack_max", 65_536),
    ],
    &[],
    &[("net.ipv4.ip_forward", 0)],
    &[("net.netfilter.nf_conntrack_tcp_loose", 0)],
];

/// What nobody wants to be changed, and nobody of us may.
pub(super) const NOT_OURS: [&str; 3] = [
    "net.ipv6.conf.all.forwarding",
    "net.netfilter.nf_conntrack_tcp_loose",
    "net.ipv4.neigh.default.gc_thresh3",
];

/// A generator of numbers (splitmix64).
pub(super) struct Chance(u64);

impl Chance {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

/// The process dies here.
pub(super) struct Crash;

/// What the source says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// A policy that may be applied.
    Good(usize),
    /// One with errors.
    Invalid,
    /// A right one that may not be applied.
    Unsigned,
}

impl Source {
    pub(super) fn good(self) -> Option<usize> {
        match self {
            Self::Good(policy) => Some(policy),
            Self::Invalid | Self::Unsigned => None,
        }
    }
}

pub(super) struct Simulated {
    pub(super) moment: Moment,
    pub(super) chance: Chance,
    pub(super) kernel: FakeKernel,
    pub(super) source: Source,
    /// What is on the disk: policy and generation that were verified.
    pub(super) remembered: Option<(usize, u32)>,
    /// The state directory, for what is more than a shortcut.
    pub(super) disk: PathBuf,
    /// Settings of the box.
    pub(super) settings: BTreeMap<String, u32>,
    pub(super) faulty: bool,
    /// How often each fault was injected.
    pub(super) fired: BTreeMap<&'static str, u64>,
    /// Events on their way, and when they arrive.
    pub(super) events: Vec<(Duration, Event)>,
    /// Whether somebody else has changed the table during the step.
    pub(super) disturbed: bool,
    /// The table after each commit of the step.
    pub(super) tables: Vec<Option<Table>>,
    /// What all of them have touched.
    commits: Commits,
}

impl Drop for Simulated {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.disk);
    }
}

impl Simulated {
    pub(super) fn new(seed: u64) -> Self {
        // What is written there is synchronised; memory is quicker at that.
        let memory = Path::new("/dev/shm");
        let root = match memory.is_dir() {
            true => memory,
            false => Path::new(env!("CARGO_TARGET_TMPDIR")),
        };
        let name = fs::read_to_string("/proc/sys/kernel/random/uuid").unwrap();
        let named = SETTINGS.iter().copied().flatten().map(|(key, _)| *key);
        Self {
            moment: Moment {
                steady: Duration::ZERO,
                unix: 1_795_500_000,
            },
            chance: Chance(seed),
            kernel: FakeKernel::new(),
            source: Source::Good(0),
            remembered: None,
            disk: root.join(format!("rfw-{}", name.trim())),
            settings: named
                .chain(NOT_OURS)
                .map(|key| (key.to_owned(), 7))
                .collect(),
            faulty: true,
            fired: BTreeMap::new(),
            events: Vec::new(),
            disturbed: false,
            commits: Commits::default(),
            tables: Vec::new(),
        }
    }

    pub(super) fn pass(&mut self, span: Duration) {
        let before = self.moment.steady.as_secs();
        self.moment.steady += span;
        self.moment.unix += i64::try_from(self.moment.steady.as_secs() - before).unwrap();
    }

    /// Whether this goes wrong now, one time in so many.
    fn fails(&mut self, what: &'static str, one_in: u64) -> bool {
        let fails = self.faulty && self.chance.one_in(one_in);
        *self.fired.entry(what).or_default() += u64::from(fails);
        fails
    }

    /// An event sets out; it may be late, doubled or lost.
    pub(super) fn send(&mut self, event: &Event) {
        if self.fails("lost event", 6) {
            return;
        }
        let times = if self.fails("doubled event", 8) { 2 } else { 1 };
        for _ in 0..times {
            let late = Duration::from_millis(self.chance.below(40));
            self.events.push((self.moment.steady + late, event.clone()));
        }
    }

    pub(super) fn announce(&mut self, process: &str, touches_ours: bool) {
        let generation = self.kernel.generation().unwrap().0;
        self.send(&Event::Commit(Commit {
            generation,
            pid: 4711,
            process: process.to_owned(),
            touches_ours,
            is_whole: true,
        }));
    }

    /// Somebody else changes our table.
    pub(super) fn foreign_edit(&mut self) {
        *self.fired.entry("foreign edit").or_default() += 1;
        let which = self.chance.below(4);
        self.kernel.tamper(|table| tamper(table, which));
        self.commits.touch(self.kernel.generation().unwrap().0);
        self.announce("nft", true);
    }

    /// The loop says what it has heard of others.
    fn hold_against(&mut self, untouched: Option<Untouched>) {
        let says_something = self.commits.hold_against(untouched);
        *self.fired.entry("untouched by others").or_default() += u64::from(says_something);
    }

    /// Somebody else changes a setting of ours, which nobody tells.
    pub(super) fn foreign_setting(&mut self) {
        *self.fired.entry("foreign setting").or_default() += 1;
        self.settings.insert("net.ipv4.ip_forward".to_owned(), 5);
    }

    /// Packets pass, and the kernel counts them and remembers who they came from.
    pub(super) fn packets(&mut self) {
        let by = Count {
            packets: 1,
            bytes: 60,
        };
        for rule in ["a", "b"] {
            self.kernel.count(rule, by);
        }
        let last = u8::try_from(self.chance.below(200)).unwrap();
        self.kernel.learn("seen", &Key::exact([10, 0, 1, last]));
    }

    /// What happens to the next commits of ours.
    fn arm(&mut self) {
        let commits = 1 + self.chance.below(2);
        let mut faults = Vec::new();
        for _ in 0..commits {
            let fault = if self.fails("refusal", 12) {
                Fault::Refuse {
                    operation: 0,
                    errno: 16,
                }
            } else if self.fails("answer lost after the commit", 12) {
                Fault::LostAfter
            } else if self.fails("answer lost before the commit", 12) {
                Fault::LostBefore
            } else if self.fails("stale generation", 8) {
                Fault::Interfere(Box::new(FakeKernel::move_on))
            } else if self.fails("edit at the last moment", 12) {
                self.disturbed = true;
                Fault::Interfere(Box::new(|kernel| kernel.tamper(|table| tamper(table, 1))))
            } else if self.fails("crash before a commit", 20) {
                Fault::Interfere(Box::new(|_| resume_unwind(Box::new(Crash))))
            } else {
                Fault::None
            };
            faults.push(fault);
        }
        self.kernel.expect(faults);
    }

    fn crash_if(&mut self, what: &'static str) {
        if self.fails(what, 25) {
            resume_unwind(Box::new(Crash));
        }
    }

    /// The copy of the policy that was in force last. It is whole or not there, whatever has happened.
    pub(super) fn good(&self) -> Option<usize> {
        let good = GoodPolicy::load(&self.disk).expect("what was good always loads");
        let (_, sources) = good?;
        let text = &sources[0].text;
        let policy = POLICIES.iter().position(|own| own.as_bytes() == &**text);
        Some(policy.expect("one of ours"))
    }

    /// Keeps a copy of what is in force. Without room there is none, rather than an older one.
    fn keep(&mut self, policy: usize) {
        let sources = [SourceText {
            name: "policy".to_owned(),
            text: POLICIES[policy].into(),
        }];
        let good = GoodPolicy {
            policy: digest(&sources),
            commit: None,
            reference: None,
            node: None,
            at: 0,
            documents: 1,
            lists: Vec::new(),
        };
        if GoodPolicy::known(&self.disk).as_ref() == Some(&good) {
            return;
        }
        let beside = self.disk.join(".good.new");
        if self.fails("copy not written", 6) {
            let _ = fs::remove_file(&beside);
            fs::create_dir_all(&beside).unwrap();
            good.store(&sources, &self.disk).unwrap_err();
            fs::remove_dir(&beside).unwrap();
            GoodPolicy::forget(&self.disk).unwrap();
            return;
        }
        if self.fails("crash in writing the copy", 12) {
            fs::create_dir_all(&self.disk).unwrap();
            fs::write(&beside, "rfw policy 1\n{\"go").unwrap();
            resume_unwind(Box::new(Crash));
        }
        good.store(&sources, &self.disk).unwrap();
        self.crash_if("crash after the copy");
    }

    /// What differs of the settings, by rfw's own comparison.
    fn unset(&self, policy: usize) -> system::Difference {
        let setting = |(key, value): &(&str, u32)| Setting {
            key: key.parse().unwrap(),
            value: *value,
            origin: String::new(),
        };
        let wanted = Settings::new(SETTINGS[policy].iter().map(setting).collect());
        let readings = self.settings.iter().map(|(key, value)| {
            let reading = Reading::Value {
                text: value.to_string(),
                writable: true,
            };
            (key.parse().unwrap(), reading)
        });
        let observed = Observed {
            ipv6: true,
            readings: readings.collect(),
            file: SysctlFile {
                path: String::new(),
                state: FileState::NotHere("it is another machine's".to_owned()),
            },
        };
        system::difference(&wanted, &observed)
    }

    fn compare_policy(
        &mut self,
        policy: usize,
        depth: Depth,
        is_kept: bool,
    ) -> Result<Compared<Found>, Failure> {
        let compared = |generation, difference| Compared {
            desired: desired(policy),
            generation,
            refresh: None,
            warnings: String::new(),
            difference,
        };
        let generation = self.kernel.generation().unwrap().0;
        let settings = self.unset(policy);
        let is_known = self.remembered == Some((policy, generation));
        if depth == Depth::Quick && is_known && settings.changes.is_empty() {
            return Ok(compared(generation, None));
        }
        if self.fails("unreadable dump", 12) {
            return Err(failure(FailureKind::World, Some(policy), Vec::new()));
        }
        let live = self.kernel.observe().unwrap();
        let program = program(POLICIES[policy]);
        let plan = plan(&live, &program, MARK);
        if plan.is_empty() && settings.changes.is_empty() {
            self.remembered = Some((policy, generation));
            if !is_kept {
                self.keep(policy);
            }
            return Ok(compared(generation, None));
        }
        let operations = plan.staging.iter().chain(&plan.commit);
        let change = Change {
            operations: plan.len() as u64,
            settings: settings.changes.len() as u64,
            first: operations.take(1).map(ToString::to_string).collect(),
            ..Change::default()
        };
        let found = Found {
            policy,
            is_kept,
            program,
            plan,
        };
        Ok(compared(generation, Some(Difference { found, change })))
    }

    /// Sets what is not as it should be; one of them may be refused.
    fn set(&mut self, policy: usize) -> Result<(), ()> {
        let difference = self.unset(policy);
        let changes = difference.before_rules().chain(difference.after_rules());
        let changes: Vec<_> = changes
            .map(|one| (one.key.to_string(), one.value))
            .collect();
        for (key, value) in changes {
            if self.fails("setting refused", 10) {
                return Err(());
            }
            self.settings.insert(key, value);
        }
        Ok(())
    }
}

fn tamper(table: &mut Table, which: u64) {
    let Some(chain) = table
        .chains
        .iter_mut()
        .find(|chain| !chain.rules.is_empty())
    else {
        return;
    };
    match which {
        0 => chain.rules.clear(),
        1 => chain.rules.reverse(),
        2 => _ = chain.rules.remove(0),
        _ => {
            chain.rules[0].instructions.truncate(1);
        }
    }
}

pub(super) fn desired(policy: usize) -> Desired {
    Desired {
        commit: None,
        policy: policy.to_string(),
        lists: None,
        until: None,
    }
}

fn failure(kind: FailureKind, policy: Option<usize>, own: Vec<u32>) -> Failure {
    let attempted = policy.map(|policy| Revision {
        commit: None,
        policy: Some(policy.to_string()),
    });
    Failure {
        kind,
        text: format!("{kind:?}"),
        attempted: attempted.map(Box::new),
        own,
    }
}

pub(super) struct Found {
    policy: usize,
    is_kept: bool,
    program: Program,
    plan: Plan,
}

/// A kernel whose table is looked at after each commit.
struct Watched<'w> {
    kernel: &'w mut FakeKernel,
    tables: &'w mut Vec<Option<Table>>,
}

impl Kernel for Watched<'_> {
    fn generation(&mut self) -> Result<Generation, ObserveError> {
        self.kernel.generation()
    }

    fn observe(&mut self) -> Result<Live, ObserveError> {
        self.kernel.observe()
    }

    fn check(&mut self, operations: &[Operation]) -> Result<(), CommitError> {
        self.kernel.check(operations)
    }

    fn commit(
        &mut self,
        base: Generation,
        operations: &[Operation],
    ) -> Result<Generation, CommitError> {
        let result = self.kernel.commit(base, operations);
        self.tables.push(self.kernel.table().cloned());
        result
    }
}

impl World for Simulated {
    type Found = Found;

    fn now(&mut self) -> Moment {
        self.moment
    }

    fn compare(
        &mut self,
        depth: Depth,
        untouched: Option<Untouched>,
    ) -> Result<Compared<Found>, Failure> {
        self.hold_against(untouched);
        let cost = Duration::from_millis(1 + self.chance.below(5));
        self.pass(cost);
        if self.fails("another rfw at work", 15) {
            return Err(failure(FailureKind::Busy, None, Vec::new()));
        }
        if self.fails("unreadable source", 12) {
            return Err(failure(FailureKind::Source, None, Vec::new()));
        }
        match self.source {
            Source::Invalid => Err(failure(FailureKind::Rejected, None, Vec::new())),
            Source::Unsigned => Err(failure(FailureKind::Guard, Some(UNSIGNED), Vec::new())),
            Source::Good(policy) => self.compare_policy(policy, depth, false),
        }
    }

    fn compare_kept(
        &mut self,
        depth: Depth,
        untouched: Option<Untouched>,
    ) -> Result<Option<Compared<Found>>, Failure> {
        self.hold_against(untouched);
        if self.fails("another rfw at work", 15) {
            return Err(failure(FailureKind::Busy, None, Vec::new()));
        }
        let Some(policy) = self.good() else {
            return Ok(None);
        };
        self.compare_policy(policy, depth, true).map(Some)
    }

    fn apply(&mut self, found: Found) -> Result<Applied, Failure> {
        let Found {
            policy,
            is_kept,
            program,
            plan,
        } = found;
        self.remembered = None;
        self.crash_if("crash before the commits");
        self.arm();
        let before = self.kernel.generation().unwrap().0;
        let mut wait = |_| ();
        let options = Options {
            attempts: 3,
            wait: &mut wait,
            recheck: false,
        };
        let mut watched = Watched {
            kernel: &mut self.kernel,
            tables: &mut self.tables,
        };
        let mut kernel = Recorded::new(&mut watched);
        let result = apply::apply(&mut kernel, &program, &plan, options);
        let own: Vec<u32> = kernel.made().iter().map(|made| made.0).collect();
        self.kernel.expect_nothing();
        let now = self.kernel.generation().unwrap().0;
        for generation in before + 1..=now {
            self.commits.touch(generation);
            let process = if own.contains(&generation) {
                "rfw"
            } else {
                "nft"
            };
            self.send(&Event::Commit(Commit {
                generation,
                pid: 1,
                process: process.to_owned(),
                touches_ours: true,
                is_whole: true,
            }));
        }
        let cost = Duration::from_millis(2 + self.chance.below(20));
        self.pass(cost);
        self.crash_if("crash after the commits");
        match result {
            Ok(outcome) => {
                if self.set(policy).is_err() {
                    return Err(failure(FailureKind::World, Some(policy), own));
                }
                let generation = outcome.live.map_or(outcome.after, |live| live.generation).0;
                if !self.fails("state not written", 6) {
                    self.remembered = Some((policy, generation));
                }
                if !is_kept {
                    self.keep(policy);
                }
                Ok(Applied {
                    generation,
                    own,
                    refresh: None,
                })
            }
            Err(error) => {
                let kind = match error {
                    ApplyError::Changed { .. } | ApplyError::Unsteady { .. } => FailureKind::Stale,
                    _ => FailureKind::World,
                };
                Err(failure(kind, Some(policy), own))
            }
        }
    }
}
