//! From a policy to a ruleset: [`resolve`] what the names mean and whether it all makes sense, bind it to the node
//! it is for, then [`lower`]. Nothing before the binding depends on the node.

mod bind;
mod check;
pub mod claim;
pub mod guard;
mod list;
mod lower;
pub mod model;
mod numbers;
mod ports;
mod resolve;
mod settings;

pub use list::{Lists, lists};
pub use lower::{closed, lower, moved_schedules};
pub use settings::settings;

use crate::diagnostic::Diagnostics;
use crate::policy::{ForeignTables, Policy};
use crate::ruleset::{Addresses, Ruleset};
use crate::schedule::Timetable;
use crate::system::Settings;
use jiff::ToSpan;
use jiff::civil::Date;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use model::{LivingSet, Model, Terms, Zone};
use std::collections::BTreeMap;

/// What a policy is compiled with, beside its own texts.
#[derive(Clone, Copy, Debug)]
pub struct Given<'a> {
    /// The day that `expires` is compared with.
    pub today: Date,
    /// The lists that its groups name.
    pub lists: &'a Lists,
    /// The addresses of the copies of its fetched sets, by name.
    pub copies: &'a Copies,
    /// Which of the policy's nodes the ruleset is for. A policy without nodes is for whatever box there is.
    pub node: Option<&'a str>,
}

/// What fetched sets hold, by name.
pub type Copies = BTreeMap<String, Addresses>;

/// A day, and no lists.
impl From<Date> for Given<'static> {
    fn from(today: Date) -> Self {
        static NONE: Lists = Lists::new();
        static NO_COPIES: Copies = Copies::new();
        Given {
            today,
            lists: &NONE,
            copies: &NO_COPIES,
            node: None,
        }
    }
}

/// What a policy means, if it means something: every name resolved, everything checked, for all its nodes alike:
/// interfaces are called as the policy calls them. All there is to say about
/// it is said at once; there is a model if nothing of it is an error.
#[must_use]
pub fn resolve<'a>(
    mut policy: Policy,
    given: impl Into<Given<'a>>,
) -> (Option<Model>, Diagnostics) {
    resolve_out_of(&mut policy, given)
}

/// As [`resolve`]; takes the zone policies out of the policy. What they mean is in the model then, and rules in their
/// thousands are not kept twice.
#[must_use]
pub fn resolve_out_of<'a>(
    policy: &mut Policy,
    given: impl Into<Given<'a>>,
) -> (Option<Model>, Diagnostics) {
    let given = given.into();
    let mut of_words = Diagnostics::new();
    check::words(policy, given.today, &mut of_words);
    let unused = check::unused(policy);
    let zone_policies = std::mem::take(&mut policy.policies);
    let mut diagnostics = Diagnostics::new();
    let draft = resolve::draft(policy, zone_policies, &given, &mut diagnostics);
    diagnostics.extend(of_words);
    check::meaning(policy, &draft, given.today, &mut diagnostics);
    if diagnostics.has_errors() {
        return (None, diagnostics);
    }
    diagnostics.extend(unused);
    (Some(draft.model), diagnostics)
}

/// What a policy compiles to.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// The desired ruleset.
    pub ruleset: Ruleset,
    /// The desired settings of the box.
    pub settings: Settings,
    /// From this day on there is more to say about the policy, because a rule is about to expire or a schedule over.
    pub until: Option<Date>,
    /// Its fetched sets by name.
    pub fetched: BTreeMap<String, Terms>,
    /// The schedules that rules have, by name.
    pub timetables: Vec<Timetable>,
    /// Whether plans name the tables of others that drop by default.
    pub reports_foreign: bool,
    /// Its zones by name, with the interfaces of the node.
    pub zones: BTreeMap<String, Zone>,
}

/// What a policy means on every node alike, and what its node adds: what replicas compare.
#[derive(Clone, Debug)]
pub struct Logical {
    /// The ruleset with interfaces as the policy calls them, and without what copies of lists hold.
    pub ruleset: Ruleset,
    /// The settings of the box.
    pub settings: Settings,
    /// Where fetched sets come from, by name.
    pub fetched: BTreeMap<String, Terms>,
    /// What the node calls the interfaces of the policy; none where a policy has no nodes.
    pub interfaces: BTreeMap<String, String>,
    /// Whether rules have schedules, so that the time zone database has a say.
    pub has_schedules: bool,
}

/// The whole way from a policy to a ruleset. A large policy is not kept longer than it is looked at.
#[must_use]
pub fn compile<'a>(policy: Policy, given: impl Into<Given<'a>>) -> (Option<Compiled>, Diagnostics) {
    compile_and(policy, given.into(), |_, _| ()).0
}

