//! Names that say two things, or would once they are in the kernel.

use std::collections::{BTreeMap, HashMap};

use super::policy_path;
use crate::compile::resolve::{of_builtin, own_service};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, DocPath};
use crate::policy::builtin;
use crate::policy::{Policy, ServiceRef};

/// The kernel keeps 128 bytes of a rule's comment; the longest addition to `policy/rule` is `/verdict`.
const LONGEST_STABLE_NAME: usize = 120;

/// Beginnings of the names of rfw's own rules and sets: a policy of that name would be mistaken for them.
const OWN: [&str; 8] = [
    "forward", "group", "input", "nat", "output", "raw", "set", "zone",
];

/// Checks all names.
pub(super) fn names(policy: &Policy, diagnostics: &mut Diagnostics) {
    policies(policy, diagnostics);
    nat(policy, diagnostics);
    let names = policy.raw.iter().map(|block| block.name.as_str());
    let at = |index| DocPath::root().key("raw").index(index).key("name");
    unique(Code::DuplicateRaw, "raw blocks", names, at, diagnostics);
    services(policy, diagnostics);
    groups(policy, diagnostics);
    sets(policy, diagnostics);
    repeated_services(policy, diagnostics);
}

fn policies(policy: &Policy, diagnostics: &mut Diagnostics) {
    let names = policy.policies.iter().map(|policy| policy.name.as_str());
    let at = |index| policy_path(index).key("name");
    unique(Code::DuplicatePolicy, "policies", names, at, diagnostics);
    for (index, zone_policy) in policy.policies.iter().enumerate() {
        let name = zone_policy.name.as_str();
        let at = policy_path(index);
        if OWN.contains(&name) {
            let diagnostic = Diagnostic::error(
                Code::ReservedName,
                format!("a policy cannot be named `{name}`"),
            )
            .at(at.key("name"), "is how names of rfw itself begin")
            .help("say between whom it is: `lan-to-wan`");
            diagnostics.push(diagnostic);
        }
        rules(zone_policy, &at, diagnostics);
    }
}

fn rules(zone_policy: &crate::policy::ZonePolicy, at: &DocPath, diagnostics: &mut Diagnostics) {
    let rules = at.key("rules");
    let at = |index| rules.index(index).key("name");
    for (index, rule) in zone_policy.rules.iter().enumerate() {
        let name = rule.name.as_str();
        if name == "default" {
            let diagnostic =
                Diagnostic::error(Code::ReservedName, "a rule cannot be named `default`")
                    .at(at(index), "is what the end of the policy is called")
                    .help("call it by what it lets through or stops");
            diagnostics.push(diagnostic);
        }
        if LONGEST_STABLE_NAME < zone_policy.name.as_str().len() + 1 + name.len() {
            let stable = format!("{}/{name}", zone_policy.name);
            let message = format!(
                "`{stable}` has {} characters, at most {LONGEST_STABLE_NAME} are possible",
                stable.len()
            );
            let diagnostic = Diagnostic::error(Code::RuleNameTooLong, message)
                .at(at(index), "is too long with the name of its policy")
                .help("shorten the name of the rule or of the policy");
            diagnostics.push(diagnostic);
        }
    }
    let names = zone_policy.rules.iter().map(|rule| rule.name.as_str());
    unique(
        Code::DuplicateRule,
        "rules of one policy",
        names,
        at,
        diagnostics,
    );
}

fn nat(policy: &Policy, diagnostics: &mut Diagnostics) {
    let crate::policy::Nat {
        masquerade,
        snat,
        dnat,
        redirect,
        netmap,
        nptv6,
    } = &policy.nat;
    let lists: [(&str, Vec<&str>); 6] = [
        (
            "masquerade",
            masquerade.iter().map(|entry| entry.name.as_str()).collect(),
        ),
        (
            "snat",
            snat.iter().map(|entry| entry.name.as_str()).collect(),
        ),
        (
            "dnat",
            dnat.iter().map(|entry| entry.name.as_str()).collect(),
        ),
        (
            "redirect",
            redirect.iter().map(|entry| entry.name.as_str()).collect(),
        ),
        (
            "netmap",
            netmap.iter().map(|entry| entry.name.as_str()).collect(),
        ),
        (
            "nptv6",
            nptv6.iter().map(|entry| entry.name.as_str()).collect(),
        ),
    ];
    let entries: Vec<(&str, usize, &str)> = lists
        .into_iter()
        .flat_map(|(kind, names)| {
            let numbered = names.into_iter().enumerate();
            numbered.map(move |(index, name)| (kind, index, name))
        })
        .collect();
    let at = |entry: usize| {
        let entry = entries.get(entry);
        let (kind, index) = entry.map_or(("", 0), |(kind, index, _)| (kind, *index));
        let list = DocPath::root().key("nat").key(kind);
        list.index(index).key("name")
    };
    let names = entries.iter().map(|(.., name)| *name);
    unique(Code::DuplicateNat, "translations", names, at, diagnostics);
}

