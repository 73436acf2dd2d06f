//! Sets: what each of them is, and what rules put into them.

use std::collections::BTreeMap;

use super::selector::{addresses_of, networks_of};
use crate::compile::Copies;
use crate::compile::model::{LivingSet, Terms, Zone};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, DocPath, nearest};
use crate::policy::{self, Host, Policy, SetSource};
use crate::ruleset::Addresses;

/// How many sources a dynamic set holds, and how many entries a fetched one may have, when nothing is said.
const SIZE: u32 = 65_536;

/// What the names of the policy mean that sets can be kept apart from.
pub(super) struct Names<'s, 'a> {
    pub(super) zones: &'s BTreeMap<String, Zone>,
    pub(super) groups: &'s BTreeMap<&'a str, Option<Addresses>>,
    /// The copies of fetched sets.
    pub(super) copies: &'s Copies,
}

/// Every set; `None` where the definition is wrong.
pub(super) fn sets<'a>(
    policy: &'a Policy,
    names: &Names<'_, 'a>,
    diagnostics: &mut Diagnostics,
) -> BTreeMap<&'a str, Option<LivingSet>> {
    let root = DocPath::root().key("sets");
    let sets = policy.sets.iter().map(|(name, written)| {
        let at = root.name(name.as_str());
        (
            name.as_str(),
            set(name.as_str(), written, &at, names, diagnostics),
        )
    });
    sets.collect()
}

fn set(
    name: &str,
    written: &policy::LivingSet,
    at: &DocPath,
    names: &Names<'_, '_>,
    diagnostics: &mut Diagnostics,
) -> Option<LivingSet> {
    let policy::LivingSet {
        dynamic,
        timeout,
        size,
        source,
        refresh,
        max_entries,
        keep_last_good,
        never_contains,
        sha256_of,
    } = written;
    let of_dynamic = [("timeout", timeout.is_some()), ("size", size.is_some())];
    let of_fetched = [
        ("refresh", refresh.is_some()),
        ("max_entries", max_entries.is_some()),
        ("keep_last_good", keep_last_good.is_some()),
        ("never_contains", !never_contains.is_empty()),
        ("sha256_of", sha256_of.is_some()),
    ];
    match (dynamic == &Some(true), source) {
        (false, None) => {
            let message = format!("nothing can fill the set `{name}`");
            let diagnostic = Diagnostic::error(Code::SetWithoutSource, message)
                .at(at, "has no `source` and is not `dynamic: true`")
                .help("write a `source`, or `dynamic: true` and a `timeout`; what never changes is a group");
            diagnostics.push(diagnostic);
            None
        }
        (true, Some(_)) => {
            let message = format!("the set `{name}` is both dynamic and fetched");
            let diagnostic = Diagnostic::error(Code::SetTwoSources, message)
                .at_key(at.key("source"), "is fetched from here")
                .at_key(at.key("dynamic"), "and filled by the kernel")
                .help("make two sets of it; `source` of a rule takes both");
            diagnostics.push(diagnostic);
            None
        }
        (true, None) => {
            let fits = misplaced(&of_fetched, "fetched sets", at, diagnostics);
            let Some(timeout) = timeout else {
                let message = format!("the dynamic set `{name}` has no `timeout`");
                let diagnostic = Diagnostic::error(Code::MissingKey, message)
                    .at(at, "`timeout` is needed here")
                    .help("`timeout`: how long a source stays in the set, such as `1h`");
                diagnostics.push(diagnostic);
                return None;
            };
            fits.then_some(LivingSet::Dynamic {
                timeout: timeout.seconds(),
                size: size.unwrap_or(SIZE),
            })
        }
        (false, Some(source)) => {
            let mut fits = misplaced(&of_dynamic, "dynamic sets", at, diagnostics);
            if let SetSource::Dns(_) = source {
                let of_lists = [("sha256_of", sha256_of.is_some())];
                fits &= misplaced(&of_lists, "lists on the web", at, diagnostics);
            }
            let at = at.key("never_contains");
            super::group::overlapping(never_contains, &at, diagnostics);
            let mut never = Vec::new();
            for (index, entry) in never_contains.iter().enumerate() {
                match never_entry(entry, &at.index(index), names, diagnostics) {
                    Some(addresses) => never.push((entry.to_string(), addresses)),
                    None => fits = false,
                }
            }
            let terms = Terms {
                source: source.clone(),
                refresh: refresh.map(|span| span.seconds()),
                max_entries: max_entries.unwrap_or(SIZE),
                keep_last_good: keep_last_good.map(|span| span.seconds()),
                sha256_of: sha256_of.clone(),
                never_contains: never,
            };
            fits.then(|| LivingSet::Fetched {
                addresses: names.copies.get(name).cloned().unwrap_or_default(),
                terms,
            })
        }
    }
}

