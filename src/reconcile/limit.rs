//! How often others may make us look at the kernel: at once while it happens now and then, more and more slowly while it
//! goes on, so that a fight over the table does not become a hot loop on both sides.

use std::collections::VecDeque;
use std::time::Duration;

use super::backoff::jittered;

/// So many steps are free.
const FREE: usize = 5;
/// How long a step counts.
const WINDOW: Duration = Duration::from_secs(10);
const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);

/// The steps that others caused lately.
#[derive(Clone, Debug, Default)]
pub(super) struct Limit {
    steps: VecDeque<Duration>,
    /// The pauses in a row that were needed.
    pressure: u32,
    chance: u64,
}

impl Limit {
    /// A step that others caused has been made.
    pub(super) fn note(&mut self, now: Duration, chance: u64) {
        self.forget(now);
        self.pressure = if self.steps.len() < FREE {
            0
        } else {
            self.pressure.saturating_add(1)
        };
        self.steps.push_back(now);
        // More than decide are not needed.
        while self.steps.len() > 2 * FREE {
            self.steps.pop_front();
        }
        self.chance = chance;
    }

    /// From when on the next such step may be made.
    pub(super) fn earliest(&self, now: Duration) -> Duration {
        let lately = self.steps.iter().filter(|at| now < **at + WINDOW).count();
        match self.steps.back() {
            Some(last) if lately >= FREE => {
                let pause = FIRST
                    .saturating_mul(1 << self.pressure.min(10))
                    .min(LONGEST);
                *last + jittered(pause, self.chance)
            }
            _ => now,
        }
    }

    fn forget(&mut self, now: Duration) {
        while self.steps.front().is_some_and(|at| *at + WINDOW <= now) {
            self.steps.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Limit;
    use std::time::Duration;

    #[test]
    fn a_fight_slows_down_and_is_forgotten() {
        let mut limit = Limit::default();
        let mut now = Duration::ZERO;
        let mut pauses = Vec::new();
        for _ in 0..12 {
            let at = limit.earliest(now);
            pauses.push((at - now).as_millis());
            now = at;
            limit.note(now, 0);
        }
        assert_eq!(pauses[..5], [0; 5], "the first are free");
        assert_eq!(pauses[5..10], [50, 100, 200, 400, 800]);
        assert!(pauses[11] <= 2500, "it never waits longer than that");
        now += Duration::from_secs(10);
        assert_eq!(limit.earliest(now), now, "peace is noticed");
    }

    #[test]
    fn a_fight_that_lasts_costs_a_step_in_seconds() {
        let mut limit = Limit::default();
        let (mut now, mut steps) = (Duration::ZERO, 0);
        while now < Duration::from_secs(600) {
            now = limit.earliest(now).max(now + Duration::from_millis(1));
            limit.note(now, 0);
            steps += 1;
        }
        assert!(steps < 600, "{steps} steps in ten minutes");
    }
}
