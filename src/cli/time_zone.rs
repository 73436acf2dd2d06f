//! What plans say where the kernel has a time zone of its own.

use super::output::Output;
use super::policy::Loaded;
use crate::bytecode::Program;
use crate::compile::moved_schedules;
use crate::health::{TIME_ZONE_ADVICE, TimeZone};
use crate::host;
use crate::ruleset::Set;

/// Minutes west of Greenwich; 0 also where the kernel does not tell, which Linux does.
pub(super) fn minutes_west() -> i32 {
    host::minutes_west().unwrap_or(0)
}

/// Names the schedules among some sets that such a kernel opens and closes at other times; `None` where there are none.
pub(super) fn warning(sets: &[Set]) -> Option<String> {
    let minutes_west = minutes_west();
    let moved = moved_schedules(sets, minutes_west);
    (!moved.is_empty()).then(|| {
        let zone = TimeZone {
            minutes_west,
            moved,
        };
        format!("warning: {zone}\n  help: {TIME_ZONE_ADVICE}")
    })
}

/// Says so of what shall be in force. It is said again with the policy's other warnings, for as long as the kernel keeps
/// that time zone.
pub(super) fn report(loaded: &mut Loaded, program: &Program, output: &mut Output) {
    if let Some(warning) = warning(&program.sets) {
        loaded.say(&warning, output);
    }
}
