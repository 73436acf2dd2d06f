//! Raw rules, as far as their words alone tell: whether they stay in their chain, and mean the same on every box. What
//! they do is only known once nft and the kernel have read them.

use crate::compile::model::Model;
use crate::diagnostic::{Code, Diagnostic, Diagnostics};

/// Checks the words of all raw rules.
pub(super) fn blocks(model: &Model, diagnostics: &mut Diagnostics) {
    for block in &model.raw {
        for (index, text) in block.rules.iter().enumerate() {
            if let Some((message, help)) = complaint(text) {
                let at = block.at.key("rules").index(index);
                let diagnostic = Diagnostic::error(Code::RawNotPossible, message)
                    .at(at, "has to be one rule of its chain")
                    .help(help);
                diagnostics.push(diagnostic);
            }
        }
    }
}

/// Words after which nft would have no rule of this chain before it, with what is wrong.
const WORDS: &[(&str, &str)] = &[
    ("include", "reads a file"),
    ("define", "defines a name for nft"),
    ("undefine", "defines a name for nft"),
    ("redefine", "defines a name for nft"),
    ("jump", "leads out of the block"),
    ("goto", "leads out of the block"),
    ("vmap", "may lead out of the block"),
    (
        "comment",
        "would have two names: rfw keeps its own in the comment",
    ),
];

/// Words that say where in a chain a rule comes, when they are the first.
const PLACES: &[&str] = &["handle", "position", "index"];

/// Words between a field and what it is compared with.
const OPERATORS: &[&str] = &[
    "eq", "ne", "lt", "gt", "le", "ge", "and", "or", "xor", "set",
];

fn complaint(text: &str) -> Option<(String, &'static str)> {
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    if let Some(first) = words.first().filter(|first| PLACES.contains(first)) {
        let message = format!("the raw rule begins with `{first}`, which says where it comes");
        return Some((message, "rules come in the order in which they are listed"));
    }
    let found = WORDS.iter().find(|(word, _)| words.contains(word));
    if let Some((word, why)) = found {
        let message = format!("the raw rule {why} (`{word}`)");
        return Some((message, "say it by the policy, or by what the packet holds"));
    }
    let mut compared = words
        .iter()
        .zip(words.iter().skip(1))
        .filter(|(field, _)| matches!(**field, "saddr" | "daddr"));
    let host = compared.find_map(|(_, value)| looked_up(value, &words));
    host.map(|host| {
        let message = format!("`{host}` would be looked up as the name of a host");
        (message, "write its address")
    })
}

/// A word that nft would take for the name of a host.
fn looked_up<'a>(value: &'a str, words: &[&'a str]) -> Option<&'a str> {
    let is_name = |word: &str| {
        word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && !word.contains(':')
    };
    let is_operator = OPERATORS.contains(&value) || matches!(value, "==" | "!=" | "&" | "|" | "^");
    if !is_operator {
        let bare = value.trim_start_matches(['=', '!']);
        return is_name(bare).then_some(value);
    }
    let behind = words.iter().skip_while(|word| **word != value);
    behind
        .skip(1)
        .find(|word| !OPERATORS.contains(word))
        .filter(|word| is_name(word))
        .copied()
}

#[cfg(test)]
mod tests {
    use super::complaint;

    #[track_caller]
    fn check(text: &str, expect: &str) {
        let said = complaint(text).map(|(message, _)| message);
        assert_eq!(said.unwrap_or_default(), expect);
    }

    #[test]
    fn words_that_stay_in_the_chain() {
        check("tcp flags & (fin|syn) == (fin|syn) drop", "");
        check("ip saddr 192.0.2.1 drop", "");
        check("ip6 saddr != 2001:db8::/32 drop", "");
        check("ip6 saddr fd00::1 drop", "");
        check("ip saddr & 255.0.0.0 == 10.0.0.0 accept", "");
        check("ip saddr @group/admins.ip4 accept", "");
        check("iifname jumpy drop", "");
    }

    #[test]
    fn words_that_lead_out() {
        check("jump input", "the raw rule leads out of the block (`jump`)");
        check("goto raw/x", "the raw rule leads out of the block (`goto`)");
        check(
            "handle 3 drop",
            "the raw rule begins with `handle`, which says where it comes",
        );
        check(
            "drop comment x",
            "the raw rule would have two names: rfw keeps its own in the comment (`comment`)",
        );
    }

    #[test]
    fn hosts_are_not_looked_up() {
        check(
            "ip saddr localhost drop",
            "`localhost` would be looked up as the name of a host",
        );
        check(
            "ip daddr != example.org drop",
            "`example.org` would be looked up as the name of a host",
        );
    }
}
