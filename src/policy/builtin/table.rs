//! The form of a line of the library, and the macro that makes lines into tables.

use std::fmt;

/// A service of the library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuiltinService {
    /// The name that policies use.
    pub name: &'static str,
    /// What it is on the wire; at least one part, none twice, no overlap.
    pub parts: &'static [Part],
    /// The conntrack helper that follows its control connection.
    pub helper: Option<&'static str>,
    /// What it is to people, a few words.
    pub description: &'static str,
    /// Where the facts come from.
    pub source: &'static str,
}

/// One kind of packet that belongs to a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Destination ports, bounds inclusive.
    Ports {
        /// The protocol they are of.
        protocol: PortProtocol,
        /// The first port, 1 to 65535.
        lo: u16,
        /// The last port.
        hi: u16,
    },
    /// An ICMP type.
    Icmp(u8),
    /// An ICMPv6 type.
    Icmpv6(u8),
    /// A whole protocol by its number.
    Protocol(u8),
}

/// A protocol with ports that the library speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PortProtocol {
    /// 6
    Tcp,
    /// 17
    Udp,
    /// 132
    Sctp,
}

impl PortProtocol {
    /// The policy's word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ports { protocol, lo, hi } if lo == hi => write!(f, "{} {lo}", protocol.name()),
            Self::Ports { protocol, lo, hi } => write!(f, "{} {lo}-{hi}", protocol.name()),
            Self::Icmp(kind) => write!(f, "icmp {kind}"),
            Self::Icmpv6(kind) => write!(f, "icmpv6 {kind}"),
            Self::Protocol(number) => write!(f, "protocol {number}"),
        }
    }
}

impl fmt::Display for BuiltinService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, part) in self.parts.iter().enumerate() {
            write!(f, "{}{part}", if at == 0 { "" } else { ", " })?;
        }
        match self.helper {
            Some(helper) => write!(f, ", helper {helper}"),
            None => Ok(()),
        }
    }
}

/// Makes a table: `"name" [on the wire] helper "kernel's name" ("description", "source")` a line.
macro_rules! services {
    (const $table:ident = $(
        $name:literal [$($kind:ident $lo:literal $(- $hi:literal)?),+] $(helper $helper:literal)?
        ($description:literal, $source:literal)
    )+) => {
        pub(super) const $table: &[$crate::policy::builtin::BuiltinService] = &[$(
            $crate::policy::builtin::BuiltinService {
                name: $name,
                parts: &[$(services!(@part $kind $lo $(- $hi)?)),+],
                helper: services!(@helper $($helper)?),
                description: $description,
                source: $source,
            },
        )+];
    };
    (@part tcp $lo:literal) => { services!(@ports Tcp $lo $lo) };
    (@part tcp $lo:literal - $hi:literal) => { services!(@ports Tcp $lo $hi) };
    (@part udp $lo:literal) => { services!(@ports Udp $lo $lo) };
    (@part udp $lo:literal - $hi:literal) => { services!(@ports Udp $lo $hi) };
    (@part sctp $lo:literal) => { services!(@ports Sctp $lo $lo) };
    (@part icmp $kind:literal) => { $crate::policy::builtin::Part::Icmp($kind) };
    (@part icmpv6 $kind:literal) => { $crate::policy::builtin::Part::Icmpv6($kind) };
    (@part protocol $number:literal) => { $crate::policy::builtin::Part::Protocol($number) };
    (@ports $protocol:ident $lo:literal $hi:literal) => {
        $crate::policy::builtin::Part::Ports {
            protocol: $crate::policy::builtin::PortProtocol::$protocol,
            lo: $lo,
            hi: $hi,
        }
    };
    (@helper) => { None };
    (@helper $helper:literal) => { Some($helper) };
}
