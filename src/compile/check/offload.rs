//! `flowtable` and `offload`: one is nothing without the other.

use crate::compile::model::{Action, Model};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, DocPath};
use crate::policy::Policy;

/// Checks the flowtable and the rules that want it.
pub(super) fn offload(policy: &Policy, model: &Model, diagnostics: &mut Diagnostics) {
    let rules = || model.policies.iter().flat_map(|policy| &policy.rules);
    for rule in rules().filter(|rule| rule.offload) {
        let here = rule.at.key("offload");
        if rule.action != Action::Accept {
            let message = format!("the rule `{}` accepts nothing to hand over", rule.name);
            let diagnostic = Diagnostic::error(Code::OffloadOfBlock, message)
                .at_key(here, "is about connections that are accepted")
                .at(rule.at.key("action"), "but this stops them")
                .help("take `offload` out");
            diagnostics.push(diagnostic);
        } else if policy.flowtable.is_none() {
            let message = format!("the rule `{}` has no flowtable to hand over to", rule.name);
            let diagnostic = Diagnostic::error(Code::OffloadWithoutFlowtable, message)
                .at_key(here, "needs one")
                .help("write `flowtable: { zones: [...] }` at the top of the policy");
            diagnostics.push(diagnostic);
        } else if let Some(name) = &rule.schedule
            && model
                .schedules
                .get(&**name)
                .is_some_and(|it| it.cut.is_some())
        {
            let message = format!("what `{}` hands over could not be ended", rule.name);
            let diagnostic = Diagnostic::error(Code::OffloadPastSchedule, message)
                .at_key(here, "goes past all rules")
                .at(
                    rule.at.key("schedule"),
                    format!("`{name}` ends connections when it closes"),
                )
                .help("take `offload` out, or write `on_end: keep` on the schedule");
            diagnostics.push(diagnostic);
        }
    }
    let at = DocPath::root().key("flowtable");
    if policy.flowtable.is_some() && !rules().any(|rule| rule.offload) {
        let diagnostic = Diagnostic::warning(
            Code::UnusedFlowtable,
            "no rule hands connections to the flowtable",
        )
        .at_key(at.clone(), "is for rules with `offload: true`")
        .help("write `offload: true` on a rule that accepts, or take it out");
        diagnostics.push(diagnostic);
    }
    let zones = policy
        .flowtable
        .iter()
        .flat_map(|flowtable| &flowtable.zones);
    for (index, name) in zones.enumerate() {
        let Some(zone) = model.zones.get(name.as_str()) else {
            continue;
        };
        if let Some(interface) = zone.interfaces.iter().find(|it| it.prefix) {
            let message = format!(
                "the flowtable cannot have the interfaces `{}*`",
                interface.name
            );
            let diagnostic = Diagnostic::error(Code::FlowtableByPrefix, message)
                .at(
                    at.key("zones").index(index),
                    "has interfaces by the beginning of their names",
                )
                .help("the kernel wants each by its name: leave the zone out");
            diagnostics.push(diagnostic);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::compile::check::tests::said;

    #[track_caller]
    fn check(rule: &str, rest: &str, expect: &str) {
        let text = format!(
            "version: 1\n\
             zones:\n  lan: {{ interfaces: [eth1] }}\n  wan: {{ interfaces: [eth0] }}\n  vpn: {{ interfaces: ['wg*'] }}\n\
             policies: [{{ name: in, from: [lan, vpn], to: firewall, default: accept }}, {{ name: out, from: lan, to: wan, rules: [{{ name: a, {rule} }}] }}]\n\
             {rest}\n"
        );
        assert_eq!(said(&text), expect);
    }

    #[test]
    fn one_needs_the_other() {
        let accept = "action: accept, offload: true";
        check(accept, "flowtable: { zones: [lan, wan] }", "");
        check(
            accept,
            "",
            "error[offload-without-flowtable]: the rule `a` has no flowtable to hand over to\n",
        );
        check(
            "action: accept",
            "flowtable: { zones: [lan, wan] }",
            "warning[unused-flowtable]: no rule hands connections to the flowtable\n",
        );
        check(
            "action: drop, offload: true",
            "flowtable: { zones: [lan, wan] }",
            "error[offload-of-block]: the rule `a` accepts nothing to hand over\n",
        );
    }

    #[test]
    fn interfaces_have_names() {
        let accept = "action: accept, offload: true";
        check(
            accept,
            "flowtable: { zones: [lan, vpn] }",
            "error[flowtable-by-prefix]: the flowtable cannot have the interfaces `wg*`\n",
        );
        check(
            accept,
            "flowtable: { zones: [lan, wann] }",
            "error[unknown-zone]: unknown zone `wann`\n",
        );
    }
}
