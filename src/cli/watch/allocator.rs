//! What the process gives back to the system when it has freed it.
//!
//! Once a program has freed a large block, glibc keeps up to twice its size for the next one (mallopt(3), `M_MMAP_THRESHOLD`: the
//! thresholds move). A step over a large policy is such a block, and the daemon waits for hours until the next. A threshold that is
//! said does not move, but glibc reads it from the environment, once, at the start; so the daemon says it and starts itself again,
//! as the same process.
#![expect(
    clippy::disallowed_methods,
    reason = "the daemon's environment is set before anything else is done"
)]

use std::env;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// mallopt(3)
const VARIABLE: &str = "MALLOC_TRIM_THRESHOLD_";
/// Bytes: glibc's own value, as long as it has not moved.
const THRESHOLD: &str = "131072";

/// Starts the process again unless somebody has said the threshold. Where that cannot be, it goes on as it is.
pub(super) fn give_back() {
    if env::var_os(VARIABLE).is_some() {
        return;
    }
    let (Ok(program), mut words) = (env::current_exe(), env::args_os()) else {
        return;
    };
    let mut again = Command::new(program);
    if let Some(name) = words.next() {
        again.arg0(name);
    }
    // Returns only if it failed, and then all is as it was.
    let _ = again.args(words).env(VARIABLE, THRESHOLD).exec();
}
