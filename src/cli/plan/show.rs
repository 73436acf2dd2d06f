//! A plan shown: for people, for programs, for pull requests and for scanners of code.

use anstyle::AnsiColor;
use clap::ValueEnum;

use super::compare::{Comparison, StillEqual};
use crate::cli::error::Failure;
use crate::cli::output::{Findings, Output};
use crate::cli::policy::Loaded;
use crate::live::Generation;
use crate::plan::{Detail, Listing, Markdown, Plan, View};

/// How much of large sets is shown.
pub(in crate::cli) fn detail(all: bool) -> Detail {
    if all { Detail::All } else { Detail::Few }
}

/// Forms of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Format {
    /// For people
    Text,
    /// For programs
    Json,
}

/// Forms of what `rfw plan` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum PlanFormat {
    /// For people
    Text,
    /// For programs
    Json,
    /// The comment of a pull request
    Markdown,
    /// For GitHub Actions: what there is to say about the policy beside its lines, and one line about the plan
    Github,
    /// For code scanning: what there is to say about the policy, in the form SARIF 2.1.0
    Sarif,
}

impl PlanFormat {
    /// How diagnostics are told along with it.
    pub(in crate::cli) fn findings(self) -> Findings {
        match self {
            Self::Text | Self::Json => Findings::Text,
            Self::Markdown => Findings::Markdown,
            Self::Github => Findings::Github,
            Self::Sarif => Findings::Sarif,
        }
    }
}

impl From<Format> for PlanFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::Text => Self::Text,
            Format::Json => Self::Json,
        }
    }
}

/// What is shown when nothing can have changed.
pub(in crate::cli) fn unchanged(equal: StillEqual) -> View {
    let StillEqual {
        verified,
        settings,
        next,
    } = equal;
    let generation = Generation(verified.generation);
    let mut view = View::of_table(&Plan::nothing(generation)).with_settings(&settings);
    view.next = next;
    view
}

/// Prints a comparison for people.
pub(in crate::cli) fn show_comparison(
    comparison: Comparison,
    output: &mut Output,
) -> Result<(), Failure> {
    match comparison {
        Comparison::StillEqual(equal) => show(unchanged(*equal), None, Format::Text, output),
        Comparison::Read(planned) => {
            let view = planned.view(Detail::Few);
            show(view, Some(&planned.loaded), Format::Text, output)
        }
    }
}

/// Prints what a plan changes, and what the schedules do next.
pub(in crate::cli) fn show(
    mut view: View,
    loaded: Option<&Loaded>,
    format: impl Into<PlanFormat>,
    output: &mut Output,
) -> Result<(), Failure> {
    if let Some(loaded) = loaded {
        view.locate(loaded.places());
        view.next.clone_from(&loaded.switches);
    }
    print(&view, loaded, None, format.into(), output)
}

/// The lines of a plan that carry no colour yet, as a terminal shows them.
pub(in crate::cli) fn coloured(text: &str, color: bool) -> String {
    if !color {
        return text.to_owned();
    }
    let lines = text.split_inclusive('\n').map(|line| {
        let style = match line.get(..2) {
            Some("+ ") => AnsiColor::Green.on_default(),
            Some("- ") => AnsiColor::Red.on_default(),
            Some("~ ") => AnsiColor::Yellow.on_default(),
            Some("> " | "= ") => AnsiColor::Cyan.on_default(),
            _ => return line.to_owned(),
        };
        let bare = line.trim_end_matches('\n');
        let end = line.get(bare.len()..).unwrap_or_default();
        format!("{style}{bare}{style:#}{end}")
    });
    lines.collect()
}

/// Prints a view; `against` is what it was compared with, where that is not the kernel.
pub(in crate::cli) fn print(
    view: &View,
    loaded: Option<&Loaded>,
    against: Option<&str>,
    format: PlanFormat,
    output: &mut Output,
) -> Result<(), Failure> {
    let headline = loaded.and_then(Loaded::headline);
    let headline = headline.as_deref();
    match format {
        PlanFormat::Text => output.result(
            &Listing {
                view,
                headline,
                against,
                color: output.color(),
            }
            .to_string(),
        ),
        PlanFormat::Json => {
            let text = serde_json::to_string_pretty(view).map_err(Failure::world)?;
            output.line(&text);
        }
        PlanFormat::Markdown => output.result(
            &Markdown::Plan {
                view,
                headline,
                against,
                warnings: loaded.map_or("", |loaded| &loaded.warnings),
            }
            .to_string(),
        ),
        // Nothing in the sentence is anybody's text.
        PlanFormat::Github => {
            output.line(&format!("::notice title=rfw plan::{}", view.sentence()));
        }
        PlanFormat::Sarif => {}
    }
    Ok(())
}
