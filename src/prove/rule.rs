//! One rule followed without a packet: which part of a packet stands in which register.
//!
//! Not here: what the rule compares it with, which is `compare`'s.

use std::collections::BTreeMap;

use rustables::sys;

use super::distinguish::{Atom, Distinctions, Draw, Spans, Walk};
use crate::bytecode::{Comparison, Instruction, PayloadBase, Register, Rule};
use crate::ruleset::Verdict;

/// What stands in a register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// Some bytes of a field, masked.
    Part(Part),
    /// The name of the interface it comes in by, or leaves by.
    Interface { incoming: bool },
    /// nfproto.
    Family,
    /// The day of the week or the hour of the day. They follow the time, and are only understood where both are looked up as a week.
    Clock,
    /// What every packet of a proof has alike, or what no packet has.
    Fixed,
    /// A constant.
    Constant(Vec<u8>),
}

/// A part of a field, or of one of several fields that stand at the same place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// The field, the family that it is of, and how many bytes it has.
    pub(super) atoms: Vec<(Atom, Option<u8>, usize)>,
    /// From this byte of the field on.
    pub(super) from: usize,
    pub(super) len: usize,
    pub(super) mask: Option<Vec<u8>>,
}

/// One rule, followed.
pub(super) struct RuleWalk<'w, 'a> {
    pub(super) walk: &'w Walk<'a>,
    pub(super) registers: BTreeMap<u8, Content>,
    pub(super) family: Option<u8>,
    pub(super) protocol: Option<u8>,
    pub(super) found: Distinctions,
    /// The times that the rule has asked for just now, and goes on within.
    pub(super) within: Option<Spans>,
    targets: Vec<String>,
}

/// How a comparison ends.
pub(super) enum Held {
    Maybe,
    Never,
}

impl<'w, 'a> RuleWalk<'w, 'a> {
    pub(super) fn new(walk: &'w Walk<'a>) -> Self {
        Self {
            walk,
            registers: BTreeMap::new(),
            family: None,
            protocol: None,
            found: Distinctions::default(),
            within: None,
            targets: Vec::new(),
        }
    }

    /// `None` outside: not understood; inside: no packet on this way fits.
    #[expect(clippy::option_option, reason = "not understood, never, or this")]
    pub(super) fn run(mut self, rule: &Rule) -> Option<Option<(Distinctions, Vec<String>)>> {
        for instruction in &rule.instructions {
            if let Held::Never = self.instruction(instruction)? {
                return Some(None);
            }
        }
        Some(Some((self.found, self.targets)))
    }

    pub(super) fn put(&mut self, to: Register, content: Content) {
        self.registers.insert(to.0, content);
    }

