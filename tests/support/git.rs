//! Repositories for tests, made by the real `git`: with a home of their own and nothing of the machine's configuration.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::program::{self, Output};
use super::rfw::Desk;

/// The time a command gets.
const BOUND: Duration = Duration::from_secs(30);

/// A repository with a work tree.
#[derive(Debug)]
pub(crate) struct Git {
    /// The work tree.
    pub(crate) path: PathBuf,
    home: PathBuf,
}

impl Git {
    /// A new one on the desk, with the branch `main` and no commit.
    #[track_caller]
    pub(crate) fn new(desk: &Desk, name: &str) -> Self {
        Self::with(desk, name, &[]).expect("git init")
    }

    /// As [`Git::new`], with more arguments of `git init`; what it says where it does not know them.
    pub(crate) fn with(desk: &Desk, name: &str, arguments: &[&str]) -> Result<Self, String> {
        let home = desk.file("home");
        let git = Self {
            path: desk.file(name),
            home,
        };
        for directory in [&git.home, &git.path] {
            fs::create_dir_all(directory).expect("a directory on the desk");
        }
        let output = git.try_to(&[&["init", "-q", "-b", "main"], arguments].concat());
        match output.success() {
            true => Ok(git),
            false => Err(output.stderr),
        }
    }

    /// Another directory with the same home.
    pub(crate) fn at(&self, path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            home: self.home.clone(),
        }
    }

    /// Writes a file of the work tree.
    #[track_caller]
    pub(crate) fn write(&self, file: &str, text: &str) {
        let path = self.path.join(file);
        fs::create_dir_all(path.parent().expect("a directory")).expect("the work tree");
        fs::write(path, text).expect("the work tree can be written");
    }

    /// Commits all of the work tree; returns the id.
    #[track_caller]
    pub(crate) fn commit(&self, files: &[(&str, &str)]) -> String {
        for (file, text) in files {
            self.write(file, text);
        }
        self.run(&["add", "-A"]);
        self.run(&["commit", "-q", "--allow-empty", "-m", "a change"]);
        self.run(&["rev-parse", "HEAD"])
    }

    /// Runs git; it must succeed. Returns what it prints.
    #[track_caller]
    pub(crate) fn run(&self, arguments: &[&str]) -> String {
        self.feed(arguments, "")
    }

    /// As [`Git::run`], with something on its standard input.
    #[track_caller]
    pub(crate) fn feed(&self, arguments: &[&str], input: &str) -> String {
        let output = program::run(self.command(arguments), input.as_bytes(), BOUND);
        assert!(output.success(), "git {arguments:?}: {}", output.stderr);
        output.stdout.trim_end().to_owned()
    }

    /// Runs git, whatever comes of it.
    pub(crate) fn try_to(&self, arguments: &[&str]) -> Output {
        program::run(self.command(arguments), b"", BOUND)
    }

    /// git with arguments, in the repository and an environment of its own.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("git");
        command.args(arguments).current_dir(&self.path).env_clear();
        for (key, value) in [
            ("PATH", std::env::var("PATH").unwrap_or_default().as_str()),
            ("HOME", self.home.to_str().expect("a path in UTF-8")),
            ("LC_ALL", "C"),
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_AUTHOR_NAME", "a"),
            ("GIT_AUTHOR_EMAIL", "a@example.org"),
            ("GIT_COMMITTER_NAME", "a"),
            ("GIT_COMMITTER_EMAIL", "a@example.org"),
        ] {
            command.env(key, value);
        }
        command
    }

    /// A file of the repository's own directory.
    pub(crate) fn inner(&self, file: &str) -> PathBuf {
        self.path.join(".git").join(file)
    }

    /// Puts an object into the repository that git itself would not make.
    #[track_caller]
    pub(crate) fn object(&self, kind: &str, bytes: &[u8]) -> String {
        let file = Path::new(&self.home).join("object");
        fs::write(&file, bytes).expect("the home can be written");
        let file = file.to_str().expect("a path in UTF-8");
        self.run(&["hash-object", "-w", "--literally", "-t", kind, file])
    }
}
