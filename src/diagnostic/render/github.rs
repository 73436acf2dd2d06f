//! Diagnostics as workflow commands of GitHub Actions ("Workflow commands for GitHub Actions", setting an error message).
//! The escapes are those of actions/toolkit (`command.ts`): what a policy says cannot become a command of its own.

use super::{Found, Span, escaped};
use crate::diagnostic::Severity;

/// A line for each.
pub(super) fn commands(found: &[Found<'_>]) -> String {
    found.iter().map(command).collect()
}

fn command(found: &Found<'_>) -> String {
    let word = match found.diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let mut properties = Vec::new();
    if let Some(Span { file, start, end }) = &found.place {
        properties.push(format!("file={}", property(&escaped(file))));
        properties.push(format!("line={}", start.line));
        properties.push(format!("endLine={}", end.line));
        properties.push(format!("col={}", start.column));
        // GitHub takes an end only on the same line.
        if start.line == end.line && start.column < end.column {
            properties.push(format!("endColumn={}", end.column));
        }
    }
    let code = found.diagnostic.code.name();
    properties.push(format!("title={}", property(code)));
    format!(
        "::{word} {}::{}\n",
        properties.join(","),
        data(&found.text())
    )
}

/// Text behind `::`.
fn data(text: &str) -> String {
    let text = text.replace('%', "%25");
    text.replace('\r', "%0D").replace('\n', "%0A")
}

/// The value of a property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
