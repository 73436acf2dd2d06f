//! Laws of the way from one program to another, over random programs in a small world: few names, so that
//! they meet, and shapes that change under one name, so that things have to be rebuilt.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use rfw::apply::{self, Options, Outcome};
use rfw::bytecode::{Instruction, Program, Rule};
use rfw::kernel::{FakeKernel, Kernel, dump};
use rfw::live::Table;
use rfw::netlink::Netlink;
use rfw::plan::{Operation, Plan, SavedPlan, plan};
use rfw::ruleset::Count;

use super::notation::program;
use super::support::netns::alone_for;

const MARK: [u8; 16] = [7; 16];

/// A random program, in choices that every combination of makes sense.
#[derive(Clone, Debug)]
struct Draft {
    /// `s0` to `s3`.
    sets: Vec<Option<SetDraft>>,
    /// The rates of `l0` and `l1`.
    limits: Vec<Option<u8>>,
    /// The base chains `input` and `output`: the priority and whether the chain policy is drop.
    bases: Vec<Option<(bool, bool, Vec<RuleDraft>)>>,
    /// `c0` to `c3`; the flag makes a base chain of one that nothing leads into.
    chains: Vec<Option<(bool, Vec<RuleDraft>)>>,
}

#[derive(Clone, Debug)]
struct SetDraft {
    shape: Shape,
    counter: bool,
    /// Key, value, name.
    elements: BTreeMap<u8, (u8, u8)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Hash,
    Interval,
    Boxes,
    VerdictMap,
    IntervalVerdictMap,
    Map,
    Dynamic,
}

/// Name, condition, verdict.
#[derive(Clone, Copy, Debug)]
struct RuleDraft(u8, u8, u8);

fn shape(usual: Shape) -> impl Strategy<Value = Shape> {
    let any = prop::sample::select(vec![
        Shape::Hash,
        Shape::Interval,
        Shape::Boxes,
        Shape::VerdictMap,
        Shape::IntervalVerdictMap,
        Shape::Map,
        Shape::Dynamic,
    ]);
    prop_oneof![3 => Just(usual), 1 => any]
}

fn set(usual: Shape) -> impl Strategy<Value = Option<SetDraft>> {
    let elements = prop::collection::btree_map(0..9u8, (0..6u8, 0..9u8), 0..6);
    let draft = (shape(usual), prop::bool::weighted(0.3), elements).prop_map(
        |(shape, counter, elements)| SetDraft {
            shape,
            counter,
            elements,
        },
    );
    prop::option::weighted(0.7, draft)
}

fn rules() -> impl Strategy<Value = Vec<RuleDraft>> {
    let rule = (0..9u8, 0..12u8, 0..8u8)
        .prop_map(|(name, condition, verdict)| RuleDraft(name, condition, verdict));
    prop::collection::vec(rule, 0..7)
}

fn draft() -> impl Strategy<Value = Draft> {
    let sets = (
        set(Shape::Hash),
        set(Shape::Interval),
        set(Shape::VerdictMap),
        set(Shape::Boxes),
    );
    let base = || {
        let some = (prop::bool::weighted(0.15), any::<bool>(), rules());
        prop::option::weighted(0.85, some)
    };
    let chain = || prop::option::weighted(0.7, (prop::bool::weighted(0.1), rules()));
    let limit = || prop::option::weighted(0.6, prop_oneof![4 => Just(5u8), 1 => Just(6)]);
    (
        sets,
        (limit(), limit()),
        (base(), base()),
        (chain(), chain(), chain(), chain()),
    )
        .prop_map(|(sets, limits, bases, chains)| Draft {
            sets: vec![sets.0, sets.1, sets.2, sets.3],
            limits: vec![limits.0, limits.1],
            bases: vec![bases.0, bases.1],
            chains: vec![chains.0, chains.1, chains.2, chains.3],
        })
}

