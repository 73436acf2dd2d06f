//! `nat.netmap` and `nat.nptv6`: two networks that must fit each other.

use std::net::IpAddr;

use super::nat::to_itself;
use crate::compile::model::{Model, Netmap};
use crate::compile::resolve::addresses_of_prefix;
use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::policy::Prefix;

/// Checks an entry.
pub(super) fn entry(netmap: &Netmap, model: &Model, diagnostics: &mut Diagnostics) {
    let Netmap {
        name: _,
        from,
        to,
        inside,
        outside,
        nptv6,
        at,
    } = netmap;
    if *nptv6 {
        to_itself(from, to, at, diagnostics);
    } else {
        seen_from_inside(netmap, model, diagnostics);
    }
    let family = |prefix: &Prefix| match prefix.net().addr() {
        IpAddr::V4(_) => "IPv4",
        IpAddr::V6(_) => "IPv6",
    };
    let (here, there) = (at.key("inside"), at.key("outside"));
    if family(inside) != family(outside) {
        let message = format!(
            "{} packets cannot become {}",
            family(outside),
            family(inside)
        );
        let diagnostic = Diagnostic::error(Code::NatChangesFamily, message)
            .at(there, family(outside))
            .at(here, family(inside))
            .help("write two networks of one family");
        diagnostics.push(diagnostic);
        return;
    }
    if *nptv6 && family(inside) == "IPv4" {
        let diagnostic = Diagnostic::error(
            Code::Nptv6OfIpv4,
            "`nptv6` maps IPv6 networks, and this is IPv4",
        )
        .at(here, "is IPv4")
        .help("write it as an entry of `netmap`: { name, between, inside, outside }");
        diagnostics.push(diagnostic);
        return;
    }
    let (inner, outer) = (inside.net().prefix_len(), outside.net().prefix_len());
    if inner != outer {
        let message = format!("a /{inner} network cannot be mapped host by host to a /{outer}");
        let diagnostic = Diagnostic::error(Code::UnequalPrefixes, message)
            .at(there, format!("is a /{outer}"))
            .at(here, format!("is a /{inner}"))
            .help("write two prefixes of the same length");
        diagnostics.push(diagnostic);
    } else if inside == outside {
        let message = format!("`{inside}` would be mapped to itself");
        let diagnostic = Diagnostic::error(Code::NatToItself, message)
            .at(there, "is the same network")
            .at(here, "as this one")
            .help("take the entry out, or write the network as the other side sees it");
        diagnostics.push(diagnostic);
    }
}

/// A zone that the network lives in would have to see it as two networks.
fn seen_from_inside(netmap: &Netmap, model: &Model, diagnostics: &mut Diagnostics) {
    let inside = addresses_of_prefix(netmap.inside);
    let home = netmap.to.iter().find(|name| {
        let zone = model.zones.get(*name);
        zone.is_some_and(|zone| {
            zone.networks.v4.overlaps(&inside.v4) || zone.networks.v6.overlaps(&inside.v6)
        })
    });
    if let Some(home) = home {
        let message = format!("`{}` lives in the zone `{home}` itself", netmap.inside);
        let diagnostic = Diagnostic::error(Code::NatToItself, message)
            .at(netmap.at.key("between"), "sees the network as `outside`")
            .at(netmap.at.key("inside"), format!("is behind `{home}`"))
            .help("name the zones that see the network under its other address");
        diagnostics.push(diagnostic);
    }
}

#[cfg(test)]
mod tests {
    use crate::compile::check::tests::said;

    #[track_caller]
    fn check(nat: &str, expect: &str) {
        let text = format!(
            "version: 1\n\
             zones:\n  lan: {{ interfaces: [eth1], networks: [10.1.4.0/24, 'fd00:1::/64'] }}\n  vpn: {{ interfaces: ['wg*'] }}\n\
             policies: [{{ name: in, from: any, to: firewall, default: accept }}]\n\
             nat:\n  {nat}\n"
        );
        assert_eq!(said(&text), expect);
    }

    #[test]
    fn networks_of_one_size() {
        check(
            "netmap: [{ name: a, between: vpn, inside: 10.1.4.0/24, outside: 172.20.4.0/24 }]",
            "",
        );
        check(
            "netmap: [{ name: a, between: vpn, inside: 10.1.4.0/24, outside: 172.20.0.0/16 }]",
            "error[unequal-prefixes]: a /24 network cannot be mapped host by host to a /16\n",
        );
        check(
            "nptv6: [{ name: a, from: lan, to: vpn, inside: 'fd00:1::/64', outside: '2001:db8:0:11::/64' }]",
            "",
        );
        check(
            "nptv6: [{ name: a, from: lan, to: vpn, inside: 'fd00:1::/64', outside: '2001:db8::/56' }]",
            "error[unequal-prefixes]: a /64 network cannot be mapped host by host to a /56\n",
        );
    }

    #[test]
    fn families() {
        check(
            "netmap: [{ name: a, between: vpn, inside: 10.1.4.0/24, outside: 'fd00::/120' }]",
            "error[nat-changes-family]: IPv6 packets cannot become IPv4\n",
        );
        check(
            "nptv6: [{ name: a, from: lan, to: vpn, inside: 10.1.4.0/24, outside: 172.20.4.0/24 }]",
            "error[nptv6-of-ipv4]: `nptv6` maps IPv6 networks, and this is IPv4\n",
        );
    }

    #[test]
    fn a_network_and_itself() {
        check(
            "netmap: [{ name: a, between: vpn, inside: 10.1.4.0/24, outside: 10.1.4.0/24 }]",
            "error[nat-to-itself]: `10.1.4.0/24` would be mapped to itself\n",
        );
        check(
            "netmap: [{ name: a, between: lan, inside: 10.1.4.0/25, outside: 172.20.4.0/25 }]",
            "error[nat-to-itself]: `10.1.4.0/25` lives in the zone `lan` itself\n",
        );
        check(
            "nptv6: [{ name: a, from: lan, to: lan, inside: 'fd00:1::/64', outside: '2001:db8::/64' }]",
            "error[nat-to-itself]: the zone `lan` would be hidden from itself\n",
        );
    }
}
