//! Operations → attributes of messages: tables, chains, rules and objects, and which message each
//! operation becomes. Not here: headers and sequence numbers, which are the batch's.

use super::attribute::Writer;
use super::constants::{NF_NETDEV_INGRESS, NFT_MSG_DESTROYSETELEM, sys};
use super::element::{self, Part};
use super::expression::{self, write_limit};
use super::{set, userdata};
use crate::bytecode::Rule;
use crate::plan::{Operation, Place};
use crate::ruleset::{
    Base, ChainPolicy, ChainType, Elements, FLOWTABLE, Flowtable, Hook, Object, ObjectKind,
    SetSpec, TABLE,
};

/// An attribute is at most 65 535 bytes long, also the list of a message's elements.
const LIST_LIMIT: usize = 60_000;

/// A message without headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Body {
    /// `NFT_MSG_*`
    pub(super) message: u32,
    /// `NLM_F_*`
    pub(super) flags: u32,
    /// `None` when an attribute would be longer than one can be.
    pub(super) attributes: Option<Vec<u8>>,
}

/// The messages of the operation at a place in the batch. `destroy` says whether the kernel knows
/// `NFT_MSG_DESTROYSETELEM`.
pub(super) fn operation(index: usize, operation: &Operation, destroy: bool) -> Vec<Body> {
    match operation {
        Operation::AddTable { mark } => {
            let mut writer = Writer::new();
            writer.string(sys::NFTA_TABLE_NAME, TABLE);
            // Without flags, so that nothing happens to a table that is there.
            writer.bytes(sys::NFTA_TABLE_USERDATA, &userdata::table(mark));
            body(sys::NFT_MSG_NEWTABLE, sys::NLM_F_CREATE, writer)
        }
        Operation::SetTableFlags { flags } => {
            let mut writer = Writer::new();
            writer.string(sys::NFTA_TABLE_NAME, TABLE);
            writer.be32(sys::NFTA_TABLE_FLAGS, *flags);
            body(sys::NFT_MSG_NEWTABLE, 0, writer)
        }
        Operation::DeleteTable => {
            let mut writer = Writer::new();
            writer.string(sys::NFTA_TABLE_NAME, TABLE);
            body(sys::NFT_MSG_DELTABLE, 0, writer)
        }
        Operation::AddChain { name, base } => {
            let mut writer = in_table(sys::NFTA_CHAIN_TABLE);
            writer.string(sys::NFTA_CHAIN_NAME, name);
            if let Some(base) = base {
                write_base(&mut writer, *base);
            }
            create(sys::NFT_MSG_NEWCHAIN, writer)
        }
        Operation::SetChainPolicy { name, base } => {
            let mut writer = in_table(sys::NFTA_CHAIN_TABLE);
            writer.string(sys::NFTA_CHAIN_NAME, name);
            writer.be32(sys::NFTA_CHAIN_POLICY, policy_number(base.policy));
            body(sys::NFT_MSG_NEWCHAIN, 0, writer)
        }
        Operation::FlushChain { chain } => body(sys::NFT_MSG_DELRULE, 0, in_chain(chain)),
        Operation::DeleteChain { name } => {
            let mut writer = in_table(sys::NFTA_CHAIN_TABLE);
            writer.string(sys::NFTA_CHAIN_NAME, name);
            body(sys::NFT_MSG_DELCHAIN, sys::NLM_F_NONREC, writer)
        }
        Operation::AddSet { spec, origin: _ } => {
            create(sys::NFT_MSG_NEWSET, whole_set(index, spec))
        }
        // A set that is there takes both, if it is the same in all else.
        Operation::SetBounds { spec } => body(sys::NFT_MSG_NEWSET, 0, whole_set(index, spec)),
        Operation::DeleteSet { name } => {
            let mut writer = in_table(sys::NFTA_SET_TABLE);
            writer.string(sys::NFTA_SET_NAME, name);
            body(sys::NFT_MSG_DELSET, 0, writer)
        }
        Operation::AddElements { set, elements } => element_messages(
            sys::NFT_MSG_NEWSETELEM,
            sys::NLM_F_CREATE | sys::NLM_F_EXCL,
            set,
            elements,
            Part::Whole,
        ),
        Operation::DeleteElements { set, elements } => {
            let message = if destroy {
                NFT_MSG_DESTROYSETELEM
            } else {
                sys::NFT_MSG_DELSETELEM
            };
            element_messages(message, 0, set, elements, Part::Key)
        }
        Operation::AddObject { object } if object.kind.number() == FLOWTABLE => {
            let mut writer = in_table(sys::NFTA_FLOWTABLE_TABLE);
            write_flowtable(&mut writer, object);
            create(sys::NFT_MSG_NEWFLOWTABLE, writer)
        }
        Operation::DeleteObject { object } if object.kind.number() == FLOWTABLE => {
            let mut writer = in_table(sys::NFTA_FLOWTABLE_TABLE);
            writer.string(sys::NFTA_FLOWTABLE_NAME, &object.name);
            body(sys::NFT_MSG_DELFLOWTABLE, 0, writer)
        }
        Operation::AddObject { object } => {
            let mut writer = in_table(sys::NFTA_OBJ_TABLE);
            write_object(&mut writer, object);
            create(sys::NFT_MSG_NEWOBJ, writer)
        }
        Operation::DeleteObject { object } => {
            let mut writer = in_table(sys::NFTA_OBJ_TABLE);
            writer.string(sys::NFTA_OBJ_NAME, &object.name);
            writer.be32(sys::NFTA_OBJ_TYPE, object_number(&object.kind));
            body(sys::NFT_MSG_DELOBJ, 0, writer)
        }
        Operation::AddRule { chain, place, rule } => {
            let mut writer = in_chain(chain);
            let flags = match place {
                Place::Last => sys::NLM_F_CREATE | sys::NLM_F_APPEND,
                Place::Before(handle) => {
                    writer.be64(sys::NFTA_RULE_POSITION, *handle);
                    sys::NLM_F_CREATE
                }
            };
            write_rule(&mut writer, rule);
            body(sys::NFT_MSG_NEWRULE, flags, writer)
        }
        Operation::ReplaceRule {
            chain,
            handle,
            rule,
        } => {
            let mut writer = in_chain(chain);
            writer.be64(sys::NFTA_RULE_HANDLE, *handle);
            write_rule(&mut writer, rule);
            body(sys::NFT_MSG_NEWRULE, sys::NLM_F_REPLACE, writer)
        }
        Operation::DeleteRule {
            chain,
            handle,
            name: _,
        } => {
            let mut writer = in_chain(chain);
            writer.be64(sys::NFTA_RULE_HANDLE, *handle);
            body(sys::NFT_MSG_DELRULE, 0, writer)
        }
    }
}

