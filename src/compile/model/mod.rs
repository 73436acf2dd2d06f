//! The policy with every name replaced by what it means: what [`super::resolve`] hands to the lowering.
//!
//! A `Model` has been checked: nothing in it can be unknown, empty by mistake, or in contradiction. The
//! lowering therefore has no errors of its own to report.

mod nat;
mod rule;
mod service;
mod set;
mod zone;

use std::collections::{BTreeMap, BTreeSet};

pub use super::numbers::Numbers;
pub use super::ports::Ports;
pub use nat::{Backend, BalanceMode, Dnat, Families, Masquerade, Netmap, Redirect, Snat};
pub use rule::{Action, LogLimit, RejectWith, Rule, RuleLimit, Schedule, ZonePolicy};
pub use service::{Selected, Selector, Service};
pub use set::{LivingSet, Terms};
pub use zone::{Interface, Side, Zone};

use super::claim::Test;
use crate::diagnostic::DocPath;
use crate::policy::{HostPart, RawHook, RawPlace};
use crate::ruleset::Addresses;

/// A checked policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Model {
    /// The policy's name.
    pub name: String,
    /// The zones by name, without `firewall`.
    pub zones: BTreeMap<String, Zone>,
    /// The groups by name, flattened.
    pub groups: BTreeMap<String, Addresses>,
    /// The host parts in the groups by name, flattened; groups without any are not here.
    pub host_parts: BTreeMap<String, BTreeSet<HostPart>>,
    /// The groups with addresses from a list file, their own or those of a group in them: they may be long.
    pub from_files: BTreeSet<String>,
    /// The sets by name.
    pub sets: BTreeMap<String, LivingSet>,
    /// The schedules by name.
    pub schedules: BTreeMap<String, Schedule>,
    /// The zone policies in file order.
    pub policies: Vec<ZonePolicy>,
    /// `nat.masquerade` in file order.
    pub masquerade: Vec<Masquerade>,
    /// `nat.snat` in file order.
    pub snat: Vec<Snat>,
    /// `nat.dnat` in file order.
    pub dnat: Vec<Dnat>,
    /// `nat.redirect` in file order.
    pub redirect: Vec<Redirect>,
    /// `flowtable`.
    pub flowtable: Option<Flowtable>,
    /// `nat.netmap`, then `nat.nptv6`, in file order.
    pub netmap: Vec<Netmap>,
    /// `raw` in file order.
    pub raw: Vec<Raw>,
    /// `tests` in file order; nothing of the ruleset comes from them.
    pub tests: Vec<Test>,
}

impl Model {
    /// The schedules that rules have, by name.
    pub fn used_schedules(&self) -> BTreeMap<&str, &Schedule> {
        let rules = self.policies.iter().flat_map(|policy| &policy.rules);
        let names: BTreeSet<&str> = rules.filter_map(|rule| rule.schedule.as_deref()).collect();
        let schedules = self.schedules.iter();
        schedules
            .filter(|(name, _)| names.contains(name.as_str()))
            .map(|(name, schedule)| (name.as_str(), schedule))
            .collect()
    }

    /// The stable names of everything that counts packets, and where it stands; what a name is the beginning of stands
    /// there, too.
    pub fn counted(&self) -> Vec<(String, DocPath)> {
        let mut named = Vec::new();
        for policy in &self.policies {
            let rules = policy.rules.iter();
            named.extend(
                rules.map(|rule| (format!("{}/{}", policy.name, rule.name), rule.at.clone())),
            );
            if policy.default.is_some() {
                named.push((format!("{}/default", policy.name), policy.at.key("default")));
            }
        }
        let nat = [
            self.masquerade
                .iter()
                .map(|it| (&it.name, &it.at))
                .collect::<Vec<_>>(),
            self.snat.iter().map(|it| (&it.name, &it.at)).collect(),
            self.dnat.iter().map(|it| (&it.name, &it.at)).collect(),
            self.redirect.iter().map(|it| (&it.name, &it.at)).collect(),
            self.netmap.iter().map(|it| (&it.name, &it.at)).collect(),
        ];
        let nat = nat.into_iter().flatten();
        named.extend(nat.map(|(name, at)| (format!("nat/{name}"), at.clone())));
        for block in &self.raw {
            let rules = 0..block.rules.len();
            named.extend(rules.map(|index| {
                let name = format!("raw/{}/{}", block.name, index + 1);
                (name, block.at.key("rules").index(index))
            }));
        }
        for (name, schedule) in &self.schedules {
            named.push((format!("schedule/{name}"), schedule.at.clone()));
        }
        for name in self.zones.keys() {
            named.push((
                format!("zone/{name}"),
                DocPath::root().key("zones").name(name),
            ));
        }
        named
    }
}

/// `flowtable`: where established connections of some rules go past all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flowtable {
    /// The zones between whose interfaces they go.
    pub zones: Vec<String>,
    /// Whether the network cards take them over.
    pub hardware: bool,
}

/// A raw block: rules that only nft understands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Raw {
    /// The name.
    pub name: String,
    /// The base chain that leads to it.
    pub hook: RawHook,
    /// Where in the base chain.
    pub place: RawPlace,
    /// The rules as texts, in order.
    pub rules: Vec<String>,
    /// Where it stands.
    pub at: DocPath,
}
