//! Translations of a destination in each other's way: two entries for one port and destination.
//!
//! The kernel asks them in the order `dnat`, `redirect`, `netmap`, `nptv6`, each in file order, and the first that fits
//! translates the connection. So an entry that meets an earlier one must be the general case of it.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::extent::{Protocols, addresses, everyone, holds, meet};
use crate::compile::model::{Dnat, Model, Netmap, Redirect, Selector, Service};
use crate::compile::resolve::addresses_of_prefix;
use crate::diagnostic::{Code, Diagnostic, Diagnostics, DocPath};
use crate::ruleset::{Addresses, Interval, Intervals, Transport};

/// Complains about translations of what an earlier one has taken.
pub(super) fn overlaps(model: &Model, diagnostics: &mut Diagnostics) {
    let forwards = model.dnat.iter().map(|dnat| {
        let Dnat {
            name,
            from,
            source,
            destination,
            services,
            backends,
            at,
            hairpin,
            ..
        } = dnat;
        let forward = Forward::new(name, from, services, source, destination, at, model);
        // Its own zone sees the public address, too.
        let from = from.iter().chain(hairpin).map(String::as_str).collect();
        let forward = Forward { from, ..forward };
        match backends.first().map(|backend| backend.address) {
            Some(address) => forward.of_family(address),
            None => forward,
        }
    });
    let redirects = model.redirect.iter().map(|redirect| {
        let Redirect {
            name,
            from,
            source,
            destination,
            services,
            port: _,
            at,
        } = redirect;
        let redirect = Forward::new(name, from, services, source, destination, at, model);
        // Without a destination it is for every address.
        let to = To::These(addresses(destination, model).into_owned());
        Forward { to, ..redirect }
    });
    let netmaps = model.netmap.iter().map(Forward::of_netmap);
    let all = forwards.chain(redirects).chain(netmaps);
    let all: Vec<_> = all.map(Forward::of_its_families).collect();
    overlapping(&all, diagnostics);
}

/// Where the packets of a forward go.
enum To {
    /// The addresses of the box, whichever they are.
    Box,
    /// These.
    These(Addresses),
}

/// A forward, as far as two of them can be in each other's way.
struct Forward<'a> {
    name: &'a str,
    from: Vec<&'a str>,
    protocols: Protocols,
    source: Addresses,
    to: To,
    /// Whether the addresses are just these; hosts by host parts may be told apart by more.
    exact: bool,
    at: &'a DocPath,
}

impl<'a> Forward<'a> {
    fn new(
        name: &'a str,
        from: &'a [String],
        services: &[Service],
        source: &Selector,
        destination: &Selector,
        at: &'a DocPath,
        model: &Model,
    ) -> Self {
        let anywhere = destination.include.is_empty();
        Self {
            name,
            from: from.iter().map(String::as_str).collect(),
            protocols: Protocols::of(services),
            source: addresses(source, model).into_owned(),
            to: if anywhere {
                To::Box
            } else {
                To::These(addresses(destination, model).into_owned())
            },
            exact: !source.is_vague(model) && !destination.is_vague(model),
            at,
        }
    }

    fn of_netmap(netmap: &'a Netmap) -> Self {
        let every_port = Intervals::from_iter([Interval {
            lo: u16::MIN,
            hi: u16::MAX,
        }]);
        Self {
            name: &netmap.name,
            from: netmap.to.iter().map(String::as_str).collect(),
            protocols: Protocols {
                ports: Transport::ALL
                    .map(|transport| (transport, every_port.clone()))
                    .into(),
                ..Protocols::default()
            },
            source: everyone().clone(),
            to: To::These(addresses_of_prefix(netmap.outside)),
            exact: true,
            at: &netmap.at,
        }
    }

    /// Only packets of the family of the hosts that they are sent on to.
    fn of_family(mut self, host: IpAddr) -> Self {
        match host {
            IpAddr::V4(_) => self.source.v6 = Intervals::default(),
            IpAddr::V6(_) => self.source.v4 = Intervals::default(),
        }
        self
    }

    /// Only packets of the families that the destination has.
    fn of_its_families(mut self) -> Self {
        if let To::These(Addresses { v4, v6 }) = &self.to {
            if v4.is_empty() {
                self.source.v4 = Intervals::default();
            }
            if v6.is_empty() {
                self.source.v6 = Intervals::default();
            }
        }
        self
    }

    /// Whether a packet is certainly for both.
    fn meets(&self, other: &Self) -> bool {
        let destinations = match (&self.to, &other.to) {
            (To::These(own), To::These(others)) => meet(own, others),
            (To::Box, To::Box) => true,
            // What addresses the box has is not in the policy; but they are among all.
            (To::Box, To::These(these)) | (To::These(these), To::Box) => holds(these, everyone()),
        };
        self.exact
            && other.exact
            && destinations
            && self.from.iter().any(|zone| other.from.contains(zone))
            && meet(&self.source, &other.source)
    }

