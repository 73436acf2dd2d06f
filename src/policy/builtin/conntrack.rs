//! The conntrack helpers of the kernel: code that reads a control connection and expects the connections that
//! it announces.
//!
//! Source: `net/netfilter/nf_conntrack_*.c`, where each helper names itself and its protocols.

use super::PortProtocol::{self, Tcp, Udp};

/// A conntrack helper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Helper {
    /// The name by which the kernel and nft(8) know it.
    pub name: &'static str,
    /// The protocols it works on.
    pub protocols: &'static [PortProtocol],
    /// The kernel module that brings it.
    pub module: &'static str,
}

/// All of them, by name (upper case first, as the kernel spells H.323's two).
pub const HELPERS: &[Helper] = &[
    of("Q.931", &[Tcp], "nf_conntrack_h323"),
    of("RAS", &[Udp], "nf_conntrack_h323"),
    of("amanda", &[Udp], "nf_conntrack_amanda"),
    of("ftp", &[Tcp], "nf_conntrack_ftp"),
    of("irc", &[Tcp], "nf_conntrack_irc"),
    of("netbios-ns", &[Udp], "nf_conntrack_netbios_ns"),
    of("pptp", &[Tcp], "nf_conntrack_pptp"),
    of("sane", &[Tcp], "nf_conntrack_sane"),
    of("sip", &[Tcp, Udp], "nf_conntrack_sip"),
    of("snmp", &[Udp], "nf_conntrack_snmp"),
    of("tftp", &[Udp], "nf_conntrack_tftp"),
];

const fn of(
    name: &'static str,
    protocols: &'static [PortProtocol],
    module: &'static str,
) -> Helper {
    Helper {
        name,
        protocols,
        module,
    }
}

/// The helper of this name.
#[must_use]
pub fn helper(name: &str) -> Option<&'static Helper> {
    HELPERS.iter().find(|helper| helper.name == name)
}
