//! Texts in, a policy out, or everything that is wrong with them. The only file that knows serde_yaml.
//!
//! ```text
//! bytes ─ decode ─► text ─ guard ─► tree     where things are; hostile YAML stops here (plain YAML: `plain`)
//!                     └─ serde_yaml ─► value     what they mean; must agree with the tree
//!           values ─ merge ─► document ─ structure ─► complaints of the schema ─► types
//! ```

mod agree;
mod data;
mod decode;
mod guard;
mod instance;
mod lockstep;
mod meaning;
mod merge;
mod pieces;
mod plain;
#[cfg(test)]
mod properties;
mod quick;
mod structure;
#[cfg(test)]
mod tests;
mod tree;

pub(super) use instance::Written;
pub(super) use tree::{Kind, NodeId, Tree};

use super::schema::Document;
use super::{Locations, Policy};
use crate::diagnostic::{
    Code, Diagnostic, Diagnostics, DocPath, Locate, Segment, SourceText, Spot,
};
pub use decode::{LARGEST_FILE, LARGEST_POLICY};
use merge::File;
use serde_json::Value;
use serde_path_to_error::Segment as Step;
use std::sync::Arc;

/// What was read.
#[derive(Clone, Debug)]
pub struct Parsed<T = Policy> {
    /// The policy, or what was made of it; there if there was no error.
    pub policy: Option<T>,
    /// Everything there is to say.
    pub diagnostics: Diagnostics,
    /// Where things were written.
    pub locations: Locations,
}

/// Reads a policy from its files, in the order in which they are merged.
///
/// All mistakes are found at once, as far as one does not hide another: text that is no YAML has no keys to
/// complain about. The policy is there exactly if no diagnostic is an error. What names refer to is
/// not looked at.
#[must_use]
pub fn parse(documents: &[SourceText]) -> Parsed {
    parse_and(documents, |policy| policy)
}

/// As [`parse`], and makes something of the policy if there is one; in the meantime the second reader may still be at
/// work. What was made of a policy that is found wanting then is thrown away.
pub fn parse_and<T>(documents: &[SourceText], make: impl Fn(Policy) -> T) -> Parsed<T> {
    if let Some(parsed) = quick::quickly(documents, &make) {
        return parsed;
    }
    let Parsed {
        policy,
        diagnostics,
        locations,
    } = thoroughly(documents);
    Parsed {
        policy: policy.map(make),
        diagnostics,
        locations,
    }
}

/// Reads a document of some kind, looking for everything there is to say.
#[must_use]
pub fn thoroughly<D: Document>(documents: &[SourceText]) -> Parsed<D> {
    let mut diagnostics = Vec::new();
    let mut trees = Vec::new();
    let mut files = Vec::new();
    let mut whole = true;
    match nothing_or_too_large(documents) {
        Some(diagnostic) => {
            diagnostics.push(diagnostic);
            whole = false;
        }
        None => {
            for (source, document) in documents.iter().enumerate() {
                let Reading {
                    tree,
                    value,
                    mut complaints,
                } = read(source, document);
                diagnostics.append(&mut complaints);
                trees.push(tree);
                match value {
                    Some(value) => files.push(File { source, value }),
                    None => whole = false,
                }
            }
        }
    }
    let locations = Locations::new(trees);
    let mut policy = None;
    if whole {
        let (document, complaints) = merge::merge(files, documents, &locations);
        diagnostics.extend(complaints);
        let complaints = structure::structure(&document, D::checker());
        add_unless_said(&mut diagnostics, complaints, &locations);
        if diagnostics.is_empty() {
            match typed(document) {
                Ok(read) => policy = Some(read),
                Err(diagnostic) => diagnostics.push(*diagnostic),
            }
        }
    }
    Parsed {
        policy,
        diagnostics: diagnostics.into_iter().collect(),
        locations,
    }
}

/// One file as it was read.
struct Reading {
    tree: Tree,
    /// What it says; `None` if that cannot be told.
    value: Option<Value>,
    complaints: Vec<Diagnostic>,
}

