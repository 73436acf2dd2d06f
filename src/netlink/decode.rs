//! Messages of a dump → live values: tables, chains, rules, objects, flowtables.
//!
//! Attributes that are not named here say how the kernel keeps an object, not what it does, and newer
//! kernels have more of them.

use super::attribute::{Malformed, attributes};
use super::constants::{NF_NETDEV_INGRESS, sys};
use super::expression::{self, named_limit};
use super::userdata;
use crate::live::{LiveChain, LiveObject, LiveRule};
use crate::ruleset::{
    Base, ChainPolicy, ChainType, FLOWTABLE, Flowtable, Hook, Object, ObjectKind,
};

/// A table without its content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct TableHead {
    pub(super) name: String,
    pub(super) handle: u64,
    pub(super) flags: u32,
    pub(super) mark: Option<[u8; 16]>,
}

/// Reads `NFT_MSG_NEWTABLE`.
pub(super) fn table(bytes: &[u8]) -> Result<TableHead, Malformed> {
    let mut table = TableHead::default();
    for attribute in attributes(bytes) {
        let attribute = attribute?;
        match attribute.kind {
            sys::NFTA_TABLE_NAME => table.name = attribute.string(),
            sys::NFTA_TABLE_HANDLE => table.handle = attribute.be64()?,
            sys::NFTA_TABLE_FLAGS => table.flags = attribute.be32()?,
            sys::NFTA_TABLE_USERDATA => table.mark = userdata::table_mark(attribute.value),
            _ => {}
        }
    }
    Ok(table)
}

/// A chain without rules, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ChainHead {
    pub(super) table: String,
    /// Rules and references.
    pub(super) uses: u32,
    pub(super) chain: LiveChain,
}

/// Reads `NFT_MSG_NEWCHAIN`.
pub(super) fn chain(bytes: &[u8]) -> Result<ChainHead, Malformed> {
    let mut head = ChainHead {
        table: String::new(),
        uses: 0,
        chain: LiveChain {
            handle: 0,
            name: String::new(),
            base: None,
            anonymous: false,
            rules: Vec::new(),
        },
    };
    let mut hook = None;
    let mut kind = ChainType::Filter;
    let mut policy = ChainPolicy::Accept;
    for attribute in attributes(bytes) {
        let attribute = attribute?;
        match attribute.kind {
            sys::NFTA_CHAIN_TABLE => head.table = attribute.string(),
            sys::NFTA_CHAIN_NAME => head.chain.name = attribute.string(),
            sys::NFTA_CHAIN_HANDLE => head.chain.handle = attribute.be64()?,
            sys::NFTA_CHAIN_USE => head.uses = attribute.be32()?,
            sys::NFTA_CHAIN_FLAGS => {
                head.chain.anonymous = attribute.be32()? & sys::NFT_CHAIN_BINDING != 0;
            }
            sys::NFTA_CHAIN_HOOK => hook = Some(place(attribute.value)?),
            sys::NFTA_CHAIN_TYPE => kind = chain_type(&attribute.string())?,
            sys::NFTA_CHAIN_POLICY => policy = chain_policy(attribute.be32()?)?,
            _ => {}
        }
    }
    head.chain.base = hook.map(|(hook, priority)| Base {
        kind,
        hook,
        priority,
        policy,
    });
    Ok(head)
}

fn place(hook: &[u8]) -> Result<(Hook, i32), Malformed> {
    let mut number = None;
    let mut priority = None;
    for attribute in attributes(hook) {
        let attribute = attribute?;
        match attribute.kind {
            sys::NFTA_HOOK_HOOKNUM => number = Some(attribute.be32()?),
            sys::NFTA_HOOK_PRIORITY => priority = Some(attribute.be32()?.cast_signed()),
            _ => {}
        }
    }
    let hook = match number.ok_or(Malformed("a base chain without a hook"))? {
        0 => Hook::Prerouting,
        1 => Hook::Input,
        2 => Hook::Forward,
        3 => Hook::Output,
        4 => Hook::Postrouting,
        other => Hook::Other(other),
    };
    let priority = priority.ok_or(Malformed("a base chain without a priority"))?;
    Ok((hook, priority))
}

fn chain_type(name: &str) -> Result<ChainType, Malformed> {
    match name {
        "filter" => Ok(ChainType::Filter),
        "nat" => Ok(ChainType::Nat),
        "route" => Ok(ChainType::Route),
        _ => Err(Malformed("a chain type that is not known")),
    }
}

fn chain_policy(number: u32) -> Result<ChainPolicy, Malformed> {
    match number {
        0 => Ok(ChainPolicy::Drop),
        1 => Ok(ChainPolicy::Accept),
        _ => Err(Malformed("a chain policy that is not known")),
    }
}

/// A rule and the chain it is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PlacedRule {
    pub(super) table: String,
    pub(super) chain: String,
    pub(super) rule: LiveRule,
}

