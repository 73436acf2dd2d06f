//! The world as it is: the policy that `--policy` names, the kernel over netlink, what `rfw plan` and `rfw apply` do.
#![expect(
    clippy::disallowed_methods,
    reason = "the command line is where clocks are read"
)]

use std::fs::File;
use std::time::Instant;

use jiff::Timestamp;
use nix::fcntl::Flock;

use super::terms::{change, commit_of, desired_of, explain, kind, listing, reading};
use crate::apply::outline;
use crate::cli::error::Failure;
use crate::cli::lists::{self, Fetched};
use crate::cli::output::Output;
use crate::cli::plan::{self, Comparison, Planned, Reading, StillEqual};
use crate::cli::trust::{self, Trusted};
use crate::cli::{Global, apply, good, session};
use crate::kernel::Recorded;
use crate::netlink::{Netlink, TableIdentity};
use crate::reconcile::{
    self, Applied, Compared, Depth, Desired, FailureKind, Moment, Revision, Untouched,
};
use crate::source::Texts;
use crate::state::{UntouchedTable, Verified, digest, hex};

/// The box on which this runs.
pub(super) struct Gateway<'g> {
    global: &'g Global,
    kernel: Netlink,
    since: Instant,
    /// The policy's fetched sets, as of the last time it was compiled.
    fetched: Vec<Fetched>,
    /// What was done last, for people.
    said: String,
    /// The commit that was read last, where it is one.
    trusted: Option<Trusted>,
    /// Whether the last look was at what was kept, and not at the source.
    is_kept: bool,
}

impl<'g> Gateway<'g> {
    pub(super) fn new(global: &'g Global, kernel: Netlink) -> Self {
        Self {
            global,
            kernel,
            since: Instant::now(),
            fetched: Vec::new(),
            said: String::new(),
            trusted: None,
            is_kept: false,
        }
    }

    /// What the process before this one saw to be in force. After a boot nothing is, so that what is missing is no drift.
    pub(super) fn in_force(&mut self) -> Option<Desired> {
        let verified = Verified::load(&self.global.state_dir)?;
        let (_, identity) = self.kernel.identity().ok()?;
        let is_there = session::is_its_table(&verified, identity.as_ref());
        let is_ours = verified.node == self.global.node && is_there;
        is_ours.then(|| desired_of(verified, None))
    }

    /// Whether the last look was at what was kept of the policy, because the source has nothing that may be applied.
    pub(super) fn is_kept(&self) -> bool {
        self.is_kept
    }

    /// Whether commits of others were not heard, because they came while this one committed; once.
    pub(super) fn has_missed(&mut self) -> bool {
        self.kernel.has_missed()
    }

    /// Tells commands what was heard. Where it cannot, they read more than they would have to.
    pub(super) fn tell(&mut self, untouched: Untouched) {
        let Ok((
            _,
            Some(TableIdentity {
                handle,
                mark: Some(mark),
            }),
        )) = self.kernel.identity()
        else {
            return;
        };
        let Untouched { since, until } = untouched;
        let told = UntouchedTable {
            version: UntouchedTable::VERSION,
            table: handle,
            mark: hex(&mark),
            since,
            until,
        };
        let _ = told.store(&self.global.run_dir);
    }

    /// What was done, for people; once.
    pub(super) fn said(&mut self) -> String {
        std::mem::take(&mut self.said)
    }

    /// The sets whose lists are due.
    pub(super) fn due(&self) -> Vec<String> {
        lists::due(&self.fetched, &self.global.state_dir, Timestamp::now())
    }

    fn refresh(&self) -> Option<i64> {
        lists::next(&self.fetched, &self.global.state_dir)
    }

    /// The commit that was read is the one that is in force.
    fn record(&self, output: &mut Output) {
        if let Some(trusted) = &self.trusted {
            trust::record(trusted, self.global, output);
        }
    }

