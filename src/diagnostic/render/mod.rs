//! Diagnostics for people (plain or in colour) and programs (JSON). The only file that knows
//! annotate-snippets, which is shown the few lines that matter and never a whole file.

mod excerpt;
mod finding;
mod github;
mod sarif;

use super::{
    Diagnostic, Diagnostics, Lines, Locate, Position, Severity, SourceText, Spot, is_invisible,
};
use annotate_snippets::{AnnotationKind, Element, Group, Level, Origin, Renderer, Snippet};
use excerpt::{Excerpt, Mark, Window, clusters};
pub use finding::Finding;
use serde_json::Value;

/// Everything needed to show diagnostics.
#[expect(missing_debug_implementations, reason = "holds a trait object")]
#[derive(Clone, Copy)]
pub struct Report<'a> {
    /// What to show.
    pub diagnostics: &'a Diagnostics,
    /// The texts it is about.
    pub sources: &'a [SourceText],
    /// How places are found in them.
    pub locations: &'a dyn Locate,
}

/// A diagnostic and where it is.
struct Found<'a> {
    diagnostic: &'a Diagnostic,
    place: Option<Span<'a>>,
}

/// Part of a file; the end is behind its last character.
struct Span<'a> {
    file: &'a str,
    start: Position,
    end: Position,
}

impl Found<'_> {
    /// Message, label and help, a line each.
    fn text(&self) -> String {
        let Diagnostic {
            code: _,
            severity: _,
            message,
            labels,
            help,
        } = self.diagnostic;
        let mut lines = vec![escaped(message)];
        let label = labels.first().map(|label| escaped(&label.text));
        lines.extend(label.filter(|text| !text.is_empty()));
        lines.extend(help.iter().map(|help| format!("help: {}", escaped(help))));
        lines.join("\n")
    }
}

