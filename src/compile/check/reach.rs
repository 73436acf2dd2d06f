//! What is never asked because something before it decides everything.
//!
//! Exact, and cheap enough for tens of thousands of rules: for each pair of addresses that rules have, the ports
//! that are decided are kept as disjoint spans. A rule is shadowed if one such pair holds its addresses and the
//! spans hold its ports. Rules that only *together* hold its addresses are not seen.

use std::collections::{BTreeMap, BTreeSet};

use super::extent::{Extent, ICMP, ICMPV6, Protocols, everyone};
use super::rule::extent;
use crate::compile::model::{Action, Model, Rule, Side, ZonePolicy};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, DocPath};
use crate::ruleset::{Addresses, Family, Transport};

/// Up to so many different pairs of addresses all are looked at; beyond that only the rule's own and everybody.
const PAIRS: usize = 64;

/// Points out rules that an earlier rule of their policy leaves nothing to.
pub(super) fn rules(model: &Model, diagnostics: &mut Diagnostics) {
    for policy in &model.policies {
        let mut decided = Decided::default();
        for (index, rule) in policy.rules.iter().enumerate() {
            let extent = extent(rule, model);
            if !Family::BOTH
                .into_iter()
                .any(|family| extent.is_alive(family))
            {
                continue;
            }
            if let Some(first) = decided.everything() {
                after_everything(policy, first, index, diagnostics);
                break;
            }
            if let Some(by) = decided.whole(&extent) {
                diagnostics.push(shadowed(policy, rule, &by));
            } else if rule.limit.is_none() {
                decided.add(&extent, index);
            }
        }
        if let (Some(first), Some(_)) = (
            decided
                .everything()
                .and_then(|first| policy.rules.get(first)),
            policy.default,
        ) {
            let message = format!(
                "the `default` of the policy `{}` is never asked",
                policy.name
            );
            let diagnostic = Diagnostic::warning(Code::UnreachableDefault, message)
                .at_key(policy.at.key("default"), "decides nothing")
                .at(&first.at, "decides everything")
                .help("take one of them out");
            diagnostics.push(diagnostic);
        }
    }
}

fn after_everything(
    policy: &ZonePolicy,
    first: usize,
    index: usize,
    diagnostics: &mut Diagnostics,
) {
    let (Some(all), Some(rule)) = (policy.rules.get(first), policy.rules.get(index)) else {
        return;
    };
    let rest = policy.rules.len() - index;
    let message = match rest {
        1 => format!("the rule `{}` is never asked", rule.name),
        _ => format!(
            "the rule `{}` and what follows are never asked, {rest} rules in all",
            rule.name
        ),
    };
    let diagnostic = Diagnostic::warning(Code::UnreachableRule, message)
        .at(&rule.at, "comes too late")
        .at(&all.at, format!("`{}` decides everything", all.name))
        .help("order counts inside a policy: put the general rule last");
    diagnostics.push(diagnostic);
}

fn shadowed(policy: &ZonePolicy, rule: &Rule, by: &BTreeSet<usize>) -> Diagnostic {
    let earlier: Vec<&Rule> = by
        .iter()
        .filter_map(|index| policy.rules.get(*index))
        .collect();
    let names: Vec<String> = earlier
        .iter()
        .take(3)
        .map(|earlier| format!("`{}`", earlier.name))
        .collect();
    let more = if 3 < earlier.len() { " and others" } else { "" };
    let (names, decide) = (
        names.join(", "),
        if earlier.len() == 1 {
            "decides"
        } else {
            "decide"
        },
    );
    let same = earlier
        .iter()
        .all(|earlier| alike(earlier.action, rule.action));
    let message = format!(
        "the rule `{}` is never asked: {names}{more} {decide} all of it",
        rule.name
    );
    let mut diagnostic = Diagnostic::warning(Code::ShadowedRule, message).at(
        &rule.at,
        if same {
            "says nothing new"
        } else {
            "would decide otherwise"
        },
    );
    for earlier in earlier.iter().take(3) {
        diagnostic = diagnostic.at(&earlier.at, "comes first");
    }
    diagnostic.help(if same {
        "take it out"
    } else {
        "order counts inside a policy: put the special rule first"
    })
}

