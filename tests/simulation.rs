//! The loop in a world of its own: a clock, a policy, a kernel in memory, and faults, all from one seed. What fails
//! prints its seed; `RFW_SEED=N cargo test --test main simulation` runs that one again.
//!
//! After each step, and after each crash, what must always hold is asked: the kernel holds the old rules or the new ones,
//! what is remembered and reported is true, and there is no step without a reason.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

use rfw::apply::{self, ApplyError, Options};
use rfw::bytecode::{Instruction, Program};
use rfw::kernel::{FakeKernel, Fault, Kernel, Recorded};
use rfw::live::{Live, Table};
use rfw::plan::{Plan, plan};
use rfw::reconcile::{
    Applied, Attempt, Change, Commit, Compared, Depth, Desired, Difference, DriftMode, Ending,
    Event, Failure, FailureKind, Moment, Pulls, Reconciler, Revision, Rhythm, State, Todo, World,
};

use super::notation::program;
use super::plan::MARK;

/// Policies that follow each other; some need a staging batch.
const POLICIES: [&str; 4] = [
    "
set ports port: 22 80
chain input filter input 0 drop
 a: mark=1 counter accept
 b: @ports counter accept
 _: drop
",
    "
set blocked ipv4 interval: 10-19 30
set ports port: 22 80
chain input filter input 0 drop
 x: @blocked drop
 a: mark=1 counter accept
 b: @ports counter accept
 _: drop
",
    "
set blocked ipv4 interval: 10-25 30
set ports port: 22 443
chain input filter input 0 drop
 a: mark=1 counter accept
 x: @blocked drop
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
];

/// A generator of numbers (splitmix64).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

/// The process dies here.
struct Crash;

struct Simulated {
    moment: Moment,
    chance: Chance,
    kernel: FakeKernel,
    /// Which policy the source says; `None`: one with errors.
    source: Option<usize>,
    /// What is on the disk: policy and generation that were verified.
    remembered: Option<(usize, u32)>,
    /// The copy on the disk of the policy that was in force last.
    good: Option<usize>,
    faulty: bool,
    /// How often each fault was injected.
    fired: BTreeMap<&'static str, u64>,
    /// Events on their way, and when they arrive.
    events: Vec<(Duration, Event)>,
    /// Whether somebody else has changed the table during the step.
    disturbed: bool,
}

impl Simulated {
    fn new(seed: u64) -> Self {
        Self {
            moment: Moment {
                steady: Duration::ZERO,
                unix: 1_795_500_000,
            },
            chance: Chance(seed),
            kernel: FakeKernel::new(),
            source: Some(0),
            remembered: None,
            good: None,
            faulty: true,
            fired: BTreeMap::new(),
            events: Vec::new(),
            disturbed: false,
        }
    }

