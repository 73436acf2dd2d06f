//! What there is to say about a policy, printed for people, for pull requests and for scanners of code.

use super::Examined;
use crate::cli::output::{Findings, Output};
use crate::diagnostic::{Report, SourceText};
use crate::plan::Markdown;

/// Prints diagnostics to standard error; returns what was said, without colour.
pub(in crate::cli) fn print(examined: &Examined, output: &mut Output) -> String {
    let report = examined.report();
    let plain = report.plain().trim_end().to_owned();
    match output.findings() {
        Findings::Text if plain.is_empty() => {}
        Findings::Text if output.color_err() => output.note(report.colour().trim_end()),
        Findings::Text => output.note(&plain),
        Findings::Markdown if examined.diagnostics.has_errors() => {
            output.result(&Markdown::Rejected { findings: &plain }.to_string());
        }
        Findings::Markdown => {}
        Findings::Github | Findings::Sarif => {
            let sources = in_repository(examined);
            let report = Report {
                sources: &sources,
                ..report
            };
            match output.findings() {
                Findings::Sarif => output.line(&format!("{:#}", report.sarif())),
                Findings::Text | Findings::Markdown | Findings::Github => {
                    output.result(&report.github());
                }
            }
        }
    }
    plain
}

/// Prints diagnostics to standard error, for people.
pub(in crate::cli) fn print_report(report: &Report<'_>, output: &mut Output) {
    let shown = match output.color_err() {
        true => report.colour(),
        false => report.plain(),
    };
    if !shown.trim_end().is_empty() {
        output.note(shown.trim_end());
    }
}

/// The texts under the names that they have in the repository, without the revision before it.
fn in_repository(examined: &Examined) -> Vec<SourceText> {
    let sources = examined.sources.iter().map(|source| {
        let mut source = source.clone();
        // No revision has a colon in its name.
        if examined.revision.is_some()
            && let Some((_, path)) = source.name.split_once(':')
        {
            source.name = path.to_owned();
        }
        source
    });
    sources.collect()
}
