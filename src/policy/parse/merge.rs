//! Several files, one document: maps are united, lists are appended in the order of the files, and all else
//! may be said once.

use super::super::Locations;
use crate::diagnostic::{Code, Diagnostic, DocPath, SourceText};
use serde_json::{Map, Value};

/// One file, read.
#[derive(Debug)]
pub(crate) struct File {
    /// Its number among the sources.
    pub(crate) source: usize,
    /// What it says.
    pub(crate) value: Value,
}

/// How values of several files become one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Union {
    /// Names, each defined once.
    Names,
    /// Entries, one file's after the other's.
    Append,
    /// Keys that are appended each.
    Lists,
    /// Said once.
    Once,
}

fn union_of(key: &str) -> Union {
    match key {
        "zones" | "services" | "groups" | "sets" | "nodes" | "schedules" => Union::Names,
        "policies" | "include" | "tests" => Union::Append,
        "nat" => Union::Lists,
        "sysctl" => Union::Names,
        _ => Union::Once,
    }
}

/// Makes one document of several files. What cannot be united is complained about and left out.
pub(crate) fn merge(
    files: Vec<File>,
    sources: &[SourceText],
    locations: &Locations,
) -> (Value, Vec<Diagnostic>) {
    let mut merge = Merge {
        sources,
        locations,
        diagnostics: Vec::new(),
    };
    let mut files = files.into_iter();
    // One file is taken as it is, whatever it holds: the schema says what is wrong with it.
    let Some(first) = files.next() else {
        return (Value::Null, merge.diagnostics);
    };
    let mut merged = first.value;
    for file in files {
        merge.unite(
            &mut merged,
            file.value,
            file.source,
            &DocPath::root(),
            union_of,
        );
    }
    (merged, merge.diagnostics)
}

struct Merge<'a> {
    sources: &'a [SourceText],
    locations: &'a Locations,
    diagnostics: Vec<Diagnostic>,
}

impl Merge<'_> {
    /// Unites the map `more` with `into`; `union` tells for each key how.
    fn unite(
        &mut self,
        into: &mut Value,
        more: Value,
        source: usize,
        path: &DocPath,
        union: fn(&str) -> Union,
    ) {
        match (into, more) {
            (Value::Object(into), Value::Object(more)) => {
                for (key, value) in more {
                    self.unite_key(into, key, value, source, path, union);
                }
            }
            (_, more) => self.other_kind(&more, source, path, "a map"),
        }
    }

    fn unite_key(
        &mut self,
        into: &mut Map<String, Value>,
        key: String,
        value: Value,
        source: usize,
        path: &DocPath,
        union: fn(&str) -> Union,
    ) {
        let below = path.name(&key);
        let Some(before) = into.get_mut(&key) else {
            into.insert(key, value);
            return;
        };
        match union(&key) {
            Union::Once => self.twice(&key, source, &below),
            Union::Names => self.unite(before, value, source, &below, |_| Union::Once),
            Union::Lists => self.unite(before, value, source, &below, |_| Union::Append),
            Union::Append => match (before, value) {
                (Value::Array(before), Value::Array(more)) => before.extend(more),
                (_, more) => self.other_kind(&more, source, &below, "a list"),
            },
        }
    }

    fn twice(&mut self, key: &str, source: usize, path: &DocPath) {
        let mut diagnostic = Diagnostic::error(
            Code::DefinedTwice,
            format!("`{key}` is defined in two files"),
        );
        let again = self.locations.in_source(source, path);
        let before = (0..source).find_map(|earlier| self.locations.in_source(earlier, path));
        if let Some(again) = again {
            diagnostic = diagnostic.at_text(again.source, again.bytes, "again here");
        }
        if let Some(before) = before {
            let file = self
                .sources
                .get(before.source)
                .map_or("", |source| source.name.as_str());
            diagnostic = diagnostic
                .at_text(before.source, before.bytes, "first here")
                .help(format!("keep it here or in `{file}`"));
        }
        self.diagnostics.push(diagnostic);
    }

    fn other_kind(&mut self, value: &Value, source: usize, path: &DocPath, expected: &str) {
        let what = if path.segments().is_empty() {
            "the file".into()
        } else {
            format!("`{path}`")
        };
        let diagnostic = match value {
            Value::Null => Diagnostic::error(Code::EmptyValue, format!("{what} has no value")),
            _ => Diagnostic::error(
                Code::WrongType,
                format!("{what} is not the same kind of thing in all files"),
            )
            .help(format!("{expected} is expected in each of them")),
        };
        let spot = self.locations.in_source(source, path);
        self.diagnostics.push(match spot {
            Some(spot) => diagnostic.at_text(spot.source, spot.bytes, ""),
            None => diagnostic,
        });
    }
}
