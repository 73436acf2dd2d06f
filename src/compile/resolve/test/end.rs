//! Where packets of a test come from and go to.

use super::Context;
use crate::compile::claim::End;
use crate::compile::model::Side;
use crate::compile::resolve::selector::{addresses_of, networks_of};
use crate::compile::resolve::zone::unknown_zone;
use crate::diagnostic::{Code, Diagnostic, Diagnostics, DocPath};
use crate::policy::{Host, Test, TestEnd};
use crate::ruleset::{Addresses, Family};

/// The addresses of an entry that may also be a group or a zone with networks.
pub(super) fn addresses(
    host: &Host,
    at: &DocPath,
    context: &Context<'_, '_>,
    diagnostics: &mut Diagnostics,
) -> Option<Addresses> {
    let scope = context.scope;
    match host {
        Host::Name(name) => match scope.groups.get(name.as_str()) {
            Some(group) => group.clone(),
            None => {
                let names = scope.groups.keys().copied();
                networks_of(name.as_str(), at, &scope.zones, names, diagnostics)
            }
        },
        Host::HostPart(part) => {
            let message = format!("`{part}` is only the host part of an address");
            let diagnostic = Diagnostic::error(Code::HostPartAlone, message)
                .at(at, "could be in any network")
                .help("write the whole address");
            diagnostics.push(diagnostic);
            None
        }
        Host::Address(_) | Host::Prefix(_) | Host::Range(_) => Some(addresses_of(host)),
    }
}

/// Both ends. All that is wrong with them is said.
pub(super) fn ends(
    test: &Test,
    at: &DocPath,
    context: &Context<'_, '_>,
    diagnostics: &mut Diagnostics,
) -> Option<(Vec<End>, Vec<End>)> {
    let from = end(test.from.as_ref()?, &at.key("from"), context, diagnostics);
    let to = end(test.to.as_ref()?, &at.key("to"), context, diagnostics);
    let (from, to) = (from?, to?);
    let is_box = |ends: &[End]| ends.iter().all(|end| end.side == Side::Firewall);
    if is_box(&from) && is_box(&to) {
        let message = "the box does not need a rule to talk to itself";
        let diagnostic = Diagnostic::error(Code::FirewallToItself, message)
            .at(at.key("to"), "is the box")
            .at(at.key("from"), "and so is this")
            .help("test what comes from a zone, or goes to one");
        diagnostics.push(diagnostic);
        return None;
    }
    Some((from, to))
}

fn end(
    written: &TestEnd,
    at: &DocPath,
    context: &Context<'_, '_>,
    diagnostics: &mut Diagnostics,
) -> Option<Vec<End>> {
    match written {
        TestEnd::Name(Host::Name(name)) if name.as_str() == "firewall" => {
            Some(vec![context.homes.firewall()])
        }
        TestEnd::Name(Host::Name(name)) if name.as_str() == "any" => Some(context.homes.all()),
        TestEnd::Name(Host::Name(name)) if context.scope.zones.contains_key(name.as_str()) => {
            Some(vec![context.homes.zone(name.as_str())])
        }
        TestEnd::Name(Host::Name(name)) if !context.scope.groups.contains_key(name.as_str()) => {
            diagnostics.push(unknown_zone(name.as_str(), at, context.scope));
            None
        }
        TestEnd::Name(host) => {
            let addresses = addresses(host, at, context, diagnostics)?;
            let ends = context.homes.of_addresses(&addresses);
            if ends.is_empty() {
                let message = format!("`{host}` lives in no zone");
                let diagnostic = Diagnostic::error(Code::AddressInNoZone, message)
                    .at(at, "is in the `networks` of no zone")
                    .help("say where it is seen: `{ zone: lan, address: 10.0.0.5 }`");
                diagnostics.push(diagnostic);
                return None;
            }
            Some(ends)
        }
        TestEnd::Inline(both) => {
            let addresses = addresses(&both.address, &at.key("address"), context, diagnostics);
            let zones = crate::policy::ZoneRef::to_string(&both.zone);
            let side = match zones.as_str() {
                "firewall" => Some(Side::Firewall),
                zone if context.scope.zones.contains_key(zone) => Some(Side::Zone(zone.to_owned())),
                zone => {
                    let at = at.key("zone");
                    diagnostics.push(unknown_zone(zone, &at, context.scope));
                    None
                }
            };
            Some(vec![End {
                side: side?,
                addresses: addresses?,
            }])
        }
    }
}

pub(super) fn has(addresses: &Addresses, family: Family) -> bool {
    match family {
        Family::Ipv4 => !addresses.v4.is_empty(),
        Family::Ipv6 => !addresses.v6.is_empty(),
    }
}
