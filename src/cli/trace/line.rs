//! One step on the way of a packet, as a line.

use schemars::JsonSchema;
use serde::Serialize;

use super::rule::{is_own, text};
use super::words::{decision, kernel_text, translation};
use crate::cli::places::Places;
use crate::evaluate::{ChainRef, Decision, Firewall, Met, Outcome, RuleRef, Step};
use crate::nft;
use crate::ruleset::ChainPolicy;
use crate::view::printable;

/// A step on the way of a packet.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Step")]
pub(super) struct Line {
    /// 0: a hook, or which way routing sends the packet; 1: the kernel, or a table with its base chain; 2: what is in that chain and
    /// the chains that it leads to.
    pub(super) depth: usize,
    /// What is met: the hook, the chain, the rule by its name (or by its chain and number), the end of the chain, or a translation. A
    /// rule that was merged with others into a verdict map comes right before the rule that asks this.
    pub(super) what: String,
    /// Where the policy says so: `office.yaml:73`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) at: Option<String>,
    /// What comes of it: `accept`, `drop`, `reject with …`, `jump …`, `goto …`, `return`, `translates`, `fits, and goes on`,
    /// `does nothing to the packet`, `cannot be followed…`, `does not fit…` with what does not hold, in the words of nft, or
    /// `an element of the verdict map that the next rule asks`. Absent for what is no rule.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) result: String,
}

/// A step of a packet.
pub(super) fn line(
    step: &Step,
    outcome: &Outcome,
    firewall: &Firewall,
    places: &Places<'_>,
) -> Line {
    let plain = |depth, what: String| Line {
        depth,
        what,
        at: None,
        result: String::new(),
    };
    match step {
        Step::Hook(hook) => plain(0, hook.name().unwrap_or("another hook").to_owned()),
        Step::Local => plain(0, "for the box itself".to_owned()),
        Step::Forward => {
            let oif = outcome.packet.oif.as_deref().unwrap_or("?");
            plain(0, format!("goes on by {oif}"))
        }
        Step::Kernel(kernel) => plain(1, kernel_text(*kernel).to_owned()),
        Step::Base(chain) => {
            let text = firewall.chain(*chain).map(|chain| {
                format!(
                    "table {} {}, chain {}",
                    chain.family, chain.table, chain.chain
                )
            });
            plain(1, text.unwrap_or_default())
        }
        Step::Policy(_, policy) => Line {
            result: match policy {
                ChainPolicy::Accept => "accept".to_owned(),
                ChainPolicy::Drop => "drop".to_owned(),
            },
            ..plain(2, "chain policy".to_owned())
        },
        Step::Translated(index) => {
            let text = outcome.translations.get(usize::from(*index));
            plain(
                2,
                text.map_or(String::new(), |it| translation(it, firewall)),
            )
        }
        Step::Element(element) => {
            let view = firewall.element(*element);
            let name = view.map_or("", |view| view.name());
            Line {
                at: view.and_then(|view| places.element(&view)),
                result: "an element of the verdict map that the next rule asks".to_owned(),
                ..plain(2, printable(name))
            }
        }
        Step::Rule(rule, met) => {
            let view = firewall.rule(*rule);
            let name = view.map_or_else(String::new, |view| match (view.name, view.handle) {
                (_, Some(handle)) if !is_own(&view) => {
                    format!(
                        "{}, rule handle {handle}: {}",
                        printable(view.chain),
                        text(&view)
                    )
                }
                (Some(name), _) => name.to_owned(),
                (None, _) => format!("rule {} of {}", view.index + 1, view.chain),
            });
            Line {
                depth: 2,
                what: name,
                at: view.and_then(|view| places.of(view.origin?)),
                result: met_text(*met, *rule, firewall),
            }
        }
    }
}

fn met_text(met: Met, rule: RuleRef, firewall: &Firewall) -> String {
    let chain = |index: u32| {
        let at = ChainRef {
            chain: index,
            ..rule.chain
        };
        firewall.chain(at).map_or("?", |chain| chain.chain)
    };
    match met {
        Met::Failed(place) => format!("does not fit{}", at_instruction(rule, place, firewall)),
        Met::Passed => "fits, and goes on".to_owned(),
        Met::Accept => "accept".to_owned(),
        Met::Drop => "drop".to_owned(),
        Met::Reject(answer) => decision(Decision::Reject(answer)),
        Met::Return => "return".to_owned(),
        Met::Jump(to) => format!("jump {}", chain(to)),
        Met::Goto(to) => format!("goto {}", chain(to)),
        Met::Translate => "translates".to_owned(),
        Met::Idle(_) => "does nothing to the packet".to_owned(),
        Met::Opaque(place) => {
            format!(
                "cannot be followed{}",
                at_instruction(rule, place, firewall)
            )
        }
    }
}

/// The statement at which a rule ended.
fn at_instruction(rule: RuleRef, place: u16, firewall: &Firewall) -> String {
    let statement = firewall.rule(rule).and_then(|view| {
        nft::any_rule_text_at(view.nfproto, view.instructions, usize::from(place))
    });
    statement.map_or_else(String::new, |text| format!(": {}", printable(&text)))
}