/// Complains about a name for the second time; `at` tells where the one of a number stands.
fn unique<'a>(
    code: Code,
    what: &str,
    names: impl Iterator<Item = &'a str>,
    at: impl Fn(usize) -> DocPath,
    diagnostics: &mut Diagnostics,
) {
    let mut seen: HashMap<&str, usize> = HashMap::new();
    for (index, name) in names.enumerate() {
        let first = *seen.entry(name).or_insert(index);
        if first != index {
            let diagnostic = Diagnostic::error(code, format!("two {what} are named `{name}`"))
                .at(at(index), "is taken")
                .at(at(first), "by this one")
                .help(
                    "plans, logs and counters know them by their names: give one of them another",
                );
            diagnostics.push(diagnostic);
        }
    }
}

fn services(policy: &Policy, diagnostics: &mut Diagnostics) {
    let at = DocPath::root().key("services");
    for (name, service) in &policy.services {
        let name = name.as_str();
        if name == "any" || name == "all" {
            diagnostics.push(reserved("service", name, &at.name(name)));
        }
        let Some(built_in) = builtin::service(name) else {
            continue;
        };
        if own_service(name, service).is_none_or(|own| own == of_builtin(built_in)) {
            continue;
        }
        let message = format!("`{name}` is not what the built-in service `{name}` is");
        let diagnostic = Diagnostic::warning(Code::ShadowsBuiltin, message)
            .at_key(at.name(name), format!("takes the place of `{built_in}`"))
            .help("another name keeps both, and tells readers that it is not the usual one");
        diagnostics.push(diagnostic);
    }
}

fn groups(policy: &Policy, diagnostics: &mut Diagnostics) {
    for name in policy.groups.keys() {
        let name = name.as_str();
        let at = DocPath::root().key("groups").name(name);
        if matches!(name, "any" | "all" | "firewall" | "self") {
            diagnostics.push(reserved("group", name, &at));
        } else if policy.zones.contains_key(name) {
            let diagnostic =
                Diagnostic::error(Code::NameClash, format!("`{name}` is a group and a zone"))
                    .at_key(at, "is a group")
                    .at_key(DocPath::root().key("zones").name(name), "and a zone")
                    .help("in `source` nobody could tell which one is meant: rename one");
            diagnostics.push(diagnostic);
        }
    }
}

fn sets(policy: &Policy, diagnostics: &mut Diagnostics) {
    let root = DocPath::root();
    for name in policy.sets.keys() {
        let name = name.as_str();
        let at = root.key("sets").name(name);
        if matches!(name, "any" | "all" | "firewall" | "self") {
            diagnostics.push(reserved("set", name, &at));
            continue;
        }
        let groups = policy.groups.keys().map(|group| group.as_str());
        let other = if policy.zones.contains_key(name) {
            ("zone", "zones")
        } else if groups.into_iter().any(|group| group == name) {
            ("group", "groups")
        } else {
            continue;
        };
        let (what, section) = other;
        let diagnostic =
            Diagnostic::error(Code::NameClash, format!("`{name}` is a set and a {what}"))
                .at_key(at, "is a set")
                .at_key(root.key(section).name(name), format!("and a {what}"))
                .help("in `source` nobody could tell which one is meant: rename one");
        diagnostics.push(diagnostic);
    }
}

fn reserved(what: &str, name: &str, at: &DocPath) -> Diagnostic {
    Diagnostic::error(
        Code::ReservedName,
        format!("a {what} cannot be named `{name}`"),
    )
    .at_key(at.clone(), "is a word of the language")
    .help("choose another name")
}

