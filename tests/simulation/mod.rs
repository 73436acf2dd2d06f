//! The loop in a world of its own: a clock, a policy, a kernel in memory, settings, a disk, and faults, all from one seed.
//! What fails prints its seed; `RFW_SEED=N cargo test --test main simulation` runs that one again.
//!
//! After each step, and after each crash, what must always hold is asked: `invariants` says what that is.

mod commits;
mod invariants;
mod world;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

use rfw::reconcile::{
    Attempt, Commit, DriftMode, Event, FailureKind, Pulls, Reconciler, Rhythm, State, Todo,
};
use rfw::state::GoodPolicy;

use invariants::{Before, holds};
use world::{Crash, Simulated, Source, desired};

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
fn step(world: &mut Simulated, reconciler: &mut Reconciler) {
    let before = Before::of(world);
    let chance = world.chance.next();
    let stepped = catch_unwind(AssertUnwindSafe(|| reconciler.step(world, chance)));
    match stepped {
        Err(panic) if panic.is::<Crash>() => {
            // The next process knows what is on the disk. What was still to go wrong has gone with this one.
            world.events.clear();
            world.kernel.expect_nothing();
            *reconciler = self::reconciler(world);
            invariants::ask(world, &before);
        }
        Err(panic) => resume_unwind(panic),
        Ok(stepped) => {
            invariants::ask(world, &before);
            invariants::ask_report(world, reconciler.report(), &stepped);
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
        assert!(steps <= most, "I8: {steps} steps, at most {most}");
        world.packets();
        match world.chance.below(8) {
            0 | 1 => world.foreign_edit(),
            2 => {
                world.kernel.move_on();
                world.announce("docker", false);
            }
            3 => {
                world.source = Source::Invalid;
                world.send(&Event::Files);
            }
            4 => {
                world.source = Source::Unsigned;
                world.send(&Event::Revision);
            }
            5 => world.foreign_setting(),
            _ => {
                world.source = Source::Good(usize::try_from(world.chance.below(4)).unwrap());
                world.send(&Event::Revision);
            }
        }
    }
    // Peace: nothing goes wrong any more, but that the source may have nothing that can be applied.
    world.faulty = false;
    world.kernel.expect_nothing();
    let good = world.good();
    let stays_bad = world.source.good().is_none() && good.is_some();
    let (policy, state) = match (world.source, good) {
        (Source::Good(policy), _) => (policy, State::InForce),
        (_, Some(good)) => (good, State::Refused),
        (_, None) => {
            world.source = Source::Good(0);
            (0, State::InForce)
        }
    };
    *world.fired.entry("bad source to the end").or_default() += u64::from(stays_bad);
    let mut rounds = 0;
    while reconciler.report().state != state || !holds(&mut world.kernel, policy) {
        assert!(
            rounds < 2,
            "I3: not in force after {rounds} rounds of peace"
        );
        // Until the longest pause and everything that was heard of are over.
        let until = world.moment.steady + Duration::from_secs(81);
        run(&mut world, &mut reconciler, until);
        rounds += 1;
    }
    std::mem::take(&mut world.fired)
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
    assert!(is_one || never.is_empty() && fired.len() >= 20, "{fired:?}");
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
            is_whole: true,
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
    world.source = Source::Invalid;
    reconciler.hear(Event::Files, world.moment);
    let steps = run(&mut world, &mut reconciler, Duration::from_secs(3_601));
    // Looking each 30 s, reading each minute or so, and retries that reach a minute soon.
    assert!((100..270).contains(&steps), "{steps} steps in an hour");
    assert_eq!(reconciler.report().state, State::Refused);
    // Nothing is kept: nothing can be looked after.
    GoodPolicy::forget(&world.disk).unwrap();
    reconciler.hear(Event::Reload, world.moment);
    run(&mut world, &mut reconciler, Duration::from_secs(3_602));
    assert_eq!(reconciler.report().state, State::Degraded);
    // The policy is good again: at once.
    world.source = Source::Good(1);
    reconciler.hear(Event::Revision, world.moment);
    let until = world.moment.steady + Duration::from_millis(50);
    assert_eq!(run(&mut world, &mut reconciler, until), 1);
    assert_eq!(reconciler.report().state, State::InForce);
}

/// What the source says is refused: what is in force is looked after all the same, also by a process that has just started.
#[test]
fn drift_is_undone_while_the_source_is_refused() {
    let (mut world, mut reconciler) = peaceful();
    world.source = Source::Invalid;
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
        assert!(!holds(&mut world.kernel, 0));
        let until = world.moment.steady + Duration::from_millis(100);
        assert_eq!(run(&mut world, &mut reconciler, until), 1);
        assert!(holds(&mut world.kernel, 0), "round {round}");
        let drift = &reconciler.report().drift;
        assert_eq!((drift.seen, drift.repaired), (seen + 1, undone + 1));
    }
    // As soon as the source is good again, it counts.
    world.source = Source::Good(2);
    reconciler.hear(Event::Revision, world.moment);
    let until = world.moment.steady + Duration::from_millis(50);
    run(&mut world, &mut reconciler, until);
    assert_eq!(reconciler.report().state, State::InForce);
    assert!(reconciler.report().trouble.is_none() && holds(&mut world.kernel, 2));
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
    assert!(holds(&mut world.kernel, 0), "peace is made");
}

#[test]
fn an_idle_hour_costs_nearly_nothing() {
    let (mut world, mut reconciler) = peaceful();
    let steps = run(&mut world, &mut reconciler, Duration::from_secs(3_601));
    assert!((100..200).contains(&steps), "{steps} steps in an hour");
    assert_eq!(reconciler.report().steps.changed, 1);
}
