//! Address translation of the first packet of a connection, as linux/net/netfilter/nf_nat_core.c chooses.

use std::net::IpAddr;

use super::choice::{Choice, Taken};
use super::machine::Run;
use super::operation::Bounds;
use super::outcome::{Kernel, Translation};
use super::view::RuleRef;
use crate::bytecode::Register;
use crate::ruleset::Hook;

/// Of so many addresses or ports each is tried; of more none is known.
const TRIED: u128 = 256;
/// `NF_NAT_RANGE_PROTO_RANDOM` and `NF_NAT_RANGE_PROTO_RANDOM_FULLY` of linux/netfilter/nf_nat.h.
const RANDOM: u32 = 4 | 16;
/// `NF_NAT_RANGE_PROTO_OFFSET`
const OFFSET: u32 = 32;
/// `NF_NAT_RANGE_NETMAP`
pub(super) const NETMAP: u32 = 64;
/// `IPS_SRC_NAT`, `IPS_DST_NAT` of linux/netfilter/nf_conntrack_common.h.
const SRC_NAT: u32 = 1 << 4;
/// See [`SRC_NAT`].
const DST_NAT: u32 = 1 << 5;

/// Why there is no translation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    Kernel(Kernel),
    Unknown(&'static str),
}

/// Where the new address comes from.
enum Target {
    /// One of these.
    Among(IpAddr, IpAddr),
    /// One that is not known, of the box.
    Own,
    /// It stays.
    Same,
}

