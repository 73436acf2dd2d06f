//! A zone policy becomes a chain, a rule becomes one nft rule for each of its rows.

use super::address::End;
use super::block;
use super::output::{Entry, Output};
use super::row::{self, Protocol, Row, equal};
use super::schedule;
use super::set;
use crate::compile::model::{
    Action, LogLimit, Model, RejectWith, Rule as PolicyRule, RuleLimit, ZonePolicy,
};
use crate::ruleset::{
    DataType, Expression, Family, Icmpx, Limit, Meta, ObjectKind, Reject, Rule, SetKind, SetSpec,
    Statement, Transport, Verdict,
};

/// The chain of a zone policy.
pub(super) fn chain_name(policy: &ZonePolicy) -> String {
    format!("policy/{}", policy.name)
}

/// Makes the chain of a zone policy: its rules in order, then its default.
pub(super) fn policy_chain(policy: &ZonePolicy, model: &Model, output: &mut Output) {
    let mut rules = block::lower_rules(policy, model, output);
    if let Some(default) = policy.default {
        let entry = Entry::new(
            format!("{}/default", policy.name),
            &policy.at.key("default"),
            model,
        );
        if let Some(log) = &policy.log {
            rules.push(entry.part("log", log_statements(log)));
        }
        let mut statements = vec![Statement::Counter];
        statements.extend(action(default, &Protocol::Any, output));
        rules.push(entry.rule(statements));
    }
    output.regular_chain(&chain_name(policy), rules);
}

/// The nft rules of one policy rule, one for each row.
pub(super) fn linear(
    rule: &PolicyRule,
    rows: &[Row<'_>],
    entry: &Entry<'_>,
    output: &mut Output,
) -> Vec<Rule> {
    let mut rules = Vec::new();
    let open = match &rule.schedule {
        Some(name) => schedule::is_open(name, entry.model),
        None => vec![Vec::new()],
    };
    let shared = rows.len() * open.len() > 1;
    for row in rows {
        let split = split_by_family(row, rule).into_iter();
        for (row, open) in split.flat_map(|row| open.iter().map(move |open| (row.clone(), open))) {
            let mut statements = row::matches(&row, entry, output);
            statements.extend(open.iter().cloned());
            if let Some(limit) = rule.limit.as_deref().copied() {
                statements.push(limit_statement(limit, row.family, shared, entry, output));
            }
            if let (Some(most), Some(family)) = (rule.most_connections, row.family) {
                statements.push(count_statement(most, family, entry, output));
            }
            let model = entry.model;
            let named = rule.schedule.as_deref();
            statements.extend(named.and_then(|name| schedule::mark(name, rule.action, model)));
            if let Some(helper) = &row.helper {
                statements.push(helper_statement(helper, &row.protocol, output));
            }
            statements.extend(super::offload::label(rule, entry.model));
            statements.push(Statement::Counter);
            if rule.log.is_some() || rule.adds_source_to.is_some() {
                statements.push(aside_and_decide(rule, &row.protocol, entry, output));
            } else {
                statements.extend(action(rule.action, &row.protocol, output));
            }
            rules.push(entry.rule(statements));
        }
    }
    rules
}

/// What is counted per source needs to know which address is the source.
fn split_by_family<'a>(row: &Row<'a>, rule: &PolicyRule) -> Vec<Row<'a>> {
    let per_source = rule.limit.as_ref().is_some_and(|limit| limit.per_source)
        || rule.most_connections.is_some();
    let families: &[Family] = match (&row.protocol, row.family) {
        (_, Some(_)) => return vec![row.clone()],
        _ if !per_source => return vec![row.clone()],
        (Protocol::Icmp(_), None) => &[Family::Ipv4],
        (Protocol::Icmpv6(_), None) => &[Family::Ipv6],
        (Protocol::Any | Protocol::Ports(..) | Protocol::Numbers(_), None) => &Family::BOTH,
    };
    families
        .iter()
        .map(|family| Row {
            family: Some(*family),
            ..row.clone()
        })
        .collect()
}

