//! Whether a policy makes sense: what contradicts itself, can never happen, or is not what it looks like.
//!
//! Checks read the policy where its words matter (names, dates) and the draft where its meaning does. They never
//! change anything. What is certainly a mistake is an error; what may be meant is a warning.

mod expiry;
mod extent;
mod forward;
mod name;
mod nat;
mod reach;
mod rule;
mod unused;
mod zone;

use super::resolve::Draft;
use crate::diagnostic::{Diagnostics, DocPath};
use crate::policy::Policy;
use jiff::civil::Date;

/// Says everything there is to say. `today` is the day that `expires` is compared with.
pub(super) fn check(policy: &Policy, draft: &Draft, today: Date, diagnostics: &mut Diagnostics) {
    let Draft { model, partial } = draft;
    name::names(policy, diagnostics);
    zone::interfaces(policy, diagnostics);
    zone::networks(policy, diagnostics);
    zone::ends(policy, diagnostics);
    rule::policies(policy, diagnostics);
    rule::rules(model, diagnostics);
    nat::entries(model, diagnostics);
    forward::overlaps(model, diagnostics);
    reach::rules(model, diagnostics);
    reach::policies(model, diagnostics);
    if !partial {
        reach::way_in(model, diagnostics);
    }
    expiry::rules(policy, today, diagnostics);
    if !diagnostics.has_errors() {
        // A name that is misspelt elsewhere is not left over.
        unused::names(policy, diagnostics);
    }
}

/// `policies[INDEX]`
fn policy_path(index: usize) -> DocPath {
    DocPath::root().key("policies").index(index)
}
