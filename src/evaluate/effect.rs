//! Instructions that look into sets, change what the kernel keeps, or leave something open.

use rustables::sys;

use super::choice::{Choice, Taken, Within};
use super::lookup::Hit;
use super::machine::{Flow, Run, Tracking};
use super::operation::{Act, Op};
use super::outcome::{Opaque, Step};
use super::table::Table;
use super::view::{ElementRef, RuleRef};
use crate::bytecode::{LookupResult, Register};

impl<'a> Run<'a> {
    pub(super) fn lookup(
        &mut self,
        table: &'a Table,
        at: RuleRef,
        set: u32,
        from: Register,
        result: LookupResult,
    ) -> Flow {
        let Some(lookup) = table.sets.get(set as usize) else {
            return Flow::Opaque(Opaque::Set(String::new()));
        };
        if let Some(opaque) = &lookup.opaque {
            return Flow::Opaque(opaque.clone());
        }
        let Some(key) = self.registers.get(from, lookup.width) else {
            return not_known();
        };
        let hit = lookup.find(key).or_else(|| {
            let is_in = lookup.dynamic && self.holds(at.chain.table, set, &lookup.name, key);
            is_in.then_some(Hit::Member)
        });
        match (result, hit) {
            (LookupResult::Member { inverted }, hit) => go_on_if(hit.is_some() != inverted),
            (LookupResult::Data(to), Some(Hit::Value(value))) => {
                self.registers.put(to, value);
                Flow::Next
            }
            (LookupResult::Verdict, Some(Hit::Verdict(Act::Lost, _))) => {
                Flow::Opaque(Opaque::Chain(lookup.name.clone()))
            }
            (LookupResult::Verdict, Some(Hit::Verdict(act, element))) => {
                if let Some(element) = element {
                    self.path.push(Step::Element(ElementRef {
                        table: at.chain.table,
                        set,
                        element: element as u32,
                    }));
                }
                Flow::Act(act)
            }
            (_, None) => Flow::Break,
            (_, Some(_)) => Flow::Opaque(Opaque::Set(lookup.name.clone())),
        }
    }

    /// Whether a dynamic set holds a key beside what was read of it.
    fn holds(&self, table: u16, set: u32, name: &str, key: &[u8]) -> bool {
        let changed = self.changed.iter().rev();
        let mut changed = changed
            .filter(|(in_table, in_set, of, _)| (*in_table, *in_set) == (table, set) && of == key);
        if let Some((.., is_in)) = changed.next() {
            return *is_in;
        }
        let mut members = self.choices.members.iter();
        members.any(|(of, member)| of == name && member == key)
    }

    /// linux/net/netfilter/nft_dynset.c: as long as the set is not full.
    pub(super) fn dynset(&mut self, op: &Op, table: &Table, at: RuleRef) -> Flow {
        let Op::Dynset {
            set,
            op,
            key,
            inverted,
            rate,
            connections,
        } = op
        else {
            return Flow::Next;
        };
        let width = table.sets.get(*set as usize).map_or(0, |set| set.width);
        let Some(bytes) = self.registers.get(*key, width).map(<[u8]>::to_vec) else {
            return not_known();
        };
        let is_deleted = *op == sys::NFT_DYNSET_OP_DELETE;
        self.changed
            .push((at.chain.table, *set, bytes, !is_deleted));
        if is_deleted {
            return Flow::Next;
        }
        if *rate && !self.rate(at) {
            return Flow::Break;
        }
        if let Some(turned) = connections
            && self.connections(at) == *turned
        {
            return Flow::Break;
        }
        go_on_if(!inverted)
    }

    pub(super) fn meta_set(&mut self, key: u32, from: Register) -> Flow {
        if key == sys::NFT_META_MARK {
            let Some(mark) = self.word(from) else {
                return not_known();
            };
            self.packet.mark = mark;
        }
        Flow::Next
    }

    pub(super) fn ct_set(&mut self, key: u32, from: Register) -> Flow {
        if self.tracking != Tracking::Tracked {
            return Flow::Next;
        }
        match key {
            sys::NFT_CT_MARK => {
                let Some(mark) = self.word(from) else {
                    return not_known();
                };
                self.packet.connection.mark = mark;
            }
            sys::NFT_CT_LABELS => {
                let bytes = self.registers.get(from, 16);
                let Some(bytes) = bytes.and_then(|bytes| bytes.try_into().ok()) else {
                    return not_known();
                };
                self.packet.connection.labels |= u128::from_ne_bytes(bytes);
            }
            _ => {}
        }
        Flow::Next
    }

    fn word(&self, from: Register) -> Option<u32> {
        let bytes = self.registers.get(from, 4)?.try_into().ok()?;
        Some(u32::from_ne_bytes(bytes))
    }

    pub(super) fn rate(&mut self, rule: RuleRef) -> bool {
        let within = self.within(self.choices.rates);
        let taken = Taken::Rate { within };
        self.taken.push(Choice { rule, taken });
        within
    }

    pub(super) fn connections(&mut self, rule: RuleRef) -> bool {
        let within = self.within(self.choices.connections);
        let taken = Taken::Connections { within };
        self.taken.push(Choice { rule, taken });
        within
    }

    fn within(&mut self, given: Within) -> bool {
        match given {
            Within::Within => true,
            Within::Over => false,
            Within::Either => self.script.take(2) == 0,
        }
    }

    pub(super) fn number(&mut self, rule: RuleRef, given: Option<u32>, of: u32) -> u32 {
        let of = of.max(1);
        let number = match given {
            Some(given) => return given % of,
            None => self.script.take(of),
        };
        let taken = Taken::Number { number, of };
        self.taken.push(Choice { rule, taken });
        number
    }
}

pub(super) fn go_on_if(holds: bool) -> Flow {
    if holds { Flow::Next } else { Flow::Break }
}

pub(super) fn not_known() -> Flow {
    Flow::Opaque(Opaque::Value("a value that is not known of the packet"))
}
