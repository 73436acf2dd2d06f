//! One consistent reading of all tables of all families, whoever made them.
//!
//! Not what plan and apply read: that is `observe`, which lists rfw's own table only. Here nothing is refused because
//! rfw does not know it: what is not understood is kept as it is, and whoever looks at it is told.

use std::collections::BTreeMap;

use super::Netlink;
use super::attribute::{Malformed, Writer, attributes};
use super::constants::{NFPROTO_UNSPEC, sys};
use super::decode;
use super::element;
use super::request::{ReadError, Request, malformed};
use super::set::{self, Shape};
use crate::bytecode::Instruction;
use crate::kernel::ObserveError;
use crate::live::{AnySet, AnyTable, Everything, Generation, LiveChain, LiveRule, LiveSet, Table};
use crate::ruleset::{Datum, Elements, Set};

/// How much is kept in memory; what is beyond is told as unread, by the table or the set that it belongs to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Most {
    pub(super) rules: usize,
    pub(super) elements: usize,
}

const MOST: Most = Most {
    rules: 1_000_000,
    elements: 4_000_000,
};

/// See `observe`: above this many rules a dump chain by chain is faster.
const RULES_AT_ONCE: u64 = 20_000;

/// Tables by family and name.
pub(super) type Tables = BTreeMap<(u8, String), AnyTable>;

impl Netlink {
    /// Everything that the kernel holds.
    ///
    /// # Errors
    /// When the kernel cannot be read, or never stood still long enough.
    pub fn everything(&mut self) -> Result<Everything, ObserveError> {
        self.everything_up_to(MOST)
    }

    pub(super) fn everything_up_to(&mut self, most: Most) -> Result<Everything, ObserveError> {
        self.steadily(|netlink, generation| netlink.read_everything(generation, most))
    }

    fn read_everything(
        &mut self,
        generation: Generation,
        most: Most,
    ) -> Result<Everything, ReadError> {
        let mut tables = Tables::new();
        let request = all("listing the tables", sys::NFT_MSG_GETTABLE);
        self.dump(generation, &request, &mut |answer| {
            add_table(&mut tables, answer.family, answer.attributes)
        })?;
        let mut uses = 0;
        let request = all("listing the chains of all tables", sys::NFT_MSG_GETCHAIN);
        self.dump(generation, &request, &mut |answer| {
            uses += add_chain(&mut tables, answer.family, answer.attributes)?;
            Ok(())
        })?;
        for table in tables.values_mut() {
            table.table.chains.sort_by(|a, b| a.name.cmp(&b.name));
        }
        self.read_all_rules(generation, &mut tables, uses, most.rules)?;
        self.read_all_sets(generation, &mut tables, most.elements)?;
        self.read_all_objects(generation, &mut tables)?;
        let mut tables: Vec<AnyTable> = tables.into_values().collect();
        tables.sort_by_key(|table| table.table.handle);
        Ok(Everything { generation, tables })
    }

    fn read_all_rules(
        &mut self,
        generation: Generation,
        tables: &mut Tables,
        uses: u64,
        most: usize,
    ) -> Result<(), ReadError> {
        let mut left = most;
        let action = "listing the rules of all tables";
        if uses <= RULES_AT_ONCE {
            let request = all(action, sys::NFT_MSG_GETRULE);
            return self.dump(generation, &request, &mut |answer| {
                add_rule(tables, answer.family, answer.attributes, &mut left)
            });
        }
        let chains: Vec<(u8, String, String)> = tables
            .values()
            .filter(|table| is_named(&table.name))
            .flat_map(|table| {
                let chains = table.table.chains.iter();
                chains.map(|chain| (table.family, table.name.clone(), chain.name.clone()))
            })
            .filter(|(.., chain)| is_named(chain))
            .collect();
        for (family, table, chain) in chains {
            let mut writer = Writer::new();
            writer.string(sys::NFTA_RULE_TABLE, &table);
            writer.string(sys::NFTA_RULE_CHAIN, &chain);
            let request = Request::new(action, sys::NFT_MSG_GETRULE, family, writer);
            self.dump(generation, &request, &mut |answer| {
                add_rule(tables, answer.family, answer.attributes, &mut left)
            })?;
        }
        Ok(())
    }

