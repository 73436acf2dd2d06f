//! The base chains of other tables, of all families. Their rules are not read here.

use super::Netlink;
use super::attribute::{Malformed, Writer, attributes};
use super::constants::{NFPROTO_INET, sys};
use super::request::Request;
use crate::health::ForeignChain;
use crate::kernel::ObserveError;
use crate::ruleset::TABLE;

/// `NFPROTO_UNSPEC`: all families.
const ANY: u8 = 0;
/// `NFPROTO_*` of linux/netfilter.h, by nft's words.
const FAMILIES: [(u8, &str); 6] = [
    (1, "inet"),
    (2, "ip"),
    (3, "arp"),
    (5, "netdev"),
    (7, "bridge"),
    (10, "ip6"),
];

impl Netlink {
    /// The base chains that are not rfw's.
    ///
    /// # Errors
    /// When the kernel cannot be read, or never stood still long enough.
    pub fn foreign_chains(&mut self) -> Result<Vec<ForeignChain>, ObserveError> {
        self.steadily(|netlink, generation| {
            let mut chains = Vec::new();
            let request = Request::new(
                "listing the chains of all tables",
                sys::NFT_MSG_GETCHAIN,
                ANY,
                Writer::new(),
            );
            netlink.dump(generation, &request, &mut |answer| {
                chains.extend(chain(answer.family, answer.attributes)?);
                Ok(())
            })?;
            chains.sort();
            Ok(chains)
        })
    }
}

/// A base chain of another table.
fn chain(family: u8, bytes: &[u8]) -> Result<Option<ForeignChain>, Malformed> {
    let (mut table, mut name) = (String::new(), String::new());
    let mut place = None;
    let mut policy = None;
    for attribute in attributes(bytes) {
        let attribute = attribute?;
        match attribute.kind {
            sys::NFTA_CHAIN_TABLE => table = attribute.string(),
            sys::NFTA_CHAIN_NAME => name = attribute.string(),
            sys::NFTA_CHAIN_POLICY => policy = Some(attribute.be32()?),
            sys::NFTA_CHAIN_HOOK => {
                let (mut hook, mut priority) = (0, 0);
                for attribute in attributes(attribute.value) {
                    let attribute = attribute?;
                    match attribute.kind {
                        sys::NFTA_HOOK_HOOKNUM => hook = attribute.be32()?,
                        sys::NFTA_HOOK_PRIORITY => priority = attribute.be32()?.cast_signed(),
                        _ => {}
                    }
                }
                place = Some((hook, priority));
            }
            _ => {}
        }
    }
    if family == NFPROTO_INET && table == TABLE {
        return Ok(None);
    }
    let word = FAMILIES
        .iter()
        .find(|(number, _)| *number == family)
        .map_or("?", |(_, word)| word);
    Ok(place.map(|(hook, priority)| ForeignChain {
        table: format!("{word} {table}"),
        chain: name,
        hook: hook_word(word, hook),
        priority,
        // `NF_DROP` of linux/netfilter.h.
        drops: policy == Some(0),
    }))
}

/// nft's word for a hook: `NF_INET_*`, `NF_ARP_*`, `NF_NETDEV_*` of the kernel's headers.
fn hook_word(family: &str, number: u32) -> &'static str {
    match (family, number) {
        ("netdev", 0) => "ingress",
        ("netdev", 1) => "egress",
        ("arp", 0) => "input",
        ("arp", 1) => "output",
        (_, 0) => "prerouting",
        (_, 1) => "input",
        (_, 2) => "forward",
        (_, 3) => "output",
        (_, 4) => "postrouting",
        (_, 5) => "ingress",
        _ => "a hook that is not known",
    }
}
