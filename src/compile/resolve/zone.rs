//! Zones, and the lists of zones that policies and translations go from and to.

use std::collections::{BTreeMap, BTreeSet};

use super::Scope;
use super::selector::addresses_of_prefix;
use super::territory;
use crate::compile::model::{Flowtable, Interface, Side, Zone};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, DocPath, nearest};
use crate::policy::{self, InterfacePattern, Policy, ZoneMatch, ZoneRef, Zones};
use crate::ruleset::Addresses;

/// All zones of the policy.
pub(super) fn zones(policy: &Policy) -> BTreeMap<String, Zone> {
    let zones = policy.zones.iter();
    let mut zones = zones
        .map(|(name, zone)| (name.to_string(), of_zone(zone)))
        .collect();
    territory::divide(policy, &mut zones);
    zones
}

fn of_zone(zone: &policy::Zone) -> Zone {
    let mut interfaces: Vec<Interface> = zone.interfaces.iter().map(interface).collect();
    Interface::tidy(&mut interfaces);
    let networks = zone
        .networks
        .iter()
        .map(|prefix| addresses_of_prefix(*prefix));
    Zone {
        interfaces,
        networks: networks.fold(Addresses::default(), |all, one| all.union(&one)),
        by_address: zone.matches == ZoneMatch::Address,
    }
}

fn interface(pattern: &InterfacePattern) -> Interface {
    match pattern {
        InterfacePattern::Exact(name) => Interface {
            name: name.clone(),
            prefix: false,
        },
        InterfacePattern::Prefix(name) => Interface {
            name: name.clone(),
            prefix: true,
        },
    }
}

/// The ends that a zone policy means; `any` is every zone and the box itself. `None` if one is unknown.
pub(super) fn sides(
    zones: &Zones,
    at: &DocPath,
    scope: &Scope<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<Vec<Side>> {
    let mut sides = BTreeSet::new();
    let mut known = true;
    for (index, reference) in zones.as_slice().iter().enumerate() {
        match reference {
            ZoneRef::Any => {
                sides.insert(Side::Firewall);
                sides.extend(all_zones(scope).map(Side::Zone));
            }
            ZoneRef::Firewall => {
                sides.insert(Side::Firewall);
            }
            ZoneRef::Zone(name) if is_zone(name.as_str(), scope) => {
                sides.insert(Side::Zone(name.to_string()));
            }
            ZoneRef::Zone(name) => {
                known = false;
                diagnostics.push(unknown_zone(name.as_str(), &at.index(index), scope));
            }
        }
    }
    known.then(|| sides.into_iter().collect())
}

/// `flowtable`, as far as its zones are known.
pub(super) fn flowtable(scope: &Scope<'_>, diagnostics: &mut Diagnostics) -> Option<Flowtable> {
    let policy::Flowtable { zones, hardware } = scope.policy.flowtable.as_ref()?;
    let at = DocPath::root().key("flowtable").key("zones");
    let mut names = BTreeSet::new();
    for (index, name) in zones.iter().enumerate() {
        if is_zone(name.as_str(), scope) {
            names.insert(name.to_string());
        } else {
            diagnostics.push(unknown_zone(name.as_str(), &at.index(index), scope));
        }
    }
    Some(Flowtable {
        zones: names.into_iter().collect(),
        hardware: *hardware,
    })
}

/// The zones that a translation means; `any` is every zone but those of `other_end`, and never the box itself.
pub(super) fn nat_zones(
    zones: &Zones,
    other_end: Option<&Zones>,
    at: &DocPath,
    scope: &Scope<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<Vec<String>> {
    let others = other_end.map(Zones::as_slice).unwrap_or_default();
    let is_other = |zone: &String| {
        let same = |other: &ZoneRef| matches!(other, ZoneRef::Zone(name) if name.as_str() == zone);
        others.iter().any(same)
    };
    let mut names = BTreeSet::new();
    let mut known = true;
    for (index, reference) in zones.as_slice().iter().enumerate() {
        match reference {
            ZoneRef::Any => names.extend(all_zones(scope).filter(|zone| !is_other(zone))),
            ZoneRef::Firewall => {
                known = false;
                let message = "address translation is between zones, not for the box itself";
                let diagnostic = Diagnostic::error(Code::NatOfFirewall, message)
                    .at(at.index(index), "the box itself is no zone here")
                    .help("name the zones around the box");
                diagnostics.push(diagnostic);
            }
            ZoneRef::Zone(name) if is_zone(name.as_str(), scope) => {
                names.insert(name.to_string());
            }
            ZoneRef::Zone(name) => {
                known = false;
                diagnostics.push(unknown_zone(name.as_str(), &at.index(index), scope));
            }
        }
    }
    known.then(|| names.into_iter().collect())
}

fn all_zones<'a>(scope: &'a Scope<'_>) -> impl Iterator<Item = String> + 'a {
    scope.zones.keys().cloned()
}

fn is_zone(name: &str, scope: &Scope<'_>) -> bool {
    scope.zones.contains_key(name)
}

/// What is said of a zone that the policy does not define.
pub(super) fn unknown_zone(name: &str, at: &DocPath, scope: &Scope<'_>) -> Diagnostic {
    let zones = scope.zones.keys().map(String::as_str);
    let diagnostic = Diagnostic::error(Code::UnknownZone, format!("unknown zone `{name}`"))
        .at(at, "no zone has this name");
    match nearest(name, zones.chain(["firewall", "any"])) {
        Some(zone) => diagnostic.help(format!("did you mean `{zone}`?")),
        None => diagnostic.help("zones are defined below `zones:`; `firewall` is the box itself"),
    }
}

#[cfg(test)]
mod tests {
    use crate::compile::resolve::tests::drafted;

    #[test]
    fn any_is_every_zone_and_the_box() {
        let (model, said) = drafted(
            "version: 1\nzones: { b: { interfaces: [b] }, a: { interfaces: ['a*', a1, a0] } }\n\
             policies: [{ name: p, from: any, to: [b, firewall, a], default: drop }]\n\
             nat: { masquerade: [{ name: m, from: any, to: b }] }\n",
        );
        assert_eq!(said, "");
        assert_eq!(
            format!("{:?}", model.policies[0].from),
            r#"[Firewall, Zone("a"), Zone("b")]"#
        );
        assert_eq!(model.policies[0].from, model.policies[0].to);
        assert_eq!(model.masquerade[0].from, ["a"]);
        let interfaces = model.zones["a"].interfaces.iter();
        let names: Vec<String> = interfaces
            .map(|one| format!("{}{}", one.name, if one.prefix { "*" } else { "" }))
            .collect();
        assert_eq!(names, ["a*"]);
    }
}
