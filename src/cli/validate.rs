//! `rfw validate`: everything that is wrong with a policy, at once.

use clap::{Args, ValueEnum};

use super::error::Failure;
use super::output::{Findings, Output};
use super::policy::Purpose;
use super::{Global, policy, raw};
use crate::diagnostic::{Finding, Severity};

/// Check a policy: its form, and what it means
///
/// Needs neither root nor the kernel, but for raw rules. All mistakes are reported at once, each with its place and what to do; of a policy for
/// several nodes, those of all nodes.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// How to print the findings
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// Forms of the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people, with the source lines
    Text,
    /// For programs
    Json,
    /// For GitHub Actions: annotations beside the lines
    Github,
    /// For code scanning: a log in the form SARIF 2.1.0
    Sarif,
}

pub(super) fn run(
    arguments: &Arguments,
    global: &Global,
    output: &mut Output,
) -> Result<(), Failure> {
    let texts = policy::read(global)?;
    let revision = texts.revision.as_ref();
    let revision = revision.map_or_else(String::new, |revision| format!(" at {revision}"));
    let examined = policy::examine(texts, Purpose::Validity(global.node.as_deref()), None);
    if let Err(error) = examined.raw {
        return Err(raw::failure(error));
    }
    let valid = !examined.diagnostics.has_errors();
    match arguments.format {
        Format::Json => {
            let findings = examined.report().findings();
            output.line(&serde_json::to_string_pretty(&findings).map_err(Failure::world)?);
        }
        Format::Github | Format::Sarif => {
            output.tell(match arguments.format {
                Format::Sarif => Findings::Sarif,
                Format::Text | Format::Json | Format::Github => Findings::Github,
            });
            policy::print(&examined, output);
        }
        Format::Text => {
            policy::print(&examined, output);
            let count = |severity| {
                examined
                    .diagnostics
                    .iter()
                    .filter(|found| found.severity == severity)
                    .count()
            };
            let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
            let verdict = if valid { "valid" } else { "rejected" };
            output.line(&format!(
                "{}{revision}: {verdict}, {} and {}",
                global.policy.display(),
                counted(errors, "error"),
                counted(warnings, "warning")
            ));
        }
    }
    if valid {
        Ok(())
    } else {
        Err(Failure::Rejected)
    }
}

/// The text of `schema/validate.schema.json`.
pub(super) fn schema() -> String {
    crate::view::schema::<Vec<Finding>>("urn:rfw:validate:1", "rfw validate")
}

/// `1 error`, `2 errors`.
pub(super) fn counted(number: usize, what: &str) -> String {
    if number == 1 {
        format!("1 {what}")
    } else {
        format!("{number} {what}s")
    }
}
