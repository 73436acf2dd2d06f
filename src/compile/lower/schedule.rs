//! Schedules become sets of times, and connections that are cut become a look at their label.
//!
//! A set holds times as the world's one clock has them, so the kernel needs to know nothing of time zones: moments, and
//! where it takes fewer of them, days of the week and hours of the day between two moments ([`Slot`]). The day of the week
//! is that of UTC only where the kernel has no time zone of its own (`sys_tz`), which the box is asked for when the rules
//! are put in force; moments and hours do not follow it.
//!
//! A range of a set includes its last value, and nft(8) can only write whole seconds: so the very nanosecond in which
//! a window of moments closes still belongs to it. Days and hours come from the kernel's clock of seconds, which goes on
//! with its tick: they are late by up to 10 ms (`CONFIG_HZ` of 100; `ktime_get_real_seconds`).

use super::output::{Output, element};
use super::row::equal;
use crate::compile::model::{Action, Model, Schedule, Side, ZonePolicy};
use crate::ruleset::{
    Ct, DataType, Expression, Key, Meta, Operand, Origin, Reject, Relation, Rule, Set, SetKind,
    SetSpec, Statement, Transport, Verdict,
};
use crate::schedule::{Slot, Window};

/// What the name of such a set begins with.
const PREFIX: &str = "schedule/";
/// The key of a set of slots.
const SLOT: [DataType; 3] = [DataType::Time, DataType::Day, DataType::Hour];
/// Shown beside every set of moments.
const MOMENTS: &str = "when it is open; nft shows the times in the time zone of its reader";
/// Shown beside every set of days and hours.
const SLOTS: &str = "when it is open; days are those of UTC (0 is Sunday), nft shows times and hours in the time zone of its reader";

/// Makes the sets of the schedules that rules have.
pub(super) fn sets(model: &Model, output: &mut Output) {
    for (
        name,
        Schedule {
            windows,
            slots,
            cut: _,
            at,
        },
    ) in model.used_schedules()
    {
        let (key, comment, keys): (_, _, Vec<Key>) = match slots {
            Some(slots) => {
                let keys = slots.iter().map(slot).collect();
                (SLOT.to_vec(), SLOTS, keys)
            }
            None => {
                let moments = |it: Window| Key::range(Key::moment(it.start), Key::moment(it.end));
                let keys = windows.iter().map(moments).collect();
                (vec![DataType::Time], MOMENTS, keys)
            }
        };
        let mut spec = SetSpec::new(set_name(name), key, SetKind::Set);
        spec.interval = true;
        spec.comment = Some(comment.to_owned());
        let elements = keys.into_iter().map(|key| element(key, None));
        output.set(spec, elements.collect(), Some(Origin(at.to_string())));
    }
}

/// The time, the day and the hour, each as a range.
fn slot(slot: &Slot) -> Key {
    let Slot {
        start,
        end,
        days,
        hours,
    } = slot;
    let bytes = |moment: i64, day: u8, hour: u32| -> Vec<u8> {
        // Every field begins at a register.
        let day = [day, 0, 0, 0];
        [&Key::moment(moment)[..], &day, &hour.to_be_bytes()].concat()
    };
    Key::range(
        bytes(*start, *days.start(), *hours.start()),
        bytes(*end, *days.end(), *hours.end()),
    )
}

/// The schedules among the sets of a ruleset that are open at other times in a kernel with a time zone of its own, so many
/// minutes west of Greenwich.
pub fn moved_schedules<'a>(
    sets: impl IntoIterator<Item = &'a Set>,
    minutes_west: i32,
) -> Vec<String> {
    let mut moved = Vec::new();
    for Set { spec, elements, .. } in sets {
        if let Some(name) = spec.name.strip_prefix(PREFIX)
            && spec.key == SLOT
            && elements
                .iter()
                .any(|element| slot_of(&element.key).is_moved(minutes_west))
        {
            moved.push(name.to_owned());
        }
    }
    moved
}

/// Reads a slot back; a key that is shorter is one of the first moment.
fn slot_of(key: &Key) -> Slot {
    let field = |bytes: &[u8], place: std::ops::Range<usize>| {
        let bytes = bytes.get(place).unwrap_or_default();
        bytes
            .iter()
            .fold(0_u64, |number, byte| number << 8 | u64::from(*byte))
    };
    let (lo, hi) = (&*key.lo, key.last());
    let moment = |bytes: &[u8]| i64::try_from(field(bytes, 0..8) / 1_000_000_000).unwrap_or(0);
    let day = |bytes: &[u8]| u8::try_from(field(bytes, 8..9)).unwrap_or(0);
    let hour = |bytes: &[u8]| u32::try_from(field(bytes, 12..16)).unwrap_or(0);
    Slot {
        start: moment(lo),
        end: moment(hi),
        days: day(lo)..=day(hi),
        hours: hour(lo)..=hour(hi),
    }
}

/// Goes on only while the schedule is open.
pub(super) fn is_open(name: &str, model: &Model) -> Statement {
    let schedule = model.schedules.get(name);
    let time = Expression::Meta(Meta::Time);
    let left = match schedule.and_then(|schedule| schedule.slots.as_ref()) {
        Some(_) => {
            let [day, hour] = [Meta::Day, Meta::Hour].map(Expression::Meta);
            Expression::Concat(vec![time, day, hour])
        }
        None => time,
    };
    Statement::Match {
        left,
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
    vec![
        vec![is_open(name, model), back()],
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
    format!("{PREFIX}{schedule}")
}
