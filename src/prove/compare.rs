//! What a rule compares with: constants, sets and what it rewrites, as values that are told apart.

use std::rc::Rc;

use rustables::sys;

use super::distinguish::{Atom, Predicate, Shape};
use super::rule::{Content, Held, Part, RuleWalk};
use crate::bytecode::{Instruction, LookupResult, Register};
use crate::ruleset::Datum;

impl RuleWalk<'_, '_> {
    /// Looking a key up in a set.
    pub(super) fn lookup(
        &mut self,
        name: &str,
        from: Register,
        result: &LookupResult,
    ) -> Option<Held> {
        let Some(set) = self.walk.sets.get(name).copied() else {
            return Some(Held::Maybe);
        };
        if self.week(set, from)? {
            return Some(Held::Maybe);
        }
        self.within = None;
        // Field by field: where it stands, and where its bytes are in the key.
        let mut slot = from.0;
        let mut at = 0;
        let mut fields = Vec::new();
        let several = set.spec.key.len() > 1;
        for field in &set.spec.key {
            let width = field.width();
            let content = self.registers.get(&slot).cloned();
            if content == Some(Content::Clock) {
                return None;
            }
            fields.push((content.unwrap_or(Content::Fixed), at..at + width));
            let padded = width.next_multiple_of(4);
            slot = slot.saturating_add(u8::try_from(padded / 4).unwrap_or(u8::MAX));
            at += if several { padded } else { width };
        }
        // A field that is wider than the slot it is loaded into next to others is none of ours.
        let together = !several && matches!(result, LookupResult::Member { .. });
        let mut all: Vec<(u128, u128)> = Vec::new();
        let mut any_fits = false;
        for element in set.elements.iter() {
            let mut fits = true;
            for (content, place) in &fields {
                let lo = element.key.lo.get(place.clone())?;
                let hi = element.key.last().get(place.clone())?;
                if let Content::Interface { incoming } = content
                    && lo == hi
                    && self.interface_fits(*incoming, lo) == Some(false)
                {
                    fits = false;
                }
            }
            if !fits {
                continue;
            }
            any_fits = true;
            for (content, place) in &fields {
                let lo = element.key.lo.get(place.clone())?;
                let hi = element.key.last().get(place.clone())?;
                let Content::Part(part) = content else {
                    continue;
                };
                match part.mask {
                    None if together && part.from == 0 && part.len == lo.len() => {
                        all.push((number(lo), number(hi)));
                    }
                    None => self.between(part, lo, hi)?,
                    Some(_) if lo == hi => self.equal(part, lo)?,
                    Some(_) => return None,
                }
            }
            if let Some(Datum::Verdict(verdict)) = &element.datum {
                self.target(verdict);
            }
        }
        if let [(Content::Part(part), _)] = fields.as_slice()
            && !all.is_empty()
        {
            all.sort_unstable();
            let all = Rc::new(all);
            let is_time = matches!(part.atoms.as_slice(), [(Atom::Time, ..)]);
            if is_time && matches!(result, LookupResult::Member { inverted: false }) {
                self.within = Some(Rc::clone(&all));
            }
            self.add(&part.clone(), &Shape::Spans(all));
        }
        let is_positive = !matches!(result, LookupResult::Member { inverted: true });
        let of_interfaces = fields
            .iter()
            .any(|(content, _)| matches!(content, Content::Interface { .. }));
        if of_interfaces && is_positive && !any_fits {
            return Some(Held::Never);
        }
        if let LookupResult::Data(to) = result {
            self.put(*to, Content::Fixed);
        }
        Some(Held::Maybe)
    }

