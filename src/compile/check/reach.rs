//! What is never asked because something before it decides everything.
//!
//! Exact as far as it goes: nothing is pointed out that could be asked after all. What it does not see is said in
//! [`super::decided`].

use std::collections::{BTreeMap, BTreeSet};

use super::decided::Decided;
use super::extent::{Extent, everyone};
use super::rule::{extent, is_exact};
use crate::compile::model::{Action, Model, Rule, Side, ZonePolicy};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, DocPath};
use crate::ruleset::Family;

/// Points out rules that an earlier rule of their policy leaves nothing to.
pub(super) fn rules(model: &Model, diagnostics: &mut Diagnostics) {
    for policy in &model.policies {
        let mut decided = Decided::with_capacity(policy.rules.len());
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
            } else if !rule.is_limited() && is_exact(rule, model) {
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
        !rule.is_limited()
            && is_exact(rule, model)
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
            "no policy accepts anything from a zone to `firewall`",
        )
        .help("write a policy to `firewall` with a rule for ssh, unless the box has a console");
        diagnostics.push(diagnostic);
    }
}

#[cfg(test)]
mod tests {
    use crate::compile::check::tests::{said, said_of_rules};

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
    fn a_host_part_is_neither_everybody_nor_nobody() {
        check(
            "{ name: a, services: [ssh], source: ['::1/-64'], action: drop }
             { name: b, services: [ssh], source: ['fd00::/64', '::2/-64', '::1/-48'], action: drop }
             { name: c, services: [ssh], source: ['fd00::7'], action: accept }
             { name: d, services: [ssh], source: { not: ['::1/-64'] }, connlimit: { max: 1, per: source }, action: accept }
             { name: e, services: [ssh], source: ['192.168.0.0/16', 'fd00::/16'], action: accept }
             { name: f, services: [ssh], source: ['::1/-64', 192.168.0.1], action: accept }",
            "",
        );
        check(
            "{ name: a, services: [ssh], action: drop }
             { name: b, services: [ssh], source: ['::1/-64'], action: accept }",
            "warning[shadowed-rule]: the rule `b` is never asked: `a` decides all of it\n",
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
}
