//! A translation of addresses and ports, both ways: as the instructions of `nat`, and read back from them.
//!
//! Not here: what it does to a packet, which is the evaluator's.

use rustables::sys;

use super::layout::{prefix_mask, prefix_of};
use super::load::{Context, FIRST, Linear, SECOND};
use super::recover::{immediate, key, loads};
use super::{Instruction, LookupResult, Register};
use crate::ruleset::{Expression, Family, Nat, NatAddress, NatFlags, NatKind, NatPort, Statement};

/// `NF_NAT_RANGE_*` of linux/netfilter/nf_nat.h, those that do not follow from address and port.
const RANGE_PERSISTENT: u32 = 1 << 3;
/// See [`RANGE_PERSISTENT`].
const RANGE_PROTO_RANDOM_FULLY: u32 = 1 << 4;
/// See [`RANGE_PERSISTENT`].
const RANGE_NETMAP: u32 = 1 << 6;

impl Linear {
    /// Appends a translation.
    pub(super) fn nat(&mut self, nat: &Nat) {
        let Nat {
            kind,
            family,
            address,
            port,
            flags,
        } = nat;
        let mut range_flags = nat_flags(*flags);
        if let Some(NatPort::Map(map)) = port {
            self.require(map);
        }
        let address = match address {
            NatAddress::Value(address) => self.immediate(FIRST, address),
            NatAddress::Range(lo, hi) => self.bounds(lo, hi, FIRST),
            NatAddress::Prefix(start, bits) => {
                range_flags |= RANGE_NETMAP;
                let mask = prefix_mask(*bits, start.len());
                let lo: Vec<u8> = start.iter().zip(&mask).map(|(a, b)| a & b).collect();
                let hi: Vec<u8> = lo.iter().zip(&mask).map(|(a, b)| a | !b).collect();
                self.bounds(&lo, &hi, FIRST)
            }
            NatAddress::Map(map) => {
                self.key(map);
                (FIRST, FIRST)
            }
        };
        let behind = Register(address.1.0.saturating_add(SECOND.0));
        let port = port.as_ref().map(|port| self.nat_port(port, behind));
        self.out.push(Instruction::Nat {
            kind: match kind {
                NatKind::Snat => sys::NFT_NAT_SNAT,
                NatKind::Dnat => sys::NFT_NAT_DNAT,
            },
            family: u32::from(family.nfproto()),
            address: Some(address),
            port,
            flags: range_flags,
        });
    }

    /// A new port, in a register and behind it.
    pub(super) fn nat_port(&mut self, port: &NatPort, to: Register) -> (Register, Register) {
        match port {
            NatPort::Value(port) => self.immediate(to, &port.to_be_bytes()),
            NatPort::Range(lo, hi) => self.bounds(&lo.to_be_bytes(), &hi.to_be_bytes(), to),
            NatPort::Map(map) => {
                self.load(map, to, Register(to.0.saturating_add(SECOND.0)));
                (to, to)
            }
        }
    }

    /// Two constants, each in a register of its own.
    fn bounds(&mut self, lo: &[u8], hi: &[u8], to: Register) -> (Register, Register) {
        let behind = Register(to.0.saturating_add(SECOND.0));
        self.immediate(to, lo);
        self.immediate(behind, hi);
        (to, behind)
    }
}

fn nat_flags(flags: NatFlags) -> u32 {
    let NatFlags {
        fully_random,
        persistent,
    } = flags;
    let bit = |is_set, bit| if is_set { bit } else { 0 };
    bit(fully_random, RANGE_PROTO_RANDOM_FULLY) | bit(persistent, RANGE_PERSISTENT)
}

/// How the kernel chooses, of a translation that was read; what rfw has no word for is left out.
fn nat_flags_of(flags: u32) -> NatFlags {
    NatFlags {
        fully_random: flags & RANGE_PROTO_RANDOM_FULLY != 0,
        persistent: flags & RANGE_PERSISTENT != 0,
    }
}

/// Whether a translation that was read keeps the bits behind a prefix.
fn is_netmap(flags: u32) -> bool {
    flags & RANGE_NETMAP != 0
}

/// `nat` to an address, or to one of several.
pub(super) fn fixed_nat(
    lo: &[u8],
    rest: &[Instruction],
    context: Context,
    all: usize,
) -> Option<(Statement, usize)> {
    // A second address, if it is as wide as the first: a port never is.
    let (hi, rest) = match immediate(rest) {
        Some((hi, behind)) if hi.len() == lo.len() => (Some(hi), behind),
        _ => (None, rest),
    };
    let flags = rest
        .iter()
        .take(4)
        .find_map(|instruction| match instruction {
            Instruction::Nat { flags, .. } => Some(*flags),
            _ => None,
        })?;
    let address = match hi {
        None => NatAddress::Value(lo.into()),
        Some(hi) if is_netmap(flags) => {
            let mask: Vec<u8> = lo.iter().zip(hi).map(|(lo, hi)| !(lo ^ hi)).collect();
            NatAddress::Prefix(lo.into(), prefix_of(&mask)?)
        }
        Some(hi) => NatAddress::Range(lo.into(), hi.into()),
    };
    nat(address, rest, context, all)
}

/// `nat` to what a map holds.
pub(super) fn mapped_nat(
    instructions: &[Instruction],
    context: Context,
) -> Option<(Statement, usize)> {
    let (address, rest) = mapped(instructions, context)?;
    nat(NatAddress::Map(address), rest, context, instructions.len())
}

/// The first lookup that puts a value into a register, with what it depends on.
fn mapped(instructions: &[Instruction], context: Context) -> Option<(Expression, &[Instruction])> {
    let end = instructions.iter().position(|instruction| {
        matches!(
            instruction,
            Instruction::Lookup {
                result: LookupResult::Data(_),
                ..
            }
        )
    })?;
    let (own, rest) = instructions.split_at_checked(end + 1)?;
    let (loads, behind) = loads(own, context)?;
    (behind.is_empty()).then_some((key(&loads)?, rest))
}

/// A new port at the beginning.
pub(super) fn nat_port(
    instructions: &[Instruction],
    context: Context,
) -> Option<(NatPort, &[Instruction])> {
    let number = |bytes: &[u8]| Some(u16::from_be_bytes(bytes.try_into().ok()?));
    let Some((lo, rest)) = immediate(instructions) else {
        let (map, rest) = mapped(instructions, context)?;
        return Some((NatPort::Map(map), rest));
    };
    match immediate(rest) {
        Some((hi, rest)) => Some((NatPort::Range(number(lo)?, number(hi)?), rest)),
        None => Some((NatPort::Value(number(lo)?), rest)),
    }
}

/// `nat` with its address known; a port may come before it.
fn nat(
    address: NatAddress,
    rest: &[Instruction],
    context: Context,
    all: usize,
) -> Option<(Statement, usize)> {
    let (port, rest) = match rest.first()? {
        Instruction::Nat { .. } => (None, rest),
        _ => {
            let (port, rest) = nat_port(rest, context)?;
            (Some(port), rest)
        }
    };
    let (
        Instruction::Nat {
            kind,
            family,
            flags,
            ..
        },
        rest,
    ) = rest.split_first()?
    else {
        return None;
    };
    let nat = Nat {
        kind: match *kind {
            sys::NFT_NAT_SNAT => NatKind::Snat,
            _ => NatKind::Dnat,
        },
        family: Family::BOTH
            .into_iter()
            .find(|known| u32::from(known.nfproto()) == *family)?,
        address,
        port,
        flags: nat_flags_of(*flags),
    };
    Some((Statement::Nat(nat), all - rest.len()))
}
