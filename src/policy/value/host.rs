//! What a group, `source` or `destination` lists: an address, a prefix, a range, a host part or a name.

use std::fmt;
use std::str::FromStr;

use super::{Address, AddressRange, HostPart, Name, Prefix, ValueError, leaf};
use crate::diagnostic::Code;

/// Addresses as a group, `source` or `destination` lists them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Host {
    /// One address.
    Address(Address),
    /// A prefix.
    Prefix(Prefix),
    /// A range.
    Range(AddressRange),
    /// The host part of an IPv6 address.
    HostPart(HostPart),
    /// The name of a group (or, where allowed, of a zone).
    Name(Name),
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Address(address) => address.fmt(f),
            Host::Prefix(prefix) => prefix.fmt(f),
            Host::Range(range) => range.fmt(f),
            Host::HostPart(host) => host.fmt(f),
            Host::Name(name) => name.fmt(f),
        }
    }
}

impl FromStr for Host {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        if text.contains("/-") {
            return text.parse().map(Host::HostPart);
        }
        if text.contains('/') {
            return text.parse().map(Host::Prefix);
        }
        if looks_like_address(text) {
            return match text.contains('-') {
                true => text.parse().map(Host::Range),
                false => text.parse().map(Host::Address),
            };
        }
        if let Ok(name) = text.parse() {
            return Ok(Host::Name(name));
        }
        Err(ValueError::new(
            Code::BadAddress,
            format!("`{text}` is no address, prefix, range or name"),
        )
        .help("write `192.0.2.1`, `192.0.2.0/24`, `192.0.2.1-192.0.2.9` or the name of a group"))
    }
}

/// What begins with a digit or holds a colon can be no name.
fn looks_like_address(text: &str) -> bool {
    text.contains(':') || text.starts_with(|c: char| c.is_ascii_digit())
}

leaf!(Host, "host", "an address, prefix, range or name", {
    "type": "string",
    "pattern": "^([A-Za-z_][A-Za-z0-9_-]{0,62}|[0-9a-fA-F:.]+(/-?[0-9]{1,3}|-[0-9a-fA-F:.]+)?)$",
    "description": "An address (`192.0.2.1`), a prefix (`\"2001:db8::/32\"`), a range (`192.0.2.1-192.0.2.9`), the host part of an IPv6 address in any network (`\"::25/-64\"`), or the name of a group."
});

#[cfg(test)]
mod tests {
    use super::Host;
    use crate::policy::value::leaf::check;

    #[test]
    fn hosts() {
        check::<Host>("192.0.2.1", "ok: 192.0.2.1");
        check::<Host>("2001:DB8::1", "ok: 2001:db8::1");
        check::<Host>("192.0.2.0/24", "ok: 192.0.2.0/24");
        check::<Host>("192.0.2.1-192.0.2.9", "ok: 192.0.2.1-192.0.2.9");
        check::<Host>("2001:db8::1-2001:db8::9", "ok: 2001:db8::1-2001:db8::9");
        check::<Host>("web-servers", "ok: web-servers");
        check::<Host>("fe80", "ok: fe80");
        check::<Host>("0.0.0.0/0", "ok: 0.0.0.0/0");
        check::<Host>(
            "a.example.com",
            "bad-address: `a.example.com` is no address, prefix, range or name; write `192.0.2.1`, `192.0.2.0/24`, `192.0.2.1-192.0.2.9` or the name of a group",
        );
    }
}