    fn instruction(&mut self, instruction: &Instruction) -> Option<Held> {
        let goes_on_asking = matches!(
            instruction,
            Instruction::Meta { .. } | Instruction::Byteorder { .. } | Instruction::Lookup { .. }
        );
        if !goes_on_asking {
            self.within = None;
        }
        match instruction {
            Instruction::Meta { key, to } => {
                let content = meta(*key)?;
                self.put(*to, content);
            }
            Instruction::Payload {
                base,
                offset,
                len,
                to,
            } => {
                let content = self.payload(*base, *offset as usize, *len as usize)?;
                self.put(*to, content);
            }
            Instruction::Bitwise {
                from,
                to,
                len: _,
                mask,
                xor,
            } => {
                let content = match self.registers.get(&from.0) {
                    Some(Content::Part(part)) if xor.iter().all(|byte| *byte == 0) => {
                        Content::Part(masked(part, mask)?)
                    }
                    Some(Content::Part(_) | Content::Clock) => return None,
                    _ => Content::Fixed,
                };
                self.put(*to, content);
            }
            Instruction::Byteorder { from, to, .. } => {
                let content = self.registers.get(&from.0).cloned();
                self.put(*to, content.unwrap_or(Content::Fixed));
            }
            Instruction::Immediate { to, data } => self.put(*to, Content::Constant(data.clone())),
            Instruction::Cmp { from, op, data } => return self.cmp(*from, *op, data),
            Instruction::Range {
                from,
                inverted: _,
                lo,
                hi,
            } => match self.registers.get(&from.0).cloned() {
                Some(Content::Part(part)) => self.between(&part, lo, hi)?,
                Some(Content::Clock) => return None,
                _ => {}
            },
            Instruction::Lookup { set, from, result } => {
                return self.lookup(set, *from, result);
            }
            Instruction::Verdict(verdict) => self.target(verdict),
            Instruction::Fib { to, flags, .. } => {
                self.found.asks_owner |= flags & sys::NFTA_FIB_F_IIF != 0;
                self.put(*to, Content::Fixed);
            }
            Instruction::Hash {
                from,
                to,
                modulus,
                seed,
                ..
            } => {
                let source = from.and_then(|from| self.registers.get(&from.0));
                if let (Some(Content::Part(part)), Some(seed)) = (source, seed) {
                    // The whole source, or nothing that is known how to go through.
                    let whole = part.atoms.iter().find(|(atom, _, width)| {
                        *atom == Atom::Source && *width == part.len && part.mask.is_none()
                    });
                    let (_, family, _) = whole?;
                    self.found.draws.push(Draw {
                        family: *family,
                        seed: *seed,
                        modulus: *modulus,
                    });
                }
                self.put(*to, Content::Fixed);
            }
            Instruction::Nat {
                kind,
                address,
                flags,
                ..
            } => return self.translate(*kind, *address, *flags),
            Instruction::Redirect { .. } => self.found.redirects = true,
            Instruction::Numgen { to, .. }
            | Instruction::Ct { to, .. }
            | Instruction::Exthdr { to, .. }
            | Instruction::Rt { to, .. } => self.put(*to, Content::Fixed),
            // What these do, the evaluator follows or says that it does not.
            Instruction::MetaSet { .. }
            | Instruction::Counter(_)
            | Instruction::Limit(_)
            | Instruction::Log { .. }
            | Instruction::Reject { .. }
            | Instruction::Masquerade { .. }
            | Instruction::CtSet { .. }
            | Instruction::Object { .. }
            | Instruction::Dynset { .. }
            | Instruction::ExthdrSet { .. }
            | Instruction::Connlimit { .. }
            | Instruction::Notrack
            | Instruction::Opaque { .. } => {}
        }
        Some(Held::Maybe)
    }

    /// A part of a header: a field, a part of one, or nothing that is varied. `None`: parts of several fields, or it is not known of
    /// which.
    fn payload(&self, base: PayloadBase, offset: usize, len: usize) -> Option<Content> {
        const IPV4: [(Atom, usize, usize); 3] = [
            (Atom::Source, 12, 4),
            (Atom::Destination, 16, 4),
            (Atom::Protocol, 9, 1),
        ];
        const IPV6: [(Atom, usize, usize); 3] = [
            (Atom::Source, 8, 16),
            (Atom::Destination, 24, 16),
            (Atom::Protocol, 6, 1),
        ];
        const PORTS: [(Atom, usize, usize); 2] = [(Atom::Sport, 0, 2), (Atom::Dport, 2, 2)];
        const ICMP: [(Atom, usize, usize); 1] = [(Atom::IcmpType, 0, 1)];
        let (fields, family): (&[_], _) = match (base, self.family, self.protocol) {
            (PayloadBase::Network, Some(2), _) => (&IPV4, Some(2)),
            (PayloadBase::Network, Some(10), _) => (&IPV6, Some(10)),
            (PayloadBase::Network, _, _) => return None,
            (PayloadBase::Transport, _, Some(1 | 58)) => (&ICMP, None),
            (PayloadBase::Transport, _, _) => (&PORTS, None),
            (PayloadBase::Link | PayloadBase::Inner, _, _) => (&[], None),
        };
        let length = match (base, self.family) {
            (PayloadBase::Network, Some(2)) => 2..4,
            (PayloadBase::Network, _) => 4..6,
            _ => 0..0,
        };
        if length.start < offset + len && offset < length.end {
            return None;
        }
        let mut meets = fields
            .iter()
            .filter(|(_, at, width)| *at < offset + len && offset < at + width);
        let Some((atom, at, width)) = meets.next() else {
            return Some(Content::Fixed);
        };
        let is_inside = *at <= offset && offset + len <= at + width;
        (is_inside && meets.next().is_none()).then(|| {
            Content::Part(Part {
                atoms: vec![(*atom, family, *width)],
                from: offset - at,
                len,
                mask: None,
            })
        })
    }

