//! One consistent reading of the kernel's ruleset.
//!
//! Several dumps belong together only if the generation is the same before and after, every message
//! carries it, and none is flagged as interrupted: element dumps never carry that flag, and two dumps
//! with a commit between them show nothing of it.

use nix::libc;

use super::Netlink;
use super::attribute::{Malformed, Writer, be32};
use super::constants::{NFPROTO_INET, NFPROTO_UNSPEC, sys};
use super::decode;
use super::element;
use super::request::{ReadError, Request, lower_half, malformed, settle};
use super::set::{self, SetHead};
use crate::kernel::ObserveError;
use crate::live::{Generation, Known, Live, LiveSet, OtherTable, Table};
use crate::ruleset::{Elements, Set, TABLE};

/// Above this many rules a dump chain by chain is faster: a dump starts each 32 KiB again at the
/// first rule (6.18: 100 chains of 1000 rules take 3.0 s whole, 0.48 s chain by chain; 100 chains of
/// 100 rules 16 and 23 ms).
const RULES_AT_ONCE: u64 = 20_000;

impl Netlink {
    pub(super) fn read_generation(&mut self) -> Result<Generation, ObserveError> {
        let request = Request::new(
            "asking for the generation",
            sys::NFT_MSG_GETGEN,
            NFPROTO_UNSPEC,
            Writer::new(),
        );
        let mut generation = None;
        self.ask(&request, &mut |answer| {
            for attribute in super::attribute::attributes(answer.attributes) {
                let attribute = attribute?;
                if attribute.kind == sys::NFTA_GEN_ID {
                    generation = Some(Generation(be32(attribute.value)?));
                }
            }
            Ok(())
        })
        .map_err(settle)?;
        generation.ok_or_else(|| malformed("generation", Malformed("no generation in it")))
    }

    /// rfw's table without its content.
    pub(super) fn read_table_head(
        &mut self,
        generation: Generation,
    ) -> Result<Option<decode::TableHead>, ReadError> {
        let mut writer = Writer::new();
        writer.string(sys::NFTA_TABLE_NAME, TABLE);
        let action = "reading the table";
        let request = Request::new(action, sys::NFT_MSG_GETTABLE, NFPROTO_INET, writer);
        let mut head = None;
        let mut steady = true;
        let asked = self.ask(&request, &mut |answer| {
            steady = answer.resource == lower_half(generation);
            head = Some(decode::table(answer.attributes)?);
            Ok(())
        });
        match asked {
            Err(ReadError::Refused { source, .. })
                if source.raw_os_error() == Some(libc::ENOENT) =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
            Ok(()) if steady => Ok(head),
            Ok(()) => Err(ReadError::Moved),
        }
    }

    /// Reads everything once; all of it belongs to `generation`, or it is an error.
    pub(super) fn read(
        &mut self,
        generation: Generation,
        known: &Known,
    ) -> Result<Live, ReadError> {
        let mut live = Live {
            generation,
            table: None,
            others: Vec::new(),
        };
        let request = Request::new(
            "listing the tables",
            sys::NFT_MSG_GETTABLE,
            NFPROTO_UNSPEC,
            Writer::new(),
        );
        self.dump(generation, &request, &mut |answer| {
            let decode::TableHead {
                name,
                handle,
                flags,
                mark,
            } = decode::table(answer.attributes)?;
            if answer.family == NFPROTO_INET && name == TABLE {
                live.table = Some(Table {
                    handle,
                    flags,
                    mark,
                    ..Table::default()
                });
            } else {
                let family = answer.family;
                live.others.push(OtherTable { family, name });
            }
            Ok(())
        })?;
        live.others.sort();
        if let Some(table) = &mut live.table {
            self.read_chains(generation, table)?;
            self.read_sets(generation, known, table)?;
            self.read_objects(generation, table)?;
        }
        Ok(live)
    }

    fn read_chains(&mut self, generation: Generation, table: &mut Table) -> Result<(), ReadError> {
        let mut uses = 0u64;
        let request = Request::of_table(
            "listing the chains",
            sys::NFT_MSG_GETCHAIN,
            sys::NFTA_CHAIN_TABLE,
        );
        self.dump(generation, &request, &mut |answer| {
            let head = decode::chain(answer.attributes)?;
            // The kernel lists the chains of all tables of the family.
            if head.table == TABLE {
                uses += u64::from(head.uses);
                table.chains.push(head.chain);
            }
            Ok(())
        })?;
        table.chains.sort_by(|a, b| a.name.cmp(&b.name));
        if uses <= RULES_AT_ONCE {
            return self.read_rules(generation, table, None);
        }
        let names: Vec<_> = table.chains.iter().map(|it| it.name.clone()).collect();
        for name in &names {
            self.read_rules(generation, table, Some(name))?;
        }
        Ok(())
    }

