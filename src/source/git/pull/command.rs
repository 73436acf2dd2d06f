//! The git client as it is called to fetch: as whom, rid of what, with which environment and settings.
//!
//! Not here: what its end means.
#![expect(
    clippy::disallowed_methods,
    reason = "makes the command of the git client, which meets the network"
)]

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use super::{PullError, Puller};
use crate::source::fetch::PASSED_ON;

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

/// What comes is kept as one file, however little it is, so that the bound of a file is that of the fetch.
const ONE_FILE: &str = "fetch.unpackLimit=1";

/// Where git looks for the authorities that it believes, in place of the system's.
const AUTHORITIES: &str = "GIT_SSL_CAINFO";

/// What git is rid of before it is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shed {
    /// The user that runs rfw, and with it all capabilities.
    User,
    /// All capabilities, where that user is the only one there is.
    All,
    /// Capabilities that programs would inherit.
    Inherited,
}

impl Shed {
    /// For a puller, where this user runs rfw.
    pub(super) fn of(
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

    /// How a program is started. It can only be rid of capabilities by itself: setpriv(1) does that.
    fn start(self, program: &str) -> Command {
        let words: &[&str] = match self {
            Self::User => return Command::new(program),
            Self::All => &[
                "--bounding-set=-all",
                "--inh-caps=-all",
                "--ambient-caps=-all",
            ],
            Self::Inherited => &["--inh-caps=-all", "--ambient-caps=-all"],
        };
        let mut command = Command::new("setpriv");
        command.args(words).args(["--", program]);
        command
    }
}

/// The variables that programs that meet the network need.
pub(super) fn passed_on() -> Vec<(OsString, OsString)> {
    std::env::vars_os()
        .filter(|(key, _)| key == AUTHORITIES || PASSED_ON.iter().any(|known| key == known))
        .collect()
}

/// How git is called.
pub(super) struct Client<'a> {
    pub(super) git_dir: &'a Path,
    pub(super) puller: &'a Puller,
    pub(super) shed: Shed,
    /// All of the environment that it gets besides ours.
    pub(super) environment: Vec<(OsString, OsString)>,
}

impl Client<'_> {
    fn command(&self, program: &str) -> Command {
        let Self {
            git_dir,
            puller,
            shed,
            environment,
        } = self;
        let mut command = shed.start(program);
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
    pub(super) fn fetch(&self, address: &str, branch: &str, most: u64) -> Command {
        // git has no limit of its own for what comes, so that the kernel's for files has to do.
        let mut command = self.command("prlimit");
        command.args([&format!("--fsize={most}"), "--", "git"]);
        for setting in SETTINGS.into_iter().chain([ONE_FILE]) {
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

    /// Takes away what a fetch that has failed has left: as the user who fetched, and nothing that is older.
    pub(super) fn forget_unfinished(&self, common: &Path) -> Command {
        let mut command = self.command("find");
        command.arg(common.join("objects"));
        command.args(["-maxdepth", "2", "-type", "f", "-mmin", "-3"]);
        command.args([
            "-regex",
            ".*/tmp_\\(pack\\|idx\\|rev\\|obj\\)_[^/]*",
            "-delete",
        ]);
        command
    }

    /// The address is asked of the file itself: nothing that it includes is read, nothing that it says is followed.
    pub(super) fn address(&self, common: &Path, remote: &str) -> Command {
        let mut command = self.command("git");
        command
            .args(["config", "--no-includes", "--file"])
            .arg(common.join("config"))
            .args(["--get", &format!("remote.{remote}.url")])
            .stdout(Stdio::piped());
        command
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::Command;

    use super::super::Puller;
    use super::{Client, Shed};

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
        client.fetch("ssh://git@host/x", "refs/heads/main", 7 << 20)
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
        assert_eq!(command.get_program(), "prlimit");
        let arguments: Vec<&str> = command
            .get_args()
            .filter_map(|word| word.to_str())
            .collect();
        let arguments = arguments.join(" ");
        for word in [
            "--fsize=7340032 -- git -c core.fsmonitor=false -c core.hooksPath=/dev/null",
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
}
