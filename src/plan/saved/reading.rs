//! What was learned about raw rules, on its way from one process to another: instructions in the form that saved plans have.

use serde::{Deserialize, Serialize};

use super::mirror::Mirror;
use crate::bytecode::Instruction;

/// What nft and the kernel say about a script of raw rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RawReading {
    /// Each rule's instructions, in order, and whether the kernel made the very same of them once more when they were sent
    /// back to it.
    Rules(Vec<(Vec<Instruction>, bool)>),
    /// nft refuses the script; what it says.
    Refused(String),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum Image {
    Rules(<Vec<(Vec<Instruction>, bool)> as Mirror>::Image),
    Refused(String),
}

impl RawReading {
    /// As JSON.
    ///
    /// # Errors
    /// Never, as far as is known; the serialiser could refuse.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(&match self {
            Self::Rules(rules) => Image::Rules(rules.image()),
            Self::Refused(said) => Image::Refused(said.clone()),
        })
    }

    /// From JSON.
    ///
    /// # Errors
    /// When it is anything else than what [`RawReading::to_json`] writes.
    pub fn from_json(text: &str) -> Result<Self, serde_json::Error> {
        Ok(match serde_json::from_str(text)? {
            Image::Rules(rules) => Self::Rules(Mirror::of(rules)),
            Image::Refused(said) => Self::Refused(said),
        })
    }
}