/// Reads `NFT_MSG_NEWRULE`.
pub(super) fn rule(bytes: &[u8]) -> Result<PlacedRule, Malformed> {
    let mut placed = PlacedRule {
        table: String::new(),
        chain: String::new(),
        rule: LiveRule {
            handle: 0,
            name: None,
            instructions: Vec::new(),
        },
    };
    for attribute in attributes(bytes) {
        let attribute = attribute?;
        match attribute.kind {
            sys::NFTA_RULE_TABLE => placed.table = attribute.string(),
            sys::NFTA_RULE_CHAIN => placed.chain = attribute.string(),
            sys::NFTA_RULE_HANDLE => placed.rule.handle = attribute.be64()?,
            sys::NFTA_RULE_USERDATA => placed.rule.name = userdata::comment_in(attribute.value),
            sys::NFTA_RULE_EXPRESSIONS => {
                placed.rule.instructions = expression::expressions(attribute.value)?;
            }
            _ => {}
        }
    }
    Ok(placed)
}

/// Reads `NFT_MSG_NEWOBJ`; the table first.
pub(super) fn object(bytes: &[u8]) -> Result<(String, LiveObject), Malformed> {
    let mut table = String::new();
    let mut name = String::new();
    let mut handle = 0;
    let mut number = 0;
    let mut data: &[u8] = &[];
    for attribute in attributes(bytes) {
        let attribute = attribute?;
        match attribute.kind {
            sys::NFTA_OBJ_TABLE => table = attribute.string(),
            sys::NFTA_OBJ_NAME => name = attribute.string(),
            sys::NFTA_OBJ_HANDLE => handle = attribute.be64()?,
            sys::NFTA_OBJ_TYPE => number = attribute.be32()?,
            sys::NFTA_OBJ_DATA => data = attribute.value,
            _ => {}
        }
    }
    let kind = match number {
        sys::NFT_OBJECT_LIMIT => named_limit(data).map(ObjectKind::Limit),
        sys::NFT_OBJECT_CT_HELPER => helper(data)?,
        _ => None,
    };
    let object = Object {
        name,
        kind: kind.unwrap_or(ObjectKind::Other(number)),
        origin: None,
    };
    Ok((table, LiveObject { handle, object }))
}

/// A conntrack helper for both address families, as rfw makes them; `None` for another one.
fn helper(data: &[u8]) -> Result<Option<ObjectKind>, Malformed> {
    let mut helper = None;
    let mut protocol = None;
    let mut both_families = false;
    for attribute in attributes(data) {
        let attribute = attribute?;
        match attribute.kind {
            sys::NFTA_CT_HELPER_NAME => helper = Some(attribute.string()),
            sys::NFTA_CT_HELPER_L3PROTO => {
                both_families = attribute.value == [0, super::constants::NFPROTO_INET];
            }
            sys::NFTA_CT_HELPER_L4PROTO => protocol = attribute.value.first().copied(),
            _ => return Ok(None),
        }
    }
    Ok(match (helper, protocol) {
        (Some(helper), Some(protocol)) if both_families => {
            Some(ObjectKind::CtHelper { helper, protocol })
        }
        _ => None,
    })
}

/// Reads `NFT_MSG_NEWFLOWTABLE`; the table first. One of another form than rfw's is of a kind that rfw does not make.
pub(super) fn flowtable(bytes: &[u8]) -> Result<(String, LiveObject), Malformed> {
    let mut table = String::new();
    let mut name = String::new();
    let mut handle = 0;
    let mut interfaces = None;
    let mut flags = 0;
    for attribute in attributes(bytes) {
        let attribute = attribute?;
        match attribute.kind {
            sys::NFTA_FLOWTABLE_TABLE => table = attribute.string(),
            sys::NFTA_FLOWTABLE_NAME => name = attribute.string(),
            sys::NFTA_FLOWTABLE_HANDLE => handle = attribute.be64()?,
            sys::NFTA_FLOWTABLE_HOOK => interfaces = flowtable_hook(attribute.value)?,
            sys::NFTA_FLOWTABLE_FLAGS => flags = attribute.be32()?,
            _ => {}
        }
    }
    let known = flags & !sys::NFT_FLOWTABLE_HW_OFFLOAD == 0;
    let kind = match interfaces.filter(|_| known) {
        Some(interfaces) => ObjectKind::Flowtable(Flowtable {
            interfaces,
            hardware: flags != 0,
        }),
        None => ObjectKind::Other(FLOWTABLE),
    };
    let object = Object {
        name,
        kind,
        origin: None,
    };
    Ok((table, LiveObject { handle, object }))
}

/// The interfaces of a flowtable; `None` at another place than rfw's.
fn flowtable_hook(bytes: &[u8]) -> Result<Option<Vec<String>>, Malformed> {
    let mut interfaces = Vec::new();
    let mut usual = true;
    for attribute in attributes(bytes) {
        let attribute = attribute?;
        match attribute.kind {
            sys::NFTA_FLOWTABLE_HOOK_NUM => usual &= attribute.be32()? == NF_NETDEV_INGRESS,
            sys::NFTA_FLOWTABLE_HOOK_PRIORITY => usual &= attribute.be32()? == 0,
            sys::NFTA_FLOWTABLE_HOOK_DEVS => {
                for device in attributes(attribute.value) {
                    interfaces.push(device?.string());
                }
            }
            _ => usual = false,
        }
    }
    interfaces.sort();
    Ok(usual.then_some(interfaces))
}
