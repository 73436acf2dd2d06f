//! What we tell an operator about a policy: values, collected in order, never exceptions.
//!
//! A diagnostic names a *document path* (`rules[3].to`), not a position: the compiler knows nothing about
//! text. Whoever prints brings a [`Locate`] that turns paths into bytes of a file. Errors about the world
//! (a file that cannot be read, a kernel that refuses) are not diagnostics.

mod code;
mod nearest;
mod path;
mod render;
mod source;
mod text;

pub use code::Code;
pub use nearest::nearest;
pub use path::{DocPath, Segment};
pub use render::{Finding, Report, escaped};
pub use source::{Lines, Locate, Position, SourceText, Spot, is_invisible};
pub use text::Text;

use schemars::JsonSchema;
use serde::Serialize;
use std::{fmt, ops::Range};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// The policy is refused.
    Error,
    /// The policy is taken; somebody should look.
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        })
    }
}

/// What a label points to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The value at a document path; where it does not exist, its nearest parent that does.
    Value(DocPath),
    /// The key that the document path ends in (for an element of a list: the value).
    Key(DocPath),
    /// Bytes of a file, for text that never became a document.
    Text(Spot),
}

impl From<DocPath> for Place {
    fn from(path: DocPath) -> Self {
        Place::Value(path)
    }
}

impl From<&DocPath> for Place {
    fn from(path: &DocPath) -> Self {
        Place::Value(path.clone())
    }
}

/// A place and what is to be said about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// What it points to.
    pub at: Place,
    /// What is wrong *here*; may be empty.
    pub text: String,
}

/// One statement about a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Which statement; stable, kebab-case.
    pub code: Code,
    /// Whether the policy is refused for it.
    pub severity: Severity,
    /// One line, lower case, no full stop, user text in backticks.
    pub message: String,
    /// Where; the first label is the primary one.
    pub labels: Vec<Label>,
    /// What to do about it.
    pub help: Option<String>,
}

impl Diagnostic {
    /// A statement for which the policy is refused.
    pub fn error(code: Code, message: impl Into<String>) -> Self {
        Diagnostic::new(code, Severity::Error, message.into())
    }

    /// A statement for which the policy is not refused.
    pub fn warning(code: Code, message: impl Into<String>) -> Self {
        Diagnostic::new(code, Severity::Warning, message.into())
    }

    fn new(code: Code, severity: Severity, message: String) -> Self {
        Diagnostic {
            code,
            severity,
            message,
            labels: Vec::new(),
            help: None,
        }
    }

    /// Adds a label; the first one added is the primary one.
    #[must_use]
    pub fn at(mut self, place: impl Into<Place>, text: impl Into<String>) -> Self {
        self.labels.push(Label {
            at: place.into(),
            text: text.into(),
        });
        self
    }

    /// Adds a label on the key of a path, not on its value.
    #[must_use]
    pub fn at_key(self, path: DocPath, text: impl Into<String>) -> Self {
        self.at(Place::Key(path), text)
    }

    /// Adds a label on bytes of a source.
    #[must_use]
    pub fn at_text(self, source: usize, bytes: Range<usize>, text: impl Into<String>) -> Self {
        self.at(Place::Text(Spot { source, bytes }), text)
    }

    /// Says what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// Diagnostics in the order in which they were found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
}

impl Diagnostics {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Diagnostics::default()
    }

    /// Adds one at the end.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.list.push(diagnostic);
    }

    /// Whether the policy is refused.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.list.iter().any(|d| d.severity == Severity::Error)
    }

    /// Whether there is nothing to say.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// In the order in which they were found.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.list.iter()
    }
}

impl Extend<Diagnostic> for Diagnostics {
    fn extend<I: IntoIterator<Item = Diagnostic>>(&mut self, more: I) {
        self.list.extend(more);
    }
}

impl FromIterator<Diagnostic> for Diagnostics {
    fn from_iter<I: IntoIterator<Item = Diagnostic>>(list: I) -> Self {
        Diagnostics {
            list: list.into_iter().collect(),
        }
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.into_iter()
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.iter()
    }
}
