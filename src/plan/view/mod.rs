//! A plan for eyes and programs: one change for each thing in the table that is not as it should be.
//!
//! It is a view of the differences, not of the operations: a moved rule is one change, although it takes
//! two operations. What `--format json` prints; the shape is published and versioned.

mod changes;
mod settings;

pub use settings::{FileChange, SettingChange, Settings, UnavailableSetting};

use std::ops::AddAssign;

use schemars::JsonSchema;
use serde::Serialize;

use super::{Operation, Plan};
use crate::bytecode::Program;
use crate::diff::diff;
use crate::live::{Assumed, Live};
use crate::ruleset::Origin;
use crate::system::Difference;
use crate::view::{Switch, schema};

/// How many elements of a new set are shown when not all are wanted.
const FEW: usize = 10;

/// Everything that would change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct View {
    /// Of this shape: 1.
    pub version: u32,
    /// The live generation that the plan was made from; 0: of another revision, and not of the kernel.
    pub generation: u32,
    /// The changes: the table, then objects, sets and chains by name, each before what is in it.
    pub changes: Vec<Change>,
    /// The settings of the box.
    pub settings: Settings,
    /// How many of what.
    pub summary: Summary,
    /// Operations in the staging batch, which no packet notices.
    pub staged_operations: usize,
    /// Operations in the batch that changes behaviour.
    pub operations: usize,
    /// What the schedules of the policy do next, the soonest first, as far as the caller knows it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub next: Vec<Switch>,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Change {
    /// What happens.
    pub verb: Verb,
    /// To what it happens.
    pub object: Subject,
    /// The chain of a rule, the set of an element; the own name of everything else.
    pub parent: String,
    /// The stable name of a rule, or of the rule an element stands for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The kernel's handle of a live rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handle: Option<u64>,
    /// Where in the policy it comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// The same as file and line, when the caller knows them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// It, in nft's notation.
    pub text: String,
    /// What it was before, in nft's notation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub was: Option<String>,
    /// Where that was, as file and line; only known where another revision is compared with.
    #[serde(skip)]
    pub was_place: Option<String>,
    /// What is in a new or a removed set, as far as it was wanted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub elements: Vec<String>,
    /// How many elements the new or removed set has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub element_count: Option<usize>,
    /// Whether it is of a raw block, so that nothing rfw says about the policy holds for it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub outside_proofs: bool,
}

/// What happens to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verb {
    /// It comes anew.
    Add,
    /// It is taken away.
    Remove,
    /// It becomes another at its place.
    Replace,
    /// It stays as it is, at another place.
    Move,
    /// It goes and comes back as it was, because of something it refers to.
    Renew,
    /// Nothing; it is named because of what is in it.
    Keep,
}

/// What a change is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// rfw's table.
    Table,
    /// A stateful object.
    Object,
    /// A flowtable.
    Flowtable,
    /// A set, map or verdict map.
    Set,
    /// One of its elements.
    Element,
    /// A chain of rules.
    Chain,
    /// One of its rules.
    Rule,
}

/// How many of what, in the whole plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Summary {
    /// Rules of chains.
    pub rules: Tally,
    /// Elements of sets; those of new and removed sets count.
    pub elements: Tally,
    /// Sets, maps and verdict maps.
    pub sets: Tally,
    /// Stateful objects and flowtables.
    pub objects: Tally,
    /// Chains of rules.
    pub chains: Tally,
}

/// How many of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Tally {
    /// How many come.
    pub added: usize,
    /// How many go.
    pub removed: usize,
    /// Become others at their places.
    pub replaced: usize,
    /// Go to other places.
    pub moved: usize,
    /// Go and come back.
    pub renewed: usize,
}

/// How much of the elements of new and removed sets is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// The first ten of each.
    Few,
    /// All.
    All,
}

