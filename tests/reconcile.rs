//! A plan is applied whatever happens to it on the way: somebody else commits, an answer is lost, the
//! kernel refuses. In the end the kernel holds the one or the other, and rfw says which.

use rfw::apply::{self, ApplyError, Options, Outcome};
use rfw::kernel::{CommitError, FakeKernel, Fault, Kernel, ObserveError};
use rfw::live::{Generation, Live, Table};
use rfw::plan::{Operation, Plan, plan, remove};
use rfw::ruleset::Count;

use super::notation::program;

const MARK: [u8; 16] = [7; 16];

const BEFORE: &str = "
set ports port: 22 80
chain input filter input 0 drop
 a: mark=1 counter accept
 b: @ports counter accept
 _: drop
";

/// A rule more, that uses an interval set: it takes a staging batch.
const AFTER: &str = "
set blocked ipv4 interval: 10-19 30
set ports port: 22 80
chain input filter input 0 drop
 x: @blocked drop
 a: mark=1 counter accept
 b: @ports counter accept
 _: drop
";

/// Applies without waiting; the numbers that were waited for go into `waited`.
fn run(
    kernel: &mut dyn Kernel,
    to: &str,
    plan: &Plan,
    recheck: bool,
    waited: &mut Vec<u32>,
) -> Result<Outcome, ApplyError> {
    let mut wait = |attempt| waited.push(attempt);
    apply::apply(kernel, &program(to), plan, options(&mut wait, recheck))
}

fn options(wait: &mut dyn FnMut(u32), recheck: bool) -> Options<'_> {
    Options {
        attempts: 20,
        wait,
        recheck,
    }
}

fn plan_to(kernel: &mut dyn Kernel, to: &str) -> Plan {
    plan(&kernel.observe().unwrap(), &program(to), MARK)
}

/// A kernel that holds the program.
fn kernel(text: &str) -> FakeKernel {
    let mut kernel = FakeKernel::new();
    let plan = plan_to(&mut kernel, text);
    run(&mut kernel, text, &plan, false, &mut Vec::new()).unwrap();
    kernel
}

/// Plans from `BEFORE` to `AFTER`, arranges the faults, applies.
fn apply_with(
    faults: impl IntoIterator<Item = Fault>,
) -> (FakeKernel, Result<Outcome, ApplyError>) {
    let mut kernel = kernel(BEFORE);
    let plan = plan_to(&mut kernel, AFTER);
    assert_eq!((plan.staging.len(), plan.commit.len()), (2, 1));
    kernel.expect(faults);
    let result = run(&mut kernel, AFTER, &plan, false, &mut Vec::new());
    (kernel, result)
}

fn fresh(text: &str) -> String {
    kernel(text).to_string()
}

/// The errors as a person reads them: what failed, each operation, what is true now.
fn told(error: &ApplyError) -> String {
    let mut text = error.to_string();
    if let ApplyError::Refused { operations, .. } = error {
        for operation in operations {
            text += &format!("\n  {operation}: {}", operation.reason);
        }
    }
    format!("{text}\n  {}", error.aftermath())
}

/// Somebody else commits in another table.
fn elsewhere() -> Fault {
    Fault::Interfere(Box::new(FakeKernel::move_on))
}

/// Somebody else changes a rule of ours.
fn tampered() -> Fault {
    Fault::Interfere(Box::new(|kernel| {
        kernel.tamper(|table| {
            table.chains[0].rules.remove(0);
        });
    }))
}

fn refused(operation: usize) -> Fault {
    Fault::Refuse {
        operation,
        errno: nix::libc::ENOMEM,
    }
}

#[test]
fn applies_in_two_batches_and_reads_back() {
    let (kernel, result) = apply_with([]);
    let outcome = result.unwrap();
    assert_eq!(
        (outcome.staged, outcome.committed, outcome.retries),
        (2, 1, 0)
    );
    assert_eq!(outcome.after, Generation(outcome.before.0 + 2));
    assert_eq!(outcome.live.unwrap().table.as_ref(), kernel.table());
    assert_eq!(kernel.to_string(), fresh(AFTER));
}

#[test]
fn sends_nothing_when_nothing_changes() {
    let mut kernel = kernel(AFTER);
    let (generation, sent) = (kernel.generation().unwrap(), kernel.committed().len());
    let plan = plan_to(&mut kernel, AFTER);
    let outcome = run(&mut kernel, AFTER, &plan, false, &mut Vec::new()).unwrap();
    assert_eq!((outcome.staged, outcome.committed), (0, 0));
    assert_eq!(outcome.before, outcome.after);
    assert_eq!(kernel.generation().unwrap(), generation);
    assert_eq!(kernel.committed().len(), sent);
}

