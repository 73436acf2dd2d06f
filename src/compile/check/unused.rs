//! Zones, groups, sets, services and schedules that nothing refers to: left over, or misspelt elsewhere.

use std::collections::BTreeSet;

use crate::diagnostic::{Code, Diagnostic, Diagnostics, DocPath};
use crate::policy::{
    DestinationAfter, Host, Hosts, Nat, Policy, ServiceRef, SourceAfter, TestEnd, ZoneRef, Zones,
};

/// The names that a policy refers to.
#[derive(Default)]
struct Used<'a> {
    any_zone: bool,
    zones: BTreeSet<&'a str>,
    /// Groups, and zones that stand for their networks.
    hosts: BTreeSet<&'a str>,
    services: BTreeSet<&'a str>,
    schedules: BTreeSet<&'a str>,
    /// Sets that rules add to.
    filled: BTreeSet<&'a str>,
}

/// Points out every name that is defined and not used.
pub(super) fn names(policy: &Policy, diagnostics: &mut Diagnostics) {
    let used = used(policy);
    let root = DocPath::root();
    for zone in policy.zones.keys().map(|zone| zone.as_str()) {
        if used.any_zone || used.zones.contains(zone) || used.hosts.contains(zone) {
            continue;
        }
        let diagnostic = Diagnostic::warning(
            Code::UnusedZone,
            format!("no policy speaks of the zone `{zone}`"),
        )
        .at_key(
            root.key("zones").name(zone),
            "everything from and to it is dropped",
        )
        .help("write a policy for it, or take it out");
        diagnostics.push(diagnostic);
    }
    for group in policy.groups.keys().map(|group| group.as_str()) {
        if !used.hosts.contains(group) {
            let diagnostic = Diagnostic::warning(
                Code::UnusedGroup,
                format!("the group `{group}` is not used"),
            )
            .at_key(
                root.key("groups").name(group),
                "no `source` and no `destination` has it",
            )
            .help("use it or take it out");
            diagnostics.push(diagnostic);
        }
    }
    sets(policy, &used, diagnostics);
    for service in policy.services.keys().map(|service| service.as_str()) {
        if !used.services.contains(service) {
            let diagnostic = Diagnostic::warning(
                Code::UnusedService,
                format!("the service `{service}` is not used"),
            )
            .at_key(
                root.key("services").name(service),
                "no `services` list has it",
            )
            .help("use it or take it out");
            diagnostics.push(diagnostic);
        }
    }
    for schedule in policy.schedules.keys().map(|schedule| schedule.as_str()) {
        if !used.schedules.contains(schedule) {
            let diagnostic = Diagnostic::warning(
                Code::UnusedSchedule,
                format!("the schedule `{schedule}` is not used"),
            )
            .at_key(
                root.key("schedules").name(schedule),
                "no rule has it as its `schedule`",
            )
            .help("use it or take it out");
            diagnostics.push(diagnostic);
        }
    }
}

fn sets(policy: &Policy, used: &Used<'_>, diagnostics: &mut Diagnostics) {
    let at = DocPath::root().key("sets");
    for (name, set) in &policy.sets {
        let name = name.as_str();
        let is_filled = set.source.is_some() || used.filled.contains(name);
        if !used.hosts.contains(name) {
            let diagnostic =
                Diagnostic::warning(Code::UnusedSet, format!("no rule asks the set `{name}`"))
                    .at_key(at.name(name), "no `source` and no `destination` has it")
                    .help("use it in the `source` of a rule, or take it out");
            diagnostics.push(diagnostic);
        } else if !is_filled {
            let diagnostic =
                Diagnostic::warning(Code::UnfilledSet, format!("nothing fills the set `{name}`"))
                    .at_key(
                        at.name(name),
                        "stays empty: no rule has it as its `add_source_to`",
                    )
                    .help("give a rule `add_source_to`, or take the set out");
            diagnostics.push(diagnostic);
        }
    }
}

