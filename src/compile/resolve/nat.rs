//! The entries of `nat`.

use std::net::IpAddr;

use super::Scope;
use super::selector::{Traffic, traffic};
use super::zone::nat_zones;
use crate::compile::model::{
    Backend, BalanceMode, Dnat, Families, Masquerade, Netmap, Redirect, Snat, Zone,
};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, DocPath};
use crate::policy::{self, NatFamily, PortRange};
use crate::ruleset::{Interval, NatFlags};

/// The entries that could be resolved, by kind, in file order.
#[derive(Default)]
pub(super) struct Entries {
    pub(super) masquerade: Vec<Masquerade>,
    pub(super) snat: Vec<Snat>,
    pub(super) dnat: Vec<Dnat>,
    pub(super) redirect: Vec<Redirect>,
    pub(super) netmap: Vec<Netmap>,
}

/// All entries of `nat`.
pub(super) fn entries(scope: &Scope<'_>, diagnostics: &mut Diagnostics) -> Entries {
    let policy::Nat {
        masquerade,
        snat,
        dnat,
        redirect,
        netmap,
        nptv6,
    } = &scope.policy.nat;
    let at = DocPath::root().key("nat");
    let mut entries = Entries::default();
    for (index, written) in masquerade.iter().enumerate() {
        let at = at.key("masquerade").index(index);
        entries
            .masquerade
            .extend(self::masquerade(written, at, scope, diagnostics));
    }
    for (index, written) in snat.iter().enumerate() {
        let at = at.key("snat").index(index);
        entries
            .snat
            .extend(self::snat(written, at, scope, diagnostics));
    }
    for (index, written) in dnat.iter().enumerate() {
        let at = at.key("dnat").index(index);
        entries
            .dnat
            .extend(self::dnat(written, at, scope, diagnostics));
    }
    for (index, written) in redirect.iter().enumerate() {
        let at = at.key("redirect").index(index);
        entries
            .redirect
            .extend(self::redirect(written, at, scope, diagnostics));
    }
    for (index, written) in netmap.iter().enumerate() {
        let at = at.key("netmap").index(index);
        entries
            .netmap
            .extend(self::netmap(written, at, scope, diagnostics));
    }
    for (index, written) in nptv6.iter().enumerate() {
        let at = at.key("nptv6").index(index);
        entries
            .netmap
            .extend(self::nptv6(written, at, scope, diagnostics));
    }
    entries
}

