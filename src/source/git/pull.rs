//! Fetching a branch from somewhere else: by the git client, as a user who is not root, with a home of its own. rfw itself
//! speaks neither TLS nor ssh, and sees only that a ref has moved.
//!
//! Of the repository's configuration the address of the remote is taken and nothing else: no hook, no helper for
//! credentials, no program of it is run. ssh is that of the user, with the user's keys and known hosts, and never asks.
#![expect(
    clippy::disallowed_methods,
    reason = "starts the git client, which meets the network, and waits for it"
)]

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::{GitError, ObjectId, Repository};
use crate::diagnostic::printable;
use crate::source::bounded::{Ended, run};
use crate::source::fetch::PASSED_ON;
use crate::source::unprivileged::can_become;

/// How long a fetch may take.
const LONGEST: Duration = Duration::from_secs(60);
/// Most letters of what git says that are told.
const TOLD: usize = 600;
/// What an address may begin with; a path of this box is `file`.
const PROTOCOLS: &str = "file:https:ssh";
/// ssh asks nothing, takes no host that the user does not know, and gives up when nobody answers.
const SSH: &str = "ssh -o BatchMode=yes -o StrictHostKeyChecking=yes -o ConnectTimeout=20 -o ServerAliveInterval=10 \
                   -o ServerAliveCountMax=3 -o ClearAllForwardings=yes -o PermitLocalCommand=no";
/// What the repository's configuration may say, and shall not.
const SETTINGS: [&str; 12] = [
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "core.alternateRefsCommand=",
    "core.askPass=",
    "credential.helper=",
    "credential.interactive=false",
    "fetch.fsckObjects=true",
    "fetch.writeCommitGraph=false",
    "transfer.bundleURI=false",
    "submodule.recurse=false",
    "gc.auto=0",
    "maintenance.auto=false",
];

/// Where git looks for the authorities that it believes, in place of the system's.
const AUTHORITIES: &str = "GIT_SSL_CAINFO";

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
        "cannot run the programs `git` and `setpriv`, which fetch; install them (git, util-linux)"
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
        matches!(self, Self::Back { .. })
    }
}

/// Fetches a branch of a remote into the branch of the same name. It only moves forward: what does not come after what is
/// there is refused by git. Waits for the network, up to a minute.
///
/// # Errors
/// Why nothing has come; the branch is where it was.
pub fn pull(
    repository: &Repository,
    remote: &str,
    branch: &str,
    puller: &Puller,
) -> Result<Pulled, PullError> {
    let client = Client {
        git_dir: &repository.place.git,
        puller,
        shed: Shed::of(puller, nix::unistd::geteuid().as_raw(), can_become)?,
        environment: passed_on(),
    };
    let word = format!("refs/heads/{branch}");
    let before = repository.resolve(&word).ok();
    let address = address(&client, &repository.place.common, remote)?;
    let ended = run(client.fetch(&address, &word), LONGEST);
    let ended = ended.map_err(|source| PullError::NoGit { source })?;
    let Some(Ended { status, said }) = ended else {
        let remote = remote.to_owned();
        return Err(PullError::TooSlow { remote });
    };
    if !status.success() {
        let said = String::from_utf8_lossy(&said);
        return Err(match said.contains("(non-fast-forward)") {
            true => PullError::Back {
                remote: remote.to_owned(),
                branch: branch.to_owned(),
            },
            false => PullError::Failed {
                remote: remote.to_owned(),
                said: told(&said),
            },
        });
    }
    let commit = repository.resolve(&word)?.commit;
    let moved = before.is_none_or(|before| before.commit != commit);
    Ok(Pulled { commit, moved })
}

/// What git is rid of before it is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shed {
    /// The user that runs rfw, and with it all capabilities.
    User,
    /// All capabilities, where that user is the only one there is.
    All,
    /// Capabilities that programs would inherit.
    Inherited,
}

impl Shed {
    /// For a puller, where this user runs rfw.
    fn of(
        puller: &Puller,
        us: u32,
        can_become: impl Fn(u32, u32) -> bool,
    ) -> Result<Self, PullError> {
        let Puller { name, uid, gid, .. } = puller;
        if *uid == 0 {
            return Err(PullError::Root);
        }
        match us {
            0 if can_become(*uid, *gid) => Ok(Self::User),
            // In a namespace that knows only one user, root is that user.
            0 => Ok(Self::All),
            us if us == *uid => Ok(Self::Inherited),
            us => Err(PullError::SomebodyElse {
                name: name.clone(),
                uid: us,
            }),
        }
    }

