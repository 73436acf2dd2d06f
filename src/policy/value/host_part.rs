//! The host part of an IPv6 address, whatever its network.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use super::ValueError;
use super::address::parse_ip;
use crate::diagnostic::Code;

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
pub(super) fn refuse_host_part(text: &str) -> Result<(), ValueError> {
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

#[cfg(test)]
mod tests {
    use crate::policy::value::leaf::check;
    use crate::policy::value::{Address, Host, Prefix};

    #[test]
    fn host_parts() {
        check::<Host>("::25/-64", "ok: ::25/-64");
        check::<Host>("::1:0:0:0:25/-48", "ok: ::1:0:0:0:25/-48");
        check::<Host>(
            "fd00::25/-64",
            "host-bits-set: `fd00::25/-64` has bits in its first 64, which do not count; write `::25/-64`",
        );
        check::<Host>(
            "::25/-128",
            "bad-prefix-length: `128` in `::25/-128` is no length of a network; write a number from 1 to 127",
        );
        check::<Host>(
            "::25/-064",
            "bad-prefix-length: `064` in `::25/-064` is no length of a network; write a number from 1 to 127",
        );
        check::<Host>(
            "0.0.0.25/-24",
            "bad-prefix-length: `0.0.0.25/-24`: host parts are of IPv6 addresses only; write the whole address: `0.0.0.25`",
        );
        let alone = "host-part-alone: `::25/-64` is only the host part of an address; host parts are for groups, \
                     `source` and `destination`; write the whole address here";
        check::<Address>("::25/-64", alone);
        check::<Prefix>("::25/-64", alone);
    }
}
