//! Other tables: what their rules do to the traffic that rfw lets pass, and whose they are.
//!
//! A verdict holds for its own base chain: what rfw accepts, any other base chain at the same hook may still drop, whether it
//! comes before or after (nft(8), "accept"); what comes before, and drops, rfw neither sees nor counts. Whoever translates a
//! connection first has it.

use std::collections::{BTreeMap, BTreeSet};

use super::{Facts, Finding, Severity};

/// A table with its chains.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OtherTable {
    /// Family and name: `ip filter`.
    pub name: String,
    /// Its chains.
    pub chains: Vec<OtherChain>,
}

/// A chain, as far as it matters to others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OtherChain {
    /// The name.
    pub name: String,
    /// Set for base chains.
    pub base: Option<OtherBase>,
    /// Rules that drop or reject.
    pub drops: u32,
    /// Rules that translate addresses or ports.
    pub translates: u32,
    /// Chains that its rules lead into.
    pub leads_to: BTreeSet<String>,
    /// Whether a rule leads by a verdict map: anywhere.
    pub leads_by_map: bool,
}

/// Where a base chain stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OtherBase {
    /// nft's word for the hook.
    pub hook: &'static str,
    /// Chains of lower priority come first.
    pub priority: i32,
    /// Whether it drops what none of its rules accepts.
    pub drops: bool,
}

const CHECK: &str = "foreign-rules";
/// rfw's own table.
const OWN: &str = "inet rfw";

impl OtherTable {
    /// Whether it is rfw's.
    pub(super) fn is_own(&self) -> bool {
        self.name == OWN
    }
}

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    match &facts.others {
        Ok(tables) => others(tables),
        Err(why) => vec![Finding::unreadable(CHECK, why)],
    }
}

fn others(tables: &[OtherTable]) -> Vec<Finding> {
    let own = tables.iter().find(|table| table.is_own());
    let mut findings = Vec::new();
    for table in tables {
        // No packet that rfw decides about is an ARP packet.
        if table.is_own() || table.name.starts_with("arp ") {
            continue;
        }
        let Effects { drops, translates } = effects(table, own);
        let whose = whose(table)
            .map(|name| format!(" ({name})"))
            .unwrap_or_default();
        let name = &table.name;
        if !drops.is_empty() {
            let message = format!(
                "table {name}{whose} may drop what rfw accepts: {}",
                drops.join(", ")
            );
            let advice = "what both shall let pass, both must accept; `nft monitor trace` tells who drops; rfw never changes another table";
            findings.push(Finding::new(CHECK, Severity::Note, message).advice(advice));
        }
        if !translates.is_empty() {
            let message = format!(
                "table {name}{whose} translates addresses, too: {}; whoever comes first has the connection",
                translates.join(", ")
            );
            findings.push(Finding::new(CHECK, Severity::Note, message));
        }
    }
    if findings.is_empty() {
        let message = "no rule of another table drops or translates";
        findings.push(Finding::new(CHECK, Severity::Ok, message));
    }
    findings
}

/// What the base chains of a table do to what rfw accepts, with their places.
pub(super) struct Effects {
    /// Those that may drop it.
    pub(super) drops: Vec<String>,
    /// Those that translate.
    pub(super) translates: Vec<String>,
}

/// Looks at each base chain, with the chains that it leads into.
pub(super) fn effects(table: &OtherTable, own: Option<&OtherTable>) -> Effects {
    let mut drops = Vec::new();
    let mut translates = Vec::new();
    for chain in &table.chains {
        let Some(base) = chain.base else { continue };
        let reached = reached(table, chain);
        let place = || {
            let order = order(base, own);
            format!(
                "`{}` at {}, priority {}{order}",
                chain.name, base.hook, base.priority
            )
        };
        let sum = |of: fn(&OtherChain) -> u32| -> u32 { reached.iter().map(|it| of(it)).sum() };
        let rules = sum(|chain| chain.drops);
        if base.drops || 0 < rules {
            let mut how = Vec::new();
            if base.drops {
                how.push("drops by default".to_owned());
            }
            if 0 < rules {
                let most = reached.iter().filter(|it| 0 < it.drops);
                let names: Vec<String> = most.map(|it| format!("`{}`", it.name)).collect();
                let (shown, more) = names.split_at(names.len().min(4));
                let more = if more.is_empty() { "" } else { ", …" };
                how.push(format!(
                    "rules that drop or reject: {rules}, in {}{more}",
                    shown.join(", ")
                ));
            }
            drops.push(format!("{} ({})", place(), how.join("; ")));
        }
        if 0 < sum(|chain| chain.translates) {
            translates.push(place());
        }
    }
    Effects { drops, translates }
}

