//! A diagnostic for programs: what `rfw validate --format json` prints of each.

use super::{Report, escaped};
use crate::diagnostic::{Diagnostic, Lines, Place, Severity, Spot};
use schemars::JsonSchema;
use serde::Serialize;

/// One thing that is to be said about a policy. Lines and columns count from 1, columns in characters; a place that is not known is
/// `null`, all of it or nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// What it is, in kebab case: `unknown-zone`. Programs may count on it; README's table says of each what it means.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, in one line for people.
    pub message: String,
    /// The file, as it is called in every other message: below the directory of the policy, or as it was named.
    pub file: Option<String>,
    /// The line on which it begins.
    pub line: Option<usize>,
    /// The column in which it begins.
    pub column: Option<usize>,
    /// The line on which it ends.
    pub end_line: Option<usize>,
    /// The column behind its last character.
    pub end_column: Option<usize>,
    /// The same place in the document, as a JSON pointer (RFC 6901): `/policies/2/to`. `null` also for text that never became a
    /// document, such as a syntax error.
    pub pointer: Option<String>,
    /// What to do about it, in one line for people; `null` where there is no more to say.
    pub help: Option<String>,
}

impl Finding {
    pub(super) fn of(report: &Report<'_>, diagnostic: &Diagnostic, lines: &[Lines<'_>]) -> Self {
        let Diagnostic {
            code,
            severity,
            message,
            labels,
            help,
        } = diagnostic;
        let at = labels.first().map(|label| &label.at);
        let spot = at.and_then(|at| report.locations.locate(at));
        let position =
            |source: usize, byte: usize| lines.get(source).map(|lines| lines.position(byte));
        let (file, start, end) = match spot {
            None => (None, None, None),
            Some(Spot { source, bytes }) => (
                report.sources.get(source),
                position(source, bytes.start),
                position(source, bytes.end),
            ),
        };
        let pointer = at.and_then(|at| match at {
            Place::Value(path) | Place::Key(path) => Some(path.to_pointer()),
            Place::Text(_) => None,
        });
        Self {
            code: code.name(),
            severity: *severity,
            message: escaped(message),
            file: file.map(|file| escaped(&file.name)),
            line: start.map(|start| start.line),
            column: start.map(|start| start.column),
            end_line: end.map(|end| end.line),
            end_column: end.map(|end| end.column),
            pointer: pointer.map(|pointer| escaped(&pointer)),
            help: help.as_deref().map(escaped),
        }
    }
}