    /// How git is started. A program can only be rid of capabilities by itself: setpriv(1) does that.
    fn git(self) -> Command {
        let words: &[&str] = match self {
            Self::User => return Command::new("git"),
            Self::All => &[
                "--bounding-set=-all",
                "--inh-caps=-all",
                "--ambient-caps=-all",
            ],
            Self::Inherited => &["--inh-caps=-all", "--ambient-caps=-all"],
        };
        let mut command = Command::new("setpriv");
        command.args(words).args(["--", "git"]);
        command
    }
}

/// The variables that programs that meet the network need.
fn passed_on() -> Vec<(OsString, OsString)> {
    std::env::vars_os()
        .filter(|(key, _)| key == AUTHORITIES || PASSED_ON.iter().any(|known| key == known))
        .collect()
}

/// How git is called.
struct Client<'a> {
    git_dir: &'a Path,
    puller: &'a Puller,
    shed: Shed,
    /// All of the environment that it gets besides ours.
    environment: Vec<(OsString, OsString)>,
}

impl Client<'_> {
    fn command(&self) -> Command {
        let Self {
            git_dir,
            puller,
            shed,
            environment,
        } = self;
        let mut command = shed.git();
        command
            .env_clear()
            .envs(environment.iter().map(|(key, value)| (key, value)))
            .env("HOME", &puller.home)
            .env("USER", &puller.name)
            .env("LOGNAME", &puller.name)
            .env("GIT_DIR", git_dir);
        for (key, value) in [
            ("LC_ALL", "C"),
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_ALLOW_PROTOCOL", PROTOCOLS),
            ("GIT_SSH_COMMAND", SSH),
            ("GIT_SSH_VARIANT", "ssh"),
            ("GIT_TERMINAL_PROMPT", "0"),
            // Empty: none, and no other is looked for.
            ("GIT_ASKPASS", ""),
            ("SSH_ASKPASS_REQUIRE", "never"),
            ("GIT_NO_REPLACE_OBJECTS", "1"),
            ("GIT_NO_LAZY_FETCH", "1"),
        ] {
            command.env(key, value);
        }
        command
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        if *shed == Shed::User {
            // Supplementary groups and capabilities go with it.
            command.uid(puller.uid).gid(puller.gid);
        }
        command
    }

    /// By its address, because what the repository says of a remote may name programs.
    fn fetch(&self, address: &str, branch: &str) -> Command {
        let mut command = self.command();
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        command.args([
            "fetch",
            "--no-progress",
            "--no-tags",
            "--no-recurse-submodules",
            "--no-auto-maintenance",
            "--no-write-fetch-head",
            "--refmap=",
            "--upload-pack=git-upload-pack",
            "--end-of-options",
            address,
        ]);
        // Without `+`: forward only.
        command.arg(format!("{branch}:{branch}"));
        command
    }

    /// The address is asked of the file itself: nothing that it includes is read, nothing that it says is followed.
    fn address(&self, common: &Path, remote: &str) -> Command {
        let mut command = self.command();
        command
            .args(["config", "--no-includes", "--file"])
            .arg(common.join("config"))
            .args(["--get", &format!("remote.{remote}.url")])
            .stdout(Stdio::piped());
        command
    }
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

/// What git says, in a line: without its good advice, and without anybody's password.
fn told(said: &str) -> String {
    let lines = said
        .lines()
        .map(str::trim)
        .take_while(|line| !line.is_empty())
        // ssh puts a frame around its warnings.
        .map(|line| line.trim_matches('@').trim())
        .filter(|line| !line.is_empty() && !line.starts_with("From "));
    let line = lines.collect::<Vec<_>>().join("; ");
    let line = printable(&without_secrets(&line));
    match line.is_empty() {
        true => "it has failed and does not say why".to_owned(),
        false => without_middle(&line),
    }
}

/// The cause stands at one end of what is said or at the other.
fn without_middle(line: &str) -> String {
    let letters: Vec<char> = line.chars().collect();
    if letters.len() <= TOLD {
        return line.to_owned();
    }
    let (begin, rest) = letters.split_at(TOLD / 2);
    let end = rest.iter().rev().take(TOLD / 2).rev();
    begin.iter().chain(&[' ', '…', ' ']).chain(end).collect()
}

