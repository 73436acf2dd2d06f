//! The loop that keeps the kernel as the policy says: when to look, how closely, what to do about what is found.
//!
//! A state machine over events and time. It meets nothing: the clock, chance, the policy and the kernel are behind
//! [`World`], so that a test can be the world. What happened is only ever a hint to look: nothing that has to be done
//! is kept from one step to the next; the desired ruleset comes from the source each time and is compared with the
//! kernel.
//!
//! ```text
//! events ──hear──► Reconciler ──todo──► wait · step · fetch · stop
//!                       │ step
//!                       ▼
//!          World: compare ─► (nothing to do · drift that is only reported · apply) ─► Report
//! ```
//!
//! Where the source has nothing that may be applied, what was put in force last takes its place, from the copy that was
//! kept of it: rules in force are looked after whatever is pushed. The report then says both.
//!
//! Not here: where events come from (`watch`, `netlink`), what a comparison is (`plan`, `apply`, and the command line
//! that joins them).

mod backoff;
mod event;
mod heard;
mod limit;
mod pull;
mod reconciler;
mod report;
mod step;
mod world;

pub use event::{Cause, Commit, Event};
pub use heard::Untouched;
pub use pull::{Attempt, Pull, Pulls};
pub use reconciler::{Reconciler, Rhythm};
pub use report::{
    Change, Drift, DriftMode, Foreign, LastDrift, Latency, Next, Report, Revision, State, Steps,
    Trouble,
};
pub use step::{Ending, Refused, Stepped, Todo};
pub use world::{
    Applied, Compared, Depth, Desired, Difference, Failure, FailureKind, Moment, World,
};