impl Report<'_> {
    /// For people, without colour; in the order of the text.
    #[must_use]
    pub fn plain(&self) -> String {
        self.text(&Renderer::plain())
    }

    /// For people, with colour; in the order of the text.
    #[must_use]
    pub fn colour(&self) -> String {
        self.text(&Renderer::styled())
    }

    /// For programs, in the order of the text. The place is that of the primary label.
    #[must_use]
    pub fn findings(&self) -> Vec<Finding> {
        let lines = self.lines();
        let shown = self.sorted().into_iter();
        shown
            .map(|diagnostic| Finding::of(self, diagnostic, &lines))
            .collect()
    }

    /// For GitHub Actions: one workflow command for each, which shows it beside the line in a pull request.
    #[must_use]
    pub fn github(&self) -> String {
        github::commands(&self.found())
    }

    /// For code scanning: a log in the form SARIF 2.1.0 (OASIS), with a rule for every diagnostic there is.
    #[must_use]
    pub fn sarif(&self) -> Value {
        sarif::log(&self.found())
    }

    /// Each with its place, in the order of the text.
    fn found(&self) -> Vec<Found<'_>> {
        let lines = self.lines();
        let found = self.sorted().into_iter().map(|diagnostic| {
            let label = diagnostic.labels.first();
            let spot = label.and_then(|label| self.locations.locate(&label.at));
            let place = spot.and_then(|Spot { source, bytes }| {
                let (file, lines) = (self.sources.get(source)?, lines.get(source)?);
                Some(Span {
                    file: &file.name,
                    start: lines.position(bytes.start),
                    end: lines.position(bytes.end),
                })
            });
            Found { diagnostic, place }
        });
        found.collect()
    }

    fn text(&self, renderer: &Renderer) -> String {
        if self.diagnostics.is_empty() {
            return String::new();
        }
        let lines = self.lines();
        let shown = self
            .sorted()
            .into_iter()
            .map(|diagnostic| self.text_of(diagnostic, &lines, renderer));
        shown.collect::<Vec<_>>().join("\n")
    }

    fn lines(&self) -> Vec<Lines<'_>> {
        self.sources
            .iter()
            .map(|source| Lines::new(&source.text))
            .collect()
    }

    /// In the order of the text; what has no place comes first.
    fn sorted(&self) -> Vec<&Diagnostic> {
        let mut placed: Vec<(Option<(usize, usize)>, &Diagnostic)> = self
            .diagnostics
            .iter()
            .map(|diagnostic| {
                let spot = diagnostic
                    .labels
                    .first()
                    .and_then(|label| self.locations.locate(&label.at));
                (spot.map(|spot| (spot.source, spot.bytes.start)), diagnostic)
            })
            .collect();
        placed.sort_by_key(|(place, _)| *place);
        placed
            .into_iter()
            .map(|(_, diagnostic)| diagnostic)
            .collect()
    }

    fn text_of(&self, diagnostic: &Diagnostic, lines: &[Lines<'_>], renderer: &Renderer) -> String {
        let Diagnostic {
            code,
            severity,
            message,
            labels,
            help,
        } = diagnostic;
        let level = match severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let mut group = level
            .primary_title(escaped(message))
            .id(code.name())
            .elements(Vec::<Element<'_>>::new());
        let marks = labels.iter().enumerate().filter_map(|(nth, label)| {
            let Spot { source, bytes } = self.locations.locate(&label.at)?;
            let line = lines.get(source)?.position(bytes.start).line;
            let text = escaped(&label.text);
            Some(Mark {
                source,
                line,
                bytes,
                primary: nth == 0,
                text,
            })
        });
        for cluster in clusters(marks.collect()) {
            group = self.cluster(group, lines, &cluster);
        }
        if let Some(help) = help {
            group = group.element(Level::HELP.message(escaped(help)));
        }
        renderer.render(&[group]) + "\n"
    }

    fn cluster<'s>(&'s self, group: Group<'s>, lines: &[Lines<'_>], marks: &[Mark]) -> Group<'s> {
        let (Some(first), Some(last)) = (marks.first(), marks.last()) else {
            return group;
        };
        let (Some(source), Some(lines)) = (self.sources.get(first.source), lines.get(first.source))
        else {
            return group;
        };
        let name = escaped(&source.name);
        let primary = marks.iter().find(|mark| mark.primary).unwrap_or(first);
        let position = lines.position(primary.bytes.start);
        let origin = Origin::path(name.clone())
            .line(position.line)
            .char_column(position.column);
        if source.text.is_empty() {
            return group.element(origin);
        }
        let window = Window::new(lines, first, last);
        let excerpt = Excerpt::new(window.bytes, window.start, marks);
        let annotations = marks.iter().zip(excerpt.spans).map(|(mark, span)| {
            let kind = if mark.primary {
                AnnotationKind::Primary
            } else {
                AnnotationKind::Context
            };
            kind.span(span)
                .label(Some(mark.text.clone()).filter(|text| !text.is_empty()))
        });
        let snippet = Snippet::source(excerpt.text)
            .line_start(first.line)
            .annotations(annotations.collect::<Vec<_>>());
        // Columns of a line that is cut are not those of the excerpt.
        match window.is_cut {
            true => group.element(origin).element(snippet),
            false => group.element(snippet.path(name)),
        }
    }
}