#[test]
fn goes_on_when_others_only_changed_their_own() {
    let mut kernel = kernel(BEFORE);
    let plan = plan_to(&mut kernel, AFTER);
    kernel.move_on();
    // Again before the staging batch, and between it and the other.
    kernel.expect([elsewhere(), Fault::None, elsewhere()]);
    let mut waited = Vec::new();
    let outcome = run(&mut kernel, AFTER, &plan, false, &mut waited).unwrap();
    assert_eq!((outcome.retries, waited), (2, vec![1, 2]));
    assert_eq!(kernel.to_string(), fresh(AFTER));
}

#[test]
fn counts_of_the_last_moment_are_carried() {
    let moved = "set ports port: 22 80\nchain input filter input 0 drop\n \
                 b: @ports counter accept\n a: mark=1 counter accept\n _: drop";
    let mut kernel = kernel(BEFORE);
    let plan = plan_to(&mut kernel, moved);
    kernel.expect([Fault::Interfere(Box::new(|kernel| {
        let by = Count {
            packets: 5,
            bytes: 500,
        };
        kernel.count("a", by);
        kernel.move_on();
    }))]);
    run(&mut kernel, moved, &plan, false, &mut Vec::new()).unwrap();
    let rules = &kernel.table().unwrap().chains[0].rules;
    assert_eq!(rules[1].name.as_deref(), Some("a"));
    assert_eq!(rules[1].count().unwrap().packets, 5);
}

