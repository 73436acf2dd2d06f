//! Zone policies and their rules.

use super::selector::{Traffic, traffic};
use super::{Scope, zone::sides};
use crate::compile::model::{self, Action, LogLimit, RejectWith, RuleLimit, ZonePolicy};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, DocPath};
use crate::policy::{self, LimitPer, Rate};
use crate::ruleset::{Icmpx, Limit, Log};

/// How many packets may come at once before a rate holds, when nothing is said: nft's own default.
const BURST: u32 = 5;

/// A zone policy without the rules that cannot be resolved, and whether it is complete.
pub(super) fn zone_policy(
    written: policy::ZonePolicy,
    at: &DocPath,
    scope: &Scope<'_>,
    diagnostics: &mut Diagnostics,
) -> (Option<ZonePolicy>, bool) {
    let policy::ZonePolicy {
        name,
        from,
        to,
        default,
        log,
        rules,
    } = written;
    let from = sides(&from, &at.key("from"), scope, diagnostics);
    let to = sides(&to, &at.key("to"), scope, diagnostics);
    let written = rules.len();
    let mut resolved = Vec::with_capacity(written);
    let at_rules = at.key("rules");
    // Each is let go of as soon as its meaning is known.
    for (index, rule) in rules.into_iter().enumerate() {
        let at = at_rules.index(index);
        resolved.extend(self::rule(&rule, name.as_str(), &at, scope, diagnostics));
    }
    let complete = resolved.len() == written && from.is_some() && to.is_some();
    let (Some(from), Some(to)) = (from, to) else {
        return (None, false);
    };
    let resolved = ZonePolicy {
        name: name.to_string(),
        from,
        to,
        default: default.map(|default| action(default, None)),
        log: log.as_ref().map(|log| log_limit(log, name.as_str())),
        rules: resolved,
        at: at.clone(),
    };
    (Some(resolved), complete)
}

/// The rules and defaults of zone policies as they are written, `policy/rule`.
pub(super) fn names(written: &[policy::ZonePolicy]) -> Vec<String> {
    let names = written.iter().flat_map(|policy| {
        let rules = policy.rules.iter().map(|rule| rule.name.as_str());
        let default = policy.default.map(|_| "default");
        rules
            .chain(default)
            .map(|rule| format!("{}/{rule}", policy.name))
    });
    names.collect()
}

