//! Where the branch that the policy comes from is fetched from, and what commands say about it that do not fetch.

use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;

use super::output::Output;
use super::{Global, daemon};
use crate::reconcile::Trouble;
use crate::source::git::Puller;

/// The other end, as agent.yaml names it.
#[derive(Clone, Debug)]
pub(super) struct Upstream {
    /// The repository here.
    pub(super) repository: PathBuf,
    /// Its remote.
    pub(super) remote: String,
    /// The branch, which is called the same at both ends.
    pub(super) branch: String,
    /// How often.
    pub(super) interval: Duration,
    /// By whom.
    pub(super) puller: Puller,
    /// How many bytes may come.
    pub(super) most: u64,
}

/// Says how old the branch is: only the daemon fetches.
pub(super) fn note(global: &Global, output: &mut Output) {
    let Some(Upstream { remote, branch, .. }) = &global.upstream else {
        return;
    };
    let daemon = daemon::daemon(global).filter(|daemon| daemon.running);
    let pull = daemon.and_then(|daemon| daemon.report.pull);
    let Some(pull) = pull.filter(|pull| pull.remote == *remote && pull.branch == *branch) else {
        output.note(&format!(
            "note: `{branch}` is taken as it is here: no daemon runs that has fetched it from `{remote}`"
        ));
        return;
    };
    let at = |unix| Timestamp::from_second(unix).unwrap_or_default();
    let last = match pull.succeeded {
        Some(unix) => format!(
            "`{branch}` was last fetched from `{remote}` at {}",
            at(unix)
        ),
        None => format!("`{branch}` was not fetched from `{remote}` since the daemon started"),
    };
    match pull.trouble {
        None => output.note(&format!("note: {last}")),
        Some(Trouble { text, since, .. }) => output.note(&format!(
            "note: {last}; it fails since {}: {text}",
            at(since)
        )),
    }
}
