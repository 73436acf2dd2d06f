//! Addresses from one to another, and the pool that a translation chooses from.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use super::address::{Address, Prefix, parse_ip};
use super::{ValueError, leaf};
use crate::diagnostic::Code;

/// All addresses from one to another of the same family, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AddressRange {
    lo: IpAddr,
    hi: IpAddr,
}

impl AddressRange {
    /// The first address.
    #[must_use]
    pub fn lo(self) -> IpAddr {
        self.lo
    }

    /// The last address; of the same family and not below the first.
    #[must_use]
    pub fn hi(self) -> IpAddr {
        self.hi
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let AddressRange { lo, hi } = self;
        write!(f, "{lo}-{hi}")
    }
}

impl FromStr for AddressRange {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let Some((lo, hi)) = text.split_once('-') else {
            return Err(ValueError::new(
                Code::BadAddress,
                format!("`{text}` is no range of addresses"),
            ));
        };
        let (lo, hi) = (parse_ip(lo)?, parse_ip(hi)?);
        if lo.is_ipv4() != hi.is_ipv4() {
            return Err(ValueError::new(
                Code::MixedFamilies,
                format!("the range `{text}` goes from one family to the other"),
            )
            .help("write one range for IPv4 and one for IPv6"));
        }
        if hi < lo {
            return Err(ValueError::new(
                Code::ReversedRange,
                format!("the range `{text}` ends before it begins"),
            )
            .help(format!("write `{hi}-{lo}`")));
        }
        Ok(AddressRange { lo, hi })
    }
}

/// Addresses that a translation chooses from: one, a range, or all of a prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AddressPool {
    /// One address.
    Address(Address),
    /// A prefix: its first and its last address are as good as the others.
    Prefix(Prefix),
    /// A range.
    Range(AddressRange),
}

impl AddressPool {
    /// The first address.
    #[must_use]
    pub fn lo(self) -> IpAddr {
        match self {
            AddressPool::Address(address) => address.ip(),
            AddressPool::Prefix(prefix) => prefix.net().network(),
            AddressPool::Range(range) => range.lo(),
        }
    }

    /// The last address; of the same family and not below the first.
    #[must_use]
    pub fn hi(self) -> IpAddr {
        match self {
            AddressPool::Address(address) => address.ip(),
            AddressPool::Prefix(prefix) => prefix.net().broadcast(),
            AddressPool::Range(range) => range.hi(),
        }
    }
}

impl fmt::Display for AddressPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AddressPool::Address(address) => address.fmt(f),
            AddressPool::Prefix(prefix) => prefix.fmt(f),
            AddressPool::Range(range) => range.fmt(f),
        }
    }
}

impl FromStr for AddressPool {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        if text.contains('/') {
            text.parse().map(AddressPool::Prefix)
        } else if text.contains('-') {
            text.parse().map(AddressPool::Range)
        } else {
            text.parse().map(AddressPool::Address)
        }
    }
}

leaf!(AddressPool, "address-pool", "an address, range or prefix", {
    "type": "string",
    "pattern": "^[0-9a-fA-F:.]+(/[0-9]{1,3}|-[0-9a-fA-F:.]+)?$",
    "description": "One address (`192.0.2.1`), a range (`192.0.2.1-192.0.2.9`) or a prefix (`\"2001:db8::/120\"`)."
});

#[cfg(test)]
mod tests {
    use crate::policy::value::Host;
    use crate::policy::value::leaf::check;

    #[test]
    fn ranges() {
        check::<Host>(
            "10.0.0.9-10.0.0.1",
            "reversed-range: the range `10.0.0.9-10.0.0.1` ends before it begins; write `10.0.0.1-10.0.0.9`",
        );
        check::<Host>(
            "10.0.0.1-2001:db8::1",
            "mixed-families: the range `10.0.0.1-2001:db8::1` goes from one family to the other; write one range for IPv4 and one for IPv6",
        );
        check::<Host>("10.0.0.1-", "bad-address: `` is no address");
    }
}
