//! Text for people and logs, days of the calendar, and time zones.

use super::{ValueError, leaf};
use crate::diagnostic::{Code, is_invisible, nearest};
use jiff::{civil, tz::TimeZoneDatabase};
use std::{fmt, str::FromStr};

/// Text for people, such as an owner or a ticket: printable, one line, 1 to 120 bytes of UTF-8.
///
/// It ends up in rule comments (256 bytes in the kernel) and on terminals, so control characters and those
/// that change the direction of writing are refused.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text(String);

impl Text {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Text {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let bad = |message: String| ValueError::new(Code::BadText, message);
        if text.trim().is_empty() {
            return Err(bad("the text is empty".into()).help("leave the key out"));
        }
        if let Some(odd) = text.chars().find(|c| is_invisible(*c)) {
            return Err(bad(format!(
                "the text holds the invisible character U+{:04X}",
                u32::from(odd)
            )));
        }
        if text.len() > 120 {
            let message = format!("the text has {} bytes, at most 120 are kept", text.len());
            return Err(ValueError::new(Code::TextTooLong, message));
        }
        Ok(Text(text.into()))
    }
}

leaf!(Text, "text", "text on one line", {
    "type": ["string", "integer"],
    "minLength": 1,
    "maxLength": 120,
    "description": "Text on one line, at most 120 bytes, without control characters."
});

/// What a log line begins with: printable ASCII without quotes and `\`, 1 to 64 characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogPrefix(String);

impl LogPrefix {
    /// The prefix.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LogPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for LogPrefix {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        const HELP: &str = "a log prefix is printable ASCII without quotes and `\\`";
        let bad = |message: String| ValueError::new(Code::BadLogPrefix, message).help(HELP);
        if text.is_empty() {
            return Err(bad("the log prefix is empty".into()).help("leave the key out"));
        }
        let odd = |c: &char| !matches!(c, ' '..='~') || matches!(c, '"' | '\'' | '\\' | '`');
        if let Some(odd) = text.chars().find(odd) {
            return Err(bad(match odd {
                '\n' => "a log prefix with a line break would forge log lines".into(),
                c if c.is_ascii_graphic() || c.is_alphanumeric() => {
                    format!("a log prefix cannot hold `{c}`")
                }
                c => format!(
                    "a log prefix cannot hold the character U+{:04X}",
                    u32::from(c)
                ),
            }));
        }
        if text.len() > 64 {
            let message = format!(
                "the log prefix has {} characters, at most 64 are allowed",
                text.len()
            );
            return Err(ValueError::new(Code::TextTooLong, message));
        }
        Ok(LogPrefix(text.into()))
    }
}

leaf!(LogPrefix, "log-prefix", "a log prefix", {
    "type": "string",
    "pattern": "^[ !#-&(-\\[\\]-_a-~]{1,64}$",
    "description": "What each log line begins with: printable ASCII without quotes and `\\`, at most 64 characters."
});

/// A rule as nft(8) writes it: printable ASCII on one line, 1 to 400 characters, without those by which it could end and
/// something else begin.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RawRule(String);

impl RawRule {
    /// The rule.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RawRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for RawRule {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        const HELP: &str = "one rule on one line in ASCII, without quotes and `; { } # $ ? \\`";
        let bad = |message: String| ValueError::new(Code::RawSyntax, message).help(HELP);
        if text.trim().is_empty() {
            return Err(bad("the raw rule is empty".into()));
        }
        if let Some(odd) = text.chars().find(|c| !is_of_raw_rule(*c)) {
            return Err(bad(match odd {
                '{' | '}' => "a raw rule cannot have a set or a block of its own".into(),
                c if c.is_ascii_graphic() => format!("a raw rule cannot hold `{c}`"),
                '\n' => "a raw rule cannot go over several lines".into(),
                c => format!(
                    "a raw rule cannot hold the character U+{:04X}",
                    u32::from(c)
                ),
            }));
        }
        if text.len() > 400 {
            let message = format!(
                "the raw rule has {} characters, at most 400 are allowed",
                text.len()
            );
            return Err(ValueError::new(Code::TextTooLong, message));
        }
        Ok(RawRule(text.trim().into()))
    }
}

/// Not those that end a rule for nft, join lines, quote, comment, name variables or open blocks.
fn is_of_raw_rule(c: char) -> bool {
    matches!(c, ' '..='~')
        && !matches!(
            c,
            '"' | '\'' | '\\' | ';' | '{' | '}' | '#' | '$' | '`' | '?'
        )
}

leaf!(RawRule, "raw-rule", "a rule in nft's words", {
    "type": "string",
    "pattern": "^[ !%&(-:<->@-\\[\\]-_a-z|~]{1,400}$",
    "description": "A rule as nft(8) writes it: one line of ASCII without quotes and `; { } # $ ? \\`, at most 400 characters."
});

/// A day of the calendar, `YYYY-MM-DD`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(civil::Date);

