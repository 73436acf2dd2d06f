//! Two boxes beside each other: whether they have the same policy, and what differs.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Serialize;

use super::view::{NodeValue, View};

/// What comes out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Comparison {
    /// Of this shape: 1.
    pub version: u32,
    /// Whether both have the same policy.
    pub same_policy: bool,
    /// The version of rfw here and there.
    pub rfw: Both,
    /// The policy digest here and there.
    pub policy: Both,
    /// The version of the time zone database here and there.
    pub timezones: Both,
    /// What differs in the policies; none where the other box does not tell.
    pub differences: Vec<Difference>,
    /// What belongs to the nodes and is not equal on both: the only difference that replicas may have.
    pub node: Vec<NodeDifference>,
    /// Whether the kernel here holds what this box compiles; nothing when it was not read.
    pub held_here: Option<bool>,
    /// Whether the kernel there holds what that box compiles; nothing when it is not known.
    pub held_there: Option<bool>,
}

/// A value of either box.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Both {
    /// Of this one.
    pub here: Option<String>,
    /// Of the other one.
    pub there: Option<String>,
}

/// A part of the policy that is not the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Difference {
    /// Where: `chain policy/lan-to-wan`, `set group/web.ip4`.
    pub place: String,
    /// The stable name of the rule; nothing for the chain or set itself.
    pub name: Option<String>,
    /// On which side it is.
    pub on: Side,
}

/// Who has a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// Only this box.
    Here,
    /// Only the other one.
    There,
    /// Both, but not the same.
    Both,
}

/// A value of the nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct NodeDifference {
    /// Which: `node`, `interface wan0`, `copy of drop-list`.
    pub what: String,
    /// What it is here.
    pub here: Option<String>,
    /// What it is there.
    pub there: Option<String>,
}

impl Comparison {
    /// Whether the boxes are replicas that hold what they should, as far as is known.
    pub fn is_equal(&self) -> bool {
        self.same_policy && self.held_here != Some(false) && self.held_there != Some(false)
    }

    /// The text of `schema/digest-peer.schema.json`: the shape that `--peer … --format json` prints.
    pub fn schema() -> String {
        crate::view::schema::<Self>("urn:rfw:digest-peer:1", "rfw digest --peer")
    }
}

/// Compares this box with another one.
pub fn compare(here: &View, there: &View) -> Comparison {
    let both = |of: fn(&View) -> Option<String>| Both {
        here: of(here),
        there: of(there),
    };
    let same_policy = here.policy == there.policy;
    let tells = !there.parts.is_empty();
    // Metrics tell nothing of the node and of time zones.
    let tells_node = !there.ruleset.is_empty();
    Comparison {
        version: 1,
        same_policy,
        rfw: both(|view| Some(view.rfw.clone())),
        policy: both(|view| Some(view.policy.clone())),
        timezones: match tells_node {
            true => both(|view| view.timezones.clone()),
            false => Both {
                here: None,
                there: None,
            },
        },
        differences: if same_policy || !tells {
            Vec::new()
        } else {
            differences(here, there)
        },
        node: match tells_node {
            true => node(&here.node, &there.node),
            false => Vec::new(),
        },
        held_here: here.is_held(),
        held_there: there.is_held(),
    }
}

fn differences(here: &View, there: &View) -> Vec<Difference> {
    let (here, there) = (here.by_place(), there.by_place());
    let all: BTreeSet<_> = here.keys().chain(there.keys()).copied().collect();
    let mut found = Vec::new();
    for (place, name) in all {
        let key = (place, name);
        let on = match (here.get(&key), there.get(&key)) {
            (Some(left), Some(right)) if left == right => continue,
            (Some(_), Some(_)) => Side::Both,
            (Some(_), None) => Side::Here,
            (None, _) => Side::There,
        };
        found.push(Difference {
            place: place.to_owned(),
            name: name.map(str::to_owned),
            on,
        });
    }
    // A chain has the order of its rules in it, so it differs whenever one of them does.
    let inside: BTreeSet<String> = found
        .iter()
        .filter(|difference| difference.name.is_some() && difference.place.starts_with("chain "))
        .map(|difference| difference.place.clone())
        .collect();
    found.retain(|difference| {
        difference.name.is_some()
            || difference.on != Side::Both
            || !inside.contains(&difference.place)
    });
    found
}

