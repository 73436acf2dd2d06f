//! What libgit2 cannot read, by way of the git client's plumbing: tables of refs, and objects named by SHA-256.
//!
//! None of the commands runs a hook, a filter or any program that the repository's configuration names; that is said
//! to them once more in words. What they answer is held against its hash here.
#![expect(
    clippy::disallowed_methods,
    reason = "starts the git client, which reads what libgit2 cannot"
)]

use std::cell::RefCell;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use super::object::{Kind, ObjectId};
use super::place::Place;
use super::store::{Object, Store, Target, is_named, missing};
use super::{Access, GitError};

/// A repository that the git client reads for us.
pub(super) struct Client<'p> {
    place: &'p Place,
    format: &'static str,
    quarantine: Option<PathBuf>,
    /// The one that answers for objects; started when the first is asked for.
    reader: RefCell<Option<Reader>>,
}

struct Reader {
    child: Child,
    ask: ChildStdin,
    answer: BufReader<ChildStdout>,
}

impl Drop for Reader {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl<'p> Client<'p> {
    pub(super) fn new(place: &'p Place, format: &'static str, access: &Access) -> Self {
        Self {
            place,
            format,
            quarantine: access.quarantine.clone(),
            reader: RefCell::new(None),
        }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("git");
        command.args([
            "-c",
            "core.fsmonitor=false",
            "-c",
            "core.hooksPath=/dev/null",
            "-c",
            "protocol.allow=never",
        ]);
        command.args(arguments).env_clear().current_dir("/");
        command.envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        for (key, value) in [
            ("LC_ALL", "C"),
            ("HOME", "/nonexistent"),
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_NO_REPLACE_OBJECTS", "1"),
            ("GIT_NO_LAZY_FETCH", "1"),
            ("GIT_OPTIONAL_LOCKS", "0"),
            ("GIT_TERMINAL_PROMPT", "0"),
        ] {
            command.env(key, value);
        }
        // To whom it belongs has been looked at; with the directory given the client does not look again.
        command.env("GIT_DIR", &self.place.git);
        if let Some(quarantine) = &self.quarantine {
            command.env("GIT_OBJECT_DIRECTORY", quarantine).env(
                "GIT_ALTERNATE_OBJECT_DIRECTORIES",
                self.place.common.join("objects"),
            );
        }
        command.stdin(Stdio::null()).stderr(Stdio::piped());
        command
    }

    /// What a command prints, without the end of the line; `None` when it ends with 1, which means no such thing.
    fn ask(&self, arguments: &[&str]) -> Result<Option<String>, GitError> {
        let output = self.command(arguments).output();
        let output = output.map_err(|source| self.no_client(source))?;
        match output.status.code() {
            Some(0) => Ok(Some(
                String::from_utf8_lossy(&output.stdout)
                    .trim_end()
                    .to_owned(),
            )),
            Some(1) => Ok(None),
            _ => {
                let said = String::from_utf8_lossy(&output.stderr);
                Err(self.failed(arguments, said.lines().next().unwrap_or("it has failed")))
            }
        }
    }

    fn no_client(&self, source: io::Error) -> GitError {
        GitError::NoClient {
            path: self.place.common.clone(),
            format: self.format,
            source,
        }
    }

    fn failed(&self, arguments: &[&str], said: &str) -> GitError {
        GitError::Client {
            path: self.place.common.clone(),
            command: arguments.join(" "),
            said: said.escape_debug().to_string(),
        }
    }

