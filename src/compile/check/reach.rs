//! What is never asked because something before it decides everything.
//!
//! Exact, and cheap enough for tens of thousands of rules: for each pair of addresses that rules have, the ports
//! that are decided are kept as disjoint spans. A rule is shadowed if one such pair holds its addresses and the
//! spans hold its ports. Rules that only *together* hold its addresses are not seen.

use std::borrow::Cow;
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
                decided.add(extent, index);
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
struct Decided<'a> {
    pairs: BTreeMap<(Cow<'a, Addresses>, Cow<'a, Addresses>), Spans>,
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

impl<'a> Decided<'a> {
    fn add(&mut self, extent: Extent<'a>, rule: usize) {
        let Extent {
            source,
            destination,
            protocols,
        } = extent;
        self.pairs
            .entry((source, destination))
            .or_default()
            .add(&protocols, rule);
    }

    /// What is decided between two sets of addresses.
    fn between(&self, source: &'a Addresses, destination: &'a Addresses) -> Option<&Spans> {
        self.pairs
            .get(&(Cow::Borrowed(source), Cow::Borrowed(destination)))
    }

    /// The rule that decides every packet.
    fn everything(&self) -> Option<usize> {
        self.between(everyone(), everyone())
            .and_then(|spans| spans.all)
    }

    /// The rules that decide all packets of an extent.
    fn whole(&self, extent: &Extent<'a>) -> Option<BTreeSet<usize>> {
        let Extent {
            source,
            destination,
            protocols,
        } = extent;
        if self.pairs.len() <= PAIRS {
            let mut holding = self
                .pairs
                .iter()
                .filter(|((from, to), _)| extent.is_between(from, to));
            return holding.find_map(|(_, spans)| spans.whole(protocols));
        }
        let all = || Cow::Borrowed(everyone());
        let pairs = [
            (source.clone(), destination.clone()),
            (source.clone(), all()),
            (all(), destination.clone()),
            (all(), all()),
        ];
        let mut holding = pairs.iter().filter_map(|pair| self.pairs.get(pair));
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
        rule.limit.is_none()
            && protocols.all
            && *source == *everyone()
            && *destination == *everyone()
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

#[cfg(test)]
mod tests {
    use super::Spans;
    use crate::compile::check::extent::Protocols;
    use crate::compile::check::tests::{said, said_of_rules};
    use crate::ruleset::{Interval, Transport};
    use proptest::prelude::*;

    #[track_caller]
    fn check(rules: &str, expect: &str) {
        assert_eq!(said_of_rules(rules), expect);
    }

    #[test]
    fn several_rules_can_leave_nothing() {
        check(
            "{ name: low, services: [{ tcp: ['1-1023'] }], action: accept }
             { name: high, services: [{ tcp: ['1024-65535'] }], action: accept }
             { name: web, services: [http, http-alt], action: drop }
             { name: dns, services: [dns], action: accept }",
            "warning[shadowed-rule]: the rule `web` is never asked: `low`, `high` decide all of it\n",
        );
    }

    #[test]
    fn a_whole_protocol_holds_its_ports_and_types() {
        check(
            "{ name: tcp, services: [{ protocol: [tcp] }], action: drop }
             { name: icmp, services: [icmp], action: accept }
             { name: ssh, services: [ssh], action: accept }
             { name: ping, services: [ping], action: accept }
             { name: udp, services: [mosh], action: accept }",
            "warning[shadowed-rule]: the rule `ssh` is never asked: `tcp` decides all of it\n\
             warning[shadowed-rule]: the rule `ping` is never asked: `icmp` decides all of it\n",
        );
    }

    #[test]
    fn addresses_within_addresses() {
        check(
            "{ name: half, services: [ssh], source: [192.168.0.0/17], action: drop }
             { name: host, services: [ssh], source: [192.168.1.1], action: accept }
             { name: other-half, services: [ssh], source: [192.168.128.1], action: accept }
             { name: all, services: [ssh], action: accept }
             { name: six, services: [ssh], source: ['fd00::1'], action: accept }",
            "warning[shadowed-rule]: the rule `host` is never asked: `half` decides all of it\n\
             warning[shadowed-rule]: the rule `six` is never asked: `all` decides all of it\n",
        );
    }

    #[test]
    fn beyond_a_limit_the_next_rule_is_asked() {
        check(
            "{ name: some, services: [ssh], action: accept, limit: { rate: 1/minute } }
             { name: more, services: [ssh], action: drop }",
            "",
        );
    }

    #[test]
    fn many_pairs_of_addresses_are_still_told_apart() {
        let mut rules: String = (0..100)
            .map(|host| format!("{{ name: r{host}, services: [ssh], source: [192.168.1.{host}], action: accept }}\n"))
            .collect();
        rules += "{ name: again, services: [ssh], source: [192.168.1.7], action: drop }";
        check(
            &rules,
            "warning[shadowed-rule]: the rule `again` is never asked: `r7` decides all of it\n",
        );
    }

    #[test]
    fn policies_end_pair_by_pair() {
        let policies = |rest: &str| {
            said(&format!(
                "version: 1\n\
                 zones: {{ lan: {{ interfaces: [eth1] }}, wan: {{ interfaces: [eth0] }} }}\n\
                 policies:\n  - {{ name: a, from: lan, to: [wan, firewall], default: accept }}\n{rest}"
            ))
        };
        assert_eq!(
            policies("  - { name: b, from: [lan, wan], to: [wan, firewall], default: drop }"),
            ""
        );
        assert_eq!(
            policies("  - { name: b, from: lan, to: wan, default: drop }"),
            "warning[unreachable-policy]: the policy `b` is never asked\n"
        );
        // The last pair of `b`, the box with itself, is never asked anyway.
        assert_eq!(
            policies(
                "  - { name: w, from: wan, to: any, default: drop }\n  - { name: b, from: [wan, firewall], to: firewall, default: drop }"
            ),
            "warning[unreachable-policy]: the policy `b` is never asked\n"
        );
    }

    fn ports(lo: u16, hi: u16) -> Protocols {
        let ports = Interval::new(lo.min(hi), lo.max(hi)).into_iter().collect();
        Protocols {
            ports: [(Transport::Tcp, ports)].into(),
            ..Protocols::default()
        }
    }

    proptest! {
        /// The spans agree with a table of all ports.
        #[test]
        fn spans_are_a_table(rules in prop::collection::vec((0..50u16, 0..50u16), 0..12), asked in (0..50u16, 0..50u16)) {
            let mut spans = Spans::default();
            let mut table: Vec<Option<usize>> = vec![None; 50];
            for (rule, (lo, hi)) in rules.iter().enumerate() {
                spans.add(&ports(*lo, *hi), rule);
                for port in *lo.min(hi)..=*lo.max(hi) {
                    table[usize::from(port)].get_or_insert(rule);
                }
            }
            let asked = (asked.0.min(asked.1), asked.0.max(asked.1));
            let expect = (asked.0..=asked.1).map(|port| table[usize::from(port)]).collect();
            prop_assert_eq!(spans.whole(&ports(asked.0, asked.1)), expect);
        }
    }
}
