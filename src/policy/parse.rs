//! Texts in, a policy out, or everything that is wrong with them.

use super::{Locations, Policy};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, DocPath, SourceText};

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

/// Reads a policy from its files.
#[must_use]
pub fn parse(documents: &[SourceText]) -> Parsed {
    let mut diagnostics = Diagnostics::new();
    let mut policy = None;
    for document in documents {
        match serde_yaml::from_slice(&document.text) {
            Ok(read) => policy = Some(read),
            Err(error) => diagnostics.push(
                Diagnostic::error(Code::WrongType, error.to_string()).at(DocPath::root(), ""),
            ),
        }
    }
    Parsed {
        policy,
        diagnostics,
        locations: Locations::default(),
    }
}
