//! A plan as text, for people under stress: grouped by table and chain, what comes and goes at the left,
//! where it comes from at the right, one summary line. Nothing is left out but the elements of new sets
//! after the first few, and those are counted.

use std::fmt::{self, Display, Formatter, Write};

use anstyle::{AnsiColor, Style};

use super::settings_listing::{SettingsListing, counted_settings};
use super::view::{Change, Subject, Summary, Tally, Verb, View};
use crate::ruleset::TABLE;
use crate::view::printable;

/// Texts longer than this push their origin to the right.
const WIDEST: usize = 64;

/// How a view is printed; itself what prints.
#[derive(Clone, Copy, Debug)]
pub struct Listing<'a> {
    /// What is printed.
    pub view: &'a View,
    /// What stands before the generation, such as the revision.
    pub headline: Option<&'a str>,
    /// What it was compared with, where that is not the kernel.
    pub against: Option<&'a str>,
    /// Whether to colour.
    pub color: bool,
}

impl Display for Listing<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            view,
            headline,
            against,
            color: _,
        } = self;
        if let Some(headline) = headline {
            write!(f, "{headline}   ")?;
        }
        match against {
            Some(other) => writeln!(f, "against {}", printable(other))?,
            None => writeln!(f, "live generation {}", view.generation)?,
        }
        self.changes(f)?;
        for switch in &view.next {
            writeln!(f, "next: {}", printable(&switch.text))?;
        }
        Ok(())
    }
}

impl Listing<'_> {
    fn changes(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let view = self.view;
        let says_table = |change: &Change| change.object == Subject::Table;
        if !view.changes.is_empty() && !view.changes.iter().any(says_table) {
            writeln!(f, "table inet {TABLE}")?;
        }
        let mut rest = view.changes.as_slice();
        while let Some((first, behind)) = rest.split_first() {
            // A set with its elements, a chain with its rules.
            let inside = behind
                .iter()
                .take_while(|change| matches!(change.object, Subject::Element | Subject::Rule))
                .count();
            let (inside, behind) = behind.split_at_checked(inside).unwrap_or((behind, &[]));
            self.line(first, 0, f)?;
            let width = inside
                .iter()
                .map(|change| change.text.chars().count())
                .max();
            for change in inside {
                self.line(change, width.unwrap_or(0).min(WIDEST), f)?;
            }
            rest = behind;
        }
        if !view.settings.is_silent() {
            let (settings, color) = (&view.settings, self.color);
            write!(f, "{}", SettingsListing { settings, color })?;
        }
        writeln!(f, "{}", view.sentence())
    }

    fn line(&self, change: &Change, width: usize, f: &mut Formatter<'_>) -> fmt::Result {
        let Change {
            verb,
            object,
            parent: _,
            name,
            handle,
            origin,
            place,
            text,
            was,
            was_place,
            elements,
            element_count,
            outside_proofs,
        } = change;
        let (mark, style) = match verb {
            Verb::Add => ('+', AnsiColor::Green.on_default()),
            Verb::Remove => ('-', AnsiColor::Red.on_default()),
            Verb::Replace => ('~', AnsiColor::Yellow.on_default()),
            Verb::Move => ('>', AnsiColor::Cyan.on_default()),
            Verb::Renew => ('=', AnsiColor::Cyan.on_default()),
            Verb::Keep => (' ', Style::new()),
        };
        let (style, faint) = if self.color {
            (style, Style::new().dimmed())
        } else {
            (Style::new(), Style::new())
        };
        let indent = match object {
            Subject::Table => 1,
            Subject::Object | Subject::Flowtable | Subject::Set | Subject::Chain => 1,
            Subject::Element | Subject::Rule => 3,
        };
        let text = printable(text);
        write!(f, "{style}{mark}{:indent$}{text}{style:#}", "")?;

        let mut right = Vec::new();
        // A place in the files says more than a place in the document.
        right.extend(place.as_deref().or(origin.as_deref()).map(printable));
        right.extend(
            name.as_deref()
                .map(|name| format!("\"{}\"", printable(name))),
        );
        if let (Verb::Remove, Some(handle)) = (verb, handle) {
            right.push(format!("handle {handle}"));
        }
        if *outside_proofs {
            right.push("(raw, outside the proofs)".to_owned());
        }
        if !right.is_empty() {
            let gap = width.saturating_sub(text.chars().count()) + 5;
            write!(f, "{:gap$}{faint}{}{faint:#}", "", right.join(" "))?;
        }
        f.write_char('\n')?;

        if let Some(was) = was {
            let was = printable(was);
            write!(f, "{faint} {:indent$}  was {was}", "")?;
            if let Some(place) = was_place {
                write!(f, "     {}", printable(place))?;
            }
            writeln!(f, "{faint:#}")?;
        }
        if let (Some(count), Some((first, more))) = (element_count, elements.split_first()) {
            write!(f, "{style}{mark}   {}", printable(first))?;
            for element in more {
                write!(f, ", {}", printable(element))?;
            }
            match count.saturating_sub(elements.len()) {
                0 => {}
                hidden => write!(f, " and {} more", grouped(hidden))?,
            }
            writeln!(f, "{style:#}")?;
        }
        Ok(())
    }
}

impl View {
    /// In one line: how many of what, in how many operations.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self.changes_nothing() {
            true => "no changes".to_owned(),
            false => Sentence(self).to_string(),
        }
    }
}

/// The last line: how many of what, in how many operations.
struct Sentence<'a>(&'a View);

impl Display for Sentence<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let View {
            version: _,
            generation: _,
            changes,
            settings,
            summary:
                Summary {
                    rules,
                    elements,
                    sets,
                    objects,
                    chains,
                },
            staged_operations,
            operations,
            next: _,
        } = self.0;
        let mut parts = Vec::new();
        for change in changes {
            match (change.object, change.verb) {
                (Subject::Table, Verb::Add) => parts.push("table created".to_owned()),
                (Subject::Table, Verb::Remove) => parts.push("table removed".to_owned()),
                (Subject::Table, Verb::Replace) => parts.push("table woken".to_owned()),
                _ => {}
            }
        }
        for (one, many, tally) in [
            ("rule", "rules", rules),
            ("element", "elements", elements),
            ("set", "sets", sets),
            ("object", "objects", objects),
            ("chain", "chains", chains),
        ] {
            parts.extend(tallied(one, many, *tally));
        }
        parts.extend(counted_settings(settings));
        write!(f, "{}; ", parts.join(", "))?;
        if *operations == 0 {
            return f.write_str("the rules stay as they are");
        }
        if 0 < *staged_operations {
            let words = counted(*staged_operations, "operation", "operations");
            write!(f, "{words} staged, then ")?;
        }
        write!(
            f,
            "one batch of {}",
            counted(*operations, "operation", "operations")
        )
    }
}

/// `1 rule added, 2 removed`
fn tallied(one: &str, many: &str, tally: Tally) -> Option<String> {
    let Tally {
        added,
        removed,
        replaced,
        moved,
        renewed,
    } = tally;
    let mut text = String::new();
    for (count, what) in [
        (added, "added"),
        (removed, "removed"),
        (replaced, "replaced"),
        (moved, "moved"),
        (renewed, "renewed"),
    ] {
        if count == 0 {
            continue;
        }
        if text.is_empty() {
            text = format!("{} {what}", counted(count, one, many));
        } else {
            text += &format!(", {} {what}", grouped(count));
        }
    }
    (!text.is_empty()).then_some(text)
}

pub(super) fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{} {}", grouped(count), if count == 1 { one } else { many })
}

/// `9,980`
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if 0 < at && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