/// The chains that a packet of a base chain can come into, that one first.
fn reached<'t>(table: &'t OtherTable, from: &'t OtherChain) -> Vec<&'t OtherChain> {
    let chains: BTreeMap<&str, &OtherChain> = table
        .chains
        .iter()
        .map(|chain| (chain.name.as_str(), chain))
        .collect();
    let mut seen = BTreeSet::from([from.name.as_str()]);
    let mut reached = vec![from];
    let mut next = 0;
    while let Some(chain) = reached.get(next).copied() {
        next += 1;
        let regular = chains.values().filter(|it| it.base.is_none());
        let led: Vec<&OtherChain> = if chain.leads_by_map {
            regular.copied().collect()
        } else {
            let names = chain.leads_to.iter();
            names
                .filter_map(|name| chains.get(name.as_str()).copied())
                .collect()
        };
        reached.extend(led.into_iter().filter(|it| seen.insert(&it.name)));
    }
    reached
}

/// Whether rfw is asked before or after.
fn order(base: OtherBase, own: Option<&OtherTable>) -> &'static str {
    let bases = own
        .iter()
        .flat_map(|own| &own.chains)
        .filter_map(|it| it.base);
    let Some(ours) = bases
        .filter(|ours| ours.hook == base.hook)
        .min_by_key(|ours| ours.priority)
    else {
        return "";
    };
    match base.priority.cmp(&ours.priority) {
        std::cmp::Ordering::Less => ", before rfw",
        std::cmp::Ordering::Equal => ", beside rfw",
        std::cmp::Ordering::Greater => ", after rfw",
    }
}

/// Whose table it is, by the names of it and its chains.
fn whose(table: &OtherTable) -> Option<String> {
    /// Beginnings of the names of chains.
    const BY_CHAIN: [(&str, &str); 9] = [
        ("DOCKER", "Docker"),
        ("ufw", "ufw"),
        ("LIBVIRT_", "libvirt"),
        ("KUBE-", "Kubernetes"),
        ("cali-", "Calico"),
        ("CNI-", "CNI plugins"),
        ("f2b-", "fail2ban"),
        ("NETAVARK", "Podman"),
        ("ts-", "Tailscale"),
    ];
    /// Tables, without the family.
    const BY_TABLE: [(&str, &str); 6] = [
        ("firewalld", "firewalld"),
        ("fw4", "OpenWrt"),
        ("docker-bridges", "Docker"),
        ("libvirt_network", "libvirt"),
        ("f2b-table", "fail2ban"),
        ("keepalived", "keepalived"),
    ];
    const IPTABLES: [&str; 5] = ["filter", "nat", "mangle", "raw", "security"];
    let (family, name) = table.name.split_once(' ')?;
    let mut names: BTreeSet<&str> = BY_TABLE
        .iter()
        .filter(|(known, _)| *known == name)
        .map(|(_, whose)| *whose)
        .collect();
    for (begin, whose) in BY_CHAIN {
        if table
            .chains
            .iter()
            .any(|chain| chain.name.starts_with(begin))
        {
            names.insert(whose);
        }
    }
    // What iptables-nft makes: its tables, with base chains in capitals.
    let is_loud = |chain: &OtherChain| {
        chain.base.is_some() && chain.name.bytes().all(|byte| byte.is_ascii_uppercase())
    };
    let is_iptables = ["ip", "ip6"].contains(&family)
        && IPTABLES.contains(&name)
        && table.chains.iter().any(is_loud);
    let names: Vec<&str> = names.into_iter().collect();
    match (is_iptables, names.join(", ")) {
        (true, names) if names.is_empty() => Some("iptables".to_owned()),
        (true, names) => Some(format!("{names} by iptables")),
        (false, names) => (!names.is_empty()).then_some(names),
    }
}
