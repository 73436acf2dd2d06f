//! `rfw repo init`: a bare repository that a policy is pushed to.
#![expect(
    clippy::disallowed_methods,
    reason = "makes a repository with the program git, and writes its hooks"
)]

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, lchown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::{Args, Subcommand};
use nix::unistd::User;

use super::Global;
use super::error::{Explained, Failure};
use super::output::Output;

/// Make a repository that can be pushed to
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Make a bare repository whose hooks show each push what it would change, and wake the daemon
    ///
    /// Force pushes and the deletion of branches are refused, objects are checked, `git push -o plan` only asks. On a repository that this
    /// command has made, it puts back what is missing and says what it leaves alone.
    Init(InitArguments),
}

#[derive(Debug, Args)]
struct InitArguments {
    /// Where: a directory that is not there yet, or is empty
    path: PathBuf,
    /// The branch that is followed [default: that of agent.yaml, else main]
    #[arg(long, value_name = "NAME")]
    branch: Option<String>,
    /// The directory of the policy in the repository [default: that of agent.yaml, else its root]
    #[arg(long, value_name = "DIR")]
    subdirectory: Option<String>,
    /// The user who is pushed to and to whom the repository belongs [default: that of agent.yaml, else whoever runs this]
    #[arg(long, value_name = "USER")]
    owner: Option<String>,
}

/// The configuration of ours: the mark by which it is known again comes first.
const SETTINGS: [(&str, &str); 5] = [
    ("rfw.repository", "true"),
    ("receive.denyNonFastForwards", "true"),
    ("receive.denyDeletes", "true"),
    ("receive.fsckObjects", "true"),
    ("receive.advertisePushOptions", "true"),
];
const HOOKS: [&str; 2] = ["pre-receive", "post-receive"];
/// Readable by the group, writable by the owner alone.
const DIRECTORY_MODE: u32 = 0o750;
const HOOK_MODE: u32 = 0o755;

#[derive(Debug, thiserror::Error)]
enum RepoError {
    #[error("`{path}` is not empty, and no repository that `rfw repo init` has made")]
    NotEmpty { path: PathBuf },
    #[error("cannot make the repository `{path}`")]
    Io { path: PathBuf, source: io::Error },
    #[error("cannot run the program `git`")]
    NoGit { source: io::Error },
    #[error("`git {command}` has failed: {said}")]
    Git { command: String, said: String },
    #[error("there is no user `{name}`")]
    NoUser { name: String },
}

pub(super) fn run(
    arguments: &Arguments,
    global: &Global,
    output: &mut Output,
) -> Result<(), Failure> {
    let Verb::Init(arguments) = &arguments.command;
    init(arguments, global, output).map_err(|error| {
        let now = match &error {
            RepoError::NotEmpty { .. } => "nothing has changed there",
            RepoError::NoGit { .. } => "install git; pushes need it on this box, too",
            RepoError::Io { .. } | RepoError::Git { .. } | RepoError::NoUser { .. } => {
                "when the reason is gone, run it again: it goes on from what is there"
            }
        };
        Failure::World(Explained {
            error: Box::new(error),
            details: Vec::new(),
            now: vec![now.to_owned()],
        })
    })
}

fn init(arguments: &InitArguments, global: &Global, output: &mut Output) -> Result<(), RepoError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        |source| RepoError::Io { path, source }
    };
    let path = std::path::absolute(&arguments.path).map_err(failed(&arguments.path))?;
    let ours = global.agent.repository.as_ref();
    let of_agent = ours.map(|repository| repository.branch.to_string());
    let branch = arguments.branch.clone().or(of_agent);
    let branch = branch.unwrap_or_else(|| "main".to_owned());
    let owner = match &arguments.owner {
        Some(name) => Some(name.clone()),
        None => ours.and_then(|repository| repository.owner.as_ref().map(ToString::to_string)),
    };
    let owner = owner.map(user).transpose()?;
    let is_new = is_empty(&path).map_err(failed(&path))?;
    if !is_new && get(&path, "rfw.repository")?.as_deref() != Some("true") {
        return Err(RepoError::NotEmpty { path });
    }
    if is_new {
        fs::create_dir_all(&path).map_err(failed(&path))?;
        let mode = fs::Permissions::from_mode(DIRECTORY_MODE);
        fs::set_permissions(&path, mode).map_err(failed(&path))?;
        let head = format!("--initial-branch={branch}");
        git(
            &path,
            &["init", "--quiet", "--bare", "--template=", &head, "."],
        )?;
    }
    for (key, value) in SETTINGS {
        match get(&path, key)? {
            None => {
                git(&path, &["config", "--file", "config", key, value])?;
            }
            Some(now) if now == value => {}
            Some(now) => output.note(&format!("left alone: {key} = {now}")),
        }
    }
    let hooks = path.join("hooks");
    fs::create_dir_all(&hooks).map_err(failed(&hooks))?;
    for name in HOOKS {
        let file = hooks.join(name);
        let text = hook(name, arguments, global).map_err(failed(&file))?;
        match fs::read_to_string(&file) {
            Ok(now) if now == text => {}
            Ok(_) => output.note(&format!("left alone: hooks/{name} says something else")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::write(&file, text).map_err(failed(&file))?;
                let mode = fs::Permissions::from_mode(HOOK_MODE);
                fs::set_permissions(&file, mode).map_err(failed(&file))?;
            }
            Err(source) => return Err(RepoError::Io { path: file, source }),
        }
    }
    if let Some(owner) = owner {
        give(&path, &owner).map_err(failed(&path))?;
    }
    let what = if is_new { "made" } else { "is as it should be" };
    output.line(&format!(
        "{}: {what}, the branch {branch} is followed",
        path.display()
    ));
    Ok(())
}

