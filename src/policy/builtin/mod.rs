//! The services that every policy may name without defining them.
//!
//! One table a theme, one line a service, with the source of its facts at the end of the line. `IANA` alone is
//! the Service Name and Transport Protocol Port Number Registry (RFC 6335), or for whole protocols the Assigned
//! Internet Protocol Numbers; everything else is an RFC or the software's own documentation. A port that is only
//! folklore is not in here.
//!
//! Not the services of a policy: those are in its `services:` and win over the ones here.

#[macro_use]
mod table;

mod clusters;
mod conntrack;
mod databases;
mod development;
mod devices;
mod directory;
mod files;
mod games;
mod icmp;
mod industry;
mod mail;
mod messaging;
mod monitoring;
mod naming;
mod remote;
mod routing;
mod voice;
mod vpn;
mod web;

pub use conntrack::{HELPERS, Helper, helper};
pub use table::{BuiltinService, Part, PortProtocol};

use std::sync::LazyLock;

static SORTED: LazyLock<Vec<BuiltinService>> = LazyLock::new(|| {
    let mut services = TABLES.concat();
    services.sort_by_key(|service| service.name);
    services
});

const TABLES: &[&[BuiltinService]] = &[
    clusters::CLUSTERS,
    databases::DATABASES,
    development::DEVELOPMENT,
    devices::DEVICES,
    directory::DIRECTORY,
    files::FILES,
    games::GAMES,
    icmp::ICMP,
    industry::INDUSTRY,
    mail::MAIL,
    messaging::MESSAGING,
    monitoring::MONITORING,
    naming::NAMING,
    remote::REMOTE,
    routing::ROUTING,
    voice::VOICE,
    vpn::VPN,
    web::WEB,
];

/// The service of this name.
#[must_use]
pub fn service(name: &str) -> Option<&'static BuiltinService> {
    let at = SORTED
        .binary_search_by(|service| service.name.cmp(name))
        .ok()?;
    SORTED.get(at)
}

/// All of them, by name.
#[must_use]
pub fn all() -> &'static [BuiltinService] {
    &SORTED
}

#[cfg(test)]
mod tests {
    use super::{HELPERS, Part, PortProtocol, TABLES, all, helper, service};

    #[track_caller]
    fn check(name: &str, expect: &str) {
        assert_eq!(service(name).unwrap().to_string(), expect);
    }

    #[test]
    fn what_a_gateway_meets_every_day() {
        check("ssh", "tcp 22");
        check("dns", "tcp 53, udp 53");
        check("ping", "icmp 8, icmpv6 128");
        check("ipsec", "udp 500, udp 4500, protocol 50");
        check("ftp", "tcp 21, helper ftp");
        check("sip", "tcp 5060, udp 5060, helper sip");
        check("mosh", "udp 60000-61000");
        check("node-exporter", "tcp 9100");
        assert_eq!(service("sshh"), None);
    }

    #[test]
    fn the_library_is_large_and_every_name_is_there_once() {
        assert!(all().len() >= 160, "{}", all().len());
        assert_eq!(
            all().len(),
            TABLES.iter().map(|table| table.len()).sum::<usize>()
        );
        for pair in all().windows(2) {
            assert!(
                pair[0].name < pair[1].name,
                "{} {}",
                pair[0].name,
                pair[1].name
            );
        }
    }

    #[test]
    fn every_table_is_in_order() {
        for table in TABLES {
            for pair in table.windows(2) {
                assert!(
                    pair[0].name < pair[1].name,
                    "{} comes before {}",
                    pair[0].name,
                    pair[1].name
                );
            }
        }
    }

    #[test]
    fn every_line_is_well_formed() {
        for service in all() {
            let name = service.name;
            let mut bytes = name.bytes();
            assert!(bytes.next().unwrap().is_ascii_lowercase(), "{name}");
            assert!(
                bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'),
                "{name}"
            );
            assert!(name.len() <= 63, "{name}");
            assert!(!service.parts.is_empty(), "{name} is nothing on the wire");
            assert!(
                (3..=72).contains(&service.description.len()),
                "{name}: {}",
                service.description
            );
            assert!(!service.description.ends_with('.'), "{name}");
            assert!(service.source.len() >= 4, "{name} has no source");
            for (at, part) in service.parts.iter().enumerate() {
                if let Part::Ports { lo, hi, .. } = part {
                    assert!(0 < *lo && lo <= hi, "{name}: {part}");
                }
                assert!(
                    !service.parts[at + 1..].contains(part),
                    "{name} says {part} twice"
                );
            }
        }
    }

    #[test]
    fn ports_of_one_protocol_do_not_overlap() {
        for service in all() {
            let ports = |part: &Part| match part {
                Part::Ports { protocol, lo, hi } => Some((*protocol, *lo, *hi)),
                _ => None,
            };
            for (at, first) in service.parts.iter().enumerate() {
                for second in &service.parts[at + 1..] {
                    if let (Some(a), Some(b)) = (ports(first), ports(second)) {
                        assert!(
                            a.0 != b.0 || a.2 < b.1 || b.2 < a.1,
                            "{}: {first} and {second}",
                            service.name
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn every_helper_is_the_kernels_and_speaks_all_protocols_of_its_service() {
        for service in all() {
            let Some(name) = service.helper else { continue };
            for part in service.parts {
                let Part::Ports { protocol, .. } = part else {
                    panic!("{}: a helper follows ports, not {part}", service.name);
                };
                assert!(
                    helper(name).unwrap().protocols.contains(protocol),
                    "{}: no helper {name} for {}",
                    service.name,
                    protocol.name()
                );
            }
        }
    }

    #[test]
    fn every_helper_has_a_service() {
        for helper in HELPERS {
            assert!(
                all()
                    .iter()
                    .any(|service| service.helper == Some(helper.name)),
                "{}",
                helper.name
            );
        }
        assert_eq!(
            helper("sip").unwrap().protocols,
            [PortProtocol::Tcp, PortProtocol::Udp]
        );
        assert_eq!(helper("http"), None);
    }
}
