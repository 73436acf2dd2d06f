//! The ruleset as a text or as JSON that nft(8) reads, and pieces of it for people.
//!
//! A script is the second opinion: loaded by `nft -f` it gives the same listing as rfw's own batch.
//! rfw runs nft for one thing only: to learn what raw rules mean, away from the live ruleset.

mod chain;
mod json;
mod raw;
mod set;
mod statement;
mod value;
mod word;

pub use chain::{any_rule_text, any_rule_text_at, chain_text, rule_text};
pub use json::json;
pub use raw::{RawLine, RawScript, raw_chain, raw_script};
pub use set::{element_text, key_text, object_text, set_text};
pub use word::is_name;

use crate::ruleset::{Chain, Object, Ruleset, Set, TABLE};

/// A script that puts the ruleset in the place of rfw's table, whatever was in it, in one transaction.
/// Other tables are not touched.
pub fn script(ruleset: &Ruleset) -> String {
    let Ruleset {
        sets,
        objects,
        chains,
    } = ruleset;
    let mut out = Script::default();
    out.line(0, "#!/usr/sbin/nft -f");
    out.line(
        0,
        "# Made by rfw from a policy; changes here are lost. Loading it replaces this table only.",
    );
    out.line(0, "");
    out.line(0, &format!("table inet {TABLE}"));
    out.line(0, &format!("delete table inet {TABLE}"));
    out.line(0, "");
    out.line(0, &format!("table inet {TABLE} {{"));
    for object in objects {
        out.object(object);
    }
    for set in sets {
        out.set(set);
    }
    let (base, regular): (Vec<&Chain>, Vec<&Chain>) =
        chains.iter().partition(|chain| chain.base.is_some());
    for chain in base.into_iter().chain(regular) {
        out.chain(chain);
    }
    out.line(0, "}");
    out.text
}

/// How long a line of elements may become.
const LINE: usize = 90;

/// Text that grows line by line, with an empty line between blocks.
#[derive(Default)]
struct Script {
    text: String,
    blocks: usize,
}

impl Script {
    fn line(&mut self, depth: usize, line: &str) {
        if !line.is_empty() {
            self.text.extend(std::iter::repeat_n('\t', depth));
        }
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn open(&mut self, heading: &str) {
        if self.blocks > 0 {
            self.line(0, "");
        }
        self.blocks += 1;
        self.line(1, &format!("{heading} {{"));
    }

    fn object(&mut self, object: &Object) {
        let (heading, lines) = set::object_lines(object);
        self.open(&heading);
        for line in lines {
            self.line(2, &line);
        }
        self.line(1, "}");
    }

    fn set(&mut self, set: &Set) {
        self.open(&set::heading(&set.spec));
        for line in set::set_lines(&set.spec) {
            self.line(2, &line);
        }
        if !set.elements.is_empty() {
            self.elements(&set::elements(set));
        }
        self.line(1, "}");
    }

    /// On one line if they fit; else many to a line, but each that says more than its key by itself.
    fn elements(&mut self, elements: &[(String, bool)]) {
        let all = elements
            .iter()
            .map(|(text, _)| text.len() + 2)
            .sum::<usize>();
        if all <= LINE {
            let texts: Vec<&str> = elements.iter().map(|(text, _)| text.as_str()).collect();
            self.line(2, &format!("elements = {{ {} }}", texts.join(", ")));
            return;
        }
        self.line(2, "elements = {");
        let mut line = String::new();
        for (text, plain) in elements {
            if !line.is_empty() && (!plain || line.len() + text.len() + 2 > LINE) {
                self.line(3, &line);
                line.clear();
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(text);
            line.push(',');
            if !plain {
                self.line(3, &line);
                line.clear();
            }
        }
        if !line.is_empty() {
            self.line(3, &line);
        }
        self.line(2, "}");
    }

    fn chain(&mut self, chain: &Chain) {
        let Chain { name, base, rules } = chain;
        self.open(&format!("chain {}", word::name(name)));
        if let Some(base) = base {
            self.line(2, &chain_text(base));
        }
        for rule in rules {
            self.line(2, &chain::rule_line(rule));
        }
        self.line(1, "}");
    }
}
