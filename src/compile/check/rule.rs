//! One zone policy and each of its rules by itself.

use super::extent::{Extent, everyone, has};
use super::home::Homes;
use super::policy_path;
use crate::compile::model::{Action, Model, RejectWith, Rule, Selected, Selector};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, DocPath};
use crate::policy::Policy;
use crate::ruleset::Family;

/// Points out policies that do nothing, or log nothing.
pub(super) fn policies(policy: &Policy, diagnostics: &mut Diagnostics) {
    for (index, zone_policy) in policy.policies.iter().enumerate() {
        if zone_policy.default.is_some() {
            continue;
        }
        let (name, at) = (&zone_policy.name, policy_path(index));
        if zone_policy.rules.is_empty() {
            let diagnostic = Diagnostic::error(
                Code::PolicyDoesNothing,
                format!("the policy `{name}` does nothing"),
            )
            .at(&at, "has neither `default` nor `rules`")
            .help("write a `default`, or rules, or take it out");
            diagnostics.push(diagnostic);
        }
        if zone_policy.log.is_some() {
            let message = format!("the policy `{name}` logs what it never decides");
            let diagnostic = Diagnostic::error(Code::LogWithoutDefault, message)
                .at_key(
                    at.key("log"),
                    "logs what `default` decides, and there is none",
                )
                .help("write a `default`, or give `log` to the rules");
            diagnostics.push(diagnostic);
        }
    }
}

/// Checks every rule by itself.
pub(super) fn rules(model: &Model, diagnostics: &mut Diagnostics) {
    for policy in &model.policies {
        let homes = Homes::of(policy, model);
        for rule in &policy.rules {
            self::rule(rule, &homes, model, diagnostics);
        }
    }
}

fn rule(rule: &Rule, homes: &Homes<'_>, model: &Model, diagnostics: &mut Diagnostics) {
    let Rule {
        name: _,
        services,
        source,
        destination,
        action,
        schedule: _,
        limit,
        most_connections,
        offload: _,
        adds_source_to: _,
        log: _,
        at,
    } = rule;
    let extent = Extent::of(services, source, destination, model);
    if matches!(action, Action::Reject(RejectWith::TcpReset)) && !extent.protocols.have_tcp() {
        let diagnostic = Diagnostic::error(Code::ResetWithoutTcp, "a TCP reset answers TCP only")
            .at(
                at.key("reject_with"),
                "answers nothing that this rule rejects",
            )
            .at_key(at.key("services"), "none of these is TCP")
            .help(
                "leave `reject_with` out: TCP is reset by default, the rest is told in its own way",
            );
        diagnostics.push(diagnostic);
    }
    let key = match (limit, most_connections) {
        (Some(_), _) => Some("limit"),
        (None, Some(_)) => Some("connlimit"),
        (None, None) => None,
    };
    if let Some(key) = key.filter(|_| *action != Action::Accept) {
        let word = if *action == Action::Drop {
            "drops"
        } else {
            "rejects"
        };
        let message = format!(
            "the rule `{}` {word} only so many, and lets the rest go on",
            rule.name
        );
        let diagnostic = Diagnostic::warning(Code::LimitOnBlock, message)
            .at_key(at.key(key), "beyond it the rule does not match")
            .at(at.key("action"), format!("{word} what is within the limit"))
            .help("to limit what comes in, limit a rule that accepts; to limit log lines, use `rate` of `log`");
        diagnostics.push(diagnostic);
    }
    if can_match(&extent, source, destination, at, diagnostics) {
        if !source.include.is_empty() && !source.is_vague(model) {
            homes
                .from
                .check(&extent.source, &at.key("source"), diagnostics);
        }
        if !destination.include.is_empty() && !destination.is_vague(model) {
            homes
                .to
                .check(&extent.destination, &at.key("destination"), diagnostics);
        }
    }
    if *action != Action::Accept {
        blocks_everybody(rule, model, diagnostics);
    }
}

/// Complains about an entry that no packet can match.
pub(super) fn can_match(
    extent: &Extent<'_>,
    source: &Selector,
    destination: &Selector,
    at: &DocPath,
    diagnostics: &mut Diagnostics,
) -> bool {
    for (key, addresses) in [
        ("source", &extent.source),
        ("destination", &extent.destination),
    ] {
        if addresses.is_empty() {
            let diagnostic = Diagnostic::error(
                Code::MatchesNothing,
                format!("no address is left of `{key}`"),
            )
            .at(at.key(key), "leaves nobody")
            .help("take something out of `not`");
            diagnostics.push(diagnostic);
            return false;
        }
    }
    if Family::BOTH
        .into_iter()
        .any(|family| extent.is_alive(family))
    {
        return true;
    }
    let mut parts = Vec::new();
    let selective =
        |selector: &Selector| !selector.include.is_empty() || !selector.exclude.is_empty();
    if selective(source) {
        parts.extend(only(|family| has(&extent.source, family)).map(|word| ("source", word)));
    }
    if selective(destination) {
        parts.extend(
            only(|family| has(&extent.destination, family)).map(|word| ("destination", word)),
        );
    }
    parts.extend(only(|family| extent.protocols.are_in(family)).map(|word| ("services", word)));
    let mut diagnostic =
        Diagnostic::error(Code::FamiliesNeverMeet, "no packet is both IPv4 and IPv6");
    for (key, word) in parts {
        diagnostic = diagnostic.at(at.key(key), format!("{word} only"));
    }
    diagnostics.push(diagnostic.help("write addresses of one family on both sides"));
    false
}

