//! Trees in memory, and what is gathered from them.

use super::{LARGEST_LIST, Texts, gather};
use crate::source::{Entry, SourceError, Tree, Unreadable};
use std::collections::{BTreeMap, BTreeSet};

/// Files by path. `->` is a link that leads out, `dir` a directory of that name.
struct Memory(BTreeMap<String, Vec<u8>>);

impl Tree for Memory {
    fn list(&self, directory: &str) -> Result<Vec<Entry>, Unreadable> {
        let mut entries = BTreeSet::new();
        for path in self.0.keys() {
            let below = match directory {
                "" => Some(path.as_str()),
                directory => path
                    .strip_prefix(directory)
                    .and_then(|path| path.strip_prefix('/')),
            };
            if let Some(below) = below {
                let (name, rest) = below.split_once('/').unwrap_or((below, ""));
                entries.insert(Entry {
                    name: name.into(),
                    may_hold_more: !rest.is_empty(),
                });
            }
        }
        if entries.is_empty() {
            return Err(Unreadable::Missing);
        }
        Ok(entries.into_iter().collect())
    }

    fn read(&self, file: &str, most: u64) -> Result<Vec<u8>, Unreadable> {
        match self.0.get(file) {
            Some(text) if text == b"->" => Err(Unreadable::LeadsOut),
            Some(text) => Ok(text.iter().take(most as usize).copied().collect()),
            None if self.list(file).is_ok() => Err(Unreadable::NotAFile),
            None => Err(Unreadable::Missing),
        }
    }

    fn name(&self, file: &str) -> String {
        format!("p/{file}")
    }
}

fn gathered(files: &[(&str, &str)], own: &[&str]) -> Result<Texts, SourceError> {
    let files = files
        .iter()
        .map(|(path, text)| ((*path).into(), (*text).into()));
    let own: Vec<String> = own.iter().map(|path| (*path).into()).collect();
    gather(&Memory(files.collect()), &own)
}

/// The names in order, then what is said: `code at file: message` a line.
#[track_caller]
fn check(files: &[(&str, &str)], own: &[&str], expect: &str) {
    let texts = gathered(files, own).unwrap();
    let names: Vec<&str> = texts
        .sources
        .iter()
        .map(|source| source.name.as_str())
        .collect();
    let mut shown = names.join(" ") + "\n";
    for found in &texts.diagnostics {
        let crate::diagnostic::Place::Text(spot) = &found.labels[0].at else {
            panic!()
        };
        let source = &texts.sources[spot.source];
        let here = String::from_utf8_lossy(&source.text[spot.bytes.clone()]).into_owned();
        shown += &format!(
            "{} at {here} of {}: {}\n",
            found.code, source.name, found.message
        );
    }
    assert_eq!(shown.trim_end(), expect);
    assert_eq!(texts.documents + texts.lists.len(), texts.sources.len());
}

#[test]
fn own_files_come_first_and_lists_last() {
    check(
        &[
            (
                "p.yaml",
                "include: [s/*.yaml, a.yaml]\ngroups: { x: { file: l/x.txt } }",
            ),
            (
                "s/2.yaml",
                "groups: { y: { file: a.txt }, z: { file: l/x.txt } }",
            ),
            ("s/1.yaml", ""),
            ("s/.hidden.yaml", ""),
            ("s/1.txt", ""),
            ("a.yaml", "include: [s/1.yaml]"),
            ("l/x.txt", "10.0.0.1"),
            ("a.txt", "10.0.0.1"),
        ],
        &["p.yaml"],
        "p/p.yaml p/a.yaml p/s/1.yaml p/s/2.yaml p/a.txt p/l/x.txt",
    );
    check(
        &[
            ("b.yaml", "include: [c/*/x-?.yaml]"),
            ("a.yaml", ""),
            ("c/d/x-1.yaml", ""),
            ("c/e/x-22.yaml", ""),
            ("c/x-1.yaml", ""),
        ],
        &["a.yaml", "b.yaml"],
        "p/a.yaml p/b.yaml p/c/d/x-1.yaml",
    );
}

