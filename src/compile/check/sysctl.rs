//! Whether the settings of the box make sense together, and with the zones.

use crate::compile::model::Model;
use crate::compile::settings::{CEILING, FLOOR, addresses};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, DocPath};
use crate::policy::{Neighbour, Policy, Sysctl, Thresholds};
use crate::system::Family;

pub(super) fn settings(policy: &Policy, model: &Model, diagnostics: &mut Diagnostics) {
    let Some(sysctl) = &policy.sysctl else {
        return;
    };
    let at = DocPath::root().key("sysctl");
    match &sysctl.neighbour {
        Some(Neighbour::Name(_)) => auto(model, &at.key("neighbour"), diagnostics),
        Some(Neighbour::Inline(thresholds)) => {
            order(thresholds, &at.key("neighbour"), diagnostics);
        }
        None => {}
    }
    forwarding(policy, sysctl, &at, diagnostics);
}

fn auto(model: &Model, at: &DocPath, diagnostics: &mut Diagnostics) {
    if model.zones.values().all(|zone| zone.networks.is_empty()) {
        diagnostics.push(
            Diagnostic::warning(
                Code::NeighboursUnknown,
                format!(
                    "`neighbour: auto` has no `networks` to count: it takes {FLOOR}, the least"
                ),
            )
            .at(at.clone(), "no zone says what networks it has")
            .help("write the zones' `networks`, or the three thresholds"),
        );
        return;
    }
    for (family, word) in [(Family::V4, "IPv4"), (Family::V6, "IPv6")] {
        let addresses = addresses(model, family);
        if u128::from(CEILING) < addresses {
            diagnostics.push(
                Diagnostic::warning(
                    Code::NeighboursTooMany,
                    format!("the zones' networks hold more {word} addresses than `neighbour: auto` makes room for"),
                )
                .at(at.clone(), format!("room for {CEILING}, and four times that in need"))
                .help(
                    "where most of them are behind other routers, all is well; \
                     otherwise write the three thresholds",
                ),
            );
        }
    }
}

fn order(thresholds: &Thresholds, at: &DocPath, diagnostics: &mut Diagnostics) {
    let Thresholds {
        gc_thresh1,
        gc_thresh2,
        gc_thresh3,
    } = thresholds;
    let pairs = [
        ("gc_thresh1", gc_thresh1, "gc_thresh2", gc_thresh2),
        ("gc_thresh2", gc_thresh2, "gc_thresh3", gc_thresh3),
    ];
    for (low, lo, high, hi) in pairs {
        if hi < lo {
            diagnostics.push(
                Diagnostic::error(
                    Code::ThresholdsReversed,
                    format!("`{high}` ({hi}) is less than `{low}` ({lo})"),
                )
                .at(at.key(high), format!("expected {lo} or more"))
                .at(at.key(low), "the lower one is here"),
            );
        }
    }
}

/// A box that forwards nothing has no use for address translation.
fn forwarding(policy: &Policy, sysctl: &Sysctl, at: &DocPath, diagnostics: &mut Diagnostics) {
    let translates = !policy.nat.masquerade.is_empty()
        || !policy.nat.snat.is_empty()
        || !policy.nat.dnat.is_empty()
        || !policy.nat.netmap.is_empty()
        || !policy.nat.nptv6.is_empty();
    if sysctl.forwarding == Some(false) && translates {
        diagnostics.push(
            Diagnostic::warning(
                Code::ForwardingOff,
                "the box translates addresses for others but does not forward their packets",
            )
            .at(at.key("forwarding"), "forwarding is switched off here")
            .help("write `forwarding: true`, or take the `nat` entries out"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::said;

    #[track_caller]
    fn check(sysctl: &str, zone: &str, more: &str, expect: &str) {
        let said = said(&format!(
            "version: 1\nsysctl: {sysctl}\nzones:\n  lan: {{ interfaces: [eth1]{zone} }}\n  \
             wan: {{ interfaces: [eth0] }}\n\
             policies:\n  - {{ name: in, from: lan, to: [firewall, wan], default: accept }}\n{more}"
        ));
        assert_eq!(said.trim_end(), expect);
    }

    #[test]
    fn thresholds_grow() {
        let with = |one, two, three| {
            format!(
                "{{ neighbour: {{ gc_thresh1: {one}, gc_thresh2: {two}, gc_thresh3: {three} }} }}"
            )
        };
        check(&with(1, 1, 1), "", "", "");
        check(
            &with(3, 2, 1),
            "",
            "",
            "error[thresholds-reversed]: `gc_thresh2` (2) is less than `gc_thresh1` (3)\n\
             error[thresholds-reversed]: `gc_thresh3` (1) is less than `gc_thresh2` (2)",
        );
    }

    #[test]
    fn auto_wants_networks_and_not_too_many() {
        check(
            "{ neighbour: auto }",
            ", networks: [192.168.0.0/22]",
            "",
            "",
        );
        check(
            "{ neighbour: auto }",
            "",
            "",
            "warning[neighbours-unknown]: `neighbour: auto` has no `networks` to count: it takes 1024, the least",
        );
        check("{ neighbour: auto }", ", networks: [10.0.0.0/17]", "", "");
        check(
            "{ neighbour: auto }",
            ", networks: [10.0.0.0/16]",
            "",
            "warning[neighbours-too-many]: the zones' networks hold more IPv4 addresses than `neighbour: auto` makes room for",
        );
    }

    #[test]
    fn who_translates_forwards() {
        let nat = "nat:\n  masquerade:\n    - { name: out, from: lan, to: wan }\n";
        check("{ forwarding: true }", "", nat, "");
        check("{ forwarding: false }", "", "", "");
        check(
            "{ forwarding: false }",
            "",
            nat,
            "warning[forwarding-off]: the box translates addresses for others but does not forward their packets",
        );
    }
}