    fn read_all_sets(
        &mut self,
        generation: Generation,
        tables: &mut Tables,
        most: usize,
    ) -> Result<(), ReadError> {
        let mut shapes: Vec<(u8, Shape)> = Vec::new();
        let request = all("listing the sets of all tables", sys::NFT_MSG_GETSET);
        self.dump(generation, &request, &mut |answer| {
            shapes.push((answer.family, set::shape(answer.attributes)?));
            Ok(())
        })?;
        shapes.sort_by(|(_, a), (_, b)| a.head.spec.name.cmp(&b.head.spec.name));
        let mut left = most;
        for (family, shape) in shapes {
            let table = shape.head.table.clone();
            let set = self.read_any_set(generation, family, shape, &mut left)?;
            let table = table_of(tables, family, table);
            let table = table.map_err(|error| malformed("the sets", error))?;
            table.sets.push(set);
        }
        Ok(())
    }

    fn read_any_set(
        &mut self,
        generation: Generation,
        family: u8,
        shape: Shape,
        left: &mut usize,
    ) -> Result<AnySet, ReadError> {
        let Shape {
            mut head,
            fields,
            mut obstacle,
        } = shape;
        let mut reading = Reading::default();
        let is_too_much = head.count.is_some_and(|count| *left < count as usize);
        if is_too_much {
            obstacle = Some("more elements than rfw reads".to_owned());
        } else if is_named(&head.table) && is_named(&head.spec.name) {
            let mut writer = Writer::new();
            writer.string(sys::NFTA_SET_ELEM_LIST_TABLE, &head.table);
            writer.string(sys::NFTA_SET_ELEM_LIST_SET, &head.spec.name);
            let action = "listing the elements of a set";
            let request = Request::new(action, sys::NFT_MSG_GETSETELEM, family, writer);
            self.dump(generation, &request, &mut |answer| {
                reading.take(&head, answer.attributes, left)
            })?;
        } else {
            obstacle = Some("a name that is no text".to_owned());
        }
        let Reading {
            entries,
            unknown,
            catch_all,
            overflow,
        } = reading;
        if overflow {
            obstacle = Some("more elements than rfw reads".to_owned());
        }
        let obstacle = obstacle.or_else(|| unknown.iter().find(|it| hinders(it)).cloned());
        head.unknown.extend(unknown);
        head.unknown.sort();
        head.unknown.dedup();
        let elements = Elements::from(element::assemble(&head.spec, entries));
        // A hash table that grows while it is read may hide elements; the kernel's own count tells.
        let spec = &head.spec;
        let exact = !spec.interval && !spec.dynamic && spec.timeout.is_none();
        if exact
            && obstacle.is_none()
            && !head.unknown.iter().any(|it| it.starts_with("flag timeout"))
            // Which the kernel does not count.
            && catch_all.is_none()
            && head.count.is_some_and(|count| count as usize != elements.len())
        {
            return Err(ReadError::Moved);
        }
        Ok(AnySet {
            live: LiveSet {
                handle: head.handle,
                set: Set {
                    spec: head.spec,
                    elements,
                    origin: None,
                },
                unknown: head.unknown,
                anonymous: head.anonymous,
            },
            fields,
            catch_all,
            obstacle,
        })
    }

    fn read_all_objects(
        &mut self,
        generation: Generation,
        tables: &mut Tables,
    ) -> Result<(), ReadError> {
        let request = all("listing the objects of all tables", sys::NFT_MSG_GETOBJ);
        self.dump(generation, &request, &mut |answer| {
            let (table, object) = decode::object(answer.attributes)?;
            let table = table_of(tables, answer.family, table)?;
            table.table.objects.push(object);
            Ok(())
        })?;
        let request = all(
            "listing the flowtables of all tables",
            sys::NFT_MSG_GETFLOWTABLE,
        );
        self.dump(generation, &request, &mut |answer| {
            let (table, flowtable) = decode::flowtable(answer.attributes)?;
            let table = table_of(tables, answer.family, table)?;
            table.table.objects.push(flowtable);
            Ok(())
        })?;
        for table in tables.values_mut() {
            table.table.objects.sort_by(|a, b| {
                (&a.object.name, &a.object.kind).cmp(&(&b.object.name, &b.object.kind))
            });
        }
        Ok(())
    }
}

/// Everything of one kind, of all families.
fn all(action: &'static str, message: u32) -> Request {
    Request::new(action, message, NFPROTO_UNSPEC, Writer::new())
}

/// Whether a name is text, so that the kernel can be asked by it.
fn is_named(name: &str) -> bool {
    !name.contains(char::REPLACEMENT_CHARACTER)
}

fn table_of(tables: &mut Tables, family: u8, name: String) -> Result<&mut AnyTable, Malformed> {
    tables
        .get_mut(&(family, name))
        .ok_or(Malformed("something of a table that is not listed"))
}