    /// Whether `other` is the general case of addresses that this one is taken out of.
    fn is_special_of(&self, other: &Self) -> bool {
        self.is_within(other) && !other.is_within(self)
    }

    /// Whether every address of this one is one of `other`.
    fn is_within(&self, other: &Self) -> bool {
        let destination = match (&self.to, &other.to) {
            (To::These(own), To::These(others)) => holds(others, own),
            (To::Box, To::Box) => true,
            (To::Box, To::These(these)) => holds(these, everyone()),
            (To::These(_), To::Box) => false,
        };
        destination && holds(&other.source, &self.source)
    }

    /// Whether every packet is one of whole networks, not of some ports.
    fn is_of_networks(&self) -> bool {
        self.protocols.ports.len() == Transport::ALL.len()
            && self.protocols.spans().all(|(_, span)| span.lo == 0)
    }
}

/// Two forwards for one port and destination: only the first can have it. A special case before the general one is
/// meant.
fn overlapping(forwards: &[Forward<'_>], diagnostics: &mut Diagnostics) {
    let mut spans: Vec<(Transport, u16, u16, usize)> = Vec::new();
    for (index, forward) in forwards.iter().enumerate() {
        spans.extend(
            forward
                .protocols
                .spans()
                .map(|(transport, span)| (transport, span.lo, span.hi, index)),
        );
    }
    spans.sort_unstable();
    let mut told: BTreeSet<(usize, usize)> = BTreeSet::new();
    let mut open: Vec<(Transport, u16, u16, usize)> = Vec::new();
    for span in spans {
        let (transport, lo, _, index) = span;
        open.retain(|(open_transport, _, hi, _)| *open_transport == transport && lo <= *hi);
        for (_, _, hi, other) in &open {
            let (first, later) = (index.min(*other), index.max(*other));
            let (Some(earlier), Some(forward)) = (forwards.get(first), forwards.get(later)) else {
                continue;
            };
            // A port of the hosts of a network is a special case of the network.
            let of_networks = (earlier.is_of_networks(), forward.is_of_networks());
            let is_special = earlier.is_special_of(forward)
                || of_networks == (false, true) && earlier.is_within(forward);
            if first == later
                || told.contains(&(first, later))
                || !earlier.meets(forward)
                || is_special
            {
                continue;
            }
            told.insert((first, later));
            let port = match of_networks {
                (true, true) => "the same addresses".to_owned(),
                _ => format!("{} {}", transport.name(), lo.min(*hi)),
            };
            let message = format!(
                "`{}` and `{}` both forward {port}",
                earlier.name, forward.name
            );
            let diagnostic = Diagnostic::error(Code::OverlappingForwards, message)
                .at(forward.at.key("name"), "never gets it")
                .at(earlier.at.key("name"), "comes first")
                .help("tell them apart by `destination`, `source` or port; a special case stands before the general one");
            diagnostics.push(diagnostic);
        }
        open.push(span);
    }
}

#[cfg(test)]
mod tests {
    use crate::compile::check::tests::said;

    /// The entries of `dnat`, then those of other kinds, each after its kind.
    #[track_caller]
    fn check(entries: &str, expect: &str) {
        let mut kind = "dnat";
        let mut lists = String::new();
        for entry in entries.trim().lines().map(str::trim) {
            match entry.split_once(": {") {
                Some((other, rest)) if !other.starts_with('{') => {
                    if other != kind {
                        lists += &format!("  {other}:\n");
                        kind = other;
                    }
                    lists += &format!("    - {{{rest}\n");
                }
                _ => lists += &format!("    - {entry}\n"),
            }
        }
        let entries = lists;
        let text = format!(
            "version: 1\n\
             zones:\n  lan: {{ interfaces: [eth1], networks: [192.168.0.0/16, 'fd00::/16'] }}\n  wan: {{ interfaces: [eth0] }}\n\
             policies: [{{ name: in, from: any, to: firewall, default: accept }}]\n\
             nat:\n  dnat:\n{entries}"
        );
        assert_eq!(said(&text), expect);
    }

    #[test]
    fn apart() {
        check(
            "{ name: a, from: wan, services: [http], to: 192.168.1.1 }
             { name: b, from: wan, services: [https, { udp: [80] }], to: 192.168.1.1 }
             { name: c, from: lan, services: [http], to: 192.0.2.1 }
             { name: d, from: wan, services: [http], to: 'fd00::1' }
             { name: e, from: wan, destination: [203.0.113.1], services: [http-alt], to: 192.168.1.1 }
             { name: f, from: wan, destination: [203.0.113.2], services: [http-alt], to: 192.168.1.2 }",
            "",
        );
    }

    #[test]
    fn the_special_case_stands_first() {
        check(
            "{ name: a, from: wan, source: [203.0.113.0/24], services: [http], to: 192.168.1.1 }
             { name: b, from: wan, services: [http], to: 192.168.1.2 }",
            "",
        );
        check(
            "{ name: b, from: wan, services: [http], to: 192.168.1.2 }
             { name: a, from: wan, source: [203.0.113.0/24], services: [http], to: 192.168.1.1 }",
            "error[overlapping-forwards]: `b` and `a` both forward tcp 80\n",
        );
        check(
            "{ name: a, from: wan, source: [203.0.113.0/24], services: [http], to: 192.168.1.1 }
             { name: b, from: wan, source: [203.0.113.0/25, 198.51.100.0/24], services: [http], to: 192.168.1.2 }",
            "error[overlapping-forwards]: `a` and `b` both forward tcp 80\n",
        );
    }

    #[test]
    fn a_port_in_a_range() {
        check(
            "{ name: a, from: wan, services: [{ tcp: ['8000-8999', 80] }], to: 192.168.1.1 }
             { name: b, from: wan, services: [{ tcp: [80, '8500-9999'] }], to: 192.168.1.2 }",
            "error[overlapping-forwards]: `a` and `b` both forward tcp 80\n",
        );
    }

    #[test]
    fn host_parts_may_differ() {
        check(
            "{ name: a, from: wan, destination: ['::1/-64'], services: [http], to: 'fd00::1' }
             { name: b, from: wan, destination: ['::2/-64'], services: [http], to: 'fd00::2' }",
            "",
        );
    }

    #[test]
    fn a_redirect_after_a_forward() {
        // The box's own addresses, and a net, are special cases of everywhere.
        check(
            "{ name: a, from: wan, services: [http], to: 192.168.1.1 }
             { name: b, from: wan, destination: [198.51.100.0/24], services: [http], to: 192.168.1.1 }
             redirect: { name: c, from: wan, services: [http] }",
            "",
        );
        check(
            "{ name: a, from: wan, destination: [198.51.100.0/24], services: [{ tcp: ['1-1023'] }], to: 192.168.1.1 }
             redirect: { name: b, from: wan, services: [http], destination: [198.51.100.7] }",
            "error[overlapping-forwards]: `a` and `b` both forward tcp 80\n",
        );
        check(
            "{ name: a, from: wan, destination: [198.51.100.7], services: [http], to: 192.168.1.1, hairpin: true }
             redirect: { name: b, from: lan, services: [http], destination: [198.51.100.7] }",
            "error[overlapping-forwards]: `a` and `b` both forward tcp 80\n",
        );
    }

    #[test]
    fn networks_after_ports() {
        check(
            "{ name: a, from: wan, destination: [172.20.4.25], services: [http], to: 192.168.1.1 }
             { name: b, from: wan, destination: [172.20.4.0/24], services: [https], to: 192.168.1.1 }
             netmap: { name: c, between: wan, inside: 192.168.1.0/24, outside: 172.20.4.0/24 }",
            "",
        );
        check(
            "{ name: a, from: wan, destination: [172.20.0.0/16], services: [http], to: 192.168.1.1 }
             netmap: { name: c, between: wan, inside: 192.168.1.0/24, outside: 172.20.4.0/24 }",
            "error[overlapping-forwards]: `a` and `c` both forward tcp 80\n",
        );
        check(
            "{ name: a, from: lan, destination: [172.20.0.0/16], services: [http], to: 192.0.2.1 }
             redirect: { name: b, from: wan, services: [http] }
             netmap: { name: c, between: wan, inside: 192.168.1.0/24, outside: 172.20.4.0/24 }",
            "error[overlapping-forwards]: `b` and `c` both forward tcp 80\n",
        );
    }

    #[test]
    fn networks_after_networks() {
        check(
            "{ name: a, from: wan, services: [https], to: 192.168.1.1 }
             netmap: { name: b, between: wan, inside: 192.168.1.0/25, outside: 172.20.4.0/25 }
             netmap: { name: c, between: wan, inside: 192.168.0.0/16, outside: 172.20.0.0/16 }
             nptv6: { name: d, from: lan, to: wan, inside: 'fd00::/64', outside: '2001:db8::/64' }",
            "",
        );
        check(
            "{ name: a, from: wan, services: [https], to: 192.168.1.1 }
             netmap: { name: b, between: wan, inside: 'fd00::/56', outside: '2001:db8::/56' }
             nptv6: { name: c, from: lan, to: wan, inside: 'fd00::/64', outside: '2001:db8::/64' }",
            "error[overlapping-forwards]: `b` and `c` both forward the same addresses\n",
        );
    }
}