fn body(message: u32, flags: u32, writer: Writer) -> Vec<Body> {
    vec![Body {
        message,
        flags,
        attributes: writer.finish(),
    }]
}

/// A plan knows what is there, so that something is there already is an error.
fn create(message: u32, writer: Writer) -> Vec<Body> {
    body(message, sys::NLM_F_CREATE | sys::NLM_F_EXCL, writer)
}

fn whole_set(index: usize, spec: &SetSpec) -> Writer {
    let mut writer = in_table(sys::NFTA_SET_TABLE);
    // Unique in the batch and never 0.
    let id = u32::try_from(index).unwrap_or(u32::MAX).saturating_add(1);
    set::write(&mut writer, spec, id);
    writer
}

fn in_table(kind: u16) -> Writer {
    let mut writer = Writer::new();
    writer.string(kind, TABLE);
    writer
}

fn in_chain(chain: &str) -> Writer {
    let mut writer = in_table(sys::NFTA_RULE_TABLE);
    writer.string(sys::NFTA_RULE_CHAIN, chain);
    writer
}

pub(super) fn write_base(writer: &mut Writer, base: Base) {
    let Base {
        kind,
        hook,
        priority,
        policy,
    } = base;
    writer.string(sys::NFTA_CHAIN_TYPE, chain_type(kind));
    writer.be32(sys::NFTA_CHAIN_POLICY, policy_number(policy));
    writer.nest(sys::NFTA_CHAIN_HOOK, |writer| {
        writer.be32(sys::NFTA_HOOK_HOOKNUM, hook_number(hook));
        writer.bytes(sys::NFTA_HOOK_PRIORITY, &priority.to_be_bytes());
    });
}

