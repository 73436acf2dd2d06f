//! Services: by name, of the policy or built in, or written in place.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::Scope;
use crate::compile::model::{Ports, Service};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, DocPath, nearest};
use crate::policy::builtin::{self, BuiltinService, Part, PortProtocol};
use crate::policy::{self, Policy, PortRange, ServiceRef};
use crate::ruleset::{Interval, Intervals, Transport};

/// The policy's own services; `None` where the definition is wrong.
pub(super) fn own<'a>(
    policy: &'a Policy,
    diagnostics: &mut Diagnostics,
) -> BTreeMap<&'a str, Option<Service>> {
    let at = DocPath::root().key("services");
    let mut services = BTreeMap::new();
    for (name, service) in &policy.services {
        let at = at.name(name.as_str());
        services.insert(
            name.as_str(),
            of_written(name.as_str(), service, &at, diagnostics),
        );
    }
    services
}

/// One of the policy's own services, whatever is wrong with it unsaid.
pub(in crate::compile) fn own_service(name: &str, service: &policy::Service) -> Option<Service> {
    of_written(name, service, &DocPath::root(), &mut Diagnostics::new())
}

/// What the services of a rule or translation mean; `None` if one is unknown or wrong.
pub(super) fn services(
    references: &[ServiceRef],
    at: &DocPath,
    scope: &Scope<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<Vec<Service>> {
    let mut resolved = Some(Vec::with_capacity(references.len()));
    for (index, reference) in references.iter().enumerate() {
        let at = at.index(index);
        let service = match reference {
            ServiceRef::Name(name) => named(name.as_str(), &at, scope, diagnostics),
            ServiceRef::Inline(service) => of_written("", service, &at, diagnostics),
        };
        match (&mut resolved, service) {
            (Some(services), Some(service)) => services.push(service),
            _ => resolved = None,
        }
    }
    resolved
}

fn named(
    name: &str,
    at: &DocPath,
    scope: &Scope<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<Service> {
    if let Some(own) = scope.services.get(name) {
        return own.clone();
    }
    if let Some(service) = builtin::service(name) {
        return Some(of_builtin(service));
    }
    let diagnostic = Diagnostic::error(Code::UnknownService, format!("unknown service `{name}`"))
        .at(at, "no service has this name");
    let known = scope
        .services
        .keys()
        .copied()
        .chain(builtin::all().iter().map(|service| service.name));
    // Of two names that are equally near, people mean the one that begins alike.
    let (alike, other): (Vec<&str>, Vec<&str>) =
        known.partition(|known| known.get(..1) == name.get(..1));
    let known = alike.into_iter().chain(other);
    diagnostics.push(if matches!(name, "any" | "all") {
        diagnostic.help("leave `services` out for every protocol and port")
    } else if let Some(service) = nearest(name, known) {
        diagnostic.help(format!("did you mean `{service}`?"))
    } else {
        diagnostic.help("define it below `services:` or write it in place: `{ tcp: [8080] }`")
    });
    None
}

/// A service of the library.
pub(in crate::compile) fn of_builtin(service: &BuiltinService) -> Service {
    let mut resolved = Service {
        name: service.name.into(),
        helper: service.helper.map(Into::into),
        ..Service::default()
    };
    for part in service.parts {
        match part {
            Part::Ports { protocol, lo, hi } => {
                let ports = Interval::new(*lo, *hi).into_iter().collect();
                resolved.ports.add(transport(*protocol), &ports);
            }
            Part::Icmp(kind) => resolved.icmp.insert(*kind),
            Part::Icmpv6(kind) => resolved.icmpv6.insert(*kind),
            Part::Protocol(number) => resolved.protocols.insert(*number),
        }
    }
    resolved
}

fn transport(protocol: PortProtocol) -> Transport {
    match protocol {
        PortProtocol::Tcp => Transport::Tcp,
        PortProtocol::Udp => Transport::Udp,
        PortProtocol::Sctp => Transport::Sctp,
    }
}

/// A service as the policy writes it, below `services:` or in place; the latter is called by its text.
fn of_written(
    name: &str,
    service: &policy::Service,
    at: &DocPath,
    diagnostics: &mut Diagnostics,
) -> Option<Service> {
    let policy::Service {
        tcp,
        udp,
        sctp,
        dccp,
        udplite,
        icmp,
        icmpv6,
        protocol,
        helper,
    } = service;
    let mut ports = Ports::default();
    let mut text = String::new();
    let lists = [
        (Transport::Tcp, tcp),
        (Transport::Udp, udp),
        (Transport::Sctp, sctp),
        (Transport::Dccp, dccp),
        (Transport::Udplite, udplite),
    ];
    for (transport, ranges) in lists {
        if !ranges.is_empty() {
            list(&mut text, transport.name(), ranges);
            ports.add(transport, &intervals(ranges));
            overlapping(ranges, &at.key(transport.name()), diagnostics);
        }
    }
    list(&mut text, "icmp", icmp);
    list(&mut text, "icmpv6", icmpv6);
    list(&mut text, "protocol", protocol);
    text.push_str(" }");
    let resolved = Service {
        name: if name.is_empty() {
            text.into()
        } else {
            name.into()
        },
        ports,
        icmp: icmp.iter().map(|kind| kind.number()).collect(),
        icmpv6: icmpv6.iter().map(|kind| kind.number()).collect(),
        protocols: protocol.iter().map(|number| number.number()).collect(),
        helper: helper.map(|helper| helper.kernel_name().into()),
    };
    helper_fits(&resolved, at, diagnostics).then_some(resolved)
}

/// Adds `word: [values]` to a map in braces, unless there are none.
fn list(text: &mut String, word: &str, values: &[impl std::fmt::Display]) {
    if values.is_empty() {
        return;
    }
    let before = if text.is_empty() { "{ " } else { ", " };
    // Writing to a string cannot fail.
    _ = write!(text, "{before}{word}: [");
    for (at, value) in values.iter().enumerate() {
        let comma = if at == 0 { "" } else { ", " };
        _ = write!(text, "{comma}{value}");
    }
    text.push(']');
}

fn intervals(ranges: &[PortRange]) -> Intervals<u16> {
    ranges
        .iter()
        .filter_map(|range| Interval::new(range.lo(), range.hi()))
        .collect()
}

fn overlapping(ranges: &[PortRange], at: &DocPath, diagnostics: &mut Diagnostics) {
    if ranges.len() < 2 {
        return;
    }
    let mut sorted: Vec<(usize, &PortRange)> = ranges.iter().enumerate().collect();
    sorted.sort_by_key(|(index, range)| (range.lo(), std::cmp::Reverse(range.hi()), *index));
    let mut widest: Option<(usize, &PortRange)> = None;
    for (index, range) in sorted {
        match widest {
            Some((first, wide)) if range.lo() <= wide.hi() => {
                let message = format!("the ports `{range}` and `{wide}` overlap");
                let diagnostic = Diagnostic::warning(Code::OverlappingPorts, message)
                    .at(at.index(index), "these ports")
                    .at(at.index(first), "are partly here already")
                    .help("write every port once");
                diagnostics.push(diagnostic);
                if wide.hi() < range.hi() {
                    widest = Some((index, range));
                }
            }
            _ => widest = Some((index, range)),
        }
    }
}

/// A helper reads the packets of its own protocols only, and the kernel has it for no other.
fn helper_fits(service: &Service, at: &DocPath, diagnostics: &mut Diagnostics) -> bool {
    let Some(name) = &service.helper else {
        return true;
    };
    let Some(helper) = builtin::helper(name) else {
        return true;
    };
    let protocols: BTreeSet<Transport> = helper
        .protocols
        .iter()
        .map(|protocol| transport(*protocol))
        .collect();
    let words: Vec<&str> = protocols.iter().map(|protocol| protocol.name()).collect();
    let words = words.join(" and ");
    let others = service
        .ports
        .transports()
        .find(|transport| !protocols.contains(transport));
    let diagnostic = |message: String, text: &str| {
        Diagnostic::error(Code::HelperProtocol, message)
            .at(at.key("helper"), text)
            .help(format!(
                "give the service `{words}` ports only, and make another service of the rest"
            ))
    };
    if let Some(other) = others {
        let message = format!(
            "the helper `{name}` cannot follow {} connections",
            other.name()
        );
        diagnostics.push(diagnostic(message, &format!("follows {words} only")));
        return false;
    }
    if service.ports.is_empty() {
        let message = format!("the helper `{name}` has no {words} port to follow");
        diagnostics.push(diagnostic(message, "follows connections to a port"));
        return false;
    }
    true
}

#[cfg(test)]
mod tests {
    use crate::compile::resolve::tests::drafted;

    /// The services of a rule as the model has them.
    #[track_caller]
    fn check(services: &str, expect: &str) {
        let (model, said) = drafted(&format!(
            "version: 1\nzones: {{ lan: {{ interfaces: [eth1] }} }}\nservices: {{ own: {{ tcp: [8080], udp: ['1-3'] }}, http: {{ tcp: [81] }} }}\n\
             policies: [{{ name: in, from: lan, to: firewall, rules: [{{ name: a, services: {services}, action: accept }}] }}]\n"
        ));
        let mut text = said;
        for service in model
            .policies
            .iter()
            .flat_map(|policy| &policy.rules)
            .flat_map(|rule| &rule.services)
        {
            text += &format!("{}:", service.name);
            for (transport, ports) in service.ports.iter() {
                let ports: Vec<String> = ports
                    .iter()
                    .map(|span| format!("{}-{}", span.lo, span.hi))
                    .collect();
                text += &format!(" {} {}", transport.name(), ports.join(","));
            }
            let kinds = [
                ("icmp", &service.icmp),
                ("icmpv6", &service.icmpv6),
                ("protocol", &service.protocols),
            ];
            for (word, kinds) in kinds.into_iter().filter(|(_, kinds)| !kinds.is_empty()) {
                text += &format!(" {word} {:?}", **kinds);
            }
            text += &service
                .helper
                .as_ref()
                .map(|helper| format!(" helper {helper}"))
                .unwrap_or_default();
            text += "\n";
        }
        assert_eq!(text, expect);
    }

    #[test]
    fn own_built_in_and_in_place() {
        check("[own, ssh]", "own: tcp 8080-8080 udp 1-3\nssh: tcp 22-22\n");
        check("[http]", "http: tcp 81-81\n");
        check(
            "[ipsec, ping]",
            "ipsec: udp 500-500,4500-4500 protocol {50}\nping: icmp {8} icmpv6 {128}\n",
        );
        check("[ftp]", "ftp: tcp 21-21 helper ftp\n");
        check(
            "[{ tcp: [22, '80-90'], icmp: [echo-request], protocol: [gre] }]",
            "{ tcp: [22, 80-90], icmp: [echo-request], protocol: [gre] }: tcp 22-22,80-90 icmp {8} protocol {47}\n",
        );
        check(
            "[{ tcp: [2121], helper: ftp }]",
            "{ tcp: [2121] }: tcp 2121-2121 helper ftp\n",
        );
    }

    #[test]
    fn helpers() {
        check(
            "[{ icmp: [8], helper: ftp }]",
            "helper-protocol: the helper `ftp` has no tcp port to follow\n",
        );
        check(
            "[{ tcp: [69], udp: [69], helper: tftp }]",
            "helper-protocol: the helper `tftp` cannot follow tcp connections\n",
        );
        check(
            "[{ tcp: [5060], helper: sip }]",
            "{ tcp: [5060] }: tcp 5060-5060 helper sip\n",
        );
    }
}