impl Draft {
    /// In the notation: what is chosen and is not there is left out or replaced by something simple.
    fn text(&self) -> String {
        let mut text = String::new();
        for (at, set) in self.sets.iter().enumerate() {
            if let Some(set) = set {
                self.write_set(at, set, &mut text);
            }
        }
        for (at, rate) in self.limits.iter().enumerate() {
            if let Some(rate) = rate {
                let _ = writeln!(text, "limit l{at} {rate}");
            }
        }
        for (hook, base) in ["input", "output"].iter().zip(&self.bases) {
            if let Some((late, drop, rules)) = base {
                let priority = u8::from(*late);
                let policy = if *drop { "drop" } else { "accept" };
                let _ = writeln!(text, "chain {hook} filter {hook} {priority} {policy}");
                self.write_rules(0, rules, &mut text);
            }
        }
        for (at, chain) in self.chains.iter().enumerate() {
            if let Some((_, rules)) = chain {
                if self.is_base(at) {
                    let _ = writeln!(text, "chain c{at} filter forward 0 accept");
                } else {
                    let _ = writeln!(text, "chain c{at}");
                }
                self.write_rules(at + 1, rules, &mut text);
            }
        }
        text
    }

    fn is_base(&self, chain: usize) -> bool {
        matches!(self.chains[chain], Some((true, _)))
    }

    /// The verdict by number. Chains lead into later chains only; elements into the last two.
    fn verdict(&self, number: u8, from: usize) -> String {
        let to =
            |chain: usize| from <= chain && self.chains[chain].is_some() && !self.is_base(chain);
        match number {
            0 if to(0) => "jump:c0".to_owned(),
            1 if to(1) => "goto:c1".to_owned(),
            2 if to(2) => "jump:c2".to_owned(),
            3 if to(3) => "goto:c3".to_owned(),
            4 => "drop".to_owned(),
            _ => "accept".to_owned(),
        }
    }

    fn write_set(&self, at: usize, set: &SetDraft, text: &mut String) {
        let SetDraft {
            shape,
            counter,
            elements,
        } = set;
        let head = match shape {
            Shape::Hash => format!("set s{at} mark"),
            Shape::Interval => format!("set s{at} ipv4 interval"),
            Shape::Boxes => format!("set s{at} ipv4.port interval gc-interval=604800000"),
            Shape::VerdictMap => format!("vmap s{at} mark"),
            Shape::IntervalVerdictMap => format!("vmap s{at} ipv4 interval"),
            Shape::Map => format!("map s{at} mark->ipv4"),
            Shape::Dynamic => format!("set s{at} ipv4 dynamic timeout=60000 size=100"),
        };
        let counter = if *counter && *shape != Shape::Dynamic {
            " counter"
        } else {
            ""
        };
        let _ = write!(text, "{head}{counter}:");
        for (key, (value, name)) in elements {
            if *shape == Shape::Dynamic {
                break;
            }
            // Ranges of ten, which grow with the value and never meet.
            let (lo, hi) = (
                u32::from(*key) * 10,
                u32::from(*key) * 10 + u32::from(*value),
            );
            let key = match shape {
                Shape::Interval | Shape::IntervalVerdictMap => format!("{lo}-{hi}"),
                Shape::Boxes => format!("{lo}-{hi}.{}-{}", value + 1, value + 9),
                Shape::Hash | Shape::VerdictMap | Shape::Map | Shape::Dynamic => key.to_string(),
            };
            let datum = match shape {
                Shape::VerdictMap | Shape::IntervalVerdictMap => {
                    format!("=>{}", self.verdict(*value, 2))
                }
                Shape::Map => format!("=>{value}"),
                Shape::Hash | Shape::Interval | Shape::Boxes | Shape::Dynamic => String::new(),
            };
            let name = if *name < 6 {
                format!("#r{name}")
            } else {
                String::new()
            };
            let _ = write!(text, " {key}{datum}{name}");
        }
        text.push('\n');
    }