impl Date {
    /// The day.
    #[must_use]
    pub fn day(self) -> civil::Date {
        self.0
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Date {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let well_formed = text.len() == 10
            && text.bytes().enumerate().all(|(nth, b)| match nth {
                4 | 7 => b == b'-',
                _ => b.is_ascii_digit(),
            });
        if !well_formed {
            return Err(
                ValueError::new(Code::BadDate, format!("`{text}` is no date"))
                    .help("a date is year, month and day: `2027-06-30`"),
            );
        }
        text.parse().map(Date).map_err(|_| {
            ValueError::new(Code::BadDate, format!("the calendar has no day `{text}`"))
        })
    }
}

leaf!(Date, "day", "a date such as `2027-06-30`", {
    "type": "string",
    "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
    "description": "A day: year, month and day, as in `2027-06-30`."
});

/// A time zone of the IANA database, in its exact spelling.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimeZoneName(String);

impl TimeZoneName {
    /// The name: `Europe/Helsinki`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TimeZoneName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for TimeZoneName {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        // The database inside the program: the host's own may be older, or missing.
        let database = TimeZoneDatabase::bundled();
        let names: Vec<String> = database.available().map(|name| name.to_string()).collect();
        if names.iter().any(|name| name == text) {
            return Ok(TimeZoneName(text.into()));
        }
        let error = ValueError::new(
            Code::UnknownTimezone,
            format!("there is no time zone `{text}`"),
        );
        let cities = || {
            names
                .iter()
                .find(|name| name.rsplit('/').next() == Some(text))
        };
        let meant = cities().map(String::as_str);
        Err(
            match meant.or_else(|| nearest(text, names.iter().map(String::as_str))) {
                Some(name) => error.help(format!("did you mean `{name}`?")),
                None => error.help("write a name of the IANA database, such as `Europe/Helsinki`"),
            },
        )
    }
}

leaf!(TimeZoneName, "time-zone", "a time zone such as `Europe/Helsinki`", {
    "type": "string",
    "minLength": 1,
    "description": "A time zone of the IANA database, such as `Europe/Helsinki` or `UTC`."
});

#[cfg(test)]
mod tests {
    use super::{Date, LogPrefix, RawRule, Text, TimeZoneName};
    use crate::policy::value::leaf::check;

    #[test]
    fn texts() {
        check::<Text>("it@example.com", "ok: it@example.com");
        check::<Text>("Zoë’s team", "ok: Zoë’s team");
        check::<Text>("", "bad-text: the text is empty; leave the key out");
        check::<Text>(
            "a\u{1b}[31m",
            "bad-text: the text holds the invisible character U+001B",
        );
        check::<Text>(
            "a\u{202e}b",
            "bad-text: the text holds the invisible character U+202E",
        );
        check::<Text>(
            &"é".repeat(61),
            "text-too-long: the text has 122 bytes, at most 120 are kept",
        );
    }

    #[test]
    fn log_prefixes() {
        let form = "a log prefix is printable ASCII without quotes and `\\`";
        check::<LogPrefix>("wan-in ", "ok: wan-in ");
        check::<LogPrefix>(
            "a\nb",
            &format!(
                "bad-log-prefix: a log prefix with a line break would forge log lines; {form}"
            ),
        );
        check::<LogPrefix>(
            "a\"b",
            &format!("bad-log-prefix: a log prefix cannot hold `\"`; {form}"),
        );
        check::<LogPrefix>(
            "\u{1b}",
            &format!("bad-log-prefix: a log prefix cannot hold the character U+001B; {form}"),
        );
        check::<LogPrefix>(
            &"x".repeat(65),
            "text-too-long: the log prefix has 65 characters, at most 64 are allowed",
        );
    }

    #[test]
    fn raw_rules() {
        let form = "one rule on one line in ASCII, without quotes and `; { } # $ ? \\`";
        let bad = |text: &str, message: &str| {
            check::<RawRule>(text, &format!("raw-syntax: {message}; {form}"));
        };
        check::<RawRule>(
            "tcp flags & (fin|syn) == (fin|syn) drop ",
            "ok: tcp flags & (fin|syn) == (fin|syn) drop",
        );
        check::<RawRule>("@th,0,16 != 22 ^ 1 [~]", "ok: @th,0,16 != 22 ^ 1 [~]");
        bad(" ", "the raw rule is empty");
        bad(
            "}; flush ruleset; table x {",
            "a raw rule cannot have a set or a block of its own",
        );
        for odd in [';', '"', '\'', '\\', '#', '$', '`', '?'] {
            bad(
                &format!("drop {odd}"),
                &format!("a raw rule cannot hold `{odd}`"),
            );
        }
        bad(
            "drop\nflush ruleset",
            "a raw rule cannot go over several lines",
        );
        bad("drop\u{85}", "a raw rule cannot hold the character U+0085");
        check::<RawRule>(
            &"x".repeat(401),
            "text-too-long: the raw rule has 401 characters, at most 400 are allowed",
        );
    }

    #[test]
    fn dates() {
        check::<Date>("2027-06-30", "ok: 2027-06-30");
        check::<Date>(
            "2027-02-30",
            "bad-date: the calendar has no day `2027-02-30`",
        );
        check::<Date>(
            "30.6.2027",
            "bad-date: `30.6.2027` is no date; a date is year, month and day: `2027-06-30`",
        );
    }

    #[test]
    fn time_zones() {
        check::<TimeZoneName>("Europe/Helsinki", "ok: Europe/Helsinki");
        check::<TimeZoneName>("UTC", "ok: UTC");
        check::<TimeZoneName>(
            "Helsinki",
            "unknown-timezone: there is no time zone `Helsinki`; did you mean `Europe/Helsinki`?",
        );
        check::<TimeZoneName>(
            "europe/helsinki",
            "unknown-timezone: there is no time zone `europe/helsinki`; did you mean `Europe/Helsinki`?",
        );
        check::<TimeZoneName>(
            "Nowhere",
            "unknown-timezone: there is no time zone `Nowhere`; write a name of the IANA database, such as `Europe/Helsinki`",
        );
    }
}
