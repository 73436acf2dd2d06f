//! Expressions and statements in nft's notation.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::value::{self, Kind};
use super::word::{name, quoted};
use crate::ruleset::{
    Ct, Expression, Field, Limit, Log, Meta, Nat, NatAddress, NatFlags, NatKind, NatPort,
    NumgenMode, Operand, Reject, Relation, Statement, Verdict,
};

/// A statement.
pub(super) fn statement(statement: &Statement) -> String {
    match statement {
        Statement::Match {
            left,
            relation,
            right,
        } => relational(left, *relation, right),
        Statement::Counter => "counter".to_owned(),
        Statement::Limit(it) => limit(it),
        Statement::NamedLimit(it) => format!("limit name {}", quoted(it)),
        Statement::CtHelper(it) => format!("ct helper set {}", quoted(it)),
        Statement::CtLabel(label) => format!("ct label set {label}"),
        Statement::Offload(it) => format!("flow add @{}", name(it)),
        Statement::Log(it) => log(it),
        Statement::Reject(Reject::TcpReset) => "reject with tcp reset".to_owned(),
        Statement::Reject(Reject::Icmpx(code)) => format!("reject with icmpx {}", code.name()),
        Statement::Verdict(it) => verdict(it),
        Statement::VerdictMap { key, map } => format!("{} vmap @{}", expression(key), name(map)),
        Statement::Nat(it) => nat(it),
        Statement::Masquerade => "masquerade".to_owned(),
        Statement::Redirect { port: None } => "redirect".to_owned(),
        Statement::Redirect { port: Some(port) } => format!("redirect to :{}", nat_port(port)),
        Statement::Meter {
            set,
            key,
            limit: rate,
        } => format!(
            "update @{} {{ {} {} }}",
            name(set),
            expression(key),
            limit(rate)
        ),
        Statement::CountConnections { set, key, most } => format!(
            "add @{} {{ {} ct count {most} }}",
            name(set),
            expression(key)
        ),
        Statement::SetUpdate { set, key } => {
            format!("update @{} {{ {} }}", name(set), expression(key))
        }
        Statement::Raw(text) => text.clone(),
        Statement::ClampMss => "tcp option maxseg size set rt mtu".to_owned(),
    }
}

/// A verdict.
pub(super) fn verdict(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Accept => "accept".to_owned(),
        Verdict::Drop => "drop".to_owned(),
        Verdict::Continue => "continue".to_owned(),
        Verdict::Return => "return".to_owned(),
        Verdict::Jump(chain) => format!("jump {}", name(chain)),
        Verdict::Goto(chain) => format!("goto {}", name(chain)),
    }
}

/// A rate with its burst: `limit rate 10/minute burst 5 packets`.
pub(super) fn limit(limit: &Limit) -> String {
    format!("limit {}", rate(limit))
}

/// A rate as a named limit has it: `rate 10/minute burst 5 packets`.
pub(super) fn rate(limit: &Limit) -> String {
    let Limit { rate, unit, burst } = limit;
    let unit = unit_name(*unit);
    format!("rate {rate}/{unit} burst {burst} packets")
}

/// nft's word for a unit of time in seconds. For one that it has no word for, and that only another
/// program's rule can have, something that it refuses.
pub(super) fn unit_name(seconds: u64) -> Cow<'static, str> {
    Cow::Borrowed(match seconds {
        1 => "second",
        60 => "minute",
        3_600 => "hour",
        86_400 => "day",
        604_800 => "week",
        other => return Cow::Owned(format!("{other}-seconds")),
    })
}

fn relational(left: &Expression, relation: Relation, right: &Operand) -> String {
    let inverted = relation == Relation::Ne;
    let names = match Kind::of(left) {
        Some(Kind::Bits(names)) => Some(names),
        _ => None,
    };
    let mut text = expression(left);
    let operator = match right {
        Operand::AnyBit(mask) => {
            if let Some(names) = names {
                let not = if inverted { "! " } else { "" };
                let _ = write!(text, " {not}{}", value::bits(names, mask, ","));
                return text;
            }
            if let Expression::Ct(Ct::Label) = left {
                let not = if inverted { "! " } else { "" };
                let _ = write!(text, " {not}{}", value::labels(mask));
                return text;
            }
            let _ = write!(text, " & {}", part(left, mask, value::value));
            if inverted { "== " } else { "!= " }
        }
        Operand::Bits { mask, value: bits } => {
            if let Some(names) = names
                && let mask = value::bits(names, mask, ",")
                && mask.contains(',')
            {
                let not = if inverted { "!= " } else { "" };
                let _ = write!(text, " {not}{} / {mask}", value::bits(names, bits, ","));
                return text;
            }
            let _ = write!(text, " & {}", part(left, mask, value::value));
            if inverted { "!= " } else { "== " }
        }
        _ if inverted => "!= ",
        Operand::Value(_) if names.is_some() || matches!(left, Expression::Masked(..)) => "== ",
        Operand::Value(_)
        | Operand::StartsWith(_)
        | Operand::Prefix(..)
        | Operand::Range(..)
        | Operand::Set(_) => "",
    };
    let _ = write!(text, " {operator}{}", operand(left, right));
    text
}