fn chain_type(kind: ChainType) -> &'static str {
    match kind {
        ChainType::Filter => "filter",
        ChainType::Nat => "nat",
        ChainType::Route => "route",
    }
}

fn hook_number(hook: Hook) -> u32 {
    match hook {
        Hook::Prerouting => 0,
        Hook::Input => 1,
        Hook::Forward => 2,
        Hook::Output => 3,
        Hook::Postrouting => 4,
        Hook::Other(number) => number,
    }
}

fn policy_number(policy: ChainPolicy) -> u32 {
    match policy {
        ChainPolicy::Drop => 0,
        ChainPolicy::Accept => 1,
    }
}

fn object_number(kind: &ObjectKind) -> u32 {
    match kind {
        ObjectKind::Limit(_) => sys::NFT_OBJECT_LIMIT,
        ObjectKind::CtHelper { .. } => sys::NFT_OBJECT_CT_HELPER,
        ObjectKind::Flowtable(_) => FLOWTABLE,
        ObjectKind::Other(number) => *number,
    }
}

/// A flowtable at the ingress hook of its interfaces, before everything else there.
pub(super) fn write_flowtable(writer: &mut Writer, object: &Object) {
    writer.string(sys::NFTA_FLOWTABLE_NAME, &object.name);
    let ObjectKind::Flowtable(Flowtable {
        interfaces,
        hardware,
    }) = &object.kind
    else {
        return;
    };
    writer.nest(sys::NFTA_FLOWTABLE_HOOK, |writer| {
        writer.be32(sys::NFTA_FLOWTABLE_HOOK_NUM, NF_NETDEV_INGRESS);
        writer.be32(sys::NFTA_FLOWTABLE_HOOK_PRIORITY, 0);
        writer.nest(sys::NFTA_FLOWTABLE_HOOK_DEVS, |writer| {
            for interface in interfaces {
                writer.string(sys::NFTA_DEVICE_NAME, interface);
            }
        });
    });
    let flags = if *hardware {
        sys::NFT_FLOWTABLE_HW_OFFLOAD
    } else {
        0
    };
    writer.be32(sys::NFTA_FLOWTABLE_FLAGS, flags);
}

fn write_object(writer: &mut Writer, object: &Object) {
    writer.string(sys::NFTA_OBJ_NAME, &object.name);
    writer.be32(sys::NFTA_OBJ_TYPE, object_number(&object.kind));
    writer.nest(sys::NFTA_OBJ_DATA, |writer| match &object.kind {
        ObjectKind::Limit(limit) => write_limit(writer, limit),
        ObjectKind::CtHelper { helper, protocol } => {
            writer.string(sys::NFTA_CT_HELPER_NAME, helper);
            writer.be16(
                sys::NFTA_CT_HELPER_L3PROTO,
                u16::from(super::constants::NFPROTO_INET),
            );
            writer.u8(sys::NFTA_CT_HELPER_L4PROTO, *protocol);
        }
        ObjectKind::Flowtable(_) | ObjectKind::Other(_) => {}
    });
}

pub(super) fn write_rule(writer: &mut Writer, rule: &Rule) {
    let Rule {
        name,
        instructions,
        origin: _,
    } = rule;
    writer.nest(sys::NFTA_RULE_EXPRESSIONS, |writer| {
        expression::write_list(writer, instructions);
    });
    if let Some(name) = name {
        writer.bytes(sys::NFTA_RULE_USERDATA, &userdata::comment(name));
    }
}

