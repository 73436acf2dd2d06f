//! Fetching a branch from somewhere else: by the git client, as a user who is not root, with a home of its own. rfw itself
//! speaks neither TLS nor ssh, and sees only that a ref has moved.
#![expect(
    clippy::disallowed_methods,
    reason = "starts the git client, which meets the network"
)]

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use super::{GitError, Repository};

/// How long a fetch may take, in seconds.
const LONGEST: u64 = 60;

/// Who fetches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Puller {
    /// The user's number; the one that runs rfw if it is that already.
    pub uid: u32,
    /// The user's group.
    pub gid: u32,
    /// Where the user's keys and known hosts are.
    pub home: PathBuf,
}

/// Fetches a branch of a remote into the branch of the same name. It only moves forward: what does not come after what is
/// there is refused by git.
///
/// # Errors
/// What git said, or that it took too long; the branch is where it was.
pub fn pull(
    repository: &Repository,
    remote: &str,
    branch: &str,
    puller: &Puller,
) -> Result<(), GitError> {
    let place = &repository.place;
    let failed = |said: &str| GitError::Client {
        path: place.common.clone(),
        command: format!("fetch {remote} {branch}"),
        said: said.escape_debug().to_string(),
    };
    if puller.uid == 0 {
        return Err(failed(
            "root does not fetch; name a `user` for `pull`, or an `owner` of the repository, in agent.yaml",
        ));
    }
    let refs = format!("refs/heads/{branch}:refs/heads/{branch}");
    let mut command = Command::new("git");
    for setting in [
        "core.fsmonitor=false",
        "core.hooksPath=/dev/null",
        "protocol.ext.allow=never",
        "gc.auto=0",
        "maintenance.auto=false",
        "submodule.recurse=false",
    ] {
        command.args(["-c", setting]);
    }
    command.args(["fetch", "--quiet", "--no-tags", "--no-recurse-submodules"]);
    command.args(["--end-of-options", remote, &refs]);
    command.env_clear().current_dir("/");
    command.envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
    command.env("HOME", &puller.home).env("LC_ALL", "C");
    for (key, value) in [
        ("GIT_TERMINAL_PROMPT", "0"),
        ("GIT_SSH_COMMAND", "ssh -o BatchMode=yes"),
    ] {
        command.env(key, value);
    }
    command.env("GIT_DIR", &place.git);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    if nix::unistd::geteuid().as_raw() != puller.uid {
        // Supplementary groups go with it.
        command.uid(puller.uid).gid(puller.gid);
    }
    let mut child = command
        .spawn()
        .map_err(|error| failed(&error.to_string()))?;
    let complaint = child.stderr.take();
    let (tell, told) = channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(complaint) = complaint {
            // What could be read is all there is to say.
            let _ = complaint.take(16 << 10).read_to_end(&mut bytes);
        }
        let _ = tell.send(bytes);
    });
    let said = told.recv_timeout(Duration::from_secs(LONGEST));
    if said.is_err() {
        let _ = child.kill();
    }
    let status = child.wait().map_err(|error| failed(&error.to_string()))?;
    match said {
        Err(_) => Err(failed(&format!("no end after {LONGEST} seconds"))),
        Ok(_) if status.success() => Ok(()),
        Ok(said) => {
            let said = String::from_utf8_lossy(&said);
            let line = said.lines().find(|line| !line.trim().is_empty());
            Err(failed(line.unwrap_or("it has failed")))
        }
    }
}