/// Text of a stranger, safe for a terminal: characters that cannot be seen are shown by their numbers.
#[must_use]
pub fn escaped(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => shown.push_str("\\n"),
            '\t' => shown.push_str("\\t"),
            c if is_invisible(c) => shown.push_str(&c.escape_unicode().to_string()),
            c => shown.push(c),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::{Report, escaped};
    use crate::diagnostic::{Code, Diagnostic, Locate, Place, SourceText, Spot};

    /// Knows only places in texts.
    struct Texts;

    impl Locate for Texts {
        fn locate(&self, place: &Place) -> Option<Spot> {
            match place {
                Place::Text(spot) => Some(spot.clone()),
                Place::Value(_) | Place::Key(_) => None,
            }
        }
    }

    fn sources(texts: &[&[u8]]) -> Vec<SourceText> {
        let named = texts.iter().enumerate().map(|(nth, text)| SourceText {
            name: format!("{nth}.yaml"),
            text: text.to_vec().into(),
        });
        named.collect()
    }

    fn plain(texts: &[&[u8]], diagnostic: Diagnostic) -> String {
        Report {
            diagnostics: &[diagnostic].into_iter().collect(),
            sources: &sources(texts),
            locations: &Texts,
        }
        .plain()
    }

    #[test]
    fn columns_count_characters() {
        let text = "ž: →x\n".as_bytes();
        let diagnostic = Diagnostic::error(Code::WrongType, "no")
            .at_text(0, 7..8, "here")
            .help("go");
        insta::assert_snapshot!(plain(&[text], diagnostic), @r"
        error[wrong-type]: no
         --> 0.yaml:1:5
          |
        1 | ž: →x
          |     ^ here
          |
          = help: go
        ");
    }

    #[test]
    fn labels_in_two_files() {
        let diagnostic = Diagnostic::error(Code::DefinedTwice, "twice")
            .at_text(1, 0..1, "again")
            .at_text(0, 2..3, "first");
        insta::assert_snapshot!(plain(&[b"\n\nx: 1\n", b"x: 2\n"], diagnostic), @r"
        error[defined-twice]: twice
         --> 1.yaml:1:1
          |
        1 | x: 2
          | ^ again
          |
         ::: 0.yaml:3:1
          |
        3 | x: 1
          | - first
        ");
    }

    #[test]
    fn labels_far_apart() {
        let text = format!("x: 1\n{}x: 2\n", "#\n".repeat(100));
        let diagnostic = Diagnostic::warning(Code::DuplicateKey, "twice")
            .at_text(0, 205..206, "again")
            .at_text(0, 0..1, "first");
        insta::assert_snapshot!(plain(&[text.as_bytes()], diagnostic), @r"
        warning[duplicate-key]: twice
           --> 0.yaml:102:1
            |
        102 | x: 2
            | ^ again
            |
           ::: 0.yaml:1:1
            |
          1 | x: 1
            | - first
        ");
    }

    #[test]
    fn strange_bytes() {
        let diagnostic =
            Diagnostic::error(Code::NotUtf8, "a\u{1b}[31m").at_text(0, 5..6, "b\u{202e}");
        insta::assert_snapshot!(plain(&[b"a\x1b\xffb \xfe \xe2\x80\xae\n"], diagnostic), @r"
        error[not-utf8]: a\u{1b}[31m
         --> 0.yaml:1:6
          |
        1 | a␛�b � �
          |      ^ b\u{202e}
        ");
    }

    #[test]
    fn empty_texts_and_places_behind_the_end() {
        let diagnostic = Diagnostic::error(Code::EmptyPolicy, "nothing").at_text(0, 0..0, "");
        insta::assert_snapshot!(plain(&[b""], diagnostic), @r"
        error[empty-policy]: nothing
        --> 0.yaml:1:1
        ");
        let diagnostic = Diagnostic::error(Code::EmptyPolicy, "nothing").at_text(0, 90..99, "");
        insta::assert_snapshot!(plain(&[b"# x\n"], diagnostic), @r"
        error[empty-policy]: nothing
         --> 0.yaml:2:1
          |
        2 |
          | ^
        ");
        let diagnostic = Diagnostic::error(Code::EmptyPolicy, "nothing").at_text(7, 0..1, "");
        insta::assert_snapshot!(plain(&[b"# x\n"], diagnostic), @"error[empty-policy]: nothing");
    }

    #[test]
    fn long_lines_are_cut() {
        let text = format!("x: [{}]\n", "1, ".repeat(1_000_000));
        let diagnostic =
            Diagnostic::error(Code::WrongType, "no").at_text(0, 1_500_001..1_500_002, "here");
        let shown = plain(&[text.as_bytes()], diagnostic);
        assert!(shown.len() < 2_000 && shown.contains("here"), "{shown}");
        assert!(shown.contains(":1:1500002"), "{shown}");
    }

    #[test]
    fn json() {
        let diagnostics = [
            Diagnostic::error(Code::WrongType, "second").at_text(0, 7..8, ""),
            Diagnostic::warning(Code::WrongType, "first")
                .at_text(0, 0..1, "")
                .help("go"),
        ];
        let report = Report {
            diagnostics: &diagnostics.into_iter().collect(),
            sources: &sources(&["ž: →x\n".as_bytes()]),
            locations: &Texts,
        };
        insta::assert_snapshot!(serde_json::to_string_pretty(&report.findings()).unwrap(), @r#"
        [
          {
            "code": "wrong-type",
            "severity": "warning",
            "message": "first",
            "file": "0.yaml",
            "line": 1,
            "column": 1,
            "endLine": 1,
            "endColumn": 2,
            "pointer": null,
            "help": "go"
          },
          {
            "code": "wrong-type",
            "severity": "error",
            "message": "second",
            "file": "0.yaml",
            "line": 1,
            "column": 5,
            "endLine": 1,
            "endColumn": 6,
            "pointer": null,
            "help": null
          }
        ]
        "#);
    }

    #[test]
    fn strangers_text() {
        assert_eq!(
            escaped("a\u{1b}[31m\nb\u{202e}é\u{85}"),
            "a\\u{1b}[31m\\nb\\u{202e}é\\u{85}"
        );
    }
}
