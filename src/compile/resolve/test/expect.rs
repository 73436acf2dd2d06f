//! What a test claims about packets, beside the packets themselves.

use super::Context;
use crate::compile::claim::{After, AfterIs, Counts, Expect, Verdict};
use crate::compile::model::BalanceMode;
use crate::diagnostic::{Code, Diagnostic, Diagnostics, DocPath, nearest};
use crate::policy::{Action, DestinationAfter, Host, RulePath, SourceAfter, Test};

/// Rules that every ruleset has.
const BUILT_IN: [&str; 6] = [
    "anti-spoof",
    "established",
    "invalid",
    "loopback",
    "multicast-listener",
    "neighbour-discovery",
];

/// What is claimed; `None` if it is unknown or contradicts itself.
pub(super) fn expect(
    test: &Test,
    at: &DocPath,
    context: &Context<'_, '_>,
    diagnostics: &mut Diagnostics,
) -> Option<Expect> {
    let verdict = match test.expect? {
        Action::Accept => Verdict::Accept,
        Action::Drop => Verdict::Drop,
        Action::Reject => Verdict::Reject,
    };
    let by = test
        .by
        .as_ref()
        .map(|path| rule(path, &at.key("by"), context, diagnostics));
    let source = test
        .source_after
        .as_ref()
        .map(|after| source(after, &at.key("source_after"), context, diagnostics));
    let destination_at = at.key("destination_after");
    let (destination, shares) = match &test.destination_after {
        None => (None, None),
        Some(DestinationAfter::Host(host)) => (
            Some(addresses(host, &destination_at, context, diagnostics)),
            None,
        ),
        Some(DestinationAfter::Counts(shares)) => (None, Some(shares)),
    };
    let counts = match (test.count, shares) {
        (None, None) => Some(None),
        (Some(connections), Some(shares)) => {
            let shares = shares.iter().map(|(address, count)| (address.ip(), *count));
            let counts = Counts {
                connections,
                shares: shares.collect(),
            };
            shared(counts, at, context, diagnostics).map(Some)
        }
        (count, _) => {
            let (there, missing, help) = match count {
                Some(_) => (
                    "count",
                    "destination_after",
                    "say how many go where: `destination_after: { 192.168.1.20: 4, 192.168.1.21: 2 }`",
                ),
                None => (
                    "destination_after",
                    "count",
                    "say how many connections are made: `count: 6`",
                ),
            };
            let message = format!("`{there}` with numbers needs `{missing}`");
            let diagnostic = Diagnostic::error(Code::IncompleteTest, message)
                .at_key(at.key(there), "is about several connections")
                .help(help);
            diagnostics.push(diagnostic);
            None
        }
    };
    let ends_behind = ["source_after", "destination_after"];
    let has = [source.is_some(), test.destination_after.is_some()];
    for (key, _) in ends_behind.iter().zip(has).filter(|(_, has)| *has) {
        if verdict != Verdict::Accept {
            let message = format!("what does not pass has no `{key}`");
            let diagnostic = Diagnostic::error(Code::ImpossibleTest, message)
                .at_key(at.key(*key), "is about packets that pass")
                .at(at.key("expect"), "but these do not")
                .help("write `expect: accept`, or leave it out");
            diagnostics.push(diagnostic);
            return None;
        }
    }
    let all = |one: Option<Option<After>>| match one {
        None => Some(None),
        Some(known) => known.map(Some),
    };
    Some(Expect {
        verdict,
        by: match by {
            None => None,
            Some(known) => Some(known?),
        },
        source: all(source)?,
        destination: all(destination)?,
        counts: counts?,
    })
}

