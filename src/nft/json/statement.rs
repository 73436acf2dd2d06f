//! Statements in nft's JSON.

use serde_json::{Value, json};

use super::expression::{bits, data, expression, part, plain, prefix, range};
use crate::nft::statement::{nat_flags, unit_name};
use crate::nft::value::{self, Kind};
use crate::ruleset::{
    Expression, Limit, Log, Nat, NatAddress, NatKind, NatPort, Operand, Reject, Relation, Set,
    Statement, Verdict,
};

/// A statement; `sets` holds the maps that stand in the rule itself.
pub(super) fn statement(statement: &Statement, sets: &[Set]) -> Value {
    match statement {
        Statement::Match {
            left,
            relation,
            right,
        } => relational(left, *relation, right, sets),
        Statement::Counter => json!({"counter": null}),
        Statement::Limit(it) => limit(it),
        Statement::NamedLimit(name) => json!({"limit": name}),
        Statement::CtHelper(name) => json!({"ct helper": name}),
        Statement::CtLabel(label) => {
            json!({"mangle": {"key": {"ct": {"key": "label"}}, "value": label}})
        }
        Statement::Offload(name) => json!({"flow": {"op": "add", "flowtable": format!("@{name}")}}),
        Statement::Log(it) => log(it),
        Statement::Reject(Reject::TcpReset) => json!({"reject": {"type": "tcp reset"}}),
        Statement::Reject(Reject::Icmpx(code)) => {
            json!({"reject": {"type": "icmpx", "expr": code.name()}})
        }
        Statement::Verdict(it) => verdict(it),
        Statement::VerdictMap { key, map } => {
            json!({"vmap": {"key": expression(key, sets), "data": data(map, sets)}})
        }
        Statement::Nat(it) => nat(it, sets),
        Statement::Masquerade => json!({"masquerade": null}),
        Statement::Redirect { port: None } => json!({"redirect": null}),
        Statement::Redirect { port: Some(port) } => {
            json!({"redirect": {"port": nat_port(port, sets)}})
        }
        Statement::Meter {
            set,
            key,
            limit: rate,
        } => json!({"set": {
            "op": "update", "elem": expression(key, sets), "set": format!("@{set}"),
            "stmt": [limit(rate)],
        }}),
        Statement::CountConnections { set, key, most } => json!({"set": {
            "op": "add", "elem": expression(key, sets), "set": format!("@{set}"),
            "stmt": [{"ct count": {"val": most}}],
        }}),
        Statement::SetUpdate { set, key } => json!({"set": {
            "op": "update", "elem": expression(key, sets), "set": format!("@{set}"),
        }}),
        // nft has no JSON for what only its own words say, and refuses this.
        Statement::Raw(text) => json!({"raw": text}),
        Statement::ClampMss => json!({"mangle": {
            "key": {"tcp option": {"name": "maxseg", "field": "size"}},
            "value": {"rt": {"key": "mtu"}},
        }}),
    }
}

/// A verdict.
pub(super) fn verdict(verdict: &Verdict) -> Value {
    match verdict {
        Verdict::Accept => json!({"accept": null}),
        Verdict::Drop => json!({"drop": null}),
        Verdict::Continue => json!({"continue": null}),
        Verdict::Return => json!({"return": null}),
        Verdict::Jump(chain) => json!({"jump": {"target": chain}}),
        Verdict::Goto(chain) => json!({"goto": {"target": chain}}),
    }
}

fn limit(limit: &Limit) -> Value {
    let Limit { rate, unit, burst } = limit;
    json!({"limit": {"rate": rate, "per": unit_name(*unit), "burst": burst}})
}

fn relational(left: &Expression, relation: Relation, right: &Operand, sets: &[Set]) -> Value {
    let kind = Kind::of(left).unwrap_or(Kind::Number);
    let inverted = relation == Relation::Ne;
    let equality = if inverted { "!=" } else { "==" };
    let masked = |mask: &[u8]| json!({"&": [expression(left, sets), part(left, mask)]});
    let (op, left, right) = match right {
        Operand::AnyBit(mask) if matches!(kind, Kind::Bits(_) | Kind::Labels) => {
            let op = if inverted { "!" } else { "in" };
            (op, expression(left, sets), bits(kind, mask))
        }
        Operand::AnyBit(mask) => {
            let op = if inverted { "==" } else { "!=" };
            (op, masked(mask), part(left, &vec![0; mask.len()]))
        }
        Operand::Bits { mask, value } => (equality, masked(mask), part(left, value)),
        Operand::Value(value) => (equality, expression(left, sets), part(left, value)),
        Operand::StartsWith(start) => (
            equality,
            expression(left, sets),
            plain(&value::starts_with(start)),
        ),
        Operand::Prefix(value, bits) => {
            (equality, expression(left, sets), prefix(kind, value, *bits))
        }
        Operand::Range(lo, hi) => (equality, expression(left, sets), range(kind, lo, hi)),
        Operand::Set(name) => (equality, expression(left, sets), data(name, sets)),
    };
    json!({"match": {"op": op, "left": left, "right": right}})
}

fn log(log: &Log) -> Value {
    let Log { prefix, group } = log;
    let mut fields = serde_json::Map::new();
    if !prefix.is_empty() {
        fields.insert("prefix".to_owned(), json!(prefix));
    }
    if let Some(group) = group {
        fields.insert("group".to_owned(), json!(group));
    }
    match fields.is_empty() {
        true => json!({"log": null}),
        false => json!({ "log": fields }),
    }
}

fn nat(nat: &Nat, sets: &[Set]) -> Value {
    let Nat {
        kind,
        family,
        address,
        port,
        flags,
    } = nat;
    let word = match kind {
        NatKind::Snat => "snat",
        NatKind::Dnat => "dnat",
    };
    let one = |bytes: &[u8]| plain(&value::address(bytes));
    let mut words: Vec<&str> = nat_flags(*flags);
    let mut fields = serde_json::Map::new();
    let address = match address {
        NatAddress::Value(bytes) => one(bytes),
        NatAddress::Range(lo, hi) => json!({"range": [one(lo), one(hi)]}),
        NatAddress::Prefix(bytes, bits) => {
            words.push("netmap");
            fields.insert("type_flags".to_owned(), json!("prefix"));
            json!({"prefix": {"addr": one(bytes), "len": bits}})
        }
        NatAddress::Map(map) => expression(map, sets),
    };
    fields.insert("family".to_owned(), json!(family.name()));
    fields.insert("addr".to_owned(), address);
    if let Some(port) = port {
        fields.insert("port".to_owned(), nat_port(port, sets));
    }
    match words.as_slice() {
        [] => {}
        [only] => _ = fields.insert("flags".to_owned(), json!(only)),
        several => _ = fields.insert("flags".to_owned(), json!(several)),
    }
    json!({ word: fields })
}

fn nat_port(port: &NatPort, sets: &[Set]) -> Value {
    match port {
        NatPort::Value(port) => json!(port),
        NatPort::Range(lo, hi) => json!({"range": [lo, hi]}),
        NatPort::Map(map) => expression(map, sets),
    }
}
