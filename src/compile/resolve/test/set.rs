//! Tests of sets: what a fetched one never holds.

use super::Context;
use super::end::addresses;
use crate::compile::claim::Claim;
use crate::compile::model::LivingSet;
use crate::diagnostic::{Code, Diagnostic, Diagnostics, DocPath, nearest};
use crate::policy::Test;
use crate::ruleset::Addresses;

pub(super) fn set(
    test: &Test,
    at: &DocPath,
    context: &Context<'_, '_>,
    diagnostics: &mut Diagnostics,
) -> Option<Claim> {
    let name = test.set.as_ref()?.as_str();
    let Some(set) = context.scope.sets.get(name) else {
        let diagnostic = Diagnostic::error(Code::UnknownSet, format!("unknown set `{name}`"))
            .at(at.key("set"), "no set has this name");
        diagnostics.push(match nearest(name, context.scope.sets.keys().copied()) {
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
            None => diagnostic.help("sets are defined below `sets:`"),
        });
        return None;
    };
    let terms = match set.as_ref()? {
        LivingSet::Fetched { terms, .. } => terms,
        LivingSet::Dynamic { .. } => {
            let message = format!("nobody can say what the dynamic set `{name}` never holds");
            let diagnostic = Diagnostic::error(Code::ImpossibleTest, message)
                .at(at.key("set"), "is filled by the kernel")
                .help("`never_contains` is for sets that are fetched");
            diagnostics.push(diagnostic);
            return None;
        }
    };
    let guarded = terms.never_contains.iter();
    let guarded = guarded.fold(Addresses::default(), |all, (_, one)| all.union(one));
    let mut entries = Vec::new();
    let mut known = true;
    for (index, entry) in test.never_contains.iter().enumerate() {
        let at = at.key("never_contains").index(index);
        match addresses(entry, &at, context, diagnostics) {
            Some(addresses) => entries.push((entry.to_string(), addresses.subtract(&guarded))),
            None => known = false,
        }
    }
    known.then(|| Claim::Set {
        set: name.to_owned(),
        entries,
    })
}