/// The one family that something can be in.
fn only(is_in: impl Fn(Family) -> bool) -> Option<&'static str> {
    match (is_in(Family::Ipv4), is_in(Family::Ipv6)) {
        (true, false) => Some("IPv4"),
        (false, true) => Some("IPv6"),
        (true, true) | (false, false) => None,
    }
}

/// A block list that holds all of a family blocks us, too.
fn blocks_everybody(rule: &Rule, model: &Model, diagnostics: &mut Diagnostics) {
    for (key, selector) in [("source", &rule.source), ("destination", &rule.destination)] {
        for entry in &selector.include {
            let (addresses, whose) = match entry {
                Selected::Group(name) => match model.groups.get(name) {
                    Some(group) => (group, format!("the group `{name}` holds")),
                    None => continue,
                },
                Selected::Addresses(addresses) => (addresses, "the list holds".to_owned()),
                Selected::Set(_) | Selected::HostParts(_) => continue,
            };
            let all = everyone();
            let family = if addresses.v4.contains_all(&all.v4) {
                "IPv4"
            } else if addresses.v6.contains_all(&all.v6) {
                "IPv6"
            } else {
                continue;
            };
            let message = format!(
                "the rule `{}` stops all of {family}: {whose} every address",
                rule.name
            );
            let mut diagnostic = Diagnostic::warning(Code::BlocksEverybody, message)
                .at(rule.at.key(key), "is everybody");
            if let Selected::Group(name) = entry {
                diagnostic =
                    diagnostic.at(DocPath::root().key("groups").name(name), "has them all");
            }
            let help = "take the entry out; to stop all the rest, use `default`";
            diagnostics.push(diagnostic.help(help));
        }
    }
}

/// Whether the packets of a rule are just those of its [`extent`].
pub(super) fn is_exact(rule: &Rule, model: &Model) -> bool {
    !rule.source.is_vague(model) && !rule.destination.is_vague(model)
}

/// The packets of a rule; more than those where it names hosts by host parts or sets.
pub(super) fn extent<'a>(rule: &'a Rule, model: &'a Model) -> Extent<'a> {
    Extent::of(&rule.services, &rule.source, &rule.destination, model)
}

#[cfg(test)]
mod tests {
    use crate::compile::check::tests::said_of_rules;

    #[track_caller]
    fn check(rule: &str, expect: &str) {
        assert_eq!(said_of_rules(rule), expect);
    }

    #[test]
    fn families() {
        check(
            "{ name: a, services: [{ icmp: [8] }], source: ['fd00::1'], action: accept }",
            "error[families-never-meet]: no packet is both IPv4 and IPv6\n",
        );
        check(
            "{ name: a, services: [mld], source: [192.168.1.1], action: accept }",
            "error[families-never-meet]: no packet is both IPv4 and IPv6\n",
        );
        check(
            "{ name: a, services: [ping], source: ['fd00::1'], action: accept }",
            "",
        );
        check(
            "{ name: a, services: [icmp], source: [192.168.1.1], action: accept }",
            "",
        );
        check(
            "{ name: a, source: [192.168.1.1, 'fd00::1'], destination: ['fd00::2'], action: accept }",
            "",
        );
    }

    #[test]
    fn what_is_left_of_not() {
        check(
            "{ name: a, source: { not: [192.168.0.0/16] }, destination: [192.168.1.1], action: accept }",
            "",
        );
        check(
            "{ name: a, source: { not: [0.0.0.0/0] }, destination: [192.168.1.1], action: accept }",
            "error[families-never-meet]: no packet is both IPv4 and IPv6\n",
        );
    }

    #[test]
    fn everybody_in_a_block_list() {
        let says = "warning[blocks-everybody]: the rule `a` stops all of IPv4: the list holds every address\n";
        check(
            "{ name: a, source: [0.0.0.0/0], action: drop }\n{ name: b, action: accept }",
            says,
        );
        check(
            "{ name: a, source: [0.0.0.0/1, 128.0.0.0/1], action: reject }\n{ name: b, action: accept }",
            says,
        );
        check("{ name: a, source: [0.0.0.0/0], action: accept }", "");
    }

    #[test]
    fn resets() {
        check(
            "{ name: a, services: [dns], action: reject, reject_with: tcp-reset }\n{ name: b, action: accept }",
            "",
        );
        check(
            "{ name: a, source: [192.168.1.1], action: reject, reject_with: tcp-reset }\n{ name: b, action: accept }",
            "",
        );
    }
}