/// Complains about keys that only sets of another kind have.
fn misplaced(
    keys: &[(&'static str, bool)],
    whose: &str,
    at: &DocPath,
    diagnostics: &mut Diagnostics,
) -> bool {
    let mut fits = true;
    for (key, _) in keys.iter().filter(|(_, is_there)| *is_there) {
        fits = false;
        let diagnostic = Diagnostic::error(
            Code::MisplacedSetKey,
            format!("`{key}` is a key of {whose}"),
        )
        .at_key(at.key(*key), "means nothing here")
        .help("take it out");
        diagnostics.push(diagnostic);
    }
    fits
}

/// The addresses of an entry of `never_contains`.
fn never_entry(
    entry: &Host,
    at: &DocPath,
    names: &Names<'_, '_>,
    diagnostics: &mut Diagnostics,
) -> Option<Addresses> {
    match entry {
        Host::Name(name) => match names.groups.get(name.as_str()) {
            Some(group) => group.clone(),
            None => {
                let groups = names.groups.keys().copied();
                networks_of(name.as_str(), at, names.zones, groups, diagnostics)
            }
        },
        Host::HostPart(_) => {
            let diagnostic = Diagnostic::error(
                Code::HostPartAlone,
                format!("`{entry}` stands for a host in any network"),
            )
            .at(at, "is in every large enough prefix")
            .help("write the whole address or the prefix");
            diagnostics.push(diagnostic);
            None
        }
        Host::Address(_) | Host::Prefix(_) | Host::Range(_) => Some(addresses_of(entry)),
    }
}

/// The set that a rule adds to, if there is one that rules can add to.
pub(super) fn added_to<'a>(
    name: &'a str,
    at: &DocPath,
    sets: &BTreeMap<&str, Option<LivingSet>>,
    policy: &Policy,
    diagnostics: &mut Diagnostics,
) -> Option<&'a str> {
    match sets.get(name) {
        Some(Some(LivingSet::Dynamic { .. })) => Some(name),
        Some(Some(LivingSet::Fetched { .. })) => {
            let message = format!("the set `{name}` is fetched: rules cannot add to it");
            let diagnostic = Diagnostic::error(Code::SetNotDynamic, message)
                .at(at, "is not dynamic")
                .at_key(DocPath::root().key("sets").name(name), "has a `source`")
                .help("add to a set with `dynamic: true`");
            diagnostics.push(diagnostic);
            None
        }
        // Has been said where it is defined.
        Some(None) => None,
        None => {
            let diagnostic = Diagnostic::error(Code::UnknownSet, format!("unknown set `{name}`"))
                .at(at, "no set has this name");
            let help = if policy.groups.keys().any(|group| group.as_str() == name) {
                format!("`{name}` is a group: what is in it never changes")
            } else {
                match nearest(name, sets.keys().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "sets are defined below `sets:`".to_owned(),
                }
            };
            diagnostics.push(diagnostic.help(help));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::compile::resolve::tests::drafted;

    #[track_caller]
    fn check(sets: &str, rule: &str, expect: &str) {
        let (model, said) = drafted(&format!(
            "version: 1\nzones: {{ lan: {{ interfaces: [eth1] }} }}\ngroups: {{ g: [10.0.0.1] }}\nsets: {sets}\n\
             policies:\n  - name: in\n    from: lan\n    to: firewall\n    rules:\n      - {{ name: a, action: drop{rule} }}\n"
        ));
        let sets: Vec<String> = model
            .sets
            .iter()
            .map(|(name, set)| format!("{name}: {set:?}\n"))
            .collect();
        assert_eq!(sets.concat() + &said, expect);
    }

    #[test]
    fn dynamic_sets() {
        check(
            "{ s: { dynamic: true, timeout: 1h } }",
            ", add_source_to: s, source: [g, s]",
            "s: Dynamic { timeout: 3600, size: 65536 }\n",
        );
        check(
            "{ s: { dynamic: true, size: 5 }, t: { timeout: 1s } }",
            ", add_source_to: s, source: [t]",
            "missing-key: the dynamic set `s` has no `timeout`\n\
             set-without-source: nothing can fill the set `t`\n",
        );
    }

    #[test]
    fn what_is_no_set() {
        let sets = "{ s: { dynamic: true, timeout: 1h, size: 9 } }";
        let known = "s: Dynamic { timeout: 3600, size: 9 }\n";
        for (name, said) in [("ss", "ss"), ("g", "g"), ("lan", "lan")] {
            check(
                sets,
                &format!(", add_source_to: {name}"),
                &format!("{known}unknown-set: unknown set `{said}`\n"),
            );
        }
    }
}
