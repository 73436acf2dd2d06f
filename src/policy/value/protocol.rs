//! Numbers with names: IP protocols and the types of ICMP messages.

use super::{ValueError, leaf};
use crate::diagnostic::{Code, nearest};
use std::{fmt, str::FromStr};

/// An IP protocol number (IANA "Protocol Numbers"): IPv4's protocol, IPv6's next header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IpProtocol(u8);

impl IpProtocol {
    /// The number.
    #[must_use]
    pub fn number(self) -> u8 {
        self.0
    }
}

/// The protocols that gateways meet, by their names in `/etc/protocols`.
const PROTOCOLS: &[(u8, &str)] = &[
    (1, "icmp"),
    (2, "igmp"),
    (4, "ipencap"),
    (6, "tcp"),
    (17, "udp"),
    (33, "dccp"),
    (41, "ipv6"),
    (46, "rsvp"),
    (47, "gre"),
    (50, "esp"),
    (51, "ah"),
    (58, "icmpv6"),
    (88, "eigrp"),
    (89, "ospf"),
    (97, "etherip"),
    (98, "encap"),
    (103, "pim"),
    (108, "ipcomp"),
    (112, "vrrp"),
    (115, "l2tp"),
    (124, "isis"),
    (132, "sctp"),
    (136, "udplite"),
    (137, "mpls-in-ip"),
];

impl fmt::Display for IpProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_number(f, self.0, PROTOCOLS)
    }
}

impl FromStr for IpProtocol {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        parse_number(text, PROTOCOLS, Code::UnknownProtocol, "IP protocol").map(IpProtocol)
    }
}

leaf!(IpProtocol, "ip-protocol", "an IP protocol", {
    "type": ["integer", "string"],
    "minimum": 0,
    "maximum": 255,
    "pattern": "^([a-z][a-z0-9-]*|[0-9]{1,3})$",
    "description": "An IP protocol by number (0 to 255) or name, such as `gre`, `esp`, `ah`, `ospf`, `vrrp`, `igmp`, `pim`, `l2tp`."
});

/// The type of an ICMP (IPv4) message (IANA "ICMP Parameters"), by number or nft's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IcmpType(u8);

impl IcmpType {
    /// The number.
    #[must_use]
    pub fn number(self) -> u8 {
        self.0
    }
}

/// nft's names (nft(8), "ICMP TYPE TYPE").
const ICMP: &[(u8, &str)] = &[
    (0, "echo-reply"),
    (3, "destination-unreachable"),
    (4, "source-quench"),
    (5, "redirect"),
    (8, "echo-request"),
    (9, "router-advertisement"),
    (10, "router-solicitation"),
    (11, "time-exceeded"),
    (12, "parameter-problem"),
    (13, "timestamp-request"),
    (14, "timestamp-reply"),
    (15, "info-request"),
    (16, "info-reply"),
    (17, "address-mask-request"),
    (18, "address-mask-reply"),
];

impl fmt::Display for IcmpType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_number(f, self.0, ICMP)
    }
}

impl FromStr for IcmpType {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        parse_number(text, ICMP, Code::BadIcmpType, "ICMP type").map(IcmpType)
    }
}

leaf!(IcmpType, "icmp-type", "an ICMP type", {
    "type": ["integer", "string"],
    "minimum": 0,
    "maximum": 255,
    "pattern": "^([a-z][a-z0-9-]*|[0-9]{1,3})$",
    "description": "A type of ICMP (IPv4) messages by number (0 to 255) or by nft's name: `echo-request`, `timestamp-request`, ..."
});

/// The type of an ICMPv6 message (IANA "ICMPv6 Parameters"), by number or nft's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Icmpv6Type(u8);

impl Icmpv6Type {
    /// The number.
    #[must_use]
    pub fn number(self) -> u8 {
        self.0
    }
}

