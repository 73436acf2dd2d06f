//! What an address of the packet is on this box: its type, and whether it leads back to where the packet came from.

use std::net::IpAddr;

use super::super::environment::{AddressType, LOOPBACK};
use super::super::machine::Run;
use super::Says;

impl Run<'_> {
    /// linux/net/netfilter/xt_addrtype.c
    pub(super) fn is_type(&self, destination: bool, mask: u16, on: Option<&str>) -> Says {
        const UNSPEC: u16 = 1;
        const UNICAST: u16 = 1 << 1;
        const LOCAL: u16 = 1 << 2;
        const ANYCAST: u16 = 1 << 4;
        const MULTICAST: u16 = 1 << 5;
        const UNREACHABLE: u16 = 1 << 7;
        let address = self.end_address(destination)?;
        let is = self.environment.address_type(address, on);
        let IpAddr::V6(v6) = address else {
            return Some(mask & (1 << is.number()) != 0);
        };
        if mask & !(UNSPEC | UNICAST | LOCAL | ANYCAST | MULTICAST | UNREACHABLE) != 0 {
            return None;
        }
        // Not one of them, as in IPv4, but all of them.
        let holds = (mask & MULTICAST == 0 || v6.is_multicast())
            && (mask & UNICAST == 0 || !(v6.is_multicast() || v6.is_unspecified()))
            && (mask & UNSPEC == 0 || v6.is_unspecified());
        if !holds || mask & (LOCAL | ANYCAST | UNREACHABLE) == 0 {
            return Some(holds);
        }
        Some(match is {
            AddressType::Local => mask & LOCAL != 0,
            AddressType::Unreachable => mask & UNREACHABLE != 0,
            AddressType::Anycast => mask & ANYCAST != 0,
            AddressType::Unicast | AddressType::Broadcast | AddressType::Multicast => false,
        })
    }

    /// linux/net/ipv4/netfilter/ipt_rpfilter.c, linux/net/ipv6/netfilter/ip6t_rpfilter.c
    pub(super) fn leads_back(&self, loose: bool, accept_local: bool) -> Says {
        let Some(iif) = self.packet.iif.as_deref().filter(|name| *name != LOOPBACK) else {
            return Some(true);
        };
        let source = self.end_address(false)?;
        if let IpAddr::V6(v6) = source
            && v6.is_unspecified()
        {
            return Some(true);
        }
        if source.is_multicast() {
            return Some(false);
        }
        Some(match self.environment.address_type(source, None) {
            AddressType::Local => accept_local,
            AddressType::Broadcast
            | AddressType::Anycast
            | AddressType::Multicast
            | AddressType::Unreachable => false,
            AddressType::Unicast => {
                let on = (!loose).then_some(iif);
                self.environment.way(source, on).is_some()
            }
        })
    }
}
