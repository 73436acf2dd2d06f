//! The ruleset as JSON for `nft -j -f`, by the schema of libnftables-json(5).
//!
//! It says what the script says, within what nft 1.0.6 reads of its own schema: a map whose key is a
//! number that `numgen` or `jhash` yields, and a set of times, have no name there, so their elements stand in the rules
//! that ask them; and comments of sets are not read.

mod expression;
mod set;
mod statement;

use serde_json::{Value, json};

use crate::ruleset::{Base, Chain, ChainPolicy, ChainType, Hook, Rule, Ruleset, TABLE};

/// Commands that put the ruleset in the place of rfw's table, one a line, in one transaction.
pub fn json(ruleset: &Ruleset) -> String {
    let Ruleset {
        sets,
        objects,
        chains,
    } = ruleset;
    let table = || json!({"table": {"family": "inet", "name": TABLE}});
    let mut commands = vec![
        json!({"metainfo": {"json_schema_version": 1}}),
        json!({"add": table()}),
        json!({"delete": table()}),
        json!({"add": table()}),
    ];
    // In this order everything is there before it is named.
    commands.extend(chains.iter().map(|chain| json!({"add": heading(chain)})));
    commands.extend(
        objects
            .iter()
            .map(|object| json!({"add": set::object(object)})),
    );
    let named = sets.iter().filter(|set| !set::is_nameless(&set.spec));
    commands.extend(named.map(|set| json!({"add": set::set(set)})));
    for chain in chains {
        let rules = chain.rules.iter().map(|rule| body(chain, rule, ruleset));
        commands.extend(rules.map(|rule| json!({"add": rule})));
    }
    let lines: Vec<String> = commands.iter().map(Value::to_string).collect();
    format!("{{\"nftables\": [\n{}\n]}}\n", lines.join(",\n"))
}

fn heading(chain: &Chain) -> Value {
    let name = &chain.name;
    let Some(base) = &chain.base else {
        return json!({"chain": {"family": "inet", "table": TABLE, "name": name}});
    };
    let Base {
        kind,
        hook,
        priority,
        policy,
    } = base;
    let kind = match kind {
        ChainType::Filter => "filter",
        ChainType::Nat => "nat",
        ChainType::Route => "route",
    };
    let hook = match hook {
        Hook::Other(number) => number.to_string(),
        known => known.name().unwrap_or_default().to_owned(),
    };
    let policy = match policy {
        ChainPolicy::Accept => "accept",
        ChainPolicy::Drop => "drop",
    };
    json!({"chain": {
        "family": "inet", "table": TABLE, "name": name,
        "type": kind, "hook": hook, "prio": priority, "policy": policy,
    }})
}

fn body(chain: &Chain, rule: &Rule, ruleset: &Ruleset) -> Value {
    let Rule {
        name,
        statements,
        origin: _,
    } = rule;
    let statements: Vec<Value> = statements
        .iter()
        .map(|it| statement::statement(it, &ruleset.sets))
        .collect();
    let mut rule = json!({
        "family": "inet", "table": TABLE, "chain": chain.name, "expr": statements,
    });
    if let (Some(name), Some(fields)) = (name, rule.as_object_mut()) {
        fields.insert("comment".to_owned(), json!(name));
    }
    json!({ "rule": rule })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ruleset::{
        DataType, Datum, Element, Expression, Field, Key, Operand, Relation, Set, SetKind, SetSpec,
        Statement, Transport, Verdict,
    };

    #[test]
    fn commands_one_a_line() {
        let spec = SetSpec::new("pairs", vec![DataType::Ifname], SetKind::VerdictMap);
        let name = *b"eth0\0\0\0\0\0\0\0\0\0\0\0\0";
        let element = Element {
            key: Key::exact(name),
            datum: Some(Datum::Verdict(Verdict::Goto("c".to_owned()))),
            name: Some("lan/web".to_owned()),
            count: None,
        };
        let rule = Rule {
            name: Some("\"quoted\"".to_owned()),
            statements: vec![
                Statement::Match {
                    left: Expression::Field(Field::Dport(Transport::Tcp)),
                    relation: Relation::Ne,
                    right: Operand::Range([0, 80].into(), [0, 90].into()),
                },
                Statement::Counter,
                Statement::Verdict(Verdict::Accept),
            ],
            origin: None,
        };
        let ruleset = Ruleset {
            sets: vec![Set {
                spec,
                elements: vec![element].into(),
                origin: None,
            }],
            objects: vec![],
            chains: vec![Chain {
                name: "c".to_owned(),
                base: None,
                rules: vec![rule],
            }],
        };
        let expect = [
            r#"{"nftables": ["#,
            r#"{"metainfo":{"json_schema_version":1}},"#,
            r#"{"add":{"table":{"family":"inet","name":"rfw"}}},"#,
            r#"{"delete":{"table":{"family":"inet","name":"rfw"}}},"#,
            r#"{"add":{"table":{"family":"inet","name":"rfw"}}},"#,
            r#"{"add":{"chain":{"family":"inet","name":"c","table":"rfw"}}},"#,
            r#"{"add":{"map":{"elem":[[{"elem":{"comment":"lan/web","val":"eth0"}},{"goto":{"target":"c"}}]],"family":"inet","map":"verdict","name":"pairs","table":"rfw","type":"ifname"}}},"#,
            r#"{"add":{"rule":{"chain":"c","comment":"\"quoted\"","expr":[{"match":{"left":{"payload":{"field":"dport","protocol":"tcp"}},"op":"!=","right":{"range":[80,90]}}},{"counter":null},{"accept":null}],"family":"inet","table":"rfw"}}}"#,
            "]}\n",
        ];
        assert_eq!(json(&ruleset), expect.join("\n"));
    }
}