/// `https://user:secret@host/` without what stands before the `@`.
fn without_secrets(text: &str) -> String {
    let mut safe = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once("://") {
        safe.push_str(before);
        safe.push_str("://");
        let end = behind.find(['/', ' ', '\'', '"']).unwrap_or(behind.len());
        let (host, more) = behind.split_at_checked(end).unwrap_or((behind, ""));
        safe.push_str(host.rsplit_once('@').map_or(host, |(_, host)| host));
        rest = more;
    }
    safe + rest
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::Command;

    use super::{Client, Puller, Shed, told};

    fn puller(uid: u32) -> Puller {
        Puller {
            name: "git".into(),
            uid,
            gid: 7,
            home: "/srv/git".into(),
        }
    }

    #[test]
    fn root_never_fetches() {
        let check = |uid, us, can, expect: Result<Shed, &str>| {
            let result = Shed::of(&puller(uid), us, |_, _| can);
            let result = result.map_err(|error| error.to_string());
            match expect {
                Ok(expect) => assert_eq!(result, Ok(expect)),
                Err(expect) => assert!(result.as_ref().unwrap_err().contains(expect), "{result:?}"),
            }
        };
        check(0, 0, true, Err("root does not fetch"));
        check(0, 0, false, Err("root does not fetch"));
        check(0, 1000, true, Err("root does not fetch"));
        check(33, 0, true, Ok(Shed::User));
        // A namespace of one user.
        check(33, 0, false, Ok(Shed::All));
        check(33, 33, true, Ok(Shed::Inherited));
        check(33, 1000, true, Err("this is the user 1000"));
    }

    /// The command as it would be run.
    fn fetch(shed: Shed) -> Command {
        let client = Client {
            git_dir: Path::new("/srv/x.git"),
            puller: &puller(33),
            shed,
            environment: vec![("PATH".into(), "/bin".into())],
        };
        client.fetch("ssh://git@host/x", "refs/heads/main")
    }

    #[test]
    fn what_is_run_is_somebody_who_may_little_and_is_asked_nothing() {
        let command = fetch(Shed::User);
        let shown = format!("{command:#?}")
            .split_whitespace()
            .collect::<String>();
        assert!(shown.contains("uid:Some(33,)"), "{shown}");
        assert!(shown.contains("gid:Some(7,)"), "{shown}");
        let shown = format!("{:#?}", fetch(Shed::All))
            .split_whitespace()
            .collect::<String>();
        assert!(!shown.contains("uid:Some"), "{shown}");
        assert!(shown.contains("\"setpriv\""), "{shown}");
        assert_eq!(command.get_program(), "git");
        let arguments: Vec<&str> = command
            .get_args()
            .filter_map(|word| word.to_str())
            .collect();
        let arguments = arguments.join(" ");
        for word in [
            "-c core.hooksPath=/dev/null",
            "-c credential.helper=",
            "-c core.askPass=",
            "--upload-pack=git-upload-pack",
            "--end-of-options ssh://git@host/x refs/heads/main:refs/heads/main",
        ] {
            assert!(arguments.contains(word), "{word}: {arguments}");
        }
        let value = |key: &str| {
            let (_, value) = command.get_envs().find(|(name, _)| *name == key)?;
            value?.to_str()
        };
        for (key, expect) in [
            ("PATH", "/bin"),
            ("HOME", "/srv/git"),
            ("GIT_DIR", "/srv/x.git"),
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_TERMINAL_PROMPT", "0"),
            ("GIT_ASKPASS", ""),
            ("GIT_ALLOW_PROTOCOL", "file:https:ssh"),
        ] {
            assert_eq!(value(key), Some(expect), "{key}");
        }
        let ssh = value("GIT_SSH_COMMAND").unwrap_or_default();
        assert!(
            ssh.starts_with("ssh -o BatchMode=yes -o StrictHostKeyChecking=yes "),
            "{ssh}"
        );
        assert!(!ssh.contains("  "), "{ssh}");
    }

    #[test]
    fn what_git_says_is_a_line_without_secrets() {
        let check = |said: &str, expect: &str| assert_eq!(told(said), expect);
        check(
            "From https://host/x\n ! [rejected] main -> main (non-fast-forward)\n",
            "! [rejected] main -> main (non-fast-forward)",
        );
        check(
            "Host key verification failed.\nfatal: Could not read from remote repository.\n\nPlease make sure\n",
            "Host key verification failed.; fatal: Could not read from remote repository.",
        );
        check(
            "fatal: unable to access 'https://me:se@cret@host/x/': no\x1b[31m\n",
            "fatal: unable to access 'https://host/x/': no\\u{1b}[31m",
        );
        check("", "it has failed and does not say why");
        check(
            "@@@@@\r\n@    WARNING: IT HAS CHANGED!     @\r\n@@@@@\r\nNASTY!\n",
            "WARNING: IT HAS CHANGED!; NASTY!",
        );
        let long = format!("begin{}end", "x".repeat(10_000));
        let line = told(&long);
        assert_eq!(line.chars().count(), 603);
        assert!(
            line.starts_with("beginx") && line.ends_with("xend"),
            "{line}"
        );
    }
}
