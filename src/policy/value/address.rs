//! Addresses, prefixes and ranges; and [`Host`], which is one of them or a name.

use super::{Name, ValueError, leaf};
use crate::diagnostic::Code;
use ipnet::IpNet;
use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

/// One IPv4 or IPv6 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(IpAddr);

impl Address {
    /// The address.
    #[must_use]
    pub fn ip(self) -> IpAddr {
        self.0
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Address {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        refuse_host_part(text)?;
        if let Some((address, length)) = text.split_once('/') {
            let error = ValueError::new(
                Code::BadAddress,
                format!("`{text}` is a prefix, not one address"),
            );
            return Err(match length.parse() {
                Ok(32_u8 | 128) => error.help(format!("write `{address}`")),
                _ => error,
            });
        }
        parse_ip(text).map(Address)
    }
}

leaf!(Address, "address", "an address", {
    "type": "string",
    "pattern": "^[0-9a-fA-F:.]+$",
    "description": "One IPv4 or IPv6 address: `192.0.2.1`, `\"2001:db8::1\"`."
});

/// A prefix whose address has no bits beyond the prefix length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix(IpNet);

impl Prefix {
    /// The prefix; its address is its network address.
    #[must_use]
    pub fn net(self) -> IpNet {
        self.0
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Prefix {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        refuse_host_part(text)?;
        let Some((address, length)) = text.split_once('/') else {
            let ip = parse_ip(text)?;
            let whole = IpNet::from(ip);
            return Err(ValueError::new(
                Code::BadAddress,
                format!("`{text}` is one address, not a prefix"),
            )
            .help(format!("write `{whole}` for this address alone")));
        };
        let address_error = |error: ValueError| match short_prefix(address, length) {
            Some(full) => error.help(format!("did you mean `{full}`?")),
            None => error,
        };
        let ip = parse_ip(address).map_err(address_error)?;
        let most = if ip.is_ipv4() { 32 } else { 128 };
        let digits = length.strip_prefix('-').unwrap_or(length);
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            let error = ValueError::new(
                Code::BadPrefixLength,
                format!("`{length}` in `{text}` is no prefix length"),
            );
            let mask = length.parse::<Ipv4Addr>().ok().filter(|_| ip.is_ipv4());
            return Err(
                match mask.and_then(|mask| ipnet::ipv4_mask_to_prefix(mask).ok()) {
                    Some(length) => error.help(format!("write `{address}/{length}`")),
                    None => error.help(format!("write a number from 0 to {most}")),
                },
            );
        }
        if digits.len() > 1 && digits.starts_with('0') {
            return Err(ValueError::new(
                Code::LeadingZero,
                format!("the prefix length in `{text}` has leading zeros"),
            ));
        }
        let net = length
            .parse()
            .ok()
            .and_then(|length| IpNet::new(ip, length).ok());
        let Some(net) = net else {
            return Err(ValueError::new(
                Code::BadPrefixLength,
                format!("there is no prefix length `{length}`"),
            )
            .help(format!(
                "the prefix length of an IPv{} address is 0 to {most}",
                if most == 32 { 4 } else { 6 }
            )));
        };
        if net.addr() != net.network() {
            return Err(ValueError::new(
                Code::HostBitsSet,
                format!("`{text}` has address bits beyond the prefix length"),
            )
            .help(format!(
                "write `{}` for the network, `{ip}` for the one address",
                net.trunc()
            )));
        }
        Ok(Prefix(net))
    }
}

leaf!(Prefix, "prefix", "a prefix", {
    "type": "string",
    "pattern": "^[0-9a-fA-F:.]+/[0-9]{1,3}$",
    "description": "An IPv4 or IPv6 prefix: `192.0.2.0/24`, `\"2001:db8::/32\"`."
});

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

/// The host part of an IPv6 address, whatever its network: `::25/-64` is the host `::25` in any /64. It stays right when
/// the provider changes the prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostPart {
    address: Ipv6Addr,
    network_bits: u8,
}

impl HostPart {
    /// The host part; no bit of the network part is set.
    #[must_use]
    pub fn address(self) -> Ipv6Addr {
        self.address
    }

    /// How many leading bits are the network's and do not count, 1 to 127.
    #[must_use]
    pub fn network_bits(self) -> u8 {
        self.network_bits
    }

    /// The bits that count.
    #[must_use]
    pub fn mask(self) -> Ipv6Addr {
        Ipv6Addr::from(u128::MAX >> self.network_bits)
    }
}

impl fmt::Display for HostPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let HostPart {
            address,
            network_bits,
        } = self;
        write!(f, "{address}/-{network_bits}")
    }
}