fn operand(left: &Expression, right: &Operand) -> String {
    match right {
        Operand::Value(bytes) | Operand::Bits { value: bytes, .. } => {
            part(left, bytes, value::value)
        }
        Operand::StartsWith(bytes) => value::starts_with(bytes),
        Operand::Prefix(bytes, bits) => {
            part(left, bytes, |kind, bytes| value::prefix(kind, bytes, *bits))
        }
        Operand::Range(lo, hi) => match Kind::of(left) {
            Some(kind) => value::range(kind, lo, hi),
            None => format!(
                "{}-{}",
                part(left, lo, value::value),
                part(left, hi, value::value)
            ),
        },
        Operand::Set(set) => format!("@{}", name(set)),
        Operand::AnyBit(mask) => part(left, &vec![0; mask.len()], value::value),
    }
}

/// A value of an expression: of each field, when there are several.
fn part(left: &Expression, bytes: &[u8], show: impl Fn(Kind, &[u8]) -> String) -> String {
    let Expression::Concat(fields) = left else {
        return show(Kind::of(left).unwrap_or(Kind::Number), bytes);
    };
    let mut rest = bytes;
    let parts: Vec<String> = fields
        .iter()
        .map(|field| {
            let kind = Kind::of(field).unwrap_or(Kind::Number);
            let (value, behind) = split(rest, kind.width());
            rest = behind;
            show(kind, value)
        })
        .collect();
    parts.join(" . ")
}

/// The first field of a concatenation, and what follows its padding.
pub(super) fn split(bytes: &[u8], width: usize) -> (&[u8], &[u8]) {
    let value = bytes.get(..width).unwrap_or(bytes);
    let behind = bytes.get(width.next_multiple_of(4)..).unwrap_or_default();
    (value, behind)
}

/// An expression.
pub(super) fn expression(it: &Expression) -> String {
    match it {
        Expression::Meta(meta) => match meta {
            Meta::Iifname => "iifname",
            Meta::Oifname => "oifname",
            Meta::Iif => "iif",
            Meta::Oif => "oif",
            Meta::Nfproto => "meta nfproto",
            Meta::L4proto => "meta l4proto",
            Meta::Time => "meta time",
            Meta::Day => "meta day",
            Meta::Hour => "meta hour",
        }
        .to_owned(),
        Expression::Field(it) => field(*it),
        Expression::Masked(it, mask) => {
            let mask = value::value(Kind::of_field(*it), mask);
            format!("{} & {mask}", field(*it))
        }
        Expression::Ct(Ct::State) => "ct state".to_owned(),
        Expression::Ct(Ct::Status) => "ct status".to_owned(),
        Expression::Ct(Ct::Label) => "ct label".to_owned(),
        Expression::FibDaddrType { iif: false } => "fib daddr type".to_owned(),
        Expression::FibDaddrType { iif: true } => "fib daddr . iif type".to_owned(),
        Expression::Numgen { mode, modulus } => {
            let mode = match mode {
                NumgenMode::Inc => "inc",
                NumgenMode::Random => "random",
            };
            format!("numgen {mode} mod {modulus}")
        }
        Expression::Jhash {
            field: it,
            modulus,
            seed,
        } => format!("jhash {} mod {modulus} seed {seed:#x}", field(*it)),
        Expression::Concat(fields) => {
            let fields: Vec<String> = fields.iter().map(expression).collect();
            fields.join(" . ")
        }
        Expression::Map(key, map) => format!("{} map @{}", expression(key), name(map)),
    }
}

fn field(field: Field) -> String {
    match field {
        Field::IpSaddr => "ip saddr",
        Field::IpDaddr => "ip daddr",
        Field::Ip6Saddr => "ip6 saddr",
        Field::Ip6Daddr => "ip6 daddr",
        Field::Ip6Hoplimit => "ip6 hoplimit",
        Field::Dport(transport) => return format!("{} dport", transport.name()),
        Field::Sport(transport) => return format!("{} sport", transport.name()),
        Field::ThDport => "th dport",
        Field::TcpFlags => "tcp flags",
        Field::IcmpType => "icmp type",
        Field::Icmpv6Type => "icmpv6 type",
    }
    .to_owned()
}

fn log(log: &Log) -> String {
    let Log { prefix, group } = log;
    let mut text = "log".to_owned();
    if !prefix.is_empty() {
        // Only here nft looks for variables inside a string.
        let prefix = quoted(prefix).replace('$', "?");
        let _ = write!(text, " prefix {prefix}");
    }
    if let Some(group) = group {
        let _ = write!(text, " group {group}");
    }
    text
}