    /// The rules of the table or of one of its chains.
    fn read_rules(
        &mut self,
        generation: Generation,
        table: &mut Table,
        chain: Option<&str>,
    ) -> Result<(), ReadError> {
        let mut writer = Writer::new();
        writer.string(sys::NFTA_RULE_TABLE, TABLE);
        if let Some(chain) = chain {
            writer.string(sys::NFTA_RULE_CHAIN, chain);
        }
        let action = "listing the rules";
        let request = Request::new(action, sys::NFT_MSG_GETRULE, NFPROTO_INET, writer);
        self.dump(generation, &request, &mut |answer| {
            let placed = decode::rule(answer.attributes)?;
            if placed.table != TABLE || chain.is_some_and(|chain| chain != placed.chain) {
                return Ok(());
            }
            let chain = table
                .chains
                .binary_search_by(|it| it.name.as_str().cmp(&placed.chain))
                .ok()
                .and_then(|place| table.chains.get_mut(place));
            match chain {
                Some(chain) => chain.rules.push(placed.rule),
                None => return Err(Malformed("a rule of a chain that is not listed")),
            }
            Ok(())
        })
    }

    fn read_sets(
        &mut self,
        generation: Generation,
        known: &Known,
        table: &mut Table,
    ) -> Result<(), ReadError> {
        let mut heads: Vec<SetHead> = Vec::new();
        let request =
            Request::of_table("listing the sets", sys::NFT_MSG_GETSET, sys::NFTA_SET_TABLE);
        self.dump(generation, &request, &mut |answer| {
            let head = set::read(answer.attributes)?;
            if head.table == TABLE {
                heads.push(head);
            }
            Ok(())
        })?;
        heads.sort_by(|a, b| a.spec.name.cmp(&b.spec.name));
        for head in heads {
            let elements = known.elements(generation, &head.spec, head.count);
            let set = match elements.filter(|_| head.unknown.is_empty() && !head.anonymous) {
                Some(keys) => filled(head, keys.clone().into()),
                None => self.read_elements(generation, head)?,
            };
            table.sets.push(set);
        }
        Ok(())
    }

    fn read_elements(
        &mut self,
        generation: Generation,
        head: SetHead,
    ) -> Result<LiveSet, ReadError> {
        let mut head = head;
        let SetHead {
            table: _,
            handle: _,
            spec,
            unknown,
            anonymous: _,
            count,
        } = &mut head;
        let mut entries = Vec::new();
        // The elements of a dynamic set come and go with the packets.
        if !spec.dynamic {
            let mut writer = Writer::new();
            writer.string(sys::NFTA_SET_ELEM_LIST_TABLE, TABLE);
            writer.string(sys::NFTA_SET_ELEM_LIST_SET, &spec.name);
            let action = "listing the elements of a set";
            let request = Request::new(action, sys::NFT_MSG_GETSETELEM, NFPROTO_INET, writer);
            self.dump(generation, &request, &mut |answer| {
                for attribute in super::attribute::attributes(answer.attributes) {
                    let attribute = attribute?;
                    if attribute.kind == sys::NFTA_SET_ELEM_LIST_ELEMENTS {
                        element::read(spec, attribute.value, &mut entries, unknown)?;
                    }
                }
                Ok(())
            })?;
        }
        let elements = Elements::from(element::assemble(spec, entries));
        // A hash table that grows while it is read may also hide elements; the kernel's own count tells.
        let exact = !spec.interval && !spec.dynamic && spec.timeout.is_none();
        if exact && count.is_some_and(|count| usize::try_from(count) != Ok(elements.len())) {
            return Err(ReadError::Moved);
        }
        Ok(filled(head, elements))
    }

    fn read_objects(&mut self, generation: Generation, table: &mut Table) -> Result<(), ReadError> {
        let request = Request::of_table(
            "listing the objects",
            sys::NFT_MSG_GETOBJ,
            sys::NFTA_OBJ_TABLE,
        );
        self.dump(generation, &request, &mut |answer| {
            let (owner, object) = decode::object(answer.attributes)?;
            if owner == TABLE {
                table.objects.push(object);
            }
            Ok(())
        })?;
        let request = Request::of_table(
            "listing the flowtables",
            sys::NFT_MSG_GETFLOWTABLE,
            sys::NFTA_FLOWTABLE_TABLE,
        );
        self.dump(generation, &request, &mut |answer| {
            let (owner, flowtable) = decode::flowtable(answer.attributes)?;
            if owner == TABLE {
                table.objects.push(flowtable);
            }
            Ok(())
        })?;
        table.objects.sort_by(|a, b| {
            (&a.object.name, &a.object.kind).cmp(&(&b.object.name, &b.object.kind))
        });
        Ok(())
    }
}

/// A set and what is in it.
fn filled(head: SetHead, elements: Elements) -> LiveSet {
    let SetHead {
        table: _,
        handle,
        spec,
        unknown,
        anonymous,
        count: _,
    } = head;
    LiveSet {
        handle,
        set: Set {
            spec,
            elements,
            origin: None,
        },
        unknown,
        anonymous,
    }
}
