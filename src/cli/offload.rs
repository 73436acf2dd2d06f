//! What becomes of `flowtable` on a kernel that has none.

use super::error::Failure;
use super::output::Output;
use super::policy::Loaded;
use crate::netlink::Netlink;

/// Whether a ruleset with a flowtable has to do without it, because the kernel has none; then it says so. The verdict of no
/// packet depends on it: connections meet the rules as always. What was said is said again with the policy's other
/// warnings.
pub(super) fn is_left_out(
    loaded: &mut Loaded,
    kernel: &mut Netlink,
    output: &mut Output,
) -> Result<bool, Failure> {
    if kernel.has_flowtables().map_err(Failure::world)? {
        return Ok(false);
    }
    loaded.say(LEFT_OUT, output);
    Ok(true)
}

/// The kernel, not the policy, is at fault, so there is no place to point at.
pub(super) const LEFT_OUT: &str = "warning: this kernel has no flowtables: `offload` is left out, and connections meet the rules as always";
