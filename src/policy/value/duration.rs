//! Spans of time: so many of one unit.

use super::{ValueError, leaf};
use crate::diagnostic::Code;
use std::{fmt, str::FromStr};

/// A span of time such as `6h`; at least a second and at most ten years.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Duration {
    count: u32,
    unit: char,
}

/// Units and their seconds.
const UNITS: [(char, u64); 5] = [
    ('s', 1),
    ('m', 60),
    ('h', 3_600),
    ('d', 86_400),
    ('w', 604_800),
];
/// Ten years of 365 days.
const LONGEST: u64 = 3_650 * 86_400;

impl Duration {
    /// How many seconds it has, 1 to 315,360,000.
    #[must_use]
    pub fn seconds(self) -> u64 {
        let unit = UNITS.iter().find(|(unit, _)| *unit == self.unit);
        u64::from(self.count) * unit.map_or(1, |(_, seconds)| *seconds)
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.count, self.unit)
    }
}

impl FromStr for Duration {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        const HELP: &str = "a number and s, m, h, d or w (seconds to weeks): `90s`, `6h`, `14d`";
        let bad = |message: String| ValueError::new(Code::BadDuration, message).help(HELP);
        let count = text.trim_end_matches(|letter: char| !letter.is_ascii_digit());
        let unit = text.get(count.len()..).unwrap_or_default();
        if count.is_empty() || !count.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(bad(format!("`{text}` is no span of time")));
        }
        let Some((unit, _)) = UNITS
            .into_iter()
            .find(|(known, _)| unit == known.to_string())
        else {
            return Err(bad(match unit {
                "" => format!("the span of time `{text}` has no unit"),
                unit => format!("`{unit}` in the span of time `{text}` is no unit"),
            }));
        };
        if count.len() > 1 && count.starts_with('0') {
            let message = format!("the span of time `{text}` has leading zeros");
            let plain = count.trim_start_matches('0');
            return Err(
                ValueError::new(Code::LeadingZero, message).help(format!("write `{plain}{unit}`"))
            );
        }
        let parsed = count.parse().map(|count| Duration { count, unit });
        match parsed {
            Ok(span) if span.seconds() == 0 => Err(bad(format!("`{text}` is no time at all"))),
            Ok(span) if span.seconds() <= LONGEST => Ok(span),
            Ok(_) | Err(_) => Err(bad(format!(
                "the span of time `{text}` is longer than 3650 days"
            ))),
        }
    }
}

leaf!(Duration, "duration", "a span of time such as `6h`", {
    "type": "string",
    "pattern": "^[1-9][0-9]{0,9}[smhdw]$",
    "description": "A span of time: a number from 1 and `s`, `m`, `h`, `d` or `w`. Example: `6h`."
});

#[cfg(test)]
mod tests {
    use super::{super::leaf::told, Duration};

    #[track_caller]
    fn check(text: &str, expect: &str) {
        assert_eq!(told::<Duration>(text), expect);
    }

    #[test]
    fn good() {
        for (text, seconds) in [
            ("1s", 1),
            ("90m", 5_400),
            ("6h", 21_600),
            ("14d", 1_209_600),
            ("2w", 1_209_600),
            ("3650d", 315_360_000),
        ] {
            check(text, &format!("ok: {text}"));
            assert_eq!(text.parse::<Duration>().unwrap().seconds(), seconds);
        }
    }

    #[test]
    fn bad() {
        let form = "a number and s, m, h, d or w (seconds to weeks): `90s`, `6h`, `14d`";
        for (text, message) in [
            ("", "`` is no span of time"),
            ("h", "`h` is no span of time"),
            ("-1h", "`-1h` is no span of time"),
            ("1.5h", "`1.5h` is no span of time"),
            ("30", "the span of time `30` has no unit"),
            ("30min", "`min` in the span of time `30min` is no unit"),
            ("1h ", "`h ` in the span of time `1h ` is no unit"),
            ("0s", "`0s` is no time at all"),
            ("3651d", "the span of time `3651d` is longer than 3650 days"),
            (
                "99999999999s",
                "the span of time `99999999999s` is longer than 3650 days",
            ),
        ] {
            check(text, &format!("bad-duration: {message}; {form}"));
        }
        check(
            "06h",
            "leading-zero: the span of time `06h` has leading zeros; write `6h`",
        );
    }
}
