//! Sets: what each of them is, and what rules put into them.

use std::collections::BTreeMap;

use crate::compile::model::LivingSet;
use crate::diagnostic::{Code, Diagnostic, Diagnostics, DocPath, nearest};
use crate::policy::{self, Policy};

/// How many sources a dynamic set holds when nothing is said.
const SIZE: u32 = 65_536;

/// Every set; `None` where the definition is wrong.
pub(super) fn sets<'a>(
    policy: &'a Policy,
    diagnostics: &mut Diagnostics,
) -> BTreeMap<&'a str, Option<LivingSet>> {
    let root = DocPath::root().key("sets");
    let sets = policy.sets.iter().map(|(name, written)| {
        let at = root.name(name.as_str());
        (name.as_str(), set(name.as_str(), written, &at, diagnostics))
    });
    sets.collect()
}

fn set(
    name: &str,
    written: &policy::LivingSet,
    at: &DocPath,
    diagnostics: &mut Diagnostics,
) -> Option<LivingSet> {
    let policy::LivingSet {
        dynamic,
        timeout,
        size,
    } = written;
    if *dynamic != Some(true) {
        let message = format!("nothing can fill the set `{name}`");
        let diagnostic = Diagnostic::error(Code::SetWithoutSource, message)
            .at(at, "is not `dynamic: true`")
            .help("write `dynamic: true` and a `timeout`; what never changes is a group");
        diagnostics.push(diagnostic);
        return None;
    }
    let Some(timeout) = timeout else {
        let message = format!("the dynamic set `{name}` has no `timeout`");
        let diagnostic = Diagnostic::error(Code::MissingKey, message)
            .at(at, "`timeout` is needed here")
            .help("`timeout`: how long a source stays in the set, such as `1h`");
        diagnostics.push(diagnostic);
        return None;
    };
    Some(LivingSet::Dynamic {
        timeout: timeout.seconds(),
        size: size.unwrap_or(SIZE),
    })
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
