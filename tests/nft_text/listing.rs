//! What `nft --debug=netlink` says it sends, and the same of ours.

use std::collections::{BTreeMap, BTreeSet};

use rfw::bytecode::linearize;
use rfw::ruleset::{Datum, Key, Ruleset, Set, Verdict};

/// The rules of each chain and the elements of each set.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Listing {
    /// The instructions of each rule in order, a line each.
    pub(super) rules: BTreeMap<String, Vec<String>>,
    /// The elements of each set.
    pub(super) elements: BTreeMap<String, BTreeSet<String>>,
}

/// From the output of `nft --debug=netlink -f`.
pub(super) fn of_nft(output: &str) -> Listing {
    let mut listing = Listing::default();
    let mut chain = String::new();
    let mut set = String::new();
    for line in output.lines() {
        // Before a lookup by several fields of which some are ranges, nft turns the byte order of the one
        // byte of `meta l4proto` around. That does nothing, and rfw leaves it out.
        if line.contains("= hton(") && line.ends_with(", 2, 1) ]") {
            continue;
        }
        if line.starts_with("  [ ") {
            let rule = listing.rules.get_mut(&chain).and_then(|it| it.last_mut());
            let rule = rule.expect("an instruction belongs to a rule");
            rule.push_str(line.trim());
            rule.push('\n');
        } else if let Some(name) = line.strip_prefix("inet rfw ") {
            name.clone_into(&mut chain);
            let rules = listing.rules.entry(chain.clone()).or_default();
            rules.push(String::new());
        } else if line.starts_with("\telement ") {
            let elements = listing.elements.entry(set.clone()).or_default();
            elements.extend(line.split("\telement ").skip(1).map(element_of_nft));
        } else if let Some((name, _)) = line.split_once(" rfw ") {
            name.clone_into(&mut set);
        }
    }
    for elements in listing.elements.values_mut() {
        // Where two ranges touch, nft says of some that the first ends, and of some not; the next begins there anyway.
        let begins: BTreeSet<String> = elements.iter().filter_map(|line| begin(line)).collect();
        elements.retain(|line| {
            line.strip_suffix(" : 1")
                .is_none_or(|key| !begins.contains(key))
        });
    }
    listing
}

/// The key of an element that begins something.
fn begin(line: &str) -> Option<String> {
    let (key, rest) = line.split_once(" : ")?;
    (rest != "1").then(|| key.to_owned())
}

/// `KEY [- LAST] : [DATUM] FLAGS`, then the comment.
fn element_of_nft(text: &str) -> String {
    let (element, comment) = text.split_once("[end]").expect("an element ends");
    let words: Vec<&str> = element.split_whitespace().collect();
    let comment = match comment.trim().strip_prefix("userdata = { \\x00") {
        Some(comment) => {
            let text = comment.strip_suffix("\\x00 }").expect("it ends with NUL");
            // The length, as the character it is or in hexadecimal.
            let text = text
                .strip_prefix("\\x")
                .map_or_else(|| &text[1..], |text| &text[2..]);
            format!(" comment {text}")
        }
        None => String::new(),
    };
    format!("{}{comment}", words.join(" "))
}

/// The same of what rfw would send.
pub(super) fn of_ours(ruleset: &Ruleset) -> Listing {
    let program = linearize(ruleset.clone());
    Listing {
        rules: program
            .chains
            .iter()
            .filter(|chain| !chain.rules.is_empty())
            .map(|chain| {
                let rules = chain.rules.iter().map(ToString::to_string).collect();
                (chain.name.clone(), rules)
            })
            .collect(),
        elements: program
            .sets
            .iter()
            .filter(|set| !set.elements.is_empty())
            .map(|set| (set.spec.name.clone(), elements(set)))
            .collect(),
    }
}

fn elements(set: &Set) -> BTreeSet<String> {
    let ranges = set.spec.interval;
    let single = set.spec.key.len() == 1;
    let mut lines = BTreeSet::new();
    let mut begins: BTreeSet<Vec<u8>> = BTreeSet::new();
    let mut ends: BTreeSet<Vec<u8>> = BTreeSet::new();
    for element in set.elements.iter() {
        let Key { lo, .. } = &element.key;
        let last = if ranges && !single {
            format!(" - {}", words(element.key.last()))
        } else {
            String::new()
        };
        let datum = match &element.datum {
            None => String::new(),
            Some(Datum::Value(bytes)) => format!("{} ", words(bytes)),
            Some(Datum::Verdict(verdict)) => format!("{} ", verdict_text(verdict)),
        };
        let comment = match &element.name {
            None => String::new(),
            Some(name) => format!(" comment {name}"),
        };
        lines.insert(format!("{}{last} : {datum}0{comment}", words(lo)));
        begins.insert(lo.to_vec());
        ends.extend(next(element.key.last()));
    }
    if ranges && single {
        // What is in none of the ranges begins at zero and behind each range.
        ends.insert(vec![0; set.spec.key[0].width()]);
        let gaps = ends.difference(&begins);
        lines.extend(gaps.map(|gap| format!("{} : 1", words(gap))));
    }
    lines
}

/// The number above, if there is one.
fn next(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut next = bytes.to_vec();
    for byte in next.iter_mut().rev() {
        let (sum, over) = byte.overflowing_add(1);
        *byte = sum;
        if !over {
            return Some(next);
        }
    }
    None
}

fn verdict_text(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Accept => "accept".to_owned(),
        Verdict::Drop => "drop".to_owned(),
        Verdict::Continue => "continue".to_owned(),
        Verdict::Return => "return".to_owned(),
        Verdict::Jump(chain) => format!("jump -> {chain}"),
        Verdict::Goto(chain) => format!("goto -> {chain}"),
    }
}

fn words(bytes: &[u8]) -> String {
    let words: Vec<String> = bytes
        .chunks(4)
        .map(|chunk| {
            let mut word = [0; 4];
            word[..chunk.len()].copy_from_slice(chunk);
            format!("{:08x}", u32::from_ne_bytes(word))
        })
        .collect();
    words.join(" ")
}