    /// One question to the reader of objects: the header of its answer, and the content if that is asked for and
    /// there is so much as the header says.
    fn converse(&self, question: &str) -> Result<(String, Vec<u8>), GitError> {
        const READER: [&str; 2] = ["cat-file", "--batch-command"];
        let mut reader = self.reader.borrow_mut();
        if reader.is_none() {
            let mut command = self.command(&READER);
            command.stdin(Stdio::piped()).stdout(Stdio::piped());
            command.stderr(Stdio::null());
            let mut child = command.spawn().map_err(|source| self.no_client(source))?;
            if let (Some(ask), Some(answer)) = (child.stdin.take(), child.stdout.take()) {
                let answer = BufReader::new(answer);
                *reader = Some(Reader { child, ask, answer });
            }
        }
        let failed = |error: io::Error| self.failed(&READER, &error.to_string());
        let Some(Reader { ask, answer, .. }) = reader.as_mut() else {
            return Err(self.failed(&READER, "it has no standard output"));
        };
        ask.write_all(format!("{question}\n").as_bytes())
            .and_then(|()| ask.flush())
            .map_err(failed)?;
        let mut header = String::new();
        answer
            .by_ref()
            .take(4096)
            .read_line(&mut header)
            .map_err(failed)?;
        if !header.ends_with('\n') {
            return Err(self.failed(&READER, "it has ended"));
        }
        let header = header.trim_end().to_owned();
        let mut content = Vec::new();
        if question.starts_with("contents ")
            && let Some((_, size)) = kind_and_size(&header)
        {
            answer
                .by_ref()
                .take(size)
                .read_to_end(&mut content)
                .map_err(failed)?;
            let mut end = [0];
            answer.read_exact(&mut end).map_err(failed)?;
        }
        Ok((header, content))
    }
}

/// From `ID KIND SIZE`.
fn kind_and_size(header: &str) -> Option<(Kind, u64)> {
    let mut words = header.split(' ').skip(1);
    let kind = Kind::from_word(words.next()?)?;
    Some((kind, words.next()?.parse().ok()?))
}

impl Store for Client<'_> {
    fn reference(&self, name: &str) -> Result<Option<Target>, GitError> {
        if let Some(other) = self.ask(&["symbolic-ref", "--quiet", name])? {
            return Ok(Some(Target::Symbolic(other)));
        }
        if name == "HEAD" {
            let found = self.ask(&["rev-parse", "--verify", "--quiet", name])?;
            return Ok(found.and_then(|id| id.parse().ok()).map(Target::Id));
        }
        // Takes whole names only, unlike rev-parse; lists what is below as well.
        let arguments = ["for-each-ref", "--format=%(objectname) %(refname)", name];
        let listed = self.ask(&arguments)?.unwrap_or_default();
        let found = listed.lines().find_map(|line| {
            let (id, found) = line.split_once(' ')?;
            (found == name).then(|| id.parse().ok())?
        });
        Ok(found.map(Target::Id))
    }

    fn object(&self, id: &ObjectId, most: u64) -> Result<Object, GitError> {
        let path = || self.place.common.clone();
        let (header, _) = self.converse(&format!("info {id}"))?;
        let Some((kind, size)) = kind_and_size(&header) else {
            return Err(GitError::Missing {
                path: path(),
                id: id.clone(),
                hint: missing(self.place),
            });
        };
        if most < size {
            return Err(GitError::TooLarge {
                id: id.clone(),
                size,
                most,
            });
        }
        let (_, bytes) = self.converse(&format!("contents {id}"))?;
        if !is_named(id, kind, &bytes) {
            return Err(GitError::Corrupt {
                path: path(),
                id: id.clone(),
                what: "it is not what its id stands for".to_owned(),
            });
        }
        Ok(Object { kind, bytes })
    }

    fn complete(&self, digits: &str) -> Result<Option<ObjectId>, GitError> {
        let (header, _) = self.converse(&format!("info {digits}"))?;
        if header.ends_with(" ambiguous") {
            return Err(GitError::Ambiguous {
                revision: digits.to_owned(),
                names: "several objects begin so".to_owned(),
            });
        }
        let id = header.split(' ').next().unwrap_or_default();
        Ok(kind_and_size(&header).and_then(|_| id.parse().ok()))
    }
}