    /// The same, and so is what was read of it. What was kept is kept already.
    fn record_all(&self, planned: &Planned, output: &mut Output) {
        self.record(output);
        if !self.is_kept {
            good::keep(&planned.loaded, &planned.digest, self.global, output);
        }
    }

    /// What the source says.
    fn look(
        &mut self,
        (depth, untouched): (Depth, Option<Untouched>),
        attempted: &mut Option<Box<Revision>>,
        output: &mut Output,
    ) -> Result<Compared<Box<Planned>>, (FailureKind, Failure)> {
        let global = self.global;
        let of_source = |failure| {
            let kind = match failure {
                Failure::Guard(_) => FailureKind::Guard,
                _ => FailureKind::Source,
            };
            (kind, failure)
        };
        self.is_kept = false;
        let head = trust::head(global).map_err(of_source)?;
        let commit = head.commit();
        *attempted = commit.clone().map(|commit| {
            let (commit, policy) = (Some(commit), None);
            Box::new(Revision { commit, policy })
        });
        // A commit that may not be applied is not looked at, and what runs stays.
        let (texts, trusted) = head.read(global, false, output).map_err(of_source)?;
        self.trusted = trusted;
        let digest = digest(&texts.sources);
        *attempted = Some(Box::new(Revision {
            commit,
            policy: Some(digest.clone()),
        }));
        // What is not kept yet has to be compared to be kept.
        let reading = match reading(depth) {
            Reading::Nothing if !good::is_kept(&digest, texts.revision.as_ref(), global) => {
                Reading::Ruleset
            }
            reading => reading,
        };
        self.compare_texts(texts, digest, (reading, untouched), output)
    }

    fn compare_texts(
        &mut self,
        texts: Texts,
        digest: String,
        (reading, untouched): (Reading, Option<Untouched>),
        output: &mut Output,
    ) -> Result<Compared<Box<Planned>>, (FailureKind, Failure)> {
        let global = self.global;
        let revision = texts.revision.as_ref();
        let commit = revision.map(|revision| revision.commit.as_str().to_owned());
        let failed = |failure| (kind(&failure), failure);
        let kernel = &mut self.kernel;
        let remembered = match reading {
            Reading::Everything => None,
            Reading::Nothing | Reading::Ruleset => {
                session::remembered_where(kernel, global, |_| untouched).map_err(failed)?
            }
        };
        let policy = (texts, digest);
        let remembered = remembered.as_ref();
        let compared = plan::compare_beside(kernel, policy, reading, remembered, global, output)
            .map_err(failed)?;
        let planned = match compared {
            Comparison::StillEqual(equal) => {
                let StillEqual {
                    verified,
                    settings: _,
                    next: _,
                } = *equal;
                self.record(output);
                return Ok(Compared {
                    generation: verified.generation,
                    warnings: verified.warnings.clone(),
                    desired: desired_of(verified, commit),
                    refresh: self.refresh(),
                    difference: None,
                });
            }
            Comparison::Read(planned) => planned,
        };
        self.fetched.clone_from(&planned.loaded.fetched);
        let compared = Compared {
            desired: Desired {
                commit,
                policy: planned.digest.clone(),
                lists: planned.loaded.lists.clone(),
                until: planned.loaded.until.map(Timestamp::as_second),
            },
            generation: planned.live.generation.0,
            refresh: self.refresh(),
            warnings: planned.loaded.warnings.clone(),
            difference: None,
        };
        if planned.is_empty() {
            session::remember(
                &planned.loaded,
                &planned.digest,
                &planned.live,
                global,
                output,
            );
            self.record_all(&planned, output);
            return Ok(compared);
        }
        let change = change(&planned);
        Ok(Compared {
            difference: Some(reconcile::Difference {
                found: planned,
                change,
            }),
            ..compared
        })
    }
}

