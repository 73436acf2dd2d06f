//! Rules of iptables-legacy (xtables): they are in no table of nftables, so neither nft(8) nor `rfw trace --live` shows them, and they
//! decide about the same packets all the same.

use super::others::{Effects, effects};
use super::{Facts, Finding, OtherBase, OtherChain, OtherTable, Severity};

/// What the kernel holds of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Legacy {
    /// The tables that are there: `ip filter`. One is there from the moment somebody looks at it.
    pub names: Vec<String>,
    /// What is in them, or why that cannot be told.
    pub tables: Result<Vec<LegacyTable>, String>,
}

/// One of their tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegacyTable {
    /// Its chains, as one of nftables would have them.
    pub table: OtherTable,
    /// How many rules it has.
    pub rules: u32,
}

impl Legacy {
    /// Whether it may decide about a packet, as far as can be told.
    #[must_use]
    pub fn may_decide(&self) -> bool {
        let has = |LegacyTable { table, rules }: &LegacyTable| {
            let mut bases = table.chains.iter().filter_map(|chain| chain.base);
            0 < *rules || bases.any(|base| base.drops)
        };
        match &self.tables {
            Ok(tables) => tables.iter().any(has),
            Err(_) => !self.names.is_empty(),
        }
    }
}

const CHECK: &str = "legacy-rules";

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let Legacy { names, tables } = match &facts.legacy {
        Ok(legacy) => legacy,
        Err(why) => return vec![Finding::unreadable(CHECK, why)],
    };
    let named = names.join(", ");
    let tables = match tables {
        _ if names.is_empty() => {
            let message = "there is no table of iptables-legacy";
            return vec![Finding::new(CHECK, Severity::Ok, message)];
        }
        Err(why) => {
            let message = format!(
                "there are tables of iptables-legacy ({named}), and what is in them cannot be told: {why}"
            );
            let advice = "`iptables-legacy-save` of the package iptables shows them; neither nft nor `rfw trace --live` does";
            return vec![Finding::new(CHECK, Severity::Note, message).advice(advice)];
        }
        Ok(tables) => tables,
    };
    let own = facts.others.iter().flatten().find(|table| table.is_own());
    let found = tables.iter().flat_map(|table| told(table, own));
    let found: Vec<Finding> = found.collect();
    if found.is_empty() {
        let message = format!("the tables of iptables-legacy ({named}) hold no rules");
        return vec![Finding::new(CHECK, Severity::Ok, message)];
    }
    found
}

fn told(LegacyTable { table, rules }: &LegacyTable, own: Option<&OtherTable>) -> Vec<Finding> {
    let Effects { drops, translates } = effects(table, own);
    let name = &table.name;
    let mut findings = Vec::new();
    if !drops.is_empty() {
        let message = format!(
            "table {name} of iptables-legacy may drop what rfw accepts, and nft does not show it: {}",
            drops.join(", ")
        );
        let advice = "`iptables-legacy-save` (`ip6tables-legacy-save`) shows its rules; whoever wrote them can load them as tables of \
                      nftables (`iptables-nft-restore`), where `rfw trace --live` follows them, and flush them here; rfw never changes them";
        findings.push(Finding::new(CHECK, Severity::Warning, message).advice(advice));
    }
    if !translates.is_empty() {
        let message = format!(
            "table {name} of iptables-legacy translates addresses, and nft does not show it: {}; whoever comes first has the connection",
            translates.join(", ")
        );
        findings.push(Finding::new(CHECK, Severity::Warning, message));
    }
    if findings.is_empty() && 0 < *rules {
        let message = format!(
            "table {name} of iptables-legacy has rules ({rules}); none of them drops or translates"
        );
        findings.push(Finding::new(CHECK, Severity::Note, message));
    }
    findings
}

