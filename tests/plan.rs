//! From one program to another: which operations, in which order.

use rfw::bytecode::Instruction;
use rfw::kernel::{FakeKernel, Kernel};
use rfw::plan::{Operation, Place, Plan, plan};
use rfw::ruleset::{Count, Element, Elements, SetSpec};

use crate::notation::program;

pub(crate) const MARK: [u8; 16] = [7; 16];

/// A kernel that holds the program, as fresh from rfw.
pub(crate) fn kernel(text: &str) -> FakeKernel {
    let mut kernel = FakeKernel::new();
    let live = kernel.observe().unwrap();
    let plan = plan(&live, &program(text), MARK);
    let mut base = plan.base;
    for batch in [&plan.staging, &plan.commit] {
        if !batch.is_empty() {
            base = kernel.commit(base, batch).unwrap();
        }
    }
    kernel
}

fn packets(count: Option<Count>) -> String {
    match count {
        Some(count) if count != Count::default() => format!(" packets {}", count.packets),
        _ => String::new(),
    }
}

/// An operation with all that a test wants to see of it.
fn line(operation: &Operation) -> String {
    let keys = |set: &SetSpec, elements: &Elements| {
        let number = |bytes: &[u8]| match (set.key[0].is_host_order(), bytes) {
            (true, [a, b, c, d]) => u32::from_ne_bytes([*a, *b, *c, *d]),
            _ => bytes
                .iter()
                .fold(0, |number, byte| number << 8 | u32::from(*byte)),
        };
        let mut text = String::new();
        for element in elements.iter() {
            let Element {
                key, name, count, ..
            } = element.as_ref();
            text += &format!(" {}", number(&key.lo));
            if let Some(hi) = &key.hi {
                text += &format!("-{}", number(hi));
            }
            if let Some(name) = name {
                text += &format!("#{name}");
            }
            text += &packets(*count);
        }
        text
    };
    match operation {
        Operation::AddElements { set, elements } | Operation::DeleteElements { set, elements } => {
            format!("{operation}:{}", keys(set, elements))
        }
        Operation::AddRule { place, rule, .. } => {
            let place = match place {
                Place::Last => "last".to_owned(),
                Place::Before(handle) => format!("before {handle}"),
            };
            let name = rule.name.as_deref().unwrap_or("_");
            format!(
                "{operation} {place}: {name}{}",
                packets(counted(&rule.instructions))
            )
        }
        Operation::ReplaceRule { rule, .. } => {
            let name = rule.name.as_deref().unwrap_or("_");
            format!(
                "{operation}: {name}{}",
                packets(counted(&rule.instructions))
            )
        }
        other => other.to_string(),
    }
}

fn counted(instructions: &[Instruction]) -> Option<Count> {
    instructions
        .iter()
        .find_map(|instruction| match instruction {
            Instruction::Counter(count) => Some(*count),
            _ => None,
        })
}

fn show(plan: &Plan) -> String {
    let staging = plan
        .staging
        .iter()
        .map(|operation| format!("staged: {}\n", line(operation)));
    let commit = plan
        .commit
        .iter()
        .map(|operation| format!("{}\n", line(operation)));
    staging
        .chain(commit)
        .collect::<String>()
        .replace(" inet rfw", "")
}

/// Plans from one program to the other; each named rule and element `r` has counted as many packets as
/// its name's first letter says (`a` 1, `b` 2, …).
fn from_to(from: &str, to: &str) -> String {
    let mut kernel = kernel(from);
    for (packets, name) in (1..).zip('a'..='z') {
        kernel.count(&name.to_string(), Count { packets, bytes: 0 });
    }
    let live = kernel.observe().unwrap();
    let plan = plan(&live, &program(to), MARK);
    kernel.check(&plan.staging).unwrap();
    show(&plan)
}

#[track_caller]
fn check(from: &str, to: &str, expect: &str) {
    let shown = from_to(from, to);
    assert_eq!(shown.trim(), expect.trim(), "\n{shown}");
}

#[test]
fn a_first_plan_creates_the_table_and_is_one_batch() {
    let live = FakeKernel::new().observe().unwrap();
    let desired = program("chain input filter input 0 drop\n a: mark=1 accept\n _: drop");
    let plan = plan(&live, &desired, MARK);
    assert_eq!(
        show(&plan),
        "add table\nadd base chain input\nadd rule input last: a\nadd rule input last: _\n"
    );
}

