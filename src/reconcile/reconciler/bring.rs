//! What a step finds, and does to the kernel.

use super::{Looked, Reconciler, Taken};
use crate::reconcile::report::{Change, DriftMode, LastDrift};
use crate::reconcile::step::Ending;
use crate::reconcile::world::{Applied, Compared, Desired, Difference, Failure, Moment, World};

impl Reconciler {
    pub(super) fn look<W: World>(
        &mut self,
        world: &mut W,
        taken: &Taken,
    ) -> Result<Looked, Failure> {
        let untouched = self.hearing.known();
        match world.compare(taken.depth, untouched) {
            Ok(compared) => {
                self.report.attempted = Some(compared.desired.revision());
                let ending = self.bring(world, compared)?;
                let refused = None;
                Ok(Looked { ending, refused })
            }
            Err(refused) if refused.kind.is_of_source() => {
                // What is in force is looked after all the same.
                let kept = world.compare_kept(taken.depth, untouched);
                let kept = kept.map_err(|failure| refused.clone().and(failure))?;
                let Some(compared) = kept else {
                    return Err(refused);
                };
                let ending = self.bring(world, compared);
                let ending = ending.map_err(|failure| refused.clone().and(failure))?;
                let refused = Some(refused);
                Ok(Looked { ending, refused })
            }
            Err(failure) => Err(failure),
        }
    }

    /// Brings the kernel to what is desired, unless that is drift that is only reported.
    fn bring<W: World>(
        &mut self,
        world: &mut W,
        compared: Compared<W::Found>,
    ) -> Result<Ending, Failure> {
        let now = world.now();
        let Compared {
            desired,
            generation,
            refresh,
            warnings,
            difference,
        } = compared;
        self.looked_at(generation);
        self.refresh = refresh;
        if refresh.is_none() {
            // There is none to be fetched any more.
            self.report.lists = None;
        }
        self.report.warnings = warnings;
        let Some(Difference { found, change }) = difference else {
            self.in_force(desired, generation, now);
            return Ok(Ending::Unchanged);
        };
        let change = Change {
            at: now.unix,
            ..change
        };
        let before = self.in_force.as_ref();
        let was_drift = before.is_some_and(|before| before.wants_the_same(&desired, now.unix));
        let by = self.culprits.clone();
        if was_drift {
            let known = self.note_drift(&change, &by, now);
            if self.report.drift.mode == DriftMode::Report {
                return Ok(Ending::DriftLeft { change, by, known });
            }
        }
        let applied = world.apply(found).inspect_err(|_| {
            // What is in force now is for the next look to say, and what was committed is not known.
            self.in_force = None;
            self.hearing.loses();
        })?;
        let Applied {
            generation,
            own,
            refresh,
        } = applied;
        self.keep_own(&own);
        self.refresh = refresh.or(self.refresh);
        self.in_force(desired, generation, world.now());
        if was_drift {
            self.report.drift.repaired += 1;
            if let Some(last) = &mut self.report.drift.last {
                last.repaired = true;
            }
        }
        Ok(Ending::Applied {
            change,
            was_drift,
            by,
        })
    }

    /// Counts drift, unless it is what is there already; returns whether it is.
    fn note_drift(&mut self, change: &Change, by: &[String], now: Moment) -> bool {
        let drift = &mut self.report.drift;
        let is_known = drift.present
            && drift.last.as_ref().is_some_and(|last| {
                last.change.operations == change.operations && last.change.first == change.first
            });
        drift.present = true;
        if !is_known {
            drift.seen += 1;
            drift.last = Some(LastDrift {
                at: now.unix,
                by: by.to_vec(),
                change: change.clone(),
                repaired: false,
            });
        }
        is_known
    }

    fn in_force(&mut self, desired: Desired, generation: u32, now: Moment) {
        let report = &mut self.report;
        report.applied = Some(desired.revision());
        report.generation = Some(generation);
        report.verified = Some(now.unix);
        report.drift.present = false;
        self.boundary = desired.until.filter(|until| now.unix < *until);
        self.looked_at(generation);
        self.in_force = Some(desired);
    }

    /// The kernel was read at this generation. Whoever reads is listening already.
    fn looked_at(&mut self, generation: u32) {
        self.seen = Some(generation);
        self.hearing.begins(generation);
    }

    pub(super) fn keep_own(&mut self, own: &[u32]) {
        self.own.extend(own);
        // Their events may have been lost.
        while self.own.len() > 64 {
            self.own.pop_front();
        }
    }
}
