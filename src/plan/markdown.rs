//! A plan as a comment of a pull request: one line that says it all, the rest folded away, warnings in sight. It begins with a mark
//! that nobody sees, by which a program finds its own comment again.

use std::fmt::{self, Display, Formatter};

use super::display::Listing;
use super::view::View;
use crate::view::printable;

/// How such comments begin.
const MARK: &str = "<!-- rfw-plan -->";
/// GitHub takes 65,536 characters: most bytes of the changes.
const MOST_CHANGES: usize = 50_000;
/// Most bytes of what there is to say about the policy.
const MOST_FINDINGS: usize = 10_000;

/// What is printed; itself what prints.
#[derive(Clone, Copy, Debug)]
pub enum Markdown<'a> {
    /// A plan.
    Plan {
        /// What would change.
        view: &'a View,
        /// The policy's name and revision.
        headline: Option<&'a str>,
        /// What it was compared with, where that is not the kernel.
        against: Option<&'a str>,
        /// What there is to say about the policy, without colour; empty for nothing.
        warnings: &'a str,
    },
    /// A policy that compiles to nothing.
    Rejected {
        /// Why, without colour.
        findings: &'a str,
    },
}

impl Display for Markdown<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "{MARK}")?;
        match *self {
            Self::Rejected { findings } => {
                writeln!(f, "**rfw plan: the policy is rejected**")?;
                block("text", findings, MOST_FINDINGS, f)
            }
            Self::Plan {
                view,
                headline,
                against,
                warnings,
            } => {
                writeln!(f, "**rfw plan:** {}", view.sentence())?;
                if !warnings.is_empty() {
                    writeln!(f, "\n**Warnings**")?;
                    block("text", warnings, MOST_FINDINGS, f)?;
                }
                let listing = Listing {
                    view,
                    headline,
                    against,
                    color: false,
                };
                writeln!(f, "\n<details><summary>{}</summary>", summary(against))?;
                block("diff", &listing.to_string(), MOST_CHANGES, f)?;
                writeln!(f, "\n</details>")
            }
        }
    }
}

fn summary(against: Option<&str>) -> String {
    let other = against.map_or_else(|| "the live ruleset".to_owned(), printable);
    let escape = |c| match c {
        '<' => "&lt;".to_owned(),
        '>' => "&gt;".to_owned(),
        '&' => "&amp;".to_owned(),
        c => String::from(c),
    };
    format!("against {}", other.chars().map(escape).collect::<String>())
}

/// Text between fences that are longer than any in it, cut at a line's end.
fn block(kind: &str, text: &str, most: usize, f: &mut Formatter<'_>) -> fmt::Result {
    let longest = text.split(|c| c != '`').map(str::len).max();
    let fence = "`".repeat(longest.unwrap_or(0).max(2) + 1);
    writeln!(f, "\n{fence}{kind}")?;
    let mut taken = 0;
    let mut lines = text.trim_end().lines();
    while let Some(line) = lines.next() {
        taken += line.len() + 1;
        if most < taken {
            let left = 1 + lines.count();
            writeln!(f, "{left} more lines are left out here")?;
            break;
        }
        writeln!(f, "{line}")?;
    }
    writeln!(f, "{fence}")
}

#[cfg(test)]
mod tests {
    use super::Markdown;
    use crate::live::Generation;
    use crate::plan::{Plan, View};

    #[test]
    fn nothing_to_do_and_strange_names() {
        let view = View::of_table(&Plan::nothing(Generation(0)));
        let comment = Markdown::Plan {
            view: &view,
            headline: Some("office"),
            against: Some("</summary>&"),
            warnings: "a ```` b\n",
        };
        insta::assert_snapshot!(comment.to_string(), @r##"
        <!-- rfw-plan -->
        **rfw plan:** no changes

        **Warnings**

        `````text
        a ```` b
        `````

        <details><summary>against &lt;/summary&gt;&amp;</summary>

        ```diff
        office   against </summary>&
        no changes
        ```

        </details>
        "##);
    }

    #[test]
    fn what_is_too_long_is_cut_and_counted() {
        let findings = "0123456789\n".repeat(10_000);
        let comment = Markdown::Rejected {
            findings: &findings,
        };
        let comment = comment.to_string();
        assert!(comment.len() < 11_000, "{}", comment.len());
        assert!(
            comment.contains("\n9091 more lines are left out here\n```\n"),
            "{comment}"
        );
    }
}
