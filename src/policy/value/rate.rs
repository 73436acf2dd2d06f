//! Rates: so many in a unit of time.

use super::{ValueError, leaf};
use crate::diagnostic::{Code, nearest};
use std::{fmt, str::FromStr};

/// A rate such as `10/minute`, as nft's `limit rate` takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rate {
    count: u32,
    unit: RateUnit,
}

impl Rate {
    /// How many per unit; at least 1.
    #[must_use]
    pub fn count(self) -> u32 {
        self.count
    }

    /// The unit of time.
    #[must_use]
    pub fn unit(self) -> RateUnit {
        self.unit
    }
}

/// The unit of a [`Rate`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RateUnit {
    /// 1 s.
    Second,
    /// 60 s.
    Minute,
    /// 3,600 s.
    Hour,
    /// 86,400 s.
    Day,
    /// 604,800 s.
    Week,
}

impl RateUnit {
    const ALL: [RateUnit; 5] = [
        RateUnit::Second,
        RateUnit::Minute,
        RateUnit::Hour,
        RateUnit::Day,
        RateUnit::Week,
    ];

    /// The word nft uses.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            RateUnit::Second => "second",
            RateUnit::Minute => "minute",
            RateUnit::Hour => "hour",
            RateUnit::Day => "day",
            RateUnit::Week => "week",
        }
    }

    /// How many seconds it has, as the kernel's `nft_limit` wants it.
    #[must_use]
    pub fn seconds(self) -> u64 {
        match self {
            RateUnit::Second => 1,
            RateUnit::Minute => 60,
            RateUnit::Hour => 3_600,
            RateUnit::Day => 86_400,
            RateUnit::Week => 604_800,
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.count, self.unit.name())
    }
}

impl FromStr for Rate {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        const HELP: &str =
            "a rate is a number, `/` and second, minute, hour, day or week: `5/minute`";
        let bad = |message: String| ValueError::new(Code::BadRate, message).help(HELP);
        let Some((count, unit)) = text.split_once('/') else {
            return Err(bad(format!("`{text}` is no rate")));
        };
        if count.is_empty() || !count.bytes().all(|b| b.is_ascii_digit()) {
            return Err(bad(format!("`{count}` in the rate `{text}` is no number")));
        }
        let Some(unit) = RateUnit::ALL.into_iter().find(|known| known.name() == unit) else {
            let error = bad(format!("`{unit}` in the rate `{text}` is no unit of time"));
            return Err(match nearest(unit, RateUnit::ALL.map(RateUnit::name)) {
                Some(known) => error.help(format!("did you mean `{count}/{known}`?")),
                None => error,
            });
        };
        if count.len() > 1 && count.starts_with('0') {
            let plain = count.trim_start_matches('0');
            let message = format!("the rate `{text}` has leading zeros");
            let error = ValueError::new(Code::LeadingZero, message);
            return Err(error.help(format!("write `{plain}/{}`", unit.name())));
        }
        match count.parse() {
            Ok(0) => Err(ValueError::new(
                Code::ZeroRate,
                format!("the rate `{text}` never lets anything through"),
            )
            .help("a rate is at least 1; to stop everything, use `action: drop`")),
            Ok(count) => Ok(Rate { count, unit }),
            Err(_) => Err(bad(format!("the rate `{text}` is larger than 4294967295"))),
        }
    }
}

leaf!(Rate, "rate", "a rate such as `5/minute`", {
    "type": "string",
    "pattern": "^[1-9][0-9]{0,9}/(second|minute|hour|day|week)$",
    "description": "A rate: a number from 1, `/`, and `second`, `minute`, `hour`, `day` or `week`. Example: `10/minute`."
});

#[cfg(test)]
mod tests {
    use super::{super::leaf::told, Rate};

    #[track_caller]
    fn check(text: &str, expect: &str) {
        assert_eq!(told::<Rate>(text), expect);
    }

    #[test]
    fn good() {
        check("5/minute", "ok: 5/minute");
        check("1/week", "ok: 1/week");
        check("4294967295/second", "ok: 4294967295/second");
    }

    #[test]
    fn bad() {
        let form = "a rate is a number, `/` and second, minute, hour, day or week: `5/minute`";
        check("5", &format!("bad-rate: `5` is no rate; {form}"));
        check(
            "-1/hour",
            &format!("bad-rate: `-1` in the rate `-1/hour` is no number; {form}"),
        );
        check(
            "1/fortnight",
            &format!("bad-rate: `fortnight` in the rate `1/fortnight` is no unit of time; {form}"),
        );
        check(
            "1/minutes",
            "bad-rate: `minutes` in the rate `1/minutes` is no unit of time; did you mean `1/minute`?",
        );
        check(
            "4294967296/day",
            &format!("bad-rate: the rate `4294967296/day` is larger than 4294967295; {form}"),
        );
        check(
            "010/day",
            "leading-zero: the rate `010/day` has leading zeros; write `10/day`",
        );
        check(
            "0/day",
            "zero-rate: the rate `0/day` never lets anything through; a rate is at least 1; to stop everything, use `action: drop`",
        );
    }
}
