//! The settings of the box in a listing: what is set, what cannot be, and the file that keeps them.

use std::fmt::{self, Display, Formatter};

use anstyle::{AnsiColor, Style};

use super::display::counted;
use super::view::{FileChange, SettingChange, Settings, UnavailableSetting, Verb};
use crate::view::printable;

/// How they are printed; itself what prints.
pub(super) struct SettingsListing<'a> {
    /// What is printed.
    pub(super) settings: &'a Settings,
    /// Whether to colour.
    pub(super) color: bool,
}

impl Display for SettingsListing<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Settings {
            changes,
            unavailable,
            released,
            file,
            not_kept,
        } = self.settings;
        writeln!(f, "system settings")?;
        let texts = changes.iter().map(|change| {
            let SettingChange {
                key, value, was, ..
            } = change;
            format!("{} {} -> {value}", printable(key), printable(was))
        });
        let texts: Vec<String> = texts.collect();
        let width = texts.iter().map(|text| text.chars().count()).max();
        for (change, text) in changes.iter().zip(&texts) {
            let place = change.place.as_ref().unwrap_or(&change.origin);
            let gap = width
                .unwrap_or_default()
                .saturating_sub(text.chars().count())
                + 5;
            let (style, faint) = (
                self.style(AnsiColor::Yellow.on_default()),
                self.style(Style::new().dimmed()),
            );
            write!(f, "{style}~   {text}{style:#}")?;
            writeln!(f, "{:gap$}{faint}{}{faint:#}", "", printable(place))?;
        }
        if let Some(file) = file {
            self.file(file, f)?;
        }
        let mut said = "";
        for setting in unavailable {
            let UnavailableSetting {
                key,
                value,
                now,
                why,
            } = setting;
            if said != why {
                writeln!(f, "!   not set: {why}")?;
                said = why;
            }
            let now = now
                .as_deref()
                .map_or_else(String::new, |now| format!(", but {}", printable(now)));
            writeln!(f, "      {} = {value}{now}", printable(key))?;
        }
        for key in released {
            writeln!(
                f,
                "!   {} is no longer in the policy: it stays as it is until the next boot",
                printable(key)
            )?;
        }
        match not_kept {
            Some(why) => writeln!(f, "!   {}", printable(why)),
            None => Ok(()),
        }
    }
}

impl SettingsListing<'_> {
    fn style(&self, style: Style) -> Style {
        if self.color { style } else { Style::new() }
    }

    fn file(&self, file: &FileChange, f: &mut Formatter<'_>) -> fmt::Result {
        let FileChange {
            verb,
            path,
            blocked,
            removed,
            added,
        } = file;
        if let Some(why) = blocked {
            return writeln!(
                f,
                "!   {} cannot be written: {}",
                printable(path),
                printable(why)
            );
        }
        let red = self.style(AnsiColor::Red.on_default());
        let green = self.style(AnsiColor::Green.on_default());
        let (mark, style) = match verb {
            Verb::Add => ('+', green),
            Verb::Remove => ('-', red),
            Verb::Replace | Verb::Move | Verb::Renew | Verb::Keep => {
                ('~', self.style(AnsiColor::Yellow.on_default()))
            }
        };
        writeln!(f, "{style}{mark}   {}{style:#}", printable(path))?;
        for line in removed {
            writeln!(f, "{red}-     {}{red:#}", printable(line))?;
        }
        for line in added {
            writeln!(f, "{green}+     {}{green:#}", printable(line))?;
        }
        Ok(())
    }
}

/// `2 settings changed, 1 file written`
pub(super) fn counted_settings(settings: &Settings) -> Vec<String> {
    let mut parts = Vec::new();
    match settings.changes.len() {
        0 => {}
        count => parts.push(format!("{} changed", counted(count, "setting", "settings"))),
    }
    if let Some(file) = &settings.file {
        parts.push(match (&file.blocked, file.verb) {
            (Some(_), _) => "the settings cannot be kept".to_owned(),
            (None, Verb::Remove) => "1 file removed".to_owned(),
            (None, _) => "1 file written".to_owned(),
        });
    }
    parts
}
