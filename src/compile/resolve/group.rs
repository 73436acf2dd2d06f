//! Groups: each name becomes its addresses, groups of groups included.

use std::collections::{BTreeMap, BTreeSet};

use super::selector::addresses_of;
use crate::compile::Lists;
use crate::diagnostic::{Code, Diagnostic, Diagnostics, DocPath, nearest};
use crate::policy::{Group, Host, HostPart, ListFile, Policy};
use crate::ruleset::{Addresses, Bound, Interval};

/// How deep groups may be nested: enough for people, too little for a bomb.
const DEEPEST: usize = 32;

/// The addresses of every group; `None` where the definition is wrong.
///
/// Groups whose groups are all known become known, round after round: what is left when nothing more does is in a
/// cycle or needs one.
pub(super) fn flatten<'a>(
    policy: &'a Policy,
    lists: &Lists,
    diagnostics: &mut Diagnostics,
) -> BTreeMap<&'a str, Option<Addresses>> {
    let mut flat: BTreeMap<&str, Option<Addresses>> = BTreeMap::new();
    let mut open: BTreeMap<&str, &Group> = BTreeMap::new();
    for (name, group) in &policy.groups {
        let at = path_of(name.as_str());
        let entries = match group {
            Group::Listed(entries) => entries,
            Group::File(file) => {
                let list = lists.get(file.as_str());
                if list.is_none() {
                    diagnostics.push(not_read(file, &at));
                }
                flat.insert(name.as_str(), list.cloned().flatten());
                continue;
            }
        };
        overlapping(entries, &at, diagnostics);
        if names_are_groups(group, &at, policy, diagnostics) {
            open.insert(name.as_str(), group);
        } else {
            flat.insert(name.as_str(), None);
        }
    }
    for _ in 0..DEEPEST {
        let ready: Vec<&str> = open
            .iter()
            .filter(|(_, group)| names(group).all(|(_, name)| flat.contains_key(name)))
            .map(|(name, _)| *name)
            .collect();
        if ready.is_empty() {
            break;
        }
        let round: Vec<_> = ready
            .iter()
            .filter_map(|name| Some((*name, union(open.get(name)?, &flat))))
            .collect();
        for (name, addresses) in round {
            open.remove(name);
            flat.insert(name, addresses);
        }
    }
    report_rest(&open, diagnostics);
    flat.extend(open.into_keys().map(|name| (name, None)));
    flat
}

/// The host parts in every group that has some, groups of groups included.
pub(super) fn host_parts(policy: &Policy) -> BTreeMap<String, BTreeSet<HostPart>> {
    let own = policy.groups.iter().filter_map(|(name, group)| {
        let hosts = group.entries().iter().filter_map(|entry| match entry {
            Host::HostPart(host) => Some(*host),
            Host::Address(_) | Host::Prefix(_) | Host::Range(_) | Host::Name(_) => None,
        });
        let hosts: BTreeSet<HostPart> = hosts.collect();
        (!hosts.is_empty()).then(|| (name.to_string(), hosts))
    });
    let mut all: BTreeMap<String, BTreeSet<HostPart>> = own.collect();
    if all.is_empty() {
        return all;
    }
    for _ in 0..DEEPEST {
        let before = all.clone();
        for (name, group) in &policy.groups {
            for (_, inner) in names(group) {
                if let Some(hosts) = before.get(inner) {
                    all.entry(name.to_string()).or_default().extend(hosts);
                }
            }
        }
        if all == before {
            break;
        }
    }
    all
}

/// The groups with addresses from a list file, groups of groups included.
pub(super) fn from_files(policy: &Policy) -> BTreeSet<String> {
    let own = policy.groups.iter();
    let mut all: BTreeSet<String> = own
        .filter(|(_, group)| matches!(group, Group::File(_)))
        .map(|(name, _)| name.to_string())
        .collect();
    for _ in 0..DEEPEST {
        let outer = policy.groups.iter().filter(|(name, group)| {
            !all.contains(name.as_str()) && names(group).any(|(_, inner)| all.contains(inner))
        });
        let outer: Vec<String> = outer.map(|(name, _)| name.to_string()).collect();
        if outer.is_empty() {
            break;
        }
        all.extend(outer);
    }
    all
}

