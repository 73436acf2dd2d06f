//! The raw rules of a ruleset, as a script for nft(8) in a network namespace where nothing else is.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::{Script, word};
use crate::ruleset::{Origin, Ruleset, Set, Statement, TABLE};

/// A script, and which of its lines is which rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawScript {
    /// The script: the table with the sets that the rules name, empty, and for each rule a chain of its own.
    pub text: String,
    /// The rules in the order of the lines; their chains are called [`raw_chain`].
    pub rules: Vec<RawLine>,
}

/// A raw rule on a line of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawLine {
    /// Its words.
    pub text: String,
    /// Where it came from.
    pub origin: Option<Origin>,
    /// The line in the script, counted from 1.
    pub line: usize,
    /// How many characters stand before it on the line.
    pub before: usize,
}

/// The chain of the rule with this index in [`RawScript::rules`].
pub fn raw_chain(index: usize) -> String {
    format!("rule{index}")
}

/// `None` when the ruleset has no raw rules.
pub fn raw_script(ruleset: &Ruleset) -> Option<RawScript> {
    let rules = ruleset.chains.iter().flat_map(|chain| &chain.rules);
    let texts: Vec<(&String, &Option<Origin>)> = rules
        .filter_map(|rule| match rule.statements.as_slice() {
            [Statement::Raw(text)] => Some((text, &rule.origin)),
            _ => None,
        })
        .collect();
    if texts.is_empty() {
        return None;
    }
    let named: BTreeSet<&str> = texts.iter().flat_map(|(text, _)| sets_of(text)).collect();
    let mut out = Script::default();
    out.line(0, &format!("table inet {TABLE} {{"));
    let sets = ruleset.sets.iter();
    for set in sets.filter(|set| named.contains(set.spec.name.as_str())) {
        out.set(&Set {
            spec: set.spec.clone(),
            elements: Vec::new().into(),
            origin: None,
        });
    }
    for index in 0..texts.len() {
        out.line(1, &format!("chain {} {{ }}", word::name(&raw_chain(index))));
    }
    out.line(0, "}");
    let mut text = out.text;
    let first = text.lines().count() + 1;
    let lines = texts
        .into_iter()
        .enumerate()
        .map(|(index, (rule, origin))| {
            let before = format!("add rule inet {TABLE} {} ", raw_chain(index));
            let _ = writeln!(text, "{before}{rule}");
            RawLine {
                text: rule.clone(),
                origin: origin.clone(),
                line: first + index,
                before: before.len(),
            }
        });
    let rules = lines.collect();
    Some(RawScript { text, rules })
}

/// The names behind `@` in a rule.
fn sets_of(text: &str) -> impl Iterator<Item = &str> {
    text.split('@').skip(1).map(|behind| {
        let end = behind.find(|c: char| !(c.is_ascii_alphanumeric() || "_-./".contains(c)));
        behind.get(..end.unwrap_or(behind.len())).unwrap_or(behind)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ruleset::{Chain, DataType, Rule, SetKind, SetSpec};

    #[test]
    fn one_chain_and_one_line_for_each_rule() {
        let set = |name: &str| Set {
            spec: SetSpec::new(name, vec![DataType::Ipv4Addr], SetKind::Set),
            elements: Vec::new().into(),
            origin: None,
        };
        let rule = |text: &str| Rule {
            name: None,
            statements: vec![Statement::Raw(text.to_owned())],
            origin: None,
        };
        let ruleset = Ruleset {
            sets: vec![set("group/a.ip4"), set("group/b.ip4")],
            objects: vec![],
            chains: vec![Chain {
                name: "raw/x".to_owned(),
                base: None,
                rules: vec![rule("ip saddr @group/a.ip4 drop"), rule("accept")],
            }],
        };
        let script = raw_script(&ruleset).expect("there are raw rules");
        let expect = "table inet rfw {\n\tset group/a.ip4 {\n\t\ttype ipv4_addr\n\t}\n\tchain rule0 { }\n\tchain rule1 { }\n}\n\
                      add rule inet rfw rule0 ip saddr @group/a.ip4 drop\nadd rule inet rfw rule1 accept\n";
        assert_eq!(script.text, expect);
        assert_eq!(script.rules[1].line, 9);
        assert_eq!(raw_script(&Ruleset::default()), None);
    }
}
