//! When packets of a test come.

use super::Context;
use crate::diagnostic::{Code, Diagnostic, Diagnostics, DocPath};
use crate::policy::Test;
use crate::schedule::{BEGIN, HORIZON};
use jiff::tz::AmbiguousOffset;

/// The moments that are meant: two where the clock shows a time twice. `None` inside is any time.
#[expect(clippy::option_option, reason = "wrong, always, or these moments")]
pub(super) fn times(
    test: &Test,
    at: &DocPath,
    context: &Context<'_, '_>,
    diagnostics: &mut Diagnostics,
) -> Option<Option<Vec<i64>>> {
    let Some(moment) = test.at else {
        return Some(None);
    };
    let at = at.key("at");
    if context.scope.policy.timezone.is_none() {
        let diagnostic = Diagnostic::error(Code::MissingKey, "`at` needs a `timezone`")
            .at(at, "means nothing without it")
            .help("write, for example, `timezone: Europe/Helsinki` at the top of the policy");
        diagnostics.push(diagnostic);
        return None;
    }
    let zone = crate::compile::timezone(context.scope.policy);
    let civil = moment.civil();
    let offsets = match zone.to_ambiguous_zoned_datetime(civil).offset() {
        AmbiguousOffset::Unambiguous { offset } => vec![offset],
        AmbiguousOffset::Fold { before, after } => vec![before, after],
        AmbiguousOffset::Gap { .. } => {
            let message = format!("no clock shows `{moment}`");
            let diagnostic = Diagnostic::error(Code::ImpossibleMoment, message)
                .at(at, "is left out when summer time begins")
                .help("write a time before or after it");
            diagnostics.push(diagnostic);
            return None;
        }
    };
    let moments = offsets.iter().filter_map(|offset| {
        let moment = offset.to_timestamp(civil).ok()?.as_second();
        (BEGIN..HORIZON).contains(&moment).then_some(moment)
    });
    let moments: Vec<i64> = moments.collect();
    if moments.is_empty() {
        let message = format!("no schedule knows `{moment}`");
        let diagnostic = Diagnostic::error(Code::ImpossibleMoment, message)
            .at(at, "is before 2026 or after 2040")
            .help("schedules are compiled for the years 2026 to 2040");
        diagnostics.push(diagnostic);
        return None;
    }
    Some(Some(moments))
}