/// The rate of a rule. Names of limits and meters hold the rate, because the kernel cannot change the
/// rate of one that exists; a changed rate is a new object.
fn limit_statement(
    RuleLimit { limit, per_source }: RuleLimit,
    family: Option<Family>,
    shared: bool,
    entry: &Entry<'_>,
    output: &mut Output,
) -> Statement {
    let Limit { rate, unit, burst } = limit;
    let origin = Some(entry.origin.clone());
    match family {
        Some(family) if per_source => {
            let (version, key) = source_key(family);
            let name = format!(
                "{}.meter{version}-{rate}-{}-{burst}",
                entry.name,
                unit_name(unit)
            );
            let mut spec = SetSpec::new(
                name.clone(),
                vec![super::address::address_type(family)],
                SetKind::Set,
            );
            spec.dynamic = true;
            spec.size = Some(METER_SIZE);
            spec.timeout = Some(refill_seconds(limit).max(60) * 1000);
            output.set(spec, Vec::new(), origin);
            Statement::Meter {
                set: name,
                key,
                limit,
            }
        }
        _ if shared => {
            let name = format!("{}.limit-{rate}-{}-{burst}", entry.name, unit_name(unit));
            output.object(&name, ObjectKind::Limit(limit), origin);
            Statement::NamedLimit(name)
        }
        _ => Statement::Limit(limit),
    }
}

/// The number of the IP version, and who counts as one source.
fn source_key(family: Family) -> (u8, Expression) {
    let version = match family {
        Family::Ipv4 => 4,
        Family::Ipv6 => 6,
    };
    (version, set::key(End::Source, family))
}

/// The connections of each source, in a set without a timeout: the kernel itself takes out a source that has none left.
/// Only first packets come here, so what is counted is what this rule has let through. The name holds the number,
/// because an element keeps the one that it was made with.
fn count_statement(most: u32, family: Family, entry: &Entry<'_>, output: &mut Output) -> Statement {
    let (version, key) = source_key(family);
    let set = format!("{}.connections{version}-{most}", entry.name);
    let mut spec = SetSpec::new(
        set.clone(),
        vec![super::address::address_type(family)],
        SetKind::Set,
    );
    spec.dynamic = true;
    spec.size = Some(METER_SIZE);
    output.set(spec, Vec::new(), Some(entry.origin.clone()));
    Statement::CountConnections { set, key, most }
}

/// How many sources a meter keeps; a source that finds it full is over its rate.
const METER_SIZE: u32 = 65_535;

/// After this time without a packet a source has its whole burst back, so its element may go.
fn refill_seconds(Limit { rate, unit, burst }: Limit) -> u64 {
    (u64::from(burst).saturating_mul(unit)).div_ceil(rate.max(1))
}

/// nft's word for a unit of time.
fn unit_name(unit: u64) -> &'static str {
    match unit {
        1 => "second",
        60 => "minute",
        3600 => "hour",
        86_400 => "day",
        _ => "week",
    }
}

pub(super) fn helper_statement(
    helper: &str,
    protocol: &Protocol,
    output: &mut Output,
) -> Statement {
    let transport = match protocol {
        Protocol::Ports(transport, _) => *transport,
        Protocol::Any | Protocol::Icmp(_) | Protocol::Icmpv6(_) | Protocol::Numbers(_) => {
            Transport::Tcp
        }
    };
    let name = format!("helper/{helper}-{}", transport.name());
    let kind = ObjectKind::CtHelper {
        helper: helper.to_owned(),
        protocol: transport.number(),
    };
    output.object(&name, kind, None);
    Statement::CtHelper(name)
}

fn log_statements(LogLimit { log, rate }: &LogLimit) -> Vec<Statement> {
    rate.map(Statement::Limit)
        .into_iter()
        .chain([Statement::Log(log.clone())])
        .collect()
}

