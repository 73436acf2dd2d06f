//! Tests of packets: what they are like, and what becomes of them.

use super::end::{ends, has};
use super::times::times;
use super::{Context, expect};
use crate::compile::claim::{self, Claim, End, State, Traffic};
use crate::compile::model::Service;
use crate::compile::resolve::service::services;
use crate::diagnostic::{Code, Diagnostic, Diagnostics, DocPath};
use crate::policy::{ServiceRef, Test, TestFamily, TestState};
use crate::ruleset::{Addresses, Family};

pub(super) fn packets(
    test: &Test,
    at: &DocPath,
    context: &Context<'_, '_>,
    diagnostics: &mut Diagnostics,
) -> Option<Claim> {
    let asked = asked(
        test.service.as_ref()?,
        &at.key("service"),
        context,
        diagnostics,
    );
    let expect = expect::expect(test, at, context, diagnostics);
    let ends = ends(test, at, context, diagnostics);
    let times = times(test, at, context, diagnostics);
    let (expect, (from, to)) = (expect?, ends?);
    let mut traffic = Traffic {
        from,
        to,
        services: asked?,
        families: Family::BOTH.to_vec(),
        state: match test.state {
            None | Some(TestState::New) => State::New,
            Some(TestState::Established) => State::Established,
            Some(TestState::Related) => State::Related,
            Some(TestState::Invalid) => State::Invalid,
        },
        times: times?,
    };
    let ends_after = [&expect.source, &expect.destination];
    traffic.families.retain(|family| {
        let has = |addresses: &Addresses| has(addresses, *family);
        let after = ends_after.into_iter().flatten();
        let after = after.filter_map(|after| match &after.is {
            claim::AfterIs::Addresses(addresses) => Some(addresses),
            claim::AfterIs::Interface(_) => None,
        });
        let mut shares = expect.counts.iter().flat_map(|counts| counts.shares.keys());
        after.into_iter().all(has)
            && shares.all(|address| address.is_ipv6() == (*family == Family::Ipv6))
    });
    restrict(&mut traffic, test.family, at, diagnostics)?;
    Some(Claim::Packets {
        traffic: Box::new(traffic),
        expect: Box::new(expect),
    })
}

/// What is asked for; `None` inside is everything.
#[expect(
    clippy::option_option,
    reason = "unknown, everything, or these services"
)]
fn asked(
    service: &ServiceRef,
    at: &DocPath,
    context: &Context<'_, '_>,
    diagnostics: &mut Diagnostics,
) -> Option<Option<Vec<Service>>> {
    if let ServiceRef::Name(name) = service
        && name.as_str() == "any"
    {
        return Some(None);
    }
    let one = std::slice::from_ref(service);
    services(one, at, context.scope, diagnostics).map(Some)
}

/// Keeps the family that is wanted, and those that both ends have.
pub(super) fn restrict(
    traffic: &mut Traffic,
    family: Option<TestFamily>,
    at: &DocPath,
    diagnostics: &mut Diagnostics,
) -> Option<()> {
    let wanted = family.map(|family| match family {
        TestFamily::Ipv4 => Family::Ipv4,
        TestFamily::Ipv6 => Family::Ipv6,
    });
    let Traffic {
        from,
        to,
        services,
        families,
        ..
    } = traffic;
    families.retain(|family| {
        let lives = |ends: &[End]| ends.iter().any(|end| has(&end.addresses, *family));
        let asks = services.as_ref().is_none_or(|services| {
            services.iter().any(|service| {
                let icmp = match family {
                    Family::Ipv4 => &service.icmp,
                    Family::Ipv6 => &service.icmpv6,
                };
                !icmp.is_empty() || !service.ports.is_empty() || !service.protocols.is_empty()
            })
        });
        wanted.is_none_or(|wanted| wanted == *family) && lives(from) && lives(to) && asks
    });
    if !families.is_empty() {
        return Some(());
    }
    let message = "no packet is like this: its parts have no address family in common";
    let diagnostic = Diagnostic::error(Code::ImpossibleTest, message)
        .at(at, "tests nothing")
        .help("give `from`, `to`, `service` and what comes after one family");
    diagnostics.push(diagnostic);
    None
}
