//! Scans: which ports look open from outside.

use super::Context;
use super::end::{ends, has};
use super::packets::restrict;
use super::times::times;
use crate::compile::claim::{self, Claim, Port, State, Traffic};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, DocPath};
use crate::policy::builtin::{self, Part, PortProtocol};
use crate::policy::{NamedPorts, PortRange, ScanPorts, ScanRest, Test, TestFamily};
use crate::ruleset::{Family, Interval, Intervals};
use std::collections::BTreeMap;

pub(super) fn scan(
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