fn path_of(group: &str) -> DocPath {
    DocPath::root().key("groups").name(group)
}

/// The groups that a group consists of, with their places in its list.
fn names(group: &Group) -> impl Iterator<Item = (usize, &str)> {
    let entries = group.entries().iter().enumerate();
    entries.filter_map(|(index, entry)| match entry {
        Host::Name(name) => Some((index, name.as_str())),
        Host::Address(_) | Host::Prefix(_) | Host::Range(_) | Host::HostPart(_) => None,
    })
}

/// The addresses of a group whose groups are known; `None` if one of them is wrong.
fn union(group: &Group, flat: &BTreeMap<&str, Option<Addresses>>) -> Option<Addresses> {
    let mut v4: Vec<Interval<u32>> = Vec::new();
    let mut v6: Vec<Interval<u128>> = Vec::new();
    for entry in group.entries() {
        let addresses = match entry {
            Host::Name(name) => flat.get(name.as_str())?.clone()?,
            Host::Address(_) | Host::Prefix(_) | Host::Range(_) | Host::HostPart(_) => {
                addresses_of(entry)
            }
        };
        v4.extend(addresses.v4.iter());
        v6.extend(addresses.v6.iter());
    }
    Some(Addresses {
        v4: v4.into_iter().collect(),
        v6: v6.into_iter().collect(),
    })
}

/// Whoever compiles has not brought the list along.
fn not_read(file: &ListFile, at: &DocPath) -> Diagnostic {
    Diagnostic::error(
        Code::NoSuchFile,
        format!("the list `{file}` has not been read"),
    )
    .at(at.key("file"), "no file to read it from")
    .help("lists are read from the directory of the policy")
}

fn names_are_groups(
    group: &Group,
    at: &DocPath,
    policy: &Policy,
    diagnostics: &mut Diagnostics,
) -> bool {
    let mut known = true;
    for (index, name) in names(group) {
        if policy.groups.contains_key(name) {
            continue;
        }
        known = false;
        let at = at.index(index);
        if policy.zones.contains_key(name) || name == "firewall" {
            let diagnostic = Diagnostic::error(
                Code::ZoneInGroup,
                format!("the zone `{name}` cannot be part of a group"),
            )
            .at(at, "is a zone; a group has addresses and groups")
            .help("write the zone beside the group in `source` or `destination`");
            diagnostics.push(diagnostic);
            continue;
        }
        if policy.sets.keys().any(|set| set.as_str() == name) {
            let message = format!("the set `{name}` cannot be part of a group");
            let diagnostic = Diagnostic::error(Code::SetInGroup, message)
                .at(
                    at,
                    "is a set; a group has addresses and groups that never change",
                )
                .help("write the set beside the group in `source` or `destination`");
            diagnostics.push(diagnostic);
            continue;
        }
        let diagnostic = Diagnostic::error(Code::UnknownGroup, format!("unknown group `{name}`"))
            .at(at, "no group has this name");
        diagnostics.push(
            match nearest(name, policy.groups.keys().map(|group| group.as_str())) {
                Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                None => diagnostic.help("groups are defined below `groups:`"),
            },
        );
    }
    known
}

/// Says of each cycle once how it goes. Groups that only lead into one are not to blame.
fn report_rest(open: &BTreeMap<&str, &Group>, diagnostics: &mut Diagnostics) {
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    for start in open.keys().copied() {
        let mut way: Vec<(&str, usize)> = Vec::new();
        let mut here = start;
        loop {
            if let Some(begin) = way.iter().position(|(name, _)| *name == here) {
                diagnostics.push(cycle(way.get(begin..).unwrap_or_default()));
                break;
            }
            if !seen.insert(here) {
                break;
            }
            let next = open
                .get(here)
                .and_then(|group| names(group).find(|(_, name)| open.contains_key(name)));
            let Some((index, next)) = next else {
                // Nothing left in the way but the number of rounds.
                diagnostics.push(too_deep(here));
                break;
            };
            way.push((here, index));
            here = next;
        }
    }
}