    fn pass(&mut self, span: Duration) {
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
    fn send(&mut self, event: &Event) {
        if self.fails("lost event", 6) {
            return;
        }
        let times = if self.fails("doubled event", 8) { 2 } else { 1 };
        for _ in 0..times {
            let late = Duration::from_millis(self.chance.below(40));
            self.events.push((self.moment.steady + late, event.clone()));
        }
    }

    fn announce(&mut self, process: &str, touches_ours: bool) {
        let generation = self.kernel.generation().unwrap().0;
        self.send(&Event::Commit(Commit {
            generation,
            pid: 4711,
            process: process.to_owned(),
            touches_ours,
        }));
    }

    /// Somebody else changes our table.
    fn foreign_edit(&mut self) {
        *self.fired.entry("foreign edit").or_default() += 1;
        let which = self.chance.below(4);
        self.kernel.tamper(|table| tamper(table, which));
        self.announce("nft", true);
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

fn desired(policy: usize) -> Desired {
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

struct Found {
    policy: usize,
    is_kept: bool,
    program: Program,
    plan: Plan,
}

impl World for Simulated {
    type Found = Found;

    fn now(&mut self) -> Moment {
        self.moment
    }

    fn compare(&mut self, depth: Depth) -> Result<Compared<Found>, Failure> {
        let cost = Duration::from_millis(1 + self.chance.below(5));
        self.pass(cost);
        if self.fails("another rfw at work", 15) {
            return Err(failure(FailureKind::Busy, None, Vec::new()));
        }
        if self.fails("unreadable source", 12) {
            return Err(failure(FailureKind::Source, None, Vec::new()));
        }
        match self.source {
            None => Err(failure(FailureKind::Rejected, None, Vec::new())),
            Some(policy) => self.compare_policy(policy, depth, false),
        }
    }

    fn compare_kept(&mut self, depth: Depth) -> Result<Option<Compared<Found>>, Failure> {
        if self.fails("another rfw at work", 15) {
            return Err(failure(FailureKind::Busy, None, Vec::new()));
        }
        let Some(policy) = self.good else {
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
        let mut kernel = Recorded::new(&mut self.kernel);
        let result = apply::apply(&mut kernel, &program, &plan, options);
        let own: Vec<u32> = kernel.made().iter().map(|made| made.0).collect();
        self.kernel.expect_nothing();
        let now = self.kernel.generation().unwrap().0;
        for generation in before + 1..=now {
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
            }));
        }
        let cost = Duration::from_millis(2 + self.chance.below(20));
        self.pass(cost);
        self.crash_if("crash after the commits");
        match result {
            Ok(outcome) => {
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

impl Simulated {
    /// Keeps a copy of what is in force. Without room there is none, rather than an older one.
    fn keep(&mut self, policy: usize) {
        self.good = (!self.fails("copy not written", 6)).then_some(policy);
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
        if depth == Depth::Quick && self.remembered == Some((policy, generation)) {
            return Ok(compared(generation, None));
        }
        if self.fails("unreadable dump", 12) {
            return Err(failure(FailureKind::World, Some(policy), Vec::new()));
        }
        let live = self.kernel.observe().unwrap();
        let program = program(POLICIES[policy]);
        let plan = plan(&live, &program, MARK);
        if plan.is_empty() {
            self.remembered = Some((policy, generation));
            if !is_kept {
                self.keep(policy);
            }
            return Ok(compared(generation, None));
        }
        let change = Change {
            operations: plan.len() as u64,
            first: vec![plan.commit[0].to_string()],
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
}

/// The rules of base chains, which are all that a packet meets first, with the policy of each.
fn behaviour(live: &Live) -> Vec<String> {
    let chains = live.table.iter().flat_map(|table| &table.chains);
    let base = chains.filter_map(|chain| {
        let base = chain.base.as_ref()?;
        // What was counted is no behaviour.
        let rules = chain.rules.iter().map(|rule| {
            let instructions = rule.instructions.iter();
            let said = instructions.map(|instruction| match instruction {
                Instruction::Counter(_) => "counter".to_owned(),
                other => format!("{other:?}"),
            });
            said.collect::<Vec<_>>()
        });
        Some(format!(
            "{} {base:?} {:?}",
            chain.name,
            rules.collect::<Vec<_>>()
        ))
    });
    base.collect()
}

/// What the kernel does when it holds a policy and nothing else.
fn behaviour_of(policy: usize) -> Vec<String> {
    let mut kernel = FakeKernel::new();
    let desired = program(POLICIES[policy]);
    let plan = plan(&kernel.observe().unwrap(), &desired, MARK);
    let mut wait = |_| ();
    let options = Options {
        attempts: 1,
        wait: &mut wait,
        recheck: false,
    };
    apply::apply(&mut kernel, &desired, &plan, options).unwrap();
    behaviour(&kernel.observe().unwrap())
}

fn holds(world: &mut Simulated, policy: usize) -> bool {
    let live = world.kernel.observe().unwrap();
    plan(&live, &program(POLICIES[policy]), MARK).is_empty()
}

fn reconciler(world: &Simulated) -> Reconciler {
    let in_force = world.remembered.map(|(policy, _)| desired(policy));
    Reconciler::new(
        Rhythm::default(),
        DriftMode::Repair,
        1,
        in_force,
        world.moment,
    )
}

/// Makes a step, or dies in it; then asks what must hold.
fn step(world: &mut Simulated, reconciler: &mut Reconciler) -> Option<Ending> {
    let before = behaviour(&world.kernel.observe().unwrap());
    world.disturbed = false;
    let chance = world.chance.next();
    let stepped = catch_unwind(AssertUnwindSafe(|| reconciler.step(world, chance)));
    let after = behaviour(&world.kernel.observe().unwrap());
    if !world.disturbed {
        let may_be = world.source.into_iter().chain(world.good);
        let is_new = may_be
            .into_iter()
            .any(|policy| after == behaviour_of(policy));
        assert!(
            after == before || is_new,
            "neither old nor new\nbefore {before:#?}\nafter {after:#?}"
        );
    }
    let generation = world.kernel.generation().unwrap().0;
    if let Some((policy, verified)) = world.remembered
        && verified == generation
    {
        assert!(holds(world, policy), "what is remembered is not true");
    }
    match stepped {
        Err(panic) if panic.is::<Crash>() => {
            // The next process knows what is on the disk. What was still to go wrong has gone with this one.
            world.events.clear();
            world.kernel.expect_nothing();
            *reconciler = self::reconciler(world);
            None
        }
        Err(panic) => resume_unwind(panic),
        Ok(stepped) => {
            let report = reconciler.report();
            let is_good = matches!(stepped.ending, Ending::Unchanged | Ending::Applied { .. });
            // A step that another rfw held up says nothing new.
            if stepped.ending != Ending::Busy {
                let expect = match (is_good, &stepped.refused) {
                    (true, None) => State::InForce,
                    (true, Some(_)) => State::Refused,
                    (false, _) => State::Degraded,
                };
                assert_eq!(report.state, expect, "{stepped:?}");
                assert_eq!(report.trouble.is_some(), expect != State::InForce);
            }
            if is_good && report.generation == Some(generation) {
                let applied = report.applied.as_ref().unwrap().policy.as_ref().unwrap();
                let applied = applied.parse().unwrap();
                match stepped.refused {
                    None => assert_eq!(Some(applied), world.source),
                    Some(_) => assert_eq!(Some(applied), world.good),
                }
                assert!(holds(world, applied), "the report claims too much");
            }
            Some(stepped.ending)
        }
    }
}

/// Runs the loop until that time. Returns how many steps it made.
fn run(world: &mut Simulated, reconciler: &mut Reconciler, until: Duration) -> u64 {
    let mut steps = 0;
    while world.moment.steady < until {
        let now = world.moment;
        let (due, later): (Vec<_>, Vec<_>) = std::mem::take(&mut world.events)
            .into_iter()
            .partition(|(at, _)| *at <= now.steady);
        world.events = later;
        for (_, event) in due {
            reconciler.hear(event, now);
        }
        match reconciler.todo(now) {
            Todo::Step => {
                steps += 1;
                step(world, reconciler);
            }
            Todo::Wait(span) => {
                let next = world.events.iter().map(|(at, _)| *at - now.steady).min();
                let span = next
                    .map_or(span, |next| next.min(span))
                    .min(until - now.steady);
                world.pass(span.max(Duration::from_micros(10)));
            }
            Todo::Fetch | Todo::Stop => panic!("nobody asked for it"),
        }
    }
    steps
}

/// One life: some minutes with faults, then peace.
fn live(seed: u64) -> BTreeMap<&'static str, u64> {
    let mut world = Simulated::new(seed);
    let mut reconciler = reconciler(&world);
    for _ in 0..60 {
        let until = world.moment.steady + Duration::from_millis(world.chance.below(8_000));
        let before = world.moment.steady;
        let happened = world.events.len() as u64;
        let steps = run(&mut world, &mut reconciler, until);
        // Retries come after at least a quarter of a second; another rfw is asked each twentieth.
        let most = 8 + happened + 25 * (world.moment.steady - before).as_secs();
        assert!(steps <= most, "{steps} steps, at most {most}");
        match world.chance.below(6) {
            0 | 1 => world.foreign_edit(),
            2 => {
                world.kernel.move_on();
                world.announce("docker", false);
            }
            3 => {
                world.source = None;
                world.send(&Event::Files);
            }
            _ => {
                world.source = Some(usize::try_from(world.chance.below(4)).unwrap());
                world.send(&Event::Revision);
            }
        }
    }
    // Peace: nothing goes wrong any more, but that the source may have nothing that can be applied.
    world.faulty = false;
    world.kernel.expect_nothing();
    let stays_bad = world.source.is_none() && world.good.is_some();
    if !stays_bad {
        world.source = Some(world.source.unwrap_or(0));
    }
    let (policy, state) = match world.source {
        Some(policy) => (policy, State::InForce),
        None => (world.good.unwrap(), State::Refused),
    };
    *world.fired.entry("bad source to the end").or_default() += u64::from(stays_bad);
    let mut rounds = 0;
    while reconciler.report().state != state || !holds(&mut world, policy) {
        assert!(rounds < 2, "not in force after {rounds} rounds of peace");
        // Until the longest pause and everything that was heard of are over.
        let until = world.moment.steady + Duration::from_secs(81);
        run(&mut world, &mut reconciler, until);
        rounds += 1;
    }
    world.fired
}

#[test]
fn whatever_goes_wrong_what_must_hold_holds() {
    let seeds = match std::env::var("RFW_SEED") {
        Ok(seed) => vec![seed.parse().unwrap()],
        Err(_) => (0..60).collect(),
    };
    let is_one = seeds.len() == 1;
    let mut fired: BTreeMap<&str, u64> = BTreeMap::new();
    for seed in seeds {
        let result = catch_unwind(|| live(seed));
        let once = result.unwrap_or_else(|panic| {
            eprintln!("RFW_SEED={seed} fails");
            resume_unwind(panic)
        });
        for (fault, times) in once {
            *fired.entry(fault).or_default() += times;
        }
    }
    // A fault that never happens proves nothing.
    let never: Vec<_> = fired.iter().filter(|(_, times)| **times == 0).collect();
    assert!(is_one || never.is_empty() && fired.len() >= 14, "{fired:?}");
}

/// A world without faults.
fn peaceful() -> (Simulated, Reconciler) {
    let mut world = Simulated::new(1);
    world.faulty = false;
    let mut reconciler = reconciler(&world);
    let until = Duration::from_secs(1);
    assert_eq!(run(&mut world, &mut reconciler, until), 1);
    assert_eq!(reconciler.report().state, State::InForce);
    (world, reconciler)
}

/// How long after an event the next step is made.
fn reaction(world: &mut Simulated, reconciler: &mut Reconciler, events: &[(u64, Event)]) -> u64 {
    let start = world.moment.steady;
    for (after, event) in events {
        let at = start + Duration::from_millis(*after);
        run(world, reconciler, at);
        reconciler.hear(event.clone(), world.moment);
    }
    match reconciler.todo(world.moment) {
        Todo::Step => (world.moment.steady - start).as_millis(),
        Todo::Wait(span) => (world.moment.steady + span - start).as_millis(),
        Todo::Fetch | Todo::Stop => panic!("nobody asked for it"),
    }
    .try_into()
    .unwrap()
}

#[test]
fn files_settle_and_commits_do_not_wait() {
    let check = |events: &[(u64, Event)], expect: u64| {
        let (mut world, mut reconciler) = peaceful();
        assert_eq!(
            reaction(&mut world, &mut reconciler, events),
            expect,
            "{events:?}"
        );
    };
    check(&[(0, Event::Revision)], 0);
    check(&[(0, Event::Reload)], 0);
    check(&[(0, Event::Wake(1))], 0);
    check(&[(0, Event::Files)], 250);
    check(&[(0, Event::Files), (200, Event::Files)], 450);
    let busy: Vec<_> = (0..19).map(|nth| (nth * 100, Event::Files)).collect();
    check(&busy, 2_000);
    check(&[(0, Event::Files), (100, Event::Revision)], 100);
    let own = |touches_ours| {
        Event::Commit(Commit {
            generation: 99,
            pid: 1,
            process: "nft".into(),
            touches_ours,
        })
    };
    check(&[(0, own(true))], 0);
    let (mut world, mut reconciler) = peaceful();
    assert!(1_000 < reaction(&mut world, &mut reconciler, &[(0, own(false))]));
}

#[test]
fn only_a_branch_that_has_moved_is_a_reason_to_look() {
    let mut pulls = Pulls::new("origin".into(), "main".into(), Duration::from_secs(60));
    let mut pulled = |attempt, moved| {
        let pull = Box::new(pulls.heard(attempt, 1_795_500_000, 0).0);
        Event::Pulled { pull, moved }
    };
    let fetched = Attempt::Fetched("beef".into());
    let failed = Attempt::Failed {
        kind: FailureKind::Source,
        text: "gone".into(),
    };
    for (event, is_at_once) in [
        (pulled(fetched.clone(), true), true),
        (pulled(fetched, false), false),
        (pulled(failed, false), false),
    ] {
        let (mut world, mut reconciler) = peaceful();
        let took = reaction(&mut world, &mut reconciler, &[(0, event.clone())]);
        assert_eq!(took == 0, is_at_once, "{event:?}: {took} ms");
        let report = reconciler.report();
        assert_eq!(report.state, State::InForce);
        assert!(report.trouble.is_none(), "the rules have none of it");
        let Event::Pulled { pull, .. } = event else {
            continue;
        };
        assert_eq!(report.pull, Some(*pull));
    }
}

#[test]
fn what_fails_for_long_is_tried_ever_more_rarely() {
    let (mut world, mut reconciler) = peaceful();
    world.source = None;
    reconciler.hear(Event::Files, world.moment);
    let steps = run(&mut world, &mut reconciler, Duration::from_secs(3_601));
    // Looking each 30 s, reading each minute or so, and retries that reach a minute soon.
    assert!((100..270).contains(&steps), "{steps} steps in an hour");
    assert_eq!(reconciler.report().state, State::Refused);
    // Nothing is kept: nothing can be looked after.
    world.good = None;
    reconciler.hear(Event::Reload, world.moment);
    run(&mut world, &mut reconciler, Duration::from_secs(3_602));
    assert_eq!(reconciler.report().state, State::Degraded);
    // The policy is good again: at once.
    world.source = Some(1);
    reconciler.hear(Event::Revision, world.moment);
    let until = world.moment.steady + Duration::from_millis(50);
    assert_eq!(run(&mut world, &mut reconciler, until), 1);
    assert_eq!(reconciler.report().state, State::InForce);
}

/// What the source says is refused: what is in force is looked after all the same, also by a process that has just started.
#[test]
fn drift_is_undone_while_the_source_is_refused() {
    let (mut world, mut reconciler) = peaceful();
    world.source = None;
    reconciler.hear(Event::Revision, world.moment);
    for round in 0..4 {
        if round == 2 {
            reconciler = self::reconciler(&world);
        }
        let until = world.moment.steady + Duration::from_secs(20);
        run(&mut world, &mut reconciler, until);
        let report = reconciler.report();
        assert_eq!(report.state, State::Refused);
        assert_eq!(report.trouble.as_ref().unwrap().kind, "rejected");
        assert_eq!(
            report.applied.as_ref().unwrap().policy.as_deref(),
            Some("0")
        );
        let (seen, undone) = (report.drift.seen, report.drift.repaired);
        world.foreign_edit();
        assert!(!holds(&mut world, 0));
        let until = world.moment.steady + Duration::from_millis(100);
        assert_eq!(run(&mut world, &mut reconciler, until), 1);
        assert!(holds(&mut world, 0), "round {round}");
        let drift = &reconciler.report().drift;
        assert_eq!((drift.seen, drift.repaired), (seen + 1, undone + 1));
    }
    // As soon as the source is good again, it counts.
    world.source = Some(2);
    reconciler.hear(Event::Revision, world.moment);
    let until = world.moment.steady + Duration::from_millis(50);
    run(&mut world, &mut reconciler, until);
    assert_eq!(reconciler.report().state, State::InForce);
    assert!(reconciler.report().trouble.is_none() && holds(&mut world, 2));
}

#[test]
fn a_fight_over_the_table_is_no_hot_loop() {
    let (mut world, mut reconciler) = peaceful();
    let mut steps = 0;
    // Fifty times a second, for a minute.
    for _ in 0..3_000 {
        world.foreign_edit();
        let until = world.moment.steady + Duration::from_millis(20);
        steps += run(&mut world, &mut reconciler, until);
    }
    assert!((5..60).contains(&steps), "{steps} steps in a minute");
    let last = reconciler.report().drift.last.clone().unwrap();
    assert_eq!(last.by, ["nft (pid 4711)"]);
    run(&mut world, &mut reconciler, Duration::from_secs(120));
    assert!(holds(&mut world, 0), "peace is made");
}

#[test]
fn an_idle_hour_costs_nearly_nothing() {
    let (mut world, mut reconciler) = peaceful();
    let steps = run(&mut world, &mut reconciler, Duration::from_secs(3_601));
    assert!((100..200).contains(&steps), "{steps} steps in an hour");
    assert_eq!(reconciler.report().steps.changed, 1);
}
