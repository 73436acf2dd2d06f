//! Matches and targets of iptables, as iptables-nft leaves them in rules: the expressions `match` and `target` of
//! linux/net/netfilter/nft_compat.c, which call the extensions of iptables in the kernel.
//!
//! What they hold is laid out as the structs of the kernel's headers (linux/netfilter/xt_*.h, linux/netfilter_ipv4/ipt_*.h,
//! linux/netfilter_ipv6/ip6t_*.h) are in the memory of this host. Only extensions and forms of them whose meaning is certain are read;
//! what is not read stays what it is. rfw writes none of them.

mod display;
mod info;
mod matches;
mod targets;

use std::net::IpAddr;

use super::Instruction;
use info::Info;

pub use matches::{Connection, Match};
pub use targets::{Range, Target};

/// An extension in a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension<'a> {
    /// Its name: `conntrack`, `MASQUERADE`.
    pub name: String,
    /// Which form of it.
    pub revision: u32,
    /// Whether it is a target.
    pub is_target: bool,
    info: Info<'a>,
}

/// `NFTA_MATCH_NAME`, `NFTA_TARGET_NAME` of linux/netfilter/nf_tables_compat.h.
const NAME: u16 = 1;
/// `NFTA_MATCH_REV`, `NFTA_TARGET_REV`
const REVISION: u16 = 2;
/// `NFTA_MATCH_INFO`, `NFTA_TARGET_INFO`
const INFO: u16 = 3;
/// Without the flags of linux/netlink.h.
const TYPE: u16 = 0x3fff;

/// The extension that an instruction calls.
pub fn extension(instruction: &Instruction) -> Option<Extension<'_>> {
    let Instruction::Opaque { name, data } = instruction else {
        return None;
    };
    let is_target = match name.as_str() {
        "match" => false,
        "target" => true,
        _ => return None,
    };
    let (mut name, mut revision, mut info) = (None, None, None);
    let mut rest = data.as_slice();
    while let Some((kind, value, behind)) = attribute(rest) {
        rest = behind;
        match kind {
            NAME => name = Some(text(value)),
            REVISION => revision = Some(u32::from_be_bytes(value.try_into().ok()?)),
            INFO => info = Some(Info(value)),
            _ => return None,
        }
    }
    Some(Extension {
        name: name?,
        revision: revision?,
        is_target,
        info: info?,
    })
}

impl Extension<'_> {
    /// What it matches, in a table of a family (nfproto); `None` if that is not certain.
    pub fn matches(&self, family: u8) -> Option<Match> {
        if self.is_target {
            return None;
        }
        matches::read(&self.name, self.revision, family, self.info)
    }

    /// What it does, in a table of a family (nfproto); `None` if that is not certain.
    pub fn target(&self, family: u8) -> Option<Target> {
        if !self.is_target {
            return None;
        }
        targets::read(&self.name, self.revision, family, self.info)
    }
}

/// An address and the bits of it that count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Masked {
    /// The address.
    pub address: IpAddr,
    /// One bit for each bit that counts.
    pub mask: IpAddr,
}

/// Type and value of the first attribute, and what is behind it.
fn attribute(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    let (kind, _) = rest.split_first_chunk::<2>()?;
    let length = usize::from(u16::from_ne_bytes(*length));
    let value = bytes.get(4..length)?;
    let behind = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    Some((u16::from_ne_bytes(*kind) & TYPE, value, behind))
}

/// Text up to its NUL.
fn text(bytes: &[u8]) -> String {
    let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(text).into_owned()
}

#[cfg(test)]
mod tests;
