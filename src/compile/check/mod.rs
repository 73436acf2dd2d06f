//! Whether a policy makes sense: what contradicts itself, can never happen, or is not what it looks like.
//!
//! Checks read the policy where its words matter (names, dates) and the draft where its meaning does: two stages, because
//! a large policy is taken apart to make the draft. They never change anything. What is certainly a mistake is an error; what may be meant is a warning.

mod address_zone;
mod decided;
mod dnat;
mod expiry;
mod extent;
mod forward;
mod home;
mod name;
mod nat;
mod netmap;
mod node;
mod offload;
mod raw;
mod reach;
mod rule;
mod schedule;
mod sysctl;
mod unused;
mod zone;

pub(super) use expiry::NOTICE_DAYS;
pub(super) use schedule::next_notice;

use super::resolve::Draft;
use crate::diagnostic::{Diagnostics, DocPath};
use crate::policy::Policy;
use jiff::civil::Date;

/// What there is to say about the words of a policy. `today` is the day that `expires` is compared with.
pub(super) fn words(policy: &Policy, today: Date, diagnostics: &mut Diagnostics) {
    name::names(policy, diagnostics);
    zone::interfaces(policy, diagnostics);
    node::interfaces(policy, diagnostics);
    zone::networks(policy, diagnostics);
    zone::ends(policy, diagnostics);
    rule::policies(policy, diagnostics);
    expiry::rules(policy, today, diagnostics);
}

/// What there is to say about names that nothing refers to. A name that is misspelt elsewhere is not left over, so this is
/// worth saying only of a policy without errors.
pub(super) fn unused(policy: &Policy) -> Diagnostics {
    let mut diagnostics = Diagnostics::new();
    unused::names(policy, &mut diagnostics);
    diagnostics
}

/// What there is to say about the meaning of a policy, of which the zone policies are not looked at: they are in the draft.
pub(super) fn meaning(policy: &Policy, draft: &Draft, today: Date, diagnostics: &mut Diagnostics) {
    let Draft { model, partial } = draft;
    address_zone::zones(policy, model, diagnostics);
    address_zone::requests(model, diagnostics);
    rule::rules(model, diagnostics);
    nat::entries(model, diagnostics);
    sysctl::settings(policy, model, diagnostics);
    forward::overlaps(model, diagnostics);
    offload::offload(policy, model, diagnostics);
    raw::blocks(model, diagnostics);
    reach::rules(model, diagnostics);
    reach::policies(model, diagnostics);
    if !partial {
        reach::way_in(model, diagnostics);
    }
    schedule::schedules(policy, model, today, diagnostics);
}

/// `policies[INDEX]`
fn policy_path(index: usize) -> DocPath {
    DocPath::root().key("policies").index(index)
}

#[cfg(test)]
mod tests {
    use crate::compile::resolve;
    use crate::diagnostic::SourceText;
    use crate::policy::parse;
    use jiff::civil::date;

    /// What is said about a policy, without places: one line a diagnostic.
    #[track_caller]
    pub(super) fn said(text: &str) -> String {
        let source = SourceText {
            name: "test.yaml".into(),
            text: text.into(),
        };
        let parsed = parse(&[source]);
        let policy = parsed
            .policy
            .unwrap_or_else(|| panic!("{:?}", parsed.diagnostics));
        let (model, diagnostics) = resolve(policy, date(2026, 11, 24));
        assert_eq!(model.is_none(), diagnostics.has_errors());
        let lines = diagnostics
            .iter()
            .map(|said| format!("{}[{}]: {}\n", said.severity, said.code, said.message));
        lines.collect()
    }

    /// What is said about the translations of a gateway with the zones `wan`, `lan` (192.168.0.0/16) and `dmz`.
    #[track_caller]
    pub(super) fn said_of_nat(nat: &str) -> String {
        said(&format!(
            "version: 1\n\
             zones:\n  dmz: {{ interfaces: [eth2] }}\n  lan: {{ interfaces: [eth1], networks: [192.168.0.0/16] }}\n  wan: {{ interfaces: [eth0] }}\n\
             policies: [{{ name: in, from: any, to: firewall, default: accept }}]\n\
             nat:\n{nat}\n"
        ))
    }

    /// What is said about the rules of a policy from `lan` (192.168.0.0/16) to the box.
    #[track_caller]
    pub(super) fn said_of_rules(rules: &str) -> String {
        let rules: String = rules
            .trim()
            .lines()
            .map(|rule| format!("      - {}\n", rule.trim()))
            .collect();
        said(&format!(
            "version: 1\n\
             zones: {{ lan: {{ interfaces: [eth1], networks: [192.168.0.0/16, 'fd00::/16'] }} }}\n\
             policies:\n  - name: in\n    from: lan\n    to: firewall\n    rules:\n{rules}"
        ))
    }
}
