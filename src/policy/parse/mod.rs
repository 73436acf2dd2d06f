//! Texts in, a policy out, or everything that is wrong with them. The only file that knows serde_yaml.
//!
//! ```text
//! bytes ─ decode ─► text ─ guard ─► tree     where things are; hostile YAML stops here
//!                     └─ serde_yaml ─► value     what they mean; must agree with the tree
//!           values ─ merge ─► document ─ structure ─► complaints of the schema ─► types
//! ```

mod agree;
mod decode;
mod guard;
mod merge;
mod structure;
mod tree;

pub(super) use tree::{Kind, Node, NodeId, Tree};

use super::{Locations, Policy};
use crate::diagnostic::{
    Code, Diagnostic, Diagnostics, DocPath, Locate, Segment, SourceText, Spot,
};
use decode::LARGEST_POLICY;
use merge::File;
use serde_json::Value;
use serde_path_to_error::Segment as Step;

/// What was read.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// The policy, if there was no error.
    pub policy: Option<Policy>,
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
    let mut diagnostics = Vec::new();
    let mut trees = Vec::new();
    let mut files = Vec::new();
    let mut whole = true;
    match too_large(documents) {
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
        let complaints = structure::structure(&document);
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
    } = guard::guard(source, text);
    if !whole {
        return Reading {
            tree,
            value: None,
            complaints,
        };
    }
    if !complaints.is_empty() {
        // It is refused; the tree is good enough to look for more mistakes.
        let value = tree.root().map(|(root, _)| tree.to_json(root));
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
            let at = error
                .location()
                .map_or(0, |location| location.index())
                .min(text.len());
            let message = format!("not valid YAML: {}", error.to_string().replace('`', "'"));
            nothing(Diagnostic::error(Code::YamlSyntax, message).at_text(source, at..at, ""))
        }
    }
}

fn too_large(documents: &[SourceText]) -> Option<Diagnostic> {
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
fn typed(document: Value) -> Result<Policy, Box<Diagnostic>> {
    serde_path_to_error::deserialize(document).map_err(|error| {
        let steps = error.path().iter().filter_map(|step| match step {
            Step::Map { key } => Some(Segment::Key(key.clone())),
            Step::Seq { index } => Some(Segment::Index(*index)),
            Step::Enum { .. } | Step::Unknown => None,
        });
        let path = DocPath::from(steps.collect::<Vec<_>>());
        Box::new(Diagnostic::error(Code::WrongType, error.inner().to_string()).at(path, ""))
    })
}