fn cycle(way: &[(&str, usize)]) -> Diagnostic {
    let Some((first, _)) = way.first() else {
        return too_deep("");
    };
    let mut text = String::new();
    for (name, _) in way {
        text += &format!("`{name}` → ");
    }
    let message = format!("the group `{first}` is part of itself: {text}`{first}`");
    let mut diagnostic = Diagnostic::error(Code::GroupCycle, message);
    for (nth, (name, index)) in way.iter().enumerate() {
        let label = match (nth, nth + 1 == way.len()) {
            (_, true) if way.len() == 1 => "is the group itself",
            (_, true) => "and here the circle closes",
            (0, false) => "leads on",
            (_, false) => "leads on again",
        };
        diagnostic = diagnostic.at(path_of(name).index(*index), label);
    }
    diagnostic.help("take one of these entries out")
}

fn too_deep(name: &str) -> Diagnostic {
    Diagnostic::error(
        Code::GroupTooDeep,
        format!("the group `{name}` is nested more than {DEEPEST} groups deep"),
    )
    .at_key(path_of(name), "too many groups of groups")
    .help("list the addresses in fewer steps")
}

/// Complains about entries that another entry of the same list holds already.
pub(super) fn overlapping(entries: &[Host], at: &DocPath, diagnostics: &mut Diagnostics) {
    if entries.len() < 2 {
        return;
    }
    let mut v4: Vec<(Interval<u32>, usize)> = Vec::new();
    let mut v6: Vec<(Interval<u128>, usize)> = Vec::new();
    let mut names: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, entry) in entries.iter().enumerate() {
        if let Host::Name(name) = entry {
            match names.get(name.as_str()) {
                Some(first) => diagnostics.push(overlap(entries, *first, index, at)),
                None => _ = names.insert(name.as_str(), index),
            }
        }
        let addresses = addresses_of(entry);
        v4.extend(addresses.v4.iter().map(|interval| (interval, index)));
        v6.extend(addresses.v6.iter().map(|interval| (interval, index)));
    }
    let mut pairs = overlaps(v4);
    pairs.extend(overlaps(v6));
    pairs.sort_unstable();
    diagnostics.extend(
        pairs
            .into_iter()
            .map(|(later, first)| overlap(entries, first, later, at)),
    );
}

/// Pairs of places in the list: one whose entry overlaps another, and that other.
fn overlaps<T: Bound>(mut spans: Vec<(Interval<T>, usize)>) -> Vec<(usize, usize)> {
    spans.sort_by_key(|(span, index)| (span.lo, std::cmp::Reverse(span.hi), *index));
    let mut pairs = Vec::new();
    let mut widest: Option<(Interval<T>, usize)> = None;
    for (span, index) in spans {
        match widest {
            Some((wide, first)) if span.lo <= wide.hi => {
                pairs.push((index, first));
                if wide.hi < span.hi {
                    widest = Some((span, index));
                }
            }
            _ => widest = Some((span, index)),
        }
    }
    pairs
}