impl FromStr for HostPart {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        const HELP: &str = "write `::25/-64` for the host `::25` in any /64 network";
        let Some((address, length)) = text.split_once("/-") else {
            return Err(ValueError::new(
                Code::BadAddress,
                format!("`{text}` is no host part of an address"),
            )
            .help(HELP));
        };
        let IpAddr::V6(address) = parse_ip(address)? else {
            return Err(ValueError::new(
                Code::BadPrefixLength,
                format!("`{text}`: host parts are of IPv6 addresses only"),
            )
            .help(format!("write the whole address: `{address}`")));
        };
        let is_plain = length.bytes().all(|b| b.is_ascii_digit()) && !length.starts_with('0');
        let Some(network_bits) = length
            .parse()
            .ok()
            .filter(|bits| is_plain && (1..=127).contains(bits))
        else {
            return Err(ValueError::new(
                Code::BadPrefixLength,
                format!("`{length}` in `{text}` is no length of a network"),
            )
            .help("write a number from 1 to 127"));
        };
        let host = HostPart {
            address,
            network_bits,
        };
        let kept = Ipv6Addr::from(u128::from(address) & u128::from(host.mask()));
        if kept != address {
            return Err(ValueError::new(
                Code::HostBitsSet,
                format!("`{text}` has bits in its first {network_bits}, which do not count"),
            )
            .help(format!("write `{kept}/-{network_bits}`")));
        }
        Ok(host)
    }
}

/// Says of a host part that it is none of what is wanted.
fn refuse_host_part(text: &str) -> Result<(), ValueError> {
    match text.contains("/-").then(|| text.parse::<HostPart>()) {
        Some(Ok(host)) => Err(ValueError::new(
            Code::HostPartAlone,
            format!("`{host}` is only the host part of an address"),
        )
        .help(
            "host parts are for groups, `source` and `destination`; write the whole address here",
        )),
        Some(Err(_)) | None => Ok(()),
    }
}

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

/// An address in its plain spelling. `Ipv4Addr` already refuses leading zeros, but does not say so.
fn parse_ip(text: &str) -> Result<IpAddr, ValueError> {
    if let Ok(ip) = text.parse::<IpAddr>() {
        return refuse_mapped(text, ip);
    }
    if let Some((address, _)) = text.split_once('%')
        && let Ok(ip) = address.parse::<Ipv6Addr>()
    {
        return Err(
            ValueError::new(Code::ScopedAddress, format!("`{text}` names an interface"))
                .help(format!("write `{ip}`; interfaces are chosen by zones")),
        );
    }
    let octets: Vec<&str> = text.split('.').collect();
    let all_digits = octets
        .iter()
        .all(|octet| !octet.is_empty() && octet.bytes().all(|b| b.is_ascii_digit()));
    if octets.len() == 4 && all_digits {
        let plain: Vec<&str> = octets
            .iter()
            .map(|octet| match octet.trim_start_matches('0') {
                "" => "0",
                plain => plain,
            })
            .collect();
        let plain = plain.join(".");
        if plain != text && plain.parse::<Ipv4Addr>().is_ok() {
            return Err(ValueError::new(
                Code::LeadingZero,
                format!("the address `{text}` has leading zeros"),
            )
            .help(format!("some programs read them as octal; write `{plain}`")));
        }
        let large = octets.iter().find(|octet| octet.parse::<u8>().is_err());
        if let Some(large) = large {
            return Err(ValueError::new(
                Code::BadAddress,
                format!("`{large}` in the address `{text}` is larger than 255"),
            ));
        }
    }
    Err(ValueError::new(
        Code::BadAddress,
        format!("`{text}` is no address"),
    ))
}

fn refuse_mapped(text: &str, ip: IpAddr) -> Result<IpAddr, ValueError> {
    let IpAddr::V6(v6) = ip else { return Ok(ip) };
    match v6.to_ipv4_mapped() {
        Some(v4) => Err(ValueError::new(
            Code::MappedAddress,
            format!("`{text}` is an IPv4 address written as IPv6"),
        )
        .help(format!("no such packet is on the wire; write `{v4}`"))),
        None => Ok(ip),
    }
}

/// `10.0.0/8` → `10.0.0.0/8`.
fn short_prefix(address: &str, length: &str) -> Option<IpNet> {
    let missing = 3_usize
        .checked_sub(address.matches('.').count())
        .filter(|missing| 1 <= *missing)?;
    let full = format!("{address}{}/{length}", ".0".repeat(missing));
    full.parse::<ipnet::Ipv4Net>()
        .ok()
        .map(|net| IpNet::V4(net.trunc()))
}

#[cfg(test)]
mod tests;