    /// A prefix that takes the place of another: what is asked of the new address is asked of the old one.
    pub(super) fn translate(
        &mut self,
        kind: u32,
        address: Option<(Register, Register)>,
        flags: u32,
    ) -> Option<Held> {
        const NETMAP: u32 = 1 << 6;
        if kind != sys::NFT_NAT_DNAT {
            return Some(Held::Maybe);
        }
        self.found.redirects = true;
        let (lo, hi) = address?;
        if flags & NETMAP == 0 {
            return Some(Held::Maybe);
        }
        let constant = |register: Register| match self.registers.get(&register.0) {
            Some(Content::Constant(bytes)) => Some((number(bytes), bytes.len())),
            _ => None,
        };
        let ((lo, width), (hi, _)) = (constant(lo)?, constant(hi)?);
        let family = if width == 4 { 2 } else { 10 };
        // The network that it takes the place of is what the rule asks for itself.
        let old = self.found.predicates.iter().rev().find_map(|predicate| {
            let Shape::Spans(spans) = &predicate.shape else {
                return None;
            };
            match (predicate.atom, spans.as_slice()) {
                (Atom::Destination, [only]) if only.1 - only.0 == hi - lo => Some(*only),
                _ => None,
            }
        })?;
        // Everything that any rule asks of a destination, moved; an over-long list is only slow.
        let mut all = Vec::new();
        for set in &self.walk.program.sets {
            let is_address = set.spec.key.len() == 1 && set.spec.key_width() == width;
            for element in set.elements.iter().filter(|_| is_address) {
                all.push((number(&element.key.lo), number(element.key.last())));
            }
        }
        for chain in &self.walk.program.chains {
            for rule in &chain.rules {
                all.extend(rule.instructions.iter().filter_map(|it| match it {
                    Instruction::Cmp { data, .. } if data.len() <= width => {
                        Some(prefix_bounds(data, width))
                    }
                    _ => None,
                }));
            }
        }
        for (first, last) in all {
            let (first, last) = (first.max(lo), last.min(hi));
            if first <= last {
                let moved = (old.0 + (first - lo), old.0 + (last - lo));
                self.found.predicates.push(Predicate {
                    atom: Atom::Destination,
                    family: Some(family),
                    protocol: None,
                    shape: Shape::Spans(Rc::new(vec![moved])),
                });
            }
        }
        Some(Held::Maybe)
    }

    /// Being one value, as far as it is masked.
    pub(super) fn equal(&mut self, part: &Part, data: &[u8]) -> Option<()> {
        let Some(mask) = &part.mask else {
            return self.between(part, data, data);
        };
        let mask = mask.get(..data.len().min(mask.len()))?;
        let bits: u32 = u32::try_from(mask.len() * 8).ok()?;
        let (value, kept) = (number(data), number(mask));
        let free = full(bits) & !kept;
        let is_prefix = free & free.wrapping_add(1) == 0;
        let is_suffix = kept & kept.wrapping_add(1) == 0;
        if is_prefix {
            let (lo, hi) = (value & kept, (value & kept) | free);
            let bytes = |value: u128| {
                value
                    .to_be_bytes()
                    .get(16 - mask.len()..)
                    .map(<[u8]>::to_vec)
            };
            return self.between(part, &bytes(lo)?, &bytes(hi)?);
        }
        let ends_with_field = part
            .atoms
            .iter()
            .all(|(_, _, width)| part.from + mask.len() == *width);
        if is_suffix && ends_with_field {
            self.add(part, &Shape::Suffix(kept.count_ones(), value));
            return Some(());
        }
        None
    }

    /// Being between two values.
    pub(super) fn between(&mut self, part: &Part, lo: &[u8], hi: &[u8]) -> Option<()> {
        let len = lo.len();
        for (_, _, width) in &part.atoms {
            let behind = width.checked_sub(part.from + len)?;
            if part.from == 0 {
                let shift = u32::try_from(behind * 8).ok()?;
                let lo = number(lo).checked_shl(shift).unwrap_or(0);
                let hi = number(hi).checked_shl(shift).unwrap_or(0) | full(shift);
                self.add(part, &Shape::Spans(Rc::new(vec![(lo, hi)])));
            } else if behind == 0 && lo == hi {
                let bits = u32::try_from(len * 8).ok()?;
                self.add(part, &Shape::Suffix(bits, number(lo)));
            } else {
                return None;
            }
        }
        Some(())
    }

    fn add(&mut self, part: &Part, shape: &Shape) {
        for (atom, family, _) in &part.atoms {
            self.found.predicates.push(Predicate {
                atom: *atom,
                family: family.or(self.family),
                protocol: self
                    .protocol
                    .filter(|_| matches!(atom, Atom::Sport | Atom::Dport | Atom::IcmpType)),
                shape: shape.clone(),
            });
        }
    }
}

/// Bytes in network order as a number; of more than 16 the last ones.
fn number(bytes: &[u8]) -> u128 {
    bytes
        .iter()
        .fold(0, |number, byte| (number << 8) | u128::from(*byte))
}

/// The lowest and the highest value of so many bytes that begin like this.
fn prefix_bounds(data: &[u8], width: usize) -> (u128, u128) {
    let shift = u32::try_from(width.saturating_sub(data.len()) * 8).unwrap_or(0);
    let lo = number(data).checked_shl(shift).unwrap_or(0);
    (lo, lo | full(shift))
}

/// So many ones.
pub(super) fn full(bits: u32) -> u128 {
    1u128.checked_shl(bits).map_or(u128::MAX, |bit| bit - 1)
}
