//! From statements to instructions: the dependencies nft(8) adds, and the registers.

use super::Program;
use crate::ruleset::Ruleset;

/// The program of a ruleset.
pub fn linearize(ruleset: &Ruleset) -> Program {
    Program {
        sets: ruleset.sets.clone(),
        objects: ruleset.objects.clone(),
        chains: Vec::new(),
    }
}
