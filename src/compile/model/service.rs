//! What a packet must be to fit: services and ends.

use std::collections::BTreeSet;

use super::{Model, Numbers, Ports};
use crate::policy::HostPart;
use crate::ruleset::Addresses;

/// What a service is on the wire. At least one of the fields is not empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Service {
    /// Its name, or how it was written in place.
    pub name: Box<str>,
    /// Destination ports by protocol.
    pub ports: Ports,
    /// ICMP types.
    pub icmp: Numbers,
    /// ICMPv6 types.
    pub icmpv6: Numbers,
    /// Whole protocols by number, such as 47 for GRE.
    pub protocols: Numbers,
    /// The conntrack helper that follows its control connection.
    pub helper: Option<Box<str>>,
}

/// Which addresses an end may have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector {
    /// Any of these; empty is any address at all.
    pub include: Vec<Selected>,
    /// None of these.
    pub exclude: Vec<Selected>,
}

/// One entry of a selector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selected {
    /// A group by name.
    Group(String),
    /// A set by name: what it holds is not known here.
    Set(String),
    /// Addresses written in place, or the networks of a zone.
    Addresses(Addresses),
    /// Hosts by the host part of their IPv6 address, written in place.
    HostParts(BTreeSet<HostPart>),
}

impl Selected {
    /// The host parts in it.
    pub fn host_parts<'a>(&'a self, model: &'a Model) -> Option<&'a BTreeSet<HostPart>> {
        match self {
            Self::Group(name) => model.host_parts.get(name),
            Self::Set(_) | Self::Addresses(_) => None,
            Self::HostParts(hosts) => Some(hosts),
        }
    }
}

impl Selector {
    /// Whether hosts are named by the host part of their address, or by sets: then the addresses of its entries are not
    /// all there is to it.
    pub fn is_vague(&self, model: &Model) -> bool {
        let Self { include, exclude } = self;
        include
            .iter()
            .chain(exclude)
            .any(|entry| matches!(entry, Selected::Set(_)) || entry.host_parts(model).is_some())
    }
}
