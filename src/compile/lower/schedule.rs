//! Schedules become sets of times, and connections that are cut become a look at their label.
//!
//! The sets hold times as the world's one clock has them, so the kernel needs to know nothing of time zones: for each offset
//! of the zone the moments between which it holds, and beside them the days and hours of its week ([`Pattern`]); moments
//! alone where that is shorter. The two are looked up one after the other, and a rule stands once for each offset. One set of
//! moments, days and hours would be a single look, but pipapo, which keeps ranges of several fields, takes a range of
//! nanoseconds apart into fifty: a look at 31 of them takes 5 µs instead of 0.3, and making each 0.2 ms (6.18, measured).
//!
//! The day of the week is that of UTC only where the kernel has no time zone of its own (`sys_tz`), which the box is asked
//! for when the rules are put in force; moments and hours do not follow it.
//!
//! A range of a set includes its last value, and nft(8) can only write whole seconds: so the very nanosecond in which
//! a window of moments closes still belongs to it. Days and hours come from the kernel's clock of seconds, which goes on
//! with its tick: they are late by up to 10 ms (`CONFIG_HZ` of 100; `ktime_get_real_seconds`).

use std::collections::BTreeSet;

use super::output::{Output, element};
use super::row::equal;
use crate::compile::model::{Action, Model, Schedule, Side, ZonePolicy};
use crate::ruleset::{
    Ct, DataType, Expression, Key, Meta, Operand, Origin, Reject, Relation, Rule, Set, SetKind,
    SetSpec, Statement, Transport, Verdict,
};
use crate::schedule::{Pattern, Slot, Windows};

/// What the names of these sets begin with.
const PREFIX: &str = "schedule/";
/// What the names of those with days and hours end with.
const WEEK: &str = ".week";

/// Makes the sets of the schedules that rules have.
pub(super) fn sets(model: &Model, output: &mut Output) {
    for (
        name,
        Schedule {
            windows: _,
            told,
            cut: _,
            at,
        },
    ) in model.used_schedules()
    {
        let mut set = |name: String, key: Vec<DataType>, comment: String, keys: Vec<Key>| {
            let mut spec = SetSpec::new(name, key, SetKind::Set);
            spec.interval = true;
            spec.comment = Some(comment);
            let elements = keys.into_iter().map(|key| element(key, None));
            output.set(spec, elements.collect(), Some(Origin(at.to_string())));
        };
        for pattern in &told.patterns {
            let (times, clocks) = (times_name(name, pattern), clocks(pattern.offset));
            let comment =
                format!("while clocks are {clocks}; nft shows times in the zone of its reader");
            set(
                times.clone(),
                vec![DataType::Time],
                comment,
                moments(&pattern.times),
            );
            let comment = "when it is open meanwhile: days of UTC (0 is Sunday), hours that nft shows in the zone of its reader";
            let week = pattern.week.iter().cloned();
            let week = week.map(|Slot { days, hours }| Key::slot(days, hours));
            set(
                times + WEEK,
                DataType::SLOT.to_vec(),
                comment.to_owned(),
                week.collect(),
            );
        }
        if !told.alone.is_empty() {
            let comment = "when it is open; nft shows times in the zone of its reader";
            let name = format!("{PREFIX}{name}");
            set(
                name,
                vec![DataType::Time],
                comment.to_owned(),
                moments(&told.alone),
            );
        }
    }
}

/// `schedule/NAME.plus2`: the moments at which a pattern holds.
fn times_name(schedule: &str, pattern: &Pattern) -> String {
    let minutes = pattern.offset.unsigned_abs().div_ceil(60);
    let sign = if pattern.offset < 0 { "minus" } else { "plus" };
    match minutes % 60 {
        0 => format!("{PREFIX}{schedule}.{sign}{}", minutes / 60),
        rest => format!("{PREFIX}{schedule}.{sign}{:02}{rest:02}", minutes / 60),
    }
}

/// How far clocks are from UTC.
fn clocks(offset: i64) -> String {
    let minutes = offset.unsigned_abs().div_ceil(60);
    let side = if offset < 0 { "behind" } else { "ahead of" };
    format!("{}:{:02} h {side} UTC", minutes / 60, minutes % 60)
}

fn moments(windows: &Windows) -> Vec<Key> {
    let windows = windows.iter();
    windows
        .map(|it| Key::range(Key::moment(it.start), Key::moment(it.end)))
        .collect()
}

/// The schedules among the sets of a ruleset that are open at other times in a kernel with a time zone of its own, so many
/// minutes west of Greenwich.
pub fn moved_schedules<'a>(
    sets: impl IntoIterator<Item = &'a Set>,
    minutes_west: i32,
) -> BTreeSet<String> {
    let is_moved = |key: &Key| {
        let slot = key.as_slot().map(|(days, hours)| Slot { days, hours });
        slot.is_some_and(|slot| slot.is_moved(minutes_west))
    };
    let mut moved = BTreeSet::new();
    for Set { spec, elements, .. } in sets {
        let is_of_week = spec.key == DataType::SLOT;
        let of_week = spec.name.strip_suffix(WEEK).filter(|_| is_of_week);
        if let Some(times) = of_week
            && let Some(times) = times.strip_prefix(PREFIX)
            && let Some((name, _)) = times.rsplit_once('.')
            && elements.iter().any(|element| is_moved(&element.key))
        {
            moved.insert(name.to_owned());
        }
    }
    moved
}

/// What goes on only while the schedule is open: any of these.
pub(super) fn is_open(name: &str, model: &Model) -> Vec<Vec<Statement>> {
    let Some(Schedule { told, .. }) = model.schedules.get(name) else {
        return Vec::new();
    };
    let within = |left: Expression, set: String| Statement::Match {
        left,
        relation: Relation::Eq,
        right: Operand::Set(set),
    };
    let time = || Expression::Meta(Meta::Time);
    let mut ways = Vec::new();
    for pattern in &told.patterns {
        let times = times_name(name, pattern);
        let week = Expression::Concat([Meta::Day, Meta::Hour].map(Expression::Meta).into());
        ways.push(vec![
            within(time(), times.clone()),
            within(week, times + WEEK),
        ]);
    }
    if !told.alone.is_empty() {
        ways.push(vec![within(time(), format!("{PREFIX}{name}"))]);
    }
    ways
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
            let answers = end_of(name, model);
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
fn end_of(name: &str, model: &Model) -> Vec<Vec<Statement>> {
    let back = || Statement::Verdict(Verdict::Return);
    let mut rules = is_open(name, model);
    for rule in &mut rules {
        rule.push(back());
    }
    rules.extend([
        vec![Statement::is_reset(), back()],
        vec![
            equal(Expression::Meta(Meta::L4proto), [Transport::Tcp.number()]),
            Statement::Counter,
            Statement::Reject(Reject::TcpReset),
        ],
        vec![Statement::Counter, Statement::Verdict(Verdict::Drop)],
    ]);
    rules
}
