//! The policy against the live ruleset and the settings of the box; the short way where nothing can have changed.
//!
//! Not here: how it is shown, which is `show`'s.

use std::thread::{self, ScopedJoinHandle};

use crate::bytecode::{Program, linearize_with};
use crate::cli::error::Failure;
use crate::cli::output::Output;
use crate::cli::policy::{self, Loaded};
use crate::cli::session::Remembered;
use crate::cli::{Global, foreign, offload, session, settings, time_zone};
use crate::kernel::Kernel;
use crate::live::Live;
use crate::netlink::Netlink;
use crate::plan::{Detail, Plan, View, plan};
use crate::source::Texts;
use crate::state::{Verified, digest};
use crate::system::Difference;
use crate::view::Switch;

/// A plan and all that it was made from.
pub(in crate::cli) struct Planned {
    /// The digest of the policy's texts.
    pub(in crate::cli) digest: String,
    pub(in crate::cli) loaded: Loaded,
    pub(in crate::cli) program: Program,
    pub(in crate::cli) live: Live,
    pub(in crate::cli) plan: Plan,
    /// What differs of the settings of the box.
    pub(in crate::cli) settings: Difference,
}

impl Planned {
    /// Whether all is as the policy says.
    pub(in crate::cli) fn is_empty(&self) -> bool {
        self.plan.is_empty() && self.settings.is_empty()
    }

    /// All of it for people and programs.
    pub(in crate::cli) fn view(&self, detail: Detail) -> View {
        View::new(&self.live, &self.program, &self.plan, detail).with_settings(&self.settings)
    }
}

/// What was verified, and holds still.
pub(in crate::cli) struct StillEqual {
    /// What was verified, and at which generation.
    pub(in crate::cli) verified: Verified,
    /// What there is to say of the settings, which are equal, too.
    pub(in crate::cli) settings: Difference,
    /// What the schedules do next.
    pub(in crate::cli) next: Vec<Switch>,
}

/// The policy against the live ruleset.
pub(in crate::cli) enum Comparison {
    /// Neither has changed since they were verified to be equal.
    StillEqual(Box<StillEqual>),
    /// Both were read.
    Read(Box<Planned>),
}

/// How much of the kernel is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Reading {
    /// Nothing where nothing can have changed.
    Nothing,
    /// The ruleset, without large sets that are known to be as they were.
    Ruleset,
    /// All of it.
    Everything,
}

/// Compares, and takes the short way where nothing can have changed.
pub(in crate::cli) fn compare(
    kernel: &mut Netlink,
    reading: Reading,
    global: &Global,
    output: &mut Output,
) -> Result<Comparison, Failure> {
    let texts = policy::read(global)?;
    let digest = digest(&texts.sources);
    compare_texts(kernel, texts, digest, reading, global, output)
}

/// The same, of a policy that was read, with the digest of its texts.
pub(in crate::cli) fn compare_texts(
    kernel: &mut Netlink,
    texts: Texts,
    digest: String,
    reading: Reading,
    global: &Global,
    output: &mut Output,
) -> Result<Comparison, Failure> {
    let remembered = match reading {
        Reading::Everything => None,
        Reading::Nothing | Reading::Ruleset => session::remembered(kernel, global)?,
    };
    let policy = (texts, digest);
    compare_beside(kernel, policy, reading, remembered.as_ref(), global, output)
}

/// The same, beside what is known still to be in the kernel.
pub(in crate::cli) fn compare_beside(
    kernel: &mut Netlink,
    (texts, digest): (Texts, String),
    reading: Reading,
    remembered: Option<&Remembered>,
    global: &Global,
    output: &mut Output,
) -> Result<Comparison, Failure> {
    // What others have committed may be a reason for a warning.
    if reading == Reading::Nothing
        && let Some(Remembered {
            verified,
            is_still: true,
            ..
        }) = remembered
        && let Some((settings, next)) = session::still_verified(verified, global, &digest, output)?
    {
        return Ok(Comparison::StillEqual(Box::new(StillEqual {
            verified: verified.clone(),
            settings,
            next,
        })));
    }
    let (loaded, live) = thread::scope(|scope| {
        // The kernel takes its time to list a large ruleset, as we do to read a large policy.
        let reader = thread::Builder::new().spawn_scoped(scope, || {
            let known = remembered.and_then(|remembered| remembered.known(global));
            kernel.observe_beside(&known.unwrap_or_default())
        });
        let loaded = policy::load(texts, global, output).map(|(loaded, ruleset)| {
            let ruleset = ruleset.into_ruleset();
            let without = ruleset
                .offloads()
                .then(|| ruleset.clone().without_offload());
            let program = linearize_with(ruleset, &loaded.raw);
            (loaded, program, without)
        });
        (loaded, reader.ok().map(ScopedJoinHandle::join))
    });
    let (mut loaded, mut program, without) = loaded?;
    if let Some(without) = without
        && offload::is_left_out(&mut loaded, kernel, output)?
    {
        program = linearize_with(without, &loaded.raw);
    }
    let live = match live {
        Some(Ok(live)) => live.map_err(session::unreadable)?,
        // No thread to be had.
        None | Some(Err(_)) => session::observe(kernel)?,
    };
    foreign::report(&mut loaded, kernel, output)?;
    time_zone::report(&mut loaded, &program, output);
    let plan = plan(&live, &program, session::fresh_mark()?);
    let settings = settings::compare(&loaded.settings, global)?;
    Ok(Comparison::Read(Box::new(Planned {
        digest,
        loaded,
        program,
        live,
        plan,
        settings,
    })))
}