fn nat(nat: &Nat) -> String {
    let Nat {
        kind,
        family,
        address,
        port,
        flags,
    } = nat;
    let kind = match kind {
        NatKind::Snat => "snat",
        NatKind::Dnat => "dnat",
    };
    let mut text = format!("{kind} {} ", family.name());
    // Behind a colon nft would take the port for the end of an IPv6 address.
    let one = |bytes: &[u8]| match port {
        Some(_) if bytes.len() == 16 => format!("[{}]", value::address(bytes)),
        _ => value::address(bytes),
    };
    let _ = match address {
        NatAddress::Value(bytes) => write!(text, "to {}", one(bytes)),
        NatAddress::Range(lo, hi) => write!(text, "to {}-{}", one(lo), one(hi)),
        NatAddress::Prefix(bytes, bits) => {
            write!(text, "prefix to {}/{bits}", value::address(bytes))
        }
        NatAddress::Map(map) => write!(text, "to {}", expression(map)),
    };
    if let Some(port) = port {
        let _ = write!(text, ":{}", nat_port(port));
    }
    let words = nat_flags(*flags);
    if !words.is_empty() {
        let _ = write!(text, " {}", words.join(","));
    }
    text
}

/// A new port, without the colon.
fn nat_port(port: &NatPort) -> String {
    match port {
        NatPort::Value(port) => port.to_string(),
        NatPort::Range(lo, hi) => format!("{lo}-{hi}"),
        NatPort::Map(map) => expression(map),
    }
}

/// nft's words for how it is chosen.
pub(super) fn nat_flags(flags: NatFlags) -> Vec<&'static str> {
    let NatFlags {
        fully_random,
        persistent,
    } = flags;
    let words = [(fully_random, "fully-random"), (persistent, "persistent")];
    let set = words.into_iter().filter(|(is_set, _)| *is_set);
    set.map(|(_, word)| word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ruleset::{Icmpx, Transport};

    #[track_caller]
    fn check(left: Expression, relation: Relation, right: Operand, expect: &str) {
        let text = statement(&Statement::Match {
            left,
            relation,
            right,
        });
        assert_eq!(text, expect);
    }

    const SADDR: Expression = Expression::Field(Field::IpSaddr);
    const FLAGS: Expression = Expression::Field(Field::TcpFlags);

    #[test]
    fn matches() {
        use Operand::{AnyBit, Bits, Prefix, Range, Set, StartsWith, Value};
        use Relation::{Eq, Ne};
        let masked = Expression::Masked(Field::IpSaddr, [0, 0, 0, 255].into());
        let bits = |mask: u8, value: u8| Bits {
            mask: [mask].into(),
            value: [value].into(),
        };
        check(SADDR, Eq, Value([10, 0, 0, 1].into()), "ip saddr 10.0.0.1");
        check(
            SADDR,
            Ne,
            Prefix([10, 0, 0, 0].into(), 9),
            "ip saddr != 10.0.0.0/9",
        );
        check(SADDR, Ne, Set("s".into()), "ip saddr != @s");
        check(
            masked.clone(),
            Eq,
            Value([0, 0, 0, 1].into()),
            "ip saddr & 0.0.0.255 == 0.0.0.1",
        );
        check(masked, Eq, Set("s".into()), "ip saddr & 0.0.0.255 @s");
        check(FLAGS, Eq, AnyBit([18].into()), "tcp flags syn,ack");
        check(FLAGS, Ne, AnyBit([2].into()), "tcp flags ! syn");
        check(FLAGS, Eq, Value([2].into()), "tcp flags == syn");
        check(FLAGS, Ne, bits(6, 2), "tcp flags != syn / syn,rst");
        check(FLAGS, Eq, bits(2, 2), "tcp flags & syn == syn");
        check(
            Expression::Meta(Meta::Iifname),
            Eq,
            StartsWith(b"wg".as_slice().into()),
            "iifname \"wg*\"",
        );
        check(
            Expression::Field(Field::Dport(Transport::Sctp)),
            Ne,
            Range([0, 1].into(), [0, 9].into()),
            "sctp dport != 1-9",
        );
    }

    #[test]
    fn translations() {
        let nat = |address: &[u8], family, port: Option<u16>| {
            statement(&Statement::Nat(Nat {
                kind: NatKind::Dnat,
                family,
                address: NatAddress::Value(address.into()),
                port: port.map(NatPort::Value),
                flags: NatFlags::default(),
            }))
        };
        use crate::ruleset::Family::{Ipv4, Ipv6};
        assert_eq!(
            nat(&[10, 0, 0, 1], Ipv4, Some(80)),
            "dnat ip to 10.0.0.1:80"
        );
        assert_eq!(nat(&[0; 16], Ipv6, Some(80)), "dnat ip6 to [::]:80");
        assert_eq!(nat(&[0; 16], Ipv6, None), "dnat ip6 to ::");
    }

    #[test]
    fn what_people_write_stays_inside_its_quotes() {
        let log = |prefix: &str| {
            statement(&Statement::Log(Log {
                prefix: prefix.to_owned(),
                group: None,
            }))
        };
        assert_eq!(log("a\" accept #"), "log prefix \"a? accept #\"");
        assert_eq!(log("$wan"), "log prefix \"?wan\"");
        assert_eq!(
            statement(&Statement::Reject(Reject::Icmpx(Icmpx::NoRoute))),
            "reject with icmpx no-route"
        );
    }
}
