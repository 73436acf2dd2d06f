//! One address, and a prefix.
//!
//! Ranges and pools of them are in `range`, the host part of an address is in `host_part`, and what groups list in `host`.

use super::host_part::refuse_host_part;
use super::{ValueError, leaf};
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

/// An address in its plain spelling. `Ipv4Addr` already refuses leading zeros, but does not say so.
pub(super) fn parse_ip(text: &str) -> Result<IpAddr, ValueError> {
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
mod tests {
    use super::{Address, Prefix};
    use crate::policy::value::leaf::check;

    #[test]
    fn addresses() {
        check::<Address>(
            "10.0.0.256",
            "bad-address: `256` in the address `10.0.0.256` is larger than 255",
        );
        check::<Address>(
            "010.0.0.1",
            "leading-zero: the address `010.0.0.1` has leading zeros; some programs read them as octal; write `10.0.0.1`",
        );
        check::<Address>(
            "::ffff:10.0.0.1",
            "mapped-address: `::ffff:10.0.0.1` is an IPv4 address written as IPv6; no such packet is on the wire; write `10.0.0.1`",
        );
        check::<Address>(
            "fe80::1%eth0",
            "scoped-address: `fe80::1%eth0` names an interface; write `fe80::1`; interfaces are chosen by zones",
        );
        check::<Address>(
            "10.0.0.1/32",
            "bad-address: `10.0.0.1/32` is a prefix, not one address; write `10.0.0.1`",
        );
        check::<Address>("10.0.0", "bad-address: `10.0.0` is no address");
    }

    #[test]
    fn prefixes() {
        check::<Prefix>(
            "10.0.0.1/8",
            "host-bits-set: `10.0.0.1/8` has address bits beyond the prefix length; write `10.0.0.0/8` for the network, `10.0.0.1` for the one address",
        );
        check::<Prefix>(
            "10.0.0.0/33",
            "bad-prefix-length: there is no prefix length `33`; the prefix length of an IPv4 address is 0 to 32",
        );
        check::<Prefix>(
            "2001:db8::/129",
            "bad-prefix-length: there is no prefix length `129`; the prefix length of an IPv6 address is 0 to 128",
        );
        check::<Prefix>(
            "10.0.0.0/-1",
            "bad-prefix-length: there is no prefix length `-1`; the prefix length of an IPv4 address is 0 to 32",
        );
        check::<Prefix>(
            "10.0.0.0/255.0.0.0",
            "bad-prefix-length: `255.0.0.0` in `10.0.0.0/255.0.0.0` is no prefix length; write `10.0.0.0/8`",
        );
        check::<Prefix>(
            "10.0.0.0/",
            "bad-prefix-length: `` in `10.0.0.0/` is no prefix length; write a number from 0 to 32",
        );
        check::<Prefix>(
            "10.0.0.0/08",
            "leading-zero: the prefix length in `10.0.0.0/08` has leading zeros",
        );
        check::<Prefix>(
            "10.0.0/8",
            "bad-address: `10.0.0` is no address; did you mean `10.0.0.0/8`?",
        );
        check::<Prefix>(
            "10.0.0.1",
            "bad-address: `10.0.0.1` is one address, not a prefix; write `10.0.0.1/32` for this address alone",
        );
    }
}
