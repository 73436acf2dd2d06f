//! A live ruleset that nobody has read: what the kernel would hold if it held exactly a program.
//!
//! It is what two revisions of a policy are compared by where there is no kernel to ask.

use std::collections::BTreeMap;

use super::{Generation, Live, LiveChain, LiveObject, LiveRule, LiveSet, Table};
use crate::bytecode::{Chain, Program, Rule};
use crate::ruleset::{Object, Origin, Set};

/// The live ruleset that a program would be, and where its rules come from, which no kernel knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assumed {
    /// It, at generation 0, which no kernel has.
    pub live: Live,
    /// The origin of each rule, by the handle it has here.
    pub rules: BTreeMap<u64, Origin>,
    /// The origins of sets and stateful objects, by name.
    pub named: BTreeMap<String, Origin>,
}

impl Assumed {
    /// No table at all.
    #[must_use]
    pub fn nothing() -> Self {
        Self {
            live: Live {
                generation: Generation(0),
                table: None,
                others: Vec::new(),
            },
            rules: BTreeMap::new(),
            named: BTreeMap::new(),
        }
    }

    /// A table that holds exactly this.
    #[must_use]
    pub fn of(program: Program) -> Self {
        let Program {
            sets,
            objects,
            chains,
        } = program;
        let mut assumed = Self::nothing();
        let mut handle = 0;
        let mut table = Table {
            handle: 1,
            mark: Some([0; 16]),
            ..Table::default()
        };
        for set in sets {
            handle += 1;
            let Set {
                spec,
                elements,
                origin,
            } = set;
            assumed.name(&spec.name, origin);
            table.sets.push(LiveSet {
                handle,
                set: Set {
                    spec,
                    elements,
                    origin: None,
                },
                unknown: Vec::new(),
                anonymous: false,
            });
        }
        for object in objects {
            handle += 1;
            let Object { name, kind, origin } = object;
            assumed.name(&name, origin);
            let object = Object {
                name,
                kind,
                origin: None,
            };
            table.objects.push(LiveObject { handle, object });
        }
        for chain in chains {
            handle += 1;
            let Chain { name, base, rules } = chain;
            let mut live = LiveChain {
                handle,
                name,
                base,
                anonymous: false,
                rules: Vec::with_capacity(rules.len()),
            };
            for rule in rules {
                handle += 1;
                let Rule {
                    name,
                    instructions,
                    origin,
                } = rule;
                assumed.rules.extend(origin.map(|origin| (handle, origin)));
                live.rules.push(LiveRule {
                    handle,
                    name,
                    instructions,
                });
            }
            table.chains.push(live);
        }
        assumed.live.table = Some(table);
        assumed
    }

    fn name(&mut self, name: &str, origin: Option<Origin>) {
        let origin = origin.map(|origin| (name.to_owned(), origin));
        self.named.extend(origin);
    }
}
