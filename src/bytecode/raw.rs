//! Rules in nft's own words, once they are instructions: which of them may stand in a raw block.
//!
//! What the words say is not looked at; what the kernel has made of them is.

use std::collections::BTreeMap;

use rustables::sys;

use super::{Instruction, LookupResult};
use crate::ruleset::Verdict;

/// What raw rules mean, by their texts. The same text means the same everywhere in a ruleset.
pub type RawCode = BTreeMap<String, Vec<Instruction>>;

/// What stands for a raw rule as long as nobody has asked the kernel what it means; no kernel takes it.
pub(super) fn unread(text: &str) -> Instruction {
    Instruction::Opaque {
        name: "raw".to_owned(),
        data: text.as_bytes().to_vec(),
    }
}

/// Why a rule may not stand in a raw block, in words that follow "the raw rule"; `None` if it may.
pub fn why_not(instructions: &[Instruction]) -> Option<String> {
    instructions.iter().find_map(|instruction| {
        Some(match instruction {
            Instruction::Verdict(Verdict::Jump(_) | Verdict::Goto(_))
            | Instruction::Lookup {
                result: LookupResult::Verdict,
                ..
            } => "leads out of the block".to_owned(),
            Instruction::Object { .. } => "uses an object that belongs to rfw".to_owned(),
            Instruction::Dynset { set, .. } => format!("writes into the set `{set}` of rfw"),
            Instruction::CtSet { key, .. } if *key == sys::NFT_CT_LABELS => {
                "sets labels of connections, which belong to rfw".to_owned()
            }
            Instruction::Nat { .. }
            | Instruction::Masquerade { .. }
            | Instruction::Redirect { .. } => "translates addresses".to_owned(),
            Instruction::Opaque { name, data: _ } => {
                format!("holds what rfw cannot keep as it is (`{name}`)")
            }
            Instruction::Verdict(
                Verdict::Accept | Verdict::Drop | Verdict::Continue | Verdict::Return,
            )
            | Instruction::Lookup {
                result: LookupResult::Member { .. } | LookupResult::Data(_),
                ..
            }
            | Instruction::Meta { .. }
            | Instruction::MetaSet { .. }
            | Instruction::Payload { .. }
            | Instruction::Cmp { .. }
            | Instruction::Range { .. }
            | Instruction::Bitwise { .. }
            | Instruction::Byteorder { .. }
            | Instruction::Immediate { .. }
            | Instruction::Counter(_)
            | Instruction::Limit(_)
            | Instruction::Log { .. }
            | Instruction::Reject { .. }
            | Instruction::Ct { .. }
            | Instruction::CtSet { .. }
            | Instruction::Fib { .. }
            | Instruction::Numgen { .. }
            | Instruction::Hash { .. }
            | Instruction::Exthdr { .. }
            | Instruction::ExthdrSet { .. }
            | Instruction::Rt { .. }
            | Instruction::Connlimit { .. }
            | Instruction::Notrack => return None,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytecode::Register;

    #[track_caller]
    fn check(instruction: Instruction, expect: Option<&str>) {
        let rule = [Instruction::Counter(Default::default()), instruction];
        assert_eq!(why_not(&rule).as_deref(), expect);
    }

    #[test]
    fn what_stays_in_its_chain() {
        check(Instruction::Verdict(Verdict::Drop), None);
        check(Instruction::Notrack, None);
        check(
            Instruction::Verdict(Verdict::Goto("x".to_owned())),
            Some("leads out of the block"),
        );
        check(
            Instruction::CtSet {
                key: sys::NFT_CT_LABELS,
                from: Register(0),
            },
            Some("sets labels of connections, which belong to rfw"),
        );
        check(
            Instruction::Opaque {
                name: "synproxy".to_owned(),
                data: Vec::new(),
            },
            Some("holds what rfw cannot keep as it is (`synproxy`)"),
        );
    }
}
