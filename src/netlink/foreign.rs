//! The chains of other tables, of all families, and what their rules do.

use std::collections::BTreeMap;

use super::Netlink;
use super::attribute::{Malformed, Writer, attributes};
use super::constants::{NFPROTO_INET, sys};
use super::decode;
use super::request::Request;
use crate::bytecode::{Instruction, LookupResult};
use crate::health::{ForeignChain, OtherBase, OtherChain, OtherTable};
use crate::kernel::ObserveError;
use crate::ruleset::{TABLE, Verdict};

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

    /// All tables with their chains, and what the rules of those that are not rfw's do.
    ///
    /// # Errors
    /// When the kernel cannot be read, or never stood still long enough.
    pub fn other_tables(&mut self) -> Result<Vec<OtherTable>, ObserveError> {
        self.steadily(|netlink, generation| {
            let mut tables: BTreeMap<(u8, String), BTreeMap<String, OtherChain>> = BTreeMap::new();
            let action = "listing the chains of all tables";
            let request = Request::new(action, sys::NFT_MSG_GETCHAIN, ANY, Writer::new());
            netlink.dump(generation, &request, &mut |answer| {
                let head = head(answer.attributes)?;
                let chains = tables.entry((answer.family, head.table)).or_default();
                let base = head.place.map(|(hook, priority)| OtherBase {
                    hook: hook_word(family_word(answer.family), hook),
                    priority,
                    drops: head.policy == Some(NF_DROP),
                });
                let chain = OtherChain {
                    name: head.name.clone(),
                    base,
                    ..OtherChain::default()
                };
                chains.insert(head.name, chain);
                Ok(())
            })?;
            for ((family, table), chains) in &mut tables {
                if *family == NFPROTO_INET && table == TABLE {
                    continue;
                }
                let mut writer = Writer::new();
                writer.string(sys::NFTA_RULE_TABLE, table);
                let action = "listing the rules of another table";
                let request = Request::new(action, sys::NFT_MSG_GETRULE, *family, writer);
                netlink.dump(generation, &request, &mut |answer| {
                    let placed = decode::rule(answer.attributes)?;
                    if placed.table == *table
                        && let Some(chain) = chains.get_mut(&placed.chain)
                    {
                        note(chain, &placed.rule.instructions);
                    }
                    Ok(())
                })?;
            }
            let tables = tables
                .into_iter()
                .map(|((family, name), chains)| OtherTable {
                    name: format!("{} {name}", family_word(family)),
                    chains: chains.into_values().collect(),
                });
            Ok(tables.collect())
        })
    }
}

/// `NF_DROP` of linux/netfilter.h, as a chain policy.
const NF_DROP: u32 = 0;

struct Head {
    table: String,
    name: String,
    /// Hook and priority of a base chain.
    place: Option<(u32, i32)>,
    policy: Option<u32>,
}

/// A base chain of another table.
fn chain(family: u8, bytes: &[u8]) -> Result<Option<ForeignChain>, Malformed> {
    let Head {
        table,
        name,
        place,
        policy,
    } = head(bytes)?;
    if family == NFPROTO_INET && table == TABLE {
        return Ok(None);
    }
    let word = family_word(family);
    Ok(place.map(|(hook, priority)| ForeignChain {
        table: format!("{word} {table}"),
        chain: name,
        hook: hook_word(word, hook),
        priority,
        drops: policy == Some(NF_DROP),
    }))
}

fn family_word(family: u8) -> &'static str {
    let known = FAMILIES.iter().find(|(number, _)| *number == family);
    known.map_or("?", |(_, word)| word)
}

fn head(bytes: &[u8]) -> Result<Head, Malformed> {
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
    Ok(Head {
        table,
        name,
        place,
        policy,
    })
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

/// What a rule does, as far as others mind.
fn note(chain: &mut OtherChain, instructions: &[Instruction]) {
    let mut drops = false;
    let mut translates = false;
    for instruction in instructions {
        match instruction {
            Instruction::Verdict(Verdict::Drop) | Instruction::Reject { .. } => drops = true,
            Instruction::Verdict(Verdict::Jump(to) | Verdict::Goto(to)) => {
                chain.leads_to.insert(to.clone());
            }
            Instruction::Lookup {
                result: LookupResult::Verdict,
                ..
            } => chain.leads_by_map = true,
            Instruction::Nat { .. }
            | Instruction::Masquerade { .. }
            | Instruction::Redirect { .. } => translates = true,
            // What iptables has no instruction for is a target of its own, its name first.
            Instruction::Opaque { name, data } if name == "target" => {
                let has = |word: &[u8]| data.windows(word.len()).any(|piece| piece == word);
                drops |= has(b"REJECT\0") || has(b"DROP\0") || has(b"TARPIT\0");
                let targets: [&[u8]; 5] = [
                    b"MASQUERADE\0",
                    b"DNAT\0",
                    b"SNAT\0",
                    b"REDIRECT\0",
                    b"NETMAP\0",
                ];
                translates |= targets.into_iter().any(has);
            }
            _ => {}
        }
    }
    chain.drops += u32::from(drops);
    chain.translates += u32::from(translates);
}
