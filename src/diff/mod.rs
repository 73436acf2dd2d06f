//! What tells the live ruleset from the desired one: a value, object by object.
//!
//! It compares what the kernel runs, never names or comments alone: a rule whose comment is right and
//! whose body was changed by hand is a difference. It decides nothing; in which order and by which
//! operations the one becomes the other is `plan`'s.

mod longest;
mod matching;
mod rebuild;
mod rules;
mod sets;

use std::collections::BTreeMap;

use crate::bytecode::{Chain, Program};
use crate::live::{Live, LiveChain, LiveObject, LiveSet, Table};
use crate::ruleset::{Base, Object, Set};

use rebuild::Rebuild;
pub use rules::RuleDiff;
pub use sets::{ElementDiff, SetDiff};

/// `NFT_TABLE_F_DORMANT`: the table is there, and no packet meets it.
const DORMANT: u32 = 1;

/// All differences. What is equal is not mentioned.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Diff<'a> {
    /// The table itself.
    pub table: TableDiff,
    /// Sets, by name.
    pub sets: Vec<SetDiff<'a>>,
    /// Stateful objects, by name and kind.
    pub objects: Vec<ObjectDiff<'a>>,
    /// Chains, by name.
    pub chains: Vec<ChainDiff<'a>>,
}

/// What is to be said about the table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TableDiff {
    /// Nothing.
    #[default]
    Same,
    /// It is not there.
    Missing,
    /// Somebody put it to sleep: no packet meets it.
    Dormant {
        /// Its flags, as they would be awake.
        awake: u32,
    },
}

/// One difference between two stateful objects. The kernel cannot change one in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectDiff<'a> {
    /// Only desired.
    Added(&'a Object),
    /// Only live.
    Removed(&'a Object),
    /// Another object of the same name and kind.
    Rebuilt {
        /// The object as it is.
        live: &'a Object,
        /// The object as it should be.
        object: &'a Object,
    },
}

/// The differences in one chain.
#[derive(Clone, Debug, PartialEq)]
pub struct ChainDiff<'a> {
    /// The name.
    pub name: &'a str,
    /// The chain itself.
    pub change: ChainChange,
    /// The chain as it is, if it is there.
    pub live: Option<&'a LiveChain>,
    /// Its rules, in their desired order; those that only exist live stand where they were.
    pub rules: Vec<RuleDiff<'a>>,
}

/// What is to be said about a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChainChange {
    /// It stays as it is.
    Kept,
    /// Only desired.
    Added(Option<Base>),
    /// Only live.
    Removed,
    /// Its chain policy changes, in place.
    Policy(Base),
    /// Its type, hook or priority changes, which the kernel cannot do in place.
    Rebuilt(Option<Base>),
}

impl Diff<'_> {
    /// Whether live and desired do the same to every packet.
    pub fn is_empty(&self) -> bool {
        let Self {
            table,
            sets,
            objects,
            chains,
        } = self;
        *table == TableDiff::Same && sets.is_empty() && objects.is_empty() && chains.is_empty()
    }
}

/// Compares the live ruleset with the desired one. O(n log n) in the number of rules and elements.
pub fn diff<'a>(live: &'a Live, desired: &'a Program) -> Diff<'a> {
    static NO_TABLE: Table = Table {
        handle: 0,
        flags: 0,
        mark: None,
        sets: Vec::new(),
        objects: Vec::new(),
        chains: Vec::new(),
    };
    let Live {
        generation: _,
        table,
        others: _,
    } = live;
    let Table {
        handle: _,
        flags,
        mark: _,
        sets,
        objects,
        chains,
    } = table.as_ref().unwrap_or(&NO_TABLE);

    let sets = diff_sets(sets, &desired.sets);
    let objects = diff_objects(objects, &desired.objects);
    let pairs = pair_chains(chains, &desired.chains);
    let rebuild = what_is_rebuilt(&sets, &objects, &pairs);
    let chains = pairs
        .into_iter()
        .filter_map(|(name, (live, chain))| diff_chain(name, live, chain, &rebuild))
        .collect();
    Diff {
        table: match table {
            None => TableDiff::Missing,
            Some(_) if flags & DORMANT != 0 => TableDiff::Dormant {
                awake: flags & !DORMANT,
            },
            Some(_) => TableDiff::Same,
        },
        sets,
        objects,
        chains,
    }
}

/// What has one key, live and desired. Keys come out sorted.
type Pairs<K, L, D> = BTreeMap<K, (Option<L>, Option<D>)>;

