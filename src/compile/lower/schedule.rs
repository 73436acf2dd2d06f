//! Schedules become sets of times, and connections that are cut become a look at their label.
//!
//! A set holds the windows as the world's one clock has them, so the kernel needs to know nothing of time zones, and
//! its own (`sys_tz`, which `meta day` follows) does not matter. They could be told in fewer elements by the weekday
//! and the hour of the day; but the weekday moves with the kernel's time zone, and nft(8) shows and reads hours by the
//! season and the zone of the person who asks. A time is right for everybody.
//!
//! A range of a set includes its last value, and nft(8) can only write whole seconds: so the very nanosecond in which
//! a window closes still belongs to it.

use super::output::{Output, element};
use super::row::equal;
use crate::compile::model::{Action, Model, Schedule, Side, ZonePolicy};
use crate::ruleset::{
    Ct, DataType, Expression, Key, Meta, Operand, Origin, Reject, Relation, Rule, SetKind, SetSpec,
    Statement, Transport, Verdict,
};

/// Shown beside every set of times.
const COMMENT: &str = "when it is open; nft shows the times in the time zone of its reader";

/// Makes the sets of the schedules that rules have.
pub(super) fn sets(model: &Model, output: &mut Output) {
    for (
        name,
        Schedule {
            windows,
            cut: _,
            at,
        },
    ) in model.used_schedules()
    {
        let mut spec = SetSpec::new(set_name(name), vec![DataType::Time], SetKind::Set);
        spec.interval = true;
        spec.comment = Some(COMMENT.to_owned());
        let elements = windows.iter().map(|window| {
            element(
                Key::range(Key::moment(window.start), Key::moment(window.end)),
                None,
            )
        });
        output.set(spec, elements.collect(), Some(Origin(at.to_string())));
    }
}

/// Goes on only while the schedule is open.
pub(super) fn is_open(name: &str) -> Statement {
    Statement::Match {
        left: Expression::Meta(Meta::Time),
        relation: Relation::Eq,
        right: Operand::Set(set_name(name)),
    }
}

/// Labels a connection that is cut when the schedule closes.
pub(super) fn mark(name: &str, action: Action, model: &Model) -> Option<Statement> {
    let cut = model.schedules.get(name)?.cut?;
    (action == Action::Accept).then_some(Statement::CtLabel(cut))
}

/// The way of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// To the box.
    Input,
    /// Through the box.
    Forward,
    /// From the box.
    Output,
}

impl Way {
    fn is_of(self, policy: &ZonePolicy) -> bool {
        let zone = |sides: &[Side]| sides.iter().any(|side| *side != Side::Firewall);
        let firewall = |sides: &[Side]| sides.contains(&Side::Firewall);
        let ZonePolicy { from, to, .. } = policy;
        match self {
            Self::Input => zone(from) && firewall(to),
            Self::Forward => zone(from) && zone(to),
            Self::Output => firewall(from) && zone(to),
        }
    }
}

/// The rules, before established connections are accepted, that end those whose schedule has closed: one look at the
/// labels for each schedule that ends connections of this way.
pub(super) fn cuts(model: &Model, way: Way, output: &mut Output) -> Vec<Rule> {
    let mut rules = Vec::new();
    for (name, schedule) in model.used_schedules() {
        let Some(label) = schedule.cut.filter(|_| cuts_in(name, way, model)) else {
            continue;
        };
        let origin = Some(Origin(schedule.at.key("on_end").to_string()));
        let rule = |statements| Rule {
            name: Some(format!("schedule/{name}/cut")),
            statements,
            origin: origin.clone(),
        };
        let chain = format!("cut/{name}");
        let labelled = Statement::Match {
            left: Expression::Ct(Ct::Label),
            relation: Relation::Eq,
            right: Operand::AnyBit(Ct::label_bits([label])),
        };
        let visit = Statement::Verdict(Verdict::Jump(chain.clone()));
        rules.push(rule(vec![labelled, visit]));
        if !output.has_chain(&chain) {
            let answers = end_of(name);
            output.regular_chain(&chain, answers.into_iter().map(rule).collect());
        }
    }
    rules
}

/// Whether a packet of a connection that a schedule ends can come this way.
fn cuts_in(name: &str, way: Way, model: &Model) -> bool {
    let mut policies = model.policies.iter().filter(|policy| way.is_of(policy));
    policies.any(|policy| {
        let mut rules = policy.rules.iter();
        rules.any(|rule| rule.action == Action::Accept && rule.schedule.as_deref() == Some(name))
    })
}

/// What becomes of a packet of a connection that its schedule ends. Nothing while the schedule is open. A reset passes:
/// it ends the connection, and it may be the very one that the rule below has sent, on its way out. Other protocols
/// know no such end, so their packets are dropped until the connection is forgotten.
fn end_of(name: &str) -> Vec<Vec<Statement>> {
    let back = || Statement::Verdict(Verdict::Return);
    vec![
        vec![is_open(name), back()],
        vec![Statement::is_reset(), back()],
        vec![
            equal(Expression::Meta(Meta::L4proto), [Transport::Tcp.number()]),
            Statement::Counter,
            Statement::Reject(Reject::TcpReset),
        ],
        vec![Statement::Counter, Statement::Verdict(Verdict::Drop)],
    ]
}

fn set_name(schedule: &str) -> String {
    format!("schedule/{schedule}")
}
