//! All tables that a packet meets, with names resolved and base chains in the order of the hooks.

use std::collections::BTreeMap;

use super::table::{ChainParts, INET, RuleText, SetParts, Table, table};
use super::view::{ChainRef, ChainView, ElementRef, ElementView, RuleRef, RuleView, family_name};
use crate::bytecode::Program;
use crate::live;
use crate::ruleset::{ChainType, Hook, Object, Origin, TABLE};

/// The families whose packets the evaluator follows: inet, ip, ip6.
const FOLLOWED: [u8; 3] = [INET, 2, 10];
/// `NFT_TABLE_F_DORMANT`
const DORMANT: u32 = 1;
/// `NF_IP_PRI_CONNTRACK` of linux/netfilter_ipv4.h; from there on a packet has a connection.
const CONNTRACK: i32 = -200;
/// `NF_IP_PRI_NAT_DST`: where chains of the type nat are run, whatever their own priorities.
const NAT_DST: i32 = -100;
/// `NF_IP_PRI_NAT_SRC`
const NAT_SRC: i32 = 100;

/// Where a rule of a chain of this name comes from in the policy, if it does.
pub type Origins<'a> = dyn Fn(&str, &live::LiveRule) -> Option<Origin> + 'a;

/// Everything that a packet meets.
#[derive(Clone, Debug, Default)]
pub struct Firewall {
    tables: Vec<Table>,
    hooks: BTreeMap<Hook, Vec<Place>>,
    unmodelled: Vec<String>,
    pub(super) any_order: bool,
}

/// What stands at a hook.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) priority: i32,
    pub(super) what: What,
}

/// See [`Place`].
#[derive(Clone, Debug)]
pub(super) enum What {
    /// The packet gets its connection.
    Conntrack,
    /// A base chain.
    Chain(ChainRef),
    /// The chains of the type nat, by their priorities.
    Nat(Vec<(i32, ChainRef)>),
}

impl Firewall {
    /// No rules at all.
    pub fn new() -> Self {
        Self::default()
    }

    /// With the table `inet rfw` of a program beside the others.
    #[must_use]
    pub fn with_program(mut self, program: Program) -> Self {
        let Program {
            sets,
            objects,
            chains,
        } = program;
        let chains = chains
            .into_iter()
            .map(|chain| ChainParts {
                name: chain.name,
                base: chain.base,
                rules: chain
                    .rules
                    .into_iter()
                    .map(|rule| RuleText {
                        name: rule.name,
                        origin: rule.origin,
                        handle: None,
                        instructions: rule.instructions,
                    })
                    .collect(),
            })
            .collect();
        let sets = sets.into_iter().map(SetParts::of).collect();
        self.tables
            .push(table(INET, TABLE.to_owned(), false, sets, &objects, chains));
        self.arrange();
        self
    }

    /// With a table as the kernel has it beside the others. The family is an nfproto number; a table of arp, bridge or netdev
    /// is not followed, and named by [`Firewall::unmodelled`].
    #[must_use]
    pub fn with_table(mut self, family: u8, name: &str, mut table_of_kernel: live::Table) -> Self {
        let sets = std::mem::take(&mut table_of_kernel.sets);
        let sets = sets.into_iter().map(SetParts::of_live).collect();
        self.add(family, name, table_of_kernel, sets, &|_, _| None);
        self
    }

    /// With a table of any kind as the kernel has it beside the others. `origin` says where a rule of a chain comes from, if that
    /// is known. Of base chains with the same priority the later ones come first, so tables are put in in the order in which they
    /// were made.
    #[must_use]
    pub fn with_any(mut self, any: live::AnyTable, origin: &Origins<'_>) -> Self {
        let live::AnyTable {
            family,
            name,
            table,
            sets,
            incomplete,
        } = any;
        if let Some(why) = incomplete.filter(|_| FOLLOWED.contains(&family)) {
            let family = family_name(family);
            self.unmodelled
                .push(format!("parts of table {family} {name}: {why}"));
        }
        let sets = sets.into_iter().map(SetParts::of_any).collect();
        self.add(family, &name, table, sets, origin);
        self
    }