fn overlap(entries: &[Host], first: usize, later: usize, at: &DocPath) -> Diagnostic {
    let of = |index: usize| {
        entries
            .get(index)
            .map(|entry| (entry.to_string(), addresses_of(entry)))
    };
    let (Some((here, inner)), Some((there, outer))) = (of(later), of(first)) else {
        return Diagnostic::warning(Code::OverlappingEntries, "two entries overlap").at(at, "");
    };
    let (message, here, there) = if inner == outer && here == there {
        (
            format!("`{here}` is in the list twice"),
            "is there already",
            "here",
        )
    } else if inner.subtract(&outer).is_empty() {
        (
            format!("`{here}` is part of `{there}`"),
            "is in the list already",
            "holds it",
        )
    } else {
        (
            format!("`{here}` and `{there}` overlap"),
            "shares addresses",
            "with this entry",
        )
    };
    Diagnostic::warning(Code::OverlappingEntries, message)
        .at(at.index(later), here)
        .at(at.index(first), there)
        .help("the list is read as one set of addresses: take one of them out, or make them fit")
}

#[cfg(test)]
mod tests {
    use crate::compile::resolve::tests::{drafted, shown};

    #[track_caller]
    fn check(groups: &str, expect_groups: &str, expect_said: &str) {
        let (model, said) = drafted(&format!(
            "version: 1\nzones: {{ lan: {{ interfaces: [eth1] }} }}\ngroups:\n{groups}\n"
        ));
        let groups: Vec<String> = model
            .groups
            .iter()
            .map(|(name, group)| format!("{name}: {}", shown(group)))
            .collect();
        assert_eq!(
            (groups.join("\n").as_str(), said.as_str()),
            (expect_groups, expect_said)
        );
    }

    #[test]
    fn a_list_file_makes_every_group_long_that_has_it() {
        let (model, _) = drafted(
            "version: 1\nzones: { lan: { interfaces: [eth1] } }\ngroups:\n  listed: { file: l.txt }\n  \
             outer: [inner]\n  inner: [listed, 10.0.0.1]\n  short: [10.0.0.2]\n",
        );
        let long: Vec<_> = model.from_files.into_iter().collect();
        assert_eq!(long, ["inner", "listed", "outer"]);
    }

    #[test]
    fn groups_of_groups() {
        check(
            "  a: [b, c, 10.0.0.1]\n  b: [10.0.1.0/24, 'fd00::1']\n  c: [b, 10.0.2.1-10.0.2.9]",
            "a: 10.0.0.1 10.0.1.0-10.0.1.255 10.0.2.1-10.0.2.9 fd00::1\n\
             b: 10.0.1.0-10.0.1.255 fd00::1\n\
             c: 10.0.1.0-10.0.1.255 10.0.2.1-10.0.2.9 fd00::1",
            "",
        );
    }

    #[test]
    fn circles() {
        check(
            "  a: [a]",
            "",
            "group-cycle: the group `a` is part of itself: `a` → `a`\n",
        );
        check(
            "  a: [10.0.0.1, b]\n  b: [c]\n  c: [b]\n  d: [10.0.0.2]",
            "d: 10.0.0.2",
            "group-cycle: the group `b` is part of itself: `b` → `c` → `b`\n",
        );
        check(
            "  a: [b]\n  b: [a]\n  x: [y]\n  y: [x, a]",
            "",
            "group-cycle: the group `a` is part of itself: `a` → `b` → `a`\n\
             group-cycle: the group `x` is part of itself: `x` → `y` → `x`\n",
        );
    }

    #[test]
    fn what_needs_a_wrong_group_is_wrong_without_a_word() {
        check(
            "  a: [b]\n  b: [nobody]",
            "",
            "unknown-group: unknown group `nobody`\n",
        );
        check(
            "  a: [lan]",
            "",
            "zone-in-group: the zone `lan` cannot be part of a group\n",
        );
    }

    #[test]
    fn entries_that_hold_each_other() {
        check(
            "  a: [10.0.0.0/24, 10.0.0.5, 10.0.0.200-10.0.1.5, 10.0.1.6]",
            "a: 10.0.0.0-10.0.1.5 10.0.1.6",
            "overlapping-entries: `10.0.0.5` is part of `10.0.0.0/24`\n\
             overlapping-entries: `10.0.0.200-10.0.1.5` and `10.0.0.0/24` overlap\n",
        );
    }
}