fn masquerade(
    written: &policy::Masquerade,
    at: DocPath,
    scope: &Scope<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<Masquerade> {
    let policy::Masquerade {
        name,
        from,
        to,
        clamp_mss,
        family,
    } = written;
    let sources = nat_zones(from, Some(to), &at.key("from"), scope, diagnostics);
    let targets = nat_zones(to, Some(from), &at.key("to"), scope, diagnostics);
    let families = match family {
        NatFamily::Ipv4 => Families {
            v4: true,
            v6: false,
        },
        NatFamily::Ipv6 => Families {
            v4: false,
            v6: true,
        },
        NatFamily::Both => Families { v4: true, v6: true },
    };
    Some(Masquerade {
        name: name.to_string(),
        from: sources?,
        to: targets?,
        families,
        clamp_mss: *clamp_mss,
        at,
    })
}

fn snat(
    written: &policy::Snat,
    at: DocPath,
    scope: &Scope<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<Snat> {
    let policy::Snat {
        name,
        from,
        to,
        source,
        destination,
        services,
        address,
        ports,
        persistent,
        random,
    } = written;
    let sources = nat_zones(from, Some(to), &at.key("from"), scope, diagnostics);
    let targets = nat_zones(to, Some(from), &at.key("to"), scope, diagnostics);
    let traffic = traffic(
        services,
        source.as_ref(),
        destination.as_ref(),
        &at,
        scope,
        diagnostics,
    );
    let Traffic {
        services,
        source,
        destination,
    } = traffic?;
    Some(Snat {
        name: name.to_string(),
        from: sources?,
        to: targets?,
        source,
        destination,
        services,
        address: address.lo(),
        last: address.hi(),
        ports: ports.map(interval),
        flags: NatFlags {
            fully_random: *random,
            // Of one address there is nothing to choose.
            persistent: *persistent && address.lo() != address.hi(),
        },
        at,
    })
}

/// Both bounds of a range are ports, so it has no way to be empty.
fn interval(ports: PortRange) -> Interval<u16> {
    Interval {
        lo: ports.lo(),
        hi: ports.hi(),
    }
}

fn netmap(
    written: &policy::Netmap,
    at: DocPath,
    scope: &Scope<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<Netmap> {
    let policy::Netmap {
        name,
        between,
        inside,
        outside,
    } = written;
    Some(Netmap {
        name: name.to_string(),
        from: Vec::new(),
        to: nat_zones(between, None, &at.key("between"), scope, diagnostics)?,
        inside: *inside,
        outside: *outside,
        nptv6: false,
        at,
    })
}

fn nptv6(
    written: &policy::Nptv6,
    at: DocPath,
    scope: &Scope<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<Netmap> {
    let policy::Nptv6 {
        name,
        from,
        to,
        inside,
        outside,
    } = written;
    let sources = nat_zones(from, Some(to), &at.key("from"), scope, diagnostics);
    let targets = nat_zones(to, Some(from), &at.key("to"), scope, diagnostics);
    Some(Netmap {
        name: name.to_string(),
        from: sources?,
        to: targets?,
        inside: *inside,
        outside: *outside,
        nptv6: true,
        at,
    })
}

fn dnat(
    written: &policy::Dnat,
    at: DocPath,
    scope: &Scope<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<Dnat> {
    let policy::Dnat {
        name,
        from,
        source,
        destination,
        services,
        to,
        balance,
        to_port,
        hairpin,
    } = written;
    let zones = nat_zones(from, None, &at.key("from"), scope, diagnostics);
    let traffic = traffic(
        services,
        source.as_ref(),
        destination.as_ref(),
        &at,
        scope,
        diagnostics,
    );
    let (backends, mode) = match (to, balance) {
        (Some(address), None) => {
            let only = Backend {
                address: address.ip(),
                weight: 1,
            };
            (vec![only], None)
        }
        (None, Some(balance)) => (backends(balance), Some(balance_mode(balance.mode))),
        (Some(_), Some(_)) => {
            let message = format!("`{name}` has both `to` and `balance`");
            let diagnostic = Diagnostic::error(Code::DnatTwoTargets, message)
                .at_key(at.key("balance"), "sends connections to several hosts")
                .at_key(at.key("to"), "and this to one host")
                .help("keep one of them");
            diagnostics.push(diagnostic);
            return None;
        }
        (None, None) => {
            let message = format!("`{name}` does not say where connections go");
            let diagnostic = Diagnostic::error(Code::DnatWithoutTarget, message)
                .at(&at, "has neither `to` nor `balance`")
                .help("write `to: ADDRESS` for one host, `balance:` for several");
            diagnostics.push(diagnostic);
            return None;
        }
    };
    let zones = zones?;
    let own = zones_of(&backends, scope);
    if *hairpin {
        hairpin_fits(written, &own, &at, diagnostics);
    }
    let hairpin = if *hairpin { own.clone() } else { Vec::new() };
    let Traffic {
        services,
        source,
        destination,
    } = traffic?;
    Some(Dnat {
        name: name.to_string(),
        from: zones,
        source,
        destination,
        services,
        mode: mode.filter(|_| 1 < backends.len()),
        port: to_port.map(interval),
        hairpin,
        opens: opens(own, &backends, scope),
        backends,
        at,
    })
}

/// `hairpin` is for the hosts of the backends' own zone: it must be known, and must not be shut out by `source`.
fn hairpin_fits(
    written: &policy::Dnat,
    own: &[String],
    at: &DocPath,
    diagnostics: &mut Diagnostics,
) {
    let name = &written.name;
    if own.is_empty() {
        let message = format!("nobody knows which zone the hosts of `{name}` live in");
        let diagnostic = Diagnostic::error(Code::HairpinWithoutZone, message)
            .at_key(
                at.key("hairpin"),
                "lets their own zone use the public address",
            )
            .help("give that zone its `networks`");
        diagnostics.push(diagnostic);
    }
    if written.source.is_some() {
        let message = format!("the hosts' own zone is not within the `source` of `{name}`");
        let diagnostic = Diagnostic::error(Code::HairpinWithSource, message)
            .at_key(at.key("hairpin"), "lets the hosts' own zone in")
            .at(at.key("source"), "lets only these in")
            .help("leave one of them out, or write two entries");
        diagnostics.push(diagnostic);
    }
}

fn backends(balance: &policy::Balance) -> Vec<Backend> {
    let backends = balance.backends.iter();
    let resolved = backends.map(|backend| Backend {
        address: backend.address.ip(),
        weight: u32::from(backend.weight),
    });
    resolved.collect()
}

fn balance_mode(mode: policy::BalanceMode) -> BalanceMode {
    match mode {
        policy::BalanceMode::Nth => BalanceMode::Nth,
        policy::BalanceMode::Random => BalanceMode::Random,
        policy::BalanceMode::SourceHash => BalanceMode::SourceHash,
    }
}

/// The zones whose networks hold a backend.
fn zones_of(backends: &[Backend], scope: &Scope<'_>) -> Vec<String> {
    let holds = |zone: &Zone, address: IpAddr| zone.networks.contains(address);
    let zones = scope.zones.iter();
    let own = zones.filter(|(_, zone)| backends.iter().any(|backend| holds(zone, backend.address)));
    own.map(|(name, _)| name.clone()).collect()
}

/// The zones whose hosts a forward may reach: those that hold a backend; where the networks do not tell of one,
/// every zone that does not say what lives in it as well, or else every zone.
fn opens(mut own: Vec<String>, backends: &[Backend], scope: &Scope<'_>) -> Vec<String> {
    let has_home = |backend: &Backend| {
        scope
            .zones
            .values()
            .any(|zone| zone.networks.contains(backend.address))
    };
    if !backends.iter().all(has_home) {
        let silent = scope
            .zones
            .iter()
            .filter(|(_, zone)| zone.networks.is_empty());
        own.extend(silent.map(|(name, _)| name.clone()));
        own.sort();
        own.dedup();
    }
    if own.is_empty() {
        scope.zones.keys().cloned().collect()
    } else {
        own
    }
}

fn redirect(
    written: &policy::Redirect,
    at: DocPath,
    scope: &Scope<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<Redirect> {
    let policy::Redirect {
        name,
        from,
        services,
        source,
        destination,
        to_port,
    } = written;
    let zones = nat_zones(from, None, &at.key("from"), scope, diagnostics);
    let traffic = traffic(
        services,
        source.as_ref(),
        destination.as_ref(),
        &at,
        scope,
        diagnostics,
    );
    let Traffic {
        services,
        source,
        destination,
    } = traffic?;
    Some(Redirect {
        name: name.to_string(),
        from: zones?,
        source,
        destination,
        services,
        port: to_port.map(interval),
        at,
    })
}

#[cfg(test)]
mod tests {
    use crate::compile::model::Dnat;
    use crate::compile::resolve::tests::drafted;

    /// The zones that one forward from `wan` has something to do with.
    #[track_caller]
    fn check(zones: &str, forward: &str, opens: &[&str], hairpin: &[&str]) {
        let (model, said) = drafted(&format!(
            "version: 1\nzones:\n  wan: {{ interfaces: [eth0] }}\n{zones}\n\
             nat:\n  dnat:\n    - {{ name: a, from: wan, services: [http], {forward} }}\n"
        ));
        assert_eq!(said, "");
        let Dnat {
            opens: got_opens,
            hairpin: got_hairpin,
            ..
        } = &model.dnat[0];
        assert_eq!(
            (got_opens.join(" "), got_hairpin.join(" ")),
            (opens.join(" "), hairpin.join(" "))
        );
    }

    #[test]
    fn backends_are_looked_for_in_the_networks() {
        let zones = "  lan: { interfaces: [eth1], networks: [192.168.1.0/24] }\n  dmz: { interfaces: [eth2], networks: [10.0.0.0/24] }";
        check(zones, "to: 192.168.1.1, hairpin: true", &["lan"], &["lan"]);
        check(zones, "to: 10.0.0.1", &["dmz"], &[]);
        let both = "hairpin: true, balance: { mode: nth, backends: [{ address: 10.0.0.1 }, { address: 192.168.1.1 }] }";
        check(zones, both, &["dmz", "lan"], &["dmz", "lan"]);
    }

    #[test]
    fn zones_that_do_not_tell_may_hold_the_rest() {
        let zones = "  lan: { interfaces: [eth1], networks: [192.168.1.0/24] }\n  dmz: { interfaces: [eth2] }";
        check(zones, "to: 10.0.0.1", &["dmz", "wan"], &[]);
        let both = "hairpin: true, balance: { mode: nth, backends: [{ address: 10.0.0.1 }, { address: 192.168.1.1 }] }";
        check(zones, both, &["dmz", "lan", "wan"], &["lan"]);
    }

    #[test]
    fn a_balance_of_one_is_no_balance() {
        let (model, _) = drafted(
            "version: 1\nzones: { wan: { interfaces: [eth0] } }\n\
             nat: { dnat: [{ name: a, from: wan, services: [http], balance: { mode: random, backends: [{ address: 10.0.0.1 }] } }] }\n",
        );
        assert_eq!(model.dnat[0].mode, None);
    }
}
