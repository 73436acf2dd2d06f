//! How long to wait after a failure: twice as long each time, never in step with others.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(60);

/// The pause after so many failures in a row, at least one. `chance` takes up to half of it away.
pub(super) fn pause(failures: u32, chance: u64) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    jittered(FIRST.saturating_mul(1 << doublings).min(LONGEST), chance)
}

/// Between half of it and all of it.
pub(super) fn jittered(pause: Duration, chance: u64) -> Duration {
    let half = pause / 2;
    let steps = u32::try_from(chance % 1024).unwrap_or_default();
    half + half.saturating_mul(steps) / 1024
}

#[cfg(test)]
mod tests {
    use super::{jittered, pause};
    use std::time::Duration;

    #[track_caller]
    fn check(failures: u32, chance: u64, expect: u64) {
        assert_eq!(
            pause(failures, chance),
            Duration::from_millis(expect),
            "after {failures} failures"
        );
    }

    #[test]
    fn it_doubles_up_to_a_minute() {
        check(1, 0, 250);
        check(2, 0, 500);
        check(3, 512, 1_500);
        check(8, 0, 30_000);
        check(u32::MAX, 0, 30_000);
    }

    #[test]
    fn chance_never_shortens_it_below_half() {
        for chance in [0, 1, 511, 1023, 1024, u64::MAX] {
            let pause = jittered(Duration::from_secs(2), chance);
            assert!(Duration::from_secs(1) <= pause && pause < Duration::from_secs(2));
        }
    }
}