fn rule(
    written: &policy::Rule,
    policy_name: &str,
    at: &DocPath,
    scope: &Scope<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<model::Rule> {
    let policy::Rule {
        name,
        services,
        source,
        destination,
        action: verdict,
        reject_with,
        schedule,
        limit,
        connlimit,
        offload,
        add_source_to,
        log,
        // For people: they are shown beside the rule and change nothing on the wire.
        owner: _,
        ticket: _,
        expires: _,
    } = written;
    if reject_with.is_some() && *verdict != policy::Action::Reject {
        let diagnostic = Diagnostic::error(
            Code::RejectWithoutReject,
            "`reject_with` needs `action: reject`",
        )
        .at_key(at.key("reject_with"), "is the answer of a rejection")
        .at(at.key("action"), "but this does not reject")
        .help("leave `reject_with` out, or write `action: reject`");
        diagnostics.push(diagnostic);
    }
    let schedule = schedule.as_ref().map(|name| {
        super::schedule::of_rule(
            name.as_str(),
            at.key("schedule"),
            &scope.schedules,
            diagnostics,
        )
    });
    let adds_source_to = add_source_to.as_ref().map(|name| {
        let at = at.key("add_source_to");
        super::set::added_to(name.as_str(), &at, &scope.sets, scope.policy, diagnostics)
    });
    let traffic = traffic(
        services,
        source.as_ref(),
        destination.as_ref(),
        at,
        scope,
        diagnostics,
    );
    let Traffic {
        services,
        source,
        destination,
    } = traffic?;
    // A rule whose schedule means nothing is not there at all.
    let schedule = match schedule {
        None => None,
        Some(known) => Some(known?.into()),
    };
    let adds_source_to = match adds_source_to {
        None => None,
        Some(known) => Some(known?.into()),
    };
    Some(model::Rule {
        name: name.as_str().into(),
        services,
        source,
        destination,
        action: action(*verdict, *reject_with),
        schedule,
        limit: limit.as_ref().map(|limit| {
            Box::new(RuleLimit {
                limit: rate_limit(limit.rate, limit.burst),
                per_source: limit.per == Some(LimitPer::Source),
            })
        }),
        most_connections: connlimit.as_ref().map(|policy::ConnLimit { max, per }| {
            // There is no other.
            let LimitPer::Source = per;
            *max
        }),
        offload: *offload,
        adds_source_to,
        log: log
            .as_ref()
            .map(|log| Box::new(log_limit(log, &format!("{policy_name}/{name}")))),
        at: at.clone(),
    })
}

fn action(written: policy::Action, with: Option<policy::RejectWith>) -> Action {
    match written {
        policy::Action::Accept => Action::Accept,
        policy::Action::Drop => Action::Drop,
        policy::Action::Reject => Action::Reject(match with {
            None => RejectWith::Default,
            Some(policy::RejectWith::TcpReset) => RejectWith::TcpReset,
            Some(policy::RejectWith::PortUnreachable) => RejectWith::Icmpx(Icmpx::PortUnreachable),
            Some(policy::RejectWith::AdminProhibited) => RejectWith::Icmpx(Icmpx::AdminProhibited),
            Some(policy::RejectWith::HostUnreachable) => RejectWith::Icmpx(Icmpx::HostUnreachable),
            Some(policy::RejectWith::NoRoute) => RejectWith::Icmpx(Icmpx::NoRoute),
        }),
    }
}

fn rate_limit(rate: Rate, burst: Option<u32>) -> Limit {
    Limit {
        rate: u64::from(rate.count()),
        unit: rate.unit().seconds(),
        burst: burst.unwrap_or(BURST),
    }
}

/// Log lines begin `PREFIX: `, so that prefix and packet stay apart.
fn log_limit(log: &policy::Log, otherwise: &str) -> LogLimit {
    let policy::Log {
        prefix,
        rate,
        group,
    } = log;
    let prefix = prefix.as_ref().map_or(otherwise, |prefix| prefix.as_str());
    LogLimit {
        log: Log {
            prefix: format!("{prefix}: "),
            group: *group,
        },
        rate: rate.map(|rate| rate_limit(rate, None)),
    }
}

#[cfg(test)]
mod tests {
    use crate::compile::model::{Action, RejectWith};
    use crate::compile::resolve::tests::drafted;
    use crate::ruleset::{Icmpx, Limit};

    #[test]
    fn what_is_not_written_has_a_default() {
        let (model, _) = drafted(
            "version: 1\nzones: { lan: { interfaces: [eth1] } }\n\
             policies:\n  - name: in\n    from: lan\n    to: firewall\n    default: reject\n    log: { group: 3 }\n    rules:\n\
             \x20     - { name: a, action: accept, limit: { rate: 3/hour, per: source }, log: { rate: 1/day } }\n\
             \x20     - { name: b, action: reject, reject_with: no-route, limit: { rate: 3/week, burst: 9 } }\n",
        );
        let policy = &model.policies[0];
        assert_eq!(policy.default, Some(Action::Reject(RejectWith::Default)));
        let log = policy.log.as_ref().unwrap();
        assert_eq!(
            (log.log.prefix.as_str(), log.log.group, log.rate),
            ("in: ", Some(3), None)
        );
        let (a, b) = (&policy.rules[0], &policy.rules[1]);
        let limit = a.limit.as_deref().unwrap();
        assert_eq!(
            (limit.limit, limit.per_source),
            (
                Limit {
                    rate: 3,
                    unit: 3600,
                    burst: 5
                },
                true
            )
        );
        let log = a.log.as_ref().unwrap();
        assert_eq!(
            (log.log.prefix.as_str(), log.rate),
            (
                "in/a: ",
                Some(Limit {
                    rate: 1,
                    unit: 86400,
                    burst: 5
                })
            )
        );
        assert_eq!(b.action, Action::Reject(RejectWith::Icmpx(Icmpx::NoRoute)));
        assert_eq!(
            b.limit.as_deref().unwrap().limit,
            Limit {
                rate: 3,
                unit: 604_800,
                burst: 9
            }
        );
    }
}