fn node(here: &[NodeValue], there: &[NodeValue]) -> Vec<NodeDifference> {
    let mut values: BTreeMap<&str, (Option<&str>, Option<&str>)> = BTreeMap::new();
    for NodeValue { what, value } in here {
        values.entry(what).or_default().0 = Some(value);
    }
    for NodeValue { what, value } in there {
        values.entry(what).or_default().1 = Some(value);
    }
    let differing = values
        .into_iter()
        .filter(|(_, (here, there))| here != there);
    differing
        .map(|(what, (here, there))| NodeDifference {
            what: what.to_owned(),
            here: here.map(str::to_owned),
            there: there.map(str::to_owned),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::view::{NodeValue, Part, View};
    use super::compare;

    /// A box from lines such as `chain a/rule=1` (`place/name=digest`, no name after a bare place) and `node: fw-a`.
    fn view(policy: &str, live: &str, lines: &[&str]) -> View {
        let mut view = View {
            version: 1,
            rfw: "1".into(),
            timezones: None,
            policy: policy.into(),
            ruleset: "r".into(),
            live: Some(live.into()),
            node: Vec::new(),
            parts: Vec::new(),
        };
        for line in lines {
            if let Some((what, value)) = line.split_once(": ") {
                let (what, value) = (what.to_owned(), value.to_owned());
                view.node.push(NodeValue { what, value });
            } else {
                let (left, digest) = line.split_once('=').unwrap();
                let (place, name) = match left.split_once('/') {
                    Some((place, name)) => (place, Some(name.to_owned())),
                    None => (left, None),
                };
                view.parts.push(Part {
                    place: place.into(),
                    name,
                    digest: digest.into(),
                });
            }
        }
        view
    }

    #[track_caller]
    fn check(here: &View, there: &View, expect: &str) {
        let comparison = compare(here, there);
        assert_eq!(comparison.to_string(), expect);
    }

    #[test]
    fn replicas_differ_by_their_nodes_only() {
        let here = view(
            "p",
            "r",
            &["node: fw-a", "interface wan0: eth0", "flowtables: yes"],
        );
        let there = view(
            "p",
            "r",
            &["node: fw-b", "interface wan0: enp1s0", "flowtables: yes"],
        );
        check(
            &here,
            &there,
            "policy     the same: p\n\
             node       interface wan0: eth0 here, enp1s0 there\n\
             node       node: fw-a here, fw-b there\n\
             live       here what this node compiles; there what that node compiles\n",
        );
        assert!(compare(&here, &there).is_equal());
        let drifted = view("p", "x", &["node: fw-b"]);
        assert!(!compare(&here, &drifted).is_equal());
        assert!(!compare(&drifted, &here).is_equal());
    }

    #[test]
    fn what_differs_is_named() {
        let here = view(
            "p",
            "r",
            &[
                "chain a=1",
                "chain a/x=1",
                "chain a/y=2",
                "set s=1",
                "chain b=1",
                "chain b/z=1",
            ],
        );
        let there = view(
            "q",
            "r",
            &[
                "chain a=2",
                "chain a/x=3",
                "chain a/w=2",
                "set t=1",
                "chain b=2",
                "chain b/z=1",
            ],
        );
        check(
            &here,
            &there,
            "policy     differs: p here, q there\n\
             there      chain a \"w\"\n\
             differs    chain a \"x\"\n\
             here       chain a \"y\"\n\
             differs    chain b: the order of its rules, or its hook\n\
             here       set s\n\
             there      set t\n\
             live       here what this node compiles; there what that node compiles\n",
        );
        assert!(!compare(&here, &there).is_equal());
    }
}
