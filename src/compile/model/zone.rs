//! Who is where: zones, and the interfaces that packets come and go by.

use crate::ruleset::Addresses;

/// A zone other than `firewall`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Zone {
    /// Interface names, sorted; each belongs to one zone that is not told by address at most.
    pub interfaces: Vec<Interface>,
    /// What lives behind them; empty when not said. Without what zones that are told by address take of it on a common
    /// interface: there the networks of the zones have no address in common.
    pub networks: Addresses,
    /// Whether only these addresses belong to it, on these interfaces; otherwise everything does that belongs to no
    /// other.
    pub by_address: bool,
}

impl Zone {
    /// Whether it has an interface in common with another.
    pub fn meets(&self, other: &Self) -> bool {
        let has = |interface| other.interfaces.binary_search(interface).is_ok();
        self.interfaces.iter().any(has)
    }
}

/// An interface by name, or all whose names begin alike.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Interface {
    /// The name, or its beginning without the `*`.
    pub name: String,
    /// Whether it is only the beginning.
    pub prefix: bool,
}

impl Interface {
    /// Sorts interfaces and takes out those that a beginning of names holds already.
    pub fn tidy(interfaces: &mut Vec<Self>) {
        interfaces.sort();
        interfaces.dedup();
        let all = interfaces.clone();
        interfaces.retain(|interface| {
            !all.iter()
                .any(|other| other != interface && other.holds(interface))
        });
    }

    /// Whether it is the interface of this name, or one of those.
    pub fn has(&self, name: &str) -> bool {
        match self.prefix {
            true => name.starts_with(&self.name),
            false => name == self.name,
        }
    }

    /// Whether it is a beginning of names that another interface, or a longer beginning, has.
    fn holds(&self, other: &Self) -> bool {
        self.prefix && other.name.starts_with(&self.name)
    }
}
/// One end of a pair.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// The box itself.
    Firewall,
    /// A zone by name.
    Zone(String),
}
