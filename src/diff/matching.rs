//! Which desired rule is which live one.

use std::hash::{Hash, Hasher};

use super::longest::{longest, pairs};
use crate::bytecode::{self, Instruction, Rule};
use crate::live::LiveRule;

/// How a desired rule finds a live one, by position.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Match {
    /// There is none.
    None,
    /// The same rule, at its place.
    Stays(usize),
    /// The same rule, at another place.
    Moves(usize),
    /// Another rule of its name, at its place.
    Replaces(usize),
}

/// What is known so far about which desired rule finds which live one.
pub(super) struct Matching {
    /// For each desired rule.
    pub(super) matches: Vec<Match>,
    /// For each live rule, whether nothing desired is it or takes its place.
    pub(super) gone: Vec<bool>,
}

impl Matching {
    fn set(&mut self, found: Match, live: usize, desired: usize) {
        if let (Some(slot), Some(gone)) = (self.matches.get_mut(desired), self.gone.get_mut(live)) {
            *slot = found;
            *gone = false;
        }
    }

    fn is_free(&self, live: usize) -> bool {
        self.gone.get(live) == Some(&true)
    }

    fn is_open(&self, desired: usize) -> bool {
        self.matches.get(desired) == Some(&Match::None)
    }
}

/// For each desired rule the live one it is, or takes the place of. Rules that are `loose` are not
/// replaced, but may be found.
pub(super) fn match_up(
    live: &[LiveRule],
    desired: &[Rule],
    loose: &impl Fn(&LiveRule) -> bool,
) -> Matching {
    let mut matching = Matching {
        matches: vec![Match::None; desired.len()],
        gone: vec![true; live.len()],
    };

    // Most plans change little: what the ends have in common needs no search.
    let alike = |(live, rule): &(&LiveRule, &Rule)| Body::from(*live) == Body::from(*rule);
    let head = live.iter().zip(desired).take_while(alike).count();
    let tail = live
        .iter()
        .skip(head)
        .rev()
        .zip(desired.iter().skip(head).rev())
        .take_while(alike)
        .count();
    let (live_end, desired_end) = (live.len() - tail, desired.len() - tail);
    for at in 0..head {
        matching.set(Match::Stays(at), at, at);
    }
    for at in 0..tail {
        let (live, desired) = (live_end + at, desired_end + at);
        matching.set(Match::Stays(live), live, desired);
    }
    let inner_live = || live.iter().enumerate().take(live_end).skip(head);
    let inner_desired = || desired.iter().enumerate().take(desired_end).skip(head);

    let equal = pairs(
        inner_live().map(|(at, rule)| (at, Body::from(rule))),
        inner_desired().map(|(at, rule)| (at, Body::from(rule))),
    );
    let stay = longest(&equal);
    for (live, desired) in &stay {
        matching.set(Match::Stays(*live), *live, *desired);
    }
    for (live, desired) in equal {
        if matching.is_free(live) && matching.is_open(desired) {
            matching.set(Match::Moves(live), live, desired);
        }
    }

    // A rule can take the place of another only between the same two that stay.
    let gap_live = |at: usize| stay.partition_point(|(live, _)| *live < at);
    let gap_desired = |at: usize| stay.partition_point(|(_, desired)| *desired < at);
    let same_name = pairs(
        inner_live()
            .filter(|(at, rule)| matching.is_free(*at) && !loose(rule))
            .filter_map(|(at, rule)| Some((at, (gap_live(at), rule.name.as_deref()?)))),
        inner_desired()
            .filter(|(at, _)| matching.is_open(*at))
            .filter_map(|(at, rule)| Some((at, (gap_desired(at), rule.name.as_deref()?)))),
    );
    for (live, desired) in longest(&same_name) {
        matching.set(Match::Replaces(live), live, desired);
    }
    matching
}

/// What makes two rules one: the name, and what they do to a packet, whatever they have counted.
struct Body<'a> {
    name: Option<&'a str>,
    instructions: &'a [Instruction],
}

impl<'a> From<&'a LiveRule> for Body<'a> {
    fn from(rule: &'a LiveRule) -> Self {
        let LiveRule {
            handle: _,
            name,
            instructions,
        } = rule;
        Self {
            name: name.as_deref(),
            instructions,
        }
    }
}

impl<'a> From<&'a Rule> for Body<'a> {
    fn from(rule: &'a Rule) -> Self {
        let Rule {
            name,
            instructions,
            origin: _,
        } = rule;
        Self {
            name: name.as_deref(),
            instructions,
        }
    }
}

impl PartialEq for Body<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && bytecode::same(self.instructions, other.instructions)
    }
}

impl Eq for Body<'_> {}

impl Hash for Body<'_> {
    /// Coarser than equality where counts and inner state would differ; equality decides.
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
        for instruction in self.instructions {
            match instruction {
                Instruction::Counter(_) => 0u8.hash(state),
                Instruction::Dynset { set, op, .. } => (set, op).hash(state),
                other => other.hash(state),
            }
        }
    }
}
