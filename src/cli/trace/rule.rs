//! A rule as the kernel has it, whoever made it: where it is, and what it does in nft's words.

use schemars::JsonSchema;
use serde::Serialize;

use crate::evaluate::RuleView;
use crate::nft;
use crate::ruleset::TABLE;
use crate::view::printable;

/// A rule as the kernel has it.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct LiveRule {
    /// Family and name of its table: `inet rfw`, `ip filter`.
    pub(super) table: String,
    /// Its chain.
    pub(super) chain: String,
    /// By which nft(8) deletes or replaces it.
    pub(super) handle: u64,
    /// What it does, in nft's words.
    pub(super) text: String,
}

/// The rule, if it was read from the kernel.
pub(super) fn live_rule(rule: RuleView<'_>) -> Option<LiveRule> {
    Some(LiveRule {
        table: format!("{} {}", rule.family, rule.table),
        chain: rule.chain.to_owned(),
        handle: rule.handle?,
        text: text(&rule),
    })
}

/// Whether it is in rfw's table.
pub(super) fn is_own(rule: &RuleView<'_>) -> bool {
    (rule.family, rule.table) == ("inet", TABLE)
}

/// What it does, in nft's words.
pub(super) fn text(rule: &RuleView<'_>) -> String {
    let text = nft::any_rule_text(rule.nfproto, None, rule.instructions);
    printable(&text)
}