/// Reads `NFT_MSG_NEWTABLE`.
pub(super) fn add_table(tables: &mut Tables, family: u8, bytes: &[u8]) -> Result<(), Malformed> {
    let decode::TableHead {
        name,
        handle,
        flags,
        mark,
    } = decode::table(bytes)?;
    let incomplete = (!is_named(&name)).then(|| "its name is no text".to_owned());
    let table = AnyTable {
        family,
        name: name.clone(),
        table: Table {
            handle,
            flags,
            mark,
            ..Table::default()
        },
        sets: Vec::new(),
        incomplete,
    };
    tables.insert((family, name), table);
    Ok(())
}

/// Reads `NFT_MSG_NEWCHAIN`; how often the chain is used.
pub(super) fn add_chain(tables: &mut Tables, family: u8, bytes: &[u8]) -> Result<u64, Malformed> {
    let head = decode::chain(bytes)?;
    let table = table_of(tables, family, head.table)?;
    if !is_named(&head.chain.name) {
        table.incomplete = Some("the name of one of its chains is no text".to_owned());
    }
    table.table.chains.push(head.chain);
    Ok(u64::from(head.uses))
}

/// Reads `NFT_MSG_NEWRULE`. Of more rules than are read only the first of each chain is kept, as one that nobody can follow.
pub(super) fn add_rule(
    tables: &mut Tables,
    family: u8,
    bytes: &[u8],
    left: &mut usize,
) -> Result<(), Malformed> {
    let mut placed = decode::rule(bytes)?;
    let table = table_of(tables, family, placed.table)?;
    let chains = &mut table.table.chains;
    let place = chains.binary_search_by(|it| it.name.as_str().cmp(&placed.chain));
    let chain: Option<&mut LiveChain> = place.ok().and_then(|place| chains.get_mut(place));
    let chain = chain.ok_or(Malformed("a rule of a chain that is not listed"))?;
    if *left == 0 {
        if chain.rules.last().is_some_and(is_the_end) {
            return Ok(());
        }
        table.incomplete = Some("more rules than rfw reads".to_owned());
        placed.rule.instructions = vec![Instruction::Opaque {
            name: UNREAD.to_owned(),
            data: Vec::new(),
        }];
    } else {
        *left -= 1;
    }
    chain.rules.push(placed.rule);
    Ok(())
}

/// Stands for all rules of a chain that were not read.
const UNREAD: &str = "rules that were not read";

fn is_the_end(rule: &LiveRule) -> bool {
    matches!(rule.instructions.as_slice(), [Instruction::Opaque { name, .. }] if name == UNREAD)
}

/// What is told of an element that leaves by itself.
const OWN_TIMEOUT: &str = "an element with its own timeout";
/// What is told of an element for all keys that no other has.
const CATCH_ALL: &str = "a catch-all element";

/// Whether it hinders a lookup that an element has this.
fn hinders(unknown: &str) -> bool {
    !unknown.starts_with(OWN_TIMEOUT)
        && unknown != CATCH_ALL
        && !unknown.starts_with("an element with the object")
}

/// The elements of a set, as they come.
#[derive(Default)]
pub(super) struct Reading {
    entries: Vec<element::Entry>,
    unknown: Vec<String>,
    catch_all: Option<Option<Datum>>,
    overflow: bool,
}

impl Reading {
    /// Reads `NFT_MSG_NEWSETELEM`.
    pub(super) fn take(
        &mut self,
        head: &set::SetHead,
        bytes: &[u8],
        left: &mut usize,
    ) -> Result<(), Malformed> {
        for attribute in attributes(bytes) {
            let attribute = attribute?;
            if attribute.kind != sys::NFTA_SET_ELEM_LIST_ELEMENTS || self.overflow {
                continue;
            }
            let before = self.entries.len();
            let spec = &head.spec;
            element::read(spec, attribute.value, &mut self.entries, &mut self.unknown)?;
            if self.unknown.iter().any(|it| it == CATCH_ALL) {
                let found = element::catch_all(attribute.value)?;
                self.catch_all = found.or(self.catch_all.take());
            }
            // Each element may say the same.
            for unknown in &mut self.unknown {
                if unknown.starts_with(OWN_TIMEOUT) {
                    unknown.truncate(OWN_TIMEOUT.len());
                }
            }
            self.unknown.sort();
            self.unknown.dedup();
            match left.checked_sub(self.entries.len() - before) {
                Some(rest) => *left = rest,
                None => {
                    self.overflow = true;
                    *left = 0;
                    self.entries = Vec::new();
                }
            }
        }
        Ok(())
    }
}