impl Run<'_> {
    pub(super) fn nat(
        &mut self,
        rule: RuleRef,
        destination: bool,
        address: Bounds,
        port: Bounds,
        flags: u32,
    ) -> Result<(), Trouble> {
        let address = match address {
            None => None,
            Some((lo, hi)) => Some((self.address(lo)?, self.address(hi)?)),
        };
        let port = self.ports(port)?;
        self.nat_to(rule, destination, address, port, flags)
    }

    /// The same to what is known.
    pub(super) fn nat_to(
        &mut self,
        rule: RuleRef,
        destination: bool,
        address: Option<(IpAddr, IpAddr)>,
        port: Option<(u16, u16)>,
        flags: u32,
    ) -> Result<(), Trouble> {
        let old = self.end(destination).0;
        let target = match address {
            None => Target::Same,
            Some((lo, hi)) if flags & NETMAP != 0 => {
                let new = netmap(old, lo, hi);
                Target::Among(new, new)
            }
            Some((lo, hi)) => Target::Among(lo, hi),
        };
        self.translate(rule, destination, &target, port, flags)
    }

    pub(super) fn masquerade(
        &mut self,
        rule: RuleRef,
        port: Bounds,
        flags: u32,
    ) -> Result<(), Trouble> {
        let port = self.ports(port)?;
        self.masquerade_to(rule, port, flags)
    }

    /// The same with ports that are known.
    pub(super) fn masquerade_to(
        &mut self,
        rule: RuleRef,
        port: Option<(u16, u16)>,
        flags: u32,
    ) -> Result<(), Trouble> {
        let oif = self.packet.oif.as_deref().unwrap_or_default();
        let interface = self.environment.interface(oif);
        // One that nobody has said anything of may have any.
        let is_known = interface.is_some_and(|it| !it.addresses.is_empty() || it.index.is_some());
        let target = if is_known {
            match self.environment.source(self.packet.destination, oif) {
                Some(address) => Target::Among(address, address),
                None => return Err(Trouble::Kernel(Kernel::NoAddress)),
            }
        } else {
            Target::Own
        };
        self.translate(rule, false, &target, port, flags)
    }

    pub(super) fn redirect(&mut self, rule: RuleRef, port: Bounds) -> Result<(), Trouble> {
        let port = self.ports(port)?;
        self.redirect_to(rule, port)
    }

    /// linux/net/netfilter/nf_nat_redirect.c
    pub(super) fn redirect_to(
        &mut self,
        rule: RuleRef,
        port: Option<(u16, u16)>,
    ) -> Result<(), Trouble> {
        let v6 = self.packet.is_v6();
        let own = if self.hook == Hook::Output {
            Some(match v6 {
                true => IpAddr::V6(std::net::Ipv6Addr::LOCALHOST),
                false => IpAddr::V4(std::net::Ipv4Addr::LOCALHOST),
            })
        } else {
            let iif = self.packet.iif.as_deref().unwrap_or_default();
            let known = self
                .environment
                .interface(iif)
                .is_some_and(|it| !it.addresses.is_empty());
            match self.environment.received(iif, self.packet.destination) {
                None if known => return Err(Trouble::Kernel(Kernel::NoAddress)),
                address => address,
            }
        };
        let target = own.map_or(Target::Own, |address| Target::Among(address, address));
        self.redirected = true;
        self.translate(rule, true, &target, port, 0)
    }

    /// Rewrites one end of the packet.
    fn translate(
        &mut self,
        rule: RuleRef,
        destination: bool,
        target: &Target,
        ports: Option<(u16, u16)>,
        flags: u32,
    ) -> Result<(), Trouble> {
        if flags & OFFSET != 0 {
            return Err(Trouble::Unknown("a port that is shifted"));
        }
        let (old_address, old_port) = self.end(destination);
        let address = match *target {
            Target::Same => Some((old_address, old_address)),
            Target::Own => None,
            // A source that is in the range stays as it is.
            Target::Among(lo, hi)
                if !destination && lo != hi && lo <= old_address && old_address <= hi =>
            {
                Some((old_address, old_address))
            }
            Target::Among(lo, hi) if destination => {
                let address = self.among(rule, number(lo), number(hi));
                Some(address.map_or((lo, hi), |number| {
                    let address = with_number(lo, number);
                    (address, address)
                }))
            }
            Target::Among(lo, hi) => Some((lo, hi)),
        };
        let port = match (old_port, ports) {
            (None, _) => None,
            (Some(old), None) if flags & RANDOM != 0 => Some(free_ports(old)),
            (Some(old), None) => Some((old, old)),
            (Some(old), Some((lo, hi))) if lo <= old && old <= hi && flags & RANDOM == 0 => {
                Some((old, old))
            }
            (Some(_), Some((lo, hi))) if destination => {
                let port = self.among(rule, u128::from(lo), u128::from(hi));
                Some(port.map_or((lo, hi), |port| (port as u16, port as u16)))
            }
            (Some(_), Some(range)) => Some(range),
        };
        self.rewrite(destination, address, port);
        let changed = address != Some((old_address, old_address))
            || port != old_port.map(|port| (port, port));
        if changed {
            self.packet.connection.status |= if destination { DST_NAT } else { SRC_NAT };
        }
        self.translations.push(Translation {
            rule,
            destination,
            before: (old_address, old_port),
            address,
            port,
        });
        Ok(())
    }

    fn rewrite(
        &mut self,
        destination: bool,
        address: Option<(IpAddr, IpAddr)>,
        port: Option<(u16, u16)>,
    ) {
        if let Some((lo, _)) = address {
            if destination {
                self.packet.destination = lo;
            } else {
                self.packet.source = lo;
            }
        }
        if let Some((lo, _)) = port {
            self.packet.upper = if destination {
                self.packet.upper.with_dport(lo)
            } else {
                self.packet.upper.with_sport(lo)
            };
        }
        let is_known = address.is_some_and(|(lo, hi)| lo == hi);
        if destination {
            self.destination_is_known = is_known;
        } else {
            self.source_is_known = is_known;
        }
        if let Some((lo, hi)) = port {
            let known = if destination {
                &mut self.dport_is_known
            } else {
                &mut self.sport_is_known
            };
            *known = lo == hi;
        }
        self.refresh_headers();
    }

    /// The packet was rewritten. What is not known of it is not known in its headers.
    pub(super) fn refresh_headers(&mut self) {
        self.headers.refresh(&self.packet);
        for (destination, address_is_known, port_is_known) in [
            (false, self.source_is_known, self.sport_is_known),
            (true, self.destination_is_known, self.dport_is_known),
        ] {
            if !address_is_known {
                self.headers.forget_address(destination);
            }
            if !port_is_known {
                self.headers.forget_port(destination);
            }
        }
    }

    /// One of a few, each in its turn; `None` where there are too many.
    fn among(&mut self, rule: RuleRef, lo: u128, hi: u128) -> Option<u128> {
        let more = hi.checked_sub(lo)?;
        if more == 0 {
            return Some(lo);
        }
        if more >= TRIED {
            return None;
        }
        let of = more as u32 + 1;
        let number = self.script.take(of);
        let taken = Taken::Address { number, of };
        self.taken.push(Choice { rule, taken });
        Some(lo + u128::from(number))
    }

    fn end(&self, destination: bool) -> (IpAddr, Option<u16>) {
        let ports = self.packet.upper.ports();
        if destination {
            (self.packet.destination, ports.map(|(_, dport)| dport))
        } else {
            (self.packet.source, ports.map(|(sport, _)| sport))
        }
    }

    fn address(&self, from: Register) -> Result<IpAddr, Trouble> {
        let unknown = Trouble::Unknown("the new address");
        if self.packet.is_v6() {
            let bytes = self.registers.get(from, 16).ok_or(unknown)?;
            let bytes: [u8; 16] = bytes.try_into().map_err(|_| unknown)?;
            Ok(IpAddr::from(bytes))
        } else {
            let bytes = self.registers.get(from, 4).ok_or(unknown)?;
            let bytes: [u8; 4] = bytes.try_into().map_err(|_| unknown)?;
            Ok(IpAddr::from(bytes))
        }
    }

    fn ports(&self, bounds: Bounds) -> Result<Option<(u16, u16)>, Trouble> {
        let Some((lo, hi)) = bounds else {
            return Ok(None);
        };
        let port = |from| {
            let bytes = self.registers.get(from, 2);
            let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
            bytes
                .map(u16::from_be_bytes)
                .ok_or(Trouble::Unknown("the new port"))
        };
        Ok(Some((port(lo)?, port(hi)?)))
    }
}

/// `nft_nat_setup_netmap`: the bits that all addresses of the network have become those of the new one.
fn netmap(old: IpAddr, lo: IpAddr, hi: IpAddr) -> IpAddr {
    let mask = !(number(lo) ^ number(hi));
    with_number(old, (number(lo) & mask) | (number(old) & !mask))
}

/// The ports among which the kernel looks for a free one (`nf_nat_l4proto_unique_tuple`).
fn free_ports(old: u16) -> (u16, u16) {
    match old {
        0..512 => (1, 511),
        512..1024 => (600, 1023),
        _ => (1024, 65535),
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(u32::from(v4)),
        IpAddr::V6(v6) => u128::from(v6),
    }
}

fn with_number(like: IpAddr, number: u128) -> IpAddr {
    match like {
        IpAddr::V4(_) => IpAddr::V4((number as u32).into()),
        IpAddr::V6(_) => IpAddr::V6(number.into()),
    }
}