fn used(policy: &Policy) -> Used<'_> {
    let mut used = Used::default();
    for group in policy.groups.values() {
        used.hosts(group.entries());
    }
    for zone_policy in &policy.policies {
        used.zones(&zone_policy.from);
        used.zones(&zone_policy.to);
        for rule in &zone_policy.rules {
            used.services(&rule.services);
            used.selectors([&rule.source, &rule.destination]);
            let schedule = rule.schedule.iter().map(|name| name.as_str());
            used.schedules.extend(schedule);
            let filled = rule.add_source_to.iter().map(|name| name.as_str());
            used.filled.extend(filled);
        }
    }
    for set in policy.sets.values() {
        used.hosts(&set.never_contains);
    }
    used.tests(policy);
    let Nat {
        masquerade,
        snat,
        dnat,
        redirect,
        netmap,
        nptv6,
    } = &policy.nat;
    for entry in masquerade {
        used.zones(&entry.from);
        used.zones(&entry.to);
    }
    for entry in snat {
        used.zones(&entry.from);
        used.zones(&entry.to);
        used.services(&entry.services);
        used.selectors([&entry.source, &entry.destination]);
    }
    for entry in dnat {
        used.zones(&entry.from);
        used.services(&entry.services);
        used.selectors([&entry.source, &entry.destination]);
    }
    for entry in redirect {
        used.zones(&entry.from);
        used.services(&entry.services);
        used.selectors([&entry.source, &entry.destination]);
    }
    for entry in netmap {
        used.zones(&entry.between);
    }
    for entry in nptv6 {
        used.zones(&entry.from);
        used.zones(&entry.to);
    }
    used
}

impl<'a> Used<'a> {
    fn zones(&mut self, zones: &'a Zones) {
        for zone in zones.as_slice() {
            match zone {
                ZoneRef::Any => self.any_zone = true,
                ZoneRef::Firewall => {}
                ZoneRef::Zone(name) => _ = self.zones.insert(name.as_str()),
            }
        }
    }

    fn selectors(&mut self, selectors: [&'a Option<Hosts>; 2]) {
        for hosts in selectors.into_iter().flatten() {
            self.hosts(hosts.entries());
        }
    }

    /// A group or service may be there for tests alone.
    fn tests(&mut self, policy: &'a Policy) {
        let is_zone = |host: &Host| matches!(host, Host::Name(name) if policy.zones.contains_key(name.as_str()));
        for test in &policy.tests {
            for end in [&test.from, &test.to].into_iter().flatten() {
                match end {
                    // A zone that only tests speak of is not one that packets may use.
                    TestEnd::Name(host) if is_zone(host) => {}
                    TestEnd::Name(host) => self.hosts(std::slice::from_ref(host)),
                    TestEnd::Inline(both) => self.hosts(std::slice::from_ref(&both.address)),
                }
            }
            if let Some(service) = &test.service {
                self.services(std::slice::from_ref(service));
            }
            if let Some(SourceAfter::Host(host)) = &test.source_after {
                self.hosts(std::slice::from_ref(host));
            }
            if let Some(DestinationAfter::Host(host)) = &test.destination_after {
                self.hosts(std::slice::from_ref(host));
            }
            self.hosts(&test.never_contains);
        }
    }

    fn hosts(&mut self, entries: &'a [Host]) {
        for entry in entries {
            if let Host::Name(name) = entry {
                self.hosts.insert(name.as_str());
            }
        }
    }

    fn services(&mut self, services: &'a [ServiceRef]) {
        for service in services {
            if let ServiceRef::Name(name) = service {
                self.services.insert(name.as_str());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::compile::check::tests::said;

    #[test]
    fn names_are_used_wherever_they_can_stand() {
        let text = "
version: 1
zones:
  lan: { interfaces: [eth1], networks: [192.168.0.0/16] }
  guests: { interfaces: [eth2], networks: [172.16.0.0/24] }
  wan: { interfaces: [eth0] }
services: { a: { tcp: [4001] }, b: { tcp: [4002] }, c: { tcp: [4003] } }
groups: { inner: [192.168.1.1], outer: [inner], partner: [203.0.113.9] }
policies:
  - name: in
    from: lan
    to: firewall
    rules:
      - { name: a, services: [a], source: { not: [guests] }, destination: [outer], action: accept }
nat:
  dnat: [{ name: b, from: wan, source: [partner], services: [b], to: 192.168.1.1 }]
  redirect: [{ name: c, from: lan, services: [c] }]
";
        assert_eq!(said(text), "");
    }
}
