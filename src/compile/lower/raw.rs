//! `raw`: a chain for each block, to which the base chain of its hook leads.
//!
//! The rules stay texts here: what they mean only nft and the kernel know ([`Statement::Raw`]).

use super::output::{Entry, Output};
use crate::compile::model::Model;
use crate::policy::{RawHook, RawPlace};
use crate::ruleset::{Origin, Rule, Statement, Verdict};

/// The rules that lead from a base chain into its raw blocks at this place, in file order; makes their chains.
pub(super) fn visits(
    model: &Model,
    hook: RawHook,
    place: RawPlace,
    output: &mut Output,
) -> Vec<Rule> {
    let blocks = model.raw.iter();
    let here = blocks.filter(|block| block.hook == hook && block.place == place);
    let visits = here.map(|block| {
        let entry = Entry::new(format!("raw/{}", block.name), &block.at, model);
        let numbered = block.rules.iter().enumerate();
        let rules = numbered.map(|(index, text)| Rule {
            origin: Some(Origin(block.at.key("rules").index(index).to_string())),
            ..entry.part(&(index + 1).to_string(), vec![Statement::Raw(text.clone())])
        });
        output.regular_chain(&entry.name, rules.collect());
        entry.rule(vec![Statement::Verdict(Verdict::Jump(entry.name.clone()))])
    });
    visits.collect()
}