#[test]
fn a_first_plan_with_an_interval_set_is_staged() {
    let live = FakeKernel::new().observe().unwrap();
    let desired = program(
        "set blocked ipv4 interval: 10-20 30\nset empty ipv4 interval\nset ports port: 22\n\
         chain input filter input 0 drop\n a: @blocked drop\n b: @ports accept",
    );
    let plan = plan(&live, &desired, MARK);
    assert_eq!(
        show(&plan),
        "staged: add table\nstaged: add set blocked\nstaged: add 2 elements blocked: 10-20 30\n\
         add base chain input\nadd set empty\nadd set ports\nadd 1 element ports: 22\n\
         add rule input last: a\nadd rule input last: b\n"
    );
}

#[test]
fn an_empty_plan_does_nothing() {
    let text = "set s ipv4 interval: 1-5\nset m ipv4 dynamic timeout=60000 size=9\nlimit l 5\n\
                chain input filter input 0 drop\n a: @s counter meter@m limit:l accept\n _: drop";
    check(text, text, "");
}

pub(crate) const BASE: &str = "chain input filter input 0 drop\n a: mark=1 counter accept\n \
                    b: mark=2 counter accept\n c: mark=3 counter accept\n _: drop";

#[test]
fn one_rule_more() {
    check(
        BASE,
        &BASE.replace(" c:", " x: mark=9 accept\n c:"),
        "add rule input before 4: x",
    );
}

#[test]
fn one_rule_less() {
    check(
        BASE,
        &BASE.replace(" b: mark=2 counter accept\n", ""),
        "delete rule input handle 3",
    );
}

#[test]
fn a_moved_rule_carries_its_count() {
    check(
        BASE,
        "chain input filter input 0 drop\n b: mark=2 counter accept\n \
         c: mark=3 counter accept\n a: mark=1 counter accept\n _: drop",
        "delete rule input handle 2\nadd rule input before 5: a packets 1",
    );
}

#[test]
fn a_changed_rule_keeps_its_count_and_its_handle() {
    check(
        BASE,
        &BASE.replace("mark=2", "mark=8"),
        "replace rule input handle 3: b packets 2",
    );
}

#[test]
fn a_rule_that_becomes_elements_keeps_its_count_and_back() {
    let sets = "set s mark counter: 1#a 2#b 7#b\nchain input filter input 0 drop\n \
                _: @s accept\n c: mark=3 counter accept\n _: drop";
    check(
        BASE,
        sets,
        "delete rule input handle 2\n\
         delete rule input handle 3\n\
         add set s\n\
         add 3 elements s: 1#a packets 1 2#b packets 2 7#b\n\
         add rule input before 4: _",
    );
    check(
        sets,
        BASE,
        "delete rule input handle 3\n\
         add rule input before 4: a packets 1\n\
         add rule input before 4: b packets 4\n\
         delete set s",
    );
}

#[test]
fn one_element() {
    let set = |elements: &str| format!("set s port counter: {elements}\nchain c\n _: @s accept");
    check(&set("22"), &set("22 80"), "add 1 element s: 80");
    check(&set("22 80"), &set("22"), "delete 1 element s: 80");
    check(
        &set("22#a 80"),
        &set("22#a 81"),
        "delete 1 element s: 80\nadd 1 element s: 81",
    );
}

#[test]
fn an_element_with_another_value_keeps_its_count() {
    check(
        "vmap v mark counter: 1=>accept#a 2=>accept#b\nchain c\n _: vmap@v",
        "vmap v mark counter: 1=>drop#a 2=>accept#b\nchain c\n _: vmap@v",
        "delete 1 element v: 1#a packets 1\nadd 1 element v: 1#a packets 1",
    );
}

#[test]
fn a_widened_range_goes_before_it_comes() {
    check(
        "set s ipv4 interval: 10-20 30-40\nchain c\n _: @s accept",
        "set s ipv4 interval: 10-25 30-40\nchain c\n _: @s accept",
        "delete 1 element s: 10-20\nadd 1 element s: 10-25",
    );
}