/// Whether there is nothing at a path yet.
fn is_empty(path: &Path) -> io::Result<bool> {
    match fs::read_dir(path) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error),
    }
}

fn user(name: String) -> Result<User, RepoError> {
    match User::from_name(&name) {
        Ok(Some(user)) => Ok(user),
        Ok(None) | Err(_) => Err(RepoError::NoUser { name }),
    }
}

/// Gives a directory and all in it to a user; links themselves, not what they lead to.
fn give(path: &Path, owner: &User) -> io::Result<()> {
    lchown(path, Some(owner.uid.as_raw()), Some(owner.gid.as_raw()))?;
    if path.symlink_metadata()?.is_dir() {
        for entry in fs::read_dir(path)? {
            give(&entry?.path(), owner)?;
        }
    }
    Ok(())
}

/// What git runs: this program, with what was said about where things are.
fn hook(name: &str, arguments: &InitArguments, global: &Global) -> io::Result<String> {
    let program = std::env::current_exe()?;
    let mut words = vec![
        quoted(&program.display().to_string()),
        "hook".into(),
        name.into(),
    ];
    let mut say = |option: &str, value: &str| words.push(format!("{option}={}", quoted(value)));
    if let Some(branch) = &arguments.branch {
        say("--branch", branch);
    }
    if let Some(directory) = &arguments.subdirectory {
        say("--subdirectory", directory);
    }
    if let Some(node) = global.node.as_ref().filter(|_| global.agent.node.is_none()) {
        say("--node", node);
    }
    if let Some(file) = &global.agent_file {
        say("--agent", &std::path::absolute(file)?.display().to_string());
    }
    for (option, directory, usual) in [
        ("--run-dir", &global.run_dir, "/run/rfw"),
        ("--state-dir", &global.state_dir, "/var/lib/rfw"),
    ] {
        if directory != Path::new(usual) {
            say(
                option,
                &std::path::absolute(directory)?.display().to_string(),
            );
        }
    }
    let command = words.join(" ");
    Ok(format!(
        "#!/bin/sh\n# Made by `rfw repo init`.\nexec {command}\n"
    ))
}

/// A word of the shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// A value of the repository's configuration.
fn get(path: &Path, key: &str) -> Result<Option<String>, RepoError> {
    if !path.join("config").is_file() {
        return Ok(None);
    }
    let arguments = ["config", "--file", "config", "--get", key];
    match git(path, &arguments) {
        Ok(value) => Ok(Some(value)),
        // The exit code says that it is not there.
        Err(RepoError::Git { said, .. }) if said.is_empty() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Runs git in a directory, with nothing of anybody's configuration.
fn git(path: &Path, arguments: &[&str]) -> Result<String, RepoError> {
    let answer = Command::new("git")
        .args(arguments)
        .current_dir(path)
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("LC_ALL", "C")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_DEFAULT_HASH", "sha1")
        .env("GIT_DEFAULT_REF_FORMAT", "files")
        .stdin(Stdio::null())
        .output()
        .map_err(|source| RepoError::NoGit { source })?;
    if answer.status.success() {
        return Ok(String::from_utf8_lossy(&answer.stdout)
            .trim_end()
            .to_owned());
    }
    let said = String::from_utf8_lossy(&answer.stderr)
        .trim_end()
        .to_owned();
    Err(RepoError::Git {
        command: arguments.join(" "),
        said,
    })
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn words_of_the_shell() {
        assert_eq!(quoted("/usr/bin/rfw"), "'/usr/bin/rfw'");
        assert_eq!(quoted("a'b $c"), r"'a'\''b $c'");
    }
}
