//! Raw blocks, which name nothing of the policy: they only move into the model.

use crate::compile::model::Raw;
use crate::diagnostic::DocPath;
use crate::policy::{self, Policy};

/// All raw blocks.
pub(super) fn blocks(policy: &Policy) -> Vec<Raw> {
    let blocks = policy.raw.iter().enumerate();
    let block = |(index, block): (usize, &policy::Raw)| {
        let policy::Raw {
            name,
            hook,
            place,
            rules,
        } = block;
        Raw {
            name: name.to_string(),
            hook: *hook,
            place: *place,
            rules: rules.iter().map(ToString::to_string).collect(),
            at: DocPath::root().key("raw").index(index),
        }
    };
    blocks.map(block).collect()
}
