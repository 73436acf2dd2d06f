//! The way of a policy without a mistake, which is nearly every one: the same steps as the thorough way, none
//! of which has to say what is wrong, and two of them at the same time.
//!
//! ```text
//! texts ─ decode, plain or guard ─► trees ─┬─► serde_yaml reads the texts in lockstep with the trees
//!                                          └─► schema ─► types
//! ```
//!
//! Nothing is returned unless all of them are content. Whatever one of them dislikes is looked at again by
//! [`super::thoroughly`], so there is one place that words complaints.

use super::super::{Locations, Policy, schema::validator};
use super::instance::Instance;
use super::merge::{File, merge};
use super::{Parsed, data, decode, lockstep, meaning, nothing_or_too_large, see, typed};
use crate::diagnostic::{Diagnostics, SourceText};
use std::thread;

/// Texts shorter than this, in bytes, are read before another thread has begun.
const SHORT: usize = 32 << 10;

/// Reads a policy and makes something of it; `None` if there is anything to say about it.
pub(super) fn quickly<T>(
    documents: &[SourceText],
    make: impl Fn(Policy) -> T,
) -> Option<Parsed<T>> {
    if nothing_or_too_large(documents).is_some() {
        return None;
    }
    let mut texts = Vec::new();
    let mut trees = Vec::new();
    for (source, document) in documents.iter().enumerate() {
        let text = decode::decode(source, document).ok()?;
        let seen = see(source, text);
        if !seen.whole || !seen.diagnostics.is_empty() {
            return None;
        }
        texts.push(text);
        trees.push(seen.tree);
    }
    let locations = Locations::new(trees);
    let same = || {
        let mut pairs = texts.iter().zip(locations.trees());
        pairs.all(|(text, tree)| lockstep::reads_alike(text, tree))
    };
    let made = || policy(documents, &locations).map(&make);
    let made = match texts.iter().map(|text| text.len()).sum::<usize>() < SHORT {
        true => made().filter(|_| same()),
        false => thread::scope(|scope| {
            let reader = thread::Builder::new().spawn_scoped(scope, same);
            let made = made();
            let same = match reader {
                Ok(reader) => reader.join().unwrap_or(false),
                // There are no threads to be had.
                Err(_) => same(),
            };
            made.filter(|_| same)
        }),
    }?;
    Some(Parsed {
        policy: Some(made),
        diagnostics: Diagnostics::default(),
        locations,
    })
}

/// The policy, if the schema and the types take it.
fn policy(documents: &[SourceText], locations: &Locations) -> Option<Policy> {
    if let [tree] = locations.trees() {
        let root = tree.root()?.0;
        let is_valid = validator()?.is_valid(Instance::Node(tree, root));
        return is_valid.then(|| data::make(tree, root))?;
    }
    let trees = locations.trees().iter().enumerate();
    let files = trees.map(|(source, tree)| {
        let value = meaning::to_json(tree, tree.root()?.0)?;
        Some(File { source, value })
    });
    let (merged, complaints) = merge(files.collect::<Option<_>>()?, documents, locations);
    if !complaints.is_empty() || !validator()?.is_valid(Instance::Value(&merged)) {
        return None;
    }
    // By the same code as the thorough way: there is a lot of it.
    typed(merged).ok()
}

#[cfg(test)]
mod tests {
    use super::quickly;
    use crate::diagnostic::SourceText;
    use crate::policy::parse::thoroughly;
    use proptest::prelude::*;

    const OFFICE: &str = include_str!("../../../policies/office.yaml");

    /// Whether the quick way is taken, which must then end where the thorough one does.
    #[track_caller]
    fn takes(texts: &[&str]) -> bool {
        let sources: Vec<SourceText> = texts
            .iter()
            .map(|text| SourceText {
                name: "x".into(),
                text: (*text).into(),
            })
            .collect();
        let thorough = thoroughly(&sources);
        let Some(quick) = quickly(&sources, |policy| policy) else {
            return false;
        };
        assert_eq!(quick.diagnostics, thorough.diagnostics);
        assert_eq!(quick.policy, thorough.policy);
        assert_eq!(quick.locations.trees(), thorough.locations.trees());
        true
    }

    /// A policy of so many rules.
    fn large(rules: usize) -> String {
        let rules = (0..rules).map(|nth| {
            format!("      - {{ name: r{nth}, services: [{{ tcp: [{}] }}], source: [10.{}.0.0/16], action: accept }}\n", nth + 1, nth % 256)
        });
        let zones = "version: 1\nzones: { lan: { interfaces: [eth1] } }";
        let policies = "policies:\n  - name: a\n    from: lan\n    to: firewall\n    rules:\n";
        format!("{zones}\n{policies}{}", rules.collect::<String>())
    }

    #[test]
    fn policies_without_a_mistake_are_read_quickly() {
        assert!(takes(&[OFFICE]));
        assert!(takes(&[&large(3_000)]));
        // Escapes and line ends of other systems are the guard's.
        assert!(takes(&[&OFFICE.replace('\n', "\r\n")]));
        assert!(takes(&[&OFFICE.replace("wan-in", "wan\\x20in")]));
        let (zones, policies) = OFFICE.split_once("policies:").unwrap();
        assert!(takes(&[zones, &format!("policies:{policies}")]));
    }

    #[test]
    fn mistakes_are_left_to_the_thorough_way() {
        let large = large(3_000);
        for (right, wrong) in [
            ("version: 1", "version: 2"),
            ("name: office-gw", "name: 1_000"),
            ("name: office-gw", "name: 22:30"),
            ("name: office-gw", "name: 0x16"),
            ("name: office-gw", "name:"),
            ("name: office-gw", "name: office-gw\nname: b"),
            ("name: office-gw", "naam: office-gw"),
            ("burst: 5,", "burst: 5.0,"),
            ("burst: 5,", "burst: 05,"),
            ("burst: 5,", "burst: \"5\","),
            ("burst: 5,", "burst: 0,"),
            ("services: [ping]", "services: []"),
        ] {
            assert!(OFFICE.contains(right), "{right}");
            assert!(!takes(&[&OFFICE.replacen(right, wrong, 1)]), "{wrong}");
        }
        assert!(!takes(&[]));
        assert!(!takes(&[OFFICE, OFFICE]));
        assert!(!takes(&[&large.replace("r2999,", "r 2999,")]));
        assert!(!takes(&[&large.replace("[3000]", "[0o17]")]));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// The office policy with some characters put in place of others.
        #[test]
        fn both_ways_end_alike(
            damages in proptest::collection::vec(
                (any::<prop::sample::Index>(), 0_usize..4, "[a-z0-9 ,:_.\n\"#-]{0,3}"), 1..3),
        ) {
            let mut text: Vec<char> = OFFICE.chars().collect();
            for (at, length, piece) in damages {
                let at = at.index(text.len());
                let end = text.len().min(at + length);
                text.splice(at..end, piece.chars());
            }
            takes(&[&text.into_iter().collect::<String>()]);
        }
    }
}
