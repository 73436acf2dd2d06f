//! What the kernel holds now, of all tables, and the box around it.

use crate::bytecode::{Chain, Program, Rule, same};
use crate::cli::error::Failure;
use crate::cli::{session, time_zone};
use crate::evaluate::{Environment, Firewall, Packet};
use crate::host;
use crate::live::{AnyTable, LiveRule, Network};
use crate::netlink::network;
use crate::ruleset::{Origin, TABLE};

/// A reading of the kernel.
pub(super) struct Live {
    /// All tables.
    pub(super) firewall: Firewall,
    /// rfw's table without the others, if there is one.
    pub(super) alone: Option<Firewall>,
    /// The box.
    pub(super) environment: Environment,
    /// What is not followed, or not as the policy says.
    pub(super) notes: Vec<String>,
}

/// The network could not be asked for.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the interfaces, addresses and routes of this box")]
struct NoNetwork {
    source: std::io::Error,
}

/// `NFPROTO_INET`
const INET: u8 = 1;

/// Reads everything; rules of rfw's table that the program has, too, come from where they come from in the policy.
pub(super) fn read(program: &Program) -> Result<Live, Failure> {
    let everything = session::open()?.everything();
    let everything = everything.map_err(session::unreadable)?;
    let network =
        network().map_err(|source| Failure::world_now(NoNetwork { source }, session::UNCHANGED))?;
    let mut notes = Vec::new();
    let own = everything.tables.iter().find(|table| is_own(table));
    match own {
        None => notes.push("note: the kernel holds no table inet rfw".to_owned()),
        Some(own) if !holds(own, program) => notes.push(
            "note: the rules of table inet rfw in the kernel are not those of this policy; `rfw plan` tells the difference"
                .to_owned(),
        ),
        Some(_) => {}
    }
    let origin = |chain: &str, rule: &LiveRule| origin(program, chain, rule);
    let with = |firewall: Firewall, table: AnyTable| {
        let is_own = is_own(&table);
        let nowhere = |_: &str, _: &LiveRule| None;
        match is_own {
            true => firewall.with_any(table, &origin),
            false => firewall.with_any(table, &nowhere),
        }
    };
    let alone = own.cloned().map(|own| with(Firewall::new(), own));
    let firewall = everything.tables.into_iter().fold(Firewall::new(), with);
    let firewall = firewall.in_any_order();
    for what in firewall.unmodelled() {
        notes.push(format!(
            "note: {what} is not followed, and may decide otherwise"
        ));
    }
    notes.extend(about(&network));
    Ok(Live {
        firewall,
        alone,
        environment: Environment::of(&network),
        notes,
    })
}

/// Whether the kernel has flowtables; one without holds a ruleset without them.
pub(super) fn has_flowtables() -> Result<bool, Failure> {
    session::open()?.has_flowtables().map_err(Failure::world)
}

fn is_own(table: &AnyTable) -> bool {
    table.family == INET && table.name == TABLE
}

/// Whether the rules in the kernel are those of a program.
fn holds(table: &AnyTable, program: &Program) -> bool {
    let chains = &table.table.chains;
    chains.len() == program.chains.len()
        && chains.iter().all(|live| {
            let rules = chain(program, &live.name).map(|chain| &chain.rules);
            rules.is_some_and(|rules| {
                rules.len() == live.rules.len()
                    && rules.iter().zip(&live.rules).all(|(a, b)| is_rule(a, b))
            })
        })
}

fn chain<'p>(program: &'p Program, name: &str) -> Option<&'p Chain> {
    program.chains.iter().find(|chain| chain.name == name)
}

fn is_rule(rule: &Rule, live: &LiveRule) -> bool {
    rule.name == live.name && same(&rule.instructions, &live.instructions)
}

fn origin(program: &Program, name: &str, live: &LiveRule) -> Option<Origin> {
    let mut rules = chain(program, name)?.rules.iter();
    rules.find(|rule| is_rule(rule, live))?.origin.clone()
}

/// What `rp_filter` makes of a packet: the kernel drops it before it is forwarded or delivered (RFC 3704), whatever the rules say.
pub(super) fn reverse_path(packet: &Packet, environment: &Environment) -> Option<String> {
    let iif = packet.iif.as_deref().filter(|name| *name != "lo")?;
    if packet.is_v6() {
        return None;
    }
    let source = packet.source;
    // The greater of the two counts.
    let mode = host::reverse_path_filter(iif)?;
    let way = environment.route(source);
    let is_dropped = match mode {
        0 => false,
        1 => way != Some(iif),
        _ => way.is_none(),
    };
    let way = way.map_or_else(
        || "there is no way back".to_owned(),
        |way| format!("the way back leads by {way}"),
    );
    is_dropped.then(|| {
        format!(
            "note: the kernel drops what comes from {source} by {iif}, whatever the rules say: {way}, and rp_filter is {mode}"
        )
    })
}

/// What of the network decides about packets and is not followed.
fn about(network: &Network) -> Vec<String> {
    let mut notes = Vec::new();
    if network.has_rules {
        notes.push(
            "note: `ip rule` sends some packets by other tables of routes; that of table main are followed"
                .to_owned(),
        );
    }
    if network.routes.iter().any(|route| route.is_one_of_several) {
        notes.push(
            "note: a route has several next hops; packets are taken to leave by the first"
                .to_owned(),
        );
    }
    if time_zone::minutes_west() != 0 {
        notes.push(
            "note: the kernel has a time zone of its own, and `meta day` is followed as of UTC; `rfw doctor` says more"
                .to_owned(),
        );
    }
    if let Ok(legacy) = host::legacy()
        && legacy.may_decide()
    {
        notes.push(format!(
            "note: rules of iptables-legacy are not followed, and may decide otherwise ({}); `rfw doctor` says how",
            legacy.names.join(", ")
        ));
    }
    const FORWARDING: [(&str, &str); 2] = [
        ("net.ipv4.ip_forward", "IPv4"),
        ("net.ipv6.conf.all.forwarding", "IPv6"),
    ];
    let values = host::values(&FORWARDING.map(|(key, _)| key));
    for (key, family) in FORWARDING {
        if values.get(key).is_some_and(|value| value == "0") {
            notes.push(format!(
                "note: this box forwards no {family} packets, whatever the rules say ({key} is 0)"
            ));
        }
    }
    notes
}