fn repeated_services(policy: &Policy, diagnostics: &mut Diagnostics) {
    for (policy_index, zone_policy) in policy.policies.iter().enumerate() {
        let several = zone_policy.rules.iter().enumerate();
        for (index, rule) in several.filter(|(_, rule)| 1 < rule.services.len()) {
            let at = policy_path(policy_index)
                .key("rules")
                .index(index)
                .key("services");
            repeated(&rule.services, &at, diagnostics);
        }
    }
    let at = DocPath::root().key("nat");
    for (index, entry) in policy.nat.snat.iter().enumerate() {
        repeated(
            &entry.services,
            &at.key("snat").index(index).key("services"),
            diagnostics,
        );
    }
    for (index, entry) in policy.nat.dnat.iter().enumerate() {
        repeated(
            &entry.services,
            &at.key("dnat").index(index).key("services"),
            diagnostics,
        );
    }
    for (index, entry) in policy.nat.redirect.iter().enumerate() {
        repeated(
            &entry.services,
            &at.key("redirect").index(index).key("services"),
            diagnostics,
        );
    }
}

fn repeated(services: &[ServiceRef], at: &DocPath, diagnostics: &mut Diagnostics) {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, service) in services.iter().enumerate() {
        let ServiceRef::Name(name) = service else {
            continue;
        };
        if let Some(first) = seen.get(name.as_str()) {
            let diagnostic =
                Diagnostic::warning(Code::ServiceTwice, format!("`{name}` is in the list twice"))
                    .at(at.index(index), "is there already")
                    .at(at.index(*first), "here")
                    .help("take one out");
            diagnostics.push(diagnostic);
        }
        seen.entry(name.as_str()).or_insert(index);
    }
}

#[cfg(test)]
mod tests {
    use crate::compile::check::tests::said;

    #[track_caller]
    fn check(policy: &str, rule: &str, more: &str, expect: &str) {
        let text = format!(
            "version: 1\nzones: {{ lan: {{ interfaces: [eth1], networks: [10.0.0.0/8] }} }}\n{more}\n\
             policies: [{{ name: {policy}, from: lan, to: firewall, rules: [{rule}] }}]\n"
        );
        assert_eq!(said(&text), expect);
    }

    #[test]
    fn names_of_rfw_itself() {
        let rule = "{ name: a, action: accept }";
        check(
            "nat",
            rule,
            "",
            "error[reserved-name]: a policy cannot be named `nat`\n",
        );
        check("nat2", rule, "", "");
        check(
            "in",
            "{ name: default, action: accept }",
            "",
            "error[reserved-name]: a rule cannot be named `default`\n",
        );
    }

    #[test]
    fn words_of_the_language() {
        let rule = "{ name: a, services: [any], source: [all], action: accept }";
        let more = "services: { any: { tcp: [1] } }\ngroups: { all: [10.0.0.1] }";
        check(
            "in",
            rule,
            more,
            "error[reserved-name]: a service cannot be named `any`\nerror[reserved-name]: a group cannot be named `all`\n",
        );
    }

    #[test]
    fn names_that_the_kernel_keeps() {
        let rule = |length: usize| format!("{{ name: {}, action: accept }}", "r".repeat(length));
        let policy = "p".repeat(60);
        check(&policy, &rule(59), "", "");
        let stable = format!("{policy}/{}", "r".repeat(60));
        check(
            &policy,
            &rule(60),
            "",
            &format!(
                "error[rule-name-too-long]: `{stable}` has 121 characters, at most 120 are possible\n"
            ),
        );
    }

    #[test]
    fn an_own_service_that_is_the_built_in_one() {
        let rule = "{ name: a, services: [ftp], action: accept }";
        check(
            "in",
            rule,
            "services: { ftp: { tcp: [21], helper: ftp } }",
            "",
        );
        check(
            "in",
            rule,
            "services: { ftp: { tcp: [21] } }",
            "warning[shadows-builtin]: `ftp` is not what the built-in service `ftp` is\n",
        );
    }

    #[test]
    fn translations_of_all_kinds_share_their_names() {
        let text = "version: 1
zones: { lan: { interfaces: [eth1] }, wan: { interfaces: [eth0] } }
policies: [{ name: in, from: any, to: firewall, default: accept }]
nat:
  masquerade: [{ name: a, from: lan, to: wan }]
  snat: [{ name: a, from: lan, to: wan, address: 192.0.2.1 }]
";
        assert_eq!(
            said(text),
            "error[duplicate-nat]: two translations are named `a`\n"
        );
    }
}