/// The same, and what replicas compare.
#[must_use]
pub fn compile_logical<'a>(
    policy: Policy,
    given: impl Into<Given<'a>>,
) -> (Option<(Compiled, Logical)>, Diagnostics) {
    let given = given.into();
    let ((compiled, diagnostics), logical) = compile_and(policy, given, |policy, model| Logical {
        ruleset: lower::without_copies(lower(model)),
        settings: settings::settings(policy, model),
        fetched: fetched(model),
        interfaces: bind::interfaces(policy, given.node),
        has_schedules: !model.used_schedules().is_empty(),
    });
    (compiled.zip(logical), diagnostics)
}

/// Compiles, and lets `before` look at the model before it is bound to the node, and at the policy without its zone policies.
fn compile_and<T>(
    mut policy: Policy,
    given: Given<'_>,
    before: impl FnOnce(&Policy, &Model) -> T,
) -> ((Option<Compiled>, Diagnostics), Option<T>) {
    let zone = timezone(&policy);
    let until = next_expiry_notice(&policy);
    let (model, mut diagnostics) = resolve_out_of(&mut policy, given);
    let seen = model.as_ref().map(|model| before(&policy, model));
    let bound = model.and_then(|model| bind::bind(model, &policy, given.node, &mut diagnostics));
    let bound = bound.map(|model| (settings::settings(&policy, &model), model));
    let reports_foreign = policy.foreign_tables != Some(ForeignTables::Ignore);
    drop(policy);
    let compiled = bound.map(|(settings, model)| Compiled {
        ruleset: lower(&model),
        settings,
        until: until
            .into_iter()
            .chain(check::next_notice(&model, &zone, given.today))
            .min(),
        fetched: fetched(&model),
        timetables: timetables(&model, &zone),
        reports_foreign,
        zones: model.zones,
    });
    ((compiled, diagnostics), seen)
}

/// The zone of all times in a policy, of the database inside the program: the host's own may be older, or missing.
#[must_use]
pub fn timezone(policy: &Policy) -> TimeZone {
    policy
        .timezone
        .as_ref()
        .and_then(|name| TimeZoneDatabase::bundled().get(name.as_str()).ok())
        .unwrap_or(TimeZone::UTC)
}

fn fetched(model: &Model) -> BTreeMap<String, Terms> {
    let sets = model.sets.iter();
    let fetched = sets.filter_map(|(name, set)| match set {
        LivingSet::Dynamic { .. } => None,
        LivingSet::Fetched { terms, .. } => Some((name.clone(), terms.clone())),
    });
    fetched.collect()
}

fn timetables(model: &Model, zone: &TimeZone) -> Vec<Timetable> {
    let used = model.used_schedules();
    used.into_iter()
        .map(|(name, schedule)| Timetable {
            name: name.to_owned(),
            zone: zone.clone(),
            windows: schedule.windows.clone(),
        })
        .collect()
}

fn next_expiry_notice(policy: &Policy) -> Option<Date> {
    let rules = policy.policies.iter().flat_map(|policy| &policy.rules);
    let first = rules
        .filter_map(|rule| rule.expires)
        .map(|date| date.day())
        .min()?;
    Some(first.saturating_sub(check::NOTICE_DAYS.days()))
}

#[cfg(test)]
mod tests {
    use super::model::Side;
    use super::resolve;
    use crate::diagnostic::{Diagnostics, SourceText};
    use crate::policy::parse;
    use jiff::civil::date;

    /// One line a diagnostic, with the document paths of its labels.
    fn told(diagnostics: &Diagnostics) -> Vec<String> {
        diagnostics
            .iter()
            .map(|diagnostic| format!("{diagnostic:?}"))
            .collect()
    }

    #[test]
    fn the_office_means_what_it_says() {
        let text = include_str!("../../policies/office.yaml").into();
        let source = SourceText {
            name: "office.yaml".into(),
            text,
        };
        let policy = parse(&[source]).policy.unwrap();
        let (model, diagnostics) = resolve(policy, date(2026, 11, 24));
        assert_eq!(told(&diagnostics), [""; 0]);
        let model = model.unwrap();
        assert_eq!(model.policies.len(), 4);
        let out = &model.policies[3];
        assert_eq!(out.from, [Side::Firewall]);
        assert_eq!(out.to, [Side::Zone("lan".into()), Side::Zone("wan".into())]);
        assert_eq!(model.dnat[0].hairpin, ["lan"]);
        assert_eq!(model.dnat[0].opens, ["lan"]);
        let log = model.policies[0].log.as_ref().unwrap();
        assert_eq!(log.log.prefix, "wan-in: ");
    }
}
