//! `flowtable` and `offload`: connections of some rules go past all of them.
//!
//! The first packet of a connection meets its rule, but only an established one can be handed over, and that one is
//! accepted before any rule is asked. So the rule labels the connection, and the forward chain hands over what has the
//! label before it accepts what is established. The label is set in every kernel; a kernel without flowtables gets
//! the ruleset without any of this ([`Ruleset::without_offload`]).
//!
//! [`Ruleset::without_offload`]: crate::ruleset::Ruleset::without_offload

use super::output::Output;
use crate::compile::model::{Model, Rule as PolicyRule};
use crate::ruleset::{
    Ct, Expression, Flowtable, OFFLOAD_LABEL, ObjectKind, Operand, Origin, Relation, Rule,
    Statement,
};

/// The flowtable's name in the table; the bare word is one of nft's, which cannot read it back there.
const NAME: &str = "offload/flows";

/// What an accepting rule does to its connections.
pub(super) fn label(rule: &PolicyRule, model: &Model) -> Option<Statement> {
    (rule.offload && model.flowtable.is_some()).then_some(Statement::CtLabel(OFFLOAD_LABEL))
}

/// The flowtable, and the rule that hands connections to it.
pub(super) fn hand_over(model: &Model, output: &mut Output) -> Option<Rule> {
    let flowtable = model.flowtable.as_ref()?;
    let mut rules = model.policies.iter().flat_map(|policy| &policy.rules);
    if !rules.any(|rule| rule.offload) {
        return None;
    }
    let interfaces = super::interface::of_zones(&flowtable.zones, model);
    let mut names: Vec<String> = interfaces.into_iter().map(|it| it.name.clone()).collect();
    names.sort();
    names.dedup();
    let origin = Origin("flowtable".to_owned());
    let kind = ObjectKind::Flowtable(Flowtable {
        interfaces: names,
        hardware: flowtable.hardware,
    });
    output.object(NAME, kind, Some(origin.clone()));
    let labelled = Statement::Match {
        left: Expression::Ct(Ct::Label),
        relation: Relation::Eq,
        right: Operand::AnyBit(Ct::label_bits([OFFLOAD_LABEL])),
    };
    Some(Rule {
        name: Some("offload".to_owned()),
        statements: vec![labelled, Statement::Offload(NAME.to_owned())],
        origin: Some(origin),
    })
}