/// Logging has its own rate, and a set may be full, and neither must keep the verdict from happening: all three go
/// into a chain of their own, a rule each.
fn aside_and_decide(
    rule: &PolicyRule,
    protocol: &Protocol,
    entry: &Entry<'_>,
    output: &mut Output,
) -> Statement {
    let decided = rule.action;
    let suffix = match (decided, protocol) {
        (Action::Reject(RejectWith::Default), Protocol::Ports(Transport::Tcp, _)) => "-tcp",
        _ => "",
    };
    let stem = match rule.adds_source_to {
        Some(_) => "add",
        None => "log",
    };
    let name = format!("{stem}/{}{suffix}", entry.name);
    if !output.has_chain(&name) {
        let verdict = action(
            decided,
            if suffix.is_empty() {
                &Protocol::Any
            } else {
                protocol
            },
            output,
        );
        let sets = rule.adds_source_to.iter();
        let adds = sets.flat_map(|name| set::add_source(name, entry.model));
        let mut rules: Vec<Rule> = adds.map(|add| entry.part("add", vec![add])).collect();
        let log = rule.log.as_ref();
        rules.extend(log.map(|log| entry.part("log", log_statements(log))));
        rules.push(entry.part("verdict", verdict));
        output.regular_chain(&name, rules);
    }
    Statement::Verdict(Verdict::Goto(name))
}

/// What an action is in nft.
pub(super) fn action(action: Action, protocol: &Protocol, output: &mut Output) -> Vec<Statement> {
    let tcp = matches!(protocol, Protocol::Ports(Transport::Tcp, _));
    let mixed = matches!(protocol, Protocol::Any | Protocol::Numbers(_));
    match action {
        Action::Accept => vec![Statement::Verdict(Verdict::Accept)],
        Action::Drop => vec![Statement::Verdict(Verdict::Drop)],
        Action::Reject(RejectWith::Icmpx(code)) => vec![Statement::Reject(Reject::Icmpx(code))],
        Action::Reject(RejectWith::Default | RejectWith::TcpReset) if tcp => {
            vec![Statement::Reject(Reject::TcpReset)]
        }
        Action::Reject(RejectWith::Default) if !mixed => {
            vec![Statement::Reject(Reject::Icmpx(Icmpx::AdminProhibited))]
        }
        Action::Reject(with @ (RejectWith::Default | RejectWith::TcpReset)) => {
            vec![Statement::Verdict(Verdict::Goto(reject_chain(
                with, output,
            )))]
        }
    }
}

/// The chain that gives an answer, for verdicts that stand in a map and for packets of any protocol.
pub(super) fn reject_chain(with: RejectWith, output: &mut Output) -> String {
    let tcp = || equal(Expression::Meta(Meta::L4proto), [Transport::Tcp.number()]);
    let prohibited = Statement::Reject(Reject::Icmpx(Icmpx::AdminProhibited));
    let (name, answers) = match with {
        RejectWith::Default => (
            "reject/default".to_owned(),
            vec![
                vec![tcp(), Statement::Reject(Reject::TcpReset)],
                vec![prohibited],
            ],
        ),
        RejectWith::TcpReset => (
            "reject/tcp-reset".to_owned(),
            vec![
                vec![tcp(), Statement::Reject(Reject::TcpReset)],
                vec![Statement::Verdict(Verdict::Drop)],
            ],
        ),
        RejectWith::Icmpx(code) => (
            format!("reject/{}", code.name()),
            vec![vec![Statement::Reject(Reject::Icmpx(code))]],
        ),
    };
    let rules = answers.into_iter().map(|statements| Rule {
        name: None,
        statements,
        origin: None,
    });
    output.regular_chain(&name, rules.collect());
    name
}

/// The data types of a key that begins with the family's address.
pub(super) fn key_types(family: Option<Family>, addresses: usize, port: bool) -> Vec<DataType> {
    let address = family.map(super::address::address_type);
    let mut types: Vec<DataType> = std::iter::repeat_n(address, addresses).flatten().collect();
    if port {
        types.extend([DataType::InetProto, DataType::InetService]);
    }
    types
}