#[test]
fn a_zone_pair_comes_and_goes() {
    let without = "vmap pairs mark: 1=>jump:one\nchain forward filter forward 0 drop\n \
                   _: vmap@pairs\n _: drop\nchain one\n a: accept";
    let with = "vmap pairs mark: 1=>jump:one 2=>jump:two\nset s port interval: 5-9\n\
                chain forward filter forward 0 drop\n _: vmap@pairs\n _: drop\n\
                chain one\n a: accept\nchain two\n b: @s accept\n c: accept";
    check(
        without,
        with,
        "staged: add chain two\n\
         staged: add set s\n\
         staged: add 1 element s: 5-9\n\
         staged: add rule two last: b\n\
         staged: add rule two last: c\n\
         add 1 element pairs: 2",
    );
    check(
        with,
        without,
        "flush chain two\n\
         delete 1 element pairs: 2\n\
         delete set s\n\
         delete chain two",
    );
}

#[test]
fn a_pair_that_is_led_elsewhere_finds_all_of_it_there() {
    let from =
        "vmap pairs mark: 1=>jump:one\nchain c\n _: vmap@pairs\nchain one\n a: counter accept";
    let to = "vmap pairs mark: 1=>jump:two\nset s port: 5\nlimit l 5\nchain c\n _: vmap@pairs\n\
              chain deep\n a: counter drop\nchain two\n b: @s limit:l jump:deep\nchain other\n _: drop";
    check(
        from,
        to,
        "staged: add limit l\n\
         staged: add chain deep\n\
         staged: add chain two\n\
         staged: add set s\n\
         staged: add 1 element s: 5\n\
         staged: add rule deep last: a packets 1\n\
         staged: add rule two last: b\n\
         delete rule one handle 5\n\
         delete 1 element pairs: 1\n\
         add chain other\n\
         add 1 element pairs: 1\n\
         add rule other last: _\n\
         delete chain one",
    );
    // The set comes back under its own name, which it cannot before the old one has gone.
    let from = format!("set s mark: 5\n{from}\n c: @s accept");
    let shown = from_to(&from, to);
    assert!(!shown.contains("staged"), "{shown}");
}

#[test]
fn a_staged_verdict_map_needs_its_chains() {
    check(
        "chain c",
        "vmap v ipv4 interval: 1-5=>goto:two 6-9=>drop\nchain c\n _: vmap@v\nchain two\n a: accept",
        "staged: add chain two\n\
         staged: add map v\n\
         staged: add 2 elements v: 1-5 6-9\n\
         add rule c last: _\n\
         add rule two last: a",
    );
}

#[test]
fn chain_policy_changes_in_place() {
    check(
        BASE,
        &BASE.replace("0 drop", "0 accept"),
        "replace chain policy of chain input",
    );
}

#[test]
fn another_priority_rebuilds_the_chain_and_keeps_its_counts() {
    check(
        "chain input filter input 0 drop\n a: mark=1 counter accept\n b: mark=2 counter drop",
        "chain input filter input 5 drop\n a: mark=1 counter accept\n b: mark=3 counter drop",
        "flush chain input\n\
         delete chain input\n\
         add base chain input\n\
         add rule input last: a packets 1\n\
         add rule input last: b packets 2",
    );
}

#[test]
fn a_set_of_another_type_takes_its_rules_with_it() {
    check(
        "set s mark: 1\nlimit l 5\nchain c\n a: @s counter accept\n b: limit:l counter drop\n d: mark=4 drop",
        "set s mark interval: 1-2\nlimit l 6\nchain c\n a: @s counter accept\n b: limit:l counter drop\n d: mark=4 drop",
        "delete rule c handle 4\n\
         delete rule c handle 5\n\
         delete set s\n\
         delete limit l\n\
         add limit l\n\
         add set s\n\
         add 1 element s: 1-2\n\
         add rule c before 6: a packets 1\n\
         add rule c before 6: b packets 2",
    );
}

