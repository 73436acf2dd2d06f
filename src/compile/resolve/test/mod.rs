//! Tests: which packets they are about, and what they claim.

mod expect;
mod home;

use super::Scope;
use super::nat::Entries;
use super::selector::addresses_of;
use super::service::services;
use crate::compile::claim::{self, Claim, End, Port, State, Traffic};
use crate::compile::model::{LivingSet, Service, Side};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, DocPath, nearest};
use crate::policy::builtin::{self, Part, PortProtocol};
use crate::policy::{
    Host, NamedPorts, PortRange, ScanPorts, ScanRest, ServiceRef, Test, TestEnd, TestFamily,
    TestState,
};
use crate::ruleset::{Addresses, Family, Interval, Intervals};
use crate::schedule::{BEGIN, HORIZON};
use home::Homes;
use jiff::tz::AmbiguousOffset;
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
        Kind::Packets => packets(test, at, context, diagnostics),
        Kind::Scan => scan(test, at, context, diagnostics),
        Kind::Set => set(test, at, context, diagnostics),
    }
}

fn packets(
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

fn scan(
    test: &Test,
    at: &DocPath,
    context: &Context<'_, '_>,
    diagnostics: &mut Diagnostics,
) -> Option<Claim> {
    let scan = test.scan.as_ref()?;
    let ends = ends(test, at, context, diagnostics);
    let times = times(test, at, context, diagnostics);
    let (open, closed) = (intervals(&scan.open), intervals(&scan.closed));
    let all = match &scan.ports {
        ScanPorts::Named(NamedPorts::Top1000) => top_1000(),
        ScanPorts::Named(NamedPorts::All) => Interval::new(1, u16::MAX).into_iter().collect(),
        ScanPorts::Listed(ports) => intervals(ports),
    };
    if open.overlaps(&closed) {
        let message = "a port cannot be both open and closed";
        let diagnostic = Diagnostic::error(Code::ImpossibleTest, message)
            .at_key(at.key("scan").key("closed"), "has ports")
            .at_key(at.key("scan").key("open"), "that are here, too")
            .help("write every port once");
        diagnostics.push(diagnostic);
        return None;
    }
    let (from, to) = ends?;
    let mut traffic = Traffic {
        from,
        to,
        services: None,
        families: Family::BOTH.to_vec(),
        state: State::New,
        times: times?,
    };
    // As nmap does.
    let family = test.family.or_else(|| {
        let all = traffic.from.iter().chain(&traffic.to);
        let has_v4 = all.clone().any(|end| has(&end.addresses, Family::Ipv4));
        Some(if has_v4 {
            TestFamily::Ipv4
        } else {
            TestFamily::Ipv6
        })
    });
    restrict(&mut traffic, family, at, diagnostics)?;
    let rest = all.subtract(&open).subtract(&closed);
    let mut ports = BTreeMap::from([(Port::Open, open), (Port::Closed, closed)]);
    let word = match scan.rest {
        ScanRest::Filtered => Port::Filtered,
        ScanRest::Closed => Port::Closed,
    };
    let known = ports.entry(word).or_default();
    *known = known.union(&rest);
    ports.retain(|_, ports| !ports.is_empty());
    Some(Claim::Scan {
        traffic: Box::new(traffic),
        ports,
    })
}

fn set(
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

/// The addresses of an entry that may also be a group or a zone with networks.
pub(super) fn addresses(
    host: &Host,
    at: &DocPath,
    context: &Context<'_, '_>,
    diagnostics: &mut Diagnostics,
) -> Option<Addresses> {
    let scope = context.scope;
    match host {
        Host::Name(name) => match scope.groups.get(name.as_str()) {
            Some(group) => group.clone(),
            None => {
                let names = scope.groups.keys().copied();
                super::selector::networks_of(name.as_str(), at, &scope.zones, names, diagnostics)
            }
        },
        Host::HostPart(part) => {
            let message = format!("`{part}` is only the host part of an address");
            let diagnostic = Diagnostic::error(Code::HostPartAlone, message)
                .at(at, "could be in any network")
                .help("write the whole address");
            diagnostics.push(diagnostic);
            None
        }
        Host::Address(_) | Host::Prefix(_) | Host::Range(_) => Some(addresses_of(host)),
    }
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

/// Both ends. All that is wrong with them is said.
fn ends(
    test: &Test,
    at: &DocPath,
    context: &Context<'_, '_>,
    diagnostics: &mut Diagnostics,
) -> Option<(Vec<End>, Vec<End>)> {
    let from = end(test.from.as_ref()?, &at.key("from"), context, diagnostics);
    let to = end(test.to.as_ref()?, &at.key("to"), context, diagnostics);
    let (from, to) = (from?, to?);
    let is_box = |ends: &[End]| ends.iter().all(|end| end.side == Side::Firewall);
    if is_box(&from) && is_box(&to) {
        let message = "the box does not need a rule to talk to itself";
        let diagnostic = Diagnostic::error(Code::FirewallToItself, message)
            .at(at.key("to"), "is the box")
            .at(at.key("from"), "and so is this")
            .help("test what comes from a zone, or goes to one");
        diagnostics.push(diagnostic);
        return None;
    }
    Some((from, to))
}

fn end(
    written: &TestEnd,
    at: &DocPath,
    context: &Context<'_, '_>,
    diagnostics: &mut Diagnostics,
) -> Option<Vec<End>> {
    match written {
        TestEnd::Name(Host::Name(name)) if name.as_str() == "firewall" => {
            Some(vec![context.homes.firewall()])
        }
        TestEnd::Name(Host::Name(name)) if name.as_str() == "any" => Some(context.homes.all()),
        TestEnd::Name(Host::Name(name)) if context.scope.zones.contains_key(name.as_str()) => {
            Some(vec![context.homes.zone(name.as_str())])
        }
        TestEnd::Name(Host::Name(name)) if !context.scope.groups.contains_key(name.as_str()) => {
            diagnostics.push(super::zone::unknown_zone(name.as_str(), at, context.scope));
            None
        }
        TestEnd::Name(host) => {
            let addresses = addresses(host, at, context, diagnostics)?;
            let ends = context.homes.of_addresses(&addresses);
            if ends.is_empty() {
                let message = format!("`{host}` lives in no zone");
                let diagnostic = Diagnostic::error(Code::AddressInNoZone, message)
                    .at(at, "is in the `networks` of no zone")
                    .help("say where it is seen: `{ zone: lan, address: 10.0.0.5 }`");
                diagnostics.push(diagnostic);
                return None;
            }
            Some(ends)
        }
        TestEnd::Inline(both) => {
            let addresses = addresses(&both.address, &at.key("address"), context, diagnostics);
            let zones = crate::policy::ZoneRef::to_string(&both.zone);
            let side = match zones.as_str() {
                "firewall" => Some(Side::Firewall),
                zone if context.scope.zones.contains_key(zone) => Some(Side::Zone(zone.to_owned())),
                zone => {
                    let at = at.key("zone");
                    diagnostics.push(super::zone::unknown_zone(zone, &at, context.scope));
                    None
                }
            };
            Some(vec![End {
                side: side?,
                addresses: addresses?,
            }])
        }
    }
}

/// Keeps the family that is wanted, and those that both ends have.
fn restrict(
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

fn has(addresses: &Addresses, family: Family) -> bool {
    match family {
        Family::Ipv4 => !addresses.v4.is_empty(),
        Family::Ipv6 => !addresses.v6.is_empty(),
    }
}

/// The moments that are meant: two where the clock shows a time twice. `None` inside is any time.
#[expect(clippy::option_option, reason = "wrong, always, or these moments")]
fn times(
    test: &Test,
    at: &DocPath,
    context: &Context<'_, '_>,
    diagnostics: &mut Diagnostics,
) -> Option<Option<Vec<i64>>> {
    let Some(moment) = test.at else {
        return Some(None);
    };
    let at = at.key("at");
    if context.scope.policy.timezone.is_none() {
        let diagnostic = Diagnostic::error(Code::MissingKey, "`at` needs a `timezone`")
            .at(at, "means nothing without it")
            .help("write, for example, `timezone: Europe/Helsinki` at the top of the policy");
        diagnostics.push(diagnostic);
        return None;
    }
    let zone = crate::compile::timezone(context.scope.policy);
    let civil = moment.civil();
    let offsets = match zone.to_ambiguous_zoned_datetime(civil).offset() {
        AmbiguousOffset::Unambiguous { offset } => vec![offset],
        AmbiguousOffset::Fold { before, after } => vec![before, after],
        AmbiguousOffset::Gap { .. } => {
            let message = format!("no clock shows `{moment}`");
            let diagnostic = Diagnostic::error(Code::ImpossibleMoment, message)
                .at(at, "is left out when summer time begins")
                .help("write a time before or after it");
            diagnostics.push(diagnostic);
            return None;
        }
    };
    let moments = offsets.iter().filter_map(|offset| {
        let moment = offset.to_timestamp(civil).ok()?.as_second();
        (BEGIN..HORIZON).contains(&moment).then_some(moment)
    });
    let moments: Vec<i64> = moments.collect();
    if moments.is_empty() {
        let message = format!("no schedule knows `{moment}`");
        let diagnostic = Diagnostic::error(Code::ImpossibleMoment, message)
            .at(at, "is before 2026 or after 2040")
            .help("schedules are compiled for the years 2026 to 2040");
        diagnostics.push(diagnostic);
        return None;
    }
    Some(Some(moments))
}

fn intervals(ranges: &[PortRange]) -> Intervals<u16> {
    let intervals = ranges
        .iter()
        .filter_map(|range| Interval::new(range.lo(), range.hi()));
    intervals.collect()
}

/// The TCP ports of the built-in services, and the lowest other ones, 1000 in all. Not nmap's own choice, which comes
/// under a licence of its own: but like it what is commonly offered, and the same for ever and everywhere.
fn top_1000() -> Intervals<u16> {
    const MOST: u32 = 1000;
    /// Longer ranges are rooms for many connections and no doors.
    const LONGEST: u16 = 20;
    let parts = builtin::all().iter().flat_map(|service| service.parts);
    let known = parts.filter_map(|part| match part {
        Part::Ports {
            protocol: PortProtocol::Tcp,
            lo,
            hi,
        } if hi - lo < LONGEST => Interval::new(*lo, *hi),
        _ => None,
    });
    let known: Intervals<u16> = known.collect();
    let missing = MOST.saturating_sub(claim::size(&known));
    let first = (1..=u16::MAX).filter(|port| !known.contains(*port));
    let first = first.take(missing as usize).map(Interval::single);
    first.chain(known.iter()).collect()
}
