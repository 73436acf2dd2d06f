//! Runs the program under test, with nothing of the machine's in its environment.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::Host;
use super::program::{self, Output};

/// The time a command of ours gets.
const BOUND: Duration = Duration::from_secs(60);

/// A directory of the test's own that goes with it; state and run directory of `rfw` are in it.
#[derive(Debug)]
pub(crate) struct Desk {
    root: PathBuf,
}

impl Desk {
    /// A new, empty one.
    pub(crate) fn new() -> Self {
        // Not the process id: each test is the first process of its namespace.
        let name = fs::read_to_string("/proc/sys/kernel/random/uuid").expect("a name");
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name.trim());
        fs::create_dir_all(root.join("state")).expect("a directory under target");
        fs::create_dir_all(root.join("run")).expect("a directory under target");
        Self { root }
    }

    /// Writes a file on the desk and returns its path as text; the directories on the way to it are made.
    pub(crate) fn write(&self, name: &str, text: &str) -> String {
        let path = self.root.join(name);
        fs::create_dir_all(path.parent().expect("a directory")).expect("the desk can be written");
        fs::write(&path, text).expect("the desk can be written");
        path.to_str().expect("a path in UTF-8").to_owned()
    }

    /// Runs `rfw` on a host, whatever its result.
    #[track_caller]
    pub(crate) fn rfw(&self, host: &Host, arguments: &[&str]) -> Output {
        let command = self.command(arguments);
        host.run(|| program::run(command, b"", BOUND))
    }

    /// Runs `rfw` on a host; it must end with exit code 0. Returns its stdout.
    #[track_caller]
    pub(crate) fn must(&self, host: &Host, arguments: &[&str]) -> String {
        let output = self.rfw(host, arguments);
        assert!(
            output.success(),
            "rfw {arguments:?}: {}\n{}{}",
            output.status,
            output.stdout,
            output.stderr
        );
        output.stdout
    }

    /// Runs `rfw` on a host in a user namespace of its own, so without any right to the host's network.
    pub(crate) fn rfw_without_rights(&self, host: &Host, arguments: &[&str]) -> Output {
        let inner = self.command(arguments);
        let mut command = Command::new("unshare");
        command
            .arg("-U")
            .arg(inner.get_program())
            .args(inner.get_args())
            .env_clear();
        command.env("PATH", "/usr/bin:/bin").envs(
            inner
                .get_envs()
                .filter_map(|(key, value)| Some((key, value?))),
        );
        host.run(|| program::run(command, b"", BOUND))
    }

    /// The path of a file on the desk itself.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// The path of a file in the state directory.
    pub(crate) fn state_file(&self, name: &str) -> PathBuf {
        self.root.join("state").join(name)
    }

    /// The path of a file in the run directory.
    pub(crate) fn run_file(&self, name: &str) -> PathBuf {
        self.root.join("run").join(name)
    }

    /// `rfw` with arguments and a clean environment.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rfw"));
        command
            .args(arguments)
            .env_clear()
            .env("LC_ALL", "C")
            .env("RFW_STATE_DIR", self.root.join("state"))
            .env("RFW_RUN_DIR", self.root.join("run"))
            .env("RFW_SYSCTL_FILE", self.root.join("90-rfw.conf"))
            .current_dir(&self.root);
        command
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.root);
        }
    }
}