/// nft's names (nft(8), "ICMPV6 TYPE TYPE").
const ICMPV6: &[(u8, &str)] = &[
    (1, "destination-unreachable"),
    (2, "packet-too-big"),
    (3, "time-exceeded"),
    (4, "parameter-problem"),
    (128, "echo-request"),
    (129, "echo-reply"),
    (130, "mld-listener-query"),
    (131, "mld-listener-report"),
    (132, "mld-listener-done"),
    (133, "nd-router-solicit"),
    (134, "nd-router-advert"),
    (135, "nd-neighbor-solicit"),
    (136, "nd-neighbor-advert"),
    (137, "nd-redirect"),
    (138, "router-renumbering"),
    (141, "ind-neighbor-solicit"),
    (142, "ind-neighbor-advert"),
    (143, "mld2-listener-report"),
];

impl fmt::Display for Icmpv6Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_number(f, self.0, ICMPV6)
    }
}

impl FromStr for Icmpv6Type {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        parse_number(text, ICMPV6, Code::BadIcmpType, "ICMPv6 type").map(Icmpv6Type)
    }
}

leaf!(Icmpv6Type, "icmpv6-type", "an ICMPv6 type", {
    "type": ["integer", "string"],
    "minimum": 0,
    "maximum": 255,
    "pattern": "^([a-z][a-z0-9-]*|[0-9]{1,3})$",
    "description": "A type of ICMPv6 messages by number (0 to 255) or by nft's name: `echo-request`, `mld-listener-query`, ..."
});

fn write_number(f: &mut fmt::Formatter<'_>, number: u8, names: &[(u8, &str)]) -> fmt::Result {
    match names.iter().find(|(known, _)| *known == number) {
        Some((_, name)) => f.write_str(name),
        None => write!(f, "{number}"),
    }
}

fn parse_number(
    text: &str,
    names: &[(u8, &str)],
    code: Code,
    what: &str,
) -> Result<u8, ValueError> {
    if let Some((number, _)) = names.iter().find(|(_, name)| *name == text) {
        return Ok(*number);
    }
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    if is_number && digits.len() > 1 && digits.starts_with('0') {
        return Err(ValueError::new(
            Code::LeadingZero,
            format!("the {what} `{text}` has leading zeros"),
        ));
    }
    if is_number {
        return text.parse().map_err(|_| {
            ValueError::new(code, format!("there is no {what} `{text}`"))
                .help(format!("an {what} is 0 to 255"))
        });
    }
    let error = ValueError::new(code, format!("there is no {what} `{text}`"));
    Err(match nearest(text, names.iter().map(|(_, name)| *name)) {
        Some(name) => error.help(format!("did you mean `{name}`?")),
        None => error.help(format!("write the number of the {what}, 0 to 255")),
    })
}

#[cfg(test)]
mod tests {
    use super::{IcmpType, Icmpv6Type, IpProtocol};
    use crate::policy::value::leaf::check;

    #[test]
    fn protocols() {
        check::<IpProtocol>("gre", "ok: gre");
        check::<IpProtocol>("47", "ok: gre");
        check::<IpProtocol>("255", "ok: 255");
        check::<IpProtocol>(
            "256",
            "unknown-protocol: there is no IP protocol `256`; an IP protocol is 0 to 255",
        );
        check::<IpProtocol>(
            "-1",
            "unknown-protocol: there is no IP protocol `-1`; an IP protocol is 0 to 255",
        );
        check::<IpProtocol>(
            "vrpp",
            "unknown-protocol: there is no IP protocol `vrpp`; did you mean `vrrp`?",
        );
        check::<IpProtocol>(
            "047",
            "leading-zero: the IP protocol `047` has leading zeros",
        );
    }

    #[test]
    fn icmp_types() {
        check::<IcmpType>("echo-request", "ok: echo-request");
        check::<IcmpType>("8", "ok: echo-request");
        check::<Icmpv6Type>("128", "ok: echo-request");
        check::<Icmpv6Type>(
            "redirect",
            "bad-icmp-type: there is no ICMPv6 type `redirect`; write the number of the ICMPv6 type, 0 to 255",
        );
        check::<IcmpType>(
            "echo-requst",
            "bad-icmp-type: there is no ICMP type `echo-requst`; did you mean `echo-request`?",
        );
    }
}