/// The elements in as many messages as it takes.
fn element_messages(
    message: u32,
    flags: u32,
    spec: &SetSpec,
    elements: &Elements,
    part: Part,
) -> Vec<Body> {
    let mut bodies = Vec::new();
    let mut list = Writer::new();
    let send = |list: Writer| Body {
        message,
        flags,
        attributes: list.finish().and_then(|list| {
            let mut writer = in_table(sys::NFTA_SET_ELEM_LIST_TABLE);
            writer.string(sys::NFTA_SET_ELEM_LIST_SET, &spec.name);
            writer.nest(sys::NFTA_SET_ELEM_LIST_ELEMENTS, |writer| {
                writer.append(&list);
            });
            writer.finish()
        }),
    };
    if let Some(keys) = elements.plain() {
        for (lo, hi) in keys.iter() {
            // Two entries, each of a key and at most six headers and numbers of four bytes.
            if list.len() + 2 * (lo.len() + 32) > LIST_LIMIT {
                bodies.push(send(std::mem::take(&mut list)));
            }
            element::write_plain(&mut list, spec, lo, hi, part);
        }
    }
    for element in elements.rich() {
        let before = list.len();
        element::write(&mut list, spec, element, part);
        if before > 0 && list.len() > LIST_LIMIT {
            let next = list.split_off(before);
            bodies.push(send(std::mem::replace(&mut list, next)));
        }
    }
    if list.len() > 0 {
        bodies.push(send(list));
    }
    bodies
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ruleset::{DataType, Element, Key, SetKind};

    #[test]
    fn elements_are_deleted_by_the_message_that_the_kernel_knows() {
        let deletion = Operation::DeleteElements {
            set: SetSpec::new("s", vec![DataType::InetProto], SetKind::Set),
            elements: Elements::from(vec![Element {
                key: Key::exact([6]),
                datum: None,
                name: Some("not sent".into()),
                count: None,
            }]),
        };
        let old = operation(0, &deletion, false);
        let new = operation(0, &deletion, true);
        let messages: Vec<_> = [&old, &new].map(|it| it[0].message).into();
        assert_eq!(messages, [sys::NFT_MSG_DELSETELEM, NFT_MSG_DESTROYSETELEM]);
        assert_eq!(old[0].attributes, new[0].attributes);
        assert_eq!((old.len(), new.len()), (1, 1));
    }

    /// An attribute's length has 16 bits.
    #[test]
    fn no_list_is_longer_than_an_attribute() {
        let set = SetSpec::new("s", vec![DataType::Ipv6Addr], SetKind::Set);
        let elements = (0..9000u128)
            .map(|n| Element {
                key: Key::exact(n.to_be_bytes()),
                datum: None,
                name: Some("x".repeat(100)),
                count: None,
            })
            .collect();
        let bodies = operation(0, &Operation::AddElements { set, elements }, true);
        let lengths: Vec<_> = bodies
            .iter()
            .map(|body| body.attributes.as_ref().unwrap().len())
            .collect();
        assert!(lengths.len() > 10, "{lengths:?}");
        assert!(lengths.iter().all(|length| *length < 61_000), "{lengths:?}");
    }

    #[test]
    fn a_flowtable_is_the_bytes_of_nft() {
        // What nft 1.0.6 sends for `flowtable ft { hook ingress priority 0; devices = { eth0, eth1 }; flags offload; }`,
        // read off `--debug=mnl`; the kernel keeps no order of devices.
        let nft: &[&[u8]] = &[
            b"\x08\0\x01\0rfw\0",
            b"\x07\0\x02\0ft\0\0",
            b"\x30\0\x03\x80",
            b"\x08\0\x01\0\0\0\0\0",
            b"\x08\0\x02\0\0\0\0\0",
            b"\x1c\0\x03\x80",
            b"\x09\0\x01\0eth0\0\0\0\0",
            b"\x09\0\x01\0eth1\0\0\0\0",
            b"\x08\0\x07\0\0\0\0\x01",
        ];
        let object = Object {
            name: "ft".to_owned(),
            kind: ObjectKind::Flowtable(Flowtable {
                interfaces: vec!["eth0".to_owned(), "eth1".to_owned()],
                hardware: true,
            }),
            origin: None,
        };
        let add = operation(
            0,
            &Operation::AddObject {
                object: object.clone(),
            },
            true,
        );
        let body = &add[0];
        assert_eq!(body.message, sys::NFT_MSG_NEWFLOWTABLE);
        let bytes = body.attributes.as_ref().unwrap();
        assert_eq!(*bytes, nft.concat());
        // As the kernel reports it, with more beside.
        let (table, live) = crate::netlink::decode::flowtable(bytes).unwrap();
        assert_eq!((table.as_str(), live.object), (TABLE, object.clone()));
        let delete = operation(0, &Operation::DeleteObject { object }, true);
        assert_eq!(delete[0].message, sys::NFT_MSG_DELFLOWTABLE);
        let bytes = delete[0].attributes.as_ref().unwrap();
        assert_eq!(*bytes, nft[..2].concat());
    }
}
