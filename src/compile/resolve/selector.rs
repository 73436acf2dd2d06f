//! `source` and `destination`: addresses, groups, zones.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;

use super::Scope;
use super::service::services;
use crate::compile::model::{Selected, Selector, Service, Zone};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, DocPath, nearest};
use crate::policy::{Host, Hosts, Prefix, ServiceRef};
use crate::ruleset::Addresses;

/// What an entry is about: services, and where they are asked from and of.
pub(super) struct Traffic {
    pub(super) services: Vec<Service>,
    pub(super) source: Selector,
    pub(super) destination: Selector,
}

/// What `services`, `source` and `destination` of an entry mean; `None` if one of them is wrong. All of them are
/// looked at, so that all mistakes are said.
pub(super) fn traffic(
    references: &[ServiceRef],
    source: Option<&Hosts>,
    destination: Option<&Hosts>,
    at: &DocPath,
    scope: &Scope<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<Traffic> {
    let services = services(references, &at.key("services"), scope, diagnostics);
    let source = selector(source, &at.key("source"), scope, diagnostics);
    let destination = selector(destination, &at.key("destination"), scope, diagnostics);
    Some(Traffic {
        services: services?,
        source: source?,
        destination: destination?,
    })
}

/// What a selector means; `None` if one of its names is unknown or wrong.
fn selector(
    hosts: Option<&Hosts>,
    at: &DocPath,
    scope: &Scope<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<Selector> {
    let mut selector = Selector::default();
    match hosts {
        None => {}
        Some(Hosts::In(entries)) => selector.include = selected(entries, at, scope, diagnostics)?,
        Some(Hosts::Not(entries)) => {
            selector.exclude = selected(entries, &at.key("not"), scope, diagnostics)?;
        }
    }
    Some(selector)
}

fn selected(
    entries: &[Host],
    at: &DocPath,
    scope: &Scope<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<Vec<Selected>> {
    super::group::overlapping(entries, at, diagnostics);
    let mut selected = Vec::new();
    let mut in_place: Vec<Addresses> = Vec::new();
    let mut host_parts = BTreeSet::new();
    let mut known = true;
    for (index, entry) in entries.iter().enumerate() {
        let at = at.index(index);
        match entry {
            Host::Name(name) if scope.groups.contains_key(name.as_str()) => {
                let group = Selected::Group(name.to_string());
                let is_right = scope.groups.get(name.as_str()).is_some_and(Option::is_some);
                known &= is_right;
                if is_right && !selected.contains(&group) {
                    selected.push(group);
                }
            }
            Host::Name(name) if scope.sets.contains_key(name.as_str()) => {
                let set = Selected::Set(name.to_string());
                known &= scope.sets.get(name.as_str()).is_some_and(Option::is_some);
                if !selected.contains(&set) {
                    selected.push(set);
                }
            }
            Host::Name(name) => match networks(name.as_str(), &at, scope, diagnostics) {
                Some(networks) => in_place.push(networks),
                None => known = false,
            },
            Host::HostPart(host) => _ = host_parts.insert(*host),
            Host::Address(_) | Host::Prefix(_) | Host::Range(_) => {
                in_place.push(addresses_of(entry));
            }
        }
    }
    let in_place: Addresses = in_place.into_iter().collect();
    if !in_place.is_empty() {
        // Nearly always the only one.
        selected.reserve_exact(1);
        selected.push(Selected::Addresses(in_place));
    }
    if !host_parts.is_empty() {
        selected.push(Selected::HostParts(host_parts));
    }
    known.then_some(selected)
}

/// The networks of a zone.
fn networks(
    name: &str,
    at: &DocPath,
    scope: &Scope<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<Addresses> {
    let names = scope.groups.keys().chain(scope.sets.keys()).copied();
    networks_of(name, at, &scope.zones, names, diagnostics)
}

/// The networks of a zone; `names` are the others that might have been meant.
pub(super) fn networks_of<'n>(
    name: &str,
    at: &DocPath,
    zones: &'n BTreeMap<String, Zone>,
    names: impl Iterator<Item = &'n str>,
    diagnostics: &mut Diagnostics,
) -> Option<Addresses> {
    if let Some(zone) = zones.get(name) {
        if zone.networks.is_empty() {
            let message = format!("the zone `{name}` does not say which networks it has");
            let diagnostic = Diagnostic::error(Code::ZoneWithoutNetworks, message)
                .at(at, "stands for the networks of the zone")
                .at_key(DocPath::root().key("zones").name(name), "has no `networks`")
                .help("give the zone its `networks`, or use the zone in `from` or `to`");
            diagnostics.push(diagnostic);
            return None;
        }
        return Some(zone.networks.clone());
    }
    let unknown = |help: String| {
        Diagnostic::error(
            Code::UnknownGroup,
            format!("unknown group or zone `{name}`"),
        )
        .at(at, "no group and no zone has this name")
        .help(help)
    };
    diagnostics.push(match name {
        "firewall" | "self" => {
            Diagnostic::error(Code::FirewallAsAddress, "the box itself is no address")
                .at(at, "is a zone without addresses")
                .help("use `firewall` in `from` or `to`, and addresses here")
        }
        "any" | "all" => unknown("leave the key out for every address".to_owned()),
        _ => {
            let zones = zones.keys().map(String::as_str);
            match nearest(name, names.chain(zones)) {
                Some(near) => unknown(format!("did you mean `{near}`?")),
                None => unknown("groups are defined below `groups:`".to_owned()),
            }
        }
    });
    None
}

/// The addresses of an entry that is not a name; a name has none here.
pub(super) fn addresses_of(host: &Host) -> Addresses {
    match host {
        Host::Address(address) => between(address.ip(), address.ip()),
        Host::Prefix(prefix) => addresses_of_prefix(*prefix),
        Host::Range(range) => between(range.lo(), range.hi()),
        Host::HostPart(_) | Host::Name(_) => Addresses::default(),
    }
}

/// The addresses of a prefix.
pub(in crate::compile) fn addresses_of_prefix(prefix: Prefix) -> Addresses {
    match prefix.net() {
        IpNet::V4(net) => between(net.network().into(), net.broadcast().into()),
        IpNet::V6(net) => between(net.network().into(), net.broadcast().into()),
    }
}

fn between(lo: IpAddr, hi: IpAddr) -> Addresses {
    let range = match (lo, hi) {
        (IpAddr::V4(lo), IpAddr::V4(hi)) => Addresses::v4_range(lo, hi),
        (IpAddr::V6(lo), IpAddr::V6(hi)) => Addresses::v6_range(lo, hi),
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => None,
    };
    range.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use crate::compile::model::Selected;
    use crate::compile::resolve::tests::{drafted, shown};

    /// `source` of a rule as the model has it.
    #[track_caller]
    fn check(source: &str, expect: &str) {
        let (model, said) = drafted(&format!(
            "version: 1\nzones: {{ lan: {{ interfaces: [eth1], networks: [192.168.1.0/24, 'fd00::/64'] }}, wan: {{ interfaces: [eth0] }} }}\n\
             groups: {{ admins: [10.0.0.1] }}\n\
             policies: [{{ name: in, from: lan, to: firewall, rules: [{{ name: a, source: {source}, action: accept }}] }}]\n"
        ));
        let text = |list: &[Selected]| {
            let words = list.iter().map(|selected| match selected {
                Selected::Group(name) | Selected::Set(name) => name.clone(),
                Selected::Addresses(addresses) => format!("[{}]", shown(addresses)),
                Selected::HostParts(hosts) => format!("{hosts:?}"),
            });
            words.collect::<Vec<_>>().join(" ")
        };
        let rules = model.policies.iter().flat_map(|policy| &policy.rules);
        let rules = rules.map(|rule| {
            format!(
                "{} not {}",
                text(&rule.source.include),
                text(&rule.source.exclude)
            )
        });
        assert_eq!(said + &rules.collect::<String>(), expect);
    }

    #[test]
    fn groups_stay_and_the_rest_is_merged() {
        check(
            "[10.0.1.1, admins, 10.0.2.0/30, lan]",
            "admins [10.0.1.1 10.0.2.0-10.0.2.3 192.168.1.0-192.168.1.255 fd00::-fd00::ffff:ffff:ffff:ffff] not ",
        );
        check("{ not: [admins, 10.0.1.1] }", " not admins [10.0.1.1]");
        check(
            "[admins, admins]",
            "overlapping-entries: `admins` is in the list twice\nadmins not ",
        );
    }

    #[test]
    fn names_that_are_no_addresses() {
        check(
            "[wan]",
            "zone-without-networks: the zone `wan` does not say which networks it has\n",
        );
        check(
            "[firewall]",
            "firewall-as-address: the box itself is no address\n",
        );
        check("[any]", "unknown-group: unknown group or zone `any`\n");
    }
}