fn alike(a: Action, b: Action) -> bool {
    matches!(
        (a, b),
        (Action::Accept, Action::Accept)
            | (Action::Drop, Action::Drop)
            | (Action::Reject(_), Action::Reject(_))
    )
}

/// What the rules so far decide.
#[derive(Default)]
struct Decided {
    pairs: BTreeMap<(Addresses, Addresses), Spans>,
}

/// For one pair of addresses: which rule decides which protocol and port.
#[derive(Default)]
struct Spans {
    all: Option<usize>,
    /// First port → last port and rule; disjoint.
    ports: BTreeMap<Transport, BTreeMap<u16, (u16, usize)>>,
    icmp: BTreeMap<u8, usize>,
    icmpv6: BTreeMap<u8, usize>,
    numbers: BTreeMap<u8, usize>,
}

impl Decided {
    fn add(&mut self, extent: &Extent, rule: usize) {
        let pair = (extent.source.clone(), extent.destination.clone());
        self.pairs
            .entry(pair)
            .or_default()
            .add(&extent.protocols, rule);
    }

    /// The rule that decides every packet.
    fn everything(&self) -> Option<usize> {
        self.pairs
            .get(&(everyone(), everyone()))
            .and_then(|spans| spans.all)
    }

    /// The rules that decide all packets of an extent.
    fn whole(&self, extent: &Extent) -> Option<BTreeSet<usize>> {
        let Extent {
            source,
            destination,
            protocols,
        } = extent;
        if self.pairs.len() <= PAIRS {
            let mut holding = self.pairs.iter().filter(|((from, to), _)| {
                let pair = Extent {
                    source: from.clone(),
                    destination: to.clone(),
                    protocols: Protocols::default(),
                };
                pair.covers_addresses(extent)
            });
            return holding.find_map(|(_, spans)| spans.whole(protocols));
        }
        let all = everyone();
        let pairs = [
            (source, destination),
            (source, &all),
            (&all, destination),
            (&all, &all),
        ];
        let mut holding = pairs
            .into_iter()
            .filter_map(|(from, to)| self.pairs.get(&(from.clone(), to.clone())));
        holding.find_map(|spans| spans.whole(protocols))
    }
}

impl Spans {
    fn add(&mut self, protocols: &Protocols, rule: usize) {
        if protocols.all {
            self.all.get_or_insert(rule);
        }
        for (transport, span) in protocols.spans() {
            let spans = self.ports.entry(transport).or_default();
            let mut free = Some(span.lo);
            while let Some(lo) = free.filter(|lo| *lo <= span.hi) {
                let before = spans
                    .range(..=lo)
                    .next_back()
                    .filter(|(_, (hi, _))| lo <= *hi);
                if let Some((_, (hi, _))) = before {
                    free = hi.checked_add(1);
                    continue;
                }
                let next = spans.range(lo..).next().map(|(next, _)| *next);
                let hi = next.map_or(span.hi, |next| span.hi.min(next.saturating_sub(1)));
                spans.insert(lo, (hi, rule));
                free = hi.checked_add(1);
            }
        }
        for kind in &protocols.icmp {
            self.icmp.entry(*kind).or_insert(rule);
        }
        for kind in &protocols.icmpv6 {
            self.icmpv6.entry(*kind).or_insert(rule);
        }
        for number in &protocols.numbers {
            self.numbers.entry(*number).or_insert(rule);
        }
    }