    fn write_rules(&self, from: usize, rules: &[RuleDraft], text: &mut String) {
        for RuleDraft(name, condition, verdict) in rules {
            let name = if *name < 6 {
                format!("r{name}")
            } else {
                "_".to_owned()
            };
            let set = usize::from(condition % 4);
            let mut decided = false;
            let mut words = match (condition / 4, &self.sets[set], &self.limits[set % 2]) {
                (0, Some(set_draft), _) => match set_draft.shape {
                    Shape::Hash | Shape::Interval | Shape::Boxes => format!("@s{set}"),
                    Shape::Map => format!("map@s{set}"),
                    Shape::Dynamic => format!("meter@s{set}"),
                    // The last chains are where elements lead.
                    Shape::VerdictMap | Shape::IntervalVerdictMap if from <= 2 => {
                        decided = true;
                        format!("vmap@s{set}")
                    }
                    Shape::VerdictMap | Shape::IntervalVerdictMap => "mark=0".to_owned(),
                },
                (1, _, Some(_)) => format!("limit:l{}", set % 2),
                _ => format!("mark={set}"),
            };
            if verdict % 2 == 0 && !decided {
                words += " counter";
            }
            if !decided {
                words = format!("{words} {}", self.verdict(*verdict, from));
            }
            let _ = writeln!(text, " {name}: {words}");
        }
    }
}

fn apply_to(kernel: &mut dyn Kernel, desired: &Program) -> (Plan, Outcome) {
    let live = kernel.observe().unwrap();
    let plan = plan(&live, desired, MARK);
    let options = Options {
        attempts: 1,
        wait: &mut |_| (),
        recheck: false,
    };
    let outcome = apply::apply(kernel, desired, &plan, options)
        .unwrap_or_else(|error| panic!("{error}\n{error:#?}\n{plan:#?}"));
    (plan, outcome)
}

/// What each name has counted, and on how many rules and elements.
fn counts(table: &Table) -> BTreeMap<String, (u64, usize)> {
    let rules = table
        .chains
        .iter()
        .flat_map(|chain| &chain.rules)
        .filter_map(|rule| Some((rule.name.clone()?, rule.count()?)));
    let elements = table
        .sets
        .iter()
        .flat_map(|set| set.set.elements.rich())
        .filter_map(|element| Some((element.name.clone()?, element.count?)));
    let mut counts = BTreeMap::new();
    for (name, count) in rules.chain(elements) {
        let (sum, times) = counts.entry(name).or_insert((0, 0));
        *sum += count.packets;
        *times += 1;
    }
    counts
}

/// Lets everything count, each rule and element by another number.
fn count_all(kernel: &mut FakeKernel) {
    kernel.tamper(|table| {
        let mut next = 1;
        let mut count = || {
            next *= 2;
            Count {
                packets: next,
                bytes: 0,
            }
        };
        for rule in table.chains.iter_mut().flat_map(|chain| &mut chain.rules) {
            for instruction in &mut rule.instructions {
                if let Instruction::Counter(counter) = instruction {
                    *counter = count();
                }
            }
        }
        for set in &mut table.sets {
            set.set.elements.edit(|elements| {
                for element in elements.iter_mut().filter(|it| it.count.is_some()) {
                    element.count = Some(count());
                }
            });
        }
    });
}

fn fresh(desired: &Program) -> String {
    let mut kernel = FakeKernel::new();
    apply_to(&mut kernel, desired);
    kernel.to_string()
}

