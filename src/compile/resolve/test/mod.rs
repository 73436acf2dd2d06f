//! Tests: which packets they are about, and what they claim.

mod end;
mod expect;
mod home;
mod packets;
mod scan;
mod set;
mod times;

use super::Scope;
use super::nat::Entries;
use crate::compile::claim::{self, Claim};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, DocPath};
use crate::policy::Test;
use home::Homes;
use std::collections::BTreeMap;

/// What tests are resolved with.
pub(super) struct Context<'s, 'a> {
    pub(super) scope: &'s Scope<'a>,
    pub(super) nat: &'s Entries,
    homes: Homes,
}

/// All tests that can be resolved.
pub(super) fn tests(
    scope: &Scope<'_>,
    nat: &Entries,
    diagnostics: &mut Diagnostics,
) -> Vec<claim::Test> {
    if scope.policy.tests.is_empty() {
        return Vec::new();
    }
    let context = Context {
        scope,
        nat,
        homes: Homes::of(&scope.zones, nat),
    };
    let at = DocPath::root().key("tests");
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    let mut tests = Vec::new();
    for (index, test) in scope.policy.tests.iter().enumerate() {
        let name = test.name.as_str();
        let first = *seen.entry(name).or_insert(index);
        let here = at.index(index);
        if first != index {
            let diagnostic =
                Diagnostic::error(Code::DuplicateTest, format!("two tests are named `{name}`"))
                    .at(here.key("name"), "is taken")
                    .at(at.index(first).key("name"), "by this one")
                    .help("reports know them by their names: give one of them another");
            diagnostics.push(diagnostic);
        }
        if let Some(claim) = claim(test, &here, &context, diagnostics) {
            tests.push(claim::Test {
                name: name.to_owned(),
                claim,
                at: here,
            });
        }
    }
    tests
}

/// The keys of a test, whether it has them, and for which kinds of test they are.
fn keys(test: &Test) -> [(&'static str, bool, &'static [Kind]); 14] {
    use Kind::{Packets, Scan, Set};
    let Test {
        name: _,
        from,
        to,
        service,
        family,
        state,
        at,
        expect,
        by,
        source_after,
        destination_after,
        count,
        scan,
        set,
        never_contains,
    } = test;
    [
        ("from", from.is_some(), &[Packets, Scan]),
        ("to", to.is_some(), &[Packets, Scan]),
        ("service", service.is_some(), &[Packets]),
        ("family", family.is_some(), &[Packets, Scan]),
        ("state", state.is_some(), &[Packets]),
        ("at", at.is_some(), &[Packets, Scan]),
        ("expect", expect.is_some(), &[Packets]),
        ("by", by.is_some(), &[Packets]),
        ("source_after", source_after.is_some(), &[Packets]),
        ("destination_after", destination_after.is_some(), &[Packets]),
        ("count", count.is_some(), &[Packets]),
        ("scan", scan.is_some(), &[Scan]),
        ("set", set.is_some(), &[Set]),
        ("never_contains", !never_contains.is_empty(), &[Set]),
    ]
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Packets,
    Scan,
    Set,
}

impl Kind {
    fn of(test: &Test) -> Self {
        match () {
            () if test.set.is_some() || !test.never_contains.is_empty() => Self::Set,
            () if test.scan.is_some() => Self::Scan,
            () => Self::Packets,
        }
    }

    fn needs(self) -> &'static [&'static str] {
        match self {
            Self::Packets => &["from", "to", "service", "expect"],
            Self::Scan => &["from", "to"],
            Self::Set => &["set", "never_contains"],
        }
    }

    fn what(self) -> &'static str {
        match self {
            Self::Packets => "a test with `expect`",
            Self::Scan => "a test with `scan`",
            Self::Set => "a test of a set",
        }
    }
}

fn claim(
    test: &Test,
    at: &DocPath,
    context: &Context<'_, '_>,
    diagnostics: &mut Diagnostics,
) -> Option<Claim> {
    let kind = Kind::of(test);
    let mut fits = true;
    for (key, is_there, kinds) in keys(test) {
        if is_there && !kinds.contains(&kind) {
            fits = false;
            let message = format!("{} has no `{key}`", kind.what());
            let diagnostic = Diagnostic::error(Code::MisplacedTestKey, message)
                .at_key(at.key(key), "belongs to another kind of test")
                .help("make two tests of it");
            diagnostics.push(diagnostic);
        }
        if !is_there && kind.needs().contains(&key) {
            fits = false;
            let name = &test.name;
            let message = format!("the test `{name}` has no `{key}`");
            let help = match key {
                "service" => "write `service: any` for every protocol and port",
                "expect" => "a test has `expect`, `scan`, or `set` and `never_contains`",
                "from" | "to" => "write a zone, `firewall`, `any` or an address",
                _ => "a test of a set has `set` and `never_contains`",
            };
            let diagnostic = Diagnostic::error(Code::IncompleteTest, message)
                .at(at, format!("`{key}` is needed here"))
                .help(help);
            diagnostics.push(diagnostic);
        }
    }
    if !fits {
        return None;
    }
    match kind {
        Kind::Packets => packets::packets(test, at, context, diagnostics),
        Kind::Scan => scan::scan(test, at, context, diagnostics),
        Kind::Set => set::set(test, at, context, diagnostics),
    }
}
