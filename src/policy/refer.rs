//! What a text of a policy refers to: further texts, and files of addresses. Looked for before the whole can be
//! read; what is wrong with it is said when it is read.

use super::parse::{NodeId, Tree, see_quietly};
use super::{IncludePattern, ListFile};
use crate::diagnostic::SourceText;
use std::ops::Range;
use std::str::FromStr;

/// A file or files that a text refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference<T> {
    /// Which.
    pub to: T,
    /// Where the text says so, in bytes.
    pub bytes: Range<usize>,
}

/// Everything that a text refers to, in the order in which it stands there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct References {
    /// `include`.
    pub includes: Vec<Reference<IncludePattern>>,
    /// `groups.*.file`.
    pub lists: Vec<Reference<ListFile>>,
}

/// Looks for references in a text. None are found in text that is no policy, and none that are no good as paths.
#[must_use]
pub fn references(document: &SourceText) -> References {
    let mut found = References::default();
    // Most texts have none, and looking for words is quicker than reading.
    let text = document.text.utf8();
    let has_word = text.is_some_and(|text| text.contains("include") || text.contains("file"));
    if !has_word {
        return found;
    }
    let Some(tree) = see_quietly(document) else {
        return found;
    };
    let Some((root, _)) = tree.root() else {
        return found;
    };
    if let Some((_, list)) = tree.entry(root, "include") {
        found.includes = tree
            .items(list)
            .filter_map(|id| reference(&tree, id))
            .collect();
    }
    if let Some((_, groups)) = tree.entry(root, "groups") {
        let files = tree.entries(groups).filter_map(|(_, group)| {
            let (_, file) = tree.entry(group, "file")?;
            reference(&tree, file)
        });
        found.lists = files.collect();
    }
    found
}

fn reference<T: FromStr>(tree: &Tree, id: NodeId) -> Option<Reference<T>> {
    Some(Reference {
        to: tree.text(id)?.parse().ok()?,
        bytes: tree.get(id)?.bytes(),
    })
}

#[cfg(test)]
mod tests {
    use super::references;
    use crate::diagnostic::SourceText;

    #[track_caller]
    fn check(text: &str, expect: &str) {
        let found = references(&SourceText {
            name: "x".into(),
            text: text.into(),
        });
        let shown = |bytes: std::ops::Range<usize>| text[bytes].to_owned();
        let includes = found.includes.into_iter().map(|one| {
            assert!(shown(one.bytes).contains(one.to.as_str()));
            one.to.to_string()
        });
        let lists = found.lists.into_iter().map(|one| {
            assert!(shown(one.bytes).contains(one.to.as_str()));
            one.to.to_string()
        });
        let all: Vec<String> = includes.chain(lists).collect();
        assert_eq!(all.join(" "), expect);
    }

    #[test]
    fn references_are_found_where_they_belong() {
        check("version: 1", "");
        check("include: [a/*.yaml, \"b.yaml\"]", "a/*.yaml b.yaml");
        check(
            "groups:\n  x: { file: l/x.txt }\n  y: [10.0.0.1]\n  z:\n    file: 'z'",
            "l/x.txt z",
        );
        check("policies: [{ include: [a.yaml], file: b }]", "");
    }

    #[test]
    fn what_is_no_good_is_not_followed() {
        check(
            "include: [../a.yaml, /b.yaml, 1, [c.yaml], d.yaml]",
            "d.yaml",
        );
        check("include: a.yaml", "");
        check("include: [a.yaml", "");
        check("a: &x [b.yaml]\ninclude: *x", "");
        check("groups: { x: { file: ../../etc/shadow } }", "");
    }
}