    fn add(
        &mut self,
        family: u8,
        name: &str,
        from: live::Table,
        sets: Vec<SetParts>,
        origin: &Origins<'_>,
    ) {
        let dormant = from.flags & DORMANT != 0;
        if !FOLLOWED.contains(&family) || self.tables.len() >= usize::from(u16::MAX) {
            if !dormant {
                let family = family_name(family);
                self.unmodelled.push(format!("table {family} {name}"));
            }
            return;
        }
        let live::Table {
            handle: _,
            flags: _,
            mark: _,
            sets: _,
            objects,
            mut chains,
        } = from;
        let objects: Vec<Object> = objects.into_iter().map(|it| it.object).collect();
        // The later one comes first: see `arrange`.
        chains.sort_by_key(|chain| std::cmp::Reverse(chain.handle));
        let mut parts = Vec::with_capacity(chains.len());
        for chain in chains {
            if let Some(base) = chain.base
                && let Hook::Other(_) = base.hook
                && !dormant
            {
                let family = family_name(family);
                let chain = &chain.name;
                self.unmodelled
                    .push(format!("chain {chain} of table {family} {name}"));
            }
            let rules = chain.rules.into_iter().map(|rule| RuleText {
                origin: origin(&chain.name, &rule),
                name: rule.name,
                handle: Some(rule.handle),
                instructions: rule.instructions,
            });
            parts.push(ChainParts {
                base: chain.base,
                rules: rules.collect(),
                name: chain.name,
            });
        }
        let name = name.to_owned();
        self.tables
            .push(table(family, name, dormant, sets, &objects, parts));
        self.arrange();
    }

    /// The same, if nobody knows in which order chains of different tables with the same priority were made: each is tried.
    /// Outcomes that differ in their reasons alone are one then.
    #[must_use]
    pub fn in_any_order(mut self) -> Self {
        self.any_order = true;
        self
    }

    /// What is not followed, though packets may meet it.
    pub fn unmodelled(&self) -> &[String] {
        &self.unmodelled
    }

    /// An element that stands for a rule, by its place.
    pub fn element(&self, at: ElementRef) -> Option<ElementView<'_>> {
        let table = self.tables.get(usize::from(at.table))?;
        let set = table.sets.get(at.set as usize)?;
        let element = set.rich(at.element as usize)?;
        Some(ElementView {
            family: family_name(table.family),
            table: &table.name,
            set: &set.name,
            element,
        })
    }

    /// A rule by its place.
    pub fn rule(&self, at: RuleRef) -> Option<RuleView<'_>> {
        let table = self.tables.get(usize::from(at.chain.table))?;
        let chain = table.chains.get(at.chain.chain as usize)?;
        let rule = chain.rules.get(at.rule as usize)?;
        Some(RuleView {
            family: family_name(table.family),
            nfproto: table.family,
            table: &table.name,
            chain: &chain.name,
            index: at.rule,
            name: rule.name.as_deref(),
            origin: rule.origin.as_ref(),
            handle: rule.handle,
            instructions: &rule.instructions,
        })
    }

    /// A chain by its place.
    pub fn chain(&self, at: ChainRef) -> Option<ChainView<'_>> {
        let table = self.tables.get(usize::from(at.table))?;
        let chain = table.chains.get(at.chain as usize)?;
        Some(ChainView {
            family: family_name(table.family),
            table: &table.name,
            chain: &chain.name,
            base: chain.base,
        })
    }

    pub(super) fn table(&self, index: u16) -> Option<&Table> {
        self.tables.get(usize::from(index))
    }

    pub(super) fn at(&self, hook: Hook) -> &[Place] {
        self.hooks.get(&hook).map_or(&[], Vec::as_slice)
    }

    /// Puts the base chains in order. Of two with the same priority the one comes first that was registered last
    /// (linux/net/netfilter/core.c, `nf_hook_entries_grow`); of which table that is, only the kernel knows, and it matters
    /// for what is told only: a drop is final in either.
    fn arrange(&mut self) {
        self.hooks.clear();
        let mut nat: BTreeMap<Hook, Vec<(i32, ChainRef)>> = BTreeMap::new();
        for (number, table) in self.tables.iter().enumerate().rev() {
            for (index, chain) in table.chains.iter().enumerate() {
                let Some(base) = chain.base.filter(|_| !table.dormant) else {
                    continue;
                };
                let at = ChainRef {
                    table: number as u16,
                    chain: index as u32,
                };
                if base.kind == ChainType::Nat {
                    nat.entry(base.hook).or_default().push((base.priority, at));
                } else {
                    self.hooks.entry(base.hook).or_default().push(Place {
                        priority: base.priority,
                        what: What::Chain(at),
                    });
                }
            }
        }
        for (hook, mut chains) in nat {
            chains.sort_by_key(|(priority, _)| *priority);
            let priority = match hook {
                Hook::Prerouting | Hook::Output => NAT_DST,
                _ => NAT_SRC,
            };
            self.hooks.entry(hook).or_default().push(Place {
                priority,
                what: What::Nat(chains),
            });
        }
        for hook in [Hook::Prerouting, Hook::Output] {
            self.hooks.entry(hook).or_default().push(Place {
                priority: CONNTRACK,
                what: What::Conntrack,
            });
        }
        for places in self.hooks.values_mut() {
            places.sort_by_key(|place| place.priority);
        }
    }
}
