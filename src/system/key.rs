//! The keys under `/proc/sys` that rfw knows. There are no others: whatever a file says, nothing else is written.

use std::fmt::{self, Display, Formatter};
use std::str::FromStr;

/// A setting of the kernel. The order is the one they are listed and written in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// `net.ipv4.ip_forward`, `net.ipv6.conf.all.forwarding`: 0 or 1.
    Forwarding(Family),
    /// `net.ipv4.neigh.default.gc_thresh1` and so on: numbers of neighbours.
    Neighbour(Family, Threshold),
    /// `net.netfilter.nf_conntrack_max`: a number of connections.
    ConntrackMax,
    /// `net.netfilter.nf_conntrack_tcp_be_liberal`: 0 or 1.
    ConntrackTcpLiberal,
    /// `net.netfilter.nf_conntrack_tcp_loose`: 0 or 1.
    ConntrackTcpLoose,
    /// `net.ipv4.conf.*.rp_filter`: 0 for off, 1 for strict, 2 for loose. What holds for an interface is
    /// the greater of its own value and that of `all` (Documentation/networking/ip-sysctl.rst).
    RpFilter(Scope),
}

/// Which protocol.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, schemars::JsonSchema,
)]
pub enum Family {
    /// Version 4 of IP.
    #[serde(rename = "ipv4")]
    V4,
    /// Version 6 of IP.
    #[serde(rename = "ipv6")]
    V6,
}

/// Which threshold of a neighbour table (arp(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Threshold {
    /// `gc_thresh1`: below it nothing is collected.
    One,
    /// `gc_thresh2`: above it room is made.
    Two,
    /// `gc_thresh3`: the most there can be.
    Three,
}

/// Which interfaces a setting is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// `all`.
    All,
    /// `default`: what interfaces begin with that appear later.
    Default,
    /// `*`: every interface there is. Only a wish, and a line of a file.
    Every,
    /// One interface by its name.
    Interface(String),
}

impl Family {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::V4, Self::V6];

    fn word(self) -> &'static str {
        match self {
            Self::V4 => "ipv4",
            Self::V6 => "ipv6",
        }
    }
}

impl Threshold {
    /// All three.
    pub const ALL: [Self; 3] = [Self::One, Self::Two, Self::Three];

    fn number(self) -> u8 {
        match self {
            Self::One => 1,
            Self::Two => 2,
            Self::Three => 3,
        }
    }
}

impl Key {
    /// The keys that are not about one interface.
    pub fn all() -> Vec<Self> {
        let mut keys: Vec<Self> = Family::BOTH.map(Self::Forwarding).to_vec();
        for family in Family::BOTH {
            keys.extend(Threshold::ALL.map(|threshold| Self::Neighbour(family, threshold)));
        }
        keys.extend([
            Self::ConntrackMax,
            Self::ConntrackTcpLiberal,
            Self::ConntrackTcpLoose,
        ]);
        keys.extend([Scope::All, Scope::Default, Scope::Every].map(Self::RpFilter));
        keys
    }

    /// Its file below `/proc/sys`.
    pub fn path(&self) -> String {
        match self {
            Self::Forwarding(Family::V4) => "net/ipv4/ip_forward".to_owned(),
            Self::Forwarding(Family::V6) => "net/ipv6/conf/all/forwarding".to_owned(),
            Self::Neighbour(family, threshold) => format!(
                "net/{}/neigh/default/gc_thresh{}",
                family.word(),
                threshold.number()
            ),
            Self::ConntrackMax => "net/netfilter/nf_conntrack_max".to_owned(),
            Self::ConntrackTcpLiberal => "net/netfilter/nf_conntrack_tcp_be_liberal".to_owned(),
            Self::ConntrackTcpLoose => "net/netfilter/nf_conntrack_tcp_loose".to_owned(),
            Self::RpFilter(scope) => {
                let scope = match scope {
                    Scope::All => "all",
                    Scope::Default => "default",
                    Scope::Every => "*",
                    Scope::Interface(name) => name,
                };
                format!("net/ipv4/conf/{scope}/rp_filter")
            }
        }
    }

    /// Whether it is there only where the kernel has IPv6.
    pub fn is_ipv6(&self) -> bool {
        matches!(
            self,
            Self::Forwarding(Family::V6) | Self::Neighbour(Family::V6, _)
        )
    }

    /// Whether it is there only once connections are tracked.
    pub fn is_conntrack(&self) -> bool {
        matches!(
            self,
            Self::ConntrackMax | Self::ConntrackTcpLiberal | Self::ConntrackTcpLoose
        )
    }
}

/// As sysctl(8) writes it: dots for slashes, and a slash for a dot in the name of an interface.
impl Display for Key {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let path = self.path();
        let swapped = path.chars().map(|c| match c {
            '/' => '.',
            '.' => '/',
            c => c,
        });
        f.write_str(&swapped.collect::<String>())
    }
}

impl Display for Family {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        })
    }
}

/// A key that rfw does not know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no setting that rfw knows")]
pub struct UnknownKey(pub String);

/// Reads what [`Display`] writes, but no single interface.
impl FromStr for Key {
    type Err = UnknownKey;

    fn from_str(text: &str) -> Result<Self, UnknownKey> {
        Self::all()
            .into_iter()
            .find(|key| key.to_string() == text)
            .ok_or_else(|| UnknownKey(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::{Key, Scope};

    #[test]
    fn keys_are_written_as_sysctl_writes_them_and_read_back() {
        let written: Vec<String> = Key::all().iter().map(Key::to_string).collect();
        assert_eq!(
            written.join("\n"),
            "net.ipv4.ip_forward\n\
             net.ipv6.conf.all.forwarding\n\
             net.ipv4.neigh.default.gc_thresh1\n\
             net.ipv4.neigh.default.gc_thresh2\n\
             net.ipv4.neigh.default.gc_thresh3\n\
             net.ipv6.neigh.default.gc_thresh1\n\
             net.ipv6.neigh.default.gc_thresh2\n\
             net.ipv6.neigh.default.gc_thresh3\n\
             net.netfilter.nf_conntrack_max\n\
             net.netfilter.nf_conntrack_tcp_be_liberal\n\
             net.netfilter.nf_conntrack_tcp_loose\n\
             net.ipv4.conf.all.rp_filter\n\
             net.ipv4.conf.default.rp_filter\n\
             net.ipv4.conf.*.rp_filter"
        );
        for key in Key::all() {
            assert_eq!(key.to_string().parse(), Ok(key));
        }
        let vlan = Key::RpFilter(Scope::Interface("eth0.7".to_owned()));
        assert_eq!(vlan.path(), "net/ipv4/conf/eth0.7/rp_filter");
        assert_eq!(vlan.to_string(), "net.ipv4.conf.eth0/7.rp_filter");
        assert!("kernel.core_pattern".parse::<Key>().is_err());
        assert!("net.ipv4.conf.eth0.rp_filter".parse::<Key>().is_err());
    }
}
