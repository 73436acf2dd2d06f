//! Forwards in each other's way: two entries for one port and destination.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::extent::{Protocols, addresses, holds, meet};
use crate::compile::model::{Dnat, Model, Redirect, Selector, Service};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, DocPath};
use crate::ruleset::{Addresses, Intervals, Transport};

/// Complains about forwards and redirections of what an earlier one has taken.
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
            ..
        } = dnat;
        let forward = Forward::new(name, from, services, source, destination, at, model);
        match backends.first().map(|backend| backend.address) {
            Some(address) => forward.of_family(address),
            None => forward,
        }
    });
    overlapping(&forwards.collect::<Vec<_>>(), diagnostics);
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
        Forward::new(name, from, services, source, destination, at, model)
    });
    overlapping(&redirects.collect::<Vec<_>>(), diagnostics);
}

/// A forward, as far as two of them can be in each other's way.
struct Forward<'a> {
    name: &'a str,
    from: &'a [String],
    protocols: Protocols,
    source: Addresses,
    /// `None` is the addresses of the box, whichever they are.
    destination: Option<Addresses>,
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
            from,
            protocols: Protocols::of(services),
            source: addresses(source, model).into_owned(),
            destination: (!anywhere).then(|| addresses(destination, model).into_owned()),
            at,
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

    /// Whether a packet can be for both.
    fn meets(&self, other: &Self) -> bool {
        let destinations = match (&self.destination, &other.destination) {
            (Some(own), Some(others)) => meet(own, others),
            (None, None) => true,
            (None, Some(_)) | (Some(_), None) => false,
        };
        destinations
            && self.from.iter().any(|zone| other.from.contains(zone))
            && meet(&self.source, &other.source)
    }

    /// Whether `other` is the general case of addresses that this one is taken out of.
    fn is_special_of(&self, other: &Self) -> bool {
        self.is_within(other) && !other.is_within(self)
    }

    /// Whether every address of this one is one of `other`.
    fn is_within(&self, other: &Self) -> bool {
        let destination = match (&self.destination, &other.destination) {
            (Some(own), Some(others)) => holds(others, own),
            (None, None) => true,
            (None, Some(_)) | (Some(_), None) => false,
        };
        destination && holds(&other.source, &self.source)
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
            if first == later
                || told.contains(&(first, later))
                || !earlier.meets(forward)
                || earlier.is_special_of(forward)
            {
                continue;
            }
            told.insert((first, later));
            let port = format!("{} {}", transport.name(), lo.min(*hi));
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

    #[track_caller]
    fn check(entries: &str, expect: &str) {
        let entries: String = entries
            .trim()
            .lines()
            .map(|entry| format!("    - {}\n", entry.trim()))
            .collect();
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
}
