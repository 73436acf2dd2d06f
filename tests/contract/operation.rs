//! What all cases start from, and the operations that they are made of, in few words.

use rfw::bytecode::{Instruction, LookupResult, Program, Register, Rule};
use rfw::live::{Live, Table};
use rfw::plan::{Operation, Place};
use rfw::ruleset::{Base, ChainPolicy, ChainType, Elements, Hook, SetSpec};

use crate::notation::program;

/// What all cases start from.
pub(super) const SETUP: &str = "
set ports port: 22 80
set nets ipv4 interval gc-interval=604800000: 10-19 30-39
set full mark size=2: 1 2
set fed ipv4 dynamic timeout=60000 size=100
set mixed ipv4.port interval: 1-5.10-19
map backends mark->ipv4: 0=>1
vmap ways mark: 1=>jump:leaf 2=>accept
limit slow 5
chain input filter input 0 drop
 a: mark=1 counter accept
 b: @ports counter accept
 c: @nets counter drop
 d: vmap@ways
 e: limit:slow counter accept
chain leaf
 f: mark=5 counter accept
chain lonely
 g: mark=6 drop
 h: mark=7 drop
chain spare
chain out nat postrouting 100 accept
";

/// A rule of the notation, in a program that has the sets of [`SETUP`].
pub(super) fn rule(text: &str) -> Rule {
    let sets = SETUP.split_once("limit").map_or("", |(sets, _)| sets);
    let Program { chains, .. } = program(&format!("{sets}chain x\n {text}"));
    chains[0].rules[0].clone()
}

pub(super) fn spec(name: &str) -> SetSpec {
    let setup = program(SETUP);
    let set = setup.sets.iter().find(|set| set.spec.name == name);
    set.expect("a set of the setup").spec.clone()
}

pub(super) fn table(live: &Live) -> &Table {
    live.table.as_ref().expect("the setup made a table")
}

/// The handle of a rule of the setup.
pub(super) fn handle(live: &Live, name: &str) -> u64 {
    let mut rules = table(live).chains.iter().flat_map(|chain| &chain.rules);
    let rule = rules.find(|rule| rule.name.as_deref() == Some(name));
    rule.expect("a rule of the setup").handle
}

pub(super) fn base(hook: Hook, priority: i32, kind: ChainType, policy: ChainPolicy) -> Base {
    Base {
        kind,
        hook,
        priority,
        policy,
    }
}

pub(super) const INPUT: Base = Base {
    kind: ChainType::Filter,
    hook: Hook::Input,
    priority: 0,
    policy: ChainPolicy::Drop,
};

pub(super) fn add_chain(name: &str, base: Option<Base>) -> Operation {
    Operation::AddChain {
        name: name.to_owned(),
        base,
    }
}

pub(super) fn delete_chain(name: &str) -> Operation {
    Operation::DeleteChain {
        name: name.to_owned(),
    }
}

pub(super) fn flush(chain: &str) -> Operation {
    Operation::FlushChain {
        chain: chain.to_owned(),
    }
}

pub(super) fn add_set(spec: SetSpec) -> Operation {
    Operation::AddSet { spec, origin: None }
}

pub(super) fn set_bounds(name: &str, change: impl FnOnce(&mut SetSpec)) -> Operation {
    let mut spec = spec(name);
    change(&mut spec);
    Operation::SetBounds { spec }
}

pub(super) fn delete_set(name: &str) -> Operation {
    Operation::DeleteSet {
        name: name.to_owned(),
    }
}

/// Elements of a set of the setup, in the notation.
pub(super) fn elements(set: &str, text: &str) -> (SetSpec, Elements) {
    let line = SETUP
        .lines()
        .find(|line| line.split_whitespace().nth(1) == Some(set))
        .expect("a set of the setup");
    let head = line.split_once(':').map_or(line, |(head, _)| head);
    let set = program(&format!("{head}: {text}")).sets.remove(0);
    (set.spec, set.elements)
}

pub(super) fn add(set: &str, text: &str) -> Operation {
    let (set, elements) = elements(set, text);
    Operation::AddElements { set, elements }
}

pub(super) fn delete(set: &str, text: &str) -> Operation {
    let (set, elements) = elements(set, text);
    Operation::DeleteElements { set, elements }
}

pub(super) fn add_rule(chain: &str, place: Place, text: &str) -> Operation {
    Operation::AddRule {
        chain: chain.to_owned(),
        place,
        rule: rule(text),
    }
}

pub(super) fn append(chain: &str, instructions: Vec<Instruction>) -> Operation {
    Operation::AddRule {
        chain: chain.to_owned(),
        place: Place::Last,
        rule: Rule {
            name: None,
            instructions,
            origin: None,
        },
    }
}

pub(super) fn replace(live: &Live, chain: &str, name: &str, text: &str) -> Operation {
    Operation::ReplaceRule {
        chain: chain.to_owned(),
        handle: handle(live, name),
        rule: rule(text),
    }
}

pub(super) fn delete_rule(chain: &str, handle: u64) -> Operation {
    Operation::DeleteRule {
        chain: chain.to_owned(),
        handle,
        name: None,
    }
}

pub(super) fn before(live: &Live, name: &str) -> Place {
    Place::Before(handle(live, name))
}

pub(super) fn set_policy(name: &str, base: Base) -> Operation {
    Operation::SetChainPolicy {
        name: name.to_owned(),
        base,
    }
}

pub(super) fn lookup(set: &str, result: LookupResult) -> Vec<Instruction> {
    vec![
        Instruction::Meta {
            key: 3,
            to: Register(0),
        },
        Instruction::Lookup {
            set: set.to_owned(),
            from: Register(0),
            result,
        },
    ]
}
