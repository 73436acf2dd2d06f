//! Fetching the branch from somewhere else: when the next time is, and what is told of it. That it is done, and how, is
//! somebody else's; the loop hears only how it went.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::backoff::jittered;
use super::report::Trouble;
use super::world::FailureKind;

/// The pause after the first failure; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
/// The longest pause after failures, unless the interval is longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(900);

/// What was fetched, and how it goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Pull {
    /// From which remote.
    pub remote: String,
    /// Which branch.
    pub branch: String,
    /// When it was last known to be what the remote has, in Unix seconds; nothing when never since the daemon started.
    pub succeeded: Option<i64>,
    /// The commit that it had then.
    pub commit: Option<String>,
    /// Why nothing could be fetched since; nothing when all is well.
    pub trouble: Option<Trouble>,
    /// When it is tried next.
    pub next: i64,
}

/// An attempt to fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// The branch is what the remote has: this commit.
    Fetched(String),
    /// It is what it was.
    Failed {
        /// Of what kind.
        kind: FailureKind,
        /// Why.
        text: String,
    },
}

/// Fetching, again and again.
#[derive(Debug)]
pub struct Pulls {
    interval: Duration,
    pull: Pull,
}

impl Pulls {
    /// Before the first attempt, which is due at once.
    pub fn new(remote: String, branch: String, interval: Duration) -> Self {
        Self {
            interval,
            pull: Pull {
                remote,
                branch,
                succeeded: None,
                commit: None,
                trouble: None,
                next: 0,
            },
        }
    }

    /// Takes note of an attempt that has ended at `unix`. Returns what is told, and how long to wait for the next. `chance`: any
    /// number, another each time.
    pub fn heard(&mut self, attempt: Attempt, unix: i64, chance: u64) -> (Pull, Duration) {
        let pull = &mut self.pull;
        let pause = match attempt {
            Attempt::Fetched(commit) => {
                pull.succeeded = Some(unix);
                pull.commit = Some(commit);
                pull.trouble = None;
                jittered(self.interval.saturating_mul(4) / 3, chance)
            }
            Attempt::Failed { kind, text } => {
                let before = pull.trouble.as_ref();
                let failures = before.map_or(0, |trouble| trouble.failures);
                let pause = FIRST_PAUSE.saturating_mul(1 << failures.min(16));
                let longest = LONGEST_PAUSE.max(self.interval);
                pull.trouble = Some(Trouble {
                    kind: kind.name().to_owned(),
                    text,
                    since: before.map_or(unix, |trouble| trouble.since),
                    failures: failures.saturating_add(1),
                });
                jittered(pause.min(longest), chance)
            }
        };
        pull.next = unix.saturating_add_unsigned(pause.as_secs());
        (pull.clone(), pause)
    }
}

impl Pull {
    /// What there is to tell that was not told before.
    pub(super) fn news(&self, before: Option<&Self>) -> Option<String> {
        let trouble = |pull: Option<&Self>| Some(pull?.trouble.as_ref()?.text.clone());
        let Self { remote, branch, .. } = self;
        match (trouble(before), trouble(Some(self))) {
            (None, None) => None,
            (Some(_), None) => Some(format!("`{branch}` is fetched from `{remote}` again")),
            (Some(told), Some(text)) if told == text => None,
            (_, Some(text)) => Some(format!("{text}; the rules stay, and it is tried again")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Attempt, Pulls};
    use crate::reconcile::FailureKind;
    use std::time::Duration;

    fn pulls(interval: u64) -> Pulls {
        Pulls::new(
            "origin".into(),
            "main".into(),
            Duration::from_secs(interval),
        )
    }

    fn failed(text: &str) -> Attempt {
        Attempt::Failed {
            kind: FailureKind::Source,
            text: text.into(),
        }
    }

    #[test]
    fn all_is_well_about_once_in_the_interval() {
        let mut pulls = pulls(60);
        let pauses = [0, 512, 1023].map(|chance| {
            let (told, pause) = pulls.heard(Attempt::Fetched("beef".into()), 100, chance);
            assert_eq!((told.succeeded, told.trouble), (Some(100), None));
            pause.as_secs()
        });
        assert_eq!(pauses, [40, 60, 79]);
    }

    #[test]
    fn failures_wait_ever_longer_and_success_ends_them() {
        let mut pulls = pulls(60);
        let mut pauses = Vec::new();
        for nth in 0..10 {
            let (told, pause) = pulls.heard(failed("gone"), 100 + nth, 0);
            let trouble = told.trouble.unwrap();
            assert_eq!((trouble.since, i64::from(trouble.failures)), (100, nth + 1));
            pauses.push(pause.as_millis());
        }
        assert_eq!(
            pauses,
            [
                2500, 5000, 10_000, 20_000, 40_000, 80_000, 160_000, 320_000, 450_000, 450_000
            ]
        );
        let (told, _) = pulls.heard(Attempt::Fetched("beef".into()), 200, 0);
        assert_eq!(told.trouble, None);
        let (told, pause) = pulls.heard(failed("gone"), 300, 0);
        assert_eq!(
            (told.succeeded, told.commit.as_deref()),
            (Some(200), Some("beef"))
        );
        assert_eq!(pause.as_millis(), 2500);
        // An interval of a day is no shorter after failures than without.
        let mut rare = self::pulls(86_400);
        let last = (0..20).map(|_| rare.heard(failed("gone"), 0, 0).1).last();
        assert_eq!(last, Some(Duration::from_secs(43_200)));
    }

    #[test]
    fn what_is_the_same_is_told_once() {
        let mut pulls = pulls(60);
        let mut before = None;
        let mut hear = |attempt| {
            let (pull, _) = pulls.heard(attempt, 0, 0);
            let news = pull.news(before.as_ref());
            before = Some(pull);
            news
        };
        let fetched = || Attempt::Fetched("beef".into());
        assert_eq!(hear(fetched()), None);
        let gone = Some("gone; the rules stay, and it is tried again".to_owned());
        assert_eq!(hear(failed("gone")), gone);
        assert_eq!(hear(failed("gone")), None);
        assert_ne!(hear(failed("other")), None);
        assert_eq!(
            hear(fetched()),
            Some("`main` is fetched from `origin` again".to_owned())
        );
        assert_eq!(hear(fetched()), None);
    }
}
