//! Whose address becomes another: the entries of `nat`.

use std::net::IpAddr;

use super::{Selector, Service};
use crate::diagnostic::DocPath;
use crate::policy::Prefix;
use crate::ruleset::{Interval, NatFlags};

/// Which families an entry is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Families {
    /// IPv4.
    pub v4: bool,
    /// IPv6.
    pub v6: bool,
}
/// An entry of `nat.masquerade`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Masquerade {
    /// The name.
    pub name: String,
    /// Zones that packets come from.
    pub from: Vec<String>,
    /// Zones that they leave to.
    pub to: Vec<String>,
    /// Which families.
    pub families: Families,
    /// Whether the MSS of TCP between these zones is clamped.
    pub clamp_mss: bool,
    /// Where it stands.
    pub at: DocPath,
}

/// An entry of `nat.snat`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snat {
    /// The name.
    pub name: String,
    /// Zones that packets come from.
    pub from: Vec<String>,
    /// Zones that they leave to.
    pub to: Vec<String>,
    /// Only from these.
    pub source: Selector,
    /// Only to these.
    pub destination: Selector,
    /// Only these; empty is everything.
    pub services: Vec<Service>,
    /// The new source: the first of those that it may be.
    pub address: IpAddr,
    /// The last of those that it may be; `address` when it is the only one.
    pub last: IpAddr,
    /// The ports that it may leave with.
    pub ports: Option<Interval<u16>>,
    /// How address and port are chosen.
    pub flags: NatFlags,
    /// Where it stands.
    pub at: DocPath,
}

/// An entry of `nat.dnat`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dnat {
    /// The name.
    pub name: String,
    /// Zones that packets come from.
    pub from: Vec<String>,
    /// Only from these.
    pub source: Selector,
    /// Only to these; empty is every address of the box.
    pub destination: Selector,
    /// Only these; has ports.
    pub services: Vec<Service>,
    /// Where to; more than one only with `mode`. All of one family.
    pub backends: Vec<Backend>,
    /// How one of several is chosen.
    pub mode: Option<BalanceMode>,
    /// The new port; or a range as long as that of the services, port by port.
    pub port: Option<Interval<u16>>,
    /// Zones that may use the public address although the backends live in them; empty without
    /// `hairpin`.
    pub hairpin: Vec<String>,
    /// Zones that the backends live in; every zone where the networks do not tell.
    pub opens: Vec<String>,
    /// Where it stands.
    pub at: DocPath,
}

/// A backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Backend {
    /// The address.
    pub address: IpAddr,
    /// Its share: 1 to 1024 in all.
    pub weight: u32,
}

/// How a backend is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BalanceMode {
    /// One after the other.
    Nth,
    /// By chance.
    Random,
    /// The same source always to the same backend.
    SourceHash,
}

/// An entry of `nat.redirect`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirect {
    /// The name.
    pub name: String,
    /// Zones that packets come from.
    pub from: Vec<String>,
    /// Only from these.
    pub source: Selector,
    /// Only to these.
    pub destination: Selector,
    /// Only these; has ports.
    pub services: Vec<Service>,
    /// The new port on the box, or a range as long as that of the services, port by port; the port that was asked
    /// for when `None`.
    pub port: Option<Interval<u16>>,
    /// Where it stands.
    pub at: DocPath,
}

/// An entry of `nat.netmap` or `nat.nptv6`: a network that zones see as another one of the same size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Netmap {
    /// The name.
    pub name: String,
    /// Zones whose network it is; empty when not said.
    pub from: Vec<String>,
    /// Zones that see the other network.
    pub to: Vec<String>,
    /// The network as it is.
    pub inside: Prefix,
    /// The network as it is seen; of the same family and prefix length.
    pub outside: Prefix,
    /// Whether it is an entry of `nat.nptv6`.
    pub nptv6: bool,
    /// Where it stands.
    pub at: DocPath,
}