    fn cmp(&mut self, from: Register, op: Comparison, data: &[u8]) -> Option<Held> {
        let is_equal = op == Comparison::Eq;
        match self.registers.get(&from.0).cloned() {
            Some(Content::Family) if is_equal => self.family = data.first().copied(),
            Some(Content::Interface { incoming }) if is_equal || op == Comparison::Neq => {
                let fits = self.interface_fits(incoming, data);
                if fits.is_some_and(|fits| fits != is_equal) {
                    return Some(Held::Never);
                }
            }
            Some(Content::Part(part)) => {
                match op {
                    Comparison::Eq | Comparison::Neq => self.equal(&part, data)?,
                    Comparison::Lt | Comparison::Gte => {
                        let top = vec![0xff; data.len()];
                        self.between(&part, data, &top)?;
                    }
                    Comparison::Gt | Comparison::Lte => {
                        let bottom = vec![0; data.len()];
                        self.between(&part, &bottom, data)?;
                    }
                }
                let is_protocol = matches!(part.atoms.as_slice(), [(Atom::Protocol, ..)]);
                if is_protocol && is_equal {
                    self.protocol = data.first().copied();
                }
            }
            Some(Content::Clock) => return None,
            _ => {}
        }
        Some(Held::Maybe)
    }

    /// Whether the interface is one of this name, or of a name that begins so; `None`: not known.
    pub(super) fn interface_fits(&self, incoming: bool, data: &[u8]) -> Option<bool> {
        let name = if incoming {
            self.walk.iif
        } else {
            self.walk.oif?
        };
        let mut padded = [0u8; 16];
        let name = name.unwrap_or_default().as_bytes();
        padded.get_mut(..name.len())?.copy_from_slice(name);
        Some(padded.get(..data.len())? == data)
    }

    pub(super) fn target(&mut self, verdict: &Verdict) {
        if let Verdict::Jump(chain) | Verdict::Goto(chain) = verdict {
            self.targets.push(chain.clone());
        }
    }
}

fn meta(key: u32) -> Option<Content> {
    let whole = |atom, len| {
        Content::Part(Part {
            atoms: vec![(atom, None, len)],
            from: 0,
            len,
            mask: None,
        })
    };
    Some(match key {
        // Packets of a proof have one length, and others have others.
        sys::NFT_META_LEN => return None,
        sys::NFT_META_IIFNAME => Content::Interface { incoming: true },
        sys::NFT_META_OIFNAME => Content::Interface { incoming: false },
        sys::NFT_META_NFPROTO => Content::Family,
        sys::NFT_META_L4PROTO => whole(Atom::Protocol, 1),
        sys::NFT_META_TIME_NS => whole(Atom::Time, 8),
        sys::NFT_META_TIME_DAY | sys::NFT_META_TIME_HOUR => Content::Clock,
        _ => Content::Fixed,
    })
}

fn masked(part: &Part, mask: &[u8]) -> Option<Part> {
    let mask = match &part.mask {
        None => mask.to_vec(),
        Some(before) => before.iter().zip(mask).map(|(a, b)| a & b).collect(),
    };
    (mask.len() == part.len).then(|| Part {
        mask: Some(mask),
        ..part.clone()
    })
}
