//! Why nothing was fetched.

use std::io;
use std::path::PathBuf;

use super::LONGEST;
use crate::source::git::GitError;

/// Why nothing was fetched. The branch is where it was.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    /// The repository cannot be used.
    #[error(transparent)]
    Repository(#[from] GitError),
    /// Root would meet the network.
    #[error(
        "root does not fetch; say another `user` for `pull`, or another `owner` of the repository, in agent.yaml"
    )]
    Root,
    /// rfw is not root and another user shall fetch.
    #[error(
        "`{name}` shall fetch, and this is the user {uid}, who cannot become somebody else; name that one in agent.yaml"
    )]
    SomebodyElse {
        /// Who should.
        name: String,
        /// Who runs rfw.
        uid: u32,
    },
    /// The repository knows no such remote.
    #[error(
        "the repository `{path}` has no remote `{remote}`; as its owner: git -C {path} remote add {remote} ADDRESS"
    )]
    NoRemote {
        /// The repository.
        path: PathBuf,
        /// What it should know.
        remote: String,
    },
    /// The remote's branch was rewritten.
    #[error(
        "`{branch}` of `{remote}` does not come after the one here: it was rewritten there, or is another; nothing was taken"
    )]
    Back {
        /// The remote.
        remote: String,
        /// The branch.
        branch: String,
    },
    /// git cannot be run.
    #[error(
        "cannot run the programs `git`, `setpriv` and `prlimit`, which fetch; install them (git, util-linux)"
    )]
    NoGit {
        /// The system's reason.
        source: io::Error,
    },
    /// It took too long.
    #[error("`git fetch` from `{remote}`: no end after {} seconds", LONGEST.as_secs())]
    TooSlow {
        /// The remote.
        remote: String,
    },
    /// It is too much.
    #[error(
        "`git fetch` from `{remote}`: more than {} MiB, and nothing of it was kept; if so much is meant, say a larger `max_size` for \
         `pull` in agent.yaml",
        .most >> 20
    )]
    TooLarge {
        /// The remote.
        remote: String,
        /// How many bytes may come.
        most: u64,
    },
    /// git has failed.
    #[error("`git fetch` from `{remote}`: {said}")]
    Failed {
        /// The remote.
        remote: String,
        /// What it said, in a line.
        said: String,
    },
}

impl PullError {
    /// Whether what is there is refused, and not only out of reach.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Back { .. } | Self::TooLarge { .. })
    }
}
