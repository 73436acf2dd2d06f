//! Services that write to the kernel's ruleset, too: which are started, and what they do to rfw's table.

use super::{Facts, Finding, Severity};

/// A unit of systemd.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its name without `.service`.
    pub name: &'static str,
    /// Whether it is started at boot.
    pub enabled: bool,
    /// Whether it is active now; a unit that has done its work and stays active counts.
    pub active: bool,
    /// The file of its own that begins with `flush ruleset`.
    pub flushes: Option<String>,
}

/// What a service does to the ruleset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    /// It empties the whole ruleset when its file says so.
    Flushes,
    /// It decides about packets by itself.
    Decides,
}

/// Services that are looked at. Not those that only add to the rules for what they run, such as Docker: their tables are
/// told of where they are.
pub const SERVICES: [&str; 9] = [
    "nftables",
    "ufw",
    "firewalld",
    "netfilter-persistent",
    "iptables",
    "ip6tables",
    "shorewall",
    "ferm",
    "foomuuri",
];

const CHECK: &str = "service";

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    match &facts.services {
        Ok(services) => listed(services),
        Err(why) => vec![Finding::unreadable(CHECK, why)],
    }
}

fn listed(services: &[Service]) -> Vec<Finding> {
    let mut findings: Vec<Finding> = services.iter().filter_map(service).collect();
    if findings.is_empty() {
        let message = "no other firewall is started by systemd";
        findings.push(Finding::new(CHECK, Severity::Ok, message));
    }
    findings
}

fn service(service: &Service) -> Option<Finding> {
    let Service {
        name,
        enabled,
        active,
        flushes,
    } = service;
    let when = match (enabled, active) {
        (false, false) => return None,
        (true, true) => "is active, and started at boot",
        (true, false) => "is started at boot",
        (false, true) => "is active",
    };
    let deed = if *name == "nftables" {
        Deed::Flushes
    } else {
        Deed::Decides
    };
    Some(match (deed, flushes) {
        (Deed::Flushes, None) => Finding::new(
            CHECK,
            Severity::Note,
            format!("{name}.service {when}; its file does not begin with `flush ruleset`, so rfw's table stays"),
        ),
        (_, Some(file)) => Finding::new(
            CHECK,
            Severity::Warning,
            format!("{name}.service {when}, and `{file}` has `flush ruleset`: whenever it starts or reloads, rfw's rules are gone"),
        )
        .advice(&format!(
            "take `flush ruleset` out of it (flush its own tables one by one), or `systemctl disable --now {name}`"
        )),
        (Deed::Decides, None) => Finding::new(
            CHECK,
            Severity::Warning,
            format!("{name}.service {when}: two firewalls decide about each packet, and what one drops the other cannot let pass"),
        )
        .advice(&format!("keep one of them: `systemctl disable --now {name}` once rfw's policy says what it said")),
    })
}

#[cfg(test)]
mod tests {
    use super::{Service, listed};

    #[track_caller]
    fn check(name: &'static str, enabled: bool, active: bool, flushes: Option<&str>, expect: &str) {
        let service = Service {
            name,
            enabled,
            active,
            flushes: flushes.map(str::to_owned),
        };
        let findings = listed(&[service]);
        let lines: Vec<String> = findings
            .iter()
            .map(|it| format!("{:?}: {}", it.severity, it.message))
            .collect();
        assert_eq!(lines.join("\n"), expect);
    }

    #[test]
    fn who_fights_is_named() {
        check(
            "ufw",
            false,
            false,
            None,
            "Ok: no other firewall is started by systemd",
        );
        check(
            "ufw",
            true,
            false,
            None,
            "Warning: ufw.service is started at boot: two firewalls decide about each packet, and what one drops the other cannot let pass",
        );
        check(
            "nftables",
            true,
            true,
            None,
            "Note: nftables.service is active, and started at boot; its file does not begin with `flush ruleset`, so rfw's table stays",
        );
        check(
            "nftables",
            false,
            true,
            Some("/etc/nftables.conf"),
            "Warning: nftables.service is active, and `/etc/nftables.conf` has `flush ruleset`: whenever it starts or reloads, rfw's rules are gone",
        );
    }
}
