//! Ports by protocol: what services, rules and checks have of them.
//!
//! A policy has many of them and most are one port, so they are a short list and not a tree.

use crate::ruleset::{Intervals, Transport};

/// Destination ports by protocol; protocols in the order of their numbers, none of them without ports.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ports(Vec<(Transport, Intervals<u16>)>);

impl Ports {
    /// Adds ports to those that a protocol has.
    pub fn add(&mut self, transport: Transport, ports: &Intervals<u16>) {
        if ports.is_empty() {
            return;
        }
        match self.0.binary_search_by_key(&transport, |(known, _)| *known) {
            Ok(at) => {
                if let Some((_, known)) = self.0.get_mut(at) {
                    *known = known.union(ports);
                }
            }
            Err(at) => {
                // Rarely more than one protocol.
                self.0.reserve_exact(1);
                self.0.insert(at, (transport, ports.clone()));
            }
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many protocols have some.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Protocols and their ports.
    pub fn iter(&self) -> impl Iterator<Item = (Transport, &Intervals<u16>)> {
        self.0.iter().map(|(transport, ports)| (*transport, ports))
    }

    /// The ports of a protocol.
    pub fn get(&self, transport: Transport) -> Option<&Intervals<u16>> {
        let at = self.0.binary_search_by_key(&transport, |(known, _)| *known);
        self.0.get(at.ok()?).map(|(_, ports)| ports)
    }

    /// The protocols.
    pub fn transports(&self) -> impl Iterator<Item = Transport> {
        self.0.iter().map(|(transport, _)| *transport)
    }
}

impl IntoIterator for Ports {
    type Item = (Transport, Intervals<u16>);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<const N: usize> From<[(Transport, Intervals<u16>); N]> for Ports {
    fn from(ports: [(Transport, Intervals<u16>); N]) -> Self {
        ports.into_iter().collect()
    }
}

impl FromIterator<(Transport, Intervals<u16>)> for Ports {
    fn from_iter<I: IntoIterator<Item = (Transport, Intervals<u16>)>>(ports: I) -> Self {
        let mut all = Self::default();
        for (transport, ports) in ports {
            all.add(transport, &ports);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::Ports;
    use crate::ruleset::{Interval, Transport};

    #[test]
    fn protocols_are_in_order_and_their_ports_together() {
        let one = |transport, port| (transport, std::iter::once(Interval::single(port)).collect());
        let ports: Ports = [
            one(Transport::Udp, 53),
            one(Transport::Tcp, 53),
            one(Transport::Udp, 5353),
            (Transport::Sctp, std::iter::empty().collect()),
        ]
        .into_iter()
        .collect();
        let text: Vec<String> = ports
            .iter()
            .map(|(transport, ports)| {
                let ports: Vec<u16> = ports.iter().map(|span| span.lo).collect();
                format!("{} {ports:?}", transport.name())
            })
            .collect();
        assert_eq!(text, ["tcp [53]", "udp [53, 5353]"]);
        assert!(ports.get(Transport::Udp).is_some() && ports.get(Transport::Sctp).is_none());
        assert_eq!(
            ports.transports().collect::<Vec<_>>(),
            [Transport::Tcp, Transport::Udp]
        );
    }
}
