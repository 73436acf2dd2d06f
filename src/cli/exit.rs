//! Exit codes, one meaning each, the same for every command.

/// Done, or nothing to change.
pub(super) const DONE: u8 = 0;
/// The world failed: kernel, file system, permission.
pub(super) const WORLD: u8 = 1;
/// `plan --detailed-exitcode`: there are changes; `doctor`: there are warnings; `digest`: something is not the same.
pub(super) const CHANGES: u8 = 2;
/// The policy was rejected, or one of its tests failed.
pub(super) const REJECTED: u8 = 3;
/// A guard refused: a list that must not be taken, a commit that is not signed as it should be or goes back.
pub(super) const GUARD: u8 = 4;
/// The plan is stale.
pub(super) const STALE: u8 = 5;
/// Wrong usage (sysexits.h `EX_USAGE`).
pub(super) const USAGE: u8 = 64;

/// `test --kernel`: the kernel does something else than rfw says of it (sysexits.h `EX_SOFTWARE`).
pub(super) const WRONG: u8 = 70;

/// For `--help` and the manual page.
pub(super) const HELP: &str = "\
Exit codes:
   0  done; nothing to change
   1  the world failed: kernel, file system, permission
   2  plan --detailed-exitcode: there are changes; doctor: there are warnings;
      digest: the kernel or the peer holds something else
   3  the policy was rejected, or one of its tests failed
   4  a guard refused: a list that must not be taken, a commit that is not signed as it should be or goes back
   5  the plan is stale
  64  wrong usage
  70  test --kernel: the kernel does something else than rfw says, so rfw is wrong";
