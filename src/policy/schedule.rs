//! Schedules: the times at which a rule is there.

use super::{DateRange, TimeOfDay};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// When a rule is there: a time of day, days of the week, days of the calendar. What is left out is every day, and the
/// whole day. Times and dates are those of the policy's `timezone`.
///
/// A schedule is open while the clock on the wall shows a time inside it, to the second. So on the day in spring on
/// which an hour is left out, the times that the clock does not show are not open; on the day in autumn on which an
/// hour comes twice, what lies in it is open twice. The kernel keeps the time by itself, until the end of 2040: from
/// then on no schedule is open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("minProperties" = 1))]
pub struct Schedule {
    /// The days of the week on which it opens. Default: every day. Example: `[mon, tue, wed, thu, fri]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1), extend("uniqueItems" = true))]
    pub days: Vec<Day>,

    /// The days of the calendar on which it opens, of those that `days` has. Default: every day. Example:
    /// `["2026-11-10..2026-11-13"]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1), extend("uniqueItems" = true))]
    pub dates: Vec<DateRange>,

    /// The days of the calendar on which it does not open, such as holidays. Default: none. Example:
    /// `[2026-12-24, "2026-12-31..2027-01-01"]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1), extend("uniqueItems" = true))]
    pub except: Vec<DateRange>,

    /// The time at which it opens, with `to`. Default: it is open the whole day, from midnight to midnight. Example:
    /// `"08:00"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<TimeOfDay>,

    /// The time at which it closes. When that is before `from`, it closes on the next day, and the hours after
    /// midnight belong to the day on which it opened. Example: `"17:00"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<TimeOfDay>,

    /// What happens, when it closes, to the connections that rules with this schedule have accepted. Default: `keep`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_end: Option<OnEnd>,
}

/// A day of the week.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Day {
    /// Every Monday.
    Mon,
    /// Every Tuesday.
    Tue,
    /// Every Wednesday.
    Wed,
    /// Every Thursday.
    Thu,
    /// Every Friday.
    Fri,
    /// Every Saturday.
    Sat,
    /// Every Sunday.
    Sun,
}

/// What happens to running connections when a schedule closes.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum OnEnd {
    /// They go on until they end by themselves.
    Keep,
    /// They are ended: the next packet of a TCP connection is answered with a reset, those of others are dropped.
    Cut,
}
