//! Rules that outlive their reason.

use super::policy_path;
use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::policy::Policy;
use jiff::civil::Date;

/// How many days before its end a rule is pointed out.
pub(in crate::compile) const NOTICE_DAYS: i32 = 14;

/// A rule is pointed out in the last two weeks of its time, its last day included, and refused after that.
pub(super) fn rules(policy: &Policy, today: Date, diagnostics: &mut Diagnostics) {
    for (index, zone_policy) in policy.policies.iter().enumerate() {
        for (rule_index, rule) in zone_policy.rules.iter().enumerate() {
            let Some(expires) = rule.expires.map(crate::policy::Date::day) else {
                continue;
            };
            let Ok(left) = today.until(expires).map(|span| span.get_days()) else {
                continue;
            };
            if NOTICE_DAYS < left {
                continue;
            }
            let name = format!("{}/{}", zone_policy.name, rule.name);
            let at = policy_path(index)
                .key("rules")
                .index(rule_index)
                .key("expires");
            let whom = rule
                .owner
                .as_ref()
                .map(|owner| format!("ask `{owner}`: "))
                .unwrap_or_default();
            let help = format!("{whom}take the rule out, or give it a later day");
            let diagnostic = if left < 0 {
                Diagnostic::error(Code::ExpiredRule, format!("the rule `{name}` has expired"))
                    .at(at, format!("was {} ago", days(-left)))
            } else {
                let when = if left == 0 {
                    "is today".to_owned()
                } else {
                    format!("is in {}", days(left))
                };
                Diagnostic::warning(
                    Code::ExpiresSoon,
                    format!("the rule `{name}` expires soon, and is refused then"),
                )
                .at(at, when)
            };
            diagnostics.push(diagnostic.help(help));
        }
    }
}

fn days(number: i32) -> String {
    if number == 1 {
        "1 day".to_owned()
    } else {
        format!("{number} days")
    }
}

#[cfg(test)]
mod tests {
    use crate::compile::check::tests::said_of_rules;

    #[track_caller]
    fn check(day: &str, expect: &str) {
        assert_eq!(
            said_of_rules(&format!("{{ name: a, action: accept, expires: {day} }}")),
            expect
        );
    }

    /// Today is 2026-11-24.
    #[test]
    fn two_weeks_before_and_one_day_after() {
        let soon = "warning[expires-soon]: the rule `in/a` expires soon, and is refused then\n";
        check("2026-12-09", "");
        check("2026-12-08", soon);
        check("2026-11-24", soon);
        check(
            "2026-11-23",
            "error[expired-rule]: the rule `in/a` has expired\n",
        );
        check(
            "2020-01-01",
            "error[expired-rule]: the rule `in/a` has expired\n",
        );
    }
}
