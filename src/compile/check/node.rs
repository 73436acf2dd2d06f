//! Nodes: every interface that the policy speaks of has a name on each of them, and one of its own.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::zone::{Place, claims, places};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, DocPath};
use crate::policy::{InterfacePattern, Node, Policy};

/// The places of each logical interface.
type Listed<'p> = BTreeMap<&'p str, Vec<&'p Place<'p>>>;

/// Checks the interfaces of all nodes, whichever of them this is.
pub(super) fn interfaces(policy: &Policy, diagnostics: &mut Diagnostics) {
    let zones = places(policy);
    let mut listed: Listed<'_> = BTreeMap::new();
    for place in zones.iter().filter(|place| !place.is_prefix()) {
        listed.entry(place.name()).or_default().push(place);
    }
    for (name, node) in &policy.nodes {
        let at = DocPath::root()
            .key("nodes")
            .name(name.as_str())
            .key("interfaces");
        missing(name.as_str(), node, &at, &listed, diagnostics);
        unused(node, &at, &listed, diagnostics);
        claimed(node, &at, &listed, &zones, diagnostics);
    }
}

fn missing(
    name: &str,
    node: &Node,
    at: &DocPath,
    listed: &Listed<'_>,
    diagnostics: &mut Diagnostics,
) {
    let mapped: BTreeSet<&str> = node
        .interfaces
        .keys()
        .map(|logical| logical.as_str())
        .collect();
    for (logical, places) in listed {
        if mapped.contains(logical) {
            continue;
        }
        let Some(place) = places.first() else {
            continue;
        };
        let message =
            format!("the node `{name}` does not say what it calls the interface `{logical}`");
        let diagnostic = Diagnostic::error(Code::UnmappedInterface, message)
            .at(at, format!("`{logical}` is missing here"))
            .at(&place.at, format!("the zone `{}` lists it", place.zone))
            .help(format!(
                "write `{logical}: ` and the name of that interface on `{name}`"
            ));
        diagnostics.push(diagnostic);
    }
}

fn unused(node: &Node, at: &DocPath, listed: &Listed<'_>, diagnostics: &mut Diagnostics) {
    for logical in node.interfaces.keys().map(|logical| logical.as_str()) {
        if listed.contains_key(logical) {
            continue;
        }
        let message = format!("no zone lists the interface `{logical}`");
        let diagnostic = Diagnostic::warning(Code::UnusedMapping, message)
            .at_key(at.name(logical), "names an interface for nothing");
        diagnostics.push(
            match crate::diagnostic::nearest(logical, listed.keys().copied()) {
                Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                None => diagnostic.help("list it in a zone, or take it out"),
            },
        );
    }
}

/// Whether the names that interfaces have on the node get in each other's way, or in that of a beginning of names.
fn claimed(
    node: &Node,
    at: &DocPath,
    listed: &Listed<'_>,
    zones: &[Place<'_>],
    diagnostics: &mut Diagnostics,
) {
    let mut first: BTreeMap<&str, &str> = BTreeMap::new();
    let mut names = Vec::new();
    for (logical, real) in &node.interfaces {
        let (logical, real) = (logical.as_str(), real.as_str());
        if let Some(other) = first.insert(real, logical) {
            let message = format!("`{other}` and `{logical}` are the same interface, `{real}`");
            let diagnostic = Diagnostic::error(Code::InterfaceMappedTwice, message)
                .at(at.name(logical), "is the interface of another name already")
                .at(at.name(other), "this one")
                .help("a packet comes from one zone: give each name an interface of its own");
            diagnostics.push(diagnostic);
            continue;
        }
        let places = listed.get(logical).into_iter().flatten();
        names.extend(places.map(|place| Place {
            zone: place.zone,
            by_address: place.by_address,
            pattern: Cow::Owned(InterfacePattern::Exact(real.to_owned())),
            at: at.name(logical),
        }));
    }
    for name in names {
        let wide = zones
            .iter()
            .find(|place| place.is_prefix() && name.name().starts_with(place.name()));
        let wide = wide.map(|place| Place {
            zone: place.zone,
            by_address: place.by_address,
            pattern: place.pattern.clone(),
            at: place.at.clone(),
        });
        // What is wrong with the beginning alone has been said.
        let is_loopback_prefix = wide
            .as_ref()
            .is_some_and(|wide| "lo".starts_with(wide.name()));
        if !is_loopback_prefix {
            claims(wide.into_iter().chain([name]).collect(), diagnostics);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::compile::check::tests::said;

    /// What is said of two nodes with these interfaces.
    #[track_caller]
    fn check(a: &str, b: &str, expect: &str) {
        let text = format!(
            "version: 1\n\
             nodes:\n  a: {{ interfaces: {{ {a} }} }}\n  b: {{ interfaces: {{ {b} }} }}\n\
             zones:\n  wan: {{ interfaces: [wan0] }}\n  lan: {{ interfaces: [lan0, wg-like] }}\n  vpn: {{ interfaces: [\"wg*\"] }}\n\
             policies: [{{ name: in, from: any, to: any, default: accept }}]\n"
        );
        assert_eq!(said(&text), expect);
    }

    #[test]
    fn every_interface_has_a_name_of_its_own() {
        check(
            "wan0: eth0, lan0: eth1, wg-like: eth2",
            "wan0: eth1, lan0: eth0, wg-like: br0",
            "",
        );
        check(
            "wan0: eth0, lan0: eth1, wg-like: eth2",
            "wan0: eth1, lan0: eth1",
            "error[unmapped-interface]: the node `b` does not say what it calls the interface `wg-like`\n\
             error[interface-mapped-twice]: `lan0` and `wan0` are the same interface, `eth1`\n",
        );
        check(
            "wan0: eth0, lan0: eth1, wg-like: eth2, wan1: eth3",
            "wan0: lo, lan0: wg0, wg-like: eth2",
            "warning[unused-mapping]: no zone lists the interface `wan1`\n\
             error[interface-in-two-zones]: `wg0` is in the zone `lan` and, by `wg*`, in `vpn`\n\
             error[loopback-in-zone]: `lo` would be the loopback of the box\n",
        );
    }

    /// What is said of a node where zones share `lan0`, told by address.
    #[track_caller]
    fn check_shared(interfaces: &str, expect: &str) {
        let text = format!(
            "version: 1\n\
             nodes:\n  a: {{ interfaces: {{ {interfaces} }} }}\n\
             zones:\n  rest: {{ interfaces: [lan0] }}\n  some: {{ interfaces: [lan0], match: address, networks: [10.0.0.0/8] }}\n  \
             vpn: {{ interfaces: [\"wg*\"], match: address, networks: [10.0.0.0/16] }}\n\
             policies: [{{ name: in, from: any, to: any, default: accept }}]\n"
        );
        let said = said(&text);
        let errors: Vec<&str> = said
            .lines()
            .filter(|line| line.starts_with("error"))
            .collect();
        assert_eq!(errors.join("\n"), expect);
    }

    #[test]
    fn zones_share_an_interface_on_every_node() {
        check_shared("lan0: eth0", "");
        check_shared(
            "lan0: wg0",
            "error[interface-in-two-zones]: `wg0` is in the zone `rest` and, by `wg*`, in `vpn`\n\
             error[interface-in-two-zones]: `wg0` is in the zone `some` and, by `wg*`, in `vpn`",
        );
        check_shared(
            "wan0: eth0",
            "error[unmapped-interface]: the node `a` does not say what it calls the interface `lan0`",
        );
    }
}