#[test]
fn what_is_not_there() {
    check(
        &[
            ("p.yaml", "include: [s/*.yaml, web.yaml, d.yaml]"),
            ("wed.yaml", ""),
            ("d.yaml/x", ""),
        ],
        &["p.yaml"],
        "p/p.yaml\n\
         no-such-file at s/*.yaml of p/p.yaml: there is no file `s/*.yaml`\n\
         no-such-file at web.yaml of p/p.yaml: there is no file `web.yaml`\n\
         not-a-file at d.yaml of p/p.yaml: `d.yaml` is not a regular file",
    );
    check(
        &[
            ("p.yaml", "groups: { a: { file: x }, b: { file: out } }"),
            ("out", "->"),
        ],
        &["p.yaml"],
        "p/p.yaml\n\
         no-such-file at x of p/p.yaml: there is no file `x`\n\
         leads-out at out of p/p.yaml: `out` leads out of the directory of the policy",
    );
}

#[test]
fn circles() {
    check(
        &[("p.yaml", "include: ['*.yaml']")],
        &["p.yaml"],
        "p/p.yaml\ninclude-cycle at '*.yaml' of p/p.yaml: `p.yaml` includes itself",
    );
    check(
        &[
            ("p.yaml", "include: [b.yaml, c.yaml]"),
            ("b.yaml", "include: [c.yaml]"),
            ("c.yaml", "include: [b.yaml]"),
        ],
        &["p.yaml"],
        "p/p.yaml p/b.yaml p/c.yaml\n\
         include-cycle at b.yaml of p/c.yaml: `b.yaml` includes itself: `b.yaml` → `c.yaml` → `b.yaml`",
    );
    check(
        &[
            ("a.yaml", "include: [b.yaml]"),
            ("b.yaml", "include: [a.yaml]"),
        ],
        &["a.yaml", "b.yaml"],
        "p/a.yaml p/b.yaml\n\
         include-cycle at a.yaml of p/b.yaml: `a.yaml` includes itself: `a.yaml` → `b.yaml` → `a.yaml`",
    );
}

#[test]
fn depth() {
    let names: Vec<String> = (0..10).map(|nth| format!("{nth}.yaml")).collect();
    let texts: Vec<String> = (1..11)
        .map(|nth| format!("include: [{nth}.yaml]"))
        .collect();
    let mut files: Vec<(&str, &str)> = names
        .iter()
        .map(String::as_str)
        .zip(texts.iter().map(String::as_str))
        .collect();
    files.truncate(8);
    files.push(("8.yaml", ""));
    let texts = gathered(&files, &["0.yaml"]).unwrap();
    let said: Vec<_> = texts
        .diagnostics
        .iter()
        .map(|found| found.message.as_str())
        .collect();
    assert_eq!(said, ["`8.yaml` is included more than 8 files deep"]);
}

#[test]
fn bombs_are_not_gathered() {
    // Every file includes all files: no more is looked at than a policy may have.
    let names: Vec<String> = (0..1000).map(|nth| format!("d/{nth}.yaml")).collect();
    let mut files: Vec<(&str, &str)> = names
        .iter()
        .map(|name| (name.as_str(), "include: ['d/*.yaml']"))
        .collect();
    files.push(("p.yaml", "include: ['d/*.yaml']"));
    let texts = gathered(&files, &["p.yaml"]).unwrap();
    assert!(!texts.diagnostics.is_empty());
    // Policies that are too large are not read to their end.
    let large = "#".repeat(4 << 20);
    let files: Vec<(&str, &str)> = std::iter::once(("p.yaml", "include: ['d/*.yaml']"))
        .chain(
            names
                .iter()
                .take(9)
                .map(|name| (name.as_str(), large.as_str())),
        )
        .collect();
    assert!(gathered(&files, &["p.yaml"]).unwrap().sources.len() < 8);
    // Lists have a size of their own.
    let list = " ".repeat(LARGEST_LIST + 1);
    check(
        &[("p.yaml", "groups: { a: { file: l } }"), ("l", &list)],
        &["p.yaml"],
        "p/p.yaml\ntoo-large at l of p/p.yaml: the list `l` is too large",
    );
}