fn read(source: usize, document: &SourceText) -> Reading {
    let nothing = |complaint| Reading {
        tree: Tree::default(),
        value: None,
        complaints: vec![complaint],
    };
    let text = match decode::decode(source, document) {
        Ok(text) => text,
        Err(complaint) => return nothing(complaint),
    };
    let guard::Seen {
        tree,
        diagnostics: mut complaints,
        whole,
    } = see(source, text);
    if !whole {
        return Reading {
            tree,
            value: None,
            complaints,
        };
    }
    if !complaints.is_empty() {
        // It is refused; the tree is good enough to look for more mistakes.
        let value = tree
            .root()
            .map(|(root, _)| tree.to_json(root, tree::core_schema));
        return Reading {
            tree,
            value,
            complaints,
        };
    }
    match serde_yaml::from_str::<Value>(text) {
        Ok(value) => {
            complaints.extend(agree::agree(source, &tree, &value));
            Reading {
                tree,
                value: Some(value),
                complaints,
            }
        }
        Err(error) => {
            let at = byte_of(
                text,
                error.location().map_or(0, |location| location.index()),
            );
            let message = error.to_string().replace('`', "'");
            // The place is shown beside it.
            let message = message.split(" at line ").next().unwrap_or_default();
            nothing(match message.contains("out of range") {
                true => Diagnostic::error(
                    Code::OutOfRange,
                    "a number that no key of the language takes",
                )
                .at_text(source, at..at, "too large")
                .help("quote it if it is text"),
                false => Diagnostic::error(Code::YamlSyntax, format!("not valid YAML: {message}"))
                    .at_text(source, at..at, ""),
            })
        }
    }
}

/// The text as a tree: plain ones quickly, others and their mistakes by the guard.
fn see(source: usize, text: &Arc<String>) -> guard::Seen {
    match plain::plain(text) {
        Some(tree) => guard::Seen {
            tree,
            diagnostics: Vec::new(),
            whole: true,
        },
        None => guard::guard(source, text),
    }
}

/// The tree of a text that says what it means; `None` of any other.
pub(super) fn see_quietly(document: &SourceText) -> Option<Tree> {
    let text = decode::decode(0, document).ok()?;
    let seen = see(0, text);
    (seen.whole && seen.diagnostics.is_empty()).then_some(seen.tree)
}

/// The byte of a character: libyaml counts characters, too.
fn byte_of(text: &str, character: usize) -> usize {
    text.char_indices()
        .nth(character)
        .map_or(text.len(), |(byte, _)| byte)
}

fn nothing_or_too_large(documents: &[SourceText]) -> Option<Diagnostic> {
    if documents.is_empty() {
        return Some(Diagnostic::error(
            Code::EmptyPolicy,
            "there is no file to read a policy from",
        ));
    }
    let total: usize = documents.iter().map(|document| document.text.len()).sum();
    (LARGEST_POLICY < total).then(|| {
        let message = format!("the policy has {total} bytes, at most {LARGEST_POLICY} are read");
        Diagnostic::error(Code::TooLarge, message).at_text(0, 0..0, "")
    })
}

/// Adds what is not about a place that somebody complained about already: one cause, one complaint.
fn add_unless_said(
    diagnostics: &mut Vec<Diagnostic>,
    more: Vec<Diagnostic>,
    locations: &Locations,
) {
    let primary = |diagnostic: &Diagnostic| locations.locate(&diagnostic.labels.first()?.at);
    let said: Vec<Spot> = diagnostics.iter().filter_map(primary).collect();
    let is_said = |spot: &Spot| {
        said.iter().any(|said| {
            said.source == spot.source
                && said.bytes.start < spot.bytes.end
                && spot.bytes.start < said.bytes.end
        })
    };
    diagnostics.extend(
        more.into_iter()
            .filter(|diagnostic| !primary(diagnostic).is_some_and(|spot| is_said(&spot))),
    );
}

/// The policy as types. The schema has been asked before, so this does not fail; a test compares the two.
fn typed<D: Document>(document: Value) -> Result<D, Box<Diagnostic>> {
    serde_path_to_error::deserialize(document).map_err(|error| {
        let steps = error.path().iter().filter_map(|step| match step {
            Step::Map { key } => Some(Segment::Key(key.clone().into())),
            Step::Seq { index } => Some(Segment::Index(*index)),
            Step::Enum { .. } | Step::Unknown => None,
        });
        let path: DocPath = steps.collect();
        Box::new(Diagnostic::error(Code::WrongType, error.inner().to_string()).at(path, ""))
    })
}
