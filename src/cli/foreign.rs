//! What plans say of other tables.

use super::error::Failure;
use super::output::Output;
use super::policy::Loaded;
use super::session;
use crate::health::conflicts;
use crate::netlink::Netlink;

/// Names the tables that drop by default, unless the policy says that nobody wants to know. What was said is said again
/// with the policy's own warnings: another table cannot change without the generation.
pub(super) fn report(
    loaded: &mut Loaded,
    kernel: &mut Netlink,
    output: &mut Output,
) -> Result<(), Failure> {
    if !loaded.reports_foreign {
        return Ok(());
    }
    for finding in conflicts(&kernel.foreign_chains().map_err(session::unreadable)?) {
        loaded.say(&format!("note: {}", finding.message), output);
    }
    Ok(())
}
