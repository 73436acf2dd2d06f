//! What git tells its hooks of a push: the refs that move, and what was said with `git push -o`.
#![expect(
    clippy::disallowed_methods,
    reason = "git tells its hooks by the environment and standard input what is pushed"
)]

use std::io::{self, Read};

use super::{Declined, NotRead, REJECTED, declined, shown};
use crate::cli::error::{Explained, Failure};
use crate::source::git::ObjectId;

/// The longest list of refs that is read, in bytes.
const MOST: u64 = 1 << 20;

/// What was said with `git push -o`.
#[derive(Debug, Default)]
pub(super) struct Options {
    pub(super) plan: bool,
    pub(super) no_color: bool,
}

impl Options {
    pub(super) fn read() -> Result<Self, Failure> {
        let count = std::env::var("GIT_PUSH_OPTION_COUNT").unwrap_or_default();
        let mut options = Self::default();
        for nth in 0..count.parse::<u16>().unwrap_or(0) {
            let word = std::env::var(format!("GIT_PUSH_OPTION_{nth}")).unwrap_or_default();
            match word.as_str() {
                "plan" => options.plan = true,
                "no-color" => options.no_color = true,
                // Who has mistyped `plan` wants no push.
                _ => {
                    let word = shown(&word);
                    return Err(Failure::World(Explained {
                        error: Box::new(Declined(format!("`-o {word}` is not known"))),
                        details: Vec::new(),
                        now: vec![
                            "there are `-o plan` and `-o no-color`".into(),
                            REJECTED.into(),
                        ],
                    }));
                }
            }
        }
        Ok(options)
    }
}

/// A ref that moves; no commit: it is not there.
pub(super) struct Update {
    pub(super) old: Option<ObjectId>,
    pub(super) new: Option<ObjectId>,
    pub(super) reference: String,
}

/// `OLD NEW REF` in each line, as githooks(5) says.
pub(super) fn lines() -> Result<Vec<Update>, Failure> {
    let mut text = String::new();
    let read = io::stdin().take(MOST).read_to_string(&mut text);
    read.map_err(|source| {
        let path = "standard input".into();
        Failure::world(NotRead { path, source })
    })?;
    let update = |line: &str| {
        let mut words = line.splitn(3, ' ');
        let mut id = || {
            let word = words.next()?;
            match word.bytes().all(|byte| byte == b'0') {
                true => Some(None),
                false => Some(Some(word.parse().ok()?)),
            }
        };
        let (old, new) = (id()?, id()?);
        let reference = words.next()?.to_owned();
        Some(Update {
            old,
            new,
            reference,
        })
    };
    let updates = text.lines().map(|line| {
        let bad = || declined(format!("`{}` is no line of a push", shown(line)));
        update(line).ok_or_else(bad)
    });
    updates.collect()
}
