//! Forwards in each other's way: two entries for one port and destination.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::extent::{Protocols, addresses, meet};
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
            source: addresses(source, model),
            destination: (!anywhere).then(|| addresses(destination, model)),
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
        let within = |own: &Addresses, others: &Addresses| own.subtract(others).is_empty();
        let destination = match (&self.destination, &other.destination) {
            (Some(own), Some(others)) => within(own, others),
            (None, None) => true,
            (None, Some(_)) | (Some(_), None) => false,
        };
        let same = self.source == other.source && self.destination == other.destination;
        !same && destination && within(&self.source, &other.source)
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
