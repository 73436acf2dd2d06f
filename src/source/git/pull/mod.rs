//! Fetching a branch from somewhere else: by the git client, as a user who is not root, with a home of its own. rfw itself
//! speaks neither TLS nor ssh, and sees only that a ref has moved.
//!
//! Of the repository's configuration the address of the remote is taken and nothing else: no hook, no helper for
//! credentials, no program of it is run. ssh is that of the user, with the user's keys and known hosts, and never asks. How git is
//! called for that stands in `command`.

#![expect(
    clippy::disallowed_methods,
    reason = "looks at what a fetch that was ended has left"
)]

mod command;
mod error;
mod said;

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{ObjectId, Repository};
use crate::source::bounded::{Ended, run};
use crate::source::unprivileged::can_become;
use command::{Client, Shed, passed_on};
use said::told;

pub use error::PullError;

/// How long a fetch may take.
const LONGEST: Duration = Duration::from_secs(60);

/// Who fetches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Puller {
    /// The user's name.
    pub name: String,
    /// The user's number.
    pub uid: u32,
    /// The user's group.
    pub gid: u32,
    /// The user's home.
    pub home: PathBuf,
}

/// What a fetch has brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pulled {
    /// The commit of the branch.
    pub commit: ObjectId,
    /// Whether it is another than before.
    pub moved: bool,
}

/// Fetches a branch of a remote into the branch of the same name. It only moves forward: what does not come after what is
/// there is refused by git. Waits for the network, up to a minute, and takes at most so many bytes.
///
/// # Errors
/// Why nothing has come; the branch is where it was.
pub fn pull(
    repository: &Repository,
    remote: &str,
    branch: &str,
    puller: &Puller,
    most: u64,
) -> Result<Pulled, PullError> {
    let client = Client {
        git_dir: &repository.place.git,
        puller,
        shed: Shed::of(puller, nix::unistd::geteuid().as_raw(), can_become)?,
        environment: passed_on(),
    };
    let word = format!("refs/heads/{branch}");
    let before = repository.resolve(&word).ok();
    let common = &repository.place.common;
    let address = address(&client, common, remote)?;
    let ended = run(client.fetch(&address, &word, most), LONGEST);
    let ended = ended.map_err(|source| PullError::NoGit { source })?;
    let remote = remote.to_owned();
    let failure = match ended {
        None => Some(PullError::TooSlow { remote }),
        Some(Ended { status, .. }) if status.success() => None,
        Some(Ended { said, .. }) => {
            let said = String::from_utf8_lossy(&said);
            Some(if said.contains("(non-fast-forward)") {
                let branch = branch.to_owned();
                PullError::Back { remote, branch }
            } else if is_too_large(common, most) {
                PullError::TooLarge { remote, most }
            } else {
                let said = told(&said);
                PullError::Failed { remote, said }
            })
        }
    };
    if let Some(failure) = failure {
        // What is there of it would fill the disk, attempt by attempt. If that fails, git's own housekeeping does it in two weeks.
        let _ = run(client.forget_unfinished(common), LONGEST);
        return Err(failure);
    }
    let commit = repository.resolve(&word)?.commit;
    let moved = before.is_none_or(|before| before.commit != commit);
    Ok(Pulled { commit, moved })
}

/// Whether the limit of files has ended a fetch. git does not say so, but its file is as long as it may be.
fn is_too_large(common: &Path, most: u64) -> bool {
    let files = std::fs::read_dir(common.join("objects/pack")).into_iter();
    let mut files = files.flatten().flatten();
    files.any(|file| {
        let is_unfinished = file
            .file_name()
            .as_encoded_bytes()
            .starts_with(b"tmp_pack_");
        is_unfinished && file.metadata().is_ok_and(|file| most <= file.len())
    })
}

fn address(client: &Client<'_>, common: &Path, remote: &str) -> Result<String, PullError> {
    let no_remote = || PullError::NoRemote {
        path: common.to_owned(),
        remote: remote.to_owned(),
    };
    let output = client.address(common, remote).output();
    let output = output.map_err(|source| PullError::NoGit { source })?;
    match output.status.code() {
        Some(0) => {
            let address = String::from_utf8_lossy(&output.stdout);
            let address = address.trim_end_matches('\n');
            match address.is_empty() {
                true => Err(no_remote()),
                false => Ok(address.to_owned()),
            }
        }
        Some(1) => Err(no_remote()),
        _ => Err(PullError::Failed {
            remote: remote.to_owned(),
            said: told(&String::from_utf8_lossy(&output.stderr)),
        }),
    }
}