impl reconcile::World for Gateway<'_> {
    type Found = Box<Planned>;

    fn now(&mut self) -> Moment {
        Moment {
            steady: self.since.elapsed(),
            unix: Timestamp::now().as_second(),
        }
    }

    fn compare(
        &mut self,
        depth: Depth,
        untouched: Option<Untouched>,
    ) -> Result<Compared<Self::Found>, reconcile::Failure> {
        self.said.clear();
        let mut output = Output::kept();
        // While another rfw is at work, what it has staged is no drift.
        let _lock = match lock(self.global) {
            Ok(lock) => lock,
            Err((kind, failure)) => return Err(explain(failure, kind, None, output)),
        };
        let mut attempted = None;
        self.look((depth, untouched), &mut attempted, &mut output)
            .map_err(|(kind, failure)| explain(failure, kind, attempted, output))
    }

    fn compare_kept(
        &mut self,
        depth: Depth,
        untouched: Option<Untouched>,
    ) -> Result<Option<Compared<Self::Found>>, reconcile::Failure> {
        let mut output = Output::kept();
        let _lock = match lock(self.global) {
            Ok(lock) => lock,
            Err((kind, failure)) => return Err(explain(failure, kind, None, output)),
        };
        let (texts, digest) = match good::texts(self.global) {
            Ok(Some(kept)) => kept,
            Ok(None) => return Ok(None),
            Err(error) => {
                let failure = Failure::world(error);
                return Err(explain(failure, FailureKind::World, None, output));
            }
        };
        self.trusted = None;
        self.is_kept = true;
        self.compare_texts(texts, digest, (reading(depth), untouched), &mut output)
            .map(Some)
            .map_err(|(kind, failure)| explain(failure, kind, None, output))
    }

    fn apply(&mut self, planned: Self::Found) -> Result<Applied, reconcile::Failure> {
        let mut output = Output::kept();
        let attempted = || {
            Box::new(Revision {
                commit: commit_of(&planned),
                policy: Some(planned.digest.clone()),
            })
        };
        let _lock = match lock(self.global) {
            Ok(lock) => lock,
            Err((kind, failure)) => {
                return Err(explain(failure, kind, Some(attempted()), output));
            }
        };
        // Since it was read, somebody may have applied a later one.
        let revision = planned.loaded.revision.as_ref();
        if self.is_kept && !good::is_kept(&planned.digest, revision, self.global) {
            let failure = Failure::world(Replaced);
            return Err(explain(
                failure,
                FailureKind::Stale,
                Some(attempted()),
                output,
            ));
        }
        let trusted = self.trusted.clone();
        if let Some(trusted) = &trusted
            && let Err(failure) = trust::still(trusted, self.global)
        {
            let kind = kind(&failure);
            return Err(explain(failure, kind, Some(attempted()), output));
        }
        let mut kernel = Recorded::new(&mut self.kernel);
        // Until it has its table again, the box filters nothing.
        let outline = match planned.live.table {
            None => outline(&planned.program, Timestamp::now().as_second()),
            Some(_) => None,
        };
        let outline = outline.as_ref();
        let result = apply::carry_out(&mut kernel, &planned, outline, self.global, &mut output);
        let own = kernel.made().iter().map(|made| made.0).collect();
        match result {
            Ok((generation, _)) => {
                self.record_all(&planned, &mut output);
                self.said = listing(&planned) + &output.take();
                Ok(Applied {
                    generation: generation.0,
                    own,
                    refresh: self.refresh(),
                })
            }
            Err(failure) => {
                let kind = kind(&failure);
                Err(reconcile::Failure {
                    own,
                    ..explain(failure, kind, Some(attempted()), output)
                })
            }
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("another rfw is changing the ruleset")]
struct Busy;

/// The lock, without waiting for it.
fn lock(global: &Global) -> Result<Flock<File>, (FailureKind, Failure)> {
    match session::try_lock(global, session::LOCK) {
        Ok(Some(lock)) => Ok(lock),
        Ok(None) => Err((FailureKind::Busy, Failure::world(Busy))),
        Err(failure) => Err((FailureKind::World, failure)),
    }
}

#[derive(Debug, thiserror::Error)]
#[error("another policy was applied in the meantime")]
struct Replaced;