impl View {
    /// The view of a plan made from these two.
    pub fn new(live: &Live, desired: &Program, plan: &Plan, detail: Detail) -> Self {
        let few = match detail {
            Detail::Few => FEW,
            Detail::All => usize::MAX,
        };
        let changes = changes::changes(&diff(live, desired), few);
        Self::of(plan, changes)
    }

    /// The view of a plan that only removes the table, or does nothing.
    pub fn of_table(plan: &Plan) -> Self {
        let removes = plan.commit.contains(&Operation::DeleteTable);
        let table = removes.then(|| changes::table(Verb::Remove, None));
        Self::of(plan, table.into_iter().collect())
    }

    /// With what happens to the settings of the box.
    #[must_use]
    pub fn with_settings(mut self, difference: &Difference) -> Self {
        self.settings = Settings::of(difference);
        self
    }

    /// Whether nothing would be done.
    pub fn changes_nothing(&self) -> bool {
        self.changes.is_empty() && self.settings.changes_nothing()
    }

    /// The text of `schema/plan.schema.json`: the shape that `--format json` prints.
    pub fn schema() -> String {
        schema::<Self>("urn:rfw:plan:1", "rfw plan")
    }

    fn of(plan: &Plan, changes: Vec<Change>) -> Self {
        let mut summary = Summary::default();
        for change in &changes {
            summary.count(change);
        }
        Self {
            version: 1,
            generation: plan.base.0,
            changes,
            settings: Settings::default(),
            summary,
            staged_operations: plan.staging.len(),
            operations: plan.commit.len(),
            next: Vec::new(),
        }
    }

    /// Fills in file and line of every change whose origin `locate` knows.
    pub fn locate(&mut self, locate: impl Fn(&Origin) -> Option<String>) {
        for change in &mut self.changes {
            if let Some(origin) = &change.origin {
                change.place = locate(&Origin(origin.clone()));
            }
        }
        for change in &mut self.settings.changes {
            change.place = locate(&Origin(change.origin.clone()));
        }
    }

    /// Fills in where everything that goes or becomes another has been in the revision that is compared with. No handle in
    /// such a view is one of the kernel's: they go.
    pub fn locate_before(&mut self, before: &Assumed, locate: impl Fn(&Origin) -> Option<String>) {
        for change in &mut self.changes {
            let handle = change.handle.take();
            let origin = match change.object {
                Subject::Rule => handle.and_then(|handle| before.rules.get(&handle)),
                Subject::Set | Subject::Object | Subject::Flowtable => {
                    before.named.get(&change.parent)
                }
                Subject::Table | Subject::Element | Subject::Chain => None,
            };
            let place = origin.and_then(&locate);
            match change.verb {
                Verb::Remove => change.place = place,
                Verb::Replace => change.was_place = place,
                Verb::Add | Verb::Move | Verb::Renew | Verb::Keep => {}
            }
        }
    }
}

impl Summary {
    fn count(&mut self, change: &Change) {
        let Self {
            rules,
            elements,
            sets,
            objects,
            chains,
        } = self;
        let tally = match change.object {
            Subject::Table => return,
            Subject::Rule => rules,
            Subject::Element => elements,
            Subject::Set => {
                let count = change.element_count.unwrap_or(0);
                *elements += Tally::of(change.verb, count);
                sets
            }
            Subject::Object | Subject::Flowtable => objects,
            Subject::Chain => chains,
        };
        *tally += Tally::of(change.verb, 1);
    }
}

impl Tally {
    fn of(verb: Verb, count: usize) -> Self {
        let mut tally = Self::default();
        match verb {
            Verb::Add => tally.added = count,
            Verb::Remove => tally.removed = count,
            Verb::Replace => tally.replaced = count,
            Verb::Move => tally.moved = count,
            Verb::Renew => tally.renewed = count,
            Verb::Keep => {}
        }
        tally
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        let Self {
            added,
            removed,
            replaced,
            moved,
            renewed,
        } = self;
        *added += other.added;
        *removed += other.removed;
        *replaced += other.replaced;
        *moved += other.moved;
        *renewed += other.renewed;
    }
}