fn pair<K: Ord, L, D>(
    live: impl Iterator<Item = (K, L)>,
    desired: impl Iterator<Item = (K, D)>,
) -> Pairs<K, L, D> {
    let mut pairs: Pairs<K, L, D> = live.map(|(key, live)| (key, (Some(live), None))).collect();
    for (key, desired) in desired {
        pairs.entry(key).or_insert((None, None)).1 = Some(desired);
    }
    pairs
}

fn diff_sets<'a>(live: &'a [LiveSet], desired: &'a [Set]) -> Vec<SetDiff<'a>> {
    // An anonymous set comes and goes with its rule, and the rule is compared.
    let named = live.iter().filter(|live| !live.anonymous);
    pair(
        named.map(|live| (live.set.spec.name.as_str(), live)),
        desired.iter().map(|set| (set.spec.name.as_str(), set)),
    )
    .into_values()
    .filter_map(|(live, set)| sets::diff(live, set))
    .collect()
}

fn diff_objects<'a>(live: &'a [LiveObject], desired: &'a [Object]) -> Vec<ObjectDiff<'a>> {
    fn key(object: &Object) -> ((&str, u32), &Object) {
        ((&object.name, object.kind.number()), object)
    }
    pair(
        live.iter().map(|live| key(&live.object)),
        desired.iter().map(key),
    )
    .into_values()
    .filter_map(|pair| match pair {
        (None, None) => None,
        (None, Some(object)) => Some(ObjectDiff::Added(object)),
        (Some(live), None) => Some(ObjectDiff::Removed(live)),
        (Some(live), Some(object)) => {
            (live.kind != object.kind).then_some(ObjectDiff::Rebuilt { live, object })
        }
    })
    .collect()
}

fn pair_chains<'a>(
    live: &'a [LiveChain],
    desired: &'a [Chain],
) -> Pairs<&'a str, &'a LiveChain, &'a Chain> {
    let named = live.iter().filter(|live| !live.anonymous);
    pair(
        named.map(|live| (live.name.as_str(), live)),
        desired.iter().map(|chain| (chain.name.as_str(), chain)),
    )
}

fn what_is_rebuilt<'a>(
    sets: &[SetDiff<'a>],
    objects: &[ObjectDiff<'a>],
    chains: &Pairs<&'a str, &'a LiveChain, &'a Chain>,
) -> Rebuild<'a> {
    Rebuild {
        sets: sets
            .iter()
            .filter_map(|diff| match diff {
                SetDiff::Rebuilt { set, .. } => Some(set.spec.name.as_str()),
                SetDiff::Added(_)
                | SetDiff::Removed(_)
                | SetDiff::Bounded { .. }
                | SetDiff::Changed { .. } => None,
            })
            .collect(),
        objects: objects
            .iter()
            .filter_map(|diff| match diff {
                ObjectDiff::Rebuilt { object, .. } => {
                    Some((object.kind.number(), object.name.as_str()))
                }
                ObjectDiff::Added(_) | ObjectDiff::Removed(_) => None,
            })
            .collect(),
        chains: chains
            .iter()
            .filter(|(_, (live, chain))| matches!(change(*live, *chain), ChainChange::Rebuilt(_)))
            .map(|(name, _)| *name)
            .collect(),
    }
}

fn diff_chain<'a>(
    name: &'a str,
    live: Option<&'a LiveChain>,
    chain: Option<&'a Chain>,
    rebuild: &Rebuild<'_>,
) -> Option<ChainDiff<'a>> {
    let change = change(live, chain);
    let rules = rules::diff(
        live.map_or(&[][..], |live| &live.rules),
        chain.map_or(&[][..], |chain| &chain.rules),
        |rule| matches!(change, ChainChange::Rebuilt(_)) || rebuild.holds_up(&rule.instructions),
    );
    (change != ChainChange::Kept || !rules.is_empty()).then_some(ChainDiff {
        name,
        change,
        live,
        rules,
    })
}

/// What happens to the chain itself, its rules aside.
fn change(live: Option<&LiveChain>, chain: Option<&Chain>) -> ChainChange {
    match (live, chain) {
        (_, None) => ChainChange::Removed,
        (None, Some(chain)) => ChainChange::Added(chain.base),
        (Some(live), Some(chain)) if live.base == chain.base => ChainChange::Kept,
        (Some(live), Some(chain)) => match (live.base, chain.base) {
            (Some(live), Some(base)) if is_same_hook(live, base) => ChainChange::Policy(base),
            _ => ChainChange::Rebuilt(chain.base),
        },
    }
}

/// Whether only the chain policy may differ.
fn is_same_hook(live: Base, base: Base) -> bool {
    let Base {
        kind,
        hook,
        priority,
        policy: _,
    } = live;
    kind == base.kind && hook == base.hook && priority == base.priority
}