proptest! {
    #![proptest_config(Config { cases: 400, failure_persistence: None, ..Config::default() })]

    #[test]
    fn from_anywhere_to_anywhere_and_then_nothing(drafts in prop::collection::vec(draft(), 2..4)) {
        let mut kernel = FakeKernel::new();
        for draft in &drafts {
            let desired = program(&draft.text());
            apply_to(&mut kernel, &desired);
            prop_assert_eq!(kernel.to_string(), fresh(&desired));

            let sent = kernel.committed().len();
            let (plan, outcome) = apply_to(&mut kernel, &desired);
            prop_assert!(plan.is_empty());
            prop_assert_eq!(outcome.before, outcome.after);
            prop_assert_eq!(kernel.committed().len(), sent);
        }
    }

    #[test]
    fn what_was_counted_stays(from in draft(), to in draft()) {
        let mut kernel = FakeKernel::new();
        apply_to(&mut kernel, &program(&from.text()));
        count_all(&mut kernel);
        let before = kernel.table().unwrap().clone();
        apply_to(&mut kernel, &program(&to.text()));
        let after = kernel.table().unwrap();

        let (was, is) = (counts(&before), counts(after));
        for (name, (count, times)) in &was {
            match is.get(name) {
                // One thing stays one thing, whatever it turns into.
                Some((now, 1)) if *times == 1 => prop_assert_eq!(now, count, "{}", name),
                Some((now, _)) => prop_assert!(now <= count, "{} was counted twice", name),
                None => {}
            }
        }
        // A rule that is not touched keeps its handle and its count.
        for chain in &before.chains {
            for rule in &chain.rules {
                let now = after
                    .chains
                    .iter()
                    .filter(|now| now.name == chain.name && now.handle == chain.handle)
                    .flat_map(|now| &now.rules)
                    .find(|now| now.handle == rule.handle);
                if let Some(now) = now && now.instructions.len() == rule.instructions.len()
                    && rfw::bytecode::same(&now.instructions, &rule.instructions)
                {
                    prop_assert_eq!(now.count(), rule.count());
                }
            }
        }
    }

    #[test]
    fn one_edit_is_one_operation(draft in draft(), at in any::<prop::sample::Index>(),
                                 to in any::<prop::sample::Index>(), edit in 0..4u8) {
        let from = program(&draft.text());
        let mut desired = from.clone();
        let chains: Vec<usize> = (0..desired.chains.len())
            .filter(|chain| desired.chains[*chain].rules.len() > 1)
            .collect();
        prop_assume!(!chains.is_empty());
        let rules = &mut desired.chains[chains[at.index(chains.len())]].rules;
        let (at, to) = (at.index(rules.len()), to.index(rules.len()));
        let new = Rule {
            name: Some("new".to_owned()),
            instructions: vec![Instruction::Notrack],
            origin: None,
        };
        let expect = match edit {
            0 => {
                rules.insert(at, new);
                vec!["add"]
            }
            1 => {
                rules.remove(at);
                vec!["delete"]
            }
            2 => {
                rules[at].instructions.push(Instruction::Notrack);
                if rules[at].name.is_some() { vec!["replace"] } else { vec!["delete", "add"] }
            }
            _ => {
                let before = rules.clone();
                let rule = rules.remove(at);
                rules.insert(to, rule);
                if before == *rules { vec![] } else { vec!["delete", "add"] }
            }
        };
        let mut kernel = FakeKernel::new();
        apply_to(&mut kernel, &from);
        let plan = plan(&kernel.observe().unwrap(), &desired, MARK);
        let verbs: Vec<_> = plan
            .commit
            .iter()
            .map(|operation| match operation {
                Operation::AddRule { .. } => "add",
                Operation::DeleteRule { .. } => "delete",
                Operation::ReplaceRule { .. } => "replace",
                _ => "other",
            })
            .collect();
        prop_assert_eq!(verbs, expect);
        prop_assert!(plan.staging.is_empty());
    }

    #[test]
    fn a_saved_plan_is_the_plan(from in draft(), to in draft()) {
        let mut kernel = FakeKernel::new();
        apply_to(&mut kernel, &program(&from.text()));
        let desired = program(&to.text());
        let plan = plan(&kernel.observe().unwrap(), &desired, MARK);
        let saved = SavedPlan { plan, desired, settings: rfw::system::Settings::default(), changes: Vec::new(), policy: super::plan_saved::policy() };
        prop_assert_eq!(SavedPlan::from_json(&saved.to_json().unwrap()).unwrap(), saved);
    }
}

/// The same way on the real kernel: every batch that the fake kernel takes, it takes, and it holds the
/// same then.
#[test]
fn the_real_kernel_follows_the_fake_one() {
    alone_for(Duration::from_secs(120), || {
        let mut netlink = Netlink::open().unwrap();
        let mut fake = FakeKernel::new();
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[42; 32]);
        let mut runner = TestRunner::new_with_rng(Config::default(), rng);
        for step in 0..150 {
            let draft = draft().new_tree(&mut runner).unwrap().current();
            let desired = program(&draft.text());
            apply_to(&mut fake, &desired);
            apply_to(&mut netlink, &desired);
            let live = netlink.observe().unwrap();
            let real = dump(live.table.as_ref().unwrap());
            assert_eq!(real, fake.to_string(), "step {step}\n{}", draft.text());
            assert!(plan(&live, &desired, MARK).is_empty(), "step {step}");
        }
    });
}