#[test]
fn is_stale_when_other_operations_are_needed() {
    let (kernel, result) = apply_with([tampered()]);
    let error = result.unwrap_err();
    insta::assert_snapshot!(told(&error), @"
    the plan is stale: the live ruleset has changed, and other operations are needed now
      nothing of the plan was applied
    ");
    let ApplyError::Changed { now, .. } = error else {
        panic!("{error}")
    };
    assert_eq!(now.commit.len(), 2, "the rule that is gone, too");
    assert_eq!(kernel.table().unwrap().sets.len(), 1, "nothing was staged");
}

#[test]
fn takes_back_what_was_staged_when_the_rest_is_stale() {
    let (kernel, result) = apply_with([Fault::None, tampered()]);
    insta::assert_snapshot!(told(&result.unwrap_err()), @"
    the plan is stale: the live ruleset has changed, and other operations are needed now
      nothing of the plan was applied
    ");
    assert_eq!(kernel.table().unwrap().sets.len(), 1);
}

#[test]
fn is_done_when_somebody_did_just_that() {
    let (kernel, result) = apply_with([Fault::Interfere(Box::new(|kernel| {
        let plan = plan_to(kernel, AFTER);
        run(kernel, AFTER, &plan, false, &mut Vec::new()).unwrap();
    }))]);
    let outcome = result.unwrap();
    assert_eq!((outcome.staged, outcome.committed), (0, 0));
    assert_eq!(kernel.to_string(), fresh(AFTER));
}

#[test]
fn a_lost_answer_is_found_out_by_reading() {
    for faults in [
        vec![Fault::LostAfter],
        vec![Fault::LostBefore],
        vec![Fault::None, Fault::LostAfter],
        vec![Fault::None, Fault::LostBefore],
    ] {
        let (kernel, result) = apply_with(faults);
        let outcome = result.unwrap();
        assert_eq!(
            (outcome.staged, outcome.committed, outcome.retries),
            (2, 1, 1)
        );
        assert_eq!(kernel.to_string(), fresh(AFTER));
    }
}

#[test]
fn a_refused_staging_batch_changes_nothing() {
    let (kernel, result) = apply_with([refused(1)]);
    insta::assert_snapshot!(told(&result.unwrap_err()), @"
    the kernel refused the staging batch
      operation 2 of 2: add 2 elements inet rfw blocked: Cannot allocate memory (os error 12)
      the ruleset is unchanged
    ");
    assert_eq!(kernel.to_string(), fresh(BEFORE));
}

#[test]
fn a_refused_batch_changes_nothing_and_leaves_nothing() {
    let (kernel, result) = apply_with([Fault::None, refused(0)]);
    insta::assert_snapshot!(told(&result.unwrap_err()), @r#"
    the kernel refused the batch
      operation 1 of 1: add rule inet rfw input (rule x "x"): Cannot allocate memory (os error 12)
      the ruleset is unchanged
    "#);
    assert_eq!(kernel.to_string(), fresh(BEFORE));
}

#[test]
fn staged_chains_go_with_their_rules_when_the_batch_is_refused() {
    let before =
        "vmap pairs mark: 1=>jump:one\nchain c\n _: vmap@pairs\nchain one\n a: counter accept";
    let after = "vmap pairs mark: 1=>jump:two\nset s port: 5\nlimit l 5\nchain c\n _: vmap@pairs\n\
                 chain deep\n a: counter drop\nchain two\n b: @s limit:l jump:deep";
    let mut kernel = kernel(before);
    let plan = plan_to(&mut kernel, after);
    kernel.expect([Fault::None, refused(0)]);
    run(&mut kernel, after, &plan, false, &mut Vec::new()).unwrap_err();
    assert_eq!(kernel.to_string(), fresh(before));
    kernel.expect([Fault::None, Fault::Interfere(Box::new(FakeKernel::move_on))]);
    let plan = plan_to(&mut kernel, after);
    run(&mut kernel, after, &plan, false, &mut Vec::new()).unwrap();
    assert_eq!(kernel.to_string(), fresh(after));
}

#[test]
fn a_refused_first_batch_leaves_no_table() {
    let mut kernel = FakeKernel::new();
    let plan = plan_to(&mut kernel, AFTER);
    kernel.expect([Fault::None, refused(0)]);
    run(&mut kernel, AFTER, &plan, false, &mut Vec::new()).unwrap_err();
    assert_eq!(kernel.to_string(), "no table\n");
}

#[test]
fn what_could_not_be_taken_back_is_said_and_used_by_the_next() {
    let (mut kernel, result) = apply_with([Fault::None, refused(0), elsewhere()]);
    insta::assert_snapshot!(told(&result.unwrap_err()), @r#"
    the kernel refused the batch
      operation 1 of 1: add rule inet rfw input (rule x "x"): Cannot allocate memory (os error 12)
      the rules are unchanged; unused sets and chains were left behind (blocked) because the ruleset has changed since it was read (generation 3 expected); the next apply uses or deletes them
    "#);
    let plan = plan_to(&mut kernel, AFTER);
    assert!(plan.staging.is_empty(), "what is there is used");
    assert_eq!(plan.commit.len(), 1);
    run(&mut kernel, AFTER, &plan, false, &mut Vec::new()).unwrap();
    assert_eq!(kernel.to_string(), fresh(AFTER));
}

#[test]
fn what_was_left_behind_goes_when_it_is_not_wanted() {
    let (mut kernel, _) = apply_with([Fault::None, refused(0), elsewhere()]);
    let plan = plan_to(&mut kernel, BEFORE);
    run(&mut kernel, BEFORE, &plan, false, &mut Vec::new()).unwrap();
    assert_eq!(kernel.to_string(), fresh(BEFORE));
}

#[test]
fn gives_up_when_somebody_commits_all_the_time() {
    let (kernel, result) = apply_with((0..20).map(|_| elsewhere()));
    insta::assert_snapshot!(told(&result.unwrap_err()), @"
    the ruleset changed before each of 20 attempts; something else commits all the time
      nothing of the plan was applied
    ");
    assert_eq!(kernel.to_string(), fresh(BEFORE));
}

#[test]
fn a_kept_plan_is_looked_at_again_before_anything_is_sent() {
    let mut kernel = kernel(BEFORE);
    let plan = plan_to(&mut kernel, AFTER);
    kernel.move_on();
    run(&mut kernel, AFTER, &plan, true, &mut Vec::new()).unwrap();
    assert_eq!(kernel.to_string(), fresh(AFTER));

    let mut other = self::kernel(BEFORE);
    other.tamper(|table| table.chains[0].rules.truncate(1));
    let sent = other.committed().len();
    let error = run(&mut other, AFTER, &plan, true, &mut Vec::new()).unwrap_err();
    assert!(matches!(error, ApplyError::Changed { .. }), "{error}");
    assert_eq!(other.committed().len(), sent);
}

/// A kernel that takes something else for what it was given.
struct Forgetful(FakeKernel);

impl Kernel for Forgetful {
    fn generation(&mut self) -> Result<Generation, ObserveError> {
        self.0.generation()
    }

    fn observe(&mut self) -> Result<Live, ObserveError> {
        let mut live = self.0.observe()?;
        let forget = |table: &mut Table| table.chains[0].rules[0].instructions.truncate(1);
        live.table.as_mut().map(forget);
        Ok(live)
    }

    fn check(&mut self, operations: &[Operation]) -> Result<(), CommitError> {
        self.0.check(operations)
    }

    fn commit(
        &mut self,
        base: Generation,
        operations: &[Operation],
    ) -> Result<Generation, CommitError> {
        self.0.commit(base, operations)
    }
}

#[test]
fn what_reads_back_otherwise_is_not_called_done() {
    let mut kernel = kernel(BEFORE);
    let plan = plan_to(&mut kernel, AFTER);
    let error = run(&mut Forgetful(kernel), AFTER, &plan, false, &mut Vec::new()).unwrap_err();
    insta::assert_snapshot!(told(&error), @"
    applied, but generation 4 differs from the policy in what 1 operation would change
      the batch is in force
    ");
}

#[test]
fn removes_the_table() {
    let mut kernel = kernel(BEFORE);
    let plan = remove(&kernel.observe().unwrap());
    kernel.expect([elsewhere()]);
    let outcome = apply::remove(&mut kernel, &plan, options(&mut |_| (), false)).unwrap();
    assert_eq!((outcome.committed, outcome.retries), (1, 1));
    assert_eq!(kernel.to_string(), "no table\n");

    let plan = remove(&kernel.observe().unwrap());
    let outcome = apply::remove(&mut kernel, &plan, options(&mut |_| (), false)).unwrap();
    assert_eq!(outcome.committed, 0);
}

#[test]
fn wakes_a_dormant_table_last() {
    let mut kernel = kernel(BEFORE);
    kernel.tamper(|table| {
        table.flags = 1;
        table.chains[0].base.as_mut().unwrap().priority = 5;
    });
    let plan = plan_to(&mut kernel, AFTER);
    run(&mut kernel, AFTER, &plan, false, &mut Vec::new()).unwrap();
    assert_eq!(kernel.to_string(), fresh(AFTER));
}

#[test]
fn a_table_of_another_owner_is_not_ours_to_change() {
    let mut kernel = kernel(BEFORE);
    kernel.tamper(|table| table.flags = 2);
    let plan = plan_to(&mut kernel, AFTER);
    let error = run(&mut kernel, AFTER, &plan, false, &mut Vec::new()).unwrap_err();
    insta::assert_snapshot!(told(&error), @"
    the kernel refused the staging batch
      operation 1 of 2: add set inet rfw blocked (set blocked): Operation not permitted (os error 1)
      operation 2 of 2: add 2 elements inet rfw blocked: Operation not permitted (os error 1)
      the ruleset is unchanged
    ");
}

#[test]
fn a_plan_for_one_table_is_not_applied_to_another_that_looks_the_same() {
    let mut kernel = kernel(BEFORE);
    let plan = plan_to(&mut kernel, AFTER);
    kernel.tamper(|table| table.mark = Some([8; 16]));
    let error = run(&mut kernel, AFTER, &plan, true, &mut Vec::new()).unwrap_err();
    assert!(matches!(error, ApplyError::Changed { .. }), "{error}");
}

#[test]
fn a_lost_answer_among_changes_of_others_is_not_called_unchanged() {
    // The answer is lost; before rfw can look, somebody takes a rule away.
    struct Meddled(FakeKernel);
    impl Kernel for Meddled {
        fn generation(&mut self) -> Result<Generation, ObserveError> {
            self.0.generation()
        }
        fn observe(&mut self) -> Result<Live, ObserveError> {
            self.0.tamper(|table| {
                table.chains[0].rules.pop();
            });
            self.0.observe()
        }
        fn check(&mut self, operations: &[Operation]) -> Result<(), CommitError> {
            self.0.check(operations)
        }
        fn commit(
            &mut self,
            base: Generation,
            operations: &[Operation],
        ) -> Result<Generation, CommitError> {
            self.0.commit(base, operations)
        }
    }
    let mut kernel = kernel(BEFORE);
    let plan = plan_to(&mut kernel, AFTER);
    kernel.expect([Fault::None, Fault::LostAfter]);
    let error = run(&mut Meddled(kernel), AFTER, &plan, false, &mut Vec::new()).unwrap_err();
    insta::assert_snapshot!(told(&error), @"
    the plan is stale: the live ruleset has changed, and other operations are needed now
      it is not known whether the plan was applied, because the kernel's answer was lost
    ");
}