fn rule(
    path: &RulePath,
    at: &DocPath,
    context: &Context<'_, '_>,
    diagnostics: &mut Diagnostics,
) -> Option<String> {
    let policy = context.scope.policy;
    let crate::policy::Nat {
        masquerade: _,
        snat: _,
        dnat,
        redirect,
        netmap: _,
        nptv6: _,
    } = &policy.nat;
    let forwards = dnat.iter().map(|entry| &entry.name);
    let opened = forwards.chain(redirect.iter().map(|entry| &entry.name));
    let opened = opened.map(|name| format!("nat/{name}"));
    let raw = policy.raw.iter().map(|block| format!("raw/{}", block.name));
    let built_in = BUILT_IN.into_iter().map(ToOwned::to_owned);
    let others: Vec<String> = opened.chain(raw).chain(built_in).collect();
    let mut known = context.scope.rules.iter().chain(&others);
    let text = path.to_string();
    if known.clone().any(|known| *known == text) {
        return Some(text);
    }
    let diagnostic = Diagnostic::error(Code::UnknownRule, format!("unknown rule `{text}`"))
        .at(at, "no rule has this name");
    diagnostics.push(match nearest(&text, known.by_ref().map(String::as_str)) {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None => diagnostic.help("write policy and rule: `lan-to-wan/web`"),
    });
    None
}

fn source(
    written: &SourceAfter,
    at: &DocPath,
    context: &Context<'_, '_>,
    diagnostics: &mut Diagnostics,
) -> Option<After> {
    let name = match written {
        SourceAfter::Host(Host::Name(name))
            if !context.scope.groups.contains_key(name.as_str()) =>
        {
            name.as_str()
        }
        SourceAfter::Host(host) => return addresses(host, at, context, diagnostics),
        SourceAfter::Interface(name) => name.as_str(),
    };
    let zones = context.scope.zones.values();
    let mut interfaces = zones.flat_map(|zone| &zone.interfaces);
    let is_known = interfaces.clone().any(|interface| interface.has(name));
    if is_known {
        return Some(After {
            text: name.to_owned(),
            is: AfterIs::Interface(name.to_owned()),
        });
    }
    let message = format!("unknown interface or group `{name}`");
    let diagnostic = Diagnostic::error(Code::UnknownInterface, message)
        .at(at, "no zone has this interface, and no group this name");
    let names = interfaces.by_ref().map(|interface| interface.name.as_str());
    let names = names.chain(context.scope.groups.keys().copied());
    diagnostics.push(match nearest(name, names) {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None => diagnostic.help("write an address, or an interface of a zone"),
    });
    None
}

fn addresses(
    host: &Host,
    at: &DocPath,
    context: &Context<'_, '_>,
    diagnostics: &mut Diagnostics,
) -> Option<After> {
    Some(After {
        text: host.to_string(),
        is: AfterIs::Addresses(super::end::addresses(host, at, context, diagnostics)?),
    })
}

fn shared(
    counts: Counts,
    at: &DocPath,
    context: &Context<'_, '_>,
    diagnostics: &mut Diagnostics,
) -> Option<Counts> {
    let sum: u64 = counts.shares.values().map(|count| u64::from(*count)).sum();
    if sum != u64::from(counts.connections) {
        let message = format!(
            "{} connections cannot go to {sum} places",
            counts.connections
        );
        let diagnostic = Diagnostic::error(Code::ImpossibleTest, message)
            .at(at.key("count"), "connections are made")
            .at(at.key("destination_after"), format!("has room for {sum}"))
            .help("the numbers of `destination_after` make up `count`");
        diagnostics.push(diagnostic);
        return None;
    }
    let nth = |mode: Option<BalanceMode>| mode == Some(BalanceMode::Nth);
    if context.nat.dnat.iter().any(|entry| nth(entry.mode)) {
        return Some(counts);
    }
    let diagnostic = Diagnostic::error(
        Code::CountWithoutBalance,
        "nothing in this policy shares connections out one by one",
    )
    .at(at.key("count"), "counts where they go")
    .help("a `balance` by `nth` does; what `random` does is known only by chance");
    diagnostics.push(diagnostic);
    None
}