    /// The rules that decide all of some protocols.
    fn whole(&self, protocols: &Protocols) -> Option<BTreeSet<usize>> {
        if let Some(rule) = self.all {
            return Some(BTreeSet::from([rule]));
        }
        if protocols.all {
            return None;
        }
        let mut by = BTreeSet::new();
        for (transport, span) in protocols.spans() {
            if let Some(rule) = self.numbers.get(&transport.number()) {
                by.insert(*rule);
                continue;
            }
            let spans = self.ports.get(&transport)?;
            let mut port = span.lo;
            loop {
                let (_, (hi, rule)) = spans
                    .range(..=port)
                    .next_back()
                    .filter(|(_, (hi, _))| port <= *hi)?;
                by.insert(*rule);
                if span.hi <= *hi {
                    break;
                }
                port = hi.checked_add(1)?;
            }
        }
        for (kinds, decided, number) in [
            (&protocols.icmp, &self.icmp, ICMP),
            (&protocols.icmpv6, &self.icmpv6, ICMPV6),
        ] {
            for kind in kinds {
                by.insert(*decided.get(kind).or_else(|| self.numbers.get(&number))?);
            }
        }
        for number in &protocols.numbers {
            by.insert(*self.numbers.get(number)?);
        }
        Some(by)
    }
}

/// Points out policies all of whose pairs have ended before.
pub(super) fn policies(model: &Model, diagnostics: &mut Diagnostics) {
    let mut ended: BTreeMap<(&Side, &Side), usize> = BTreeMap::new();
    for (index, policy) in model.policies.iter().enumerate() {
        let pairs: Vec<(&Side, &Side)> = pairs(policy).collect();
        let mut by: Option<BTreeSet<usize>> = (!pairs.is_empty()).then(BTreeSet::new);
        for pair in &pairs {
            match (ended.get(pair), &mut by) {
                (Some(earlier), Some(by)) => _ = by.insert(*earlier),
                _ => by = None,
            }
        }
        if let Some(by) = by {
            diagnostics.push(unreachable(
                policy,
                by.iter().filter_map(|earlier| model.policies.get(*earlier)),
            ));
        }
        if ends(policy, model) {
            for pair in pairs {
                ended.entry(pair).or_insert(index);
            }
        }
    }
}

/// The pairs whose packets a policy sees: all but the box with itself.
fn pairs(policy: &ZonePolicy) -> impl Iterator<Item = (&Side, &Side)> {
    let all = policy
        .from
        .iter()
        .flat_map(|from| policy.to.iter().map(move |to| (from, to)));
    all.filter(|pair| *pair != (&Side::Firewall, &Side::Firewall))
}

/// Whether nothing goes on to the next policy.
fn ends(policy: &ZonePolicy, model: &Model) -> bool {
    let decides_all = |rule: &Rule| {
        let Extent {
            source,
            destination,
            protocols,
        } = extent(rule, model);
        rule.limit.is_none() && protocols.all && source == everyone() && destination == everyone()
    };
    policy.default.is_some() || policy.rules.iter().any(decides_all)
}

fn unreachable<'a>(
    policy: &ZonePolicy,
    earlier: impl Iterator<Item = &'a ZonePolicy>,
) -> Diagnostic {
    let message = format!("the policy `{}` is never asked", policy.name);
    let mut diagnostic = Diagnostic::warning(Code::UnreachablePolicy, message).at(
        policy.at.key("name"),
        "everything between its zones has been decided before",
    );
    for earlier in earlier.take(3) {
        diagnostic = diagnostic.at(
            earlier.at.key("name"),
            format!("`{}` decides it", earlier.name),
        );
    }
    diagnostic.help(
        "put it before, or take out the `default` of the earlier policy: without one it passes on",
    )
}

/// Points out that nobody may talk to the box itself, not even by ssh.
pub(super) fn way_in(model: &Model, diagnostics: &mut Diagnostics) {
    let lets_in = |policy: &ZonePolicy| {
        let to_us = policy.to.contains(&Side::Firewall);
        let from_outside = policy.from.iter().any(|side| *side != Side::Firewall);
        let accepts = policy.default == Some(Action::Accept)
            || policy
                .rules
                .iter()
                .any(|rule| rule.action == Action::Accept);
        to_us && from_outside && accepts
    };
    if !model.policies.iter().any(lets_in) {
        let diagnostic = Diagnostic::warning(
            Code::NoWayIn,
            "nobody can reach the box itself, not even by ssh",
        )
        .at_key(
            DocPath::root().key("policies"),
            "no rule here accepts anything from a zone to `firewall`",
        )
        .help("write a policy to `firewall` with a rule for ssh, unless the box has a console");
        diagnostics.push(diagnostic);
    }
}