#[test]
fn a_comment_on_a_set_is_no_reason_to_rebuild_it() {
    let mut kernel = kernel("set s mark: 1\nchain c\n a: @s accept");
    kernel.tamper(|table| table.sets[0].set.spec.comment = Some("old words".to_owned()));
    let live = kernel.observe().unwrap();
    let desired = program("set s mark: 1\nchain c\n a: @s accept");
    assert!(plan(&live, &desired, MARK).is_empty());
}

#[test]
fn a_dynamic_set_gets_other_bounds_in_place() {
    let to = |bounds: &str| {
        from_to(
            "set m ipv4 dynamic timeout=60000 size=9\nchain c\n a: meter@m accept",
            &format!("set m ipv4 dynamic{bounds}\nchain c\n a: meter@m accept"),
        )
    };
    let in_place = "replace timeout and size of set m\n";
    assert_eq!(to(" timeout=5000 size=9"), in_place);
    assert_eq!(to(" timeout=60000 size=7"), in_place);
    // The kernel makes no set with timeouts of one without, nor the other way round.
    for bounds in [" size=9", " timeout=60000"] {
        let anew = to(bounds);
        assert!(anew.contains("delete set m"), "{anew}");
    }
}

#[test]
fn what_is_dynamic_is_left_alone() {
    let text = "set m ipv4 dynamic timeout=60000\nchain c\n a: meter@m accept";
    let mut kernel = kernel(text);
    kernel.tamper(|table| {
        let element = Element {
            key: rfw::ruleset::Key::exact([1, 2, 3, 4]),
            datum: None,
            name: None,
            count: None,
        };
        table.sets[0].set.elements = vec![element].into();
    });
    let live = kernel.observe().unwrap();
    assert!(plan(&live, &program(text), MARK).is_empty());
}

#[test]
fn a_dormant_table_is_made_right_first_and_then_woken() {
    let mut kernel = kernel(BASE);
    kernel.tamper(|table| table.flags |= 1);
    let live = kernel.observe().unwrap();
    let desired = program(&BASE.replace("mark=2", "mark=8"));
    let plan = plan(&live, &desired, MARK);
    assert_eq!(
        show(&plan),
        "staged: replace rule input handle 3: b\nreplace flags of table by 0\n"
    );
}

#[test]
fn what_others_left_in_the_table_goes() {
    let mut kernel = kernel(BASE);
    kernel.tamper(|table| {
        table.objects.push(rfw::live::LiveObject {
            handle: 99,
            object: rfw::ruleset::Object {
                name: "fast".to_owned(),
                kind: rfw::ruleset::ObjectKind::Other(rfw::ruleset::FLOWTABLE),
                origin: None,
            },
        });
        let mut foreign = table.chains[0].clone();
        foreign.name = "__chain0".to_owned();
        foreign.base = None;
        foreign.anonymous = true;
        foreign.rules.truncate(1);
        table.chains[0].rules[1].instructions.insert(
            0,
            Instruction::Verdict(rfw::ruleset::Verdict::Jump("__chain0".to_owned())),
        );
        foreign.rules[0].instructions.insert(
            0,
            Instruction::Opaque {
                name: "flow_offload".to_owned(),
                data: vec![1],
            },
        );
        table.chains.insert(0, foreign);
    });
    let live = kernel.observe().unwrap();
    let plan = plan(&live, &program(BASE), MARK);
    assert_eq!(
        show(&plan),
        "replace rule input handle 3: b\ndelete flowtable fast\n"
    );
}

#[test]
fn removing_is_one_operation_on_our_table() {
    let live = kernel(BASE).observe().unwrap();
    assert_eq!(show(&rfw::plan::remove(&live)), "delete table\n");
    let live = FakeKernel::new().observe().unwrap();
    assert!(rfw::plan::remove(&live).is_empty());
}

#[test]
fn ten_thousand_rules_are_compared_in_linear_time() {
    let mut text = "chain input filter input 0 drop\n".to_owned();
    for rule in 0..10_000 {
        text += &format!(" r{rule}: mark={rule} counter accept\n");
    }
    let live = kernel(&text).observe().unwrap();
    let mut desired = program(&text);
    let rules = &mut desired.chains[0].rules;
    // The worst for a search: all rules turned round, but for one.
    rules[1..].reverse();
    let plan = plan(&live, &desired, MARK);
    assert_eq!(plan.commit.len(), 2 * 9_998);
}
