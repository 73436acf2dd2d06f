//! Names become what they mean: the policy as its author wrote it, the draft of a model out of it.
//!
//! Whatever cannot be resolved is complained about and left out of the draft, so that the checks after it speak
//! only of what is understood. Whether the whole makes sense is not decided here but in [`super::check`].

mod group;
mod nat;
mod raw;
mod rule;
mod schedule;
mod selector;
mod service;
mod set;
mod territory;
mod test;
mod zone;

use std::collections::BTreeMap;

use super::Given;
use super::model::{LivingSet, Model, Schedule, Service, Zone};
use crate::diagnostic::{Diagnostics, DocPath};
use crate::policy::{Policy, ZonePolicy};
use crate::ruleset::Addresses;

pub(super) use selector::addresses_of_prefix;
pub(super) use service::{of_builtin, own_service};

/// A model without what could not be resolved.
pub(super) struct Draft {
    /// What could be.
    pub(super) model: Model,
    /// Whether a zone policy or a rule is missing.
    pub(super) partial: bool,
}

/// What the names of a policy mean. `None` is a name that is known but means nothing, because its own definition
/// is wrong; that has been said where it is defined.
struct Scope<'a> {
    /// Without its zone policies.
    policy: &'a Policy,
    /// Rules and defaults as they are written, `policy/rule`, where there are tests to name them.
    rules: Vec<String>,
    zones: BTreeMap<String, Zone>,
    groups: BTreeMap<&'a str, Option<Addresses>>,
    sets: BTreeMap<&'a str, Option<LivingSet>>,
    services: BTreeMap<&'a str, Option<Service>>,
    schedules: BTreeMap<&'a str, Option<Schedule>>,
}

/// Resolves everything that can be. The zone policies are not those of the policy but come by themselves: they are
/// nearly all of it, and taken apart as they are resolved.
pub(super) fn draft(
    policy: &Policy,
    zone_policies: Vec<ZonePolicy>,
    given: &Given<'_>,
    diagnostics: &mut Diagnostics,
) -> Draft {
    let services = service::own(policy, diagnostics);
    let groups = group::flatten(policy, given.lists, diagnostics);
    let schedules = schedule::schedules(policy, diagnostics);
    let zones = zone::zones(policy);
    let names = set::Names {
        zones: &zones,
        groups: &groups,
        copies: given.copies,
    };
    let sets = set::sets(policy, &names, diagnostics);
    // Nobody else asks for them.
    let rules = match policy.tests.is_empty() {
        true => Vec::new(),
        false => rule::names(&zone_policies),
    };
    let scope = Scope {
        policy,
        rules,
        zones,
        groups,
        sets,
        services,
        schedules,
    };
    let root = DocPath::root();
    let mut partial = false;
    let mut policies = Vec::new();
    for (at, zone_policy) in zone_policies.into_iter().enumerate() {
        let at = root.key("policies").index(at);
        let (resolved, complete) = rule::zone_policy(zone_policy, &at, &scope, diagnostics);
        partial |= !complete;
        policies.extend(resolved);
    }
    let nat = nat::entries(&scope, diagnostics);
    let flowtable = zone::flowtable(&scope, diagnostics);
    let tests = test::tests(&scope, &nat, diagnostics);
    let groups = scope.groups.into_iter();
    let host_parts = group::host_parts(policy);
    let sets = scope.sets.into_iter();
    let schedules = scope.schedules.into_iter();
    let model = Model {
        name: policy
            .name
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        zones: scope.zones,
        groups: groups
            .filter_map(|(name, addresses)| Some((name.to_owned(), addresses?)))
            .collect(),
        host_parts,
        from_files: group::from_files(policy),
        sets: sets
            .filter_map(|(name, set)| Some((name.to_owned(), set?)))
            .collect(),
        schedules: schedules
            .filter_map(|(name, schedule)| Some((name.to_owned(), schedule?)))
            .collect(),
        policies,
        masquerade: nat.masquerade,
        snat: nat.snat,
        dnat: nat.dnat,
        redirect: nat.redirect,
        flowtable,
        netmap: nat.netmap,
        raw: raw::blocks(policy),
        tests,
    };
    Draft { model, partial }
}

#[cfg(test)]
pub(super) mod tests {
    use super::draft;
    use crate::compile::model::Model;
    use crate::diagnostic::{Diagnostics, SourceText};
    use crate::policy::parse;
    use crate::ruleset::Addresses;
    use jiff::civil::date;
    use std::net::{Ipv4Addr, Ipv6Addr};

    /// The draft of a policy, and what is said about it: `code at path: message` a line.
    #[track_caller]
    pub(in crate::compile) fn drafted(text: &str) -> (Model, String) {
        let source = SourceText {
            name: "test.yaml".into(),
            text: text.into(),
        };
        let parsed = parse(&[source]);
        let mut policy = parsed
            .policy
            .unwrap_or_else(|| panic!("{:?}", parsed.diagnostics));
        let mut diagnostics = Diagnostics::new();
        let zone_policies = std::mem::take(&mut policy.policies);
        let given = date(2026, 11, 24).into();
        let model = draft(&policy, zone_policies, &given, &mut diagnostics).model;
        let lines = diagnostics
            .iter()
            .map(|said| format!("{}: {}\n", said.code, said.message));
        (model, lines.collect())
    }

    /// Addresses as text: `10.0.0.0-10.0.0.255 ::1`.
    pub(in crate::compile) fn shown(addresses: &Addresses) -> String {
        let v4 = addresses.v4.iter().map(|span| {
            let (lo, hi) = (Ipv4Addr::from(span.lo), Ipv4Addr::from(span.hi));
            if lo == hi {
                lo.to_string()
            } else {
                format!("{lo}-{hi}")
            }
        });
        let v6 = addresses.v6.iter().map(|span| {
            let (lo, hi) = (Ipv6Addr::from(span.lo), Ipv6Addr::from(span.hi));
            if lo == hi {
                lo.to_string()
            } else {
                format!("{lo}-{hi}")
            }
        });
        v4.chain(v6).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_cannot_be_resolved_is_left_out_and_said() {
        let (model, said) = drafted(
            "version: 1
zones: { lan: { interfaces: [eth1] } }
policies:
  - name: in
    from: lan
    to: firewall
    rules:
      - { name: a, services: [sssh], action: accept }
      - { name: b, services: [ssh], source: [nobody], action: accept }
      - { name: c, services: [ssh], action: accept }
  - { name: out, from: [lan, la], to: wan, default: accept }
",
        );
        assert_eq!(
            said,
            "unknown-service: unknown service `sssh`\n\
             unknown-group: unknown group or zone `nobody`\n\
             unknown-zone: unknown zone `la`\n\
             unknown-zone: unknown zone `wan`\n"
        );
        assert_eq!(model.policies.len(), 1);
        let names: Vec<&str> = model.policies[0]
            .rules
            .iter()
            .map(|rule| &*rule.name)
            .collect();
        assert_eq!(names, ["c"]);
    }
}
