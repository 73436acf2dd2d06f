//! Where words go: results to standard output, everything else to standard error, colour only where it
//! can be shown.

use std::io::{self, IsTerminal, Write};

use anstream::AutoStream;
use anstyle::{AnsiColor, Style};
use clap::ColorChoice;

/// Both streams.
pub(super) struct Output {
    out: io::BufWriter<AutoStream<io::Stdout>>,
    err: AutoStream<io::Stderr>,
    color: bool,
    color_err: bool,
    failed: Option<io::Error>,
    is_terminal: bool,
    /// In place of both streams: what was said, for whoever asked for it.
    kept: Option<String>,
    findings: Findings,
}

/// How diagnostics about a policy are told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Findings {
    /// To people, on standard error.
    #[default]
    Text,
    /// As the comment of a pull request, on standard output, when the policy is rejected.
    Markdown,
    /// As commands for GitHub Actions, on standard output.
    Github,
    /// As a log in the form SARIF, on standard output.
    Sarif,
}

const ERROR: Style = AnsiColor::Red.on_default().bold();

impl Output {
    /// Asks the terminal what it can do.
    pub(super) fn new(choice: ColorChoice) -> Self {
        let choice = match choice {
            ColorChoice::Auto => anstream::ColorChoice::Auto,
            ColorChoice::Always => anstream::ColorChoice::Always,
            ColorChoice::Never => anstream::ColorChoice::Never,
        };
        let out = AutoStream::new(io::stdout(), choice);
        let err = AutoStream::new(io::stderr(), choice);
        let shows = |choice| choice != anstream::ColorChoice::Never;
        let (color, color_err) = (shows(out.current_choice()), shows(err.current_choice()));
        Self {
            out: io::BufWriter::new(out),
            err,
            color,
            color_err,
            failed: None,
            is_terminal: io::stdout().is_terminal(),
            kept: None,
            findings: Findings::default(),
        }
    }

    /// Nothing is printed; all that is said is kept, without colour.
    pub(super) fn kept() -> Self {
        Self {
            kept: Some(String::new()),
            ..Self::new(ColorChoice::Never)
        }
    }

    /// What was kept so far; it is forgotten here.
    pub(super) fn take(&mut self) -> String {
        self.kept.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// How diagnostics are told.
    pub(super) fn findings(&self) -> Findings {
        self.findings
    }

    /// Has them told in another way from now on.
    pub(super) fn tell(&mut self, findings: Findings) {
        self.findings = findings;
    }

    /// Whether results may carry colour.
    pub(super) fn color(&self) -> bool {
        self.color
    }

    /// Whether diagnostics may carry colour.
    pub(super) fn color_err(&self) -> bool {
        self.color_err
    }

    /// Whether results go to a terminal.
    pub(super) fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    /// How many lines the terminal has; 24 when it does not say.
    pub(super) fn rows(&self) -> usize {
        let size = terminal_size::terminal_size_of(io::stdout());
        size.map_or(24, |(_, terminal_size::Height(rows))| rows.into())
    }

    /// A part of the result.
    pub(super) fn result(&mut self, text: &str) {
        if let Some(kept) = &mut self.kept {
            kept.push_str(text);
            return;
        }
        if let Err(error) = self.out.write_all(text.as_bytes())
            && self.failed.is_none()
        {
            self.failed = Some(error);
        }
    }

    /// A line of the result.
    pub(super) fn line(&mut self, text: &str) {
        self.result(text);
        self.result("\n");
    }

    /// A line for the person, not for the pipe.
    pub(super) fn note(&mut self, text: &str) {
        if self.kept.is_some() {
            return self.line(text);
        }
        self.flush();
        // Standard error is where failures would be reported; there is nowhere else to go.
        let _ = writeln!(self.err, "{text}");
    }

    /// `error: …`
    pub(super) fn error(&mut self, text: &str) {
        if self.kept.is_some() {
            return self.line(&format!("error: {text}"));
        }
        self.flush();
        let _ = writeln!(self.err, "{ERROR}error{ERROR:#}: {text}");
    }

    /// Both streams may be one terminal: what was said first comes first.
    fn flush(&mut self) {
        if let Err(error) = self.out.flush()
            && self.failed.is_none()
        {
            self.failed = Some(error);
        }
    }

    /// Writes out what is still buffered.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        match self.failed.take() {
            Some(error) => Err(error),
            None => self.out.flush(),
        }
    }
}