/// What `iptables-legacy-save` prints; `family` is nft's word.
pub fn legacy_tables(family: &str, text: &str) -> Vec<LegacyTable> {
    let mut tables: Vec<LegacyTable> = Vec::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix('*') {
            tables.push(LegacyTable {
                table: OtherTable {
                    name: format!("{family} {name}"),
                    chains: Vec::new(),
                },
                rules: 0,
            });
            continue;
        }
        let Some(LegacyTable { table, rules }) = tables.last_mut() else {
            continue;
        };
        if let Some(chain) = line.strip_prefix(':') {
            let mut words = chain.split(' ');
            let (name, policy) = (words.next(), words.next());
            table.chains.push(OtherChain {
                name: name.unwrap_or_default().to_owned(),
                base: base(
                    &table.name,
                    name.unwrap_or_default(),
                    policy == Some("DROP"),
                ),
                ..OtherChain::default()
            });
        } else if let Some(rule) = line.strip_prefix("-A ") {
            *rules = rules.saturating_add(1);
            let (name, rule) = rule.split_once(' ').unwrap_or((rule, ""));
            let chain = table.chains.iter_mut().find(|chain| chain.name == name);
            if let (Some(chain), Some(target)) = (chain, target(rule)) {
                add(chain, target);
            }
        }
    }
    tables
}

/// Where a rule leads. Comments are in quotes, and come before it.
fn target(rule: &str) -> Option<&str> {
    let unquoted = rule.rsplit_once('"').map_or(rule, |(_, behind)| behind);
    let mut words = unquoted.split(' ');
    words.find(|word| matches!(*word, "-j" | "-g"))?;
    words.next()
}

fn add(chain: &mut OtherChain, target: &str) {
    match target {
        "DROP" | "REJECT" => chain.drops = chain.drops.saturating_add(1),
        "DNAT" | "SNAT" | "MASQUERADE" | "REDIRECT" | "NETMAP" => {
            chain.translates = chain.translates.saturating_add(1);
        }
        other => {
            chain.leads_to.insert(other.to_owned());
        }
    }
}

/// Where xtables asks a chain (linux/netfilter_ipv4.h, `NF_IP_PRI_*`); `None` for one that others lead into.
fn base(table: &str, chain: &str, drops: bool) -> Option<OtherBase> {
    let (hook, translates_source) = match chain {
        "PREROUTING" => ("prerouting", false),
        "INPUT" => ("input", true),
        "FORWARD" => ("forward", false),
        "OUTPUT" => ("output", false),
        "POSTROUTING" => ("postrouting", true),
        _ => return None,
    };
    let priority = match table.split_once(' ').map(|(_, name)| name) {
        Some("raw") => -300,
        Some("mangle") => -150,
        Some("nat") if translates_source => 100,
        Some("nat") => -100,
        Some("security") => 50,
        _ => 0,
    };
    Some(OtherBase {
        hook,
        priority,
        drops,
    })
}

#[cfg(test)]
mod tests {
    use super::{LegacyTable, legacy_tables, told};

    const SAVED: &str = "# Generated by iptables-save v1.8.9\n*nat\n:PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n\
        :POSTROUTING ACCEPT [0:0]\n-A POSTROUTING -o eth0 -j MASQUERADE\nCOMMIT\n*filter\n:INPUT ACCEPT [0:0]\n:FORWARD DROP [0:0]\n\
        :OUTPUT ACCEPT [0:0]\n:mine - [0:0]\n:unused - [0:0]\n-A INPUT -p tcp -m comment --comment \"a -j DROP b\" -g mine\n\
        -A mine -j REJECT --reject-with icmp-port-unreachable\n-A mine\n-A unused -j DROP\nCOMMIT\n*raw\n:PREROUTING ACCEPT [0:0]\nCOMMIT\n";

    #[test]
    fn what_is_saved_is_told_by_what_it_does() {
        let tables = legacy_tables("ip", SAVED);
        let told: Vec<Vec<String>> = tables
            .iter()
            .map(|table| told(table, None).into_iter().map(|it| it.message).collect())
            .collect();
        assert_eq!(
            told,
            [
                vec![
                    "table ip nat of iptables-legacy translates addresses, and nft does not show it: `POSTROUTING` at postrouting, priority 100; whoever comes first has the connection"
                ],
                vec![
                    "table ip filter of iptables-legacy may drop what rfw accepts, and nft does not show it: `INPUT` at input, priority 0 (rules that drop or reject: 1, in `mine`), `FORWARD` at forward, priority 0 (drops by default)"
                ],
                vec![],
            ]
        );
        let rules: Vec<u32> = tables
            .iter()
            .map(|LegacyTable { rules, .. }| *rules)
            .collect();
        assert_eq!(rules, [1, 4, 0]);
    }
}
